//! What the client has read, as messages of ours.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use baton_core::time::Millis;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};

use crate::engine::{Consumed, Headers};

/// What is known of the topics that are read.
#[derive(Default)]
pub(super) struct Incoming {
    topics: HashMap<String, Topic>,
}

struct Topic {
    name: Arc<str>,
    /// The arrival of the message at offset 0 of each partition, where the log still has it.
    born: BTreeMap<i32, Millis>,
}

impl Incoming {
    fn topic(&mut self, name: &str) -> &mut Topic {
        // Asked for each message: a name is copied only the first time.
        if !self.topics.contains_key(name) {
            let topic = Topic {
                name: Arc::from(name),
                born: BTreeMap::new(),
            };
            self.topics.insert(name.to_owned(), topic);
        }
        // Invariant: it is there by now.
        self.topics
            .get_mut(name)
            .expect("a topic that was just put in")
    }

    /// A partition is about to be read, and this is the arrival of its message at offset 0.
    pub(super) fn begins(&mut self, topic: &str, partition: i32, first: Option<Millis>) {
        let born = &mut self.topic(topic).born;
        match first {
            Some(first) => born.insert(partition, first),
            None => born.remove(&partition),
        };
    }

    pub(super) fn take(&mut self, message: &BorrowedMessage<'_>) -> Consumed {
        let (partition, offset) = (message.partition(), message.offset());
        let arrival = Millis(message.timestamp().to_millis().unwrap_or_default());
        let topic = self.topic(message.topic());
        if offset == 0 {
            topic.born.insert(partition, arrival);
        }
        let mut headers = Headers::default();
        if let Some(found) = message.headers() {
            for header in found.iter() {
                headers.push(header.key, header.value.unwrap_or_default());
            }
        }
        Consumed {
            topic: topic.name.clone(),
            partition,
            offset,
            arrival,
            born: topic.born.get(&partition).copied(),
            key: message.key().map(<[u8]>::to_vec),
            payload: message.payload().map(<[u8]>::to_vec),
            headers,
        }
    }
}
