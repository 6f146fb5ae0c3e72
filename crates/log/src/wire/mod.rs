//! The wire: which requests are known, whether one's shape holds before it is decoded, and the one answer that is
//! encoded here.

pub(crate) mod fetch;
pub(crate) mod shape;
pub(crate) mod versions;
