//! What holds for any payload.

use baton_core::{
    canon::canonicalise,
    change::{Class, Format, RawChange, RawField, Seen},
    normalise::normalise,
    render::render,
    rules::{FieldType, MappedField},
    time::Millis,
    value::{Raw, Value},
};
use compact_str::CompactString;
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::world::{incoming, rule, rules, system, values};

/// Texts that some type takes seriously, and texts that none does.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "\\PC{0,12}",
        "[ -~]{0,20}",
        "[+]?[0-9 ()./x#-]{0,22}",
        "00[1-9][0-9]{6,14}",
        "[+][1-9][0-9]{5,16}( ?(x|ext\\.?) ?[0-9]{1,5})?",
        "-?[0-9]{1,20}(\\.[0-9]{0,12})?(e-?[0-9]{1,2})?",
        "[0-9]{4}-[0-1][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-][0-1][0-9]:?[03]0)?)?",
        "[A-Za-z]{1,8}@[A-Za-zÄé.]{1,8}",
        "(https?://)?[A-Za-zÄ.]{1,10}(/[a-zA-Z?#/]{0,6})?",
        "[a-dA-D]{1,2}([;|,] ?[a-dA-D]{0,2}){0,4}",
        select(vec![
            "true",
            "No",
            "1",
            "N/A",
            "-",
            "Germany",
            "USA",
            "Hot",
            "warm",
            "ΑΣ",
            "İ",
            "ﬁ",
            "e\u{301}",
            "\u{301}a",
            "Å\u{327}",
            "n/a ",
            "crm:1",
            "\u{feff} ",
            "a\r\nb",
            "Z",
        ])
        .prop_map(str::to_owned),
    ]
}

fn raw() -> impl Strategy<Value = Raw> {
    prop_oneof![
        1 => Just(Raw::Null),
        1 => any::<bool>().prop_map(Raw::Bool),
        2 => any::<i64>().prop_map(|n| Raw::Number(n.to_string().into())),
        2 => (-3_000_000_000_000_i64..3_000_000_000_000).prop_map(|n| Raw::Number(n.to_string().into())),
        2 => text().prop_map(|t| Raw::Number(t.into())),
        8 => text().prop_map(|t| Raw::Text(t.into())),
        2 => vec(text().prop_map(CompactString::from), 0..4).prop_map(Raw::List),
    ]
}

fn kind() -> impl Strategy<Value = FieldType> {
    select(FieldType::NAMES.map(|(_, kind)| kind).to_vec())
}

fn mapping() -> impl Strategy<Value = MappedField> {
    (
        select(vec![
            values(&[]),
            values(&[]),
            values(&[
                ("Hot", "a"),
                ("warm", "b"),
                ("Lukewarm", "b"),
                ("1", "true"),
                ("USA", "FR"),
            ]),
            values(&[("a", "b"), ("b", "a"), ("None", ""), ("c", "N/A")]),
        ]),
        any::<bool>(),
        option::of(0_usize..12),
        option::of(select(vec!['|', ',', ';'])),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(values, closed, max_length, separator, negate, epoch_millis)| {
                let mut mapped = MappedField::plain("field");
                if negate && !values.is_empty() {
                    mapped.write = self::values(&[("b", "warm"), ("a", "b")]);
                }
                mapped.values = values;
                mapped.closed = closed;
                mapped.max_length = max_length;
                mapped.separator = separator;
                mapped.negate = negate;
                mapped.epoch_millis = epoch_millis;
                mapped
            },
        )
}

fn place() -> impl Strategy<Value = baton_core::rules::System> {
    let regions = [
        None,
        Some("DE"),
        Some("US"),
        Some("IT"),
        Some("MX"),
        Some("AR"),
        Some("BR"),
        Some("RU"),
        Some("??"),
    ];
    (
        select(Format::ALL.to_vec()),
        select(regions.to_vec()),
        select(vec![
            None,
            Some("Europe/Berlin"),
            Some("America/New_York"),
            Some("Nowhere/At_All"),
        ]),
    )
        .prop_map(|(format, region, zone)| {
            let mut system = system("crm", format);
            system.region = region.map(Into::into);
            system.zone = zone.map(Into::into);
            system
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn whatever_a_vendor_sends_has_a_canonical_form(raw in raw(), kind in kind(), mapped in mapping(), system in place()) {
        let (value, seen) = canonicalise(&raw, &rule(kind), &mapped, &system);
        match (&value, seen) {
            (Value::Blank, Seen::Sentinel | Seen::BlankInSnapshot) => {}
            (Value::Blank, _) => prop_assert!(false, "a blank is seen as {seen:?}"),
            (_, Seen::Value | Seen::Doubtful | Seen::Invalid) => {}
            (value, seen) => prop_assert!(false, "{value:?} is seen as {seen:?}"),
        }
        if let Value::Text(text) = &value {
            prop_assert!(!text.is_empty());
        }
        if let Value::Set(items) = &value {
            prop_assert!(items.is_sorted_by(|a, b| a < b) && !items.is_empty());
        }
    }

    #[test]
    fn reading_back_what_was_written_gives_what_was_foretold(
        raw in raw(), kind in kind(), from in mapping(), source in place(), to in mapping(), target in place(),
    ) {
        let rule = rule(kind);
        let (value, seen) = canonicalise(&raw, &rule, &from, &source);
        if let Some((written, shown)) = render(&value, &rule, &to, &target) {
            let (read, how) = canonicalise(&Raw::from_json(&written), &rule, &to, &target);
            prop_assert_eq!(&read, &shown);
            prop_assert!(value.is_blank() == shown.is_blank(), "{:?} would show as {:?}", value, shown);
            prop_assert!(how != Seen::Invalid);
            // Written again, it stays as it is: a target that keeps what it is given needs no second write. (What
            // fitted before it got its country code may be too long with it; then it is not written again.)
            if let Some((_, again)) = render(&shown, &rule, &to, &target) {
                prop_assert_eq!(again, shown, "{:?} from {:?} {:?}", written, value, seen);
            }
        }
    }

    #[test]
    fn a_canonical_value_is_its_own_canonical_form(raw in raw(), kind in kind(), system in place()) {
        let rule = rule(kind);
        let mapped = MappedField::plain("field");
        let (value, seen) = canonicalise(&raw, &rule, &mapped, &system);
        if let (Value::Text(text), true) = (&value, kind != FieldType::Reference) {
            let again = canonicalise(&Raw::text(text), &rule, &mapped, &system);
            prop_assert_eq!(again, (value.clone(), seen));
        }
        if matches!(seen, Seen::Value) && kind != FieldType::MultiSelect {
            let back = render(&value, &rule, &mapped, &system).map(|(_, shown)| shown);
            prop_assert_eq!(back, Some(value));
        }
    }

    #[test]
    fn no_number_passes_through_floating_point(units in any::<i64>(), scale in 0_u32..20) {
        let number = rust_decimal::Decimal::new(units, scale).normalize();
        let crm = system("crm", Format::Salesforce);
        let mapped = MappedField::plain("field");
        let rule = rule(FieldType::Number);
        let rendered = render(&Value::Number(number), &rule, &mapped, &crm).map(|(_, shown)| shown);
        prop_assert_eq!(rendered, Some(Value::Number(number)));
        let read = canonicalise(&Raw::Number(number.to_string().into()), &rule, &mapped, &crm).0;
        prop_assert_eq!(read.to_string(), number.to_string());
    }
}

const NAMES: [&str; 9] = [
    "FirstName",
    "Email",
    "Phone",
    "MobilePhone",
    "IsDeleted",
    "LastModifiedDate",
    "LastModifiedById",
    "Topics__c",
    "nobody",
];

fn class() -> impl Strategy<Value = Class> {
    select(vec![
        Class::Delta,
        Class::Event,
        Class::Snapshot,
        Class::Gap,
        Class::Delete,
        Class::Merge {
            losers: vec!["00Q9".into()],
        },
        Class::Tombstone,
    ])
}

fn raw_field() -> impl Strategy<Value = RawField> {
    (
        select(NAMES.to_vec()),
        raw(),
        option::of(raw()),
        any::<bool>(),
    )
        .prop_map(|(name, value, before, cleared)| RawField {
            name: name.into(),
            value,
            before,
            cleared,
        })
}

fn raw_change() -> impl Strategy<Value = RawChange> {
    (
        class(),
        option::of(any::<i64>().prop_map(Millis)),
        option::of(any::<u64>()),
        option::of(text()),
        option::of(text()),
        vec(raw_field(), 0..8),
    )
        .prop_map(|(class, time, seq, cause, origin, fields)| {
            let mut raw = RawChange::new("00Q1", class);
            raw.object = Some("Lead".into());
            raw.time = time;
            raw.seq = seq;
            raw.cause = cause.map(Into::into);
            raw.origin = origin.map(Into::into);
            raw.fields = fields;
            raw
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_order_of_fields_in_a_payload_does_not_matter(
        (raw, shuffled) in raw_change()
            .prop_map(|mut raw| {
                // A payload names a field once; decoders hold to that.
                let mut names = std::collections::BTreeSet::new();
                raw.fields.retain(|f| names.insert(f.name.clone()));
                raw
            })
            .prop_flat_map(|raw| {
                let fields = raw.fields.clone();
                (Just(raw), Just(fields).prop_shuffle())
            })
            .prop_map(|(raw, fields)| {
                let shuffled = RawChange { fields, ..raw.clone() };
                (raw, shuffled)
            }),
    ) {
        let rules = rules();
        let one = normalise(incoming("crm", raw), &rules);
        let other = normalise(incoming("crm", shuffled), &rules);
        prop_assert_eq!(one, other);
    }

    #[test]
    fn a_change_names_each_field_once_and_in_order(raw in raw_change()) {
        let change = normalise(incoming("crm", raw), &rules()).expect("mapped");
        prop_assert!(change.fields.is_sorted_by(|a, b| a.field < b.field));
        prop_assert!(change.time <= super::world::ARRIVAL.plus(300_000));
    }
}
proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_phone_number_that_is_understood_is_the_same_number_in_every_region(
        text in prop_oneof!["[+]?[0-9]{1,20}", "[+]?(00|011|0)?[1-9][0-9]{4,14}( ?x[0-9]{1,4})?"],
        here in place(),
        there in place(),
    ) {
        let rule = rule(FieldType::Phone);
        let mapped = MappedField::plain("field");
        let (value, seen) = canonicalise(&Raw::text(&text), &rule, &mapped, &here);
        if seen == Seen::Value {
            let again = canonicalise(&Raw::from_json(&value.to_json()), &rule, &mapped, &there);
            prop_assert_eq!(again, (value, seen));
        }
    }
}
