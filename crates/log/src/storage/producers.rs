//! What a partition remembers of idempotent producers, so that a batch sent twice is stored once.

use std::collections::{HashMap, VecDeque};

use super::batch::BatchHeader;

/// Batches remembered per producer: as many as a client may have in flight.
const REMEMBERED: usize = 5;
/// Producers remembered per partition; the one unused for longest is forgotten first.
const MAX_PRODUCERS: usize = 4096;
const MAGIC: &[u8; 4] = b"BLP1";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Remembered {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
    last_offset: i64,
    log_append_time: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Producer {
    epoch: i16,
    batches: VecDeque<Remembered>,
    /// Offset of the newest batch: the order in which producers are forgotten.
    last_offset: i64,
}

/// What to do with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Append,
    /// Stored before, at these offsets.
    Duplicate {
        base_offset: i64,
        last_offset: i64,
        log_append_time: i64,
    },
    OutOfOrder,
    Fenced,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Producers {
    by_id: HashMap<i64, Producer>,
}

fn last_sequence(header: &BatchHeader) -> i32 {
    // Sequences wrap from i32::MAX to 0.
    let last = i64::from(header.base_sequence) + i64::from(header.last_offset_delta);
    i32::try_from(last & i64::from(i32::MAX)).unwrap_or(0)
}

impl Producers {
    pub(crate) fn check(&self, header: &BatchHeader) -> Verdict {
        if header.producer_id < 0 {
            return Verdict::Append;
        }
        let Some(producer) = self.by_id.get(&header.producer_id) else {
            return Verdict::Append;
        };
        if header.producer_epoch < producer.epoch {
            return Verdict::Fenced;
        }
        if header.producer_epoch > producer.epoch {
            return if header.base_sequence == 0 {
                Verdict::Append
            } else {
                Verdict::OutOfOrder
            };
        }
        let last = last_sequence(header);
        if let Some(known) = producer
            .batches
            .iter()
            .find(|b| b.first_sequence == header.base_sequence && b.last_sequence == last)
        {
            return Verdict::Duplicate {
                base_offset: known.base_offset,
                last_offset: known.last_offset,
                log_append_time: known.log_append_time,
            };
        }
        match producer.batches.back() {
            Some(newest) => {
                let expected = newest.last_sequence.checked_add(1).unwrap_or(0);
                if header.base_sequence == expected {
                    Verdict::Append
                } else {
                    Verdict::OutOfOrder
                }
            }
            None => Verdict::Append,
        }
    }

    /// Remembers a batch that has its final offset.
    pub(crate) fn record(&mut self, header: &BatchHeader) {
        if header.producer_id < 0 {
            return;
        }
        let producer = self.by_id.entry(header.producer_id).or_default();
        if header.producer_epoch != producer.epoch {
            producer.epoch = header.producer_epoch;
            producer.batches.clear();
        }
        if producer.batches.len() == REMEMBERED {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Remembered {
            first_sequence: header.base_sequence,
            last_sequence: last_sequence(header),
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            log_append_time: if header.has_log_append_time() {
                header.max_timestamp
            } else {
                -1
            },
        });
        producer.last_offset = header.last_offset();
        if self.by_id.len() > MAX_PRODUCERS {
            self.forget_oldest();
        }
    }

    /// Forgets a quarter, so that the cost is spread over many batches.
    fn forget_oldest(&mut self) {
        let mut offsets: Vec<i64> = self.by_id.values().map(|p| p.last_offset).collect();
        let (_, cut, _) = offsets.select_nth_unstable(MAX_PRODUCERS / 4);
        let cut = *cut;
        self.by_id.retain(|_, p| p.last_offset > cut);
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + self.by_id.len() * 160);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&(self.by_id.len() as u64).to_be_bytes());
        let mut ids: Vec<_> = self.by_id.iter().collect();
        ids.sort_unstable_by_key(|(id, _)| **id);
        for (id, producer) in ids {
            out.extend_from_slice(&id.to_be_bytes());
            out.extend_from_slice(&producer.epoch.to_be_bytes());
            out.extend_from_slice(&producer.last_offset.to_be_bytes());
            out.push(producer.batches.len() as u8);
            for b in &producer.batches {
                out.extend_from_slice(&b.first_sequence.to_be_bytes());
                out.extend_from_slice(&b.last_sequence.to_be_bytes());
                out.extend_from_slice(&b.base_offset.to_be_bytes());
                out.extend_from_slice(&b.last_offset.to_be_bytes());
                out.extend_from_slice(&b.log_append_time.to_be_bytes());
            }
        }
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_be_bytes());
        out
    }

    /// `None` when the bytes are not a whole snapshot.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(body) != u32::from_be_bytes(*crc) {
            return None;
        }
        let mut rest = body.strip_prefix(MAGIC)?;
        let count = u64::from_be_bytes(take(&mut rest)?);
        let mut by_id = HashMap::new();
        for _ in 0..count {
            let id = i64::from_be_bytes(take(&mut rest)?);
            let epoch = i16::from_be_bytes(take(&mut rest)?);
            let last_offset = i64::from_be_bytes(take(&mut rest)?);
            let [len] = take(&mut rest)?;
            let mut batches = VecDeque::with_capacity(REMEMBERED);
            for _ in 0..len {
                batches.push_back(Remembered {
                    first_sequence: i32::from_be_bytes(take(&mut rest)?),
                    last_sequence: i32::from_be_bytes(take(&mut rest)?),
                    base_offset: i64::from_be_bytes(take(&mut rest)?),
                    last_offset: i64::from_be_bytes(take(&mut rest)?),
                    log_append_time: i64::from_be_bytes(take(&mut rest)?),
                });
            }
            by_id.insert(
                id,
                Producer {
                    epoch,
                    batches,
                    last_offset,
                },
            );
        }
        Some(Self { by_id })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(base_offset: i64, sequence: i32, count: i32, epoch: i16) -> BatchHeader {
        BatchHeader {
            base_offset,
            len: 100,
            crc: 0,
            attributes: 0,
            last_offset_delta: count - 1,
            base_timestamp: 0,
            max_timestamp: 0,
            producer_id: 7,
            producer_epoch: epoch,
            base_sequence: sequence,
            count,
        }
    }

    #[test]
    fn a_batch_seen_before_is_a_duplicate_and_a_gap_is_refused() {
        let mut producers = Producers::default();
        producers.record(&batch(10, 0, 3, 0));
        assert_eq!(
            producers.check(&batch(0, 0, 3, 0)),
            Verdict::Duplicate {
                base_offset: 10,
                last_offset: 12,
                log_append_time: -1
            }
        );
        assert_eq!(producers.check(&batch(0, 3, 1, 0)), Verdict::Append);
        assert_eq!(producers.check(&batch(0, 4, 1, 0)), Verdict::OutOfOrder);
        assert_eq!(producers.check(&batch(0, 0, 1, 1)), Verdict::Append);
        assert_eq!(producers.check(&batch(0, 3, 1, 1)), Verdict::OutOfOrder);
        producers.record(&batch(13, 0, 1, 1));
        assert_eq!(producers.check(&batch(0, 3, 1, 0)), Verdict::Fenced);
    }

    #[test]
    fn sequences_wrap_at_the_largest_number() {
        let mut producers = Producers::default();
        producers.record(&batch(0, i32::MAX - 1, 2, 0));
        assert_eq!(producers.check(&batch(0, 0, 1, 0)), Verdict::Append);
        producers.record(&batch(2, i32::MAX, 2, 0));
        assert_eq!(producers.check(&batch(0, 1, 1, 0)), Verdict::Append);
    }

    #[test]
    fn a_snapshot_is_read_back_and_a_damaged_one_is_not() {
        let mut producers = Producers::default();
        for i in 0..7 {
            producers.record(&batch(i64::from(i), i, 1, 0));
        }
        let mut bytes = producers.encode();
        assert_eq!(Producers::decode(&bytes), Some(producers));
        bytes[9] ^= 1;
        assert_eq!(Producers::decode(&bytes), None);
        assert_eq!(Producers::decode(&[]), None);
    }

    #[test]
    fn producers_unused_for_longest_are_forgotten_first() {
        let mut producers = Producers::default();
        for id in 0..=(MAX_PRODUCERS as i64) {
            let mut header = batch(id, 0, 1, 0);
            header.producer_id = id;
            producers.record(&header);
        }
        assert!(producers.by_id.len() < MAX_PRODUCERS);
        assert!(!producers.by_id.contains_key(&0));
        assert!(producers.by_id.contains_key(&(MAX_PRODUCERS as i64)));
    }
}
