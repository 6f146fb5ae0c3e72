//! What is said of an account counts for its people: whoever belongs to one that was taken out of all marketing is taken
//! out with it, for as long as both hold.
//!
//! As of a person's fields, the facts are made of what was observed, wherever it came in: when a person's records named
//! the account, and when the account's field stood (L1). A fact is made for each instant at which either may have changed,
//! under an id of account and instant, so that what is heard of late corrects it.

use std::collections::BTreeSet;

use super::{
    deals::referred,
    fact::{Fact, Suppression, What},
    moments::{Unsaid, as_of, instants, said_at},
    setup::Setup,
};
use crate::{
    book::{Book, Entry, Item},
    change::{Change, Class},
    claim::Claims,
    id::{Digest, EntityId, EventId, Kind, Object, Position, RecordKey},
    identify::{survivor, take},
    input::{Answer, Input, StewardAct},
    name::Name,
    rules::Rules,
    state::State,
    time::Millis,
    value::Value,
};

/// Account fields that take its people out of all marketing.
fn suppressing(setup: &Setup) -> impl Iterator<Item = Name> {
    setup.wiring.systems.values().filter_map(|s| s.suppresses)
}

/// Where the funnel knows of accounts: the person field that names one.
fn naming(rules: &Rules) -> Option<(&Setup, Name)> {
    let setup = rules.funnel.as_deref()?;
    Some((setup, setup.wiring.account?))
}

/// Under which the people of an account's record are indexed.
#[must_use]
pub fn member_key(account: &RecordKey) -> Digest {
    Digest::of(&[b"member", account.to_string().as_bytes()])
}

/// The account that a record names: of the system that the name itself tells, else of the record's own.
fn account(of: &RecordKey, value: &Value, rules: &Rules) -> Option<RecordKey> {
    let Value::Text(text) = value else {
        return None;
    };
    let (system, id) = referred(text, rules);
    let system = system.unwrap_or(of.system);
    Some(RecordKey::new(system, Object::Account, id))
}

/// The person field whose values are a part of what a person is known by.
pub(crate) fn member_field(kind: Kind, rules: &Rules) -> Option<Name> {
    let (_, field) = naming(rules)?;
    (kind == Kind::Person).then_some(field)
}

/// Under which a person is indexed for one of its records: by every account that it named, since what is heard late of
/// an account concerns whoever belonged to it then.
pub(crate) fn member_keys<'s>(
    state: &'s State,
    record: &'s RecordKey,
    rules: &'s Rules,
) -> impl Iterator<Item = Digest> + 's {
    let field = member_field(state.id.kind, rules);
    let history = state.histories.get(record).zip(field);
    let named = history.and_then(|(history, field)| history.fields.get(&field));
    let cells = named.into_iter().flat_map(|named| &named.cells);
    let accounts = cells.filter_map(|cell| account(record, &cell.value, rules));
    accounts.map(|account| member_key(&account))
}

/// Whether a person belongs to an account's record now.
#[must_use]
pub fn belongs(person: &State, account: &RecordKey, rules: &Rules) -> bool {
    let Some((_, field)) = naming(rules) else {
        return false;
    };
    let stays = stays(person, field, rules);
    let mut here = stays.iter().filter(|stay| stay.account == *account);
    here.any(|stay| stay.until == Millis::NEVER)
}

/// One record of a person in one account, from an instant until its next.
struct Stay {
    account: RecordKey,
    from: Millis,
    until: Millis,
}

/// All accounts that a person's records ever named, and when.
fn stays(person: &State, field: Name, rules: &Rules) -> Vec<Stay> {
    let mut all = Vec::new();
    let quantum = rules.timing.quantum;
    for of in &Claims::of_field(person, field, rules).records {
        let mut turns = of.turns.iter().filter(|turn| !turn.invalid).peekable();
        while let Some(turn) = turns.next() {
            let until = turns
                .peek()
                .map_or(Millis::NEVER, |next| said_at(next, quantum));
            let named = turn.content.values().first();
            if let Some(account) = named.and_then(|value| account(of.record, value, rules)) {
                let from = said_at(turn, quantum);
                all.push(Stay {
                    account,
                    from,
                    until,
                });
            }
        }
    }
    all
}

/// Accounts that must be at hand to settle a person's change.
pub(crate) fn accounts_of_change(book: &Book, change: &Change, rules: &Rules) -> Vec<RecordKey> {
    let Some((_, field)) = naming(rules) else {
        return Vec::new();
    };
    let named = change.fields.iter().find(|f| f.field == field);
    let Some(named) = named.filter(|_| change.record.object.kind() == Kind::Person) else {
        return Vec::new();
    };
    let known = book.links.get(&change.record);
    let known = known.and_then(|person| book.entities.get(&survivor(book, *person)));
    let stays = known.map(|entry| stays(&entry.state, field, rules));
    let before = stays.into_iter().flatten().map(|stay| stay.account);
    before
        .chain(account(&change.record, &named.value, rules))
        .collect()
}

/// Keys of the people who must be at hand to settle an account's change, or what was read of it, that may take it out of
/// marketing or end that. Hardly any does.
pub(crate) fn members_of_change(book: &Book, change: &Change, rules: &Rules) -> Vec<Digest> {
    let Some((setup, _)) = naming(rules).filter(|(setup, _)| says(change, setup)) else {
        return Vec::new();
    };
    let known = book.links.get(&change.record);
    let account = known.and_then(|account| book.entities.get(&survivor(book, *account)));
    let account = account.map(|entry| &entry.state);
    let goes_out = suppressing(setup).any(|field| {
        let said = change.fields.iter().find(|f| f.field == field);
        said.is_some_and(|f| f.value == Value::Bool(true))
    });
    if !goes_out && !account.is_some_and(|account| was_ever_out(account, setup)) {
        return Vec::new();
    }
    let mut keys = account.map(members).unwrap_or_default();
    keys.push(member_key(&change.record));
    keys
}

/// The same of an answer, of what a steward does, and of time: a steward's word may end by it.
pub(crate) fn members_of(book: &Book, item: &Item, rules: &Rules) -> Vec<Digest> {
    let Some((setup, _)) = naming(rules) else {
        return Vec::new();
    };
    let account = |entity: &EntityId| {
        let entry = book.entities.get(&survivor(book, *entity))?;
        (entity.kind == Kind::Account).then_some(&entry.state)
    };
    let of = |entity: &EntityId| account(entity).map(members).unwrap_or_default();
    let shows = |answer: &Answer| {
        let record = answer.record.iter().flatten();
        record
            .into_iter()
            .any(|(field, _)| suppressing(setup).any(|f| f == *field))
    };
    let is_locked = |state: &&State| suppressing(setup).any(|f| state.locks.contains_key(&f));
    match item {
        Item::Answer { entity, answer, .. } if shows(answer) => of(entity),
        Item::Steward { entity, act } if does(act, setup) => of(entity),
        Item::Wake(entity) => account(entity)
            .filter(is_locked)
            .map(members)
            .unwrap_or_default(),
        Item::Merge { winner, loser } | Item::Unmerge { winner, loser } => {
            [of(winner), of(loser)].concat()
        }
        _ => Vec::new(),
    }
}

/// Under which everybody of an account is indexed.
fn members(account: &State) -> Vec<Digest> {
    account.links.keys().map(member_key).collect()
}

fn was_ever_out(account: &State, setup: &Setup) -> bool {
    let was_out = |field: &Name| {
        let said = account
            .histories
            .values()
            .filter_map(|h| h.fields.get(field));
        said.flat_map(|said| &said.cells)
            .any(|cell| cell.value == Value::Bool(true))
    };
    suppressing(setup).any(|field| {
        account.lock(field, Millis::UNTIMED).is_some()
            || account.ruling(field).is_some()
            || was_out(&field)
    })
}

fn says(change: &Change, setup: &Setup) -> bool {
    let is_said = |field: &Name| change.fields.iter().any(|f| f.field == *field);
    change.record.object.kind() == Kind::Account
        && (suppressing(setup).any(|field| is_said(&field))
            || !matches!(change.class, Class::Delta | Class::Event))
}

fn does(act: &StewardAct, setup: &Setup) -> bool {
    match act {
        StewardAct::Lock { field, .. }
        | StewardAct::Unlock { field }
        | StewardAct::Rule { field, .. } => suppressing(setup).any(|f| f == *field),
        _ => false,
    }
}

/// Whether an input may change who of an account is taken out of marketing.
pub(crate) fn is_concerned(input: &Input, entity: EntityId, rules: &Rules) -> bool {
    let Some((setup, field)) = naming(rules) else {
        return false;
    };
    match (input, entity.kind) {
        (Input::Change(change), Kind::Account) => says(change, setup),
        (Input::Change(change), Kind::Person) => change.fields.iter().any(|f| f.field == field),
        (Input::Steward(act), Kind::Account) => does(act, setup),
        (Input::Absorb(_), Kind::Account | Kind::Person) => true,
        _ => false,
    }
}

/// Whether what changed of an account concerns its people.
pub(crate) fn concerns(changed: &[Name], entity: EntityId, rules: &Rules) -> bool {
    let Some((setup, _)) = naming(rules) else {
        return false;
    };
    entity.kind == Kind::Account && suppressing(setup).any(|field| changed.contains(&field))
}

/// Tells everybody whom it concerns, as far as they are at hand. What a steward does, or time, counts from `now`.
pub(crate) fn tell(
    book: &mut Book,
    entity: EntityId,
    now: Option<Millis>,
    rules: &Rules,
    at: Millis,
) {
    if entity.kind == Kind::Person {
        return tell_person(book, entity, None, now, rules, at);
    }
    let Some(held) = book.entities.get(&entity) else {
        return;
    };
    let members: BTreeSet<EntityId> = members(&held.state)
        .into_iter()
        .filter_map(|key| book.keys.get(&key))
        .flatten()
        .map(|person| survivor(book, *person))
        .collect();
    for person in members {
        tell_person(book, person, Some(entity), now, rules, at);
    }
}

fn tell_person(
    book: &mut Book,
    person: EntityId,
    by: Option<EntityId>,
    now: Option<Millis>,
    rules: &Rules,
    at: Millis,
) {
    let by = by.and_then(|by| book.entities.get(&by));
    for fact in facts(book, person, by, now, rules) {
        let (fact, by) = (Box::new(fact), None);
        take(book, person, Input::Heard { fact, by }, rules, at);
    }
}

/// What a person has not heard yet of the accounts at hand, that which tells of itself among them.
fn facts(
    book: &Book,
    person: EntityId,
    by: Option<&Entry>,
    now: Option<Millis>,
    rules: &Rules,
) -> Vec<Fact> {
    let (Some((setup, field)), Some(held)) = (naming(rules), book.entities.get(&person)) else {
        return Vec::new();
    };
    let state = &held.state;
    if state.erased.is_some() {
        return Vec::new();
    }
    let stays = stays(state, field, rules);
    let accounts: BTreeSet<&RecordKey> = stays.iter().map(|stay| &stay.account).collect();
    let mut facts = Vec::new();
    for account in accounts {
        let linked = || book.links.get(account).map(|e| survivor(book, *e));
        let told_by = by.filter(|by| by.state.links.contains_key(account));
        let Some(of) = told_by.or_else(|| book.entities.get(&linked()?)) else {
            continue;
        };
        let whose = Suppression::Account(member_key(account));
        let heard = state.funnel.as_deref();
        let told = heard
            .map(|funnel| funnel.heard_of(whose))
            .unwrap_or_default();
        let mut was_out = !told.is_empty() || heard.is_some_and(|funnel| funnel.was_out(whose));
        let here: Vec<&Stay> = stays.iter().filter(|s| s.account == *account).collect();
        let mut moments: BTreeSet<Millis> = now.into_iter().collect();
        if moments.is_empty() {
            let said = suppressing(setup).flat_map(|field| instants(&of.state, field, rules));
            moments.extend(said);
            if moments.is_empty() && !was_out {
                // Nobody ever said anything of it: so it is with nearly all.
                continue;
            }
            moments.extend(here.iter().flat_map(|stay| [stay.from, stay.until]));
            // What was made of an observation is made anew with it; what a steward did stays done.
            let made = told.into_iter();
            moments.extend(
                made.filter_map(|(event, at)| (event == id(whose, at, None)).then_some(at)),
            );
            moments.remove(&Millis::NEVER);
        }
        for instant in moments {
            let belongs = here.iter().any(|s| s.from <= instant && instant < s.until);
            let on = belongs && is_out(&of.state, setup, rules, instant);
            was_out |= on;
            let fact = Fact {
                event: id(whose, instant, now),
                time: instant,
                seq: 0,
                position: Position::default(),
                effective: None,
                what: What::Suppressed { whose, on },
            };
            if was_out && !heard.is_some_and(|funnel| funnel.has_heard(&fact)) {
                facts.push(fact);
            }
        }
    }
    facts
}

fn is_out(account: &State, setup: &Setup, rules: &Rules, instant: Millis) -> bool {
    let then = as_of(account, instant, rules);
    let mut golden = Unsaid::of(&then, rules, instant);
    suppressing(setup).any(|field| golden.golden(field) == Value::Bool(true))
}

fn id(whose: Suppression, instant: Millis, by_steward: Option<Millis>) -> EventId {
    let of: &[u8] = match &whose {
        Suppression::Account(key) => &key.0,
        Suppression::Person => &[],
    };
    let how: &[u8] = match by_steward {
        Some(_) => b"account out, by a steward",
        None => b"account out",
    };
    Digest::of(&[how, of, &instant.0.to_be_bytes()])
}
