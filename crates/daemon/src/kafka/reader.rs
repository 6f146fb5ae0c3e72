//! Reading without a group: up to given ends (a driver that steps the engine, `ingest`) or along (`tail`).

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use baton_core::time::Millis;
use rdkafka::{
    TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    topic_partition_list::Offset,
};

use super::{
    client::{ASK, Connection, KafkaFault, Tell},
    incoming::Incoming,
    start::{Found, Start, announce},
};
use crate::engine::Consumed;

/// Topic and partition → offset before which to stop.
pub type Ends = BTreeMap<(String, i32), i64>;

/// Topic and partition → offset of its first message, and of the next one.
pub type Marks = BTreeMap<(String, i32), (i64, i64)>;

/// Topic and partition → where reading of it begins.
pub type Starts = BTreeMap<(String, i32), Start>;

/// Topic and partition → the arrival of its message at offset 0, where the log still has it.
pub(super) type Firsts = BTreeMap<(String, i32), Millis>;

/// How long nothing may come, once a partition's end was seen, before the rest is taken for control marks that no
/// consumer is shown.
const QUIET: Duration = Duration::from_secs(1);

/// Reads whole topics, all partitions of them.
pub struct Reader {
    consumer: BaseConsumer<Tell>,
    /// Asks for ends once `consumer` reads: a question on its connection would wait until a fetch under way is
    /// answered, which takes as long as nothing comes.
    asker: BaseConsumer<Tell>,
    topics: Vec<String>,
    incoming: Incoming,
    /// Next offset of each partition.
    next: BTreeMap<(String, i32), i64>,
    /// Where reading of each partition began.
    pub starts: Starts,
}

impl Reader {
    /// Opens all partitions of `topics`, each where `from` says.
    ///
    /// # Errors
    /// When the log does not answer or a topic does not exist.
    pub fn open(
        connection: &Connection,
        topics: &[String],
        from: impl Fn(&str, i32, Found) -> Start,
    ) -> Result<Self, KafkaFault> {
        let mut reader = Self::unassigned(connection, topics)?;
        let marks = reader.watermarks()?;
        let (starts, firsts) = starts(connection, &marks, from)?;
        reader.starts = starts;
        let mut assignment = TopicPartitionList::new();
        for (key, (low, _)) in marks {
            let start = reader.starts.get(&key).and_then(|start| start.offset());
            let at = start.unwrap_or(low);
            let first = firsts.get(&key).copied();
            reader.incoming.begins(&key.0, key.1, first);
            assignment
                .add_partition_offset(&key.0, key.1, Offset::Offset(at))
                .map_err(KafkaFault::setup)?;
            reader.next.insert(key, at);
        }
        reader
            .consumer
            .assign(&assignment)
            .map_err(KafkaFault::setup)?;
        Ok(reader)
    }

    /// Whether all partitions of `topics` can be read.
    ///
    /// # Errors
    /// When the log does not answer or a topic does not exist, perhaps only yet.
    pub fn probe(connection: &Connection, topics: &[String]) -> Result<(), KafkaFault> {
        Self::unassigned(connection, topics)?.watermarks().map(drop)
    }

    fn unassigned(connection: &Connection, topics: &[String]) -> Result<Self, KafkaFault> {
        let mut config = connection.consumer(&[]);
        // It joins no group: the id only has to be there.
        config.set("enable.partition.eof", "true");
        let open = || config.create_with_context(Tell).map_err(KafkaFault::setup);
        Ok(Self {
            consumer: open()?,
            asker: open()?,
            topics: topics.to_vec(),
            incoming: Incoming::default(),
            next: BTreeMap::new(),
            starts: BTreeMap::new(),
        })
    }

    /// First and next offset of every partition, as the log has them now.
    ///
    /// # Errors
    /// When the log does not answer or a topic does not exist.
    pub fn watermarks(&self) -> Result<Marks, KafkaFault> {
        let (low, high) = (self.offsets(Offset::Beginning)?, self.offsets(Offset::End)?);
        Ok(high
            .into_iter()
            .map(|(key, high)| {
                let low = low.get(&key).copied().unwrap_or_default();
                (key, (low, high))
            })
            .collect())
    }

    /// Asks for all partitions at once; one question per partition would make every step of a driver slow.
    fn offsets(&self, which: Offset) -> Result<Ends, KafkaFault> {
        let mut wanted = TopicPartitionList::new();
        if self.next.is_empty() {
            for topic in &self.topics {
                for partition in self.partitions(topic)? {
                    wanted.add_partition(topic, partition);
                }
            }
        } else {
            for (topic, partition) in self.next.keys() {
                wanted.add_partition(topic, *partition);
            }
        }
        wanted.set_all_offsets(which).map_err(KafkaFault::setup)?;
        let ask = |source| KafkaFault::Ask {
            what: "ends of partitions",
            source,
        };
        let answer = self.asker.offsets_for_times(wanted, ASK).map_err(ask)?;
        let mut ends = Ends::new();
        for partition in answer.elements() {
            partition.error().map_err(ask)?;
            let at = match partition.offset() {
                Offset::Offset(at) => at,
                // An empty partition has neither a first nor a last message.
                _ => 0,
            };
            ends.insert((partition.topic().to_owned(), partition.partition()), at);
        }
        Ok(ends)
    }

    /// The ends as they are now.
    ///
    /// # Errors
    /// As [`Reader::watermarks`].
    pub fn ends(&self) -> Result<Ends, KafkaFault> {
        self.offsets(Offset::End)
    }

    fn partitions(&self, topic: &str) -> Result<Vec<i32>, KafkaFault> {
        let metadata = self
            .consumer
            .fetch_metadata(Some(topic), ASK)
            .map_err(|source| KafkaFault::Ask {
                what: "partitions of a topic",
                source,
            })?;
        let partitions: Vec<i32> = metadata
            .topics()
            .iter()
            .filter(|found| found.name() == topic && found.error().is_none())
            .flat_map(|found| found.partitions().iter().map(|p| p.id()))
            .collect();
        if partitions.is_empty() {
            return Err(KafkaFault::NoTopic {
                topic: topic.to_owned(),
            });
        }
        Ok(partitions)
    }

    /// Whether everything before `ends` has been read.
    #[must_use]
    pub fn reached(&self, ends: &Ends) -> bool {
        self.next
            .iter()
            .all(|(key, next)| ends.get(key).is_none_or(|end| next >= end))
    }

    /// Reads up to `ends`, at most `limit` messages. Blocks; call it where that is allowed.
    ///
    /// A message beyond the ends stays unread: a driver asks for no more than the ends it has seen, so that a run
    /// is the same whenever messages happened to arrive.
    ///
    /// # Errors
    /// When the log reports a lasting error.
    pub fn read_until(&mut self, ends: &Ends, limit: usize) -> Result<Vec<Consumed>, KafkaFault> {
        let mut read = Vec::new();
        let mut beyond = TopicPartitionList::new();
        let mut quiet_since: Option<Instant> = None;
        while read.len() < limit && !self.reached(ends) {
            match self.poll(Duration::from_millis(50))? {
                Polled::Message(message) => {
                    quiet_since = None;
                    let key = (message.topic.to_string(), message.partition);
                    if ends.get(&key).is_none_or(|end| message.offset < *end) {
                        read.push(message);
                        continue;
                    }
                    if beyond.find_partition(&key.0, key.1).is_none() {
                        let mut partition = TopicPartitionList::new();
                        partition.add_partition(&key.0, key.1);
                        self.consumer.pause(&partition).map_err(KafkaFault::setup)?;
                        beyond
                            .add_partition_offset(&key.0, key.1, Offset::Offset(message.offset))
                            .map_err(KafkaFault::setup)?;
                    }
                }
                Polled::End => quiet_since = quiet_since.or_else(|| Some(Instant::now())),
                Polled::Nothing => {
                    if quiet_since.is_some_and(|since| since.elapsed() > QUIET) {
                        for (key, next) in &mut self.next {
                            *next = (*next).max(ends.get(key).copied().unwrap_or(*next));
                        }
                    }
                }
            }
        }
        self.unread(&beyond)?;
        Ok(read)
    }

    fn unread(&mut self, beyond: &TopicPartitionList) -> Result<(), KafkaFault> {
        if beyond.count() == 0 {
            return Ok(());
        }
        for partition in beyond.elements() {
            let Offset::Offset(at) = partition.offset() else {
                continue;
            };
            self.next
                .insert((partition.topic().to_owned(), partition.partition()), at);
            self.consumer
                .seek(
                    partition.topic(),
                    partition.partition(),
                    Offset::Offset(at),
                    ASK,
                )
                .map_err(|source| KafkaFault::Ask {
                    what: "seek",
                    source,
                })?;
        }
        self.consumer.resume(beyond).map_err(KafkaFault::setup)
    }

    /// Waits at most `patience` for the next message.
    ///
    /// # Errors
    /// When the log reports a lasting error.
    pub fn poll(&mut self, patience: Duration) -> Result<Polled, KafkaFault> {
        let message = match self.consumer.poll(patience) {
            None => return Ok(Polled::Nothing),
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(Polled::End),
            // The client reconnects by itself; the broker's absence is no reason to give up reading.
            Some(Err(error)) if transient(&error) => return Ok(Polled::Nothing),
            Some(Err(source)) => {
                return Err(KafkaFault::Ask {
                    what: "read",
                    source,
                });
            }
            Some(Ok(message)) => self.incoming.take(&message),
        };
        self.next.insert(
            (message.topic.to_string(), message.partition),
            message.offset + 1,
        );
        Ok(Polled::Message(message))
    }
}

/// Where to begin reading each partition, by what it holds now; says so where it is not simply where it ended.
pub(super) fn starts(
    connection: &Connection,
    marks: &Marks,
    from: impl Fn(&str, i32, Found) -> Start,
) -> Result<(Starts, Firsts), KafkaFault> {
    let has_first = |(low, end): &(i64, i64)| (*low == 0 && *end > 0).then_some(0);
    let firsts = arrivals(connection, marks, |_, ends| has_first(ends))?;
    let mut starts = Starts::new();
    for (key, &(low, end)) in marks {
        let first = firsts.get(key).copied();
        let start = from(&key.0, key.1, Found { low, end, first });
        starts.insert(key.clone(), start);
    }
    let witnesses = arrivals(connection, marks, |key, (low, end)| {
        let witness = starts.get(key)?.witness()?;
        (low..end).contains(&&witness).then_some(witness)
    })?;
    for (key, start) in &mut starts {
        let (_, end) = marks.get(key).copied().unwrap_or_default();
        *start = start.confirmed(witnesses.get(key).copied(), end);
        announce(&key.0, key.1, *start);
    }
    Ok((starts, firsts))
}

/// The arrival of one message of each partition, where `which` names its offset and the log has it.
fn arrivals(
    connection: &Connection,
    marks: &Marks,
    which: impl Fn(&(String, i32), &(i64, i64)) -> Option<i64>,
) -> Result<BTreeMap<(String, i32), Millis>, KafkaFault> {
    let mut wanted: BTreeMap<&(String, i32), i64> = marks
        .iter()
        .filter_map(|(key, ends)| Some((key, which(key, ends)?)))
        .collect();
    let mut found = BTreeMap::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let mut reader = Reader::unassigned(connection, &[])?;
    let mut assignment = TopicPartitionList::new();
    for ((topic, partition), offset) in &wanted {
        assignment
            // A number, also for the first; asking the client for "the beginning" would cost it half a second.
            .add_partition_offset(topic, *partition, Offset::Offset(*offset))
            .map_err(KafkaFault::setup)?;
    }
    reader
        .consumer
        .assign(&assignment)
        .map_err(KafkaFault::setup)?;
    let patience = Instant::now() + ASK;
    while !wanted.is_empty() && Instant::now() < patience {
        let Polled::Message(message) = reader.poll(Duration::from_millis(50))? else {
            continue;
        };
        let key = (message.topic.to_string(), message.partition);
        if let Some(offset) = wanted.remove(&key) {
            let mut done = TopicPartitionList::new();
            done.add_partition(&key.0, key.1);
            reader.consumer.pause(&done).map_err(KafkaFault::setup)?;
            // Compaction may have taken that very one.
            if message.offset == offset {
                found.insert(key, message.arrival);
            }
        }
    }
    Ok(found)
}

/// What one poll gave.
#[derive(Debug)]
pub enum Polled {
    Message(Consumed),
    /// A partition was read to its end.
    End,
    Nothing,
}

pub(super) fn transient(error: &KafkaError) -> bool {
    use rdkafka::error::RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::CoordinatorLoadInProgress
                | Code::CoordinatorNotAvailable
                | Code::NotCoordinator
                | Code::RebalanceInProgress
                | Code::UnknownTopicOrPartition
                | Code::PollExceeded
                | Code::Resolve
        )
    )
}
