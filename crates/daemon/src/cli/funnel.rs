//! `baton funnel`: the funnel in figures, now or as it was.

use std::{collections::BTreeMap, process::ExitCode};

use baton_core::{
    id::Kind,
    lifecycle::setup::Setup,
    name::Name,
    time::{DAY, Millis},
};
use serde_json::json;

use super::{
    Place, Workspace,
    english::{self, span, text_words, words},
    explain::parse_time,
    key::field,
    output,
};
use crate::clock::Clock;
use crate::funnel::{ClockFigures, Report, StageFigures};

#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Count what happened from this instant on (RFC 3339) [default: 30 days before the end]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<Millis>,
    /// As it was known at this instant (RFC 3339) [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Millis>,
    /// By the values that a field of people has now: `account`, `country` …
    #[arg(long, value_name = "FIELD")]
    by: Option<String>,
}

/// There is no funnel to tell of.
pub const NO_FUNNEL: &str =
    "no funnel is configured; config/lifecycle.toml describes one (docs/stewards/funnel.md)";

/// The present of the funnel. The log's clock may be ahead of this machine's: of a day that was played, for one.
pub async fn now(store: &baton_store::Store) -> anyhow::Result<Millis> {
    Ok(store.last_taken_in().await?.max(Clock::System.now()))
}

pub async fn run(place: &Place, args: &Args) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::open(place)?;
    let Some(setup) = &workspace.active.rules.funnel else {
        anyhow::bail!(NO_FUNNEL);
    };
    let store = workspace.existing_store().await?;
    let at = match args.at {
        Some(at) => at,
        None => now(&store).await?,
    };
    let since = args.since.unwrap_or(at.minus(30 * DAY));
    if since > at {
        anyhow::bail!("--since {since} is later than --at {at}");
    }
    if let Some(by) = &args.by {
        let field = field(&workspace.active.rules, Kind::Person, by)?;
        let all = Report::read_by(&store, setup, field, since, at).await?;
        if place.json {
            output::json(&json!({ "by": field, "values": all }))?;
        } else {
            print_by(setup, field, &all)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let report = Report::read(&store, setup, since, at).await?;
    if place.json {
        output::json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(report: &Report) -> anyhow::Result<()> {
    output::line(format!(
        "The funnel at {}, and what happened since {} (ready for sales by definition {})\n",
        english::instant(report.at),
        english::instant(report.since),
        output::safe(&report.definition)
    ))?;
    stages(&report.stages)?;
    moves(report)?;
    returns(report)?;
    promises(report)?;
    if report.without_effect > 0 {
        output::line(format!(
            "\nWithout effect: {}. The rules do not allow them, or only watch; baton why-stage tells of each.",
            report.without_effect
        ))?;
    }
    late(report)
}

/// Values that are shown, those of most people first.
const VALUES: usize = 40;

fn print_by(setup: &Setup, field: Name, all: &BTreeMap<String, Report>) -> anyhow::Result<()> {
    let people = |report: &Report| report.stages.iter().map(|s| s.people).sum::<u64>();
    let mut sorted: Vec<(&String, &Report)> = all.iter().collect();
    sorted.sort_by_key(|(value, report)| (std::cmp::Reverse(people(report)), *value));
    let most = sorted.first().map_or(0, |(_, report)| people(report));
    let rows: Vec<[String; 9]> = sorted
        .iter()
        .take(VALUES)
        .map(|(value, report)| {
            let won = setup.rules.landmarks.won;
            let won = report.stages.iter().find(|s| s.stage == won);
            [
                if value.is_empty() {
                    "(blank)".to_owned()
                } else {
                    output::safe(value)
                },
                people(report).to_string(),
                bar(people(report), most),
                figure(report.worked(setup)),
                figure(report.handoffs),
                figure(won.map_or(0, |s| s.entered)),
                figure(report.recycles.values().sum()),
                figure(report.breaches),
                figure(report.leaked),
            ]
        })
        .collect();
    let name = words(field);
    let head = [
        name.as_str(),
        "people",
        "",
        "with sales",
        "handed over",
        "won",
        "came back",
        "broken",
        "waiting",
    ];
    let right = [false, true, false, true, true, true, true, true, true];
    aligned(head, &right, &rows)?;
    if let Some(more) = sorted.len().checked_sub(VALUES).filter(|more| *more > 0) {
        output::line(format!("and {more} more; --json prints all"))?;
    }
    Ok(())
}

/// The longest bar.
const BAR: u64 = 24;

fn stages(stages: &[StageFigures]) -> anyhow::Result<()> {
    let most = stages.iter().map(|s| s.people).max().unwrap_or(0);
    let rows: Vec<[String; 8]> = stages
        .iter()
        .map(|s| {
            [
                words(s.stage),
                s.people.to_string(),
                bar(s.people, most),
                s.median_there.map(span).unwrap_or_default(),
                figure(s.entered),
                figure(s.left),
                s.conversion().map(|p| format!("{p} %")).unwrap_or_default(),
                s.median_time.map(span).unwrap_or_default(),
            ]
        })
        .collect();
    let head = [
        "stage", "people", "", "for", "came", "left", "forward", "after",
    ];
    aligned(
        head,
        &[false, true, false, true, true, true, true, true],
        &rows,
    )?;
    output::line(
        "\nfor: half of them have been there longer. forward: of those who left, who went on. after: half of those who\n\
         left had been there longer.",
    )
}

fn figure(count: u64) -> String {
    if count == 0 {
        "·".to_owned()
    } else {
        count.to_string()
    }
}

/// A bar in eighths of a character.
fn bar(count: u64, most: u64) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (count * BAR * 8).checked_div(most).unwrap_or(0);
    // Somebody is not nobody.
    let eighths = if count > 0 { eighths.max(1) } else { 0 };
    let part = PARTS.get((eighths % 8) as usize).copied().unwrap_or("");
    format!("{}{part}", "█".repeat((eighths / 8) as usize))
}

fn moves(report: &Report) -> anyhow::Result<()> {
    if report.moves.is_empty() {
        return output::line("\nNobody moved in this time.");
    }
    output::line("\nFrom stage to stage")?;
    let most = report.moves.iter().map(|m| m.people).max().unwrap_or(0);
    let rows: Vec<[String; 4]> = report
        .moves
        .iter()
        .map(|m| {
            [
                format!("  {} → {}", words(m.from), words(m.to)),
                m.people.to_string(),
                bar(m.people, most),
                m.median_time
                    .map(|t| format!("after {}", span(t)))
                    .unwrap_or_default(),
            ]
        })
        .collect();
    aligned([""; 4], &[false, true, false, false], &rows)
}

fn returns(report: &Report) -> anyhow::Result<()> {
    output::line(format!(
        "\nBack to nurture: {}{}",
        report.recycled,
        match report.revoked {
            0 => String::new(),
            revoked => format!(", {revoked} of them taken back"),
        }
    ))?;
    let mut rows: Vec<[String; 2]> = report
        .recycles
        .iter()
        .map(|(reason, people)| [format!("  {}", text_words(reason)), people.to_string()])
        .collect();
    if report.exhausted > 0 {
        rows.push([
            "  come back too often, and let go instead".to_owned(),
            report.exhausted.to_string(),
        ]);
    }
    aligned([""; 2], &[false, true], &rows)
}

fn promises(report: &Report) -> anyhow::Result<()> {
    output::line(format!(
        "\nHanded to sales: {}. Promises kept: {}, broken: {}",
        report.handoffs, report.kept, report.breaches
    ))?;
    for (clock, figures) in &report.clocks {
        output::line(format!("  {}: {}", words(*clock), told(figures)))?;
    }
    if report.leaked > 0 {
        output::line(format!(
            "  {} ready for sales, and nobody has been in touch in time",
            match report.leaked {
                1 => "1 person is".to_owned(),
                people => format!("{people} people are"),
            }
        ))?;
    }
    Ok(())
}

fn told(figures: &ClockFigures) -> String {
    let mut parts = vec![
        format!("{} kept", figures.kept),
        format!("{} broken", figures.breaches),
    ];
    for (count, what) in [
        (figures.taken_back, "passed for broken for a while"),
        (figures.reminders, "reminders"),
        (figures.escalations, "told further up"),
        (figures.shadow, "would have been broken (only watched)"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    parts.join(", ")
}

fn late(report: &Report) -> anyhow::Result<()> {
    let late = &report.late;
    if late.made == 0 && late.taken_back == 0 {
        return Ok(());
    }
    output::line(format!(
        "\nHeard of after {}: {} more that had happened by then (not counted here); {} counted here were taken back.",
        english::instant(report.at),
        late.made,
        late.taken_back
    ))
}

/// Columns, numbers to the right.
pub fn aligned<const N: usize>(
    head: [&str; N],
    right: &[bool; N],
    rows: &[[String; N]],
) -> anyhow::Result<()> {
    let mut widths = head.map(|h| h.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let print = |cells: [&str; N]| {
        let mut text = String::new();
        for ((cell, width), right) in cells.iter().zip(widths).zip(right) {
            let room = " ".repeat(width - cell.chars().count());
            if *right {
                text.push_str(&room);
                text.push_str(cell);
            } else {
                text.push_str(cell);
                text.push_str(&room);
            }
            text.push_str("  ");
        }
        output::line(text.trim_end())
    };
    if head.iter().any(|h| !h.is_empty()) {
        print(head)?;
    }
    for row in rows {
        print(row.each_ref().map(String::as_str))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share_and_somebody_is_not_nobody() {
        assert_eq!(bar(100, 100).chars().count() as u64, BAR);
        assert_eq!(bar(50, 100).chars().count() as u64, BAR / 2);
        assert_eq!(bar(1, 10_000), "▏");
        assert_eq!(bar(0, 100), "");
        assert_eq!(bar(0, 0), "");
    }
}
