//! Vendors' times, each with the precision it was written with.

use baton_core::{change::Precision, time::Millis};

use crate::{
    error::{Code, DecodeError, Place},
    json::Node,
};

/// Milliseconds of 0001-01-01 and 9999-12-30: what every vendor's clock stays within.
const FIRST: i64 = -62_135_596_800_000;
const LAST: i64 = 253_402_128_000_000;

/// Reads RFC 3339 (`Z`, `+00:00`, `+0000`), the same without zone (taken as UTC, `T` or a space between), or a date.
///
/// Without a fraction the time is exact to the second; a date is the start of its day.
pub(crate) fn parse(text: &str) -> Option<(Millis, Precision)> {
    let text = text.trim();
    if text.len() < 10 || text.len() > 64 {
        return None;
    }
    let precision = match text.as_bytes().get(19) {
        _ if text.len() == 10 => Precision::Day,
        Some(b'.' | b',') => Precision::Millis,
        _ => Precision::Second,
    };
    let time = match text.parse::<jiff::Timestamp>() {
        Ok(at) => at,
        Err(_) => {
            let civil: jiff::civil::DateTime = text.parse().ok()?;
            civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp()
        }
    };
    within(time.as_millisecond()).map(|at| (at, precision))
}

/// An instant in milliseconds, if a vendor can mean it.
pub(crate) fn within(ms: i64) -> Option<Millis> {
    (FIRST..=LAST).contains(&ms).then_some(Millis(ms))
}

/// Reads text, or a number of milliseconds. None if the member is absent or blank.
pub(crate) fn read(
    node: Option<&Node<'_>>,
    place: &Place<'_>,
) -> Result<Option<(Millis, Precision)>, DecodeError> {
    let Some(node) = node.filter(|n| !n.is_blank()) else {
        return Ok(None);
    };
    let read = match node {
        Node::Number(number) => millis(number),
        Node::Text(text) => parse(text).or_else(|| millis(text)),
        _ => None,
    };
    read.map(Some)
        .ok_or_else(|| DecodeError::new(Code::BadTime, place, "this is no time"))
}

pub(crate) fn millis(digits: &str) -> Option<(Millis, Precision)> {
    let ms: i64 = digits.parse().ok()?;
    within(ms).map(|at| (at, Precision::Millis))
}
