use baton_core::{
    change::{Class, Format::Hubspot},
    time::Millis,
    value::Raw,
};

use crate::{
    Code,
    testing::{change, changes, field, refusal, value},
};

const CHANGED: &str = r#"{"objectId":65059681032,"propertyName":"firstname","propertyValue":"Ada","changeSource":"CRM_UI",
    "sourceId":"userId:45678","eventId":7,"occurredAt":1708986598741,"subscriptionType":"contact.propertyChange"}"#;

#[test]
fn a_property_change_is_a_delta_of_one_field() {
    let change = change(Hubspot, CHANGED);
    assert_eq!(change.class, Class::Delta);
    assert_eq!(
        (change.id.as_str(), change.object.as_deref()),
        ("65059681032", Some("contact"))
    );
    assert_eq!(change.time, Some(Millis(1_708_986_598_741)));
    assert_eq!(change.cause.as_deref(), Some("CRM_UI"));
    assert_eq!(change.actor.as_deref(), Some("userId:45678"));
    assert_eq!((change.vendor_id.as_deref(), change.seq), (Some("7"), None));
    assert_eq!(value(&change, "firstname"), Some(&Raw::text("Ada")));
}

#[test]
fn both_spellings_of_the_type_are_one() {
    let older = CHANGED.replace("subscriptionType", "eventType");
    assert_eq!(change(Hubspot, &older), change(Hubspot, CHANGED));
}

#[test]
fn a_blank_value_is_a_clear_and_a_withheld_one_a_gap() {
    for blank in ["\"\"", "null"] {
        let change = change(Hubspot, &CHANGED.replace("\"Ada\"", blank));
        let field = field(&change, "firstname").map(|f| (f.value.clone(), f.cleared));
        assert_eq!(field, Some((Raw::Null, true)));
    }
    let withheld = CHANGED.replace("\"propertyValue\":\"Ada\",", "");
    assert_eq!(change(Hubspot, &withheld).class, Class::Gap);
}

#[test]
fn a_creation_says_nothing_of_the_fields_and_asks_for_the_record() {
    let changes = changes(Hubspot, &CHANGED.replace("propertyChange", "creation"));
    assert_eq!(
        (changes[0].class.clone(), changes[0].fields.len()),
        (Class::Delta, 0)
    );
    assert_eq!(changes[1].class, Class::Gap);
}

#[test]
fn deletions_restores_and_associations_have_their_classes() {
    let class =
        |kind: &str| change(Hubspot, &CHANGED.replace("contact.propertyChange", kind)).class;
    assert_eq!(class("contact.deletion"), Class::Delete);
    assert_eq!(class("contact.privacyDeletion"), Class::Delete);
    assert_eq!(class("company.restore"), Class::Undelete);
    assert_eq!(
        class("deal.associationChange"),
        Class::Activity {
            kind: "associationChange".into()
        }
    );
}

#[test]
fn a_merge_names_the_record_it_made_and_all_that_went_into_it() {
    let text = r#"[{"eventType":"contact.merge","primaryObjectId":1,"mergedObjectIds":[2,3],"newObjectId":4,"occurredAt":1},
        {"eventType":"contact.merge","primaryObjectId":1,"mergedObjectIds":[2],"newObjectId":null,"occurredAt":1}]"#;
    let changes = changes(Hubspot, text);
    let losers = |all: &[&str]| Class::Merge {
        losers: all.iter().map(|id| (*id).into()).collect(),
    };
    assert_eq!(
        (changes[0].id.as_str(), &changes[0].class),
        ("4", &losers(&["1", "2", "3"]))
    );
    assert_eq!(
        (changes[1].id.as_str(), &changes[1].class),
        ("1", &losers(&["2"]))
    );
}

#[test]
fn generic_subscriptions_name_the_object_by_its_number() {
    let generic = CHANGED.replace(
        "contact.propertyChange\"",
        "object.propertyChange\",\"objectTypeId\":\"0-2\"",
    );
    assert_eq!(change(Hubspot, &generic).object.as_deref(), Some("company"));
}

#[test]
fn a_record_that_was_read_is_a_snapshot() {
    let text = r#"{"results":[{"id":"9","properties":{"email":null,"city":"Paris"},"updatedAt":"2026-11-22T08:19:27.123Z"}]}"#;
    let change = change(Hubspot, text);
    assert_eq!(
        (change.class.clone(), change.time),
        (Class::Snapshot, Some(Millis(1_795_335_567_123)))
    );
    assert_eq!(value(&change, "email"), Some(&Raw::Null));
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(
        refusal(Hubspot, &CHANGED.replace("objectId", "objectID")).code,
        Code::MissingId
    );
    assert_eq!(
        refusal(Hubspot, &CHANGED.replace("propertyName", "property")).code,
        Code::MissingMember
    );
    assert_eq!(
        refusal(Hubspot, &CHANGED.replace("1708986598741", "\"soon\"")).code,
        Code::BadTime
    );
    assert_eq!(
        refusal(Hubspot, r#"[{"objectId":1}]"#).code,
        Code::UnknownShape
    );
}
