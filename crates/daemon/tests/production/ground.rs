//! What one test stands on: topics, a group, a database, and the configuration of its workers.

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use baton_store::{
    Options, Store,
    testing::{Database, Server, postgres},
};

use rdkafka::{
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    config::ClientConfig,
};

use crate::{
    servers::broker,
    worker::{Worker, until},
};

/// How long anything may take; far more than it takes.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What one test stands on.
pub struct Ground {
    pub folder: tempfile::TempDir,
    name: String,
    /// A log's address; none: the daemon's own.
    log: Option<String>,
    /// None: an SQLite file in the data folder.
    database: Option<Database>,
    /// `daemon.batch_messages`.
    pub batch: u32,
    /// `[kafka.client]`.
    pub client: String,
    /// Workers that reach the database in another way: by name, its address.
    pub detours: BTreeMap<String, String>,
    /// How many messages of the load have been published.
    fed: AtomicUsize,
}

/// A copy of a test's store.
pub enum Backup {
    File(PathBuf),
    Database(Database),
}

impl Ground {
    /// None after saying what is missing. `name` is part of the topics' names.
    pub async fn find(name: &str) -> Option<Self> {
        let (broker, server) = (broker()?, postgres()?);
        Some(Self::on(name, Some(broker), Some(server)).await)
    }

    /// Nothing but the binary itself.
    pub fn embedded(name: &str) -> Self {
        Self::of(name, None, None)
    }

    /// On the given servers; the daemon itself does what is missing.
    pub async fn on(name: &str, log: Option<&str>, server: Option<&'static Server>) -> Self {
        let database = match server {
            Some(server) => Some(server.database().await.unwrap()),
            None => None,
        };
        Self::of(name, log, database)
    }

    pub fn with(name: &str, log: Option<&str>, database: Database) -> Self {
        Self::of(name, log, Some(database))
    }

    fn of(name: &str, log: Option<&str>, database: Option<Database>) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            name: name.to_owned(),
            log: log.map(str::to_owned),
            database,
            batch: 500,
            client: String::new(),
            detours: BTreeMap::new(),
            fed: AtomicUsize::new(0),
        }
    }

    /// The group goes on without a member that died or hangs after three seconds instead of ten.
    pub fn notices_deaths_soon(&mut self) {
        self.client += "\"session.timeout.ms\" = \"3000\"\n\"heartbeat.interval.ms\" = \"500\"\n";
    }

    pub fn fed(&self) -> usize {
        self.fed.load(Ordering::Relaxed)
    }

    pub fn has_fed(&self, messages: usize) {
        self.fed.fetch_add(messages, Ordering::Relaxed);
    }

    pub fn database(&self) -> &Database {
        self.database.as_ref().unwrap()
    }

    pub fn group(&self) -> &str {
        &self.name
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }

    /// A copy of the store while nobody uses it.
    pub async fn back_up(&self) -> Backup {
        match &self.database {
            Some(database) => Backup::Database(database.copy().await.unwrap()),
            None => {
                let file = self.folder.path().join("backup.db");
                fs::copy(self.data().join("baton.db"), &file).unwrap();
                Backup::File(file)
            }
        }
    }

    /// Puts the copy in the store's place.
    pub fn restore(&mut self, backup: Backup) {
        match backup {
            Backup::Database(database) => self.database = Some(database),
            Backup::File(file) => {
                for name in ["baton.db-wal", "baton.db-shm"] {
                    let _ = fs::remove_file(self.data().join(name));
                }
                fs::rename(file, self.data().join("baton.db")).unwrap();
            }
        }
    }

    /// The store, beside the daemon.
    pub async fn store(&self) -> Store {
        let options = Options::default();
        let opened = match &self.database {
            Some(database) => Store::open(&database.address(), &options).await,
            None => Store::open_sqlite(&self.data().join("baton.db"), &options).await,
        };
        opened.unwrap()
    }

    /// A worker's configuration: `rules` of systems `crm` and `map`, perhaps `shop`, and where it runs.
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
            "[admin]\nbind = \"{admin}\"\n[daemon]\npoison_limit = 10000\nbatch_messages = {}\n[topics]\ngolden = \"{}\"\n\
             decisions = \"{}\"\nlifecycle = \"{}\"\ndead_letters = \"{}\"\n",
            self.batch,
            self.topic("golden"),
            self.topic("decisions"),
            self.topic("lifecycle"),
            self.topic("dead-letters"),
        );
        let group = &self.name;
        text += &format!("[kafka]\ngroup = \"{group}\"\n");
        if let Some(log) = &self.log {
            text += &format!("bootstrap = \"{log}\"\n");
        }
        if self.database.is_some() {
            text += "[store]\nurl = { env = \"BATON_STORE_URL\" }\n";
        }
        text += &format!("[kafka.client]\n{}", self.client);
        let systems = ["crm", "map", "shop"];
        let named = |system: &&str| {
            let table = format!("[systems.{system}]");
            ["crm", "map"].contains(system) || rules.iter().any(|(_, text)| text.contains(&table))
        };
        for system in systems.into_iter().filter(named) {
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
        let cut = "select pg_terminate_backend(pid) from pg_stat_activity \
                   where datname = current_database() and pid <> pg_backend_pid()";
        let done = Command::new("psql")
            .args([
                "--no-psqlrc",
                "--quiet",
                "--command",
                cut,
                &self.database().address(),
            ])
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(done.success());
    }

    /// Whoever may change topics.
    pub fn admin(&self) -> AdminClient<DefaultClientContext> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.log.as_ref().unwrap());
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
            .arg(self.data())
            .current_dir(self.folder.path())
            .env_remove("BATON_CONFIG")
            .env_remove("BATON_DATA");
        if let Some(database) = &self.database {
            let detour = self.detours.get(worker).cloned();
            command.env(
                "BATON_STORE_URL",
                detour.unwrap_or_else(|| database.address()),
            );
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
        self.start_with(worker, admin, &[])
    }

    /// The same with variables of its environment: `BATON_CRASH`, `BATON_CLOCK`.
    pub fn start_with(&self, worker: &str, admin: SocketAddr, with: &[(&str, &str)]) -> Worker {
        let mut worker = self.launch(worker, admin, &[], with);
        worker.becomes_ready();
        worker
    }

    /// The same with arguments.
    pub fn start_as(&self, worker: &str, admin: SocketAddr, args: &[&str]) -> Worker {
        let mut worker = self.launch(worker, admin, args, &[]);
        worker.becomes_ready();
        worker
    }

    /// Starts a worker that need not become ready soon.
    pub fn launch(
        &self,
        worker: &str,
        admin: SocketAddr,
        args: &[&str],
        with: &[(&str, &str)],
    ) -> Worker {
        let words = self.folder.path().join(format!("{worker}.txt"));
        let mut command = self.command(worker, &[&["run"], args].concat());
        command.env("BATON_LOG", "warn,librdkafka=off");
        command.envs(with.iter().copied());
        Worker::spawn(command, admin, words)
    }
}
