//! What a batch must have loaded before it can be settled.

use baton_core::{
    book::{Book, Entry, Item},
    change::{Cause, Change, Class, Origin, Verdicts},
    id::{Digest, EntityId, Kind, Object, Position, RecordKey},
    rules::Rules,
    state::{Link, State},
    time::Millis,
};

fn record(system: &str, id: &str) -> RecordKey {
    RecordKey::new(system, Object::Contact, id)
}

/// A book that has loaded a person with these records, and the link of the first one.
fn holding(book: &mut Book, records: &[RecordKey]) {
    let id = EntityId::derive(
        Kind::Person,
        &records[0],
        Digest::of(&[records[0].id.as_bytes()]),
    );
    let mut state = State::new(id);
    for record in records {
        state.links.insert(record.clone(), Link::default());
    }
    book.links.insert(records[0].clone(), id);
    book.entities.insert(
        id,
        Entry {
            state,
            version: 1,
            dirty: false,
        },
    );
}

#[test]
fn a_merge_needs_the_links_of_all_records_that_move_with_the_loser() {
    let mut book = Book::default();
    holding(&mut book, &[record("crm", "winner"), record("map", "1")]);
    holding(&mut book, &[record("crm", "loser"), record("map", "2")]);
    let merge = Change {
        record: record("crm", "winner"),
        class: Class::Merge {
            losers: vec!["loser".into()],
        },
        time: Millis(1_000),
        seq: 1,
        position: Position {
            arrival: Millis(1_000),
            log: 1,
        },
        event: Digest::of(&[b"merge"]),
        cause: Cause::ManualEdit,
        actor: None,
        origin: Origin::Other,
        fields: Vec::new(),
        verdicts: Verdicts::default(),
    };
    let needs = book.needs(&[Item::Change(merge)], &Rules::default());
    assert!(
        needs.links.contains(&record("map", "2")),
        "{:?}",
        needs.links
    );
}
