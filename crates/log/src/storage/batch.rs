//! The header of a record batch (magic 2), as it stands on the wire and in the files.
//!
//! Batches are stored as they come. Only the base offset, the leader epoch and, for topics with
//! `message.timestamp.type=LogAppendTime`, the timestamp are written over; the checksum covers
//! neither of the first two.

/// Bytes before the first record.
pub(crate) const HEADER_LEN: usize = 61;
/// Bytes before the part that `batch_length` counts.
const LENGTH_PREFIX: usize = 12;
/// Where the checksummed part begins.
const CRC_START: usize = 21;

const ATTR_COMPRESSION: i16 = 0x07;
const ATTR_LOG_APPEND_TIME: i16 = 0x08;
const ATTR_TRANSACTIONAL: i16 = 0x10;
const ATTR_CONTROL: i16 = 0x20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub base_offset: i64,
    /// The whole batch, header included.
    pub len: usize,
    pub crc: u32,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub count: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BatchError {
    #[error("the batch is cut short")]
    Short,
    #[error("the batch has format {0}, only 2 is known")]
    Magic(i8),
    #[error("the batch says it is {0} bytes long")]
    Length(i32),
    #[error("the checksum of the batch does not match")]
    Checksum,
    #[error("the batch counts {count} records up to delta {last_offset_delta}")]
    Count { count: i32, last_offset_delta: i32 },
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

impl BatchHeader {
    /// Reads a header; the records need not be there yet.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        Self::fields(bytes).ok_or(BatchError::Short)?
    }

    fn fields(bytes: &[u8]) -> Option<Result<Self, BatchError>> {
        let base_offset = i64::from_be_bytes(array(bytes, 0)?);
        let length = i32::from_be_bytes(array(bytes, 8)?);
        let magic = i8::from_be_bytes(array(bytes, 16)?);
        if magic != 2 {
            return Some(Err(BatchError::Magic(magic)));
        }
        let len = match usize::try_from(length) {
            Ok(n) if n + LENGTH_PREFIX >= HEADER_LEN => n + LENGTH_PREFIX,
            _ => return Some(Err(BatchError::Length(length))),
        };
        Some(Ok(Self {
            base_offset,
            len,
            crc: u32::from_be_bytes(array(bytes, 17)?),
            attributes: i16::from_be_bytes(array(bytes, 21)?),
            last_offset_delta: i32::from_be_bytes(array(bytes, 23)?),
            base_timestamp: i64::from_be_bytes(array(bytes, 27)?),
            max_timestamp: i64::from_be_bytes(array(bytes, 35)?),
            producer_id: i64::from_be_bytes(array(bytes, 43)?),
            producer_epoch: i16::from_be_bytes(array(bytes, 51)?),
            base_sequence: i32::from_be_bytes(array(bytes, 53)?),
            count: i32::from_be_bytes(array(bytes, 57)?),
        }))
    }

    /// Reads the header of a whole batch and checks length, counts and checksum.
    pub(crate) fn parse_checked(bytes: &[u8]) -> Result<Self, BatchError> {
        let header = Self::parse(bytes)?;
        let body = bytes.get(CRC_START..header.len).ok_or(BatchError::Short)?;
        if crc32c::crc32c(body) != header.crc {
            return Err(BatchError::Checksum);
        }
        if header.last_offset_delta < 0 || header.count < 0 || header.base_offset < 0 {
            return Err(BatchError::Count {
                count: header.count,
                last_offset_delta: header.last_offset_delta,
            });
        }
        Ok(header)
    }

    pub(crate) fn last_offset(&self) -> i64 {
        self.base_offset
            .saturating_add(i64::from(self.last_offset_delta))
    }

    pub(crate) fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    pub(crate) fn compression(&self) -> i16 {
        self.attributes & ATTR_COMPRESSION
    }

    pub(crate) fn has_log_append_time(&self) -> bool {
        self.attributes & ATTR_LOG_APPEND_TIME != 0
    }

    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & ATTR_TRANSACTIONAL != 0
    }

    pub(crate) fn is_control(&self) -> bool {
        self.attributes & ATTR_CONTROL != 0
    }
}

/// Gives a batch its place in the log. `batch` holds at least the header.
pub(crate) fn set_base_offset(batch: &mut [u8], base_offset: i64) {
    if let Some(field) = batch.get_mut(0..8) {
        field.copy_from_slice(&base_offset.to_be_bytes());
    }
    if let Some(field) = batch.get_mut(12..16) {
        field.copy_from_slice(&0i32.to_be_bytes());
    }
}

/// Stamps a whole batch with the log's own time and renews its checksum.
pub(crate) fn set_log_append_time(batch: &mut [u8], now_ms: i64) {
    let Ok(header) = BatchHeader::parse(batch) else {
        return;
    };
    let attributes = header.attributes | ATTR_LOG_APPEND_TIME;
    if let Some(field) = batch.get_mut(21..23) {
        field.copy_from_slice(&attributes.to_be_bytes());
    }
    if let Some(field) = batch.get_mut(35..43) {
        field.copy_from_slice(&now_ms.to_be_bytes());
    }
    seal(batch);
}

/// Writes the checksum of a whole batch.
pub(crate) fn seal(batch: &mut [u8]) {
    let crc = match batch.get(CRC_START..) {
        Some(body) => crc32c::crc32c(body),
        None => return,
    };
    if let Some(field) = batch.get_mut(17..21) {
        field.copy_from_slice(&crc.to_be_bytes());
    }
}

/// A batch header to be written by hand, for compaction and tests.
pub(crate) fn write_header(header: &BatchHeader, out: &mut Vec<u8>) {
    out.extend_from_slice(&header.base_offset.to_be_bytes());
    let length = i32::try_from(header.len - LENGTH_PREFIX).unwrap_or(i32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&0i32.to_be_bytes());
    out.push(2);
    out.extend_from_slice(&header.crc.to_be_bytes());
    out.extend_from_slice(&header.attributes.to_be_bytes());
    out.extend_from_slice(&header.last_offset_delta.to_be_bytes());
    out.extend_from_slice(&header.base_timestamp.to_be_bytes());
    out.extend_from_slice(&header.max_timestamp.to_be_bytes());
    out.extend_from_slice(&header.producer_id.to_be_bytes());
    out.extend_from_slice(&header.producer_epoch.to_be_bytes());
    out.extend_from_slice(&header.base_sequence.to_be_bytes());
    out.extend_from_slice(&header.count.to_be_bytes());
}
