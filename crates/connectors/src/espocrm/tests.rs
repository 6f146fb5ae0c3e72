use baton_core::{
    change::{Class, Format::Espocrm, Precision},
    id::Object,
    time::Millis,
    value::Raw,
};

use crate::{
    Code, Item, Message, decode,
    testing::{change, changes, field, items, refusal, value},
};

#[test]
fn a_created_entity_is_a_whole_record_and_an_update_a_delta() {
    let text = r#"[{"id":"a1","name":"Grace Hopper","phoneNumber":null,"createdAt":"2026-11-22 08:19:27","modifiedAt":"2026-11-22 08:19:27","createdById":"u1","deleted":false,"versionNumber":1},
        {"id":"a1","status":"In Process","phoneNumber":null,"modifiedById":"u2","modifiedByName":"Admin","followersNames":{},"versionNumber":2}]"#;
    let changes = changes(Espocrm, text);
    let (created, updated) = (&changes[0], &changes[1]);
    assert_eq!(
        (created.class.clone(), created.actor.as_deref()),
        (Class::Event, Some("u1"))
    );
    assert_eq!(
        (created.time, created.precision),
        (Some(Millis(1_795_335_567_000)), Precision::Second)
    );
    assert_eq!(
        field(created, "phoneNumber").map(|f| f.cleared),
        Some(false)
    );
    assert_eq!(
        (updated.class.clone(), updated.actor.as_deref()),
        (Class::Delta, Some("u2"))
    );
    assert_eq!((updated.time, updated.seq), (None, Some(2)));
    assert_eq!(field(updated, "phoneNumber").map(|f| f.cleared), Some(true));
    assert_eq!(value(updated, "followersNames"), None);
}

#[test]
fn a_watched_field_has_neither_time_nor_sequence() {
    let change = change(Espocrm, r#"{"id":"a1","status":"In Process"}"#);
    assert_eq!(
        (change.time, change.seq, change.object.clone()),
        (None, None, None)
    );
    assert_eq!(value(&change, "status"), Some(&Raw::text("In Process")));
}

#[test]
fn the_hint_names_the_object_where_the_payload_does_not() {
    let message = Message {
        value: Some(br#"{"id":"a1","status":"x"}"#),
        object: Some("Lead"),
        ..Message::default()
    };
    let object = decode(Espocrm, &message).map(|items| match &items[..] {
        [Item::Change(change)] => change.object.clone(),
        _ => None,
    });
    assert_eq!(object, Ok(Some("Lead".into())));
}

#[test]
fn a_deleted_flag_makes_a_delete() {
    assert_eq!(
        change(
            Espocrm,
            r#"{"id":"a1","deleted":true,"modifiedAt":"2026-11-22 08:19:27"}"#
        )
        .class,
        Class::Delete
    );
}

#[test]
fn a_conversion_names_what_the_lead_became_at_the_time_of_converting() {
    let text = r#"{"id":"a1","status":"Converted","convertedAt":"2026-11-22 08:19:28","createdContactId":"c1","createdAccountId":"x1","createdOpportunityId":null,"versionNumber":3}"#;
    let changes = changes(Espocrm, text);
    let to = vec![
        (Object::Contact, "c1".into()),
        (Object::Account, "x1".into()),
    ];
    assert_eq!(changes[0].class, Class::Convert { to });
    assert_eq!(changes[0].time, Some(Millis(1_795_335_568_000)));
    assert_eq!(value(&changes[1], "status"), Some(&Raw::text("Converted")));
}

#[test]
fn a_change_without_a_stamp_took_place_before_the_next_one_of_its_record_that_has_one() {
    let text = r#"[{"id":"a1","status":"In Process","versionNumber":2},{"id":"b2","status":"New","versionNumber":7},{"id":"a1","status":"Converted","convertedAt":"2026-11-22 08:19:28","versionNumber":3}]"#;
    let times: Vec<_> = changes(Espocrm, text).iter().map(|c| c.time).collect();
    let converted = Some(Millis(1_795_335_568_000));
    assert_eq!(times, [converted, None, converted]);
}

#[test]
fn several_changes_of_one_record_keep_their_order() {
    let text = r#"[{"id":"a1","status":"In Process"},{"id":"a1","status":"Converted"}]"#;
    let all: Vec<_> = changes(Espocrm, text)
        .iter()
        .filter_map(|c| value(c, "status").cloned())
        .collect();
    assert_eq!(all, [Raw::text("In Process"), Raw::text("Converted")]);
}

#[test]
fn a_list_that_was_read_holds_snapshots() {
    let text = r#"{"total":1,"list":[{"id":"a1","createdAt":"2026-11-22 08:19:27","name":null}]}"#;
    assert_eq!(change(Espocrm, text).class, Class::Snapshot);
}

#[test]
fn an_entity_without_id_or_with_a_wrong_time_is_refused_alone() {
    let text = r#"[{"status":"x"},{"id":"a1","status":"y"}]"#;
    assert_eq!(items(Espocrm, text).map(|items| items.len()), Ok(2));
    assert_eq!(
        (refusal(Espocrm, text).code, refusal(Espocrm, text).place),
        (Code::MissingId, "at /0".to_owned())
    );
    assert_eq!(
        refusal(Espocrm, r#"{"id":"a","modifiedAt":"gestern"}"#).code,
        Code::BadTime
    );
}
