//! The straight path: `consume → decode → normalise → identify → apply → commit`.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use baton_core::{
    book::{Book, Item, Needs, Settled},
    change::Outcome,
    id::{Digest, EntityId},
    time::{MINUTE, Millis},
};
use baton_store::{Batch, Class, Store};

use super::{
    Active, Consumed, Engine, EngineError, Lane, Work,
    decode::{BURIED, Intake, decode},
    docket::{Decided, Docket, Moves, dead_letter_message, positions, stem},
    observe::{Effects, answer_name, run_counts},
    warm::Warm,
};
use crate::{
    faults::{Step, reached},
    telemetry::Stage,
};

/// Transactions tried before giving up on a batch that others keep getting ahead of.
const ATTEMPTS: u32 = 20;

/// Rounds of loading; a handful suffices.
const ROUNDS: usize = 16;

/// What became of a batch.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Report {
    /// Per change after fan-out.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Answers of targets that were taken in.
    pub answers: u64,
    /// How far the store now is.
    pub positions: Vec<(Arc<str>, i32, i64)>,
    /// Partitions stopped because of a flood of bad messages, and the first offset that was not settled.
    pub stopped: Vec<(Arc<str>, i32, i64)>,
}

impl Report {
    #[must_use]
    pub fn consumed(&self) -> u64 {
        self.outcomes.values().sum()
    }

    fn count(&mut self, outcome: Outcome) {
        *self.outcomes.entry(outcome).or_default() += 1;
    }

    /// Adds another batch's report.
    pub fn add(&mut self, other: Self) {
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        self.answers += other.answers;
        self.positions.extend(other.positions);
        self.stopped.extend(other.stopped);
    }
}

impl Engine {
    /// Settles one batch in one transaction: state, ledger, outgoing messages, dead letters and positions together.
    ///
    /// The batch is put into the log's order; messages that another worker has settled meanwhile, or that follow a
    /// flood of bad ones, are taken out of it. After a passing error call it again with the same batch.
    ///
    /// # Errors
    /// When the store cannot be reached or written, or other workers are always faster.
    pub async fn process(&self, batch: &mut Vec<Consumed>) -> Result<Report, EngineError> {
        let mut work = self.work.lock().await;
        let _ = self.under_way.lock().await;
        let active = self.active();
        for _ in 0..ATTEMPTS {
            batch.sort_by_cached_key(|message| active.topics.position(message));
            work.places.leave_out(batch);
            if batch.is_empty() {
                return Ok(Report::default());
            }
            let intakes = self.decode(batch, &active);
            reached(Step::Decoded);
            let stem = stem(&work, &active, batch, intakes);
            let settled = self
                .settle_messages(&mut work, &active, batch, stem.intakes, Moves::Forward)
                .await;
            match settled {
                Ok(mut report) => {
                    self.note_stopped(&stem.stopped);
                    work.flood = Some(stem.flood);
                    report.stopped = stem.stopped;
                    return Ok(report);
                }
                Err(error) => {
                    // No verdict has been taken of them.
                    batch.extend(stem.refused);
                    self.recover(&mut work, batch, error).await?;
                }
            }
        }
        Err(EngineError::Contended { attempts: ATTEMPTS })
    }

    pub(super) fn note_stopped(&self, stopped: &[(Arc<str>, i32, i64)]) {
        for (topic, partition, _) in stopped {
            self.metrics.set_stopped(topic, *partition, true);
        }
    }

    /// Settles messages that were read before, without moving any position.
    pub(super) async fn process_again(
        &self,
        batch: &mut [Consumed],
        retried: &[Digest],
    ) -> Result<Report, EngineError> {
        let mut work = self.work.lock().await;
        let _ = self.under_way.lock().await;
        let active = self.active();
        batch.sort_by_cached_key(|message| active.topics.position(message));
        for _ in 0..ATTEMPTS {
            let intakes = self.decode(batch, &active);
            let moves = Moves::None { retried };
            let settled = self
                .settle_messages(&mut work, &active, batch, intakes, moves)
                .await;
            match settled {
                Ok(report) => return Ok(report),
                Err(error) => self.recover(&mut work, &mut Vec::new(), error).await?,
            }
        }
        Err(EngineError::Contended { attempts: ATTEMPTS })
    }

    /// Settles items that no message brought: timers, steward acts. One transaction.
    ///
    /// # Errors
    /// As [`Engine::process`].
    pub async fn settle(&self, make: impl Fn() -> Vec<Item>) -> Result<Vec<Settled>, EngineError> {
        self.settle_with(|| async { Ok((make(), Batch::default())) })
            .await
    }

    /// The same with something to write beside. `make` is asked again when somebody else was faster.
    pub(super) async fn settle_with<F>(
        &self,
        make: impl Fn() -> F,
    ) -> Result<Vec<Settled>, EngineError>
    where
        F: Future<Output = Result<(Vec<Item>, Batch), EngineError>>,
    {
        let mut work = self.work.lock().await;
        let _ = self.under_way.lock().await;
        let active = self.active();
        for _ in 0..ATTEMPTS {
            let at = self.instant(&mut work, None);
            let (items, batch) = make().await?;
            match self.transact(&mut work, &active, items, batch, at).await {
                Ok(settled) => {
                    work.turn += 1;
                    return Ok(settled);
                }
                Err(error) => self.recover(&mut work, &mut Vec::new(), error).await?,
            }
        }
        Err(EngineError::Contended { attempts: ATTEMPTS })
    }

    pub(super) fn decode(&self, batch: &[Consumed], active: &Active) -> Vec<Intake> {
        decode(
            batch,
            &active.rules,
            &active.topics,
            active.settings.daemon.max_message,
            &self.metrics,
        )
    }

    /// After a failed transaction: goes on only if somebody else was faster.
    pub(super) async fn recover(
        &self,
        work: &mut Work,
        batch: &mut Vec<Consumed>,
        error: EngineError,
    ) -> Result<(), EngineError> {
        // What a transaction that did not come about left, or somebody else has changed, is not known.
        work.warm.clear();
        let error = match error {
            EngineError::Store(error) => error,
            EngineError::CommitLost => {
                self.metrics.store_errors.inc();
                let stored = self.stored_positions().await?;
                work.places.refresh(stored, batch);
                return Ok(());
            }
            other => return Err(other),
        };
        match error.class() {
            Class::Conflict => {
                tracing::debug!(%error, "somebody else was faster; settling the batch again");
                self.metrics.conflicts.inc()
            }
            // Whether it happened stands in the positions. What carries no position is settled again: a repeat of
            // an input has no effect (L2).
            Class::Unknown => self.metrics.store_errors.inc(),
            _ => {
                self.metrics.store_errors.inc();
                return Err(error.into());
            }
        };
        let stored = self.stored_positions().await?;
        work.places.refresh(stored, batch);
        Ok(())
    }

    /// The transaction's instant on the log's clock.
    pub(super) fn instant(&self, work: &mut Work, arrival: Option<Millis>) -> Millis {
        let now = self.clock.now();
        // A producer whose clock is wrong by hours must not carry everybody into the future.
        let arrival = arrival.map_or(now, |at| at.min(now.plus(5 * MINUTE)));
        work.at = work.at.max(now).max(arrival);
        work.at
    }

    async fn settle_messages(
        &self,
        work: &mut Work,
        active: &Active,
        batch: &[Consumed],
        intakes: Vec<Intake>,
        moves: Moves<'_>,
    ) -> Result<Report, EngineError> {
        let at = self.instant(work, batch.iter().map(|m| m.arrival).max());
        let advances = match moves {
            Moves::Forward => work.places.advances(batch),
            Moves::None { .. } => Vec::new(),
        };
        let docket = Docket::of(batch, intakes, advances, moves, at);
        let mut book = Book::default();
        let decided = self
            .decide(&mut book, &mut work.warm, active, docket, batch)
            .await?;
        let started = Instant::now();
        self.store.commit(&mut book, &decided.stored).await?;
        self.metrics.stage(Stage::Commit, started.elapsed());
        reached(Step::Committed);
        work.places.moved(&decided.stored.positions);
        work.warm.keep(book, Instant::now());
        work.turn += 1;
        Ok(self.conclude(decided, batch))
    }

    /// `identify → apply` of a batch of messages, on a book that may hold rows already.
    pub(super) async fn decide(
        &self,
        book: &mut Book,
        warm: &mut Warm,
        active: &Active,
        docket: Docket,
        batch: &[Consumed],
    ) -> Result<Decided, EngineError> {
        let Docket {
            items,
            sources,
            causes,
            answers,
            dead,
            mut stored,
            at,
        } = docket;
        let settled = self.apply(book, warm, active, items, at, &causes).await?;
        let messages = dead.iter().map(|(.., dead)| dead_letter_message(dead, at));
        book.out.messages.extend(messages);
        // An answer is no change; what a run comes to is told of its changes.
        let changes = sources.iter().zip(&answers).zip(&settled);
        let counted = changes.filter(|((_, answer), _)| answer.is_none());
        let counted = counted.map(|(((message, _), _), settled)| (*message, settled.outcome));
        let buried = dead.iter();
        let buried = buried.filter(|(_, input, _)| input.lane != Lane::Results);
        let buried = buried.map(|(message, ..)| (*message, BURIED));
        stored.runs = run_counts(batch, counted.chain(buried), at);
        let effects = Effects::of(book);
        reached(Step::Applied);
        Ok(Decided {
            stored,
            sources,
            answers,
            settled,
            dead,
            effects,
        })
    }

    /// What happened is counted and told, once it has happened.
    pub(super) fn conclude(&self, decided: Decided, batch: &[Consumed]) -> Report {
        decided.effects.count(&self.metrics);
        let mut report = Report {
            positions: positions(&decided.stored.positions, batch),
            ..Report::default()
        };
        let settled = decided.sources.iter().zip(&decided.settled);
        for (((_, input), settled), answer) in settled.zip(decided.answers) {
            if let Some(outcome) = answer {
                report.answers += 1;
                self.metrics.answered(input.system, answer_name(outcome), 1);
            } else {
                report.count(settled.outcome);
                self.metrics.settled(input.system, settled.outcome, 1);
            }
        }
        for (_, input, dead) in &decided.dead {
            self.metrics
                .dead_letter(input.system.as_str(), &dead.letter.code);
            if input.lane == Lane::Results {
                self.metrics.answered(input.system, "dead_lettered", 1);
            } else {
                report.count(BURIED);
                self.metrics.settled(input.system, BURIED, 1);
            }
        }
        self.observe_batch(batch);
        report
    }

    /// `identify → apply → commit` of items that no message brought.
    async fn transact(
        &self,
        work: &mut Work,
        active: &Active,
        items: Vec<Item>,
        batch: Batch,
        at: Millis,
    ) -> Result<Vec<Settled>, EngineError> {
        let mut book = Book::default();
        let settled = self
            .apply(&mut book, &mut work.warm, active, items, at, &[])
            .await?;
        let effects = Effects::of(&book);
        reached(Step::Applied);
        let started = Instant::now();
        self.store.commit(&mut book, &batch).await?;
        self.metrics.stage(Stage::Commit, started.elapsed());
        reached(Step::Committed);
        work.warm.keep(book, Instant::now());
        effects.count(&self.metrics);
        Ok(settled)
    }

    /// `identify → apply`: what follows from each item is traced to its cause.
    pub(super) async fn apply(
        &self,
        book: &mut Book,
        warm: &mut Warm,
        active: &Active,
        items: Vec<Item>,
        at: Millis,
        causes: &[Option<Digest>],
    ) -> Result<Vec<Settled>, EngineError> {
        let started = Instant::now();
        self.identify(book, warm, &items, active).await?;
        self.metrics.stage(Stage::Identify, started.elapsed());
        reached(Step::Identified);

        let started = Instant::now();
        let mut settled = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let before = book.out.messages.len();
            settled.push(book.settle(item, &active.rules, at));
            if let Some(Some(cause)) = causes.get(index) {
                let followed = book.out.messages.iter_mut().skip(before);
                followed.for_each(|message| message.cause = *cause);
            }
        }
        self.metrics.stage(Stage::Apply, started.elapsed());
        Ok(settled)
    }

    /// Loads what the items can touch, as far as it is not at hand.
    async fn identify(
        &self,
        book: &mut Book,
        warm: &mut Warm,
        items: &[Item],
        active: &Active,
    ) -> Result<(), EngineError> {
        for _ in 0..ROUNDS {
            let needs = book.needs(items, &active.rules);
            if is_empty(&needs) {
                return Ok(());
            }
            let lent = self.lend(book, warm, &needs).await?;
            if self.store.load(book, &needs).await? == 0 && !lent {
                return Ok(());
            }
        }
        Err(EngineError::Bottomless)
    }

    /// Puts into the book who is at hand and stands in the store just so. Returns whether there was anybody.
    async fn lend(
        &self,
        book: &mut Book,
        warm: &mut Warm,
        needs: &Needs,
    ) -> Result<bool, EngineError> {
        let lent = warm.lend(book, needs);
        let moved = leave_out_moved(&self.store, book, &lent).await?;
        Ok(moved < lent.len())
    }
}

/// Takes out of the book whoever was at hand and does not stand in the store just so. Returns how many of `lent` that
/// were.
pub(super) async fn leave_out_moved(
    store: &Store,
    book: &mut Book,
    lent: &[EntityId],
) -> Result<usize, baton_store::Error> {
    if lent.is_empty() {
        return Ok(0);
    }
    let versions = lent.iter().filter_map(|id| {
        let entry = book.entities.get(id)?;
        Some((*id, entry.version))
    });
    let moved = store.moved(&versions.collect()).await?;
    if !moved.is_empty() {
        book.entities.retain(|id, _| !moved.contains(id));
        book.stored.newest.retain(|id, _| !moved.contains(id));
        let stale = book.links.extract_if(|_, entity| moved.contains(entity));
        for (record, _) in stale.collect::<Vec<_>>() {
            book.stored.links.remove(&record);
        }
    }
    Ok(moved.len())
}

fn is_empty(needs: &Needs) -> bool {
    needs.links.is_empty()
        && needs.keys.is_empty()
        && needs.addresses.is_empty()
        && needs.entities.is_empty()
        && needs.guards.is_empty()
        && needs.holdings.is_empty()
        && needs.rereads.is_empty()
}
