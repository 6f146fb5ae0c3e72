//! Checks of the laws that are cheap enough for every input. What they find is counted, never hidden; a debug build
//! stops at once. The laws that need whole histories (L1, L5, L7, L10, L14, L16, L17) are held by the tests.

use crate::{
    change::{Cause, Class, Outcome},
    consent::{own_turns, state_of},
    effects::Effects,
    input::Input,
    name::Name,
    rules::{ConsentState, Rules, Strategy},
    state::{LockOn, State},
    time::Millis,
    value::Value,
};

/// The laws that are checked while the engine runs. L4 is checked where commands are made, L15 by the daemon, which
/// counts what it consumed.
pub const CHECKED: [&str; 7] = ["L2", "L3", "L4", "L6", "L8", "L11", "L15"];

/// What must be known of the state before an input to judge it afterwards.
pub(crate) struct Before {
    consents: Vec<Value>,
    /// Fields with a value, where the input is a snapshot.
    filled: Vec<Name>,
}

pub(crate) fn before(state: &State, input: &Input, rules: &Rules) -> Before {
    let snapshot = matches!(input, Input::Change(change) if change.class == Class::Snapshot);
    let filled = state
        .golden
        .iter()
        .filter(|(_, g)| snapshot && !g.value.is_blank());
    Before {
        consents: rules
            .consents
            .iter()
            .map(|c| state.golden_value(c.field).clone())
            .collect(),
        filled: filled.map(|(name, _)| *name).collect(),
    }
}

/// Notes every law that applying the input has broken.
pub(crate) fn check(
    before: &Before,
    state: &State,
    input: &Input,
    outcome: Outcome,
    effects: &mut Effects,
    rules: &Rules,
    at: Millis,
) {
    let broken = [
        (
            "L2",
            outcome == Outcome::Duplicate && repeats_had_effect(effects, state, input),
        ),
        (
            "L3",
            effects
                .changed
                .iter()
                .any(|field| !is_a_claim(state, *field)),
        ),
        ("L6", loosened(before, state, input, outcome, rules)),
        (
            "L8",
            before
                .filled
                .iter()
                .any(|field| was_cleared(state, *field, input)),
        ),
        (
            "L11",
            effects
                .changed
                .iter()
                .any(|field| !lock_holds(state, *field, rules, at)),
        ),
    ];
    for (law, _) in broken.into_iter().filter(|(_, broken)| *broken) {
        debug_assert!(false, "{law} is broken by one input");
        effects.violations.push(law);
    }
}

/// A repeat may bring an earlier time or position to light; one that brings neither has no effect.
fn repeats_had_effect(effects: &Effects, state: &State, input: &Input) -> bool {
    let Input::Change(change) = input else {
        return false;
    };
    let known = state
        .histories
        .get(&change.record)
        .and_then(|h| h.events.iter().find(|e| e.event == change.event));
    let news = known.is_some_and(|e| e.time == change.time || e.position == change.position);
    !news && !effects.changed.is_empty()
}

/// A golden value that names a winner names a record of this entity.
fn is_a_claim(state: &State, field: Name) -> bool {
    let winner = state.golden.get(&field).and_then(|g| g.winner.as_ref());
    winner.is_none_or(|record| state.linked(record).is_some())
}

/// A restrictive consent became looser without the person's own act or a steward's.
fn loosened(
    before: &Before,
    state: &State,
    input: &Input,
    outcome: Outcome,
    rules: &Rules,
) -> bool {
    let may_loosen = match input {
        // A new address answers a bounce; a record that left takes its statements with it.
        Input::Change(change) => {
            change.cause == Cause::OwnForm
                || !matches!(
                    change.class,
                    Class::Delta | Class::Event | Class::Snapshot | Class::ReadBack
                )
                || rules
                    .consents
                    .iter()
                    .any(|c| change.fields.iter().any(|f| f.field == c.address))
        }
        Input::SharedConsent(turns) => turns.iter().any(|t| t.own_act || t.steward),
        Input::Steward(_) | Input::Absorb(_) => true,
        Input::Answer(_) | Input::Wake | Input::ClearVerdict { .. } => false,
    };
    if may_loosen || outcome == Outcome::Duplicate {
        return false;
    }
    rules
        .consents
        .iter()
        .zip(&before.consents)
        .any(|(rule, was)| {
            let is =
                state_of(rule, state.golden_value(rule.field)).unwrap_or(ConsentState::Unknown);
            let looser =
                state_of(rule, was).is_some_and(|was| was <= ConsentState::OptedOut && was < is);
            // A late statement may bring an own act to light that was a restatement before; without any such act, nothing
            // may ever loosen.
            looser
                && !state.shared_consent.iter().any(|t| t.own_act || t.steward)
                && !own_turns(state, rule, rules).iter().any(|t| t.own_act)
        })
}

/// A blank in a snapshot emptied its own field. Members of groups are left out, where a snapshot may complete a tuple
/// that was seen in part, and so are fields whose answer also moves by time alone.
fn was_cleared(state: &State, field: Name, input: &Input, rules: &Rules) -> bool {
    let Input::Change(change) = input else {
        return false;
    };
    let entity = rules.entity(state.id.kind);
    let timeless = entity
        .fields
        .get(&field)
        .is_some_and(|r| !matches!(r.strategy, Strategy::Trust(_) | Strategy::Manual { .. }));
    let said = change
        .fields
        .iter()
        .any(|f| f.field == field && f.value.is_blank());
    said && timeless
        && !entity.group_of.contains_key(&field)
        && state.golden_value(field).is_blank()
}

fn lock_holds(state: &State, field: Name, rules: &Rules, at: Millis) -> bool {
    // Consent and erasure stand above locks.
    let rule = rules.entity(state.id.kind).fields.get(&field);
    if state.erased.is_some() || rule.is_none_or(|r| r.consent.is_some()) {
        return true;
    }
    match state.lock(field, at).map(|lock| &lock.on) {
        Some(LockOn::Value(value)) => state.golden_value(field) == value,
        Some(LockOn::Source(source)) => {
            let winner = state.golden.get(&field).and_then(|g| g.winner.as_ref());
            winner.is_none_or(|record| record.system == *source)
        }
        None => true,
    }
}
