//! How much room a disk has.

use std::path::Path;

/// Bytes that an unprivileged process may still write on the disk of `folder`; of a folder that is not there yet, on
/// the disk of the nearest one above. None where it cannot be asked.
#[cfg(unix)]
#[must_use]
pub fn free(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().find(|up| up.is_dir());
    let disk = rustix::fs::statvfs(there.unwrap_or(Path::new("."))).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Free room is looked at on Unix only.
#[cfg(not(unix))]
#[must_use]
pub fn free(_: &Path) -> Option<u64> {
    None
}
