//! Durations and sizes as stewards write them.

use baton_core::time::{DAY, HOUR, MINUTE, SECOND};

/// Milliseconds of `250ms`, `2s`, `15m`, `8h`, `180d`, `2w`, `1h 30m`. None where it is no duration, is negative
/// or does not fit.
pub(crate) fn duration(text: &str) -> Option<i64> {
    let mut total: i64 = 0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let letters = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(letters)?;
        let unit = match unit {
            "ms" => 1,
            "s" => SECOND,
            "m" | "min" => MINUTE,
            "h" => HOUR,
            "d" => DAY,
            "w" => 7 * DAY,
            _ => return None,
        };
        let part = number.parse::<i64>().ok()?.checked_mul(unit)?;
        total = total.checked_add(part)?;
        rest = tail.trim_start();
    }
    Some(total)
}

/// Days since 1970-01-01 of `2026-12-25`. None where there is no such day.
pub(crate) fn day(text: &str) -> Option<i32> {
    let date: jiff::civil::Date = text.parse().ok()?;
    // The parser knows more forms of a date than stewards should have to.
    if date.to_string() != text {
        return None;
    }
    let epoch = jiff::civil::date(1970, 1, 1);
    Some((date - epoch).get_days())
}

/// Minutes of `09:00-17:00` after the midnight on which its day begins; `22:00-06:00` goes on into the next day. A whole
/// day is `00:00-24:00`: `09:00-09:00` is sooner a slip than one.
pub(crate) fn opening(text: &str) -> Option<(u16, u16)> {
    let (from, until) = text.split_once('-')?;
    let (from, until) = (minute(from)?, minute(until)?);
    let until = if until < from { until + 24 * 60 } else { until };
    (from < 24 * 60 && from < until).then_some((from, until))
}

/// Minutes of a time of day, up to `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let of = |part: &str, most: u16| -> Option<u16> {
        let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        let number = part.parse().ok()?;
        (digits && number <= most).then_some(number)
    };
    let (hour, minute) = (of(hour, 24)?, of(minute, 59)?);
    let total = hour * 60 + minute;
    (total <= 24 * 60).then_some(total)
}

/// Bytes of `512`, `64KiB`, `8MiB`, `1GiB`, `5MB`.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let unit: u64 = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// A duration in the largest unit that fits it, for messages.
pub(crate) fn say(ms: i64) -> String {
    for (unit, name) in [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s")] {
        if ms != 0 && ms % unit == 0 {
            return format!("{}{name}", ms / unit);
        }
    }
    if ms == 0 {
        "0s".into()
    } else {
        format!("{ms}ms")
    }
}
