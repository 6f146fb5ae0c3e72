//! What a process of this machine has used, as Linux tells it under `/proc`. Elsewhere nothing is known.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// The kernel's unit of processor time in `/proc/*/stat` on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds of processor time that a process and its children, ended ones included, have used.
pub fn cpu(pid: u32) -> Option<f64> {
    let mut seconds = 0.0;
    let mut found = false;
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(other) = entry
            .file_name()
            .to_str()
            .and_then(|n| n.parse::<u32>().ok())
        else {
            continue;
        };
        let Some(stat) = Stat::read(&entry.path().join("stat")) else {
            continue;
        };
        if other == pid {
            found = true;
            seconds += stat.own + stat.ended_children;
        } else if stat.parent == pid {
            seconds += stat.own;
        }
    }
    found.then_some(seconds)
}

/// Seconds of processor time of a process's threads, by their names without a number behind.
pub fn cpu_by_thread(pid: u32) -> BTreeMap<String, f64> {
    let mut by_name = BTreeMap::new();
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    for task in tasks.into_iter().flatten().flatten() {
        if let Some(stat) = Stat::read(&task.path().join("stat")) {
            let name = stat
                .name
                .trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
            *by_name.entry(name.to_owned()).or_default() += stat.own;
        }
    }
    by_name
}

struct Stat {
    name: String,
    parent: u32,
    own: f64,
    ended_children: f64,
}

impl Stat {
    fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        // The name may hold anything, parentheses too.
        let (head, rest) = text.rsplit_once(')')?;
        let (_, name) = head.split_once('(')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let ticks = |from: usize| -> Option<f64> {
            let user: f64 = fields.get(from)?.parse().ok()?;
            let system: f64 = fields.get(from + 1)?.parse().ok()?;
            Some((user + system) / TICKS_PER_SECOND)
        };
        Some(Self {
            name: name.to_owned(),
            parent: fields.get(1)?.parse().ok()?,
            own: ticks(11)?,
            ended_children: ticks(13)?,
        })
    }
}

/// The process that a PostgreSQL server began as, by one that serves a connection of it, if both are on this machine.
pub fn postmaster(backend: u32) -> Option<u32> {
    let stat = Stat::read(Path::new(&format!("/proc/{backend}/stat")))?;
    stat.name.starts_with("postgres").then_some(stat.parent)
}

/// Bytes of one line of a process's `status`: `RssAnon`, `VmHWM`.
fn status_bytes(pid: u32, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text
        .lines()
        .find_map(|l| l.strip_prefix(name)?.strip_prefix(':'))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

/// The most memory that a process has had of its own (`RssAnon`: no page of any file), looked at every 20 ms.
pub struct MemoryWatch {
    peak: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl MemoryWatch {
    pub fn start(pid: u32) -> std::io::Result<Self> {
        let (peak, ended) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (its_peak, its_end) = (peak.clone(), ended.clone());
        let thread = std::thread::Builder::new()
            .name("baton-memory".into())
            .spawn(move || {
                while !its_end.load(Ordering::Relaxed) {
                    if let Some(now) = status_bytes(pid, "RssAnon") {
                        its_peak.fetch_max(now, Ordering::Relaxed);
                    }
                    std::thread::park_timeout(Duration::from_millis(20));
                }
            })?;
        Ok(Self {
            peak,
            ended,
            thread: Some(thread),
        })
    }

    /// Bytes; none where the system does not tell.
    pub fn peak(&self) -> Option<u64> {
        Some(self.peak.load(Ordering::Relaxed)).filter(|peak| *peak > 0)
    }
}

impl Drop for MemoryWatch {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It only reads files; it cannot panic.
            let _ = thread.join();
        }
    }
}

/// The process of this machine that listens at an address, if it can be seen.
pub fn listening(address: SocketAddr) -> Option<u32> {
    if !address.ip().is_loopback() {
        return None;
    }
    let port = format!(":{:04X}", address.port());
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|t| fs::read_to_string(t).unwrap_or_default());
    let sockets: Vec<String> = tables
        .iter()
        .flat_map(|table| table.lines())
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            // 0A: listening.
            let listens = fields.get(1)?.ends_with(&port) && *fields.get(3)? == "0A";
            listens.then(|| fields.get(9).map(|inode| format!("socket:[{inode}]")))?
        })
        .collect();
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes
        .filter(|process| {
            let files = fs::read_dir(process.path().join("fd"))
                .into_iter()
                .flatten();
            let mut links = files.flatten().filter_map(|f| fs::read_link(f.path()).ok());
            links.any(|link| {
                sockets
                    .iter()
                    .any(|socket| link.as_os_str() == socket.as_str())
            })
        })
        .find_map(|process| process.file_name().to_str()?.parse().ok())
}

/// The kind of file system on which a folder lies, such as `ext4` or `tmpfs`.
pub fn file_system(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (at, kind) = (fields.next()?, fields.next()?);
        folder.starts_with(at).then(|| (at.len(), kind.to_owned()))
    });
    // The last of equal ones lies on top.
    mounts
        .max_by_key(|(length, _)| *length)
        .map(|(_, kind)| kind)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn who_listens_at_a_port_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(listening(address), Some(std::process::id()));
    }

    #[test]
    fn the_file_system_of_proc_is_proc() {
        assert_eq!(
            file_system(Path::new("/proc/self")).as_deref(),
            Some("proc")
        );
    }

    #[test]
    fn a_process_has_memory_of_its_own_and_used_a_processor() {
        let me = std::process::id();
        assert!(status_bytes(me, "RssAnon").unwrap() > 0);
        assert!(cpu(me).is_some());
        assert!(!cpu_by_thread(me).is_empty());
    }
}
