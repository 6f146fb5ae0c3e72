//! `baton ingest`: publishes payloads of a system, and settles them where no daemon does.

use std::{
    collections::BTreeMap,
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
use baton_store::StoredPosition;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{LogHandle, Place, Workspace, key, output, status};
use crate::{
    daemon::RunReport,
    engine::{Engine, Tally, header},
    kafka::{Outgoing, Publisher, Reader},
};

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
    /// Wait until all of it has settled, and print how much became what
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
            .map(|tally| (published.messages, Some(tally))),
        Ok(published) if args.wait => wait(&workspace, log.admin, &topic, &run, &published)
            .await
            .map(|tally| (published.messages, Some(tally))),
        Ok(published) => Ok((published.messages, None)),
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
    async fn publish(&self, publisher: &Publisher, files: &[Vec<u8>]) -> anyhow::Result<Published> {
        let total: usize = files.iter().map(Vec::len).sum();
        let bar = bar(total as u64);
        let mut before = 0;
        let mut published = Published::default();
        for bytes in files {
            let mut page = Vec::new();
            for payload in split(self.format, bytes) {
                bar.set_position((before + payload.end) as u64);
                page.push(self.message(payload));
                if page.len() >= 500 {
                    published.send(publisher, &mut page).await?;
                }
            }
            published.send(publisher, &mut page).await?;
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

/// What was published: so many messages, and after which offset of each partition of the topic they end.
#[derive(Default)]
struct Published {
    messages: u64,
    ends: BTreeMap<i32, i64>,
}

impl Published {
    async fn send(
        &mut self,
        publisher: &Publisher,
        page: &mut Vec<Outgoing>,
    ) -> anyhow::Result<()> {
        for result in publisher.publish(page).await {
            let (partition, offset) = result?;
            self.messages += 1;
            let end = self.ends.entry(partition).or_default();
            *end = (*end).max(offset + 1);
        }
        page.clear();
        Ok(())
    }
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
    engine.store.close().await;
    if let Some((topic, partition, offset)) = report.stopped.first() {
        anyhow::bail!(
            "too many messages cannot be understood: {topic} partition {partition} was stopped at offset {offset}; \
             `baton dead-letters list` tells why"
        );
    }
    Ok(engine.tally(load.run))
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

/// Waits until the daemon has settled everything.
async fn wait(
    workspace: &Workspace,
    admin: Option<SocketAddr>,
    topic: &str,
    run: &str,
    published: &Published,
) -> anyhow::Result<Tally> {
    let admin = admin.context(
        "the daemon has no admin port to ask what became of the messages; run it with the role `admin`, or leave \
         --wait out",
    )?;
    let token = workspace.active.settings.admin.token.as_ref();
    // Several workers can share the topic only where the store is shared, too.
    let shared = match &workspace.active.settings.store.url {
        Some(_) => Some(workspace.store().await?),
        None => None,
    };
    loop {
        let all_settled = match &shared {
            Some(store) => passed(&store.positions(topic).await?, &published.ends),
            None => false,
        };
        let body = ask(admin, &format!("/runs/{run}"), token)
            .await
            .with_context(|| {
                format!("the messages are published, but the daemon at {admin} cannot be asked")
            })?;
        let report: RunReport = serde_json::from_slice(&body)?;
        if report.tally.messages >= published.messages {
            return Ok(report.tally);
        }
        if all_settled {
            let others = published.messages - report.tally.messages;
            eprintln!(
                "All of it has settled; {others} of {} messages by other workers, whose counts are not among these.",
                published.messages
            );
            return Ok(report.tally);
        }
        if let Some((stopped, partition)) = report.stopped.iter().find(|(name, _)| name == topic) {
            anyhow::bail!(
                "too many messages cannot be understood: the daemon stopped {stopped} partition {partition}; \
                 `baton dead-letters list` tells why"
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whether every partition was read up to its end. A topic made anew has positions of its own.
fn passed(positions: &[StoredPosition], ends: &BTreeMap<i32, i64>) -> bool {
    ends.iter().all(|(partition, end)| {
        let of_it = positions.iter().filter(|p| p.partition == *partition);
        let newest = of_it.max_by_key(|p| p.incarnation.parse::<i64>().unwrap_or(i64::MIN));
        newest.is_some_and(|p| p.next >= *end)
    })
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
