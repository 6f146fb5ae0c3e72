//! From canonical to a target's own form.

use baton_core::{
    change::Format,
    render::render,
    rules::{FieldType, MappedField},
    time::Millis,
    value::Value,
};
use rust_decimal::Decimal;
use serde_json::{Value as Json, json};

use super::world::{rule, system, values};

fn plain(edit: impl FnOnce(&mut MappedField)) -> MappedField {
    let mut mapped = MappedField::plain("field");
    edit(&mut mapped);
    mapped
}

fn crm(value: &Value, kind: FieldType, mapped: &MappedField) -> Option<(Json, Value)> {
    render(
        value,
        &rule(kind),
        mapped,
        &system("crm", Format::Salesforce),
    )
}

fn written(value: &Value, kind: FieldType, mapped: &MappedField) -> Option<Json> {
    crm(value, kind, mapped).map(|(json, _)| json)
}

fn set(items: &[&str]) -> Value {
    Value::Set(items.iter().map(|i| (*i).into()).collect())
}

#[test]
fn a_blank_is_null_everywhere() {
    for (_, kind) in FieldType::NAMES {
        assert_eq!(
            crm(&Value::Blank, kind, &plain(|_| {})),
            Some((Json::Null, Value::Blank))
        );
    }
}

#[test]
fn a_long_text_is_cut_and_the_cut_is_foretold() {
    let mapped = plain(|m| m.max_length = Some(4));
    let cut = crm(&Value::text("Zoë Müller"), FieldType::Text, &mapped);
    assert_eq!(
        cut,
        Some((json!("Zoë"), Value::text("Zoë"))),
        "no space at the end"
    );
    let kept = crm(&Value::text("Müll"), FieldType::Text, &mapped);
    assert_eq!(kept, Some((json!("Müll"), Value::text("Müll"))));
}

#[test]
fn what_a_cut_would_make_another_is_not_written() {
    let mapped = plain(|m| m.max_length = Some(8));
    assert_eq!(
        crm(&Value::text("ann@example.com"), FieldType::Email, &mapped),
        None
    );
    assert_eq!(
        crm(&Value::text("+4930123456"), FieldType::Phone, &mapped),
        None
    );
    assert_eq!(
        crm(&Value::text("a@b.org"), FieldType::Email, &mapped).map(|r| r.0),
        Some(json!("a@b.org"))
    );
}

#[test]
fn the_first_label_of_a_value_is_written() {
    let mapped = plain(|m| {
        m.values = values(&[("Warm", "b"), ("Hot", "a"), ("Lukewarm", "b")]);
        m.closed = true;
    });
    assert_eq!(
        crm(&Value::text("b"), FieldType::Text, &mapped),
        Some((json!("Lukewarm"), Value::text("b")))
    );
    assert_eq!(
        crm(&Value::text("c"), FieldType::Text, &mapped),
        None,
        "closed"
    );
}

#[test]
fn the_label_that_the_mapping_chose_is_written() {
    let mapped = plain(|m| {
        m.values = values(&[
            ("bounced", "true"),
            ("manual", "true"),
            ("contactable", "false"),
        ]);
        m.write = values(&[("true", "manual")]);
    });
    let written = |b| crm(&Value::Bool(b), FieldType::Boolean, &mapped);
    assert_eq!(written(true), Some((json!("manual"), Value::Bool(true))));
    assert_eq!(
        written(false),
        Some((json!("contactable"), Value::Bool(false)))
    );
}

#[test]
fn a_value_that_is_the_label_of_another_is_not_written() {
    let mapped = plain(|m| m.values = values(&[("a", "b")]));
    assert_eq!(crm(&Value::text("a"), FieldType::Text, &mapped), None);
    assert_eq!(
        written(&Value::text("c"), FieldType::Text, &mapped),
        Some(json!("c"))
    );
}

#[test]
fn a_filler_never_travels() {
    let mapped = plain(|m| m.max_length = Some(3));
    assert_eq!(crm(&Value::text("n/a yet"), FieldType::Text, &mapped), None);
}

#[test]
fn truth_is_negated_back_and_labels_of_truth_are_truth_values() {
    let negated = plain(|m| m.negate = true);
    let out = crm(&Value::Bool(true), FieldType::Boolean, &negated);
    assert_eq!(out, Some((json!(false), Value::Bool(true))));
    let labelled = plain(|m| m.values = values(&[("true", "opted_out"), ("false", "opted_in")]));
    assert_eq!(
        written(&Value::text("opted_in"), FieldType::Text, &labelled),
        Some(json!(false))
    );
}

#[test]
fn times_are_written_as_the_vendor_counts_them() {
    let epoch = plain(|m| m.epoch_millis = true);
    let at = Value::Time(Millis(1_709_204_400_000));
    assert_eq!(
        written(&at, FieldType::Instant, &epoch),
        Some(json!(1_709_204_400_000_i64))
    );
    assert_eq!(
        written(&at, FieldType::Instant, &plain(|_| {})),
        Some(json!("2024-02-29T11:00:00Z"))
    );
    let day = Value::Date(19_782);
    assert_eq!(
        written(&day, FieldType::Date, &epoch),
        Some(json!(1_709_164_800_000_i64))
    );
    assert_eq!(
        written(&day, FieldType::Date, &plain(|_| {})),
        Some(json!("2024-02-29"))
    );
}

#[test]
fn a_set_is_written_with_the_separator_or_as_a_list() {
    let topics = set(&["ai", "crm"]);
    assert_eq!(
        written(&topics, FieldType::MultiSelect, &plain(|_| {})),
        Some(json!("ai;crm"))
    );
    let bars = plain(|m| m.separator = Some('|'));
    assert_eq!(
        written(&topics, FieldType::MultiSelect, &bars),
        Some(json!("ai|crm"))
    );
    let espo = system("espo", Format::Espocrm);
    let list = render(
        &topics,
        &rule(FieldType::MultiSelect),
        &plain(|_| {}),
        &espo,
    );
    assert_eq!(list, Some((json!(["ai", "crm"]), topics)));
}

#[test]
fn a_set_loses_whole_items_only() {
    let mapped = plain(|m| m.max_length = Some(6));
    let cut = crm(&set(&["ai", "crm", "erp"]), FieldType::MultiSelect, &mapped);
    assert_eq!(cut, Some((json!("ai;crm"), set(&["ai", "crm"]))));
}

#[test]
fn an_item_with_the_separator_in_it_is_not_written() {
    assert_eq!(
        crm(&set(&["a;b"]), FieldType::MultiSelect, &plain(|_| {})),
        None
    );
}

#[test]
fn a_set_speaks_the_vendors_labels() {
    let mapped = plain(|m| {
        m.values = values(&[("Artificial Intelligence", "ai"), ("CRM", "crm")]);
        m.closed = true;
    });
    let out = crm(&set(&["ai", "crm"]), FieldType::MultiSelect, &mapped);
    assert_eq!(
        out,
        Some((json!("Artificial Intelligence;CRM"), set(&["ai", "crm"])))
    );
    assert_eq!(crm(&set(&["erp"]), FieldType::MultiSelect, &mapped), None);
}

#[test]
fn a_reference_goes_to_its_own_system_only() {
    let own = Value::text("crm:001A");
    assert_eq!(
        crm(&own, FieldType::Reference, &plain(|_| {})),
        Some((json!("001A"), own))
    );
    assert_eq!(
        crm(
            &Value::text("crm2:001A"),
            FieldType::Reference,
            &plain(|_| {})
        ),
        None
    );
    assert_eq!(
        crm(&Value::text("map:17"), FieldType::Reference, &plain(|_| {})),
        None
    );
}

#[test]
fn a_number_that_json_cannot_hold_exactly_is_text() {
    let number = |text: &str| Value::Number(text.parse::<Decimal>().expect("a number"));
    let json = |text| written(&number(text), FieldType::Number, &plain(|_| {}));
    assert_eq!(json("1200.50"), Some(json!(1200.5)));
    assert_eq!(json("42"), Some(json!(42)));
    assert_eq!(
        json("0.1234567890123456789"),
        Some(json!("0.1234567890123456789"))
    );
    assert_eq!(
        json("12345678901234567890123"),
        Some(json!("12345678901234567890123"))
    );
}
