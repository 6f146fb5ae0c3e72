//! Publishing: idempotent, acknowledged by all replicas, in order per key.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use baton_core::time::Millis;
use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer},
};

use super::client::{Connection, KafkaFault, Tell};

/// One message to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub topic: String,
    pub key: Option<Vec<u8>>,
    /// None: a tombstone.
    pub payload: Option<Vec<u8>>,
    /// The message's timestamp; none: the client's clock.
    pub timestamp: Option<Millis>,
    pub headers: Vec<(String, Vec<u8>)>,
}

/// Where messages are published: the log, or the one of a simulation.
pub trait Publish {
    /// Publishes all and waits until the log has all of them. The result names, in order, what became of each.
    fn publish(
        &self,
        messages: &[Outgoing],
    ) -> impl Future<Output = Vec<Result<(i32, i64), KafkaFault>>> + Send;
}

const DEFAULTS: &[(&str, &str)] = &[
    ("linger.ms", "2"),
    ("compression.type", "lz4"),
    ("queue.buffering.max.kbytes", "65536"),
];

/// Publishes to the log.
#[derive(Clone)]
pub struct Publisher {
    inner: FutureProducer<Tell>,
}

impl Publisher {
    /// # Errors
    /// When a setting is not valid.
    pub fn new(connection: &Connection) -> Result<Self, KafkaFault> {
        Self::of(connection.client_with(&[DEFAULTS, &[("message.timeout.ms", "30000")]].concat()))
    }

    /// One whose messages the log has within `patience`, or never gets.
    ///
    /// # Errors
    /// When a setting is not valid.
    pub fn within(connection: &Connection, patience: Duration) -> Result<Self, KafkaFault> {
        let mut config = connection.client_with(DEFAULTS);
        config.set("message.timeout.ms", patience.as_millis().to_string());
        Self::of(config)
    }

    fn of(mut config: ClientConfig) -> Result<Self, KafkaFault> {
        let inner = config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .create_with_context(Tell)
            .map_err(KafkaFault::setup)?;
        Ok(Self { inner })
    }

    /// Waits until nothing is under way any more.
    ///
    /// # Errors
    /// When the log does not take the rest within `patience`.
    pub fn flush(&self, patience: Duration) -> Result<(), KafkaFault> {
        self.inner
            .flush(patience)
            .map_err(|source| KafkaFault::Ask {
                what: "flush",
                source,
            })
    }
}

impl Publish for Publisher {
    async fn publish(&self, messages: &[Outgoing]) -> Vec<Result<(i32, i64), KafkaFault>> {
        self.publish_until(messages, None).await
    }
}

/// A publisher that may be used until a certain moment.
#[derive(Clone, Copy)]
pub struct Until<'p> {
    publisher: &'p Publisher,
    until: Instant,
}

impl Publish for Until<'_> {
    async fn publish(&self, messages: &[Outgoing]) -> Vec<Result<(i32, i64), KafkaFault>> {
        let until = Some(self.until);
        self.publisher.publish_until(messages, until).await
    }
}

impl Publisher {
    /// What is not handed to the client before that moment is not published, but [`KafkaFault::TooLate`].
    #[must_use]
    pub const fn until(&self, until: Instant) -> Until<'_> {
        Until {
            publisher: self,
            until,
        }
    }

    async fn publish_until(
        &self,
        messages: &[Outgoing],
        until: Option<Instant>,
    ) -> Vec<Result<(i32, i64), KafkaFault>> {
        let mut results = Vec::with_capacity(messages.len());
        let mut waiting: VecDeque<(usize, DeliveryFuture)> = VecDeque::new();
        for (index, message) in messages.iter().enumerate() {
            loop {
                if until.is_some_and(|until| Instant::now() >= until) {
                    while let Some(first) = waiting.pop_front() {
                        results.push(settled(first, messages).await);
                    }
                    results.push(Err(KafkaFault::TooLate));
                    break;
                }
                match self.inner.send_result(record(message)) {
                    Ok(delivery) => {
                        waiting.push_back((index, delivery));
                        break;
                    }
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                        // Room comes as earlier messages are acknowledged.
                        match waiting.pop_front() {
                            Some(first) => results.push(settled(first, messages).await),
                            None => self.inner.poll(Duration::from_millis(10)),
                        }
                    }
                    Err((source, _)) => {
                        // Earlier ones keep their place in the order of results.
                        while let Some(first) = waiting.pop_front() {
                            results.push(settled(first, messages).await);
                        }
                        results.push(Err(KafkaFault::Publish {
                            topic: message.topic.clone(),
                            source,
                        }));
                        break;
                    }
                }
            }
        }
        while let Some(first) = waiting.pop_front() {
            results.push(settled(first, messages).await);
        }
        results
    }
}

async fn settled(
    (index, delivery): (usize, DeliveryFuture),
    messages: &[Outgoing],
) -> Result<(i32, i64), KafkaFault> {
    let topic = || {
        messages
            .get(index)
            .map_or_else(String::new, |m| m.topic.clone())
    };
    match delivery.await {
        Ok(Ok(delivered)) => Ok((delivered.partition, delivered.offset)),
        Ok(Err((source, _))) => Err(KafkaFault::Publish {
            topic: topic(),
            source,
        }),
        Err(_) => Err(KafkaFault::Gone),
    }
}

fn record(message: &Outgoing) -> FutureRecord<'_, Vec<u8>, Vec<u8>> {
    let mut record = FutureRecord::to(&message.topic);
    if let Some(key) = &message.key {
        record = record.key(key);
    }
    if let Some(payload) = &message.payload {
        record = record.payload(payload);
    }
    if let Some(at) = message.timestamp {
        record = record.timestamp(at.0);
    }
    if !message.headers.is_empty() {
        let headers = message.headers.iter().fold(
            OwnedHeaders::new_with_capacity(message.headers.len()),
            |headers, (key, value)| {
                headers.insert(Header {
                    key,
                    value: Some(value),
                })
            },
        );
        record = record.headers(headers);
    }
    record
}
