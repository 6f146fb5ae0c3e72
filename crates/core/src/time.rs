//! Instants on the log's and the vendors' clocks. The core never asks what time it is now.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Millis(pub i64);

pub const SECOND: i64 = 1_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

impl Millis {
    /// The time of a change that names neither time nor sequence: below any timed observation.
    pub const UNTIMED: Self = Self(i64::MIN / 4);
    /// Later than any instant a vendor can name.
    pub const NEVER: Self = Self(i64::MAX / 4);

    /// The start of the quantum this instant falls in.
    #[must_use]
    pub const fn floor(self, quantum_ms: i64) -> Self {
        if self.0 == Self::UNTIMED.0 {
            self
        } else {
            Self(self.0.div_euclid(quantum_ms) * quantum_ms)
        }
    }

    #[must_use]
    pub const fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    #[must_use]
    pub const fn minus(self, ms: i64) -> Self {
        Self(self.0.saturating_sub(ms))
    }

    /// Milliseconds from `earlier` to this instant.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    #[must_use]
    pub const fn is_timed(self) -> bool {
        self.0 != Self::UNTIMED.0
    }

    /// Reads an RFC 3339 instant such as `2026-11-22T07:55:34.250Z` or `…+02:00`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>()
            .ok()
            .map(|t| Self(t.as_millisecond()))
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) if self.is_timed() => fmt::Display::fmt(&at, f),
            _ => f.pad("untimed"),
        }
    }
}

impl fmt::Debug for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
