//! Consuming in a group, from the store's positions. A thread of its own polls librdkafka and hands whole batches
//! over; the engine's answer (positions that are safe, partitions to stop) comes back on a channel.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as blocking},
    time::{Duration, Instant},
};

use rdkafka::{
    Statistics, TopicPartitionList,
    client::ClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance},
    error::KafkaError,
    topic_partition_list::Offset,
};
use tokio::sync::mpsc;

use super::{
    client::{ASK, Connection, KafkaFault, tell, tell_error},
    incoming::Incoming,
    reader::{Firsts, Marks, Starts, starts, transient},
    start::{Stored, start},
};
use crate::{engine::Consumed, telemetry::Metrics};

/// Size of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub messages: usize,
    pub bytes: usize,
    /// How long a batch that is not full waits for more, even if nobody is busy.
    pub wait: Duration,
}

/// How often a batch that could go looks whether the engine has room for it, while it grows.
const BUSY: Duration = Duration::from_millis(2);

/// Asks the store for the positions of partitions. Called from the consumer's thread, which may block.
pub type PositionsOf =
    Box<dyn Fn(&[(String, i32)]) -> Option<BTreeMap<(String, i32), Vec<Stored>>> + Send + Sync>;

/// What the engine tells the consumer.
#[derive(Debug)]
pub enum Control {
    /// The store has everything before these offsets. Told to Kafka as a hint for lag monitors.
    Settled(Vec<(Arc<str>, i32, i64)>),
    /// Hand over no more of this partition, and go back to `offset`.
    Stop {
        topic: Arc<str>,
        partition: i32,
        offset: i64,
    },
    /// Hand over again what was stopped.
    Resume,
    /// Leave the group.
    Leave,
}

/// A member of the group.
pub struct GroupConsumer {
    pub batches: mpsc::Receiver<Vec<Consumed>>,
    control: blocking::Sender<Control>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl GroupConsumer {
    /// Joins the group.
    ///
    /// # Errors
    /// When a setting is not valid or the thread cannot be started.
    pub fn join(
        connection: &Connection,
        topics: &[String],
        limits: Limits,
        positions: PositionsOf,
        metrics: Arc<Metrics>,
    ) -> Result<Self, KafkaFault> {
        let config = connection.consumer(&[
            ("statistics.interval.ms", "5000"),
            ("session.timeout.ms", "10000"),
            ("heartbeat.interval.ms", "2000"),
            // What waits here waits between a command and its answer. When there is room, more is fetched soon.
            ("queued.max.messages.kbytes", "4096"),
            ("fetch.queue.backoff.ms", "10"),
        ]);
        let consumer: BaseConsumer<Assigned> = config
            .create_with_context(Assigned {
                connection: connection.clone(),
                positions,
                metrics,
                incoming: Mutex::default(),
            })
            .map_err(KafkaFault::setup)?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&names).map_err(KafkaFault::setup)?;
        let (control, commands) = blocking::channel();
        // One waits while the next is gathered: the engine is kept busy, and what comes meanwhile goes together.
        let (hand_over, batches) = mpsc::channel(1);
        let thread = std::thread::Builder::new()
            .name("baton-consumer".into())
            .spawn(move || {
                Pump {
                    consumer,
                    limits,
                    stopped: BTreeMap::new(),
                }
                .run(&hand_over, &commands);
            })
            .map_err(|_| KafkaFault::Gone)?;
        Ok(Self {
            batches,
            control,
            thread: Some(thread),
        })
    }

    /// Tells the consumer something.
    ///
    /// # Errors
    /// When its thread has ended.
    pub fn tell(&self, control: Control) -> Result<(), KafkaFault> {
        self.control.send(control).map_err(|_| KafkaFault::Gone)
    }

    /// Leaves the group and waits until the others know.
    pub async fn leave(mut self) {
        let _ = self.tell(Control::Leave);
        // The thread may be waiting to hand a batch over.
        self.batches.close();
        while self.batches.recv().await.is_some() {}
        if let Some(thread) = self.thread.take() {
            let ended = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(ended, Ok(Ok(()))) {
                tracing::error!("the consumer's thread ended in a panic");
            }
        }
    }
}

struct Pump {
    consumer: BaseConsumer<Assigned>,
    limits: Limits,
    /// Stopped partitions, and the first offset of each that was not settled.
    stopped: BTreeMap<(Arc<str>, i32), i64>,
}

impl Pump {
    fn run(
        mut self,
        batches: &mpsc::Sender<Vec<Consumed>>,
        commands: &blocking::Receiver<Control>,
    ) {
        loop {
            while let Ok(command) = commands.try_recv() {
                if !self.obey(command) {
                    return;
                }
            }
            let batch = self.gather(batches);
            if !batch.is_empty() && batches.blocking_send(batch).is_err() {
                return;
            }
        }
    }

    /// False: leave.
    fn obey(&mut self, command: Control) -> bool {
        let done = match command {
            Control::Leave => return false,
            Control::Settled(positions) => {
                let mut offsets = TopicPartitionList::with_capacity(positions.len());
                let added = positions.iter().try_for_each(|(topic, partition, next)| {
                    offsets.add_partition_offset(topic, *partition, Offset::Offset(*next))
                });
                added.and_then(|()| self.consumer.commit(&offsets, CommitMode::Async))
            }
            Control::Stop {
                topic,
                partition,
                offset,
            } => {
                let mut list = TopicPartitionList::new();
                list.add_partition(&topic, partition);
                // Batches that were handed over before name later offsets; the first one counts.
                let first = self.stopped.entry((topic, partition)).or_insert(offset);
                *first = offset.min(*first);
                self.consumer.pause(&list)
            }
            Control::Resume => std::mem::take(&mut self.stopped).into_iter().try_for_each(
                |((topic, partition), offset)| {
                    let mut list = TopicPartitionList::new();
                    list.add_partition(&topic, partition);
                    self.consumer.resume(&list)?;
                    self.consumer
                        .seek(&topic, partition, Offset::Offset(offset), ASK)
                },
            ),
        };
        if let Err(error) = done {
            // A partition that went to another worker meanwhile is the ordinary case.
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the log did not obey"
            );
        }
        true
    }

    /// A batch that is full, or that has waited for long enough and is expected; an empty one if nothing comes.
    fn gather(&mut self, batches: &mpsc::Sender<Vec<Consumed>>) -> Vec<Consumed> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut deadline: Option<Instant> = None;
        loop {
            let rest = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let busy = batches.capacity() == 0 && !batches.is_closed();
            let patience = match rest {
                None => Duration::from_millis(50),
                Some(Duration::ZERO) if busy => BUSY,
                Some(rest) => rest,
            };
            match self.consumer.poll(patience) {
                Some(Ok(message)) => {
                    let message = self.consumer.context().incoming().take(&message);
                    let stopped = !self.stopped.is_empty()
                        && self
                            .stopped
                            .contains_key(&(message.topic.clone(), message.partition));
                    if stopped {
                        continue;
                    }
                    bytes += message.payload.as_ref().map_or(0, Vec::len);
                    batch.push(message);
                    deadline = deadline.or_else(|| Some(Instant::now() + self.limits.wait));
                    if batch.len() >= self.limits.messages || bytes >= self.limits.bytes {
                        return batch;
                    }
                }
                Some(Err(error)) => {
                    if transient(&error) {
                        tracing::debug!(
                            error = &error as &dyn std::error::Error,
                            "the log is away"
                        );
                    } else {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            "cannot read from the log"
                        );
                        self.consumer.context().metrics.log_errors.inc();
                        std::thread::sleep(Duration::from_millis(200));
                    }
                    if !batch.is_empty() {
                        return batch;
                    }
                }
                None if batch.is_empty() || patience.is_zero() => return batch,
                None => {}
            }
        }
    }
}

/// Puts every newly assigned partition at the store's position.
struct Assigned {
    connection: Connection,
    positions: PositionsOf,
    metrics: Arc<Metrics>,
    /// Only the consumer's own thread is here.
    incoming: Mutex<Incoming>,
}

impl ClientContext for Assigned {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, words: &str) {
        tell(level, facility, words);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tell_error(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        for (topic, found) in &statistics.topics {
            for partition in found.partitions.values() {
                if partition.consumer_lag >= 0 {
                    self.metrics
                        .set_lag(topic, partition.partition, partition.consumer_lag);
                }
            }
        }
    }
}

impl ConsumerContext for Assigned {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => self.place(consumer, partitions),
            Rebalance::Revoke(partitions) => {
                for partition in partitions.elements() {
                    self.metrics
                        .forget_lag(partition.topic(), partition.partition());
                }
                tracing::info!(partitions = partitions.count(), "partitions given back");
            }
            Rebalance::Error(error) => {
                tracing::error!(error = error as &dyn std::error::Error, "rebalance failed");
                self.metrics.log_errors.inc();
            }
        }
    }
}

impl Assigned {
    fn incoming(&self) -> MutexGuard<'_, Incoming> {
        self.incoming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) {
        let keys: Vec<(String, i32)> = partitions
            .elements()
            .iter()
            .map(|p| (p.topic().to_owned(), p.partition()))
            .collect();
        tracing::info!(partitions = keys.len(), "partitions assigned");
        let (starts, firsts, marks) = loop {
            // Without the store's word the log's own hint would decide; the closure therefore waits for the store
            // and gives up only when the daemon is told to end.
            let Some(positions) = (self.positions)(&keys) else {
                return;
            };
            match self.starts(consumer, &keys, &positions) {
                Ok(found) => break found,
                // A position that is not compared with what the log holds could swallow what is new in it.
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the log does not tell what it holds, asking again"
                    );
                    self.metrics.log_errors.inc();
                    std::thread::sleep(Duration::from_millis(200));
                }
            }
        };
        for mut partition in partitions.elements() {
            let key = (partition.topic().to_owned(), partition.partition());
            let offset = starts.get(&key).and_then(|start| start.offset());
            let low = marks.get(&key).map(|(low, _)| *low);
            let first = firsts.get(&key).copied();
            self.incoming().begins(&key.0, key.1, first);
            let offset = offset.or(low).map_or(Offset::Beginning, Offset::Offset);
            if let Err(error) = partition.set_offset(offset) {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    topic = key.0,
                    partition = key.1,
                    "cannot seek"
                );
                self.metrics.log_errors.inc();
            }
        }
    }

    fn starts(
        &self,
        consumer: &BaseConsumer<Self>,
        keys: &[(String, i32)],
        positions: &BTreeMap<(String, i32), Vec<Stored>>,
    ) -> Result<(Starts, Firsts, Marks), KafkaFault> {
        let mut marks = Marks::new();
        for key in keys {
            let ends = consumer.fetch_watermarks(&key.0, key.1, ASK);
            let ends = ends.map_err(|source| KafkaFault::Ask {
                what: "ends of a partition",
                source,
            })?;
            marks.insert(key.clone(), ends);
        }
        let (starts, firsts) = starts(&self.connection, &marks, |topic, partition, found| {
            let stored = positions.get(&(topic.to_owned(), partition));
            start(stored.map_or(&[][..], Vec::as_slice), found)
        })?;
        Ok((starts, firsts, marks))
    }
}
