//! Timers: due entities are woken in due order, through the same path as everything else.

use std::{collections::BTreeSet, sync::atomic::Ordering, time::Instant};

use baton_core::{
    book::Item,
    id::EntityId,
    time::{DAY, HOUR, Millis},
};

use super::{Engine, EngineError};
use crate::faults::{Step, reached};

/// Timers of one transaction.
const PAGE: u32 = 500;

/// How long counts are kept that only something very late could still ask for: clears of the mass-clear guard, what
/// became of an `ingest`.
const KEPT: i64 = 7 * DAY;

impl Engine {
    /// Carries out every timer that is due now, and asks for the next records of what is read again. Returns how many
    /// of both.
    ///
    /// # Errors
    /// When the store cannot be reached or written.
    pub async fn fire_timers(&self) -> Result<u64, EngineError> {
        let mut seen: BTreeSet<(EntityId, Millis)> = BTreeSet::new();
        let mut fired = 0;
        loop {
            let mut due = self.store.due(self.clock.now(), PAGE).await?;
            let found = due.len();
            due.retain(|timer| seen.insert(*timer));
            if due.is_empty() {
                if found > 0 {
                    // It would go round for ever; the next call tries again.
                    tracing::error!(
                        timers = found,
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
            self.settle(|| due.iter().map(|(id, _)| Item::Wake(*id)).collect())
                .await?;
            reached(Step::Fired);
            fired += due.len() as u64;
            self.metrics.timers.inc_by(due.len() as u64);
        }
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
