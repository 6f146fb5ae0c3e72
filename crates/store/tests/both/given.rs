//! Books, rows and messages for the facts.

pub use std::collections::BTreeSet;

pub use baton_core::{
    book::{
        AddressRow, Book, Entry, GuardKey, LedgerRow, Needs, OutBody, OutKey, OutMessage, OutTopic,
        Parked, ParkedCode,
    },
    change::{Cause, Change, Class, FieldChange, Format, Origin, Outcome, Seen, Verdicts},
    holdings::Holding,
    id::{Digest, EntityId, Kind, Object, Position, RecordKey},
    input::Input,
    name::Name,
    rules::ConsentState,
    state::{ConsentTurn, State},
    time::Millis,
    value::Value,
    wire,
};
pub use baton_store::{
    Activation, Advance, Batch, Class as ErrorClass, DeadLetter, Erasure, Error, LedgerSeq,
    OutboxSeq, RunCounts, StewardState, Store,
};

pub type Checked = Result<(), Box<dyn std::error::Error>>;

pub fn digest(text: &str) -> Digest {
    Digest::of(&[text.as_bytes()])
}

pub fn person(text: &str) -> EntityId {
    EntityId {
        kind: Kind::Person,
        digest: digest(text),
    }
}

pub fn record(id: &str) -> RecordKey {
    RecordKey::new("crm", Object::Contact, id)
}

pub fn state(id: EntityId, golden_version: u64) -> State {
    let mut state = State::new(id);
    state.golden_version = golden_version;
    state
}

/// Puts a new or changed entity into the book as the core would.
pub fn touch(book: &mut Book, id: EntityId) {
    let entry = book.entities.entry(id).or_insert_with(|| Entry {
        state: State::new(id),
        version: 0,
        dirty: false,
    });
    entry.state.golden_version += 1;
    entry.dirty = true;
}

pub fn link(book: &mut Book, record: &RecordKey, id: EntityId) {
    book.links.insert(record.clone(), id);
    book.out.links.push((record.clone(), id));
}

pub fn add_key(book: &mut Book, key: Digest, id: EntityId) {
    book.keys.entry(key).or_default().insert(id);
    book.out.keys_added.push((key, id));
}

pub fn change(record: RecordKey, event: &str) -> Change {
    Change {
        record,
        class: Class::Merge {
            losers: vec!["old".into()],
        },
        time: Millis(1_000),
        seq: 7,
        position: Position::new(Millis(2_000), 1, 2, 3),
        event: digest(event),
        cause: Cause::ManualEdit,
        actor: Some("somebody".into()),
        origin: Origin::Other,
        fields: vec![FieldChange {
            field: "city".into(),
            value: Value::Text("Bern".into()),
            seen: Seen::Value,
            before: Some(Value::Blank),
        }],
        verdicts: Verdicts::default(),
    }
}

pub fn ledger_row(entity: EntityId, at: i64, event: &str) -> LedgerRow {
    LedgerRow {
        entity,
        at: Millis(at),
        input: Input::Change(change(record("r"), event)),
        outcome: Outcome::Applied,
        rule_version: "v1".into(),
    }
}

pub fn message(key: &str, topic: OutTopic) -> OutMessage {
    OutMessage {
        topic,
        key: OutKey::Named(key.into()),
        body: OutBody::Golden(wire::GoldenMessage {
            schema_version: wire::SchemaVersion::CURRENT,
            entity: baton_core::id::EntityId {
                kind: Kind::Person,
                digest: digest(key),
            },
            kind: Kind::Person,
            version: 1,
            at: Millis(1_767_225_600_000),
            rule_version: "v1".into(),
            fields: Default::default(),
            changed: vec![],
            records: Default::default(),
        }),
        at: Millis(5),
        cause: digest(key),
    }
}

pub fn advance(from: Option<i64>, next: i64) -> Batch {
    Batch {
        positions: vec![Advance {
            topic: "baton.crm.changes".into(),
            partition: 3,
            incarnation: "one".into(),
            from,
            next,
            arrival: Millis(next),
        }],
        ..Batch::default()
    }
}

pub fn turn(text: &str) -> ConsentTurn {
    ConsentTurn {
        channel: "email".into(),
        address: digest(text),
        time: Millis(1),
        state: ConsentState::OptedOut,
        own_act: true,
        steward: false,
        record: record("r"),
        event: digest("e"),
    }
}

/// A batch's needs in every respect.
pub fn all_needs() -> Needs {
    Needs {
        links: vec![record("1"), record("2")],
        keys: vec![digest("mail-1"), digest("mail-2")],
        addresses: vec![digest("address-1"), digest("address-2")],
        entities: vec![person("asked"), person("nobody")],
        guards: vec![],
        holdings: vec![],
        rereads: vec![],
    }
}

pub async fn loaded(store: &Store, needs: &Needs) -> Result<Book, Error> {
    let mut book = Book::default();
    store.load(&mut book, needs).await?;
    Ok(book)
}

pub fn conflict_in(result: Result<baton_store::Committed, Error>, table: &str) {
    match result {
        Err(Error::Conflict { table: at, .. }) => assert_eq!(at, table),
        other => panic!("expected a conflict in {table}, got {other:?}"),
    }
}

pub fn dead_letter(id: &str, at: i64) -> DeadLetter {
    DeadLetter {
        id: digest(id),
        at: Millis(at),
        code: "B0001".into(),
        place: "fields.city".into(),
        what: "not JSON".into(),
        fix: "send JSON".into(),
        system: "crm".into(),
        format: Format::Salesforce,
        object: None,
        topic: "baton.crm.changes".into(),
        partition: 1,
        offset: 99,
        key: Some(vec![1, 0, 2]),
        payload: vec![0xff, 0, 0x7b],
    }
}

pub fn parked(id: &str, at: i64) -> Parked {
    Parked {
        id: digest(id),
        code: ParkedCode::AmbiguousMatch,
        at: Millis(at),
        entity: None,
        record: Some(record("1")),
        field: None,
        candidates: vec![person("a"), person("b")],
        why: "two have it".into(),
        change: Some(change(record("1"), "e")),
    }
}
