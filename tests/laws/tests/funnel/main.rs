//! The funnel, wired: changes of two systems in, stages, deeds and commands out, by the shipped configuration.
#![expect(clippy::unwrap_used, reason = "a test")]

mod accounts;
mod convergence;
mod deals;
mod scenarios;
mod strangers;
mod supposed;
mod variant;
mod way;
mod world;
