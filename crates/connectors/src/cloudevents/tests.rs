use baton_core::{
    change::{Class, Format::Cloudevents},
    time::Millis,
    value::Raw,
};

use crate::{
    Code, Envelope, Item, Message, decode,
    testing::{change, changes, items, refusal, value},
};

const EVENT: &str = r#"{"specversion":"1.0","type":"com.example.contact.updated.v2","source":"/crm","subject":"contact/003",
    "time":"2026-11-22T08:19:27.5Z","id":"e1","data":{"fields":{"city":"Paris"}}}"#;

#[test]
fn the_envelope_gives_what_the_data_leaves_out() {
    let change = change(Cloudevents, EVENT);
    assert_eq!(
        (
            change.class.clone(),
            change.object.as_deref(),
            change.id.as_str()
        ),
        (Class::Delta, Some("contact"), "003")
    );
    assert_eq!(
        (change.time, change.vendor_id.as_deref()),
        (Some(Millis(1_795_335_567_500)), Some("e1"))
    );
    assert_eq!(value(&change, "city"), Some(&Raw::text("Paris")));
}

#[test]
fn the_data_has_the_last_word() {
    let text = EVENT.replace(
        r#""data":{"#,
        r#""data":{"id":"004","class":"snapshot","object":"lead","event_id":"e2","#,
    );
    let change = change(Cloudevents, &text);
    assert_eq!(
        (
            change.class.clone(),
            change.object.as_deref(),
            change.id.as_str()
        ),
        (Class::Snapshot, Some("lead"), "004")
    );
    assert_eq!(change.vendor_id.as_deref(), Some("e2"));
}

#[test]
fn the_types_end_gives_the_class_and_the_object() {
    let class = |kind: &str| {
        let text = EVENT
            .replace("com.example.contact.updated.v2", kind)
            .replace("contact/003", "003");
        let change = change(Cloudevents, &text);
        (change.class, change.object)
    };
    assert_eq!(
        class("org.lead.deleted"),
        (Class::Delete, Some("lead".into()))
    );
    assert_eq!(
        class("org.account.created.v1"),
        (Class::Event, Some("account".into()))
    );
    assert_eq!(class("org.thing.gap"), (Class::Gap, None));
    assert_eq!(class("something"), (Class::Delta, None));
}

#[test]
fn batches_text_data_and_the_binary_mode_are_read() {
    assert_eq!(changes(Cloudevents, &format!("[{EVENT},{EVENT}]")).len(), 2);
    let quoted = EVENT.replace(
        r#"{"fields":{"city":"Paris"}}"#,
        r#""{\"fields\":{\"city\":\"Paris\"}}""#,
    );
    assert_eq!(change(Cloudevents, &quoted), change(Cloudevents, EVENT));
    assert_eq!(
        change(
            Cloudevents,
            r#"{"object":"lead","id":"1","class":"delete"}"#
        )
        .class,
        Class::Delete
    );
}

#[test]
fn events_without_readable_data_are_refused_alone() {
    let binary = EVENT.replace(
        r#""data":{"fields":{"city":"Paris"}}"#,
        r#""data_base64":"AA==""#,
    );
    assert_eq!(refusal(Cloudevents, &binary).code, Code::UnknownShape);
    let batch = format!("[{binary},{EVENT},7]");
    assert_eq!(items(Cloudevents, &batch).map(|items| items.len()), Ok(3));
    let wrong = EVENT
        .replace("city", "x")
        .replace(r#"{"fields""#, r#"{"feilds""#);
    assert_eq!(refusal(Cloudevents, &wrong).code, Code::UnknownMember);
    assert_eq!(refusal(Cloudevents, &wrong).place, "at /data");
}

#[test]
fn in_binary_mode_the_headers_give_what_the_data_leaves_out() {
    let message = Message {
        value: Some(br#"{"fields":{"city":"Paris"}}"#),
        envelope: Some(Envelope {
            id: Some("e1"),
            kind: Some("com.example.contact.updated.v2"),
            subject: Some("contact/003"),
            time: Some("2026-11-22T08:19:27.5Z"),
        }),
        ..Message::default()
    };
    let whole = changes(Cloudevents, EVENT).into_iter().map(Item::Change);
    assert_eq!(decode(Cloudevents, &message), Ok(whole.collect()));
}

#[test]
fn a_slip_of_fields_is_not_taken_for_a_records_own_member() {
    let data = |data: &str| EVENT.replace(r#"{"fields":{"city":"Paris"}}"#, data);
    let record = change(Cloudevents, &data(r#"{"city":"Paris","title":null}"#));
    assert_eq!(value(&record, "city"), Some(&Raw::text("Paris")));
    assert_eq!(value(&record, "title"), Some(&Raw::Null));
    for slip in [
        r#"{"field":{"city":"Paris"}}"#,
        r#"{"fields":{},"citty":1}"#,
    ] {
        assert_eq!(refusal(Cloudevents, &data(slip)).code, Code::UnknownMember);
    }
}
