//! How fast Baton is on this machine: `baton bench`, one room for each thing that is measured.

mod aims;
mod child;
pub mod core;
pub mod lifecycle;
pub mod log;
pub mod mirror;
mod people;
mod process;
mod shape;
mod site;
mod target;
mod trace;
mod worker;
