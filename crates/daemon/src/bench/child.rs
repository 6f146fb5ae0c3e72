//! Other processes of the same binary, which end with this one, in whichever way it ends.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use anyhow::Context as _;

/// A `baton` that ends when its standard input does: the pipe closes when this process ends.
pub struct Child {
    process: std::process::Child,
}

impl Child {
    /// Starts `baton` with these arguments.
    pub fn start(args: &[&str]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program itself")?;
        let process = Command::new(program)
            .args(args)
            .arg("--until-stdin-ends")
            .env_remove("BATON_CONFIG")
            .env_remove("BATON_DATA")
            .env("BATON_LOG", "error,librdkafka=off,rdkafka=off")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a second baton")?;
        Ok(Self { process })
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The first line that it prints.
    pub fn first_line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if let Some(out) = self.process.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        anyhow::ensure!(!line.trim().is_empty(), "a second baton ended at once");
        Ok(line.trim().to_owned())
    }

    /// An error if it has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.process.try_wait()? {
            anyhow::bail!("a second baton ended by itself ({status}); it says why above");
        }
        Ok(())
    }

    /// Asks it to end and waits until it has.
    pub fn end(mut self) -> anyhow::Result<()> {
        drop(self.process.stdin.take());
        let status = self.process.wait()?;
        anyhow::ensure!(status.success(), "a second baton ended with {status}");
        Ok(())
    }
}

impl Drop for Child {
    /// What was not asked to end is of no use any more.
    fn drop(&mut self) {
        if !matches!(self.process.try_wait(), Ok(Some(_))) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
