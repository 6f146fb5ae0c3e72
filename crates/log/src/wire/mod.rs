//! The wire: which requests are known and whether one's shape holds before it is decoded.

pub(crate) mod shape;
pub(crate) mod versions;
