//! Looking at a log without changing it: who answers, which topics there are and how they are set.

use std::collections::BTreeMap;

use rdkafka::{
    TopicPartitionList,
    admin::{AdminClient, AdminOptions, ResourceSpecifier},
    consumer::{BaseConsumer, Consumer},
    error::RDKafkaErrorCode,
    topic_partition_list::Offset,
};

use super::client::{ASK, Connection, KafkaFault, Tell};

/// A topic as it is.
#[derive(Clone, Debug, Default)]
pub struct TopicFacts {
    pub partitions: usize,
    /// Replicas of its first partition.
    pub replicas: usize,
    /// Settings by Kafka's names; empty where they may not be read.
    pub settings: BTreeMap<String, String>,
    /// Why the log does not show it, if it does not.
    pub refused: Option<String>,
}

/// What the log says of itself.
#[derive(Clone, Debug, Default)]
pub struct LogFacts {
    /// Version of the client library that asked.
    pub client: String,
    pub brokers: usize,
    /// Those of the topics asked for that exist.
    pub topics: BTreeMap<String, TopicFacts>,
    /// Why settings cannot be read, if they cannot.
    pub settings_refused: Option<String>,
    /// Why the consumer group may not be used, if it may not.
    pub group_refused: Option<String>,
}

/// Asks the log about itself and about `topics`.
///
/// # Errors
/// When it does not answer.
pub async fn examine(connection: &Connection, topics: &[String]) -> Result<LogFacts, KafkaFault> {
    let admin: AdminClient<Tell> = connection
        .client()
        .create_with_context(Tell)
        .map_err(KafkaFault::Setup)?;
    let ask = |source| KafkaFault::Ask {
        what: "list topics",
        source,
    };
    let metadata = admin.inner().fetch_metadata(None, ASK).map_err(ask)?;
    let mut facts = LogFacts {
        client: rdkafka::util::get_rdkafka_version().1,
        brokers: metadata.brokers().len(),
        ..LogFacts::default()
    };
    for name in topics {
        // A topic that may not be seen is left out of the list of all; asked for by name, the log says why.
        let listed = metadata.topics().iter().find(|topic| topic.name() == name);
        let found = match listed {
            Some(topic) => TopicFacts {
                partitions: topic.partitions().len(),
                replicas: topic.partitions().first().map_or(0, |p| p.replicas().len()),
                refused: topic
                    .error()
                    .map(|code| RDKafkaErrorCode::from(code).to_string()),
                ..TopicFacts::default()
            },
            None => match refused(&admin, name)? {
                None => continue,
                refused => TopicFacts {
                    refused,
                    ..TopicFacts::default()
                },
            },
        };
        facts.topics.insert(name.clone(), found);
    }
    facts.settings_refused = settings(&admin, &mut facts.topics).await;
    facts.group_refused = group(connection, &facts)?;
    Ok(facts)
}

fn refused(admin: &AdminClient<Tell>, topic: &str) -> Result<Option<String>, KafkaFault> {
    let metadata = admin
        .inner()
        .fetch_metadata(Some(topic), ASK)
        .map_err(|source| KafkaFault::Ask {
            what: "look a topic up",
            source,
        })?;
    let error = metadata.topics().iter().find_map(|found| found.error());
    Ok(error
        .map(RDKafkaErrorCode::from)
        .filter(|code| {
            !matches!(
                code,
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic
            )
        })
        .map(|code| code.to_string()))
}

async fn settings(
    admin: &AdminClient<Tell>,
    topics: &mut BTreeMap<String, TopicFacts>,
) -> Option<String> {
    let names: Vec<String> = topics
        .iter()
        .filter(|(_, facts)| facts.refused.is_none())
        .map(|(name, _)| name.clone())
        .collect();
    if names.is_empty() {
        return None;
    }
    let wanted: Vec<_> = names.iter().map(|n| ResourceSpecifier::Topic(n)).collect();
    let options = AdminOptions::new().request_timeout(Some(ASK));
    let answers = match admin.describe_configs(&wanted, &options).await {
        Ok(answers) => answers,
        Err(error) => return Some(error.to_string()),
    };
    let mut refused = None;
    for (name, answer) in names.iter().zip(answers) {
        match answer {
            Ok(resource) => {
                let entries = resource.entries.into_iter();
                let settings = entries.filter_map(|entry| Some((entry.name, entry.value?)));
                if let Some(facts) = topics.get_mut(name) {
                    facts.settings = settings.collect();
                }
            }
            Err(code) => refused = Some(format!("{name}: {code}")),
        }
    }
    refused
}

/// Asks for the group's commits on one partition: the least that tells whether the group may be used.
fn group(connection: &Connection, facts: &LogFacts) -> Result<Option<String>, KafkaFault> {
    let readable = facts.topics.iter().find(|(_, f)| f.partitions > 0);
    let Some((topic, _)) = readable else {
        return Ok(None);
    };
    let consumer: BaseConsumer<Tell> = connection
        .consumer(1 << 20, &[])
        .create_with_context(Tell)
        .map_err(KafkaFault::Setup)?;
    let mut wanted = TopicPartitionList::new();
    wanted
        .add_partition_offset(topic, 0, Offset::Invalid)
        .map_err(KafkaFault::Setup)?;
    Ok(consumer
        .committed_offsets(wanted, ASK)
        .err()
        .map(|error| error.to_string()))
}
