//! Shared fixtures of the whole-engine tests.
