//! Remembers: state, ledger, outbox, timers and positions in one transaction.
