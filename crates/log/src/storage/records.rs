//! The records inside a batch, for the few places that must look: finding a time, compaction,
//! and the check that a compacted topic gets keys.

use std::borrow::Cow;

use super::batch::{BatchHeader, HEADER_LEN};

/// One record; the slices point into the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub offset_delta: i32,
    pub timestamp_delta: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// The record as it stands, its length included.
    pub raw: &'a [u8],
}

/// Walks through uncompressed records. Ends with `Err` at the first that makes no sense.
pub(crate) struct Records<'a> {
    rest: &'a [u8],
    left: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a record inside the batch is malformed")]
pub(crate) struct MalformedRecord;

impl<'a> Records<'a> {
    /// `payload` is what follows the batch's header, uncompressed.
    pub(crate) fn new(header: &BatchHeader, payload: &'a [u8]) -> Self {
        Self {
            rest: payload,
            left: header.count,
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, MalformedRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            return None;
        }
        self.left -= 1;
        match record(self.rest) {
            Some((record, rest)) => {
                self.rest = rest;
                Some(Ok(record))
            }
            None => {
                self.left = 0;
                Some(Err(MalformedRecord))
            }
        }
    }
}

fn record(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let mut rest = bytes;
    let len = usize::try_from(varint(&mut rest)?).ok()?;
    if rest.len() < len {
        return None;
    }
    let (mut body, rest) = rest.split_at(len);
    let raw = &bytes[..bytes.len() - rest.len()];
    let (_attributes, tail) = body.split_first()?;
    body = tail;
    let timestamp_delta = varint(&mut body)?;
    let offset_delta = i32::try_from(varint(&mut body)?).ok()?;
    let key = nullable(&mut body)?;
    let value = nullable(&mut body)?;
    Some((
        Record {
            offset_delta,
            timestamp_delta,
            key,
            value,
            raw,
        },
        rest,
    ))
}

fn nullable<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let len = varint(rest)?;
    if len == -1 {
        return Some(None);
    }
    let len = usize::try_from(len).ok()?;
    if rest.len() < len {
        return None;
    }
    let (head, tail) = rest.split_at(len);
    *rest = tail;
    Some(Some(head))
}

/// A zigzag number of at most ten bytes.
fn varint(rest: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

/// The records of a batch without their compression; `None` when they cannot be unpacked.
pub(crate) fn uncompressed<'a>(header: &BatchHeader, payload: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    match header.compression() {
        0 => Some(Cow::Borrowed(payload)),
        codec => super::compression::unpack(codec, payload).map(Cow::Owned),
    }
}

/// The part of a whole batch after its header.
pub(crate) fn payload(batch: &[u8]) -> &[u8] {
    batch.get(HEADER_LEN..).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod build {
    //! Batches made by hand for tests.
    use super::super::batch::{BatchHeader, HEADER_LEN, seal, write_header};

    fn put_varint(out: &mut Vec<u8>, value: i64) {
        let mut z = ((value << 1) ^ (value >> 63)) as u64;
        while z >= 0x80 {
            out.push(z as u8 | 0x80);
            z >>= 7;
        }
        out.push(z as u8);
    }

    fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
        match bytes {
            Some(b) => {
                put_varint(out, b.len() as i64);
                out.extend_from_slice(b);
            }
            None => put_varint(out, -1),
        }
    }

    /// A batch of records (timestamp, key, value) at offset 0.
    pub(crate) fn batch(records: &[(i64, Option<&str>, Option<&str>)]) -> Vec<u8> {
        from_producer(-1, -1, -1, records)
    }

    pub(crate) fn from_producer(
        producer_id: i64,
        producer_epoch: i16,
        base_sequence: i32,
        records: &[(i64, Option<&str>, Option<&str>)],
    ) -> Vec<u8> {
        let base_timestamp = records.first().map_or(0, |r| r.0);
        let mut payload = Vec::new();
        for (i, (timestamp, key, value)) in records.iter().enumerate() {
            let mut body = vec![0u8];
            put_varint(&mut body, timestamp - base_timestamp);
            put_varint(&mut body, i as i64);
            put_nullable(&mut body, key.map(str::as_bytes));
            put_nullable(&mut body, value.map(str::as_bytes));
            put_varint(&mut body, 0);
            put_varint(&mut payload, body.len() as i64);
            payload.extend_from_slice(&body);
        }
        let header = BatchHeader {
            base_offset: 0,
            len: HEADER_LEN + payload.len(),
            crc: 0,
            attributes: 0,
            last_offset_delta: records.len() as i32 - 1,
            base_timestamp,
            max_timestamp: records.iter().map(|r| r.0).max().unwrap_or(0),
            producer_id,
            producer_epoch,
            base_sequence,
            count: records.len() as i32,
        };
        let mut out = Vec::new();
        write_header(&header, &mut out);
        out.extend_from_slice(&payload);
        seal(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records_are_read_as_they_were_written() {
        let batch = build::batch(&[(5, Some("k"), Some("v")), (9, None, None)]);
        let header = BatchHeader::parse_checked(&batch).unwrap();
        let records: Vec<_> = Records::new(&header, payload(&batch))
            .map(Result::unwrap)
            .collect();
        assert_eq!(records[0].key, Some(b"k".as_slice()));
        assert_eq!(records[1].timestamp_delta, 4);
        assert_eq!(records[1].value, None);
        assert_eq!(
            records.iter().map(|r| r.raw.len()).sum::<usize>(),
            batch.len() - HEADER_LEN
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_of_records_panic(bytes: Vec<u8>, count in 0i32..1000) {
            let batch = build::batch(&[(0, None, None)]);
            let mut header = BatchHeader::parse(&batch).unwrap();
            header.count = count;
            for record in Records::new(&header, &bytes) {
                if record.is_err() { break; }
            }
            let _ = BatchHeader::parse_checked(&bytes);
        }
    }
}
