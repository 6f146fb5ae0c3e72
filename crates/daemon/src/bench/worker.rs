//! A daemon that is measured: what it says of itself on its admin port, and what the system says of it.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::{child::Child, process, process::MemoryWatch, site::Site};

/// How long a daemon may take to be ready.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Worker<'s> {
    site: &'s Site,
    child: Child,
    memory: MemoryWatch,
    /// Before it did anything.
    pub born: Reading,
}

/// What a daemon, its log and the system counted up to one moment.
#[derive(Clone, Debug)]
pub struct Reading {
    pub at: Instant,
    pub metrics: Metrics,
    /// Processor seconds of the daemon.
    pub cpu: Option<f64>,
    /// Processor seconds of the log.
    pub log_cpu: Option<f64>,
    /// Processor seconds of the database's server; zero where there is none beside the daemon.
    pub store_cpu: Option<f64>,
    /// Processor seconds of the daemon's threads.
    pub threads: BTreeMap<String, f64>,
}

impl<'s> Worker<'s> {
    /// Starts a daemon and waits until it is ready.
    pub fn start(site: &'s Site) -> anyhow::Result<Self> {
        let born = Reading {
            at: Instant::now(),
            metrics: Metrics::default(),
            cpu: Some(0.0),
            log_cpu: site.log_pid.and_then(process::cpu),
            store_cpu: site.store_cpu(),
            threads: BTreeMap::new(),
        };
        let child = site.daemon()?;
        let memory = MemoryWatch::start(child.pid())?;
        let mut worker = Self {
            site,
            child,
            memory,
            born,
        };
        let begun = Instant::now();
        while worker.ask("/readyz").is_err() {
            worker.check()?;
            anyhow::ensure!(begun.elapsed() < PATIENCE, "a daemon is not ready in time");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(worker)
    }

    /// An error if it has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        self.child.check()
    }

    pub fn metrics(&self) -> anyhow::Result<Metrics> {
        Ok(Metrics::read(&self.ask("/metrics")?))
    }

    pub fn reading(&self) -> anyhow::Result<Reading> {
        let pid = self.child.pid();
        Ok(Reading {
            at: Instant::now(),
            metrics: self.metrics()?,
            cpu: process::cpu(pid),
            log_cpu: self.site.log_pid.and_then(process::cpu),
            store_cpu: self.site.store_cpu(),
            threads: process::cpu_by_thread(pid),
        })
    }

    /// The most memory of its own it has had so far, bytes.
    pub fn peak_memory(&self) -> Option<u64> {
        self.memory.peak()
    }

    /// Ends it in order.
    pub fn end(self) -> anyhow::Result<()> {
        self.child.end()
    }

    /// The body of an answer with status 200.
    fn ask(&self, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.site.admin)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let host = self.site.admin;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no answer in HTTP")?;
        anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "not ready");
        Ok(body.to_owned())
    }
}

/// The samples of an exposition, by their names with labels.
#[derive(Clone, Debug, Default)]
pub struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    fn read(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        Self(
            samples
                .filter_map(|line| {
                    let (name, value) = line.rsplit_once(' ')?;
                    Some((name.to_owned(), value.parse().ok()?))
                })
                .collect(),
        )
    }

    /// The sum of a counter over its labels.
    pub fn total(&self, name: &str) -> u64 {
        let all = self.0.iter();
        let of_it = all.filter(|(sample, _)| sample.split('{').next() == Some(name));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a counter is a whole number, far below 2^52"
        )]
        of_it.map(|(_, value)| *value as u64).sum()
    }

    /// A metric's samples by the value of its only label.
    pub fn by_label(&self, name: &str) -> BTreeMap<String, f64> {
        let all = self.0.iter();
        all.filter_map(|(sample, value)| {
            let labels = sample.strip_prefix(name)?.strip_prefix('{')?;
            let label = labels.split('"').nth(1)?;
            Some((label.to_owned(), *value))
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_summed_over_their_labels_and_told_apart_by_them() {
        let metrics = Metrics::read(
            "# HELP a A.\na_total{s=\"x\"} 2\na_total{s=\"y\"} 3\na_total_more 7\n\
             t_sum{stage=\"apply\"} 0.25\n# EOF\n",
        );
        assert_eq!(metrics.total("a_total"), 5);
        assert_eq!(metrics.by_label("t_sum")["apply"], 0.25);
    }
}
