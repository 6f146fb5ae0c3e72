//! `baton merge` and `unmerge`.

use std::process::ExitCode;

use baton_core::id::{EntityId, Kind};

use super::{
    Place, Workspace,
    key::{self, KEY_HELP, parse_kind},
    output,
};

#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// person, account or deal
    #[arg(value_parser = parse_kind)]
    kind: Kind,
    /// The one that stays
    #[arg(long_help = KEY_HELP)]
    winner: String,
    /// The one that goes into it (for unmerge: its own id, as `baton merge` printed it)
    loser: String,
}

pub async fn run(place: &Place, args: &Args, apart: bool) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::open(place)?;
    let rules = &workspace.active.rules;
    let store = workspace.existing_store().await?;
    let winner = key::find(&store, rules, args.kind, &args.winner).await?.id;
    let loser = match EntityId::parse(&args.loser) {
        // After a merge every other key of the loser leads to the winner.
        Some(id) if id.kind == args.kind && store.entity(id).await?.is_some() => id,
        _ => key::find(&store, rules, args.kind, &args.loser).await?.id,
    };
    if winner == loser {
        anyhow::bail!("both keys mean {winner}; nothing to do");
    }
    let engine = workspace.engine(store).await?;
    if apart {
        engine.unmerge(winner, loser).await?;
    } else {
        engine.merge(winner, loser).await?;
    }
    if place.json {
        output::json(&serde_json::json!({
            "winner": winner.to_string(), "loser": loser.to_string(), "merged": !apart,
        }))?;
    } else if apart {
        output::line(format!("{loser} was taken out of {winner} again"))?;
    } else {
        output::line(format!(
            "{loser} went into {winner}; undo: baton unmerge {} {winner} {loser}",
            args.kind
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
