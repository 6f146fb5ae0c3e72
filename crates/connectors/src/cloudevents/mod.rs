//! CloudEvents 1.0 in structured JSON, whose data is Baton's canonical form.

mod decode;
#[cfg(test)]
mod tests;

pub(crate) use decode::decode;
