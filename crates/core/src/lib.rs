//! Decides: the pure core of Baton. No clock, no randomness, no I/O, no logging; ordered maps only.
//!
//! A change flows `decode → normalise → identify → apply`; see [`book::Book::settle`] for the line that reads so.

pub mod answer;
pub mod apply;
pub mod book;
pub mod canon;
pub mod change;
pub mod claim;
pub mod consent;
pub mod effects;
pub mod explain;
pub mod id;
pub mod identify;
pub mod input;
pub mod judge;
pub mod laws;
pub mod name;
pub mod normalise;
pub mod order;
pub mod plan;
pub mod render;
pub mod rest;
pub mod rules;
pub mod seal;
pub mod state;
pub mod strategy;
mod tasks;
pub mod time;
pub mod value;
pub mod wire;
