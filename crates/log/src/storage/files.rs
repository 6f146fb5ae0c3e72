//! Small files replaced whole, directories made durable, and the one place where bytes are written.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::StorageError;

/// Writes at a place in a file. On failure some of it may stand there.
pub(crate) fn write_at(file: &File, path: &Path, bytes: &[u8], position: u64) -> io::Result<()> {
    #[cfg(test)]
    if let Some(fits) = full_disk::fits(path, bytes.len()) {
        file.write_all_at(bytes.get(..fits).unwrap_or_default(), position)?;
        return Err(ErrorKind::StorageFull.into());
    }
    #[cfg(not(test))]
    let _ = path;
    file.write_all_at(bytes, position)
}

/// Replaces a file so that after a crash it is either the old or the new one, whole.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    Replacement::write(path, bytes)?.put_in_place()
}

/// A file that is written, durable, and not yet in its place.
pub(crate) struct Replacement<'a> {
    path: &'a Path,
    temporary: PathBuf,
    pub file: File,
}

impl<'a> Replacement<'a> {
    /// Writes it. On failure nothing of it is left, as far as that can be helped.
    pub(crate) fn write(path: &'a Path, bytes: &[u8]) -> Result<Self, StorageError> {
        let temporary = path.with_extension("tmp");
        let fail = |e| StorageError::new("write", path, e);
        let file = File::create(&temporary).map_err(fail)?;
        let written = write_at(&file, path, bytes, 0).and_then(|()| file.sync_all());
        if let Err(e) = written {
            // A full disk needs the room.
            let _ = fs::remove_file(&temporary);
            return Err(fail(e));
        }
        Ok(Self {
            path,
            temporary,
            file,
        })
    }

    /// Gives it its name. After a failure either file may have it.
    pub(crate) fn put_in_place(self) -> Result<(), StorageError> {
        fs::rename(&self.temporary, self.path)
            .map_err(|e| StorageError::new("write", self.path, e))?;
        match self.path.parent() {
            Some(dir) => sync_dir(dir),
            None => Ok(()),
        }
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), StorageError> {
    File::open(dir)
        .and_then(|d| d.sync_all())
        .map_err(|e| StorageError::new("sync the folder", dir, e))
}

pub(crate) fn create_dir(dir: &Path) -> Result<(), StorageError> {
    fs::create_dir_all(dir).map_err(|e| StorageError::new("create the folder", dir, e))
}

pub(crate) fn remove_if_there(path: &Path) -> Result<(), StorageError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(StorageError::new("delete", path, e)),
        _ => Ok(()),
    }
}

/// The contents, or `None` when there is no such file.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, StorageError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(StorageError::new("read", path, e)),
    }
}

pub(crate) fn len(path: &Path) -> Result<u64, StorageError> {
    fs::metadata(path)
        .map(|m| m.len())
        .map_err(|e| StorageError::new("look at", path, e))
}

/// Disks that tests make full.
#[cfg(test)]
pub(crate) mod full_disk {
    use std::path::{Path, PathBuf};
    use std::sync::Mutex;

    /// Folders and how many bytes may still be written below each.
    static DISKS: Mutex<Vec<(PathBuf, usize)>> = Mutex::new(Vec::new());

    /// Leaves room for so many bytes below a folder.
    pub(crate) fn leave(folder: &Path, room: usize) {
        let mut disks = DISKS.lock().unwrap();
        disks.retain(|(disk, _)| disk != folder);
        disks.push((folder.to_owned(), room));
    }

    /// Gives a folder all the room it wants.
    pub(crate) fn empty(folder: &Path) {
        DISKS.lock().unwrap().retain(|(disk, _)| disk != folder);
    }

    /// How many bytes fit, if not all do. What is written before a disk is full stands there, as on a real one.
    pub(super) fn fits(path: &Path, len: usize) -> Option<usize> {
        let mut disks = DISKS.lock().unwrap();
        let (_, room) = disks.iter_mut().find(|(disk, _)| path.starts_with(disk))?;
        let fits = len.min(*room);
        *room -= fits;
        (fits < len).then_some(fits)
    }
}
