use baton_core::{
    change::{Class, Format::Salesforce, RawChange},
    id::Object,
    time::Millis,
    value::Raw,
};
use serde_json::{Value, json};

use crate::{
    Code,
    testing::{change, changes, field, names, number, refusal, value},
};

/// A lead's event of that type, with further members of the header, and of the body.
fn event(kind: &str, header: Value, body: Value) -> Value {
    let mut head = json!({
        "entityName": "Lead", "recordIds": ["00Q000000000001AAA"], "changeType": kind,
        "changeOrigin": "com/salesforce/api/rest/60.0;client=baton", "transactionKey": "tx-1",
        "sequenceNumber": 2, "commitTimestamp": 1_714_153_780_250_i64, "commitNumber": 1_100_638_524_517_u64,
        "commitUser": "005000000000001AAA", "nulledFields": [], "diffFields": [], "changedFields": []
    });
    merge(&mut head, header);
    let mut whole = json!({ "ChangeEventHeader": head });
    merge(&mut whole, body);
    whole
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

fn update(header: Value, body: Value) -> RawChange {
    change(Salesforce, &event("UPDATE", header, body).to_string())
}

#[test]
fn the_header_gives_time_sequence_ids_actor_and_origin() {
    let change = update(json!({"changedFields": ["Phone"]}), json!({"Phone": "1"}));
    assert_eq!(change.object.as_deref(), Some("Lead"));
    assert_eq!(change.id, "00Q000000000001AAA");
    assert_eq!(change.time, Some(Millis(1_714_153_780_250)));
    assert_eq!(change.seq, Some(110_063_852_451_700_002));
    assert_eq!(change.vendor_id.as_deref(), Some("tx-1:2"));
    assert_eq!(change.transaction.as_deref(), Some("tx-1"));
    assert_eq!(change.actor.as_deref(), Some("005000000000001AAA"));
    assert_eq!(change.origin.as_deref(), Some("baton"));
}

#[test]
fn the_sequence_rises_within_and_over_commits_and_never_overflows() {
    let seq = |commit: u64, number: u64| {
        update(
            json!({"commitNumber": commit, "sequenceNumber": number}),
            json!({}),
        )
        .seq
    };
    assert!(seq(10, 1) < seq(10, 2));
    assert!(seq(10, 99_999) < seq(11, 1));
    assert_eq!(seq(10, 500_000), seq(10, 99_999));
    assert_eq!(seq(u64::MAX, u64::MAX), Some(i64::MAX as u64));
}

#[test]
fn an_update_counts_only_what_is_called_changed() {
    let change = update(
        json!({"changedFields": ["Address.City", "Name"]}),
        json!({
            "Phone": "9", "Name": {"FirstName": "Ada", "LastName": null},
            "Address": {"City": "Paris", "Country": "FR"}, "Email": null
        }),
    );
    assert_eq!(names(&change), ["Address.City", "Name.FirstName"]);
    assert_eq!(change.class, Class::Delta);
}

#[test]
fn a_null_that_is_not_nulled_is_no_clear() {
    let text = event(
        "UPDATE",
        json!({"changedFields": ["Status"]}),
        json!({"Status": "Open", "Phone": null, "Address": null, "Name": {"FirstName": null}}),
    );
    let change = change(Salesforce, &text.to_string());
    assert_eq!(names(&change), ["Status"]);
}

#[test]
fn a_field_called_changed_without_value_or_clear_asks_for_the_record() {
    let text = event(
        "UPDATE",
        json!({"changedFields": ["Status", "Phone"]}),
        json!({"Status": "Open", "Phone": null}),
    );
    let changes = changes(Salesforce, &text.to_string());
    assert_eq!(names(&changes[0]), ["Status"]);
    assert_eq!(changes[1].class, Class::Gap);
    assert_ne!(changes[0].vendor_id, changes[1].vendor_id);
}

#[test]
fn a_missing_audit_stamp_asks_for_nothing() {
    let change = update(
        json!({"changedFields": ["Phone", "LastModifiedDate"]}),
        json!({"Phone": "1"}),
    );
    assert_eq!(names(&change), ["Phone"]);
}

#[test]
fn nulled_fields_are_clears_flat_nested_absent_and_whole() {
    let change = update(
        json!({
            "changedFields": ["Phone", "Address.Street", "BillingAddress", "Fax"],
            "nulledFields": ["Phone", "Address.Street", "BillingAddress", "Fax"]
        }),
        json!({"Phone": null, "Address": {"Street": null, "City": "Paris"}, "BillingAddress": null}),
    );
    let cleared: Vec<_> = change
        .fields
        .iter()
        .filter(|f| f.cleared)
        .map(|f| f.name.as_str())
        .collect();
    for name in [
        "Phone",
        "Address.Street",
        "Fax",
        "BillingAddress",
        "BillingAddress.City",
        "BillingAddress.PostalCode",
    ] {
        assert!(cleared.contains(&name), "{name} in {cleared:?}");
    }
    assert!(
        change
            .fields
            .iter()
            .all(|f| f.cleared == (f.value == Raw::Null))
    );
    assert_eq!(value(&change, "Address.City"), None);
}

#[test]
fn a_nulled_compound_with_its_members_clears_each_of_them() {
    let change = update(
        json!({"changedFields": ["Address"], "nulledFields": ["Address"]}),
        json!({"Address": {"Street": null, "City": null}}),
    );
    assert_eq!(names(&change), ["Address.City", "Address.Street"]);
    assert!(change.fields.iter().all(|f| f.cleared));
}

#[test]
fn under_bitmaps_values_are_taken_as_given_and_nulls_dropped() {
    for bits in ["0x400005A", "4-0x05"] {
        let change = update(
            json!({"changedFields": [bits]}),
            json!({"Phone": "1", "Email": null}),
        );
        assert_eq!(names(&change), ["Phone"]);
        assert!(!change.fields[0].cleared);
    }
}

#[test]
fn a_nulled_bitmap_asks_for_the_record() {
    let text = event(
        "UPDATE",
        json!({"changedFields": ["0x400005A"], "nulledFields": ["0x02"]}),
        json!({"Phone": "1", "Email": null}),
    );
    let changes = changes(Salesforce, &text.to_string());
    assert_eq!(names(&changes[0]), ["Phone"]);
    assert_eq!(changes[1].class, Class::Gap);
}

#[test]
fn a_create_has_no_nulls_except_beside_values_of_the_same_compound() {
    let text = event(
        "CREATE",
        json!({}),
        json!({"Phone": null, "Address": {"City": null, "Country": "US"}, "OtherAddress": {"City": null}, "Email": "a@example.com"}),
    );
    let change = change(Salesforce, &text.to_string());
    assert_eq!(change.class, Class::Event);
    assert_eq!(names(&change), ["Address.City", "Address.Country", "Email"]);
    assert_eq!(
        field(&change, "Address.City").map(|f| f.cleared),
        Some(false)
    );
}

#[test]
fn several_record_ids_fan_out_to_one_change_each() {
    let text = event(
        "UPDATE",
        json!({"recordIds": ["a1", "a2", "a3"], "changedFields": ["Phone"]}),
        json!({"Phone": "1"}),
    );
    let changes = changes(Salesforce, &text.to_string());
    let ids: Vec<_> = changes
        .iter()
        .map(|c| (c.id.as_str(), c.vendor_id.as_deref()))
        .collect();
    assert_eq!(
        ids,
        [
            ("a1", Some("tx-1:2:a1")),
            ("a2", Some("tx-1:2:a2")),
            ("a3", Some("tx-1:2:a3"))
        ]
    );
    assert!(changes.iter().all(|c| names(c) == ["Phone"]));
}

#[test]
fn wildcards_gaps_and_overflows_say_what_must_be_read() {
    let class = |kind: &str, ids: Value| {
        change(
            Salesforce,
            &event(kind, json!({"recordIds": ids}), json!({})).to_string(),
        )
        .class
    };
    assert_eq!(class("UPDATE", json!(["00Q*"])), Class::Overflow);
    assert_eq!(
        class("GAP_UPDATE", json!(["000000000000000AAA"])),
        Class::Overflow
    );
    assert_eq!(class("GAP_OVERFLOW", json!([])), Class::Overflow);
    for kind in ["GAP_CREATE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE"] {
        assert_eq!(class(kind, json!(["00Q000000000001AAA"])), Class::Gap);
    }
}

#[test]
fn deletes_undeletes_and_lost_merges_are_told_apart() {
    let class =
        |kind: &str, body: Value| change(Salesforce, &event(kind, json!({}), body).to_string());
    assert_eq!(class("DELETE", json!({})).class, Class::Delete);
    let back = class("UNDELETE", json!({"Phone": "1", "Fax": null}));
    assert_eq!(
        (back.class.clone(), names(&back)),
        (Class::Undelete, vec!["Phone"])
    );
    let lost = class("DELETE", json!({"MasterRecordId": "winner"}));
    assert_eq!(lost.id, "winner");
    assert_eq!(
        lost.class,
        Class::Merge {
            losers: vec!["00Q000000000001AAA".into()]
        }
    );
}

#[test]
fn a_converted_lead_names_what_it_became_and_clears_nothing() {
    let text = event(
        "UPDATE",
        json!({"changedFields": ["0x08F81000"]}),
        json!({"IsConverted": true, "ConvertedContactId": "003", "ConvertedAccountId": "001", "ConvertedOpportunityId": null, "Phone": null}),
    );
    let changes = changes(Salesforce, &text.to_string());
    assert!(
        changes[1]
            .fields
            .iter()
            .all(|f| !f.cleared && f.value != Raw::Null)
    );
    let to = vec![
        (Object::Contact, "003".into()),
        (Object::Account, "001".into()),
    ];
    assert_eq!(changes[0].class, Class::Convert { to });
    assert_eq!(changes[1].id, changes[0].id);
}

#[test]
fn every_wrapper_and_avros_unions_are_taken_off() {
    let inner = event(
        "UPDATE",
        json!({"changedFields": ["Phone"]}),
        json!({"Phone": "1"}),
    );
    let plain = changes(Salesforce, &inner.to_string());
    for wrapped in [
        json!([inner]),
        json!({"id": "e", "schemaId": "s", "replayId": 7, "payload": inner}),
        json!({"data": {"schema": "s", "payload": inner, "event": {"replayId": 7}}, "channel": "/data/LeadChangeEvent"}),
        json!({"schema": {"type": "struct", "fields": []}, "payload": inner}),
    ] {
        assert_eq!(changes(Salesforce, &wrapped.to_string()), plain);
    }
    let avro = event(
        "UPDATE",
        json!({"changedFields": {"array": ["0x02"]}}),
        json!({"Phone": {"string": "1"}, "Address": {"com.sforce.eventbus.Address": {"City": {"string": "Paris"}}}, "DoNotCall": {"boolean": true}}),
    );
    let change = change(Salesforce, &avro.to_string());
    assert_eq!(names(&change), ["Address.City", "DoNotCall", "Phone"]);
    assert_eq!(value(&change, "Phone"), Some(&Raw::text("1")));
}

#[test]
fn dates_stay_the_numbers_they_are() {
    let change = update(
        json!({"changedFields": ["ConvertedDate"]}),
        json!({"ConvertedDate": 1_714_089_600_000_i64}),
    );
    assert_eq!(
        value(&change, "ConvertedDate"),
        Some(&number("1714089600000"))
    );
}

#[test]
fn a_record_that_was_read_is_a_snapshot() {
    let change = change(
        Salesforce,
        r#"{"attributes":{"type":"Contact","url":"/x"},"Id":"003","Email":null,"SystemModstamp":"2026-11-22T08:19:27.000+0000"}"#,
    );
    assert_eq!(
        (change.class, change.object.as_deref()),
        (Class::Snapshot, Some("Contact"))
    );
    assert_eq!(change.time, Some(Millis(1_795_335_567_000)));
}

#[test]
fn a_bad_event_does_not_take_its_neighbours_with_it() {
    let good = event("DELETE", json!({}), json!({}));
    let nobody = event("UPDATE", json!({"recordIds": []}), json!({}));
    let text = json!([good, nobody, good, {"other": 1}]).to_string();
    let items = crate::testing::items(Salesforce, &text).map(|items| items.len());
    assert_eq!(items, Ok(4));
    let error = refusal(Salesforce, &text);
    assert_eq!(error.code, Code::MissingId);
    assert_eq!(error.place, "at /1/ChangeEventHeader/recordIds");
}

#[test]
fn an_event_with_more_records_than_can_be_meant_is_refused() {
    let ids: Vec<String> = (0..200_000).map(|n| n.to_string()).collect();
    let text = event(
        "UPDATE",
        json!({"recordIds": ids, "changedFields": ["A", "B"]}),
        json!({"A": 1, "B": 2}),
    );
    assert_eq!(refusal(Salesforce, &text.to_string()).code, Code::TooLarge);
}
