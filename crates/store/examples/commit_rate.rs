//! How many changes a second the store alone takes in: load a batch's people, change them, commit with ledger and
//! outbox. Run with `--release --features testing`; PostgreSQL takes part if one is at hand.
//!
//! Arguments: people (default 100 000), changes in a batch (2 000), batches (50).
#![expect(clippy::print_stdout, reason = "it prints its result")]

use std::{sync::Arc, time::Instant};

use baton_core::{
    book::{Book, Entry, LedgerRow, Needs, OutBody, OutKey, OutMessage, OutTopic},
    change::{Cause, Change, Class, FieldChange, Origin, Outcome, Seen, Verdicts},
    id::{Digest, EntityId, Kind, Object, Position, RecordKey},
    input::Input,
    state::{Golden, State},
    time::Millis,
    value::Value,
    wire,
};
use baton_store::{Batch, Durability, Options, Store, testing};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

const FIELDS: usize = 20;

struct Load {
    people: u64,
    batch: usize,
    batches: usize,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse::<usize>());
    let mut next = |default| arguments.next().unwrap_or(Ok(default));
    let load = Load {
        people: next(100_000)? as u64,
        batch: next(2_000)?,
        batches: next(50)?,
    };
    println!(
        "{} people of {FIELDS} fields, {} batches of {} changes, uniform keys",
        load.people, load.batches, load.batch
    );
    for (name, durability) in [
        ("sqlite, synchronous normal", Durability::Normal),
        ("sqlite, synchronous full", Durability::Full),
    ] {
        let options = Options {
            durability,
            ..Options::default()
        };
        let (store, _folder) = testing::sqlite_store(&options).await?;
        measure(name, &store, &load).await?;
    }
    if let Some(server) = testing::postgres() {
        let (store, _database) = testing::postgres_store(server, &Options::default()).await?;
        measure("postgresql", &store, &load).await?;
    }
    Ok(())
}

async fn measure(name: &str, store: &Store, load: &Load) -> Result<(), Box<dyn std::error::Error>> {
    let mut rng = StdRng::seed_from_u64(1);
    let started = Instant::now();
    for first in (0..load.people).step_by(load.batch) {
        let mut book = Book::default();
        let last = load.people.min(first + load.batch as u64);
        let people: Vec<u64> = (first..last).collect();
        store.load(&mut book, &needs(&people)).await?;
        for n in people {
            create(&mut book, n);
        }
        store.commit(&mut book, &Batch::default()).await?;
    }
    let filled = started.elapsed().as_secs_f64();
    println!(
        "{name}: filled at {:.0} people/s",
        load.people as f64 / filled
    );

    let (mut loading, mut changing, mut committing, mut relaying) = (0.0, 0.0, 0.0, 0.0);
    let mut clock = Instant::now();
    let mut lap = |sum: &mut f64| {
        *sum += clock.elapsed().as_secs_f64();
        clock = Instant::now();
    };
    for _ in 0..load.batches {
        let people: Vec<u64> = (0..load.batch)
            .map(|_| rng.random_range(0..load.people))
            .collect();
        let mut book = Book::default();
        store.load(&mut book, &needs(&people)).await?;
        lap(&mut loading);
        for n in people {
            change(&mut book, n, rng.random());
        }
        lap(&mut changing);
        store.commit(&mut book, &Batch::default()).await?;
        lap(&mut committing);
        let page = store
            .outbox_page(baton_store::OutboxSeq(0), u32::MAX)
            .await?;
        let seqs: Vec<_> = page.iter().map(|m| m.seq).collect();
        store.outbox_done(&seqs).await?;
        lap(&mut relaying);
    }
    let changes = (load.batch * load.batches) as f64;
    let total = loading + changing + committing + relaying;
    println!(
        "{name}: {:.0} changes/s, {:.1} commits/s; per change {:.1} us load, {:.1} us change (not the store), \
         {:.1} us commit, {:.1} us outbox read and emptied",
        changes / (total - changing),
        load.batches as f64 / total,
        loading * 1e6 / changes,
        changing * 1e6 / changes,
        committing * 1e6 / changes,
        relaying * 1e6 / changes,
    );
    Ok(())
}

fn record(n: u64) -> RecordKey {
    RecordKey::new("crm", Object::Contact, format!("003{n:015}"))
}

fn person(n: u64) -> EntityId {
    EntityId {
        kind: Kind::Person,
        digest: Digest::of(&[&n.to_le_bytes()]),
    }
}

fn key(n: u64) -> Digest {
    Digest::of(&[b"mail", &n.to_le_bytes()])
}

fn needs(people: &[u64]) -> Needs {
    Needs {
        links: people.iter().map(|n| record(*n)).collect(),
        keys: people.iter().map(|n| key(*n)).collect(),
        ..Needs::default()
    }
}

fn field(n: usize) -> String {
    format!("field_{n}")
}

/// A person of some thousand bytes, as two systems' records make one.
fn create(book: &mut Book, n: u64) {
    let id = person(n);
    let mut state = State::new(id);
    for f in 0..FIELDS {
        let golden = Golden {
            value: Value::text(&format!("value {f} of {n}")),
            winner: Some(record(n)),
            ..Golden::default()
        };
        Arc::make_mut(&mut state.golden).insert(field(f).as_str().into(), golden);
    }
    let entry = Entry {
        state,
        version: 0,
        dirty: true,
    };
    book.entities.insert(id, entry);
    book.links.insert(record(n), id);
    book.out.links.push((record(n), id));
    book.keys.entry(key(n)).or_default().insert(id);
    book.out.keys_added.push((key(n), id));
    book.out.ledger.push(ledger_row(id, n));
}

fn ledger_row(entity: EntityId, n: u64) -> LedgerRow {
    let fields = (0..3).map(|f| FieldChange {
        field: field(f).as_str().into(),
        value: Value::text(&format!("value {f} of {n}")),
        seen: Seen::Value,
        before: None,
    });
    LedgerRow {
        entity,
        at: Millis(1_760_000_000_100),
        input: Input::Change(Change {
            record: record(n),
            class: Class::Delta,
            time: Millis(1_760_000_000_000),
            seq: n,
            position: Position::new(Millis(1_760_000_000_100), 1, 1, n),
            event: Digest::of(&[b"event", &n.to_le_bytes()]),
            cause: Cause::ManualEdit,
            actor: Some("userId:45678".into()),
            origin: Origin::Other,
            fields: fields.collect(),
            verdicts: Verdicts::default(),
        }),
        outcome: Outcome::Applied,
        rule_version: "0123456789abcdef".into(),
    }
}

/// One to three fields change; a command and a golden message come of it.
fn change(book: &mut Book, n: u64, event_number: u64) {
    let id = person(n);
    let Some(entry) = book.entities.get_mut(&id) else {
        return;
    };
    entry.dirty = true;
    entry.state.golden_version += 1;
    for (_, golden) in Arc::make_mut(&mut entry.state.golden).iter_mut().take(2) {
        golden.value = Value::text(&format!("value {event_number}"));
    }
    let message = wire::GoldenMessage {
        schema_version: wire::SchemaVersion::CURRENT,
        entity: id,
        kind: Kind::Person,
        version: entry.state.golden_version,
        at: Millis(1_767_225_600_000),
        rule_version: "0123456789abcdef".into(),
        fields: wire::GoldenFields::of(&entry.state.golden),
        changed: vec!["field_1".into()],
        records: Default::default(),
    };
    for topic in [OutTopic::Golden, OutTopic::Commands("map".into())] {
        book.out.messages.push(OutMessage {
            topic,
            key: OutKey::Entity(id),
            body: OutBody::Golden(message.clone()),
            at: Millis(1_760_000_000_100),
            cause: Digest::of(&[&event_number.to_le_bytes()]),
        });
    }
    book.out.ledger.push(ledger_row(id, event_number));
}
