//! A broker and a database server for this process; for each test topics, a group, a database and workers of its own.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::LazyLock,
    time::{Duration, Instant},
};

use baton_store::{
    Options, Store,
    testing::{Database, REQUIRE_ALL, postgres},
};

use rdkafka::{
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    config::ClientConfig,
};

/// How long anything may take; far more than it takes.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Address of a broker to use instead of starting one.
const BROKER: &str = "BATON_TEST_KAFKA";

struct Broker {
    address: String,
    /// It hangs on a pipe that closes when this process ends, however it ends.
    _process: Option<Child>,
}

/// Says loudly what is missing, and fails where nothing may be skipped.
pub fn skip(what: &str) {
    let set = |name: &str, value: &str| std::env::var(name).is_ok_and(|v| v == value);
    let required = set("CI", "true") || set(REQUIRE_ALL, "1");
    assert!(!required, "required here and missing: {what}");
    eprintln!("SKIPPED: {what}");
}

fn broker() -> Option<&'static Broker> {
    static FOUND: LazyLock<Result<Broker, String>> = LazyLock::new(find);
    match &*FOUND {
        Ok(broker) => Some(broker),
        Err(why) => {
            skip(&format!("no Apache Kafka: {why}"));
            None
        }
    }
}

fn find() -> Result<Broker, String> {
    if let Ok(address) = std::env::var(BROKER) {
        return Ok(Broker {
            address,
            _process: None,
        });
    }
    let mut process = Command::new(root().join("tests/ground/kafka"))
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("tests/ground/kafka cannot be started: {e}"))?;
    let mut line = String::new();
    if let Some(out) = process.stdout.take() {
        let read = BufReader::new(out).read_line(&mut line);
        read.map_err(|e| e.to_string())?;
    }
    if line.trim().is_empty() {
        return Err("tests/ground/kafka started none; it says why above".to_owned());
    }
    Ok(Broker {
        address: line.trim().to_owned(),
        _process: Some(process),
    })
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What one test stands on.
pub struct Ground {
    pub folder: tempfile::TempDir,
    name: String,
    /// A broker's address and a database; none: the embedded log and SQLite.
    outside: Option<(String, Database)>,
}

impl Ground {
    /// None after saying what is missing. `name` is part of the topics' names.
    pub async fn find(name: &str) -> Option<Self> {
        let (broker, server) = (broker()?, postgres()?);
        let database = server.database().await.unwrap();
        Some(Self {
            folder: tempfile::tempdir().unwrap(),
            name: name.to_owned(),
            outside: Some((broker.address.clone(), database)),
        })
    }

    /// Nothing but the binary itself.
    pub fn embedded(name: &str) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            name: name.to_owned(),
            outside: None,
        }
    }

    pub fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }

    /// The store, beside the daemon.
    pub async fn store(&self) -> Store {
        let options = Options::default();
        let opened = match &self.outside {
            Some((_, database)) => Store::open(&database.address(), &options).await,
            None => Store::open_sqlite(&self.folder.path().join("data/baton.db"), &options).await,
        };
        opened.unwrap()
    }

    /// A worker's configuration: `rules` of systems `crm` and `map`, and where it runs.
    pub fn configure(&self, worker: &str, rules: &[(String, String)]) -> SocketAddr {
        let folder = self.folder.path().join(worker);
        // Nobody listens there now, and the operating system gives it to nobody else soon.
        let admin = TcpListener::bind("127.0.0.1:0").unwrap();
        let admin = admin.local_addr().unwrap();
        for (path, text) in rules {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let mut text = format!(
            "[admin]\nbind = \"{admin}\"\n[daemon]\npoison_limit = 10000\n[topics]\ngolden = \"{}\"\n\
             decisions = \"{}\"\ndead_letters = \"{}\"\n",
            self.topic("golden"),
            self.topic("decisions"),
            self.topic("dead-letters"),
        );
        let group = &self.name;
        text += &match &self.outside {
            Some((broker, _)) => format!(
                "[kafka]\ngroup = \"{group}\"\nbootstrap = \"{broker}\"\n\
                 [store]\nurl = {{ env = \"BATON_STORE_URL\" }}\n"
            ),
            None => format!("[kafka]\ngroup = \"{group}\"\n"),
        };
        for system in ["crm", "map"] {
            text += &format!("[systems.{system}.topics]\n");
            for lane in ["changes", "commands", "results"] {
                let topic = self.topic(&format!("{system}.{lane}"));
                text += &format!("{lane} = \"{topic}\"\n");
            }
        }
        fs::write(folder.join("baton.toml"), text).unwrap();
        admin
    }

    /// Cuts every connection to the test's database, in the middle of whatever it carries.
    pub fn cut_connections(&self) {
        let (_, database) = self.outside.as_ref().unwrap();
        let cut = "select pg_terminate_backend(pid) from pg_stat_activity \
                   where datname = current_database() and pid <> pg_backend_pid()";
        let done = Command::new("psql")
            .args([
                "--no-psqlrc",
                "--quiet",
                "--command",
                cut,
                &database.address(),
            ])
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(done.success());
    }

    /// Whoever may change topics.
    pub fn admin(&self) -> AdminClient<DefaultClientContext> {
        let (broker, _) = self.outside.as_ref().unwrap();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", broker);
        config.create().unwrap()
    }

    /// Deletes a topic, and waits until the broker has forgotten it.
    pub async fn delete_topic(&self, name: &str) {
        let admin = self.admin();
        let topic = self.topic(name);
        let deleted = admin.delete_topics(&[&topic], &AdminOptions::new()).await;
        assert!(deleted.unwrap()[0].is_ok());
        until("the topic is gone", || {
            let all = admin.inner().fetch_metadata(None, PATIENCE).unwrap();
            all.topics().iter().all(|found| found.name() != topic)
        });
    }

    fn command(&self, worker: &str, args: &[&str]) -> Command {
        self.started_by(Command::new(env!("CARGO_BIN_EXE_baton")), worker, args)
    }

    fn started_by(&self, mut command: Command, worker: &str, args: &[&str]) -> Command {
        command
            .args(args)
            .arg("--config")
            .arg(self.folder.path().join(worker))
            .arg("--data")
            .arg(self.folder.path().join("data"))
            .current_dir(self.folder.path())
            .env_remove("BATON_CONFIG")
            .env_remove("BATON_DATA");
        if let Some((_, database)) = &self.outside {
            command.env("BATON_STORE_URL", database.address());
        }
        command
    }

    pub fn try_baton(&self, worker: &str, args: &[&str]) -> Output {
        // What never ends must fail rather than keep everybody waiting.
        let mut patient = Command::new("timeout");
        patient.args(["300", env!("CARGO_BIN_EXE_baton")]);
        self.started_by(patient, worker, args)
            .env_remove("BATON_LOG")
            .output()
            .unwrap()
    }

    /// What a command that must succeed prints.
    #[track_caller]
    pub fn baton(&self, worker: &str, args: &[&str]) -> String {
        let output = self.try_baton(worker, args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command that must succeed prints with `--json`, line by line.
    #[track_caller]
    pub fn json(&self, worker: &str, args: &[&str]) -> Vec<serde_json::Value> {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let lines = self.baton(worker, &args);
        let lines = lines.lines().filter(|line| !line.trim().is_empty());
        lines.map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    /// The one object that a command prints with `--json`, on however many lines.
    #[track_caller]
    pub fn json_object(&self, worker: &str, args: &[&str]) -> serde_json::Value {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.baton(worker, &args)).unwrap()
    }

    /// Starts a worker and waits until it is ready.
    pub fn start(&self, worker: &str, admin: SocketAddr) -> Worker {
        self.start_with(worker, admin, "")
    }

    /// The same with a step at which it is to end: `committed:3`, or nothing.
    pub fn start_with(&self, worker: &str, admin: SocketAddr, crash: &str) -> Worker {
        let process = self
            .command(worker, &["run"])
            .env("BATON_LOG", "error")
            .env("BATON_CRASH", crash)
            .spawn()
            .unwrap();
        let mut worker = Worker { process, admin };
        until("the worker is ready", || {
            let ended = worker.process.try_wait().unwrap();
            assert!(ended.is_none(), "the worker ended: {ended:?}");
            worker.ask("/readyz").is_some_and(|body| body == "ready\n")
        });
        worker
    }
}

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
}

impl Worker {
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
    pub fn end(mut self) -> std::process::ExitStatus {
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
