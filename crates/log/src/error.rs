//! Why a log does not open.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

pub use crate::storage::StorageError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("another process uses the data folder {}; stop it or give another folder", .0.display())]
    Locked(PathBuf),
    #[error("cannot listen on {addr}; see that the address is this machine's and the port is free")]
    Listen { addr: SocketAddr, source: io::Error },
    #[error(
        "{0} is reachable from other machines and there is no authentication; listen on loopback or set allow_remote"
    )]
    NotLoopback(SocketAddr),
    #[error("{0}")]
    Limits(String),
    #[error("cannot start the threads of the log")]
    Threads(#[source] io::Error),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the log stopped while it was opening")]
    Stopped,
}
