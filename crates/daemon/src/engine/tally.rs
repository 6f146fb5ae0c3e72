//! What became of the messages of one `ingest`, as people and programs are told.

use baton_store::RunCounts;
use serde::{Deserialize, Serialize};

/// Counts of one run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Messages settled, whatever became of their changes.
    pub messages: u64,
    pub consumed: u64,
    pub applied: u64,
    pub duplicate: u64,
    pub late: u64,
    pub noop: u64,
    pub parked: u64,
    pub dead_lettered: u64,
}

impl From<RunCounts> for Tally {
    fn from(counts: RunCounts) -> Self {
        Self {
            messages: counts.messages,
            consumed: counts.consumed(),
            applied: counts.applied,
            duplicate: counts.duplicate,
            late: counts.late,
            noop: counts.noop,
            parked: counts.parked,
            dead_lettered: counts.dead_lettered,
        }
    }
}
