//! What there is: versions, topics, brokers, coordinators. All of it is this one process.

use std::collections::HashSet;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::{ApiVersion, ApiVersionsResponse};
use kafka_protocol::messages::describe_cluster_response::{
    DescribeClusterBroker, DescribeClusterResponse,
};
use kafka_protocol::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use kafka_protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    ApiKey, BrokerId, DescribeClusterRequest, FindCoordinatorRequest, MetadataRequest,
    ResponseKind, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::{Client, first_time, text};
use crate::broker::NODE_ID;
use crate::storage::topic::{Topic, valid_name};
use crate::wire::versions::APIS;

pub(super) fn api_versions(error_code: i16) -> ResponseKind {
    let keys = APIS
        .iter()
        .map(|api| {
            // Older librdkafka looks for version 0 of Produce to learn about compression.
            let min = if api.key == ApiKey::Produce {
                0
            } else {
                api.min
            };
            ApiVersion::default()
                .with_api_key(api.key as i16)
                .with_min_version(min)
                .with_max_version(api.max)
        })
        .collect();
    ResponseKind::ApiVersions(
        ApiVersionsResponse::default()
            .with_error_code(error_code)
            .with_api_keys(keys),
    )
}

pub(super) fn metadata(client: &Client, request: &MetadataRequest, version: i16) -> ResponseKind {
    let catalogue = &client.broker.catalogue;
    let asked = request
        .topics
        .as_ref()
        .filter(|topics| version > 0 || !topics.is_empty());
    let mut seen = HashSet::new();
    let topics = match asked {
        None => catalogue.all().iter().map(|t| describe(t)).collect(),
        Some(topics) => topics
            .iter()
            .filter(|t| first_time(&mut seen, (t.name.clone(), t.topic_id)))
            .map(|asked| match &asked.name {
                Some(name) => match catalogue.by_name(name) {
                    Some(topic) => describe(&topic),
                    None if valid_name(name) => {
                        no_topic(ResponseError::UnknownTopicOrPartition, name.clone())
                    }
                    None => no_topic(ResponseError::InvalidTopicException, name.clone()),
                },
                None => match catalogue.by_id(asked.topic_id) {
                    Some(topic) => describe(&topic),
                    None => {
                        let name = (version < 12).then(TopicName::default);
                        no_topic(ResponseError::UnknownTopicId, TopicName::default())
                            .with_name(name)
                            .with_topic_id(asked.topic_id)
                    }
                },
            })
            .collect(),
    };
    let (host, port) = client.broker.advertised(client.local);
    ResponseKind::Metadata(
        MetadataResponse::default()
            .with_brokers(vec![
                MetadataResponseBroker::default()
                    .with_node_id(BrokerId(NODE_ID))
                    .with_host(text(host))
                    .with_port(port),
            ])
            .with_cluster_id(Some(text(client.broker.cluster_id.clone())))
            .with_controller_id(BrokerId(NODE_ID))
            .with_topics(topics),
    )
}

fn no_topic(error: ResponseError, name: TopicName) -> MetadataResponseTopic {
    MetadataResponseTopic::default()
        .with_error_code(error.code())
        .with_name(Some(name))
}

fn describe(topic: &Topic) -> MetadataResponseTopic {
    let count = topic.state().partitions.len();
    let partitions = (0..count)
        .map(|index| {
            MetadataResponsePartition::default()
                .with_partition_index(i32::try_from(index).unwrap_or(i32::MAX))
                .with_leader_id(BrokerId(NODE_ID))
                .with_leader_epoch(0)
                .with_replica_nodes(vec![BrokerId(NODE_ID)])
                .with_isr_nodes(vec![BrokerId(NODE_ID)])
        })
        .collect();
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(text(topic.name.clone()))))
        .with_topic_id(topic.id)
        .with_partitions(partitions)
}

pub(super) fn describe_cluster(client: &Client, request: &DescribeClusterRequest) -> ResponseKind {
    let (host, port) = client.broker.advertised(client.local);
    ResponseKind::DescribeCluster(
        DescribeClusterResponse::default()
            .with_endpoint_type(request.endpoint_type)
            .with_cluster_id(text(client.broker.cluster_id.clone()))
            .with_controller_id(BrokerId(NODE_ID))
            .with_brokers(vec![
                DescribeClusterBroker::default()
                    .with_broker_id(BrokerId(NODE_ID))
                    .with_host(text(host))
                    .with_port(port),
            ]),
    )
}

pub(super) fn find_coordinator(
    client: &Client,
    request: &FindCoordinatorRequest,
    version: i16,
) -> ResponseKind {
    const GROUP: i8 = 0;
    let (host, port) = client.broker.advertised(client.local);
    let (error_code, message) = if request.key_type == GROUP {
        (0, None)
    } else {
        let message = StrBytes::from_static_str("this log has groups only, no transactions");
        (ResponseError::InvalidRequest.code(), Some(message))
    };
    let mut response = FindCoordinatorResponse::default();
    if version >= 4 {
        response.coordinators = request
            .coordinator_keys
            .iter()
            .map(|key| {
                Coordinator::default()
                    .with_key(key.clone())
                    .with_node_id(BrokerId(NODE_ID))
                    .with_host(text(host.clone()))
                    .with_port(port)
                    .with_error_code(error_code)
                    .with_error_message(message.clone())
            })
            .collect();
    } else {
        response = response
            .with_error_code(error_code)
            .with_error_message(message)
            .with_node_id(BrokerId(NODE_ID))
            .with_host(text(host))
            .with_port(port);
    }
    ResponseKind::FindCoordinator(response)
}
