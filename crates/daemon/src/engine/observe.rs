//! What the metrics are told of a transaction once it has happened.

use std::{borrow::Cow, collections::BTreeMap};

use baton_core::{
    book::{Book, OutBody},
    change::Outcome,
    id::Kind,
    name::Name,
    time::Millis,
    wire::{LifecycleMessage, ResultOutcome},
};
use baton_store::RunCounts;

use super::{Consumed, Engine, message::header};
use crate::telemetry::Metrics;

impl Engine {
    pub(super) fn observe_batch(&self, batch: &[Consumed]) {
        if batch.is_empty() {
            return;
        }
        let now = self.clock.now();
        #[expect(clippy::cast_precision_loss, reason = "a histogram's sample")]
        {
            self.metrics.batch_size.observe(batch.len() as f64);
            for message in batch {
                let took = now.since(message.arrival).max(0);
                self.metrics.event_to_commit.observe(took as f64 / 1_000.0);
            }
        }
    }
}

/// What a book is about to leave behind, for the metrics.
pub(super) struct Effects {
    decisions: Vec<(Kind, Name, Cow<'static, str>)>,
    commands: Vec<(Name, &'static str)>,
    parked: Vec<&'static str>,
    violations: Vec<(&'static str, u64)>,
    funnel: Vec<LifecycleMessage>,
    refused_handoffs: u64,
}

impl Effects {
    pub(super) fn of(book: &Book) -> Self {
        let mut effects = Self {
            decisions: Vec::new(),
            commands: Vec::new(),
            parked: book.out.parked.iter().map(|p| p.code.as_str()).collect(),
            violations: book
                .out
                .violations
                .iter()
                .map(|(law, count)| (*law, *count))
                .collect(),
            funnel: Vec::new(),
            refused_handoffs: book.out.refused_handoffs,
        };
        for message in &book.out.messages {
            match &message.body {
                OutBody::Decisions(told) => {
                    let kind = told.entity.kind;
                    let decisions = told.decisions().iter();
                    let decided = decisions.map(|d| (kind, d.field, d.rule.clone()));
                    effects.decisions.extend(decided);
                }
                OutBody::Command(command) => {
                    effects
                        .commands
                        .push((command.system, command_name(command.kind)));
                }
                OutBody::Lifecycle(done) => effects.funnel.push((**done).clone()),
                OutBody::Golden(_) | OutBody::DeadLetter(_) => {}
            }
        }
        effects
    }

    pub(super) fn count(self, metrics: &Metrics) {
        for (kind, field, rule) in self.decisions {
            metrics.decided(kind, field.as_str(), &rule);
        }
        for (system, kind) in self.commands {
            metrics.commanded(system, kind);
        }
        for done in &self.funnel {
            metrics.funnel.done(done);
        }
        metrics.funnel.refused(self.refused_handoffs);
        for code in self.parked {
            metrics.parked(code);
        }
        for (law, count) in self.violations {
            tracing::error!(
                law,
                count,
                "a law was violated; keep the data folder and report it"
            );
            metrics.violated(law, count);
        }
    }
}

/// Outcomes by the `ingest` that published the message.
pub(super) fn run_counts(
    batch: &[Consumed],
    outcomes: impl Iterator<Item = (usize, Outcome)>,
    at: Millis,
) -> Vec<(String, Millis, RunCounts)> {
    let runs: Vec<Option<&str>> = batch
        .iter()
        .map(|message| message.headers.text(header::RUN))
        .collect();
    let mut counts: BTreeMap<&str, RunCounts> = BTreeMap::new();
    for run in runs.iter().flatten() {
        counts.entry(run).or_default().messages += 1;
    }
    if counts.is_empty() {
        return Vec::new();
    }
    for (message, outcome) in outcomes {
        if let Some(Some(run)) = runs.get(message)
            && let Some(of_run) = counts.get_mut(run)
        {
            of_run.count(outcome);
        }
    }
    let counts = counts.into_iter();
    counts
        .map(|(run, counts)| (run.to_owned(), at, counts))
        .collect()
}

pub(super) const fn answer_name(outcome: ResultOutcome) -> &'static str {
    match outcome {
        ResultOutcome::Ok => "ok",
        ResultOutcome::Refused => "refused",
        ResultOutcome::NotFound => "not_found",
        ResultOutcome::Failed => "failed",
        ResultOutcome::Unknown => "unknown",
    }
}

/// A command's kind as it stands on the wire.
#[must_use]
const fn command_name(kind: baton_core::state::CommandKind) -> &'static str {
    use baton_core::state::CommandKind;
    match kind {
        CommandKind::Update => "update",
        CommandKind::Create => "create",
        CommandKind::Delete => "delete",
        CommandKind::Read => "read",
    }
}
