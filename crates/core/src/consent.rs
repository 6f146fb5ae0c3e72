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

/// The most restrictive unanswered turn, else the most restrictive of what remains.
#[must_use]
pub fn standing(turns: &BTreeSet<ConsentTurn>, address: Option<Digest>) -> Standing {
    let answered = |turn: &ConsentTurn| {
        let new_address =
            turn.state == ConsentState::Bounced && address.is_some_and(|now| now != turn.address);
        new_address
            || turns.iter().any(|act| {
                let may = act.steward
                    || (act.own_act
                        && act.address == turn.address
                        && turn.state >= ConsentState::OptedOut);
                may && act.state > turn.state && act.time > turn.time
            })
    };
    let restrictive = |t: &&ConsentTurn| t.state <= ConsentState::OptedOut;
    let open: BTreeSet<_> = turns
        .iter()
        .filter(restrictive)
        .filter(|t| !answered(t))
        .cloned()
        .collect();
    let worst = |set: &mut dyn Iterator<Item = &ConsentTurn>| set.map(|t| t.state).min();
    let state = worst(&mut open.iter()).unwrap_or_else(|| {
        // What remains: the last word of each record, where that word is not itself restrictive.
        let mut last: std::collections::BTreeMap<&RecordKey, &ConsentTurn> =
            std::collections::BTreeMap::new();
        for turn in turns.iter().filter(|t| !restrictive(t)) {
            let held = last.entry(&turn.record).or_insert(turn);
            if (turn.time, turn.event) > (held.time, held.event) {
                *held = turn;
            }
        }
        worst(&mut last.into_values()).unwrap_or(ConsentState::Unknown)
    });
    let (because, others) = turns
        .iter()
        .cloned()
        .partition(|t| t.state == state && (t.state > ConsentState::OptedOut || open.contains(t)));
    Standing {
        state,
        because,
        others,
    }
}

/// The value that carries a state: the mapped state itself, else the next more restrictive one.
#[must_use]
pub fn value_of(rule: &ConsentRule, state: ConsentState, boolean: bool) -> Value {
    let carried = rule
        .states
        .iter()
        .filter(|(_, s)| **s <= state)
        .max_by_key(|(text, s)| (**s, std::cmp::Reverse(*text)));
    match (state, carried) {
        (ConsentState::Unknown, Some((_, ConsentState::Unknown))) | (_, Some(_))
            if state != ConsentState::Unknown =>
        {
            carried.map_or(Value::Blank, |(text, _)| {
                if boolean {
                    Value::Bool(text == "true")
                } else {
                    Value::Text(text.clone())
                }
            })
        }
        _ => Value::Blank,
    }
}
