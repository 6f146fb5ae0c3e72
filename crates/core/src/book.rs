//! The working set of one transaction and the line through the house: `normalise → identify → apply`.
//!
//! The store loads what a batch can touch into a [`Book`], the engine settles the batch in memory, and the store
//! writes what changed. A test or a benchmark keeps everything in one book and needs no store.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
};

use compact_str::CompactString;
use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Serialize};

use crate::{
    change::{Change, Format, Outcome, RawChange},
    holdings::Holding,
    id::{Digest, EntityId, Object, Position, RecordKey},
    name::Name,
    state::{ConsentTurn, State},
    time::Millis,
    wire,
};

type Map<K, V> = HashMap<K, V, FxBuildHasher>;

/// Everything a batch reads and writes.
#[derive(Default)]
pub struct Book {
    pub entities: Map<EntityId, Entry>,
    /// Crosswalk: which entity a record belongs to.
    pub links: Map<RecordKey, EntityId>,
    /// Identity index: hash of (kind, key name, canonical value) → entities that have it now.
    pub keys: Map<Digest, BTreeSet<EntityId>>,
    /// Consent turns by hash of channel and address; one versioned row takes part in every transaction that
    /// touches it.
    pub addresses: Map<Digest, AddressRow>,
    /// Distinct clears per (system, field, window), for the mass-clear guard.
    pub guards: BTreeMap<GuardKey, BTreeSet<Digest>>,
    /// How many records hold a field, as far as it was looked up, with what this batch has moved. For one that was
    /// not looked up it is only what was moved.
    pub holdings: BTreeMap<Holding, i64>,
    /// Objects whose known records are, or were, all read again.
    pub rereads: BTreeMap<(Name, Object), Rereading>,
    /// What the batch has produced so far.
    pub out: Out,
    /// The store's own memory of what it loaded; the core only asks it whether something was looked up.
    pub stored: Stored,
}

/// Versions of the rows behind [`Book::links`] and [`Book::keys`], so that the store notices when somebody else
/// was faster. A row that was looked up and not found has version 0: a record without an entry in `links` and
/// with one here is known to have no link yet.
#[derive(Default)]
pub struct Stored {
    pub links: Map<RecordKey, u64>,
    pub keys: Map<Digest, u64>,
    /// The number of each loaded entity's newest row in the ledger; none where it has none.
    pub newest: Map<EntityId, i64>,
    /// Counts that were looked up.
    pub holdings: BTreeSet<Holding>,
}

/// How far the records of one object of one system have been asked for again, after their source lost count of what
/// changed. One row, so that a second loss while a pass is under way means one more pass and not many.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Rereading {
    /// The event that asked last.
    pub asked: Option<Digest>,
    /// The event for whose sake a pass is under way.
    pub pass: Option<Digest>,
    /// The id that the pass has come to; none before the first.
    pub after: Option<CompactString>,
    pub version: u64,
    pub dirty: bool,
}

/// An entity with its stored version (0: not stored yet).
pub struct Entry {
    pub state: State,
    pub version: u64,
    pub dirty: bool,
}

#[derive(Default)]
pub struct AddressRow {
    pub turns: BTreeSet<ConsentTurn>,
    pub version: u64,
    pub dirty: bool,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct GuardKey {
    pub system: Name,
    pub field: Name,
    /// Start of the window.
    pub window: Millis,
}

/// What a batch leaves behind besides changed state. Written in the same transaction.
#[derive(Default)]
pub struct Out {
    pub links: Vec<(RecordKey, EntityId)>,
    pub keys_added: Vec<(Digest, EntityId)>,
    pub keys_removed: Vec<(Digest, EntityId)>,
    pub guards: Vec<(GuardKey, Digest)>,
    /// By how much counts of records that hold a field have moved.
    pub holdings: BTreeMap<Holding, i64>,
    pub ledger: Vec<LedgerRow>,
    pub messages: Vec<OutMessage>,
    pub parked: Vec<Parked>,
    /// Parked ids that were resolved.
    pub unparked: Vec<Digest>,
    /// Where people stand in the funnel from now on, as far as that may have changed: the last word on each.
    pub placings: BTreeMap<EntityId, Placing>,
    /// How often a system did not take what it should have been told of somebody who is handed over.
    pub refused_handoffs: u64,
    /// Law violations noticed by cheap checks: (law, count).
    pub violations: BTreeMap<&'static str, u64>,
}

/// Where a person stands in the funnel, as it is known from an instant of the log's clock on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placing {
    pub at: Millis,
    /// None: nowhere any more. It was merged into somebody, erased or archived.
    pub place: Option<Place>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub stage: Name,
    /// In the time of events.
    pub since: Millis,
    pub episode: Option<u32>,
}

/// One input as the ledger keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LedgerRow {
    pub entity: EntityId,
    /// The transaction's time on the log's clock.
    pub at: Millis,
    pub input: crate::input::Input,
    pub outcome: Outcome,
    pub rule_version: CompactString,
}

/// A message for the relay. The topic is logical; the daemon knows its name.
#[derive(Clone, Debug, PartialEq)]
pub struct OutMessage {
    pub topic: OutTopic,
    pub key: OutKey,
    pub body: OutBody,
    pub at: Millis,
    /// The event that caused it, for tracing.
    pub cause: Digest,
}

/// Messages of one key stay in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutKey {
    /// Written out by whoever stores the message.
    Entity(EntityId),
    Named(CompactString),
}

impl fmt::Display for OutKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entity(entity) => entity.fmt(f),
            Self::Named(name) => f.write_str(name),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutTopic {
    Commands(Name),
    Golden,
    Decisions,
    Lifecycle,
    /// Filled by the daemon: the core never sees what could not be understood.
    DeadLetters,
}

#[derive(Clone, Debug, PartialEq)]
pub enum OutBody {
    Command(wire::Command),
    Golden(wire::GoldenMessage),
    Decisions(wire::DecisionMessage),
    Lifecycle(Box<wire::LifecycleMessage>),
    DeadLetter(wire::DeadLetter),
}

/// Something that waits for a steward.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Parked {
    pub id: Digest,
    pub code: ParkedCode,
    pub at: Millis,
    pub entity: Option<EntityId>,
    pub record: Option<RecordKey>,
    pub field: Option<Name>,
    /// Candidates of an ambiguous match.
    pub candidates: Vec<EntityId>,
    /// A sentence for the steward, without personal data.
    pub why: String,
    /// The change that waits, to be settled when resolved.
    pub change: Option<Change>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParkedCode {
    /// More than one entity has the record's key.
    AmbiguousMatch,
    /// The record's direction may not create people.
    NotAdmitted,
    /// Two entities came to share a key.
    SharedKey,
    HeldClears,
    Contested,
    RevertsUsedUp,
    RequiredFieldBlank,
    RefusedWrite,
    ManualDecision,
    UnknownStage,
    /// A source lost count of what changed in one of its objects.
    LostChanges,
    /// One system has several records of one entity.
    DoubledRecord,
}

impl ParkedCode {
    /// Every code there is; each has a page in `docs/errors` (`parked-….md`), which a test holds.
    pub const ALL: [Self; 12] = [
        Self::AmbiguousMatch,
        Self::NotAdmitted,
        Self::SharedKey,
        Self::HeldClears,
        Self::Contested,
        Self::RevertsUsedUp,
        Self::RequiredFieldBlank,
        Self::RefusedWrite,
        Self::ManualDecision,
        Self::UnknownStage,
        Self::LostChanges,
        Self::DoubledRecord,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AmbiguousMatch => "ambiguous_match",
            Self::NotAdmitted => "not_admitted",
            Self::SharedKey => "shared_key",
            Self::HeldClears => "held_clears",
            Self::Contested => "contested",
            Self::RevertsUsedUp => "reverts_used_up",
            Self::RequiredFieldBlank => "required_field_blank",
            Self::RefusedWrite => "refused_write",
            Self::ManualDecision => "manual_decision",
            Self::UnknownStage => "unknown_stage",
            Self::LostChanges => "lost_changes",
            Self::DoubledRecord => "doubled_record",
        }
    }
}

/// A decoded change on its way in, with what the log knows of it.
#[derive(Clone, Debug)]
pub struct Incoming {
    pub system: Name,
    pub format: Format,
    pub raw: RawChange,
    pub position: Position,
    /// Index within its message, so that events without time or id stay distinct.
    pub index: u32,
    /// Hash of the message; looked at for events without time only.
    pub message: Digest,
}

/// What must be loaded before a batch can be settled. Entities follow from `links`, `keys` and `entities`.
#[derive(Default, Debug)]
pub struct Needs {
    pub links: Vec<RecordKey>,
    pub keys: Vec<Digest>,
    pub addresses: Vec<Digest>,
    pub entities: Vec<EntityId>,
    pub guards: Vec<GuardKey>,
    pub holdings: Vec<Holding>,
    pub rereads: Vec<(Name, Object)>,
}

/// One thing to settle, ready for the book.
#[derive(Clone, Debug)]
pub enum Item {
    /// A normalised change (see [`crate::normalise::normalise`]).
    Change(Change),
    Answer {
        entity: EntityId,
        answer: crate::input::Answer,
        /// The record as the answer shows it (see [`crate::normalise::read_back`]): taken in before the answer if the
        /// command was a read, and by nobody if it was not.
        read: Option<Box<Change>>,
    },
    /// The timer of an entity is due.
    Wake(EntityId),
    /// A fact of a person's funnel that none of its records tells.
    Heard {
        entity: EntityId,
        fact: Box<crate::lifecycle::fact::Fact>,
        /// The steward who says it.
        by: Option<CompactString>,
    },
    /// The message of the timer's due time is the entity's `wake`.
    Steward {
        entity: EntityId,
        act: crate::input::StewardAct,
    },
    /// Make one entity of two.
    Merge { winner: EntityId, loser: EntityId },
    /// The next records of an object that is read again, by id.
    Reread {
        system: Name,
        object: Object,
        /// The id that the pass had come to when they were looked up.
        after: Option<CompactString>,
        ids: Vec<CompactString>,
        /// There are none behind them.
        last: bool,
    },
    /// Take a merge apart again, by provenance.
    Unmerge { winner: EntityId, loser: EntityId },
    /// A steward says which entity a parked change belongs to (none: a new one).
    Resolve {
        parked: Box<Parked>,
        entity: Option<EntityId>,
    },
}

/// What became of one item.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    pub outcome: Outcome,
    /// The entity it went to, if any.
    pub entity: Option<EntityId>,
}

impl Book {
    /// What must be loaded before these items can be settled. Entities behind the links and keys found must be
    /// loaded as well; calling it again with the loaded book names what those entities need in turn (records of
    /// merges, other holders of an address, the keys of records that nobody has yet). Repeat until it is empty.
    #[must_use]
    pub fn needs(&self, items: &[Item], rules: &crate::rules::Rules) -> Needs {
        crate::needs::needs(self, items, rules)
    }

    /// Settles one item: `identify → apply`, effects into [`Book::out`]. Pure: the same book, item, rules and
    /// instant give the same result. `at` is the transaction's time on the log's clock; it must not go back for
    /// one entity (the engine takes the later of `at` and what it saw before).
    pub fn settle(&mut self, item: Item, rules: &crate::rules::Rules, at: Millis) -> Settled {
        crate::identify::settle(self, item, rules, at)
    }
}
