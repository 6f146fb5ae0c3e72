//! `baton dead-letters`: messages that could not be understood.

use std::process::ExitCode;

use anyhow::Context as _;
use baton_core::{id::Digest, time::Millis};
use baton_store::{DeadLetter, StewardState, Store};
use serde_json::json;

use super::{Place, Workspace, output, status};

#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// List open ones
    List {
        /// Only those with this error code
        #[arg(long)]
        code: Option<String>,
        /// At most this many
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Show one, with its payload
    Show { id: String },
    /// Settle them again, after the mapping or the decoder was mended; publish again what the log had refused
    Retry {
        /// Ids; none with --all
        #[arg(required_unless_present = "all")]
        ids: Vec<String>,
        /// All open ones
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
    /// Give them up
    Drop {
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

pub async fn run(place: &Place, command: Command) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::open(place)?;
    let store = workspace.existing_store().await?;
    match command {
        Command::List { code, limit } => list(place, &store, code.as_deref(), limit).await,
        Command::Show { id } => show(place, &store, &id).await,
        Command::Retry { ids, all } => retry(place, &workspace, store, &ids, all).await,
        Command::Drop { ids } => drop_all(place, &store, &ids).await,
    }
}

/// Open letters, oldest first.
async fn open(store: &Store, code: Option<&str>, limit: usize) -> anyhow::Result<Vec<DeadLetter>> {
    let mut found: Vec<DeadLetter> = Vec::new();
    let mut after: Option<(Millis, Digest)> = None;
    while found.len() < limit {
        let page = store.dead_letters(StewardState::Open, after, 500).await?;
        let Some(last) = page.last() else { break };
        after = Some((last.at, last.id));
        found.extend(
            page.into_iter()
                .filter(|letter| code.is_none_or(|code| letter.code == code)),
        );
    }
    found.truncate(limit);
    Ok(found)
}

fn as_json(letter: &DeadLetter) -> serde_json::Value {
    json!({
        "id": letter.id.to_string(), "at": letter.at.to_string(), "system": letter.system, "code": letter.code,
        "place": letter.place, "what": letter.what, "fix": letter.fix, "topic": letter.topic,
        "partition": letter.partition, "offset": letter.offset,
    })
}

async fn list(
    place: &Place,
    store: &Store,
    code: Option<&str>,
    limit: usize,
) -> anyhow::Result<ExitCode> {
    let letters = open(store, code, limit).await?;
    if place.json {
        for letter in &letters {
            output::json(&as_json(letter))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if letters.is_empty() {
        output::line("There are no open dead letters.")?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<[String; 5]> = letters
        .iter()
        .map(|letter| {
            [
                letter.id.to_string(),
                letter.at.to_string(),
                letter.system.to_string(),
                letter.code.to_string(),
                output::safe(&format!("{} ({})", letter.what, letter.place)),
            ]
        })
        .collect();
    output::table(["id", "at", "system", "code", "what"], &rows)?;
    Ok(ExitCode::SUCCESS)
}

fn parse(id: &str) -> anyhow::Result<Digest> {
    Digest::parse(id).with_context(|| {
        format!(
            "`{}` is no id; ids have 32 hexadecimal digits, as the list shows them",
            output::safe(id)
        )
    })
}

async fn one(store: &Store, id: &str) -> anyhow::Result<(DeadLetter, StewardState)> {
    store
        .dead_letter(parse(id)?)
        .await?
        .with_context(|| format!("there is no dead letter {id}"))
}

async fn show(place: &Place, store: &Store, id: &str) -> anyhow::Result<ExitCode> {
    let (letter, state) = one(store, id).await?;
    let payload = String::from_utf8_lossy(&letter.payload);
    if place.json {
        let mut shown = as_json(&letter);
        if let Some(object) = shown.as_object_mut() {
            object.insert("state".into(), state.as_str().into());
            object.insert("format".into(), letter.format.as_str().into());
            object.insert(
                "key".into(),
                letter
                    .key
                    .as_ref()
                    .map(|key| String::from_utf8_lossy(key).into_owned())
                    .into(),
            );
            object.insert("payload".into(), payload.into());
        }
        output::json(&shown)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(format!(
        "{} [{}], {}",
        letter.what,
        letter.code,
        state.as_str()
    ))?;
    output::line(format!("  where:   {}", output::safe(&letter.place)))?;
    output::line(format!("  to do:   {}", letter.fix))?;
    if letter.partition < 0 {
        output::line(format!(
            "  message: one of Baton's own for {}, refused {}",
            letter.topic, letter.at
        ))?;
    } else {
        output::line(format!(
            "  message: {} partition {} offset {}, arrived {}",
            letter.topic, letter.partition, letter.offset, letter.at
        ))?;
    }
    output::line(format!("  help:    docs/errors/{}.md", letter.code))?;
    output::line("")?;
    output::line(payload)?;
    Ok(ExitCode::SUCCESS)
}

async fn retry(
    place: &Place,
    workspace: &Workspace,
    store: Store,
    ids: &[String],
    all: bool,
) -> anyhow::Result<ExitCode> {
    let mut letters = Vec::new();
    if all {
        letters = open(&store, None, usize::MAX).await?;
    }
    for id in ids {
        letters.push(one(&store, id).await?.0);
    }
    let engine = workspace.engine(store).await?;
    let mut buried = 0;
    for page in letters.chunks(200) {
        engine.retry_dead_letters(page).await?;
        for letter in page {
            let after = engine.store.dead_letter(letter.id).await?;
            buried += u64::from(after.is_some_and(|(_, state)| state == StewardState::Open));
        }
    }
    let settled = letters.len() as u64 - buried;
    if place.json {
        output::json(
            &json!({ "retried": letters.len(), "settled": settled, "still_dead": buried }),
        )?;
    } else {
        output::line(format!(
            "{} tried again: {settled} settled, {buried} still cannot be understood",
            letters.len()
        ))?;
    }
    Ok(ExitCode::from(if buried == 0 {
        status::DONE
    } else {
        status::NO
    }))
}

async fn drop_all(place: &Place, store: &Store, ids: &[String]) -> anyhow::Result<ExitCode> {
    for id in ids {
        let (letter, _) = one(store, id).await?;
        store
            .set_dead_letter(letter.id, StewardState::Dropped)
            .await?;
    }
    if place.json {
        output::json(&json!({ "dropped": ids.len() }))?;
    } else {
        output::line(format!("{} given up", ids.len()))?;
    }
    Ok(ExitCode::SUCCESS)
}
