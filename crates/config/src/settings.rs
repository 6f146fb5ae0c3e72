//! What the daemon needs besides the rules: topics, Kafka, store, admin port, roles. Nothing here decides
//! anything about a value.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::SocketAddr,
    time::Duration,
};

use baton_core::name::Name;

/// How this installation runs. [`Settings::default`] is what an empty `baton.toml` means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub topics: Topics,
    pub kafka: Kafka,
    pub store: Store,
    pub admin: Admin,
    pub daemon: Daemon,
}

/// A text that must never be printed. `Debug` and `Display` show `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that hands it to a client.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Names and shape of the topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    /// Per system: what flows in and out. Every configured system has an entry.
    pub systems: BTreeMap<Name, SystemTopics>,
    pub golden: String,
    pub decisions: String,
    pub lifecycle: String,
    pub dead_letters: String,
    /// Partitions of topics that Baton creates, 1 to 1000.
    pub partitions: u16,
    /// Replicas of topics that Baton creates, 1 to 9. The embedded log has one whatever this says.
    pub replication: u16,
    /// Create missing topics. Off: they must be there.
    pub create: bool,
}

impl Default for Topics {
    fn default() -> Self {
        Self {
            systems: BTreeMap::new(),
            golden: "baton.golden".into(),
            decisions: "baton.decisions".into(),
            lifecycle: "baton.lifecycle".into(),
            dead_letters: "baton.dead-letters".into(),
            partitions: 4,
            replication: 1,
            create: true,
        }
    }
}

/// The three topics of one system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemTopics {
    pub changes: String,
    pub commands: String,
    pub results: String,
    /// The commands topic may be compacted: true only for a system with `acks = "none"`, whose commands carry
    /// the record's whole managed state.
    pub compact_commands: bool,
}

impl SystemTopics {
    /// `baton.<system>.changes`, `.commands`, `.results`.
    #[must_use]
    pub fn of(system: Name) -> Self {
        Self {
            changes: format!("baton.{system}.changes"),
            commands: format!("baton.{system}.commands"),
            results: format!("baton.{system}.results"),
            compact_commands: false,
        }
    }
}

/// The connection to Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kafka {
    /// `host:port,host:port`. None: the embedded log.
    pub bootstrap: Option<String>,
    /// Consumer group id, and the prefix of the client ids.
    pub group: String,
    /// Settings handed to librdkafka as they are, secrets included; settings that Baton itself must own
    /// (`group.id`, `enable.auto.commit` …) never stand here.
    pub client: BTreeMap<String, Secret>,
}

impl Default for Kafka {
    fn default() -> Self {
        Self {
            bootstrap: None,
            group: "baton".into(),
            client: BTreeMap::new(),
        }
    }
}

/// Where state and ledger are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Store {
    /// `postgres://…` or `sqlite:<path>`. None: SQLite in the data folder.
    pub url: Option<Secret>,
    /// Connections of the pool (PostgreSQL), 1 to 200. None: the store's own default.
    pub connections: Option<u32>,
}

/// The admin port: metrics, health, readiness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    pub bind: SocketAddr,
    /// Required of every request except health and readiness, where set. Always set where `bind` is not loopback.
    pub token: Option<Secret>,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 9464)),
            token: None,
        }
    }
}

/// What one process does. `--roles` on the command line overrides the file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// Consume changes and results, decide, commit.
    Engine,
    /// Publish what the engine decided: commands, golden changes, decisions.
    Relay,
    /// Carry out due timers.
    Timers,
    /// Serve the admin port.
    Admin,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Engine, Self::Relay, Self::Timers, Self::Admin];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Relay => "relay",
            Self::Timers => "timers",
            Self::Admin => "admin",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// How much at a time, and when to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    pub roles: BTreeSet<Role>,
    /// Messages of one transaction at most, 1 to 100 000.
    pub batch_messages: u32,
    /// Payload bytes of one transaction at most.
    pub batch_bytes: u64,
    /// How long a batch that is not full waits for more.
    pub batch_wait: Duration,
    /// Largest message that is read at all; larger ones are dead-lettered.
    pub max_message: u64,
    /// Dead letters of one partition within `poison_window` that stop the partition with an alarm.
    pub poison_limit: u32,
    pub poison_window: Duration,
    /// How long a soft shutdown may take before the hard one.
    pub shutdown: Duration,
}

impl Default for Daemon {
    fn default() -> Self {
        Self {
            roles: Role::ALL.into_iter().collect(),
            batch_messages: 500,
            batch_bytes: 4 << 20,
            batch_wait: Duration::from_millis(5),
            max_message: 8 << 20,
            poison_limit: 100,
            poison_window: Duration::from_secs(60),
            shutdown: Duration::from_secs(20),
        }
    }
}
