//! Identifiers: of systems' records, of Baton's entities, of events.

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::{name::Name, time::Millis};

/// What a record is in its own system.
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
pub enum Object {
    Lead,
    Contact,
    Account,
    Deal,
}

impl Object {
    pub const ALL: [Self; 4] = [Self::Lead, Self::Contact, Self::Account, Self::Deal];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Contact => "contact",
            Self::Account => "account",
            Self::Deal => "deal",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|o| o.as_str().eq_ignore_ascii_case(text))
    }

    /// The kind of entity that such a record describes: leads and contacts are people.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Lead | Self::Contact => Kind::Person,
            Self::Account => Kind::Account,
            Self::Deal => Kind::Deal,
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The kind of a Baton entity.
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
pub enum Kind {
    Person,
    Account,
    Deal,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Person, Self::Account, Self::Deal];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Account => "account",
            Self::Deal => "deal",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == text)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One row in a system: (system, object, external id). Written `crm:contact:003…`.
#[derive(
    Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct RecordKey {
    pub system: Name,
    pub object: Object,
    #[schemars(with = "String")]
    pub id: CompactString,
}

impl RecordKey {
    #[must_use]
    pub fn new(system: impl Into<Name>, object: Object, id: impl Into<CompactString>) -> Self {
        Self {
            system: system.into(),
            object,
            id: id.into(),
        }
    }

    /// Reads `system:object:id`; the id may hold colons.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let (system, object, id) = (parts.next()?, parts.next()?, parts.next()?);
        (!id.is_empty()).then_some(())?;
        Some(Self {
            system: Name::known(system)?,
            object: Object::parse(object)?,
            id: id.into(),
        })
    }
}

impl RecordKey {
    /// As it is displayed, without the way through a formatter.
    #[must_use]
    pub fn to_text(&self) -> CompactString {
        let (system, object) = (self.system.as_str(), self.object.as_str());
        let mut text =
            CompactString::with_capacity(system.len() + object.len() + self.id.len() + 2);
        for part in [system, ":", object, ":", &self.id] {
            text.push_str(part);
        }
        text
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.system, self.object, self.id)
    }
}

/// A 128-bit digest, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(pub [u8; 16]);

/// As one piece: a state holds hundreds of them.
impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Digest;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the sixteen bytes of a digest")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Digest, E> {
                let digest = bytes.try_into().map(Digest);
                digest.map_err(|_| E::invalid_length(bytes.len(), &self))
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}

impl Digest {
    /// The digest of parts, each preceded by its length so that no two lists run together.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        // In one piece: most are a few blocks, and a hasher that takes pieces costs more than hashing them.
        let length = parts.iter().map(|part| size_of::<u64>() + part.len()).sum();
        let mut bytes = Vec::with_capacity(length);
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        let mut out = [0; 16];
        out.copy_from_slice(&blake3::hash(&bytes).as_bytes()[..16]);
        Self(out)
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut out = [0; 16];
        (text.len() == 32 && text.is_ascii()).then_some(())?;
        for (at, byte) in out.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
        }
        Some(Self(out))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Ids are written with every message: sixteen formatted writes would cost more than the hash itself.
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 32];
        for (at, byte) in self.0.iter().enumerate() {
            text[at * 2] = HEX[usize::from(byte >> 4)];
            text[at * 2 + 1] = HEX[usize::from(byte & 15)];
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The identity of one vendor event: hash of system, record, vendor id, raw time, sequence and values.
pub type EventId = Digest;

/// Baton's own id of a person, account or deal. Written `person-<32 hex digits>`.
///
/// It is derived from the record and event that first made the entity, so that a replay makes the same ids.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntityId {
    pub kind: Kind,
    pub digest: Digest,
}

impl EntityId {
    #[must_use]
    pub fn derive(kind: Kind, record: &RecordKey, event: EventId) -> Self {
        let key = record.to_text();
        Self {
            kind,
            digest: Digest::of(&[
                b"entity",
                kind.as_str().as_bytes(),
                key.as_bytes(),
                &event.0,
            ]),
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, digest) = text.split_once('-')?;
        Some(Self {
            kind: Kind::parse(kind)?,
            digest: Digest::parse(digest)?,
        })
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.kind, self.digest)
    }
}

impl fmt::Debug for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a message stands in the log, made comparable over topics: first its arrival (the log record's own
/// timestamp), then topic, partition and offset packed into one number. Any total order would do for the laws;
/// arrival first keeps changes and results of one record in the order in which they came.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize,
)]
pub struct Position {
    pub arrival: Millis,
    pub log: u64,
}

impl Position {
    #[must_use]
    pub const fn new(arrival: Millis, topic: u8, partition: u16, offset: u64) -> Self {
        Self {
            arrival,
            log: (topic as u64) << 56 | (partition as u64) << 40 | (offset & 0xff_ffff_ffff),
        }
    }
}

/// Text in JSON, bytes in stored state: for ids in messages.
macro_rules! from_text {
    ($type:ty, $what:literal) => {
        impl std::str::FromStr for $type {
            type Err = &'static str;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text).ok_or($what)
            }
        }
    };
}

from_text!(Digest, "not 32 hexadecimal digits");
from_text!(
    EntityId,
    "not a Baton id such as person-<32 hexadecimal digits>"
);
from_text!(crate::time::Millis, "not an RFC 3339 instant");
