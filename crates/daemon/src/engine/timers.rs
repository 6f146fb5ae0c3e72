//! Timers: due entities are woken in due order, through the same path as everything else.

use std::{collections::BTreeSet, sync::atomic::Ordering, time::Instant};

use baton_core::{
    book::{Book, Item, Needs},
    id::EntityId,
    time::{DAY, HOUR, Millis},
};
use baton_store::{Batch, Newest, Prepared, Store};
use tokio::task::JoinHandle;

use super::{Active, Engine, EngineError, Work, observe::Effects, pipeline::leave_out_moved};
use crate::{
    faults::{Step, reached},
    telemetry::Stage,
};

/// Timers read at once. After each page whatever else waits to be settled has its turn.
const PAGE: u32 = 8_000;

/// Timers of one transaction.
const TOGETHER: usize = 500;

/// How long counts are kept that only something very late could still ask for: clears of the mass-clear guard, what
/// became of an `ingest`.
const KEPT: i64 = 7 * DAY;

/// The entities of a transaction of timers, which are being read. Dropping it stops nothing; reading harms nobody.
type Reading = JoinHandle<Result<Book, baton_store::Error>>;

/// A transaction of timers that is being written.
struct Writing {
    count: usize,
    /// As it will stand in the store.
    book: Book,
    effects: Effects,
    started: Instant,
    task: JoinHandle<Result<Newest, baton_store::Error>>,
}

impl Engine {
    /// Carries out every timer that is due now, and asks for the next records of what is read again. Returns how many
    /// of both.
    ///
    /// # Errors
    /// When the store cannot be reached or written.
    pub async fn fire_timers(&self) -> Result<u64, EngineError> {
        // Who is due at the same instant again comes first again, so the page before this one tells.
        let mut before: BTreeSet<(EntityId, Millis)> = BTreeSet::new();
        let mut fired = 0;
        loop {
            let mut due = self.store.due(self.clock.now(), PAGE).await?;
            let page: BTreeSet<_> = due.iter().copied().collect();
            due.retain(|timer| !before.contains(timer));
            before = page;
            if due.is_empty() {
                if !before.is_empty() {
                    // It would go round for ever; the next call tries again.
                    tracing::error!(
                        timers = before.len(),
                        "woken entities are due at the same instant again"
                    );
                }
                if let Ok(mut work) = self.work.try_lock() {
                    work.warm.make_room(Instant::now());
                }
                self.prune().await?;
                return Ok(fired + self.reread_some().await?);
            }
            reached(Step::Due);
            let due: Vec<EntityId> = due.into_iter().map(|(id, _)| id).collect();
            self.wake(&due).await?;
            reached(Step::Fired);
            fired += due.len() as u64;
            self.metrics.timers.inc_by(due.len() as u64);
        }
    }

    /// Wakes entities in this order, some in each transaction.
    async fn wake(&self, all: &[EntityId]) -> Result<(), EngineError> {
        let mut written = 0;
        {
            let mut work = self.work.lock().await;
            let _alone = self.under_way.lock().await;
            match self.wake_ahead(&mut work, all, &mut written).await {
                Ok(()) => return Ok(()),
                Err(error) => self.recover(&mut work, &mut Vec::new(), error).await?,
            }
        }
        // Somebody else was faster at one of them: each transaction on its own.
        let rest = all.get(written..).unwrap_or_default();
        for some in rest.chunks(TOGETHER) {
            self.settle(|| some.iter().copied().map(Item::Wake).collect())
                .await?;
        }
        Ok(())
    }

    /// While a transaction is written, the next one is settled, and whom the one after that wakes is read: its entities
    /// are others, and what they share with those of before, such as an address, has a version that tells. `written` is
    /// how many of all are through.
    async fn wake_ahead(
        &self,
        work: &mut Work,
        all: &[EntityId],
        written: &mut usize,
    ) -> Result<(), EngineError> {
        let active = self.active();
        let mut transactions = all.chunks(TOGETHER).peekable();
        let mut ahead = transactions.peek().map(|some| self.read(work, some));
        let mut behind: Option<Writing> = None;
        while let (Some(some), Some(reading)) = (transactions.next(), ahead.take()) {
            let read = self.read_through(reading).await;
            ahead = transactions.peek().map(|some| self.read(work, some));
            // A task that was just made waits for this thread; no other one takes it.
            tokio::task::yield_now().await;
            let settled = match read {
                Ok(book) => self.settle_woken(work, &active, some, book).await,
                Err(error) => Err(error),
            };
            if let Some(before) = behind.take() {
                *written += self.through(work, before).await?;
            }
            let (book, prepared, effects) = settled?;
            let stands_alone = prepared.stands_alone();
            let store = self.store.clone();
            let writing = Writing {
                count: some.len(),
                book,
                effects,
                started: Instant::now(),
                task: tokio::spawn(async move { store.write(prepared).await }),
            };
            if stands_alone {
                *written += self.through(work, writing).await?;
            } else {
                behind = Some(writing);
            }
        }
        if let Some(last) = behind {
            *written += self.through(work, last).await?;
        }
        Ok(())
    }

    /// Begins to read whom a transaction wakes, as far as they are not at hand, in a task of its own: making states of
    /// rows is work for a processor of its own.
    fn read(&self, work: &mut Work, some: &[EntityId]) -> Reading {
        let needs = Needs {
            entities: some.to_vec(),
            ..Needs::default()
        };
        let mut book = Book::default();
        let lent = work.warm.lend(&mut book, &needs);
        let store = self.store.clone();
        tokio::spawn(async move {
            leave_out_moved(&store, &mut book, &lent).await?;
            store.load(&mut book, &needs).await?;
            Ok(book)
        })
    }

    async fn read_through(&self, reading: Reading) -> Result<Book, EngineError> {
        let started = Instant::now();
        // After a panic nothing has been read: then settling reads it.
        let book = reading.await.unwrap_or_else(|_| Ok(Book::default()))?;
        self.metrics.stage(Stage::Identify, started.elapsed());
        Ok(book)
    }

    /// Settles a transaction's timers on a book that holds whom they wake.
    async fn settle_woken(
        &self,
        work: &mut Work,
        active: &Active,
        some: &[EntityId],
        mut book: Book,
    ) -> Result<(Book, Prepared, Effects), EngineError> {
        let at = self.instant(work, None);
        let items = some.iter().copied().map(Item::Wake).collect();
        self.apply(&mut book, &mut work.warm, active, items, at, &[])
            .await?;
        let effects = Effects::of(&book);
        reached(Step::Applied);
        let prepared = Store::prepare(&mut book, &Batch::default())?;
        Ok((book, prepared, effects))
    }

    /// Waits until it is written. Returns how many timers it carried out.
    async fn through(&self, work: &mut Work, writing: Writing) -> Result<usize, EngineError> {
        // A panic, or a runtime that ends: what it had written by then is not known.
        let joined = writing.task.await.map_err(|_| EngineError::CommitLost)?;
        self.metrics.stage(Stage::Commit, writing.started.elapsed());
        let newest = joined?;
        reached(Step::Committed);
        let mut book = writing.book;
        let written = newest.iter().map(|(id, seq)| (*id, *seq));
        book.stored.newest.extend(written);
        work.warm.keep(book, Instant::now());
        work.turn += 1;
        writing.effects.count(&self.metrics);
        Ok(writing.count)
    }

    /// Removes, once an hour, what nobody asks for any more.
    async fn prune(&self) -> Result<(), EngineError> {
        let now = self.clock.now();
        if now.since(Millis(self.pruned.load(Ordering::Relaxed))) < HOUR {
            return Ok(());
        }
        self.pruned.store(now.0, Ordering::Relaxed);
        // A clear that still waits for its verdict is due no earlier than the earliest timer.
        let waits = self.store.next_due().await?.unwrap_or(now).min(now);
        let removed = self.store.prune(waits.minus(KEPT), now.minus(KEPT)).await?;
        tracing::debug!(rows = removed, "removed what nobody asks for any more");
        Ok(())
    }
}
