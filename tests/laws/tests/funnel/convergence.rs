//! L1 and L2 of the funnel: neither order nor repetition of what came in matters to where somebody stands.

use baton_core::{
    apply::apply,
    change::{Cause, Change, Class, FieldChange, Origin, Seen, Verdicts},
    id::{Digest, EntityId, Kind, Object, Position, RecordKey},
    input::{Input, StewardAct},
    lifecycle::{
        course::Course,
        fact::{Act, Actor},
        fold::Whereabouts,
    },
    state::State,
    time::{DAY, HOUR, Millis},
    value::Value,
};
use baton_laws::world::seeds;
use rand::{
    RngExt, SeedableRng,
    seq::{IndexedRandom, SliceRandom},
};
use rand_chacha::ChaCha8Rng;

use crate::world::{SHIPPED, points, start, text};

const DAYS: i64 = 60;

fn records() -> [RecordKey; 2] {
    [
        RecordKey::new("map", Object::Contact, "7"),
        RecordKey::new("crm", Object::Lead, "00Q"),
    ]
}

/// What one system says, or somebody does, at a random moment.
pub fn something(rng: &mut ChaCha8Rng, nth: u32) -> Change {
    let [map, crm] = records();
    let pick = rng.random_range(0..9);
    let (record, class, field, value) = match pick {
        0..=2 => (
            map,
            Class::Delta,
            "lead_score",
            points(rng.random_range(0..200)),
        ),
        3 => (
            map,
            Class::Delta,
            "company",
            [text("Analytical"), Value::Blank][rng.random_range(0..2)].clone(),
        ),
        4 => {
            let value = Value::Bool(rng.random_bool(0.5));
            (map, Class::Delta, "email_opt_out", value)
        }
        5 => {
            let stages = ["working", "qualified", "nurturing", "unqualified"];
            let stage = stages[rng.random_range(0..stages.len())];
            (crm, Class::Delta, "status", text(stage))
        }
        6 => (crm, Class::Delta, "sales_ready", Value::Bool(true)),
        _ => {
            let kinds = ["demo_request", "form_fill", "call_connected", "email_click"];
            let kind = rng.random_range(0..kinds.len());
            let act = Act {
                kind: kinds[kind].into(),
                actor: if kind == 2 {
                    Actor::Sales
                } else {
                    Actor::Buyer
                },
                category: "forms".into(),
                content: None,
                campaign: rng.random_bool(0.3).then(|| "spring".into()),
            };
            (map, Class::Act(Box::new(act)), "", Value::Blank)
        }
    };
    let time = start().plus(rng.random_range(0..DAYS * 24) * HOUR);
    let willing = Value::Bool(rng.random_bool(0.7));
    let willing = [("sales_willing", willing)];
    let fields = [(field, value)]
        .into_iter()
        .filter(|(field, _)| !field.is_empty())
        .chain(willing.into_iter().filter(|_| pick == 6));
    Change {
        record,
        class,
        time,
        seq: 0,
        position: Position::new(time.plus(u32::into(nth)), 0, 0, u64::from(nth)),
        event: Digest::of(&[b"something", &nth.to_be_bytes()]),
        cause: [Cause::ManualEdit, Cause::OwnForm, Cause::ListImport][rng.random_range(0..3)],
        actor: None,
        origin: Origin::Other,
        fields: fields
            .map(|(field, value)| FieldChange {
                field: field.into(),
                seen: if value.is_blank() {
                    Seen::Cleared
                } else {
                    Seen::Value
                },
                value,
                before: None,
            })
            .collect(),
        verdicts: Verdicts::default(),
    }
}

/// Somebody becomes known who would fit.
fn first() -> Change {
    let known = something(&mut ChaCha8Rng::seed_from_u64(0), 99);
    let said = |(field, value): (&str, &str)| FieldChange {
        field: field.into(),
        value: text(value),
        seen: Seen::Value,
        before: None,
    };
    let fields = [("email", "ada@example.com"), ("company", "Analytical")];
    Change {
        record: records()[0].clone(),
        class: Class::Delta,
        time: start(),
        fields: fields.map(said).into(),
        ..known
    }
}

fn person() -> EntityId {
    EntityId::derive(Kind::Person, &records()[0], Digest::default())
}

fn end() -> Millis {
    start().plus((DAYS + 30) * DAY)
}

/// Where the person stands when all of this has come in, in this order, at the end.
fn stands(changes: &[Change]) -> (Whereabouts, Course, State) {
    let mut state = State::new(person());
    for change in changes {
        apply(&mut state, &Input::Change(change.clone()), &SHIPPED, end());
    }
    let setup = SHIPPED.funnel.as_deref().unwrap();
    let funnel = state.funnel.as_deref().unwrap();
    let (now, course) = funnel.course(&setup.editions, end());
    (now, course, state)
}

#[test]
fn neither_order_nor_repetition_moves_anybody_elsewhere() {
    let mut stages = std::collections::BTreeSet::new();
    for seed in seeds(&[], 300) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let many = rng.random_range(2..14);
        let mut changes: Vec<Change> = (0..many).map(|nth| something(&mut rng, nth)).collect();
        changes.insert(0, first());
        changes.sort_by_key(|change| change.time);
        let (now, course, state) = stands(&changes);
        stages.extend(course.steps.iter().map(|step| step.to));
        for _ in 0..3 {
            let mut others = changes.clone();
            others.extend(changes.sample(&mut rng, 3).cloned());
            others.shuffle(&mut rng);
            let (there, way, other) = stands(&others);
            assert_eq!(course.steps, way.steps, "seed {seed}");
            assert_eq!(course, way, "seed {seed}");
            assert_eq!(now, there, "seed {seed}");
            assert_eq!(state.stages, other.stages, "seed {seed}");
            for (field, golden) in state.golden.iter() {
                assert_eq!(
                    golden.value,
                    other.golden_value(*field).clone(),
                    "seed {seed}: {field}"
                );
            }
        }
    }
    assert!(stages.len() > 6, "people get about: {stages:?}");
}

#[test]
fn listening_again_hears_the_same() {
    for seed in seeds(&[], 100) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut changes: Vec<Change> = (0..12).map(|nth| something(&mut rng, nth)).collect();
        changes.insert(0, first());
        changes.sort_by_key(|change| change.time);
        let mut state = State::new(person());
        for change in &changes {
            let at = change.position.arrival;
            apply(&mut state, &Input::Change(change.clone()), &SHIPPED, at);
        }
        let funnel = state.funnel.clone().unwrap();
        let setup = SHIPPED.funnel.as_deref().unwrap();
        let (now, course) = funnel.course(&setup.editions, end());
        let rejudge = Input::Steward(StewardAct::Rejudge);
        let last = changes.last().unwrap().position.arrival;
        apply(&mut state, &rejudge, &SHIPPED, last);
        let again = state.funnel.as_deref().unwrap();
        let (there, way) = again.course(&setup.editions, end());
        assert_eq!(course, way, "seed {seed}");
        assert_eq!(now, there, "seed {seed}");
    }
}
