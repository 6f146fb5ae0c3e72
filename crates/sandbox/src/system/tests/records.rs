use super::*;

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
