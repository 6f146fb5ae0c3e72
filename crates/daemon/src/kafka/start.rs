//! From where a partition is read: the store's position, checked against what the log holds.
//!
//! Offsets alone cannot tell a topic from one that was deleted and created anew under its name. The arrival of
//! the message at offset 0 can: it is the topic's incarnation, and stands beside every stored position. Nor can they
//! tell a log that lost its tail and has grown again, by a power cut or from a backup: the arrival of the message
//! before the position can, and stands there too.

use baton_core::time::Millis;

/// A position as the store remembers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Arrival of the message at offset 0; none where it was never seen.
    pub incarnation: Option<Millis>,
    /// Offset of the next message.
    pub next: i64,
    /// Arrival of the message before it; none where an older Baton stored the position.
    pub arrival: Option<Millis>,
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
    /// Go on where the last transaction ended: behind a message that arrived at that time.
    At {
        offset: i64,
        arrival: Option<Millis>,
    },
    /// The topic was created anew. All of it is read; what was known already is found to be duplicate by the core.
    Recreated { position: i64, end: i64 },
    /// The log lost its tail (a power cut without `fsync = "always"`, or a backup put back): the store is ahead of
    /// it. Nobody knows from which offset on there are, or will be, new messages, so all of it is read; what was
    /// known already is found to be duplicate by the core.
    Shrunk { position: i64, end: i64 },
    /// The log begins after the position: retention took messages that were never read.
    Lost { position: i64, low: i64 },
}

impl Start {
    /// At an offset, whatever stands before it.
    #[must_use]
    pub const fn at(offset: i64) -> Self {
        Self::At {
            offset,
            arrival: None,
        }
    }

    /// The offset to seek to; `None`: the beginning.
    #[must_use]
    pub const fn offset(self) -> Option<i64> {
        match self {
            Self::Beginning | Self::Recreated { .. } | Self::Shrunk { .. } => None,
            Self::At { offset, .. } => Some(offset),
            Self::Lost { low, .. } => Some(low),
        }
    }

    /// The message whose arrival tells whether the log still has what was read of it: its offset.
    #[must_use]
    pub const fn witness(self) -> Option<i64> {
        match self {
            Self::At {
                offset,
                arrival: Some(_),
            } if offset > 0 => Some(offset - 1),
            _ => None,
        }
    }

    /// The same after a look at the witness: its arrival as the log has it, or none if it is not there any more.
    #[must_use]
    pub fn confirmed(self, witness: Option<Millis>, end: i64) -> Self {
        match (self, witness) {
            (
                Self::At {
                    offset,
                    arrival: Some(arrival),
                },
                Some(found),
            ) if found != arrival => Self::Shrunk {
                position: offset,
                end,
            },
            (start, _) => start,
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
        (Some(same), _) => same.go_on(),
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
        (None, _) => newest.go_on(),
    }
}

impl Stored {
    const fn go_on(self) -> Start {
        Start::At {
            offset: self.next,
            arrival: self.arrival,
        }
    }
}

/// Says where reading begins when it is not simply where it ended.
pub(super) fn announce(topic: &str, partition: i32, start: Start) {
    match start {
        Start::Beginning | Start::At { .. } => {}
        Start::Recreated { position, end } => tracing::warn!(
            topic,
            partition,
            position,
            end,
            "the topic was created anew, reading it from its beginning"
        ),
        Start::Shrunk { position, end } => tracing::error!(
            topic,
            partition,
            position,
            end,
            "the store is ahead of its log: the log lost its tail or was put back from a backup, reading all of it; what \
             came with the lost messages stays settled"
        ),
        Start::Lost { position, low } => tracing::error!(
            topic,
            partition,
            position,
            low,
            "the log begins after the stored position: retention removed messages that were never read"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BORN: Millis = Millis(1_000);
    const ARRIVED: Millis = Millis(5_000);

    fn at(next: i64) -> [Stored; 1] {
        [Stored {
            incarnation: Some(BORN),
            next,
            arrival: Some(ARRIVED),
        }]
    }

    const fn on(offset: i64) -> Start {
        Start::At {
            offset,
            arrival: Some(ARRIVED),
        }
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
            assert_eq!(start(&at(next), log(0, 10, Some(BORN))), on(next));
        }
        assert_eq!(start(&at(7), log(5, 10, None)), on(7));
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
            arrival: Some(ARRIVED),
        };
        let both = [old[0], new];
        assert_eq!(start(&both, log(0, 10, Some(Millis(2_000)))), on(3));
        assert_eq!(start(&both, log(2, 10, None)), on(3));
    }

    #[test]
    fn a_store_ahead_of_its_log_reads_the_log_whole() {
        let found = start(&at(12), log(0, 10, Some(BORN)));
        assert_eq!(
            found,
            Start::Shrunk {
                position: 12,
                end: 10
            }
        );
        assert_eq!(found.offset(), None, "what is new in it may stand anywhere");
    }

    #[test]
    fn a_log_that_lost_its_tail_and_grew_again_is_known_by_the_message_before_the_position() {
        let stored = start(&at(4), log(0, 10, Some(BORN)));
        assert_eq!(stored.witness(), Some(3));
        assert_eq!(stored.confirmed(Some(ARRIVED), 10), on(4));
        let shrunk = Start::Shrunk {
            position: 4,
            end: 10,
        };
        assert_eq!(stored.confirmed(Some(Millis(5_001)), 10), shrunk);
    }

    #[test]
    fn a_message_that_retention_or_compaction_took_is_no_witness() {
        assert_eq!(on(4).confirmed(None, 10), on(4));
        let by_an_older_baton = Start::At {
            offset: 4,
            arrival: None,
        };
        assert_eq!(by_an_older_baton.witness(), None);
        assert_eq!(
            by_an_older_baton.confirmed(Some(BORN), 10),
            by_an_older_baton
        );
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
