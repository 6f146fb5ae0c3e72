//! What a client may expect of a log that speaks Kafka's protocol, shown on the embedded one. `conformance_on_kafka`
//! shows the same on Apache Kafka, so that the tests themselves are proved.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod admin;
mod groups;
mod java;
mod producers;
mod round_trip;
#[path = "../support/mod.rs"]
mod support;
mod versions;

const GROUND: support::Ground = support::Ground::Embedded;
