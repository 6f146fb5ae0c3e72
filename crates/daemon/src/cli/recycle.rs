//! `baton recycle`, `return` and `suppress`: what people decide of somebody in the funnel, in place of the rules.

use std::{process::ExitCode, sync::Arc};

use baton_core::{
    id::{Digest, EntityId, Kind, Position},
    lifecycle::{
        course::Trigger,
        fact::{Fact, Suppression, What},
        setup::Setup,
    },
    name::Name,
    rules::Rules,
    state::State,
    time::Millis,
};
use baton_store::Store;

mod accounts;

use super::{
    Place, Workspace,
    funnel::{NO_FUNNEL, now},
    key::{self, KEY_HELP},
    lock::Who,
    output, status,
    why_stage::why,
};
use crate::{clock::Clock, engine::Engine};

#[derive(clap::Args, Clone, Debug)]
pub struct RecycleArgs {
    #[arg(help = KEY_HELP)]
    key: String,
    /// One of the reasons in lifecycle.toml, which choose the nurture track
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    who: Who,
}

#[derive(clap::Args, Clone, Debug)]
pub struct ReturnArgs {
    #[arg(help = KEY_HELP)]
    key: String,
    /// KEY is an account: everybody of it whom sales works on is given back
    #[arg(long)]
    account: bool,
    /// One of the reasons in lifecycle.toml [default: the one that stands there as `returned`]
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    who: Who,
}

#[derive(clap::Args, Clone, Debug)]
pub struct SuppressArgs {
    /// person, or account: everybody who belongs to it, now or later
    #[arg(value_parser = parse_whose)]
    whose: Kind,
    #[arg(help = KEY_HELP)]
    key: String,
    /// End it: everybody's own consent stays as it is
    #[arg(long)]
    lift: bool,
    #[command(flatten)]
    who: Who,
}

/// Of deals there is nothing to take out.
fn parse_whose(text: &str) -> Result<Kind, String> {
    match Kind::parse(text) {
        Some(kind @ (Kind::Person | Kind::Account)) => Ok(kind),
        _ => Err("it must be person or account".to_owned()),
    }
}

pub async fn recycle(place: &Place, args: &RecycleArgs) -> anyhow::Result<ExitCode> {
    give_back(place, &args.key, Some(&args.reason), &args.who).await
}

pub async fn give_back_by_sales(place: &Place, args: &ReturnArgs) -> anyhow::Result<ExitCode> {
    if args.account {
        return accounts::give_back(place, &args.key, args.reason.as_deref(), &args.who).await;
    }
    give_back(place, &args.key, args.reason.as_deref(), &args.who).await
}

async fn give_back(
    place: &Place,
    key: &str,
    reason: Option<&str>,
    who: &Who,
) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::open(place)?;
    let setup = setup(&workspace)?;
    let reason = reason.map(|text| known_reason(setup, text)).transpose()?;
    say(place, &workspace, key, What::Returned { reason }, who).await
}

pub async fn suppress(place: &Place, args: &SuppressArgs) -> anyhow::Result<ExitCode> {
    if args.whose == Kind::Account {
        return accounts::suppress(place, &args.key, args.lift, &args.who).await;
    }
    let workspace = Workspace::open(place)?;
    setup(&workspace)?;
    let what = What::Suppressed {
        whose: Suppression::Person,
        on: !args.lift,
    };
    say(place, &workspace, &args.key, what, &args.who).await
}

fn setup(workspace: &Workspace) -> anyhow::Result<&Setup> {
    let found = workspace.active.rules.funnel.as_deref();
    found.ok_or_else(|| anyhow::anyhow!(NO_FUNNEL))
}

fn known_reason(setup: &Setup, text: &str) -> anyhow::Result<Name> {
    let reasons = &setup.rules.recycling.reasons;
    let known = Name::known(text).filter(|name| reasons.contains_key(name));
    known.ok_or_else(|| {
        anyhow::anyhow!(
            "`{}` is no reason to recycle anybody{}",
            output::safe(text),
            key::did_you_mean(text, reasons.keys().map(|name| name.as_str()))
        )
    })
}

/// Makes it a fact of the person, and tells where the person stands then. Status 1 where it moved nobody, and why.
async fn say(
    place: &Place,
    workspace: &Workspace,
    key: &str,
    what: What,
    who: &Who,
) -> anyhow::Result<ExitCode> {
    let rules = &workspace.active.rules;
    let store = workspace.existing_store().await?;
    let before = key::find(&store, rules, Kind::Person, key).await?;
    let (engine, now) = present(workspace, store).await?;
    let suppresses = match what {
        What::Suppressed { on, .. } => Some(on),
        _ => None,
    };
    let fact = fact(before.id, what, who, now);
    engine.say(before.id, &fact, &who.by).await?;
    let after = engine.store.entity(before.id).await?.unwrap_or(before);
    if let Some(on) = suppresses {
        return tell_suppression(place, &engine.active().rules, &after, on, now);
    }
    let stage = after.funnel.as_ref().map(|f| f.present().stage);
    let stage = stage.map_or("nowhere yet", Name::as_str);
    let objection = refused(&engine.active().rules, &after, &fact);
    if place.json {
        output::json(&serde_json::json!({
            "entity": after.id.to_string(), "stage": stage, "moved": objection.is_none(), "why_not": objection,
        }))?;
    } else if let Some(why) = &objection {
        output::line(format!("{} stays in {stage}: {why}", after.id))?;
    } else {
        output::line(format!("{} is now in {stage}", after.id))?;
    }
    Ok(ExitCode::from(if objection.is_some() {
        status::NO
    } else {
        status::DONE
    }))
}

/// An engine on the store that stands at the present of the funnel, and that present. The log's clock may be ahead of this
/// machine's; what is said now would have to wait for this one, and nobody would be moved.
async fn present(workspace: &Workspace, store: Store) -> anyhow::Result<(Arc<Engine>, Millis)> {
    let now = now(&store).await?;
    let engine = workspace.engine_by(store, Clock::simulated(now)).await?;
    Ok((engine, now))
}

/// Whether somebody is out of all marketing now. Status 1 where their account keeps them out.
fn tell_suppression(
    place: &Place,
    rules: &Rules,
    after: &State,
    wanted: bool,
    now: Millis,
) -> anyhow::Result<ExitCode> {
    let here = rules.funnel.as_deref().zip(after.funnel.as_deref());
    let here = here.map(|(setup, funnel)| funnel.course(&setup.editions, now).0);
    let is_out = here.is_some_and(|here| !here.suppressions.is_empty());
    if place.json {
        output::json(&serde_json::json!({ "entity": after.id.to_string(), "out": is_out }))?;
    } else {
        output::line(match (is_out, wanted) {
            (true, true) => format!("{} is out of all marketing", after.id),
            (true, false) => format!(
                "{} is still out of all marketing, because their account is; `baton suppress account KEY --lift` ends that",
                after.id
            ),
            (false, _) => format!("{} is not kept out of marketing any more", after.id),
        })?;
    }
    Ok(ExitCode::from(if is_out == wanted {
        status::DONE
    } else {
        status::NO
    }))
}

/// What a steward says of somebody, now.
fn fact(person: EntityId, what: What, who: &Who, now: Millis) -> Fact {
    Fact {
        event: Digest::of(&[
            b"steward",
            person.to_string().as_bytes(),
            who.by.as_bytes(),
            format!("{what:?}").as_bytes(),
            &now.0.to_be_bytes(),
        ]),
        time: now,
        seq: 0,
        position: Position::new(now, 0, 0, 0),
        effective: None,
        what,
    }
}

/// Why a fact moved nobody.
fn refused(rules: &Rules, state: &State, fact: &Fact) -> Option<String> {
    let setup = rules.funnel.as_deref()?;
    let funnel = state.funnel.as_deref()?;
    let (_, course) = funnel.course(&setup.editions, fact.time);
    let by_this = |trigger: &_| *trigger == Trigger::Fact(fact.event);
    let found = course.objections.iter().find(|o| by_this(&o.trigger))?;
    Some(why(&found.why))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_reason_is_refused_and_the_nearest_is_named() {
        let (rules, ..) =
            crate::cli::workspace::sound(crate::cli::workspace::shipped_config()).unwrap();
        let setup = rules.funnel.as_deref().unwrap();
        let error = known_reason(setup, "no_respons").unwrap_err().to_string();
        assert_eq!(
            error,
            "`no_respons` is no reason to recycle anybody; did you mean `no_response`?"
        );
        assert_eq!(known_reason(setup, "budget").unwrap().as_str(), "budget");
    }
}
