//! L1 convergence, L2 idempotence, L10 replay.

use std::collections::BTreeMap;

use baton_core::{
    apply::apply,
    book::{Item, LedgerRow},
    change::{Change, Class, Outcome},
    id::{Digest, EntityId, EventId, Position, RecordKey},
    input::{Input, StewardAct},
    name::Name,
    normalise::normalise,
    order::track,
    rules::Rules,
    state::{LinkStatus, State},
    time::Millis,
    value::Value,
};
use baton_laws::{
    history::{Manner, Played, Plot, Step, Story, changes},
    world::{Taste, seeds},
};

/// Everything that desired values are made of, and the stage.
#[derive(PartialEq, Debug)]
struct Known {
    #[expect(
        clippy::type_complexity,
        reason = "compared as a whole, never taken apart"
    )]
    golden: BTreeMap<
        Name,
        (
            Value,
            Option<RecordKey>,
            Option<Millis>,
            Option<EventId>,
            bool,
        ),
    >,
    believed: BTreeMap<(RecordKey, Name), Value>,
    links: BTreeMap<RecordKey, LinkStatus>,
    stages: Vec<Name>,
}

fn known(state: &State, rules: &Rules) -> Known {
    let mut believed = BTreeMap::new();
    for record in state.links.keys() {
        for field in rules.person.fields.keys() {
            if let Some(value) = track(state, record, *field, rules).believed() {
                believed.insert((record.clone(), *field), value.clone());
            }
        }
    }
    let golden = state.golden.iter().map(|(name, g)| {
        (
            *name,
            (
                g.value.clone(),
                g.winner.clone(),
                g.since,
                g.event,
                g.decided,
            ),
        )
    });
    Known {
        golden: golden.filter(|(_, g)| g.4).collect(),
        believed,
        links: state
            .links
            .iter()
            .map(|(r, l)| (r.clone(), l.status()))
            .collect(),
        stages: state.stages().map(|s| s.stage).collect(),
    }
}

/// Applies changes in this order to nobody, then what stewards and the guard said, and judges at `at`.
fn fold(
    id: EntityId,
    changes: &[Change],
    ledger: &[LedgerRow],
    rules: &Rules,
    at: Millis,
) -> State {
    let mut state = State::new(id);
    for change in changes {
        apply(&mut state, &Input::Change(change.clone()), rules, at);
    }
    for row in ledger.iter().filter(|r| {
        matches!(
            r.input,
            Input::Steward(_) | Input::ClearVerdict { .. } | Input::SharedConsent(_)
        )
    }) {
        apply(&mut state, &row.input, rules, row.at);
    }
    apply(&mut state, &Input::Steward(StewardAct::Rejudge), rules, at);
    state
}

fn ledger_of(played: &Played) -> Vec<LedgerRow> {
    played.book.out.ledger.clone()
}

#[test]
fn l1_neither_order_nor_repetition_of_inputs_matters() {
    for seed in seeds(&[], 250) {
        let taste = Taste {
            guard: [None, Some(0), Some(100)][seed as usize % 3],
            writes: seed % 2 == 0,
            ..Taste::default()
        };
        // What Baton writes is no input of this law, and an event tagged ours is told by what was written.
        let plot = Plot {
            echoes: !taste.writes,
            ..Plot::default()
        };
        let mut story = Story::new(seed, taste, plot);
        let played = story.play(Manner::default());
        let Some(id) = played.entity() else { continue };
        let ledger = ledger_of(&played);
        let mut inputs: Vec<Change> = changes(&ledger).cloned().collect();
        // Some come once more with another assigned time: the smaller one counts.
        for _ in 0..3 {
            if let Some(mut twin) = inputs.get(story.dice.below(inputs.len().max(1))).cloned() {
                if twin.time.is_timed() {
                    twin.time = twin.time.minus(story.dice.between(0, 4) * 500);
                    twin.position.arrival = twin.position.arrival.minus(1);
                }
                inputs.push(twin);
            }
        }
        let first = known(
            &fold(id, &inputs, &ledger, &story.rules, story.as_of),
            &story.rules,
        );
        for round in 0..3 {
            let mut other = inputs.clone();
            for again in &inputs {
                if story.dice.chance(30) {
                    other.push(again.clone());
                }
            }
            story.dice.shuffle(&mut other);
            let got = known(
                &fold(id, &other, &ledger, &story.rules, story.as_of),
                &story.rules,
            );

            for field in story.rules.person.fields.keys() {
                let (got, first) = (got.golden.get(field), first.golden.get(field));
                assert_eq!(got, first, "{} round {round} {field}", story.again());
            }
            assert_eq!(
                got.believed,
                first.believed,
                "{} round {round}",
                story.again()
            );
            assert_eq!(got, first, "{} round {round}", story.again());
        }
    }
}

#[test]
fn l1_two_halves_merged_are_the_whole() {
    for seed in seeds(&[], 150) {
        let plot = Plot {
            stewards: false,
            ..Plot::default()
        };
        let story = Story::new(seed, Taste::default(), plot);
        let played = story.play(Manner::default());
        let Some(id) = played.entity() else { continue };
        let ledger = ledger_of(&played);
        let all: Vec<Change> = changes(&ledger).cloned().collect();
        if all
            .iter()
            .any(|c| matches!(c.class, Class::Merge { .. } | Class::Convert { .. }))
        {
            continue;
        }
        let whole = fold(id, &all, &[], &story.rules, story.as_of);
        let half = |first: bool| -> Vec<Change> {
            let of = |c: &&Change| (c.record.id.as_str() < "l") == first;
            all.iter().filter(of).cloned().collect()
        };
        let other_id = EntityId {
            digest: Digest::of(&[b"other"]),
            ..id
        };
        let mut left = fold(id, &half(true), &[], &story.rules, story.as_of);
        let right = fold(other_id, &half(false), &[], &story.rules, story.as_of);
        apply(
            &mut left,
            &Input::Absorb(Box::new(right)),
            &story.rules,
            story.as_of,
        );
        // A merge answers no restriction, so consent is the halves' own matter.
        let (mut merged, mut whole) = (known(&left, &story.rules), known(&whole, &story.rules));
        merged.golden.remove(&Name::new("consent"));
        whole.golden.remove(&Name::new("consent"));
        assert_eq!(merged, whole, "{}", story.again());
    }
}

#[test]
fn l2_an_input_applied_twice_says_nothing_and_changes_nothing() {
    for seed in seeds(&[], 250) {
        let taste = Taste {
            writes: true,
            creates: seed % 2 == 0,
            ..Taste::default()
        };
        let plot = Plot {
            echoes: false,
            ..Plot::default()
        };
        let story = Story::new(seed, taste, plot);
        let mut played = story.play(Manner {
            answers: seed % 3 == 0,
        });
        let Some(before) = played.state().cloned() else {
            continue;
        };
        let messages = played.book.out.messages.len();
        let rows = played.book.out.ledger.len();
        for step in &story.steps {
            let Step::Comes(again) = step else { continue };
            // What never moves anything is filed each time it comes.
            if matches!(again.raw.class, Class::Tombstone | Class::Activity { .. }) {
                continue;
            }
            let mut again = again.clone();
            again.position = Position::new(played.as_of, 3, 0, again.position.log);
            let change = normalise(again.clone(), &story.rules).expect("mapped");
            let item = Item::Change(change);
            let settled = played.book.settle(item, &story.rules, played.as_of);
            assert_eq!(
                settled.outcome,
                Outcome::Duplicate,
                "{} {again:?}",
                story.again()
            );
        }
        assert_eq!(
            played.book.out.messages.len(),
            messages,
            "{}",
            story.again()
        );
        assert_eq!(played.book.out.ledger.len(), rows, "{}", story.again());
        assert_eq!(played.state(), Some(&before), "{}", story.again());
    }
}

#[test]
fn l10_replaying_the_ledger_gives_the_live_state() {
    for seed in seeds(&[], 400) {
        let taste = Taste {
            writes: seed % 3 != 0,
            creates: seed % 2 == 0,
            guard: [None, Some(0), Some(100)][seed as usize % 3],
        };
        let story = Story::new(seed, taste, Plot::default());
        let played = story.play(Manner {
            answers: seed % 4 != 0,
        });
        let mut replayed: BTreeMap<EntityId, State> = BTreeMap::new();
        for row in &played.book.out.ledger {
            let state = replayed
                .entry(row.entity)
                .or_insert_with(|| State::new(row.entity));
            let transition = apply(state, &row.input, &story.rules, row.at);
            assert_eq!(
                transition.outcome,
                row.outcome,
                "{} {:?}",
                story.again(),
                row.input
            );
        }
        for (id, entry) in &played.book.entities {
            assert_eq!(
                replayed.get(id),
                Some(&entry.state),
                "{} {id}",
                story.again()
            );
        }
    }
}
