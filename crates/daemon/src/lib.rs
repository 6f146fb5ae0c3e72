//! Moves: Kafka, pipeline, delivery, timers, signals, telemetry, admin, command line.
//!
//! The straight path is [`engine::Engine::process`]: `consume → decode → normalise → identify → apply → commit`;
//! then [`engine::Engine::relay`] publishes what was decided. `baton run` loops over the same functions that a
//! driver (the demo, a test) steps.

#![cfg_attr(
    test,
    expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")
)]

pub mod bench;
pub mod cli;
pub mod clock;
pub mod daemon;
pub mod demo;
mod disk;
pub mod doctor;
pub mod engine;
pub mod faults;
pub mod funnel;
pub mod kafka;
pub mod retry;
pub mod supposed;
pub mod telemetry;
