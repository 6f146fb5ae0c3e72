//! HubSpot webhooks: arrays of events, each about one property.

mod decode;
#[cfg(test)]
mod tests;

pub(crate) use decode::decode;
