//! Turns what stewards write into rules, or into a list of problems with positions.
//!
//! The configuration is a folder of TOML files. [`load`] reads all of it, reports **all** problems in one run, and
//! gives [`baton_core::rules::Rules`] and [`Settings`] only when nothing is wrong.

mod settings;

pub use settings::{Admin, Daemon, Kafka, Role, Secret, Settings, Store, SystemTopics, Topics};
