//! The worked example of the contract, through normalise, identify and apply.

use baton_core::{
    book::{Book, Incoming, Item, OutBody, OutTopic},
    change::{Cause, Class, Format, Outcome, RawChange},
    id::{Digest, Object, Position},
    name::Name,
    normalise::normalise,
    rules::*,
    time::{DAY, Millis, SECOND},
    value::{Raw, Value},
};

const ADDRESS: [&str; 5] = ["street", "city", "state", "postal_code", "country"];

fn rules() -> Rules {
    let mut rules = Rules {
        version: "test".into(),
        cause_rank: [0, 1, 2, 3, 4, 5, 6],
        ..Rules::default()
    };
    let mut person = EntityRules::default();
    for field in ADDRESS {
        person.fields.insert(field.into(), FieldRule::default());
        person.group_of.insert(field.into(), "address".into());
    }
    person.fields.insert(
        "email".into(),
        FieldRule {
            kind: FieldType::Email,
            ..FieldRule::default()
        },
    );
    person.groups.insert(
        "address".into(),
        GroupRule {
            fields: ADDRESS.iter().map(|f| Name::new(f)).collect(),
            strategy: Strategy::Latest,
            clear: ClearPolicy::default(),
            protect_manual: Some(180 * DAY),
            requires: vec!["country".into()],
        },
    );
    rules.person = person;
    rules.identity.email = Some("email".into());
    for name in ["crm", "map"] {
        let mut mapping = ObjectMapping {
            vendor: "contact".into(),
            admit: true,
            create: CreatePolicy::Always,
            ..ObjectMapping::default()
        };
        for field in ADDRESS.iter().chain(&["email"]) {
            mapping
                .fields
                .insert((*field).into(), MappedField::plain(*field));
        }
        rules.systems.insert(
            name.into(),
            System {
                name: name.into(),
                format: Format::Baton,
                origin_tag: None,
                integration_users: Default::default(),
                default_cause: Cause::Unknown,
                causes: Default::default(),
                actor_causes: Default::default(),
                actor_default: None,
                objects: [(Object::Contact, mapping)].into(),
                vocabularies: Default::default(),
                acks: true,
                reads: true,
                region: None,
                zone: None,
                skew: 0,
                delete: DeletePolicy::Flag,
            },
        );
        rules.source_rank.push(name.into());
    }
    rules
}

fn change(system: &str, id: &str, time: i64, cause: &str, fields: &[(&str, &str)]) -> Incoming {
    let mut raw = RawChange::new(id, Class::Event);
    raw.object = Some("contact".into());
    raw.time = Some(Millis(time));
    raw.cause = Some(cause.into());
    for (name, value) in fields {
        raw.push(name, Raw::text(value));
    }
    Incoming {
        system: system.into(),
        format: Format::Baton,
        raw,
        position: Position::new(Millis(time + 100), 0, 0, time as u64),
        index: 0,
        message: Digest::of(&[&time.to_le_bytes(), system.as_bytes()]),
    }
}

#[test]
fn a_salespersons_address_survives_a_later_list_import_whole_and_in_both_systems() {
    let rules = rules();
    for gap in [1, 2, 5, 10, 3_600] {
        let mut book = Book::default();
        let start = 1_800_000_000_000;
        let edited = start + 10_000;
        let inputs = [
            change(
                "crm",
                "c1",
                start,
                "unknown",
                &[
                    ("email", "ada@example.com"),
                    ("street", "Old 1"),
                    ("city", "Ulm"),
                    ("state", ""),
                    ("postal_code", "1"),
                    ("country", "DE"),
                ],
            ),
            change(
                "map",
                "m1",
                start,
                "unknown",
                &[
                    ("email", "ada@example.com"),
                    ("street", "Old 1"),
                    ("city", "Ulm"),
                    ("state", ""),
                    ("postal_code", "1"),
                    ("country", "DE"),
                ],
            ),
            change(
                "crm",
                "c1",
                edited,
                "manual_edit",
                &[
                    ("email", "ada@example.com"),
                    ("street", "New 2"),
                    ("city", "Bonn"),
                    ("state", ""),
                    ("postal_code", "2"),
                    ("country", "DE"),
                ],
            ),
            change(
                "map",
                "m1",
                edited + gap * SECOND,
                "list_import",
                &[
                    ("email", "ada@example.com"),
                    ("street", "List 3"),
                    ("city", "Köln"),
                    ("state", ""),
                    ("postal_code", "3"),
                    ("country", "DE"),
                ],
            ),
        ];
        let mut commands = Vec::new();
        for input in inputs {
            let at = input.position.arrival;
            let normal = normalise(input, &rules).expect("mapped");
            let settled = book.settle(Item::Change(normal), &rules, at);
            assert_eq!(settled.outcome, Outcome::Applied);
        }
        let person = *book.links.values().next().expect("one person");
        assert!(
            book.links.values().all(|e| *e == person),
            "one person for both records"
        );
        let wake = book.entities[&person]
            .state
            .wake
            .expect("the tuple settles");
        book.settle(Item::Wake(person), &rules, wake);
        for message in &book.out.messages {
            if let (OutTopic::Commands(system), OutBody::Command(command)) =
                (message.topic, &message.body)
            {
                commands.push((system, command.clone()));
            }
        }
        let state = &book.entities[&person].state;
        let golden: Vec<_> = ADDRESS
            .iter()
            .map(|f| state.golden_value((*f).into()).to_string())
            .collect();
        assert_eq!(golden, ["New 2", "Bonn", "", "2", "DE"]);
        let last = commands
            .iter()
            .rev()
            .find(|(s, _)| s.as_str() == "map")
            .expect("the MAP is told")
            .1
            .clone();
        assert_eq!(last.fields["street"], "New 2");
        assert_eq!(last.fields["city"], "Bonn");
        assert!(
            commands.iter().all(|(s, _)| s.as_str() == "map"),
            "nothing is written back to the CRM: {commands:?}"
        );
        let why =
            baton_core::explain::explain(state, &rules, "city".into(), wake).expect("explained");
        assert_eq!(why.winner.as_ref().map(|w| w.system.as_str()), Some("crm"));
        assert!(
            why.losers.iter().any(|l| l.reason.contains("protected")),
            "{why:?}"
        );
        let _ = Value::Blank;
    }
}
