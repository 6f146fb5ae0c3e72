//! Payloads as the vendors send them, one per file under `tests/payloads/<format>/`, each with what it says beside
//! it (`.says`). The name of the file is the fact. Names and ids are made up.
//!
//! The first lines of a `.says` file may give what does not stand in the payload: `object: contact` and
//! `key: {"id":1}`. `BATON_BLESS=1 cargo test -p baton-connectors --test payloads` writes what is said now; read the
//! difference before you commit it.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use baton_connectors::{Item, Message, decode, split};
use baton_core::{
    change::{Class, Format, Precision, RawChange},
    value::Raw,
};

fn folder(format: Format) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/payloads")
        .join(format.as_str())
}

/// The payloads of one format, by name.
fn payloads(format: Format) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder(format)) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e != "says"));
    files.sort();
    files
}

/// The lines `name: value` that a `.says` file begins with.
fn given<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines()
        .take_while(|line| line.starts_with("object: ") || line.starts_with("key: "))
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn head(text: &str) -> String {
    ["object", "key"]
        .iter()
        .filter_map(|name| given(text, name).map(|value| format!("{name}: {value}\n")))
        .collect()
}

fn items(format: Format, bytes: &[u8], head: &str) -> Vec<Item> {
    let mut out = Vec::new();
    for payload in split(format, bytes) {
        let message = Message {
            key: given(head, "key")
                .map(str::as_bytes)
                .or(payload.key.as_deref()),
            value: payload.value.as_deref(),
            object: payload.object.as_deref().or(given(head, "object")),
            ..Message::default()
        };
        match decode(format, &message) {
            Ok(items) => out.extend(items),
            Err(refused) => out.push(Item::Refused(refused)),
        }
    }
    out
}

fn said(items: &[Item]) -> String {
    let mut text = String::new();
    for item in items {
        match item {
            Item::Change(change) => tell(change, &mut text),
            Item::Refused(e) => {
                writeln!(text, "refused {}: {}: {}", e.code.as_str(), e.place, e.what).unwrap()
            }
        }
    }
    if text.is_empty() {
        text.push_str("nothing\n");
    }
    text
}

fn tell(change: &RawChange, text: &mut String) {
    let class = match &change.class {
        Class::Merge { losers } => format!("merge of {}", losers.join(", ")),
        Class::Convert { to } => {
            let to: Vec<String> = to
                .iter()
                .map(|(o, id)| format!("{} {id}", o.as_str()))
                .collect();
            format!("convert to {}", to.join(", "))
        }
        Class::Activity { kind } => format!("activity {kind}"),
        Class::Stage { stage } => format!("stage {stage}"),
        other => format!("{other:?}").to_lowercase(),
    };
    write!(
        text,
        "{} {}: {class}",
        change.object.as_deref().unwrap_or("?"),
        change.id
    )
    .unwrap();
    match (change.time, change.precision) {
        (Some(at), Precision::Millis) => write!(text, " at {at}").unwrap(),
        (Some(at), precision) => write!(text, " at {at} ({precision:?})").unwrap(),
        (None, _) => text.push_str(" untimed"),
    }
    for (name, value) in [
        ("seq", change.seq.map(|seq| seq.to_string())),
        ("event", change.vendor_id.as_ref().map(ToString::to_string)),
        (
            "transaction",
            change.transaction.as_ref().map(ToString::to_string),
        ),
        ("cause", change.cause.as_ref().map(ToString::to_string)),
        ("actor", change.actor.as_ref().map(ToString::to_string)),
        ("origin", change.origin.as_ref().map(ToString::to_string)),
    ] {
        if let Some(value) = value {
            write!(text, ", {name} {value}").unwrap();
        }
    }
    text.push('\n');
    for field in &change.fields {
        write!(text, "  {} = {}", field.name, shown(&field.value)).unwrap();
        if let Some(before) = &field.before {
            write!(text, ", before {}", shown(before)).unwrap();
        }
        if field.cleared {
            text.push_str(", cleared");
        }
        text.push('\n');
    }
}

fn shown(value: &Raw) -> String {
    match value {
        Raw::Null => "null".into(),
        Raw::Bool(yes) => yes.to_string(),
        Raw::Number(number) => number.to_string(),
        Raw::Text(text) => format!("{text:?}"),
        Raw::List(list) => format!("{list:?}"),
    }
}

fn says(path: &Path) -> (PathBuf, String) {
    let beside = path.with_extension("says");
    let text = fs::read_to_string(&beside).unwrap_or_default();
    (beside, text)
}

/// Each payload of a format against what stands beside it.
fn judge(format: Format, least: usize) {
    let files = payloads(format);
    assert!(
        files.len() >= least,
        "{} payloads of {format:?}",
        files.len()
    );
    let mut wrong = Vec::new();
    for path in files {
        let (beside, wanted) = says(&path);
        let head = head(&wanted);
        let found = format!(
            "{head}{}",
            said(&items(format, &fs::read(&path).unwrap(), &head))
        );
        if std::env::var_os("BATON_BLESS").is_some() {
            fs::write(&beside, &found).unwrap();
        } else if found != wanted {
            wrong.push(format!(
                "{}\n--- wanted\n{wanted}--- found\n{found}",
                path.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn salesforce_payloads_say_what_stands_beside_them() {
    judge(Format::Salesforce, 23);
}

#[test]
fn hubspot_payloads_say_what_stands_beside_them() {
    judge(Format::Hubspot, 14);
}

#[test]
fn marketo_payloads_say_what_stands_beside_them() {
    judge(Format::Marketo, 14);
}

#[test]
fn mautic_payloads_say_what_stands_beside_them() {
    judge(Format::Mautic, 13);
}

#[test]
fn espocrm_payloads_say_what_stands_beside_them() {
    judge(Format::Espocrm, 10);
}

#[test]
fn debezium_payloads_say_what_stands_beside_them() {
    judge(Format::Debezium, 17);
}

#[test]
fn cloudevents_payloads_say_what_stands_beside_them() {
    judge(Format::Cloudevents, 8);
}

#[test]
fn csv_payloads_say_what_stands_beside_them() {
    judge(Format::Csv, 15);
}

#[test]
fn nothing_is_said_to_stand_beside_a_payload_that_is_not_there() {
    for format in Format::ALL {
        let stems: BTreeSet<_> = payloads(format)
            .iter()
            .map(|p| p.with_extension(""))
            .collect();
        let Ok(entries) = fs::read_dir(folder(format)) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            assert!(
                stems.contains(&path.with_extension("")),
                "{}",
                path.display()
            );
        }
    }
}
