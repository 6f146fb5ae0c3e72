//! Where the time comes from. Nothing else in the daemon asks the machine for it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use baton_core::time::Millis;

use crate::faults::clock_is_off;

/// The clock that the engine is run by.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// The machine's clock, but never back.
    Steady(Arc<Steady>),
    /// Milliseconds since 1970 that a driver (the demo, a test) sets.
    Simulated(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock for whoever lives long: when the machine's is set back, this one goes on at half its pace
    /// until it is caught up with, so that no timer waits for as long as the machine's has jumped.
    #[must_use]
    pub fn steady() -> Self {
        Self::Steady(Arc::new(Steady::new(machine(), Instant::now())))
    }

    /// A simulated clock that stands at `at`.
    #[must_use]
    pub fn simulated(at: Millis) -> Self {
        Self::Simulated(Arc::new(AtomicI64::new(at.0)))
    }

    #[must_use]
    pub fn now(&self) -> Millis {
        match self {
            Self::System => machine(),
            Self::Steady(steady) => steady.at(machine(), Instant::now()),
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

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks the machine for the time"
)]
fn machine() -> Millis {
    Millis(jiff::Timestamp::now().as_millisecond()).plus(clock_is_off())
}

/// A jump of the machine's clock that is worth a line, ms.
const JUMP: i64 = 60_000;

/// What [`Clock::steady`] remembers.
#[derive(Debug)]
pub struct Steady(Mutex<Anchor>);

#[derive(Clone, Copy, Debug)]
struct Anchor {
    /// What the machine's clock said when it was last not behind, and when that was.
    told: Millis,
    at: Instant,
    behind: bool,
}

impl Steady {
    fn new(machine: Millis, now: Instant) -> Self {
        Self(Mutex::new(Anchor {
            told: machine,
            at: now,
            behind: false,
        }))
    }

    fn at(&self, machine: Millis, now: Instant) -> Millis {
        let mut anchor = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(anchor.at);
        let slow = anchor.told.plus(ms(passed / 2));
        if machine < slow {
            let behind_ms = slow.since(machine);
            if !anchor.behind && behind_ms > JUMP {
                tracing::warn!(
                    behind_ms,
                    "the machine's clock was set back: Baton's goes on slowly until it is caught up with"
                );
                anchor.behind = true;
            }
            return slow;
        }
        let ahead_ms = machine.since(anchor.told.plus(ms(passed)));
        if ahead_ms > JUMP {
            tracing::warn!(
                ahead_ms,
                "the machine's clock jumped ahead: timers are due early"
            );
        }
        *anchor = Anchor {
            told: machine,
            at: now,
            behind: false,
        };
        machine
    }
}

fn ms(of: Duration) -> i64 {
    i64::try_from(of.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_clock_goes_on_slowly_when_the_machine_s_is_set_back() {
        let begun = Instant::now();
        let after = |ms| begun + Duration::from_millis(ms);
        let steady = Steady::new(Millis(1_000_000), begun);
        assert_eq!(
            steady.at(Millis(1_000_100), after(100)),
            Millis(1_000_100),
            "it is the machine's as long as that goes forward"
        );
        let back = |passed: i64| Millis(400_000 + passed);
        let mut before = Millis(1_000_100);
        for passed in (101..2_000).chain([900_000, 1_000_000]) {
            let told = steady.at(back(passed), after(passed.unsigned_abs()));
            assert!(told >= before, "{passed}");
            before = told;
        }
        assert_eq!(before, Millis(1_000_100 + 999_900 / 2));
        // Twice the jump later it is caught up with.
        let passed = 1_300_000;
        let told = steady.at(back(passed), after(passed.unsigned_abs()));
        assert_eq!(told, back(passed));
    }

    #[test]
    fn a_steady_clock_follows_a_jump_ahead() {
        let begun = Instant::now();
        let steady = Steady::new(Millis(0), begun);
        assert_eq!(steady.at(Millis(600_000), begun), Millis(600_000));
        let soon = begun + Duration::from_millis(10);
        assert_eq!(steady.at(Millis(600_010), soon), Millis(600_010));
        assert!(steady.at(Millis(20), soon) >= Millis(600_010));
    }

    #[test]
    fn a_simulated_clock_never_goes_back() {
        let clock = Clock::simulated(Millis(50));
        clock.advance_to(Millis(80));
        clock.advance_to(Millis(60));
        assert_eq!(clock.now(), Millis(80));
    }
}
