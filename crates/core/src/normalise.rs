//! Mapping and canonical form: from what a vendor says to what the rules compare.

use compact_str::CompactString;

use crate::{book::Incoming, change::Change, rules::Rules};

/// A change that could not be normalised: a dead letter.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{place}: {what}; {fix}")]
pub struct Refusal {
    /// Stable code with a page under `docs/errors/`.
    pub code: &'static str,
    /// Where: system, object, field.
    pub place: CompactString,
    pub what: String,
    pub fix: String,
}

/// Maps and canonicalises one decoded change, and assigns its time and event id.
///
/// # Errors
/// [`Refusal`] where the object is not mapped or the record has no id.
pub fn normalise(_incoming: &Incoming, _rules: &Rules) -> Result<Change, Refusal> {
    Err(Refusal {
        code: "unmapped-object",
        place: "".into(),
        what: String::new(),
        fix: String::new(),
    })
}
