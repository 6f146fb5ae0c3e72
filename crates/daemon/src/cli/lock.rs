//! `baton lock` and `unlock`.

use std::process::ExitCode;

use baton_core::{
    book::Item,
    id::Kind,
    input::StewardAct,
    name::Name,
    rules::Rules,
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
    /// Name of the field, or of a group: then of all its fields
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
    let fields = fields(rules, &args.target)?;
    let on = match (&args.value, &args.source, fields.as_slice()) {
        (Some(value), _, [field]) => {
            LockOn::Value(key::canonical(rules, args.target.kind, *field, value)?)
        }
        (Some(_), ..) => anyhow::bail!(
            "`{}` is a group: lock it on a --source, or one of its fields on a --value",
            output::safe(&args.target.field)
        ),
        (None, Some(source), _) => LockOn::Source(key::system(rules, source)?),
        (None, None, _) => anyhow::bail!("name a --value or a --source"),
    };
    let lock = Lock {
        on,
        reason: args.reason,
        by: args.who.by,
        at: Clock::System.now(),
        expires: args.until,
    };
    let make = |field| StewardAct::Lock {
        field,
        lock: lock.clone(),
    };
    act(place, &workspace, &args.target, &fields, make).await
}

pub async fn unlock(place: &Place, args: UnlockArgs) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::open(place)?;
    let fields = fields(&workspace.active.rules, &args.target)?;
    let make = |field| StewardAct::Unlock { field };
    act(place, &workspace, &args.target, &fields, make).await
}

/// The field that is named, or all members of the group that is.
fn fields(rules: &Rules, target: &Target) -> anyhow::Result<Vec<Name>> {
    let groups = &rules.entity(target.kind).groups;
    let group = Name::known(&target.field).and_then(|name| groups.get(&name));
    Ok(match group {
        Some(group) => group.fields.clone(),
        None => vec![key::field(rules, target.kind, &target.field)?],
    })
}

/// One act per field, all in one transaction.
async fn act(
    place: &Place,
    workspace: &Workspace,
    target: &Target,
    fields: &[Name],
    make: impl Fn(Name) -> StewardAct,
) -> anyhow::Result<ExitCode> {
    let store = workspace.existing_store().await?;
    let state = key::find(&store, &workspace.active.rules, target.kind, &target.key).await?;
    let engine = workspace.engine(store).await?;
    let item = |field: &Name| Item::Steward {
        entity: state.id,
        act: make(*field),
    };
    engine.settle(|| fields.iter().map(item).collect()).await?;
    let after = engine.store.entity(state.id).await?;
    for field in fields {
        let value = after
            .as_ref()
            .map(|state| state.golden_value(*field).to_json())
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
    }
    Ok(ExitCode::SUCCESS)
}
