//! E-mail addresses, URLs, numbers and truth values.

use std::borrow::Cow;

use rust_decimal::Decimal;

use super::fold;
use crate::{change::Seen, value::Value};

/// Case-folded; none unless it has one `@`, something on both sides and no white space.
/// No dot or plus folding: to some providers those are different people.
pub(super) fn email(text: &str) -> Option<Value> {
    let (local, domain) = text.split_once('@')?;
    let plausible = !local.is_empty()
        && !domain.is_empty()
        && !domain.contains('@')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && !text
            .bytes()
            .any(|b| matches!(b, 0..=b' ' | 0x7f | b',' | b';' | b'<' | b'>'))
        && (text.is_ascii() || !text.contains(|c: char| c.is_whitespace() || c.is_control()));
    plausible.then(|| Value::text(&fold(text)))
}

/// Scheme and host in lower case, no slash at the end. No scheme is made up for one that has none; what does not
/// look like a host (no dot) is doubtful, what holds white space is invalid.
pub(super) fn url(text: &str) -> (Value, Seen) {
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return (Value::text(text), Seen::Invalid);
    }
    let (scheme, rest) = match text.find("://") {
        Some(at) => text.split_at(at + 3),
        None => ("", text),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    if host.is_empty() {
        return (Value::text(text), Seen::Invalid);
    }
    // A slash at the end of a query or fragment belongs to it.
    let path = if path.contains(['?', '#']) {
        path
    } else {
        path.trim_end_matches('/')
    };
    let canonical = [fold(scheme), fold(host), Cow::Borrowed(path)].concat();
    let seen = if host.contains('.') {
        Seen::Value
    } else {
        Seen::Doubtful
    };
    (Value::text(&canonical), seen)
}

/// A decimal number. Thousands separators, currency signs and decimal commas are refused rather than guessed:
/// `1,234` is two different numbers in two countries.
pub(super) fn number(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let simple = digits
        .strip_prefix('-')
        .unwrap_or(digits)
        .bytes()
        .all(|b| b.is_ascii_digit() || b == b'.');
    let parsed = if simple {
        digits.parse::<Decimal>().ok()
    } else if digits
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+'))
    {
        Decimal::from_scientific(digits).ok()
    } else {
        None
    };
    parsed.map(|n| n.normalize())
}

/// A number without a fraction; `3.0` is one, `3.5` is not.
pub(super) fn integer(text: &str) -> Option<Decimal> {
    number(text).filter(Decimal::is_integer)
}

/// The spellings of true and false that systems use without being asked.
pub(crate) fn truth(text: &str) -> Option<bool> {
    const SPELLINGS: [(&str, bool); 12] = [
        ("true", true),
        ("false", false),
        ("1", true),
        ("0", false),
        ("yes", true),
        ("no", false),
        ("t", true),
        ("f", false),
        ("y", true),
        ("n", false),
        ("on", true),
        ("off", false),
    ];
    SPELLINGS
        .into_iter()
        .find(|(spelling, _)| spelling.eq_ignore_ascii_case(text))
        .map(|(_, truth)| truth)
}
