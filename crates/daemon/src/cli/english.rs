//! The funnel's words, as people say them.

use baton_core::{
    name::Name,
    time::{DAY, HOUR, MINUTE, Millis},
    wire::Trigger,
};

use crate::cli::output;

/// A name without its underscores.
pub fn words(name: Name) -> String {
    output::safe(&name.as_str().replace('_', " "))
}

pub fn text_words(text: &str) -> String {
    output::safe(&text.replace('_', " "))
}

/// How long: the two greatest units that matter.
pub fn span(ms: i64) -> String {
    let ms = ms.max(0);
    let (days, hours, minutes) = (ms / DAY, ms % DAY / HOUR, ms % HOUR / MINUTE);
    match (days, hours, minutes) {
        (0, 0, 0) => "under 1 min".to_owned(),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) if days < 10 => format!("{days} d {hours} h"),
        (days, ..) => format!("{days} d"),
    }
}

/// An instant to the minute.
pub fn instant(at: Millis) -> String {
    let text = at.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(minute)) if at.is_timed() => format!("{day} {minute} UTC"),
        _ => text,
    }
}

/// What brought a move about.
pub fn trigger(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Rules => "new rules became active".to_owned(),
        Trigger::Time { what, clock } => time(what, *clock),
        Trigger::Fact {
            what, name, whose, ..
        } => {
            let name = name.map(words).unwrap_or_default();
            let whose = whose.map(words).unwrap_or_default();
            match what.as_deref() {
                Some("activity") => format!("{name} by {}", doer(&whose)),
                Some("stage") => format!("{whose} says {name}"),
                Some("field") => format!("{name} changed"),
                Some("score") => "the points changed".to_owned(),
                Some("review") => "sales said what it found out in review".to_owned(),
                Some("deal") => "a deal changed".to_owned(),
                Some("returned") => "sales gave the person back".to_owned(),
                Some("delivered") => "the person arrived in the CRM".to_owned(),
                Some("suppression") => format!("suppression of the {whose} changed"),
                Some("merge") => "people were merged or taken apart".to_owned(),
                Some(other) => text_words(other),
                None => "something that was heard of the person".to_owned(),
            }
        }
    }
}

fn doer(whose: &str) -> String {
    match whose {
        "buyer" => "the buyer".to_owned(),
        "marketer" => "marketing".to_owned(),
        "automation" => "a machine".to_owned(),
        other => other.to_owned(),
    }
}

/// What time did, or will do.
pub fn time(what: &str, clock: Option<Name>) -> String {
    let clock = clock.map(words).unwrap_or_default();
    match what {
        "stall" => "nothing that counts happened for too long".to_owned(),
        "age" => "no progress for too long".to_owned(),
        "cool_down" => "the time of being left alone was over".to_owned(),
        "condition" => "a condition that looks at time came true".to_owned(),
        "breach" => format!("the time for {clock} was used up"),
        "reminder" => format!("a reminder of {clock}"),
        "escalation" => format!("somebody was told that {clock} is overdue"),
        "reengage" => "a last try to wake the person up".to_owned(),
        other => text_words(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_the_units_that_matter() {
        let told = [
            (30_000, "under 1 min"),
            (25 * MINUTE, "25 min"),
            (2 * HOUR, "2 h"),
            (2 * HOUR + 10 * MINUTE, "2 h 10 min"),
            (3 * DAY + 4 * HOUR, "3 d 4 h"),
            (40 * DAY + 4 * HOUR, "40 d"),
        ];
        for (ms, text) in told {
            assert_eq!(span(ms), text);
        }
    }
}
