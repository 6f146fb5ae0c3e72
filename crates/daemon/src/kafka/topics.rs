//! Creating the topics with sensible settings.

use std::time::{Duration, Instant};

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    error::{KafkaError, RDKafkaErrorCode},
};

use super::{
    client::{ASK, Connection, KafkaFault, Tell},
    reader::Reader,
};

/// A topic that must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    pub name: String,
    pub partitions: u16,
    pub replication: u16,
    /// Keep only the last message of each key.
    pub compact: bool,
    /// How long messages are kept, ms; none: the log's own default.
    pub retention_ms: Option<i64>,
    /// Arrival is the log's own clock, whatever a producer says.
    pub log_append_time: bool,
}

/// Creates those topics that are missing (when `create`), and fails on the first that is not there.
///
/// # Errors
/// When the log does not answer, refuses a topic, or a topic is missing and may not be created.
pub async fn ensure(
    connection: &Connection,
    topics: &[TopicSpec],
    create: bool,
) -> Result<(), KafkaFault> {
    let admin: AdminClient<Tell> = connection
        .client()
        .create_with_context(Tell)
        .map_err(KafkaFault::setup)?;
    let found = known(&admin)?;
    let missing: Vec<&TopicSpec> = topics
        .iter()
        .filter(|topic| !found.contains(&topic.name))
        .collect();
    if let (Some(first), false) = (missing.first(), create) {
        return Err(KafkaFault::NoTopic {
            topic: first.name.clone(),
        });
    }
    if missing.is_empty() {
        return Ok(());
    }
    let retentions: Vec<String> = missing
        .iter()
        .map(|topic| topic.retention_ms.unwrap_or_default().to_string())
        .collect();
    let wanted: Vec<NewTopic<'_>> = missing
        .iter()
        .zip(&retentions)
        .map(|(topic, retention)| {
            let mut new = NewTopic::new(
                &topic.name,
                i32::from(topic.partitions),
                TopicReplication::Fixed(i32::from(topic.replication)),
            );
            if topic.compact {
                new = new.set("cleanup.policy", "compact");
            } else if topic.retention_ms.is_some() {
                new = new.set("retention.ms", retention);
            }
            if topic.log_append_time {
                new = new.set("message.timestamp.type", "LogAppendTime");
            }
            new
        })
        .collect();
    let options = AdminOptions::new()
        .request_timeout(Some(ASK))
        .operation_timeout(Some(ASK));
    let results = admin
        .create_topics(&wanted, &options)
        .await
        .map_err(|source| KafkaFault::Ask {
            what: "create topics",
            source,
        })?;
    for result in results {
        match result {
            // Another worker was quicker.
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => {
                return Err(KafkaFault::Create {
                    topic,
                    reason: code.to_string(),
                });
            }
        }
    }
    until_answered(connection, &missing).await
}

/// Deletes topics with all they hold; one that is not there does not matter.
///
/// # Errors
/// When the log does not answer, or keeps a topic.
pub async fn delete(connection: &Connection, topics: &[&str]) -> Result<(), KafkaFault> {
    let admin: AdminClient<Tell> = connection
        .client()
        .create_with_context(Tell)
        .map_err(KafkaFault::Setup)?;
    let options = AdminOptions::new().operation_timeout(Some(ASK));
    let ask = |source| KafkaFault::Ask {
        what: "delete topics",
        source,
    };
    for result in admin.delete_topics(topics, &options).await.map_err(ask)? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
            Err((_, code)) => return Err(ask(KafkaError::AdminOp(code))),
        }
    }
    Ok(())
}

/// How often it is looked whether new topics can be read.
const LOOK: Duration = Duration::from_millis(50);

/// A log says that a topic is made before all of it knows the topic and its leaders; whoever reads it at once is told
/// that there is none.
async fn until_answered(connection: &Connection, topics: &[&TopicSpec]) -> Result<(), KafkaFault> {
    let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    let patience = Instant::now() + ASK;
    loop {
        let (connection, names) = (connection.clone(), names.clone());
        let asked = tokio::task::spawn_blocking(move || Reader::probe(&connection, &names));
        match asked.await.map_err(|_| KafkaFault::Gone)? {
            Err(KafkaFault::Ask { .. } | KafkaFault::NoTopic { .. })
                if Instant::now() < patience => {}
            answered => return answered,
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn known(admin: &AdminClient<Tell>) -> Result<std::collections::BTreeSet<String>, KafkaFault> {
    let metadata = admin
        .inner()
        .fetch_metadata(None, ASK)
        .map_err(|source| KafkaFault::Ask {
            what: "list topics",
            source,
        })?;
    Ok(metadata
        .topics()
        .iter()
        .filter(|topic| topic.error().is_none())
        .map(|topic| topic.name().to_owned())
        .collect())
}
