//! What one measurement stands on: a log, a store, a configuration, all of it new and gone afterwards.

use std::{
    fmt::Write as _,
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use baton_config::Secret;
use baton_core::{name::Name, time::Millis};
use baton_log::Fsync;
use baton_store::{Activation, Options, Scratch, Store};
use tokio::runtime::Handle;

use super::{child::Child, process};
use crate::{
    cli::{Place, Workspace},
    kafka::{Connection, Ends, Reader, Start, TopicSpec, delete, ensure},
};

/// The system whose changes are measured.
pub const SOURCE: &str = "crm";

/// The system that gets the commands.
pub const TARGET: &str = "map";

/// What is decided by, as files: name and text.
pub type RuleFiles = Vec<(&'static str, String)>;

/// Which log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogKind {
    /// `baton log`, as a process of its own so that its use of the machine can be told apart.
    Embedded,
    /// The brokers at this address.
    Kafka(String),
}

/// Which store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreKind {
    /// A new file in the measurement's folder.
    Sqlite,
    /// A new database on the PostgreSQL server of this address.
    Postgres(Secret),
}

/// A log with a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ground {
    pub log: LogKind,
    pub store: StoreKind,
}

impl Ground {
    pub const fn log_name(&self) -> &'static str {
        match self.log {
            LogKind::Embedded => "embedded",
            LogKind::Kafka(_) => "kafka",
        }
    }

    pub const fn store_name(&self) -> &'static str {
        match self.store {
            StoreKind::Sqlite => "sqlite",
            StoreKind::Postgres(_) => "postgres",
        }
    }
}

/// A ground with topics and tables for one measurement.
pub struct Site {
    pub workspace: Workspace,
    pub connection: Connection,
    pub store: Store,
    pub admin: SocketAddr,
    /// The process that is the log, where it is on this machine and can be seen.
    pub log_pid: Option<u32>,
    /// The process that is the database's server, likewise.
    pub store_pid: Option<u32>,
    config: PathBuf,
    runtime: Handle,
    log: Option<Child>,
    database: Option<Scratch>,
}

impl Site {
    /// Starts what must be started, and makes topics and tables.
    pub fn open(
        ground: &Ground,
        rules: RuleFiles,
        folder: &Path,
        runtime: &Handle,
    ) -> anyhow::Result<Self> {
        let data = folder.join("data");
        let (bootstrap, log) = match &ground.log {
            LogKind::Kafka(address) => (address.clone(), None),
            LogKind::Embedded => {
                let at = path_text(folder)?;
                let args = ["log", "--listen", "127.0.0.1:0", "--data", at];
                let mut child = Child::start(&args)?;
                let said = child.first_line()?;
                let address = said.strip_prefix("bootstrap.servers=").map(str::to_owned);
                let address = address.context("`baton log` does not say where it listens")?;
                (address, Some(child))
            }
        };
        let log_pid = match (&log, bootstrap.parse()) {
            (Some(log), _) => Some(log.pid()),
            (None, Ok(address)) => process::listening(address),
            (None, Err(_)) => None,
        };
        // Nobody listens there now, and the operating system gives it to nobody else soon.
        let admin = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = folder.join("config");
        fs::create_dir_all(&config)?;
        let database = match &ground.store {
            StoreKind::Sqlite => None,
            StoreKind::Postgres(url) => Some(runtime.block_on(Scratch::create(url.reveal()))?),
        };
        let store_line = match &database {
            None => String::new(),
            Some(database) => {
                // It may hold a password; the folder is its owner's alone, and gone afterwards.
                let file = folder.join("store-url");
                fs::write(&file, database.address())?;
                format!("[store]\nurl = {{ file = '{}' }}\n", path_text(&file)?)
            }
        };
        // Runs of several benchmarks on one Kafka must not meet.
        let run = format!("baton-bench-{:016x}", rand::random::<u64>());
        let operation = operation(&run, &bootstrap, admin, &store_line);
        for (name, text) in rules.into_iter().chain([("baton.toml", operation)]) {
            fs::write(config.join(name), text)?;
        }
        let workspace = Workspace::open(&Place {
            config: Some(config.clone()),
            data: Some(data),
            json: false,
        })?;
        let connection = match ground.log {
            LogKind::Embedded => runtime.block_on(workspace.external_log_with(None))?,
            LogKind::Kafka(_) => runtime.block_on(workspace.external_log())?,
        }
        .connection;
        let store = runtime.block_on(open_store(&workspace))?;
        let backend = runtime.block_on(store.backend())?;
        Ok(Self {
            workspace,
            connection,
            store,
            admin,
            log_pid,
            store_pid: backend.and_then(process::postmaster),
            database,
            config,
            runtime: runtime.clone(),
            log,
        })
    }

    /// Makes its rules active as of an instant, if they have a funnel, which does nothing for what was before it.
    pub fn activate(&self, at: Millis) -> anyhow::Result<()> {
        let active = &self.workspace.active;
        if active.rules.funnel.is_none() {
            return Ok(());
        }
        let activation = Activation {
            at,
            version: active.rules.version.to_string(),
            body: active.body(),
        };
        Ok(self.runtime.block_on(self.store.activate(&activation))?)
    }

    /// Starts a daemon on this ground.
    pub fn daemon(&self) -> anyhow::Result<Child> {
        let data = path_text(&self.workspace.data)?;
        let args = ["run", "--config", path_text(&self.config)?, "--data", data];
        Child::start(&args)
    }

    pub fn changes(&self) -> &str {
        &self.topics_of(SOURCE).changes
    }

    pub fn commands(&self) -> &str {
        &self.topics_of(TARGET).commands
    }

    pub fn results(&self) -> &str {
        &self.topics_of(TARGET).results
    }

    fn topics_of(&self, system: &str) -> &baton_config::SystemTopics {
        // Both systems stand in the rules that this site was opened with.
        &self.workspace.active.topics.names.systems[&Name::new(system)]
    }

    /// How far a topic's partitions go now.
    pub fn ends(&self, topic: &str) -> anyhow::Result<Ends> {
        let topics = [topic.to_owned()];
        let reader = Reader::open(&self.connection, &topics, |_, _, found| {
            Start::at(found.end)
        })?;
        Ok(reader.ends()?)
    }

    /// Whether everything that was decided has left.
    pub fn outbox_is_empty(&self) -> anyhow::Result<bool> {
        let first = self.store.outbox_page(Default::default(), 1);
        Ok(self.runtime.block_on(first)?.is_empty())
    }

    /// A new topic of the same shape that nobody reads.
    pub fn bare_topic(&self) -> anyhow::Result<String> {
        let name = format!("{}.bare", self.workspace.active.settings.kafka.group);
        let specs = self.workspace.active.topics.specs(true);
        let changes = specs.into_iter().find(|spec| spec.name == self.changes());
        let spec = TopicSpec {
            name: name.clone(),
            ..changes.context("there is no topic of changes")?
        };
        self.runtime
            .block_on(ensure(&self.connection, &[spec], true))?;
        Ok(name)
    }

    /// Removes a topic and what it holds.
    pub fn delete_topic(&self, name: &str) -> anyhow::Result<()> {
        Ok(self.runtime.block_on(delete(&self.connection, &[name]))?)
    }

    /// When the log's writes reach the disk.
    pub fn log_fsync(&self) -> String {
        if self.log.is_none() {
            return "as the brokers have it (Apache Kafka's own way: left to the operating system)"
                .into();
        }
        match baton_log::Config::new("").fsync {
            Fsync::Always => "synced before each write is acknowledged".into(),
            Fsync::Interval(every) => format!("synced every {} ms", every.as_millis()),
        }
    }

    /// When the store's commits reach the disk.
    pub fn store_fsync(&self) -> anyhow::Result<String> {
        Ok(self.runtime.block_on(self.store.synchronous())?)
    }

    /// Processor seconds of the database's server: none that is known of where it is elsewhere, zero where the store
    /// is the daemon's own.
    pub fn store_cpu(&self) -> Option<f64> {
        match self.database {
            None => Some(0.0),
            Some(_) => process::cpu(self.store_pid?),
        }
    }

    /// Lets go of everything in order.
    pub fn close(self) -> anyhow::Result<()> {
        self.runtime.block_on(self.store.close());
        if self.log.is_none() {
            let topics = self.workspace.active.topics.specs(false);
            let names: Vec<&str> = topics.iter().map(|spec| spec.name.as_str()).collect();
            self.runtime.block_on(delete(&self.connection, &names))?;
        }
        // Nobody uses it any more.
        drop(self.database);
        match self.log {
            Some(log) => log.end(),
            None => Ok(()),
        }
    }
}

/// How it is run: everything under a name that nobody else has.
pub fn operation(run: &str, bootstrap: &str, admin: SocketAddr, store: &str) -> String {
    let mut text = format!(
        "[admin]\nbind = \"{admin}\"\n[kafka]\ngroup = \"{run}\"\nbootstrap = \"{bootstrap}\"\n{store}\
         [topics]\ngolden = \"{run}.golden\"\ndecisions = \"{run}.decisions\"\nlifecycle = \"{run}.lifecycle\"\ndead_letters = \"{run}.dead-letters\"\n"
    );
    for system in [SOURCE, TARGET] {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "[systems.{system}.topics]");
        for lane in ["changes", "commands", "results"] {
            let _ = writeln!(text, "{lane} = \"{run}.{system}.{lane}\"");
        }
    }
    text
}

async fn open_store(workspace: &Workspace) -> anyhow::Result<Store> {
    let Some(url) = &workspace.active.settings.store.url else {
        return workspace.store().await;
    };
    let store = Store::open(url.reveal(), &Options::default()).await?;
    store.migrate().await?;
    Ok(store)
}

fn path_text(path: &Path) -> anyhow::Result<&str> {
    path.to_str()
        .with_context(|| format!("the folder {} has no name in UTF-8", path.display()))
}

/// The rules of a configuration that must be sound.
#[cfg(test)]
pub fn sound(rules: RuleFiles) -> baton_core::rules::Rules {
    let admin = SocketAddr::from(([127, 0, 0, 1], 9464));
    let operation = operation("run", "127.0.0.1:9092", admin, "");
    let files: std::collections::BTreeMap<PathBuf, String> = rules
        .into_iter()
        .chain([("baton.toml", operation)])
        .map(|(name, text)| (PathBuf::from(name), text))
        .collect();
    let loaded = baton_config::load_from(&files, &Default::default());
    let (rules, ..) = crate::cli::sound(loaded).unwrap_or_else(|unsound| panic!("{unsound}"));
    rules
}
