//! The files as one tree of values that know where they stand.

use std::collections::BTreeMap;

use crate::{
    codes::Code,
    problem::{Problems, Span},
};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub span: Span,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Table(Table),
    Array(Vec<Node>),
    Text(String),
    Integer(i64),
    /// As written, so that decimals keep their digits.
    Float(String),
    Bool(bool),
    Time,
    /// Something stood here and its problem is reported already: nothing more is said about it.
    Bad,
}

impl Kind {
    /// How a steward would call it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Table(_) => "a table",
            Self::Array(_) => "a list",
            Self::Text(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a decimal number",
            Self::Bool(_) => "true or false",
            Self::Time => "a date",
            Self::Bad => "something unreadable",
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub key: Span,
    pub value: Node,
}

impl Node {
    pub fn bad(span: Span) -> Self {
        Self {
            span,
            kind: Kind::Bad,
        }
    }

    pub fn is_bad(&self) -> bool {
        matches!(self.kind, Kind::Bad)
    }

    pub fn as_table(&self) -> Option<&Table> {
        match &self.kind {
            Kind::Table(table) => Some(table),
            _ => None,
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::Array(items) => items,
            _ => &[],
        }
    }

    /// Whether anything at or below this value was reported as wrong.
    pub fn holds_bad(&self) -> bool {
        match &self.kind {
            Kind::Bad => true,
            Kind::Table(table) => table.entries.values().any(|e| e.value.holds_bad()),
            Kind::Array(items) => items.iter().any(Self::holds_bad),
            _ => false,
        }
    }
}

/// Stands in a table of which a key could not be understood.
const UNREAD: &str = "\0unread";

impl Table {
    /// Remembers that something in it could not be understood, so that nobody concludes anything from what is absent.
    pub fn mark_unread(&mut self, at: Span) {
        let entry = Entry {
            key: at,
            value: Node::bad(at),
        };
        self.entries.insert(UNREAD.to_owned(), entry);
    }

    pub fn is_unread(&self) -> bool {
        self.entries.contains_key(UNREAD)
    }

    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries.get(key).map(|e| &e.value)
    }

    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    pub fn table(&self, key: &str) -> Option<&Self> {
        self.get(key)?.as_table()
    }

    /// Entries in the order of their keys; none where the key is absent or no table.
    pub fn each(&self, key: &str) -> impl Iterator<Item = (&str, &Entry)> {
        self.table(key)
            .into_iter()
            .flat_map(|t| t.entries.iter().map(|(k, e)| (k.as_str(), e)))
    }

    pub fn text(&self, key: &str) -> Option<(&str, Span)> {
        let node = self.get(key)?;
        Some((node.as_text()?, node.span))
    }

    pub fn bool(&self, key: &str) -> Option<bool> {
        match self.get(key)?.kind {
            Kind::Bool(b) => Some(b),
            _ => None,
        }
    }

    /// An integer that the shape has checked to fit.
    pub fn int<T: TryFrom<i64>>(&self, key: &str) -> Option<T> {
        match self.get(key)?.kind {
            Kind::Integer(n) => T::try_from(n).ok(),
            _ => None,
        }
    }

    /// A duration in milliseconds, which the shape has checked.
    pub fn duration(&self, key: &str) -> Option<i64> {
        crate::quantity::duration(self.text(key)?.0)
    }

    /// A number of bytes, which the shape has checked.
    pub fn bytes(&self, key: &str) -> Option<u64> {
        match &self.get(key)?.kind {
            Kind::Text(text) => crate::quantity::bytes(text),
            Kind::Integer(n) => u64::try_from(*n).ok(),
            _ => None,
        }
    }

    pub fn texts(&self, key: &str) -> Vec<(&str, Span)> {
        self.get(key)
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(|n| Some((n.as_text()?, n.span)))
            .collect()
    }

    /// Adds what another file says; what both say is reported where it is said again.
    pub fn merge(&mut self, other: Self, problems: &mut Problems) {
        for (key, entry) in other.entries {
            let Some(mine) = self.entries.get_mut(&key) else {
                self.entries.insert(key, entry);
                continue;
            };
            match (&mut mine.value.kind, entry.value.kind) {
                (Kind::Table(mine), Kind::Table(theirs)) => mine.merge(theirs, problems),
                (Kind::Bad, _) | (_, Kind::Bad) => {}
                _ => {
                    let first = problems
                        .sources
                        .get(mine.key.file)
                        .map(|s| s.name.clone())
                        .unwrap_or_default();
                    problems.report(
                        Code::DefinedTwice,
                        entry.key,
                        format!("`{key}` is already set in {first}"),
                    );
                }
            }
        }
    }
}
