//! What a run came to, as one object. Nothing in it depends on this machine but the paths.

use std::collections::BTreeMap;

use baton_core::wire::Explanation;
use serde::Serialize;

use super::compare::Difference;

#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    pub seed: u64,
    pub people: u64,
    pub accounts: u64,
    pub deals: u64,
    /// Steps by scene.
    pub scenes: BTreeMap<String, u64>,
    pub messages: Messages,
    /// By system, then by kind.
    pub commands: BTreeMap<String, BTreeMap<String, u64>>,
    /// Changes by what became of them.
    pub outcomes: BTreeMap<String, u64>,
    /// What waits for a steward, by code.
    pub parked: BTreeMap<String, u64>,
    pub compared: Compared,
    /// Second records of people whose records elsewhere were merged: a steward's task.
    pub doubled: Vec<String>,
    /// Open tasks about records that one system has several times; each of `doubled` has one.
    pub doubled_tasks: u64,
    pub converged: bool,
    pub differences: Vec<Difference>,
    /// Violations by law.
    pub laws: BTreeMap<String, u64>,
    pub worked_example: Example,
    pub funnel: Funnel,
    /// A hash of everything that ever came to stand in both systems: equal for equal runs.
    pub fingerprint: String,
    pub data: String,
    pub metrics: String,
}

/// The months after the day.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Funnel {
    /// People by stage at the end.
    pub stages: BTreeMap<String, u64>,
    /// All that were committed, revoked ones included.
    pub recycled: u64,
    /// Distinct keys of recycles in the store: person, episode, stage, reason, attempt.
    pub recycle_keys: u64,
    pub revoked: u64,
    pub breaches: u64,
    /// Where it is not what the parts that people played must come to.
    pub differences: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Messages {
    pub changes: u64,
    pub results: u64,
    pub late: u64,
    pub twice: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    pub records: u64,
    pub fields: u64,
    /// Fields that stand as their system renders them: cut or re-cased.
    pub rendered: u64,
    /// Fields that are rightly left alone, by reason.
    pub left_alone: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Example {
    pub person: String,
    pub email: String,
    pub salesperson: String,
    pub edited: String,
    pub address: String,
    pub list: String,
    pub imported: String,
    pub list_address: String,
    /// What stands in each system at the end.
    pub stands: BTreeMap<String, String>,
    /// Whether the salesperson's address stands in both systems, whole.
    pub survived: bool,
    pub explanation: Option<Explanation>,
}

impl Summary {
    /// Whether everything converged and no law was broken.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.converged
            && self.funnel.differences.is_empty()
            && self.laws.values().all(|count| *count == 0)
    }
}
