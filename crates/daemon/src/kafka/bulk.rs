//! Messages in bulk, as fast as librdkafka takes them and with nothing of Baton's between: for measurements.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext, Message, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer},
    topic_partition_list::Offset,
};

use super::{
    client::{Connection, KafkaFault, Tell, tell, tell_error},
    reader::{Ends, transient},
};

/// How long the log may take for what is under way at the end.
const FLUSH: Duration = Duration::from_secs(120);

/// A message whose parts somebody else holds.
#[derive(Clone, Copy, Debug)]
pub struct Bulk<'m> {
    pub topic: &'m str,
    /// None: where its key belongs.
    pub partition: Option<i32>,
    pub key: &'m [u8],
    pub payload: &'m [u8],
    /// A W3C trace context, if it has one.
    pub trace: Option<&'m str>,
}

/// An idempotent producer that waits for nothing but room.
pub struct BulkProducer {
    inner: ThreadedProducer<Counting>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    taken: AtomicU64,
    refused: AtomicU64,
}

struct Counting(Arc<Counts>);

impl ClientContext for Counting {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, words: &str) {
        tell(level, facility, words);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tell_error(&error, reason);
    }
}

impl ProducerContext for Counting {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let count = match result {
            Ok(_) => &self.0.taken,
            Err(_) => &self.0.refused,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

impl BulkProducer {
    /// `linger`: how long a message waits for company.
    ///
    /// # Errors
    /// When a setting is not valid.
    pub fn new(connection: &Connection, linger: Duration) -> Result<Self, KafkaFault> {
        let counts = Arc::new(Counts::default());
        let inner = idempotent(connection, linger)
            .create_with_context(Counting(counts.clone()))
            .map_err(KafkaFault::Setup)?;
        Ok(Self { inner, counts })
    }

    /// Hands a message over; waits only while librdkafka has no room.
    ///
    /// # Errors
    /// When librdkafka refuses it.
    pub fn send(&self, message: Bulk<'_>) -> Result<(), KafkaFault> {
        let mut record = BaseRecord::to(message.topic)
            .key(message.key)
            .payload(message.payload);
        if let Some(partition) = message.partition {
            record = record.partition(partition);
        }
        if let Some(trace) = message.trace {
            record = record.headers(OwnedHeaders::new_with_capacity(1).insert(Header {
                key: "traceparent",
                value: Some(trace),
            }));
        }
        loop {
            match self.inner.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err((source, _)) => {
                    return Err(KafkaFault::Publish {
                        topic: message.topic.to_owned(),
                        source,
                    });
                }
            }
        }
    }

    /// Waits until the log has everything. Returns how many messages it took and how many it refused.
    ///
    /// # Errors
    /// When the log does not take the rest.
    pub fn finish(&self) -> Result<(u64, u64), KafkaFault> {
        let flushed = self.inner.flush(FLUSH);
        flushed.map_err(|source| KafkaFault::Ask {
            what: "flush",
            source,
        })?;
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Ok((count(&self.counts.taken), count(&self.counts.refused)))
    }
}

fn idempotent(connection: &Connection, linger: Duration) -> ClientConfig {
    let linger = linger.as_millis().to_string();
    let mut config = connection.client_with(&[("linger.ms", linger.as_str())]);
    config
        .set("queue.buffering.max.kbytes", "131072")
        .set("enable.idempotence", "true")
        .set("acks", "all");
    config
}

/// Consumes `count` messages of the partitions in `from`, beginning at their ends as they were noted there, and
/// produces each to the same partition of `to`. Returns how long that took, the log's acknowledgements included.
///
/// # Errors
/// When the log fails, refuses a message, or has no more for half a minute.
pub fn pass_through(
    connection: &Connection,
    from: &Ends,
    to: &str,
    count: u64,
) -> Result<Duration, KafkaFault> {
    const PATIENCE: Duration = Duration::from_secs(30);
    let consumer: BaseConsumer<Tell> = connection
        .consumer(&[("fetch.message.max.bytes", "8388608")])
        .create_with_context(Tell)
        .map_err(KafkaFault::Setup)?;
    let mut assignment = TopicPartitionList::new();
    for ((topic, partition), end) in from {
        assignment
            .add_partition_offset(topic, *partition, Offset::Offset(*end))
            .map_err(KafkaFault::Setup)?;
    }
    let producer = BulkProducer::new(connection, Duration::from_millis(5))?;
    let begun = Instant::now();
    consumer.assign(&assignment).map_err(KafkaFault::Setup)?;
    let mut passed = 0;
    let mut heard = Instant::now();
    while passed < count {
        let message = match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => message,
            Some(Err(source)) if !transient(&source) => {
                return Err(KafkaFault::Ask {
                    what: "read",
                    source,
                });
            }
            _ if heard.elapsed() > PATIENCE => {
                return Err(KafkaFault::Ask {
                    what: "read what was preloaded",
                    source: KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut),
                });
            }
            _ => continue,
        };
        producer.send(Bulk {
            topic: to,
            partition: Some(message.partition()),
            key: message.key().unwrap_or_default(),
            payload: message.payload().unwrap_or_default(),
            trace: None,
        })?;
        passed += 1;
        heard = Instant::now();
    }
    let (_, refused) = producer.finish()?;
    if refused > 0 {
        return Err(KafkaFault::Publish {
            topic: to.to_owned(),
            source: KafkaError::MessageProduction(RDKafkaErrorCode::Fail),
        });
    }
    Ok(begun.elapsed())
}
