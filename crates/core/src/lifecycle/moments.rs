//! What golden was at earlier moments, as far as hot state knows: what the fold's conditions read is a function of what
//! was observed, not of the order in which it came in.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    claim::{Claim, Claims},
    consent::own_turns,
    dependents::{evaluate_with, reads},
    judge::{Subject, field_verdict, group_verdict, steward_said, subject_of},
    name::Name,
    rules::{Rules, Strategy},
    state::State,
    time::Millis,
    value::Value,
};

/// The instants, floored, at which the golden value of a field may have changed by what somebody said or a steward did.
pub(super) fn instants(state: &State, field: Name, rules: &Rules) -> BTreeSet<Millis> {
    let mut found = BTreeSet::new();
    let quantum = rules.timing.quantum;
    let entity = rules.entity(state.id.kind);
    let mut claimed = |claims: &Claims<'_>| {
        let turns = claims.records.iter().flat_map(|of| &of.turns);
        found.extend(turns.map(|turn| said_at(turn, quantum)));
    };
    match subject_of(field, state, rules) {
        Subject::Group(group) => {
            if let Some(group) = entity.groups.get(&group) {
                claimed(&Claims::of_group(state, group, rules));
            }
        }
        Subject::Field(_) => claimed(&Claims::of_field(state, field, rules)),
    }
    let rule = entity.fields.get(&field);
    match rule.map(|rule| &rule.strategy) {
        Some(Strategy::Derived(expr)) => {
            for read in reads(expr) {
                found.extend(instants(state, read, rules));
            }
        }
        Some(Strategy::Follow { group }) => {
            let leads = entity.groups.get(group).and_then(|g| g.fields.first());
            found.extend(leads.into_iter().flat_map(|f| instants(state, *f, rules)));
        }
        _ => {}
    }
    if rule.is_some_and(|rule| rule.consent.is_some()) {
        for consent in rules.consents.iter().filter(|c| c.field == field) {
            let own = own_turns(state, consent, rules);
            let shared = state.shared_consent.iter();
            let all = own.iter().chain(shared);
            found.extend(
                all.filter(|turn| turn.channel == consent.channel)
                    .map(|turn| turn.time.floor(quantum)),
            );
        }
    }
    let acts = state.locks.get(&field).map(|lock| lock.at).into_iter();
    let acts = acts.chain(state.rulings.get(&field).map(|ruling| ruling.at));
    found.extend(acts.map(|at| at.floor(quantum)));
    found
}

/// The state as it would be had nothing happened after an instant, and had the funnel said nothing.
pub(super) fn as_of(state: &State, instant: Millis, rules: &Rules) -> State {
    let quantum = rules.timing.quantum;
    let by_then = |at: Millis| at.floor(quantum) <= instant;
    let mut then = state.clone();
    then.funnel = None;
    for (_, history) in then.histories.iter_mut() {
        history.write_all_out();
        let events = std::mem::take(&mut history.events);
        for (_, of_field) in history.fields.iter_mut() {
            of_field.obs.retain(|seen| {
                let event = events.get(seen.event as usize);
                event.is_some_and(|event| by_then(happened(event)))
            });
        }
        history.events = events;
    }
    then.locks.retain(|_, lock| by_then(lock.at));
    then.rulings.retain(|_, ruling| by_then(ruling.at));
    then.stages.retain(|fact| by_then(fact.time));
    then.shared_consent.retain(|turn| by_then(turn.time));
    then
}

/// When a claim was made, floored: at its own time, or where it has none, when it came in.
pub(super) fn said_at(turn: &Claim<'_>, quantum: i64) -> Millis {
    if turn.time.is_timed() {
        turn.floored
    } else {
        turn.position.arrival.floor(quantum)
    }
}

/// When something was seen: its own time, or where it has none, when it came in.
fn happened(event: &crate::state::Event) -> Millis {
    if event.time.is_timed() {
        event.time
    } else {
        event.position.arrival
    }
}

/// The first instant at which anything was seen of the person, floored.
pub(super) fn first_seen(state: &State, rules: &Rules) -> Option<Millis> {
    let events = state.histories.values().flat_map(|history| &history.events);
    let first = events.map(happened).min()?;
    Some(first.floor(rules.timing.quantum))
}

/// Golden values of a state in which the funnel has said nothing.
pub(super) struct Unsaid<'s> {
    state: &'s State,
    rules: &'s Rules,
    at: Millis,
    known: BTreeMap<Name, Value>,
}

impl<'s> Unsaid<'s> {
    pub(super) fn of(state: &'s State, rules: &'s Rules, at: Millis) -> Self {
        Self {
            state,
            rules,
            at,
            known: BTreeMap::new(),
        }
    }

    pub(super) fn golden(&mut self, field: Name) -> Value {
        if let Some(known) = self.known.get(&field) {
            return known.clone();
        }
        let value = self.judge(field);
        self.known.insert(field, value.clone());
        value
    }

    fn judge(&mut self, field: Name) -> Value {
        let (state, rules) = (self.state, self.rules);
        let entity = rules.entity(state.id.kind);
        match subject_of(field, state, rules) {
            Subject::Group(name) => {
                let Some(group) = entity.groups.get(&name) else {
                    return Value::Blank;
                };
                let Some(member) = group.fields.iter().position(|f| *f == field) else {
                    return Value::Blank;
                };
                let verdict = group_verdict(state, group, rules, self.at);
                let said = steward_said(state, group, member, &verdict, self.at);
                said.as_ref().unwrap_or(&verdict).value(member)
            }
            Subject::Field(_) => {
                let Some(rule) = entity.fields.get(&field) else {
                    return Value::Blank;
                };
                if let Strategy::Derived(expr) = &rule.strategy {
                    // It reads golden values, and those of this moment stand nowhere.
                    let read: BTreeMap<Name, Value> = reads(expr)
                        .into_iter()
                        .map(|field| (field, self.golden(field)))
                        .collect();
                    let golden = |field| read.get(&field).cloned().unwrap_or_default();
                    return evaluate_with(expr, &golden);
                }
                field_verdict(state, field, rule, rules, self.at).value(0)
            }
        }
    }
}
