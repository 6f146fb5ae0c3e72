//! From a target's answer to what the engine takes in.

use baton_core::{
    change::{Class, Seen},
    id::{Digest, EntityId, Kind, Object, RecordKey},
    name::Name,
    normalise::{answer, read_back},
    time::{DAY, Millis},
    value::Value,
    wire::{CommandResult, ResultOutcome, SchemaVersion},
};
use serde_json::json;

use super::world::{ARRIVAL, position, rules};

fn entity() -> EntityId {
    let record = RecordKey::new("crm", Object::Lead, "00Q1");
    EntityId::derive(Kind::Person, &record, Digest::of(&[b"event"]))
}

fn result(record: serde_json::Value) -> CommandResult {
    CommandResult {
        schema_version: SchemaVersion::CURRENT,
        command_id: format!("{}/{}", entity(), Digest::of(&[b"command"])),
        system: "crm".into(),
        object: Object::Lead,
        id: Some("00Q1".into()),
        outcome: ResultOutcome::Ok,
        stamp: Some("2026-03-01T10:00:00.000+0000".into()),
        record: record.as_object().cloned(),
        refused: [
            ("Rating".to_owned(), "bad value".to_owned()),
            ("Nobody__c".to_owned(), "no field".to_owned()),
        ]
        .into(),
        error: None,
    }
}

#[test]
fn an_answer_is_read_into_canonical_values() {
    let result = result(json!({
        "FirstName": " Ann ", "Email": null, "Address": {"Country": "Germany"}, "Note__c": "N",
        "Phone": "", "MobilePhone": "0170 11111111", "attributes": {"type": "Lead", "url": "/x"}
    }));
    let (whose, answer) = answer(&result, &rules(), position()).expect("ours");
    assert_eq!(whose, entity());
    assert_eq!(answer.command, Digest::of(&[b"command"]));
    assert_eq!(answer.stamp, Millis::parse("2026-03-01T10:00:00Z"));
    let record = answer.record.expect("it was sent");
    let get = |name: &str| record.get(&Name::new(name)).cloned();
    assert_eq!(get("first_name"), Some((Value::text("Ann"), Seen::Value)));
    assert_eq!(get("email"), Some((Value::Blank, Seen::BlankInSnapshot)));
    assert_eq!(get("country"), Some((Value::text("DE"), Seen::Value)));
    assert_eq!(
        get("phone"),
        Some((Value::text("+4917011111111"), Seen::Value))
    );
    assert_eq!(
        get("note"),
        Some((Value::text("N"), Seen::Value)),
        "written fields too"
    );
    assert_eq!(record.len(), 5);
    let refused: Vec<_> = answer
        .refused
        .iter()
        .map(|(f, r)| (f.as_str(), r.as_str()))
        .collect();
    assert_eq!(refused, [("rating", "bad value")]);
}

#[test]
fn an_answer_to_nobody_is_refused() {
    let code = |edit: fn(&mut CommandResult)| {
        let mut result = result(json!({}));
        edit(&mut result);
        answer(&result, &rules(), position()).err().map(|r| r.code)
    };
    assert_eq!(code(|_| {}), None);
    assert_eq!(
        code(|r| r.command_id = "mine".into()),
        Some("malformed-command-id")
    );
    assert_eq!(
        code(|r| r.command_id = format!("person-12/{}", Digest::default())),
        Some("malformed-command-id")
    );
    assert_eq!(
        code(|r| r.system = "never configured".into()),
        Some("unknown-system")
    );
    assert_eq!(code(|r| r.object = Object::Deal), Some("unmapped-object"));
}

#[test]
fn a_stamp_that_is_none_is_left_out_and_one_from_the_future_is_clamped() {
    let stamp = |text: String| {
        let mut result = result(json!({}));
        result.stamp = Some(text);
        answer(&result, &rules(), position()).expect("ours").1.stamp
    };
    assert_eq!(stamp("soon".into()), None);
    assert_eq!(stamp(ARRIVAL.plus(DAY).to_string()), Some(ARRIVAL));
}

#[test]
fn a_record_that_was_read_is_a_read_back_at_its_own_stamp() {
    let mut result = result(
        json!({"FirstName": "Ann", "Email": "", "Note__c": "N", "LastModifiedDate": "2026-02-01T10:00:00Z"}),
    );
    let change = read_back(&result, &rules(), position()).expect("it tells something");
    assert_eq!(change.class, Class::ReadBack);
    assert_eq!(Some(change.time), Millis::parse("2026-02-01T10:00:00Z"));
    let seen: Vec<_> = change
        .fields
        .iter()
        .map(|f| (f.field.as_str(), f.seen))
        .collect();
    assert_eq!(
        seen,
        [
            ("email", Seen::BlankInSnapshot),
            ("first_name", Seen::Value)
        ]
    );
    result
        .record
        .as_mut()
        .and_then(|r| r.remove("LastModifiedDate"));
    let stamped = read_back(&result, &rules(), position()).map(|c| c.time);
    assert_eq!(stamped, Millis::parse("2026-03-01T10:00:00Z"));
    result.stamp = None;
    let unstamped = read_back(&result, &rules(), position()).map(|c| c.time);
    assert_eq!(unstamped, Some(Millis::UNTIMED));
}

#[test]
fn a_record_that_is_gone_is_deleted() {
    let mut gone = result(json!(null));
    gone.outcome = ResultOutcome::NotFound;
    let change = read_back(&gone, &rules(), position()).expect("it tells something");
    assert_eq!((change.class, change.time), (Class::Delete, ARRIVAL));
    let flagged = read_back(
        &result(json!({"IsDeleted": true, "FirstName": "Ann"})),
        &rules(),
        position(),
    );
    assert_eq!(
        flagged.map(|c| (c.class, c.fields.len())),
        Some((Class::Delete, 0))
    );
}

#[test]
fn an_answer_that_tells_nothing_is_no_read_back() {
    for outcome in [
        ResultOutcome::Failed,
        ResultOutcome::Unknown,
        ResultOutcome::Refused,
    ] {
        let mut silent = result(json!({"FirstName": "Ann"}));
        silent.outcome = outcome;
        assert_eq!(read_back(&silent, &rules(), position()), None);
    }
    assert_eq!(read_back(&result(json!(null)), &rules(), position()), None);
}
