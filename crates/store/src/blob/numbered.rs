//! What a state says, it says many times: names of fields and systems, records, values, events. Here each is written
//! once, and is a number from then on.
//!
//! | what | how it is written |
//! | --- | --- |
//! | count | seven bits to a byte, the lowest first; the eighth says that there are more |
//! | name, record, text, digest | a zero and the thing itself, or one more than its number |
//! | value | twice its number; or one more than twice its kind (see [`kind`]), and the value itself |
//! | instant | the difference from the instant before it, its sign in the lowest bit |
//! | position | its arrival as an instant after the arrival before it, and the difference from the place before it |

mod reader;
mod writer;

pub(super) use self::{reader::Reader, writer::Writer};

/// Kinds of values. Those without more to them have no number.
mod kind {
    pub const BLANK: u64 = 0;
    pub const NO: u64 = 1;
    pub const YES: u64 = 2;
    pub const NUMBER: u64 = 3;
    pub const DATE: u64 = 4;
    pub const TIME: u64 = 5;
    pub const SET: u64 = 6;
    /// And one more for each byte of the text.
    pub const TEXT: u64 = 7;
}

/// Texts are compared with so many before them; there are few different ones.
const TEXTS: usize = 16;

/// No instant that anybody means is farther from 1970 (35,000 years). The marks at the ends of time are, and nothing is
/// compared with them.
const FAR: u64 = 1 << 50;

/// Numbers near zero are small, whatever their sign.
pub(super) const fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

pub(super) const fn unzigzag(said: u64) -> i64 {
    (said >> 1).cast_signed() ^ -(said & 1).cast_signed()
}

/// The instant that the next one is compared with.
#[derive(Clone, Copy)]
struct Before(i64);

impl Before {
    const fn said(&mut self, instant: i64) -> u64 {
        let said = zigzag(instant.wrapping_sub(self.0));
        self.note(instant);
        said
    }

    const fn meant(&mut self, said: u64) -> i64 {
        let instant = self.0.wrapping_add(unzigzag(said));
        self.note(instant);
        instant
    }

    const fn note(&mut self, instant: i64) {
        if instant.unsigned_abs() < FAR {
            self.0 = instant;
        }
    }
}

/// What is wrong with the bytes of a state.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    #[error("it ends in the middle of something")]
    Early,
    #[error("a number is longer than numbers are")]
    Number,
    #[error("a text is not UTF-8")]
    Text(#[from] std::str::Utf8Error),
    #[error("it refers to what it has not said")]
    Reference,
    #[error("a code has no meaning")]
    Code,
    #[error("a list that is sorted by its keys is not")]
    Order,
    #[error("it has a part {0}, which this Baton does not know: a newer one wrote it")]
    Part(u64),
    #[error("one of its parts")]
    Postcard(#[from] postcard::Error),
}
