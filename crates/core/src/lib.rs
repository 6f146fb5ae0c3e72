//! Decides: the pure core. No clock, no randomness, no I/O.
