//! The mirror as a whole: log, engine, store and relay of a daemon, as it is run, on a real disk.
//!
//! The log and the daemon are processes of their own, so that what each uses can be told apart, and so that what is
//! measured is `baton run` and nothing made for measuring.

mod measure;
mod report;
pub(super) mod rules;
mod table;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

pub use report::{Figures, Report};
pub use table::table;

pub use super::site::{Ground, LogKind, StoreKind};
use super::{people::Values, site::RuleFiles};

pub(super) use measure::{ACT, Measured, measure};
use report::Setting;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// At least one.
    pub grounds: Vec<Ground>,
    /// Numbers of people, each at least 1; at least one.
    pub people: Vec<usize>,
    /// Changes that wait in the log, at least 1.
    pub changes: usize,
    pub paced: Paced,
    /// Where folders for log and store are made; none: where the system has its temporary files.
    pub data: Option<PathBuf>,
}

/// A steady pace.
#[derive(Clone, Copy, Debug)]
pub struct Paced {
    /// At least 1.
    pub per_second: u32,
    /// At least 1.
    pub seconds: u32,
}

/// One size.
pub(super) struct Size {
    pub people: usize,
    pub values: Values,
    pub rules: RuleFiles,
    /// What everybody does before their changes come.
    pub acts: usize,
    pub changes: usize,
    pub paced: Option<Paced>,
}

/// How many people the headline figures are of, if that was asked for.
const MAIN: usize = 100_000;

/// Measures all grounds and sizes, one after the other. Blocks; `stop` ends it early, with an error.
///
/// # Errors
/// When log or store cannot be used, or something is lost or comes twice: a rate would mean nothing then.
pub fn run(
    options: &Options,
    runtime: &Handle,
    stop: &CancellationToken,
) -> anyhow::Result<Report> {
    let mut people = options.people.clone();
    people.sort_unstable();
    people.dedup();
    let main = people
        .iter()
        .find(|p| **p == MAIN)
        .or(people.last())
        .copied()
        .context("no number of people to measure")?;
    let mut file_system = None;
    let mut grounds = Vec::new();
    for ground in &options.grounds {
        let mut sizes = Vec::new();
        for people in &people {
            let folder = folder(options.data.as_deref())?;
            file_system = super::process::file_system(folder.path());
            tracing::info!(
                log = ground.log_name(),
                store = ground.store_name(),
                people,
                "measuring"
            );
            let size = Size {
                people: *people,
                values: Values::Texts,
                rules: rules::files(),
                acts: 0,
                changes: options.changes,
                paced: (*people == main).then_some(options.paced),
            };
            let measured = measure(ground, &size, folder.path(), runtime, stop);
            // Whoever tells a benchmark to end may have told its children, too, and what they then lack is no news.
            anyhow::ensure!(
                !stop.is_cancelled(),
                "told to end before everything was measured"
            );
            sizes.push(measured?);
        }
        grounds.extend(Figures::of(ground, main, sizes));
    }
    let setting = Setting {
        processors: std::thread::available_parallelism().map_or(1, Into::into),
        file_system,
        changes: options.changes,
        paced_per_s: options.paced.per_second,
    };
    Report::of(setting, grounds).context("nothing was measured")
}

pub(super) fn folder(within: Option<&Path>) -> anyhow::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("baton-bench-");
    match within {
        Some(within) => {
            std::fs::create_dir_all(within)
                .with_context(|| format!("cannot create {}", within.display()))?;
            builder.tempdir_in(within)
        }
        None => builder.tempdir(),
    }
    .context("cannot create a folder for log and store")
}
