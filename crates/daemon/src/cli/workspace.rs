//! Configuration, store and log of a command: where they are, and whether a daemon holds them.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use baton_config::{Loaded, Problem, Settings, Style};
use baton_core::rules::Rules;
use baton_store::{Options, Store};
use serde::{Deserialize, Serialize};

use super::{Place, status};
use crate::{
    clock::Clock,
    engine::{Active, Engine, EngineError},
    kafka::{Connection, KafkaFault, TopicSpec, ensure},
    telemetry::Metrics,
};

/// The repository's own configuration, as it was when this binary was built: path below the folder, and text.
const SHIPPED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// The folder that is used when it is there and no other is named.
const DEFAULT_CONFIG: &str = "config";
const DEFAULT_DATA: &str = "baton-data";

/// The configuration in the binary.
#[must_use]
pub fn shipped_config() -> Loaded {
    let files: BTreeMap<PathBuf, &str> = SHIPPED
        .iter()
        .map(|(path, text)| (PathBuf::from(path), *text))
        .collect();
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    baton_config::load_from(&files, &environment)
}

/// The configuration has problems.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has problems; `baton check` shows them in place:\n{shown}")]
pub struct Unsound {
    pub problems: Vec<Problem>,
    shown: String,
}

/// Somebody else uses the data folder.
#[derive(Debug, thiserror::Error)]
#[error("the data folder {} is used by another process{}; stop it, or name another folder with --data", .folder.display(), .who)]
pub struct InUse {
    folder: PathBuf,
    who: String,
}

/// The exit status of an error.
pub fn status_of(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if cause.is::<Unsound>() || cause.is::<baton_config::Unreadable>() {
            return status::USAGE;
        }
        if cause.is::<baton_store::Error>()
            || cause.is::<KafkaFault>()
            || cause.is::<EngineError>()
            || cause.is::<InUse>()
        {
            return status::FAILED;
        }
    }
    status::NO
}

/// Reads the configuration that a command is to use.
///
/// # Errors
/// When the folder cannot be read.
pub fn load_config(config: Option<&Path>) -> Result<Loaded, baton_config::Unreadable> {
    match config {
        Some(dir) => baton_config::load(dir),
        None if Path::new(DEFAULT_CONFIG).is_dir() => baton_config::load(Path::new(DEFAULT_CONFIG)),
        None => Ok(shipped_config()),
    }
}

/// The rules and settings of a sound configuration, and the texts of its files.
///
/// # Errors
/// [`Unsound`], with the problems as `baton check` shows them.
pub fn sound(loaded: Loaded) -> Result<(Rules, Settings, BTreeMap<String, String>), Unsound> {
    match (loaded.rules, loaded.settings) {
        (Some(rules), Some(settings)) => Ok((rules, settings, loaded.sources)),
        _ => Err(Unsound {
            shown: baton_config::render(&loaded.problems, &loaded.sources, Style::default()),
            problems: loaded.problems,
        }),
    }
}

/// What a command works with.
pub struct Workspace {
    pub active: Active,
    pub config: Option<PathBuf>,
    pub data: PathBuf,
}

impl Workspace {
    /// Reads the configuration; opens nothing yet.
    ///
    /// # Errors
    /// When the configuration cannot be read or has problems.
    pub fn open(place: &Place) -> anyhow::Result<Self> {
        let loaded = load_config(place.config.as_deref())?;
        let (rules, settings, texts) = sound(loaded)?;
        Ok(Self {
            active: Active::new(rules, settings, texts)?,
            config: place.config.clone(),
            data: place
                .data
                .clone()
                .unwrap_or_else(|| PathBuf::from(DEFAULT_DATA)),
        })
    }

    fn settings(&self) -> &Settings {
        &self.active.settings
    }

    /// Whether the store or the log is in the data folder.
    #[must_use]
    pub fn uses_data(&self) -> bool {
        self.settings().store.url.is_none() || self.settings().kafka.bootstrap.is_none()
    }

    /// Opens the store. In the data folder it is created and migrated; elsewhere it must have been migrated.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn store(&self) -> anyhow::Result<Store> {
        let options = Options {
            connections: self.settings().store.connections,
            ..Options::default()
        };
        let Some(url) = &self.settings().store.url else {
            self.make_data()?;
            let store = Store::open_sqlite(&self.data.join("baton.db"), &options).await?;
            store.migrate().await?;
            return Ok(store);
        };
        let store = Store::open(url.reveal(), &options).await?;
        if !store.is_current().await? {
            if url.reveal().starts_with("postgres") {
                anyhow::bail!("the store's tables are missing or old; run `baton migrate`");
            }
            store.migrate().await?;
        }
        Ok(store)
    }

    /// A store that exists already; reading commands create nothing.
    ///
    /// # Errors
    /// When there is none.
    pub async fn existing_store(&self) -> anyhow::Result<Store> {
        let file = self.data.join("baton.db");
        if self.settings().store.url.is_none() && !file.is_file() {
            anyhow::bail!(
                "there is no store in {}; name the daemon's folder with --data, or take something in with \
                 `baton ingest`",
                self.data.display()
            );
        }
        self.store().await
    }

    /// An engine on the store, with the machine's clock as long as that does not go back.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub async fn engine(&self, store: Store) -> anyhow::Result<Arc<Engine>> {
        self.engine_by(store, Clock::steady()).await
    }

    /// An engine on the store, by this clock.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub async fn engine_by(&self, store: Store, clock: Clock) -> anyhow::Result<Arc<Engine>> {
        let metrics = Arc::new(Metrics::default());
        let engine = Engine::new(store, self.active.clone(), clock, metrics).await?;
        Ok(Arc::new(engine))
    }

    fn make_data(&self) -> anyhow::Result<()> {
        make_private(&self.data)
            .with_context(|| format!("cannot create the data folder {}", self.data.display()))
    }

    /// The log: the one that is configured, that of the daemon that holds the data folder, or else an embedded one
    /// that runs as long as the handle lives. Topics are there afterwards.
    ///
    /// # Errors
    /// When none of these answers.
    pub async fn log(&self) -> anyhow::Result<LogHandle> {
        if self.settings().kafka.bootstrap.is_some() {
            return Ok(self.external_log().await?);
        }
        match self.hold() {
            Ok(held) => self.start_log(held).await,
            Err(error) if error.is::<InUse>() => match Running::read(&self.data) {
                Some(running) => Ok(LogHandle {
                    connection: self.connection(running.log.to_string()),
                    admin: running.admin,
                    own: None,
                }),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// The log that is configured.
    ///
    /// # Errors
    /// When it does not answer, or a topic is missing.
    pub async fn external_log(&self) -> Result<LogHandle, KafkaFault> {
        let bootstrap = self.settings().kafka.bootstrap.clone().unwrap_or_default();
        let connection = self.connection(bootstrap);
        self.ensure_topics(&connection, false).await?;
        Ok(LogHandle {
            connection,
            admin: Some(self.settings().admin.bind),
            own: None,
        })
    }

    /// The log that is configured, its new topics made as for an embedded one: for a driver that sets the times.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn external_log_with(
        &self,
        retention_ms: Option<i64>,
    ) -> Result<LogHandle, KafkaFault> {
        let bootstrap = self.settings().kafka.bootstrap.clone().unwrap_or_default();
        let connection = self.connection(bootstrap);
        let specs = self.specs_of_own(retention_ms);
        ensure(&connection, &specs, true).await?;
        Ok(LogHandle {
            connection,
            admin: None,
            own: None,
        })
    }

    /// The topics of a log that is nobody else's.
    fn specs_of_own(&self, retention_ms: Option<i64>) -> Vec<TopicSpec> {
        let mut specs = self.active.topics.specs(true);
        for spec in &mut specs {
            spec.retention_ms = retention_ms;
        }
        specs
    }

    /// Starts the embedded log in a data folder that is ours.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_log(&self, held: Held) -> anyhow::Result<LogHandle> {
        self.start_log_with(held, None).await
    }

    /// The same with a retention of the topics that are created, ms; -1: for ever, whatever their records' times.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_log_with(
        &self,
        held: Held,
        retention_ms: Option<i64>,
    ) -> anyhow::Result<LogHandle> {
        let config = baton_log::Config::new(self.data.join("log"));
        let log = baton_log::Log::open(config)
            .await
            .context("cannot start the embedded log")?;
        let connection = self.connection(log.addr().to_string());
        ensure(&connection, &self.specs_of_own(retention_ms), true).await?;
        Ok(LogHandle {
            connection,
            admin: None,
            own: Some((log, held)),
        })
    }

    /// A connection to a log at `bootstrap`.
    #[must_use]
    pub fn connection(&self, bootstrap: String) -> Connection {
        Connection {
            bootstrap,
            settings: self.settings().kafka.clone(),
        }
    }

    /// Creates missing topics where that is allowed.
    ///
    /// # Errors
    /// When one is missing and may not or cannot be created.
    pub async fn ensure_topics(
        &self,
        connection: &Connection,
        embedded: bool,
    ) -> Result<(), KafkaFault> {
        let specs = self.active.topics.specs(embedded);
        ensure(
            connection,
            &specs,
            embedded || self.settings().topics.create,
        )
        .await
    }

    /// Takes the data folder for this process.
    ///
    /// # Errors
    /// [`InUse`] when another process has it.
    pub fn hold(&self) -> anyhow::Result<Held> {
        self.make_data()?;
        let path = self.data.join("daemon.lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Held {
                _lock: lock,
                note: self.data.join(NOTE),
            }),
            Err(TryLockError::WouldBlock) => Err(InUse {
                folder: self.data.clone(),
                who: Running::read(&self.data)
                    .map(|running| format!(" (a daemon with process id {})", running.pid))
                    .unwrap_or_default(),
            }
            .into()),
            Err(TryLockError::Error(error)) => {
                Err(anyhow::Error::new(error).context(format!("cannot lock {}", path.display())))
            }
        }
    }
}

/// Creates a folder that only its owner can read: it will hold personal data.
fn make_private(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

const NOTE: &str = "daemon.json";

/// What a daemon says about itself in its data folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    pub pid: u32,
    /// Address of the embedded log.
    pub log: SocketAddr,
    /// Address of the admin port, if it has one.
    pub admin: Option<SocketAddr>,
}

impl Running {
    /// What the daemon that holds, or last held, the folder said.
    #[must_use]
    pub fn read(data: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(data.join(NOTE)).ok()?).ok()
    }
}

/// A data folder that is this process's until dropped.
#[derive(Debug)]
pub struct Held {
    _lock: File,
    note: PathBuf,
}

impl Held {
    /// Tells other commands where this daemon can be reached.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn announce(&self, running: &Running) -> anyhow::Result<()> {
        let new = self.note.with_extension("json.new");
        fs::write(&new, serde_json::to_vec(running)?)?;
        fs::rename(&new, &self.note)?;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A note left by a crash is harmless: it is read only while somebody holds the lock.
        let _ = fs::remove_file(&self.note);
    }
}

/// A log to talk to.
pub struct LogHandle {
    pub connection: Connection,
    /// Admin port of the daemon that uses it, if one is known.
    pub admin: Option<SocketAddr>,
    own: Option<(baton_log::Log, Held)>,
}

impl LogHandle {
    /// Whether the log is this process's own, so that nobody else settles what is published to it.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// The data folder, if it is this process's.
    #[must_use]
    pub fn held(&self) -> Option<&Held> {
        self.own.as_ref().map(|(_, held)| held)
    }

    /// Address of the embedded log, if it is this process's.
    #[must_use]
    pub fn own_addr(&self) -> Option<SocketAddr> {
        self.own.as_ref().map(|(log, _)| log.addr())
    }

    /// Lets go of the log in order.
    ///
    /// # Errors
    /// When the log could not write what it still had.
    pub async fn close(self) -> anyhow::Result<()> {
        if let Some((log, held)) = self.own {
            log.shutdown()
                .await
                .context("cannot stop the embedded log")?;
            drop(held);
        }
        Ok(())
    }
}
