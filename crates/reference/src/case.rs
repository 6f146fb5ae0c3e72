//! What the judge is told: the facts of one person, account or deal, in any order.

use std::collections::BTreeMap;

use baton_core::{
    change::{Cause, Seen},
    id::{EventId, Kind, Position, RecordKey},
    name::Name,
    rules::Rules,
    time::Millis,
    value::Value,
};

/// How a fact came to be told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Told {
    /// An event that names the fields that changed.
    Delta,
    /// The whole record, sent because something happened.
    Event,
    /// The whole record, read although nothing may have happened.
    Snapshot,
    /// The answer to a `read` command; placed last in its quantum.
    ReadBack,
}

impl Told {
    /// Found by reading, not reported by an event.
    #[must_use]
    pub const fn by_reading(self) -> bool {
        matches!(self, Self::Snapshot | Self::ReadBack)
    }
}

/// One observation of one field at one record, canonical, with its verdicts.
///
/// Foreign facts (`own == false`) of one event share `record`, `event`, `time` and `position`; the same
/// foreign (record, field, event) twice is one fact, with the smaller time and position.
#[derive(Clone, PartialEq, Debug)]
pub struct Fact {
    pub record: RecordKey,
    pub field: Name,
    /// Canonical. Ignored where `seen` says blank or sentinel.
    pub value: Value,
    pub seen: Seen,
    /// Assigned (clamped) event time; for own writes the vendor's own stamp of the write.
    pub time: Millis,
    /// Vendor sequence, or 0.
    pub seq: u64,
    pub position: Position,
    pub event: EventId,
    pub cause: Cause,
    pub told: Told,
    /// Truly Baton's own doing; also a read-back that found what an intent wrote.
    pub own: bool,
    /// For an own write that the target stores in another form (cut, re-cased): the value it stands for.
    pub renders: Option<Value>,
    /// The vendor's before-image.
    pub before: Option<Value>,
    /// A clear that the mass-clear guard holds (the frozen verdict).
    pub held: bool,
    /// The verdict said: older than the horizon, and this record and field was observed before.
    pub beyond: bool,
}

impl Fact {
    /// A plain value from a delta event: what most tests need. Set the other fields as the story has them.
    #[must_use]
    pub fn new(record: RecordKey, field: Name, value: Value, time: Millis, event: EventId) -> Self {
        let seen = if value.is_blank() {
            Seen::Cleared
        } else {
            Seen::Value
        };
        Self {
            record,
            field,
            value,
            seen,
            time,
            seq: 0,
            position: Position {
                arrival: time,
                log: 0,
            },
            event,
            cause: Cause::Unknown,
            told: Told::Delta,
            own: false,
            renders: None,
            before: None,
            held: false,
            beyond: false,
        }
    }

    /// What stands in the record's field after this fact.
    #[must_use]
    pub fn stands(&self) -> Value {
        match self.seen {
            Seen::Value | Seen::Invalid | Seen::Doubtful => self.value.clone(),
            Seen::Cleared | Seen::BlankInEvent | Seen::BlankInSnapshot | Seen::Sentinel => {
                Value::Blank
            }
        }
    }

    /// Blank in a snapshot, or a sentinel: believed, otherwise as if absent.
    #[must_use]
    pub fn as_if_absent(&self) -> bool {
        !self.own && matches!(self.seen, Seen::BlankInSnapshot | Seen::Sentinel)
    }
}

/// How a record is linked to the entity now. A record that is not listed is active.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Link {
    #[default]
    Active,
    Converted,
    Merged,
    /// Deleted in its system under a policy by which its claims stay.
    Deleted,
    /// Deleted under `detach`: golden stays until a new turn later than `since`, then the record is silent.
    Detached {
        since: Millis,
    },
    /// Its values are redacted; it says nothing.
    Erased,
}

/// A steward's lock on a field or group that is in force at `as_of` (expired ones are left out).
#[derive(Clone, PartialEq, Debug)]
pub enum Lock {
    Value(Value),
    /// Judged as `only` this system.
    Source(Name),
}

/// A stage fact, as `by_stage` reads it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct StageFact {
    pub time: Millis,
    pub position: Position,
    pub stage: Name,
}

/// A steward's decision on a field or group under `manual`.
#[derive(Clone, PartialEq, Debug)]
pub struct StewardChoice {
    /// The field or the group.
    pub name: Name,
    pub at: Millis,
    /// One value for a field; for a group one per member, in the group's order.
    pub values: Vec<Value>,
    /// The record whose value the steward chose, if it was one.
    pub record: Option<RecordKey>,
}

/// Whose act answers a restriction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Actor {
    /// The person's own act, with evidence.
    Own,
    /// A steward's, with a reason.
    Steward,
}

/// An act on consent that came by no record's field: a preference centre, a steward.
#[derive(Clone, PartialEq, Debug)]
pub struct ConsentAct {
    pub channel: Name,
    /// None: every address of the person.
    pub address: Option<Value>,
    /// A canonical value of the consent field.
    pub value: Value,
    pub time: Millis,
    pub arrival: Millis,
    pub by: Actor,
}

/// Everything that golden depends on.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    pub rules: &'a Rules,
    pub kind: Kind,
    /// All facts of all linked and alias records, in any order, duplicates allowed.
    pub facts: Vec<Fact>,
    pub links: BTreeMap<RecordKey, Link>,
    /// Facts of the key are read as facts of the value: a converted lead's of its contact, if they moved.
    pub moved: BTreeMap<RecordKey, RecordKey>,
    /// By field or group.
    pub locks: BTreeMap<Name, Lock>,
    pub stages: Vec<StageFact>,
    pub choices: Vec<StewardChoice>,
    pub acts: Vec<ConsentAct>,
    /// Consent and address facts of records of *other* people; those that share an address count.
    pub others: Vec<Fact>,
    /// Consent and address facts of records that were merged with this person once and split off again: after
    /// an unmerge both keep the restrictions.
    pub formerly: Vec<Fact>,
    /// The instant of the judgement: only `trust` (its UTC day) and the fallback of `manual` look at it.
    pub as_of: Millis,
}

impl<'a> Case<'a> {
    #[must_use]
    pub fn new(rules: &'a Rules, kind: Kind, facts: Vec<Fact>, as_of: Millis) -> Self {
        Self {
            rules,
            kind,
            facts,
            links: BTreeMap::new(),
            moved: BTreeMap::new(),
            locks: BTreeMap::new(),
            stages: Vec::new(),
            choices: Vec::new(),
            acts: Vec::new(),
            others: Vec::new(),
            formerly: Vec::new(),
            as_of,
        }
    }

    #[must_use]
    pub fn floor(&self, time: Millis) -> Millis {
        time.floor(self.rules.timing.quantum.max(1))
    }

    #[must_use]
    pub fn link(&self, record: &RecordKey) -> Link {
        self.links.get(record).copied().unwrap_or_default()
    }
}

/// A golden value. A field without an answer has no golden value at all; compare it as blank.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    pub value: Value,
    /// The record whose claim it is; none for derived values (lock, union, counter, expression, some consent).
    pub winner: Option<RecordKey>,
    /// Why, for people who compare.
    pub note: String,
}
