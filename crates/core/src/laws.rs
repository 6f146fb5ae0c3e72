//! Checks of the laws that are cheap enough for every input. What they find is counted, never hidden; a debug build
//! stops at once. The other laws need whole histories and are held by the tests.

use crate::{
    book::OutBody,
    change::{Class, FieldChange, Outcome},
    effects::Effects,
    id::Kind,
    input::{Input, StewardAct},
    name::Name,
    rules::{ConsentRule, ConsentState, Rules},
    state::{LockOn, State},
    time::Millis,
    value::Value,
};

/// The laws that are checked while the engine runs. L4 and L5 are checked where commands are made, L14 where entities
/// are split, L15 by whoever counts what was consumed.
pub const CHECKED: [&str; 10] = [
    "L2", "L3", "L4", "L5", "L6", "L8", "L11", "L14", "L15", "L16",
];

/// What the checks compare with: golden consent before the input.
pub(crate) struct Before {
    consents: Vec<Value>,
}

impl Before {
    pub(crate) fn of(state: &State, rules: &Rules) -> Self {
        let person = state.id.kind == Kind::Person;
        let consents = rules.consents.iter().filter(|_| person);
        Self {
            consents: consents
                .map(|rule| state.golden_value(rule.field).clone())
                .collect(),
        }
    }
}

/// Notes every law that applying the input has broken.
pub(crate) fn check(
    state: &State,
    before: &Before,
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
    for (law, broken) in [
        ("L2", repeated),
        ("L3", unclaimed),
        ("L6", was_loosened(state, before, input, effects, rules)),
        ("L8", was_cleared_by_reading(state, input, effects, rules)),
        ("L11", unlocked),
        ("L16", !is_explained(state, effects)),
    ] {
        if broken {
            debug_assert!(false, "{law} is broken by one input");
            effects.violations.push(law);
        }
    }
}

/// Consent that became looser although the input holds nothing that could loosen it: nobody's statement, no steward's
/// act, no other address, nobody else's claims.
fn was_loosened(
    state: &State,
    before: &Before,
    input: &Input,
    effects: &Effects,
    rules: &Rules,
) -> bool {
    rules
        .consents
        .iter()
        .zip(&before.consents)
        .any(|(rule, was)| {
            effects.changed.contains(&rule.field)
                && !effects.changed.contains(&rule.address)
                && is_looser(rule, was, state.golden_value(rule.field))
                && !may_loosen(input, rule, state_of(rule, was))
        })
}

/// Whether `now` restricts less than `was`. What nobody decided restricts nothing.
fn is_looser(rule: &ConsentRule, was: &Value, now: &Value) -> bool {
    // The most restrictive state is the least.
    state_of(rule, was).is_some_and(|was| state_of(rule, now).is_none_or(|now| now > was))
}

fn state_of(rule: &ConsentRule, value: &Value) -> Option<ConsentState> {
    let named = rule.states.get(value.to_string().as_str()).copied();
    named.filter(|_| !value.is_blank())
}

fn may_loosen(input: &Input, rule: &ConsentRule, was: Option<ConsentState>) -> bool {
    match input {
        Input::Change(change) => {
            let values = matches!(
                change.class,
                Class::Delta | Class::Event | Class::Snapshot | Class::ReadBack
            );
            let said = |f: &FieldChange| f.field == rule.field && !f.value.is_blank();
            let moved = |f: &FieldChange| f.field == rule.address;
            !values || change.fields.iter().any(|f| said(f) || moved(f))
        }
        Input::Steward(act) => matches!(
            act,
            StewardAct::Consent { .. }
                | StewardAct::Unmerge { .. }
                | StewardAct::MergedInto { .. }
                | StewardAct::Erase
                | StewardAct::Rejudge
        ),
        Input::SharedConsent(_) | Input::Absorb(_) => true,
        // A bounce is of one address: Baton's own write of another one to its record answers it when it has landed,
        // or when it is given up as perhaps landed.
        Input::Answer(_) | Input::Wake => was == Some(ConsentState::Bounced),
        Input::ClearVerdict { .. } | Input::Reread { .. } | Input::Heard { .. } => false,
    }
}

/// A field of its own that is blank because of a blank that was only read. A member of a group stands in its tuple.
fn was_cleared_by_reading(state: &State, input: &Input, effects: &Effects, rules: &Rules) -> bool {
    let Input::Change(change) = input else {
        return false;
    };
    let groups = &rules.entity(state.id.kind).group_of;
    matches!(change.class, Class::Snapshot | Class::ReadBack)
        && change
            .fields
            .iter()
            .filter(|f| f.value.is_blank() && !groups.contains_key(&f.field))
            .filter(|f| effects.changed.contains(&f.field))
            .filter_map(|f| state.golden.get(&f.field))
            .any(|g| g.value.is_blank() && g.event == Some(change.event))
}

/// What is told of a change of golden is what golden is, and names a winner who says that, or what else made it.
fn is_explained(state: &State, effects: &Effects) -> bool {
    let told = effects.messages.iter().filter_map(|m| match &m.body {
        OutBody::Decisions(told) => Some(told.decisions()),
        _ => None,
    });
    told.flatten().all(|told| {
        let golden = state.golden.get(&told.field);
        golden.is_some_and(|golden| {
            golden.value == told.value.0
                && match (&golden.winner, &told.winner) {
                    (Some(record), Some(winner)) => {
                        let named = (winner.system, winner.object, &winner.id);
                        named == (record.system, record.object, &record.id)
                            && winner.value == told.value
                    }
                    (None, None) => true,
                    _ => false,
                }
        }) && told.losers.iter().all(|loser| !loser.reason.is_empty())
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        change::{Cause, Change, Origin, Seen, Verdicts},
        id::{Digest, Object, Position, RecordKey},
    };

    fn rule() -> ConsentRule {
        let states = [
            ("no", ConsentState::OptedOut),
            ("yes", ConsentState::OptedIn),
        ];
        ConsentRule {
            channel: "email".into(),
            field: "consent".into(),
            address: "email".into(),
            states: states.map(|(word, state)| (word.into(), state)).into(),
        }
    }

    fn change(class: Class, field: &str, value: Value) -> Change {
        Change {
            record: RecordKey::new("crm", Object::Contact, "1"),
            class,
            time: Millis(1_000),
            seq: 0,
            position: Position::default(),
            event: Digest::of(&[b"event"]),
            cause: Cause::Unknown,
            actor: None,
            origin: Origin::Other,
            fields: vec![FieldChange {
                field: field.into(),
                value,
                seen: Seen::Value,
                before: None,
            }],
            verdicts: Verdicts::default(),
        }
    }

    #[test]
    fn an_opt_out_that_is_lost_is_looser_and_one_that_is_new_is_not() {
        let (no, yes) = (Value::text("no"), Value::text("yes"));
        assert!(is_looser(&rule(), &no, &yes));
        assert!(is_looser(&rule(), &no, &Value::Blank));
        assert!(!is_looser(&rule(), &yes, &no));
        assert!(!is_looser(&rule(), &Value::Blank, &yes));
    }

    #[test]
    fn only_a_statement_an_address_or_a_steward_may_loosen() {
        let of = |class, field, value| Input::Change(change(class, field, value));
        let yes = Value::text("yes");
        let out = Some(ConsentState::OptedOut);
        assert!(may_loosen(
            &of(Class::Delta, "consent", yes.clone()),
            &rule(),
            out
        ));
        assert!(may_loosen(
            &of(Class::Delta, "email", yes.clone()),
            &rule(),
            out
        ));
        assert!(!may_loosen(
            &of(Class::Event, "consent", Value::Blank),
            &rule(),
            out
        ));
        assert!(!may_loosen(&of(Class::Delta, "city", yes), &rule(), out));
        for silent in [
            Input::Wake,
            Input::Steward(StewardAct::Unlock {
                field: "consent".into(),
            }),
        ] {
            assert!(!may_loosen(&silent, &rule(), out));
        }
        let bounced = Some(ConsentState::Bounced);
        assert!(may_loosen(&Input::Wake, &rule(), bounced));
    }

    #[test]
    fn a_blank_that_was_read_and_wins_is_noticed() {
        let mut state = State::new(crate::id::EntityId::derive(
            Kind::Person,
            &RecordKey::new("crm", Object::Contact, "1"),
            Digest::default(),
        ));
        let rules = Rules::default();
        let read = change(Class::Snapshot, "city", Value::Blank);
        let effects = Effects {
            changed: vec!["city".into()],
            ..Effects::default()
        };
        let golden = |event| crate::state::Golden {
            event: Some(event),
            ..Default::default()
        };
        std::sync::Arc::make_mut(&mut state.golden).insert("city".into(), golden(read.event));
        let input = Input::Change(read);
        assert!(was_cleared_by_reading(&state, &input, &effects, &rules));
        std::sync::Arc::make_mut(&mut state.golden)
            .insert("city".into(), golden(Digest::of(&[b"another"])));
        assert!(!was_cleared_by_reading(&state, &input, &effects, &rules));
    }
}
