//! One file of a partition: batches one after the other, named by the first offset it may hold.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::batch::{BatchHeader, HEADER_LEN};
use super::{StorageError, files};

/// Bytes of log between two entries of the index.
pub(crate) const INDEX_INTERVAL: u64 = 16 * 1024;
/// Batches larger than this are never written, so a larger length in a file is damage.
pub(crate) const MAX_BATCH: usize = 256 * 1024 * 1024;
const MAGIC: &[u8; 4] = b"BLI1";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct IndexEntry {
    relative_offset: u32,
    position: u32,
    /// Largest timestamp of all batches before this position.
    max_timestamp_before: i64,
}

#[derive(Debug)]
pub(crate) struct Segment {
    pub base_offset: i64,
    /// One past the last offset in the file.
    pub next_offset: i64,
    pub size: u64,
    pub max_timestamp: i64,
    path: PathBuf,
    /// Open while this is the segment being written.
    file: Option<Arc<File>>,
    index: Vec<IndexEntry>,
    indexed_to: u64,
}

/// A place in a file from which to read.
pub(crate) struct Place {
    pub file: Arc<File>,
    pub position: u64,
    /// Valid bytes of the file at the time of asking.
    pub size: u64,
}

impl Segment {
    fn at(dir: &Path, base_offset: i64) -> Self {
        Self {
            base_offset,
            next_offset: base_offset,
            size: 0,
            max_timestamp: -1,
            path: dir.join(format!("{base_offset:020}.log")),
            file: None,
            index: Vec::new(),
            indexed_to: 0,
        }
    }

    /// A new, empty segment, open for writing. Its name is durable when this returns.
    pub(crate) fn create(dir: &Path, base_offset: i64) -> Result<Self, StorageError> {
        let mut segment = Self::at(dir, base_offset);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&segment.path)
            .map_err(|e| StorageError::new("create", &segment.path, e))?;
        if let Err(e) = files::sync_dir(dir) {
            files::remove_if_there(&segment.path)?;
            return Err(e);
        }
        segment.file = Some(Arc::new(file));
        Ok(segment)
    }

    /// The last segment after a start: every batch is checked and a torn tail is cut off.
    /// Returns how many bytes were cut.
    pub(crate) fn recover_active(
        dir: &Path,
        base_offset: i64,
        seen: &mut dyn FnMut(&BatchHeader),
    ) -> Result<(Self, u64), StorageError> {
        let mut segment = Self::at(dir, base_offset);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&segment.path)
            .map_err(|e| StorageError::new("open", &segment.path, e))?;
        let on_disk = segment.scan(&file, seen)?;
        let cut = on_disk - segment.size;
        if cut > 0 {
            file.set_len(segment.size)
                .and_then(|()| file.sync_all())
                .map_err(|e| StorageError::new("cut the torn tail of", &segment.path, e))?;
        }
        segment.file = Some(Arc::new(file));
        Ok((segment, cut))
    }

    /// A segment that is no longer written. Its index file is used when it fits the log file;
    /// otherwise the log file is checked batch by batch. Returns how many bytes at the end are
    /// not readable; they are left where they are.
    pub(crate) fn open_closed(
        dir: &Path,
        base_offset: i64,
        next_base: i64,
    ) -> Result<(Self, u64), StorageError> {
        let mut segment = Self::at(dir, base_offset);
        let size = files::len(&segment.path)?;
        if segment.load_index(size) {
            segment.next_offset = segment.next_offset.min(next_base);
            return Ok((segment, 0));
        }
        let file =
            File::open(&segment.path).map_err(|e| StorageError::new("open", &segment.path, e))?;
        let on_disk = segment.scan(&file, &mut |_| {})?;
        segment.next_offset = segment.next_offset.min(next_base);
        let damaged = on_disk - segment.size;
        if damaged == 0 {
            segment.keep_index();
        }
        Ok((segment, damaged))
    }

    /// Calls `seen` with the header of every readable batch.
    pub(crate) fn for_each_header(
        &self,
        seen: &mut dyn FnMut(&BatchHeader),
    ) -> Result<(), StorageError> {
        let place = self.place(self.base_offset)?;
        let mut head = [0u8; HEADER_LEN];
        let mut position = 0;
        while position + HEADER_LEN as u64 <= self.size {
            place
                .file
                .read_exact_at(&mut head, position)
                .map_err(|e| StorageError::new("read", &self.path, e))?;
            let Ok(header) = BatchHeader::parse(&head) else {
                break;
            };
            seen(&header);
            position += header.len as u64;
        }
        Ok(())
    }

    /// Reads the whole file, checks each batch, fills index and sizes up to the first bad one.
    /// Returns the file's length.
    fn scan(
        &mut self,
        file: &File,
        seen: &mut dyn FnMut(&BatchHeader),
    ) -> Result<u64, StorageError> {
        let path = self.path.clone();
        let fail = |e| StorageError::new("read", &path, e);
        let on_disk = file.metadata().map_err(fail)?.len();
        let mut buffer = Vec::new();
        // Valid bytes of `buffer`, which begins at `position` in the file.
        let mut position = 0u64;
        let mut filled = 0usize;
        let mut consumed = 0usize;
        loop {
            let need = match BatchHeader::parse(&buffer[consumed..filled]) {
                Ok(header) if header.len > MAX_BATCH => break,
                Ok(header) if header.len <= filled - consumed => {
                    let bytes = &buffer[consumed..consumed + header.len];
                    match BatchHeader::parse_checked(bytes) {
                        Ok(header) if header.base_offset >= self.next_offset => {
                            seen(&header);
                            self.note(&header);
                        }
                        _ => break,
                    }
                    consumed += header.len;
                    continue;
                }
                Ok(header) => header.len,
                Err(_) if filled - consumed >= HEADER_LEN => break,
                Err(_) => HEADER_LEN,
            };
            // Move the rest to the front and read on.
            buffer.copy_within(consumed..filled, 0);
            position += consumed as u64;
            filled -= consumed;
            consumed = 0;
            let left = on_disk - position;
            if (need as u64) > left {
                break;
            }
            let want = (need.max(1 << 20) as u64).min(left) as usize;
            buffer.resize(want.max(filled), 0);
            let end = buffer.len();
            file.read_exact_at(&mut buffer[filled..end], position + filled as u64)
                .map_err(fail)?;
            filled = end;
        }
        Ok(on_disk)
    }

    /// Enters a batch that stands at the end of the file.
    fn note(&mut self, header: &BatchHeader) {
        if self.size >= self.indexed_to + INDEX_INTERVAL {
            let relative = header.base_offset - self.base_offset;
            if let (Ok(relative_offset), Ok(position)) =
                (u32::try_from(relative), u32::try_from(self.size))
            {
                self.index.push(IndexEntry {
                    relative_offset,
                    position,
                    max_timestamp_before: self.max_timestamp,
                });
                self.indexed_to = self.size;
            }
        }
        self.size += header.len as u64;
        self.next_offset = header.next_offset();
        self.max_timestamp = self.max_timestamp.max(header.max_timestamp);
    }

    /// Writes a batch at the end. On failure the file is as before, or `Err(Broken)` says that
    /// it could not be put back.
    pub(crate) fn append(
        &mut self,
        header: &BatchHeader,
        parts: [&[u8]; 2],
    ) -> Result<(), AppendFailed> {
        let Some(file) = &self.file else {
            return Err(AppendFailed {
                cause: StorageError::new(
                    "append to",
                    &self.path,
                    io::Error::other("the segment is closed"),
                ),
                restored: false,
            });
        };
        let mut position = self.size;
        for part in parts {
            if part.is_empty() {
                continue;
            }
            if let Err(e) = files::write_at(file, &self.path, part, position) {
                let restored = file.set_len(self.size).is_ok();
                return Err(AppendFailed {
                    cause: StorageError::new("append to", &self.path, e),
                    restored,
                });
            }
            position += part.len() as u64;
        }
        self.note(header);
        Ok(())
    }

    /// Where to start looking for `offset`.
    pub(crate) fn place(&self, offset: i64) -> Result<Place, StorageError> {
        let relative = offset - self.base_offset;
        let after = self
            .index
            .partition_point(|e| i64::from(e.relative_offset) <= relative);
        self.place_at(after)
    }

    /// The indexed position before `offset`.
    pub(crate) fn approximate_position(&self, offset: i64) -> u64 {
        let relative = offset - self.base_offset;
        let after = self
            .index
            .partition_point(|e| i64::from(e.relative_offset) <= relative);
        after
            .checked_sub(1)
            .and_then(|i| self.index.get(i))
            .map_or(0, |e| u64::from(e.position))
    }

    /// The last place up to `limit` where a batch is known to begin.
    pub(crate) fn known_boundary(&self, limit: u64) -> u64 {
        let after = self
            .index
            .partition_point(|e| u64::from(e.position) <= limit);
        after
            .checked_sub(1)
            .and_then(|i| self.index.get(i))
            .map_or(0, |e| u64::from(e.position))
    }

    /// Where to start looking for the first batch with a timestamp of at least `timestamp`.
    pub(crate) fn place_for_time(&self, timestamp: i64) -> Result<Place, StorageError> {
        let after = self
            .index
            .partition_point(|e| e.max_timestamp_before < timestamp);
        self.place_at(after)
    }

    fn place_at(&self, entries_before: usize) -> Result<Place, StorageError> {
        let position = entries_before
            .checked_sub(1)
            .and_then(|i| self.index.get(i))
            .map_or(0, |e| u64::from(e.position));
        let file = match &self.file {
            Some(file) => file.clone(),
            None => Arc::new(
                File::open(&self.path).map_err(|e| StorageError::new("open", &self.path, e))?,
            ),
        };
        Ok(Place {
            file,
            position,
            size: self.size,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn active_file(&self) -> Option<Arc<File>> {
        self.file.clone()
    }

    pub(crate) fn sync(&self) -> Result<(), StorageError> {
        match &self.file {
            Some(file) => file
                .sync_data()
                .map_err(|e| StorageError::new("sync", &self.path, e)),
            None => Ok(()),
        }
    }

    /// Ends writing.
    pub(crate) fn retire(&mut self) {
        self.file = None;
        self.keep_index();
    }

    /// Writes the index file. It only saves time at the next start, so it may be missing.
    fn keep_index(&self) {
        if let Err(error) = self.write_index() {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "segment index not written, it will be rebuilt"
            );
        }
    }

    pub(crate) fn delete(&self) -> Result<(), StorageError> {
        files::remove_if_there(&self.path.with_extension("index"))?;
        files::remove_if_there(&self.path.with_extension("producers"))?;
        files::remove_if_there(&self.path)
    }

    fn write_index(&self) -> Result<(), StorageError> {
        let mut out = Vec::with_capacity(40 + self.index.len() * 16);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.size.to_be_bytes());
        out.extend_from_slice(&self.next_offset.to_be_bytes());
        out.extend_from_slice(&self.max_timestamp.to_be_bytes());
        for entry in &self.index {
            out.extend_from_slice(&entry.relative_offset.to_be_bytes());
            out.extend_from_slice(&entry.position.to_be_bytes());
            out.extend_from_slice(&entry.max_timestamp_before.to_be_bytes());
        }
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_be_bytes());
        files::replace(&self.path.with_extension("index"), &out)
    }

    /// False when there is no index that fits a log file of `size` bytes.
    fn load_index(&mut self, size: u64) -> bool {
        let Ok(bytes) = std::fs::read(self.path.with_extension("index")) else {
            return false;
        };
        let Some((body, crc)) = bytes.split_last_chunk::<4>() else {
            return false;
        };
        if crc32c::crc32c(body) != u32::from_be_bytes(*crc) {
            return false;
        }
        let Some((head, entries)) = body
            .strip_prefix(MAGIC)
            .and_then(|rest| rest.split_first_chunk::<24>())
        else {
            return false;
        };
        let (chunks, rest) = head.as_chunks::<8>();
        debug_assert!(rest.is_empty());
        let [log_size, next_offset, max_timestamp] = chunks else {
            return false;
        };
        if u64::from_be_bytes(*log_size) != size {
            return false;
        }
        self.size = size;
        self.next_offset = i64::from_be_bytes(*next_offset);
        self.max_timestamp = i64::from_be_bytes(*max_timestamp);
        self.index = entries
            .as_chunks::<16>()
            .0
            .iter()
            .map(|e| IndexEntry {
                relative_offset: u32::from_be_bytes([e[0], e[1], e[2], e[3]]),
                position: u32::from_be_bytes([e[4], e[5], e[6], e[7]]),
                max_timestamp_before: i64::from_be_bytes([
                    e[8], e[9], e[10], e[11], e[12], e[13], e[14], e[15],
                ]),
            })
            .collect();
        true
    }
}

/// A batch was not written.
#[derive(Debug)]
pub(crate) struct AppendFailed {
    pub cause: StorageError,
    /// Whether the file was put back to what it was before.
    pub restored: bool,
}
