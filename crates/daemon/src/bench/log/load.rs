//! What is done to a log while it is measured, through librdkafka.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rand::Rng as _;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use super::{MESSAGE_BYTES, PARTITIONS, contender::Contender};

/// A log that says nothing for so long has failed.
const TOO_LONG: Duration = Duration::from_secs(60);

/// One user of a log.
pub struct Client {
    config: ClientConfig,
    settings: &'static [(&'static str, &'static str)],
}

/// Consumers of one group, each with some partitions.
pub struct Waiting(Vec<BaseConsumer>);

impl Client {
    pub fn of(contender: &Contender) -> Self {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &contender.address)
            .set("reconnect.backoff.max.ms", "500")
            .set("socket.nagle.disable", "true");
        Self {
            config,
            settings: contender.topic_settings,
        }
    }

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>, KafkaError> {
        self.config.create()
    }

    /// Makes a new, empty topic.
    pub async fn create(&self, name: &str) -> anyhow::Result<String> {
        // Runs that were broken off may have left one.
        let name = format!("{name}-{}", std::process::id());
        self.delete(&[&name]).await?;
        let mut topic = NewTopic::new(&name, PARTITIONS, TopicReplication::Fixed(1));
        for (setting, value) in self.settings {
            topic = topic.set(setting, value);
        }
        let admin = self.admin()?;
        let made = admin.create_topics([&topic], &AdminOptions::new()).await;
        if let Some(Err((topic, code))) = made?.pop() {
            bail!("the topic {topic} cannot be made: {code}");
        }
        Ok(name)
    }

    pub async fn delete(&self, topics: &[&str]) -> anyhow::Result<()> {
        let admin = self.admin()?;
        let deleted = admin.delete_topics(topics, &AdminOptions::new()).await;
        for result in deleted? {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
                Err((topic, code)) => bail!("the topic {topic} cannot be deleted: {code}"),
            }
        }
        Ok(())
    }

    fn producer(&self, linger: &str) -> Result<BaseProducer, KafkaError> {
        self.config
            .clone()
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", linger)
            .set("queue.buffering.max.kbytes", "262144")
            .create()
    }

    /// Reads all partitions of a topic, or only what comes from now on.
    fn reader(&self, topic: &str, from: Offset) -> Result<BaseConsumer, KafkaError> {
        let consumer: BaseConsumer = self.config.clone().set("group.id", topic).create()?;
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            list.add_partition_offset(topic, partition, from)?;
        }
        consumer.assign(&list)?;
        Ok(consumer)
    }

    /// How long it takes until `count` messages are acknowledged.
    pub fn produce(&self, topic: &str, count: usize) -> anyhow::Result<Duration> {
        let producer = self.producer("5")?;
        let payload = payload();
        let begun = Instant::now();
        for (partition, _) in (0..PARTITIONS).cycle().zip(0..count) {
            send(&producer, topic, partition, &payload)?;
        }
        producer.flush(TOO_LONG)?;
        Ok(begun.elapsed())
    }

    /// How long it takes until `count` messages have been read.
    pub fn consume(&self, topic: &str, count: usize) -> anyhow::Result<Duration> {
        let consumer = self.reader(topic, Offset::Beginning)?;
        let begun = Instant::now();
        for _ in 0..count {
            next(&consumer)?;
        }
        Ok(begun.elapsed())
    }

    /// How long it takes until `count` messages have been read from one topic and are acknowledged in another.
    pub fn pass_on(&self, from: &str, to: &str, count: usize) -> anyhow::Result<Duration> {
        let consumer = self.reader(from, Offset::Beginning)?;
        let producer = self.producer("5")?;
        let begun = Instant::now();
        for _ in 0..count {
            let message = next(&consumer)?;
            let payload = message.payload().unwrap_or_default();
            send(&producer, to, message.partition(), payload)?;
        }
        producer.flush(TOO_LONG)?;
        Ok(begun.elapsed())
    }

    /// From handing each message to librdkafka to having it from librdkafka, at a steady pace.
    pub fn latencies(
        &self,
        topic: &str,
        per_second: u32,
        long: Duration,
    ) -> anyhow::Result<Vec<Duration>> {
        let count = (long.as_secs_f64() * f64::from(per_second)) as u32;
        let producer = self.producer("1")?;
        let consumer = self.reader(topic, Offset::Beginning)?;
        // The first message opens connections; it does not count.
        send(&producer, topic, 0, &payload())?;
        next(&consumer)?;
        let origin = Instant::now();
        thread::scope(|scope| {
            let receiving = scope.spawn(|| -> anyhow::Result<Vec<Duration>> {
                let mut latencies = Vec::new();
                for _ in 0..count {
                    let message = next(&consumer)?;
                    let sent = message.payload().and_then(|p| p.first_chunk());
                    let sent = sent.context("a message came back shorter than it was")?;
                    let sent = Duration::from_nanos(u64::from_be_bytes(*sent));
                    latencies.push(origin.elapsed().saturating_sub(sent));
                }
                Ok(latencies)
            });
            let mut payload = payload();
            for (at, partition) in (0..count).zip((0..PARTITIONS).cycle()) {
                let due = Duration::from_secs(1) / per_second * at;
                thread::sleep(due.saturating_sub(origin.elapsed()));
                let now = u64::try_from(origin.elapsed().as_nanos())?;
                payload[..8].copy_from_slice(&now.to_be_bytes());
                send(&producer, topic, partition, &payload)?;
                producer.poll(Duration::ZERO);
            }
            producer.flush(TOO_LONG)?;
            match receiving.join() {
                Ok(latencies) => latencies,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Consumers of one group that wait for messages of a topic that is read to its end.
    pub fn waiting_consumers(&self, topic: &str, count: usize) -> anyhow::Result<Waiting> {
        let mut waiting = Waiting(Vec::new());
        for _ in 0..count {
            let mut config = self.config.clone();
            config
                .set("group.id", format!("{topic}-waiting"))
                .set("auto.offset.reset", "latest");
            let consumer: BaseConsumer = config.create()?;
            consumer.subscribe(&[topic])?;
            waiting.0.push(consumer);
        }
        let begun = Instant::now();
        loop {
            waiting.poll(Duration::from_millis(10));
            let mut had = 0;
            for consumer in &waiting.0 {
                had += usize::from(consumer.assignment()?.count() > 0);
            }
            if had == count {
                // The first fetches are over before anything is measured.
                waiting.idle(Duration::from_secs(1));
                return Ok(waiting);
            }
            if begun.elapsed() > TOO_LONG {
                bail!("{had} of {count} consumers were given partitions");
            }
        }
    }
}

impl Waiting {
    fn poll(&self, each: Duration) {
        for consumer in &self.0 {
            // What may come are errors that pass, such as a group that is still being made.
            let _ = consumer.poll(each);
        }
    }

    /// Lets them wait for at least so long; returns how long it was.
    pub fn idle(&self, long: Duration) -> Duration {
        let begun = Instant::now();
        while begun.elapsed() < long {
            self.poll(Duration::from_millis(100));
        }
        begun.elapsed()
    }
}

/// Bytes that no compression makes fewer.
fn payload() -> Vec<u8> {
    let mut payload = vec![0; MESSAGE_BYTES];
    ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut payload);
    payload
}

fn send(
    producer: &BaseProducer,
    topic: &str,
    partition: i32,
    payload: &[u8],
) -> anyhow::Result<()> {
    let mut record = BaseRecord::<(), [u8]>::to(topic)
        .partition(partition)
        .payload(payload);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                producer.poll(Duration::from_millis(10));
                record = again;
            }
            Err((error, _)) => return Err(error).context("a message was not taken"),
        }
    }
}

fn next(consumer: &BaseConsumer) -> anyhow::Result<rdkafka::message::BorrowedMessage<'_>> {
    let begun = Instant::now();
    // It also returns for events that are no messages.
    while begun.elapsed() < TOO_LONG {
        if let Some(message) = consumer.poll(TOO_LONG) {
            return message.context("a message was not read");
        }
    }
    bail!("no message came for {} s", TOO_LONG.as_secs())
}
