//! Salesforce change data capture, as JSON.

mod decode;
#[cfg(test)]
mod tests;

pub(crate) use decode::decode;
