//! L15 conservation, L16 explanation, timers.

use std::collections::BTreeSet;

use baton_core::{
    change::{Class, Outcome},
    explain::explain,
    id::{EventId, RecordKey},
    input::Input,
    name::Name,
    normalise::normalise,
    rules::Strategy,
    time::Millis,
    value::Value,
};
use baton_laws::{
    history::{Manner, Plot, Step, Story, ambiguous, case},
    world::{Taste, seeds},
};
use baton_reference::{claim, golden, order};

#[test]
fn l15_every_change_has_one_outcome_and_duplicates_are_told_apart() {
    for seed in seeds(&[], 300) {
        let story = Story::new(seed, Taste::default(), Plot::default());
        let played = story.play(Manner::default());
        let come: Vec<_> = story
            .steps
            .iter()
            .filter_map(|s| match s {
                Step::Comes(incoming) => {
                    Some(normalise(incoming.clone(), &story.rules).expect("mapped"))
                }
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

#[test]
fn timers_ring_exactly_when_an_answer_changes() {
    let mut rung = 0;
    for seed in seeds(&[], 400) {
        let plot = Plot {
            stewards: false,
            length: 12,
            ..Plot::default()
        };
        let mut story = Story::new(seed, Taste::default(), plot);
        let end = story
            .steps
            .iter()
            .map(Step::at)
            .max()
            .unwrap_or(story.as_of);
        story.as_of = end;
        let mut played = story.play(Manner::default());
        for _ in 0..6 {
            let Some(state) = played.state() else { break };
            let Some((name, due)) = state
                .due
                .iter()
                .min_by_key(|(_, at)| **at)
                .map(|(n, at)| (*n, *at))
            else {
                break;
            };
            let field = if name.as_str() == "address" {
                Name::new("street")
            } else {
                name
            };
            let answer = |at: Millis| {
                let answers = golden(&case(&played.book.out.ledger, &story.rules, at));
                answers
                    .get(&field)
                    .map(|a| (a.value.clone(), a.winner.clone()))
            };
            if ambiguous(&case(&played.book.out.ledger, &story.rules, due)).contains(&field) {
                break;
            }
            let (before, after) = (answer(due.minus(1)), answer(due));

            let value = |a: &Option<(Value, Option<RecordKey>)>| {
                a.as_ref().map_or(Value::Blank, |a| a.0.clone())
            };
            assert_eq!(
                *state.golden_value(field),
                value(&before),
                "{} {field} before {due}",
                story.again()
            );
            let strategy = match name.as_str() {
                "address" => &story.rules.person.groups[&name].strategy,
                _ => &story.rules.person.fields[&name].strategy,
            };
            if matches!(strategy, Strategy::Trust(_)) {
                assert_ne!(
                    before,
                    after,
                    "{} {field} at {due}: nothing changes",
                    story.again()
                );
                rung += 1;
            }
            played.ring(due, &story.rules, Manner::default());
            let now = played.state().expect("the person");
            assert_eq!(
                *now.golden_value(field),
                value(&after),
                "{} {field} at {due}",
                story.again()
            );
        }
    }
    assert!(
        rung > 50 || std::env::var("BATON_SEED").is_ok(),
        "only {rung} timers rang"
    );
}
