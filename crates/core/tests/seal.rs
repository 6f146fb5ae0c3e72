//! What is folded away beyond the horizon changes no answer.

use baton_core::{
    book::{Book, Incoming, Item},
    change::{Cause, Class, Format, RawChange},
    id::{Digest, Object, Position},
    name::Name,
    normalise::normalise,
    rules::{
        ClearPolicy, DeletePolicy, FieldRule, FieldType, GroupRule, MappedField, ObjectMapping,
        Rules, Strategy, System,
    },
    time::{DAY, Millis},
    value::Raw,
};
use proptest::{
    prelude::{ProptestConfig, prop},
    prop_assert, prop_assert_eq, proptest,
};

const FIELDS: [(&str, FieldType); 6] = [
    ("email", FieldType::Email),
    ("title", FieldType::Text),
    ("nick", FieldType::Text),
    ("tags", FieldType::MultiSelect),
    ("street", FieldType::Text),
    ("city", FieldType::Text),
];

fn rules(horizon: i64) -> Rules {
    let mut rules = Rules {
        version: "test".into(),
        cause_rank: [0, 1, 2, 3, 4, 5, 6],
        ..Rules::default()
    };
    rules.timing.horizon = horizon;
    rules.mass_clear.window = 0;
    for (field, kind) in FIELDS {
        let strategy = match field {
            "nick" => Strategy::First,
            "tags" => Strategy::Union,
            _ => Strategy::Latest,
        };
        let rule = FieldRule {
            kind,
            strategy,
            protect_manual: Some(20 * DAY),
            ..FieldRule::default()
        };
        rules.person.fields.insert(field.into(), rule);
    }
    for field in ["street", "city"] {
        rules.person.group_of.insert(field.into(), "address".into());
    }
    rules.person.groups.insert(
        "address".into(),
        GroupRule {
            fields: vec!["street".into(), "city".into()],
            strategy: Strategy::Latest,
            clear: ClearPolicy::default(),
            protect_manual: None,
            requires: Vec::new(),
        },
    );
    rules.identity.email = Some("email".into());
    for name in ["crm", "map"] {
        let mut mapping = ObjectMapping {
            vendor: "contact".into(),
            admit: true,
            ..ObjectMapping::default()
        };
        for (field, _) in FIELDS {
            mapping
                .fields
                .insert(field.into(), MappedField::plain(field));
        }
        let system = System {
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
            reads: false,
            region: None,
            zone: None,
            skew: 0,
            delete: DeletePolicy::Flag,
        };
        rules.systems.insert(name.into(), system);
        rules.source_rank.push(name.into());
    }
    rules
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn sealing_changes_no_golden_value_and_drops_restatements(
        steps in prop::collection::vec((0..2usize, 0..3u8, 0..4usize, 0..3u8, 8..20i64), 170..260)
    ) {
        let (short, long) = (rules(30 * DAY), rules(100_000 * DAY));
        let (mut sealed, mut whole) = (Book::default(), Book::default());
        let mut at = 1_700_000_000_000_i64;
        for (number, (system, value, field, cause, hours)) in steps.into_iter().enumerate() {
            at += hours * 3_600_000;
            let system = ["crm", "map"][system];
            let mut raw = RawChange::new("1", Class::Event);
            raw.object = Some("contact".into());
            raw.time = Some(Millis(at));
            raw.cause = Some(["manual_edit", "list_import", "unknown"][usize::from(cause)].into());
            raw.push("email", Raw::text("ada@example.com"));
            for (index, (name, _)) in FIELDS.iter().enumerate().skip(1) {
                // One field moves, the others restate what they said at first.
                let moved = if index == field + 1 { value } else { 0 };
                raw.push(name, Raw::Text(format!("v{moved};w").into()));
            }
            for (book, rules) in [(&mut sealed, &short), (&mut whole, &long)] {
                let incoming = Incoming {
                    system: system.into(),
                    format: Format::Baton,
                    raw: raw.clone(),
                    position: Position::new(Millis(at + 50), 0, 0, number as u64),
                    index: 0,
                    message: Digest::default(),
                };
                let change = normalise(incoming, rules).expect("mapped");
                book.settle(Item::Change(change), rules, Millis(at + 50));
                book.out = Default::default();
            }
            let (a, b) = (sealed.entities.values().next(), whole.entities.values().next());
            let (a, b) = (&a.expect("one").state, &b.expect("one").state);
            for (field, _) in FIELDS {
                let field = Name::new(field);
                let winner = |s: &baton_core::state::State| s.golden.get(&field).map(|g| (g.value.clone(), g.winner.clone(), g.since));
                prop_assert_eq!(winner(a), winner(b), "{} at step {}", field, number);
            }
        }
        let events = |book: &Book| book.entities.values().flat_map(|e| e.state.histories.values()).map(|h| h.events.len()).sum::<usize>();
        let (kept, all) = (events(&sealed), events(&whole));
        let folded = sealed.entities.values().any(|e| e.state.sealed_before.is_timed());
        prop_assert!(folded, "these histories are long enough to be sealed");
        prop_assert!(kept <= all);
        prop_assert!(sealed.entities.values().all(|e| baton_core::seal::is_sound(&e.state)));
    }
}
