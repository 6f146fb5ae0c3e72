//! `baton bench`: how fast Baton is on this machine.

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use baton_config::Secret;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{Place, output};
use crate::{
    bench::{core, lifecycle, log, mirror},
    daemon::Stop,
};

#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// The engine alone, in memory: from the bytes of a change to the decision, beside the vendors' formats
    Core(CoreArgs),
    /// The embedded log alone, in a process of its own, and beside it a real Apache Kafka where one is given
    ///
    /// The repository starts an Apache Kafka for it:
    /// `tests/ground/kafka with sh -c 'baton bench log --kafka $BATON_TEST_KAFKA'`.
    Log(LogArgs),
    /// The whole of it: a daemon with its log and its store, beside librdkafka alone on the same log
    Mirror(MirrorArgs),
    /// The funnel: how fast timers are carried out, how late, in how much memory, and what it adds to every change
    Lifecycle(LifecycleArgs),
}

#[derive(clap::Args, Clone, Copy, Debug)]
pub struct CoreArgs {
    /// People that exist before the clock starts (vendors' formats: at most 20,000)
    #[arg(long, value_name = "N", default_value = "100000", value_parser = clap::value_parser!(u32).range(1..))]
    people: u32,
    /// Changes to settle, of people chosen uniformly (vendors' formats: at most 50,000)
    #[arg(long, value_name = "N", default_value = "200000", value_parser = clap::value_parser!(u32).range(1..))]
    changes: u32,
}

#[derive(clap::Args, Clone, Debug)]
pub struct LogArgs {
    /// Measure the Apache Kafka at this address, too, which nobody else should use meanwhile; topics are made there,
    /// and deleted at the end. On this machine its processor time and memory are measured as well
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<String>,
    /// Messages of each round, 1 KiB each; each log holds them twice
    #[arg(long, value_name = "N", default_value = "500000", value_parser = clap::value_parser!(u32).range(1..))]
    messages: u32,
    /// Rounds of throughput; the median counts
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds for which latency is measured, and then idleness
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

#[derive(clap::Args, Clone, Debug)]
pub struct MirrorArgs {
    /// Measure on the Apache Kafka at this address, too; topics are made there, and deleted at the end
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<String>,
    /// Measure with PostgreSQL, too: where its address stands, since it may hold a password. A database is made on
    /// that server, and dropped at the end
    #[arg(long, value_name = "env:NAME|file:PATH", value_parser = secret)]
    postgres: Option<Secret>,
    /// People that exist before the clock starts, each number in a run of its own; a million takes minutes
    #[arg(
        long,
        value_name = "N,…",
        value_delimiter = ',',
        default_value = "10000,100000,1000000",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    people: Vec<u32>,
    /// Changes that wait in the log when the clock starts, of people chosen uniformly
    #[arg(long, value_name = "N", default_value = "200000", value_parser = clap::value_parser!(u32).range(1..))]
    changes: u32,
    /// Changes a second while the time from event to command is taken
    #[arg(long, value_name = "N", default_value = "2000", value_parser = clap::value_parser!(u32).range(1..))]
    pace: u32,
    /// Seconds at that pace
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

#[derive(clap::Args, Clone, Debug)]
pub struct LifecycleArgs {
    /// Measure with PostgreSQL instead of SQLite: where its address stands, since it may hold a password. Databases are
    /// made on that server, and dropped at the end
    #[arg(long, value_name = "env:NAME|file:PATH", value_parser = secret)]
    postgres: Option<Secret>,
    /// Timers that are due at once; a million takes minutes. Of people who go back to nurture a fifth as many
    #[arg(long, value_name = "N", default_value = "1000000", value_parser = clap::value_parser!(u32).range(1..))]
    due: u32,
    /// Timers a second while lateness is taken
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..))]
    pace: u32,
    /// Seconds at that pace
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Timers that wait while memory is taken; beside it the same with a thousandth of them
    #[arg(long, value_name = "N", default_value = "10000000", value_parser = clap::value_parser!(u64).range(1..))]
    pending: u64,
    /// People whose changes are settled with a funnel and without
    #[arg(long, value_name = "N", default_value = "20000", value_parser = clap::value_parser!(u32).range(1..))]
    people: u32,
    /// Their changes
    #[arg(long, value_name = "N", default_value = "100000", value_parser = clap::value_parser!(u32).range(1..))]
    changes: u32,
    /// What everybody has done before, in one of the variants
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..))]
    acts: u32,
    /// Rounds of it; the median counts
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

/// A secret from where a text says that it stands.
fn secret(place: &str) -> Result<Secret, String> {
    let found = match place.split_once(':') {
        Some(("env", name)) => {
            std::env::var(name).map_err(|_| format!("there is no variable {name}"))?
        }
        Some(("file", path)) => std::fs::read_to_string(path)
            .map_err(|error| format!("{path} cannot be read: {error}"))?,
        _ => return Err("write env:NAME or file:PATH, not the address itself".to_owned()),
    };
    Ok(Secret::new(found.trim()))
}

pub async fn run(place: &Place, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Core(args) => run_core(place, args),
        Command::Log(args) => run_log(place, args).await,
        Command::Mirror(args) => run_mirror(place, args).await,
        Command::Lifecycle(args) => run_lifecycle(place, args).await,
    }
}

async fn run_log(place: &Place, args: LogArgs) -> anyhow::Result<ExitCode> {
    let plan = log::Plan {
        messages: args.messages as usize,
        rounds: args.rounds as usize,
        quiet: Duration::from_secs(args.seconds.into()),
        kafka: args.kafka,
        data: place.data.clone().unwrap_or_else(std::env::temp_dir),
    };
    let report = log::run(&plan, |step| tracing::info!(step, "measuring")).await?;
    print(place, &report, log::table)
}

fn run_core(place: &Place, args: CoreArgs) -> anyhow::Result<ExitCode> {
    let size = core::Size {
        people: args.people as usize,
        changes: args.changes as usize,
    };
    let report = core::run(size, |format| {
        tracing::info!(format = format.as_str(), "measuring");
    })?;
    print(place, &report, core::table)
}

async fn run_mirror(place: &Place, args: MirrorArgs) -> anyhow::Result<ExitCode> {
    let logs = std::iter::once(mirror::LogKind::Embedded);
    let stores = std::iter::once(mirror::StoreKind::Sqlite);
    let stores: Vec<_> = stores
        .chain(args.postgres.map(mirror::StoreKind::Postgres))
        .collect();
    let grounds = logs
        .chain(args.kafka.map(mirror::LogKind::Kafka))
        .flat_map(|log| {
            stores.iter().map(move |store| mirror::Ground {
                log: log.clone(),
                store: store.clone(),
            })
        })
        .collect();
    let options = mirror::Options {
        grounds,
        people: args.people.iter().map(|n| *n as usize).collect(),
        changes: args.changes as usize,
        paced: mirror::Paced {
            per_second: args.pace,
            seconds: args.seconds,
        },
        data: place.data.clone(),
    };
    let run = move |runtime: &_, stop: &_| mirror::run(&options, runtime, stop);
    measured(place, run, mirror::table).await
}

async fn run_lifecycle(place: &Place, args: LifecycleArgs) -> anyhow::Result<ExitCode> {
    let options = lifecycle::Options {
        store: args
            .postgres
            .map_or(mirror::StoreKind::Sqlite, mirror::StoreKind::Postgres),
        due: args.due as usize,
        per_second: args.pace,
        seconds: args.seconds,
        pending: [args.pending.div_ceil(1_000), args.pending],
        stream: lifecycle::Stream {
            people: args.people as usize,
            changes: args.changes as usize,
            acts: args.acts as usize,
            rounds: args.rounds as usize,
        },
        data: place.data.clone(),
    };
    let run = move |runtime: &_, stop: &_| lifecycle::run(&options, runtime, stop);
    measured(place, run, lifecycle::table).await
}

/// Measures in a thread of its own, until it is done or told to end, and prints the report.
async fn measured<R: serde::Serialize + Send + 'static>(
    place: &Place,
    run: impl FnOnce(&Handle, &CancellationToken) -> anyhow::Result<R> + Send + 'static,
    table: fn(&R) -> String,
) -> anyhow::Result<ExitCode> {
    let stop = Stop::on_signals()?.soft;
    let runtime = Handle::current();
    let measuring = tokio::task::spawn_blocking(move || run(&runtime, &stop));
    let report = measuring
        .await
        .context("the benchmark ended in a panic")??;
    print(place, &report, table)
}

fn print<R: serde::Serialize>(
    place: &Place,
    report: &R,
    table: fn(&R) -> String,
) -> anyhow::Result<ExitCode> {
    if place.json {
        output::json(report)?;
    } else {
        output::line(table(report).trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}
