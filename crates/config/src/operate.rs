//! Reads what the daemon needs: topics, Kafka, store, admin port, roles. Secrets come from the environment or files.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use baton_core::name::Name;

use crate::{
    codes::Code,
    problem::{Problems, Span},
    settings::{Admin, Daemon, Kafka, Role, Secret, Settings, Store, SystemTopics, Topics},
    tree::{self, Node, Table},
};

/// The environment variables that a configuration may refer to.
pub type Environment = BTreeMap<String, String>;

pub(crate) fn read(root: &Table, environment: &Environment, problems: &mut Problems) -> Settings {
    let empty = Table::default();
    let section = |name: &str| root.table(name).unwrap_or(&empty);
    Settings {
        topics: topics(root, section("topics"), problems),
        kafka: kafka(section("kafka"), environment, problems),
        store: store(section("store"), environment, problems),
        admin: admin(section("admin"), environment, problems),
        daemon: daemon(section("daemon")),
    }
}

/// The files that secrets are read from, whether they are there or not.
pub(crate) fn secret_files(root: &Table) -> Vec<PathBuf> {
    let empty = Table::default();
    let section = |name: &str| root.table(name).unwrap_or(&empty);
    let named = [section("store").get("url"), section("admin").get("token")];
    let passed_on = section("kafka")
        .each("client")
        .map(|(_, entry)| &entry.value);
    let mut files: Vec<PathBuf> = (named.into_iter().flatten().chain(passed_on))
        .filter_map(|node| match &node.kind {
            tree::Kind::Table(table) => Some(PathBuf::from(table.text("file")?.0)),
            _ => None,
        })
        .collect();
    files.sort();
    files.dedup();
    files
}

fn topics(root: &Table, table: &Table, problems: &mut Problems) -> Topics {
    let mut topics = Topics::default();
    // Every topic and where it is named; those that nobody named stand where their system does.
    let mut named: Vec<(String, Span)> = Vec::new();
    let mut take = |table: &Table, key: &str, into: &mut String, otherwise: Option<Span>| {
        let said = table.text(key);
        if let Some((name, span)) = said {
            if is_topic(name) {
                name.clone_into(into);
            } else {
                problems.report(Code::BadTopic, span, format!("`{name}` is no topic name"));
            }
        }
        if let Some(span) = said.map(|(_, span)| span).or(otherwise) {
            named.push((into.clone(), span));
        }
    };
    take(table, "golden", &mut topics.golden, Some(Span::default()));
    take(
        table,
        "decisions",
        &mut topics.decisions,
        Some(Span::default()),
    );
    take(
        table,
        "lifecycle",
        &mut topics.lifecycle,
        Some(Span::default()),
    );
    take(
        table,
        "dead_letters",
        &mut topics.dead_letters,
        Some(Span::default()),
    );
    let empty = Table::default();
    for (name, entry) in root.each("systems") {
        let name = Name::new(name);
        let mut own = SystemTopics::of(name);
        let system = entry.value.as_table().unwrap_or(&empty);
        own.compact_commands = system.text("acks").is_some_and(|(word, _)| word == "none");
        let said = system.table("topics").unwrap_or(&empty);
        take(said, "changes", &mut own.changes, Some(Span::default()));
        take(said, "commands", &mut own.commands, Some(Span::default()));
        take(said, "results", &mut own.results, Some(Span::default()));
        topics.systems.insert(name, own);
    }
    shared(named, problems);
    topics.partitions = table.int("partitions").unwrap_or(topics.partitions);
    topics.replication = table.int("replication").unwrap_or(topics.replication);
    topics.create = table.bool("create").unwrap_or(topics.create);
    topics
}

fn shared(mut named: Vec<(String, Span)>, problems: &mut Problems) {
    // Those with a place come last, so that what a steward wrote is what is pointed at.
    named.sort_by_key(|(_, span)| *span);
    let mut seen: Vec<String> = Vec::new();
    for (name, span) in named {
        if seen.contains(&name) && span != Span::default() {
            problems.report(
                Code::TopicShared,
                span,
                format!("`{name}` is used for something else already"),
            );
        }
        seen.push(name);
    }
}

fn is_topic(name: &str) -> bool {
    (1..=249).contains(&name.len())
        && name != "."
        && name != ".."
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// Settings of librdkafka that Baton sets itself.
const OWNED: [&str; 12] = [
    "group.id",
    "bootstrap.servers",
    "metadata.broker.list",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.commit.enable",
    "auto.offset.reset",
    "enable.idempotence",
    "acks",
    "request.required.acks",
    "client.id",
    "transactional.id",
];

fn kafka(table: &Table, environment: &Environment, problems: &mut Problems) -> Kafka {
    let mut kafka = Kafka::default();
    if let Some((text, span)) = table.text("bootstrap") {
        let fits = text.split(',').all(|part| {
            part.trim().rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0)
            })
        });
        if !fits {
            problems.report(
                Code::BadAddress,
                span,
                format!("`{text}` is no list of host:port"),
            );
        }
        kafka.bootstrap = Some(text.to_owned());
    }
    if let Some((group, _)) = table.text("group") {
        group.clone_into(&mut kafka.group);
    }
    for (name, entry) in table.each("client") {
        if OWNED.contains(&name) {
            problems.report(
                Code::ClientOwned,
                entry.key,
                format!("`{name}` is Baton's own to set"),
            );
            continue;
        }
        let value = secret(&entry.value, is_secret(name), environment, problems);
        if let Some(value) = value {
            kafka.client.insert(name.to_owned(), value);
        }
    }
    kafka
}

/// Whether a setting of that name holds something nobody should read.
fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    let location = name.ends_with(".location") || name.ends_with(".url") || name.ends_with(".id");
    [
        "password",
        "secret",
        "token",
        "credential",
        "sasl.oauthbearer.config",
        "ssl.key.pem",
        "api_key",
        "apikey",
    ]
    .iter()
    .any(|word| name.contains(word))
        && !location
}

/// The text of a setting that may stand elsewhere.
fn secret(
    node: &Node,
    must_hide: bool,
    environment: &Environment,
    problems: &mut Problems,
) -> Option<Secret> {
    let table = match &node.kind {
        tree::Kind::Table(table) => table,
        tree::Kind::Bad => return None,
        _ if must_hide => {
            // The message must not repeat it.
            problems.report(
                Code::SecretInline,
                node.span,
                "a secret stands here in plain text",
            );
            return None;
        }
        _ => return crate::mapping::scalar(node).map(Secret::new),
    };
    match (table.text("env"), table.text("file")) {
        (Some((name, span)), None) => match environment.get(name) {
            Some(value) if !value.is_empty() => Some(Secret::new(value.as_str())),
            _ => {
                problems.report(
                    Code::EnvironmentMissing,
                    span,
                    format!("the environment variable `{name}` is not set"),
                );
                None
            }
        },
        (None, Some((path, span))) => match std::fs::read_to_string(path) {
            Ok(text) if !text.trim().is_empty() => Some(Secret::new(text.trim())),
            Ok(_) => {
                problems.report(Code::SecretFileMissing, span, format!("`{path}` is empty"));
                None
            }
            Err(error) => {
                problems.report(
                    Code::SecretFileMissing,
                    span,
                    format!("`{path}` cannot be read: {error}"),
                );
                None
            }
        },
        (Some(_), Some((_, span))) => {
            problems.report(Code::SecretSource, span, "`env` and `file` are both given");
            None
        }
        (None, None) => {
            if !node.holds_bad() {
                problems.report(
                    Code::SecretSource,
                    node.span,
                    "neither `env` nor `file` is given",
                );
            }
            None
        }
    }
}

fn store(table: &Table, environment: &Environment, problems: &mut Problems) -> Store {
    let url = table.get("url").and_then(|node| {
        let inline = node.as_text();
        let hidden = inline.is_some_and(holds_password);
        let url = secret(node, hidden, environment, problems)?;
        let fits = ["postgres://", "postgresql://", "sqlite:"]
            .iter()
            .any(|scheme| url.reveal().starts_with(scheme));
        if !fits {
            problems.report(Code::BadUrl, node.span, "this is no store that Baton knows");
            return None;
        }
        Some(url)
    });
    Store {
        url,
        connections: table.int("connections"),
    }
}

/// `scheme://user:password@host`.
fn holds_password(url: &str) -> bool {
    url.split_once("://")
        .and_then(|(_, rest)| rest.split('/').next())
        .and_then(|authority| authority.rsplit_once('@'))
        .is_some_and(|(user, _)| user.contains(':'))
        || url.contains("password=")
}

fn admin(table: &Table, environment: &Environment, problems: &mut Problems) -> Admin {
    let mut admin = Admin {
        token: table
            .get("token")
            .and_then(|node| secret(node, true, environment, problems)),
        ..Admin::default()
    };
    if let Some((text, span)) = table.text("bind") {
        match text.parse::<SocketAddr>() {
            Ok(bind) => {
                if !bind.ip().is_loopback() && !table.has("token") {
                    problems.report(
                        Code::AdminExposed,
                        span,
                        format!("`{text}` can be reached from other machines"),
                    );
                }
                admin.bind = bind;
            }
            Err(_) => {
                problems.report(
                    Code::BadAddress,
                    span,
                    format!("`{text}` is no address and port"),
                );
            }
        }
    }
    admin
}

fn daemon(table: &Table) -> Daemon {
    let mut daemon = Daemon::default();
    let roles: Vec<Role> = table
        .texts("roles")
        .into_iter()
        .filter_map(|(word, _)| Role::parse(word))
        .collect();
    if !roles.is_empty() {
        daemon.roles = roles.into_iter().collect();
    }
    let duration = |key: &str, otherwise: Duration| {
        table
            .duration(key)
            .and_then(|ms| u64::try_from(ms).ok())
            .map_or(otherwise, Duration::from_millis)
    };
    daemon.batch_messages = table.int("batch_messages").unwrap_or(daemon.batch_messages);
    daemon.batch_bytes = table.bytes("batch_bytes").unwrap_or(daemon.batch_bytes);
    daemon.batch_wait = duration("batch_wait", daemon.batch_wait);
    daemon.max_message = table.bytes("max_message").unwrap_or(daemon.max_message);
    daemon.poison_limit = table.int("poison_limit").unwrap_or(daemon.poison_limit);
    daemon.poison_window = duration("poison_window", daemon.poison_window);
    daemon.shutdown = duration("shutdown", daemon.shutdown);
    daemon
}
