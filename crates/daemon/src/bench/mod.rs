//! How fast Baton is on this machine: `baton bench`, one room for each thing that is measured.

pub mod core;
pub mod mirror;
mod people;
mod shape;
