//! `baton explain`: why a field has its value, now or at a past time.

use std::process::ExitCode;

use baton_core::{
    apply::apply,
    explain::explain,
    id::{EntityId, Kind},
    rules::Rules,
    state::State,
    time::Millis,
    wire::{ClaimView, Explanation},
};
use baton_store::Store;

use crate::engine::editions::Judges;

use super::{
    Place, Workspace,
    key::{KEY_HELP, field, find, parse_kind},
    output,
};

#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// person, account or deal
    #[arg(value_parser = parse_kind)]
    kind: Kind,
    #[arg(help = KEY_HELP)]
    key: String,
    /// Name of the field
    field: String,
    /// As it was at this instant (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Millis>,
}

/// Reads an instant for clap.
pub fn parse_time(text: &str) -> Result<Millis, String> {
    Millis::parse(text).ok_or_else(|| {
        "an instant looks like 2026-11-22T07:55:34Z or 2026-11-22T07:55:34+02:00".to_owned()
    })
}

pub async fn run(place: &Place, args: &Args) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::open(place)?;
    let rules = &workspace.active.rules;
    let name = field(rules, args.kind, &args.field)?;
    let store = workspace.existing_store().await?;
    let state = find(&store, rules, args.kind, &args.key).await?;
    let explanation = match args.at {
        None => explain(&state, rules, name, crate::clock::Clock::System.now()),
        Some(at) => {
            let then = as_of(&store, rules, state.id, at).await?;
            let judges = Judges::of(&store, rules).await?;
            explain(&then, judges.at(at).unwrap_or(rules), name, at)
        }
    };
    let Some(explanation) = explanation else {
        anyhow::bail!("the rules of that time do not know the field `{}`", name);
    };
    if place.json {
        output::json(&explanation)?;
    } else {
        print(&explanation)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The entity as it was: its inputs up to then, applied again, each under the rules it was first judged by.
pub(super) async fn as_of(
    store: &Store,
    rules: &Rules,
    id: EntityId,
    at: Millis,
) -> anyhow::Result<State> {
    let judges = Judges::of(store, rules).await?;
    let mut state = State::new(id);
    for entry in store.ledger(id, Some(at)).await? {
        let row = entry.row;
        let then = judges.judge(&row).unwrap_or(rules);
        drop(apply(&mut state, &row.input, then, row.at));
    }
    Ok(state)
}

fn print(explanation: &Explanation) -> anyhow::Result<()> {
    output::line(format!(
        "{} = {}",
        explanation.field,
        output::value(&explanation.value.0.to_json())
    ))?;
    output::line(format!(
        "  by the rule: {} (rules {}){}",
        output::safe(&explanation.rule),
        explanation.rule_version,
        explanation
            .stage
            .as_ref()
            .map(|stage| format!(", at stage {stage}"))
            .unwrap_or_default()
    ))?;
    match &explanation.winner {
        Some(winner) => output::line(format!("  won by {}", claim(winner)))?,
        None if explanation.contributors.is_empty() => {
            output::line("  nobody has claimed it")?;
        }
        None => {
            for contributor in &explanation.contributors {
                output::line(format!("  made of {}", claim(contributor)))?;
            }
        }
    }
    for loser in &explanation.losers {
        output::line(format!(
            "  lost:  {}\n         because {}",
            claim(&loser.claim),
            output::safe(&loser.reason)
        ))?;
    }
    for written in &explanation.written {
        output::line(format!(
            "  written to {}:{}:{} at {}: {} ({})",
            written.system,
            written.object,
            output::safe(&written.id),
            written.time,
            output::value(&written.value.0.to_json()),
            written.outcome
        ))?;
    }
    Ok(())
}

fn claim(claim: &ClaimView) -> String {
    format!(
        "{} from {}:{}:{}, {} ({})",
        output::value(&claim.value.0.to_json()),
        claim.system,
        claim.object,
        output::safe(&claim.id),
        claim.time,
        claim.cause.as_str()
    )
}
