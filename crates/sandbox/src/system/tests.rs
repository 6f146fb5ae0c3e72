use baton_core::{
    change::Precision,
    id::Object,
    time::{Millis, SECOND},
};
use serde_json::{Value, json};

use super::*;
use crate::{
    Answer, Delivery, Events, KnownEmail, Recase, Refusals, fields,
    wire::{Command, CommandKind, ResultOutcome as Outcome},
};

const T0: Millis = Millis(1_760_000_000_250);

fn ann() -> Actor {
    Actor::human("Ann Odell")
}

fn start(habits: Habits) -> (System, String) {
    let mut system = System::new("crm", habits, 1);
    let id = system
        .create(
            T0,
            &ann(),
            Object::Contact,
            fields([("email", json!("p@example.com")), ("city", json!("Lyon"))]),
        )
        .unwrap();
    (system, id)
}

fn command(number: u32, kind: CommandKind, id: Option<&str>, values: Fields) -> Command {
    Command {
        command_id: format!("c{number}"),
        kind,
        system: "crm".into(),
        object: Object::Contact,
        id: id.map(str::to_owned),
        entity: "person-1".into(),
        reason: None,
        fields: values,
        golden_version: 1,
        rule_version: "r1".into(),
        sent: "2025-10-09T08:53:20.250Z".into(),
    }
}

fn update(number: u32, id: &str, field: &str, value: &str) -> Command {
    command(
        number,
        CommandKind::Update,
        Some(id),
        fields([(field, json!(value))]),
    )
}

/// Everything that is still to come, split into events and results.
fn drain(system: &mut System) -> (Vec<Value>, Vec<CommandResult>) {
    let (mut events, mut results) = (Vec::new(), Vec::new());
    while let Some(at) = system.next_due() {
        for message in system.due(at) {
            match message.topic {
                TopicKind::Changes => {
                    events.push(serde_json::from_slice(&message.payload).unwrap())
                }
                TopicKind::Results => {
                    results.push(serde_json::from_slice(&message.payload).unwrap())
                }
            }
        }
    }
    (events, results)
}

#[test]
fn same_seed_gives_same_messages_and_another_seed_others() {
    let run = |seed| {
        let mut system = System::new("crm", Habits::taciturn(), seed);
        let id = system
            .create(
                T0,
                &ann(),
                Object::Contact,
                fields([("city", json!("Lyon"))]),
            )
            .unwrap();
        for n in 0..30 {
            let at = T0.plus(i64::from(n) * 300);
            system
                .edit(
                    at,
                    &ann(),
                    Object::Contact,
                    &id,
                    fields([("city", json!(format!("City {n}")))]),
                )
                .unwrap();
            system.command(at.plus(40), &update(n, &id, "state", &n.to_string()));
        }
        system.due(Millis::NEVER)
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn journal_tells_every_value_that_stood_with_time_and_author() {
    let (mut system, id) = start(Habits {
        stamps: Precision::Second,
        ..Habits::faithful()
    });
    system
        .edit(
            T0.plus(100),
            &ann(),
            Object::Contact,
            &id,
            fields([("city", json!("Nice"))]),
        )
        .unwrap();
    system.command(T0.plus(200), &update(1, &id, "city", "Brest"));
    system
        .edit(
            T0.plus(300),
            &Actor::Form,
            Object::Contact,
            &id,
            fields([("city", json!(""))]),
        )
        .unwrap();
    let city: Vec<_> = system
        .journal()
        .iter()
        .filter_map(|e| match &e.what {
            What::Value {
                field,
                before,
                after,
            } if field == "city" => {
                Some((e.at.since(T0), e.by.clone(), before.clone(), after.clone()))
            }
            _ => None,
        })
        .collect();
    let ann = By::Human {
        name: "Ann Odell".into(),
    };
    let baton = By::Baton {
        command_id: "c1".into(),
    };
    assert_eq!(
        city,
        [
            (0, ann.clone(), Value::Null, json!("Lyon")),
            (100, ann, json!("Lyon"), json!("Nice")),
            (200, baton, json!("Nice"), json!("Brest")),
            (300, By::Form, json!("Brest"), Value::Null),
        ]
    );
    assert!(
        system
            .journal()
            .iter()
            .all(|e| e.stamp == e.at.floor(SECOND))
    );
    assert!(
        system
            .journal()
            .windows(2)
            .all(|w| w[0].number < w[1].number && w[0].at <= w[1].at)
    );
}

#[test]
fn replaying_the_journal_gives_the_records() {
    let (mut system, id) = start(Habits {
        truncates: [("title".to_owned(), 5)].into(),
        recases: [("city".to_owned(), Recase::Upper)].into(),
        workflow_lag: 50,
        ..Habits::faithful()
    });
    let other = system
        .create(T0, &ann(), Object::Contact, fields([("phone", json!("1"))]))
        .unwrap();
    system.command(T0.plus(10), &update(1, &id, "title", "Directrice"));
    system
        .edit(
            T0.plus(20),
            &ann(),
            Object::Contact,
            &id,
            fields([("city", json!("Metz"))]),
        )
        .unwrap();
    system
        .merge(T0.plus(900), &ann(), Object::Contact, &id, &[&other])
        .unwrap();
    drain(&mut system);
    let mut replayed: BTreeMap<(Object, String), Fields> = BTreeMap::new();
    for entry in system.journal() {
        let record = replayed
            .entry((entry.object, entry.id.clone()))
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
            assert_eq!(&stood, before, "the chain of {field} is broken");
        }
    }
    let standing: BTreeMap<_, _> = system
        .records()
        .map(|(o, id, r)| ((o, id.to_owned()), r.fields.clone()))
        .collect();
    assert_eq!(replayed, standing);
    let winner = system.record(Object::Contact, &id).unwrap();
    assert_eq!(
        (
            winner.value("title"),
            winner.value("city"),
            winner.value("phone")
        ),
        (&json!("Direc"), &json!("METZ"), &json!("1"))
    );
}

#[test]
fn workflow_recases_after_any_write_in_an_untagged_event_of_its_own() {
    let habits = Habits {
        recases: [("company".to_owned(), Recase::Title)].into(),
        workflow_lag: 400,
        ..Habits::faithful()
    };
    let (mut system, id) = start(habits);
    system.due(T0);
    system.command(T0.plus(1_000), &update(1, &id, "company", "ACME gmbh"));
    let before = system.due(T0.plus(1_399));
    assert_eq!(before.len(), 2, "the echo and the answer");
    assert_eq!(system.next_due(), Some(T0.plus(1_400)));
    let (events, _) = drain(&mut system);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["fields"], json!({"company": "Acme Gmbh"}));
    assert!(events[0].get("origin").is_none() && events[0].get("actor").is_none());
    assert_eq!(system.journal().last().unwrap().by, By::Workflow);
}

#[test]
fn workflow_without_lag_is_in_the_answer() {
    let habits = Habits {
        recases: [("company".to_owned(), Recase::Upper)].into(),
        ..Habits::faithful()
    };
    let (mut system, id) = start(habits);
    system.command(T0.plus(1_000), &update(1, &id, "company", "Acme"));
    let (_, results) = drain(&mut system);
    assert_eq!(
        results[0].record.as_ref().unwrap()["company"],
        json!("ACME")
    );
}

#[test]
fn long_values_are_cut_and_labels_stand_for_what_was_written() {
    let habits = Habits {
        truncates: [("title".to_owned(), 4)].into(),
        labels: [(
            "country".to_owned(),
            [("FR".to_owned(), "France".to_owned())].into(),
        )]
        .into(),
        ..Habits::faithful()
    };
    let (mut system, id) = start(habits);
    let values = fields([("title", json!("Größe")), ("country", json!("FR"))]);
    system.command(T0, &command(1, CommandKind::Update, Some(&id), values));
    let (events, results) = drain(&mut system);
    let record = results[0].record.as_ref().unwrap();
    assert_eq!(
        (&record["title"], &record["country"]),
        (&json!("Größ"), &json!("France"))
    );
    let echo = events.last().unwrap();
    assert_eq!(
        echo["fields"],
        json!({"title": "Größ", "country": "France"})
    );
    assert_eq!(echo["origin"], "baton");
}

#[test]
fn answers_say_as_much_as_the_habit_allows() {
    let answered = |answer| {
        let (mut system, id) = start(Habits {
            answer,
            stamps: Precision::Second,
            ..Habits::faithful()
        });
        system.command(T0.plus(900), &update(1, &id, "city", "Nice"));
        drain(&mut system).1
    };
    let full = answered(Answer::Record);
    assert_eq!(full[0].outcome, Outcome::Ok);
    assert_eq!(full[0].stamp.as_deref(), Some("2025-10-09T08:53:21Z"));
    assert_eq!(full[0].record.as_ref().unwrap()["city"], "Nice");
    let short = answered(Answer::Ok);
    assert_eq!(
        (short[0].outcome, &short[0].stamp, &short[0].record),
        (Outcome::Ok, &None, &None)
    );
    assert!(answered(Answer::Nothing).is_empty());
}

#[test]
fn read_shows_the_whole_record_even_where_writes_are_answered_with_ok() {
    let schema = [(
        Object::Contact,
        ["city", "email", "phone"].map(String::from).into(),
    )]
    .into();
    let (mut system, id) = start(Habits {
        answer: Answer::Ok,
        schema,
        ..Habits::faithful()
    });
    system.command(T0, &command(1, CommandKind::Read, Some(&id), Fields::new()));
    system.command(
        T0,
        &command(2, CommandKind::Read, Some("nobody"), Fields::new()),
    );
    let results = drain(&mut system).1;
    let whole = fields([
        ("city", json!("Lyon")),
        ("email", json!("p@example.com")),
        ("phone", Value::Null),
    ]);
    assert_eq!(results[0].record, Some(whole.into_iter().collect()));
    assert_eq!(
        results[0].stamp.as_deref(),
        Some("2025-10-09T08:53:20.250Z")
    );
    assert_eq!(
        (results[1].outcome, &results[1].record),
        (Outcome::NotFound, &None)
    );
}

#[test]
fn refused_field_spoils_the_command_or_only_itself() {
    let run = |refusals| {
        let refuses = [("phone".to_owned(), "INVALID_PHONE".to_owned())].into();
        let (mut system, id) = start(Habits {
            refuses,
            refusals,
            ..Habits::faithful()
        });
        let values = fields([("phone", json!("12")), ("city", json!("Nice"))]);
        system.command(
            T0.plus(5),
            &command(1, CommandKind::Update, Some(&id), values),
        );
        let city = system
            .record(Object::Contact, &id)
            .unwrap()
            .value("city")
            .clone();
        (drain(&mut system).1.remove(0), city)
    };
    let (whole, city) = run(Refusals::Whole);
    assert_eq!((whole.outcome, city), (Outcome::Refused, json!("Lyon")));
    assert_eq!(whole.refused["phone"], "INVALID_PHONE");
    let (partly, city) = run(Refusals::FieldOnly);
    assert_eq!((partly.outcome, city), (Outcome::Ok, json!("Nice")));
    assert_eq!(partly.refused["phone"], "INVALID_PHONE");
}

#[test]
fn required_fields_can_neither_be_left_out_nor_cleared() {
    let required = [(Object::Contact, ["email".to_owned()].into())].into();
    let (mut system, id) = start(Habits {
        required,
        refusals: Refusals::FieldOnly,
        ..Habits::faithful()
    });
    system.command(
        T0,
        &command(
            1,
            CommandKind::Create,
            None,
            fields([("city", json!("Nice"))]),
        ),
    );
    system.command(
        T0,
        &command(
            2,
            CommandKind::Update,
            Some(&id),
            fields([("email", Value::Null)]),
        ),
    );
    let results = drain(&mut system).1;
    assert!(
        results
            .iter()
            .all(|r| r.outcome == Outcome::Refused && r.refused.contains_key("email"))
    );
    assert_eq!(system.records().count(), 1);
}

#[test]
fn known_email_is_refused_named_or_updated() {
    let run = |known_email| {
        let (mut system, id) = start(Habits {
            unique: Some("email".into()),
            known_email,
            ..Habits::faithful()
        });
        let values = fields([("email", json!("P@Example.com")), ("city", json!("Nice"))]);
        system.command(T0, &command(1, CommandKind::Create, None, values));
        let records = system.records().count();
        (drain(&mut system).1.remove(0), records, id)
    };
    let (result, records, _) = run(KnownEmail::Refused);
    assert_eq!(
        (result.outcome, result.id, records),
        (Outcome::Refused, None, 1)
    );
    let (result, records, id) = run(KnownEmail::RefusedWithId);
    assert_eq!(
        (result.outcome, result.id, records),
        (Outcome::Refused, Some(id), 1)
    );
    let (result, records, id) = run(KnownEmail::Updates);
    assert_eq!(
        (result.outcome, result.id, records),
        (Outcome::Ok, Some(id), 1)
    );
    let (result, records, id) = run(KnownEmail::Allowed);
    assert_eq!((result.outcome, records), (Outcome::Ok, 2));
    assert_ne!(result.id, Some(id));
}

#[test]
fn lost_answer_and_unknown_outcome_leave_the_write_standing() {
    let run = |habits| {
        let (mut system, id) = start(habits);
        system.command(T0, &update(1, &id, "city", "Nice"));
        assert_eq!(
            system.record(Object::Contact, &id).unwrap().value("city"),
            "Nice"
        );
        drain(&mut system)
    };
    let (events, results) = run(Habits {
        loses_answer_per_mille: 1_000,
        ..Habits::faithful()
    });
    assert_eq!((events.len(), results.len()), (2, 0));
    let (events, results) = run(Habits {
        unknown_per_mille: 1_000,
        ..Habits::faithful()
    });
    assert_eq!((events.len(), results[0].outcome), (2, Outcome::Unknown));
    assert_eq!((&results[0].record, &results[0].stamp), (&None, &None));
}

#[test]
fn failed_command_changes_nothing() {
    let (mut system, id) = start(Habits {
        fails_per_mille: 1_000,
        ..Habits::faithful()
    });
    system.command(T0, &update(1, &id, "city", "Nice"));
    assert_eq!(
        system.record(Object::Contact, &id).unwrap().value("city"),
        "Lyon"
    );
    assert_eq!(drain(&mut system).1[0].outcome, Outcome::Failed);
}

#[test]
fn command_that_comes_twice_is_carried_out_once_and_answered_twice() {
    let (mut system, _) = start(Habits::faithful());
    let create = command(
        1,
        CommandKind::Create,
        None,
        fields([("email", json!("q@example.com"))]),
    );
    system.command(T0, &create);
    system.command(T0, &create);
    let results = drain(&mut system).1;
    assert_eq!(results.len(), 2);
    assert_eq!(results[0], results[1]);
    assert_eq!(system.records().count(), 2);
}

#[test]
fn deleted_record_is_not_found_until_it_is_brought_back() {
    let (mut system, id) = start(Habits::faithful());
    system
        .delete(T0.plus(1), &ann(), Object::Contact, &id)
        .unwrap();
    system.command(T0.plus(2), &update(1, &id, "city", "Nice"));
    system
        .undelete(T0.plus(3), &ann(), Object::Contact, &id)
        .unwrap();
    system.command(T0.plus(4), &update(2, &id, "city", "Nice"));
    let (events, results) = drain(&mut system);
    assert_eq!(
        [results[0].outcome, results[1].outcome],
        [Outcome::NotFound, Outcome::Ok]
    );
    let classes: Vec<_> = events
        .iter()
        .map(|e| e["class"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(classes, ["delta", "delete", "undelete", "delta"]);
}

#[test]
fn converted_lead_refuses_updates_and_its_contact_has_its_values() {
    let mut system = System::new("crm", Habits::faithful(), 1);
    let values = fields([
        ("email", json!("p@example.com")),
        ("company", json!("Acme")),
    ]);
    let lead = system.create(T0, &ann(), Object::Lead, values).unwrap();
    let deal = NewDeal {
        fields: fields([("name", json!("Acme, 10 seats"))]),
    };
    let made = system
        .convert(T0.plus(9), &ann(), &lead, None, Some(deal))
        .unwrap();
    let contact = system.record(Object::Contact, &made.contact).unwrap();
    assert_eq!(contact.value("email"), "p@example.com");
    assert_eq!(contact.value("account_id"), made.account.as_str());
    assert_eq!(
        system
            .record(Object::Account, &made.account)
            .unwrap()
            .value("name"),
        "Acme"
    );
    let mut to_lead = update(1, &lead, "email", "q@example.com");
    to_lead.object = Object::Lead;
    system.command(T0.plus(10), &to_lead);
    let (events, results) = drain(&mut system);
    assert_eq!(results[0].outcome, Outcome::Refused);
    let last = events.last().unwrap();
    assert_eq!(
        (last["class"].as_str(), last["id"].as_str()),
        (Some("convert"), Some(lead.as_str()))
    );
    assert_eq!(last["to"].as_array().unwrap().len(), 3);
}

#[test]
fn ordered_events_keep_their_order_and_late_ones_lose_it() {
    let arrivals = |delivery| {
        let (mut system, id) = start(Habits {
            delivery,
            ..Habits::faithful()
        });
        for n in 1..200 {
            let values = fields([("city", json!(format!("City {n}")))]);
            system
                .edit(T0.plus(n * 10), &ann(), Object::Contact, &id, values)
                .unwrap();
        }
        let events = drain(&mut system).0;
        events
            .iter()
            .map(|e| e["seq"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    let delay = (0, 5_000);
    let ordered = arrivals(Delivery {
        delay,
        ..Delivery::default()
    });
    assert!(ordered.is_sorted());
    assert!(
        !arrivals(Delivery {
            delay,
            ordered: false,
            ..Delivery::default()
        })
        .is_sorted()
    );
    let late = Delivery {
        late_per_mille: 100,
        late_by: (1_000, 9_000),
        ..Delivery::default()
    };
    assert!(!arrivals(late).is_sorted());
    let twice = arrivals(Delivery {
        twice_per_mille: 1_000,
        ..Delivery::default()
    });
    assert_eq!(twice.len(), 2 * ordered.len());
    let gaps = Habits {
        delivery: Delivery {
            gap_per_mille: 1_000,
            ..Delivery::default()
        },
        ..Habits::faithful()
    };
    let (mut system, id) = start(gaps);
    system
        .edit(
            T0,
            &ann(),
            Object::Contact,
            &id,
            fields([("city", json!("Nice"))]),
        )
        .unwrap();
    let gap = drain(&mut system).0.pop().unwrap();
    assert_eq!(
        (gap["class"].as_str(), gap.get("fields")),
        (Some("gap"), None)
    );
}

#[test]
fn whole_record_events_show_blank_and_standing_fields() {
    let (mut system, id) = start(Habits {
        events: Events::Whole,
        ..Habits::faithful()
    });
    system
        .edit(
            T0,
            &ann(),
            Object::Contact,
            &id,
            fields([("city", Value::Null)]),
        )
        .unwrap();
    let event = drain(&mut system).0.pop().unwrap();
    assert_eq!(event["class"], "event");
    assert_eq!(
        event["fields"],
        json!({"city": null, "email": "p@example.com"})
    );
}

#[test]
fn unchanged_write_is_silent_unless_the_system_makes_noise_of_it() {
    let run = |events_on_unchanged| {
        let (mut system, id) = start(Habits {
            events_on_unchanged,
            ..Habits::faithful()
        });
        system
            .edit(
                T0.plus(5),
                &ann(),
                Object::Contact,
                &id,
                fields([("city", json!("Lyon"))]),
            )
            .unwrap();
        let modified = system.record(Object::Contact, &id).unwrap().modified;
        (drain(&mut system).0.len(), modified)
    };
    assert_eq!(run(false), (1, T0));
    assert_eq!(run(true), (2, T0.plus(5)));
}

#[test]
fn each_field_may_have_an_event_of_its_own() {
    let (mut system, id) = start(Habits {
        event_per_field: true,
        ..Habits::faithful()
    });
    drain(&mut system);
    let values = fields([("city", json!("Nice")), ("zip", json!("06000"))]);
    system
        .edit(T0.plus(5), &ann(), Object::Contact, &id, values)
        .unwrap();
    let events = drain(&mut system).0;
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["time"], events[1]["time"]);
}

#[test]
fn time_does_not_run_backwards_inside_a_system() {
    let (mut system, id) = start(Habits::faithful());
    system
        .edit(
            T0.minus(5_000),
            &ann(),
            Object::Contact,
            &id,
            fields([("city", json!("Nice"))]),
        )
        .unwrap();
    assert_eq!(system.journal().last().unwrap().at, T0);
}
