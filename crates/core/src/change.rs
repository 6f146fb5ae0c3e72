//! Inputs: what a decoder found (`RawChange`), and the same made canonical, with its verdicts (`Change`).

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::{
    id::{EntityId, EventId, Object, Position, RecordKey},
    lifecycle::fact::Act,
    name::Name,
    time::Millis,
    value::{Raw, Value},
};

/// The dialects that incoming changes are written in.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Salesforce,
    Hubspot,
    Marketo,
    Mautic,
    Espocrm,
    Debezium,
    Cloudevents,
    Csv,
    Baton,
}

impl Format {
    pub const ALL: [Self; 9] = [
        Self::Salesforce,
        Self::Hubspot,
        Self::Marketo,
        Self::Mautic,
        Self::Espocrm,
        Self::Debezium,
        Self::Cloudevents,
        Self::Csv,
        Self::Baton,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Salesforce => "salesforce",
            Self::Hubspot => "hubspot",
            Self::Marketo => "marketo",
            Self::Mautic => "mautic",
            Self::Espocrm => "espocrm",
            Self::Debezium => "debezium",
            Self::Cloudevents => "cloudevents",
            Self::Csv => "csv",
            Self::Baton => "baton",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.as_str() == text)
    }
}

/// What kind of statement a change makes about its record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Class {
    /// Only the fields that changed; an absent field says nothing.
    Delta,
    /// The whole record, sent because something happened: a blank after a non-blank is a clear.
    Event,
    /// The whole record, read without anything having happened: a blank never clears (L8).
    Snapshot,
    /// The answer to a `read` command: a snapshot that settles an ambiguity.
    ReadBack,
    /// Something happened that the vendor did not tell: the record must be read.
    Gap,
    /// More happened than the vendor tells: every record of the object must be read.
    Overflow,
    Delete,
    Undelete,
    /// The record of the change survives; `losers` became aliases of it.
    Merge {
        losers: Vec<CompactString>,
    },
    /// The record of the change (a lead) became these records.
    Convert {
        to: Vec<(Object, CompactString)>,
    },
    /// Something a person did, in the vendor's word. It makes no claim.
    Activity {
        kind: CompactString,
    },
    /// A lifecycle stage, as a fact (`by_stage` reads it). The name is payload text until the rules know it.
    Stage {
        stage: CompactString,
    },
    /// An empty message after a delete (log compaction): no-op.
    Tombstone,
    /// Something a person did, as the funnel's rules speak of it. It makes no claim. (Stored by its place: it stays the
    /// last.)
    Act(Box<Act>),
}

/// How exact the vendor's time is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Precision {
    #[default]
    Millis,
    Second,
    Day,
}

/// One field as the payload had it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RawField {
    /// The vendor's field name; nested ones joined by dots (`BillingAddress.City`).
    pub name: CompactString,
    pub value: Raw,
    /// The vendor's before-image, where it sends one.
    pub before: Option<Raw>,
    /// The source itself says that this field was cleared (for example by `nulledFields`).
    pub cleared: bool,
}

/// One statement about one record, decoded from a payload but not yet mapped.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RawChange {
    /// The vendor's name of the object (`Lead`, `contact`, `party_party`), where the payload has one.
    pub object: Option<CompactString>,
    pub id: CompactString,
    pub class: Class,
    /// The vendor's event time; none where the payload has none.
    pub time: Option<Millis>,
    pub precision: Precision,
    /// The vendor's sequence: only numbers that rise with every change of one record.
    pub seq: Option<u64>,
    /// The vendor's id of the event.
    pub vendor_id: Option<CompactString>,
    /// Who did it, where the payload names somebody (`userId:45678`, `A D`, a user id).
    pub actor: Option<CompactString>,
    /// What the vendor says caused it (`IMPORT`, `CRM_UI`, `Web service API`), looked up in the system's causes.
    pub cause: Option<CompactString>,
    /// The vendor's origin tag (`client=…`), compared with the system's own tag.
    pub origin: Option<CompactString>,
    /// Part of a transaction of several records: its key.
    pub transaction: Option<CompactString>,
    pub fields: Vec<RawField>,
}

impl RawChange {
    /// A change with nothing but its record and class; decoders fill in what the payload has.
    #[must_use]
    pub fn new(id: impl Into<CompactString>, class: Class) -> Self {
        Self {
            object: None,
            id: id.into(),
            class,
            time: None,
            precision: Precision::default(),
            seq: None,
            vendor_id: None,
            actor: None,
            cause: None,
            origin: None,
            transaction: None,
            fields: Vec::new(),
        }
    }

    pub fn push(&mut self, name: &str, value: Raw) {
        self.fields.push(RawField {
            name: name.into(),
            value,
            before: None,
            cleared: false,
        });
    }
}

/// What moved a value. The default ranking is the order of the variants, strongest first.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    Default,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The person's own form or preference centre.
    OwnForm,
    /// Somebody typed it.
    ManualEdit,
    SalesTool,
    Enrichment,
    ListImport,
    /// API or bulk.
    Api,
    #[default]
    Unknown,
}

impl Cause {
    pub const ALL: [Self; 7] = [
        Self::OwnForm,
        Self::ManualEdit,
        Self::SalesTool,
        Self::Enrichment,
        Self::ListImport,
        Self::Api,
        Self::Unknown,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OwnForm => "own_form",
            Self::ManualEdit => "manual_edit",
            Self::SalesTool => "sales_tool",
            Self::Enrichment => "enrichment",
            Self::ListImport => "list_import",
            Self::Api => "api",
            Self::Unknown => "unknown",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.as_str() == text)
    }
}

/// How a blank or a value came to be seen; section 4's five inputs, "absent" being no observation at all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Seen {
    /// A value.
    Value,
    /// The source reported a transition to blank.
    Cleared,
    /// A blank in a whole-record event: a clear only after an observed non-blank.
    BlankInEvent,
    /// A blank in a snapshot or read-back: believed, otherwise as if absent.
    BlankInSnapshot,
    /// A filler such as "N/A": counts as never set.
    Sentinel,
    /// Not a value of the field's type. Kept as text so that it can be explained; never eligible.
    Invalid,
    /// A value that may be wrong (for example a phone number without a known region).
    Doubtful,
}

impl Seen {
    /// A blank that says nothing except what now stands in the record.
    #[must_use]
    pub const fn claims_nothing(self) -> bool {
        matches!(self, Self::BlankInSnapshot | Self::Sentinel)
    }
}

/// One mapped field of a change, canonical.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FieldChange {
    pub field: Name,
    pub value: Value,
    pub seen: Seen,
    /// The vendor's before-image, canonical.
    pub before: Option<Value>,
}

/// Whose doing a change is, as far as the vendor's tag tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Origin {
    /// Tagged as Baton's own write.
    Ours,
    /// The vendor tags writes or names a person, and this one is somebody else's.
    Other,
    /// The vendor says nothing: it may be the echo of an intent.
    #[default]
    Unsaid,
}

/// Everything about a change that depends on arrival, decided once and written into it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Verdicts {
    /// The entity it was linked to; none while parked.
    pub entity: Option<EntityId>,
    /// The vendor's time lay more than the allowance after arrival and was set to arrival.
    pub clamped: bool,
    /// Fields that are older than the horizon and of which something as new or newer was observed: ledger only.
    pub beyond: Vec<Name>,
    /// Numbers of the record's intents that its values may be echoes of.
    pub may_match: Vec<u32>,
    /// Clears in it wait for the mass-clear guard until then.
    pub clears_wait_until: Option<Millis>,
}

/// One normalised input: a statement about one record in canonical values.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Change {
    pub record: RecordKey,
    pub class: Class,
    /// Assigned event time (clamped), or [`Millis::UNTIMED`].
    pub time: Millis,
    /// Vendor sequence, or 0.
    pub seq: u64,
    /// Log position at first arrival.
    pub position: Position,
    pub event: EventId,
    pub cause: Cause,
    pub actor: Option<CompactString>,
    pub origin: Origin,
    /// Sorted by field name; at most one per field.
    pub fields: Vec<FieldChange>,
    pub verdicts: Verdicts,
}

/// What became of a normalised change; each has exactly one (L15), the first that fits in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It changed what is known: a turn, a link, a consent, a stage, a first observation.
    Applied,
    /// It waits for a person: ambiguous match, held clear, missing key.
    Parked,
    /// It came after something newer, or from beyond the horizon, and changed nothing.
    Late,
    /// Its event id was known.
    Duplicate,
    /// An echo, a restatement, a tombstone message.
    Noop,
    /// It could not be understood; it lies in the dead letters with its reason.
    DeadLettered,
}
