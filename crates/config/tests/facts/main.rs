//! Facts about reading, judging and showing a configuration.

#![expect(clippy::unwrap_used, reason = "tests")]

mod base;
mod examples;
mod funnel;
mod funnel_base;
mod generated;
mod lowered;
mod many;
mod random;
mod shipped;
mod shown;
mod slips;
mod syntax;
