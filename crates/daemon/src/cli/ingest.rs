//! `baton ingest`: publishes payloads of a system, and settles them where no daemon does.

use std::{
    fs,
    io::{IsTerminal, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use baton_config::Secret;
use baton_connectors::{Payload, split};
use baton_core::change::Format;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{LogHandle, Place, Workspace, key, output, status};
use crate::{
    daemon::RunReport,
    engine::{Engine, Tally, header},
    kafka::{Outgoing, Publish, Publisher, Reader},
};

/// How often a wait looks.
const ROUND: Duration = Duration::from_millis(50);

/// Rounds without anything settled after which a wait says so: ten seconds.
const STILL: u32 = 200;

/// Messages held in memory while settling here.
const PORTION: usize = 20_000;

#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Whose payloads these are
    #[arg(long, value_name = "NAME")]
    system: String,
    /// Dialect of the payloads [default: the system's own]
    #[arg(long, value_parser = parse_format)]
    format: Option<Format>,
    /// What the records are, where the payload does not say: lead, contact, account, deal or the vendor's name
    #[arg(long)]
    object: Option<String>,
    /// Files with one JSON value, an array, JSON lines or CSV; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Wait until all of it has settled, whichever daemon does it, and print how much became what
    #[arg(long)]
    wait: bool,
}

fn parse_format(text: &str) -> Result<Format, String> {
    Format::parse(text).ok_or_else(|| {
        let known: Vec<&str> = Format::ALL.iter().map(|format| format.as_str()).collect();
        format!("a format is one of {}", known.join(", "))
    })
}

pub async fn run(place: &Place, args: Args) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::open(place)?;
    let active = &workspace.active;
    let system = key::system(&active.rules, &args.system)?;
    let topic = active
        .topics
        .names
        .systems
        .get(&system)
        .map(|topics| topics.changes.clone())
        .with_context(|| format!("the system {system} has no topics"))?;
    let format = args
        .format
        .or_else(|| active.rules.systems.get(&system).map(|s| s.format))
        .unwrap_or(Format::Baton);

    // Read everything before anything is published: a file that is missing should not leave half a load.
    let files = read(&args.files)?;
    let log = workspace.log().await?;
    let run = format!("{:032x}", rand::random::<u128>());
    let load = Load {
        topic: &topic,
        format,
        args: &args,
        run: &run,
    };
    let publisher = Publisher::new(&log.connection)?;
    let published = load.publish(&publisher, &files).await;
    let settled = match published {
        Err(error) => Err(error),
        Ok(published) if log.is_own() => settle_here(&workspace, &log, &publisher, &load)
            .await
            .map(|tally| (published, Some(tally))),
        Ok(published) if args.wait => wait(&workspace, log.admin, &topic, &run, published)
            .await
            .map(|tally| (published, Some(tally))),
        Ok(published) => Ok((published, None)),
    };
    drop(publisher);
    log.close().await?;
    let (published, tally) = settled?;
    told(place, published, tally)
}

fn read(files: &[PathBuf]) -> anyhow::Result<Vec<Vec<u8>>> {
    files
        .iter()
        .map(|path| {
            if path == Path::new("-") {
                let mut bytes = Vec::new();
                std::io::stdin()
                    .read_to_end(&mut bytes)
                    .context("cannot read standard input")?;
                Ok(bytes)
            } else {
                fs::read(path).with_context(|| format!("cannot read {}", path.display()))
            }
        })
        .collect()
}

/// One publication.
struct Load<'a> {
    topic: &'a str,
    format: Format,
    args: &'a Args,
    run: &'a str,
}

impl Load<'_> {
    async fn publish(&self, publisher: &Publisher, files: &[Vec<u8>]) -> anyhow::Result<u64> {
        let total: usize = files.iter().map(Vec::len).sum();
        let bar = bar(total as u64);
        let mut before = 0;
        let mut published = 0;
        for bytes in files {
            let mut page = Vec::new();
            for payload in split(self.format, bytes) {
                bar.set_position((before + payload.end) as u64);
                page.push(self.message(payload));
                if page.len() >= 500 {
                    published += send(publisher, &mut page).await?;
                }
            }
            published += send(publisher, &mut page).await?;
            before += bytes.len();
        }
        bar.finish_and_clear();
        Ok(published)
    }

    fn message(&self, payload: Payload<'_>) -> Outgoing {
        let mut headers = vec![(header::RUN.to_owned(), self.run.as_bytes().to_vec())];
        if self.args.format.is_some() {
            let format = self.format.as_str().as_bytes().to_vec();
            headers.push((header::FORMAT.to_owned(), format));
        }
        let object = self
            .args
            .object
            .clone()
            .or_else(|| payload.object.map(Into::into));
        if let Some(object) = object {
            headers.push((header::OBJECT.to_owned(), object.into_bytes()));
        }
        Outgoing {
            topic: self.topic.to_owned(),
            key: payload.key.map(|key| key.into_owned()),
            payload: payload.value.map(|value| value.into_owned()),
            timestamp: None,
            headers,
        }
    }
}

fn bar(total: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    let bar = ProgressBar::new(total);
    bar.set_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar
}

async fn send(publisher: &Publisher, page: &mut Vec<Outgoing>) -> anyhow::Result<u64> {
    let mut published = 0;
    for result in publisher.publish(page).await {
        result?;
        published += 1;
    }
    page.clear();
    Ok(published)
}

/// Runs the engine for as long as there is something to settle.
async fn settle_here(
    workspace: &Workspace,
    log: &LogHandle,
    publisher: &Publisher,
    load: &Load<'_>,
) -> anyhow::Result<Tally> {
    let engine = workspace.engine(workspace.store().await?).await?;
    engine.note_start().await?;
    let connection = log.connection.clone();
    let topics = engine.active().topics.consumed();
    let places = crate::engine::Places::new(engine.stored_positions().await?);
    let mut reader = tokio::task::spawn_blocking(move || {
        Reader::open(&connection, &topics, |topic, partition, found| {
            crate::kafka::start(&places.of(topic, partition), found)
        })
    })
    .await??;
    let ends = tokio::task::block_in_place(|| reader.ends())?;
    let report = engine
        .drain_in_portions(&mut reader, &ends, PORTION)
        .await?;
    engine.fire_timers().await?;
    if load.args.wait {
        let_settle(&engine).await?;
    }
    engine.relay_all(publisher).await?;
    let tally = engine.tally(load.run).await?;
    engine.store.close().await;
    if let Some((topic, partition, offset)) = report.stopped.first() {
        anyhow::bail!(
            "too many messages cannot be understood: {topic} partition {partition} was stopped at offset {offset}; \
             `baton dead-letters list` tells why"
        );
    }
    Ok(tally)
}

/// Waits for what rests a moment before it is written (`timing.tuple_settle`). Cleared values wait longer, for their
/// mass-clear window; whoever runs the engine next decides them, and that is told instead of waited for.
async fn let_settle(engine: &Engine) -> anyhow::Result<()> {
    let active = engine.active();
    let begun = engine.clock.now();
    let patience = begun.plus(active.rules.timing.tuple_settle);
    while let Some(due) = engine.store.next_due().await? {
        if due > patience {
            let decided = begun.plus(active.rules.mass_clear.window);
            if due <= decided {
                eprintln!(
                    "What was cleared waits until {due} (`mass_clear.window`); the daemon, or the next `baton ingest`, \
                     decides it then."
                );
            }
            break;
        }
        let wait = due.since(engine.clock.now()).max(0).unsigned_abs();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        engine.fire_timers().await?;
    }
    Ok(())
}

/// Waits until everything has settled, whichever daemons do it: what became of a message is counted in the store, by
/// the transaction that settled it. Only whether a partition was stopped nobody but its daemon knows; the one of this
/// data folder is asked, and of others' partitions the log says when nothing moves.
async fn wait(
    workspace: &Workspace,
    admin: Option<SocketAddr>,
    topic: &str,
    run: &str,
    published: u64,
) -> anyhow::Result<Tally> {
    let store = workspace.existing_store().await?;
    let token = workspace.active.settings.admin.token.as_ref();
    let mut before = 0;
    let mut rounds = 0_u32;
    loop {
        let counts = store.run(run).await?;
        if counts.messages >= published {
            return Ok(counts.into());
        }
        if let Some(admin) = admin
            && let Ok(body) = ask(admin, &format!("/runs/{run}"), token).await
            && let Ok(report) = serde_json::from_slice::<RunReport>(&body)
            && let Some((stopped, partition)) =
                report.stopped.iter().find(|(name, _)| name == topic)
        {
            anyhow::bail!(
                "too many messages cannot be understood: the daemon stopped {stopped} partition {partition}; \
                 `baton dead-letters list` tells why"
            );
        }
        rounds = if counts.messages > before {
            0
        } else {
            rounds + 1
        };
        before = counts.messages;
        if rounds > 0 && rounds.is_multiple_of(STILL) {
            tracing::warn!(
                settled = counts.messages,
                published,
                "nothing was settled for a while: is a daemon with the role `engine` running, and has none stopped a \
                 partition (`baton_stopped_partitions`)?"
            );
        }
        tokio::time::sleep(ROUND).await;
    }
}

/// One question to the admin port.
async fn ask(admin: SocketAddr, path: &str, token: Option<&Secret>) -> anyhow::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(admin).await?;
    let authorization = token.map_or_else(String::new, |token| {
        format!("Authorization: Bearer {}\r\n", token.reveal())
    });
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n{authorization}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .context("the answer is no HTTP")?;
    let head = String::from_utf8_lossy(answer.get(..end).unwrap_or_default()).into_owned();
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    anyhow::ensure!(status == "200", "the daemon answered with status {status}");
    Ok(answer.split_off(end + 4))
}

fn told(place: &Place, published: u64, tally: Option<Tally>) -> anyhow::Result<ExitCode> {
    let Some(tally) = tally else {
        if place.json {
            output::json(&serde_json::json!({ "published": published }))?;
        } else {
            output::line(format!("{published} messages published"))?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    if place.json {
        output::json(&serde_json::json!({
            "consumed": tally.consumed, "applied": tally.applied, "duplicate": tally.duplicate, "late": tally.late,
            "noop": tally.noop, "parked": tally.parked, "dead_lettered": tally.dead_lettered,
        }))?;
    } else {
        output::line(format!(
            "{published} messages, {} changes: {} applied, {} duplicate, {} late, {} without effect, {} parked, {} \
             dead-lettered",
            tally.consumed,
            tally.applied,
            tally.duplicate,
            tally.late,
            tally.noop,
            tally.parked,
            tally.dead_lettered
        ))?;
        if tally.dead_lettered > 0 {
            output::line("See `baton dead-letters list`.")?;
        }
        if tally.parked > 0 {
            output::line("See `baton parked list`.")?;
        }
    }
    Ok(ExitCode::from(status::DONE))
}
