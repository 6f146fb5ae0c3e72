//! Consent (section 6): the most restrictive unanswered statement over all records and holders of an address.

use std::collections::BTreeSet;

use crate::{
    change::Cause,
    claim::Claims,
    id::{Digest, RecordKey},
    name::Name,
    order::track,
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

/// Every consent statement in this entity's own records, each for the address its record had at the time.
#[must_use]
pub fn own_turns(state: &State, rule: &ConsentRule, rules: &Rules) -> BTreeSet<ConsentTurn> {
    let mut turns = BTreeSet::new();
    for of in &Claims::of_field(state, rule.field, rules).records {
        for turn in &of.turns {
            let [value] = turn.content.values() else {
                continue;
            };
            // Null or absent never loosens, and restricts nothing either.
            let Some(consent) = state_of(rule, value) else {
                continue;
            };
            let loosening = consent > ConsentState::Pending;
            let time = if loosening {
                turn.time.min(turn.position.arrival)
            } else {
                turn.time
            };
            let address = address_at(state, of.record, rule, turn.time, rules)
                .or_else(|| address_digest(rule.channel, state.golden_value(rule.address)));
            turns.insert(ConsentTurn {
                channel: rule.channel,
                address: address.unwrap_or_default(),
                time: time.floor(rules.timing.quantum),
                state: consent,
                own_act: turn.cause == Cause::OwnForm,
                steward: false,
                record: of.record.clone(),
                event: turn.event,
            });
        }
    }
    turns
}

/// The address that stood in the record at that time, else the first it ever had.
fn address_at(
    state: &State,
    record: &RecordKey,
    rule: &ConsentRule,
    at: Millis,
    rules: &Rules,
) -> Option<Digest> {
    let seats = track(state, record, rule.address, rules).seats;
    let stood = seats
        .iter()
        .rev()
        .find(|s| s.rho.time <= at && !s.value.is_blank());
    stood
        .or_else(|| seats.iter().find(|s| !s.value.is_blank()))
        .and_then(|s| address_digest(rule.channel, s.value))
}

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
/// address of a bounce was replaced at its record later.
#[must_use]
pub fn standing(turns: &BTreeSet<ConsentTurn>, moved: impl Fn(&ConsentTurn) -> bool) -> Standing {
    let answered = |turn: &ConsentTurn| {
        if turn.state == ConsentState::Bounced && moved(turn) {
            return true;
        }
        turns.iter().any(|act| {
            // A bounce and a legal block are answered by a steward only.
            let own = act.own_act
                && turn.state >= ConsentState::OptedOut
                && act.state != ConsentState::Unknown
                && (act.address == turn.address
                    || act.address == Digest::default()
                    || turn.address == Digest::default());
            (own || act.steward) && act.state > turn.state && act.time > turn.time
        })
    };
    let open: BTreeSet<_> = turns
        .iter()
        .filter(|t| is_restrictive(t.state) && !answered(t))
        .cloned()
        .collect();
    let remaining = || {
        turns
            .iter()
            .filter(|t| !is_restrictive(t.state))
            .map(|t| t.state)
            .min()
    };
    let state = open
        .iter()
        .map(|t| t.state)
        .min()
        .or_else(remaining)
        .unwrap_or(ConsentState::Unknown);
    let counts = |t: &ConsentTurn| t.state == state && (!is_restrictive(state) || open.contains(t));
    let (because, others) = turns.iter().cloned().partition(counts);
    Standing {
        state,
        because,
        others,
    }
}

/// Whether a bounced address was replaced at its own record after the bounce.
#[must_use]
pub fn address_moved(state: &State, turn: &ConsentTurn, rule: &ConsentRule, rules: &Rules) -> bool {
    let Some(record) = state.linked(&turn.record) else {
        return false;
    };
    track(state, record, rule.address, rules)
        .seats
        .iter()
        .any(|s| {
            s.rho.floored > turn.time
                && address_digest(rule.channel, s.value).is_some_and(|now| now != turn.address)
        })
}

/// All addresses that a record has had from `from` on: a statement speaks of each of them.
#[must_use]
pub fn later_addresses(
    state: &State,
    record: &RecordKey,
    rule: &ConsentRule,
    from: Millis,
    rules: &Rules,
) -> BTreeSet<Digest> {
    let Some(record) = state.linked(record) else {
        return BTreeSet::new();
    };
    track(state, record, rule.address, rules)
        .seats
        .iter()
        .filter(|s| s.rho.floored >= from)
        .filter_map(|s| address_digest(rule.channel, s.value))
        .collect()
}

/// The value that carries a state: the mapped state itself, else the next more restrictive one. Nobody's word is
/// no value.
#[must_use]
pub fn value_of(rule: &ConsentRule, state: ConsentState, boolean: bool) -> Value {
    if state == ConsentState::Unknown {
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
            Value::Text(text.clone())
        }
    })
}
