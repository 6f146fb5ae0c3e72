//! Consent: the most restrictive unanswered turn (section 6).

use std::{cmp::Reverse, collections::BTreeSet};

use baton_core::{
    change::{Cause, Seen},
    id::RecordKey,
    name::Name,
    rules::{ConsentRule, ConsentState, FieldRule},
    time::Millis,
    value::Value,
};

use crate::{
    case::{Actor, Answer, Case, Fact},
    golden,
    order::{believed, records, sorted, turns},
};

/// The consent rule that judges a field, whatever its strategy says.
#[must_use]
pub fn rule_of<'c>(
    case: &'c Case,
    field: Name,
    rule: Option<&FieldRule>,
) -> Option<&'c ConsentRule> {
    let channel = rule.and_then(|r| r.consent);
    case.rules
        .consents
        .iter()
        .find(|c| Some(c.channel) == channel || c.field == field)
}

/// The state a value means without a rule's word for it: `opted_out` and its like by name, `true` as opted
/// out, `false` as opted in.
#[must_use]
pub fn plain_state(value: &Value) -> ConsentState {
    match value {
        Value::Bool(true) => ConsentState::OptedOut,
        Value::Bool(false) => ConsentState::OptedIn,
        other => {
            let text = other.to_string();
            ConsentState::ALL
                .into_iter()
                .find(|s| s.as_str() == text)
                .unwrap_or(ConsentState::Unknown)
        }
    }
}

fn state_of(rule: &ConsentRule, value: &Value) -> ConsentState {
    rule.states
        .get(value.to_string().as_str())
        .copied()
        .unwrap_or_else(|| plain_state(value))
}

/// A turn or an act.
#[derive(Clone, Debug)]
struct Entry {
    record: Option<RecordKey>,
    value: Value,
    state: ConsentState,
    /// Floored event time.
    time: Millis,
    /// Floored earlier of event and arrival: when it loosens, if it does.
    loosens_at: Millis,
    /// Of this person's own records and acts, not of another with the same address.
    this_person: bool,
    /// The address at its time; none where unknown.
    address: Option<Value>,
    /// That address and all that came after it at that record.
    addresses: BTreeSet<Value>,
    /// The record later got another address than the one of this turn.
    moved_on: bool,
    by: Option<Actor>,
}

/// The consent of one channel.
pub(crate) fn judge(case: &Case, facts: &[Fact], rule: &ConsentRule) -> Option<Answer> {
    let mine = current_addresses(case, facts, rule);
    let others = sorted(case, &case.others);
    let mut entries = entries_of(case, facts, rule, true);
    entries.extend(entries_of(case, &others, rule, false));
    let formerly = sorted(case, &case.formerly);
    entries.extend(entries_of(case, &formerly, rule, true));
    entries.extend(acts(case, rule));
    // Turns of other people count where they speak of an address that this person has now. A bounce is of its
    // one address; an opt-out goes along when the address changes.
    let concerns = |e: &Entry| {
        e.this_person
            || match e.state {
                ConsentState::Bounced => e.address.as_ref().is_some_and(|a| mine.contains(a)),
                _ => e.addresses.iter().any(|a| mine.contains(a)),
            }
    };
    let entries: Vec<Entry> = entries.into_iter().filter(concerns).collect();

    let open: Vec<&Entry> = entries
        .iter()
        .filter(|e| restrictive(e.state) && !entries.iter().any(|act| answers(act, e)))
        .filter(|e| {
            // A new address leaves a bounce behind, unless the person has the old one elsewhere.
            let held = e.address.as_ref().is_some_and(|a| mine.contains(a));
            !(e.state == ConsentState::Bounced && e.this_person && e.moved_on && !held)
        })
        .collect();
    let rest: Vec<&Entry> = entries.iter().filter(|e| !restrictive(e.state)).collect();
    let from = if open.is_empty() { rest } else { open };
    let winner = from.into_iter().max_by_key(|e| {
        (
            Reverse(e.state),
            e.time,
            Reverse((e.value.clone(), e.record.clone())),
        )
    })?;
    Some(Answer {
        value: winner.value.clone(),
        winner: winner.record.clone(),
        note: winner.state.as_str().to_owned(),
    })
}

/// Anything tighter than opted in needs an answer before it loosens.
fn restrictive(state: ConsentState) -> bool {
    state < ConsentState::OptedIn
}

fn answers(act: &Entry, turn: &Entry) -> bool {
    let entitled = match act.by {
        None => false,
        Some(Actor::Steward) => true,
        Some(Actor::Own) => !matches!(turn.state, ConsentState::Bounced | ConsentState::LegalBlock),
    };
    let same_address = match &act.address {
        Some(address) if !turn.addresses.is_empty() => turn.addresses.contains(address),
        _ => act.this_person && turn.this_person,
    };
    entitled && same_address && act.state != ConsentState::Unknown && act.loosens_at > turn.time
}

fn entries_of(case: &Case, facts: &[Fact], rule: &ConsentRule, this_person: bool) -> Vec<Entry> {
    let mut entries = Vec::new();
    for record in records(facts) {
        for turn in turns(facts, &record, rule.field) {
            let fact = &facts[turn.place];
            let value = fact.stands();
            // Null or absent never loosens, and neither does what is no value of the field.
            if value.is_blank() || fact.seen == Seen::Invalid {
                continue;
            }
            let time = case.floor(turn.stated.time);
            let told: Vec<(bool, &Fact)> = facts
                .iter()
                .enumerate()
                .filter(|(_, f)| f.record == record && f.field == rule.address)
                .filter(|(_, f)| !f.stands().is_blank())
                .map(|(at, f)| {
                    // An event that takes the turn over brings its own time with it.
                    let same_event = !f.own && f.event == turn.stated.event;
                    (at <= turn.stated_at || same_event, f)
                })
                .collect();
            let then = told.iter().rfind(|(by_then, _)| *by_then);
            let address = then.or(told.first()).map(|(_, f)| f.stands());
            let mut addresses: BTreeSet<Value> = told
                .iter()
                .filter(|(by_then, _)| !by_then)
                .map(|(_, f)| f.stands())
                .collect();
            addresses.extend(address.clone());
            entries.push(Entry {
                record: Some(record.clone()),
                state: state_of(rule, &value),
                value,
                time,
                loosens_at: case.floor(turn.stated.time.min(turn.stated.position.arrival)),
                this_person,
                moved_on: told.iter().any(|(by_then, f)| {
                    !by_then && Some(f.stands()) != address && case.floor(f.time) > time
                }),
                address,
                addresses,
                by: (turn.stated.cause == Cause::OwnForm).then_some(Actor::Own),
            });
        }
    }
    entries
}

fn acts(case: &Case, rule: &ConsentRule) -> Vec<Entry> {
    let mut entries = Vec::new();
    for act in &case.acts {
        if act.channel != rule.channel || act.value.is_blank() {
            continue;
        }
        entries.push(Entry {
            record: None,
            value: act.value.clone(),
            state: state_of(rule, &act.value),
            time: case.floor(act.time),
            loosens_at: case.floor(act.time.min(act.arrival)),
            this_person: true,
            address: act.address.clone(),
            addresses: act.address.iter().cloned().collect(),
            moved_on: false,
            by: Some(act.by),
        });
    }
    entries
}

/// The addresses that the person's records hold now, and the golden one.
fn current_addresses(case: &Case, facts: &[Fact], rule: &ConsentRule) -> BTreeSet<Value> {
    let mut addresses = BTreeSet::new();
    for record in records(facts) {
        addresses.extend(believed(facts, &record, rule.address));
    }
    if rule.address != rule.field {
        addresses.extend(
            golden::one(case, facts, rule.address, &[rule.field]).map(|answer| answer.value),
        );
    }
    addresses.remove(&Value::Blank);
    addresses
}
