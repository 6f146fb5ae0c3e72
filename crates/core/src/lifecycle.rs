//! The funnel: where each person stands, what is owed to them and by when.
//!
//! This is the part that decides. Its wiring into [`crate::apply`] is not there yet.

pub mod alarm;
pub mod calendar;
pub mod clocks;
pub mod course;
pub mod difference;
pub mod fact;
pub mod fold;
pub mod funnel;
mod merge;
mod moves;
pub mod predicate;
pub mod reading;
pub mod rules;
pub mod setup;
pub mod standing;
mod tell;
pub mod words;
