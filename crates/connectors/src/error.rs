//! Why a payload could not be read, in words for the operator and without any field's value.

use std::{borrow::Cow, fmt};

/// The stable code of a reading error; `docs/errors/<code>.md` explains each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Code {
    EmptyPayload,
    NotUtf8,
    MalformedJson,
    MalformedCsv,
    RaggedRow,
    TooDeep,
    TooLarge,
    RepeatedMember,
    UnknownShape,
    UnknownMember,
    NewerVersion,
    UnknownClass,
    WrongType,
    BadTime,
    MissingId,
    MissingMember,
    MissingObject,
    Contradiction,
    VendorError,
}

impl Code {
    pub const ALL: [Self; 19] = [
        Self::EmptyPayload,
        Self::NotUtf8,
        Self::MalformedJson,
        Self::MalformedCsv,
        Self::RaggedRow,
        Self::TooDeep,
        Self::TooLarge,
        Self::RepeatedMember,
        Self::UnknownShape,
        Self::UnknownMember,
        Self::NewerVersion,
        Self::UnknownClass,
        Self::WrongType,
        Self::BadTime,
        Self::MissingId,
        Self::MissingMember,
        Self::MissingObject,
        Self::Contradiction,
        Self::VendorError,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EmptyPayload => "empty-payload",
            Self::NotUtf8 => "not-utf8",
            Self::MalformedJson => "malformed-json",
            Self::MalformedCsv => "malformed-csv",
            Self::RaggedRow => "ragged-row",
            Self::TooDeep => "too-deep",
            Self::TooLarge => "too-large",
            Self::RepeatedMember => "repeated-member",
            Self::UnknownShape => "unknown-shape",
            Self::UnknownMember => "unknown-member",
            Self::NewerVersion => "newer-version",
            Self::UnknownClass => "unknown-class",
            Self::WrongType => "wrong-type",
            Self::BadTime => "bad-time",
            Self::MissingId => "missing-id",
            Self::MissingMember => "missing-member",
            Self::MissingObject => "missing-object",
            Self::Contradiction => "contradiction",
            Self::VendorError => "vendor-error",
        }
    }

    /// What the operator should do about it, in one sentence.
    #[must_use]
    pub const fn what_to_do(self) -> &'static str {
        match self {
            Self::EmptyPayload => {
                "send a payload, or a null value with a key if a tombstone is meant"
            }
            Self::NotUtf8 => "convert the payload or file to UTF-8 and send it again",
            Self::MalformedJson => {
                "check that the producer sends whole JSON and that the system's `format` is right"
            }
            Self::MalformedCsv => "export the file again, with a header row and balanced quotes",
            Self::RaggedRow => "give the row as many cells as the header row has",
            Self::TooDeep => "send the record itself, without wrapping it further",
            Self::TooLarge => "send fewer changes per message",
            Self::RepeatedMember => "send each member or column once",
            Self::UnknownShape => "check that the system's `format` is the one its producer uses",
            Self::UnknownMember => "correct the member's name, or move it into `fields`",
            Self::NewerVersion => {
                "update Baton and retry the dead letter, or let the producer write the version that this one reads"
            }
            Self::UnknownClass => "use one of the classes of the canonical form",
            Self::WrongType => "send the member with the type that its page names",
            Self::BadTime => "send RFC 3339 text or milliseconds since 1970",
            Self::MissingId => "send the record's id in the system it comes from",
            Self::MissingMember => "send the member that this kind of change needs",
            Self::MissingObject => {
                "name the object in the payload, in a header, or with `--object`"
            }
            Self::Contradiction => "send a change whose members agree with each other",
            Self::VendorError => "look the vendor's code up and repeat the vendor's call",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A payload, or one element of it, that could not be read. Holds no field's value.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what} ({place}) [{code}]; {}", .code.what_to_do())]
pub struct DecodeError {
    pub code: Code,
    /// Where: a JSON pointer, or a line and column.
    pub place: String,
    /// What is wrong there.
    pub what: Cow<'static, str>,
}

impl DecodeError {
    pub(crate) fn new(
        code: Code,
        place: impl fmt::Display,
        what: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            code,
            place: place.to_string(),
            what: what.into(),
        }
    }

    pub(crate) fn missing(place: &Place<'_>, member: &str) -> Self {
        Self::new(
            Code::MissingMember,
            place,
            format!("member `{member}` is missing"),
        )
    }

    pub(crate) fn wrong_type(
        place: impl fmt::Display,
        wanted: &'static str,
        found: &'static str,
    ) -> Self {
        Self::new(
            Code::WrongType,
            place,
            format!("{wanted} is wanted, {found} was sent"),
        )
    }
}

/// Where in a JSON payload the decoder is; written as a JSON pointer only when something is wrong.
#[derive(Clone, Copy)]
pub(crate) enum Place<'p> {
    Root,
    Member(&'p Place<'p>, &'p str),
    Element(&'p Place<'p>, usize),
}

impl<'p> Place<'p> {
    pub(crate) const fn member(&'p self, name: &'p str) -> Self {
        Self::Member(self, name)
    }

    pub(crate) const fn element(&'p self, index: usize) -> Self {
        Self::Element(self, index)
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Member(parent, name) => {
                parent.write(f)?;
                write!(f, "/{}", shown(name))
            }
            Self::Element(parent, index) => {
                parent.write(f)?;
                write!(f, "/{index}")
            }
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("at the top"),
            _ => {
                f.write_str("at ")?;
                self.write(f)
            }
        }
    }
}

/// A member's name if it looks like one. A producer's mistake can put an e-mail address where a name belongs,
/// and errors travel to logs and dead letters, so anything else is not shown.
pub(crate) fn shown(name: &str) -> &str {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
    if !name.is_empty() && name.len() <= 60 && name.chars().all(plain) {
        name
    } else {
        "(name not shown)"
    }
}

/// The known name nearest to a mistyped one.
pub(crate) fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    if name.len() > 60 {
        return None;
    }
    known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(name, k), *k))
        .filter(|(distance, k)| *distance <= 2.max(k.len() / 3) && *distance < k.len())
        .min()
        .map(|(_, k)| k)
}
