//! Marketo: lead changes, deleted leads and other activities, with before-images.

mod decode;
#[cfg(test)]
mod tests;

pub(crate) use decode::decode;
