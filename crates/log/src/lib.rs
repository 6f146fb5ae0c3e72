//! A single-node log that speaks Kafka's protocol and keeps its records in plain files.
//!
//! It serves ordinary Kafka clients: idempotent producers, consumer groups of the classic
//! protocol, and admin clients. It has no transactions, no replication and no authentication, and
//! therefore listens on loopback unless told otherwise. It runs on threads of its own, so a busy
//! host process does not make sessions expire, and slow disks do not stall the host.
//!
//! As in Kafka, retention goes by the records' own timestamps: a topic fed with old times needs
//! `retention.ms=-1` or `message.timestamp.type=LogAppendTime` to keep them.
//!
//! Each partition keeps one file open, so the limit on open files must exceed partitions and
//! connections together.
//!
//! ```no_run
//! # async fn example() -> Result<(), baton_log::Error> {
//! let log = baton_log::Log::open(baton_log::Config::new("data/log")).await?;
//! println!("bootstrap.servers={}", log.addr());
//! log.shutdown().await?;
//! # Ok(())
//! # }
//! ```

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test that cannot go on fails")
)]

mod api;
mod broker;
mod config;
mod error;
#[cfg(test)]
mod full_disk;
mod groups;
mod log;
mod net;
mod producer_ids;
mod storage;
mod wire;

pub use config::{Config, Fsync, Limits};
pub use error::{Error, StorageError};
pub use log::Log;
