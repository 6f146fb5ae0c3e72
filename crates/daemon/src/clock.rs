//! Where the time comes from. Nothing else in the daemon asks the machine for it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use baton_core::time::Millis;

/// The clock that the engine is run by.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// Milliseconds since 1970 that a driver (the demo, a test) sets.
    Simulated(Arc<AtomicI64>),
}

impl Clock {
    /// A simulated clock that stands at `at`.
    #[must_use]
    pub fn simulated(at: Millis) -> Self {
        Self::Simulated(Arc::new(AtomicI64::new(at.0)))
    }

    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the machine for the time"
    )]
    pub fn now(&self) -> Millis {
        match self {
            Self::System => Millis(jiff::Timestamp::now().as_millisecond()),
            Self::Simulated(at) => Millis(at.load(Ordering::Acquire)),
        }
    }

    /// Moves a simulated clock forward to `to`; never back. The machine's clock does as it likes.
    pub fn advance_to(&self, to: Millis) {
        if let Self::Simulated(at) = self {
            at.fetch_max(to.0, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_clock_never_goes_back() {
        let clock = Clock::simulated(Millis(50));
        clock.advance_to(Millis(80));
        clock.advance_to(Millis(60));
        assert_eq!(clock.now(), Millis(80));
    }
}
