//! `baton erase`: takes a person's values out of everything that Baton keeps.

use std::process::ExitCode;

use baton_core::id::Kind;

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
    #[arg(help = KEY_HELP)]
    key: String,
    /// Really do it: values cannot be brought back
    #[arg(long)]
    yes: bool,
}

pub async fn run(place: &Place, args: &Args) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::open(place)?;
    let store = workspace.existing_store().await?;
    let state = key::find(&store, &workspace.active.rules, args.kind, &args.key).await?;
    if !args.yes {
        anyhow::bail!(
            "this would erase {} with {} records for good; repeat with --yes",
            state.id,
            state.links.len()
        );
    }
    let engine = workspace.engine(store).await?;
    let erased = engine.erase(state.id).await?;
    if place.json {
        output::json(&serde_json::json!({
            "entity": state.id.to_string(), "records": state.links.len(), "inputs": erased.inputs,
            "parked": erased.parked, "dead_letters": erased.dead_letters,
        }))?;
    } else {
        output::line(format!(
            "{} was erased: {} inputs of the ledger, {} parked items and {} dead letters lost their values; what \
             suppression needs is kept as hashes",
            state.id, erased.inputs, erased.parked, erased.dead_letters
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
