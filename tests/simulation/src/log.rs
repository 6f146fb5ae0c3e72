//! The log, simulated: topics with partitions, offsets that rise, and incarnations. What a client of Kafka can see of
//! it is here; what a client cannot see is not.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use baton::{
    engine::{Consumed, Headers},
    kafka::{Found, KafkaError, KafkaFault, Outgoing, Publish, RDKafkaErrorCode},
};
use baton_core::{id::Digest, time::Millis};

use crate::chance::{Chance, Mishap, turn};

/// Topic and partition.
pub type Place = (String, i32);

/// The log, as its clients share it.
#[derive(Clone)]
pub struct Log(Arc<Mutex<Topics>>);

pub struct Topics {
    partitions: usize,
    topics: BTreeMap<String, Vec<Vec<Consumed>>>,
    /// The log's own clock: arrivals of what comes without a time, and never earlier than the last one.
    pub now: Millis,
    /// Acknowledges without keeping, as no log may: how much is lost, in thousandths. For tests of the tests.
    pub loses: u32,
}

impl Topics {
    /// Appends a message and gives its place.
    pub fn append(&mut self, message: &Outgoing) -> (i32, i64) {
        let at = message.timestamp.unwrap_or(self.now);
        let partitions = self.partitions;
        let topic = self
            .topics
            .entry(message.topic.clone())
            .or_insert_with(|| vec![Vec::new(); partitions]);
        let key = Digest::of(&[message.key.as_deref().unwrap_or_default()]);
        let partition = usize::from(key.0[0]) % topic.len();
        let messages = &mut topic[partition];
        let mut headers = Headers::default();
        for (name, value) in &message.headers {
            headers.push(name, value);
        }
        let born = messages.first().map_or(at, |first| first.arrival);
        // Simulated logs hold a few hundred messages.
        let place = (partition as i32, messages.len() as i64);
        messages.push(Consumed {
            topic: Arc::from(message.topic.as_str()),
            partition: place.0,
            offset: place.1,
            arrival: at,
            born: Some(born),
            key: message.key.clone(),
            payload: message.payload.clone(),
            headers,
        });
        place
    }

    /// What a partition holds.
    #[must_use]
    pub fn found(&self, (topic, partition): &Place) -> Found {
        let messages = self.messages(topic, *partition);
        Found {
            low: 0,
            end: messages.len() as i64,
            first: messages.first().map(|message| message.arrival),
        }
    }

    /// The messages of a partition.
    #[must_use]
    pub fn messages(&self, topic: &str, partition: i32) -> &[Consumed] {
        let topic = self.topics.get(topic);
        topic
            .and_then(|topic| topic.get(partition as usize))
            .map_or(&[], Vec::as_slice)
    }

    /// All partitions of a topic.
    pub fn places(&self, topic: &str) -> impl Iterator<Item = Place> {
        let topic = topic.to_owned();
        (0..self.partitions).map(move |partition| (topic.clone(), partition as i32))
    }

    /// Everything on a topic, in the order in which it came.
    #[must_use]
    pub fn all(&self, topic: &str) -> Vec<Consumed> {
        let mut all: Vec<Consumed> = self
            .topics
            .get(topic)
            .into_iter()
            .flatten()
            .flatten()
            .cloned()
            .collect();
        all.sort_by_key(|message| (message.arrival, message.partition, message.offset));
        all
    }

    /// Deletes a topic and makes it anew; its sources publish again what they had published.
    pub fn recreate(&mut self, topic: &str) {
        let old = self.all(topic);
        self.topics.remove(topic);
        for message in old {
            self.append(&Outgoing {
                topic: topic.to_owned(),
                key: message.key,
                payload: message.payload,
                timestamp: Some(self.now),
                headers: message
                    .headers
                    .iter()
                    .map(|(name, value)| (name.to_owned(), value.to_vec()))
                    .collect(),
            });
        }
    }
}

impl Log {
    #[must_use]
    pub fn new(partitions: usize, now: Millis) -> Self {
        Self(Arc::new(Mutex::new(Topics {
            partitions,
            topics: BTreeMap::new(),
            now,
            loses: 0,
        })))
    }

    pub fn topics(&self) -> MutexGuard<'_, Topics> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A producer of the log.
#[derive(Clone)]
pub struct Producer {
    pub log: Log,
    pub chance: Chance,
}

impl Publish for Producer {
    async fn publish(&self, messages: &[Outgoing]) -> Vec<Result<(i32, i64), KafkaFault>> {
        turn().await;
        let (kept, told) = {
            let mut dice = self.chance.dice();
            // A lost connection cuts a publication anywhere, and what the log has of it need not be acknowledged.
            let kept = match dice.goes_wrong(Mishap::PublishFails) {
                true => dice.below(messages.len()),
                false => messages.len(),
            };
            let told = match dice.goes_wrong(Mishap::PublishUnknown) {
                true => dice.below(kept),
                false => kept,
            };
            (kept, told)
        };
        let places: Vec<(i32, i64)> = {
            let mut topics = self.log.topics();
            let mut dice = self.chance.dice();
            let loses = topics.loses;
            let append = |message: &Outgoing| {
                if loses > 0 && dice.chance(loses) {
                    return (0, 0);
                }
                topics.append(message)
            };
            messages.iter().take(kept).map(append).collect()
        };
        turn().await;
        let unanswered = |message: &Outgoing| KafkaFault::Publish {
            topic: message.topic.clone(),
            source: KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut),
        };
        let answer = |(index, message): (usize, &Outgoing)| match places.get(index) {
            Some(place) if index < told => Ok(*place),
            _ => Err(unanswered(message)),
        };
        messages.iter().enumerate().map(answer).collect()
    }
}
