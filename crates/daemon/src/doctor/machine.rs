//! This machine: secrets, data folder, disk, the admin port.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::Findings;
use crate::{
    cli::{Running, Workspace},
    disk,
};

/// Room below which a disk is as good as full.
const MUST_HAVE: u64 = 256 << 20;

/// Room below which somebody should look.
const SHOULD_HAVE: u64 = 2 << 30;

/// Files with secrets belong to their owner alone.
pub(super) fn secrets(files: &[PathBuf], findings: &mut Findings) {
    for file in files {
        let shown = file.display();
        match fs::metadata(file) {
            // A missing one is a problem of the configuration, which names its place there.
            Err(_) => {}
            Ok(found) if is_open(&found) => findings.wrong(
                "secrets",
                format!("{shown} can be read by others than its owner"),
                format!("chmod 600 {shown}, and change the secret if others use this machine"),
            ),
            Ok(_) => findings.ok("secrets", format!("{shown} is its owner's alone")),
        }
    }
}

#[cfg(unix)]
fn is_open(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    found.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open(_: &fs::Metadata) -> bool {
    false
}

/// The folder of the embedded log and store, where they are used.
pub(super) fn data(workspace: &Workspace, findings: &mut Findings) {
    let area = "data";
    let folder = &workspace.data;
    let shown = folder.display();
    if !workspace.uses_data() {
        return findings.skipped(area, "log and store are elsewhere; no data folder is used");
    }
    match fs::metadata(folder) {
        Ok(found) if !found.is_dir() => findings.wrong(
            area,
            format!("{shown} is no folder"),
            "name a folder with --data, or remove the file",
        ),
        Ok(found) if found.permissions().readonly() || !writable(folder) => findings.wrong(
            area,
            format!("{shown} cannot be written by this user"),
            format!("chown it to the user that the daemon runs as, with mode 700: {shown}"),
        ),
        Ok(found) if is_open(&found) => findings.wrong(
            area,
            format!("{shown} can be read by others than its owner, and holds personal data"),
            format!("chmod 700 {shown}"),
        ),
        Ok(_) => findings.ok(area, format!("{shown} is its owner's alone")),
        Err(_) => findings.ok(
            area,
            format!("{shown} is not there yet; the daemon creates it"),
        ),
    }
    room(folder, findings);
}

#[cfg(unix)]
fn writable(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(not(unix))]
fn writable(_: &Path) -> bool {
    true
}

fn room(folder: &Path, findings: &mut Findings) {
    let area = "disk";
    let Some(free) = disk::free(folder) else {
        return findings.skipped(area, format!("{} cannot be asked", folder.display()));
    };
    let what = format!("{} MiB are free for {}", free >> 20, folder.display());
    let fix =
        "make room or move the data folder: when it is full, changes wait and none is settled";
    if free < MUST_HAVE {
        findings.wrong(area, what, fix);
    } else if free < SHOULD_HAVE {
        findings.warning(area, what, fix);
    } else {
        findings.ok(area, what);
    }
}

/// Whether the admin port can be opened, unless a daemon of ours has it.
pub(super) async fn admin(workspace: &Workspace, findings: &mut Findings) {
    let area = "admin port";
    let bind = workspace.active.settings.admin.bind;
    let ours = Running::read(&workspace.data).and_then(|running| running.admin);
    let embedded = workspace.active.settings.kafka.bootstrap.is_none();
    if embedded && ours == Some(bind) {
        return findings.ok(area, format!("{bind} is the running daemon's"));
    }
    match tokio::net::TcpListener::bind(bind).await {
        Ok(_) => findings.ok(area, format!("{bind} is free")),
        Err(_) if is_a_daemon(bind).await => {
            findings.ok(area, format!("a daemon lives at {bind}"));
        }
        Err(error) => findings.warning(
            area,
            format!("{bind} cannot be listened on: {error}"),
            "end whoever has it, or set `admin.bind`",
        ),
    }
}

/// Whether a daemon's admin port answers there.
async fn is_a_daemon(bind: SocketAddr) -> bool {
    let asked = async {
        let mut stream = TcpStream::connect(bind).await?;
        stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").await?;
        let mut answer = String::new();
        stream.take(4_096).read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer.contains(" 200 ") && answer.ends_with("\r\nok\n"))
    };
    matches!(
        tokio::time::timeout(Duration::from_secs(2), asked).await,
        Ok(Ok(true))
    )
}
