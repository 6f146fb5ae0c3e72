//! Salesforce change data capture, as JSON.

mod activity;
mod decode;
#[cfg(test)]
mod tests;

pub(crate) use decode::decode;
