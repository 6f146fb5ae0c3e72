//! `baton log`: the embedded log alone.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::Context as _;

use super::{Place, output};
use crate::daemon::Stop;

#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9092")]
    listen: SocketAddr,
    /// Let other machines in, although there is no authentication
    #[arg(long)]
    allow_remote: bool,
    /// Sync every write before it is acknowledged
    #[arg(long)]
    fsync: bool,
    /// End when standard input does
    #[arg(long, hide = true)]
    until_stdin_ends: bool,
}

pub async fn run(place: &Place, args: &Args) -> anyhow::Result<ExitCode> {
    let mut stop = Stop::on_signals()?;
    if args.until_stdin_ends {
        stop = stop.and_with_stdin()?;
    }
    let data = place
        .data
        .clone()
        .unwrap_or_else(|| PathBuf::from("baton-data"))
        .join("log");
    let mut config = baton_log::Config::new(data);
    config.listen = args.listen;
    config.allow_remote = args.allow_remote;
    if args.fsync {
        config.fsync = baton_log::Fsync::Always;
    }
    let log = baton_log::Log::open(config)
        .await
        .context("cannot start the log")?;
    output::line(format!("bootstrap.servers={}", log.addr()))?;
    stop.soft.cancelled().await;
    log.shutdown().await.context("cannot stop the log")?;
    Ok(ExitCode::SUCCESS)
}
