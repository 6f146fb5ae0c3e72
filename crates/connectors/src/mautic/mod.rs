//! Mautic webhooks: whole contacts and companies under their events' names.

mod decode;
#[cfg(test)]
mod tests;

pub(crate) use decode::decode;
