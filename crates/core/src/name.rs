//! Interned names of systems, fields, groups and stages.
//!
//! Only names that stand in the configuration or in stored state are interned, so the set is bounded
//! by what a steward wrote, never by what a payload says.

use std::{
    cell::RefCell,
    collections::HashMap,
    fmt,
    sync::{LazyLock, RwLock},
};

use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

static NAMES: LazyLock<RwLock<HashMap<&'static str, Name, FxBuildHasher>>> =
    LazyLock::new(RwLock::default);

/// A configured name: cheap to copy and to compare, ordered as its text, stored as its text.
#[derive(Clone, Copy)]
pub struct Name(&'static Interned);

/// One text has one of these, so its address identifies the name.
struct Interned {
    text: &'static str,
    /// The first eight bytes as a number, which orders most names without looking at their texts.
    start: u64,
}

impl Name {
    /// Interns a name that comes from configuration, state or a test. Never call it with payload text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        if let Some(found) = recent(text) {
            return found;
        }
        let name = Self::known(text).unwrap_or_else(|| Self::intern(text));
        remember(name);
        name
    }

    fn intern(text: &str) -> Self {
        let mut names = NAMES
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(found) = names.get(text) {
            return *found;
        }
        let text: &'static str = Box::leak(text.to_owned().into_boxed_str());
        let start = start(text);
        let name = Self(Box::leak(Box::new(Interned { text, start })));
        names.insert(text, name);
        name
    }

    /// The name if it was interned before; safe on payload text.
    #[must_use]
    pub fn known(text: &str) -> Option<Self> {
        let names = NAMES
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        names.get(text).copied()
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0.text
    }
}

/// Names that a thread came across last, each in the one place that its text may have: reading a stored state asks for
/// a hundred, nearly always the same.
const RECENT: usize = 256;

thread_local! {
    static RECENTLY: RefCell<[Option<Name>; RECENT]> = const { RefCell::new([None; RECENT]) };
}

fn place(text: &str) -> usize {
    let bytes = text.as_bytes();
    let end = bytes.len().saturating_sub(8);
    let last = start(text.get(end..).unwrap_or(text));
    let mixed = (start(text) ^ last.rotate_left(23) ^ bytes.len() as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 56) as usize % RECENT
}

fn recent(text: &str) -> Option<Name> {
    RECENTLY
        .with_borrow(|names| *names.get(place(text))?)
        .filter(|name| name.0.text == text)
}

fn remember(name: Name) {
    RECENTLY.with_borrow_mut(|names| {
        if let Some(place) = names.get_mut(place(name.0.text)) {
            *place = Some(name);
        }
    });
}

/// The first eight bytes of a text as a number, zeros where it is shorter: where two differ, they are ordered as the
/// texts are.
fn start(text: &str) -> u64 {
    let mut bytes = [0; 8];
    for (byte, of_text) in bytes.iter_mut().zip(text.bytes()) {
        *byte = of_text;
    }
    u64::from_be_bytes(bytes)
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Name {}

impl std::hash::Hash for Name {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (std::ptr::from_ref(self.0) as usize).hash(state);
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        if self == other {
            return std::cmp::Ordering::Equal;
        }
        let by_start = self.0.start.cmp(&other.0.start);
        by_start.then_with(|| self.0.text.cmp(other.0.text))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.text)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0.text, f)
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.text)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_as_their_texts() {
        let texts = [
            "",
            "a",
            "a\0",
            "address",
            "address.city",
            "address.street",
            "address_",
            "b",
            "city",
            "zzzzzzzz",
            "zzzzzzzzz",
            "\u{e4}",
            "\u{10ffff}",
        ];
        for a in texts {
            for b in texts {
                assert_eq!(Name::new(a).cmp(&Name::new(b)), a.cmp(b), "{a:?} {b:?}");
            }
        }
    }
}
