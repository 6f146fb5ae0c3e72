//! Logs for tests: a broker that they share, and ones of a test's own, which it may kill and start again.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::LazyLock,
};

use baton_store::testing::REQUIRE_ALL;

use crate::ground::root;

/// Address of a broker to use instead of starting one.
const BROKER: &str = "BATON_TEST_KAFKA";

/// The address of the broker that the tests of this process share.
pub fn broker() -> Option<&'static str> {
    static FOUND: LazyLock<Result<(String, Option<Broker>), String>> =
        LazyLock::new(|| match std::env::var(BROKER) {
            Ok(address) => Ok((address, None)),
            Err(_) => Broker::start().map(|broker| (broker.address.clone(), Some(broker))),
        });
    match &*FOUND {
        Ok((address, _)) => Some(address),
        Err(why) => missing("Apache Kafka", why),
    }
}

/// Says that something is not there; fails where it must be.
pub fn missing<T>(what: &str, why: &str) -> Option<T> {
    skip(&format!("no {what}: {why}"));
    None
}

/// Says loudly what is missing, and fails where nothing may be skipped.
pub fn skip(what: &str) {
    let set = |name: &str, value: &str| std::env::var(name).is_ok_and(|v| v == value);
    let required = set("CI", "true") || set(REQUIRE_ALL, "1");
    assert!(!required, "required here and missing: {what}");
    eprintln!("SKIPPED: {what}");
}

/// Apache Kafka. It hangs on a pipe that closes when this process ends, however it ends.
pub struct Broker {
    pub address: String,
    process: Child,
    says: BufReader<ChildStdout>,
}

impl Broker {
    /// One of the test's own.
    pub fn alone() -> Option<Self> {
        match Self::start() {
            Ok(broker) => Some(broker),
            Err(why) => missing("Apache Kafka", &why),
        }
    }

    fn start() -> Result<Self, String> {
        let mut process = Command::new(root().join("tests/ground/kafka"))
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("tests/ground/kafka cannot be started: {e}"))?;
        let mut broker = Self {
            address: String::new(),
            says: BufReader::new(process.stdout.take().unwrap()),
            process,
        };
        broker.address = broker.hear_where();
        if broker.address.is_empty() {
            return Err("tests/ground/kafka started none; it says why above".to_owned());
        }
        Ok(broker)
    }

    /// Address and process.
    fn hear_where(&mut self) -> String {
        let address = self.hear();
        self.hear();
        address
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn tell(&mut self, word: &str) {
        writeln!(self.process.stdin.as_mut().unwrap(), "{word}").unwrap();
    }
}

/// `baton log` as a process of its own.
pub struct BatonLog {
    pub address: String,
    data: PathBuf,
    process: Option<Child>,
}

impl BatonLog {
    /// One that listens where nobody does.
    pub fn start(data: &Path) -> Self {
        let mut log = Self {
            address: "127.0.0.1:0".to_owned(),
            data: data.to_owned(),
            process: None,
        };
        log.run();
        log
    }

    fn run(&mut self) {
        let mut process = Command::new(env!("CARGO_BIN_EXE_baton"))
            .args(["log", "--listen", &self.address, "--data"])
            .arg(&self.data)
            .env("BATON_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("bootstrap.servers=");
        address.unwrap().clone_into(&mut self.address);
        self.process = Some(process);
    }
}

/// A log that can be killed and started again on what it wrote.
pub trait Restarts {
    fn kill(&mut self);
    fn start_again(&mut self);
}

impl Restarts for Broker {
    fn kill(&mut self) {
        self.tell("kill");
        assert_eq!(self.hear(), "killed");
    }

    fn start_again(&mut self) {
        self.tell("start");
        assert_eq!(self.hear_where(), self.address);
    }
}

impl Restarts for BatonLog {
    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    fn start_again(&mut self) {
        self.run();
    }
}

impl Drop for BatonLog {
    fn drop(&mut self) {
        self.kill();
    }
}
