//! Publishing: idempotent, acknowledged by all replicas, in order per key.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use baton_core::time::Millis;
use rdkafka::{
    ClientConfig, ClientContext, Message as _,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer},
};
use tokio::sync::Notify;

use super::client::{Connection, KafkaFault, tell, tell_error};

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

/// How long to wait for room that others' messages take.
const CROWDED: Duration = Duration::from_millis(5);

/// Publishes to the log.
#[derive(Clone)]
pub struct Publisher {
    inner: Arc<ThreadedProducer<Receipts>>,
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
            .create_with_context(Receipts)
            .map_err(KafkaFault::setup)?;
        Ok(Self {
            inner: Arc::new(inner),
        })
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
        let call = Call::of(messages.len());
        for (index, message) in messages.iter().enumerate() {
            let mut record = record(message, &call, index);
            loop {
                if until.is_some_and(|until| Instant::now() >= until) {
                    call.settle(index, Err(KafkaFault::TooLate));
                    break;
                }
                match self.inner.send(record) {
                    Ok(()) => break,
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                        record = back;
                        call.room(messages.len() - index).await;
                    }
                    Err((source, _)) => {
                        let topic = message.topic.clone();
                        call.settle(index, Err(KafkaFault::Publish { topic, source }));
                        break;
                    }
                }
            }
        }
        call.settled().await
    }
}

/// What became of one message.
type Fate = Result<(i32, i64), KafkaFault>;

/// One call of [`Publish::publish`]: what has become of its messages so far.
struct Call {
    fates: Mutex<Fates>,
    /// There are no more of them open than somebody waits for.
    few: Notify,
}

struct Fates {
    of: Vec<Option<Fate>>,
    /// How many are not known yet.
    open: usize,
    /// How many may be open when the one that waits is told.
    wanted: usize,
}

impl Call {
    fn of(messages: usize) -> Arc<Self> {
        Arc::new(Self {
            fates: Mutex::new(Fates {
                of: std::iter::repeat_with(|| None).take(messages).collect(),
                open: messages,
                wanted: 0,
            }),
            few: Notify::new(),
        })
    }

    fn fates(&self) -> MutexGuard<'_, Fates> {
        self.fates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, index: usize, fate: Fate) {
        let mut fates = self.fates();
        if let Some(place) = fates.of.get_mut(index) {
            *place = Some(fate);
        }
        fates.open = fates.open.saturating_sub(1);
        if fates.open <= fates.wanted {
            self.few.notify_one();
        }
    }

    /// Waits until half of the messages that are under way have come to the log; `unsent` are not under way yet.
    async fn room(&self, unsent: usize) {
        let under_way = self.fates().open.saturating_sub(unsent);
        if under_way == 0 {
            return tokio::time::sleep(CROWDED).await;
        }
        self.until_few(unsent + under_way / 2).await;
    }

    async fn until_few(&self, wanted: usize) {
        loop {
            {
                let mut fates = self.fates();
                fates.wanted = wanted;
                if fates.open <= wanted {
                    return;
                }
            }
            self.few.notified().await;
        }
    }

    /// What became of all, in order.
    async fn settled(&self) -> Vec<Fate> {
        self.until_few(0).await;
        let fates = std::mem::take(&mut self.fates().of);
        let known = fates.into_iter();
        known
            .map(|fate| fate.unwrap_or(Err(KafkaFault::Gone)))
            .collect()
    }
}

/// What a message takes along, and brings back when the log has it or will never get it.
struct Receipt {
    call: Arc<Call>,
    index: usize,
}

/// Hands receipts back.
struct Receipts;

impl ClientContext for Receipts {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, words: &str) {
        tell(level, facility, words);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tell_error(&error, reason);
    }
}

impl ProducerContext for Receipts {
    type DeliveryOpaque = Box<Receipt>;

    fn delivery(&self, result: &DeliveryResult<'_>, receipt: Box<Receipt>) {
        let fate = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((source, message)) => Err(KafkaFault::Publish {
                topic: message.topic().to_owned(),
                source: source.clone(),
            }),
        };
        receipt.call.settle(receipt.index, fate);
    }
}

fn record<'m>(
    message: &'m Outgoing,
    call: &Arc<Call>,
    index: usize,
) -> BaseRecord<'m, Vec<u8>, Vec<u8>, Box<Receipt>> {
    let call = call.clone();
    let receipt = Box::new(Receipt { call, index });
    let mut record = BaseRecord::with_opaque_to(&message.topic, receipt);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_ends_when_every_message_has_come_back_and_tells_of_each_in_its_place() {
        let call = Call::of(3);
        let delivered = call.clone();
        let log = tokio::spawn(async move {
            delivered.settle(2, Ok((0, 7)));
            delivered.settle(0, Err(KafkaFault::TooLate));
            delivered.settle(1, Ok((1, 3)));
        });
        let fates = call.settled().await;
        log.await.unwrap();
        assert!(matches!(
            fates[..],
            [Err(KafkaFault::TooLate), Ok((1, 3)), Ok((0, 7))]
        ));
    }

    #[tokio::test]
    async fn there_is_room_again_when_half_of_what_is_under_way_has_come_back() {
        let call = Call::of(10);
        let delivered = call.clone();
        // Six are not sent yet, of the four that are two come back.
        let log = tokio::spawn(async move {
            delivered.settle(0, Ok((0, 0)));
            delivered.settle(1, Ok((0, 1)));
        });
        call.room(6).await;
        log.await.unwrap();
        assert_eq!(call.fates().open, 8);
    }
}
