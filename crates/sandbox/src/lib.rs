//! Imitates the outside systems honestly, limits and bad habits included.
//!
//! A [`System`] holds records as one vendor would, lets people, forms, imports and Baton write to them, and keeps
//! two accounts of what happened: the messages that an integration would get ([`System::due`]: late, doubled,
//! out of order, untagged, as its [`Habits`] say) and the truth ([`System::journal`]), by which the outcome is
//! judged. [`day::Day`] is a seeded script of a day in the life of about a thousand people in two such systems.
//!
//! Everything here is a pure function of seed, habits and calls: no clock, no threads, no I/O.

pub mod day;
mod emit;
mod habits;
mod journal;
mod system;
mod text;
pub mod vocabulary;
pub mod wire;

pub use habits::{Answer, Delivery, Dialect, Events, Habits, KnownEmail, Recase, Refusals};
pub use journal::{By, JournalEntry, What};
pub use system::{
    Actor, Arrival, Converted, NewDeal, Outgoing, Record, Refused, System, TopicKind,
};

/// Vendor field name → value, as JSON. Ordered, so that every run writes the same bytes.
pub type Fields = std::collections::BTreeMap<String, serde_json::Value>;

/// Makes [`Fields`] of pairs.
pub fn fields<const N: usize>(pairs: [(&str, serde_json::Value); N]) -> Fields {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
