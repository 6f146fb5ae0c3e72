//! The log: whether it answers, its topics and their settings, the rights to use them, and the positions in them.

use baton_store::StoredPosition;

use super::Findings;
use crate::{
    cli::Workspace,
    engine::Places,
    kafka::{
        Group, KafkaFault, LogFacts, NoAnswer, Reader, Start, TopicFacts, TopicSpec,
        examine as ask, start,
    },
};

const HOUR_MS: i64 = 3_600_000;

/// Messages that are kept for less than this do not outlast an outage.
const KEEP_AT_LEAST: i64 = 24 * HOUR_MS;

/// Messages that are kept for less than this do not outlast a long weekend.
const KEEP_BETTER: i64 = 96 * HOUR_MS;

/// What librdkafka sends at most unless told otherwise (`message.max.bytes`).
const WRITTEN: i64 = 1_000_000;

/// The first version of Kafka's protocol with message headers and the idempotent producer.
const OLDEST: (u32, u32) = (0, 11);

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
        Err(NoAnswer { fault, said }) => {
            let fix = match &fault {
                fault if fault.lacks_a_feature() => {
                    "this Baton was built without TLS: take the image, or build it with `--features production`"
                }
                KafkaFault::Setup(_) => "mend the setting under [kafka.client]",
                _ => {
                    "start the broker, or mend `kafka.bootstrap` and what stands under [kafka.client] (TLS, SASL)"
                }
            };
            let why = said.map_or_else(|| because(&fault), |said| format!(" ({said})"));
            findings.wrong("log", format!("{bootstrap}: {fault}{why}"), fix);
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
    let answer = format!("{}; librdkafka {client}", number_of(count, "broker"));
    match &facts.protocol {
        Some(protocol) if version(protocol).is_some_and(|spoken| spoken < OLDEST) => findings
            .wrong(
                "log",
                format!("{answer}, with Kafka's protocol of {protocol}, which is too old"),
                "update the brokers; Baton is tested with Apache Kafka 4.1",
            ),
        Some(protocol) => findings.ok(
            "log",
            format!("{answer}, with Kafka's protocol of {protocol}"),
        ),
        None => findings.ok("log", answer),
    }
    let group = &workspace.active.settings.kafka.group;
    let area = "permissions";
    match &facts.group {
        Group::Unasked => findings.skipped(
            area,
            "rights show with the first topic, and there is none yet",
        ),
        Group::Usable => findings.ok(area, format!("consumer group `{group}` may be used")),
        Group::Refused(why) => findings.wrong(
            area,
            format!("consumer group `{group}`: {why}"),
            format!("allow READ on group `{group}` to Baton's user"),
        ),
        Group::Silent(why) => findings.warning(
            area,
            format!("consumer group `{group}`: the log does not say whether it may be used: {why}"),
            "ask again in a moment; brokers that have just started do not know yet",
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

fn number_of(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        several => format!("{several} {what}s"),
    }
}

/// `3.9-IV0` and the like.
fn version(protocol: &str) -> Option<(u32, u32)> {
    let mut parts = protocol.split(['.', '-']).map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
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
            format!(
                "{name}: {}, {}",
                number_of(partitions, "partition"),
                number_of(replicas, "replica")
            ),
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
    let bytes = number(found, "retention.bytes").filter(|bytes| *bytes >= 0 && !compacted);
    if let (Some(bytes), true) = (bytes, spec.log_append_time) {
        findings.warning(
            area,
            format!("{name} keeps {} MiB per partition only, however old they are", bytes >> 20),
            "set retention.bytes=-1, or enough for an outage of days: what was not settled by then is lost",
        );
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
    let (area, name) = ("topics", &spec.name);
    let Some(largest) = number(found, "max.message.bytes") else {
        return;
    };
    let read = i64::try_from(workspace.active.settings.daemon.max_message).unwrap_or(i64::MAX);
    // What Baton reads gets the log's own stamps, and nothing else does.
    if spec.log_append_time && largest > read {
        findings.warning(
            area,
            format!(
                "{name} takes messages of {largest} bytes, and Baton reads {read} at most; larger ones become dead letters"
            ),
            format!("set `daemon.max_message` to {largest}, or max.message.bytes={read}"),
        );
    }
    if !spec.log_append_time && largest < WRITTEN {
        findings.warning(
            area,
            format!(
                "{name} takes messages of {largest} bytes at most; larger ones become dead letters"
            ),
            format!("set max.message.bytes={WRITTEN} or more"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocols_version_is_read_however_it_is_written() {
        assert_eq!(version("3.9-IV0"), Some((3, 9)));
        assert_eq!(version("0.10.2"), Some((0, 10)));
        assert!(version("0.10.2").unwrap() < OLDEST && version("2.8").unwrap() > OLDEST);
        assert_eq!(version("unknown"), None);
    }
}
