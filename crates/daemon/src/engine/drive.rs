//! Stepping the engine: a driver (the demo, a test, `ingest`) says how far to go, and everything up to there is
//! settled in one order, whenever the messages happened to arrive at this process.

use crate::kafka::{Ends, Publish, Reader};

use super::{Engine, EngineError, Report};

impl Engine {
    /// Settles everything before `ends` that the reader has not given yet: all of it is collected first, put into
    /// the order of arrival, topic, partition and offset, and settled in batches of the configured size. So the
    /// same log gives the same transactions.
    ///
    /// Call it on a multi-threaded runtime: reading blocks.
    ///
    /// # Errors
    /// When the log cannot be read or the store written. What was read and not settled is read again by a reader
    /// opened at the store's positions.
    pub async fn drain_until(
        &self,
        reader: &mut Reader,
        ends: &Ends,
    ) -> Result<Report, EngineError> {
        self.drain_some(reader, ends, usize::MAX).await
    }

    /// The same in portions of so many messages, each put into order by itself: for loads that need not repeat
    /// exactly and do not fit into memory.
    ///
    /// # Errors
    /// As [`Engine::drain_until`].
    pub async fn drain_in_portions(
        &self,
        reader: &mut Reader,
        ends: &Ends,
        portion: usize,
    ) -> Result<Report, EngineError> {
        let mut report = Report::default();
        while !reader.reached(ends) {
            report.add(self.drain_some(reader, ends, portion).await?);
        }
        Ok(report)
    }

    async fn drain_some(
        &self,
        reader: &mut Reader,
        ends: &Ends,
        most: usize,
    ) -> Result<Report, EngineError> {
        let active = self.active();
        let mut waiting = tokio::task::block_in_place(|| reader.read_until(ends, most))?;
        waiting.sort_by_cached_key(|message| active.topics.position(message));
        let size = (active.settings.daemon.batch_messages as usize).max(1);
        let mut report = Report::default();
        let mut waiting = waiting.into_iter();
        loop {
            let mut batch: Vec<_> = waiting.by_ref().take(size).collect();
            if batch.is_empty() {
                return Ok(report);
            }
            report.add(self.process(&mut batch).await?);
        }
    }

    /// One step of the whole: settles what is in the log by now, carries out what is due, publishes what follows.
    /// Returns whether anything happened; when it returns false, everything rests until time or a message moves it.
    ///
    /// # Errors
    /// As [`Engine::drain_until`], [`Engine::fire_timers`] and [`Engine::relay`].
    pub async fn step(
        &self,
        reader: &mut Reader,
        publisher: &impl Publish,
    ) -> Result<bool, EngineError> {
        let ends = tokio::task::block_in_place(|| reader.ends())?;
        let report = self.drain_until(reader, &ends).await?;
        let fired = self.fire_timers().await?;
        let published = self.relay_all(publisher).await?;
        Ok(report.consumed() + report.answers + fired > 0 || published > 0)
    }
}
