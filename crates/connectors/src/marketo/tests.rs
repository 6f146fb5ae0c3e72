use baton_core::{
    change::{Class, Format::Marketo, Precision},
    time::Millis,
    value::Raw,
};

use crate::{
    Code,
    testing::{change, changes, field, items, names, number, refusal, value},
};

const CHANGED: &str = r#"{"success":true,"result":[{"id":1078,"marketoGUID":"1078","leadId":775,"activityDate":"2014-09-17T22:31:49+0000",
    "activityTypeId":13,"fields":[{"id":48,"name":"firstName","newValue":"Ada","oldValue":"Eda"},{"id":49,"name":"phone","newValue":null,"oldValue":"1"}],
    "attributes":[{"name":"Reason","value":"Form"},{"name":"Source","value":"Web service API"}]}]}"#;

#[test]
fn a_lead_change_has_before_images_cause_and_a_time_to_the_second() {
    let change = change(Marketo, CHANGED);
    assert_eq!(
        (change.object.as_deref(), change.id.as_str()),
        (Some("lead"), "775")
    );
    assert_eq!(
        (change.time, change.precision),
        (Some(Millis(1_410_993_109_000)), Precision::Second)
    );
    assert_eq!(change.cause.as_deref(), Some("Web service API"));
    assert_eq!(change.vendor_id.as_deref(), Some("1078"));
    let first = field(&change, "firstName").map(|f| (f.value.clone(), f.before.clone(), f.cleared));
    assert_eq!(
        first,
        Some((Raw::text("Ada"), Some(Raw::text("Eda")), false))
    );
    let phone = field(&change, "phone").map(|f| (f.value.clone(), f.before.clone(), f.cleared));
    assert_eq!(phone, Some((Raw::Null, Some(Raw::text("1")), true)));
}

#[test]
fn both_ways_of_writing_the_zone_are_read() {
    let zulu = CHANGED.replace("+0000", "Z");
    assert_eq!(change(Marketo, &zulu), change(Marketo, CHANGED));
    let east = CHANGED.replace("22:31:49+0000", "22:31:49+07:00");
    assert_eq!(change(Marketo, &east).time, Some(Millis(1_410_967_909_000)));
}

#[test]
fn the_reason_is_the_cause_where_no_source_is_named() {
    let reason = CHANGED.replace("\"Source\"", "\"Lead ID\"");
    assert_eq!(change(Marketo, &reason).cause.as_deref(), Some("Form"));
}

#[test]
fn a_single_activity_is_read_like_a_page_of_one() {
    let text = r#"{"id":5,"leadId":1,"activityDate":"2023-01-16T23:32:19Z","activityTypeId":37,"attributes":[]}"#;
    assert_eq!(change(Marketo, text).class, Class::Delete);
}

#[test]
fn a_new_lead_asks_for_its_record() {
    let text = r#"{"id":5,"leadId":1,"activityDate":"2023-01-16T23:32:19Z","activityTypeId":12,"attributes":[{"name":"Source Type","value":"List import"}]}"#;
    let changes = changes(Marketo, text);
    assert_eq!(
        (changes[0].class.clone(), changes[1].class.clone()),
        (Class::Delta, Class::Gap)
    );
    assert_eq!(changes[0].cause.as_deref(), Some("List import"));
}

#[test]
fn a_change_of_score_has_the_score_before_it() {
    let text = r#"{"id":5,"leadId":1,"activityDate":"2023-01-16T23:32:19Z","activityTypeId":22,"primaryAttributeValue":"Lead Score",
        "attributes":[{"name":"Change Value","value":"+5"},{"name":"New Value","value":15},{"name":"Old Value","value":10}]}"#;
    let change = change(Marketo, text);
    let score = field(&change, "leadScore").map(|f| (f.value.clone(), f.before.clone()));
    assert_eq!(score, Some((number("15"), Some(number("10")))));
}

#[test]
fn a_merge_makes_the_other_leads_losers() {
    let text = r#"{"id":5,"leadId":1,"activityDate":"2023-01-16T23:32:19Z","activityTypeId":32,"attributes":[{"name":"Merge IDs","value":"[1, 23, 4]"}]}"#;
    let losers = vec!["23".into(), "4".into()];
    assert_eq!(change(Marketo, text).class, Class::Merge { losers });
}

#[test]
fn what_a_person_did_is_an_activity_with_its_details() {
    let text = r#"{"input":[{"leadId":1001,"activityDate":"2016-09-26T06:56:35+07:00","activityTypeId":1001,
        "primaryAttributeValue":"Game Giveaway","attributes":[{"apiName":"uRL","value":"http://example.com"}]}]}"#;
    let change = change(Marketo, text);
    assert_eq!(
        change.class,
        Class::Activity {
            kind: "1001".into()
        }
    );
    assert_eq!(names(&change), ["attributes.uRL", "primaryAttributeValue"]);
}

#[test]
fn an_answer_to_a_write_says_nothing_but_what_was_skipped() {
    let text = r#"{"success":true,"result":[{"id":50,"status":"added"},{"status":"skipped","errors":[{"code":"1004","message":"Lead ada@example.com not found"}]}]}"#;
    assert_eq!(items(Marketo, text).map(|items| items.len()), Ok(1));
    let error = refusal(Marketo, text);
    assert_eq!(error.code, Code::VendorError);
    assert!(error.what.contains("1004") && !error.to_string().contains("ada@"));
    assert_eq!(error.place, "at /result/1");
}

#[test]
fn a_failed_call_is_refused_with_the_vendors_codes() {
    let error = refusal(
        Marketo,
        r#"{"success":false,"errors":[{"code":"606","message":"x"}]}"#,
    );
    assert_eq!(error.code, Code::VendorError);
    assert!(error.what.ends_with("606"));
}

#[test]
fn a_change_of_fields_that_were_not_asked_for_claims_nothing() {
    let text = r#"{"id":5,"leadId":1,"activityDate":"2023-01-16T23:32:19Z","activityTypeId":13,"fields":[]}"#;
    let change = change(Marketo, text);
    assert_eq!((change.class, change.fields.len()), (Class::Delta, 0));
    let none = text.replace(",\"fields\":[]", "");
    assert_eq!(refusal(Marketo, &none).code, Code::MissingMember);
}

#[test]
fn an_empty_page_says_nothing() {
    assert_eq!(
        items(
            Marketo,
            r#"{"success":true,"moreResult":false,"nextPageToken":"x"}"#
        ),
        Ok(vec![])
    );
}

#[test]
fn a_lead_that_was_read_is_a_snapshot() {
    let change = change(
        Marketo,
        r#"{"success":true,"result":[{"id":7,"email":null,"updatedAt":"2023-01-16T23:32:19Z"}]}"#,
    );
    assert_eq!(
        (change.class.clone(), change.id.as_str()),
        (Class::Snapshot, "7")
    );
    assert_eq!(value(&change, "email"), Some(&Raw::Null));
}
