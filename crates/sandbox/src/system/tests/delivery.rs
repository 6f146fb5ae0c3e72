use super::*;

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
