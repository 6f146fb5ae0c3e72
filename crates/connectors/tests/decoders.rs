//! Every decoder against its fixture, against damaged fixtures, and against random bytes.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{collections::BTreeSet, fs, path::PathBuf};

use baton_connectors::{Code, DecodeError, Item, MAX_BYTES, Message, decode, split};
use baton_core::change::{Class, Format};
use proptest::prelude::*;

const FIXTURES: [(Format, &str); 9] = [
    (Format::Salesforce, "salesforce.json"),
    (Format::Hubspot, "hubspot.json"),
    (Format::Marketo, "marketo.json"),
    (Format::Mautic, "mautic.json"),
    (Format::Espocrm, "espocrm.json"),
    (Format::Debezium, "debezium.jsonl"),
    (Format::Cloudevents, "cloudevents.json"),
    (Format::Csv, "csv.csv"),
    (Format::Baton, "baton.jsonl"),
];

fn fixture(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fs::read(folder.join(name)).unwrap()
}

/// Splits and decodes; what cannot be read at all comes as the refusal of its message.
fn all(format: Format, bytes: &[u8]) -> Vec<Item> {
    let mut out = Vec::new();
    for payload in split(format, bytes) {
        let message = Message {
            key: payload.key.as_deref(),
            value: payload.value.as_deref(),
            object: payload.object.as_deref(),
            ..Message::default()
        };
        match decode(format, &message) {
            Ok(items) => out.extend(items),
            Err(refused) => out.push(Item::Refused(refused)),
        }
    }
    out
}

fn refusals(items: &[Item]) -> Vec<&DecodeError> {
    let mut out = Vec::new();
    for item in items {
        if let Item::Refused(e) = item {
            out.push(e);
        }
    }
    out
}

#[test]
fn every_fixture_is_read_without_a_refusal() {
    for (format, name) in FIXTURES {
        let items = all(format, &fixture(name));
        assert_eq!(refusals(&items), Vec::<&DecodeError>::new(), "{name}");
        assert!(items.len() >= 2, "{name}");
    }
}

#[test]
fn every_change_has_an_id_and_its_fields_in_order() {
    for (format, name) in FIXTURES {
        for item in all(format, &fixture(name)) {
            let Item::Change(change) = item else {
                continue;
            };
            assert!(!change.id.is_empty(), "{name}");
            assert!(
                change.fields.is_sorted_by(|a, b| a.name < b.name),
                "{name}: {change:?}"
            );
            assert!(change.time.is_none_or(|at| at.is_timed()), "{name}");
        }
    }
}

#[test]
fn an_event_that_makes_several_changes_gives_each_its_own_identity() {
    for (format, name) in FIXTURES {
        let mut seen = BTreeSet::new();
        for item in all(format, &fixture(name)) {
            let Item::Change(change) = item else {
                continue;
            };
            if let Some(id) = change.vendor_id {
                assert!(seen.insert((change.object, change.id, id)), "{name}");
            }
        }
    }
}

#[test]
fn the_fixtures_show_every_class_that_a_vendor_can_tell() {
    let items = FIXTURES.map(|(format, name)| all(format, &fixture(name)));
    let has = |wanted: fn(&Class) -> bool| {
        let found = |item: &Item| matches!(item, Item::Change(change) if wanted(&change.class));
        items.iter().flatten().any(found)
    };
    assert!(has(|c| *c == Class::Delta) && has(|c| *c == Class::Event));
    assert!(has(|c| *c == Class::Snapshot) && has(|c| *c == Class::Gap));
    assert!(has(|c| *c == Class::Overflow) && has(|c| *c == Class::Delete));
    assert!(
        has(|c| matches!(c, Class::Merge { .. })) && has(|c| matches!(c, Class::Convert { .. }))
    );
    assert!(has(|c| matches!(c, Class::Activity { .. })) && has(|c| *c == Class::Tombstone));
}

#[test]
fn empty_foreign_and_oversized_payloads_are_refused_in_every_format() {
    let code = |format, value: &[u8]| {
        let message = Message {
            value: Some(value),
            ..Message::default()
        };
        decode(format, &message).err().map(|e| e.code)
    };
    let large = vec![b' '; MAX_BYTES + 1];
    for format in Format::ALL {
        assert_eq!(code(format, b" \n "), Some(Code::EmptyPayload));
        assert_eq!(code(format, b"{\"a\":\"\xff\"}"), Some(Code::NotUtf8));
        assert_eq!(code(format, &large), Some(Code::TooLarge));
        if format != Format::Csv {
            assert_eq!(code(format, b"{\"fields\":"), Some(Code::MalformedJson));
            assert_eq!(
                code(format, "[".repeat(5_000).as_bytes()),
                Some(Code::TooDeep)
            );
        }
    }
}

#[test]
fn a_tombstone_names_its_record_by_its_key() {
    for format in Format::ALL {
        let message = Message {
            key: Some(b"\"003\""),
            value: None,
            object: Some("contact"),
            ..Message::default()
        };
        let items = decode(format, &message).unwrap();
        let [Item::Change(change)] = &items[..] else {
            panic!("{items:?}")
        };
        assert_eq!(
            (&change.class, change.id.as_str()),
            (&Class::Tombstone, "003")
        );
        assert_eq!(decode(format, &Message::default()), Ok(Vec::new()));
    }
}

#[test]
fn every_code_has_a_page_that_says_what_why_and_what_to_do() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    for code in Code::ALL {
        let page = folder.join(format!("{code}.md"));
        let text = fs::read_to_string(&page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
        assert!(text.starts_with(&format!("# `{code}`\n")), "{code}");
        for part in ["## What", "## Why", "## What to do"] {
            assert!(text.contains(&format!("{part}\n")), "{code}: {part}");
        }
    }
}

/// Replaces, drops or doubles stretches of the bytes.
fn damaged(bytes: &[u8], cuts: &[(prop::sample::Index, usize, Vec<u8>)]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for (at, length, with) in cuts {
        if out.is_empty() {
            break;
        }
        let from = at.index(out.len());
        let to = (from + length).min(out.len());
        out.splice(from..to, with.iter().copied());
    }
    out
}

fn cuts() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, Vec<u8>)>> {
    let with = prop_oneof![
        Just(Vec::new()),
        prop::collection::vec(any::<u8>(), 1..4),
        prop::sample::select(vec![
            "null",
            "[]",
            "{}",
            "\"\"",
            "0",
            "-1",
            "1e999",
            "true",
            "[[",
            "\"*\"",
            "99999999999999999999"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, with), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn damaged_fixtures_never_panic_in_any_format(
        which in 0..FIXTURES.len(),
        cuts in cuts(),
        other in 0..Format::ALL.len(),
    ) {
        let (format, name) = FIXTURES[which];
        let bytes = damaged(&fixture(name), &cuts);
        for format in [format, Format::ALL[other]] {
            for item in all(format, &bytes) {
                if let Item::Change(change) = item {
                    prop_assert!(!change.id.is_empty());
                }
            }
        }
    }

    #[test]
    fn random_bytes_never_panic_in_any_format(
        key in prop::option::of(prop::collection::vec(any::<u8>(), 0..20)),
        value in prop::option::of(prop::collection::vec(any::<u8>(), 0..200)),
    ) {
        for format in Format::ALL {
            let message = Message { key: key.as_deref(), value: value.as_deref(), ..Message::default() };
            let _ = decode(format, &message);
        }
    }

    #[test]
    fn a_refusal_never_shows_a_value(secret in "[A-Z]{12}", which in 0..FIXTURES.len(), cuts in cuts()) {
        let (format, name) = FIXTURES[which];
        let text = String::from_utf8(fixture(name)).unwrap();
        let marked = text.replace("Ada", &secret).replace("ada@example.com", &secret);
        for refused in refusals(&all(format, &damaged(marked.as_bytes(), &cuts))) {
            prop_assert!(!refused.to_string().contains(&secret), "{refused}");
        }
    }

    #[test]
    fn decoding_twice_says_the_same(which in 0..FIXTURES.len(), cuts in cuts()) {
        let (format, name) = FIXTURES[which];
        let bytes = damaged(&fixture(name), &cuts);
        prop_assert_eq!(all(format, &bytes), all(format, &bytes));
    }
}
