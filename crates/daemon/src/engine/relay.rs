//! The relay: what the engine decided goes from the outbox to the log, and leaves the outbox once the log has it.

use std::{collections::BTreeSet, error::Error as _, time::Instant};

use baton_core::{book::OutTopic, change::Format, id::Digest, name::Name};
use baton_store::{DeadLetter, OutboxRow, OutboxSeq};

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

impl Engine {
    /// Publishes one page of the outbox, in order. Returns how many messages the log has acknowledged; a page that
    /// is not full means that the outbox is empty now.
    ///
    /// # Errors
    /// When the store cannot be read or written, or the log does not take a message.
    pub async fn relay(&self, publisher: &impl Publish) -> Result<usize, EngineError> {
        let rows = self.store.outbox_page(OutboxSeq::default(), PAGE).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        reached(Step::PageRead);
        let started = Instant::now();
        let active = self.active();
        let source = format!("baton/{}", active.settings.kafka.group);
        let now = self.clock.now();
        let mut messages = Vec::with_capacity(rows.len());
        let mut sent = Vec::with_capacity(rows.len());
        let mut done: Vec<OutboxSeq> = Vec::with_capacity(rows.len());
        for row in &rows {
            let Some(topic) = active.topics.name(row.topic) else {
                // The system was taken out of the configuration: nobody would read it.
                tracing::warn!(
                    topic = logical(row.topic),
                    "dropped a message for a system that is not configured any more"
                );
                done.push(row.seq);
                continue;
            };
            messages.push(Outgoing {
                topic: topic.to_owned(),
                key: Some(row.key.clone().into_bytes()),
                payload: Some(row.body.clone()),
                timestamp: Some(now),
                headers: headers::of(row.topic, &row.body, &source, row.at, row.cause),
            });
            sent.push(row);
        }
        let results = publisher.publish(&messages).await;
        let mut failure = None;
        let mut behind = Behind::default();
        let mut acknowledged = 0;
        for (row, result) in sent.into_iter().zip(results) {
            match result {
                Ok(_) => {
                    if behind.may_leave(row) {
                        done.push(row.seq);
                    }
                    acknowledged += 1;
                    self.published(row);
                }
                Err(fault) if fault.refuses_message() => self.bury(row, &fault).await?,
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
                    failure = failure.or(Some(fault));
                }
            }
        }
        reached(Step::Published);
        self.store.outbox_done(&done).await?;
        reached(Step::Cleared);
        self.metrics.stage(Stage::Relay, started.elapsed());
        match failure {
            Some(fault) => Err(fault.into()),
            None => Ok(acknowledged),
        }
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
    async fn bury(&self, row: &OutboxRow, fault: &KafkaFault) -> Result<(), EngineError> {
        let active = self.active();
        let system = match row.topic {
            OutTopic::Commands(system) => system,
            OutTopic::Golden | OutTopic::Decisions | OutTopic::DeadLetters => Name::new("baton"),
        };
        let reason = fault
            .source()
            .map_or_else(|| fault.to_string(), ToString::to_string);
        let letter = DeadLetter {
            id: Digest::of(&[
                UNPUBLISHABLE.as_bytes(),
                &row.seq.0.to_le_bytes(),
                &row.body,
            ]),
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
            payload: row.body.clone(),
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

    fn published(&self, row: &OutboxRow) {
        self.metrics.published(logical(row.topic), 1);
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
