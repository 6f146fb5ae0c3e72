//! A partition: a row of segments that grows at one end and is trimmed at the other.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::Notify;

use super::batch::{self, BatchHeader, HEADER_LEN};
use super::producers::{Producers, Verdict};
use super::segment::Segment;
use super::topic::TopicConfig;
use super::{StorageError, files};

/// Batches up to this size are copied to be written in one call; with larger ones the copy costs more than a second call.
const COPY_LIMIT: usize = 8 * 1024;
const START_FILE: &str = "start-offset";

/// When what was written is made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Before it is acknowledged or shown to a consumer.
    Always,
    /// Some time later.
    Later,
}

#[derive(Debug)]
pub(crate) struct Partition {
    pub(super) dir: PathBuf,
    durability: Durability,
    config: RwLock<Arc<TopicConfig>>,
    pub(super) log: Mutex<PartitionLog>,
    /// Held while syncing, so that those who wait share one sync.
    sync: tokio::sync::Mutex<()>,
    waiters: Mutex<Vec<Arc<Notify>>>,
    /// Whether the partition stands in the queue of those to be synced later.
    pub(crate) dirty: AtomicBool,
    /// Held while segments are rewritten or deleted.
    pub(super) cleaning: Mutex<()>,
}

#[derive(Debug)]
pub(super) struct PartitionLog {
    /// At least one; the last is open for writing.
    pub segments: Vec<Segment>,
    pub start_offset: i64,
    /// Everything below is durable.
    pub synced: i64,
    /// Bytes of the last segment that are durable.
    pub synced_size: u64,
    pub producers: Producers,
    /// When the last segment got its first batch.
    pub segment_since: Option<i64>,
    /// Set when the files can no longer be trusted; cleared by a restart.
    pub failed: bool,
    pub closed: bool,
    /// Up to where compaction has been.
    pub cleaned_to: i64,
}

impl PartitionLog {
    pub fn next_offset(&self) -> i64 {
        self.segments.last().map_or(0, |s| s.next_offset)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    pub base_offset: i64,
    /// -1 unless the log stamps the records.
    pub log_append_time: i64,
    pub start_offset: i64,
    /// Durable once everything below this is.
    pub next_offset: i64,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum AppendError {
    #[error("the batch does not follow the producer's last one")]
    OutOfOrder,
    #[error("the producer has been replaced by a newer one")]
    Fenced,
    #[error("the partition is closed")]
    Closed,
    #[error("the partition failed before and waits for a restart")]
    Failed,
    #[error("the batch was not stored")]
    Storage(#[source] StorageError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub start: i64,
    pub high_watermark: i64,
}

/// What opening a partition had to mend.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Mended {
    pub cut_bytes: u64,
    pub damaged_bytes: u64,
}

impl Partition {
    /// Opens the partition in `dir`, making it if there is none.
    pub(crate) fn open(
        dir: &Path,
        durability: Durability,
        config: Arc<TopicConfig>,
    ) -> Result<(Self, Mended), StorageError> {
        files::create_dir(dir)?;
        let mut mended = Mended::default();
        let bases = segment_bases(dir)?;
        let mut segments = Vec::with_capacity(bases.len().max(1));
        let mut producers = Producers::default();
        match bases.split_last() {
            None => segments.push(Segment::create(dir, 0)?),
            Some((last, closed)) => {
                for (i, base) in closed.iter().enumerate() {
                    let next_base = closed.get(i + 1).copied().unwrap_or(*last);
                    let (segment, damaged) = Segment::open_closed(dir, *base, next_base)?;
                    mended.damaged_bytes += damaged;
                    segments.push(segment);
                }
                producers = load_producers(dir, *last, &segments)?;
                let (active, cut) =
                    Segment::recover_active(dir, *last, &mut |h| producers.record(h))?;
                mended.cut_bytes = cut;
                segments.push(active);
            }
        }
        let first = segments.first().map_or(0, |s| s.base_offset);
        let next = segments.last().map_or(0, |s| s.next_offset);
        let start_offset = read_start(dir)?
            .unwrap_or(first)
            .clamp(first, next.max(first));
        if let Some(file) = segments.last().and_then(Segment::active_file) {
            // What survived the last run counts as durable from now on, so it must be.
            file.sync_data()
                .map_err(|e| StorageError::new("sync", dir, e))?;
        }
        let synced_size = segments.last().map_or(0, |s| s.size);
        let segment_since = segments
            .last()
            .filter(|s| s.size > 0)
            .map(|_| super::now_ms());
        let partition = Self {
            dir: dir.to_owned(),
            durability,
            config: RwLock::new(config),
            log: Mutex::new(PartitionLog {
                segments,
                start_offset,
                synced: next,
                synced_size,
                producers,
                segment_since,
                failed: false,
                closed: false,
                cleaned_to: first,
            }),
            sync: tokio::sync::Mutex::new(()),
            waiters: Mutex::new(Vec::new()),
            dirty: AtomicBool::new(false),
            cleaning: Mutex::new(()),
        };
        Ok((partition, mended))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, PartitionLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn config(&self) -> Arc<TopicConfig> {
        self.config
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set_config(&self, config: Arc<TopicConfig>) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// Stores one checked batch. It is durable only after `wait_durable`.
    pub(crate) fn append(
        &self,
        header: &BatchHeader,
        batch: &[u8],
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let config = self.config();
        let mut header = *header;
        let mut guard = self.lock();
        let log = &mut *guard;
        if log.closed {
            return Err(AppendError::Closed);
        }
        if log.failed {
            return Err(AppendError::Failed);
        }
        match log.producers.check(&header) {
            Verdict::Append => {}
            Verdict::OutOfOrder => return Err(AppendError::OutOfOrder),
            Verdict::Fenced => return Err(AppendError::Fenced),
            Verdict::Duplicate {
                base_offset,
                last_offset,
                log_append_time,
            } => {
                return Ok(Appended {
                    base_offset,
                    log_append_time,
                    start_offset: log.start_offset,
                    next_offset: last_offset + 1,
                });
            }
        }
        self.roll_if_full(log, &header, &config, now_ms)
            .map_err(AppendError::Storage)?;
        header.base_offset = log.next_offset();
        let stamped = config.log_append_time;
        let Some(segment) = log.segments.last_mut() else {
            return Err(AppendError::Failed);
        };
        let written = if stamped || batch.len() <= COPY_LIMIT {
            let mut whole = batch.to_vec();
            batch::set_base_offset(&mut whole, header.base_offset);
            if stamped {
                batch::set_log_append_time(&mut whole, now_ms);
                if let Ok(stamped) = BatchHeader::parse(&whole) {
                    header = stamped;
                }
            }
            segment.append(&header, [&whole, &[]])
        } else {
            let (head, rest) = batch.split_at(HEADER_LEN);
            let mut head = head.to_vec();
            batch::set_base_offset(&mut head, header.base_offset);
            segment.append(&header, [&head, rest])
        };
        if let Err(failure) = written {
            log.failed |= !failure.restored;
            return Err(AppendError::Storage(failure.cause));
        }
        log.producers.record(&header);
        log.segment_since.get_or_insert(now_ms);
        let appended = Appended {
            base_offset: header.base_offset,
            log_append_time: if stamped { now_ms } else { -1 },
            start_offset: log.start_offset,
            next_offset: header.next_offset(),
        };
        drop(guard);
        if self.durability == Durability::Later {
            self.wake();
        }
        Ok(appended)
    }

    fn roll_if_full(
        &self,
        log: &mut PartitionLog,
        header: &BatchHeader,
        config: &TopicConfig,
        now_ms: i64,
    ) -> Result<(), StorageError> {
        let Some(segment) = log.segments.last() else {
            return Ok(());
        };
        if segment.size == 0 {
            return Ok(());
        }
        let full = segment.size + header.len as u64 > config.segment_bytes;
        let span = segment.next_offset - segment.base_offset + i64::from(header.last_offset_delta);
        if full || span > i64::from(i32::MAX) || is_old(log, config, now_ms) {
            self.roll(log)?;
        }
        Ok(())
    }

    /// Closes the last segment and begins another. After a failure the old one is still in use.
    pub(super) fn roll(&self, log: &mut PartitionLog) -> Result<(), StorageError> {
        let next = log.next_offset();
        if let Some(old) = log.segments.last() {
            if let Err(e) = old.sync() {
                // Whether the old segment is durable is unknown now; nothing more may be promised.
                log.failed = true;
                return Err(e);
            }
            log.synced_size = old.size;
        }
        log.synced = next;
        files::replace(
            &self.dir.join(format!("{next:020}.producers")),
            &log.producers.encode(),
        )?;
        let fresh = Segment::create(&self.dir, next)?;
        if let Some(old) = log.segments.last_mut() {
            old.retire();
        }
        log.segments.push(fresh);
        log.synced_size = 0;
        log.segment_since = None;
        Ok(())
    }

    /// Waits until everything below `next_offset` is durable, if the log promises that.
    pub(crate) async fn wait_durable(
        self: &Arc<Self>,
        next_offset: i64,
    ) -> Result<(), AppendError> {
        if self.durability == Durability::Later {
            return Ok(());
        }
        let _turn = self.sync.lock().await;
        if self.lock().synced >= next_offset {
            return Ok(());
        }
        let this = self.clone();
        match tokio::task::spawn_blocking(move || this.sync_now()).await {
            Ok(done) => done,
            Err(_) => Err(AppendError::Closed),
        }
    }

    /// Makes durable what has been written so far.
    pub(crate) fn sync_now(&self) -> Result<(), AppendError> {
        self.dirty.store(false, Ordering::Release);
        let (file, path, next, size) = {
            let log = self.lock();
            if log.failed {
                return Err(AppendError::Failed);
            }
            let next = log.next_offset();
            let Some(segment) = log.segments.last() else {
                return Ok(());
            };
            match segment.active_file() {
                Some(file) if log.synced < next => {
                    (file, segment.path().to_owned(), next, segment.size)
                }
                _ => return Ok(()),
            }
        };
        let done = file.sync_data();
        let mut log = self.lock();
        match done {
            Ok(()) => {
                // A segment begun meanwhile has synced this one, and more.
                if next > log.synced {
                    log.synced = next;
                    log.synced_size = size;
                }
                drop(log);
                if self.durability == Durability::Always {
                    self.wake();
                }
                Ok(())
            }
            Err(e) => {
                // The kernel may have dropped the pages: a second sync that succeeds proves nothing.
                log.failed = true;
                Err(AppendError::Storage(StorageError::new("sync", &path, e)))
            }
        }
    }

    pub(crate) fn bounds(&self) -> Bounds {
        self.bounds_of(&self.lock())
    }

    pub(super) fn bounds_of(&self, log: &PartitionLog) -> Bounds {
        Bounds {
            start: log.start_offset,
            high_watermark: match self.durability {
                Durability::Always => log.synced,
                Durability::Later => log.next_offset(),
            },
        }
    }

    /// Bytes of a segment that a consumer may see.
    pub(super) fn visible_size(&self, log: &PartitionLog, segment: usize) -> u64 {
        let last = segment + 1 == log.segments.len();
        match log.segments.get(segment) {
            Some(_) if last && self.durability == Durability::Always => log.synced_size,
            Some(segment) => segment.size,
            None => 0,
        }
    }

    /// Forgets records below `offset` (-1: all of them). Returns the new start, or `None` when
    /// there is no such offset.
    pub(crate) fn delete_before(&self, offset: i64) -> Result<Option<i64>, StorageError> {
        let _turn = self.cleaning.lock().unwrap_or_else(PoisonError::into_inner);
        let mut log = self.lock();
        let end = self.bounds_of(&log).high_watermark;
        let offset = if offset == -1 { end } else { offset };
        if offset < 0 || offset > end {
            return Ok(None);
        }
        if offset > log.start_offset {
            self.write_start(offset)?;
            log.start_offset = offset;
            self.drop_segments_below_start(&mut log)?;
        }
        Ok(Some(log.start_offset))
    }

    pub(super) fn write_start(&self, offset: i64) -> Result<(), StorageError> {
        files::replace(&self.dir.join(START_FILE), offset.to_string().as_bytes())
    }

    /// Deletes closed segments whose records all lie below the start.
    pub(super) fn drop_segments_below_start(
        &self,
        log: &mut PartitionLog,
    ) -> Result<(), StorageError> {
        while log.segments.len() > 1
            && log
                .segments
                .get(1)
                .is_some_and(|next| next.base_offset <= log.start_offset)
        {
            let old = log.segments.remove(0);
            old.delete()?;
        }
        Ok(())
    }

    /// Takes no more batches. What is written stays.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Asks for a notification at the next batch.
    pub(crate) fn watch(&self, waiter: &Arc<Notify>) {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiters.iter().any(|w| Arc::ptr_eq(w, waiter)) {
            waiters.push(waiter.clone());
        }
    }

    pub(crate) fn unwatch(&self, waiter: &Arc<Notify>) {
        self.waiters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|w| !Arc::ptr_eq(w, waiter));
    }

    fn wake(&self) {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        for waiter in waiters.drain(..) {
            waiter.notify_one();
        }
    }
}

/// Whether the last segment has been written for longer than `segment.ms`.
pub(super) fn is_old(log: &PartitionLog, config: &TopicConfig, now_ms: i64) -> bool {
    let age = i64::try_from(config.segment_age.as_millis()).unwrap_or(i64::MAX);
    log.segment_since
        .is_some_and(|since| now_ms.saturating_sub(since) >= age)
}

/// First offsets of the segments, in order. Left-overs of interrupted work are removed.
fn segment_bases(dir: &Path) -> Result<Vec<i64>, StorageError> {
    let fail = |e| StorageError::new("list", dir, e);
    let mut bases = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        match path.extension().and_then(|e| e.to_str()) {
            Some("log") => {
                let base = path
                    .file_stem()
                    .and_then(|s| s.to_str())
                    .and_then(|s| s.parse::<i64>().ok());
                if let Some(base) = base.filter(|b| *b >= 0) {
                    bases.push(base);
                }
            }
            Some("tmp" | "cleaned") => files::remove_if_there(&path)?,
            _ => {}
        }
    }
    bases.sort_unstable();
    Ok(bases)
}

/// The state of producers where the last segment begins.
fn load_producers(
    dir: &Path,
    base_offset: i64,
    closed: &[Segment],
) -> Result<Producers, StorageError> {
    let snapshot = files::read_if_there(&dir.join(format!("{base_offset:020}.producers")))?;
    if let Some(producers) = snapshot.and_then(|bytes| Producers::decode(&bytes)) {
        return Ok(producers);
    }
    let mut producers = Producers::default();
    for segment in closed {
        segment.for_each_header(&mut |h| producers.record(h))?;
    }
    Ok(producers)
}

fn read_start(dir: &Path) -> Result<Option<i64>, StorageError> {
    let bytes = files::read_if_there(&dir.join(START_FILE))?;
    Ok(bytes
        .and_then(|b| String::from_utf8(b).ok())
        .and_then(|s| s.trim().parse().ok()))
}
