//! Canonical form, type by type.

use baton_core::{
    canon::canonicalise,
    change::{Format, Seen},
    rules::{FieldType, MappedField},
    time::Millis,
    value::{Raw, Value},
};

use super::world::{rule, system, values};

fn read(kind: FieldType, raw: &Raw) -> (Value, Seen) {
    let mut crm = system("crm", Format::Salesforce);
    crm.region = Some("DE".into());
    crm.zone = Some("Europe/Berlin".into());
    canonicalise(raw, &rule(kind), &MappedField::plain("field"), &crm)
}

fn shown(kind: FieldType, text: &str) -> (String, Seen) {
    let (value, seen) = read(kind, &Raw::text(text));
    (value.to_string(), seen)
}

fn value(kind: FieldType, text: &str) -> String {
    let (shown, seen) = shown(kind, text);
    assert_eq!(seen, Seen::Value, "{text} is a value");
    shown
}

#[test]
fn text_is_trimmed_and_composed_and_keeps_its_inner_white_space() {
    assert_eq!(value(FieldType::Text, "  Anna  Maria \t"), "Anna  Maria");
    assert_eq!(value(FieldType::Text, "Mu\u{308}ller"), "Müller");
    assert_eq!(value(FieldType::Text, "\u{feff}a\r\nb\rc\u{0}"), "a\nb\nc");
}

#[test]
fn empty_and_white_space_and_null_are_blank() {
    for raw in [
        Raw::Null,
        Raw::text(""),
        Raw::text(" \u{a0}\n"),
        Raw::List(vec![]),
    ] {
        for (_, kind) in FieldType::NAMES {
            let blank = (Value::Blank, Seen::BlankInSnapshot);
            assert_eq!(read(kind, &raw), blank, "{raw:?} as {kind:?}");
        }
    }
}

#[test]
fn fillers_count_as_never_set_whatever_their_case() {
    for filler in ["N/A", " n/a ", "Unknown", "-"] {
        assert_eq!(
            shown(FieldType::Text, filler),
            (String::new(), Seen::Sentinel)
        );
        assert_eq!(
            shown(FieldType::Date, filler),
            (String::new(), Seen::Sentinel)
        );
    }
    assert_eq!(value(FieldType::Text, "unknown soldier"), "unknown soldier");
}

#[test]
fn emails_are_folded_and_implausible_ones_are_invalid() {
    assert_eq!(
        value(FieldType::Email, " Ann.B+x@Example.COM "),
        "ann.b+x@example.com"
    );
    for bad in [
        "ann",
        "@x.org",
        "a@",
        "a b@x.org",
        "a@b@c",
        "a@x.org, b@x.org",
        "a@.org",
    ] {
        assert_eq!(shown(FieldType::Email, bad), (bad.into(), Seen::Invalid));
    }
}

#[test]
fn one_phone_number_has_one_form() {
    for text in [
        "+4930123456",
        "030 / 123456",
        "+49 (0) 30 12 34 56",
        "0049 30 123456",
        "tel:+49-30-123456",
        "+49030123456",
        "(030) 123-456",
        "+0049 30 123456",
    ] {
        assert_eq!(value(FieldType::Phone, text), "+4930123456", "{text}");
    }
    assert_eq!(value(FieldType::Phone, "+1 (415) 555-2671"), "+14155552671");
    assert_eq!(value(FieldType::Phone, "+39 06 1234 5678"), "+390612345678");
}

#[test]
fn an_extension_stays_with_its_number() {
    for text in [
        "+1 415 555 2671 ext. 12",
        "+14155552671x12",
        "+1-415-555-2671;ext=12",
        "+14155552671 x12",
        "+1 415 555 2671 #12",
    ] {
        assert_eq!(value(FieldType::Phone, text), "+14155552671 x12", "{text}");
    }
}

#[test]
fn a_number_of_no_known_region_is_doubtful() {
    let nowhere = system("map", Format::Mautic);
    let field = MappedField::plain("phone");
    let phone = |text| canonicalise(&Raw::text(text), &rule(FieldType::Phone), &field, &nowhere);
    assert_eq!(
        phone("030/123456"),
        (Value::text("030123456"), Seen::Doubtful)
    );
    assert_eq!(
        phone("+49 30 123456"),
        (Value::text("+4930123456"), Seen::Value)
    );
}

#[test]
fn what_is_no_phone_number_is_kept_as_it_stands() {
    assert_eq!(
        shown(FieldType::Phone, "call me"),
        ("call me".into(), Seen::Invalid)
    );
    assert_eq!(shown(FieldType::Phone, "12"), ("12".into(), Seen::Invalid));
    let two = "030 123456 or 040 456789";
    assert_eq!(shown(FieldType::Phone, two), (two.into(), Seen::Doubtful));
}

#[test]
fn countries_are_known_by_code_name_and_alias() {
    for (text, code) in [
        ("DE", "DE"),
        ("de", "DE"),
        ("DEU", "DE"),
        ("Germany", "DE"),
        ("DEUTSCHLAND", "DE"),
        ("USA", "US"),
        ("U.S.A.", "US"),
        ("United States of America", "US"),
        ("the united states", "US"),
        ("UK", "GB"),
        ("Great Britain", "GB"),
        ("Cote d'Ivoire", "CI"),
        ("Côte d’Ivoire", "CI"),
        ("Trinidad & Tobago", "TT"),
        ("The Netherlands", "NL"),
        ("Österreich", "AT"),
        ("Osterreich", "AT"),
    ] {
        assert_eq!(value(FieldType::Country, text), code, "{text}");
    }
    assert_eq!(
        shown(FieldType::Country, "Atlantis"),
        ("Atlantis".into(), Seen::Doubtful)
    );
}

#[test]
fn dates_come_as_iso_or_as_milliseconds() {
    for text in [
        "2024-02-29",
        "2024-02-29T23:30:00Z",
        "2024-02-29 10:00:00",
        "1709164800000",
        "1709251199999",
    ] {
        assert_eq!(value(FieldType::Date, text), "2024-02-29", "{text}");
    }
    for bad in [
        "2023-02-29",
        "29.02.2024",
        "02/03/2024",
        "2024-02",
        "2024-02-29 maybe",
        "20000",
    ] {
        assert_eq!(shown(FieldType::Date, bad), (bad.into(), Seen::Invalid));
    }
}

#[test]
fn change_capture_writes_dates_as_days() {
    let erp = system("erp", Format::Debezium);
    let field = MappedField::plain("born");
    let raw = Raw::Number("19782".into());
    let (date, seen) = canonicalise(&raw, &rule(FieldType::Date), &field, &erp);
    assert_eq!(
        (date.to_string().as_str(), seen),
        ("2024-02-29", Seen::Value)
    );
}

#[test]
fn instants_without_an_offset_are_in_the_systems_zone() {
    let at = |text| read(FieldType::Instant, &Raw::text(text));
    let noon = (Value::Time(Millis(1_709_204_400_000)), Seen::Value);
    for text in [
        "2024-02-29T11:00:00Z",
        "2024-02-29T11:00:00.000+0000",
        "2024-02-29T12:00:00+01:00",
        "2024-02-29 12:00:00",
        "2024-02-29T12:00:00.000",
        "1709204400000",
        "1709204400000000",
    ] {
        assert_eq!(at(text), noon, "{text}");
    }
    assert_eq!(at("2024-02-29").0, Value::Time(Millis(1_709_161_200_000)));
    // The clock jumps from two to three: the first reading that exists.
    assert_eq!(
        at("2024-03-31 02:30:00").0,
        Value::Time(Millis(1_711_848_600_000))
    );
    for bad in [
        "yesterday",
        "12:00",
        "1709204",
        "2024-13-01T00:00:00Z",
        "99999999999999999999",
    ] {
        assert_eq!(at(bad), (Value::text(bad), Seen::Invalid));
    }
}

#[test]
fn numbers_are_exact_and_never_guessed() {
    for (text, number) in [
        ("1.50", "1.5"),
        ("+7", "7"),
        ("-0", "0"),
        ("1e3", "1000"),
        ("0.1", "0.1"),
        (
            "12345678901234567890.12345678",
            "12345678901234567890.12345678",
        ),
    ] {
        assert_eq!(value(FieldType::Number, text), number, "{text}");
    }
    for bad in [
        "1,000",
        "1.000.000",
        "€ 5",
        "5 %",
        "1_000",
        "NaN",
        "inf",
        "--1",
        "1e99",
        "0x10",
        ".",
    ] {
        assert_eq!(shown(FieldType::Number, bad), (bad.into(), Seen::Invalid));
    }
    assert_eq!(value(FieldType::Integer, "3.0"), "3");
    assert_eq!(
        shown(FieldType::Integer, "3.5"),
        ("3.5".into(), Seen::Invalid)
    );
}

#[test]
fn truth_has_many_spellings_and_may_be_negated() {
    for text in ["true", "TRUE", "1", "Yes", "t", "on"] {
        assert_eq!(
            read(FieldType::Boolean, &Raw::text(text)).0,
            Value::Bool(true)
        );
    }
    assert_eq!(
        read(FieldType::Boolean, &Raw::Bool(false)).0,
        Value::Bool(false)
    );
    assert_eq!(
        shown(FieldType::Boolean, "maybe"),
        ("maybe".into(), Seen::Invalid)
    );
    let mut subscribed = MappedField::plain("opted_out");
    subscribed.negate = true;
    let map = system("map", Format::Mautic);
    let out = canonicalise(
        &Raw::Bool(true),
        &rule(FieldType::Boolean),
        &subscribed,
        &map,
    );
    assert_eq!(out, (Value::Bool(false), Seen::Value));
}

#[test]
fn multi_selects_are_sets() {
    let set = |raw| read(FieldType::MultiSelect, &raw);
    let both = (Value::Set(vec!["a".into(), "b".into()]), Seen::Value);
    assert_eq!(set(Raw::text("b; a;;b")), both);
    assert_eq!(
        set(Raw::List(vec!["b".into(), " a".into(), "N/A".into()])),
        both
    );
    assert_eq!(set(Raw::text(" ; ")), (Value::Blank, Seen::BlankInSnapshot));
    assert_eq!(set(Raw::text("n/a;-")), (Value::Blank, Seen::Sentinel));
}

#[test]
fn links_differ_only_where_it_matters() {
    for text in [
        "https://Example.com/",
        "HTTPS://example.com",
        "https://example.com//",
    ] {
        assert_eq!(value(FieldType::Url, text), "https://example.com");
    }
    assert_eq!(
        value(FieldType::Url, "www.Example.com/A/b/"),
        "www.example.com/A/b"
    );
    assert_eq!(
        value(FieldType::Url, "http://x.org/?q=A/"),
        "http://x.org/?q=A/"
    );
    assert_eq!(
        shown(FieldType::Url, "none yet"),
        ("none yet".into(), Seen::Invalid)
    );
    assert_eq!(
        shown(FieldType::Url, "localhost"),
        ("localhost".into(), Seen::Doubtful)
    );
}

#[test]
fn a_reference_belongs_to_its_system() {
    assert_eq!(value(FieldType::Reference, " 001A "), "crm:001A");
}

#[test]
fn picklist_labels_are_known_in_any_case_and_closed_lists_refuse_others() {
    let crm = system("crm", Format::Salesforce);
    let mut field = MappedField::plain("rating");
    field.values = values(&[
        ("Hot", "a"),
        ("hot", "b"),
        ("None", ""),
        ("Dunno", "Unknown"),
    ]);
    let read = |field: &MappedField, text| {
        canonicalise(&Raw::text(text), &rule(FieldType::Text), field, &crm)
    };
    assert_eq!(
        read(&field, "HOT").0,
        Value::text("a"),
        "the first in order"
    );
    assert_eq!(
        read(&field, "hot").0,
        Value::text("b"),
        "the exact one first"
    );
    assert_eq!(read(&field, "none"), (Value::Blank, Seen::BlankInSnapshot));
    assert_eq!(read(&field, "dunno"), (Value::Blank, Seen::Sentinel));
    assert_eq!(read(&field, "Cold"), (Value::text("Cold"), Seen::Value));
    field.closed = true;
    assert_eq!(read(&field, "Cold"), (Value::text("Cold"), Seen::Invalid));
}

#[test]
fn a_value_map_says_what_a_code_means_before_its_type_does() {
    let crm = system("crm", Format::Salesforce);
    let mut field = MappedField::plain("opted_out");
    field.values = values(&[("unsubscribed", "true"), ("subscribed", "false")]);
    let read = |text| canonicalise(&Raw::text(text), &rule(FieldType::Boolean), &field, &crm);
    assert_eq!(read("Unsubscribed"), (Value::Bool(true), Seen::Value));
}
