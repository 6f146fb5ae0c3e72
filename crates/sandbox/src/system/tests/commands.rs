use super::*;

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
    let stamped = answered(Answer::Stamp);
    assert_eq!(
        (&stamped[0].stamp, &stamped[0].record),
        (&full[0].stamp, &None)
    );
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
