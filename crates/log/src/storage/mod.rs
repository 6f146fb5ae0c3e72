//! Files: topics, partitions, segments.

pub(crate) mod batch;
pub(crate) mod catalogue;
pub(crate) mod compaction;
mod compression;
pub(crate) mod files;
pub(crate) mod partition;
pub(crate) mod producers;
pub(crate) mod read;
pub(crate) mod records;
pub(crate) mod segment;
pub(crate) mod topic;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

/// Something that could not be done to a file.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}; check free space and permissions of the data folder", .path.display())]
pub struct StorageError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl StorageError {
    pub(crate) fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// Milliseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "a broker stamps what it appends, and everybody else reads time off the log"
)]
pub(crate) fn now_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .ok()
        .and_then(|d| i64::try_from(d.as_millis()).ok())
        .unwrap_or(0)
}
