//! What was measured, for people and for programs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::timers::mib;
use crate::bench::aims::{
    self, Aim,
    Wanted::{AtLeast, AtMost},
};

/// Everything.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub aims: Vec<Aim>,
    pub setting: Setting,
    pub at_once: Vec<AtOnce>,
    /// With few timers that wait, and with many.
    pub paced: [Paced; 2],
    /// The daemon's own memory with many timers that wait by that with few.
    pub memory_growth: Option<f64>,
    pub cost: Cost,
}

/// Under which circumstances.
#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    /// Processors that this process may use.
    pub processors: usize,
    pub log: &'static str,
    pub store: &'static str,
    /// Of the folder with the embedded log and SQLite.
    pub file_system: Option<String>,
}

/// Timers that were all due when the daemon started. Microseconds are for each timer.
#[derive(Clone, Debug, Serialize)]
pub struct AtOnce {
    pub what: &'static str,
    pub timers: usize,
    /// Carried out, each in a transaction with what came of it.
    pub fired_per_s: f64,
    /// Until the log had all that was to be told.
    pub told_per_s: f64,
    /// Processor time of the daemon; none where it cannot be seen.
    pub cpu_us: Option<f64>,
    /// Time on the wall in each stage, waiting for the store included.
    pub stages_us: BTreeMap<String, f64>,
    /// The daemon's own memory at its highest (`RssAnon`: no page of any file).
    pub peak_memory_mib: Option<f64>,
}

/// Timers that fell due one after the other while the daemon ran.
#[derive(Clone, Debug, Serialize)]
pub struct Paced {
    /// Others that waited meanwhile.
    pub pending: u64,
    pub due: usize,
    pub per_second: u32,
    /// From when a timer was due to when the log had what was to be told of it.
    pub p50_ms: i64,
    pub p99_ms: i64,
    pub most_ms: i64,
    pub peak_memory_mib: Option<f64>,
}

impl Paced {
    pub(super) fn of(pending: u64, per_second: u32, mut late: Vec<i64>, peak: Option<u64>) -> Self {
        late.sort_unstable();
        let at = |hundredths: usize| {
            let found = late.get(late.len() * hundredths / 100).or(late.last());
            found.copied().unwrap_or_default()
        };
        Self {
            pending,
            due: late.len(),
            per_second,
            p50_ms: at(50),
            p99_ms: at(99),
            most_ms: at(100),
            peak_memory_mib: peak.map(mib),
        }
    }
}

/// The same stream of changes with and without the funnel.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    pub people: usize,
    pub changes: usize,
    /// By turns.
    pub rounds: Vec<Round>,
    /// Medians over the rounds.
    pub ratio: Option<f64>,
    pub ratio_with_acts: Option<f64>,
    /// What each person had done before, where they had.
    pub acts: usize,
}

/// Microseconds of processor time, of daemon, log and database server, for each change.
#[derive(Clone, Debug, Serialize)]
pub struct Round {
    pub plain: Variant,
    pub funnel: Variant,
    pub funnel_with_acts: Variant,
    /// For something that a person did.
    pub act_cpu_us: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Variant {
    pub cpu_us: Option<f64>,
    pub changes_per_s: f64,
    pub commands: u64,
}

impl Round {
    fn ratio(&self, of: &Variant) -> Option<f64> {
        Some(of.cpu_us? / self.plain.cpu_us?)
    }
}

impl Cost {
    pub(super) fn of(people: usize, changes: usize, acts: usize, rounds: Vec<Round>) -> Self {
        let ratio = |of: fn(&Round) -> &Variant| {
            median(rounds.iter().filter_map(|r| r.ratio(of(r))).collect())
        };
        Self {
            ratio: ratio(|round| &round.funnel),
            ratio_with_acts: ratio(|round| &round.funnel_with_acts),
            people,
            changes,
            rounds,
            acts,
        }
    }
}

fn median(mut of: Vec<f64>) -> Option<f64> {
    of.sort_unstable_by(f64::total_cmp);
    of.get(of.len() / 2).copied()
}

impl Report {
    pub(super) fn of(
        setting: Setting,
        at_once: Vec<AtOnce>,
        paced: [Paced; 2],
        cost: Cost,
    ) -> Self {
        let [few, many] = &paced;
        let memory_growth = many
            .peak_memory_mib
            .zip(few.peak_memory_mib)
            .map(|(many, few)| many / few);
        let mut aims = Vec::new();
        let mut judge = |what: String, unit, figure, wanted| {
            aims.extend(aims::judged(None, what, unit, figure, wanted));
        };
        for due in &at_once {
            let what = format!("{} due at once: {}", due.timers, due.what);
            judge(what, "timers/s", Some(due.fired_per_s), AtLeast(20_000.0));
        }
        for paced in &paced {
            let what = format!(
                "lateness at {}/s, {} wait, p99",
                paced.per_second, paced.pending
            );
            judge(what, "ms", Some(paced.p99_ms as f64), AtMost(1_000.0));
        }
        let what = format!("memory, {} wait by {}", many.pending, few.pending);
        judge(what, "", memory_growth, AtMost(1.1));
        let what = "cost of a change, funnel by none".to_owned();
        judge(what, "", cost.ratio, AtMost(1.25));
        let what = format!("the same after {} acts each", cost.acts);
        judge(what, "", cost.ratio_with_acts, AtMost(1.25));
        Self {
            aims,
            setting,
            at_once,
            paced,
            memory_growth,
            cost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_hundredth_is_what_p99_leaves_out() {
        let paced = Paced::of(5, 100, (1..=200).rev().collect(), None);
        assert_eq!((paced.p50_ms, paced.p99_ms, paced.most_ms), (101, 199, 200));
    }
}
