//! Ids for idempotent producers, never given twice.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::storage::{StorageError, files};

/// Ids reserved by one write; those not used before a restart are skipped.
const BLOCK: i64 = 1000;

#[derive(Debug)]
pub(crate) struct ProducerIds {
    path: PathBuf,
    state: Mutex<Reserved>,
}

#[derive(Debug)]
struct Reserved {
    next: i64,
    until: i64,
}

impl ProducerIds {
    pub(crate) fn open(data_dir: &Path) -> Result<Self, StorageError> {
        let path = data_dir.join("producer-ids");
        let next = match files::read_if_there(&path)? {
            None => 0,
            Some(bytes) => String::from_utf8(bytes)
                .ok()
                .and_then(|s| s.trim().parse().ok())
                .ok_or_else(|| {
                    let source =
                        std::io::Error::new(std::io::ErrorKind::InvalidData, "not a number");
                    StorageError::new("understand", &path, source)
                })?,
        };
        Ok(Self {
            path,
            state: Mutex::new(Reserved { next, until: next }),
        })
    }

    pub(crate) fn next(&self) -> Result<i64, StorageError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.next == state.until {
            let until = state.until + BLOCK;
            files::replace(&self.path, until.to_string().as_bytes())?;
            state.until = until;
        }
        state.next += 1;
        Ok(state.next - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_never_given_twice() {
        let dir = tempfile::tempdir().unwrap();
        let ids = ProducerIds::open(dir.path()).unwrap();
        assert_eq!((ids.next().unwrap(), ids.next().unwrap()), (0, 1));
        drop(ids);
        let ids = ProducerIds::open(dir.path()).unwrap();
        assert_eq!(ids.next().unwrap(), BLOCK);
    }
}
