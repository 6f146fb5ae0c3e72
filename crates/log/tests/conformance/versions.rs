//! Every request is answered in every version that is offered, as older clients use them.

use std::time::Instant;

use crate::support::raw::{Raw, batch, name, produce_request};
use crate::support::*;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Request, StrBytes};

/// How long a log may take to make, change or delete topics, ms.
const TIMEOUT_MS: i32 = 10_000;

fn text(s: &str) -> StrBytes {
    StrBytes::from_string(s.to_owned())
}

fn group() -> GroupId {
    GroupId(text("g"))
}

/// Asks in every version that the log offers and shows each answer to `check`.
fn each<R: Request>(log: &Broker, build: impl Fn(i16) -> R, check: impl Fn(i16, &R::Response)) {
    let mut raw = Raw::connect(log);
    let offered = raw.ask(&ApiVersionsRequest::default(), 0);
    let api = offered
        .api_keys
        .iter()
        .find(|a| a.api_key == R::KEY)
        .unwrap_or_else(|| panic!("request {} is not offered", R::KEY));
    // Produce is offered from 0 for the sake of clients that only look, and served from 3.
    let min = api.min_version.max(R::VERSIONS.min);
    assert!(min <= api.max_version);
    for version in min..=api.max_version.min(R::VERSIONS.max) {
        check(version, &raw.ask(&build(version), version));
    }
}

#[tokio::test]
async fn records_are_written_found_and_read_in_every_version() {
    let running = start().await;
    let log = &running.log;
    create(log, "t", 1, &[]).await;
    let mut raw = Raw::connect(log);
    let asked = MetadataRequestTopic::default().with_name(Some(name("t")));
    let metadata = raw.ask(
        &MetadataRequest::default().with_topics(Some(vec![asked])),
        12,
    );
    let id = metadata.topics[0].topic_id;
    each(
        log,
        |v| {
            let mut request = produce_request("t", batch(-1, -1, -1, &["x"]));
            if v >= 13 {
                request.topic_data[0].topic_id = id;
            }
            request
        },
        |v, r: &ProduceResponse| {
            assert_eq!(r.responses[0].partition_responses[0].error_code, 0, "{v}");
        },
    );
    for partition in [0, 9] {
        each(
            log,
            |v| {
                let topic = FetchTopic::default().with_partitions(vec![
                    FetchPartition::default()
                        .with_partition(partition)
                        .with_partition_max_bytes(1 << 20),
                ]);
                FetchRequest::default()
                    .with_max_wait_ms(1)
                    .with_max_bytes(1 << 20)
                    .with_topics(vec![if v >= 13 {
                        topic.with_topic_id(id)
                    } else {
                        topic.with_topic(name("t"))
                    }])
            },
            |v, r: &FetchResponse| {
                let answer = &r.responses[0].partitions[0];
                assert_eq!(answer.error_code != 0, partition == 9, "{v}");
                let empty = answer.records.as_ref().is_none_or(|r| r.is_empty());
                assert_eq!(empty, partition == 9, "{v}");
            },
        );
        for timestamp in [-1, -2, 5, i64::MAX] {
            each(
                log,
                |_| {
                    let asked = ListOffsetsPartition::default()
                        .with_partition_index(partition)
                        .with_timestamp(timestamp);
                    ListOffsetsRequest::default().with_topics(vec![
                        ListOffsetsTopic::default()
                            .with_name(name("t"))
                            .with_partitions(vec![asked]),
                    ])
                },
                |v, r: &ListOffsetsResponse| {
                    let answer = &r.topics[0].partitions[0];
                    assert_eq!(answer.error_code != 0, partition == 9, "{v}");
                },
            );
        }
        each(
            log,
            |_| {
                DeleteRecordsRequest::default()
                    .with_timeout_ms(TIMEOUT_MS)
                    .with_topics(vec![
                        DeleteRecordsTopic::default()
                            .with_name(name("t"))
                            .with_partitions(vec![
                                DeleteRecordsPartition::default().with_partition_index(partition),
                            ]),
                    ])
            },
            |v, r: &DeleteRecordsResponse| {
                let answer = &r.topics[0].partitions[0];
                assert_eq!(answer.error_code != 0, partition == 9, "{v}");
            },
        );
    }
    each(
        log,
        |_| InitProducerIdRequest::default().with_transactional_id(None),
        |v, r: &InitProducerIdResponse| assert_eq!(r.error_code, 0, "{v}"),
    );
}

#[tokio::test]
async fn topics_are_managed_in_every_version() {
    let running = start().await;
    let log = &running.log;
    create(log, "t", 1, &[]).await;
    for topic in ["t", "unknown"] {
        each(
            log,
            |_| {
                let asked = MetadataRequestTopic::default().with_name(Some(name(topic)));
                MetadataRequest::default().with_topics(Some(vec![asked]))
            },
            |v, r: &MetadataResponse| {
                assert_eq!(r.topics[0].error_code != 0, topic == "unknown", "{v}");
            },
        );
        each(
            log,
            |_| {
                DescribeConfigsRequest::default().with_resources(vec![
                    DescribeConfigsResource::default()
                        .with_resource_type(2)
                        .with_resource_name(text(topic))
                        .with_configuration_keys(None),
                ])
            },
            |v, r: &DescribeConfigsResponse| {
                let code = r.results[0].error_code;
                assert_eq!(code != 0, topic == "unknown", "{v}: {code}");
            },
        );
        each(
            log,
            |_| {
                AlterConfigsRequest::default().with_resources(vec![
                    alter_configs_request::AlterConfigsResource::default()
                        .with_resource_type(2)
                        .with_resource_name(text(topic)),
                ])
            },
            |v, r: &AlterConfigsResponse| {
                assert_eq!(r.responses[0].error_code != 0, topic == "unknown", "{v}");
            },
        );
        each(
            log,
            |_| {
                IncrementalAlterConfigsRequest::default().with_resources(vec![
                    incremental_alter_configs_request::AlterConfigsResource::default()
                        .with_resource_type(2)
                        .with_resource_name(text(topic)),
                ])
            },
            |v, r: &IncrementalAlterConfigsResponse| {
                assert_eq!(r.responses[0].error_code != 0, topic == "unknown", "{v}");
            },
        );
        each(
            log,
            |v| {
                let asked = create_partitions_request::CreatePartitionsTopic::default()
                    .with_name(name(topic))
                    .with_count(i32::from(v) + 2)
                    .with_assignments(None);
                CreatePartitionsRequest::default()
                    .with_topics(vec![asked])
                    .with_timeout_ms(TIMEOUT_MS)
            },
            |v, r: &CreatePartitionsResponse| {
                let code = r.results[0].error_code;
                assert_eq!(code != 0, topic == "unknown", "{v}: {code}");
            },
        );
    }
    for partitions in [1, 0] {
        each(
            log,
            |v| {
                let setting = CreatableTopicConfig::default()
                    .with_name(text("retention.ms"))
                    .with_value(Some(text("1000")));
                CreateTopicsRequest::default()
                    .with_timeout_ms(TIMEOUT_MS)
                    .with_topics(vec![
                        CreatableTopic::default()
                            .with_name(name(&format!("v{v}")))
                            .with_num_partitions(partitions)
                            .with_replication_factor(1)
                            .with_configs(vec![setting]),
                    ])
            },
            |v, r: &CreateTopicsResponse| {
                assert_eq!(r.topics[0].error_code != 0, partitions == 0, "{v}");
            },
        );
    }
    for prefix in ["v", "unknown"] {
        each(
            log,
            |v| {
                // Deleting has a version that creating does not.
                let topic = format!("{prefix}{}", v + 1);
                if v >= 6 {
                    let asked = DeleteTopicState::default().with_name(Some(name(&topic)));
                    DeleteTopicsRequest::default()
                        .with_timeout_ms(TIMEOUT_MS)
                        .with_topics(vec![asked])
                } else {
                    DeleteTopicsRequest::default()
                        .with_timeout_ms(TIMEOUT_MS)
                        .with_topic_names(vec![name(&topic)])
                }
            },
            |v, r: &DeleteTopicsResponse| {
                assert_eq!(r.responses[0].error_code != 0, prefix == "unknown", "{v}");
            },
        );
    }
    each(
        log,
        |_| DescribeClusterRequest::default(),
        |v, r: &DescribeClusterResponse| assert_eq!(r.brokers.len(), 1, "{v}"),
    );
    each(
        log,
        |_| {
            ApiVersionsRequest::default()
                .with_client_software_name(text("raw"))
                .with_client_software_version(text("1"))
        },
        |v, r: &ApiVersionsResponse| assert_eq!(r.error_code, 0, "{v}"),
    );
}

#[tokio::test]
async fn groups_are_served_in_every_version() {
    let running = start().await;
    let log = &running.log;
    create(log, "t", 1, &[]).await;
    // An Apache Kafka that has just started makes itself a topic for groups first.
    let mut raw = Raw::connect(log);
    let coordinator = FindCoordinatorRequest::default().with_key(text("g"));
    let deadline = Instant::now() + PATIENCE;
    while raw.ask(&coordinator, 3).error_code == ResponseError::CoordinatorNotAvailable.code() {
        assert!(Instant::now() < deadline);
    }
    each(
        log,
        |v| {
            let request = FindCoordinatorRequest::default();
            match v {
                0..=3 => request.with_key(text("g")),
                _ => request.with_coordinator_keys(vec![text("g")]),
            }
        },
        |v, r: &FindCoordinatorResponse| {
            let error = match v {
                4.. => r.coordinators[0].error_code,
                _ => r.error_code,
            };
            assert_eq!(error, 0, "{v}");
        },
    );
    for session_timeout in [10_000, 1] {
        each(
            log,
            |_| {
                JoinGroupRequest::default()
                    .with_group_id(GroupId(text("joined")))
                    .with_session_timeout_ms(session_timeout)
                    .with_rebalance_timeout_ms(-1)
                    // Unknown on purpose: every version is refused at once.
                    .with_member_id(text("nobody"))
                    .with_protocol_type(text("consumer"))
                    .with_protocols(vec![
                        JoinGroupRequestProtocol::default().with_name(text("range")),
                    ])
            },
            |v, r: &JoinGroupResponse| assert_ne!(r.error_code, 0, "{v}"),
        );
    }
    each(
        log,
        |_| {
            SyncGroupRequest::default()
                .with_group_id(group())
                .with_protocol_type(Some(text("consumer")))
                .with_protocol_name(Some(text("range")))
        },
        |v, r: &SyncGroupResponse| assert_eq!(r.error_code, 25, "{v}"),
    );
    each(
        log,
        |_| HeartbeatRequest::default().with_group_id(group()),
        |v, r: &HeartbeatResponse| assert_eq!(r.error_code, 25, "{v}"),
    );
    each(
        log,
        |v| {
            let request = LeaveGroupRequest::default().with_group_id(group());
            if v >= 3 {
                let member = MemberIdentity::default().with_member_id(text("nobody"));
                request.with_members(vec![member])
            } else {
                request.with_member_id(text("nobody"))
            }
        },
        |v, r: &LeaveGroupResponse| match v {
            3.. => assert_eq!(r.members[0].error_code, 25),
            _ => assert_eq!(r.error_code, 25),
        },
    );
    each(
        log,
        |_| {
            OffsetCommitRequest::default()
                .with_group_id(group())
                .with_generation_id_or_member_epoch(-1)
                .with_topics(vec![
                    OffsetCommitRequestTopic::default()
                        .with_name(name("t"))
                        .with_partitions(vec![
                            OffsetCommitRequestPartition::default().with_committed_offset(3),
                        ]),
                ])
        },
        |v, r: &OffsetCommitResponse| assert_eq!(r.topics[0].partitions[0].error_code, 0, "{v}"),
    );
    for all in [false, true] {
        each(
            log,
            |v| {
                if v >= 8 {
                    let topics = vec![
                        OffsetFetchRequestTopics::default()
                            .with_name(name("t"))
                            .with_partition_indexes(vec![0]),
                    ];
                    return OffsetFetchRequest::default().with_groups(vec![
                        OffsetFetchRequestGroup::default()
                            .with_group_id(group())
                            .with_topics((!all).then_some(topics)),
                    ]);
                }
                let topics = vec![
                    OffsetFetchRequestTopic::default()
                        .with_name(name("t"))
                        .with_partition_indexes(vec![0]),
                ];
                OffsetFetchRequest::default()
                    .with_group_id(group())
                    .with_topics((v < 2 || !all).then_some(topics))
            },
            |v, r: &OffsetFetchResponse| {
                let offset = match v {
                    8.. => r.groups[0].topics[0].partitions[0].committed_offset,
                    _ => r.topics[0].partitions[0].committed_offset,
                };
                assert_eq!(offset, 3, "{v}");
            },
        );
    }
    each(
        log,
        |_| ListGroupsRequest::default(),
        |v, r: &ListGroupsResponse| assert_eq!(r.groups[0].group_id, group(), "{v}"),
    );
    each(
        log,
        |_| DescribeGroupsRequest::default().with_groups(vec![group(), GroupId(text("none"))]),
        |v, r: &DescribeGroupsResponse| {
            let state = |id: GroupId| {
                let found = r.groups.iter().find(|g| g.group_id == id);
                found.unwrap().group_state.to_string()
            };
            assert_eq!(state(group()), "Empty", "{v}");
            assert_eq!(state(GroupId(text("none"))), "Dead", "{v}");
        },
    );
    each(
        log,
        |_| {
            OffsetDeleteRequest::default()
                .with_group_id(group())
                .with_topics(vec![
                    OffsetDeleteRequestTopic::default()
                        .with_name(name("t"))
                        .with_partitions(vec![OffsetDeleteRequestPartition::default()]),
                ])
        },
        |v, r: &OffsetDeleteResponse| assert_eq!(r.error_code, 0, "{v}"),
    );
    each(
        log,
        |_| DeleteGroupsRequest::default().with_groups_names(vec![group()]),
        // Its last offset is gone: some logs keep such a group for a while, so the first time may find it.
        |v, r: &DeleteGroupsResponse| {
            let code = r.results[0].error_code;
            assert!(code == 69 || code == 0 && v == 0, "{v}: {code}");
        },
    );
}
