//! Timers of a running daemon: many at once, and many a second while others wait.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use baton_core::time::{DAY, HOUR, Millis};
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{
    crowd,
    report::{AtOnce, Paced},
    rules::{self, Breach},
};
use crate::{
    bench::{
        mirror::folder,
        site::{Ground, Site},
        worker::{Metrics, Reading, Worker},
    },
    clock::Clock,
    kafka::{Polled, Reader, Start},
};

/// For how long the clock runs.
const HOURS: u32 = 8;

/// Nothing moved for so long: something is wrong.
const PATIENCE: Duration = Duration::from_secs(120);

/// From when the people at a steady pace are made ready to when the first of them is due: this, and a second for so many
/// of them.
const AHEAD: Duration = Duration::from_secs(4);
const GATHERED_PER_SECOND: usize = 500;

/// Where it is measured.
pub struct Place<'a> {
    pub ground: &'a Ground,
    pub data: Option<&'a Path>,
    pub runtime: &'a Handle,
    pub stop: &'a CancellationToken,
}

impl Place<'_> {
    fn may_go_on(&self) -> anyhow::Result<()> {
        anyhow::ensure!(!self.stop.is_cancelled(), "told to end");
        Ok(())
    }

    /// Everybody's timer has been due for an hour when a daemon starts.
    pub fn at_once(&self, people: usize, breach: Breach) -> anyhow::Result<AtOnce> {
        tracing::info!(people, ?breach, "people are made ready");
        let folder = folder(self.data)?;
        let files = rules::quiet_files(HOURS, breach);
        let site = Site::open(self.ground, files, folder.path(), self.runtime)?;
        let due = Clock::System.now().minus(HOUR);
        crowd::gather(&site, people, HOURS, |_| due, self.runtime, self.stop)?;
        tracing::info!(timers = people, "all of them are due");
        let mut worker = Worker::start(&site)?;
        let mut start = worker.reading()?;
        if fired(&start.metrics) >= people as u64 {
            // So few that they were done before it could be asked.
            start = worker.born.clone();
        }
        let mut moved = Instant::now();
        let mut last = 0;
        let end = loop {
            let reading = worker.reading()?;
            let now = fired(&reading.metrics);
            if now >= people as u64 {
                break reading;
            }
            self.may_go_on()?;
            worker.check()?;
            if now != last {
                (last, moved) = (now, Instant::now());
            }
            anyhow::ensure!(
                moved.elapsed() < PATIENCE,
                "timers are not carried out: the benchmark is wrong"
            );
            std::thread::sleep(rest(now, people as u64));
        };
        while !site.outbox_is_empty()? {
            self.may_go_on()?;
            worker.check()?;
            std::thread::sleep(Duration::from_millis(20));
        }
        let told = worker.reading()?;
        anyhow::ensure!(
            fired(&told.metrics) == people as u64 && breaches(&told.metrics) == people as u64,
            "of {people} timers {} were carried out, and {} promises broken: the benchmark is wrong",
            fired(&told.metrics),
            breaches(&told.metrics)
        );
        let peak = worker.peak_memory();
        worker.end()?;
        site.close()?;
        Ok(AtOnce::of(breach, people, [&start, &end, &told], peak))
    }

    /// `per_second` timers fall due while `pending` others wait, and a daemon runs.
    pub fn paced(&self, per_second: u32, seconds: u32, pending: u64) -> anyhow::Result<Paced> {
        tracing::info!(pending, "timers wait");
        let folder = folder(self.data)?;
        let files = rules::quiet_files(HOURS, Breach::Alert);
        let site = Site::open(self.ground, files, folder.path(), self.runtime)?;
        let far = Clock::System.now().plus(365 * DAY);
        self.runtime
            .block_on(site.store.put_sleepers(pending, far))?;
        let lifecycle = [site.workspace.active.topics.names.lifecycle.clone()];
        let mut reader = Reader::open(&site.connection, &lifecycle, |_, _, _| Start::Beginning)?;
        let people = per_second as usize * seconds as usize;
        let ahead = AHEAD + Duration::from_secs((people / GATHERED_PER_SECOND) as u64);
        let first = Clock::System.now().plus(millis(ahead));
        let due = |person: usize| {
            let after = Duration::from_secs(person as u64).div_f64(f64::from(per_second));
            first.plus(millis(after))
        };
        tracing::info!(people, "people are made ready");
        crowd::gather(&site, people, HOURS, due, self.runtime, self.stop)?;
        let mut worker = Worker::start(&site)?;
        anyhow::ensure!(
            Clock::System.now() < first,
            "the people were not ready in time, so nothing can be said of lateness: ask for fewer timers a second or fewer \
             seconds"
        );
        tracing::info!(per_second, "timers fall due");
        let mut late = Vec::with_capacity(people);
        let mut moved = Instant::now();
        while late.len() < people {
            self.may_go_on()?;
            worker.check()?;
            if let Polled::Message(message) = reader.poll(Duration::from_millis(50))? {
                let told: Told =
                    serde_json::from_slice(message.payload.as_deref().unwrap_or_default())
                        .context("what was told of a timer cannot be read")?;
                let now = Clock::System.now();
                let due = Millis::parse(&told.due).context("a timer without a time")?;
                late.push(now.since(due));
                moved = Instant::now();
            }
            anyhow::ensure!(
                moved.elapsed() < PATIENCE,
                "only {} of {people} timers were told: the benchmark is wrong",
                late.len()
            );
        }
        let peak = worker.peak_memory();
        worker.end()?;
        site.close()?;
        Ok(Paced::of(pending, per_second, late, peak))
    }
}

/// What the measurement needs of a message of the funnel.
#[derive(Deserialize)]
struct Told {
    due: String,
}

fn fired(metrics: &Metrics) -> u64 {
    metrics.total("baton_timers_fired_total")
}

fn breaches(metrics: &Metrics) -> u64 {
    metrics.total("baton_breaches_total")
}

/// Asking costs the daemon time, and the end must be seen when it comes.
fn rest(done: u64, all: u64) -> Duration {
    let left = all.saturating_sub(done);
    // Some thousand a second.
    Duration::from_millis((left / 40).clamp(5, 500))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl AtOnce {
    /// Readings before the first, after the last, and once all was told.
    fn of(breach: Breach, timers: usize, readings: [&Reading; 3], peak: Option<u64>) -> Self {
        let [start, end, told] = readings;
        let count = (fired(&end.metrics) - fired(&start.metrics)) as f64;
        let seconds = end.at.duration_since(start.at).as_secs_f64();
        let each = |seconds: f64| seconds * 1e6 / count;
        let stages =
            |reading: &Reading| reading.metrics.by_label("baton_stage_duration_seconds_sum");
        let before = stages(start);
        Self {
            what: breach.what(),
            timers,
            fired_per_s: count / seconds,
            told_per_s: count / told.at.duration_since(start.at).as_secs_f64(),
            cpu_us: start.cpu.zip(told.cpu).map(|(from, to)| each(to - from)),
            stages_us: stages(end)
                .into_iter()
                .map(|(stage, sum)| {
                    let before = before.get(&stage).copied().unwrap_or_default();
                    (stage, each(sum - before))
                })
                .collect(),
            peak_memory_mib: peak.map(mib),
        }
    }
}

pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
