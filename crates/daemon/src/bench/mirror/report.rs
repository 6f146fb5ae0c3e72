//! What was measured, for people and for programs.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{
    Size,
    measure::{Measured, Ran},
};
use crate::bench::{
    aims::{
        self, Aim,
        Wanted::{AtLeast, AtMost},
    },
    site::Ground,
    worker::Reading,
};

/// Everything, the first ground's figures also at the top.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub first: Figures,
    pub aims: Vec<Aim>,
    pub setting: Setting,
    /// All grounds, the first one included.
    pub grounds: Vec<Figures>,
}

/// Under which circumstances.
#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    /// Processors that this process may use.
    pub processors: usize,
    /// Of the folder with the embedded log and SQLite.
    pub file_system: Option<String>,
    pub changes: usize,
    pub paced_per_s: u32,
}

/// One ground.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    pub log: &'static str,
    pub store: &'static str,
    /// When the log's writes reach the disk.
    pub log_fsync: String,
    /// When the store's commits reach the disk.
    pub store_fsync: String,
    /// Messages a second that librdkafka consumes and produces again, nothing of Baton's between.
    pub bare_per_s: f64,
    /// Changes a second through the whole engine.
    pub changes_per_s: f64,
    /// The second of these by the first.
    pub ratio: f64,
    /// Processor seconds of daemon, log and database server for 100,000 changes; none if one of them cannot be seen.
    pub cpu_s_per_100k: Option<f64>,
    /// Milliseconds from a change's sending to its command at the target.
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    /// Processor time for a change at a million people by that at ten thousand.
    pub cost_growth_1m_over_10k: Option<f64>,
    /// The daemon's own memory at its highest (`RssAnon`: no page of any file), over all sizes.
    pub peak_memory_mib: Option<f64>,
    /// How many people the figures above are of; growth and memory are of all sizes.
    pub people: usize,
    pub latency: Option<Latency>,
    pub sizes: Vec<Throughput>,
}

impl Figures {
    /// `sizes` in ascending order; `main` is the one that the figures are of.
    pub fn of(ground: &Ground, main: usize, sizes: Vec<Measured>) -> Option<Self> {
        let of = sizes.iter().find(|m| m.throughput.people == main)?;
        let (bare_per_s, throughput) = (of.bare_per_s, &of.throughput);
        let latency = of.latency.clone();
        let cost = |people| {
            let of = sizes.iter().find(|m| m.throughput.people == people)?;
            of.throughput.cpu_us
        };
        let memory = sizes.iter().filter_map(|m| m.throughput.peak_memory_mib);
        Some(Self {
            log: ground.log_name(),
            store: ground.store_name(),
            log_fsync: of.log_fsync.clone(),
            store_fsync: of.store_fsync.clone(),
            bare_per_s,
            changes_per_s: throughput.changes_per_s,
            ratio: throughput.changes_per_s / bare_per_s,
            cpu_s_per_100k: throughput.cpu_us.map(|us| us / 10.0),
            p50_ms: latency.as_ref().map(|l| l.p50_ms),
            p99_ms: latency.as_ref().map(|l| l.p99_ms),
            cost_growth_1m_over_10k: cost(1_000_000)
                .zip(cost(10_000))
                .map(|(million, ten)| million / ten),
            peak_memory_mib: memory.reduce(f64::max),
            people: main,
            latency,
            sizes: sizes.into_iter().map(|m| m.throughput).collect(),
        })
    }
}

/// The backlog's way through the engine, at one number of people. Microseconds are for each change.
#[derive(Clone, Debug, Serialize)]
pub struct Throughput {
    pub people: usize,
    pub changes: u64,
    pub seconds: f64,
    pub changes_per_s: f64,
    /// People a second when they came into being.
    pub introduced_per_s: f64,
    /// Commands that followed; each was answered, and the answer settled as well.
    pub commands: u64,
    pub bytes_per_command: f64,
    /// Processor time of all of it; none where one of them cannot be seen.
    pub cpu_us: Option<f64>,
    pub daemon_cpu_us: Option<f64>,
    pub log_cpu_us: Option<f64>,
    pub store_cpu_us: Option<f64>,
    /// Time on the wall in each stage, as the daemon's metrics tell it: waiting for the store included.
    pub stages_us: BTreeMap<String, f64>,
    /// Processor time of the daemon's threads by their names.
    pub threads_us: BTreeMap<String, f64>,
    pub peak_memory_mib: Option<f64>,
}

impl Throughput {
    pub(super) fn of(size: &Size, introducing: &Ran, ran: &Ran, peak_memory: Option<u64>) -> Self {
        let seconds = ran.seconds();
        let changes = ran.changes as f64;
        let each = |seconds: f64| seconds * 1e6 / changes;
        let difference = |after: Option<f64>, before: Option<f64>| Some(after? - before?);
        let daemon_cpu_us = difference(ran.end.cpu, ran.start.cpu).map(each);
        let log_cpu_us = difference(ran.end.log_cpu, ran.start.log_cpu).map(each);
        let store_cpu_us = difference(ran.end.store_cpu, ran.start.store_cpu).map(each);
        let by_name = |after: &BTreeMap<String, f64>, before: &BTreeMap<String, f64>| {
            let since = |(name, seconds): (&String, &f64)| {
                let before = before.get(name).copied().unwrap_or_default();
                (name.clone(), each(seconds - before))
            };
            after.iter().map(since).collect()
        };
        let stages =
            |reading: &Reading| reading.metrics.by_label("baton_stage_duration_seconds_sum");
        Self {
            people: size.people,
            changes: ran.changes,
            seconds,
            changes_per_s: changes / seconds,
            introduced_per_s: introducing.changes as f64 / introducing.seconds(),
            commands: ran.commands,
            bytes_per_command: ran.command_bytes as f64 / ran.commands.max(1) as f64,
            cpu_us: ran.cpu_us(),
            daemon_cpu_us,
            log_cpu_us,
            store_cpu_us,
            stages_us: by_name(&stages(&ran.end), &stages(&ran.start)),
            threads_us: by_name(&ran.end.threads, &ran.start.threads),
            peak_memory_mib: peak_memory.map(|bytes| bytes as f64 / f64::from(1 << 20)),
        }
    }
}

impl Ran {
    /// Microseconds of processor time for each change: of daemon, log and database server.
    pub(super) fn cpu_us(&self) -> Option<f64> {
        let difference = |after: Option<f64>, before: Option<f64>| Some(after? - before?);
        let parts = [
            difference(self.end.cpu, self.start.cpu),
            difference(self.end.log_cpu, self.start.log_cpu),
            difference(self.end.store_cpu, self.start.store_cpu),
        ];
        let seconds: Option<f64> = parts.into_iter().sum();
        Some(seconds? * 1e6 / self.changes as f64)
    }

    fn seconds(&self) -> f64 {
        self.end.at.duration_since(self.start.at).as_secs_f64()
    }
}

/// From event to command at a steady pace.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    pub sent: usize,
    pub sent_per_s: f64,
    /// How many of them had a command of their own; others were overtaken by a later change of the same person.
    pub commands: usize,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub most_ms: f64,
}

impl Latency {
    pub fn of(sent: usize, sending: Duration, mut took: Vec<Duration>) -> anyhow::Result<Self> {
        took.sort_unstable();
        let at = |share: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "an index below the length"
            )]
            let index = (took.len() as f64 * share) as usize;
            let found = took.get(index).or(took.last());
            found.map(|d| d.as_secs_f64() * 1e3)
        };
        let none = || anyhow::anyhow!("no command came at a steady pace: the benchmark is wrong");
        Ok(Self {
            sent,
            sent_per_s: sent as f64 / sending.as_secs_f64(),
            commands: took.len(),
            p50_ms: at(0.5).ok_or_else(none)?,
            p99_ms: at(0.99).ok_or_else(none)?,
            most_ms: at(1.0).ok_or_else(none)?,
        })
    }
}

/// Every aim that there is a figure for.
fn judged(grounds: &[Figures]) -> Vec<Aim> {
    let mut aims = Vec::new();
    for figures in grounds {
        let ground = format!("{} + {}", figures.log, figures.store);
        let mut judge = |what, unit, figure, wanted| {
            aims.extend(aims::judged(Some(&ground), what, unit, figure, wanted));
        };
        let rate = Some(figures.changes_per_s);
        judge("rate", "changes/s", rate, AtLeast(30_000.0));
        judge("event to command, p99", "ms", figures.p99_ms, AtMost(50.0));
        let processor = figures.cpu_s_per_100k;
        judge(
            "processor, log included",
            "s/100,000",
            processor,
            AtMost(5.0),
        );
        let what = "cost at 1,000,000 people by that at 10,000";
        judge(what, "", figures.cost_growth_1m_over_10k, AtMost(1.25));
        judge(
            "memory of its own",
            "MiB",
            figures.peak_memory_mib,
            AtMost(256.0),
        );
        let beside = grounds
            .iter()
            .find(|other| other.log == figures.log && other.store == "sqlite");
        if let (Some(sqlite), "postgres") = (beside, figures.store) {
            let share = figures.changes_per_s / sqlite.changes_per_s;
            judge("rate by that of SQLite", "", Some(share), AtLeast(0.5));
        }
    }
    aims
}

impl Report {
    /// `grounds` holds at least the first.
    pub fn of(setting: Setting, grounds: Vec<Figures>) -> Option<Self> {
        Some(Self {
            first: grounds.first()?.clone(),
            aims: judged(&grounds),
            setting,
            grounds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_hundredth_is_what_p99_leaves_out() {
        let took = (1..=200).rev().map(Duration::from_millis).collect();
        let latency = Latency::of(200, Duration::from_secs(2), took).unwrap();
        assert_eq!((latency.p50_ms, latency.p99_ms), (101.0, 199.0));
        assert_eq!((latency.most_ms, latency.sent_per_s), (200.0, 100.0));
    }

    #[test]
    fn without_any_command_there_is_no_latency() {
        assert!(Latency::of(5, Duration::from_secs(1), Vec::new()).is_err());
    }
}
