//! A real Apache Kafka for the tests of one process: the one of `BATON_TEST_KAFKA`, or one that `tests/ground/kafka`
//! starts and that ends with the process.

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::PATIENCE;

const SERVER: &str = "BATON_TEST_KAFKA";

struct Server {
    addr: SocketAddr,
    /// It hangs on a pipe that closes when this process ends, however it ends. What it prints has somebody who would
    /// read it for as long: it says more than its address, and nobody there would end it.
    _process: Option<(Child, BufReader<ChildStdout>)>,
}

/// One test at a time has the broker, from its first look at it until its thread ends.
static TURN: Mutex<()> = Mutex::new(());

thread_local! {
    static MINE: RefCell<Option<(MutexGuard<'static, ()>, PathBuf)>> = const { RefCell::new(None) };
}

/// The broker, empty for every new folder, or none after saying why.
///
/// # Panics
/// If there is none and none may be missing (`BATON_REQUIRE_ALL`, `CI`).
pub async fn broker(folder: &Path) -> Option<SocketAddr> {
    static FOUND: LazyLock<Result<Server, String>> = LazyLock::new(find);
    let server = match &*FOUND {
        Ok(server) => server,
        Err(why) => {
            super::missing("Apache Kafka", why, "the embedded log stands in");
            return None;
        }
    };
    let is_new = MINE.with_borrow_mut(|mine| {
        let is_new = mine.as_ref().is_none_or(|(_, had)| had != folder);
        let turn = match mine.take() {
            Some((turn, _)) => turn,
            None => TURN.lock().unwrap_or_else(PoisonError::into_inner),
        };
        *mine = Some((turn, folder.to_owned()));
        is_new
    });
    if is_new {
        empty(server.addr).await;
    }
    Some(server.addr)
}

fn find() -> Result<Server, String> {
    if let Ok(address) = std::env::var(SERVER) {
        let addr = address
            .parse()
            .map_err(|e| format!("{SERVER} is no address: {e}"))?;
        return Ok(Server {
            addr,
            _process: None,
        });
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/ground/kafka");
    let mut process = Command::new(script)
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("tests/ground/kafka cannot be started: {e}"))?;
    let out = process.stdout.take().ok_or("no standard output")?;
    let mut out = BufReader::new(out);
    let mut line = String::new();
    out.read_line(&mut line).map_err(|e| e.to_string())?;
    let addr = line
        .trim()
        .parse()
        .map_err(|_| "tests/ground/kafka started none; it says why above".to_owned())?;
    Ok(Server {
        addr,
        _process: Some((process, out)),
    })
}

/// Takes away what earlier tests left.
async fn empty(addr: SocketAddr) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", addr.to_string());
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    let probe: BaseConsumer = config.create().unwrap();
    let options = AdminOptions::new();
    let deadline = Instant::now() + 3 * PATIENCE;
    loop {
        let groups = probe.fetch_group_list(None, PATIENCE).unwrap();
        let groups: Vec<String> = groups
            .groups()
            .iter()
            .map(|g| g.name().to_owned())
            .collect();
        let metadata = probe.fetch_metadata(None, PATIENCE).unwrap();
        let topics: Vec<&str> = metadata
            .topics()
            .iter()
            .map(|topic| topic.name())
            .filter(|name| !name.starts_with("__"))
            .collect();
        if groups.is_empty() && topics.is_empty() {
            return;
        }
        // A group can be deleted once its last member is gone or has been silent for long enough.
        assert!(Instant::now() < deadline, "left: {groups:?} {topics:?}");
        if !groups.is_empty() {
            let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
            let _ = admin.delete_groups(&groups, &options).await;
        }
        if !topics.is_empty() {
            let _ = admin.delete_topics(&topics, &options).await;
        }
    }
}
