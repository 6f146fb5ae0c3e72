//! Debezium envelopes: rows captured from a database.

mod decode;
#[cfg(test)]
mod tests;

pub(crate) use decode::{decode, key_id};
