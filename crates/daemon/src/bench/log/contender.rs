//! A log that is measured, and the process that it is.

use std::path::Path;

use anyhow::Context as _;

use super::Fsync;
use crate::bench::{
    child::Child,
    process::{self, MemoryWatch},
};

/// A log to measure.
pub struct Contender {
    pub name: &'static str,
    pub address: String,
    /// Of every topic that is made there.
    pub topic_settings: &'static [(&'static str, &'static str)],
    pid: Option<u32>,
    memory: Option<MemoryWatch>,
    /// The embedded log ends with it, and its data with it.
    _process: Option<(Child, tempfile::TempDir)>,
}

impl Contender {
    /// The embedded log in a process of its own, with a new folder in this one.
    pub fn start(fsync: Fsync, data: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir_in(data).context("cannot make a folder for the log")?;
        let path = folder.path().to_string_lossy();
        let mut args = vec!["log", "--listen", "127.0.0.1:0", "--data", &path];
        if fsync == Fsync::Always {
            args.push("--fsync");
        }
        let mut child = Child::start(&args)?;
        let line = child.first_line()?;
        let address = line
            .strip_prefix("bootstrap.servers=")
            .with_context(|| format!("the log said {line:?} instead of its address"))?;
        Self::new("embedded log", address, &[], Some(child.pid())).map(|log| Self {
            _process: Some((child, folder)),
            ..log
        })
    }

    /// A real Apache Kafka; its process is found if it is one of this machine.
    pub fn kafka(address: &str, fsync: Fsync) -> anyhow::Result<Self> {
        let settings: &[_] = match fsync {
            Fsync::Interval => &[],
            Fsync::Always => &[("flush.messages", "1")],
        };
        let pid = address.parse().ok().and_then(process::listening);
        Self::new("Apache Kafka", address, settings, pid)
    }

    fn new(
        name: &'static str,
        address: &str,
        topic_settings: &'static [(&'static str, &'static str)],
        pid: Option<u32>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            name,
            address: address.to_owned(),
            topic_settings,
            pid,
            memory: pid.map(MemoryWatch::start).transpose()?,
            _process: None,
        })
    }

    /// Seconds of processor time that it has used, where its process can be seen.
    pub fn cpu(&self) -> Option<f64> {
        process::cpu(self.pid?)
    }

    /// The most memory of its own that it had since it is looked at, MiB.
    pub fn peak_memory_mib(&self) -> Option<f64> {
        Some(self.memory.as_ref()?.peak()? as f64 / f64::from(1 << 20))
    }
}
