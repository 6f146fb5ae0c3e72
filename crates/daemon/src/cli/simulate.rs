//! `baton simulate`: what would have been different under other rules.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use baton_core::{
    lifecycle::{
        setup::Setup,
        supposed::{Counted, Happened},
    },
    name::Name,
    time::Millis,
};
use serde_json::json;

use super::{
    Place, Workspace,
    english::{self, words},
    explain::parse_time,
    funnel::{NO_FUNNEL, aligned, now},
    load_config, output, sound,
};
use crate::supposed::{Change, Difference, Other, Supposition};

#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// Who would have become ready, come back to nurture or waited too long, had other rules been active
    #[command(after_help = AFTER)]
    Lifecycle(LifecycleArgs),
}

const AFTER: &str = "\
Nothing is written, and no system is told. What people did is taken as it was: nobody knows what sales would have done \
with somebody it was never given, so of such people no call is heard.";

#[derive(clap::Args, Clone, Debug)]
pub struct LifecycleArgs {
    /// As if the rules had been activated at this instant (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Millis,
    /// Folder with the other rules [default: the folder of the configuration, as it is now]
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
}

pub async fn run(place: &Place, command: &Command) -> anyhow::Result<ExitCode> {
    let Command::Lifecycle(args) = command;
    let workspace = Workspace::open(place)?;
    let active = &workspace.active.rules;
    let rules = match &args.rules {
        Some(dir) => sound(load_config(Some(dir))?)?.0,
        None => active.clone(),
    };
    let Some(setup) = rules.funnel.clone() else {
        anyhow::bail!(NO_FUNNEL);
    };
    let store = workspace.existing_store().await?;
    let at = now(&store).await?;
    let since = args.since;
    if since > at {
        anyhow::bail!("--since {since} is still to come; it is {at} now");
    }
    let supposition = Supposition::new(&store, active, rules, since, at).await?;
    let difference = Arc::new(supposition).difference(&store).await?;
    if place.json {
        output::json(&as_json(&difference, &setup, since, at))?;
    } else {
        print(&difference, &setup, since, at)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// People that are shown.
const PEOPLE: usize = 10;

fn print(found: &Difference, setup: &Setup, since: Millis, at: Millis) -> anyhow::Result<()> {
    output::line(format!(
        "From {} to {}, if these rules (ready for sales by definition {}) had been active\n",
        english::instant(since),
        english::instant(at),
        output::safe(&setup.definition)
    ))?;
    let rows: Vec<[String; 4]> = sorted(found, setup)
        .into_iter()
        .map(|(what, change)| {
            [
                told(what),
                change.before.to_string(),
                change.after.to_string(),
                difference(change),
            ]
        })
        .collect();
    if rows.is_empty() {
        output::line("Nothing happened in the funnel in this time, and nothing would have.")?;
    } else {
        let head = ["", "it was", "it would have been", ""];
        aligned(head, &[false, true, true, true], &rows)?;
    }
    let others = found.others.len();
    output::line(format!(
        "\n{others} of {} people would have gone another way{}",
        found.people,
        if others == 0 { "." } else { ":" }
    ))?;
    for other in found.others.iter().take(PEOPLE) {
        output::line(format!("  {}", other.person))?;
        for (happened, is_new) in in_order(other) {
            let sign = if is_new {
                "would have"
            } else {
                "would not have"
            };
            output::line(format!(
                "    {sign}: {}, {}",
                told(happened.what),
                english::instant(happened.due)
            ))?;
        }
    }
    if others > PEOPLE {
        output::line(format!("  and {} more; --json prints all", others - PEOPLE))?;
    }
    if found.left_out > 0 {
        output::line(format!(
            "\nLeft out: {} erased, of whom nothing is kept.",
            found.left_out
        ))?;
    }
    Ok(())
}

/// What was counted: the way through the funnel by its ranks, then ways back, then promises.
fn sorted(found: &Difference, setup: &Setup) -> Vec<(Counted, Change)> {
    let mut all: Vec<(Counted, Change)> = found.counts.iter().map(|(w, c)| (*w, *c)).collect();
    let rank = |stage: Name| setup.rules.rank(stage).unwrap_or(u8::MAX);
    all.sort_by_key(|(what, _)| match what {
        Counted::Entered(stage) => (0, rank(*stage), *what),
        Counted::HandedOver => (1, 0, *what),
        Counted::Recycled(_) => (2, 0, *what),
        Counted::Exhausted => (3, 0, *what),
        Counted::Breached(_) => (4, 0, *what),
    });
    all
}

fn told(what: Counted) -> String {
    match what {
        Counted::Entered(stage) => format!("came to {}", words(stage)),
        Counted::HandedOver => "handed to sales".to_owned(),
        Counted::Recycled(Some(reason)) => format!("back to nurture: {}", words(reason)),
        Counted::Recycled(None) => "back to nurture".to_owned(),
        Counted::Exhausted => "come back too often, and let go instead".to_owned(),
        Counted::Breached(clock) => format!("promise broken: {}", words(clock)),
    }
}

fn difference(change: Change) -> String {
    match change.after.checked_sub(change.before) {
        Some(0) => "·".to_owned(),
        Some(more) => format!("+{more}"),
        None => format!("−{}", change.before - change.after),
    }
}

/// What differs for a person in the order of time, each with whether it is new.
fn in_order(other: &Other) -> Vec<(Happened, bool)> {
    let gone = other.gone.iter().map(|happened| (*happened, false));
    let mut all: Vec<_> = gone.chain(other.new.iter().map(|h| (*h, true))).collect();
    all.sort_by_key(|(happened, is_new)| (happened.due, *is_new, happened.what));
    all
}

fn as_json(found: &Difference, setup: &Setup, since: Millis, at: Millis) -> serde_json::Value {
    let counts = sorted(found, setup).into_iter().map(|(what, change)| {
        let (kind, name) = named(what);
        json!({ "what": kind, "name": name, "before": change.before, "after": change.after })
    });
    let happened = |all: &[Happened]| -> Vec<serde_json::Value> {
        let all = all.iter().map(|happened| {
            let (kind, name) = named(happened.what);
            json!({ "what": kind, "name": name, "due": happened.due.to_string() })
        });
        all.collect()
    };
    let others = found.others.iter().map(|other| {
        json!({
            "entity": other.person.to_string(),
            "gone": happened(&other.gone),
            "new": happened(&other.new),
        })
    });
    json!({
        "since": since.to_string(),
        "at": at.to_string(),
        "definition": setup.definition,
        "people": found.people,
        "left_out": found.left_out,
        "counts": counts.collect::<Vec<_>>(),
        "others": others.collect::<Vec<_>>(),
    })
}

/// As programs read it: what, and which stage, reason or clock.
const fn named(what: Counted) -> (&'static str, Option<Name>) {
    match what {
        Counted::Entered(stage) => ("entered", Some(stage)),
        Counted::HandedOver => ("handoff", None),
        Counted::Recycled(reason) => ("recycle", reason),
        Counted::Exhausted => ("exhausted", None),
        Counted::Breached(clock) => ("breach", Some(clock)),
    }
}
