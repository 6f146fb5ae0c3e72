//! Consent (section 6): the most restrictive unanswered statement over all records and holders of an address.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    change::{Cause, Seen},
    id::{Digest, EventId, RecordKey},
    name::Name,
    order::{Rho, Role, track},
    rules::{ConsentRule, ConsentState, Rules},
    state::{ConsentTurn, State},
    time::Millis,
    value::Value,
};

/// Hash of a channel and a canonical address. Nothing else of the address is stored for suppression.
#[must_use]
pub fn address_digest(channel: Name, address: &Value) -> Option<Digest> {
    (!address.is_blank()).then(|| {
        Digest::of(&[
            b"address",
            channel.as_str().as_bytes(),
            address.to_string().as_bytes(),
        ])
    })
}

/// Every consent statement in this entity's own records.
///
/// A statement speaks of the address that its record had then, and of all that the record has had since: after a
/// change of address both are bound. It stands here once for each; a bounce is of its one address. Where a record
/// never had an address, the address is the default digest, and the statement binds its own person only.
#[must_use]
pub fn own_turns(state: &State, rule: &ConsentRule, rules: &Rules) -> BTreeSet<ConsentTurn> {
    let mut turns = BTreeSet::new();
    for record in state.links.keys() {
        let stated = track(state, record, rule.field, rules).seats;
        let addresses: Vec<(Rho, EventId, Digest)> = track(state, record, rule.address, rules)
            .seats
            .iter()
            .filter_map(|s| {
                let address = address_digest(rule.channel, s.value)?;
                Some((s.rho, s.rho.event, address))
            })
            .collect();
        for seat in stated.iter().filter(|s| s.role == Role::Turn) {
            // Null or absent never loosens, and restricts nothing either; neither does what is no value.
            let Some(consent) = state_of(rule, seat.value).filter(|_| seat.seen != Seen::Invalid)
            else {
                continue;
            };
            let by_then = |(rho, event, _): &&(Rho, EventId, Digest)| {
                *rho <= seat.rho || *event == seat.rho.event
            };
            let address = addresses
                .iter()
                .rfind(by_then)
                .or(addresses.first())
                .map(|(_, _, address)| *address)
                .unwrap_or_default();
            let since = seat.rho.time;
            // A loosening counts from the earlier of event and arrival.
            let heard = since.min(seat.rho.position.arrival);
            let time = if is_restrictive(consent) {
                since
            } else {
                heard
            };
            let turn = |address: Digest, time: Millis, own_act: bool| ConsentTurn {
                channel: rule.channel,
                address,
                time: time.floor(rules.timing.quantum),
                state: consent,
                own_act,
                steward: false,
                record: record.clone(),
                event: seat.rho.event,
            };
            let own_act = seat.cause == Cause::OwnForm;
            if own_act {
                turns.insert(turn(address, heard, true));
            }
            if !own_act || time != heard {
                turns.insert(turn(address, time, false));
            }
            if consent != ConsentState::Bounced {
                let later = addresses.iter().filter(|a| !by_then(a));
                turns.extend(
                    later
                        .filter(|(_, _, a)| *a != address)
                        .map(|(_, _, a)| turn(*a, time, false)),
                );
            }
        }
    }
    turns
}

/// The state that a value of the rule's field stands for; none for blanks and values without a state.
fn state_of(rule: &ConsentRule, value: &Value) -> Option<ConsentState> {
    (!value.is_blank()).then_some(())?;
    rule.states.get(value.to_string().as_str()).copied()
}

/// The judgement of one channel.
#[derive(Debug, PartialEq, Eq)]
pub struct Standing {
    pub state: ConsentState,
    /// The statements that make it so.
    pub because: BTreeSet<ConsentTurn>,
    /// The others, answered or less restrictive.
    pub others: BTreeSet<ConsentTurn>,
}

/// Tighter than opted in.
const fn is_restrictive(state: ConsentState) -> bool {
    !matches!(state, ConsentState::OptedIn | ConsentState::Unknown)
}

/// The most restrictive unanswered turn, else the most restrictive of what remains. `moved` tells whether the
/// address of a bounce was replaced at its record later; `same` whether two records
/// belonged to one person before any merge: a merge answers nothing.
#[must_use]
pub fn standing(
    turns: &BTreeSet<ConsentTurn>,
    moved: impl Fn(&ConsentTurn) -> bool,
    same: impl Fn(&RecordKey, &RecordKey) -> bool,
) -> Standing {
    let mut statements: BTreeMap<(&RecordKey, EventId), Vec<&ConsentTurn>> = BTreeMap::new();
    for turn in turns {
        statements
            .entry((&turn.record, turn.event))
            .or_default()
            .push(turn);
    }
    let answered = |of: &[&ConsentTurn]| {
        let state = of[0].state;
        if state == ConsentState::Bounced && of.iter().any(|t| moved(t)) {
            return true;
        }
        let since = of.iter().map(|t| t.time).max();
        let concerns = |act: &ConsentTurn| {
            of.iter().any(|turn| match (act.address, turn.address) {
                (a, b) if a != Digest::default() && b != Digest::default() => a == b,
                // Nobody knows which address is meant: that of this very person.
                _ => same(&act.record, &turn.record),
            })
        };
        turns.iter().any(|act| {
            // A bounce and a legal block are answered by a steward only.
            let own_act = act.own_act && state >= ConsentState::OptedOut && concerns(act);
            let by_steward = act.steward && (same(&act.record, &of[0].record) || concerns(act));
            (own_act || by_steward) && act.state != ConsentState::Unknown && Some(act.time) > since
        })
    };
    let open: BTreeSet<(&RecordKey, EventId)> = statements
        .iter()
        .filter(|(_, of)| is_restrictive(of[0].state) && !answered(of))
        .map(|(statement, _)| *statement)
        .collect();
    let remaining = || {
        turns
            .iter()
            .filter(|t| !is_restrictive(t.state))
            .map(|t| t.state)
            .min()
    };
    let is_open = |t: &ConsentTurn| open.contains(&(&t.record, t.event));
    let state = turns
        .iter()
        .filter(|t| is_open(t))
        .map(|t| t.state)
        .min()
        .or_else(remaining)
        .unwrap_or(ConsentState::Unknown);
    let counts = |t: &ConsentTurn| t.state == state && (!is_restrictive(state) || is_open(t));
    let (because, others) = turns.iter().cloned().partition(counts);
    Standing {
        state,
        because,
        others,
    }
}

/// Whether a bounced address is left behind: this person has another address and the bounced one no more. One of its
/// records must have got that other address after the bounce: the bounced record itself, where it is this person's.
#[must_use]
pub fn address_moved(state: &State, turn: &ConsentTurn, rule: &ConsentRule, rules: &Rules) -> bool {
    let digest = |value: &Value| address_digest(rule.channel, value);
    let held: BTreeSet<Digest> = state
        .links
        .keys()
        .filter_map(|record| {
            track(state, record, rule.address, rules)
                .believed()
                .and_then(digest)
        })
        .chain(digest(state.golden_value(rule.address)))
        .collect();
    if held.is_empty() || held.contains(&turn.address) {
        return false;
    }
    // Also by Baton's own hand, where it is the bounced record itself.
    let got_another = |record: &RecordKey, by_turn: bool| {
        let Some(record) = state.linked(record) else {
            return false;
        };
        let seats = track(state, record, rule.address, rules).seats;
        seats.iter().any(|s| {
            s.rho.floored > turn.time
                && (s.role == Role::Turn || !by_turn)
                && digest(s.value).is_some_and(|now| now != turn.address)
        })
    };
    match state.linked(&turn.record) {
        Some(record) => got_another(record, false),
        None => state.links.keys().any(|record| got_another(record, true)),
    }
}

/// The value that carries a state: the mapped state itself, else the next more restrictive one. Nobody's word is
/// no value.
#[must_use]
pub fn value_of(rule: &ConsentRule, state: ConsentState, boolean: bool) -> Value {
    if state == ConsentState::Unknown && !rule.states.values().any(|s| *s == state) {
        return Value::Blank;
    }
    let carried = rule
        .states
        .iter()
        .filter(|(_, s)| **s <= state)
        .max_by_key(|(text, s)| (**s, std::cmp::Reverse(*text)));
    carried.map_or(Value::Blank, |(text, _)| {
        if boolean {
            Value::Bool(text == "true")
        } else {
            Value::text(text)
        }
    })
}
