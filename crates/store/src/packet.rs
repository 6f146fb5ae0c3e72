//! Messages in the outbox, many to a row: the database pays for each row, and they come and go by the batch.

use baton_core::{
    book::{OutMessage, OutTopic},
    id::Digest,
    time::Millis,
};
use serde::{Deserialize, Serialize};

use crate::{
    blob::{self, BlobError},
    code,
    outbox::{OutboxRow, OutboxSeq},
    sql::Bad,
};

/// Messages in one row at most. A place in the outbox has 16 bits for the message's number in its row.
const MESSAGES: usize = 256;

/// Bytes in one row, unless a single message has more.
const BYTES: usize = 256 << 10;

/// A message as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored<'a> {
    /// Its number in the row. One that was published alone leaves a gap.
    number: u16,
    topic: &'a str,
    /// Set for commands.
    system: Option<&'a str>,
    key: &'a str,
    at: i64,
    cause: [u8; 16],
    /// JSON.
    body: &'a str,
}

/// A row that is being filled.
#[derive(Default)]
pub(crate) struct Packet {
    messages: Vec<(OutTopic, String, Millis, Digest, String)>,
    bytes: usize,
}

impl Packet {
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// When its oldest message came about.
    pub fn since(&self) -> Option<Millis> {
        self.messages.iter().map(|(_, _, at, ..)| *at).min()
    }

    pub fn push(&mut self, message: &OutMessage, body: String) {
        self.put(
            message.topic,
            message.key.to_string(),
            message.at,
            message.cause,
            body,
        );
    }

    pub fn put(&mut self, topic: OutTopic, key: String, at: Millis, cause: Digest, body: String) {
        self.bytes += key.len() + body.len();
        self.messages.push((topic, key, at, cause, body));
    }

    /// Whether the next message belongs into another row.
    pub fn is_full(&self) -> bool {
        self.messages.len() >= MESSAGES || self.bytes >= BYTES
    }

    pub fn encode(&self) -> Result<Vec<u8>, BlobError> {
        let stored = (0_u16..).zip(&self.messages);
        let stored = stored.map(|(number, (topic, key, at, cause, body))| {
            let (topic, system) = code::of_topic(*topic);
            Stored {
                number,
                topic,
                system,
                key,
                at: at.0,
                cause: cause.0,
                body,
            }
        });
        blob::encode_sized(&stored.collect::<Vec<_>>(), self.bytes + 64 * self.len())
    }
}

/// The messages of the row with the number `seq`, and where each stands.
pub(crate) fn decode(seq: i64, body: &[u8]) -> Result<Vec<OutboxRow>, Bad> {
    let plain = blob::unpacked(body).map_err(|e| Bad::new("body", e))?;
    stored(&plain)?
        .into_iter()
        .map(|message| {
            let (topic, system) = (message.topic, message.system);
            Ok(OutboxRow {
                seq: OutboxSeq::new(seq, message.number),
                topic: code::topic(topic, system)
                    .ok_or_else(|| Bad::new("body", format!("`{topic}` is no topic")))?,
                key: message.key.to_owned(),
                body: message.body.as_bytes().to_vec(),
                at: Millis(message.at),
                cause: Digest(message.cause),
            })
        })
        .collect()
}

fn stored(plain: &[u8]) -> Result<Vec<Stored<'_>>, Bad> {
    blob::value(plain).map_err(|e| Bad::new("body", e))
}

/// What is left of a row.
pub(crate) struct Rest {
    pub left: usize,
    pub gone: usize,
    pub body: Vec<u8>,
}

/// The row without the messages of these numbers.
pub(crate) fn without(body: &[u8], numbers: &[u16]) -> Result<Rest, Bad> {
    let plain = blob::unpacked(body).map_err(|e| Bad::new("body", e))?;
    let mut stored = stored(&plain)?;
    let before = stored.len();
    stored.retain(|message| !numbers.contains(&message.number));
    Ok(Rest {
        left: stored.len(),
        gone: before - stored.len(),
        body: blob::encode(&stored).map_err(|e| Bad::new("body", e))?,
    })
}
