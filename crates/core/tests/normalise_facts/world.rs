//! A small configuration: a CRM and a MAP with every type of field, written for these tests.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    book::Incoming,
    change::{Cause, Class, Format, RawChange},
    id::{Digest, Kind, Object, Position},
    name::Name,
    rules::{
        DeletePolicy, Direction, FieldRule, FieldType, MappedField, ObjectMapping, Rules, System,
    },
    time::Millis,
};

pub const ARRIVAL: Millis = Millis(1_790_000_000_000);

pub fn position() -> Position {
    Position::new(ARRIVAL, 1, 0, 7)
}

pub fn system(name: &str, format: Format) -> System {
    System {
        name: Name::new(name),
        format,
        origin_tag: None,
        integration_users: BTreeSet::new(),
        default_cause: Cause::Unknown,
        causes: BTreeMap::new(),
        actor_causes: BTreeMap::new(),
        actor_default: None,
        objects: BTreeMap::new(),
        vocabularies: BTreeMap::new(),
        acks: true,
        reads: true,
        region: None,
        zone: None,
        skew: 0,
        delete: DeletePolicy::Flag,
    }
}

pub fn rule(kind: FieldType) -> FieldRule {
    FieldRule {
        kind,
        sentinels: ["n/a", "-", "unknown"]
            .into_iter()
            .map(Into::into)
            .collect(),
        ..FieldRule::default()
    }
}

/// Baton field, type, and the CRM's fields that carry it.
const FIELDS: [(&str, FieldType, &[&str]); 14] = [
    ("first_name", FieldType::Text, &["FirstName"]),
    ("email", FieldType::Email, &["Email"]),
    ("phone", FieldType::Phone, &["Phone", "MobilePhone"]),
    ("country", FieldType::Country, &["Address.Country"]),
    ("birth_date", FieldType::Date, &["Birthdate"]),
    ("last_seen", FieldType::Instant, &["Last_Seen__c"]),
    ("revenue", FieldType::Number, &["Revenue__c"]),
    ("lead_score", FieldType::Integer, &["Score__c"]),
    ("opted_out", FieldType::Boolean, &["HasOptedOutOfEmail"]),
    ("topics", FieldType::MultiSelect, &["Topics__c"]),
    ("website", FieldType::Url, &["Website"]),
    ("account", FieldType::Reference, &["AccountId"]),
    ("rating", FieldType::Text, &["Rating"]),
    ("note", FieldType::Text, &["Note__c"]),
];

pub fn values(
    pairs: &[(&str, &str)],
) -> BTreeMap<compact_str::CompactString, compact_str::CompactString> {
    pairs
        .iter()
        .map(|(a, b)| ((*a).into(), (*b).into()))
        .collect()
}

pub fn rules() -> Rules {
    let mut rules = Rules::default();
    let mut lead = ObjectMapping {
        vendor: "Lead".into(),
        deleted_field: Some("IsDeleted".into()),
        modified_field: Some("LastModifiedDate".into()),
        actor_field: Some("LastModifiedById".into()),
        ..ObjectMapping::default()
    };
    for (field, kind, vendor) in FIELDS {
        rules
            .entity_mut(Kind::Person)
            .fields
            .insert(Name::new(field), rule(kind));
        for vendor in vendor {
            let mut mapped = MappedField::plain(field);
            match *vendor {
                "Rating" => {
                    mapped.values = values(&[("Hot", "a"), ("Warm", "b"), ("Lukewarm", "b")]);
                    mapped.closed = true;
                }
                "Note__c" => mapped.direction = Direction::Out,
                _ => {}
            }
            lead.fields.insert((*vendor).into(), mapped);
        }
    }
    let mut crm = system("crm", Format::Salesforce);
    crm.region = Some("DE".into());
    crm.origin_tag = Some("baton".into());
    crm.integration_users.insert("005BATON".into());
    crm.actor_default = Some(Cause::ManualEdit);
    crm.actor_causes
        .insert("005enrich".into(), Cause::Enrichment);
    crm.causes.insert("data loader".into(), Cause::Api);
    crm.default_cause = Cause::SalesTool;
    let mut contact = lead.clone();
    contact.vendor = "Contact".into();
    crm.objects.insert(Object::Lead, lead.clone());
    crm.objects.insert(Object::Contact, contact);
    rules.systems.insert(crm.name, crm);

    // A MAP that calls "contact" what Baton calls a lead, and has nothing else.
    let mut map = system("map", Format::Mautic);
    map.zone = Some("Europe/Berlin".into());
    lead.vendor = "contact".into();
    lead.modified_field = Some("dateModified".into());
    map.objects.insert(Object::Lead, lead);
    rules.systems.insert(map.name, map);
    rules
}

pub fn incoming(system: &str, raw: RawChange) -> Incoming {
    let system = Name::new(system);
    Incoming {
        format: rules().systems[&system].format,
        system,
        raw,
        position: position(),
        index: 0,
        message: Digest::of(&[b"a message"]),
    }
}

/// A change of the CRM's lead 00Q1, a second before it arrives.
pub fn crm_lead(class: Class) -> RawChange {
    let mut raw = RawChange::new("00Q1", class);
    raw.object = Some("Lead".into());
    raw.time = Some(ARRIVAL.minus(1_000));
    raw
}
