//! The same for everybody of an account.

use std::{collections::BTreeSet, process::ExitCode};

use baton_core::{
    id::{EntityId, Kind},
    input::StewardAct,
    lifecycle::{
        accounts::{belongs, member_key},
        fact::What,
        rules::{FunnelRules, Phase},
    },
    name::Name,
    rules::Rules,
    state::{Lock, LockOn, State},
    value::Value,
};
use baton_store::Store;
use serde_json::json;

use super::{fact, known_reason, present, refused, setup};
use crate::cli::{Place, Workspace, key, lock::Who, output, status};

/// Gives back everybody whom sales works on. Status 1 if somebody stays.
pub async fn give_back(
    place: &Place,
    key: &str,
    reason: Option<&str>,
    who: &Who,
) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::open(place)?;
    let setup = setup(&workspace)?;
    let reason = reason.map(|text| known_reason(setup, text)).transpose()?;
    let store = workspace.existing_store().await?;
    let account = find(&workspace, &store, key).await?;
    let people = people(&workspace.active.rules, &store, &account).await?;
    let (engine, now) = present(&workspace, store).await?;
    let (mut gone, mut stay) = (Vec::new(), Vec::new());
    for person in people.iter().filter(|state| is_worked(state, &setup.rules)) {
        let fact = fact(person.id, What::Returned { reason }, who, now);
        engine.say(person.id, &fact, &who.by).await?;
        let after = engine.store.entity(person.id).await?;
        let after = after.as_ref().unwrap_or(person);
        match refused(&engine.active().rules, after, &fact) {
            Some(why) => stay.push((person.id, why)),
            None => gone.push(person.id),
        }
    }
    let code = if stay.is_empty() {
        status::DONE
    } else {
        status::NO
    };
    if place.json {
        let stay = stay
            .iter()
            .map(|(person, why)| json!({ "entity": person.to_string(), "why_not": why }));
        output::json(&json!({
            "entity": account.id.to_string(),
            "people": people.len(),
            "given_back": gone.iter().map(EntityId::to_string).collect::<Vec<_>>(),
            "stay": stay.collect::<Vec<_>>(),
        }))?;
        return Ok(ExitCode::from(code));
    }
    output::line(format!(
        "{}: {} of {} people given back{}",
        account.id,
        gone.len(),
        people.len(),
        if stay.is_empty() {
            "; sales works on nobody else of them"
        } else {
            ""
        }
    ))?;
    for (person, why) in stay {
        output::line(format!("  {person} stays: {why}"))?;
    }
    Ok(ExitCode::from(code))
}

/// Takes the account's people out of all marketing, or ends that. Status 1 where a system keeps them out.
pub async fn suppress(place: &Place, key: &str, lift: bool, who: &Who) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::open(place)?;
    let field = field(&workspace)?;
    let store = workspace.existing_store().await?;
    let account = find(&workspace, &store, key).await?;
    let (engine, now) = present(&workspace, store).await?;
    let act = if lift {
        StewardAct::Unlock { field }
    } else {
        let lock = Lock {
            on: LockOn::Value(Value::Bool(true)),
            reason: "taken out of all marketing".to_owned(),
            by: who.by.clone(),
            at: now,
            expires: None,
        };
        StewardAct::Lock { field, lock }
    };
    engine.act(account.id, &act).await?;
    let after = engine.store.entity(account.id).await?.unwrap_or(account);
    let is_out = *after.golden_value(field) == Value::Bool(true);
    let people = people(&workspace.active.rules, &engine.store, &after)
        .await?
        .len();
    if place.json {
        output::json(&json!({
            "entity": after.id.to_string(), "out": is_out, "people": people,
        }))?;
    } else {
        let people = match people {
            1 => "its 1 person is".to_owned(),
            people => format!("its {people} people are"),
        };
        output::line(match (is_out, lift) {
            (true, false) => format!("{}: {people} out of all marketing", after.id),
            (true, true) => format!(
                "{}: {people} still out of all marketing, because a system says so ({field}); `baton explain account {} \
                 {field}` tells which",
                after.id, after.id
            ),
            (false, _) => format!("{}: {people} not kept out of marketing any more", after.id),
        })?;
    }
    Ok(ExitCode::from(if is_out == lift {
        status::NO
    } else {
        status::DONE
    }))
}

fn field(workspace: &Workspace) -> anyhow::Result<Name> {
    let wiring = &setup(workspace)?.wiring;
    let mut fields = wiring.systems.values().filter_map(|s| s.suppresses);
    fields.next().ok_or_else(|| {
        anyhow::anyhow!(
            "no account field takes an account out of marketing; name one as `suppresses` of a system in lifecycle.toml"
        )
    })
}

async fn find(workspace: &Workspace, store: &Store, key: &str) -> anyhow::Result<State> {
    let rules: &Rules = &workspace.active.rules;
    key::find(store, rules, Kind::Account, key).await
}

/// Everybody who belongs to it now.
async fn people(rules: &Rules, store: &Store, account: &State) -> anyhow::Result<Vec<State>> {
    let mut seen = BTreeSet::new();
    let mut people = Vec::new();
    for record in account.links.keys() {
        for state in store.entities_by_key(member_key(record)).await? {
            if belongs(&state, record, rules) && seen.insert(state.id) {
                people.push(state);
            }
        }
    }
    Ok(people)
}

fn is_worked(state: &State, rules: &FunnelRules) -> bool {
    let stage = state.funnel.as_ref().map(|funnel| funnel.present().stage);
    stage.and_then(|stage| rules.phase(stage)) == Some(Phase::Worked)
}
