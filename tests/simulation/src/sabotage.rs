//! Mistakes that are made on purpose, in the simulation and never in what it simulates: each must be noticed, or the
//! simulation proves nothing.

/// One mistake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sabotage {
    /// The log acknowledges messages and loses some.
    LogLoses,
    /// A consumer goes on at the end of a partition, not where the store says.
    ConsumerSkips,
    /// A worker does not look whether somebody else has moved its partition on: it takes its stale batches in.
    StalePlaces,
    /// The store loses a row of its ledger.
    LedgerTears,
    /// The store loses what waits for the relay.
    OutboxLost,
    /// The store forgets every timer.
    TimersForgotten,
    /// The store loses what was done in the funnel.
    DeedsLost,
    /// A target carries a command out again when it comes again.
    TargetRepeats,
}

impl Sabotage {
    pub const ALL: [Self; 8] = [
        Self::LogLoses,
        Self::ConsumerSkips,
        Self::StalePlaces,
        Self::LedgerTears,
        Self::OutboxLost,
        Self::TimersForgotten,
        Self::DeedsLost,
        Self::TargetRepeats,
    ];
}
