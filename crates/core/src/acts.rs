//! What stewards do, and what the mass-clear guard decides.

use crate::absorb::{merged_into, split};
use crate::apply::touch_all;
use crate::{
    book::ParkedCode,
    change::{Outcome, Seen},
    effects::Effects,
    id::{Digest, EntityId, RecordKey},
    input::StewardAct,
    lifecycle::walk,
    name::Name,
    rules::Rules,
    state::{LinkStatusFact, Ruling, State},
    time::Millis,
    value::Value,
};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn clear_verdict(
    state: &mut State,
    event: Digest,
    held: bool,
    at: Millis,
    touched: &mut BTreeSet<Name>,
    effects: &mut Effects,
) {
    let Some(guarded) = state.guarded.get_mut(&event) else {
        return;
    };
    guarded.held = Some(held);
    touched.extend(&guarded.fields);
    let record = guarded.record.clone();
    state
        .deliveries
        .entry(record.clone())
        .or_default()
        .pending
        .extend(touched.iter().copied());
    if held {
        let why =
            "more values were cleared by one source at once than the mass-clear guard lets through"
                .to_owned();
        effects.park(state, ParkedCode::HeldClears, Some(&record), None, at, why);
    } else {
        state.guarded.remove(&event);
        effects.unpark(state, ParkedCode::HeldClears, Some(&record), None);
    }
}

pub(crate) fn steward(
    state: &mut State,
    act: &StewardAct,
    rules: &Rules,
    at: Millis,
    touched: &mut BTreeSet<Name>,
    effects: &mut Effects,
) -> Outcome {
    match act {
        StewardAct::Lock { field, lock } => {
            state.locks.insert(*field, lock.clone());
            touched.insert(*field);
        }
        StewardAct::Unlock { field } => {
            state.locks.remove(field);
            for absorbed in state.absorbed.values_mut() {
                absorbed.locks.remove(field);
            }
            touched.insert(*field);
        }
        StewardAct::Rule { field, value, by } => {
            state.rulings.insert(
                *field,
                Ruling {
                    value: value.clone(),
                    by: by.clone(),
                    at,
                },
            );
            touched.insert(*field);
            effects.unpark(state, ParkedCode::ManualDecision, None, Some(*field));
        }
        StewardAct::RuleTuple { group, record, by } => {
            return rule_tuple(state, *group, record, by, rules, at, touched, effects);
        }
        StewardAct::Resume { record, field } => {
            let delivery = state.deliveries.entry(record.clone()).or_default();
            delivery.contested.remove(field);
            delivery.held.remove(field);
            delivery.writes.remove(field);
            delivery.reverts.remove(field);
            delivery.pending.insert(*field);
            effects.unpark(state, ParkedCode::Contested, Some(record), Some(*field));
            effects.unpark(state, ParkedCode::RevertsUsedUp, Some(record), Some(*field));
        }
        StewardAct::Retry { record } => {
            let delivery = state.deliveries.entry(record.clone()).or_default();
            let refused: Vec<Name> = std::mem::take(&mut delivery.refused).into_keys().collect();
            delivery.refused_record = None;
            delivery.pending.extend(&refused);
            for field in refused {
                effects.unpark(state, ParkedCode::RefusedWrite, Some(record), Some(field));
            }
            effects.unpark(state, ParkedCode::RefusedWrite, Some(record), None);
            state
                .creates
                .retain(|system, create| *system != record.system || create.stopped.is_none());
        }
        StewardAct::Consent {
            channel,
            state: consent,
            by,
            reason,
        } => {
            steward_consent(state, *channel, *consent, by, reason, rules, at, touched);
        }
        StewardAct::Unmerge { from } => {
            walk::split(state, *from, rules, at);
            split(state, *from);
            touch_all(state, rules, touched);
        }
        StewardAct::MergedInto { winner } => merged_into(state, *winner),
        StewardAct::Erase => {
            erase(state, at);
            touch_all(state, rules, touched);
        }
        StewardAct::Archive { archived } => state.archived = *archived,
        StewardAct::Rejudge => touch_all(state, rules, touched),
    }
    Outcome::Applied
}

/// The tuple that the record offers stands from now on, until the next decision. Nothing if it offers none.
#[expect(
    clippy::too_many_arguments,
    reason = "the act's own members, taken apart"
)]
fn rule_tuple(
    state: &mut State,
    group: Name,
    record: &RecordKey,
    by: &str,
    rules: &Rules,
    at: Millis,
    touched: &mut BTreeSet<Name>,
    effects: &mut Effects,
) -> Outcome {
    let Some(rule) = rules.entity(state.id.kind).groups.get(&group) else {
        return Outcome::Noop;
    };
    let Some(tuple) = crate::tasks::offered_tuple(state, rule, record, rules) else {
        return Outcome::Noop;
    };
    let chosen = (group, Value::Text(record.to_string().into()));
    let members = rule.fields.iter().copied().zip(tuple);
    for (name, value) in members.chain([chosen]) {
        let by = by.to_owned();
        state.rulings.insert(name, Ruling { value, by, at });
    }
    touched.extend(&rule.fields);
    effects.unpark(state, ParkedCode::ManualDecision, None, Some(group));
    Outcome::Applied
}

#[expect(
    clippy::too_many_arguments,
    reason = "the act's own members, taken apart"
)]
fn steward_consent(
    state: &mut State,
    channel: Name,
    consent: crate::rules::ConsentState,
    by: &str,
    reason: &str,
    rules: &Rules,
    at: Millis,
    touched: &mut BTreeSet<Name>,
) {
    let Some(rule) = rules.consents.iter().find(|c| c.channel == channel) else {
        return;
    };
    let address = crate::consent::address_digest(channel, state.golden_value(rule.address))
        .unwrap_or_default();
    // One for each person that was merged into this one, so that it answers what each of them brought.
    let mut records: BTreeMap<EntityId, RecordKey> = BTreeMap::new();
    for record in state.links.keys() {
        let brought_by = state.provenance.get(record).copied().unwrap_or(state.id);
        records.entry(brought_by).or_insert_with(|| record.clone());
    }
    let acts = records
        .into_values()
        .map(|record| crate::state::ConsentTurn {
            channel,
            address,
            time: at.floor(rules.timing.quantum),
            state: consent,
            own_act: false,
            steward: true,
            record,
            event: Digest::of(&[
                b"steward",
                by.as_bytes(),
                reason.as_bytes(),
                &at.0.to_le_bytes(),
            ]),
        });
    state.shared_consent.extend(acts);
    touched.insert(rule.field);
}

/// Redacts every value and keeps order keys and hashes, so that replays keep their order and suppression holds.
fn erase(state: &mut State, at: Millis) {
    state.erased = Some(at);
    let gone = crate::value::Value::Blank;
    for (_, history) in state.histories.iter_mut() {
        for event in &mut history.events {
            event.actor = None;
        }
        for (_, field) in history.fields.iter_mut() {
            for cell in &mut field.cells {
                cell.value = gone.clone();
                cell.seen = Seen::BlankInSnapshot;
                cell.before = None;
            }
        }
    }
    for (_, delivery) in state.deliveries.iter_mut() {
        delivery.intents.clear();
        delivery.renderings.clear();
        delivery.refused.clear();
    }
    if let Some(funnel) = &mut state.funnel {
        funnel.erase();
    }
    state.creates.clear();
    state.locks.clear();
    state.rulings.clear();
    let records: Vec<RecordKey> = state.links.keys().cloned().collect();
    for record in records {
        if let Some(link) = state.links.get_mut(&record) {
            link.facts.insert((
                at,
                crate::id::Position {
                    arrival: at,
                    log: 0,
                },
                LinkStatusFact::Erased,
            ));
        }
    }
}
