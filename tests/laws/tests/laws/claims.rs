//! L3 winners are claims, L7 stale inputs, L8 blank snapshots, L11 locks.

use std::collections::BTreeSet;

use baton_core::{
    book::Item,
    change::{Class, RawChange},
    explain::explain,
    id::{Digest, Position, RecordKey},
    input::StewardAct,
    name::Name,
    normalise::normalise,
    rules::{ClearPolicy, Strategy},
    state::LockOn,
    time::DAY,
    value::{Raw, Value},
};
use baton_laws::{
    history::{Manner, Played, Plot, Step, Story, ambiguous, case, changes, incoming, play},
    world::{Dice, FIELDS, GROUP, SYSTEMS, Taste, rules, seeds},
};
use baton_reference::golden;

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
        for (field, golden) in state.golden.iter() {
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

#[test]
fn l7_a_stale_observation_does_not_change_what_its_record_offers() {
    let mut tried = 0;
    for seed in seeds(&[], 600) {
        let mut dice = Dice::new(seed);
        let mut rules = rules(&mut dice, Taste::default());
        for (nth, field) in FIELDS.iter().enumerate() {
            let rule = rules
                .person
                .fields
                .get_mut(&Name::new(field))
                .expect("a field");
            rule.strategy = Strategy::Only {
                source: SYSTEMS[nth % 3].into(),
            };
            rule.clear = ClearPolicy::Propagate;
            rule.protect_manual = None;
        }
        let plot = Plot {
            one_each: true,
            tight: true,
            stewards: false,
            echoes: false,
            ..Plot::default()
        };
        let mut story = Story::of(seed, rules, plot, dice);
        let played = story.play(Manner::default());
        let Some(state) = played.state() else {
            continue;
        };
        for (nth, field) in FIELDS.iter().enumerate() {
            let offer = state
                .golden
                .get(&Name::new(field))
                .cloned()
                .unwrap_or_default();
            let (Some(record), Some(since)) = (offer.winner, offer.since.filter(|s| s.is_timed()))
            else {
                continue;
            };
            let mut stale = incoming(
                &mut story.dice,
                &story.rules,
                plot,
                std::slice::from_ref(&record),
                &[0],
            )
            .raw;
            let unsettled = ambiguous(&case(&played.book.out.ledger, &story.rules, story.as_of));
            if unsettled.contains(&Name::new(field)) {
                continue;
            }
            let Some(mut said) = stale.fields.iter().find(|f| f.name == *field).cloned() else {
                continue;
            };
            if !matches!(
                stale.class,
                Class::Delta | Class::Event | Class::Snapshot | Class::ReadBack
            ) {
                continue;
            }
            said.before = None;
            stale.fields = vec![said];
            stale.time = Some(since.floor(1_000).minus(1 + story.dice.between(0, 3_000)));
            stale.precision = Default::default();
            tried += 1;
            let after = with(&story, &record, stale.clone());
            let now = after
                .state()
                .expect("the person")
                .golden_value(Name::new(field))
                .clone();
            assert_eq!(
                now,
                offer.value,
                "{} {field} ({nth}) {record} {stale:?}",
                story.again()
            );
        }
    }
    assert!(
        tried > 200 || std::env::var("BATON_SEED").is_ok(),
        "only {tried} stale observations"
    );
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
fn l11_a_lock_always_wins() {
    for seed in seeds(&[], 300) {
        let mut story = Story::new(seed, Taste::default(), Plot::default());
        let mut played = story.play(Manner::default());
        let Some(entity) = played.entity() else {
            continue;
        };
        let names: Vec<Name> = FIELDS
            .iter()
            .chain(&GROUP)
            .chain(&["follower"])
            .map(|f| Name::new(f))
            .collect();
        let field = *story.dice.pick(&names);
        let value = [Value::text("locked"), Value::Blank][story.dice.below(2)].clone();
        let lock = baton_core::state::Lock {
            on: LockOn::Value(value.clone()),
            reason: "a law".into(),
            by: "a steward".into(),
            at: played.as_of,
            expires: Some(played.as_of.plus(DAY)),
        };
        let act = StewardAct::Lock { field, lock };
        played
            .book
            .settle(Item::Steward { entity, act }, &story.rules, played.as_of);
        for nth in 0..5 {
            let known: Vec<RecordKey> = played.book.links.keys().cloned().collect();
            let mut more = incoming(&mut story.dice, &story.rules, Plot::default(), &known, &[0]);
            more.position = Position::new(played.as_of.plus(nth), 0, 0, 9_000_000 + nth as u64);
            more.raw.push("key", Raw::text("the person"));
            let change = normalise(more, &story.rules).expect("mapped");
            played
                .book
                .settle(Item::Change(change), &story.rules, played.as_of.plus(nth));
            let golden = &played.book.entities[&entity].state.golden[&field];
            assert_eq!(golden.value, value, "{} {field}", story.again());
            assert!(golden.decided, "{} {field}", story.again());
            assert_eq!(golden.winner, None, "{} {field}", story.again());
        }
        played.ring(played.as_of.plus(DAY), &story.rules, Manner::default());
        let state = played.state().expect("the person");
        let case = case(&played.book.out.ledger, &story.rules, played.as_of);
        if ambiguous(&case).contains(&field) {
            continue;
        }
        let free = golden(&case);

        let free = free.get(&field).map_or(Value::Blank, |a| a.value.clone());
        assert_eq!(
            *state.golden_value(field),
            free,
            "{} {field} after the lock",
            story.again()
        );
    }
}
