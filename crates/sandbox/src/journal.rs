//! The truth: everything that ever came to stand in a system, with its exact time and who did it.

use baton_core::{id::Object, time::Millis};
use serde_json::Value;

/// Who did something, as an all-knowing observer sees it; the vendor's events may tell less.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum By {
    /// Somebody typed it.
    Human { name: String },
    /// The person the record describes, by a form or preference centre.
    Form,
    /// A list that somebody loaded.
    Import { list: String },
    /// The vendor's own automation.
    Workflow,
    /// Another integration.
    Api,
    /// Baton.
    Baton { command_id: String },
}

impl By {
    /// Whether a person entered it: by hand or by form.
    #[must_use]
    pub const fn is_person(&self) -> bool {
        matches!(self, Self::Human { .. } | Self::Form)
    }

    #[must_use]
    pub fn command_id(&self) -> Option<&str> {
        match self {
            Self::Baton { command_id } => Some(command_id),
            _ => None,
        }
    }
}

/// One thing that happened to one record, or to one field of it.
#[derive(Clone, PartialEq, Debug)]
pub struct JournalEntry {
    /// Exactly when, in milliseconds.
    pub at: Millis,
    /// The vendor's stamp of it, in the vendor's precision.
    pub stamp: Millis,
    /// Rises with every entry of one system; orders entries of the same millisecond.
    pub number: u64,
    pub object: Object,
    pub id: String,
    pub by: By,
    pub what: What,
}

#[derive(Clone, PartialEq, Debug)]
pub enum What {
    Created,
    /// `after` came to stand where `before` stood, both as the vendor keeps them (cut, re-cased, as label).
    /// A value that equals what stood there before is no entry.
    Value {
        field: String,
        before: Value,
        after: Value,
    },
    Deleted,
    Undeleted,
    /// The lead became these records.
    Converted {
        to: Vec<(Object, String)>,
    },
    /// This record survives; the losers are gone.
    Merged {
        losers: Vec<String>,
    },
}
