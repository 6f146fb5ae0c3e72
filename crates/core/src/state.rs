//! Hot state of one person, account or deal: everything that a late input can still alter.
//!
//! It is a set of observations, sorted per record and field, plus what Baton itself did. Golden values are kept
//! beside it only so that a change of them can be noticed; they can always be computed again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::{
    id::{Digest, EntityId, EventId, Object, Position, RecordKey},
    lifecycle::funnel::Funnel,
    name::Name,
    rules::ConsentState,
    time::Millis,
    value::Value,
};

pub use crate::history::{Cell, Event, FieldHistory, History, Obs, Restated, SealedAs};

/// A list that mostly holds one thing, which then lies in it and not somewhere else.
pub type Few<T> = smallvec::SmallVec<[T; 1]>;

/// An ordered map as one sorted vector: an entity's maps hold a handful of entries, and a tree's nodes are made for
/// eleven. It serialises as every map does.
pub type Sorted<K, V> = litemap::LiteMap<K, V>;

/// One person, account or deal.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct State {
    pub id: EntityId,
    pub links: Sorted<RecordKey, Link>,
    pub histories: Sorted<RecordKey, Box<History>>,
    /// Shared with the messages that tell of it until it changes again.
    pub golden: Arc<Sorted<Name, Golden>>,
    /// Rises with every change of a golden value.
    pub golden_version: u64,
    pub locks: BTreeMap<Name, Lock>,
    /// Steward decisions of `manual` fields. Of a `manual` group each member has one, of the same instant; under the
    /// group's own name stands the record whose tuple was chosen.
    pub rulings: BTreeMap<Name, Ruling>,
    /// Lifecycle stages as facts, sorted by time.
    pub stages: BTreeSet<StageFact>,
    /// Consent turns of other people who have one of this person's addresses.
    pub shared_consent: BTreeSet<ConsentTurn>,
    pub deliveries: Sorted<RecordKey, Box<Delivery>>,
    /// Creates that have been sent and whose record is not known yet.
    pub creates: BTreeMap<Name, PendingCreate>,
    /// Clears that wait for the mass-clear guard, or that it held.
    pub guarded: BTreeMap<EventId, Guarded>,
    /// Observations before this have been folded into summaries.
    pub sealed_before: Millis,
    /// This entity went into another; its records follow. It keeps its own locks, rulings and stages.
    pub merged_into: Option<EntityId>,
    /// Where each record came from, so that a merge can be undone: entity before the merge.
    pub provenance: Sorted<RecordKey, EntityId>,
    /// What merged entities brought besides records.
    pub absorbed: BTreeMap<EntityId, Absorbed>,
    pub erased: Option<Millis>,
    pub archived: bool,
    /// A time-dependent answer may change then.
    pub wake: Option<Millis>,
    /// Group tuples that rest before they are written, until then.
    pub settling: BTreeMap<Name, Millis>,
    /// Fields and groups whose answer can change by time alone, and when.
    pub due: BTreeMap<Name, Millis>,
    /// A person's way through the funnel; none before anything was heard of it.
    ///
    /// Not in the serialised form: states were stored in it before there was a funnel, and it has no names of fields.
    /// The store keeps it beside.
    #[serde(skip)]
    pub funnel: Option<Box<Funnel>>,
}

impl State {
    #[must_use]
    pub fn new(id: EntityId) -> Self {
        Self {
            id,
            links: Sorted::new(),
            histories: Sorted::new(),
            golden: Arc::default(),
            golden_version: 0,
            locks: BTreeMap::new(),
            rulings: BTreeMap::new(),
            stages: BTreeSet::new(),
            shared_consent: BTreeSet::new(),
            deliveries: Sorted::new(),
            creates: BTreeMap::new(),
            guarded: BTreeMap::new(),
            sealed_before: Millis::UNTIMED,
            merged_into: None,
            provenance: Sorted::new(),
            absorbed: BTreeMap::new(),
            erased: None,
            archived: false,
            wake: None,
            settling: BTreeMap::new(),
            due: BTreeMap::new(),
            funnel: None,
        }
    }

    /// The lock of a field: its own, else the earliest that a merged entity brought.
    #[must_use]
    pub fn lock(&self, field: Name, at: Millis) -> Option<&Lock> {
        let live = |lock: &&Lock| lock.expires.is_none_or(|end| end > at);
        self.locks.get(&field).filter(live).or_else(|| {
            self.absorbed
                .values()
                .filter_map(|a| a.locks.get(&field))
                .filter(live)
                .min_by_key(|lock| lock.at)
        })
    }

    #[must_use]
    pub fn ruling(&self, field: Name) -> Option<&Ruling> {
        let absorbed = self.absorbed.values().filter_map(|a| a.rulings.get(&field));
        self.rulings
            .get(&field)
            .into_iter()
            .chain(absorbed)
            .max_by_key(|ruling| ruling.at)
    }

    /// All stage facts in time order, those of merged entities included. A funnel has folded them into one course.
    pub fn stages(&self) -> impl Iterator<Item = &StageFact> {
        let brought = self.absorbed.values().filter(|_| self.funnel.is_none());
        let mut all: Vec<_> = self
            .stages
            .iter()
            .chain(brought.flat_map(|a| &a.stages))
            .collect();
        all.sort();
        all.into_iter()
    }

    /// The state's own copy of a linked record's key.
    #[must_use]
    pub fn linked(&self, record: &RecordKey) -> Option<&RecordKey> {
        let at = self.links.find_index(record).ok()?;
        self.links.get_indexed(at).map(|(key, _)| key)
    }

    #[must_use]
    pub fn status(&self, record: &RecordKey) -> LinkStatus {
        self.links
            .get(record)
            .map_or(LinkStatus::Active, Link::status)
    }

    #[must_use]
    pub fn golden_value(&self, field: Name) -> &Value {
        self.golden.get(&field).map_or(&Value::Blank, |g| &g.value)
    }
}

/// What a merged entity brought besides its records; taken out again by an unmerge.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Absorbed {
    /// Whom it was merged into: it goes with that one when that one is split off again.
    pub into: EntityId,
    pub locks: BTreeMap<Name, Lock>,
    pub rulings: BTreeMap<Name, Ruling>,
    pub stages: BTreeSet<StageFact>,
}

/// How a record belongs to its entity.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum LinkStatus {
    Active,
    Converted,
    Merged,
    Deleted,
    Erased,
}

impl LinkStatus {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Converted => "converted",
            Self::Merged => "merged",
            Self::Deleted => "deleted",
            Self::Erased => "erased",
        }
    }
}

/// A link's status is the latest of its facts, so that arrival order does not matter.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Link {
    /// (time, position, status) of everything that was said about it.
    pub facts: BTreeSet<(Millis, Position, LinkStatusFact)>,
}

/// What a delete, undelete, merge or conversion said of a record.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum LinkStatusFact {
    Deleted,
    Undeleted,
    MergedInto(CompactString),
    ConvertedTo(Object, CompactString),
    Erased,
}

impl Link {
    #[must_use]
    pub fn status(&self) -> LinkStatus {
        let mut status = LinkStatus::Active;
        for (_, _, fact) in &self.facts {
            status = match (fact, status) {
                (LinkStatusFact::Erased, _) | (_, LinkStatus::Erased) => LinkStatus::Erased,
                (LinkStatusFact::Deleted, _) => LinkStatus::Deleted,
                (LinkStatusFact::Undeleted, _) => LinkStatus::Active,
                (LinkStatusFact::MergedInto(_), _) => LinkStatus::Merged,
                (LinkStatusFact::ConvertedTo(..), _) => LinkStatus::Converted,
            };
        }
        status
    }
}

/// A surviving value and where it came from.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Golden {
    pub value: Value,
    /// The record whose claim it is; none for derived values.
    pub winner: Option<RecordKey>,
    /// The winning claim's `value_since`.
    pub since: Option<Millis>,
    pub event: Option<EventId>,
    /// Somebody's claim, a contribution, a lock or a ruling made it; a blank that nobody decided is never written.
    pub decided: bool,
    /// Version of the rules that judged it.
    pub rule_version: CompactString,
}

/// A steward's lock of a field on a value or a source.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Lock {
    #[schemars(with = "serde_json::Value")]
    pub on: LockOn,
    pub reason: String,
    pub by: String,
    pub at: Millis,
    pub expires: Option<Millis>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum LockOn {
    Value(Value),
    Source(Name),
}

/// A steward's decision of a `manual` field.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Ruling {
    pub value: Value,
    pub by: String,
    pub at: Millis,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct StageFact {
    pub time: Millis,
    pub position: Position,
    pub stage: Name,
}

/// One consent statement for one address, whoever's record it stood in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct ConsentTurn {
    pub channel: Name,
    /// Hash of the canonical address.
    pub address: Digest,
    /// Floored event time; for a loosening the earlier of event and arrival.
    pub time: Millis,
    pub state: ConsentState,
    /// The person's own act with evidence.
    pub own_act: bool,
    /// A steward's act with a reason.
    pub steward: bool,
    pub record: RecordKey,
    pub event: EventId,
}

/// What Baton does at one record.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Delivery {
    pub intents: Vec<Intent>,
    pub next_intent: u32,
    pub outstanding: Option<Outstanding>,
    /// How the target renders a value: field → (golden, rendering).
    pub renderings: BTreeMap<Name, (Value, Value)>,
    /// Values that the target refused: not sent again until golden changes.
    pub refused: BTreeMap<Name, Refused>,
    /// Fields whose writing stopped because two values alternated (L5).
    pub contested: BTreeMap<Name, Millis>,
    /// Fields whose reverts are used up for now.
    pub held: BTreeMap<Name, Millis>,
    /// Writes of the last day: (time, value hash).
    pub writes: Sorted<Name, Few<(Millis, Digest)>>,
    /// Reverts of `only` fields in the last day.
    pub reverts: BTreeMap<Name, Vec<Millis>>,
    /// Why the record must be read before it is written again.
    pub read_wanted: Option<ReadReason>,
    /// Something happened after a read that is under way was asked: its answer may not tell of that.
    pub read_again: Option<ReadReason>,
    /// When the last answered read was asked, and when it was answered.
    pub last_read: Option<(Millis, Millis)>,
    /// The whole record was refused: (golden version, reason).
    pub refused_record: Option<(u64, CompactString)>,
    /// Fields that may differ from golden here; emptied as they are found in sync.
    pub pending: BTreeSet<Name>,
    /// A delete was sent; nothing else is written here any more.
    pub deleted: bool,
    /// After a failure: attempts so far and when to try again.
    pub retry: Option<(u32, Millis)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadReason {
    /// Different values within one quantum and no sequence.
    Ambiguous,
    /// The vendor said that something happened, not what.
    Gap,
    /// A change without any time.
    Untimed,
    /// A group seen only in part.
    PartialGroup,
    /// A third value inside an intent's window, or a write that may have changed nothing.
    UnknownRendering,
    /// A command's outcome is unknown.
    UnknownOutcome,
    /// The vendor lost count of what changed in the whole object.
    Overflow,
}

impl ReadReason {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ambiguous => "ambiguous",
            Self::Gap => "gap",
            Self::Untimed => "untimed",
            Self::PartialGroup => "partial_group",
            Self::UnknownRendering => "unknown_rendering",
            Self::UnknownOutcome => "unknown_outcome",
            Self::Overflow => "overflow",
        }
    }
}

/// A write that was about to be made when its transaction committed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Intent {
    pub number: u32,
    pub command: Digest,
    pub fields: Sorted<Name, Written>,
    pub golden_version: u64,
    pub sent: Millis,
    /// Position of the answer.
    pub answered: Option<Position>,
    /// The vendor's own stamp of the write, from the answer.
    pub stamp: Option<Millis>,
    pub end: IntentEnd,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IntentEnd {
    Pending,
    Done,
    Refused,
    /// Given up without an answer: it may have been applied.
    Unknown,
}

/// One field of an intent.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Written {
    pub value: Value,
    /// What the record held according to the answer, if it said so.
    pub answered: Option<Value>,
    pub refused: bool,
}

/// The one command in flight for a record.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Outstanding {
    pub command: Digest,
    pub kind: CommandKind,
    pub intent: Option<u32>,
    pub sent: Millis,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CommandKind {
    Update,
    Create,
    Delete,
    Read,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Refused {
    pub value: Value,
    pub reason: CompactString,
    pub at: Millis,
}

/// A create that was sent; the record's id comes with the answer or with its echo.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PendingCreate {
    pub object: Object,
    pub command: Digest,
    /// For the first time under this id: the record may have been made by any of its sendings.
    pub sent: Millis,
    pub fields: BTreeMap<Name, Value>,
    /// Refused or given up: (golden version then, reason).
    pub stopped: Option<(u64, CompactString)>,
    pub golden_version: u64,
    /// How often it failed or went without an answer so far.
    pub failures: u32,
    /// After a failure: when it is made anew, under an id of its own.
    pub again_at: Option<Millis>,
}

/// A change whose clears wait for, or were held by, the mass-clear guard.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Guarded {
    pub record: RecordKey,
    pub fields: Vec<Name>,
    pub until: Millis,
    /// None while waiting; then whether the clears were held.
    pub held: Option<bool>,
}
