//! The only room that names rdkafka: consumers, producers and topics, on the embedded log or on Apache Kafka.

mod bulk;
mod client;
mod consumer;
mod examine;
mod incoming;
mod producer;
mod reader;
mod start;
mod topics;

pub use bulk::{Bulk, BulkProducer, pass_through};
pub use client::{Connection, KafkaFault};
pub use consumer::{Control, GroupConsumer, Limits, PositionsOf};
pub use examine::{Group, LogFacts, NoAnswer, TopicFacts, examine};
pub use producer::{Outgoing, Publish, Publisher};
/// What a log can answer.
pub use rdkafka::error::{KafkaError, RDKafkaErrorCode};
pub use reader::{Ends, Marks, Polled, Reader, Starts};
pub use start::{Found, Start, Stored, start};
pub use topics::{TopicSpec, delete, ensure};
