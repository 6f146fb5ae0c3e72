//! `baton tail`: reads the topics without any Kafka tool.

use std::{process::ExitCode, time::Duration};

use baton_core::name::Name;
use serde_json::json;

use super::{Place, Workspace, key, output};
use crate::{
    daemon::Stop,
    engine::{Active, Consumed},
    kafka::{Polled, Reader, Start},
};

#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[arg(value_enum)]
    what: What,
    /// Only this system's (commands, changes)
    #[arg(long, value_name = "NAME")]
    system: Option<String>,
    /// From the first message that is still there
    #[arg(long)]
    from_start: bool,
    /// Stop when everything that is there now has been shown
    #[arg(long)]
    until_idle: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum What {
    /// What the systems are told to do
    Commands,
    /// Golden records, whenever one changes
    Golden,
    /// Why they changed
    Decisions,
    /// What happens in the funnel
    Lifecycle,
    /// What could not be understood
    DeadLetters,
    /// What the systems send
    Changes,
}

pub async fn run(place: &Place, args: Args) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::open(place)?;
    let topics = topics(&workspace.active, &args)?;
    let log = workspace.log().await?;
    let connection = log.connection.clone();
    let stop = Stop::on_signals()?;
    let (json, soft) = (place.json, stop.soft.clone());
    let shown = tokio::task::spawn_blocking(move || -> anyhow::Result<()> {
        let mut reader = Reader::open(&connection, &topics, |_, _, found| {
            if args.from_start {
                Start::Beginning
            } else {
                Start::at(found.end)
            }
        })?;
        let ends = reader.ends()?;
        while !soft.is_cancelled() {
            if args.until_idle && reader.reached(&ends) {
                break;
            }
            if let Polled::Message(message) = reader.poll(Duration::from_millis(100))? {
                show(&message, json)?;
            }
        }
        Ok(())
    })
    .await?;
    log.close().await?;
    shown?;
    Ok(ExitCode::SUCCESS)
}

fn topics(active: &Active, args: &Args) -> anyhow::Result<Vec<String>> {
    let names = &active.topics.names;
    let systems: Vec<Name> = match &args.system {
        None => names.systems.keys().copied().collect(),
        Some(text) => vec![key::system(&active.rules, text)?],
    };
    let of = |pick: fn(&baton_config::SystemTopics) -> &String| -> Vec<String> {
        systems
            .iter()
            .filter_map(|system| names.systems.get(system))
            .map(|topics| pick(topics).clone())
            .collect()
    };
    Ok(match args.what {
        What::Commands => of(|topics| &topics.commands),
        What::Changes => of(|topics| &topics.changes),
        What::Golden => vec![names.golden.clone()],
        What::Decisions => vec![names.decisions.clone()],
        What::Lifecycle => vec![names.lifecycle.clone()],
        What::DeadLetters => vec![names.dead_letters.clone()],
    })
}

fn show(message: &Consumed, as_json: bool) -> anyhow::Result<()> {
    let payload = message.payload.as_deref();
    if !as_json {
        let body = payload.map_or_else(
            || "(tombstone)".to_owned(),
            |bytes| output::safe(&String::from_utf8_lossy(bytes)),
        );
        return output::line(format!(
            "{}  {}[{}]@{}  {}",
            message.arrival, message.topic, message.partition, message.offset, body
        ));
    }
    let body = match payload {
        None => serde_json::Value::Null,
        Some(bytes) => serde_json::from_slice(bytes)
            .unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned().into()),
    };
    let headers: serde_json::Map<String, serde_json::Value> = message
        .headers
        .iter()
        .map(|(key, value)| (key.to_owned(), String::from_utf8_lossy(value).into()))
        .collect();
    output::json(&json!({
        "topic": &*message.topic, "partition": message.partition, "offset": message.offset,
        "time": message.arrival.to_string(),
        "key": message.key.as_ref().map(|key| String::from_utf8_lossy(key).into_owned()),
        "headers": headers, "value": body,
    }))
}
