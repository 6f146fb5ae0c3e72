//! Messages on Baton's own topics. Their JSON Schemas are published under `schemas/`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    id::Object,
    name::Name,
    state::{CommandKind, ReadReason},
};

/// `baton.<system>.commands`: what a target should do. Keyed so that one record's commands stay in order.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Command {
    /// Unique; the answer names it. A repeat of the same id must have no second effect.
    pub command_id: String,
    pub kind: CommandKind,
    pub system: Name,
    pub object: Object,
    /// External id; none for a create.
    pub id: Option<String>,
    /// Baton's id of the person, account or deal.
    pub entity: String,
    /// Vendor field name → value in the target's own form; only what must change (all managed fields where the
    /// target never answers).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, serde_json::Value>,
    /// Why a `read` is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<ReadReason>,
    pub golden_version: u64,
    pub rule_version: String,
    /// RFC 3339.
    pub sent: String,
}

/// `baton.<system>.results`: what came of a command.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CommandResult {
    pub command_id: String,
    pub system: String,
    pub object: Object,
    /// The record's id; for a create, the new one.
    #[serde(default)]
    pub id: Option<String>,
    pub outcome: ResultOutcome,
    /// The vendor's own stamp of the write or of the record read (RFC 3339).
    #[serde(default)]
    pub stamp: Option<String>,
    /// The record as it now stands, by vendor field names; how renderings are learned.
    #[serde(default)]
    pub record: Option<serde_json::Map<String, serde_json::Value>>,
    /// Vendor field name → reason, for fields the target refused while it took the others.
    #[serde(default)]
    pub refused: BTreeMap<String, String>,
    #[serde(default)]
    pub error: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResultOutcome {
    Ok,
    /// The target will not have it; `refused` or `error` says why.
    Refused,
    NotFound,
    /// It did not happen.
    Failed,
    /// It may have happened.
    Unknown,
}

/// `baton.golden`: the golden record after a change of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct GoldenMessage {
    pub entity: String,
    pub kind: crate::id::Kind,
    pub version: u64,
    pub at: String,
    pub rule_version: String,
    /// All non-blank golden values.
    pub fields: BTreeMap<String, serde_json::Value>,
    /// Names of the fields that changed with this version.
    pub changed: Vec<String>,
    /// `system:object:id` of every record, with its status.
    pub records: BTreeMap<String, crate::state::LinkStatus>,
}

/// `baton.decisions`: why a golden value is what it is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DecisionMessage {
    pub entity: String,
    pub version: u64,
    pub at: String,
    #[serde(flatten)]
    pub explanation: Explanation,
}

/// The account of one field: also what `baton explain --json` prints.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    pub field: String,
    pub value: serde_json::Value,
    pub stage: Option<String>,
    pub rule: String,
    pub rule_version: String,
    pub winner: Option<ClaimView>,
    pub contributors: Vec<ClaimView>,
    pub losers: Vec<Loser>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub written: Vec<WrittenView>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ClaimView {
    pub system: String,
    pub object: String,
    pub id: String,
    pub value: serde_json::Value,
    pub time: String,
    pub cause: String,
    pub event_id: String,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Loser {
    #[serde(flatten)]
    pub claim: ClaimView,
    pub reason: String,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WrittenView {
    pub system: String,
    pub object: String,
    pub id: String,
    pub value: serde_json::Value,
    pub time: String,
    pub outcome: String,
}

/// `baton.dead-letters`: what could not be understood, with its reason.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    pub id: String,
    pub at: String,
    pub system: String,
    pub code: String,
    pub place: String,
    pub what: String,
    pub fix: String,
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}
