//! The laws on random histories, by number.

mod account;
mod claims;
mod convergence;
