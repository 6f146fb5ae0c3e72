//! Business time, minute by minute.

use baton_core::{
    lifecycle::calendar::{Hours, Weekday},
    time::{MINUTE, Millis},
};
use jiff::{Timestamp, tz::TimeZone};

const MIDNIGHT: i64 = 24 * 60;

/// Whether the clock on the wall shows a working hour.
///
/// # Panics
///
/// If the zone or the instant is none.
#[must_use]
pub fn is_open(hours: &Hours, zone: &TimeZone, at: Millis) -> bool {
    let instant = Timestamp::from_millisecond(at.0).expect("an instant of the calendar");
    let wall = zone.to_datetime(instant);
    let today = days_since_1970(wall.date());
    let minute = i64::from(wall.hour()) * 60 + i64::from(wall.minute());
    let free = |day: i64| hours.holidays.iter().any(|h| i64::from(*h) == day);
    if free(today) {
        return false;
    }
    let of = |day: i64| {
        hours
            .week
            .get(&Weekday::of(day))
            .cloned()
            .unwrap_or_default()
    };
    let began_today = of(today)
        .iter()
        .any(|o| (i64::from(o.from)..i64::from(o.until)).contains(&minute));
    let began_yesterday = of(today - 1)
        .iter()
        .any(|o| (i64::from(o.from)..i64::from(o.until)).contains(&(minute + MIDNIGHT)));
    began_today || began_yesterday && !free(today - 1)
}

/// Business time between two instants on whole minutes, where the zone's offset is whole minutes too.
///
/// # Panics
///
/// If the zone or an instant is none.
#[must_use]
pub fn elapsed(hours: &Hours, from: Millis, to: Millis) -> i64 {
    let zone = TimeZone::get(&hours.zone).expect("a zone");
    let mut at = from;
    let mut sum = 0;
    while at < to {
        if is_open(hours, &zone, at) {
            sum += MINUTE;
        }
        at = at.plus(MINUTE);
    }
    sum
}

fn days_since_1970(date: jiff::civil::Date) -> i64 {
    let since = date
        .since(jiff::civil::date(1970, 1, 1))
        .expect("dates of one calendar");
    i64::from(since.get_days())
}
