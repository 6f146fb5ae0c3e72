//! Making, widening and deleting topics.

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_partitions_response::{
    CreatePartitionsResponse, CreatePartitionsTopicResult,
};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse,
};
use kafka_protocol::messages::delete_topics_response::{
    DeletableTopicResult, DeleteTopicsResponse,
};
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, ResponseKind, TopicName,
};
use uuid::Uuid;

use super::{message, text};
use crate::broker::Broker;
use crate::storage::catalogue::CatalogueError;
use crate::storage::topic::{SETTINGS, Topic, TopicConfig};

/// Topics asked for without a number of partitions.
const DEFAULT_PARTITIONS: i32 = 1;

pub(super) fn code(error: &CatalogueError) -> i16 {
    match error {
        CatalogueError::Exists => ResponseError::TopicAlreadyExists,
        CatalogueError::Unknown => ResponseError::UnknownTopicOrPartition,
        CatalogueError::Name => ResponseError::InvalidTopicException,
        CatalogueError::Partitions => ResponseError::InvalidPartitions,
        CatalogueError::TooMany(_) => ResponseError::PolicyViolation,
        CatalogueError::Replicas => ResponseError::InvalidReplicationFactor,
        CatalogueError::Setting(_) => ResponseError::InvalidConfig,
        CatalogueError::Storage(error) => {
            tracing::error!(error = error as &dyn std::error::Error, "topic not changed");
            ResponseError::KafkaStorageError
        }
    }
    .code()
}

pub(super) fn create(broker: &Broker, request: CreateTopicsRequest) -> ResponseKind {
    let topics = request
        .topics
        .into_iter()
        .map(|asked| {
            let result = CreatableTopicResult::default()
                .with_name(asked.name.clone())
                .with_num_partitions(-1)
                .with_replication_factor(-1);
            match create_one(broker, &asked, request.validate_only) {
                Ok((topic, config, partitions)) => {
                    tracing::info!(topic = asked.name.as_str(), partitions, "topic created");
                    result
                        .with_topic_id(topic.map_or(Uuid::nil(), |t| t.id))
                        .with_num_partitions(partitions)
                        .with_replication_factor(1)
                        .with_configs(Some(shown(&config)))
                }
                Err(error) => result
                    .with_error_code(code(&error))
                    .with_error_message(message(&error))
                    .with_configs(None),
            }
        })
        .collect();
    ResponseKind::CreateTopics(CreateTopicsResponse::default().with_topics(topics))
}

type Created = (Option<Arc<Topic>>, TopicConfig, i32);

fn create_one(
    broker: &Broker,
    asked: &CreatableTopic,
    validate_only: bool,
) -> Result<Created, CatalogueError> {
    if !matches!(asked.replication_factor, -1 | 1)
        || asked.assignments.iter().any(|a| a.broker_ids.len() != 1)
    {
        return Err(CatalogueError::Replicas);
    }
    let partitions = match (asked.num_partitions, asked.assignments.len()) {
        (-1, 0) => DEFAULT_PARTITIONS,
        (-1, n) => i32::try_from(n).unwrap_or(i32::MAX),
        (n, _) => n,
    };
    let config = TopicConfig::new(asked.configs.iter().filter_map(|c| {
        let value = c.value.as_ref()?;
        Some((c.name.as_str(), value.as_str()))
    }))?;
    let topic = broker
        .catalogue
        .create(&asked.name, partitions, config.clone(), validate_only)?;
    Ok((topic, config, partitions))
}

fn shown(config: &TopicConfig) -> Vec<CreatableTopicConfigs> {
    SETTINGS
        .iter()
        .map(|setting| {
            CreatableTopicConfigs::default()
                .with_name(text(setting.name))
                .with_value(Some(text(config.value(setting))))
                .with_config_source(super::configs::source(config, setting))
        })
        .collect()
}

pub(super) async fn delete(
    broker: Arc<Broker>,
    request: DeleteTopicsRequest,
    version: i16,
) -> ResponseKind {
    let mut responses = Vec::new();
    for asked in &request.topics {
        let found = match &asked.name {
            Some(name) => broker.catalogue.by_name(name),
            None => broker.catalogue.by_id(asked.topic_id),
        };
        let unknown = match asked.name {
            Some(_) => ResponseError::UnknownTopicOrPartition,
            None => ResponseError::UnknownTopicId,
        };
        let result = DeletableTopicResult::default()
            .with_name(asked.name.clone())
            .with_topic_id(asked.topic_id);
        responses.push(delete_one(&broker, found, unknown, result).await);
    }
    for name in &request.topic_names {
        let result = DeletableTopicResult::default().with_name(Some(name.clone()));
        let found = broker.catalogue.by_name(name);
        let unknown = ResponseError::UnknownTopicOrPartition;
        responses.push(delete_one(&broker, found, unknown, result).await);
    }
    if version < 5 {
        for response in &mut responses {
            response.error_message = None;
        }
    }
    ResponseKind::DeleteTopics(DeleteTopicsResponse::default().with_responses(responses))
}

async fn delete_one(
    broker: &Arc<Broker>,
    topic: Option<Arc<Topic>>,
    unknown: ResponseError,
    result: DeletableTopicResult,
) -> DeletableTopicResult {
    let Some(topic) = topic else {
        return result.with_error_code(unknown.code());
    };
    let (name, id) = (topic.name.clone(), topic.id);
    let result = result
        .with_name(Some(TopicName(text(name.clone()))))
        .with_topic_id(id);
    let this = broker.clone();
    let deleted = tokio::task::spawn_blocking(move || this.catalogue.delete(&topic)).await;
    match deleted {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            return result
                .with_error_code(code(&error))
                .with_error_message(message(&error));
        }
        Err(_) => return result.with_error_code(ResponseError::UnknownServerError.code()),
    }
    tracing::info!(topic = name, "topic deleted");
    if let Err(error) = broker.coordinator.forget_topic(&name).await {
        tracing::warn!(
            topic = name,
            error = &error as &dyn std::error::Error,
            "committed offsets of a deleted topic not forgotten"
        );
    }
    result
}

pub(super) fn add_partitions(broker: &Broker, request: CreatePartitionsRequest) -> ResponseKind {
    let results = request
        .topics
        .into_iter()
        .map(|asked| {
            let result = CreatePartitionsTopicResult::default().with_name(asked.name.clone());
            let added = match broker.catalogue.by_name(&asked.name) {
                None => Err(CatalogueError::Unknown),
                Some(topic) => {
                    broker
                        .catalogue
                        .add_partitions(&topic, asked.count, request.validate_only)
                }
            };
            match added {
                Ok(()) => result,
                Err(error) => result
                    .with_error_code(code(&error))
                    .with_error_message(message(&error)),
            }
        })
        .collect();
    ResponseKind::CreatePartitions(CreatePartitionsResponse::default().with_results(results))
}
