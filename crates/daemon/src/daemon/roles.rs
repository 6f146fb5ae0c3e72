//! The loops of the roles.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use baton_core::time::Millis;

use super::{Daemon, lease::Lease};
use crate::{
    engine::{Ahead, Consumed, Engine, EngineError, Report},
    faults::{Step, reached},
    kafka::{Control, GroupConsumer, Limits, PositionsOf, Publisher},
    retry::until_it_passes,
};

/// How long a message may take from when it is handed to the client until the log has it or never gets it.
pub(super) const UNDER_WAY: Duration = Duration::from_secs(5);

/// How often the relay looks for messages that another process put into the outbox.
const LOOK: Duration = Duration::from_millis(200);

/// How long timers sleep at most: another process may have set an earlier one.
const NAP: Duration = Duration::from_millis(500);

impl Daemon {
    /// Role `engine`.
    pub(super) async fn consume(self) -> anyhow::Result<()> {
        let settings = self.engine.active().settings.daemon.clone();
        let mut consumer = GroupConsumer::join(
            &self.connection,
            &self.engine.active().topics.consumed(),
            Limits {
                messages: settings.batch_messages as usize,
                bytes: usize::try_from(settings.batch_bytes).unwrap_or(usize::MAX),
                wait: settings.batch_wait,
            },
            positions_of(self.engine.clone(), self.stop.soft.clone()),
            self.engine.metrics.clone(),
        )?;
        self.say_ready();
        let result = self.settle_all(&mut consumer).await;
        consumer.leave().await;
        result.map_err(Into::into)
    }

    /// A batch is settled while the one before it is still being written.
    async fn settle_all(&self, consumer: &mut GroupConsumer) -> Result<(), EngineError> {
        let mut behind = None;
        loop {
            let batch = tokio::select! {
                biased;
                () = self.stop.soft.cancelled() => {
                    return self.tell(consumer, self.engine.finish(&mut behind).await?);
                }
                () = self.resume.notified() => {
                    consumer.tell(Control::Resume)?;
                    continue;
                }
                batch = consumer.batches.recv() => batch,
                // Nothing has come meanwhile.
                () = through(&mut behind) => {
                    let report = self.settled(&mut Vec::new(), &mut behind).await?;
                    self.tell(consumer, report)?;
                    continue;
                }
            };
            let Some(mut batch) = batch else {
                return Err(EngineError::Kafka(crate::kafka::KafkaFault::Gone));
            };
            reached(Step::Consumed);
            let report = self.settled(&mut batch, &mut behind).await?;
            self.tell(consumer, report)?;
        }
    }

    /// Settles a batch, or without one only what is behind.
    async fn settled(
        &self,
        batch: &mut Vec<Consumed>,
        behind: &mut Option<Ahead>,
    ) -> Result<Report, EngineError> {
        let both = tokio::sync::Mutex::new((batch, behind));
        until_it_passes(
            &self.stop.soft,
            "settle a batch",
            EngineError::passing,
            || async {
                let (batch, behind) = &mut *both.lock().await;
                if batch.is_empty() {
                    self.engine.finish(behind).await
                } else {
                    self.engine.process_ahead(batch, behind).await
                }
            },
        )
        .await
    }

    /// Tells the consumer what became of a batch.
    fn tell(&self, consumer: &GroupConsumer, report: Report) -> Result<(), EngineError> {
        for (topic, partition, offset) in report.stopped {
            tracing::error!(
                topic = &*topic,
                partition,
                offset,
                "too many messages cannot be understood: partition stopped; mend the producer or the mapping, then \
                 reload"
            );
            consumer.tell(Control::Stop {
                topic,
                partition,
                offset,
            })?;
        }
        if !report.positions.is_empty() {
            consumer.tell(Control::Settled(report.positions))?;
        }
        self.outbox.notify_one();
        Ok(())
    }

    /// Role `timers`.
    pub(super) async fn timers(self) -> anyhow::Result<()> {
        while !self.stop.soft.is_cancelled() {
            let fired = until_it_passes(
                &self.stop.soft,
                "carry out timers",
                EngineError::passing,
                || self.engine.fire_timers(),
            )
            .await?;
            if fired > 0 {
                self.outbox.notify_one();
            }
            let next = self.engine.store.next_due().await.ok().flatten();
            let wait = nap(next, self.engine.clock.now());
            tokio::select! {
                () = self.stop.soft.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        Ok(())
    }

    /// Role `relay`. One process at a time holds it, so that messages keep their order.
    pub(super) async fn relay(self, publisher: Publisher, lease: Lease) -> anyhow::Result<()> {
        let lease = tokio::sync::Mutex::new(lease);
        let store = &self.engine.store;
        loop {
            let stopping = self.stop.soft.is_cancelled();
            let page = || async {
                let held = lease.lock().await.hold(store, Instant::now()).await?;
                match held {
                    // What is under way at the end of the lease could come after what the next holder sends.
                    Some(until) => self.engine.relay(&publisher.until(until - UNDER_WAY)).await,
                    None => Ok(0),
                }
            };
            let published =
                until_it_passes(&self.stop.soft, "publish", EngineError::passing, page).await?;
            if published > 0 {
                continue;
            }
            if stopping {
                // Everything that was decided before the end has left.
                lease.lock().await.leave(store).await?;
                return Ok(());
            }
            tokio::select! {
                () = self.outbox.notified() => {}
                () = self.stop.soft.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

/// Until the commit behind is through; without one for ever.
async fn through(behind: &mut Option<Ahead>) {
    match behind {
        Some(ahead) => ahead.through().await,
        None => std::future::pending().await,
    }
}

fn nap(next: Option<Millis>, now: Millis) -> Duration {
    let wait = next.map_or(NAP, |next| {
        Duration::from_millis(u64::try_from(next.since(now)).unwrap_or(0))
    });
    // A timer that cannot be carried out now must not make the loop spin.
    wait.clamp(Duration::from_millis(10), NAP)
}

/// Asks the store for positions, from a thread that may block, until the daemon is told to end.
fn positions_of(engine: Arc<Engine>, stop: tokio_util::sync::CancellationToken) -> PositionsOf {
    let runtime = tokio::runtime::Handle::current();
    Box::new(move |keys| {
        if stop.is_cancelled() {
            return None;
        }
        let stored = until_it_passes(&stop, "read the positions", EngineError::passing, || {
            engine.assigned(keys)
        });
        runtime.block_on(stored).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_sleep_until_the_next_one_but_never_long_nor_without_rest() {
        let now = Millis(1_000);
        assert_eq!(nap(None, now), NAP);
        assert_eq!(nap(Some(Millis(1_100)), now), Duration::from_millis(100));
        assert_eq!(nap(Some(Millis(900_000)), now), NAP);
        assert_eq!(nap(Some(Millis(0)), now), Duration::from_millis(10));
    }
}
