//! Interned names of systems, fields, groups and stages.
//!
//! Only names that stand in the configuration or in stored state are interned, so the set is bounded
//! by what a steward wrote, never by what a payload says.

use std::{
    collections::HashSet,
    fmt,
    sync::{LazyLock, RwLock},
};

use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

static NAMES: LazyLock<RwLock<HashSet<&'static str, FxBuildHasher>>> =
    LazyLock::new(RwLock::default);

/// A configured name: cheap to copy and to compare, ordered as its text, stored as its text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name(&'static str);

impl Name {
    /// Interns a name that comes from configuration, state or a test. Never call it with payload text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        if let Some(found) = Self::known(text) {
            return found;
        }
        let mut names = NAMES
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(found) = names.get(text) {
            return Self(found);
        }
        let leaked: &'static str = Box::leak(text.to_owned().into_boxed_str());
        names.insert(leaked);
        Self(leaked)
    }

    /// The name if it was interned before; safe on payload text.
    #[must_use]
    pub fn known(text: &str) -> Option<Self> {
        let names = NAMES
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        names.get(text).map(|found| Self(found))
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl std::hash::Hash for Name {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        // One text has one address, so the address identifies the name.
        (self.0.as_ptr() as usize).hash(state);
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        if std::ptr::eq(self.0, other.0) {
            std::cmp::Ordering::Equal
        } else {
            self.0.cmp(other.0)
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Name;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a configured name")
            }
            fn visit_str<E>(self, text: &str) -> Result<Name, E> {
                Ok(Name::new(text))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

impl schemars::JsonSchema for Name {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Name".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}
