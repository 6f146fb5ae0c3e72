//! The funnel: where each person stands, what is owed to them and by when.
//!
//! [`walk`] is the way through it, as [`crate::apply`] takes it: hear what came in, fold, carry out what is due, and let
//! golden follow what the systems are to be told.

pub mod accounts;
pub mod alarm;
mod apart;
pub mod calendar;
pub mod clocks;
pub mod course;
pub mod deals;
pub mod fact;
pub mod fold;
pub mod funnel;
mod hearing;
mod memory;
mod merge;
mod moments;
mod moves;
pub mod predicate;
pub mod reading;
mod refused;
pub mod rules;
mod selling;
pub mod setup;
pub mod standing;
pub mod supposed;
mod tell;
pub mod walk;
pub mod words;
