//! Who owes what by when.

use std::fmt::Write as _;

use baton_core::lifecycle::{
    calendar::{Hours, Opening, Weekday},
    rules::{ClockRule, Consequence, Signal},
    setup::Setup,
};

use super::{
    called, capital,
    english::{acts, condition, list, words, working},
    limits,
};

pub(super) fn clocks(setup: &Setup) -> Vec<String> {
    let mut points = Vec::new();
    for (name, clock) in &setup.rules.clocks {
        points.push(format!(
            "{}: from {} it takes {} within {} ({}).{}",
            capital(&words(*name)),
            signals(&clock.start, 1),
            signals(&clock.stop, clock.touches),
            working(clock.target),
            clock.calendar,
            details(setup, clock)
        ));
    }
    points
}

fn details(setup: &Setup, clock: &ClockRule) -> String {
    let mut text = String::new();
    for (when, calendar) in &clock.calendars {
        let _ = write!(text, " Where {}: {calendar}.", condition(when));
    }
    if let Some(pause) = &clock.pause {
        let _ = write!(text, " It stands still while {}.", condition(pause));
    }
    if !clock.reminders.is_empty() {
        let shares: Vec<String> = clock.reminders.iter().map(|s| format!("{s} %")).collect();
        let _ = write!(text, " Reminders at {} of that time.", list(&shares));
    }
    match clock.consequence {
        Consequence::Alert => text.push_str(" A breach is told."),
        Consequence::Reassign(queue) => {
            let queue = called(&setup.queues, queue);
            let _ = write!(text, " A breach is told, and the person goes to {queue}.");
        }
        Consequence::Recycle(reason) => {
            let _ = write!(
                text,
                " A breach is told, and the person goes back to nurture for {}.",
                words(reason)
            );
        }
    }
    for (after, to) in &clock.escalation {
        let who = setup
            .recipients
            .get(to)
            .map_or_else(|| words(*to), ToString::to_string);
        let _ = write!(text, " {} later {who} is told.", capital(&working(*after)));
    }
    text.push_str(&limits(&clock.scope, clock.mode));
    text
}

fn signals(signals: &[Signal], touches: u32) -> String {
    let each: Vec<String> = signals
        .iter()
        .map(|signal| match signal {
            Signal::Enters(stage) => format!("entering {stage}"),
            Signal::Leaves(stage) => format!("leaving {stage}"),
            Signal::Act(kinds) if touches > 1 => format!("{touches} acts ({})", acts(kinds)),
            Signal::Act(kinds) => acts(kinds),
            Signal::Delivered => "the delivery to the CRM".into(),
            Signal::Qualified => "a word of the review".into(),
        })
        .collect();
    each.join("; or ")
}

pub(super) fn calendars(setup: &Setup) -> Vec<String> {
    let calendars = setup.rules.calendars.iter();
    calendars
        .map(|(name, calendar)| {
            let hours = calendar.hours();
            format!(
                "{}: {}; {} holidays; clocks of {}.",
                name,
                week(hours),
                hours.holidays.len(),
                hours.zone
            )
        })
        .collect()
}

/// Days of the same hours together.
fn week(hours: &Hours) -> String {
    let mut stretches: Vec<(Weekday, Weekday, String)> = Vec::new();
    for day in Weekday::ALL {
        let openings = hours.week.get(&day).map_or(&[][..], Vec::as_slice);
        if openings.is_empty() {
            continue;
        }
        let open: Vec<String> = openings.iter().map(opening).collect();
        let open = open.join(" and ");
        match stretches.last_mut() {
            Some((_, last, same)) if *same == open && *last as usize + 1 == day as usize => {
                *last = day;
            }
            _ => stretches.push((day, day, open)),
        }
    }
    let each: Vec<String> = stretches
        .into_iter()
        .map(|(first, last, open)| {
            if first == last {
                format!("{first:?} {open}")
            } else {
                format!("{first:?} to {last:?} {open}")
            }
        })
        .collect();
    each.join(", ")
}

fn opening(opening: &Opening) -> String {
    let time = |minutes: u16| {
        let minutes = if minutes > 1440 {
            minutes - 1440
        } else {
            minutes
        };
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    };
    format!("{} to {}", time(opening.from), time(opening.until))
}
