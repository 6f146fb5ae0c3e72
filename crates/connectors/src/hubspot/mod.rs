//! HubSpot webhooks: arrays of events, each about one property.

mod decode;
mod engagement;
#[cfg(test)]
mod tests;

pub(crate) use decode::decode;
