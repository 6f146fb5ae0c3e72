//! Remembers: state, crosswalk, ledger, outbox, timers and positions, in one transaction.
//!
//! [`Store::load`] fills a [`Book`](baton_core::book::Book) with what a batch needs, the core settles the batch in
//! memory, and [`Store::commit`] writes what changed together with the positions it was read from. Rows carry
//! versions: when another worker was faster, nothing is written and the batch is settled again from fresh rows.

mod blob;
mod cell;
mod code;
mod commit;
mod error;
mod fold;
mod funnel;
mod load;
#[cfg(feature = "memory")]
pub mod memory;
mod open;
mod outbox;
mod packet;
mod read;
mod ready;
mod row;
mod runs;
mod scratch;
mod server;
mod sleepers;
mod sql;
mod steward;
#[cfg(feature = "testing")]
pub mod testing;

pub use blob::{BlobError, FORMAT};
pub use commit::{Advance, Batch, Committed, DeadLetter, Erasure, Newest, Prepared};
pub use error::{Class, Error};
pub use funnel::{Deed, Stands};
pub use open::{Durability, Options, Store};
pub use outbox::{Lease, OutboxRow, OutboxSeq};
pub use read::{LedgerEntry, LedgerSeq, StoredPosition};
pub use runs::RunCounts;
pub use scratch::Scratch;
pub use server::Server;
pub use steward::{Activation, Counts, StewardState};
