//! The rules that are benchmarked: twenty fields by `latest`, five of them a protected address, and two systems.

use baton_core::{
    change::{Cause, Format},
    name::Name,
    rules::{
        ClearPolicy, DeletePolicy, EntityRules, FieldRule, FieldType, GroupRule, MappedField,
        ObjectMapping, Rules, Strategy, System,
    },
    time::DAY,
};

use crate::bench::{people::FIELDS, shape};

const ADDRESS: [&str; 5] = ["street", "city", "state", "postal_code", "country"];

/// The system whose changes are measured.
pub fn system() -> Name {
    Name::new("crm")
}

/// Rules under which the measured system speaks `format`; a second system is connected and holds nobody yet.
pub fn rules(format: Format) -> Rules {
    let mut rules = Rules {
        version: "bench".into(),
        cause_rank: [0, 1, 2, 3, 4, 5, 6],
        person: person(),
        ..Rules::default()
    };
    rules.identity.email = Some("email".into());
    for (name, format) in [(system(), format), (Name::new("map"), Format::Baton)] {
        rules.systems.insert(name, connected(name, format));
        rules.source_rank.push(name);
    }
    rules
}

fn person() -> EntityRules {
    let mut person = EntityRules::default();
    for field in FIELDS {
        person.fields.insert(field.into(), FieldRule::default());
    }
    let email = FieldRule {
        kind: FieldType::Email,
        ..FieldRule::default()
    };
    person.fields.insert("email".into(), email);
    for field in ADDRESS {
        person.group_of.insert(field.into(), "address".into());
    }
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
    person
}

fn connected(name: Name, format: Format) -> System {
    let mut mapping = ObjectMapping {
        vendor: shape::object(format).into(),
        admit: true,
        ..ObjectMapping::default()
    };
    for (field, vendor) in FIELDS.iter().zip(shape::names(format)) {
        mapping
            .fields
            .insert((*vendor).into(), MappedField::plain(*field));
    }
    System {
        name,
        format,
        origin_tag: None,
        integration_users: Default::default(),
        default_cause: Cause::Unknown,
        causes: Default::default(),
        actor_causes: Default::default(),
        actor_default: None,
        objects: [(shape::kind(format), mapping)].into(),
        vocabularies: Default::default(),
        acks: true,
        reads: true,
        region: None,
        zone: None,
        skew: 0,
        delete: DeletePolicy::Flag,
    }
}
