//! Business time: the measure of the hours in which somebody works (L12).
//!
//! An instant is open or not by what the clock on the wall of the calendar's zone shows then, and by nothing else.
//! Business time between two instants is how much of it was open. So it adds up by its nature: an hour that a clock
//! change repeats counts twice if the wall shows an open hour both times, and one that it skips is not there to count.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

use jiff::{Timestamp, tz::TimeZone};
use thiserror::Error;

use crate::{
    id::Digest,
    time::{DAY, MINUTE, Millis},
};

const DAY_MINUTES: u16 = 24 * 60;

/// A day of the week, Monday first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    /// The weekday of a day counted since 1970-01-01, which was a Thursday.
    #[must_use]
    pub const fn of(day: i64) -> Self {
        Self::ALL[(day + 3).rem_euclid(7) as usize]
    }
}

/// A stretch of working hours, in minutes after the midnight on which its day begins. One that ends after 24:00 goes
/// on into the next day: 22:00 to 06:00 is 1320 to 1800.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Opening {
    pub from: u16,
    pub until: u16,
}

/// What a calendar is made of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hours {
    /// IANA name of the zone whose clocks count.
    pub zone: String,
    /// Openings by the day on which they begin. They may touch and overlap.
    pub week: BTreeMap<Weekday, Vec<Opening>>,
    /// Days since 1970-01-01 that are free from midnight to midnight. An opening that begins on one does not take
    /// place, one that reaches into one ends at its midnight.
    pub holidays: BTreeSet<i32>,
}

/// Why hours make no calendar.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum CalendarError {
    #[error("there is no time zone `{0}`")]
    UnknownZone(String),
    #[error("the calendar has no hours: a clock on it would never end")]
    NoHours,
    #[error(
        "the opening of {day:?} from minute {from} to minute {until} is none: it must begin within its day, end after \
         it begins, and be no longer than a day"
    )]
    BadOpening { day: Weekday, from: u16, until: u16 },
}

/// A checked calendar.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
    hours: Hours,
    /// Open stretches of an ordinary day, by its weekday.
    ordinary: [Stretches; 7],
    /// The same where nothing comes over from the day before, which was a holiday.
    after_holiday: [Stretches; 7],
    version: Digest,
}

/// Sorted, apart from each other; milliseconds after local midnight.
type Stretches = Vec<(i64, i64)>;

impl Calendar {
    /// # Errors
    ///
    /// If the zone is unknown, an opening is none, or there is no opening at all.
    pub fn new(hours: Hours) -> Result<Self, CalendarError> {
        let zone = TimeZone::get(&hours.zone)
            .map_err(|_| CalendarError::UnknownZone(hours.zone.clone()))?;
        if hours.week.values().all(Vec::is_empty) {
            return Err(CalendarError::NoHours);
        }
        for (day, openings) in &hours.week {
            for opening in openings {
                let Opening { from, until } = *opening;
                let sound =
                    from < DAY_MINUTES && from < until && until.saturating_sub(from) <= DAY_MINUTES;
                if !sound {
                    return Err(CalendarError::BadOpening {
                        day: *day,
                        from,
                        until,
                    });
                }
            }
        }
        Ok(Self {
            zone,
            ordinary: Weekday::ALL.map(|day| stretches(&hours, day, true)),
            after_holiday: Weekday::ALL.map(|day| stretches(&hours, day, false)),
            version: version(&hours),
            hours,
        })
    }

    #[must_use]
    pub const fn hours(&self) -> &Hours {
        &self.hours
    }

    /// Hash of zone, hours and holidays.
    #[must_use]
    pub const fn version(&self) -> Digest {
        self.version
    }

    /// Business time from one instant to another, in milliseconds; negative if the second is the earlier one.
    #[must_use]
    pub fn elapsed(&self, from: Millis, to: Millis) -> i64 {
        if to < from {
            return -self.elapsed(to, from);
        }
        let mut sum: i64 = 0;
        let done: ControlFlow<()> = self.walk(from, to, |open, close| {
            sum = sum.saturating_add(close.saturating_sub(open));
            ControlFlow::Continue(())
        });
        debug_assert!(done.is_continue());
        sum
    }

    /// The first instant at which `span` of business time, in milliseconds, has passed since `start`: `start` itself
    /// if `span` is not positive, [`Millis::NEVER`] if no calendar reaches that far.
    #[must_use]
    pub fn after(&self, start: Millis, span: i64) -> Millis {
        if span <= 0 {
            return start;
        }
        let mut left = span;
        let found = self.walk(start, Millis::NEVER, |open, close| {
            let length = close.saturating_sub(open);
            if left <= length {
                return ControlFlow::Break(Millis(open.saturating_add(left)));
            }
            left -= length;
            ControlFlow::Continue(())
        });
        match found {
            ControlFlow::Break(at) => at,
            ControlFlow::Continue(()) => Millis::NEVER,
        }
    }

    /// The first open instant at or after `from`; [`Millis::NEVER`] if no calendar reaches that far.
    #[must_use]
    pub fn opens(&self, from: Millis) -> Millis {
        match self.walk(from, Millis::NEVER, |open, _| {
            ControlFlow::Break(Millis(open))
        }) {
            ControlFlow::Break(at) => at,
            ControlFlow::Continue(()) => Millis::NEVER,
        }
    }

    /// Shows the open stretches between two instants in order, none of them empty. Within one offset of the zone the
    /// wall clock runs as time does, so each stretch of one offset is simple arithmetic.
    fn walk<B>(
        &self,
        from: Millis,
        to: Millis,
        mut show: impl FnMut(i64, i64) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let first = Timestamp::MIN.as_millisecond();
        let last = Timestamp::MAX.as_millisecond();
        let end = to.0.clamp(first, last);
        let mut at = from.0.clamp(first, last);
        while at < end {
            let Ok(instant) = Timestamp::from_millisecond(at) else {
                break;
            };
            let offset = i64::from(self.zone.to_offset(instant).seconds()) * 1_000;
            let change = self
                .zone
                .following(instant)
                .next()
                .map_or(end, |t| t.timestamp().as_millisecond().min(end));
            let (wall_from, wall_to) = (at + offset, change + offset);
            for day in wall_from.div_euclid(DAY)..=(wall_to - 1).div_euclid(DAY) {
                for (open, close) in self.stretches_of(day) {
                    let open = (day * DAY + open).max(wall_from);
                    let close = (day * DAY + close).min(wall_to);
                    if open < close {
                        show(open - offset, close - offset)?;
                    }
                }
            }
            at = change;
        }
        ControlFlow::Continue(())
    }

    fn stretches_of(&self, day: i64) -> &[(i64, i64)] {
        if self.is_holiday(day) {
            return &[];
        }
        let weekday = Weekday::of(day) as usize;
        if self.is_holiday(day - 1) {
            &self.after_holiday[weekday]
        } else {
            &self.ordinary[weekday]
        }
    }

    fn is_holiday(&self, day: i64) -> bool {
        i32::try_from(day).is_ok_and(|day| self.hours.holidays.contains(&day))
    }
}

/// Two calendars are the same if they were made of the same.
impl PartialEq for Calendar {
    fn eq(&self, other: &Self) -> bool {
        self.hours == other.hours
    }
}

impl Eq for Calendar {}

/// What is open between the midnights of such a day.
fn stretches(hours: &Hours, day: Weekday, from_day_before: bool) -> Stretches {
    let openings = |day: usize| {
        hours
            .week
            .get(&Weekday::ALL[day % 7])
            .map_or(&[][..], Vec::as_slice)
    };
    let own = openings(day as usize)
        .iter()
        .map(|o| (o.from, o.until.min(DAY_MINUTES)));
    let over = openings(day as usize + 6)
        .iter()
        .filter(|o| from_day_before && o.until > DAY_MINUTES)
        .map(|o| (0, o.until - DAY_MINUTES));
    let mut all: Vec<_> = own.chain(over).collect();
    all.sort_unstable();
    let mut apart: Stretches = Vec::new();
    for (from, until) in all {
        let (from, until) = (i64::from(from) * MINUTE, i64::from(until) * MINUTE);
        match apart.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => apart.push((from, until)),
        }
    }
    apart
}

fn version(hours: &Hours) -> Digest {
    let mut text = format!("calendar\n{}\n", hours.zone);
    for (day, openings) in &hours.week {
        for Opening { from, until } in openings {
            text.push_str(&format!("{day:?} {from}-{until}\n"));
        }
    }
    for day in &hours.holidays {
        text.push_str(&format!("free {day}\n"));
    }
    Digest::of(&[text.as_bytes()])
}

#[cfg(test)]
mod tests;
