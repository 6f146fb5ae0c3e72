//! Canonical form: one spelling for each value, so that "the same" means equal.
//!
//! Two values of one field are the same for every rule exactly if their canonical forms are equal. Whatever
//! cannot be understood is kept as text and marked, never guessed at and never dropped.

mod country;
mod moment;
mod phone;
mod plain;

use std::{borrow::Cow, collections::BTreeMap};

use compact_str::CompactString;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::{
    change::{Format, Seen},
    rules::{FieldRule, FieldType, MappedField, System},
    value::{Raw, Value},
};

pub(crate) use moment::{instant, sensible, start_of_day};
pub(crate) use plain::truth;

/// The canonical form of one value that `system` sent for a field of type `rule.kind`.
///
/// Order of work: tidy the text, sentinels, value map, type. A blank comes back as
/// [`Seen::BlankInSnapshot`]; what it means in a change is for [`crate::normalise::normalise`] to say.
/// A value that is not of the field's type is kept as text with [`Seen::Invalid`]; one that may be wrong
/// (a phone number without a known region, an unknown country) has [`Seen::Doubtful`].
///
/// A [`FieldType::Reference`] becomes `<system>:<id>`, because an id means nothing outside its own system.
#[must_use]
pub fn canonicalise(
    raw: &Raw,
    rule: &FieldRule,
    mapped: &MappedField,
    system: &System,
) -> (Value, Seen) {
    if rule.kind == FieldType::MultiSelect {
        return multi_select(raw, rule, mapped, system);
    }
    match raw {
        Raw::Null => BLANK,
        Raw::Bool(b) => one(if *b { "true" } else { "false" }, rule, mapped, system),
        Raw::Number(text) | Raw::Text(text) => one(text, rule, mapped, system),
        Raw::List(items) => one(&items.join(";"), rule, mapped, system),
    }
}

/// As [`canonicalise`], without a look at the parts of a text that is canonical as it stands; most are.
#[must_use]
pub(crate) fn canonicalise_owned(
    raw: Raw,
    rule: &FieldRule,
    mapped: &MappedField,
    system: &System,
) -> (Value, Seen) {
    let any_text = rule.kind == FieldType::Text && mapped.values.is_empty();
    match raw {
        Raw::Text(text) if any_text && is_tidy(&text) && !is_sentinel(&text, rule) => {
            (Value::text(&text), Seen::Value)
        }
        raw => canonicalise(&raw, rule, mapped, system),
    }
}

/// A blank of which no more is known.
const BLANK: (Value, Seen) = (Value::Blank, Seen::BlankInSnapshot);

fn one(text: &str, rule: &FieldRule, mapped: &MappedField, system: &System) -> (Value, Seen) {
    let tidied = tidy(text);
    if tidied.is_empty() {
        return BLANK;
    }
    if is_sentinel(&tidied, rule) {
        return (Value::Blank, Seen::Sentinel);
    }
    if mapped.values.is_empty() {
        return typed(&tidied, rule.kind, mapped, system);
    }
    match from_vendor(&mapped.values, &tidied) {
        Some(canonical) => {
            let canonical = tidy(canonical);
            if canonical.is_empty() {
                BLANK
            } else if is_sentinel(&canonical, rule) {
                (Value::Blank, Seen::Sentinel)
            } else {
                typed(&canonical, rule.kind, mapped, system)
            }
        }
        None if mapped.closed => (Value::text(&tidied), Seen::Invalid),
        None => typed(&tidied, rule.kind, mapped, system),
    }
}

/// `text` is tidy and not empty.
fn typed(text: &str, kind: FieldType, mapped: &MappedField, system: &System) -> (Value, Seen) {
    let found = match kind {
        // A multi-select is taken apart before it comes here; one item of it is text.
        FieldType::Text | FieldType::MultiSelect => return (Value::text(text), Seen::Value),
        FieldType::Email => plain::email(text),
        FieldType::Phone => return phone::phone(text, system.region.as_deref()),
        FieldType::Country => {
            return match country::alpha2(text) {
                Some(code) => (Value::text(code), Seen::Value),
                None => (Value::text(text), Seen::Doubtful),
            };
        }
        FieldType::Date => {
            let days = system.format == Format::Debezium && !mapped.epoch_millis;
            moment::date(text, mapped.epoch_millis, days).map(Value::Date)
        }
        FieldType::Instant => {
            moment::instant(text, mapped.epoch_millis, system.zone.as_deref()).map(Value::Time)
        }
        FieldType::Number => plain::number(text).map(Value::Number),
        FieldType::Integer => plain::integer(text).map(Value::Number),
        FieldType::Boolean => plain::truth(text).map(|b| Value::Bool(b != mapped.negate)),
        FieldType::Url => return plain::url(text),
        FieldType::Reference => Some(Value::Text(smol_str::format_smolstr!(
            "{}:{text}",
            system.name
        ))),
    };
    match found {
        Some(value) => (value, Seen::Value),
        None => (Value::text(text), Seen::Invalid),
    }
}

/// A list, or text with separators. Blank and sentinel items fall out; one invalid item makes the whole invalid,
/// because a set of which a part is unknown must not replace a set.
fn multi_select(
    raw: &Raw,
    rule: &FieldRule,
    mapped: &MappedField,
    system: &System,
) -> (Value, Seen) {
    let mut set = Vec::new();
    let mut seen = Seen::Value;
    let mut sentinel = false;
    let mut add = |item: &str| match one(item, rule, mapped, system) {
        (Value::Text(text), how) => {
            if how == Seen::Invalid {
                seen = Seen::Invalid;
            }
            set.push(CompactString::from(text.as_str()));
        }
        (_, Seen::Sentinel) => sentinel = true,
        _ => {}
    };
    match raw {
        Raw::Null => {}
        Raw::Bool(b) => add(if *b { "true" } else { "false" }),
        Raw::Number(text) | Raw::Text(text) => {
            text.split(mapped.separator.unwrap_or(';')).for_each(add);
        }
        Raw::List(items) => items.iter().for_each(|item| add(item)),
    }
    if set.is_empty() {
        return if sentinel {
            (Value::Blank, Seen::Sentinel)
        } else {
            BLANK
        };
    }
    set.sort_unstable();
    set.dedup();
    (Value::Set(set), seen)
}

/// The canonical text that a vendor's picklist value stands for; vendors are not consistent about case.
fn from_vendor<'a>(
    values: &'a BTreeMap<CompactString, CompactString>,
    text: &str,
) -> Option<&'a CompactString> {
    values.get(text).or_else(|| {
        let folded = text.to_lowercase();
        values
            .iter()
            .find(|(label, _)| label.to_lowercase() == folded)
            .map(|(_, canonical)| canonical)
    })
}

fn is_sentinel(tidied: &str, rule: &FieldRule) -> bool {
    // Fillers are short words; a long text is none, and need not be folded to know it.
    const LONGEST: usize = 64;
    !rule.sentinels.is_empty()
        && tidied.len() <= LONGEST
        && rule.sentinels.contains(fold(tidied).as_ref())
}

/// Lower case, in a form that folding again does not change.
pub(crate) fn fold(text: &str) -> Cow<'_, str> {
    if text
        .bytes()
        .all(|b| b.is_ascii() && !b.is_ascii_uppercase())
    {
        return Cow::Borrowed(text);
    }
    if text.is_ascii() {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    Cow::Owned(text.to_lowercase().nfc().collect())
}

/// Trimmed, Unicode NFC, line ends as `\n`, without NUL (which databases refuse); inner white space is kept.
pub(crate) fn tidy(text: &str) -> Cow<'_, str> {
    // Printable ASCII, which most values are, has nothing to tidy but spaces at its ends.
    if is_printable(text) {
        return Cow::Borrowed(text.trim_ascii());
    }
    let mut text = Cow::Borrowed(text);
    if text.contains('\0') {
        text = Cow::Owned(text.replace('\0', ""));
    }
    if text.contains('\r') {
        text = Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"));
    }
    if is_nfc_quick(text.chars()) != IsNormalized::Yes {
        text = Cow::Owned(text.nfc().collect());
    }
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(trim(text)),
        Cow::Owned(text) => Cow::Owned(trim(&text).to_owned()),
    }
}

/// Whether a text is plainly tidy already and not empty; false does not say that it is not.
fn is_tidy(text: &str) -> bool {
    let ends = text.as_bytes().first().zip(text.as_bytes().last());
    ends.is_some_and(|(first, last)| *first != b' ' && *last != b' ') && is_printable(text)
}

/// Printable ASCII only.
fn is_printable(text: &str) -> bool {
    // By pieces without a way out of them, so that the compiler looks at many bytes at once.
    text.as_bytes().chunks(32).all(|piece| {
        piece
            .iter()
            .fold(true, |all, b| all & matches!(b, b' '..=b'~'))
    })
}

/// White space, and the marks without width that spreadsheets and web forms leave at the ends.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{200b}' | '\u{feff}'))
}
