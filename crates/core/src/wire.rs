//! Messages on Baton's own topics. Their JSON Schemas are published under `schemas/`.

mod lifecycle;

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use compact_str::CompactString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    change::Cause,
    id::{Digest, EntityId, Kind, Object},
    name::Name,
    state::{CommandKind, Golden, LinkStatus, ReadReason, Sorted},
    time::Millis,
    value::Value,
};

pub use self::lifecycle::{
    Attribution, Because, ClockView, Consequence, Ending, Engagement, Guards, Handoff, Lifecycle,
    LifecycleMessage, Recycle, Trigger, Undoing, WhyNot, WithoutEffect,
};

/// Which form of a message it is: the member `schema_version`. It is raised where a reader of the version before would
/// misunderstand a message, not by a new member that may be ignored.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct SchemaVersion(pub u16);

impl SchemaVersion {
    /// What is written, and the newest that is understood.
    ///
    /// 2: a message of decisions tells of all fields that changed together, and not of one.
    pub const CURRENT: Self = Self(2);

    /// Why a message of this version is not read: only a newer Baton knows what it means. None if it is.
    #[must_use]
    pub fn too_new(version: u64) -> Option<String> {
        let newest = Self::CURRENT.0;
        (version > u64::from(newest)).then(|| {
            format!("the message is of version {version}; this Baton reads versions up to {newest}")
        })
    }
}

impl Default for SchemaVersion {
    /// What names no version is of the first.
    fn default() -> Self {
        Self(1)
    }
}

/// `baton.<system>.commands`: what a target should do. Keyed so that one record's commands stay in order.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Command {
    #[serde(default)]
    pub schema_version: SchemaVersion,
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
    #[serde(default)]
    pub schema_version: SchemaVersion,
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
    #[serde(default)]
    pub schema_version: SchemaVersion,
    #[serde(with = "text")]
    #[schemars(with = "String")]
    pub entity: EntityId,
    pub kind: Kind,
    pub version: u64,
    #[serde(with = "text")]
    #[schemars(with = "String")]
    pub at: Millis,
    #[schemars(with = "String")]
    pub rule_version: CompactString,
    /// All non-blank golden values.
    #[schemars(with = "BTreeMap<Name, Shown>")]
    pub fields: GoldenFields,
    /// Names of the fields that changed with this version.
    pub changed: Vec<Name>,
    /// `system:object:id` of every record, with its status.
    #[schemars(with = "BTreeMap<String, LinkStatus>")]
    pub records: Sorted<CompactString, LinkStatus>,
}

/// `baton.decisions`: why the golden values that changed together are what they are.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DecisionMessage {
    #[serde(default)]
    pub schema_version: SchemaVersion,
    #[serde(with = "text")]
    #[schemars(with = "String")]
    pub entity: EntityId,
    pub version: u64,
    #[serde(with = "text")]
    #[schemars(with = "String")]
    pub at: Millis,
    #[serde(flatten)]
    pub told: Told,
}

/// What a message of decisions tells.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Told {
    /// Of all fields that changed with this version of the golden record, by name.
    Together { decisions: Vec<Explanation> },
    /// Of one of them; so it was written in version 1.
    One(Box<Explanation>),
}

impl DecisionMessage {
    /// Of each field that it tells of.
    #[must_use]
    pub fn decisions(&self) -> &[Explanation] {
        match &self.told {
            Told::Together { decisions } => decisions,
            Told::One(decision) => std::slice::from_ref(decision),
        }
    }
}

/// The account of one field: also what `baton explain --json` prints.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    pub field: Name,
    pub value: Shown,
    pub stage: Option<Name>,
    pub rule: Cow<'static, str>,
    #[schemars(with = "String")]
    pub rule_version: CompactString,
    pub winner: Option<ClaimView>,
    pub contributors: Vec<ClaimView>,
    pub losers: Vec<Loser>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub written: Vec<WrittenView>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ClaimView {
    pub system: Name,
    pub object: Object,
    #[schemars(with = "String")]
    pub id: CompactString,
    pub value: Shown,
    #[serde(with = "text")]
    #[schemars(with = "String")]
    pub time: Millis,
    pub cause: Cause,
    #[serde(with = "text")]
    #[schemars(with = "String")]
    pub event_id: Digest,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Loser {
    #[serde(flatten)]
    pub claim: ClaimView,
    pub reason: Cow<'static, str>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WrittenView {
    pub system: Name,
    pub object: Object,
    #[schemars(with = "String")]
    pub id: CompactString,
    pub value: Shown,
    #[serde(with = "text")]
    #[schemars(with = "String")]
    pub time: Millis,
    pub outcome: Cow<'static, str>,
}

/// Non-blank golden values by field: those of a state, not copied.
#[derive(Clone, Debug, Default)]
pub struct GoldenFields(Arc<Sorted<Name, Golden>>);

impl GoldenFields {
    #[must_use]
    pub fn of(golden: &Arc<Sorted<Name, Golden>>) -> Self {
        Self(Arc::clone(golden))
    }

    /// In the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (Name, &Value)> {
        let told = self.0.iter().filter(|(_, golden)| !golden.value.is_blank());
        told.map(|(name, golden)| (*name, &golden.value))
    }
}

impl PartialEq for GoldenFields {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Serialize for GoldenFields {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(name, value)| (name, ShownRef(value))))
    }
}

impl<'de> Deserialize<'de> for GoldenFields {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = BTreeMap::<Name, Shown>::deserialize(deserializer)?;
        let golden = |value| Golden {
            value,
            ..Golden::default()
        };
        let fields = fields.into_iter();
        let fields: Sorted<Name, Golden> =
            fields.map(|(f, Shown(value))| (f, golden(value))).collect();
        Ok(Self(Arc::new(fields)))
    }
}

/// A canonical value in JSON: numbers as numbers, multi-selects as arrays, blanks as null, the rest as text. Reading
/// it back gives texts where dates and instants were.
#[derive(Clone, PartialEq, Debug, Default, JsonSchema)]
pub struct Shown(#[schemars(with = "serde_json::Value")] pub Value);

impl Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ShownRef(&self.0).serialize(serializer)
    }
}

struct ShownRef<'a>(&'a Value);

impl Serialize for ShownRef<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Blank => serializer.serialize_none(),
            Value::Bool(yes) => serializer.serialize_bool(*yes),
            Value::Text(text) => serializer.serialize_str(text),
            other => other.to_json().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = serde_json::Value::deserialize(deserializer)?;
        Ok(Self(match &json {
            serde_json::Value::Null => Value::Blank,
            serde_json::Value::Bool(yes) => Value::Bool(*yes),
            serde_json::Value::Number(number) => number
                .to_string()
                .parse()
                .map_or_else(|_| Value::text(&number.to_string()), Value::Number),
            serde_json::Value::String(text) => Value::text(text),
            serde_json::Value::Array(items) => Value::Set(
                items
                    .iter()
                    .filter_map(|i| i.as_str())
                    .map(Into::into)
                    .collect(),
            ),
            other @ serde_json::Value::Object(_) => Value::text(&other.to_string()),
        }))
    }
}

/// Ids and instants as text.
mod text {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<T: std::fmt::Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: std::str::FromStr<Err = &'static str>,
        D: Deserializer<'de>,
    {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The same, where there may be none.
mod some_text {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<T: std::fmt::Display, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: std::str::FromStr<Err = &'static str>,
        D: Deserializer<'de>,
    {
        let text = Option::<std::borrow::Cow<str>>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(serde::de::Error::custom))
            .transpose()
    }
}

/// `baton.dead-letters`: what could not be understood, with its reason.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    #[serde(default)]
    pub schema_version: SchemaVersion,
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
