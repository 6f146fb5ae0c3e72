//! From a decoded change to a normalised one.

use baton_core::{
    change::{Cause, Change, Class, FieldChange, Format, Origin, Precision, RawChange, Seen},
    id::{Object, RecordKey},
    name::Name,
    normalise::{Refusal, normalise},
    time::{DAY, MINUTE, Millis},
    value::{Raw, Value},
};

use super::world::{ARRIVAL, crm_lead, incoming, position, rules};

fn crm(raw: RawChange) -> Change {
    normalise(incoming("crm", raw), &rules()).expect("a mapped change")
}

fn map(raw: RawChange) -> Change {
    normalise(incoming("map", raw), &rules()).expect("a mapped change")
}

fn field<'a>(change: &'a Change, name: &str) -> Option<&'a FieldChange> {
    let name = Name::new(name);
    change.fields.iter().find(|f| f.field == name)
}

fn seen(change: &Change, name: &str) -> Option<Seen> {
    field(change, name).map(|f| f.seen)
}

#[test]
fn mapped_fields_come_sorted_and_others_are_ignored() {
    let mut raw = crm_lead(Class::Delta);
    raw.push("Website", Raw::text("x.org"));
    raw.push("FirstName", Raw::text(" Ann "));
    raw.push("Address.Country", Raw::text("Germany"));
    raw.push("Nobody__c", Raw::text("?"));
    let change = crm(raw);
    let names: Vec<_> = change.fields.iter().map(|f| f.field.as_str()).collect();
    assert_eq!(names, ["country", "first_name", "website"]);
    assert_eq!(
        field(&change, "country").map(|f| &f.value),
        Some(&Value::text("DE"))
    );
    assert_eq!(change.record, RecordKey::new("crm", Object::Lead, "00Q1"));
    assert_eq!(change.time, ARRIVAL.minus(1_000));
    assert_eq!(change.position, position());
}

#[test]
fn fields_that_are_only_written_are_not_observed() {
    let mut raw = crm_lead(Class::Event);
    raw.push("Note__c", Raw::text("ours"));
    assert_eq!(crm(raw).fields, []);
}

#[test]
fn the_first_vendor_field_with_a_value_wins() {
    let mut raw = crm_lead(Class::Event);
    raw.push("Phone", Raw::text("+4930222222"));
    raw.push("MobilePhone", Raw::text("+4917011111111"));
    let both = crm(raw.clone());
    assert_eq!(
        field(&both, "phone").map(|f| &f.value),
        Some(&Value::text("+4917011111111"))
    );
    raw.fields[1].value = Raw::Null;
    let one = crm(raw);
    assert_eq!(
        field(&one, "phone").map(|f| &f.value),
        Some(&Value::text("+4930222222"))
    );
}

#[test]
fn a_blank_means_what_its_class_says() {
    for (class, expected) in [
        (Class::Delta, Seen::Cleared),
        (Class::Event, Seen::BlankInEvent),
        (Class::Snapshot, Seen::BlankInSnapshot),
        (Class::ReadBack, Seen::BlankInSnapshot),
        (Class::Undelete, Seen::BlankInSnapshot),
    ] {
        let mut raw = crm_lead(class.clone());
        raw.push("FirstName", Raw::text(" "));
        raw.push("Rating", Raw::text("N/A"));
        let change = crm(raw);
        assert_eq!(seen(&change, "first_name"), Some(expected), "{class:?}");
        assert_eq!(seen(&change, "rating"), Some(Seen::Sentinel), "{class:?}");
    }
}

#[test]
fn a_clear_that_the_source_reports_is_one_in_any_class() {
    let mut raw = crm_lead(Class::Snapshot);
    raw.push("FirstName", Raw::Null);
    raw.fields[0].cleared = true;
    assert_eq!(seen(&crm(raw), "first_name"), Some(Seen::Cleared));
}

#[test]
fn the_before_image_is_canonical_too() {
    let mut raw = crm_lead(Class::Delta);
    raw.push("Score__c", Raw::text("20"));
    raw.fields[0].before = Some(Raw::text("15.0"));
    let change = crm(raw);
    assert_eq!(
        field(&change, "lead_score").and_then(|f| f.before.clone()),
        Some(Value::Number(15.into()))
    );
}

#[test]
fn a_vendors_word_for_the_object_goes_before_batons() {
    let mut raw = RawChange::new("17", Class::Event);
    raw.object = Some("Contact".into());
    assert_eq!(
        map(raw.clone()).record.object,
        Object::Lead,
        "the MAP's contact is a lead"
    );
    assert_eq!(crm(raw).record.object, Object::Contact);
}

#[test]
fn without_an_object_the_only_mapped_one_is_meant() {
    let raw = RawChange::new("17", Class::Event);
    assert_eq!(map(raw.clone()).record.object, Object::Lead);
    let refusal = normalise(incoming("crm", raw), &rules()).map_err(|r| r.code);
    assert_eq!(refusal, Err("missing-object"));
}

#[test]
fn what_cannot_be_placed_is_refused_with_its_reason() {
    let refused = |system: &str, raw: RawChange| -> Option<Refusal> {
        normalise(incoming(system, raw), &rules()).err()
    };
    let mut raw = crm_lead(Class::Delta);
    raw.object = Some("Campaign".into());
    assert_eq!(refused("crm", raw).map(|r| r.code), Some("unmapped-object"));
    let mut raw = crm_lead(Class::Delta);
    raw.id = "  ".into();
    assert_eq!(
        refused("crm", raw.clone()).map(|r| r.code),
        Some("missing-id")
    );
    raw.class = Class::Overflow;
    assert_eq!(refused("crm", raw), None, "an overflow names no record");
    let mut elsewhere = incoming("crm", crm_lead(Class::Delta));
    elsewhere.system = Name::new("nowhere");
    let refusal = normalise(elsewhere, &rules()).map_err(|r| r.code);
    assert_eq!(refusal, Err("unknown-system"));
}

#[test]
fn a_true_deleted_field_makes_a_delete_that_states_no_values() {
    let mut raw = crm_lead(Class::Event);
    raw.push("FirstName", Raw::text("Ann"));
    raw.push("IsDeleted", Raw::text("True"));
    let change = crm(raw.clone());
    assert_eq!((change.class, change.fields.len()), (Class::Delete, 0));
    raw.fields[1].value = Raw::Bool(false);
    let change = crm(raw.clone());
    assert_eq!((change.class, change.fields.len()), (Class::Event, 1));
    raw.class = Class::Undelete;
    raw.fields[1].value = Raw::Bool(true);
    assert_eq!(crm(raw).class, Class::Undelete);
}

#[test]
fn a_record_without_event_time_takes_its_modified_stamp() {
    let mut raw = RawChange::new("17", Class::Snapshot);
    raw.push("dateModified", Raw::text("2026-03-01 12:00:00"));
    raw.push("dateAdded", Raw::text("2026-01-01 12:00:00"));
    // Berlin, an hour ahead of UTC.
    assert_eq!(
        Some(map(raw.clone()).time),
        Millis::parse("2026-03-01T11:00:00Z")
    );
    raw.fields[0].value = Raw::Null;
    assert_eq!(
        Some(map(raw.clone()).time),
        Millis::parse("2026-01-01T11:00:00Z")
    );
    raw.fields.clear();
    assert_eq!(map(raw.clone()).time, Millis::UNTIMED);
    raw.seq = Some(4);
    let change = map(raw);
    assert_eq!((change.time, change.seq), (ARRIVAL, 4));
}

#[test]
fn a_date_becomes_its_first_moment_in_the_systems_zone() {
    let mut raw = RawChange::new("17", Class::Event);
    raw.time = Millis::parse("2026-03-01T00:00:00Z");
    raw.precision = Precision::Day;
    assert_eq!(
        Some(map(raw.clone()).time),
        Millis::parse("2026-02-28T23:00:00Z")
    );
    raw.object = Some("Lead".into());
    raw.time = Millis::parse("2026-03-01T09:00:00Z");
    assert_eq!(Some(crm(raw).time), Millis::parse("2026-03-01T00:00:00Z"));
}

#[test]
fn the_future_is_clamped_to_arrival_and_flagged() {
    let mut raw = crm_lead(Class::Delta);
    raw.time = Some(ARRIVAL.plus(5 * MINUTE));
    let near = crm(raw.clone());
    assert_eq!(
        (near.time, near.verdicts.clamped),
        (ARRIVAL.plus(5 * MINUTE), false)
    );
    raw.time = Some(ARRIVAL.plus(5 * MINUTE + 1));
    let far = crm(raw.clone());
    assert_eq!((far.time, far.verdicts.clamped), (ARRIVAL, true));
    raw.time = Some(Millis(i64::MIN));
    assert_eq!(crm(raw).time, Millis::UNTIMED, "no calendar shows it");
}

#[test]
fn an_event_is_the_same_event_whenever_it_arrives_and_however_it_is_mapped() {
    let mut raw = crm_lead(Class::Delta);
    raw.vendor_id = Some("e1".into());
    raw.push("FirstName", Raw::text("Ann"));
    raw.push("Nobody__c", Raw::text("?"));
    let first = crm(raw.clone()).event;
    let mut again = incoming("crm", raw.clone());
    again.position.arrival = ARRIVAL.plus(DAY);
    again.index = 9;
    let mut other_rules = rules();
    let lead = other_rules
        .systems
        .get_mut(&Name::new("crm"))
        .and_then(|s| s.objects.get_mut(&Object::Lead))
        .expect("the CRM maps leads");
    lead.fields.remove("FirstName");
    let later = normalise(again, &other_rules).expect("mapped");
    assert_eq!(later.event, first);
    assert_eq!(later.fields, []);
}

#[test]
fn every_part_of_an_event_tells_it_apart() {
    let base = || {
        let mut raw = crm_lead(Class::Delta);
        raw.vendor_id = Some("e1".into());
        raw.push("FirstName", Raw::text("Ann"));
        raw.push("Rating", Raw::text("Hot"));
        raw
    };
    let edits: [fn(&mut RawChange); 11] = [
        |_| {},
        |r| r.id = "00Q2".into(),
        |r| r.object = Some("Contact".into()),
        |r| r.class = Class::Event,
        |r| r.vendor_id = None,
        |r| r.time = r.time.map(|t| t.plus(1)),
        |r| r.seq = Some(0),
        |r| r.fields[0].value = Raw::text("Anne"),
        |r| r.fields[0].before = Some(Raw::Null),
        |r| r.fields[0].cleared = true,
        |r| r.fields.truncate(1),
    ];
    let mut ids: Vec<_> = edits
        .iter()
        .map(|edit| {
            let mut raw = base();
            edit(&mut raw);
            crm(raw).event
        })
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), edits.len());
}

#[test]
fn events_without_time_are_told_apart_by_message_and_index() {
    let mut raw = crm_lead(Class::Delta);
    raw.time = None;
    let first = incoming("crm", raw);
    let mut second = first.clone();
    second.index = 1;
    let id = |i: &baton_core::book::Incoming| normalise(i.clone(), &rules()).expect("mapped").event;
    assert_ne!(id(&first), id(&second));
    assert_eq!(id(&first), id(&first.clone()));
}

#[test]
fn a_cause_is_the_vendors_word_else_the_actors_else_the_default() {
    let cause = |word: Option<&str>, actor: Option<&str>| {
        let mut raw = crm_lead(Class::Delta);
        raw.cause = word.map(Into::into);
        raw.actor = actor.map(Into::into);
        crm(raw).cause
    };
    assert_eq!(cause(Some("Data Loader"), Some("005X")), Cause::Api);
    assert_eq!(cause(Some("LIST_IMPORT"), None), Cause::ListImport);
    assert_eq!(cause(Some("own_form"), None), Cause::OwnForm);
    assert_eq!(
        cause(Some("gibberish"), Some("005ENRICH")),
        Cause::Enrichment
    );
    assert_eq!(cause(None, Some("005X")), Cause::ManualEdit);
    assert_eq!(cause(None, Some("005BATON")), Cause::SalesTool);
    assert_eq!(cause(None, None), Cause::SalesTool);
}

#[test]
fn the_origin_is_ours_by_tag_and_anothers_by_tag_or_person() {
    let origin = |tag: Option<&str>, actor: Option<&str>| {
        let mut raw = crm_lead(Class::Delta);
        raw.origin = tag.map(Into::into);
        raw.actor = actor.map(Into::into);
        crm(raw).origin
    };
    assert_eq!(origin(Some("baton"), Some("005X")), Origin::Ours);
    assert_eq!(
        origin(Some("com/salesforce/api/rest/60.0;client=baton"), None),
        Origin::Ours
    );
    assert_eq!(
        origin(Some("com/salesforce/api/rest/60.0;client=batonic"), None),
        Origin::Other
    );
    assert_eq!(origin(None, Some("005X")), Origin::Other);
    assert_eq!(origin(None, Some("005baton")), Origin::Unsaid);
    assert_eq!(origin(None, None), Origin::Unsaid);
    // The MAP has no tag: what it says in its place tells nothing.
    let mut raw = RawChange::new("17", Class::Event);
    raw.origin = Some("api".into());
    assert_eq!(map(raw).origin, Origin::Unsaid);
}

#[test]
fn the_record_may_name_its_actor_itself() {
    let mut raw = crm_lead(Class::Snapshot);
    raw.push("LastModifiedById", Raw::text("005X"));
    let change = crm(raw);
    assert_eq!(change.actor.as_deref(), Some("005X"));
    assert_eq!(
        (change.cause, change.origin),
        (Cause::ManualEdit, Origin::Other)
    );
}

#[test]
fn batons_own_field_names_are_understood_in_its_own_formats_only() {
    let mut raw = crm_lead(Class::Delta);
    raw.object = Some("lead".into());
    raw.push("first_name", Raw::text("Ann"));
    raw.push("rating", Raw::text("b"));
    raw.push("note", Raw::text("only written"));
    raw.push("no_such_field", Raw::text("?"));
    for (format, expected) in [
        (Format::Baton, vec!["first_name", "rating"]),
        (Format::Csv, vec!["first_name", "rating"]),
        (Format::Salesforce, vec![]),
    ] {
        let mut incoming = incoming("crm", raw.clone());
        incoming.format = format;
        let change = normalise(incoming, &rules()).expect("mapped");
        let names: Vec<_> = change.fields.iter().map(|f| f.field.as_str()).collect();
        assert_eq!(names, expected, "{format:?}");
        assert!(
            change.fields.iter().all(|f| f.seen == Seen::Value),
            "no value map applies"
        );
    }
}
