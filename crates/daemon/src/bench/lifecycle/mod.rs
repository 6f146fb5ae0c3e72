//! The funnel: timers of a daemon as it is run, on a real disk, and what the funnel adds to every change.

mod cost;
mod crowd;
mod report;
mod rules;
mod table;
mod timers;

use std::path::PathBuf;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{
    process,
    site::{Ground, LogKind, StoreKind},
};

pub use cost::Stream;
pub use report::Report;
pub use table::table;

use report::Setting;
use rules::Breach;
use timers::Place;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    pub store: StoreKind,
    /// Timers that are due at once, at least 1. Of returns to nurture a fifth of them.
    pub due: usize,
    /// Timers a second while the daemon runs, at least 1, and for so many seconds.
    pub per_second: u32,
    pub seconds: u32,
    /// Timers that wait meanwhile: few, then many.
    pub pending: [u64; 2],
    pub stream: Stream,
    /// Where folders for log and store are made; none: where the system has its temporary files.
    pub data: Option<PathBuf>,
}

/// Measures one after the other. Blocks; `stop` ends it early, with an error.
///
/// # Errors
/// When log or store cannot be used, or something is lost or comes twice: a figure would mean nothing then.
pub fn run(
    options: &Options,
    runtime: &Handle,
    stop: &CancellationToken,
) -> anyhow::Result<Report> {
    let ground = Ground {
        log: LogKind::Embedded,
        store: options.store.clone(),
    };
    let place = Place {
        ground: &ground,
        data: options.data.as_deref(),
        runtime,
        stop,
    };
    let file_system = {
        let folder = super::mirror::folder(place.data)?;
        process::file_system(folder.path())
    };
    let at_once = vec![
        place.at_once(options.due, Breach::Alert)?,
        place.at_once(options.due.div_ceil(5), Breach::Recycle)?,
    ];
    let [few, many] = options.pending;
    let paced = [
        place.paced(options.per_second, options.seconds, few)?,
        place.paced(options.per_second, options.seconds, many)?,
    ];
    let cost = place.cost(options.stream)?;
    let setting = Setting {
        processors: std::thread::available_parallelism().map_or(1, Into::into),
        log: ground.log_name(),
        store: ground.store_name(),
        file_system,
    };
    Ok(Report::of(setting, at_once, paced, cost))
}
