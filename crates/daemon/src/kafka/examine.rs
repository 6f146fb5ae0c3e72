//! Looking at a log without changing it: who answers, which topics there are and how they are set.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rdkafka::{
    ClientContext, TopicPartitionList,
    admin::{AdminClient, AdminOptions, ResourceSpecifier},
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    metadata::Metadata,
    topic_partition_list::Offset,
};

use super::client::{ASK, Connection, KafkaFault, Tell, tell, tell_error};

/// How many complaints of a client that found nobody are heard at most.
const COMPLAINTS: usize = 100;

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

/// Whether the consumer group may be used.
#[derive(Clone, Debug, Default)]
pub enum Group {
    /// There is no topic yet to ask about.
    #[default]
    Unasked,
    Usable,
    /// Why it may not be used.
    Refused(String),
    /// Why there was no answer; a broker that has just started has none yet.
    Silent(String),
}

/// What the log says of itself.
#[derive(Clone, Debug, Default)]
pub struct LogFacts {
    /// Version of the client library that asked.
    pub client: String,
    pub brokers: usize,
    /// The version of Kafka's protocol between the brokers, where they tell it: those before 4.0 do.
    pub protocol: Option<String>,
    /// Those of the topics asked for that exist.
    pub topics: BTreeMap<String, TopicFacts>,
    /// Why settings cannot be read, if they cannot.
    pub settings_refused: Option<String>,
    pub group: Group,
}

/// The log did not answer.
#[derive(Debug, thiserror::Error)]
#[error("{fault}")]
pub struct NoAnswer {
    pub fault: KafkaFault,
    /// What the client said meanwhile, such as a refused certificate or password: its answer to a question is only that
    /// none came.
    pub said: Option<Box<str>>,
}

/// Remembers the last thing that the client complained of.
#[derive(Default)]
struct Hear(Mutex<Option<String>>);

impl ClientContext for Hear {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, words: &str) {
        tell(level, facility, words);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tell_error(&error, reason);
        // That nobody is left to ask says less than why the last one left.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        }
    }
}

impl ConsumerContext for Hear {}

/// Asks the log about itself and about `topics`.
///
/// # Errors
/// When it does not answer.
pub async fn examine(connection: &Connection, topics: &[String]) -> Result<LogFacts, NoAnswer> {
    let metadata = list(connection)?;
    let found = look(connection, &metadata, topics).await;
    found.map_err(|fault| NoAnswer { fault, said: None })
}

/// Everything that there is. The first question, so that a consumer asks it: only that one can be asked why nobody answers.
fn list(connection: &Connection) -> Result<Metadata, NoAnswer> {
    let consumer: BaseConsumer<Hear> = connection
        .consumer(&[])
        .create_with_context(Hear::default())
        .map_err(|error| NoAnswer {
            fault: KafkaFault::setup(error),
            said: None,
        })?;
    consumer.fetch_metadata(None, ASK).map_err(|source| {
        // What it complained of waits until somebody polls.
        for _ in 0..COMPLAINTS {
            if consumer.poll(Duration::from_millis(50)).is_none() {
                break;
            }
        }
        let said = &consumer.context().0;
        NoAnswer {
            fault: KafkaFault::Ask {
                what: "list topics",
                source,
            },
            said: {
                let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                said.take().map(String::into_boxed_str)
            },
        }
    })
}

async fn look(
    connection: &Connection,
    metadata: &Metadata,
    topics: &[String],
) -> Result<LogFacts, KafkaFault> {
    let admin: AdminClient<Tell> = connection
        .client()
        .create_with_context(Tell)
        .map_err(KafkaFault::setup)?;
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
    if let Some(broker) = metadata.brokers().first() {
        facts.protocol = protocol(&admin, broker.id()).await;
    }
    facts.settings_refused = settings(&admin, &mut facts.topics).await;
    facts.group = group(connection, &facts)?;
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

/// None where the broker has no such setting any more, or does not show its settings.
async fn protocol(admin: &AdminClient<Tell>, broker: i32) -> Option<String> {
    let options = AdminOptions::new().request_timeout(Some(ASK));
    let asked = [ResourceSpecifier::Broker(broker)];
    let answers = admin.describe_configs(&asked, &options).await.ok()?;
    let settings = answers.into_iter().next()?.ok()?.entries;
    let found = settings
        .into_iter()
        .find(|entry| entry.name == "inter.broker.protocol.version");
    found?.value
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
fn group(connection: &Connection, facts: &LogFacts) -> Result<Group, KafkaFault> {
    let readable = facts.topics.iter().find(|(_, f)| f.partitions > 0);
    let Some((topic, _)) = readable else {
        return Ok(Group::Unasked);
    };
    let consumer: BaseConsumer<Tell> = connection
        .consumer(&[])
        .create_with_context(Tell)
        .map_err(KafkaFault::setup)?;
    let mut wanted = TopicPartitionList::new();
    wanted
        .add_partition_offset(topic, 0, Offset::Invalid)
        .map_err(KafkaFault::setup)?;
    Ok(match consumer.committed_offsets(wanted, ASK) {
        Ok(_) => Group::Usable,
        Err(error) => match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::TopicAuthorizationFailed,
            ) => Group::Refused(error.to_string()),
            _ => Group::Silent(error.to_string()),
        },
    })
}
