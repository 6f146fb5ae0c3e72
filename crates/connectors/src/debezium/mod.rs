//! Debezium envelopes: rows captured from a database.

mod decode;
mod flat;
#[cfg(test)]
mod tests;
mod types;

pub(crate) use decode::{decode, key_id};
