//! `baton show`: a person, account or deal as it stands.

use std::process::ExitCode;

use baton_core::{
    id::{Kind, RecordKey},
    rest::{WhyNot, out_of_sync},
    rules::Rules,
    state::{IntentEnd, State},
    time::Millis,
};
use serde_json::json;

use super::{
    Place, Workspace,
    key::{KEY_HELP, find, parse_kind},
    output,
};

#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// person, account or deal
    #[arg(value_parser = parse_kind)]
    kind: Kind,
    #[arg(help = KEY_HELP)]
    key: String,
}

pub async fn run(place: &Place, args: &Args) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::open(place)?;
    let store = workspace.existing_store().await?;
    let state = find(&store, &workspace.active.rules, args.kind, &args.key).await?;
    if place.json {
        output::json(&as_json(&state, &workspace.active.rules))?;
    } else {
        print(&state, &workspace.active.rules)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(state: &State, rules: &Rules) -> serde_json::Value {
    let fields: serde_json::Map<String, serde_json::Value> = state
        .golden
        .iter()
        .map(|(name, golden)| (name.to_string(), golden.value.to_json()))
        .collect();
    let records: Vec<serde_json::Value> = state
        .links
        .iter()
        .map(|(record, link)| {
            json!({
                "system": record.system,
                "object": record.object,
                "id": record.id,
                "status": link.status(),
                "not_in_sync": why_not(state, record, rules)
                    .into_iter()
                    .map(|(field, why)| json!({ "field": field, "why": why }))
                    .collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "entity": state.id.to_string(),
        "kind": state.id.kind,
        "version": state.golden_version,
        "fields": fields,
        "records": records,
        "locks": state.locks.iter().map(|(field, lock)| json!({
            "field": field, "by": lock.by, "reason": lock.reason, "at": lock.at.to_string(),
            "expires": lock.expires.map(|at| at.to_string()),
        })).collect::<Vec<_>>(),
        "merged_into": state.merged_into.map(|id| id.to_string()),
        "erased": state.erased.map(|at| at.to_string()),
        "archived": state.archived,
    })
}

/// Fields of a record that are known not to equal golden, with the reason (L17).
fn why_not(state: &State, record: &RecordKey, rules: &Rules) -> Vec<(String, String)> {
    let Some(delivery) = state.deliveries.get(record) else {
        return Vec::new();
    };
    let mut found: Vec<(String, String)> = Vec::new();
    let mut say = |field: &str, why: String| {
        if found.iter().all(|(known, _)| known != field) {
            found.push((field.to_owned(), why));
        }
    };
    for field in delivery.contested.keys() {
        say(field.as_str(), "contested: two values alternated".into());
    }
    for field in delivery.held.keys() {
        say(field.as_str(), "held: reverts of today are used up".into());
    }
    for (field, refused) in &delivery.refused {
        say(
            field.as_str(),
            format!("refused by the target: {}", refused.reason),
        );
    }
    if let Some((_, reason)) = &delivery.refused_record {
        say("(whole record)", format!("refused by the target: {reason}"));
    }
    if let Some(reason) = delivery.read_wanted {
        say(
            "(whole record)",
            format!("waits for a read: {}", reason.as_str()),
        );
    }
    if delivery.outstanding.is_some() {
        say("(whole record)", "a command is under way".into());
    }
    for intent in delivery
        .intents
        .iter()
        .filter(|i| i.end == IntentEnd::Unknown)
    {
        for field in intent.fields.keys() {
            say(field.as_str(), "the outcome of a write is unknown".into());
        }
    }
    // What is not in sync only because of another field cannot change by time alone.
    for (of, field, why) in out_of_sync(state, rules, Millis::NEVER) {
        if of == *record && why == WhyNot::WithItsGroup {
            let why = "its group is written whole, and another member of it cannot be";
            say(field.as_str(), why.into());
        }
    }
    found
}

fn print(state: &State, rules: &Rules) -> anyhow::Result<()> {
    let mut about = Vec::new();
    if let Some(at) = state.erased {
        about.push(format!("erased at {at}"));
    }
    if state.archived {
        about.push("archived".to_owned());
    }
    let about = if about.is_empty() {
        String::new()
    } else {
        format!(" ({})", about.join(", "))
    };
    output::line(format!(
        "{}, version {}{about}",
        state.id, state.golden_version
    ))?;
    output::line("")?;
    let rows: Vec<[String; 4]> = state
        .golden
        .iter()
        // A blank that nobody decided says nothing.
        .filter(|(_, golden)| golden.decided || !golden.value.is_blank())
        .map(|(name, golden)| {
            [
                name.to_string(),
                output::value(&golden.value.to_json()),
                golden
                    .winner
                    .as_ref()
                    .map_or_else(|| "(derived)".to_owned(), |w| output::safe(&w.to_string())),
                golden.since.map(|at| at.to_string()).unwrap_or_default(),
            ]
        })
        .collect();
    output::table(["field", "value", "from", "since"], &rows)?;
    output::line("")?;
    let rows: Vec<[String; 2]> = state
        .links
        .iter()
        .map(|(record, link)| {
            [
                output::safe(&record.to_string()),
                link.status().as_str().to_owned(),
            ]
        })
        .collect();
    output::table(["record", "status"], &rows)?;
    for record in state.links.keys() {
        for (field, why) in why_not(state, record, rules) {
            output::line(format!(
                "  {} {field}: {}",
                output::safe(&record.to_string()),
                output::safe(&why)
            ))?;
        }
    }
    for (field, lock) in &state.locks {
        output::line(format!(
            "  {field} is locked by {} ({}){}",
            output::safe(&lock.by),
            output::safe(&lock.reason),
            lock.expires
                .map(|at| format!(" until {at}"))
                .unwrap_or_default()
        ))?;
    }
    Ok(())
}
