//! What systems do to texts, and how they write instants.

use baton_core::{
    change::Precision,
    time::{DAY, Millis, SECOND},
};
use serde_json::Value;

use crate::Recase;

pub fn recase(text: &str, how: Recase) -> String {
    match how {
        Recase::Upper => text.to_uppercase(),
        Recase::Lower => text.to_lowercase(),
        Recase::Title => {
            let mut begins = true;
            let mut out = String::with_capacity(text.len());
            for c in text.chars() {
                if begins {
                    out.extend(c.to_uppercase());
                } else {
                    out.extend(c.to_lowercase());
                }
                begins = !c.is_alphanumeric() && c != '\'';
            }
            out
        }
    }
}

/// The first `length` characters, as databases cut: at a character, wherever the words end.
pub fn cut(text: &str, length: usize) -> String {
    text.chars().take(length).collect()
}

/// Empty text and null are one blank, as in every system here.
pub fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// The instant as the system's stamps show it.
pub const fn stamp(at: Millis, precision: Precision) -> Millis {
    match precision {
        Precision::Millis => at,
        Precision::Second => at.floor(SECOND),
        Precision::Day => at.floor(DAY),
    }
}

/// RFC 3339 in UTC, with milliseconds only where the precision has them.
pub fn rfc3339(at: Millis, precision: Precision) -> String {
    let form = match precision {
        Precision::Millis => "%Y-%m-%dT%H:%M:%S%.3fZ",
        Precision::Second | Precision::Day => "%Y-%m-%dT%H:%M:%SZ",
    };
    format(at, form)
}

/// As PHP writes it: `2026-11-22T07:55:34+00:00`.
pub fn php(at: Millis) -> String {
    format(at, "%Y-%m-%dT%H:%M:%S+00:00")
}

fn format(at: Millis, form: &str) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map_or_else(|_| at.to_string(), |t| t.strftime(form).to_string())
}
