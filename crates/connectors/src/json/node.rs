//! A JSON value as a tree that borrows from the payload.

use std::{borrow::Cow, fmt};

use baton_core::{change::RawField, value::Raw};
use compact_str::{CompactString, ToCompactString, format_compact};

pub(crate) type Members<'a> = Vec<(Cow<'a, str>, Node<'a>)>;

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Node<'a> {
    Null,
    Bool(bool),
    /// The number as it was sent.
    Number(&'a str),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    /// Members in the order in which they were sent; no name comes twice.
    Object(Members<'a>),
}

impl<'a> Node<'a> {
    /// The member of that name, if this is an object that has it.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.members()
            .iter()
            .find(|(member, _)| member == name)
            .map(|(_, value)| value)
    }

    /// The member of that name, if it is there and not null.
    pub(crate) fn some(&self, name: &str) -> Option<&Self> {
        self.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn members(&self) -> &[(Cow<'a, str>, Self)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    pub(crate) fn elements(&self) -> &[Self] {
        match self {
            Self::List(elements) => elements,
            _ => &[],
        }
    }

    pub(crate) const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(crate) const fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Text, or a number's text, if not blank: how ids and names of people come.
    pub(crate) fn word(&self) -> Option<CompactString> {
        match self {
            Self::Text(text) if !text.trim().is_empty() => Some(text.trim().into()),
            Self::Number(number) => Some((*number).into()),
            _ => None,
        }
    }

    /// A record's id: text, or a whole number of any length.
    pub(crate) fn id(&self) -> Option<CompactString> {
        match self {
            Self::Number(number) if !number.bytes().all(|b| b.is_ascii_digit() || b == b'-') => {
                None
            }
            _ => self.word(),
        }
    }

    /// A whole number from 0, sent as number or as text.
    pub(crate) fn whole(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.parse().ok(),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// What this is, for an error that must not show it.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// Null, or text without anything in it.
    pub(crate) fn is_blank(&self) -> bool {
        self.is_null() || self.text().is_some_and(str::is_empty)
    }

    pub(crate) fn raw(&self) -> Raw {
        match self {
            Self::Null => Raw::Null,
            Self::Bool(yes) => Raw::Bool(*yes),
            Self::Number(number) => Raw::Number((*number).into()),
            Self::Text(text) => Raw::text(text),
            Self::List(elements) => Raw::List(
                elements
                    .iter()
                    .map(ToCompactString::to_compact_string)
                    .collect(),
            ),
            Self::Object(_) => Raw::Text(self.to_compact_string()),
        }
    }

    /// Hands every value that is no object to `take`, with its dotted name (`BillingAddress.City`).
    pub(crate) fn flatten(&self, name: &str, take: &mut impl FnMut(&str, &Self)) {
        match self {
            Self::Object(members) => {
                for (member, value) in members {
                    if name.is_empty() {
                        value.flatten(member, take);
                    } else {
                        value.flatten(&format_compact!("{name}.{member}"), take);
                    }
                }
            }
            leaf => take(name, leaf),
        }
    }

    /// A field of this value. In a change that carries only what changed, a blank is a clear.
    pub(crate) fn field(&self, name: &str, only_changes: bool) -> RawField {
        let cleared = only_changes && self.is_blank();
        RawField {
            name: name.into(),
            value: if cleared { Raw::Null } else { self.raw() },
            before: None,
            cleared,
        }
    }
}

/// Text as it is; anything else as JSON. Used for the elements of lists.
impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            other => other.write_json(f),
        }
    }
}

impl Node<'_> {
    fn write_json(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(yes) => write!(f, "{yes}"),
            Self::Number(number) => f.write_str(number),
            Self::Text(text) => quote(text, f),
            Self::List(elements) => {
                f.write_str("[")?;
                for (index, element) in elements.iter().enumerate() {
                    if index > 0 {
                        f.write_str(",")?;
                    }
                    element.write_json(f)?;
                }
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        f.write_str(",")?;
                    }
                    quote(name, f)?;
                    f.write_str(":")?;
                    value.write_json(f)?;
                }
                f.write_str("}")
            }
        }
    }
}

fn quote(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let quoted = serde_json::to_string(text).map_err(|_| fmt::Error)?;
    f.write_str(&quoted)
}
