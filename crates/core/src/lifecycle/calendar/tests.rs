use super::*;
use crate::time::{HOUR, SECOND};

/// Monday to Friday, nine to five, in Berlin.
fn office() -> Hours {
    let nine_to_five = vec![Opening {
        from: 9 * 60,
        until: 17 * 60,
    }];
    Hours {
        zone: "Europe/Berlin".into(),
        week: Weekday::ALL[..5]
            .iter()
            .map(|day| (*day, nine_to_five.clone()))
            .collect(),
        holidays: BTreeSet::new(),
    }
}

/// Every night from ten to six.
fn nights(zone: &str) -> Hours {
    let night = vec![Opening {
        from: 22 * 60,
        until: 30 * 60,
    }];
    Hours {
        zone: zone.into(),
        week: Weekday::ALL
            .iter()
            .map(|day| (*day, night.clone()))
            .collect(),
        holidays: BTreeSet::new(),
    }
}

fn calendar(hours: Hours) -> Calendar {
    Calendar::new(hours).expect("a sound calendar")
}

fn at(text: &str) -> Millis {
    Millis::parse(text).expect("an instant")
}

fn day(text: &str) -> i32 {
    let midnight = at(&format!("{text}T00:00:00Z"));
    i32::try_from(midnight.0 / DAY).expect("a day")
}

#[test]
fn what_starts_outside_hours_counts_from_the_next_opening() {
    let office = calendar(office());
    let friday_night = at("2026-11-27T20:00:00+01:00");
    assert_eq!(office.opens(friday_night), at("2026-11-30T09:00:00+01:00"));
    assert_eq!(
        office.after(friday_night, 4 * HOUR),
        at("2026-11-30T13:00:00+01:00")
    );
}

#[test]
fn a_target_that_ends_with_the_day_is_due_at_closing_and_not_at_the_next_opening() {
    let office = calendar(office());
    let morning = at("2026-11-27T09:00:00+01:00");
    assert_eq!(
        office.after(morning, 8 * HOUR),
        at("2026-11-27T17:00:00+01:00")
    );
    assert_eq!(
        office.after(morning, 8 * HOUR + SECOND),
        at("2026-11-30T09:00:01+01:00")
    );
}

#[test]
fn a_holiday_does_not_count() {
    let mut hours = office();
    hours.holidays.insert(day("2026-12-25"));
    let office = calendar(hours);
    let eve = at("2026-12-24T16:00:00+01:00");
    assert_eq!(office.after(eve, 2 * HOUR), at("2026-12-28T10:00:00+01:00"));
}

#[test]
fn an_overnight_opening_is_cut_at_a_holiday_and_none_begins_on_it() {
    let mut hours = nights("Europe/Berlin");
    hours.holidays.insert(day("2026-12-25"));
    let nights = calendar(hours);
    let from = at("2026-12-24T22:00:00+01:00");
    let to = at("2026-12-26T22:00:00+01:00");
    assert_eq!(nights.elapsed(from, to), 2 * HOUR);
}

#[test]
fn a_skipped_hour_is_not_there_and_a_repeated_one_counts_twice() {
    let nights = calendar(nights("Europe/Berlin"));
    let in_spring = nights.elapsed(
        at("2026-03-28T22:00:00+01:00"),
        at("2026-03-29T06:00:00+02:00"),
    );
    assert_eq!(in_spring, 7 * HOUR);
    let in_autumn = nights.elapsed(
        at("2026-10-24T22:00:00+02:00"),
        at("2026-10-25T06:00:00+01:00"),
    );
    assert_eq!(in_autumn, 9 * HOUR);
}

#[test]
fn an_opening_that_lies_within_a_skipped_hour_does_not_take_place() {
    let mut hours = office();
    hours.week = BTreeMap::from([(
        Weekday::Sunday,
        vec![Opening {
            from: 2 * 60,
            until: 3 * 60,
        }],
    )]);
    let sundays = calendar(hours);
    assert_eq!(
        sundays.opens(at("2026-03-28T00:00:00Z")),
        at("2026-04-05T02:00:00+02:00")
    );
}

#[test]
fn a_whole_day_that_a_zone_leaves_out_is_not_there() {
    // Samoa went from Thursday 29 to Saturday 31 December 2011.
    let mut hours = office();
    hours.zone = "Pacific/Apia".into();
    let office = calendar(hours);
    assert_eq!(
        office.elapsed(at("2011-12-29T10:00:00Z"), at("2012-01-01T00:00:00Z")),
        8 * HOUR,
        "Thursday alone"
    );
}

#[test]
fn time_runs_backwards_as_it_runs_forwards() {
    let office = calendar(office());
    let (a, b) = (at("2026-11-26T12:00:00Z"), at("2026-11-30T12:00:00Z"));
    assert_eq!(office.elapsed(b, a), -office.elapsed(a, b));
}

#[test]
fn a_calendar_without_hours_is_refused() {
    let mut hours = office();
    hours.week.clear();
    assert_eq!(Calendar::new(hours.clone()), Err(CalendarError::NoHours));
    hours.week.insert(Weekday::Monday, Vec::new());
    assert_eq!(Calendar::new(hours), Err(CalendarError::NoHours));
}

#[test]
fn an_unknown_zone_is_refused() {
    let mut hours = office();
    hours.zone = "Europe/Berln".into();
    let unknown = CalendarError::UnknownZone("Europe/Berln".into());
    assert_eq!(Calendar::new(hours), Err(unknown));
}

#[test]
fn an_opening_that_is_none_is_refused() {
    for (from, until) in [(540, 540), (540, 500), (1440, 1500), (0, 1441)] {
        let mut hours = office();
        hours
            .week
            .insert(Weekday::Sunday, vec![Opening { from, until }]);
        let refused = CalendarError::BadOpening {
            day: Weekday::Sunday,
            from,
            until,
        };
        assert_eq!(Calendar::new(hours), Err(refused));
    }
}

#[test]
fn the_version_changes_with_zone_hours_and_holidays() {
    let plain = calendar(office());
    let mut zone = office();
    zone.zone = "Europe/Vienna".into();
    let mut longer = office();
    longer.week.insert(
        Weekday::Friday,
        vec![Opening {
            from: 9 * 60,
            until: 18 * 60,
        }],
    );
    let mut free = office();
    free.holidays.insert(day("2026-12-25"));
    for other in [zone, longer, free] {
        assert_ne!(calendar(other).version(), plain.version());
    }
    assert_eq!(calendar(office()).version(), plain.version());
}

#[test]
fn what_no_calendar_reaches_is_never() {
    let office = calendar(office());
    assert_eq!(
        office.after(at("2026-11-27T12:00:00Z"), i64::MAX),
        Millis::NEVER
    );
}
