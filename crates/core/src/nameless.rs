//! Records of nobody yet: what came first of them bore no key, so that each stands for a person of its own.

use crate::{
    answer::bind_create,
    book::Book,
    change::{Change, Class, Origin},
    creates::{is_older, shows_create},
    id::{EntityId, Kind, RecordKey},
    identify::{entry, merge_as, survivor},
    input::Answer,
    keys::change_keys,
    name::Name,
    rules::Rules,
    state::{PendingCreate, State},
    time::Millis,
    wire::ResultOutcome,
};
use std::collections::BTreeSet;

/// Whose create made the record of this change, if it has passed for somebody new so far: the first word of it was an
/// automation's, about a field that identifies nobody, and only now a key shows whose it is.
pub(crate) fn creator_by_key(
    book: &Book,
    change: &Change,
    entity: EntityId,
    rules: &Rules,
) -> Option<EntityId> {
    let statement = matches!(change.class, Class::Delta | Class::Event | Class::ReadBack);
    let nameless = &book.entities.get(&entity)?.state;
    if !statement || !is_nameless(nameless, &change.record, rules) {
        return None;
    }
    let known: BTreeSet<EntityId> = change_keys(change, rules)
        .iter()
        .flatten()
        .filter_map(|key| book.keys.get(key))
        .flatten()
        .map(|e| survivor(book, *e))
        .filter(|e| *e != entity)
        .collect();
    let mut known = known.into_iter();
    let (creator, more) = (known.next()?, known.next());
    let create = book
        .entities
        .get(&creator)?
        .state
        .creates
        .get(&change.record.system)?;
    let made = shows_create(change, false, create, rules)
        && !is_older(nameless, &change.record, create, rules);
    (made && more.is_none()).then_some(creator)
}

/// Whether the record that a create was answered with has passed for somebody new so far.
pub(crate) fn is_made_by(
    book: &Book,
    answer: &Answer,
    record: &RecordKey,
    (creator, other): (EntityId, EntityId),
    rules: &Rules,
) -> bool {
    let state = |of| book.entities.get(of).map(|e| &e.state);
    let create = state(&creator).and_then(|s| s.creates.get(&answer.system));
    let made =
        |c: &&PendingCreate| c.command == answer.command && answer.outcome == ResultOutcome::Ok;
    let create = create.filter(made);
    create.zip(state(&other)).is_some_and(|(create, nameless)| {
        is_nameless(nameless, record, rules) && !is_older(nameless, record, create, rules)
    })
}

/// The record becomes its creator's, and all that was heard of it may show the create.
pub(crate) fn take_in(
    book: &mut Book,
    creator: EntityId,
    nameless: EntityId,
    record: &RecordKey,
    rules: &Rules,
    at: Millis,
) {
    let mut brought = entry(book, nameless).state.clone();
    let create = entry(book, creator).state.creates.get(&record.system);
    if let Some(create) = create.cloned() {
        let delivery = brought.deliveries.entry(record.clone()).or_default();
        let number = bind_create(delivery, create);
        let history = brought.histories.get_mut(record);
        let events = history.into_iter().flat_map(|h| h.events.iter_mut());
        for event in events.filter(|e| e.origin != Origin::Other) {
            event.may_match.push(number);
        }
    }
    merge_as(book, creator, brought, rules, at);
}

/// Whether an entity is this one record, and nothing was ever seen of it by which anybody is known.
fn is_nameless(state: &State, record: &RecordKey, rules: &Rules) -> bool {
    let alone = state.links.len() == 1 && state.absorbed.is_empty();
    let Some(history) = state.histories.get(record).filter(|_| alone) else {
        return false;
    };
    let kind = record.object.kind();
    let identity = &rules.identity;
    let seen = |name: &Name| {
        let field = history.fields.get(name);
        field.is_some_and(|f| f.cells.iter().any(|c| !c.value.is_blank()))
    };
    let email = identity.email.iter().filter(|_| kind == Kind::Person);
    let mut single = identity.keys.get(&kind).into_iter().flatten().chain(email);
    let mut composites = identity.composites.get(&kind).into_iter().flatten();
    !single.any(seen) && !composites.any(|names| names.iter().all(seen))
}
