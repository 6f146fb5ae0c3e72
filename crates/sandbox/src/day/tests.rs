use std::collections::BTreeMap;

use baton_core::time::MINUTE;

use super::*;
use crate::{Arrival, Outgoing, What};

const END: Millis = Millis(1_795_000_000_000);

fn played(seed: u64) -> (Day, System, System, Vec<(Scene, Played)>, Vec<Outgoing>) {
    let day = Day::new(seed, END);
    let (mut crm, mut map) = day.systems();
    let (mut outcomes, mut messages) = (Vec::new(), Vec::new());
    for step in &day {
        messages.extend(crm.due(step.at));
        messages.extend(map.due(step.at));
        outcomes.push((step.scene, play(step, &mut crm, &mut map)));
    }
    messages.extend(crm.due(END));
    messages.extend(map.due(END));
    (day, crm, map, outcomes, messages)
}

#[test]
fn same_seed_gives_the_same_day_and_the_same_messages() {
    let (one, _, _, _, messages) = played(3);
    let (again, _, _, _, same) = played(3);
    assert_eq!(one, again);
    assert!(messages == same, "the messages of one seed differ");
    assert_ne!(one, Day::new(4, END));
}

#[test]
fn every_scene_takes_place_within_the_day() {
    for seed in 0..10 {
        let day = Day::new(seed, END);
        let mut scenes = BTreeMap::new();
        for step in &day {
            *scenes.entry(step.scene).or_insert(0) += 1;
            assert!(
                step.at >= END.minus(DAY) && step.at <= END.minus(15 * MINUTE),
                "{}",
                step.say
            );
        }
        assert_eq!(scenes.len(), Scene::ALL.len(), "seed {seed}: {scenes:?}");
        assert!(day.steps().is_sorted_by_key(|step| step.at));
    }
}

#[test]
fn every_step_succeeds_without_baton_too() {
    for seed in 0..3 {
        let (day, _, _, outcomes, _) = played(seed);
        for (step, (_, outcome)) in day.steps().iter().zip(outcomes) {
            assert_eq!(outcome, Played::Done, "seed {seed}: {}", step.say);
        }
    }
}

#[test]
fn the_last_message_is_there_when_the_day_ends() {
    let (_, crm, map, _, messages) = played(5);
    assert_eq!((crm.next_due(), map.next_due()), (None, None));
    assert!(messages.len() > 2_000);
}

#[test]
fn list_of_the_worked_example_comes_seconds_to_hours_after_the_edit() {
    let apart: Vec<i64> = (0..40)
        .map(|seed| Day::new(seed, END))
        .map(|day| {
            day.worked_example()
                .imported
                .since(day.worked_example().edited)
        })
        .collect();
    assert!(
        apart.iter().all(|ms| (1_000..=3 * 3_600_000).contains(ms)),
        "{apart:?}"
    );
    assert!(
        apart.iter().any(|ms| *ms <= 10_000) && apart.iter().any(|ms| *ms >= 600_000),
        "{apart:?}"
    );
}

#[test]
fn list_writes_over_the_edit_of_the_worked_example() {
    for seed in 0..2 {
        let (day, crm, map, ..) = played(seed);
        let example = day.worked_example();
        let emails = [example.email.clone()];
        let (object, id) = person(&crm, Side::Crm, &emails).unwrap();
        let field = vendor_field(Side::Crm, object, Property::Street).unwrap();
        assert_eq!(
            crm.record(object, &id).unwrap().value(field),
            example.address.street.as_str()
        );
        let (object, id) = person(&map, Side::Map, &emails).unwrap();
        assert_eq!(
            map.record(object, &id).unwrap().value("address1"),
            example.list_address.street.as_str()
        );
    }
}

#[test]
fn journal_of_the_day_replays_to_the_records_of_both_systems() {
    let (_, crm, map, ..) = played(8);
    for system in [&crm, &map] {
        let mut replayed: BTreeMap<(Object, &str), crate::Fields> = BTreeMap::new();
        for entry in system.journal() {
            let record = replayed
                .entry((entry.object, entry.id.as_str()))
                .or_default();
            if let What::Value {
                field,
                before,
                after,
            } = &entry.what
            {
                let stood = record
                    .insert(field.clone(), after.clone())
                    .unwrap_or(Value::Null);
                assert_eq!(stood, *before, "the chain of {field} is broken");
            }
        }
        let records: BTreeMap<_, _> = system
            .records()
            .map(|(object, id, record)| ((object, id), record.fields.clone()))
            .collect();
        assert_eq!(replayed, records);
    }
}

#[test]
fn events_of_the_day_come_late_and_twice() {
    let (.., messages) = played(9);
    for arrival in [Arrival::Late, Arrival::Again] {
        assert!(
            messages.iter().filter(|m| m.arrival == arrival).count() > 10,
            "{arrival:?}"
        );
    }
}

#[test]
fn scores_only_rise() {
    let (_, _, map, ..) = played(6);
    let mut rises = 0;
    for entry in map.journal() {
        if let What::Value {
            field,
            before,
            after,
        } = &entry.what
            && field == "points"
        {
            assert!(
                after.as_i64() > before.as_i64().or(Some(0)),
                "{before} → {after}"
            );
            rises += 1;
        }
    }
    assert!(rises > 100);
}

#[test]
fn every_address_is_of_a_domain_nobody_owns() {
    let (_, crm, map, ..) = played(7);
    for (system, field) in [(&crm, "Email"), (&map, "email")] {
        let emails: Vec<_> = system
            .records()
            .filter_map(|(.., r)| r.value(field).as_str())
            .collect();
        assert!(emails.len() > 600);
        assert!(emails.iter().all(|email| email.ends_with(".example.com")));
    }
}
