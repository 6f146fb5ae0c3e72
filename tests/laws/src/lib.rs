//! Worlds for the laws: rules, random histories, and the engine in memory.

pub mod closed_loop;
pub mod history;
pub mod world;
