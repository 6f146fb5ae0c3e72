//! Dates and instants.

use jiff::{
    civil::{Date, DateTime},
    tz::TimeZone,
};

use crate::time::{DAY, Millis};

/// Numbers above this are milliseconds since 1970 even where the mapping does not say so.
const PLAINLY_MILLIS: i64 = 100_000_000;
/// Numbers from here on are microseconds: as milliseconds they would lie beyond the year 5000.
const PLAINLY_MICROS: i64 = 100_000_000_000_000;
/// Days since 1970, as Debezium writes dates, stay below this (the year 4707).
const MOST_DAYS: i64 = 1_000_000;

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// Days since 1970-01-01.
///
/// Of an instant the date counts as written, without a change of zone: vendors that have no date type write
/// midnight in whichever zone they think in. `days`: small numbers are days since 1970.
pub(super) fn date(text: &str, epoch_millis: bool, days: bool) -> Option<i32> {
    if let Some(number) = whole(text) {
        if days && number.abs() < MOST_DAYS {
            return in_range(number);
        }
        return in_range(millis(number, epoch_millis)?.div_euclid(DAY));
    }
    let day = text.get(..10)?;
    let shaped = matches!(day.as_bytes(), [_, _, _, _, b'-', _, _, b'-', _, _]);
    let rest = text.get(10..)?;
    let date = if shaped && rest.is_empty() {
        day.parse::<Date>().ok()?
    } else if shaped && rest.starts_with(['T', 't', ' ']) {
        // The whole must be well-formed; "2024-01-31 maybe" is no date.
        if Millis::parse(text).is_none() && text.parse::<DateTime>().is_err() {
            return None;
        }
        day.parse::<Date>().ok()?
    } else {
        return None;
    };
    days_of(date)
}

/// Milliseconds since 1970. Text without an offset is read in `zone` (UTC unless said); of a time that a change to
/// daylight saving skips or repeats, the first reading that makes sense is taken. A date is its first moment.
pub(crate) fn instant(text: &str, epoch_millis: bool, zone: Option<&str>) -> Option<Millis> {
    if let Some(number) = whole(text) {
        return sensible(Millis(millis(number, epoch_millis)?));
    }
    // A date and time in full has at least `2024-01-31`; this keeps week dates and other ISO forms out.
    if text.as_bytes().get(4) != Some(&b'-') {
        return None;
    }
    if let Some(at) = Millis::parse(text) {
        return sensible(at);
    }
    let civil = match text.len() {
        10 => text
            .parse::<Date>()
            .ok()?
            .to_datetime(jiff::civil::Time::midnight()),
        _ if text.ends_with(['Z', 'z']) => return None,
        _ => text.parse::<DateTime>().ok()?,
    };
    in_zone(civil, zone)
}

/// The first moment, in `zone`, of the day whose midnight in UTC is at or before `at`: where a vendor gives only a
/// date, a decoder can do no better than UTC.
pub(crate) fn start_of_day(at: Millis, zone: Option<&str>) -> Millis {
    let floored = at.floor(DAY);
    let Some(zone) = zone else { return floored };
    i32::try_from(floored.0.div_euclid(DAY))
        .ok()
        .and_then(|days| EPOCH.checked_add(jiff::Span::new().days(days)).ok())
        .and_then(|date| in_zone(date.to_datetime(jiff::civil::Time::midnight()), Some(zone)))
        .unwrap_or(floored)
}

fn in_zone(civil: DateTime, zone: Option<&str>) -> Option<Millis> {
    let zone = match zone {
        None | Some("UTC" | "Etc/UTC" | "Z") => TimeZone::UTC,
        // An unknown zone is a mistake that `check` reports; the value is better kept as text than shifted.
        Some(name) => TimeZone::get(name).ok()?,
    };
    let at = zone.to_ambiguous_timestamp(civil).compatible().ok()?;
    sensible(Millis(at.as_millisecond()))
}

/// A number without a fraction (`1.7e12` is one).
fn whole(text: &str) -> Option<i64> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+') {
        return None;
    }
    text.parse::<i64>()
        .ok()
        .or_else(|| i64::try_from(super::plain::integer(text)?).ok())
}

/// Milliseconds from a number that may be milliseconds or microseconds; none for one too small to tell.
fn millis(number: i64, epoch_millis: bool) -> Option<i64> {
    if epoch_millis {
        Some(number)
    } else if number.abs() >= PLAINLY_MICROS {
        Some(number.div_euclid(1_000))
    } else if number > PLAINLY_MILLIS {
        Some(number)
    } else {
        None
    }
}

/// Only instants of the years 1 to 9999, which every calendar writes the same way.
pub(crate) fn sensible(at: Millis) -> Option<Millis> {
    let days = at.0.div_euclid(DAY);
    in_range(days).map(|_| at)
}

fn in_range(days: i64) -> Option<i32> {
    const FIRST: i64 = -719_162;
    const LAST: i64 = 2_932_896;
    (FIRST..=LAST)
        .contains(&days)
        .then(|| i32::try_from(days).ok())?
}

fn days_of(date: Date) -> Option<i32> {
    let span = date.since((jiff::Unit::Day, EPOCH)).ok()?;
    in_range(span.get_days().into())
}
