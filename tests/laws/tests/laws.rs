//! The laws on random histories: convergence, idempotence, claims, stale inputs, blanks, replay, locks,
//! conservation, explanation, timers.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    apply::apply,
    book::LedgerRow,
    change::{Change, Class, Outcome, RawChange},
    explain::explain,
    id::{Digest, EntityId, EventId, Position, RecordKey},
    input::{Input, StewardAct},
    name::Name,
    normalise::normalise,
    order::track,
    rules::{Rules, Strategy},
    state::{LinkStatus, LockOn, State},
    time::Millis,
    value::{Raw, Value},
};
use baton_laws::{
    history::{Manner, Played, Plot, Step, Story, ambiguous, case, changes, play},
    world::{FIELDS, GROUP, Taste, seeds},
};
use baton_reference::{claim, order};

/// Everything that desired values are made of, and the stage.
#[derive(PartialEq, Debug)]
struct Known {
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
        assert_eq!(
            known(&left, &story.rules),
            known(&whole, &story.rules),
            "{}",
            story.again()
        );
    }
}

#[test]
fn l3_a_winner_said_what_it_won_with() {
    for seed in seeds(&[], 400) {
        let story = Story::new(seed, Taste::default(), Plot::default());
        let played = story.play(Manner::default());
        let Some(state) = played.state() else {
            continue;
        };
        let said: Vec<_> = changes(&played.book.out.ledger)
            .flat_map(baton_laws::history::facts)
            .collect();
        for (field, golden) in &state.golden {
            if let (Some(winner), Some(event)) = (&golden.winner, golden.event) {
                let by_winner =
                    |f: &&baton_reference::Fact| f.record == *winner && f.field == *field;
                let mut words = said.iter().filter(by_winner);
                let stood = words.any(|f| f.stands() == golden.value) || golden.value.is_blank();
                assert!(stood, "{} {field} {golden:?}", story.again());
                let event_of_winner = said
                    .iter()
                    .any(|f| f.record == *winner && f.event == event && !f.own);
                assert!(event_of_winner, "{} {field} {golden:?}", story.again());
            } else if golden.decided && !golden.value.is_blank() {
                let why = explain(state, &story.rules, *field, story.as_of).expect("known field");
                let rule = &story.rules.person.fields[field];
                let locked =
                    state.lock(*field, story.as_of).is_some() || state.ruling(*field).is_some();
                let derived = matches!(rule.strategy, Strategy::Derived(_));
                assert!(
                    locked || derived || !why.contributors.is_empty(),
                    "{} {field} {why:?}",
                    story.again()
                );
            }
        }
        let tuple: BTreeSet<_> = GROUP
            .iter()
            .map(|f| Name::new(f))
            .filter(|f| {
                !matches!(
                    state.lock(*f, story.as_of).map(|l| &l.on),
                    Some(LockOn::Value(_))
                )
            })
            .filter_map(|f| state.golden.get(&f))
            .map(|g| (g.winner.clone(), g.event, g.since))
            .collect();
        assert!(tuple.len() <= 1, "{} {tuple:?}", story.again());
    }
}

/// Adds one more input at the end and says what it changed.
fn with(story: &Story, record: &RecordKey, raw: RawChange) -> Played {
    let mut steps = story.steps.clone();
    let arrival = story.as_of.minus(70_000);
    steps.push(Step::Comes(baton_core::book::Incoming {
        system: record.system,
        format: baton_core::change::Format::Baton,
        raw,
        position: Position {
            arrival,
            log: 1_000_000,
        },
        index: 0,
        message: Digest::of(&[b"one more"]),
    }));
    play(&steps, &story.rules, story.as_of, Manner::default())
}

#[test]
fn l8_a_blank_snapshot_never_clears() {
    for seed in seeds(&[], 400) {
        let plot = Plot {
            tight: true,
            ..Plot::default()
        };
        let mut story = Story::new(seed, Taste::default(), plot);
        let played = story.play(Manner::default());
        let Some(state) = played.state() else {
            continue;
        };
        let known: Vec<RecordKey> = state.links.keys().cloned().collect();
        let record = story.dice.pick(&known).clone();
        let read = [Class::Snapshot, Class::ReadBack];
        let mut raw = RawChange::new(record.id.clone(), story.dice.pick(&read).clone());
        raw.object = Some(record.object.as_str().into());
        let time = baton_laws::history::START.plus(story.dice.between(-2_000, 9_000));
        raw.time = Some(time);
        if record.system.as_str() != "erp" {
            raw.origin = Some("somebody".into());
        }
        let facts: Vec<_> = changes(&played.book.out.ledger)
            .flat_map(baton_laws::history::facts)
            .collect();
        let seen = |field: &str| {
            facts
                .iter()
                .any(|f| f.record == record && f.field.as_str() == field && f.time < time)
        };
        let whole = GROUP.iter().all(|f| seen(f));
        let group = GROUP.iter().filter(|_| whole);
        for field in FIELDS.iter().chain(group).chain(&["consent", "follower"]) {
            raw.push(field, Raw::Null);
        }
        let after = with(&story, &record, raw);
        let after = after.state().expect("the person");
        for field in story.rules.person.fields.keys() {
            let (was, is) = (state.golden_value(*field), after.golden_value(*field));
            assert_eq!(is, was, "{} {field} at {record}", story.again());
        }
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

#[test]
fn l15_every_change_has_one_outcome_and_duplicates_are_told_apart() {
    for seed in seeds(&[], 300) {
        let story = Story::new(seed, Taste::default(), Plot::default());
        let played = story.play(Manner::default());
        let come: Vec<_> = story
            .steps
            .iter()
            .filter_map(|s| match s {
                Step::Comes(incoming) => Some(normalise(incoming, &story.rules).expect("mapped")),
                Step::Steward(..) => None,
            })
            .collect();
        assert_eq!(come.len(), played.settled.len(), "{}", story.again());
        let mut known: BTreeSet<(RecordKey, EventId)> = BTreeSet::new();
        let rows: Vec<_> = played
            .book
            .out
            .ledger
            .iter()
            .filter(|r| matches!(r.input, Input::Change(_)))
            .collect();
        let mut filed = 0;
        for (change, settled) in come.iter().zip(&played.settled) {
            let nothing = matches!(change.class, Class::Tombstone | Class::Activity { .. });
            let again = !nothing && !known.insert((change.record.clone(), change.event));
            assert_eq!(
                settled.outcome == Outcome::Duplicate,
                again,
                "{} {change:?}",
                story.again()
            );
            if nothing {
                assert_eq!(settled.outcome, Outcome::Noop, "{}", story.again());
            }
            filed += usize::from(settled.entity.is_some() && !again);
        }
        assert!(
            rows.len() >= filed,
            "{}: {} rows, {filed} changes",
            story.again(),
            rows.len()
        );
    }
}

#[test]
fn l16_explain_names_every_turn_once() {
    for seed in seeds(&[], 400) {
        let story = Story::new(seed, Taste::default(), Plot::default());
        let played = story.play(Manner::default());
        let Some(state) = played.state() else {
            continue;
        };
        let case = case(&played.book.out.ledger, &story.rules, story.as_of);
        let facts = order::sorted(&case, &case.facts);
        let ambiguous = ambiguous(&case);
        for field in story
            .rules
            .person
            .fields
            .keys()
            .filter(|f| !ambiguous.contains(*f))
        {
            let why = explain(state, &story.rules, *field, story.as_of).expect("a known field");
            let golden = state.golden.get(field).cloned().unwrap_or_default();
            assert_eq!(why.value.0, golden.value, "{} {field}", story.again());
            let key = |v: &baton_core::wire::ClaimView| {
                (RecordKey::new(v.system, v.object, v.id.clone()), v.event_id)
            };
            assert_eq!(
                why.winner.as_ref().map(|w| key(w).0),
                golden.winner,
                "{} {field}",
                story.again()
            );
            let mut named: Vec<_> = why
                .winner
                .iter()
                .chain(&why.contributors)
                .map(key)
                .collect();
            named.extend(why.losers.iter().map(|l| key(&l.claim)));
            named.sort();
            assert!(
                why.losers.iter().all(|l| !l.reason.is_empty()),
                "{} {field}",
                story.again()
            );
            let group = story.rules.person.group_of.get(field);
            let mut turns: Vec<(RecordKey, EventId)> = Vec::new();
            match group.and_then(|g| story.rules.person.groups.get(g)) {
                None => {
                    for record in order::records(&facts) {
                        let of = order::turns(&facts, &record, *field);
                        turns.extend(of.into_iter().map(|t| (record.clone(), t.stated.event)));
                    }
                    turns.sort();
                    if why.contributors.is_empty() {
                        assert_eq!(named, turns, "{} {field} {why:?}", story.again());
                    }
                    // A counter also counts what restated a value with its before-image.
                    for turn in &turns {
                        let times = named.iter().filter(|n| *n == turn).count();
                        assert_eq!(times, 1, "{} {field} {turn:?} {why:?}", story.again());
                    }
                }
                Some(group) => {
                    let subject = claim::Subject {
                        name: "address".into(),
                        members: group.fields.clone(),
                        group: true,
                        clear: group.clear,
                        protect: group.protect_manual,
                        requires: group.requires.clone(),
                    };
                    turns.extend(
                        claim::all(&case, &facts, &subject)
                            .into_iter()
                            .map(|c| (c.record, c.event)),
                    );
                    for turn in &turns {
                        assert!(
                            named.contains(turn),
                            "{} {field} {turn:?} {why:?}",
                            story.again()
                        );
                    }
                }
            }
        }
    }
}
