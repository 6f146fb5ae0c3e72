//! `apply`: the one way in which anything moves a person, account or deal.

use std::collections::BTreeSet;

use crate::absorb::absorb;
use crate::acts::{clear_verdict, steward};
use crate::observe::change_in;
use crate::rejudge::{Decided, publish, rejudge};
use crate::{
    answer,
    change::Outcome,
    effects::{Effects, Transition},
    holdings,
    input::Input,
    laws,
    lifecycle::walk::{self, walk},
    name::Name,
    plan, reread,
    rules::Rules,
    seal,
    state::State,
    tasks,
    time::Millis,
};

/// Applies one input. Pure: the same state, input, rules and instant give the same result.
///
/// `at` is the transaction's time on the log's clock. It dates what Baton does; it never judges whose value wins
/// (only `trust`, `manual` with a fallback, and expiring locks read it, as the contract says).
pub fn apply(state: &mut State, input: &Input, rules: &Rules, at: Millis) -> Transition {
    let mut effects = Effects::default();
    let mut touched = BTreeSet::new();
    let before = laws::Before::of(state, rules);
    let doubled = tasks::doubled(state);
    let held = holdings::moves_records(state, input).then(|| holdings::tally(state));
    let mut outcome = match input {
        Input::Change(change) => change_in(state, change, rules, at, &mut touched, &mut effects),
        Input::Answer(answer) => {
            answer::answer_in(state, answer, rules, at, &mut touched, &mut effects)
        }
        Input::Wake => {
            wake(state, at, &mut touched, rules);
            Outcome::Applied
        }
        Input::SharedConsent(turns) => {
            let before = state.shared_consent.len();
            state.shared_consent.extend(turns.iter().cloned());
            if state.shared_consent.len() > before {
                touched.extend(rules.consents.iter().map(|c| c.field));
            }
            Outcome::Applied
        }
        Input::ClearVerdict { event, held } => {
            clear_verdict(state, *event, *held, at, &mut touched, &mut effects);
            Outcome::Applied
        }
        Input::Steward(act) => steward(state, act, rules, at, &mut touched, &mut effects),
        Input::Absorb(other) => {
            absorb(state, other);
            walk::absorb(state, other, rules, at);
            touch_all(state, rules, &mut touched);
            Outcome::Applied
        }
        Input::Reread { record } => {
            reread::want_reading(state, record);
            Outcome::Applied
        }
        Input::Heard { .. } => Outcome::Noop,
    };
    if let Some(before) = held {
        effects.holdings.clear();
        holdings::note_moves(&mut effects.holdings, &before, &holdings::tally(state));
    }
    // What is not recorded must not move anything, or a replay would not (L10): what is due waits for its timer.
    let mut recorded = outcome != Outcome::Duplicate || !touched.is_empty();
    if recorded {
        plan::give_up(state, rules, at, &mut touched);
    }
    let mut decided = Decided::default();
    rejudge(state, &touched, rules, at, &mut decided);
    if recorded {
        let walked = walk(state, input, &touched, rules, at, &mut effects);
        outcome = walked.outcome.unwrap_or(outcome);
        recorded = !walked.is_repeat;
        // Golden follows what the funnel says.
        rejudge(state, &walked.touched, rules, at, &mut decided);
        touched.extend(walked.touched);
    }
    let moved = publish(state, decided, rules, at, &mut effects);
    tasks::ask_stewards(state, &touched, rules, at, &mut effects);
    tasks::tell_doubled(&doubled, state, at, &mut effects);
    let outcome = if moved && outcome > Outcome::Applied && outcome != Outcome::Duplicate {
        Outcome::Applied
    } else {
        outcome
    };
    if recorded {
        plan::plan(state, rules, at, &mut effects);
        laws::check(state, &before, input, outcome, &mut effects, rules, at);
        seal::seal_when_long(state, rules, at, &mut effects);
        state.wake = plan::next_wake(state, rules);
    }
    Transition {
        outcome,
        recorded,
        effects,
    }
}

pub(crate) fn touch_all(state: &mut State, rules: &Rules, touched: &mut BTreeSet<Name>) {
    let fields: Vec<Name> = rules.entity(state.id.kind).fields.keys().copied().collect();
    touched.extend(&fields);
    for record in state.links.keys().cloned().collect::<Vec<_>>() {
        state
            .deliveries
            .entry(record)
            .or_default()
            .pending
            .extend(&fields);
    }
}

fn wake(state: &mut State, at: Millis, touched: &mut BTreeSet<Name>, rules: &Rules) {
    state.settling.retain(|_, until| *until > at);
    let entity = rules.entity(state.id.kind);
    let due: Vec<Name> = state
        .due
        .iter()
        .filter(|(_, when)| **when <= at)
        .map(|(name, _)| *name)
        .collect();
    for name in due {
        state.due.remove(&name);
        match entity.groups.get(&name) {
            Some(group) => touched.extend(&group.fields),
            None => {
                touched.insert(name);
            }
        }
    }
    for (_, delivery) in state.deliveries.iter_mut() {
        if delivery.retry.is_some_and(|(_, next)| next <= at) {
            delivery.retry = delivery
                .retry
                .map(|(attempts, _)| (attempts, Millis::UNTIMED));
        }
    }
}
