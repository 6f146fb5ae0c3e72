//! The messages that Baton and a system exchange: commands in, results out. JSON; the names are the contract.

use baton_core::id::Object;
use serde::{Deserialize, Serialize};

use crate::Fields;

/// What Baton asks a system to do, read from `baton.<system>.commands`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Command {
    /// Unique per command; a command delivered twice bears the same one.
    pub command_id: String,
    pub kind: CommandKind,
    /// The system that is to carry it out.
    pub system: String,
    pub object: Object,
    /// The vendor's id of the record; none for a create.
    #[serde(default)]
    pub id: Option<String>,
    /// Baton's own id of the person, account or deal.
    #[serde(default)]
    pub entity: Option<String>,
    /// Vendor field name → value to stand there; null clears. Only the fields to change.
    #[serde(default)]
    pub fields: Fields,
    /// The version of the golden record that the values come from.
    #[serde(default)]
    pub golden_version: u64,
    #[serde(default)]
    pub rule_version: String,
    /// When Baton sent it, RFC 3339 with milliseconds.
    #[serde(default)]
    pub sent: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommandKind {
    Update,
    Create,
    Delete,
    /// Asks for the whole record as it stands.
    Read,
}

/// What became of a command, written to `baton.<system>.results`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CommandResult {
    pub command_id: String,
    pub system: String,
    pub object: Object,
    /// The record's id: the new one after a create; the one found where the vendor names a duplicate.
    pub id: Option<String>,
    pub outcome: Outcome,
    /// The record's own modified stamp after the command, RFC 3339, in the vendor's precision.
    pub stamp: Option<String>,
    /// The record as it now stands, where the vendor answers with it.
    pub record: Option<Fields>,
    /// Vendor field name → why it was refused.
    #[serde(default)]
    pub refused: std::collections::BTreeMap<String, String>,
    /// The vendor's code and words, where the command failed as a whole.
    pub error: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Carried out. If `refused` names fields, all but those.
    Ok,
    /// Not carried out: the vendor's validation said no.
    Refused,
    /// There is no such record (any more).
    NotFound,
    /// Not carried out for a reason that may pass.
    Failed,
    /// Nobody knows whether it was carried out (a time-out on the way).
    Unknown,
}
