//! Consumer groups from outside: committed offsets, lists, descriptions, deletion.

use std::collections::HashSet;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_groups_response::{
    DeletableGroupResult, DeleteGroupsResponse,
};
use kafka_protocol::messages::describe_groups_response::{
    DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use kafka_protocol::messages::list_groups_response::{ListGroupsResponse, ListedGroup};
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, GroupId, ListGroupsRequest, OffsetCommitRequest,
    OffsetDeleteRequest, OffsetFetchRequest, ResponseKind, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::members::code;
use super::{first_time, text};
use crate::broker::Broker;
use crate::groups::group::Group;
use crate::groups::offsets::{Change, Committed, GroupOffsets};
use crate::groups::{CommitError, DeleteError};

/// Longest note that may go with an offset, as in Kafka.
const MAX_METADATA: usize = 4096;

pub(super) async fn commit(broker: Arc<Broker>, request: OffsetCommitRequest) -> ResponseKind {
    let mut changes = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let known = broker.catalogue.by_name(&topic.name);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for p in &topic.partitions {
            let exists = known
                .as_ref()
                .and_then(|t| t.partition(p.partition_index))
                .is_some();
            let metadata = p.committed_metadata.as_deref().unwrap_or_default();
            let error = if !exists {
                Some(ResponseError::UnknownTopicOrPartition)
            } else if metadata.len() > MAX_METADATA {
                Some(ResponseError::OffsetMetadataTooLarge)
            } else {
                changes.push(Change {
                    group: request.group_id.to_string(),
                    topic: topic.name.to_string(),
                    partition: p.partition_index,
                    committed: Some(Committed {
                        offset: p.committed_offset,
                        leader_epoch: p.committed_leader_epoch,
                        metadata: metadata.to_owned(),
                    }),
                });
                None
            };
            partitions.push(
                OffsetCommitResponsePartition::default()
                    .with_partition_index(p.partition_index)
                    .with_error_code(error.map_or(0, |e| e.code())),
            );
        }
        topics.push(
            OffsetCommitResponseTopic::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions),
        );
    }
    let committed = broker
        .coordinator
        .commit(
            &request.group_id,
            &request.member_id,
            request.group_instance_id.as_deref(),
            request.generation_id_or_member_epoch,
            changes,
        )
        .await;
    broker.note_committed();
    if let Err(error) = committed {
        let error_code = match error {
            CommitError::Refused(refusal) => code(refusal),
            CommitError::TooMany => ResponseError::PolicyViolation.code(),
            CommitError::Storage(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "offsets not committed"
                );
                // What Kafka answers when it cannot write them.
                ResponseError::CoordinatorNotAvailable.code()
            }
        };
        for partition in topics.iter_mut().flat_map(|t| &mut t.partitions) {
            if partition.error_code == 0 {
                partition.error_code = error_code;
            }
        }
    }
    ResponseKind::OffsetCommit(OffsetCommitResponse::default().with_topics(topics))
}

pub(super) fn committed(
    broker: &Broker,
    request: &OffsetFetchRequest,
    version: i16,
) -> ResponseKind {
    let mut response = OffsetFetchResponse::default();
    if version >= 8 {
        let mut seen = HashSet::new();
        response.groups = request
            .groups
            .iter()
            .filter(|g| first_time(&mut seen, g.group_id.clone()))
            .map(|asked| {
                let offsets = broker.coordinator.committed(&asked.group_id);
                let topics = match &asked.topics {
                    Some(topics) => topics
                        .iter()
                        .map(|t| (t.name.clone(), t.partition_indexes.clone()))
                        .collect(),
                    None => everything(&offsets),
                };
                OffsetFetchResponseGroup::default()
                    .with_group_id(asked.group_id.clone())
                    .with_topics(
                        topics
                            .into_iter()
                            .map(|(name, indexes)| group_topic(&offsets, name, &indexes))
                            .collect(),
                    )
            })
            .collect();
        return ResponseKind::OffsetFetch(response);
    }
    let offsets = broker.coordinator.committed(&request.group_id);
    let topics = match &request.topics {
        Some(topics) => topics
            .iter()
            .map(|t| (t.name.clone(), t.partition_indexes.clone()))
            .collect(),
        None => everything(&offsets),
    };
    response.topics = topics
        .into_iter()
        .map(|(name, indexes)| {
            let partitions = indexes
                .iter()
                .map(|index| {
                    let (offset, epoch, metadata) = lookup(&offsets, &name, *index);
                    OffsetFetchResponsePartition::default()
                        .with_partition_index(*index)
                        .with_committed_offset(offset)
                        .with_committed_leader_epoch(epoch)
                        .with_metadata(Some(metadata))
                })
                .collect();
            OffsetFetchResponseTopic::default()
                .with_name(name)
                .with_partitions(partitions)
        })
        .collect();
    ResponseKind::OffsetFetch(response)
}

fn everything(offsets: &GroupOffsets) -> Vec<(TopicName, Vec<i32>)> {
    let mut topics: Vec<(TopicName, Vec<i32>)> = Vec::new();
    for (topic, partition) in offsets.keys() {
        match topics.last_mut() {
            Some((name, indexes)) if name.as_str() == topic => indexes.push(*partition),
            _ => topics.push((TopicName(text(topic.clone())), vec![*partition])),
        }
    }
    topics
}

fn lookup(offsets: &GroupOffsets, topic: &TopicName, partition: i32) -> (i64, i32, StrBytes) {
    match offsets.get(&(topic.to_string(), partition)) {
        Some(c) => (c.offset, c.leader_epoch, text(c.metadata.clone())),
        None => (-1, -1, StrBytes::default()),
    }
}

fn group_topic(
    offsets: &GroupOffsets,
    name: TopicName,
    indexes: &[i32],
) -> OffsetFetchResponseTopics {
    let partitions = indexes
        .iter()
        .map(|index| {
            let (offset, epoch, metadata) = lookup(offsets, &name, *index);
            OffsetFetchResponsePartitions::default()
                .with_partition_index(*index)
                .with_committed_offset(offset)
                .with_committed_leader_epoch(epoch)
                .with_metadata(Some(metadata))
        })
        .collect();
    OffsetFetchResponseTopics::default()
        .with_name(name)
        .with_partitions(partitions)
}

pub(super) async fn delete_offsets(
    broker: Arc<Broker>,
    request: OffsetDeleteRequest,
) -> ResponseKind {
    let group = request.group_id.to_string();
    let has_members = broker
        .coordinator
        .describe(&group, |g| !g.members.is_empty());
    let error = match has_members {
        None => Some(ResponseError::GroupIdNotFound),
        Some(true) => Some(ResponseError::NonEmptyGroup),
        Some(false) => None,
    };
    if let Some(error) = error {
        return ResponseKind::OffsetDelete(
            OffsetDeleteResponse::default().with_error_code(error.code()),
        );
    }
    let partitions = request
        .topics
        .iter()
        .flat_map(|t| {
            t.partitions
                .iter()
                .map(|p| (t.name.to_string(), p.partition_index))
        })
        .collect();
    let error_code = match broker.coordinator.forget(&group, partitions).await {
        Ok(()) => 0,
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "offsets not deleted"
            );
            ResponseError::CoordinatorNotAvailable.code()
        }
    };
    broker.note_committed();
    let topics = request
        .topics
        .iter()
        .map(|t| {
            let partitions = t
                .partitions
                .iter()
                .map(|p| {
                    OffsetDeleteResponsePartition::default().with_partition_index(p.partition_index)
                })
                .collect();
            OffsetDeleteResponseTopic::default()
                .with_name(t.name.clone())
                .with_partitions(partitions)
        })
        .collect();
    ResponseKind::OffsetDelete(
        OffsetDeleteResponse::default()
            .with_error_code(error_code)
            .with_topics(topics),
    )
}

pub(super) fn list(broker: &Broker, request: &ListGroupsRequest) -> ResponseKind {
    let wanted = |state: &str| {
        request.states_filter.is_empty()
            || request
                .states_filter
                .iter()
                .any(|s| s.eq_ignore_ascii_case(state))
    };
    let groups = broker
        .coordinator
        .list()
        .into_iter()
        .filter(|(_, phase, _)| wanted(phase.name()))
        .map(|(name, phase, protocol_type)| {
            ListedGroup::default()
                .with_group_id(GroupId(text(name)))
                .with_protocol_type(text(protocol_type))
                .with_group_state(text(phase.name()))
        })
        .collect();
    ResponseKind::ListGroups(ListGroupsResponse::default().with_groups(groups))
}

pub(super) fn describe(broker: &Broker, request: DescribeGroupsRequest) -> ResponseKind {
    let mut seen = HashSet::new();
    let groups = request
        .groups
        .into_iter()
        .filter(|id| first_time(&mut seen, id.clone()))
        .map(|id| {
            broker
                .coordinator
                .describe(&id, |group| described(id.clone(), group))
                .unwrap_or_else(|| {
                    DescribedGroup::default()
                        .with_group_id(id)
                        .with_group_state(StrBytes::from_static_str("Dead"))
                })
        })
        .collect();
    ResponseKind::DescribeGroups(DescribeGroupsResponse::default().with_groups(groups))
}

fn described(id: GroupId, group: &Group) -> DescribedGroup {
    let protocol = group.protocol.clone().unwrap_or_default();
    let members = group
        .members
        .iter()
        .map(|(id, member)| {
            DescribedGroupMember::default()
                .with_member_id(text(id.clone()))
                .with_group_instance_id(member.instance_id.clone().map(text))
                .with_client_id(text(member.client_id.clone()))
                .with_client_host(text(member.client_host.clone()))
                .with_member_metadata(member.metadata(&protocol).cloned().unwrap_or_default())
                .with_member_assignment(member.assignment.clone())
        })
        .collect();
    DescribedGroup::default()
        .with_group_id(id)
        .with_group_state(text(group.phase.name()))
        .with_protocol_type(text(group.protocol_type.clone()))
        .with_protocol_data(text(protocol))
        .with_members(members)
}

pub(super) async fn delete(broker: Arc<Broker>, request: DeleteGroupsRequest) -> ResponseKind {
    let mut results = Vec::with_capacity(request.groups_names.len());
    for id in request.groups_names {
        let error_code = match broker.coordinator.delete(&id).await {
            Ok(()) => 0,
            Err(DeleteError::NotEmpty) => ResponseError::NonEmptyGroup.code(),
            Err(DeleteError::Unknown) => ResponseError::GroupIdNotFound.code(),
            Err(DeleteError::Storage(error)) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "group not deleted"
                );
                ResponseError::CoordinatorNotAvailable.code()
            }
        };
        results.push(
            DeletableGroupResult::default()
                .with_group_id(id)
                .with_error_code(error_code),
        );
    }
    broker.note_committed();
    ResponseKind::DeleteGroups(DeleteGroupsResponse::default().with_results(results))
}
