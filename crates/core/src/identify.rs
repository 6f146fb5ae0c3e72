//! Finds whose record an input is about, and hands it to `apply` (section 8).

use std::collections::BTreeSet;

use crate::guard::{cleared_alone, note_clears, settle_wake};
use crate::keys::{
    change_keys, deals_of, keys_of, named_records, park_shared, rekey, touches_identity,
};
use crate::nameless::{creator_by_key, is_made_by, take_in};
use crate::sharing::{share_consent, touches_consent};
use crate::stranger::{introduce, owner, stranger};
use crate::{
    absorb::part_of,
    apply::apply,
    book::{Book, Entry, Item, LedgerRow, Parked, ParkedCode, Placing, Settled},
    change::{Change, Class, Outcome},
    consent::own_turns,
    effects::Effects,
    holdings,
    id::{Digest, EntityId, Kind, RecordKey},
    input::{Answer, Input, StewardAct},
    lifecycle::{accounts, deals, standing, walk},
    observe::take_verdicts,
    reread::{lost_changes, next_records},
    rules::Rules,
    state::{CommandKind, State},
    time::Millis,
    wire::ResultOutcome,
};

/// Settles one item.
pub fn settle(book: &mut Book, item: Item, rules: &Rules, at: Millis) -> Settled {
    match item {
        Item::Change(change) => settle_change(book, change, None, rules, at),
        Item::Answer {
            entity,
            answer,
            read,
        } => settle_answer(
            book,
            survivor(book, entity),
            answer,
            read.map(|r| *r),
            rules,
            at,
        ),
        Item::Heard { entity, fact, by } => {
            let entity = survivor(book, entity);
            take(book, entity, Input::Heard { fact, by }, rules, at)
        }
        Item::Wake(entity) => settle_wake(book, survivor(book, entity), rules, at),
        Item::Steward { entity, act } => {
            let entity = survivor(book, entity);
            take(book, entity, Input::Steward(act), rules, at)
        }
        Item::Merge { winner, loser } => {
            let (winner, loser) = (survivor(book, winner), survivor(book, loser));
            merge(book, winner, loser, rules, at);
            Settled {
                outcome: Outcome::Applied,
                entity: Some(winner),
            }
        }
        Item::Reread {
            system,
            object,
            after,
            ids,
            last,
        } => next_records(book, (system, object), after, ids, last, rules, at),
        Item::Unmerge { winner, loser } => unmerge(book, survivor(book, winner), loser, rules, at),
        Item::Resolve { parked, entity } => {
            let Some(change) = parked.change else {
                return Settled {
                    outcome: Outcome::Noop,
                    entity: None,
                };
            };
            book.out.unparked.push(parked.id);
            let entity = entity.map_or_else(|| derived(&change), |e| survivor(book, e));
            settle_change(book, change, Some(entity), rules, at)
        }
    }
}

fn settle_answer(
    book: &mut Book,
    entity: EntityId,
    answer: Answer,
    read: Option<Change>,
    rules: &Rules,
    at: Millis,
) -> Settled {
    if !book.entities.contains_key(&entity) {
        // The store was put back, or made anew beside an old log: nobody is there whom it could concern, and nobody must
        // come to be by it.
        return Settled {
            outcome: Outcome::Duplicate,
            entity: None,
        };
    }
    if let Some(read) = read
        && is_of_read(book, entity, &answer)
    {
        settle_change(book, read, None, rules, at);
    }
    let Some(record) = record_of(&answer) else {
        return take(book, entity, Input::Answer(answer), rules, at);
    };
    let elsewhere = book.links.get(&record).map(|e| survivor(book, *e));
    let Some(other) = elsewhere.filter(|other| *other != entity) else {
        return take(book, entity, Input::Answer(answer), rules, at);
    };
    if stranger(book, &record).is_some() {
        let settled = take(book, entity, Input::Answer(answer), rules, at);
        if entry(book, entity).state.links.contains_key(&record) {
            introduce(book, other, &record, entity, rules, at);
        }
        return settled;
    }
    if is_made_by(book, &answer, &record, (entity, other), rules) {
        take_in(book, entity, other, &record, rules, at);
        return take(book, entity, Input::Answer(answer), rules, at);
    }
    // A create that the target answered with somebody else's record.
    let key = digest_of_record(&record);
    park_shared(book, key, &[entity, other], Some(record), at);
    let stopped = Answer {
        outcome: ResultOutcome::Refused,
        id: None,
        error: Some("the record belongs to somebody else already".into()),
        ..answer
    };
    take(book, entity, Input::Answer(stopped), rules, at)
}

/// The record that an answer names.
pub(crate) fn record_of(answer: &Answer) -> Option<RecordKey> {
    let id = answer.id.clone()?;
    let (system, object) = (answer.system, answer.object);
    Some(RecordKey { system, object, id })
}

/// Whether an answer is that of a read that is under way: the answer itself does not say what was asked.
pub(crate) fn is_of_read(book: &Book, entity: EntityId, answer: &Answer) -> bool {
    let deliveries = book.entities.get(&entity).map(|e| &e.state.deliveries);
    let mut outstanding = deliveries
        .into_iter()
        .flat_map(|deliveries| deliveries.values())
        .filter_map(|delivery| delivery.outstanding.as_ref());
    outstanding.any(|asked| asked.command == answer.command && asked.kind == CommandKind::Read)
}

fn derived(change: &Change) -> EntityId {
    EntityId::derive(change.record.object.kind(), &change.record, change.event)
}

pub(crate) fn digest_of_record(record: &RecordKey) -> Digest {
    Digest::of(&[b"record", record.to_text().as_bytes()])
}

/// The entity that an entity went into, if it did.
pub(crate) fn survivor(book: &Book, mut entity: EntityId) -> EntityId {
    // Merges cannot be circular; the bound only guards against a corrupt store.
    for _ in 0..64 {
        match book.entities.get(&entity).and_then(|e| e.state.merged_into) {
            Some(winner) => entity = winner,
            None => break,
        }
    }
    entity
}

fn settle_change(
    book: &mut Book,
    mut change: Change,
    forced: Option<EntityId>,
    rules: &Rules,
    at: Millis,
) -> Settled {
    let nothing = |entity| Settled {
        outcome: Outcome::Noop,
        entity,
    };
    match change.class {
        Class::Tombstone => return nothing(None),
        Class::Overflow => return lost_changes(book, &change, rules, at),
        _ => {}
    }
    let linked = book.links.get(&change.record).map(|e| survivor(book, *e));
    let stranger = stranger(book, &change.record);
    let known = forced.or(linked.filter(|_| stranger.is_none()));
    let entity = match known {
        Some(entity) => match creator_by_key(book, &change, entity, rules) {
            Some(creator) if forced.is_none() => {
                take_in(book, creator, entity, &change.record, rules, at);
                creator
            }
            _ => entity,
        },
        // Whoever does something before anything is said of them is a stranger until then.
        None if matches!(change.class, Class::Act(_))
            && change.record.object.kind() == Kind::Person =>
        {
            let somebody = stranger.unwrap_or_else(|| derived(&change));
            set_link(book, change.record.clone(), somebody);
            return take(book, somebody, Input::Change(change), rules, at);
        }
        // Nothing is known of this record, so there is nothing to delete.
        None if matches!(
            change.class,
            Class::Delete | Class::Activity { .. } | Class::Act(_)
        ) =>
        {
            return nothing(None);
        }
        None => match match_change(book, &change, rules) {
            Match::One(entity) => entity,
            Match::None => match rules.object(change.record.system, change.record.object) {
                Some(mapping) if !mapping.admit => {
                    let why = "records of this system may not create people, and nobody with its key is known";
                    return park(book, change, ParkedCode::NotAdmitted, Vec::new(), why, at);
                }
                _ => stranger.unwrap_or_else(|| derived(&change)),
            },
            Match::Many(candidates) => {
                let why = "more than one entity has this record's key; say which it belongs to";
                return park(
                    book,
                    change,
                    ParkedCode::AmbiguousMatch,
                    candidates,
                    why,
                    at,
                );
            }
        },
    };
    let entity = gather(book, &change, entity, rules, at);
    if let Some(stranger) = stranger.filter(|stranger| *stranger != entity) {
        introduce(book, stranger, &change.record, entity, rules, at);
    }
    let state = &entry(book, entity).state;
    if change.verdicts.entity.is_none() {
        take_verdicts(state, &mut change, rules);
    }
    change.verdicts.entity = Some(entity);
    if let Some(until) = change.verdicts.clears_wait_until {
        let cleared = cleared_alone(state, &change, rules);
        note_clears(book, &change.record, &cleared, until, rules);
    }
    if linked != Some(entity) {
        set_link(book, change.record.clone(), entity);
    }
    take(book, entity, Input::Change(change), rules, at)
}

pub(crate) fn set_link(book: &mut Book, record: RecordKey, entity: EntityId) {
    if book.links.get(&record) != Some(&entity) {
        book.links.insert(record.clone(), entity);
        book.out.links.push((record, entity));
    }
}

enum Match {
    None,
    One(EntityId),
    Many(Vec<EntityId>),
}

fn match_change(book: &Book, change: &Change, rules: &Rules) -> Match {
    for (_, record) in named_records(change) {
        if let Some(entity) = owner(book, &record) {
            return Match::One(entity);
        }
    }
    for level in change_keys(change, rules) {
        let hits: BTreeSet<EntityId> = level
            .iter()
            .filter_map(|key| book.keys.get(key))
            .flatten()
            .map(|e| survivor(book, *e))
            .collect();
        match hits.len() {
            0 => {}
            1 => return hits.into_iter().next().map_or(Match::None, Match::One),
            _ => return Match::Many(hits.into_iter().collect()),
        }
    }
    Match::None
}

fn park(
    book: &mut Book,
    change: Change,
    code: ParkedCode,
    candidates: Vec<EntityId>,
    why: &str,
    at: Millis,
) -> Settled {
    book.out.parked.push(Parked {
        id: Digest::of(&[b"parked", code.as_str().as_bytes(), &change.event.0]),
        code,
        at,
        entity: None,
        record: Some(change.record.clone()),
        field: None,
        candidates,
        why: why.to_owned(),
        change: Some(change),
    });
    Settled {
        outcome: Outcome::Parked,
        entity: None,
    }
}

/// A merge or conversion names several records: their entities become one. Returns the entity that goes on.
fn gather(
    book: &mut Book,
    change: &Change,
    entity: EntityId,
    rules: &Rules,
    at: Millis,
) -> EntityId {
    let mut entity = entity;
    for (target_wins, record) in named_records(change) {
        let Some(other) = book.links.get(&record).map(|e| survivor(book, *e)) else {
            set_link(book, record, entity);
            continue;
        };
        if other == entity {
            continue;
        }
        if stranger(book, &record).is_some() {
            introduce(book, other, &record, entity, rules, at);
            continue;
        }
        let (winner, loser) = if target_wins {
            (other, entity)
        } else {
            (entity, other)
        };
        // The entity of this very change may be new: there is nothing to merge then.
        if book.entities.contains_key(&loser) {
            entry(book, winner);
            merge(book, winner, loser, rules, at);
        }
        entity = winner;
    }
    entity
}

pub(crate) fn merge(book: &mut Book, winner: EntityId, loser: EntityId, rules: &Rules, at: Millis) {
    if winner == loser || winner.kind != loser.kind {
        return;
    }
    let absorbed = entry(book, loser).state.clone();
    merge_as(book, winner, absorbed, rules, at);
}

/// One entity goes into another, with the state that it brings.
pub(crate) fn merge_as(
    book: &mut Book,
    winner: EntityId,
    absorbed: State,
    rules: &Rules,
    at: Millis,
) {
    let loser = absorbed.id;
    let records: Vec<RecordKey> = absorbed.links.keys().cloned().collect();
    take(
        book,
        loser,
        Input::Steward(StewardAct::MergedInto { winner }),
        rules,
        at,
    );
    for record in records {
        set_link(book, record, winner);
    }
    take(book, winner, Input::Absorb(Box::new(absorbed)), rules, at);
}

fn unmerge(
    book: &mut Book,
    winner: EntityId,
    loser: EntityId,
    rules: &Rules,
    at: Millis,
) -> Settled {
    let merged = entry(book, winner).state.absorbed.contains_key(&loser);
    if !merged {
        return Settled {
            outcome: Outcome::Noop,
            entity: Some(winner),
        };
    }
    let together: BTreeSet<RecordKey> = entry(book, winner).state.links.keys().cloned().collect();
    let mut whole = book_state(book, winner);
    let mut part = part_of(&whole, loser);
    part.funnel = walk::split(&mut whole, loser, rules, at);
    // Consent stays with both: the statements of either side count for each from now on.
    for rule in &rules.consents {
        part.shared_consent
            .extend(own_turns(&book_state(book, winner), rule, rules));
    }
    let shared = part.shared_consent.clone();
    take(
        book,
        winner,
        Input::Steward(StewardAct::Unmerge { from: loser }),
        rules,
        at,
    );
    for record in part.links.keys() {
        set_link(book, record.clone(), loser);
    }
    take(book, loser, Input::Absorb(Box::new(part)), rules, at);
    take(
        book,
        winner,
        Input::SharedConsent(shared.into_iter().collect()),
        rules,
        at,
    );
    let apart = |of| {
        book.entities
            .get(&of)
            .into_iter()
            .flat_map(|e| e.state.links.keys())
    };
    let parts = apart(winner).count() + apart(loser).count();
    let same = apart(winner)
        .chain(apart(loser))
        .all(|r| together.contains(r));
    if parts != together.len() || !same {
        // L14: a record was lost, came twice or went to somebody else.
        debug_assert!(false, "L14 is broken by an unmerge");
        *book.out.violations.entry("L14").or_default() += 1;
    }
    Settled {
        outcome: Outcome::Applied,
        entity: Some(winner),
    }
}

fn book_state(book: &mut Book, entity: EntityId) -> State {
    entry(book, entity).state.clone()
}

pub(crate) fn entry(book: &mut Book, entity: EntityId) -> &mut Entry {
    book.entities.entry(entity).or_insert_with(|| Entry {
        state: State::new(entity),
        version: 0,
        dirty: true,
    })
}

/// Applies one input to one entity and files what came of it.
pub(crate) fn take(
    book: &mut Book,
    entity: EntityId,
    input: Input,
    rules: &Rules,
    at: Millis,
) -> Settled {
    let held = entry(book, entity);
    let identifying = touches_identity(&input, &held.state, rules);
    let consents = touches_consent(&input, &held.state, rules);
    let before = if identifying {
        keys_of(&held.state, rules)
    } else {
        BTreeSet::new()
    };
    let stood = standing::place(&held.state);
    let by_steward = matches!(input, Input::Steward(_) | Input::Wake);
    let mut of_account = accounts::is_concerned(&input, entity, rules);
    let mut transition = apply(&mut held.state, &input, rules, at);
    held.dirty |= transition.recorded;
    if !transition.recorded {
        // What is not recorded is not written, so its counts must not be either.
        transition.effects.holdings.clear();
    }
    of_account |= accounts::concerns(&transition.effects.changed, entity, rules);
    let changed = !transition.effects.changed.is_empty();
    // Also where no golden value is another one now: it may have been another one earlier than was known.
    let retells =
        changed || transition.recorded && deals::says_how_it_stands(entity, &input, rules);
    let acted = transition.recorded && deals::is_shared(&input, rules);
    let place = standing::place(&held.state);
    if transition.recorded && place != stood {
        book.out.placings.insert(entity, Placing { at, place });
    }
    let linked = file(book, transition.effects);
    for record in linked {
        set_link(book, record, entity);
    }
    let mut met = BTreeSet::new();
    if identifying {
        met = rekey(book, entity, &before, rules, at);
    }
    if transition.recorded {
        book.out.ledger.push(LedgerRow {
            entity,
            at,
            input,
            outcome: transition.outcome,
            rule_version: rules.version.clone(),
        });
    }
    if consents {
        share_consent(book, entity, rules, at);
    }
    if retells {
        met.insert(entity);
    }
    if acted {
        let person = book.entities.get(&entity);
        met.extend(
            person
                .into_iter()
                .flat_map(|held| deals_of(book, &held.state, rules)),
        );
    }
    for deal in met {
        deals::tell_people(book, deal, rules, at);
    }
    if of_account {
        let now = by_steward.then(|| at.floor(rules.timing.quantum));
        accounts::tell(book, entity, now, rules, at);
    }
    Settled {
        outcome: transition.outcome,
        entity: Some(entity),
    }
}

fn file(book: &mut Book, effects: Effects) -> Vec<RecordKey> {
    let out = &mut book.out;
    out.messages.extend(effects.messages);
    // As within one input, so within the batch: of one matter the last word counts.
    for parked in effects.parked {
        out.unparked.retain(|id| *id != parked.id);
        out.parked.push(parked);
    }
    for id in effects.unparked {
        out.parked.retain(|parked| parked.id != id);
        out.unparked.push(id);
    }
    for (holding, by) in effects.holdings {
        *book.holdings.entry(holding).or_default() += by;
        holdings::add(&mut out.holdings, holding, by);
    }
    out.refused_handoffs += u64::from(effects.refuses_handoff);
    for law in effects.violations {
        *out.violations.entry(law).or_default() += 1;
    }
    effects.linked
}
