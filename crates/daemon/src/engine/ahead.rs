//! Settling a batch while the one before it is still being written: the database works for one, the processor for the
//! other.
//!
//! The next batch is settled on the rows that the commit under way will leave. Commits follow each other in order, and
//! the versions of rows and positions say whether all came as was thought. When a commit does not happen, what was
//! settled on it is thrown away, and both batches are settled one after the other.

use std::{sync::Arc, time::Instant};

use baton_core::book::Book;
use baton_store::{Newest, Prepared, Store};
use tokio::task::JoinHandle;

use super::{
    Consumed, Engine, EngineError, Report, Work,
    docket::{Decided, Docket, Moves, Stem, stem},
    flood::Flood,
};
use crate::{
    faults::{Step, reached},
    telemetry::Stage,
};

/// A batch whose commit is under way. Dropping it does not stop the commit.
pub struct Ahead {
    batch: Vec<Consumed>,
    /// None: it did not come about, and the batch has to be settled anew.
    commit: Option<Commit>,
}

struct Commit {
    task: JoinHandle<Result<Newest, baton_store::Error>>,
    /// What came of it, as soon as somebody has asked.
    outcome: Option<Result<Newest, EngineError>>,
    plan: Plan,
}

/// What is thought to come true with a commit.
struct Plan {
    decided: Decided,
    /// The rows that the commit leaves; none where the next batch must wait for it.
    rows: Option<Book>,
    /// [`Work::turn`] when it was settled.
    turn: u64,
    flood_before: Option<Flood>,
    stopped: Vec<(Arc<str>, i32, i64)>,
    /// Messages that followed a flood of bad ones.
    refused: Vec<Consumed>,
}

impl Ahead {
    /// Waits until the commit is through, whatever came of it.
    pub async fn through(&mut self) {
        if let Some(commit) = self.commit.as_mut().filter(|c| c.outcome.is_none()) {
            let joined = (&mut commit.task).await;
            commit.outcome = Some(match joined {
                Ok(written) => written.map_err(Into::into),
                // A panic, or a runtime that ends: what it had written by then is not known.
                Err(_) => Err(EngineError::CommitLost),
            });
        }
    }

    /// The rows for the next batch to be settled on, once, and only if nobody else has settled anything since `turn`.
    fn rows(&mut self, turn: u64) -> Option<Book> {
        let plan = &mut self.commit.as_mut()?.plan;
        plan.rows.take().filter(|_| plan.turn == turn)
    }

    /// What the commit left in the ledger, if it is through and came about.
    fn newest(&self) -> Option<&Newest> {
        self.commit.as_ref()?.outcome.as_ref()?.as_ref().ok()
    }
}

impl Engine {
    /// Settles a batch as [`Engine::process`] does, but does not wait for its commit: it takes the place of the batch
    /// `behind` it, whose report is returned. After a passing error call it again with the same two.
    ///
    /// # Errors
    /// As [`Engine::process`], of either batch.
    pub async fn process_ahead(
        &self,
        batch: &mut Vec<Consumed>,
        behind: &mut Option<Ahead>,
    ) -> Result<Report, EngineError> {
        let mut report = Report::default();
        loop {
            let mut work = self.work.lock().await;
            let rows = behind.as_mut().and_then(|ahead| ahead.rows(work.turn));
            if rows.is_none() && behind.is_some() {
                drop(work);
                report.add(self.finish(behind).await?);
                continue;
            }
            let rows = rows.unwrap_or_default();
            let (mut prepared, plan) = self.settle_on(rows, &mut work, batch).await?;
            if let Some(ahead) = behind {
                ahead.through().await;
                let Some(newest) = ahead.newest() else {
                    forget(&mut work, plan, batch);
                    continue;
                };
                prepared.follow(newest);
                work.warm.note(newest);
            }
            let ahead = self.commit(prepared, plan, std::mem::take(batch)).await;
            drop(work);
            let mut before = behind.replace(ahead);
            report.add(self.finish(&mut before).await?);
            return Ok(report);
        }
    }

    /// Waits for the commit of the batch behind and tells what became of it. If it did not come about, the batch is
    /// settled by itself.
    ///
    /// # Errors
    /// As [`Engine::process`]; then it is still behind.
    pub async fn finish(&self, behind: &mut Option<Ahead>) -> Result<Report, EngineError> {
        let Some(ahead) = behind else {
            return Ok(Report::default());
        };
        ahead.through().await;
        if let Some(commit) = ahead.commit.take() {
            match commit.outcome {
                Some(Ok(newest)) => {
                    self.keep_warm(commit.plan.rows, commit.plan.turn, newest)
                        .await;
                    let stopped = commit.plan.stopped;
                    let mut report = self.conclude(commit.plan.decided, &ahead.batch);
                    self.note_stopped(&stopped);
                    report.stopped = stopped;
                    *behind = None;
                    return Ok(report);
                }
                outcome => {
                    let mut work = self.work.lock().await;
                    forget(&mut work, commit.plan, &mut ahead.batch);
                    if let Some(Err(error)) = outcome {
                        self.recover(&mut work, &mut ahead.batch, error).await?;
                    }
                }
            }
        }
        let report = self.process(&mut ahead.batch).await?;
        *behind = None;
        Ok(report)
    }

    /// Keeps at hand what a commit has written and no batch was settled on, unless somebody else has settled anything
    /// since `turn`.
    async fn keep_warm(&self, rows: Option<Book>, turn: u64, newest: Newest) {
        let Some(mut rows) = rows else { return };
        let mut work = self.work.lock().await;
        if work.turn == turn {
            let written = newest.iter().map(|(id, seq)| (*id, *seq));
            rows.stored.newest.extend(written);
            work.warm.keep(rows, Instant::now());
        }
    }

    /// `decode → normalise → identify → apply`, on a book that may hold rows already, and the rows to write.
    async fn settle_on(
        &self,
        mut book: Book,
        work: &mut Work,
        batch: &mut Vec<Consumed>,
    ) -> Result<(Prepared, Plan), EngineError> {
        let active = self.active();
        batch.sort_by_cached_key(|message| active.topics.position(message));
        work.places.leave_out(batch);
        let intakes = self.decode(batch, &active);
        reached(Step::Decoded);
        let Stem {
            intakes,
            flood,
            stopped,
            refused,
        } = stem(work, &active, batch, intakes);
        let at = self.instant(work, batch.iter().map(|m| m.arrival).max());
        let advances = work.places.advances(batch);
        let docket = Docket::of(batch, intakes, advances, Moves::Forward, at);
        let warm = &mut work.warm;
        let decided = match self.decide(&mut book, warm, &active, docket, batch).await {
            Ok(decided) => decided,
            Err(error) => {
                batch.extend(refused);
                return Err(error);
            }
        };
        let prepared = Store::prepare(&mut book, &decided.stored)?;
        let (written, seen) = Store::parted(book, &prepared);
        work.warm.keep(seen, Instant::now());
        let rows = (!prepared.stands_alone()).then_some(written);
        work.places.moved(&decided.stored.positions);
        let plan = Plan {
            decided,
            rows,
            turn: work.turn,
            flood_before: work.flood.replace(flood),
            stopped,
            refused,
        };
        Ok((prepared, plan))
    }

    /// Begins the commit. Whoever settles anything else waits for its end.
    async fn commit(&self, prepared: Prepared, plan: Plan, batch: Vec<Consumed>) -> Ahead {
        let alone = self.under_way.clone().lock_owned().await;
        let (store, metrics) = (self.store.clone(), self.metrics.clone());
        let task = tokio::spawn(async move {
            let started = Instant::now();
            let written = store.write(prepared).await;
            metrics.stage(Stage::Commit, started.elapsed());
            if written.is_ok() {
                reached(Step::Committed);
            }
            drop(alone);
            written
        });
        Ahead {
            batch,
            commit: Some(Commit {
                task,
                outcome: None,
                plan,
            }),
        }
    }
}

/// What was thought to come true has not.
fn forget(work: &mut Work, plan: Plan, batch: &mut Vec<Consumed>) {
    work.warm.clear();
    work.places.stayed(&plan.decided.stored.positions);
    work.flood = plan.flood_before;
    batch.extend(plan.refused);
}
