//! Reading a partition: by offset for consumers, by time for seeking.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::batch::{BatchHeader, HEADER_LEN};
use super::partition::{Bounds, Partition};
use super::records::{Records, payload};
use super::segment::{MAX_BATCH, Place};
use super::{StorageError, records};

/// Bytes read at a time when looking for a timestamp.
const SEEK_CHUNK: usize = 64 * 1024;

/// Whole batches, as they stand one after the other in a file.
#[derive(Debug, Clone)]
pub(crate) struct Stretch {
    pub file: Arc<File>,
    pub position: u64,
    pub len: usize,
}

/// Where records were found.
#[derive(Debug)]
pub(crate) struct Found {
    /// `None` when there are none yet, or when none fit.
    pub records: Option<Stretch>,
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
        for (at, segment) in log.segments.iter().enumerate().skip(index) {
            if segment.next_offset > offset {
                let before = segment.approximate_position(offset);
                bytes += self.visible_size(&log, at).saturating_sub(before);
            }
            if bytes >= at_most as u64 {
                return Ok(at_most);
            }
        }
        Ok(usize::try_from(bytes.max(1)).unwrap_or(at_most))
    }

    /// Finds whole batches from the one that holds `offset`, up to `max_bytes`. When `at_least_one`, the first batch
    /// counts even if it is larger. Only headers are read.
    pub(crate) fn find(
        &self,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Found, ReadError> {
        let mut skip_below = i64::MIN;
        loop {
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
            let segment = match log.segments.get(index) {
                Some(segment) if offset < bounds.high_watermark => segment,
                _ => {
                    let records = None;
                    return Ok(Found { records, bounds });
                }
            };
            let mut place = segment.place(offset.max(segment.base_offset))?;
            place.size = self.visible_size(&log, index);
            let boundary = segment.known_boundary(place.position + max_bytes as u64);
            let next_base = log.segments.get(index + 1).map(|s| s.base_offset);
            drop(log);
            let found = find_batches(&place, offset, boundary, max_bytes, at_least_one)
                .map_err(|e| StorageError::new("read", &self.dir, e))?;
            match (found, next_base) {
                (Some(records), _) => {
                    let records = Some(records).filter(|r| r.len > 0);
                    return Ok(Found { records, bounds });
                }
                // Compaction left nothing here at or after the offset.
                (None, Some(next)) => skip_below = next,
                (None, None) => {
                    let records = None;
                    return Ok(Found { records, bounds });
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

/// `None` when no batch in the file reaches `offset`. `boundary` is where a batch is known to begin, at most
/// `max_bytes` after the place; it saves reading the headers before it.
fn find_batches(
    place: &Place,
    offset: i64,
    boundary: u64,
    max_bytes: usize,
    at_least_one: bool,
) -> io::Result<Option<Stretch>> {
    let mut headers = Headers::new(place);
    let mut start = place.position;
    let first = loop {
        match headers.at(start)? {
            None => return Ok(None),
            Some(header) if header.last_offset() < offset => start += header.len as u64,
            Some(header) => break header,
        }
    };
    let stretch = |end: u64| Stretch {
        file: place.file.clone(),
        position: start,
        // At most `max_bytes`, or one batch.
        len: usize::try_from(end - start).unwrap_or(0),
    };
    let limit = start + max_bytes as u64;
    if place.size <= limit {
        return Ok(Some(stretch(place.size)));
    }
    if first.len > max_bytes {
        let end = start + if at_least_one { first.len as u64 } else { 0 };
        return Ok(Some(stretch(end)));
    }
    let mut end = boundary.max(start + first.len as u64);
    while let Some(header) = headers.at(end)? {
        let next = end + header.len as u64;
        if next > limit {
            break;
        }
        end = next;
    }
    Ok(Some(stretch(end)))
}

/// Reads the headers of batches, several at a time where they stand close together.
struct Headers<'a> {
    place: &'a Place,
    chunk: [u8; 4096],
    /// The part of the file that `chunk` holds.
    held: std::ops::Range<u64>,
}

impl<'a> Headers<'a> {
    fn new(place: &'a Place) -> Self {
        Self {
            place,
            chunk: [0; 4096],
            held: 0..0,
        }
    }

    /// The header of the batch that begins at `position`; `None` at the end.
    fn at(&mut self, position: u64) -> io::Result<Option<BatchHeader>> {
        let end = position + HEADER_LEN as u64;
        if end > self.place.size {
            return Ok(None);
        }
        if position < self.held.start || end > self.held.end {
            let until = self.place.size.min(position + self.chunk.len() as u64);
            let len = usize::try_from(until - position).unwrap_or(0);
            let chunk = self.chunk.get_mut(..len).unwrap_or_default();
            self.place.file.read_exact_at(chunk, position)?;
            self.held = position..until;
        }
        let from = usize::try_from(position - self.held.start).unwrap_or(0);
        let bytes = self.chunk.get(from..).unwrap_or_default();
        // What is read here was checked when it was written or found again.
        BatchHeader::parse(bytes)
            .map(Some)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
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
