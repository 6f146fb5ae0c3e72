//! Decides: the pure core of Baton. No clock, no randomness, no I/O, no logging; ordered maps only.
//!
//! A change flows `decode → normalise → identify → apply`; see [`book::Book::settle`] for the line that reads so.

pub mod absorb;
mod acts;
pub mod answer;
pub mod apply;
pub mod arrange;
pub mod book;
pub mod canon;
pub mod change;
pub mod claim;
pub mod consent;
pub mod creates;
pub mod echo;
pub mod effects;
pub mod explain;
pub mod guard;
pub mod history;
pub mod holdings;
pub mod id;
pub mod identify;
pub mod input;
pub mod judge;
pub mod keys;
pub mod laws;
pub mod lifecycle;
pub mod links;
pub mod name;
pub mod needs;
pub mod normalise;
pub mod observe;
pub mod order;
pub mod plan;
mod rejudge;
pub mod render;
mod reread;
pub mod rest;
pub mod rules;
pub mod seal;
pub mod sharing;
pub mod state;
pub mod strategy;
pub mod survey;
mod tasks;
pub mod time;
pub mod value;
pub mod wire;
