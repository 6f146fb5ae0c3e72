//! Baton's own canonical form: one JSON object per change. The fast path of the engine.

mod decode;
#[cfg(test)]
mod tests;

pub(crate) use decode::{Defaults, MEMBERS, change, decode};
