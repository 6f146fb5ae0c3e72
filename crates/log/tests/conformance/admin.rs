//! Topics and their settings through an admin client.

use crate::support::raw::{Raw, name};
use crate::support::*;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::{
    DeleteRecordsRequest, IncrementalAlterConfigsRequest, MetadataRequest,
};
use kafka_protocol::protocol::StrBytes;
use rdkafka::Offset;
use rdkafka::admin::{
    AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;

fn topic_id(raw: &mut Raw, topic: &str) -> uuid::Uuid {
    let request = MetadataRequest::default().with_topics(Some(vec![
        kafka_protocol::messages::metadata_request::MetadataRequestTopic::default()
            .with_name(Some(name(topic))),
    ]));
    raw.ask(&request, 12).topics[0].topic_id
}

#[tokio::test]
async fn a_recreated_topic_is_empty_and_has_another_id() {
    let running = start().await;
    create(&running.log, "t", 1, &[]).await;
    let mut raw = Raw::connect(&running.log);
    let first = topic_id(&mut raw, "t");
    produce(&producer(&running.log), "t", 0, "old").await;
    let admin = admin(&running.log);
    let deleted = admin
        .delete_topics(&["t"], &AdminOptions::new())
        .await
        .unwrap();
    assert!(deleted[0].is_ok());
    let deleted = admin
        .delete_topics(&["t"], &AdminOptions::new())
        .await
        .unwrap();
    assert_eq!(
        deleted[0].as_ref().unwrap_err().1,
        RDKafkaErrorCode::UnknownTopicOrPartition
    );
    create(&running.log, "t", 1, &[]).await;
    assert_ne!(topic_id(&mut raw, "t"), first);
    assert_eq!(produce(&producer(&running.log), "t", 0, "new").await, 0);
    let got = read_from(&running.log, "t", 0, Offset::Beginning, 1);
    assert_eq!(got[0].2, "new");
}

#[tokio::test]
async fn a_topic_that_cannot_be_made_says_why() {
    let running = start().await;
    create(&running.log, "t", 1, &[]).await;
    let admin = admin(&running.log);
    let long = "x".repeat(250);
    let one = || TopicReplication::Fixed(1);
    for (topic, code) in [
        (
            NewTopic::new("t", 1, one()),
            RDKafkaErrorCode::TopicAlreadyExists,
        ),
        (
            NewTopic::new("a/b", 1, one()),
            RDKafkaErrorCode::InvalidTopic,
        ),
        (
            NewTopic::new(&long, 1, one()),
            RDKafkaErrorCode::InvalidTopic,
        ),
        (
            NewTopic::new("u", 1, TopicReplication::Fixed(3)),
            RDKafkaErrorCode::InvalidReplicationFactor,
        ),
        (
            NewTopic::new("u", 100_000, one()),
            RDKafkaErrorCode::PolicyViolation,
        ),
        (
            NewTopic::new("u", 1, one()).set("retention.ms", "x"),
            RDKafkaErrorCode::InvalidConfig,
        ),
        (
            NewTopic::new("u", 1, one()).set("no.such", "x"),
            RDKafkaErrorCode::InvalidConfig,
        ),
    ] {
        let results = admin
            .create_topics([&topic], &AdminOptions::new())
            .await
            .unwrap();
        assert_eq!(results[0].as_ref().unwrap_err().1, code, "{topic:?}");
    }
}

#[tokio::test]
async fn settings_are_shown_changed_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).await;
    create(&log, "t", 1, &[("retention.ms", "1000")]).await;
    let get = async |log: &Broker, setting: &str| {
        let described = admin(log)
            .describe_configs(&[ResourceSpecifier::Topic("t")], &AdminOptions::new())
            .await
            .unwrap();
        let resource = described[0].as_ref().unwrap();
        resource.get(setting).unwrap().value.clone().unwrap()
    };
    assert_eq!(get(&log, "retention.ms").await, "1000");
    assert_eq!(get(&log, "cleanup.policy").await, "delete");
    let mut raw = Raw::connect(&log);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![
        AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(StrBytes::from_static_str("t"))
            .with_configs(vec![
                AlterableConfig::default()
                    .with_name(StrBytes::from_static_str("cleanup.policy"))
                    .with_config_operation(2)
                    .with_value(Some(StrBytes::from_static_str("compact"))),
            ]),
    ]);
    assert_eq!(raw.ask(&request, 1).responses[0].error_code, 0);
    assert_eq!(get(&log, "cleanup.policy").await, "delete,compact");
    assert_eq!(get(&log, "retention.ms").await, "1000");
    // rdkafka does not pass on the errors of single resources, so the settings are looked at.
    let wrong = AlterConfig::new(ResourceSpecifier::Topic("t")).set("segment.bytes", "none");
    let _ = admin(&log)
        .alter_configs(&[wrong], &AdminOptions::new())
        .await
        .unwrap();
    assert_eq!(get(&log, "retention.ms").await, "1000");
    let replace = AlterConfig::new(ResourceSpecifier::Topic("t")).set("segment.bytes", "5000000");
    let altered = admin(&log)
        .alter_configs(&[replace], &AdminOptions::new())
        .await
        .unwrap();
    assert!(altered[0].is_ok());
    log.shutdown().await.unwrap();

    let log = open(dir.path()).await;
    assert_eq!(get(&log, "segment.bytes").await, "5000000");
    assert_eq!(get(&log, "cleanup.policy").await, "delete");
}

#[tokio::test]
async fn partitions_are_added_and_never_taken_away() {
    let running = start().await;
    create(&running.log, "t", 1, &[]).await;
    let admin = admin(&running.log);
    let more = NewPartitions::new("t", 3);
    let added = admin
        .create_partitions([&more], &AdminOptions::new())
        .await
        .unwrap();
    assert!(added[0].is_ok());
    let fewer = NewPartitions::new("t", 2);
    let added = admin
        .create_partitions([&fewer], &AdminOptions::new())
        .await
        .unwrap();
    assert_eq!(
        added[0].as_ref().unwrap_err().1,
        RDKafkaErrorCode::InvalidPartitions
    );
    assert_eq!(produce(&producer(&running.log), "t", 2, "x").await, 0);
}

#[tokio::test]
async fn deleted_records_stay_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).await;
    create(&log, "t", 1, &[]).await;
    let first = producer(&log);
    for i in 0..10 {
        produce(&first, "t", 0, &i.to_string()).await;
    }
    let mut raw = Raw::connect(&log);
    let mut delete_before = |offset: i64| {
        let request = DeleteRecordsRequest::default().with_topics(vec![
            DeleteRecordsTopic::default()
                .with_name(name("t"))
                .with_partitions(vec![DeleteRecordsPartition::default().with_offset(offset)]),
        ]);
        raw.ask(&request, 2).topics[0].partitions[0].clone()
    };
    assert_eq!(delete_before(6).low_watermark, 6);
    assert_eq!(
        delete_before(11).error_code,
        ResponseError::OffsetOutOfRange.code()
    );
    log.shutdown().await.unwrap();

    let log = open(dir.path()).await;
    let consumer: BaseConsumer = group_consumer(&log, "g");
    assert_eq!(
        consumer.fetch_watermarks("t", 0, PATIENCE).unwrap(),
        (6, 10)
    );
    assert_eq!(read_from(&log, "t", 0, Offset::Beginning, 4)[0].2, "6");
}
