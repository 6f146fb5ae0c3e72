//! A message as it came from the log, whoever reads the log.

use std::sync::Arc;

use baton_core::time::Millis;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumed {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
    /// The log record's own timestamp.
    pub arrival: Millis,
    /// The arrival of the message at offset 0 of the partition that this was read from, if the log still had it: a topic
    /// that was deleted and made anew has another one. What was read before stays what it was read from.
    pub born: Option<Millis>,
    pub key: Option<Vec<u8>>,
    /// None: a tombstone.
    pub payload: Option<Vec<u8>>,
    pub headers: Headers,
}

/// Headers in their order; few, so looked up by walking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    pub fn push(&mut self, key: &str, value: &[u8]) {
        self.0.push((key.to_owned(), value.to_vec()));
    }

    /// The last header of that name, as text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(name, _)| name == key)
            .and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_slice()))
    }
}

/// Names of the headers that Baton itself reads or writes.
pub mod header {
    /// Dialect of the payload, when it is not the system's own.
    pub const FORMAT: &str = "baton-format";
    /// What the record is, where the payload does not say.
    pub const OBJECT: &str = "baton-object";
    /// Which `ingest` published it, so that its outcomes can be counted.
    pub const RUN: &str = "baton-run";
    pub const TRACE: &str = "traceparent";
}
