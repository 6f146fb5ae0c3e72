//! Facts about the contract, each worked out by hand.

mod blanks;
mod consent;
mod groups;
mod laws;
mod order;
mod stages;
mod story;
mod strategies;
mod targets;
