//! Checks of the laws that are cheap enough for every input. What they find is counted, never hidden; a debug build
//! stops at once. The other laws need whole histories and are held by the tests.

use crate::{
    change::Outcome,
    effects::Effects,
    input::Input,
    name::Name,
    rules::Rules,
    state::{LockOn, State},
    time::Millis,
};

/// The laws that are checked while the engine runs. L4 is checked where commands are made, L15 by whoever counts
/// what was consumed.
pub const CHECKED: [&str; 5] = ["L2", "L3", "L4", "L11", "L15"];

/// Notes every law that applying the input has broken.
pub(crate) fn check(
    state: &State,
    input: &Input,
    outcome: Outcome,
    effects: &mut Effects,
    rules: &Rules,
    at: Millis,
) {
    let repeated = outcome == Outcome::Duplicate && repeat_had_effect(effects, state, input);
    let unclaimed = effects
        .changed
        .iter()
        .any(|field| !is_a_claim(state, *field));
    let unlocked = effects
        .changed
        .iter()
        .any(|field| !lock_holds(state, *field, rules, at));
    for (law, broken) in [("L2", repeated), ("L3", unclaimed), ("L11", unlocked)] {
        if broken {
            debug_assert!(false, "{law} is broken by one input");
            effects.violations.push(law);
        }
    }
}

/// A repeat may bring an earlier time or position to light; one that brings neither has no effect.
fn repeat_had_effect(effects: &Effects, state: &State, input: &Input) -> bool {
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

/// A locked field holds the lock's value, or a value of the lock's source.
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
