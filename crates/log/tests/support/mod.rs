//! What the tests share: a log on a temporary folder and clients for it.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use baton_log::{Config, Fsync, Log};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::Consumer;
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};

mod kafka;
pub mod raw;

pub const PATIENCE: Duration = Duration::from_secs(20);

/// Which log the tests of a crate are about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ground {
    Embedded,
    Kafka,
}

/// A log to talk to.
pub enum Broker {
    Embedded(Log),
    Kafka(SocketAddr),
}

impl Broker {
    pub fn addr(&self) -> SocketAddr {
        match self {
            Self::Embedded(log) => log.addr(),
            Self::Kafka(addr) => *addr,
        }
    }

    /// Stops an embedded log. Apache Kafka goes on: what is asked of a log after a restart holds without one, too.
    pub async fn shutdown(self) -> Result<(), baton_log::Error> {
        match self {
            Self::Embedded(log) => log.shutdown().await,
            Self::Kafka(_) => Ok(()),
        }
    }
}

/// Says that a test goes without something, and what that means for it.
///
/// # Panics
/// Where nothing may be missing (`BATON_REQUIRE_ALL`, `CI`).
pub fn missing(what: &str, why: &str, instead: &str) {
    let set = |name: &str, value: &str| std::env::var(name).is_ok_and(|v| v == value);
    assert!(
        !set("CI", "true") && !set("BATON_REQUIRE_ALL", "1"),
        "{what} is required here and missing: {why}"
    );
    eprintln!("SKIPPED: no {what}, {instead}: {why}");
}

pub struct Running {
    pub log: Broker,
    pub dir: tempfile::TempDir,
}

pub async fn start() -> Running {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).await;
    Running { log, dir }
}

/// The log of a folder: with what was in it if it was opened before, else empty.
pub async fn open(dir: &Path) -> Broker {
    if crate::GROUND == Ground::Kafka
        && let Some(addr) = kafka::broker(dir).await
    {
        return Broker::Kafka(addr);
    }
    Broker::Embedded(Log::open(Config::new(dir)).await.unwrap())
}

pub async fn open_always(dir: &Path) -> Broker {
    let mut config = Config::new(dir);
    config.fsync = Fsync::Always;
    Broker::Embedded(Log::open(config).await.unwrap())
}

pub fn client(log: &Broker) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", log.addr().to_string())
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500");
    config
}

pub fn producer(log: &Broker) -> FutureProducer {
    client(log)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "0")
        .create()
        .unwrap()
}

pub fn admin(log: &Broker) -> AdminClient<DefaultClientContext> {
    client(log).create().unwrap()
}

pub fn group_consumer<C: rdkafka::config::FromClientConfig>(log: &Broker, group: &str) -> C {
    client(log)
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "200")
        .set("fetch.wait.max.ms", "100")
        .create()
        .unwrap()
}

pub async fn create(log: &Broker, topic: &str, partitions: i32, settings: &[(&str, &str)]) {
    let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    for (name, value) in settings {
        new = new.set(name, value);
    }
    for result in admin(log)
        .create_topics([&new], &AdminOptions::new())
        .await
        .unwrap()
    {
        result.unwrap();
    }
    // Apache Kafka tells its broker of a topic after it has told the client.
    let probe: BaseConsumer = client(log).create().unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let metadata = probe.fetch_metadata(Some(topic), PATIENCE).unwrap();
        let known = metadata.topics()[0].partitions();
        let led = known
            .iter()
            .filter(|p| p.leader() >= 0 && p.error().is_none());
        if led.count() == partitions as usize {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{topic} is not known");
    }
}

pub async fn produce(producer: &FutureProducer, topic: &str, partition: i32, payload: &str) -> i64 {
    let delivery = producer
        .send(
            FutureRecord::<str, str>::to(topic)
                .partition(partition)
                .payload(payload),
            PATIENCE,
        )
        .await
        .unwrap();
    assert_eq!(delivery.partition, partition);
    delivery.offset
}

/// The next `count` messages, as (partition, offset, payload).
pub fn poll(consumer: &BaseConsumer, count: usize) -> Vec<(i32, i64, String)> {
    let mut got = Vec::new();
    let deadline = std::time::Instant::now() + PATIENCE;
    while got.len() < count {
        assert!(std::time::Instant::now() < deadline, "only got {got:?}");
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            let message: OwnedMessage = message.unwrap().detach();
            let payload = message.payload().unwrap_or_default();
            let payload = String::from_utf8(payload.to_vec()).unwrap();
            got.push((message.partition(), message.offset(), payload));
        }
    }
    got
}

/// All that is in a partition from an offset on, read without a group.
pub fn read_from(
    log: &Broker,
    topic: &str,
    partition: i32,
    offset: Offset,
    count: usize,
) -> Vec<(i32, i64, String)> {
    let consumer: BaseConsumer = group_consumer(log, "reader");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, offset).unwrap();
    consumer.assign(&list).unwrap();
    poll(&consumer, count)
}
