//! From where a partition is read: the store's position, checked against what the log holds.
//!
//! Offsets alone cannot tell a topic from one that was deleted and created anew under its name. The arrival of
//! the message at offset 0 can: it is the topic's incarnation, and stands beside every stored position.

use baton_core::time::Millis;

/// A position as the store remembers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Arrival of the message at offset 0; none where it was never seen.
    pub incarnation: Option<Millis>,
    /// Offset of the next message.
    pub next: i64,
}

/// What a partition holds now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// Offset of the first message still there.
    pub low: i64,
    /// Offset that the next message will get.
    pub end: i64,
    /// Arrival of the message at offset 0, if it is still there.
    pub first: Option<Millis>,
}

/// Where to begin, and what to say about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// Nothing was read of it yet.
    Beginning,
    /// Go on where the last transaction ended.
    At(i64),
    /// The topic was created anew. All of it is read; what was known already is found to be duplicate by the core.
    Recreated { position: i64, end: i64 },
    /// The log lost its tail (a power cut without `fsync = "always"`): the store is ahead of it. Offsets from
    /// `end` on are given to new messages, so reading goes on there.
    Shrunk { position: i64, end: i64 },
    /// The log begins after the position: retention took messages that were never read.
    Lost { position: i64, low: i64 },
}

impl Start {
    /// The offset to seek to; `None`: the beginning.
    #[must_use]
    pub const fn offset(self) -> Option<i64> {
        match self {
            Self::Beginning | Self::Recreated { .. } => None,
            Self::At(at) => Some(at),
            Self::Shrunk { end, .. } => Some(end),
            Self::Lost { low, .. } => Some(low),
        }
    }
}

/// Decides where to begin. `stored` are the positions of all incarnations of the partition.
#[must_use]
pub fn start(stored: &[Stored], found: Found) -> Start {
    let Found { low, end, first } = found;
    let Some(newest) = stored.iter().max_by_key(|s| s.incarnation) else {
        return Start::Beginning;
    };
    let same = first.and_then(|first| stored.iter().find(|s| s.incarnation == Some(first)));
    match (same, first) {
        (Some(Stored { next, .. }), _) if *next > end => Start::Shrunk {
            position: *next,
            end,
        },
        (Some(Stored { next, .. }), _) => Start::At(*next),
        // Another message stands at offset 0 than the one that was read there.
        (None, Some(_)) if newest.incarnation.is_some() => Start::Recreated {
            position: newest.next,
            end,
        },
        (None, _) if newest.next > end => Start::Recreated {
            position: newest.next,
            end,
        },
        (None, _) if newest.next < low => Start::Lost {
            position: newest.next,
            low,
        },
        (None, _) => Start::At(newest.next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BORN: Millis = Millis(1_000);

    fn at(next: i64) -> [Stored; 1] {
        [Stored {
            incarnation: Some(BORN),
            next,
        }]
    }

    const fn log(low: i64, end: i64, first: Option<Millis>) -> Found {
        Found { low, end, first }
    }

    #[test]
    fn an_unread_partition_is_read_from_its_beginning() {
        assert_eq!(start(&[], log(0, 10, Some(BORN))), Start::Beginning);
        assert_eq!(start(&[], log(7, 10, None)), Start::Beginning);
    }

    #[test]
    fn reading_goes_on_where_the_last_transaction_ended() {
        for next in [1, 4, 10] {
            assert_eq!(start(&at(next), log(0, 10, Some(BORN))), Start::At(next));
        }
        assert_eq!(start(&at(7), log(5, 10, None)), Start::At(7));
    }

    #[test]
    fn a_topic_created_anew_is_read_whole_even_if_it_is_longer_than_the_old_one() {
        let found = start(&at(4), log(0, 10, Some(Millis(2_000))));
        assert_eq!(
            found,
            Start::Recreated {
                position: 4,
                end: 10
            }
        );
        assert_eq!(found.offset(), None);
    }

    #[test]
    fn a_topic_created_anew_and_still_empty_is_read_from_its_beginning() {
        assert_eq!(start(&at(4), log(0, 0, None)).offset(), None);
    }

    #[test]
    fn the_position_of_the_right_incarnation_is_taken() {
        let old = at(90);
        let new = Stored {
            incarnation: Some(Millis(2_000)),
            next: 3,
        };
        let both = [old[0], new];
        assert_eq!(start(&both, log(0, 10, Some(Millis(2_000)))), Start::At(3));
        assert_eq!(start(&both, log(2, 10, None)), Start::At(3));
    }

    #[test]
    fn a_store_ahead_of_its_log_goes_on_at_the_end_of_the_log() {
        let found = start(&at(12), log(0, 10, Some(BORN)));
        assert_eq!(
            found,
            Start::Shrunk {
                position: 12,
                end: 10
            }
        );
        assert_eq!(found.offset(), Some(10));
    }

    #[test]
    fn messages_that_retention_took_unread_are_said_to_be_lost() {
        let found = start(&at(2), log(5, 10, None));
        assert_eq!(
            found,
            Start::Lost {
                position: 2,
                low: 5
            }
        );
        assert_eq!(found.offset(), Some(5));
    }
}
