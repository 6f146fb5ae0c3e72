//! Decides: the pure core of Baton. No clock, no randomness, no I/O, no logging; ordered maps only.
//!
//! A change flows `decode → normalise → identify → apply`; see [`book::Book::settle`] for the line that reads so.

pub mod change;
pub mod id;
pub mod name;
pub mod rules;
pub mod time;
pub mod value;
