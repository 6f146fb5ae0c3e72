//! Judges what was touched and everything that reads it, and tells what changed.

use crate::{
    book::{OutBody, OutKey, OutMessage, OutTopic},
    dependents::{all_subjects, dependents},
    effects::Effects,
    id::Digest,
    judge::{Subject, judge, subject_of},
    name::Name,
    rules::Rules,
    state::{LinkStatus, State},
    time::Millis,
    wire,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What became of fields whose golden value changed, by one input.
pub(crate) type Decided = BTreeMap<Name, wire::Explanation>;

/// Judges what was touched and everything that reads it. Of what is decided more than once the last account counts.
pub(crate) fn rejudge(
    state: &mut State,
    touched: &BTreeSet<Name>,
    rules: &Rules,
    at: Millis,
    decided: &mut Decided,
) {
    if touched.is_empty() {
        return;
    }
    let subjects: Vec<Subject> = if touched.len() > rules.entity(state.id.kind).fields.len() / 2 {
        all_subjects(state, rules)
    } else {
        touched
            .iter()
            .map(|f| subject_of(*f, state, rules))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    };
    for subject in &subjects {
        judge_one(state, *subject, rules, at, decided);
    }
    let moved: Vec<Name> = decided
        .keys()
        .copied()
        .chain(touched.iter().copied())
        .collect();
    for field in dependents(&moved, state, rules) {
        judge_one(state, subject_of(field, state, rules), rules, at, decided);
    }
}

fn judge_one(
    state: &mut State,
    subject: Subject,
    rules: &Rules,
    at: Millis,
    decided: &mut Decided,
) {
    let judgement = judge(state, subject, rules, at, decided);
    let name = match subject {
        Subject::Field(name) | Subject::Group(name) => name,
    };
    match judgement.until {
        Some(until) => {
            state.due.insert(name, until);
        }
        None => {
            state.due.remove(&name);
        }
    }
    decided.extend(judgement.changed);
    let mut moved = false;
    for (field, golden) in judgement.golden {
        let before = state.golden.get(&field);
        let same = before.is_some_and(|b| b.value == golden.value && b.decided == golden.decided);
        moved |= !same && (before.is_some() || golden.decided);
        if !same || before.is_some_and(|b| b != &golden) {
            let known = Arc::make_mut(&mut state.golden);
            if known.is_empty() {
                // All fields get one: no room that grows beyond that.
                known.reserve(rules.entity(state.id.kind).fields.len());
            }
            known.insert(field, golden);
        }
        if !same {
            pend(state, field);
        }
    }
    if moved && let Subject::Group(group) = subject {
        let rest = rules.timing.tuple_settle;
        if rest > 0 {
            state.settling.insert(group, at.plus(rest));
        } else {
            // Nothing to wait for, and nobody has to be woken for it.
            state.settling.remove(&group);
        }
    }
}

/// The field may differ from golden at every record now.
fn pend(state: &mut State, field: Name) {
    for (record, link) in &state.links {
        if link.status() == LinkStatus::Active {
            let delivery = match state.deliveries.get_mut(record) {
                Some(delivery) => delivery,
                None => state.deliveries.entry(record.clone()).or_default(),
            };
            delivery.pending.insert(field);
        }
    }
}

/// Tells of what was decided. Returns whether there was anything.
pub(crate) fn publish(
    state: &mut State,
    decided: Decided,
    rules: &Rules,
    at: Millis,
    effects: &mut Effects,
) -> bool {
    if decided.is_empty() {
        return false;
    }
    state.golden_version += 1;
    let key = OutKey::Entity(state.id);
    let cause = Digest::of(&[
        state.id.kind.as_str().as_bytes(),
        &state.id.digest.0,
        &state.golden_version.to_le_bytes(),
    ]);
    let message = |topic, body| OutMessage {
        topic,
        key: key.clone(),
        body,
        at,
        cause,
    };
    let golden = wire::GoldenMessage {
        schema_version: wire::SchemaVersion::CURRENT,
        entity: state.id,
        kind: state.id.kind,
        version: state.golden_version,
        at,
        rule_version: rules.version.clone(),
        fields: wire::GoldenFields::of(&state.golden),
        changed: decided.keys().copied().collect(),
        records: state
            .links
            .iter()
            .map(|(record, link)| (record.to_text(), link.status()))
            .collect(),
    };
    effects
        .messages
        .push(message(OutTopic::Golden, OutBody::Golden(golden)));
    effects.changed.extend(decided.keys());
    let decisions = wire::DecisionMessage {
        schema_version: wire::SchemaVersion::CURRENT,
        entity: state.id,
        version: state.golden_version,
        at,
        told: wire::Told::Together {
            decisions: decided.into_values().collect(),
        },
    };
    effects
        .messages
        .push(message(OutTopic::Decisions, OutBody::Decisions(decisions)));
    true
}
