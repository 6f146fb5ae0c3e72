//! The first command: a day in the life of a thousand people, against sandboxes, judged by the reference.

use std::path::PathBuf;

/// How `baton demo` is run.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Stop when the day is over: status 0 only if everything converged and no law was broken
    #[arg(long)]
    pub exit: bool,
    /// Repeat a run exactly
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Print the summary as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Use this folder's configuration instead of the one in the binary
    #[arg(long, value_name = "DIR")]
    pub config: Option<PathBuf>,
    /// Keep the data here instead of in a temporary folder
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// Runs the demo.
///
/// # Errors
/// When the log, the store or a sandbox cannot be started.
#[expect(
    clippy::unused_async,
    reason = "the demo itself is built beside this file; the command line already knows its place"
)]
pub async fn run(_args: Args) -> anyhow::Result<std::process::ExitCode> {
    anyhow::bail!("the demo is not part of this build")
}
