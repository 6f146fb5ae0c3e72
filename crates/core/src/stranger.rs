//! People of whom nothing is known but what they did: a call, a filled form or a visit was told of before anything else of
//! their record. Whatever comes first, both count (L1).
//!
//! A stranger is the holder of one record that has said nothing yet. It has no place in the funnel, and nothing is done
//! because of it. What is said of the record first makes it somebody: a person of its own, or the one whom the record's
//! keys show, who then hears of everything the stranger did.

use crate::{
    book::Book,
    id::{EntityId, Kind, RecordKey},
    identify::{entry, set_link, survivor, take},
    input::{Input, StewardAct},
    lifecycle::{fact::Fact, funnel::Funnel},
    rules::Rules,
    state::State,
    time::Millis,
};

/// Whether nothing is known of a person but what it did.
pub(crate) fn is_stranger(state: &State) -> bool {
    state.id.kind == Kind::Person
        && state.links.is_empty()
        && state.merged_into.is_none()
        && state.erased.is_none()
}

/// The stranger whose record this is, if it is one's.
pub(crate) fn stranger(book: &Book, record: &RecordKey) -> Option<EntityId> {
    let entity = survivor(book, *book.links.get(record)?);
    let held = book.entities.get(&entity)?;
    is_stranger(&held.state).then_some(entity)
}

/// Who has this record, as far as anything was said of it.
pub(crate) fn owner(book: &Book, record: &RecordKey) -> Option<EntityId> {
    let entity = survivor(book, *book.links.get(record)?);
    let held = book.entities.get(&entity);
    (!held.is_some_and(|held| is_stranger(&held.state))).then_some(entity)
}

/// The stranger turns out to be this person, who hears of what it did as if that were told now: other than in a merge
/// nothing was done for the stranger that could stay.
pub(crate) fn introduce(
    book: &mut Book,
    stranger: EntityId,
    record: &RecordKey,
    person: EntityId,
    rules: &Rules,
    at: Millis,
) {
    let funnel = entry(book, stranger).state.funnel.as_deref();
    let mut facts: Vec<Fact> = funnel
        .into_iter()
        .flat_map(Funnel::facts)
        .cloned()
        .collect();
    facts.sort_by_key(|fact| (fact.time, fact.seq));
    let became = StewardAct::MergedInto { winner: person };
    take(book, stranger, Input::Steward(became), rules, at);
    set_link(book, record.clone(), person);
    for fact in facts {
        let fact = Box::new(fact);
        take(book, person, Input::Heard { fact, by: None }, rules, at);
    }
}
