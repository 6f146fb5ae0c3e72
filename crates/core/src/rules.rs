//! The rules as the engine uses them. `baton-config` makes them from what stewards write; the engine never
//! sees a file. All durations are milliseconds.

mod strategies;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use compact_str::CompactString;
use rust_decimal::Decimal;

use crate::{
    change::{Cause, Format},
    id::{Kind, Object},
    lifecycle::setup::Setup,
    name::Name,
    value::Value,
};

pub use strategies::{Decay, Expr, OnBlank, OnTransition, Segment, Strategy, Trust, TrustSource};

/// One version of everything that decides.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Content hash of the rule files (first 12 hexadecimal digits); stands in every decision.
    pub version: CompactString,
    pub timing: Timing,
    pub systems: BTreeMap<Name, System>,
    /// Source rank: the position in this list; unlisted systems rank last.
    pub source_rank: Vec<Name>,
    /// Rank of each cause, 0 the strongest, indexed by `Cause as usize`.
    pub cause_rank: [u8; 7],
    pub person: EntityRules,
    pub account: EntityRules,
    pub deal: EntityRules,
    pub identity: Identity,
    pub consents: Vec<ConsentRule>,
    /// Stages from lowest to highest rank, for `by_stage`.
    pub stages: Vec<Name>,
    pub mass_clear: MassClear,
    /// None: there is no funnel.
    pub funnel: Option<Arc<Setup>>,
}

impl Rules {
    #[must_use]
    pub fn entity(&self, kind: Kind) -> &EntityRules {
        match kind {
            Kind::Person => &self.person,
            Kind::Account => &self.account,
            Kind::Deal => &self.deal,
        }
    }

    #[must_use]
    pub fn entity_mut(&mut self, kind: Kind) -> &mut EntityRules {
        match kind {
            Kind::Person => &mut self.person,
            Kind::Account => &mut self.account,
            Kind::Deal => &mut self.deal,
        }
    }

    /// Whether a field of a person says whether it may be written to.
    #[must_use]
    pub fn says_consent(&self, field: Name) -> bool {
        self.consents.iter().any(|rule| rule.field == field)
    }

    #[must_use]
    pub fn rank_of_cause(&self, cause: Cause) -> u8 {
        self.cause_rank[cause as usize]
    }

    /// Source rank, 0 the strongest.
    #[must_use]
    pub fn rank_of_source(&self, system: Name) -> usize {
        self.source_rank
            .iter()
            .position(|s| *s == system)
            .unwrap_or(self.source_rank.len())
    }

    /// The rank of a stage; stages that are not configured rank below all.
    #[must_use]
    pub fn rank_of_stage(&self, stage: Name) -> Option<usize> {
        self.stages.iter().position(|s| *s == stage)
    }

    #[must_use]
    pub fn object(&self, system: Name, object: Object) -> Option<&ObjectMapping> {
        self.systems.get(&system)?.objects.get(&object)
    }
}

/// Windows and allowances.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Times of one record within this are taken as simultaneous (order ρ). Default 1 s.
    pub quantum: i64,
    /// How far back a late change can still alter the hot state. Default 30 days.
    pub horizon: i64,
    /// An event time later than arrival by more than this is set to arrival. Default 5 min.
    pub clamp: i64,
    /// A group's tuple rests this long before it is written. Default 2 s.
    pub tuple_settle: i64,
    /// After an acknowledgement, untagged variants of the written value are its rendering. Default 60 s.
    pub rendering_settle: i64,
    /// Measured clock skew to the vendors, added to the margins of echo matching. Default 0.
    pub skew: i64,
    /// A command without an answer is given up after this; its outcome is unknown. Default 15 min.
    pub give_up: i64,
    /// `only` reverts per (record, field) in a rolling day before it is held. Default 3.
    pub reverts_per_day: u32,
    /// Alternations of the same two values in 24 h that make a field contested. Default 3.
    pub alternations: u32,
}

impl Default for Timing {
    fn default() -> Self {
        use crate::time::{DAY, MINUTE, SECOND};
        Self {
            quantum: SECOND,
            horizon: 30 * DAY,
            clamp: 5 * MINUTE,
            tuple_settle: 2 * SECOND,
            rendering_settle: MINUTE,
            skew: 0,
            give_up: 15 * MINUTE,
            reverts_per_day: 3,
            alternations: 3,
        }
    }
}

/// One connected system.
#[derive(Clone, Debug)]
pub struct System {
    pub name: Name,
    pub format: Format,
    /// The tag that Baton's own writes carry in this vendor's events, where the vendor has such a tag.
    pub origin_tag: Option<CompactString>,
    /// Users of the vendor that are Baton or other integrations, not people.
    pub integration_users: BTreeSet<CompactString>,
    /// Cause of changes that name none.
    pub default_cause: Cause,
    /// The vendor's own words for causes (`IMPORT`, `CRM_UI`), case-folded.
    pub causes: BTreeMap<CompactString, Cause>,
    /// Actors with a cause of their own, compared case-folded.
    pub actor_causes: BTreeMap<CompactString, Cause>,
    /// Cause of a change that names an actor who is no integration user and stands in neither list above.
    pub actor_default: Option<Cause>,
    /// Mapping of records, in this system's own format.
    pub objects: BTreeMap<Object, ObjectMapping>,
    /// Mappings of the other formats that a payload may be handed over in (`ingest --format`).
    pub vocabularies: BTreeMap<Format, BTreeMap<Object, ObjectMapping>>,
    /// Whether the target answers commands on the results topic.
    pub acks: bool,
    /// Whether the target answers `read` commands.
    pub reads: bool,
    /// Default region of phone numbers (ISO 3166-1 alpha-2).
    pub region: Option<CompactString>,
    /// IANA zone of times without an offset. UTC unless said.
    pub zone: Option<CompactString>,
    /// Extra clock skew against this system, ms.
    pub skew: i64,
    pub delete: DeletePolicy,
}

impl System {
    /// The mapping for a payload in `format`.
    #[must_use]
    pub fn mapping(&self, format: Format, object: Object) -> Option<&ObjectMapping> {
        if format == self.format || format == Format::Csv || format == Format::Baton {
            return self.objects.get(&object);
        }
        self.vocabularies
            .get(&format)
            .and_then(|v| v.get(&object))
            .or_else(|| self.objects.get(&object))
    }
}

/// What a system's deletes do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DeletePolicy {
    /// Note it; claims stay. The default.
    #[default]
    Flag,
    /// Delete the other systems' records too.
    Propagate,
    /// Golden stays until a new turn; this record offers nothing any more.
    Detach,
}

/// How one object of one system maps.
#[derive(Clone, Debug, Default)]
pub struct ObjectMapping {
    /// The vendor's name of the object.
    pub vendor: CompactString,
    /// By the vendor's field name.
    pub fields: BTreeMap<CompactString, MappedField>,
    /// Create records here for people that this system lacks.
    pub create: CreatePolicy,
    /// Only entities that satisfy all of these are written (and created) here.
    pub filter: Vec<Condition>,
    /// A vendor field whose true value means "deleted" (soft delete).
    pub deleted_field: Option<CompactString>,
    /// A vendor field that holds the record's own modified time.
    pub modified_field: Option<CompactString>,
    /// A vendor field that names who modified it last, where the format itself does not.
    pub actor_field: Option<CompactString>,
    /// Claims of records below this are ignored for creation: do not create entities from this direction.
    pub admit: bool,
    /// Rows of other tables that hold fields of these records.
    pub parts: Vec<Part>,
}

/// Rows of another table, each of which holds one field of a record: a party's e-mail address, say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// The vendor's name of that table.
    pub vendor: CompactString,
    /// Its column with the record's id.
    pub owner: CompactString,
    /// Only rows with these values in these columns.
    pub when: BTreeMap<CompactString, CompactString>,
    /// Its column with the value.
    pub value: CompactString,
    /// Under which of the mapping's `fields` the value is read.
    pub field: CompactString,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CreatePolicy {
    #[default]
    Never,
    /// Create when the sync filter passes.
    Always,
    /// The same, of people who have crossed the sales-ready line and whom sales works on.
    SalesReady,
}

/// A condition of a sync filter.
#[derive(Clone, PartialEq, Debug)]
pub enum Condition {
    Present(Name),
    Equals(Name, Value),
    NotEquals(Name, Value),
    AtLeast(Name, Decimal),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Direction {
    #[default]
    Both,
    /// Read from this system, never written to it.
    In,
    /// Written to this system, never believed to be its own claim.
    Out,
}

/// One vendor field and the Baton field it carries.
#[derive(Clone, Debug)]
pub struct MappedField {
    pub field: Name,
    pub direction: Direction,
    /// Vendor picklist value → canonical text. Empty: no value map.
    pub values: BTreeMap<CompactString, CompactString>,
    /// Canonical text → the vendor value to write, where several vendor values mean the same.
    pub write: BTreeMap<CompactString, CompactString>,
    /// Values outside a value map are invalid rather than passed through.
    pub closed: bool,
    /// Longest text the target keeps; longer values are sent cut and the cut is known as their rendering.
    pub max_length: Option<usize>,
    /// The target refuses records without it: creates are parked while it is blank.
    pub required: bool,
    /// How the vendor writes a multi-select (`;` for most).
    pub separator: Option<char>,
    /// The vendor's truth is the opposite of Baton's (for example `subscribed` for `opted_out`).
    pub negate: bool,
    /// How the vendor writes instants and dates, when not RFC 3339: milliseconds since 1970.
    pub epoch_millis: bool,
}

impl MappedField {
    #[must_use]
    pub fn plain(field: impl Into<Name>) -> Self {
        Self {
            field: field.into(),
            direction: Direction::Both,
            values: BTreeMap::new(),
            write: BTreeMap::new(),
            closed: false,
            max_length: None,
            required: false,
            separator: None,
            negate: false,
            epoch_millis: false,
        }
    }
}

/// Fields and groups of one kind of entity.
#[derive(Clone, Debug, Default)]
pub struct EntityRules {
    pub fields: BTreeMap<Name, FieldRule>,
    pub groups: BTreeMap<Name, GroupRule>,
    /// Which group a field belongs to.
    pub group_of: BTreeMap<Name, Name>,
}

impl EntityRules {
    /// The fields whose rules go by the stage.
    #[must_use]
    pub fn by_stage(&self) -> BTreeSet<Name> {
        let goes = |strategy: &Strategy| matches!(strategy, Strategy::ByStage { .. });
        let own = self.fields.iter().filter(|(_, rule)| goes(&rule.strategy));
        let groups = self.groups.values().filter(|group| goes(&group.strategy));
        own.map(|(name, _)| *name)
            .chain(groups.flat_map(|group| group.fields.iter().copied()))
            .collect()
    }
}

/// Canonical form of a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FieldType {
    #[default]
    Text,
    Email,
    /// E.164 where the region is known or the number international; else doubtful.
    Phone,
    /// ISO 3166-1 alpha-2 where the name is known; else kept as text.
    Country,
    Date,
    Instant,
    Number,
    Integer,
    Boolean,
    MultiSelect,
    Url,
    /// Another record's id in the same system (an account of a contact).
    Reference,
}

impl FieldType {
    pub const NAMES: [(&'static str, Self); 12] = [
        ("text", Self::Text),
        ("email", Self::Email),
        ("phone", Self::Phone),
        ("country", Self::Country),
        ("date", Self::Date),
        ("instant", Self::Instant),
        ("number", Self::Number),
        ("integer", Self::Integer),
        ("boolean", Self::Boolean),
        ("multi_select", Self::MultiSelect),
        ("url", Self::Url),
        ("reference", Self::Reference),
    ];
}

#[derive(Clone, Debug)]
pub struct FieldRule {
    pub kind: FieldType,
    pub strategy: Strategy,
    pub clear: ClearPolicy,
    /// `protect_manual_for`, ms.
    pub protect_manual: Option<i64>,
    /// Case-folded fillers that count as never set.
    pub sentinels: BTreeSet<CompactString>,
    /// Field of a consent rule: judged by section 6, whatever its strategy says.
    pub consent: Option<Name>,
    /// Holds personal data: never in logs or metrics, redacted by erasure. True unless said.
    pub personal: bool,
}

impl Default for FieldRule {
    fn default() -> Self {
        Self {
            kind: FieldType::Text,
            strategy: Strategy::Latest,
            clear: ClearPolicy::PropagateIfManual,
            protect_manual: None,
            sentinels: BTreeSet::new(),
            consent: None,
            personal: true,
        }
    }
}

#[derive(Clone, Debug)]
pub struct GroupRule {
    /// In the order the steward wrote; no field stands in two groups.
    pub fields: Vec<Name>,
    pub strategy: Strategy,
    pub clear: ClearPolicy,
    pub protect_manual: Option<i64>,
    /// Tuples without these are ineligible unless none qualifies.
    pub requires: Vec<Name>,
}

/// What a reported clear does to the golden value (section 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ClearPolicy {
    Propagate,
    /// Only clears of a manual-or-higher cause are eligible.
    #[default]
    PropagateIfManual,
    /// Clears are never eligible. Default of `fill` and `first`.
    Ignore,
    /// The record keeps offering its last non-blank turn; the clear becomes a steward task.
    Hold,
}

/// How records find their person, account or deal.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Fields whose canonical value identifies (external ids), by kind.
    pub keys: BTreeMap<Kind, Vec<Name>>,
    /// The e-mail field of people.
    pub email: Option<Name>,
    /// Field tuples that identify together, by kind.
    pub composites: BTreeMap<Kind, Vec<Vec<Name>>>,
}

/// One channel's consent, held by a boolean or picklist field of people.
#[derive(Clone, Debug)]
pub struct ConsentRule {
    pub channel: Name,
    /// The person field that carries it.
    pub field: Name,
    /// The person field that holds the channel's address (e-mail, phone).
    pub address: Name,
    /// Canonical field value → state.
    pub states: BTreeMap<CompactString, ConsentState>,
}

/// Restriction order, the most restrictive first.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ConsentState {
    Bounced,
    LegalBlock,
    OptedOut,
    Pending,
    OptedIn,
    Unknown,
}

impl ConsentState {
    pub const ALL: [Self; 6] = [
        Self::Bounced,
        Self::LegalBlock,
        Self::OptedOut,
        Self::Pending,
        Self::OptedIn,
        Self::Unknown,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bounced => "bounced",
            Self::LegalBlock => "legal_block",
            Self::OptedOut => "opted_out",
            Self::Pending => "pending",
            Self::OptedIn => "opted_in",
            Self::Unknown => "unknown",
        }
    }
}

/// Mass-clear guard (section 4): more than `records` clears or `percent` of a field from one source within
/// `window`, and the whole batch is held.
#[derive(Clone, Debug)]
pub struct MassClear {
    /// How long clears wait, ms.
    pub window: i64,
    pub records: u32,
    /// Share of the records of a source that hold the field, 1 to 100.
    pub percent: Option<u32>,
    /// Fewer clears than this are no mass, whatever their share.
    pub percent_from: u32,
}

impl MassClear {
    /// Whether so many cleared records of one source are too many, where so many others still hold the field.
    #[must_use]
    pub fn is_mass(&self, cleared: u64, others: u64) -> bool {
        let share = |percent: u32| {
            let before = cleared.saturating_add(others);
            cleared >= u64::from(self.percent_from)
                && cleared.saturating_mul(100) > before.saturating_mul(u64::from(percent))
        };
        cleared > u64::from(self.records) || self.percent.is_some_and(share)
    }
}

impl Default for MassClear {
    fn default() -> Self {
        Self {
            window: 60_000,
            records: 100,
            percent: None,
            percent_from: 10,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_share_is_a_mass_and_the_share_itself_is_not() {
        let guard = MassClear {
            records: 100,
            percent: Some(10),
            ..MassClear::default()
        };
        assert!(!guard.is_mass(20, 180));
        assert!(guard.is_mass(20, 179));
        assert!(!guard.is_mass(9, 0), "too few to be a mass");
        assert!(guard.is_mass(10, 0));
        assert!(!guard.is_mass(100, 10_000));
        assert!(guard.is_mass(101, 10_000));
    }
}
