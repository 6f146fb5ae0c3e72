//! What became of the messages of one `ingest`, so that it can wait for them and say how much became what.

use std::collections::BTreeMap;

use baton_core::change::Outcome;
use serde::{Deserialize, Serialize};

/// Runs remembered at a time; older ones are forgotten first.
const REMEMBERED: usize = 256;

/// Counts of one run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Messages settled, whatever became of their changes.
    #[serde(default)]
    pub messages: u64,
    #[serde(default)]
    pub consumed: u64,
    #[serde(default)]
    pub applied: u64,
    #[serde(default)]
    pub duplicate: u64,
    #[serde(default)]
    pub late: u64,
    #[serde(default)]
    pub noop: u64,
    #[serde(default)]
    pub parked: u64,
    #[serde(default)]
    pub dead_lettered: u64,
}

impl Tally {
    pub fn count(&mut self, outcome: Outcome) {
        self.consumed += 1;
        match outcome {
            Outcome::Applied => self.applied += 1,
            Outcome::Parked => self.parked += 1,
            Outcome::Late => self.late += 1,
            Outcome::Duplicate => self.duplicate += 1,
            Outcome::Noop => self.noop += 1,
            Outcome::DeadLettered => self.dead_lettered += 1,
        }
    }

    pub fn add(&mut self, other: &Self) {
        self.messages += other.messages;
        self.consumed += other.consumed;
        self.applied += other.applied;
        self.duplicate += other.duplicate;
        self.late += other.late;
        self.noop += other.noop;
        self.parked += other.parked;
        self.dead_lettered += other.dead_lettered;
    }
}

/// The runs this process has seen.
#[derive(Debug, Default)]
pub struct Tallies {
    runs: BTreeMap<String, (u64, Tally)>,
    clock: u64,
}

impl Tallies {
    pub fn add(&mut self, run: &str, tally: &Tally) {
        self.clock += 1;
        let clock = self.clock;
        let entry = self.runs.entry(run.to_owned()).or_default();
        entry.0 = clock;
        entry.1.add(tally);
        if self.runs.len() > REMEMBERED
            && let Some(oldest) = self
                .runs
                .iter()
                .min_by_key(|(_, (touched, _))| *touched)
                .map(|(run, _)| run.clone())
        {
            self.runs.remove(&oldest);
        }
    }

    #[must_use]
    pub fn of(&self, run: &str) -> Tally {
        self.runs
            .get(run)
            .map(|(_, tally)| *tally)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consumed_is_the_sum_of_the_outcomes() {
        let mut tally = Tally::default();
        for outcome in [
            Outcome::Applied,
            Outcome::Parked,
            Outcome::Late,
            Outcome::Duplicate,
            Outcome::Noop,
            Outcome::DeadLettered,
        ] {
            tally.count(outcome);
        }
        assert_eq!(
            tally,
            Tally {
                messages: 0,
                consumed: 6,
                applied: 1,
                duplicate: 1,
                late: 1,
                noop: 1,
                parked: 1,
                dead_lettered: 1
            }
        );
    }

    #[test]
    fn the_longest_untouched_run_is_forgotten_first() {
        let mut tallies = Tallies::default();
        let one = Tally {
            messages: 1,
            ..Tally::default()
        };
        for run in 0..REMEMBERED {
            tallies.add(&format!("{run:04}"), &one);
        }
        tallies.add("0000", &one);
        tallies.add("new", &one);
        assert_eq!(tallies.of("0000").messages, 2);
        assert_eq!(tallies.of("0001").messages, 0);
        assert_eq!(tallies.of("new").messages, 1);
    }
}
