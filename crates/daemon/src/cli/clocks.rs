//! `baton clocks`: what both teams owe a person, by when, and whether they kept it.

use std::process::ExitCode;

use baton_core::{
    lifecycle::{
        course::{Clock, End},
        fold::Episode,
        rules::{ClockRule, Mode},
    },
    time::Millis,
};
use serde_json::json;

use super::{
    Place, Workspace,
    english::{instant, span, words},
    explain::parse_time,
    key::KEY_HELP,
    output,
    why_stage::Seen,
};

#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[arg(help = KEY_HELP)]
    key: String,
    /// As it was at this instant (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Millis>,
}

pub async fn run(place: &Place, args: &Args) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::open(place)?;
    let seen = Seen::of(&workspace, &args.key, args.at).await?;
    let (stands, course) = seen.course()?;
    let episode = stands.episode.as_ref();
    let editions = &seen.setup.editions;
    let clocks = course.clocks.iter().map(|clock| {
        let rule = editions.at(clock.started).1.clocks.get(&clock.name);
        (clock, rule)
    });
    if place.json {
        let clocks: Vec<_> = clocks.map(|(clock, rule)| as_json(clock, rule)).collect();
        output::json(&json!({
            "entity": seen.state.id.to_string(), "at": seen.at.to_string(), "clocks": clocks,
            "episode": episode.map(delays),
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(episode) = episode {
        output::line(with_sales(episode))?;
    }
    if course.clocks.is_empty() {
        output::line("No clock runs, and none ended lately.")?;
    }
    for (clock, rule) in clocks {
        print(clock, rule, seen.at)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What took Baton and the CRM, apart from what takes people: that begins when the CRM has the person.
fn delays(episode: &Episode) -> serde_json::Value {
    json!({
        "number": episode.number,
        "opened": episode.opened.to_string(),
        "delivered": episode.delivered.map(|at| at.to_string()),
        "system_delay_ms": episode.delivered.map(|at| at.since(episode.opened)),
    })
}

fn with_sales(episode: &Episode) -> String {
    let since = instant(episode.opened);
    match episode.delivered {
        Some(at) => {
            let delay = span(at.since(episode.opened));
            format!("With sales since {since}; the CRM had the person {delay} later")
        }
        None => {
            format!("With sales since {since}; the CRM has not confirmed that it has the person")
        }
    }
}

fn as_json(clock: &Clock, rule: Option<&ClockRule>) -> serde_json::Value {
    let text = |at: Millis| at.to_string();
    json!({
        "id": clock.id.to_string(),
        "name": clock.name,
        "episode": clock.episode,
        "shadow": clock.mode == Mode::Shadow,
        "started": text(clock.started),
        "target_ms": rule.map(|rule| rule.target),
        "calendar": clock.calendar,
        "due": clock.due.map(text),
        "touches": clock.touches,
        "touches_wanted": rule.map(|rule| rule.touches),
        "reminded": clock.reminded.iter().map(|(share, at)| json!({
            "share": share, "at": text(*at),
        })).collect::<Vec<_>>(),
        "escalated": clock.escalated.iter().map(|(to, at)| json!({
            "to": to, "at": text(*at),
        })).collect::<Vec<_>>(),
        "breached": clock.breached.map(text),
        "ended": clock.end.map(|(at, _)| text(at)),
        "end": clock.end.map(|(_, end)| match end {
            End::Met => "met",
            End::MetReportedLate => "met_reported_late",
            End::Late => "late",
            End::Stopped => "stopped",
        }),
    })
}

fn print(clock: &Clock, rule: Option<&ClockRule>, at: Millis) -> anyhow::Result<()> {
    let watches = match clock.mode {
        Mode::Live => "",
        Mode::Shadow => " (only watches)",
    };
    output::line(format!(
        "{}{watches}: {}",
        words(clock.name),
        stands(clock, at)
    ))?;
    let target = rule.map(|rule| {
        format!(
            ", {} of working time by the calendar {}",
            hours(rule.target),
            words(clock.calendar)
        )
    });
    output::line(format!(
        "  started {}{}",
        instant(clock.started),
        target.unwrap_or_default()
    ))?;
    match (clock.due, clock.end) {
        (Some(due), _) => output::line(format!("  due {}", instant(due)))?,
        (None, None) => output::line("  stands still")?,
        (None, Some(_)) => {}
    }
    if let Some(rule) = rule
        && (rule.touches > 1 || clock.touches > 0)
    {
        let acts = match rule.touches {
            1 => "act that counts",
            _ => "acts that count",
        };
        output::line(format!("  {} of {} {acts}", clock.touches, rule.touches))?;
    }
    for (share, when) in &clock.reminded {
        output::line(format!("  reminded at {share} %, {}", instant(*when)))?;
    }
    for (to, when) in &clock.escalated {
        output::line(format!("  {} was told, {}", words(*to), instant(*when)))?;
    }
    Ok(())
}

/// How it stands, in a few words.
fn stands(clock: &Clock, at: Millis) -> String {
    match (clock.end, clock.breached, clock.due) {
        (Some((when, End::Met)), ..) => format!("kept, {}", instant(when)),
        (Some((when, End::MetReportedLate)), ..) => {
            format!("kept, {}, and heard of late", instant(when))
        }
        (Some((when, End::Late)), Some(due), _) => {
            format!("broken; done {} too late", span(when.since(due)))
        }
        (Some((when, End::Late | End::Stopped)), None, _) => {
            format!("no longer needed since {}", instant(when))
        }
        (Some((when, End::Stopped)), Some(_), _) => {
            format!("broken, and no longer needed since {}", instant(when))
        }
        (None, Some(due), _) => format!("broken, overdue for {}", span(at.since(due))),
        (None, None, Some(due)) => format!("runs, {} left", span(due.since(at))),
        (None, None, None) => "stands still".to_owned(),
    }
}

fn hours(ms: i64) -> String {
    use baton_core::time::{HOUR, MINUTE};
    match (ms / HOUR, ms % HOUR / MINUTE) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use baton_core::{lifecycle::course::Purpose, time::MINUTE};

    use super::*;

    #[test]
    fn what_took_the_systems_is_told_apart_from_what_takes_people() {
        let mut episode = Episode {
            number: 1,
            opened: Millis(1_790_000_000_000),
            purpose: Purpose::Acquisition,
            delivered: None,
        };
        assert!(with_sales(&episode).ends_with("has not confirmed that it has the person"));
        assert!(delays(&episode)["system_delay_ms"].is_null());
        episode.delivered = Some(episode.opened.plus(25 * MINUTE));
        assert_eq!(
            with_sales(&episode),
            "With sales since 2026-09-21 14:13 UTC; the CRM had the person 25 min later"
        );
        assert_eq!(delays(&episode)["system_delay_ms"], 25 * MINUTE);
    }
}
