//! The relay: what the engine decided goes from the outbox to the log, and leaves the outbox once the log has it.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error as _,
    time::Instant,
};

use baton_core::{book::OutTopic, change::Format, id::Digest, name::Name};
use baton_store::{DeadLetter, OutboxRow, OutboxSeq};
use tokio::join;

use super::{Engine, EngineError, headers};
use crate::{
    faults::{Step, reached},
    kafka::{KafkaFault, Outgoing, Publish},
    retry::Passing,
    telemetry::Stage,
};

/// Code of messages that the log refuses.
pub(super) const UNPUBLISHABLE: &str = "unpublishable";

/// Messages published at a time.
const PAGE: u32 = 1_000;

/// Pages published in one call.
const PAGES: usize = 16;

/// What became of a page.
#[derive(Default)]
struct Sent {
    /// What may leave the outbox.
    done: Vec<OutboxSeq>,
    acknowledged: usize,
    /// Why the log did not take a message, if one is still to be sent.
    failure: Option<KafkaFault>,
}

impl Engine {
    /// Publishes what waits in the outbox, in order, some pages at most: while the log takes one in, the next is read
    /// and the one before it is cleared. Returns how many messages the log has acknowledged; 0 means that the outbox
    /// is empty now.
    ///
    /// # Errors
    /// When the store cannot be read or written, or the log does not take a message.
    pub async fn relay(&self, publisher: &impl Publish) -> Result<usize, EngineError> {
        let started = Instant::now();
        let mut page = self.page(OutboxSeq::default()).await?;
        let mut done = Vec::new();
        let mut acknowledged = 0;
        for ahead in (0..PAGES).rev() {
            let Some(last) = page.last().map(|row| row.seq) else {
                break;
            };
            let next = async {
                match ahead {
                    0 => Ok(Vec::new()),
                    _ => self.page(last).await,
                }
            };
            let clear = self.clear(&done);
            let (sent, cleared, next) = join!(self.publish(page, publisher), clear, next);
            cleared?;
            let sent = sent?;
            done = sent.done;
            acknowledged += sent.acknowledged;
            if let Some(fault) = sent.failure {
                // What waits behind it must not come before it.
                self.clear(&done).await?;
                return Err(fault.into());
            }
            page = match next {
                Ok(next) => next,
                Err(error) => {
                    self.clear(&done).await?;
                    return Err(error);
                }
            };
        }
        self.clear(&done).await?;
        if acknowledged > 0 {
            self.metrics.stage(Stage::Relay, started.elapsed());
        }
        Ok(acknowledged)
    }

    async fn page(&self, after: OutboxSeq) -> Result<Vec<OutboxRow>, EngineError> {
        let page = self.store.outbox_page(after, PAGE).await?;
        if !page.is_empty() {
            reached(Step::PageRead);
        }
        Ok(page)
    }

    async fn clear(&self, done: &[OutboxSeq]) -> Result<(), EngineError> {
        if !done.is_empty() {
            self.store.outbox_done(done).await?;
            reached(Step::Cleared);
        }
        Ok(())
    }

    async fn publish(
        &self,
        page: Vec<OutboxRow>,
        publisher: &impl Publish,
    ) -> Result<Sent, EngineError> {
        let active = self.active();
        let source = format!("baton/{}", active.settings.kafka.group);
        let now = self.clock.now();
        let mut messages = Vec::with_capacity(page.len());
        let mut rows = Vec::with_capacity(page.len());
        let mut sent = Sent::default();
        for mut row in page {
            let Some(topic) = active.topics.name(row.topic) else {
                // The system was taken out of the configuration: nobody would read it.
                tracing::warn!(
                    topic = logical(row.topic),
                    "dropped a message for a system that is not configured any more"
                );
                sent.done.push(row.seq);
                continue;
            };
            messages.push(Outgoing {
                topic: topic.to_owned(),
                key: Some(row.key.clone().into_bytes()),
                headers: headers::of(row.topic, &row.body, &source, row.at, row.cause),
                payload: Some(std::mem::take(&mut row.body)),
                timestamp: Some(now),
            });
            rows.push(row);
        }
        let results = publisher.publish(&messages).await;
        let mut behind = Behind::default();
        let mut published: BTreeMap<&str, u64> = BTreeMap::new();
        for ((row, message), result) in rows.iter().zip(&messages).zip(results) {
            match result {
                Ok(_) => {
                    if behind.may_leave(row) {
                        sent.done.push(row.seq);
                    }
                    sent.acknowledged += 1;
                    *published.entry(logical(row.topic)).or_default() += 1;
                    self.observe_command(row);
                }
                Err(fault) if fault.refuses_message() => {
                    let body = message.payload.as_deref().unwrap_or_default();
                    self.bury(row, body, &fault).await?;
                }
                Err(fault) => {
                    if fault.passing() == Passing::No {
                        tracing::error!(
                            topic = logical(row.topic),
                            error = &fault as &dyn std::error::Error,
                            "the log refuses a message; it stays in the outbox"
                        );
                    }
                    self.metrics.log_errors.inc();
                    behind.failed(row);
                    sent.failure = sent.failure.or(Some(fault));
                }
            }
        }
        for (topic, count) in published {
            self.metrics.published(topic, count);
        }
        if !rows.is_empty() {
            reached(Step::Published);
        }
        Ok(sent)
    }

    /// Publishes until the outbox is empty. Returns how many messages.
    ///
    /// # Errors
    /// As [`Engine::relay`].
    pub async fn relay_all(&self, publisher: &impl Publish) -> Result<usize, EngineError> {
        let mut total = 0;
        loop {
            match self.relay(publisher).await? {
                0 => return Ok(total),
                some => total += some,
            }
        }
    }

    /// A message that the log will not take however often it is asked must not keep the others from it.
    async fn bury(
        &self,
        row: &OutboxRow,
        body: &[u8],
        fault: &KafkaFault,
    ) -> Result<(), EngineError> {
        let active = self.active();
        let system = match row.topic {
            OutTopic::Commands(system) => system,
            OutTopic::Golden
            | OutTopic::Decisions
            | OutTopic::Lifecycle
            | OutTopic::DeadLetters => Name::new("baton"),
        };
        let reason = fault
            .source()
            .map_or_else(|| fault.to_string(), ToString::to_string);
        let letter = DeadLetter {
            id: Digest::of(&[UNPUBLISHABLE.as_bytes(), &row.seq.0.to_le_bytes(), body]),
            at: self.clock.now(),
            code: "unpublishable".into(),
            place: "outbox".to_owned(),
            what: format!("the log refuses a message of Baton's own: {reason}"),
            fix: "raise `max.message.bytes` of the topic, or what else the log refuses; then retry"
                .to_owned(),
            system,
            format: Format::Baton,
            object: None,
            topic: active.topics.name(row.topic).unwrap_or_default().into(),
            // It never came into the log.
            partition: -1,
            offset: row.seq.0,
            key: Some(row.key.clone().into_bytes()),
            payload: body.to_vec(),
        };
        tracing::error!(
            topic = logical(row.topic),
            letter = %letter.id,
            error = fault as &dyn std::error::Error,
            "the log refuses a message; it is kept as a dead letter"
        );
        self.store.outbox_bury(row.seq, &letter).await?;
        self.metrics.dead_letter(system.as_str(), UNPUBLISHABLE);
        Ok(())
    }

    fn observe_command(&self, row: &OutboxRow) {
        if matches!(row.topic, OutTopic::Commands(_)) {
            let took = self.clock.now().since(row.at).max(0);
            #[expect(clippy::cast_precision_loss, reason = "a histogram's sample")]
            self.metrics.event_to_command.observe(took as f64 / 1_000.0);
        }
    }
}

/// What the log has not taken is sent again. Whatever it has taken of the same key behind that stays in the outbox
/// and is sent again, too: the last message of a key is its newest.
#[derive(Default)]
struct Behind<'r>(BTreeSet<(&'static str, &'r str)>);

impl<'r> Behind<'r> {
    fn failed(&mut self, row: &'r OutboxRow) {
        self.0.insert((logical(row.topic), &row.key));
    }

    fn may_leave(&self, row: &OutboxRow) -> bool {
        !self.0.contains(&(logical(row.topic), &row.key))
    }
}

const fn logical(topic: OutTopic) -> &'static str {
    match topic {
        OutTopic::Commands(_) => "commands",
        OutTopic::Golden => "golden",
        OutTopic::Decisions => "decisions",
        OutTopic::Lifecycle => "lifecycle",
        OutTopic::DeadLetters => "dead_letters",
    }
}

#[cfg(test)]
mod tests {
    use baton_core::time::Millis;

    use super::*;

    fn row(topic: OutTopic, key: &str) -> OutboxRow {
        OutboxRow {
            seq: OutboxSeq::default(),
            topic,
            key: key.to_owned(),
            body: Vec::new(),
            at: Millis(0),
            cause: Digest::of(&[]),
        }
    }

    #[test]
    fn what_follows_a_message_of_its_key_that_was_not_taken_is_sent_again_behind_it() {
        let failed = row(OutTopic::Golden, "one");
        let mut behind = Behind::default();
        assert!(behind.may_leave(&failed), "nothing has failed before it");
        behind.failed(&failed);
        assert!(!behind.may_leave(&row(OutTopic::Golden, "one")));
        assert!(behind.may_leave(&row(OutTopic::Golden, "two")));
        assert!(behind.may_leave(&row(OutTopic::Decisions, "one")));
    }
}
