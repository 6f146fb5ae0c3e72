//! The log: whether it answers, its topics and their settings, the rights to use them, and the positions in them.

use baton_store::StoredPosition;

use super::Findings;
use crate::{
    cli::Workspace,
    engine::Places,
    kafka::{LogFacts, Reader, Start, TopicFacts, TopicSpec, examine as ask, start},
};

const HOUR_MS: i64 = 3_600_000;

/// Messages that are kept for less than this do not outlast an outage.
const KEEP_AT_LEAST: i64 = 24 * HOUR_MS;

/// Messages that are kept for less than this do not outlast a long weekend.
const KEEP_BETTER: i64 = 96 * HOUR_MS;

pub(super) async fn examine(
    workspace: &Workspace,
    positions: Option<Vec<StoredPosition>>,
    findings: &mut Findings,
) {
    let settings = &workspace.active.settings;
    let Some(bootstrap) = settings.kafka.bootstrap.clone() else {
        findings.ok("log", "the embedded one, which the daemon starts");
        findings.skipped("topics", "the daemon creates those of the embedded log");
        return;
    };
    let connection = workspace.connection(bootstrap.clone());
    let specs = workspace.active.topics.specs(false);
    let names: Vec<String> = specs.iter().map(|spec| spec.name.clone()).collect();
    let facts = match ask(&connection, &names).await {
        Ok(facts) => facts,
        Err(error) => {
            findings.wrong(
                "log",
                format!("{bootstrap}: {error}{}", because(&error)),
                "start the broker, or mend `kafka.bootstrap` and what stands under [kafka.client] (TLS, SASL)",
            );
            return findings.skipped("topics", "the log does not answer");
        }
    };
    brokers(&facts, workspace, findings);
    for spec in &specs {
        topic(spec, &facts, workspace, findings);
    }
    if let Some(positions) = positions {
        let consumed = workspace.active.topics.consumed();
        let there: Vec<String> = (consumed.into_iter())
            .filter(|name| facts.topics.get(name).is_some_and(|t| t.partitions > 0))
            .collect();
        places(&connection, &there, positions, findings);
    }
}

fn because(error: &dyn std::error::Error) -> String {
    error
        .source()
        .map(|cause| format!(" ({cause})"))
        .unwrap_or_default()
}

fn brokers(facts: &LogFacts, workspace: &Workspace, findings: &mut Findings) {
    let (count, client) = (facts.brokers, &facts.client);
    findings.ok("log", format!("{count} brokers answer librdkafka {client}"));
    let group = &workspace.active.settings.kafka.group;
    match &facts.group_refused {
        Some(why) => findings.wrong(
            "permissions",
            format!("consumer group `{group}`: {why}"),
            format!("allow READ on group `{group}` to Baton's user"),
        ),
        None => findings.ok(
            "permissions",
            format!("consumer group `{group}` may be used"),
        ),
    }
    if let Some(why) = &facts.settings_refused {
        findings.warning(
            "permissions",
            format!("settings of topics cannot be read: {why}"),
            "allow DESCRIBE_CONFIGS on Baton's topics, or look at the settings yourself (docs/operations.md)",
        );
    }
    let replication = workspace.active.settings.topics.replication;
    if usize::from(replication) > facts.brokers {
        findings.wrong(
            "topics",
            format!(
                "`topics.replication` is {replication}, and there are {} brokers",
                facts.brokers
            ),
            format!("set it to {} at most", facts.brokers),
        );
    }
}

fn topic(spec: &TopicSpec, facts: &LogFacts, workspace: &Workspace, findings: &mut Findings) {
    let area = "topics";
    let name = &spec.name;
    let Some(found) = facts.topics.get(name) else {
        if workspace.active.settings.topics.create {
            findings.ok(
                area,
                format!("{name} is not there yet; the daemon creates it"),
            );
        } else {
            findings.wrong(
                area,
                format!("{name} is not there, and `topics.create` is off"),
                format!(
                    "create it with {} partitions, or set `topics.create = true`",
                    spec.partitions
                ),
            );
        }
        return;
    };
    if let Some(why) = &found.refused {
        return findings.wrong(
            area,
            format!("{name}: {why}"),
            format!("allow DESCRIBE, READ and WRITE on `{name}` to Baton's user"),
        );
    }
    let before = findings.0.len();
    shape(spec, found, findings);
    keeping(spec, found, findings);
    size(spec, found, workspace, findings);
    if findings.0.len() == before {
        let (partitions, replicas) = (found.partitions, found.replicas);
        findings.ok(
            area,
            format!("{name}: {partitions} partitions, {replicas} replicas"),
        );
    }
}

fn shape(spec: &TopicSpec, found: &TopicFacts, findings: &mut Findings) {
    let (area, name) = ("topics", &spec.name);
    if found.partitions < usize::from(spec.partitions) {
        findings.warning(
            area,
            format!("{name} has {} partitions, not {}", found.partitions, spec.partitions),
            "add partitions while no change is on its way, or lower `topics.partitions`; fewer share less work",
        );
    }
    if found.replicas < usize::from(spec.replication) {
        findings.wrong(
            area,
            format!(
                "{name} has {} replicas, not {}",
                found.replicas, spec.replication
            ),
            "reassign its partitions (kafka-reassign-partitions), or lower `topics.replication`",
        );
    }
    let insync = number(found, "min.insync.replicas");
    if found.replicas >= 3 && insync.is_some_and(|least| least < 2) {
        findings.wrong(
            area,
            format!("{name}: min.insync.replicas is 1, so one broker's loss can lose acknowledged messages"),
            "set min.insync.replicas=2",
        );
    }
    if insync.is_some_and(|least| least > i64::try_from(found.replicas).unwrap_or(i64::MAX)) {
        findings.wrong(
            area,
            format!(
                "{name}: min.insync.replicas is more than its {} replicas; nothing can be written",
                found.replicas
            ),
            "lower min.insync.replicas or add replicas",
        );
    }
    if found
        .settings
        .get("unclean.leader.election.enable")
        .is_some_and(|v| v == "true")
    {
        findings.wrong(
            area,
            format!(
                "{name}: a replica that lags may become leader, and acknowledged messages are lost"
            ),
            "set unclean.leader.election.enable=false",
        );
    }
}

fn keeping(spec: &TopicSpec, found: &TopicFacts, findings: &mut Findings) {
    let (area, name) = ("topics", &spec.name);
    let policy = found.settings.get("cleanup.policy").map(String::as_str);
    let compacted = policy.is_some_and(|p| p.contains("compact"));
    if compacted && !spec.compact {
        findings.wrong(
            area,
            format!("{name} is compacted: of two messages with one key the first is lost"),
            "set cleanup.policy=delete",
        );
    }
    if policy == Some("delete") && spec.compact {
        findings.warning(
            area,
            format!("{name} is not compacted: after its retention nobody can read the whole of it"),
            "set cleanup.policy=compact",
        );
    }
    let kept = number(found, "retention.ms").filter(|ms| *ms >= 0 && !compacted);
    if let Some(ms) = kept.filter(|ms| *ms < KEEP_BETTER) {
        let what = format!("{name} keeps messages for {} h only", ms / HOUR_MS);
        let fix = "set retention.ms=604800000 (7 days): what was not settled by then is lost";
        if ms < KEEP_AT_LEAST {
            findings.wrong(area, what, fix);
        } else {
            findings.warning(area, what, fix);
        }
    }
    let stamps = found
        .settings
        .get("message.timestamp.type")
        .map(String::as_str);
    if spec.log_append_time && stamps == Some("CreateTime") {
        findings.warning(
            area,
            format!("{name}: a producer's clock says when a message arrived"),
            "set message.timestamp.type=LogAppendTime",
        );
    }
}

fn size(spec: &TopicSpec, found: &TopicFacts, workspace: &Workspace, findings: &mut Findings) {
    let names = &workspace.active.settings.topics;
    // A dead letter holds what was sent, so it must fit as well.
    let wanted = workspace.active.settings.daemon.max_message;
    let Some(largest) = number(found, "max.message.bytes") else {
        return;
    };
    if spec.name == names.dead_letters && u64::try_from(largest).is_ok_and(|most| most < wanted) {
        findings.warning(
            "topics",
            format!(
                "{}: the largest message is {largest} bytes, and `daemon.max_message` {wanted}",
                spec.name
            ),
            format!("set max.message.bytes={wanted}, or lower `daemon.max_message`"),
        );
    }
}

fn number(found: &TopicFacts, setting: &str) -> Option<i64> {
    found.settings.get(setting)?.parse().ok()
}

/// The store's positions beside what the log holds.
fn places(
    connection: &crate::kafka::Connection,
    topics: &[String],
    positions: Vec<StoredPosition>,
    findings: &mut Findings,
) {
    let area = "positions";
    if topics.is_empty() || positions.is_empty() {
        return findings.ok(area, "nothing was read yet");
    }
    let places = Places::new(positions);
    let opened = Reader::open(connection, topics, |topic, partition, found| {
        start(&places.of(topic, partition), found)
    });
    let reader = match opened {
        Ok(reader) => reader,
        Err(error) => {
            return findings.wrong(
                area,
                format!("{error}{}", because(&error)),
                "allow READ on the topics of changes and results to Baton's user",
            );
        }
    };
    let before = findings.0.len();
    for ((topic, partition), at) in &reader.starts {
        let place = format!("{topic}/{partition}");
        match at {
            Start::Beginning | Start::At { .. } => {}
            Start::Recreated { position, .. } => findings.warning(
                area,
                format!("{place} was created anew; the store had read up to {position}"),
                "nothing, if that was meant: all of it is read, and what is known is a duplicate",
            ),
            Start::Shrunk { position, end } => findings.wrong(
                area,
                format!("{place}: the store is ahead of its log, at {position} of {end}"),
                "the log lost its tail or was restored from an older backup: start the daemon, which reads all of it \
                 again without effect on what is known, and let the sources send a snapshot of what the log lost",
            ),
            Start::Lost { position, low } => findings.wrong(
                area,
                format!("{place}: messages {position} to {low} were deleted unread"),
                "let the source send a snapshot of its records, and raise retention.ms",
            ),
        }
    }
    if findings.0.len() == before {
        findings.ok(area, "the store's positions are in the log");
    }
}
