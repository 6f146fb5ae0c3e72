//! The funnel, read naively.

pub mod calendar;
pub mod stage;
