//! A daemon of a test's own.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, ExitStatus},
    time::Instant,
};

use crate::ground::PATIENCE;

/// Looks until it is so.
#[track_caller]
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::yield_now();
    }
}

/// The body of an answer with status 200. The token is the admin port's.
pub fn ask(address: SocketAddr, path: &str, token: Option<&str>) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let token = token.map_or_else(String::new, |t| format!("Authorization: Bearer {t}\r\n"));
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\n{token}Connection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
}

/// A daemon, killed when dropped.
pub struct Worker {
    pub process: Child,
    admin: SocketAddr,
    /// What it and its predecessors of the same name said.
    words: PathBuf,
}

impl Worker {
    pub fn spawn(mut command: Command, admin: SocketAddr, words: PathBuf) -> Self {
        let said = File::options().create(true).append(true).open(&words);
        let process = command.stderr(said.unwrap()).spawn().unwrap();
        Self {
            process,
            admin,
            words,
        }
    }

    pub fn is_ready(&self) -> bool {
        self.ask("/readyz").is_some_and(|body| body == "ready\n")
    }

    #[track_caller]
    pub fn becomes_ready(&mut self) {
        until("the worker is ready", || {
            let ended = self.process.try_wait().unwrap();
            let said = || std::fs::read_to_string(&self.words).unwrap_or_default();
            assert!(ended.is_none(), "the worker ended: {ended:?}: {}", said());
            self.is_ready()
        });
    }

    /// Whether it, or one before it, said this.
    pub fn said(&self, what: &str) -> bool {
        fs::read_to_string(&self.words).unwrap().contains(what)
    }

    /// Waits until it has said this.
    #[track_caller]
    pub fn wait_until_it_says(&self, what: &str) {
        until(what, || self.said(what));
    }

    /// The body of an answer with status 200.
    pub fn ask(&self, path: &str) -> Option<String> {
        ask(self.admin, path, None)
    }

    /// The sum of a counter over its labels.
    pub fn counted(&self, name: &str) -> u64 {
        let text = self.ask("/metrics").unwrap_or_default();
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum()
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Sends SIGTERM and waits for the end.
    pub fn end(mut self) -> ExitStatus {
        self.signal("-TERM");
        self.process.wait().unwrap()
    }

    /// Waits until it ends by itself.
    pub fn wait_for_its_end(&mut self) {
        until("the worker ends by itself", || {
            self.process.try_wait().unwrap().is_some()
        });
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.dies();
    }

    /// Ends it as a power cut would, if it has not ended yet.
    pub fn dies(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
