//! How a log is set up.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// When writes reach the disk for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    /// At this interval, while anything was written. A crash of the process loses nothing; a
    /// power cut may lose what came since.
    Interval(Duration),
    /// Before a write is acknowledged, and before a consumer sees it.
    Always,
}

/// Where the log listens, where it keeps its files, and what it allows.
#[derive(Debug, Clone)]
pub struct Config {
    /// Port 0 takes a free one; `Log::addr` tells which.
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub fsync: Fsync,
    /// Host and port told to clients; by default the address they came to.
    pub advertised: Option<(String, u16)>,
    /// There is no authentication: other machines are let in only if this is set.
    pub allow_remote: bool,
    /// Threads that serve requests.
    pub threads: usize,
    /// How often old segments are deleted and compacted.
    pub clean_interval: Duration,
    pub limits: Limits,
}

/// Bounds that keep memory and files in check whatever clients do.
#[derive(Debug, Clone)]
pub struct Limits {
    pub max_connections: usize,
    /// Largest request.
    pub max_request_bytes: usize,
    /// Requests of one connection that are answered later, such as waiting fetches.
    pub max_in_flight: usize,
    /// Memory for requests being read and handled, over all connections.
    pub request_memory: usize,
    /// Records in one answer to a fetch.
    pub max_fetch_bytes: usize,
    /// A request must be complete, and an answer be taken, in this time.
    pub io_timeout: Duration,
    /// Connections that say nothing for longer are closed.
    pub idle_timeout: Duration,
    pub max_partitions: usize,
    pub max_groups: usize,
    pub max_group_members: usize,
    pub max_committed_offsets: usize,
    pub min_session_timeout: Duration,
    pub max_session_timeout: Duration,
}

impl Config {
    /// A log on loopback with a free port.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: data_dir.into(),
            fsync: Fsync::Interval(Duration::from_millis(200)),
            advertised: None,
            allow_remote: false,
            threads: 2,
            clean_interval: Duration::from_secs(60),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 256,
            max_request_bytes: 32 * 1024 * 1024,
            max_in_flight: 16,
            request_memory: 128 * 1024 * 1024,
            max_fetch_bytes: 4 * 1024 * 1024,
            io_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(600),
            max_partitions: 4096,
            max_groups: 10_000,
            max_group_members: 1000,
            max_committed_offsets: 1_000_000,
            min_session_timeout: Duration::from_millis(500),
            max_session_timeout: Duration::from_secs(1800),
        }
    }
}
