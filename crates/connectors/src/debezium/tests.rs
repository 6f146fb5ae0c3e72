use baton_core::{
    change::{Class, Format::Debezium, RawChange},
    time::Millis,
    value::Raw,
};
use serde_json::{Value, json};

use crate::{
    Code, DecodeError, Item, Message, decode,
    testing::{changes, field, items, names, number, refusal, value},
};

fn envelope(op: &str, before: Value, after: Value) -> Value {
    json!({
        "before": before, "after": after, "op": op, "ts_ms": 1_795_334_420_681_i64, "transaction": {"id": "836:49", "total_order": 1},
        "source": {"connector": "postgresql", "ts_ms": 1_795_334_420_411_i64, "ts_us": 1_795_334_420_411_148_i64, "table": "party", "txId": 836, "lsn": 49_546_584, "origin": null}
    })
}

fn keyed(key: &str, value: Option<&str>) -> Result<Vec<Item>, DecodeError> {
    let message = Message {
        key: Some(key.as_bytes()),
        value: value.map(str::as_bytes),
        object: Some("hinted"),
        ..Message::default()
    };
    decode(Debezium, &message)
}

#[track_caller]
fn one(envelope: &Value) -> RawChange {
    let mut all = changes(Debezium, &envelope.to_string());
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn an_update_is_the_whole_row_with_before_images_of_what_changed() {
    let before = json!({"id": 2, "name": "Grace Hopper", "city": "Paris", "active": true});
    let after = json!({"id": 2, "name": "Grace H.", "city": null, "active": true});
    let change = one(&envelope("u", before, after));
    assert_eq!(
        (
            change.class.clone(),
            change.object.as_deref(),
            change.id.as_str()
        ),
        (Class::Event, Some("party"), "2")
    );
    assert_eq!(
        (change.time, change.seq),
        (Some(Millis(1_795_334_420_411)), Some(49_546_584))
    );
    assert_eq!(change.transaction.as_deref(), Some("836"));
    assert_eq!(names(&change), ["active", "city", "id", "name"]);
    let name = field(&change, "name").map(|f| (f.value.clone(), f.before.clone(), f.cleared));
    assert_eq!(
        name,
        Some((
            Raw::text("Grace H."),
            Some(Raw::text("Grace Hopper")),
            false
        ))
    );
    let city = field(&change, "city").map(|f| (f.value.clone(), f.before.clone(), f.cleared));
    assert_eq!(city, Some((Raw::Null, Some(Raw::text("Paris")), true)));
    assert_eq!(
        field(&change, "active").map(|f| f.before.clone()),
        Some(None)
    );
}

#[test]
fn without_before_a_row_is_whole_and_clears_nothing_itself() {
    for op in ["c", "u"] {
        let change = one(&envelope(op, Value::Null, json!({"id": 2, "city": null})));
        assert_eq!(change.class, Class::Event);
        assert!(
            change
                .fields
                .iter()
                .all(|f| f.before.is_none() && !f.cleared)
        );
    }
}

#[test]
fn reads_are_snapshots_and_truncates_overflows() {
    assert_eq!(
        one(&envelope("r", Value::Null, json!({"id": 1}))).class,
        Class::Snapshot
    );
    let truncated = one(&envelope("t", Value::Null, Value::Null));
    assert_eq!(
        (truncated.class, truncated.object.as_deref()),
        (Class::Overflow, Some("party"))
    );
}

#[test]
fn a_delete_and_its_tombstone_name_the_record() {
    let deleted = one(&envelope("d", json!({"id": 2, "name": "x"}), Value::Null));
    assert_eq!(
        (deleted.class, deleted.id.as_str(), deleted.fields.len()),
        (Class::Delete, "2", 0)
    );
    let mut tombstone = RawChange::new("2", Class::Tombstone);
    tombstone.object = Some("hinted".into());
    assert_eq!(
        keyed(r#"{"id":2}"#, None),
        Ok(vec![Item::Change(tombstone)])
    );
}

#[test]
fn the_key_names_the_record_in_all_its_spellings() {
    let row = envelope("c", Value::Null, json!({"a": 1})).to_string();
    for (key, id) in [
        (r#"{"id":7}"#, "7"),
        (r#"{"tenant":"eu","no":7,"main":true}"#, "eu:7:true"),
        (r#"{"schema":{"type":"struct"},"payload":{"id":7}}"#, "7"),
        ("\"7\"", "7"),
        ("7", "7"),
    ] {
        let ids = keyed(key, Some(&row)).map(|items| {
            let ids = items.into_iter().map(|item| match item {
                Item::Change(change) => change.id,
                Item::Refused(e) => panic!("{e}"),
            });
            ids.collect::<Vec<_>>()
        });
        assert_eq!(ids, Ok(vec![id.into()]), "{key}");
    }
}

#[test]
fn a_row_that_nothing_names_is_refused() {
    let row = envelope("c", Value::Null, json!({"a": 1}));
    assert_eq!(refusal(Debezium, &row.to_string()).code, Code::MissingId);
}

#[test]
fn the_connect_schema_is_taken_off() {
    let inner = envelope("c", Value::Null, json!({"id": 1}));
    let wrapped = json!({"schema": {"type": "struct", "fields": []}, "payload": inner});
    assert_eq!(one(&wrapped), one(&inner));
}

#[test]
fn transaction_markers_say_nothing() {
    assert_eq!(
        items(
            Debezium,
            r#"{"status":"BEGIN","id":"836:1","event_count":null,"ts_ms":1}"#
        ),
        Ok(vec![])
    );
    assert_eq!(items(Debezium, r#"{"ts_ms":1}"#), Ok(vec![]));
}

#[test]
fn a_column_the_database_did_not_hand_over_is_absent() {
    let change = one(&envelope(
        "u",
        Value::Null,
        json!({"id": 1, "bio": "__debezium_unavailable_value"}),
    ));
    assert_eq!(names(&change), ["id"]);
}

#[test]
fn microsecond_columns_stay_the_numbers_they_are() {
    let change = one(&envelope(
        "c",
        Value::Null,
        json!({"id": 1, "write_date": 1_795_334_420_426_575_i64}),
    ));
    assert_eq!(
        value(&change, "write_date"),
        Some(&number("1795334420426575"))
    );
}

#[test]
fn mysqls_file_and_position_make_a_rising_sequence() {
    let seq = |file: &str, pos: u64| {
        let mut row = envelope("c", Value::Null, json!({"id": 1}));
        row["source"] = json!({"connector": "mysql", "table": "t", "file": file, "pos": pos, "ts_ms": 1_795_334_420_411_i64});
        one(&row).seq
    };
    assert!(seq("mysql-bin.000003", 4_000_000_000) < seq("mysql-bin.000004", 4));
    assert_eq!(seq("no-number", 4), None);
}

#[test]
fn what_is_no_envelope_is_refused() {
    assert_eq!(refusal(Debezium, r#"{"id":1}"#).code, Code::UnknownShape);
    assert_eq!(
        refusal(
            Debezium,
            &envelope("z", Value::Null, json!({"id": 1})).to_string()
        )
        .code,
        Code::UnknownShape
    );
    assert_eq!(
        refusal(Debezium, &envelope("c", Value::Null, json!(3)).to_string()).code,
        Code::MissingId
    );
    assert_eq!(
        keyed(
            r#"{"id":"#,
            Some(&envelope("c", Value::Null, json!({})).to_string())
        )
        .map_err(|e| e.code),
        Err(Code::MalformedJson)
    );
}
