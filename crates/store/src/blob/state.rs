//! How a state is stored: its id, then its parts, each after its number, then a zero. What is empty or usual is not
//! there, so a state may get new parts: an older Baton says that it does not know them. The parts of a delivery are
//! written in the same way. What is in nearly every state is numbered (see [`super::numbered`]), the rest is postcard.
//!
//! An event, a golden value, an intent and an act begin with a byte of flags. An observation is one number:
//!
//! | bits | meaning |
//! | --- | --- |
//! | 0, 1 | its content: the same as before, the next, or another, whose number follows |
//! | 2, 3 | what it is sealed as |
//! | 4 … | its event: the difference from the one after the event before |

mod read;
mod write;

use baton_core::state::State;

use super::numbered::{Malformed, Reader, Writer};

/// Numbers of the parts of a state. A number that was used once keeps its meaning.
mod part {
    pub const END: u64 = 0;
    pub const LINKS: u64 = 1;
    pub const HISTORIES: u64 = 2;
    pub const GOLDEN: u64 = 3;
    pub const GOLDEN_VERSION: u64 = 4;
    pub const DELIVERIES: u64 = 5;
    pub const PROVENANCE: u64 = 6;
    pub const WAKE: u64 = 7;
    pub const SETTLING: u64 = 8;
    pub const DUE: u64 = 9;
    pub const SEALED_BEFORE: u64 = 10;
    pub const LOCKS: u64 = 11;
    pub const RULINGS: u64 = 12;
    pub const STAGES: u64 = 13;
    pub const SHARED_CONSENT: u64 = 14;
    pub const CREATES: u64 = 15;
    pub const GUARDED: u64 = 16;
    pub const MERGED_INTO: u64 = 17;
    pub const ABSORBED: u64 = 18;
    pub const ERASED: u64 = 19;
    pub const ARCHIVED: u64 = 20;
    /// But for what people did, which follows as [`ACTS`]. Stored by an older Baton it may hold that, too.
    pub const FUNNEL: u64 = 21;
    pub const ACTS: u64 = 22;
}

/// Numbers of the parts of a delivery.
mod of_delivery {
    pub const END: u64 = 0;
    pub const INTENTS: u64 = 1;
    pub const NEXT_INTENT: u64 = 2;
    pub const OUTSTANDING: u64 = 3;
    pub const WRITES: u64 = 4;
    pub const PENDING: u64 = 5;
    pub const RENDERINGS: u64 = 6;
    pub const REFUSED: u64 = 7;
    pub const CONTESTED: u64 = 8;
    pub const HELD: u64 = 9;
    pub const REVERTS: u64 = 10;
    pub const READ_WANTED: u64 = 11;
    pub const READ_AGAIN: u64 = 12;
    pub const LAST_READ: u64 = 13;
    pub const REFUSED_RECORD: u64 = 14;
    pub const DELETED: u64 = 15;
    pub const RETRY: u64 = 16;
}

/// Flags of an event; its origin stands in the two highest bits.
mod of_event {
    pub const READ_BACK: u8 = 1;
    pub const BY_READING: u8 = 2;
    pub const DELTA: u8 = 4;
    pub const ACTOR: u8 = 8;
    pub const MAY_MATCH: u8 = 16;
    pub const SEQ: u8 = 32;
    pub const ORIGIN: u8 = 6;
}

/// Flags of a golden value.
mod of_golden {
    pub const DECIDED: u8 = 1;
    pub const WINNER: u8 = 2;
    pub const SINCE: u8 = 4;
    pub const EVENT: u8 = 8;
    /// All but its value is as it is in the one before.
    pub const AS_BEFORE: u8 = 16;
}

/// Flags of an intent; its end stands in the bits from this one on.
mod of_intent {
    pub const ANSWERED: u8 = 1;
    pub const STAMP: u8 = 2;
    pub const END: u8 = 2;
}

/// Flags of one field of an intent.
mod of_written {
    pub const ANSWERED: u8 = 1;
    pub const REFUSED: u8 = 2;
}

/// Flags of something that somebody did; who did it stands in the bits from this one on.
mod of_act {
    pub const SEQ: u8 = 1;
    pub const EFFECTIVE: u8 = 2;
    pub const CONTENT: u8 = 4;
    pub const CAMPAIGN: u8 = 8;
    pub const ACTOR: u8 = 4;
}

/// How an observation tells its content, in its two lowest bits.
mod of_obs {
    pub const SAME: u64 = 0;
    pub const NEXT: u64 = 1;
    pub const OTHER: u64 = 2;
    pub const SEALED: u64 = 2;
    pub const EVENT: u64 = 4;
}

/// A content has a before-image.
const BEFORE: u8 = 8;

/// Appends the stored form to `out`.
pub(super) fn write(state: &State, out: Vec<u8>) -> postcard::Result<Vec<u8>> {
    let mut writer = Writer::new(out);
    writer.state(state)?;
    Ok(writer.out)
}

/// The state, and how many bytes are left behind it.
pub(super) fn read(bytes: &[u8]) -> Result<(State, usize), Malformed> {
    let mut reader = Reader::new(bytes);
    let state = reader.state()?;
    Ok((state, reader.left()))
}

#[cfg(test)]
mod tests;
