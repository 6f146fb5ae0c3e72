//! Reading a partition: by offset for consumers, by time for seeking.

use std::os::unix::fs::FileExt;

use bytes::{Bytes, BytesMut};

use super::batch::{BatchHeader, HEADER_LEN};
use super::partition::{Bounds, Partition};
use super::records::{Records, payload};
use super::segment::{INDEX_INTERVAL, MAX_BATCH, Place};
use super::{StorageError, records};

/// Bytes read at a time when looking for a timestamp.
const SEEK_CHUNK: usize = 64 * 1024;

#[derive(Debug)]
pub(crate) struct Fetched {
    pub records: Bytes,
    pub bounds: Bounds,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the offset is not in the log")]
    OutOfRange(Bounds),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The first record at or after a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AtTime {
    pub offset: i64,
    pub timestamp: i64,
}

impl Partition {
    /// Bytes that a consumer at `offset` could get, at least roughly and never 0 when there are any.
    pub(crate) fn available(&self, offset: i64, at_most: usize) -> Result<usize, Bounds> {
        let log = self.lock();
        let bounds = self.bounds_of(&log);
        if offset < bounds.start || offset > bounds.high_watermark {
            return Err(bounds);
        }
        if offset == bounds.high_watermark {
            return Ok(0);
        }
        let index = log
            .segments
            .partition_point(|s| s.base_offset <= offset)
            .saturating_sub(1);
        let mut bytes = 0u64;
        for segment in log.segments.iter().skip(index) {
            if segment.next_offset > offset {
                let before = segment.approximate_position(offset);
                bytes += segment.size.saturating_sub(before);
            }
            if bytes >= at_most as u64 {
                return Ok(at_most);
            }
        }
        Ok(usize::try_from(bytes.max(1)).unwrap_or(at_most))
    }

    /// Whole batches from the one that holds `offset`, up to `max_bytes`. When `at_least_one`,
    /// the first batch is returned even if it is larger.
    pub(crate) fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Fetched, ReadError> {
        let mut skip_below = i64::MIN;
        loop {
            let (place, next_base, bounds) = {
                let log = self.lock();
                let bounds = self.bounds_of(&log);
                if offset < bounds.start || offset > bounds.high_watermark {
                    return Err(ReadError::OutOfRange(bounds));
                }
                let from = offset.max(skip_below);
                let index = log
                    .segments
                    .partition_point(|s| s.base_offset <= from)
                    .saturating_sub(1);
                let place = match log.segments.get(index) {
                    Some(s) if offset < bounds.high_watermark => {
                        Some(s.place(offset.max(s.base_offset))?)
                    }
                    _ => None,
                };
                let next_base = log.segments.get(index + 1).map(|s| s.base_offset);
                (place, next_base, bounds)
            };
            let Some(place) = place else {
                return Ok(Fetched {
                    records: Bytes::new(),
                    bounds,
                });
            };
            let found = read_batches(
                &place,
                offset,
                bounds.high_watermark,
                max_bytes,
                at_least_one,
            )
            .map_err(|e| StorageError::new("read", &self.dir, e))?;
            match (found, next_base) {
                (Some(records), _) => return Ok(Fetched { records, bounds }),
                // Compaction left nothing here at or after the offset.
                (None, Some(next)) => skip_below = next,
                (None, None) => {
                    return Ok(Fetched {
                        records: Bytes::new(),
                        bounds,
                    });
                }
            }
        }
    }

    /// The first record whose timestamp is at least `timestamp`.
    pub(crate) fn find_time(&self, timestamp: i64) -> Result<Option<AtTime>, StorageError> {
        let (places, bounds) = {
            let log = self.lock();
            let bounds = self.bounds_of(&log);
            let mut places = Vec::new();
            // Timestamps need not rise, so a segment's largest only says that one is there.
            for segment in log.segments.iter().filter(|s| s.max_timestamp >= timestamp) {
                places.push(segment.place_for_time(timestamp)?);
                if places.len() == 2 {
                    break;
                }
            }
            (places, bounds)
        };
        for place in places {
            let found = scan_batches(&place, &mut |header, batch| {
                if header.max_timestamp < timestamp || header.last_offset() < bounds.start {
                    return None;
                }
                first_in_batch(header, batch, timestamp, bounds.start)
            })
            .map_err(|e| StorageError::new("read", &self.dir, e))?;
            if let Some(at) = found.filter(|at| at.offset < bounds.high_watermark) {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// The record with the largest timestamp.
    pub(crate) fn find_max_timestamp(&self) -> Result<Option<AtTime>, StorageError> {
        let largest = self
            .lock()
            .segments
            .iter()
            .filter(|s| s.size > 0)
            .map(|s| s.max_timestamp)
            .max();
        match largest {
            Some(timestamp) => self.find_time(timestamp),
            None => Ok(None),
        }
    }
}

fn first_in_batch(
    header: &BatchHeader,
    batch: &[u8],
    timestamp: i64,
    start: i64,
) -> Option<AtTime> {
    if header.has_log_append_time() {
        return Some(AtTime {
            offset: header.base_offset.max(start),
            timestamp: header.max_timestamp,
        });
    }
    let Some(plain) = records::uncompressed(header, payload(batch)) else {
        // Not readable here: the batch's first record is early enough for any reader.
        return Some(AtTime {
            offset: header.base_offset.max(start),
            timestamp: header.base_timestamp,
        });
    };
    for record in Records::new(header, &plain) {
        let record = record.ok()?;
        let at = AtTime {
            offset: header.base_offset + i64::from(record.offset_delta),
            timestamp: header.base_timestamp.saturating_add(record.timestamp_delta),
        };
        if at.timestamp >= timestamp && at.offset >= start {
            return Some(at);
        }
    }
    None
}

/// `None` when no batch in the file reaches `offset`.
fn read_batches(
    place: &Place,
    offset: i64,
    high_watermark: i64,
    max_bytes: usize,
    at_least_one: bool,
) -> std::io::Result<Option<Bytes>> {
    let mut position = place.position;
    loop {
        let left = usize::try_from(place.size.saturating_sub(position)).unwrap_or(usize::MAX);
        if left < HEADER_LEN {
            return Ok(None);
        }
        let want = max_bytes
            .saturating_add(INDEX_INTERVAL as usize)
            .max(HEADER_LEN)
            .min(left);
        let mut chunk = BytesMut::zeroed(want);
        place.file.read_exact_at(&mut chunk, position)?;
        let mut at = 0;
        // Batches before the one asked for.
        let first = loop {
            match BatchHeader::parse(&chunk[at..]) {
                Ok(header) if header.len > MAX_BATCH => return Ok(Some(Bytes::new())),
                Ok(header) if header.last_offset() < offset => {
                    at += header.len;
                    if at >= chunk.len() {
                        break None;
                    }
                }
                Ok(header) => break Some(header),
                Err(_) => break None,
            }
        };
        let Some(first) = first else {
            if at == 0 {
                // Not even one header could be read: nothing more is valid here.
                return Ok(Some(Bytes::new()));
            }
            position += at as u64;
            continue;
        };
        if first.base_offset >= high_watermark {
            return Ok(Some(Bytes::new()));
        }
        if first.len > chunk.len() - at {
            if first.len > max_bytes && !at_least_one {
                return Ok(Some(Bytes::new()));
            }
            let mut whole = BytesMut::zeroed(first.len);
            place.file.read_exact_at(&mut whole, position + at as u64)?;
            return Ok(Some(whole.freeze()));
        }
        if first.len > max_bytes && !at_least_one {
            return Ok(Some(Bytes::new()));
        }
        let mut end = at + first.len;
        while let Ok(header) = BatchHeader::parse(&chunk[end..]) {
            if header.len > chunk.len() - end
                || end + header.len - at > max_bytes
                || header.base_offset >= high_watermark
            {
                break;
            }
            end += header.len;
        }
        return Ok(Some(chunk.freeze().slice(at..end)));
    }
}

/// Shows each whole batch from a place on, until `visit` returns something.
pub(super) fn scan_batches<T>(
    place: &Place,
    visit: &mut dyn FnMut(&BatchHeader, &[u8]) -> Option<T>,
) -> std::io::Result<Option<T>> {
    let mut position = place.position;
    let mut chunk = Vec::new();
    let mut need = SEEK_CHUNK;
    loop {
        let left = usize::try_from(place.size.saturating_sub(position)).unwrap_or(usize::MAX);
        if left < HEADER_LEN {
            return Ok(None);
        }
        chunk.resize(need.min(left), 0);
        place.file.read_exact_at(&mut chunk, position)?;
        let mut at = 0;
        need = SEEK_CHUNK;
        while let Ok(header) = BatchHeader::parse(&chunk[at..]) {
            if header.len > MAX_BATCH {
                return Ok(None);
            }
            let Some(batch) = chunk.get(at..at + header.len) else {
                need = need.max(header.len);
                break;
            };
            if let Some(found) = visit(&header, batch) {
                return Ok(Some(found));
            }
            at += header.len;
        }
        if at == 0 && need.min(left) <= chunk.len() {
            return Ok(None);
        }
        position += at as u64;
    }
}
