//! Committed offsets: kept in memory, written ahead to one file that is rewritten when most of
//! it is history.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::storage::{StorageError, files};

const MAGIC: &[u8; 4] = b"BLG1";
/// The file is not rewritten below this size.
const REWRITE_FROM: u64 = 1 << 20;
const MAX_ENTRY: usize = 64 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: String,
}

/// Offsets of a group by topic and partition.
pub(crate) type GroupOffsets = BTreeMap<(String, i32), Committed>;

/// One change; `None` takes the offset away.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub group: String,
    pub topic: String,
    pub partition: i32,
    pub committed: Option<Committed>,
}

#[derive(Debug)]
pub(crate) struct Offsets {
    path: PathBuf,
    file: Arc<File>,
    size: u64,
    live: u64,
    failed: bool,
    unsynced: bool,
    groups: HashMap<String, GroupOffsets>,
}

impl Offsets {
    pub(crate) fn open(data_dir: &Path) -> Result<Self, StorageError> {
        let path = data_dir.join("committed-offsets");
        let bytes = match files::read_if_there(&path)? {
            Some(bytes) => bytes,
            None => {
                files::replace(&path, MAGIC)?;
                MAGIC.to_vec()
            }
        };
        let mut groups = HashMap::new();
        let mut valid = 0;
        if let Some(mut rest) = bytes.strip_prefix(MAGIC) {
            valid = MAGIC.len();
            while let Some((change, used)) = decode(rest) {
                apply(&mut groups, change);
                valid += used;
                rest = rest.get(used..).unwrap_or_default();
            }
        } else if !bytes.is_empty() {
            return Err(StorageError::new(
                "understand",
                &path,
                std::io::Error::new(std::io::ErrorKind::InvalidData, "not a file of offsets"),
            ));
        }
        let mut offsets = Self {
            file: open_for_write(&path)?,
            path,
            size: valid as u64,
            live: 0,
            failed: false,
            unsynced: false,
            groups,
        };
        if valid < bytes.len() || valid == 0 {
            tracing::warn!(
                bytes = bytes.len() - valid,
                "cut a torn tail off the committed offsets"
            );
            offsets.rewrite()?;
        }
        offsets.live = offsets.count();
        Ok(offsets)
    }

    fn count(&self) -> u64 {
        self.groups.values().map(|g| g.len() as u64).sum()
    }

    pub(crate) fn group(&self, group: &str) -> Option<&GroupOffsets> {
        self.groups.get(group)
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = &String> {
        self.groups.keys()
    }

    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.live).unwrap_or(usize::MAX)
    }

    /// Writes the changes; in memory they are only once they are in the file. Returns the file,
    /// to be synced by whoever promises durability.
    pub(crate) fn write(&mut self, changes: Vec<Change>) -> Result<Arc<File>, StorageError> {
        let fail = |path: &Path, e| StorageError::new("append to", path, e);
        if self.failed {
            return Err(fail(&self.path, std::io::Error::other("failed before")));
        }
        let mut out = Vec::new();
        for change in &changes {
            encode(change, &mut out);
        }
        if let Err(e) = files::write_at(&self.file, &self.path, &out, self.size) {
            self.failed = self.file.set_len(self.size).is_err();
            return Err(fail(&self.path, e));
        }
        self.size += out.len() as u64;
        self.unsynced = true;
        for change in changes {
            let delta = apply(&mut self.groups, change);
            self.live = self.live.saturating_add_signed(delta);
        }
        if self.size > REWRITE_FROM && self.size / 256 > self.live * 2 {
            // The changes stand in the file that there is; that it is long is no reason to refuse them.
            if let Err(error) = self.rewrite() {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "committed offsets not rewritten; their file goes on growing"
                );
            }
        }
        Ok(self.file.clone())
    }

    /// The file, if it was written since this was last asked.
    pub(crate) fn take_unsynced(&mut self) -> Option<Arc<File>> {
        std::mem::take(&mut self.unsynced).then(|| self.file.clone())
    }

    pub(crate) fn mark_failed(&mut self) {
        self.failed = true;
    }

    fn rewrite(&mut self) -> Result<(), StorageError> {
        let mut out = MAGIC.to_vec();
        for (group, offsets) in &self.groups {
            for ((topic, partition), committed) in offsets {
                encode(
                    &Change {
                        group: group.clone(),
                        topic: topic.clone(),
                        partition: *partition,
                        committed: Some(committed.clone()),
                    },
                    &mut out,
                );
            }
        }
        let replacement = files::Replacement::write(&self.path, &out)?;
        let file = replacement.file.try_clone();
        let file = file.map_err(|e| StorageError::new("open", &self.path, e))?;
        if let Err(e) = replacement.put_in_place() {
            // Which of the two files will be found after a restart is not known.
            self.failed = true;
            return Err(e);
        }
        self.file = Arc::new(file);
        self.size = out.len() as u64;
        Ok(())
    }
}

fn open_for_write(path: &Path) -> Result<Arc<File>, StorageError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map(Arc::new)
        .map_err(|e| StorageError::new("open", path, e))
}

/// Returns by how many the offsets became more.
fn apply(groups: &mut HashMap<String, GroupOffsets>, change: Change) -> i64 {
    let at = (change.topic, change.partition);
    if let Some(committed) = change.committed {
        let before = groups
            .entry(change.group)
            .or_default()
            .insert(at, committed);
        return i64::from(before.is_none());
    }
    let Some(offsets) = groups.get_mut(&change.group) else {
        return 0;
    };
    let before = offsets.remove(&at);
    if offsets.is_empty() {
        groups.remove(&change.group);
    }
    -i64::from(before.is_some())
}

/// Length, checksum, then partition, offset, epoch, whether it is a deletion, and three texts.
fn encode(change: &Change, out: &mut Vec<u8>) {
    let mut body = Vec::with_capacity(64);
    let gone = Committed {
        offset: -1,
        leader_epoch: -1,
        metadata: String::new(),
    };
    let committed = change.committed.as_ref().unwrap_or(&gone);
    body.extend_from_slice(&change.partition.to_be_bytes());
    body.extend_from_slice(&committed.offset.to_be_bytes());
    body.extend_from_slice(&committed.leader_epoch.to_be_bytes());
    body.push(u8::from(change.committed.is_some()));
    for text in [&change.group, &change.topic, &committed.metadata] {
        body.extend_from_slice(&(text.len() as u32).to_be_bytes());
        body.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(&(body.len() as u32).to_be_bytes());
    out.extend_from_slice(&crc32c::crc32c(&body).to_be_bytes());
    out.extend_from_slice(&body);
}

fn decode(bytes: &[u8]) -> Option<(Change, usize)> {
    let mut rest = bytes;
    let len = u32::from_be_bytes(take(&mut rest)?) as usize;
    let crc = u32::from_be_bytes(take(&mut rest)?);
    if len > MAX_ENTRY * 2 {
        return None;
    }
    let mut body = rest.get(..len)?;
    if crc32c::crc32c(body) != crc {
        return None;
    }
    let partition = i32::from_be_bytes(take(&mut body)?);
    let offset = i64::from_be_bytes(take(&mut body)?);
    let leader_epoch = i32::from_be_bytes(take(&mut body)?);
    let [there] = take(&mut body)?;
    let group = text(&mut body)?;
    let topic = text(&mut body)?;
    let metadata = text(&mut body)?;
    let change = Change {
        group,
        topic,
        partition,
        committed: (there == 1).then_some(Committed {
            offset,
            leader_epoch,
            metadata,
        }),
    };
    Some((change, 8 + len))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

fn text(rest: &mut &[u8]) -> Option<String> {
    let len = u32::from_be_bytes(take(rest)?) as usize;
    let head = rest.get(..len)?;
    *rest = rest.get(len..)?;
    String::from_utf8(head.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(offset: i64) -> Vec<Change> {
        vec![Change {
            group: "g".to_owned(),
            topic: "t".to_owned(),
            partition: 0,
            committed: Some(Committed {
                offset,
                leader_epoch: -1,
                metadata: String::new(),
            }),
        }]
    }

    #[test]
    fn offsets_survive_a_torn_tail_and_rewriting() {
        let dir = tempfile::tempdir().unwrap();
        let mut offsets = Offsets::open(dir.path()).unwrap();
        for offset in 0..30_000 {
            offsets.write(commit(offset)).unwrap();
        }
        assert!(offsets.size < REWRITE_FROM * 2);
        files::write_at(&offsets.file, &offsets.path, b"torn", offsets.size).unwrap();
        drop(offsets);
        let offsets = Offsets::open(dir.path()).unwrap();
        let group = offsets.group("g").unwrap();
        assert_eq!(group[&("t".to_owned(), 0)].offset, 29_999);
    }

    #[test]
    fn offsets_that_cannot_be_rewritten_are_still_committed() {
        let dir = tempfile::tempdir().unwrap();
        let mut offsets = Offsets::open(dir.path()).unwrap();
        let mut entry = Vec::new();
        encode(&commit(0)[0], &mut entry);
        let mut next = 0;
        while offsets.size + entry.len() as u64 <= REWRITE_FROM {
            offsets.write(commit(next)).unwrap();
            next += 1;
        }
        // Room for this commit, and not for all that would be written anew.
        files::full_disk::leave(dir.path(), entry.len());
        offsets.write(commit(next)).unwrap();
        offsets.write(commit(next + 1)).unwrap_err();
        files::full_disk::empty(dir.path());
        offsets.write(commit(next + 2)).unwrap();
        assert!(offsets.size < REWRITE_FROM);
        drop(offsets);
        let offsets = Offsets::open(dir.path()).unwrap();
        let group = offsets.group("g").unwrap();
        assert_eq!(group[&("t".to_owned(), 0)].offset, next + 2);
    }
}
