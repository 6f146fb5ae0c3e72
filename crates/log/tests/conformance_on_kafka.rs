//! The conformance tests once more, against Apache Kafka: what they ask of the embedded log is what Kafka does.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "conformance/admin.rs"]
mod admin;
#[path = "conformance/groups.rs"]
mod groups;
#[path = "conformance/java.rs"]
mod java;
#[path = "conformance/producers.rs"]
mod producers;
#[path = "conformance/round_trip.rs"]
mod round_trip;
mod support;
#[path = "conformance/versions.rs"]
mod versions;

const GROUND: support::Ground = support::Ground::Kafka;
