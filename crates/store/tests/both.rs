//! One body per fact, run against SQLite and PostgreSQL.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    book::{
        AddressRow, Book, Entry, GuardKey, LedgerRow, Needs, OutBody, OutMessage, OutTopic, Parked,
        ParkedCode,
    },
    change::{Cause, Change, Class, FieldChange, Format, Origin, Outcome, Seen, Verdicts},
    id::{Digest, EntityId, Kind, Object, Position, RecordKey},
    input::Input,
    rules::ConsentState,
    state::{ConsentTurn, State},
    time::Millis,
    value::Value,
    wire,
};
use baton_store::{
    Activation, Advance, Batch, Class as ErrorClass, DeadLetter, Error, LedgerSeq, Options,
    OutboxSeq, StewardState, Store, testing,
};

type Checked = Result<(), Box<dyn std::error::Error>>;

macro_rules! on_both {
    ($($name:ident,)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() -> super::Checked {
                let (store, _folder) =
                    super::testing::sqlite_store(&super::Options::default()).await?;
                super::$name(&store).await
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() -> super::Checked {
                let Some(server) = super::testing::postgres() else { return Ok(()) };
                let (store, _database) =
                    super::testing::postgres_store(server, &super::Options::default()).await?;
                super::$name(&store).await
            })*
        }
    };
}

on_both! {
    what_was_committed_is_loaded_again,
    nothing_is_written_when_an_entity_changed_meanwhile,
    two_who_create_for_one_key_meet,
    two_who_link_one_record_meet,
    two_who_touch_one_address_meet,
    a_lost_partition_cannot_be_advanced,
    a_topic_that_was_made_again_starts_anew,
    what_was_not_found_is_not_looked_up_again,
    a_kept_book_serves_the_next_batch,
    keys_changed_without_being_read_keep_their_other_holders,
    a_record_linked_elsewhere_without_being_read_is_a_bug,
    a_moved_link_is_found_at_its_new_entity,
    due_timers_come_in_due_order,
    the_ledger_tells_an_entitys_inputs_in_order,
    the_outbox_gives_messages_in_order_and_forgets_only_published_ones,
    one_relay_holds_the_lease,
    guards_count_distinct_clears,
    dead_letters_wait_until_somebody_settles_them,
    a_dead_letter_that_fails_again_stays_open,
    parked_changes_wait_until_resolved,
    pages_of_entities_cover_each_once,
    activations_are_told_in_order,
    the_salt_is_drawn_once,
    a_damaged_row_is_named,
    large_batches_are_written_whole,
    texts_with_nul_and_backslash_come_back,
    an_empty_batch_commits,
}

fn digest(text: &str) -> Digest {
    Digest::of(&[text.as_bytes()])
}

fn person(text: &str) -> EntityId {
    EntityId {
        kind: Kind::Person,
        digest: digest(text),
    }
}

fn record(id: &str) -> RecordKey {
    RecordKey::new("crm", Object::Contact, id)
}

fn state(id: EntityId, golden_version: u64) -> State {
    let mut state = State::new(id);
    state.golden_version = golden_version;
    state
}

/// Puts a new or changed entity into the book as the core would.
fn touch(book: &mut Book, id: EntityId) {
    let entry = book.entities.entry(id).or_insert_with(|| Entry {
        state: State::new(id),
        version: 0,
        dirty: false,
    });
    entry.state.golden_version += 1;
    entry.dirty = true;
}

fn link(book: &mut Book, record: &RecordKey, id: EntityId) {
    book.links.insert(record.clone(), id);
    book.out.links.push((record.clone(), id));
}

fn add_key(book: &mut Book, key: Digest, id: EntityId) {
    book.keys.entry(key).or_default().insert(id);
    book.out.keys_added.push((key, id));
}

fn change(record: RecordKey, event: &str) -> Change {
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

fn ledger_row(entity: EntityId, at: i64, event: &str) -> LedgerRow {
    LedgerRow {
        entity,
        at: Millis(at),
        input: Input::Change(change(record("r"), event)),
        outcome: Outcome::Applied,
        rule_version: "v1".into(),
    }
}

fn message(key: &str, topic: OutTopic) -> OutMessage {
    OutMessage {
        topic,
        key: key.into(),
        body: OutBody::Golden(wire::GoldenMessage {
            entity: key.to_owned(),
            kind: Kind::Person,
            version: 1,
            at: "2026-01-01T00:00:00Z".to_owned(),
            rule_version: "v1".to_owned(),
            fields: BTreeMap::new(),
            changed: vec![],
            records: BTreeMap::new(),
        }),
        at: Millis(5),
        cause: digest(key),
    }
}

fn advance(from: Option<i64>, next: i64) -> Batch {
    Batch {
        positions: vec![Advance {
            topic: "baton.crm.changes".into(),
            partition: 3,
            incarnation: "one".into(),
            from,
            next,
        }],
        ..Batch::default()
    }
}

fn turn(text: &str) -> ConsentTurn {
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
fn all_needs() -> Needs {
    Needs {
        links: vec![record("1"), record("2")],
        keys: vec![digest("mail-1"), digest("mail-2")],
        addresses: vec![digest("address-1"), digest("address-2")],
        entities: vec![person("asked"), person("nobody")],
        guards: vec![],
    }
}

async fn loaded(store: &Store, needs: &Needs) -> Result<Book, Error> {
    let mut book = Book::default();
    store.load(&mut book, needs).await?;
    Ok(book)
}

fn conflict_in(result: Result<baton_store::Committed, Error>, table: &str) {
    match result {
        Err(Error::Conflict { table: at, .. }) => assert_eq!(at, table),
        other => panic!("expected a conflict in {table}, got {other:?}"),
    }
}

async fn what_was_committed_is_loaded_again(store: &Store) -> Checked {
    let mut book = loaded(store, &all_needs()).await?;
    for name in ["linked", "keyed", "asked"] {
        touch(&mut book, person(name));
    }
    link(&mut book, &record("1"), person("linked"));
    add_key(&mut book, digest("mail-1"), person("keyed"));
    add_key(&mut book, digest("mail-1"), person("linked"));
    book.addresses.insert(
        digest("address-1"),
        AddressRow {
            turns: [turn("address-1")].into(),
            version: 0,
            dirty: true,
        },
    );
    store.commit(&mut book, &advance(None, 10)).await?;

    let again = loaded(store, &all_needs()).await?;
    assert_eq!(
        again.links,
        [(record("1"), person("linked"))].into_iter().collect()
    );
    assert_eq!(
        again.keys[&digest("mail-1")],
        BTreeSet::from([person("keyed"), person("linked")])
    );
    assert!(again.keys[&digest("mail-2")].is_empty());
    assert_eq!(
        again.addresses[&digest("address-1")].turns,
        BTreeSet::from([turn("address-1")])
    );
    assert!(again.addresses[&digest("address-2")].turns.is_empty());
    let mut found: Vec<_> = again.entities.keys().copied().collect();
    found.sort_unstable();
    let mut expected = vec![person("linked"), person("keyed"), person("asked")];
    expected.sort_unstable();
    assert_eq!(found, expected);
    for (id, entry) in &again.entities {
        assert_eq!(entry.state, state(*id, 1));
        assert_eq!(entry.version, 1);
        assert!(!entry.dirty);
    }
    let positions = store.positions("baton.crm.changes").await?;
    assert_eq!(positions.len(), 1);
    assert_eq!((positions[0].partition, positions[0].next), (3, 10));
    assert_eq!(
        store.entity_of(&record("1")).await?.map(|s| s.id),
        Some(person("linked"))
    );
    assert_eq!(store.entity_of(&record("2")).await?, None);
    assert_eq!(store.entities_by_key(digest("mail-1")).await?.len(), 2);
    assert_eq!(store.entity(person("nobody")).await?, None);
    Ok(())
}

async fn nothing_is_written_when_an_entity_changed_meanwhile(store: &Store) -> Checked {
    let mut first = Book::default();
    touch(&mut first, person("a"));
    touch(&mut first, person("b"));
    store.commit(&mut first, &Batch::default()).await?;

    let needs = Needs {
        entities: vec![person("a"), person("b")],
        ..Needs::default()
    };
    let mut slow = loaded(store, &needs).await?;
    let mut fast = loaded(store, &needs).await?;
    touch(&mut fast, person("b"));
    store.commit(&mut fast, &Batch::default()).await?;

    touch(&mut slow, person("a"));
    touch(&mut slow, person("b"));
    slow.out.ledger.push(ledger_row(person("a"), 1, "e"));
    slow.out.messages.push(message("k", OutTopic::Golden));
    let result = store.commit(&mut slow, &advance(None, 10)).await;
    assert_eq!(result.as_ref().unwrap_err().class(), ErrorClass::Conflict);
    conflict_in(result, "entities");
    assert_eq!(
        store.entity(person("a")).await?,
        Some(state(person("a"), 1))
    );
    assert_eq!(
        store.entity(person("b")).await?,
        Some(state(person("b"), 2))
    );
    assert!(store.ledger(person("a"), None).await?.is_empty());
    assert!(store.outbox_page(OutboxSeq(0), 9).await?.is_empty());
    assert!(store.positions("baton.crm.changes").await?.is_empty());
    Ok(())
}

async fn two_who_create_for_one_key_meet(store: &Store) -> Checked {
    let needs = Needs {
        keys: vec![digest("mail")],
        ..Needs::default()
    };
    let mut one = loaded(store, &needs).await?;
    let mut two = loaded(store, &needs).await?;
    for (book, name) in [(&mut one, "one"), (&mut two, "two")] {
        touch(book, person(name));
        add_key(book, digest("mail"), person(name));
    }
    store.commit(&mut one, &Batch::default()).await?;
    conflict_in(store.commit(&mut two, &Batch::default()).await, "keys");
    assert_eq!(store.entity(person("two")).await?, None);
    Ok(())
}

async fn two_who_link_one_record_meet(store: &Store) -> Checked {
    let needs = Needs {
        links: vec![record("1")],
        ..Needs::default()
    };
    let mut one = loaded(store, &needs).await?;
    let mut two = loaded(store, &needs).await?;
    for (book, name) in [(&mut one, "one"), (&mut two, "two")] {
        touch(book, person(name));
        link(book, &record("1"), person(name));
    }
    store.commit(&mut one, &Batch::default()).await?;
    conflict_in(store.commit(&mut two, &Batch::default()).await, "links");
    assert_eq!(
        store.entity_of(&record("1")).await?.map(|s| s.id),
        Some(person("one"))
    );
    Ok(())
}

async fn two_who_touch_one_address_meet(store: &Store) -> Checked {
    let needs = Needs {
        addresses: vec![digest("address")],
        ..Needs::default()
    };
    let mut one = loaded(store, &needs).await?;
    let mut two = loaded(store, &needs).await?;
    for book in [&mut one, &mut two] {
        let row = book.addresses.get_mut(&digest("address")).unwrap();
        row.turns.insert(turn("address"));
        row.dirty = true;
    }
    store.commit(&mut one, &Batch::default()).await?;
    conflict_in(store.commit(&mut two, &Batch::default()).await, "addresses");
    Ok(())
}

async fn a_lost_partition_cannot_be_advanced(store: &Store) -> Checked {
    store
        .commit(&mut Book::default(), &advance(None, 10))
        .await?;
    store
        .commit(&mut Book::default(), &advance(Some(10), 20))
        .await?;
    for stale in [None, Some(10), Some(19), Some(21)] {
        let mut book = Book::default();
        touch(&mut book, person("a"));
        conflict_in(
            store.commit(&mut book, &advance(stale, 30)).await,
            "positions",
        );
    }
    assert_eq!(store.entity(person("a")).await?, None);
    assert_eq!(store.positions("baton.crm.changes").await?[0].next, 20);
    Ok(())
}

async fn a_topic_that_was_made_again_starts_anew(store: &Store) -> Checked {
    store
        .commit(&mut Book::default(), &advance(None, 500))
        .await?;
    let mut anew = advance(None, 2);
    anew.positions[0].incarnation = "two".into();
    store.commit(&mut Book::default(), &anew).await?;
    let positions = store.positions("baton.crm.changes").await?;
    let found: Vec<_> = positions
        .iter()
        .map(|p| (p.incarnation.as_str(), p.next))
        .collect();
    assert_eq!(found, [("one", 500), ("two", 2)]);
    Ok(())
}

async fn what_was_not_found_is_not_looked_up_again(store: &Store) -> Checked {
    let mut needs = all_needs();
    needs.entities.clear();
    needs.guards.push(GuardKey {
        system: "crm".into(),
        field: "phone".into(),
        window: Millis(60_000),
    });
    let mut book = Book::default();
    assert_eq!(store.load(&mut book, &needs).await?, 7);
    assert_eq!(store.load(&mut book, &needs).await?, 0);
    assert_eq!(book.stored.links[&record("1")], 0);
    assert!(book.links.is_empty());
    assert!(book.keys.contains_key(&digest("mail-1")));
    assert!(book.addresses.contains_key(&digest("address-1")));
    assert!(book.guards.contains_key(&needs.guards[0]));
    Ok(())
}

async fn a_kept_book_serves_the_next_batch(store: &Store) -> Checked {
    let mut book = loaded(store, &all_needs()).await?;
    for round in 1..=3 {
        touch(&mut book, person("a"));
        link(&mut book, &record("1"), person("a"));
        let (gone, come) = if round % 2 == 0 {
            ("mail-1", "mail-2")
        } else {
            ("mail-2", "mail-1")
        };
        book.keys
            .get_mut(&digest(gone))
            .unwrap()
            .remove(&person("a"));
        book.out.keys_removed.push((digest(gone), person("a")));
        add_key(&mut book, digest(come), person("a"));
        let address = book.addresses.get_mut(&digest("address-1")).unwrap();
        address.turns.insert(turn(&format!("{round}")));
        address.dirty = true;
        let committed = store.commit(&mut book, &Batch::default()).await?;
        assert_eq!(committed.entities, 1);
        assert!(book.out.links.is_empty());
    }
    let again = loaded(store, &all_needs()).await?;
    assert_eq!(again.entities[&person("a")].version, 3);
    assert_eq!(again.entities[&person("a")].state, state(person("a"), 3));
    assert_eq!(again.keys[&digest("mail-1")], BTreeSet::from([person("a")]));
    assert!(again.keys[&digest("mail-2")].is_empty());
    assert_eq!(again.addresses[&digest("address-1")].turns.len(), 3);
    Ok(())
}

async fn keys_changed_without_being_read_keep_their_other_holders(store: &Store) -> Checked {
    let mut book = Book::default();
    for name in ["a", "b"] {
        touch(&mut book, person(name));
        add_key(&mut book, digest("mail"), person(name));
    }
    store.commit(&mut book, &Batch::default()).await?;
    let mut book = Book::default();
    touch(&mut book, person("c"));
    add_key(&mut book, digest("mail"), person("c"));
    book.out.keys_removed.push((digest("mail"), person("a")));
    store.commit(&mut book, &Batch::default()).await?;
    let holders: Vec<_> = store
        .entities_by_key(digest("mail"))
        .await?
        .iter()
        .map(|s| s.id)
        .collect();
    let mut expected = vec![person("b"), person("c")];
    expected.sort_unstable();
    assert_eq!(holders, expected);
    Ok(())
}

async fn a_record_linked_elsewhere_without_being_read_is_a_bug(store: &Store) -> Checked {
    let mut book = Book::default();
    touch(&mut book, person("a"));
    link(&mut book, &record("1"), person("a"));
    store.commit(&mut book, &Batch::default()).await?;
    let mut same = Book::default();
    link(&mut same, &record("1"), person("a"));
    store.commit(&mut same, &Batch::default()).await?;
    let mut other = Book::default();
    link(&mut other, &record("1"), person("b"));
    let result = store.commit(&mut other, &Batch::default()).await;
    assert_eq!(result.unwrap_err().class(), ErrorClass::Bug);
    Ok(())
}

async fn a_moved_link_is_found_at_its_new_entity(store: &Store) -> Checked {
    let needs = Needs {
        links: vec![record("1")],
        ..Needs::default()
    };
    let mut book = loaded(store, &needs).await?;
    touch(&mut book, person("lead"));
    link(&mut book, &record("1"), person("lead"));
    store.commit(&mut book, &Batch::default()).await?;
    let mut book = loaded(store, &needs).await?;
    touch(&mut book, person("contact"));
    link(&mut book, &record("1"), person("contact"));
    store.commit(&mut book, &Batch::default()).await?;
    let found = store.entity_of(&record("1")).await?;
    assert_eq!(found.map(|s| s.id), Some(person("contact")));
    Ok(())
}

async fn due_timers_come_in_due_order(store: &Store) -> Checked {
    let mut book = Book::default();
    for (name, wake) in [
        ("late", Some(300)),
        ("early", Some(100)),
        ("middle", Some(200)),
        ("future", Some(901)),
        ("never", None),
    ] {
        touch(&mut book, person(name));
        let entry = book.entities.get_mut(&person(name)).unwrap();
        entry.state.wake = wake.map(Millis);
    }
    store.commit(&mut book, &Batch::default()).await?;
    let names = |due: Vec<(EntityId, Millis)>| due.into_iter().map(|d| d.0).collect::<Vec<_>>();
    let due = names(store.due(Millis(900), 10).await?);
    assert_eq!(due, [person("early"), person("middle"), person("late")]);
    let due = names(store.due(Millis(900), 2).await?);
    assert_eq!(due, [person("early"), person("middle")]);
    assert!(store.due(Millis(99), 10).await?.is_empty());
    assert_eq!(store.next_due().await?, Some(Millis(100)));

    // The timer moves with the state.
    touch(&mut book, person("early"));
    book.entities.get_mut(&person("early")).unwrap().state.wake = None;
    store.commit(&mut book, &Batch::default()).await?;
    assert_eq!(
        store.due(Millis(900), 1).await?,
        [(person("middle"), Millis(200))]
    );
    Ok(())
}

async fn the_ledger_tells_an_entitys_inputs_in_order(store: &Store) -> Checked {
    let mut book = Book::default();
    touch(&mut book, person("a"));
    for at in 1..=5 {
        let (a, b) = (person("a"), person("b"));
        book.out.ledger.push(ledger_row(a, at, &format!("a{at}")));
        book.out.ledger.push(LedgerRow {
            input: Input::Wake,
            ..ledger_row(b, at, "")
        });
    }
    store.commit(&mut book, &Batch::default()).await?;
    let rows = store.ledger(person("a"), None).await?;
    let ats: Vec<i64> = rows.iter().map(|e| e.row.at.0).collect();
    assert_eq!(ats, [1, 2, 3, 4, 5]);
    let Input::Change(found) = &rows[1].row.input else {
        panic!("a change went in");
    };
    assert_eq!(*found, change(record("r"), "a2"));
    assert_eq!(rows[1].row.outcome, Outcome::Applied);
    assert_eq!(store.ledger(person("a"), Some(Millis(3))).await?.len(), 3);

    let mut after = LedgerSeq::default();
    let mut all = Vec::new();
    loop {
        let page = store.ledger_page(after, 3).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        all.extend(page);
    }
    assert_eq!(all.len(), 10);
    assert!(all.iter().map(|e| e.row.at.0).is_sorted());
    Ok(())
}

async fn the_outbox_gives_messages_in_order_and_forgets_only_published_ones(
    store: &Store,
) -> Checked {
    let mut book = Book::default();
    let topics = [
        OutTopic::Golden,
        OutTopic::Commands("crm".into()),
        OutTopic::Decisions,
        OutTopic::DeadLetters,
    ];
    for (n, topic) in topics.into_iter().enumerate() {
        book.out.messages.push(message(&n.to_string(), topic));
    }
    let committed = store.commit(&mut book, &Batch::default()).await?;
    assert_eq!(committed.messages, 4);
    let page = store.outbox_page(OutboxSeq(0), 3).await?;
    let rest = store.outbox_page(page[2].seq, 3).await?;
    let all: Vec<_> = page.into_iter().chain(rest).collect();
    assert_eq!(all.iter().map(|m| m.topic).collect::<Vec<_>>(), topics);
    assert_eq!(
        all.iter().map(|m| &m.key).collect::<Vec<_>>(),
        ["0", "1", "2", "3"]
    );
    let OutBody::Golden(sent) = message("0", OutTopic::Golden).body else {
        panic!("the test's messages are golden ones");
    };
    assert_eq!(all[0].body, serde_json::to_vec(&sent)?);
    assert_eq!((all[0].at, all[0].cause), (Millis(5), digest("0")));

    assert_eq!(store.outbox_done(&[all[0].seq, all[2].seq]).await?, 2);
    assert_eq!(store.outbox_done(&[all[0].seq]).await?, 0);
    let left = store.outbox_page(OutboxSeq(0), 9).await?;
    assert_eq!(left, [all[1].clone(), all[3].clone()]);
    assert_eq!(store.counts().await?.outbox, 2);
    assert_eq!(store.counts().await?.outbox_since, Some(Millis(5)));

    // A number never comes twice, even when the outbox was empty.
    store.outbox_done(&[all[1].seq, all[3].seq]).await?;
    book.out.messages.push(message("4", OutTopic::Golden));
    store.commit(&mut book, &Batch::default()).await?;
    assert!(store.outbox_page(OutboxSeq(0), 1).await?[0].seq > all[3].seq);
    Ok(())
}

async fn one_relay_holds_the_lease(store: &Store) -> Checked {
    assert!(store.lease("relay", "one", Millis(0), 10).await?);
    assert!(!store.lease("relay", "two", Millis(9), 10).await?);
    assert!(store.lease("relay", "one", Millis(9), 10).await?);
    assert!(!store.lease("relay", "two", Millis(18), 10).await?);
    assert!(store.lease("relay", "two", Millis(19), 10).await?);
    assert!(!store.lease("relay", "one", Millis(20), 10).await?);
    store.release("relay", "one").await?;
    assert!(!store.lease("relay", "one", Millis(21), 10).await?);
    store.release("relay", "two").await?;
    assert!(store.lease("relay", "one", Millis(21), 10).await?);
    Ok(())
}

async fn guards_count_distinct_clears(store: &Store) -> Checked {
    let guard = GuardKey {
        system: "crm".into(),
        field: "phone".into(),
        window: Millis(60_000),
    };
    let other = GuardKey {
        window: Millis(120_000),
        ..guard.clone()
    };
    let mut book = Book::default();
    for event in ["a", "b", "a"] {
        book.out.guards.push((guard.clone(), digest(event)));
    }
    store.commit(&mut book, &Batch::default()).await?;
    book.out.guards.push((guard.clone(), digest("b")));
    book.out.guards.push((guard.clone(), digest("c")));
    store.commit(&mut book, &Batch::default()).await?;
    let needs = Needs {
        guards: vec![guard.clone(), other.clone()],
        ..Needs::default()
    };
    let book = loaded(store, &needs).await?;
    assert_eq!(book.guards[&guard].len(), 3);
    assert!(book.guards[&other].is_empty());
    Ok(())
}

fn dead_letter(id: &str, at: i64) -> DeadLetter {
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

async fn dead_letters_wait_until_somebody_settles_them(store: &Store) -> Checked {
    let batch = Batch {
        dead_letters: vec![
            dead_letter("b", 2),
            dead_letter("a", 1),
            dead_letter("c", 2),
        ],
        ..Batch::default()
    };
    store.commit(&mut Book::default(), &batch).await?;
    let open = store.dead_letters(StewardState::Open, None, 1).await?;
    assert_eq!(open, [dead_letter("a", 1)]);
    let rest = store
        .dead_letters(StewardState::Open, Some((open[0].at, open[0].id)), 9)
        .await?;
    assert_eq!(rest.len(), 2);
    let more = store
        .dead_letters(StewardState::Open, Some((rest[0].at, rest[0].id)), 9)
        .await?;
    assert_eq!(more, rest[1..]);
    assert_eq!(store.counts().await?.dead_letters["B0001"], 3);

    assert!(
        store
            .set_dead_letter(digest("a"), StewardState::Dropped)
            .await?
    );
    assert!(
        !store
            .set_dead_letter(digest("x"), StewardState::Dropped)
            .await?
    );
    let retried = Batch {
        retried: vec![digest("a"), digest("b")],
        ..Batch::default()
    };
    store.commit(&mut Book::default(), &retried).await?;
    let state = |found: Option<(DeadLetter, StewardState)>| found.map(|f| f.1);
    let a = state(store.dead_letter(digest("a")).await?);
    assert_eq!(a, Some(StewardState::Dropped));
    let b = state(store.dead_letter(digest("b")).await?);
    assert_eq!(b, Some(StewardState::Retried));
    assert_eq!(state(store.dead_letter(digest("x")).await?), None);
    assert_eq!(store.counts().await?.dead_letters["B0001"], 1);
    Ok(())
}

async fn a_dead_letter_that_fails_again_stays_open(store: &Store) -> Checked {
    let mut batch = Batch {
        dead_letters: vec![dead_letter("a", 1)],
        ..Batch::default()
    };
    store.commit(&mut Book::default(), &batch).await?;
    batch.dead_letters[0].what = "still not JSON".into();
    batch.retried.push(digest("a"));
    store.commit(&mut Book::default(), &batch).await?;
    let (letter, state) = store.dead_letter(digest("a")).await?.unwrap();
    assert_eq!(state, StewardState::Open);
    assert_eq!(letter.what, "still not JSON");
    Ok(())
}

fn parked(id: &str, at: i64) -> Parked {
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

async fn parked_changes_wait_until_resolved(store: &Store) -> Checked {
    let mut book = Book::default();
    book.out.parked = vec![parked("b", 2), parked("a", 1), parked("c", 3)];
    store.commit(&mut book, &Batch::default()).await?;
    let open = store.parked(StewardState::Open, None, 9).await?;
    let ids: Vec<_> = open.iter().map(|p| p.id).collect();
    assert_eq!(ids, [digest("a"), digest("b"), digest("c")]);
    assert_eq!(open[0].change, parked("a", 1).change);
    assert_eq!(open[0].candidates, parked("a", 1).candidates);
    assert_eq!(store.counts().await?.parked["ambiguous_match"], 3);

    book.out.unparked.push(digest("a"));
    store.commit(&mut book, &Batch::default()).await?;
    assert!(store.set_parked(digest("b"), StewardState::Dropped).await?);
    assert!(!store.set_parked(digest("x"), StewardState::Dropped).await?);
    assert_eq!(store.counts().await?.parked["ambiguous_match"], 1);
    let (_, state) = store.parked_one(digest("a")).await?.unwrap();
    assert_eq!(state, StewardState::Resolved);

    // Parked again: open again.
    book.out.parked.push(parked("a", 4));
    store.commit(&mut book, &Batch::default()).await?;
    let (again, state) = store.parked_one(digest("a")).await?.unwrap();
    assert_eq!((again.at, state), (Millis(4), StewardState::Open));
    Ok(())
}

async fn pages_of_entities_cover_each_once(store: &Store) -> Checked {
    let mut book = Book::default();
    for n in 0..10 {
        touch(&mut book, person(&n.to_string()));
    }
    let account = EntityId {
        kind: Kind::Account,
        digest: digest("acme"),
    };
    touch(&mut book, account);
    store.commit(&mut book, &Batch::default()).await?;
    let mut seen = BTreeSet::new();
    let mut after = None;
    loop {
        let page = store.entities_page(Kind::Person, after, 3).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for state in page {
            assert!(seen.insert(state.id));
        }
    }
    assert_eq!(seen.len(), 10);
    assert_eq!(store.entities_page(Kind::Account, None, 9).await?.len(), 1);
    assert!(store.entities_page(Kind::Deal, None, 9).await?.is_empty());
    Ok(())
}

async fn activations_are_told_in_order(store: &Store) -> Checked {
    let activations = [("v2", 2), ("v1", 3), ("v2", 3)].map(|(version, at)| Activation {
        at: Millis(at),
        version: version.to_owned(),
        body: format!("rules {version}"),
    });
    for activation in &activations {
        store.activate(activation).await?;
    }
    assert_eq!(store.activations().await?, activations);
    Ok(())
}

async fn the_salt_is_drawn_once(store: &Store) -> Checked {
    let salt = store.salt().await?;
    assert_ne!(salt, Digest::default());
    assert!(store.is_current().await?);
    store.migrate().await?;
    assert_eq!(store.salt().await?, salt);
    assert_eq!(store.log_id().await?, None);
    store.set_log_id("one").await?;
    store.set_log_id("two").await?;
    assert_eq!(store.log_id().await?.as_deref(), Some("two"));
    Ok(())
}

async fn a_damaged_row_is_named(store: &Store) -> Checked {
    let mut book = Book::default();
    touch(&mut book, person("a"));
    link(&mut book, &record("1"), person("a"));
    store.commit(&mut book, &Batch::default()).await?;
    let name = format!("0 {}", person("a").digest);
    for (damage, table_is, column_is) in [
        ("UPDATE entities SET version = 0", "entities", "version"),
        // What was version 1 holds no readable format byte now.
        (
            "UPDATE entities SET version = 1, body = substr(body, 2)",
            "entities",
            "body",
        ),
    ] {
        store.raw(damage).await?;
        let Err(Error::Corrupt {
            table, column, key, ..
        }) = store.entity(person("a")).await
        else {
            panic!("the damage by `{damage}` went unnoticed");
        };
        assert_eq!((table, column, &key), (table_is, column_is, &name));
    }
    store.raw("DELETE FROM entities").await?;
    let needs = Needs {
        links: vec![record("1")],
        ..Needs::default()
    };
    let lost = loaded(store, &needs).await.err().unwrap();
    assert_eq!(lost.class(), ErrorClass::Corrupt);
    Ok(())
}

async fn large_batches_are_written_whole(store: &Store) -> Checked {
    // Several statements of every size, and more than one array.
    const MANY: usize = 8192 + 512 + 64 + 8 + 3;
    let ids: Vec<EntityId> = (0..MANY).map(|n| person(&n.to_string())).collect();
    let mut book = Book::default();
    for id in &ids {
        touch(&mut book, *id);
        book.out.ledger.push(ledger_row(*id, 1, "e"));
    }
    store.commit(&mut book, &Batch::default()).await?;
    let needs = Needs {
        entities: ids.clone(),
        ..Needs::default()
    };
    let mut again = loaded(store, &needs).await?;
    assert_eq!(again.entities.len(), MANY);
    // One of them is stale: none of the others may be written.
    for id in &ids {
        touch(&mut again, *id);
    }
    again.entities.get_mut(&ids[MANY / 2]).unwrap().version = 5;
    let Err(Error::Conflict {
        expected, written, ..
    }) = store.commit(&mut again, &Batch::default()).await
    else {
        panic!("a stale row went unnoticed");
    };
    assert_eq!((expected, written), (MANY as u64, MANY as u64 - 1));
    let whole = loaded(store, &needs).await?;
    assert!(whole.entities.values().all(|e| e.version == 1));
    let ledger = store.ledger_page(LedgerSeq(0), u32::MAX).await?;
    let order: Vec<EntityId> = ledger.iter().map(|e| e.row.entity).collect();
    assert_eq!(order, ids);
    Ok(())
}

async fn texts_with_nul_and_backslash_come_back(store: &Store) -> Checked {
    let odd = record("a\0b\\0c:d");
    let needs = Needs {
        links: vec![odd.clone(), record("a\u{fffd}b\\0c:d")],
        ..Needs::default()
    };
    let mut book = loaded(store, &needs).await?;
    touch(&mut book, person("a"));
    link(&mut book, &odd, person("a"));
    book.out.messages.push(message("k\0\\", OutTopic::Golden));
    let mut letter = dead_letter("a", 1);
    letter.what = "a \0".into();
    let batch = Batch {
        dead_letters: vec![letter],
        ..Batch::default()
    };
    store.commit(&mut book, &batch).await?;
    let again = loaded(store, &needs).await?;
    assert_eq!(again.links, [(odd, person("a"))].into_iter().collect());
    assert_eq!(store.outbox_page(OutboxSeq(0), 1).await?[0].key, "k\0\\");
    let (letter, _) = store.dead_letter(digest("a")).await?.unwrap();
    assert_eq!(letter.what, "a \u{fffd}");
    Ok(())
}

async fn an_empty_batch_commits(store: &Store) -> Checked {
    let committed = store
        .commit(&mut Book::default(), &Batch::default())
        .await?;
    assert_eq!(committed, baton_store::Committed::default());
    assert_eq!(
        store.load(&mut Book::default(), &Needs::default()).await?,
        0
    );
    Ok(())
}
