//! Speaks to each outside system: decodes what it sends.
