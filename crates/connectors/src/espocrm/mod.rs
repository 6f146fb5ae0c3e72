//! EspoCRM webhooks: arrays of whole or partial entities.

mod decode;
#[cfg(test)]
mod tests;

pub(crate) use decode::decode;
