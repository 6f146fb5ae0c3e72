//! `baton lock` and `unlock`.

use std::process::ExitCode;

use baton_core::{
    id::Kind,
    input::StewardAct,
    state::{Lock, LockOn},
    time::Millis,
};

use super::{
    Place, Workspace,
    explain::parse_time,
    key::{self, KEY_HELP, parse_kind},
    output,
};
use crate::clock::Clock;

#[derive(clap::Args, Clone, Debug)]
pub struct Target {
    /// person, account or deal
    #[arg(value_parser = parse_kind)]
    kind: Kind,
    #[arg(help = KEY_HELP)]
    key: String,
    /// Name of the field
    field: String,
}

#[derive(clap::Args, Clone, Debug)]
pub struct LockArgs {
    #[command(flatten)]
    target: Target,
    /// Fix it to this value
    #[arg(long, conflicts_with = "source", required_unless_present = "source")]
    value: Option<String>,
    /// Let only this system's value win
    #[arg(long, value_name = "SYSTEM")]
    source: Option<String>,
    /// Why; kept with the decision
    #[arg(long)]
    reason: String,
    /// The lock ends at this instant (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Millis>,
    #[command(flatten)]
    who: Who,
}

/// In whose name a steward acts.
#[derive(clap::Args, Clone, Debug)]
pub struct Who {
    /// Who decides this; kept with the decision
    #[arg(long, env = "BATON_STEWARD", default_value_t = default_who())]
    pub by: String,
}

fn default_who() -> String {
    std::env::var("USER").unwrap_or_else(|_| "steward".to_owned())
}

#[derive(clap::Args, Clone, Debug)]
pub struct UnlockArgs {
    #[command(flatten)]
    target: Target,
}

pub async fn lock(place: &Place, args: LockArgs) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::open(place)?;
    let rules = &workspace.active.rules;
    let field = key::field(rules, args.target.kind, &args.target.field)?;
    let on = match (&args.value, &args.source) {
        (Some(value), _) => LockOn::Value(key::canonical(rules, args.target.kind, field, value)?),
        (None, Some(source)) => LockOn::Source(key::system(rules, source)?),
        (None, None) => anyhow::bail!("name a --value or a --source"),
    };
    let lock = Lock {
        on,
        reason: args.reason,
        by: args.who.by,
        at: Clock::System.now(),
        expires: args.until,
    };
    act(
        place,
        &workspace,
        &args.target,
        StewardAct::Lock { field, lock },
    )
    .await
}

pub async fn unlock(place: &Place, args: UnlockArgs) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::open(place)?;
    let field = key::field(
        &workspace.active.rules,
        args.target.kind,
        &args.target.field,
    )?;
    act(
        place,
        &workspace,
        &args.target,
        StewardAct::Unlock { field },
    )
    .await
}

async fn act(
    place: &Place,
    workspace: &Workspace,
    target: &Target,
    act: StewardAct,
) -> anyhow::Result<ExitCode> {
    let store = workspace.existing_store().await?;
    let state = key::find(&store, &workspace.active.rules, target.kind, &target.key).await?;
    let engine = workspace.engine(store).await?;
    engine.act(state.id, &act).await?;
    let after = engine.store.entity(state.id).await?;
    let field = match act {
        StewardAct::Lock { field, .. } | StewardAct::Unlock { field } => field,
        _ => return Ok(ExitCode::SUCCESS),
    };
    let value = after
        .map(|state| state.golden_value(field).to_json())
        .unwrap_or_default();
    if place.json {
        output::json(&serde_json::json!({
            "entity": state.id.to_string(), "field": field, "value": value,
        }))?;
    } else {
        output::line(format!(
            "{}: {field} is now {}",
            state.id,
            output::value(&value)
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
