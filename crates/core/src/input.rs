//! The logged inputs of one entity: everything that can move it goes through the same `apply`.

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::{
    change::Change,
    id::{Digest, EntityId, Object, Position, RecordKey},
    lifecycle::fact::Fact,
    name::Name,
    state::{ConsentTurn, Lock, State},
    time::Millis,
    value::Value,
    wire::ResultOutcome,
};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Input {
    Change(Change),
    /// A target's answer, in canonical values.
    Answer(Answer),
    /// The entity's timer.
    Wake,
    /// Another person's consent turns for an address that this person has.
    SharedConsent(Vec<ConsentTurn>),
    /// The mass-clear guard's verdict on a change.
    ClearVerdict {
        event: Digest,
        held: bool,
    },
    Steward(StewardAct),
    /// Another entity's claims and links come in (merge); taken out again by `Unmerge`.
    Absorb(Box<State>),
    /// The record is to be read, because its source lost count of what changed.
    Reread {
        record: RecordKey,
    },
    /// A fact of the person's funnel that none of its records tells: of a deal, or by a steward, who is named.
    Heard {
        fact: Box<Fact>,
        by: Option<CompactString>,
    },
}

/// The answer to a command, canonical.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Answer {
    pub command: Digest,
    pub system: Name,
    pub object: Object,
    pub id: Option<CompactString>,
    pub outcome: ResultOutcome,
    pub stamp: Option<Millis>,
    /// The record as it now stands.
    pub record: Option<BTreeMap<Name, (Value, crate::change::Seen)>>,
    pub refused: BTreeMap<Name, CompactString>,
    pub error: Option<CompactString>,
    pub position: Position,
}

/// What a steward does; each with who and why in the ledger.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum StewardAct {
    Lock {
        field: Name,
        lock: Lock,
    },
    Unlock {
        field: Name,
    },
    /// Decide a `manual` field.
    Rule {
        field: Name,
        value: Value,
        by: String,
    },
    /// Resume writing a contested or held field.
    Resume {
        record: RecordKey,
        field: Name,
    },
    /// Send what was refused once more.
    Retry {
        record: RecordKey,
    },
    /// A reasoned act on consent.
    Consent {
        channel: Name,
        state: crate::rules::ConsentState,
        by: String,
        reason: String,
    },
    Unmerge {
        from: EntityId,
    },
    /// This entity went into another.
    MergedInto {
        winner: EntityId,
    },
    Erase,
    Archive {
        archived: bool,
    },
    /// Judge everything again under the active rules.
    Rejudge,
    /// Decide a `manual` group: the tuple that this record offers now, whole.
    RuleTuple {
        group: Name,
        record: RecordKey,
        by: String,
    },
}
