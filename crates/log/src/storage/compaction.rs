//! Cleaning: old segments go by age and size, and superseded records go by key.

use std::collections::HashMap;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::PoisonError;

use super::batch::{self, BatchHeader, HEADER_LEN};
use super::partition::{Partition, is_old};
use super::read::scan_batches;
use super::records::{self, Records, payload};
use super::segment::{Place, Segment};
use super::topic::TopicConfig;
use super::{StorageError, files};

/// Keys remembered in one pass; a pass over more keys cleans as far as it remembers.
const MAX_KEYS: usize = 1_000_000;

/// What a cleaning did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cleaned {
    pub segments_deleted: usize,
    pub records_removed: u64,
}

impl Partition {
    /// Deletes and compacts as the topic's settings say.
    pub(crate) fn clean(&self, now_ms: i64) -> Result<Cleaned, StorageError> {
        let _turn = self.cleaning.lock().unwrap_or_else(PoisonError::into_inner);
        let config = self.config();
        let mut log = self.lock();
        if log.closed || log.failed {
            return Ok(Cleaned::default());
        }
        // Whatever cannot be written because the disk is full, what is too old goes and makes room.
        let mut written = Ok(());
        if is_old(&log, &config, now_ms) {
            written = self.roll(&mut log);
        }
        drop(log);
        let mut cleaned = Cleaned::default();
        if config.delete {
            cleaned.segments_deleted = self.retain(&config, now_ms)?;
        }
        written?;
        if config.compact {
            cleaned.records_removed = self.compact(&config, now_ms)?;
        }
        Ok(cleaned)
    }

    fn retain(&self, config: &TopicConfig, now_ms: i64) -> Result<usize, StorageError> {
        let mut log = self.lock();
        if log.closed {
            return Ok(0);
        }
        let mut size: u64 = log.segments.iter().map(|s| s.size).sum();
        let mut gone = 0;
        for segment in &log.segments {
            let expired = config.retention_ms.is_some_and(|keep| {
                segment.size > 0 && now_ms.saturating_sub(segment.max_timestamp) > keep
            });
            let too_much = config
                .retention_bytes
                .is_some_and(|keep| segment.size > 0 && size - segment.size >= keep);
            if !expired && !too_much {
                break;
            }
            size -= segment.size;
            gone += 1;
        }
        let mut written = Ok(());
        if gone == log.segments.len() {
            // The last one goes once there is another to go on with.
            written = self.roll(&mut log);
            gone -= usize::from(written.is_err());
        }
        // Oldest first, and nothing is written: where the log starts follows from what is left.
        if let Some(first_kept) = log.segments.get(gone) {
            log.start_offset = first_kept.base_offset.max(log.start_offset);
        }
        self.drop_segments_below_start(&mut log)?;
        written?;
        Ok(gone)
    }

    /// Keeps, of the closed segments, the newest record of each key.
    fn compact(&self, config: &TopicConfig, now_ms: i64) -> Result<u64, StorageError> {
        let (places, cleaned_to, dirty_ratio) = {
            let log = self.lock();
            let Some((_, closed)) = log.segments.split_last() else {
                return Ok(0);
            };
            let mut places = Vec::with_capacity(closed.len());
            let (mut clean, mut dirty) = (0u64, 0u64);
            for segment in closed {
                let age = now_ms.saturating_sub(segment.max_timestamp);
                if config.min_compaction_lag_ms > 0 && age < config.min_compaction_lag_ms {
                    break;
                }
                if segment.next_offset <= log.cleaned_to {
                    clean += segment.size;
                } else {
                    dirty += segment.size;
                }
                places.push((
                    segment.base_offset,
                    segment.next_offset,
                    segment.place(segment.base_offset)?,
                ));
            }
            let ratio = dirty as f64 / ((clean + dirty).max(1)) as f64;
            (
                places,
                log.cleaned_to,
                if dirty == 0 { -1.0 } else { ratio },
            )
        };
        if dirty_ratio < config.min_cleanable_ratio {
            return Ok(0);
        }
        let hasher = RandomState::new();
        let Some((newest, known_to)) = self.newest_offsets(&places, cleaned_to, &hasher)? else {
            return Ok(0);
        };
        let mut removed = 0;
        for (base_offset, next_offset, place) in &places {
            if *base_offset >= known_to {
                break;
            }
            removed += self.rewrite(
                *base_offset,
                place,
                &newest,
                &hasher,
                now_ms - config.delete_retention_ms,
            )?;
            let mut log = self.lock();
            log.cleaned_to = log.cleaned_to.max((*next_offset).min(known_to));
        }
        Ok(removed)
    }

    /// The newest offset of every key in the segments not cleaned yet, and up to where that is known.
    #[expect(clippy::type_complexity, reason = "used in one place")]
    fn newest_offsets(
        &self,
        places: &[(i64, i64, Place)],
        cleaned_to: i64,
        hasher: &RandomState,
    ) -> Result<Option<(HashMap<u64, i64>, i64)>, StorageError> {
        let mut newest = HashMap::new();
        let mut known_to = cleaned_to;
        for (_, next_offset, place) in places {
            if *next_offset <= cleaned_to {
                continue;
            }
            let full = scan_batches(place, &mut |header, batch| {
                if newest.len() >= MAX_KEYS {
                    return Some(());
                }
                if let Some(plain) = records::uncompressed(header, payload(batch)) {
                    for record in Records::new(header, &plain).map_while(Result::ok) {
                        if let Some(key) = record.key {
                            let offset = header.base_offset + i64::from(record.offset_delta);
                            newest.insert(hasher.hash_one(key), offset);
                        }
                    }
                }
                known_to = header.next_offset();
                None
            })
            .map_err(|e| StorageError::new("read", &self.dir, e))?;
            if full.is_some() {
                break;
            }
            known_to = known_to.max(*next_offset);
        }
        Ok((known_to > cleaned_to).then_some((newest, known_to)))
    }

    /// Writes a segment anew without superseded records and puts it in the old one's place.
    fn rewrite(
        &self,
        base_offset: i64,
        place: &Place,
        newest: &HashMap<u64, i64>,
        hasher: &RandomState,
        tombstones_before: i64,
    ) -> Result<u64, StorageError> {
        let target = self.dir.join(format!("{base_offset:020}.cleaned"));
        let removed = self.write_cleaned(&target, place, newest, hasher, tombstones_before);
        match removed {
            Ok(removed) if removed > 0 => self.put_in_place(base_offset, &target, removed),
            // Of no use, and perhaps the disk is full.
            _ => {
                files::remove_if_there(&target)?;
                removed
            }
        }
    }

    /// Writes what is left of a segment to a file of its own. Returns how many records went.
    fn write_cleaned(
        &self,
        target: &Path,
        place: &Place,
        newest: &HashMap<u64, i64>,
        hasher: &RandomState,
        tombstones_before: i64,
    ) -> Result<u64, StorageError> {
        let fail = |e| StorageError::new("write", target, e);
        // A record without a value may go once everybody had time to see it; what counts is when
        // its segment was written, which the file's own time tells.
        let written = place
            .file
            .metadata()
            .and_then(|m| m.modified())
            .map_err(fail)?;
        let written_ms = written
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX));
        let drop_tombstones = written_ms < tombstones_before;
        let mut out = Cleaning::create(target).map_err(fail)?;
        let mut removed = 0u64;
        let mut problem = None;
        scan_batches(place, &mut |header, bytes| {
            let kept = keep(header, bytes, &mut |record| {
                let Some(key) = record.key else {
                    return false;
                };
                let offset = header.base_offset + i64::from(record.offset_delta);
                let superseded = newest
                    .get(&hasher.hash_one(key))
                    .is_some_and(|newer| *newer > offset);
                !(superseded || drop_tombstones && record.value.is_none())
            });
            let written = match &kept {
                Kept::All => out.write(bytes),
                Kept::Some(batch, gone) => {
                    removed += gone;
                    out.write(batch)
                }
                Kept::None(gone) => {
                    removed += gone;
                    Ok(())
                }
            };
            problem = written.err();
            problem.is_some().then_some(())
        })
        .map_err(|e| StorageError::new("read", &self.dir, e))?;
        if let Some(e) = problem {
            return Err(fail(e));
        }
        if removed > 0 {
            out.flush().map_err(fail)?;
            out.file.set_modified(written).map_err(fail)?;
            out.file.sync_all().map_err(fail)?;
        }
        Ok(removed)
    }

    /// Puts a cleaned segment in the old one's place.
    fn put_in_place(
        &self,
        base_offset: i64,
        cleaned: &Path,
        removed: u64,
    ) -> Result<u64, StorageError> {
        let mut log = self.lock();
        if log.closed {
            // The folder may already belong to another.
            return Ok(0);
        }
        let Some(at) = log
            .segments
            .iter()
            .position(|s| s.base_offset == base_offset)
        else {
            // Retention was faster.
            return files::remove_if_there(cleaned).map(|()| 0);
        };
        let next_base = log.segments.get(at + 1).map_or(i64::MAX, |s| s.base_offset);
        if let Some(segment) = log.segments.get_mut(at) {
            let path = segment.path().to_owned();
            files::remove_if_there(&path.with_extension("index"))?;
            fs::rename(cleaned, &path).map_err(|e| StorageError::new("write", &path, e))?;
            files::sync_dir(&self.dir)?;
            *segment = Segment::open_closed(&self.dir, base_offset, next_base)?.0;
            if segment.size == 0 {
                // Offsets may be missing, so an empty segment says nothing.
                log.segments.remove(at).delete()?;
            }
        }
        Ok(removed)
    }
}

/// A segment being written anew.
struct Cleaning<'a> {
    file: File,
    path: &'a Path,
    written: u64,
    waiting: Vec<u8>,
}

impl<'a> Cleaning<'a> {
    /// Bytes written at a time.
    const CHUNK: usize = 256 * 1024;

    fn create(path: &'a Path) -> io::Result<Self> {
        Ok(Self {
            file: File::create(path)?,
            path,
            written: 0,
            waiting: Vec::new(),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() < Self::CHUNK {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        files::write_at(&self.file, self.path, &self.waiting, self.written)?;
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }
}

enum Kept {
    All,
    Some(Vec<u8>, u64),
    None(u64),
}

/// A batch with only the records that `wanted` says. Offsets and producer stay as they are.
fn keep(
    header: &BatchHeader,
    bytes: &[u8],
    wanted: &mut dyn FnMut(&records::Record<'_>) -> bool,
) -> Kept {
    let Some(plain) = records::uncompressed(header, payload(bytes)) else {
        return Kept::All;
    };
    let mut out = vec![0u8; HEADER_LEN];
    let mut count = 0;
    let mut gone = 0;
    for record in Records::new(header, &plain) {
        let Ok(record) = record else {
            // Not ours to judge: leave the batch alone.
            return Kept::All;
        };
        if wanted(&record) {
            out.extend_from_slice(record.raw);
            count += 1;
        } else {
            gone += 1;
        }
    }
    if gone == 0 {
        return Kept::All;
    }
    if count == 0 {
        return Kept::None(gone);
    }
    let cleaned = BatchHeader {
        len: out.len(),
        // What is written anew is written uncompressed.
        attributes: header.attributes & !0x07,
        count,
        ..*header
    };
    let mut head = Vec::with_capacity(HEADER_LEN);
    batch::write_header(&cleaned, &mut head);
    out[..HEADER_LEN].copy_from_slice(&head);
    batch::seal(&mut out);
    Kept::Some(out, gone)
}
