//! What the funnel adds to a change: the mirror as a whole, with it and without it, by turns.

use super::{
    report::{Cost, Round, Variant},
    rules::{self, Breach},
    timers::Place,
};
use crate::bench::{
    mirror::{self, Measured, Size, folder},
    people::Values,
    site::RuleFiles,
};

/// Longer than what happens takes: timers are measured by themselves.
const HOURS: u32 = 90 * 24;

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    pub people: usize,
    pub changes: usize,
    /// What everybody has done before, in one of the variants.
    pub acts: usize,
    pub rounds: usize,
}

impl Place<'_> {
    pub fn cost(&self, stream: Stream) -> anyhow::Result<Cost> {
        let mut rounds = Vec::new();
        for round in 0..stream.rounds {
            tracing::info!(round, "changes without a funnel");
            let plain = self.stream(&stream, rules::plain_files(), 0)?;
            tracing::info!(round, "changes with a funnel");
            let funnel = self.stream(&stream, rules::files(HOURS, Breach::Alert), 0)?;
            tracing::info!(round, "changes with a funnel of people who have done much");
            let acts = stream.acts;
            let acted = self.stream(&stream, rules::files(HOURS, Breach::Alert), acts)?;
            rounds.push(Round {
                plain: Variant::of(&plain),
                funnel: Variant::of(&funnel),
                funnel_with_acts: Variant::of(&acted),
                act_cpu_us: acted.act_cpu_us,
            });
        }
        Ok(Cost::of(stream.people, stream.changes, stream.acts, rounds))
    }

    fn stream(&self, stream: &Stream, rules: RuleFiles, acts: usize) -> anyhow::Result<Measured> {
        let size = Size {
            people: stream.people,
            values: Values::Points,
            rules,
            acts,
            changes: stream.changes,
            paced: None,
        };
        let folder = folder(self.data)?;
        mirror::measure(self.ground, &size, folder.path(), self.runtime, self.stop)
    }
}

impl Variant {
    fn of(measured: &Measured) -> Self {
        Self {
            cpu_us: measured.throughput.cpu_us,
            changes_per_s: measured.throughput.changes_per_s,
            commands: measured.throughput.commands,
        }
    }
}
