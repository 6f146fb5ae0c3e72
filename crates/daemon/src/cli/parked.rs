//! `baton parked`: what waits for a steward's decision.

use std::process::ExitCode;

use anyhow::Context as _;
use baton_core::{
    book::{Parked, ParkedCode},
    change::Outcome,
    id::{Digest, EntityId, Kind, RecordKey},
    input::StewardAct,
    name::Name,
    rules::Rules,
};
use baton_store::{StewardState, Store};
use serde_json::json;

use super::{Place, Workspace, key, lock::Who, output};
use crate::engine::Engine;

#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// List what is open
    List {
        /// Only items with this code
        #[arg(long)]
        code: Option<String>,
    },
    /// Show one
    Show { id: String },
    /// Decide one; `parked show` says what that takes
    Resolve(Resolve),
}

#[derive(clap::Args, Clone, Debug)]
pub struct Resolve {
    id: String,
    /// The change belongs to this person, account or deal
    #[arg(long, value_name = "KEY", conflicts_with = "new")]
    to: Option<String>,
    /// The change belongs to somebody new
    #[arg(long)]
    new: bool,
    /// The value of a field that waits for a decision
    #[arg(long, conflicts_with_all = ["to", "new"])]
    value: Option<String>,
    /// The record whose whole tuple a group shall have, as `system:object:id`
    #[arg(long, value_name = "RECORD", conflicts_with_all = ["to", "new", "value"])]
    record: Option<String>,
    /// Give it up: nothing is done
    #[arg(long, conflicts_with_all = ["to", "new", "value", "record"])]
    drop: bool,
    #[command(flatten)]
    who: Who,
}

pub async fn run(place: &Place, command: Command) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::open(place)?;
    let store = workspace.existing_store().await?;
    match command {
        Command::List { code } => list(place, &store, code.as_deref()).await,
        Command::Show { id } => {
            let (parked, state) = one(&store, &id).await?;
            show(place, &workspace.active.rules, &parked, state)
        }
        Command::Resolve(args) => resolve(place, &workspace, store, &args).await,
    }
}

async fn list(place: &Place, store: &Store, code: Option<&str>) -> anyhow::Result<ExitCode> {
    let mut found: Vec<Parked> = Vec::new();
    let mut after = None;
    loop {
        let page = store.parked(StewardState::Open, after, 500).await?;
        let Some(last) = page.last() else { break };
        after = Some((last.at, last.id));
        found.extend(
            page.into_iter()
                .filter(|parked| code.is_none_or(|code| parked.code.as_str() == code)),
        );
    }
    if place.json {
        for parked in &found {
            output::json(&as_json(parked))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if found.is_empty() {
        output::line("Nothing waits for a decision.")?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<[String; 5]> = found
        .iter()
        .map(|parked| {
            [
                parked.id.to_string(),
                parked.at.to_string(),
                parked.code.as_str().to_owned(),
                parked
                    .record
                    .as_ref()
                    .map(|record| output::safe(&record.to_string()))
                    .or_else(|| parked.entity.map(|id| id.to_string()))
                    .unwrap_or_default(),
                output::safe(&parked.why),
            ]
        })
        .collect();
    output::table(["id", "at", "code", "about", "why"], &rows)?;
    Ok(ExitCode::SUCCESS)
}

fn as_json(parked: &Parked) -> serde_json::Value {
    json!({
        "id": parked.id.to_string(), "at": parked.at.to_string(), "code": parked.code.as_str(),
        "entity": parked.entity.map(|id| id.to_string()),
        "record": parked.record.as_ref().map(ToString::to_string),
        "field": parked.field, "why": parked.why,
        "candidates": parked.candidates.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "has_change": parked.change.is_some(),
    })
}

async fn one(store: &Store, id: &str) -> anyhow::Result<(Parked, StewardState)> {
    let digest = Digest::parse(id)
        .with_context(|| format!("`{}` is no id; see `baton parked list`", output::safe(id)))?;
    store
        .parked_one(digest)
        .await?
        .with_context(|| format!("nothing parked has the id {id}"))
}

fn show(
    place: &Place,
    rules: &Rules,
    parked: &Parked,
    state: StewardState,
) -> anyhow::Result<ExitCode> {
    if place.json {
        let mut shown = as_json(parked);
        if let Some(object) = shown.as_object_mut() {
            object.insert("state".into(), state.as_str().into());
        }
        output::json(&shown)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(format!(
        "{} [{}], {}",
        output::safe(&parked.why),
        parked.code.as_str(),
        state.as_str()
    ))?;
    if let Some(record) = &parked.record {
        output::line(format!(
            "  record:     {}",
            output::safe(&record.to_string())
        ))?;
    }
    if let Some(entity) = parked.entity {
        output::line(format!("  entity:     {entity}"))?;
    }
    if let Some(field) = parked.field {
        output::line(format!("  field:      {field}"))?;
    }
    for candidate in &parked.candidates {
        output::line(format!("  candidate:  {candidate}"))?;
    }
    let page = parked.code.as_str().replace('_', "-");
    output::line(format!("  help:       docs/errors/parked-{page}.md"))?;
    output::line(format!(
        "  to decide:  baton parked resolve {} {}",
        parked.id,
        how(parked, rules)
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// What resolving an item takes.
fn how(parked: &Parked, rules: &Rules) -> &'static str {
    match parked.code {
        ParkedCode::AmbiguousMatch | ParkedCode::NotAdmitted if parked.change.is_some() => {
            "--to KEY | --new | --drop"
        }
        ParkedCode::ManualDecision if group_of(parked, rules).is_some() => {
            "--record SYSTEM:OBJECT:ID | --drop"
        }
        ParkedCode::ManualDecision => "--value VALUE | --drop",
        ParkedCode::Contested | ParkedCode::RevertsUsedUp | ParkedCode::RefusedWrite => {
            "(write again) | --drop"
        }
        _ => "(done) | --drop",
    }
}

/// The group that a decision is about, if it is about one.
fn group_of(parked: &Parked, rules: &Rules) -> Option<Name> {
    let (entity, field) = (parked.entity?, parked.field?);
    let groups = &rules.entity(entity.kind).groups;
    groups.contains_key(&field).then_some(field)
}

async fn resolve(
    place: &Place,
    workspace: &Workspace,
    store: Store,
    args: &Resolve,
) -> anyhow::Result<ExitCode> {
    let (parked, state) = one(&store, &args.id).await?;
    if state != StewardState::Open {
        anyhow::bail!("{} is {} already", parked.id, state.as_str());
    }
    if args.drop {
        store.set_parked(parked.id, StewardState::Dropped).await?;
        return told(place, &parked, "given up");
    }
    let engine = workspace.engine(store).await?;
    let said = decide(workspace, &engine, &parked, args).await?;
    told(place, &parked, &said)
}

async fn decide(
    workspace: &Workspace,
    engine: &Engine,
    parked: &Parked,
    args: &Resolve,
) -> anyhow::Result<String> {
    let rules = &workspace.active.rules;
    if parked.change.is_some() {
        let kind = parked
            .record
            .as_ref()
            .map_or(Kind::Person, |r| r.object.kind());
        let entity = match (&args.to, args.new) {
            (Some(key), _) => Some(key::find(&engine.store, rules, kind, key).await?.id),
            (None, true) => None,
            (None, false) => anyhow::bail!("whose is it? Name --to KEY or --new"),
        };
        let settled = engine.resolve(parked, entity).await?;
        let to = settled.entity.or(entity);
        return Ok(to.map_or_else(|| "settled".to_owned(), |id| format!("settled as {id}'s")));
    }
    match (parked.code, parked.entity, parked.field, &parked.record) {
        (ParkedCode::ManualDecision, Some(entity), Some(group), _)
            if group_of(parked, rules).is_some() =>
        {
            let Some(record) = &args.record else {
                anyhow::bail!(
                    "`{group}` is a group, and one record's values go together: name it with --record \
                     SYSTEM:OBJECT:ID; `baton explain` shows what each has"
                );
            };
            let record = RecordKey::parse(record)
                .with_context(|| format!("`{}` is no record", output::safe(record)))?;
            let act = StewardAct::RuleTuple {
                group,
                record: record.clone(),
                by: args.who.by.clone(),
            };
            if engine.act(entity, &act).await?.outcome != Outcome::Applied {
                anyhow::bail!("{record} offers no whole `{group}` that could be chosen");
            }
            engine
                .store
                .set_parked(parked.id, StewardState::Resolved)
                .await?;
            Ok("decided".to_owned())
        }
        (ParkedCode::ManualDecision, Some(entity), Some(field), _) => {
            let Some(text) = &args.value else {
                anyhow::bail!("which value shall `{field}` have? Name --value VALUE");
            };
            let act = StewardAct::Rule {
                field,
                value: key::canonical(rules, entity.kind, field, text)?,
                by: args.who.by.clone(),
            };
            act_and_close(engine, entity, &act, parked).await?;
            Ok("decided".to_owned())
        }
        (
            ParkedCode::Contested | ParkedCode::RevertsUsedUp,
            Some(entity),
            Some(field),
            Some(record),
        ) => {
            let act = StewardAct::Resume {
                record: record.clone(),
                field,
            };
            act_and_close(engine, entity, &act, parked).await?;
            Ok("is written again".to_owned())
        }
        (ParkedCode::RefusedWrite, Some(entity), _, Some(record)) => {
            let act = StewardAct::Retry {
                record: record.clone(),
            };
            act_and_close(engine, entity, &act, parked).await?;
            Ok("is sent once more".to_owned())
        }
        _ => {
            engine
                .store
                .set_parked(parked.id, StewardState::Resolved)
                .await?;
            Ok("done".to_owned())
        }
    }
}

async fn act_and_close(
    engine: &Engine,
    entity: EntityId,
    act: &StewardAct,
    parked: &Parked,
) -> anyhow::Result<()> {
    engine.act(entity, act).await?;
    engine
        .store
        .set_parked(parked.id, StewardState::Resolved)
        .await?;
    Ok(())
}

fn told(place: &Place, parked: &Parked, said: &str) -> anyhow::Result<ExitCode> {
    if place.json {
        output::json(&json!({ "id": parked.id.to_string(), "result": said }))?;
    } else {
        output::line(format!("{}: {said}", parked.id))?;
    }
    Ok(ExitCode::SUCCESS)
}
