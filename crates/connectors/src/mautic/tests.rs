use baton_core::{
    change::{Class, Format::Mautic, Precision},
    time::Millis,
    value::Raw,
};
use serde_json::{Value, json};

use crate::{
    Code,
    testing::{change, changes, field, names, number, refusal, value},
};

fn contact() -> Value {
    json!({
        "id": 2, "points": 5, "dateAdded": "2026-11-22T07:55:33+00:00", "dateModified": "2026-11-22T07:55:34+00:00",
        "createdByUser": "Creator", "modifiedByUser": "A D", "stage": null, "owner": {"id": 3, "username": "sam"},
        "tags": [{"tag": "vip"}, "new"], "doNotContact": [],
        "fields": {
            "core": {
                "firstname": {"id": 2, "value": "Bob", "normalizedValue": "Bob"},
                "points": {"id": "9", "value": 0},
                "city": {"id": 13, "value": null}
            },
            "personal": [], "all": {"firstname": "Bob", "extra": "x"}
        }
    })
}

fn body(event: &str, extra: Value) -> String {
    let mut entry = json!({"contact": contact(), "timestamp": "2026-11-22T07:55:36+00:00"});
    if let (Value::Object(entry), Value::Object(extra)) = (&mut entry, extra) {
        entry.extend(extra);
    }
    json!({ (format!("mautic.{event}")): [entry] }).to_string()
}

#[test]
fn a_saved_contact_is_a_whole_record_at_its_own_stamp() {
    let change = change(Mautic, &body("lead_post_save_update", json!({})));
    assert_eq!(
        (
            change.class.clone(),
            change.object.as_deref(),
            change.id.as_str()
        ),
        (Class::Event, Some("contact"), "2")
    );
    assert_eq!(
        (change.time, change.precision),
        (Some(Millis(1_795_334_134_000)), Precision::Second)
    );
    assert_eq!(change.actor.as_deref(), Some("A D"));
    assert_eq!(value(&change, "firstname"), Some(&Raw::text("Bob")));
    assert_eq!(value(&change, "city"), Some(&Raw::Null));
    assert_eq!(value(&change, "owner"), Some(&number("3")));
    assert_eq!(
        value(&change, "tags"),
        Some(&Raw::List(vec!["vip".into(), "new".into()]))
    );
    assert!(change.fields.iter().all(|f| !f.cleared));
}

#[test]
fn the_records_own_points_count_and_not_its_field_of_that_name() {
    let change = change(Mautic, &body("lead_post_save_update", json!({})));
    let points: Vec<_> = change
        .fields
        .iter()
        .filter(|f| f.name == "points")
        .collect();
    assert_eq!(points.len(), 1);
    assert_eq!(points[0].value, number("5"));
}

#[test]
fn a_new_contact_is_its_creators_and_bears_the_time_of_its_making() {
    let mut new = contact();
    new["dateModified"] = Value::Null;
    let change = change(Mautic, &body("lead_post_save_new", json!({"contact": new})));
    assert_eq!(change.actor.as_deref(), Some("Creator"));
    assert_eq!(change.time, Some(Millis(1_795_334_133_000)));
}

#[test]
fn points_change_as_a_delta_with_the_points_before() {
    let change = change(
        Mautic,
        &body(
            "lead_points_change",
            json!({"points": {"old_points": "10", "new_points": 15}}),
        ),
    );
    assert_eq!(
        (change.class.clone(), names(&change)),
        (Class::Delta, vec!["points"])
    );
    assert_eq!(change.fields[0].before, Some(Raw::text("10")));
    assert_eq!(change.time, Some(Millis(1_795_334_136_000)));
}

#[test]
fn the_last_modifier_is_the_actor_only_of_what_bears_the_same_stamp() {
    let points = json!({"points": {"old_points": 0, "new_points": 15}});
    assert_eq!(
        change(Mautic, &body("lead_points_change", points.clone())).actor,
        None
    );
    let same = body("lead_points_change", points).replace("07:55:36", "07:55:34");
    assert_eq!(change(Mautic, &same).actor.as_deref(), Some("A D"));
}

#[test]
fn a_subscription_change_is_a_delta_of_its_channel() {
    let extra =
        json!({"channel": "sms", "old_status": "contactable", "new_status": "unsubscribed"});
    let change = change(Mautic, &body("lead_channel_subscription_changed", extra));
    let status = field(&change, "doNotContact.sms").map(|f| (f.value.clone(), f.before.clone()));
    assert_eq!(
        status,
        Some((Raw::text("unsubscribed"), Some(Raw::text("contactable"))))
    );
}

#[test]
fn do_not_contact_entries_speak_the_words_of_the_subscription_event() {
    let status = |entries: Value| {
        let mut contact = contact();
        contact["doNotContact"] = entries;
        let change = change(
            Mautic,
            &body("lead_post_save_update", json!({"contact": contact})),
        );
        value(&change, "doNotContact.email").cloned()
    };
    assert_eq!(status(json!([])), Some(Raw::Null));
    assert_eq!(
        status(json!([{"channel": "email", "reason": 1}])),
        Some(Raw::text("unsubscribed"))
    );
    assert_eq!(
        status(json!([{"channel": "email", "reason": "2"}])),
        Some(Raw::text("bounced"))
    );
    assert_eq!(
        status(json!([{"channel": "sms", "reason": 3}])),
        Some(Raw::Null)
    );
}

#[test]
fn a_deleted_contact_has_its_id_beside_it() {
    let mut gone = contact();
    gone["id"] = Value::Null;
    let change = change(
        Mautic,
        &body("lead_post_delete", json!({"contact": gone, "id": "2"})),
    );
    assert_eq!((change.class, change.id.as_str()), (Class::Delete, "2"));
}

#[test]
fn several_events_of_one_body_keep_their_order() {
    let text = json!({
        "mautic.lead_post_save_new": [{"contact": contact()}, {"contact": contact()}],
        "mautic.lead_company_change": {"contact": contact(), "timestamp": "2026-11-22T07:55:36+00:00"},
        "mautic.form_on_submit": [{"submission": {"id": 8, "lead": {"id": 2}}, "timestamp": "2026-11-22T07:55:36+00:00"}],
        "timestamp": "2026-11-22T07:55:36+00:00"
    });
    let classes: Vec<_> = changes(Mautic, &text.to_string())
        .into_iter()
        .map(|c| (c.class, c.id))
        .collect();
    let submitted = Class::Activity {
        kind: "form_on_submit".into(),
    };
    // serde_json sorts the names when it writes them.
    let expected =
        [submitted, Class::Gap, Class::Event, Class::Event].map(|class| (class, "2".into()));
    assert_eq!(classes, expected);
}

#[test]
fn companies_are_read_like_contacts() {
    let text = r#"{"mautic.company_post_save":[{"company":{"id":"4","dateModified":"2026-11-22T07:55:34+00:00","fields":{"core":{"companyname":{"value":"Navy"}}}}}]}"#;
    let change = change(Mautic, text);
    assert_eq!(
        (change.object.as_deref(), change.id.as_str()),
        (Some("company"), "4")
    );
    assert_eq!(value(&change, "companyname"), Some(&Raw::text("Navy")));
}

#[test]
fn contacts_that_were_read_are_snapshots() {
    let list = json!({"total": "1", "contacts": {"2": contact()}}).to_string();
    let one = json!({"contact": contact()}).to_string();
    assert_eq!(change(Mautic, &list).class, Class::Snapshot);
    assert_eq!(changes(Mautic, &list), changes(Mautic, &one));
}

#[test]
fn a_body_without_events_is_refused_and_a_contact_without_id_costs_only_itself() {
    assert_eq!(refusal(Mautic, r#"{"hello":1}"#).code, Code::UnknownShape);
    let text =
        json!({"mautic.lead_post_save_new": [{"contact": []}, {"contact": contact()}]}).to_string();
    let items = crate::testing::items(Mautic, &text).map(|items| items.len());
    assert_eq!(items, Ok(2));
    assert_eq!(
        refusal(Mautic, &text).place,
        "at /mautic.lead_post_save_new/0"
    );
}
