//! Values: raw as a vendor sent them, canonical as the engine compares them.

use std::fmt;

use compact_str::{CompactString, ToCompactString};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// A value as a decoder found it, before mapping and types. Nested objects are flattened to dotted names.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Raw {
    Null,
    Bool(bool),
    /// A number in the text form it had in the payload, so that nothing is lost to floating point.
    Number(CompactString),
    Text(CompactString),
    List(Vec<CompactString>),
}

impl Raw {
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// The value as text, where it has one.
    #[must_use]
    pub fn as_text(&self) -> Option<CompactString> {
        match self {
            Self::Null => None,
            Self::Bool(b) => Some(if *b { "true".into() } else { "false".into() }),
            Self::Number(n) => Some(n.clone()),
            Self::Text(t) => Some(t.clone()),
            Self::List(items) => Some(items.join(";").into()),
        }
    }

    #[must_use]
    pub fn from_json(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(b) => Self::Bool(*b),
            serde_json::Value::Number(n) => Self::Number(n.to_compact_string()),
            serde_json::Value::String(s) => Self::Text(s.as_str().into()),
            serde_json::Value::Array(items) => Self::List(
                items
                    .iter()
                    .map(|i| {
                        i.as_str()
                            .map_or_else(|| i.to_compact_string(), CompactString::from)
                    })
                    .collect(),
            ),
            other @ serde_json::Value::Object(_) => Self::Text(other.to_compact_string()),
        }
    }
}

/// A text of a value. It lies in place where it is short, and its copies share it where it is long.
pub type Text = smol_str::SmolStr;

/// A canonical value. Two values are the same for every rule exactly if they are equal here.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Value {
    #[default]
    Blank,
    Bool(bool),
    Number(Decimal),
    /// Days since 1970-01-01.
    Date(i32),
    Time(Millis),
    Text(Text),
    /// Sorted, without repeats.
    Set(Vec<CompactString>),
}

impl Value {
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    #[must_use]
    pub const fn is_blank(&self) -> bool {
        matches!(self, Self::Blank)
    }

    /// A byte form whose order is total and the same on every machine; the last resort of the tie-break.
    #[must_use]
    pub fn canonical_bytes(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }

    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Blank => serde_json::Value::Null,
            Self::Bool(b) => (*b).into(),
            Self::Number(n) => n
                .normalize()
                .to_string()
                .parse::<serde_json::Number>()
                .map_or_else(|_| n.to_string().into(), serde_json::Value::Number),
            Self::Set(items) => items.iter().map(CompactString::as_str).collect(),
            other => other.to_string().into(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => Ok(()),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Number(n) => write!(f, "{}", n.normalize()),
            Self::Date(days) => {
                let at = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(*days));
                match at {
                    Ok(date) => write!(f, "{date}"),
                    Err(_) => write!(f, "day {days}"),
                }
            }
            Self::Time(at) => write!(f, "{at}"),
            Self::Text(text) => f.write_str(text),
            Self::Set(items) => f.write_str(&items.join(";")),
        }
    }
}
