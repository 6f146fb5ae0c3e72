//! The whole log on a disk that is full, and then has room again. Requests are asked without a network.

use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, CreateTopicsRequest, FetchRequest, GroupId, InitProducerIdRequest, OffsetCommitRequest,
    OffsetFetchRequest, ProduceRequest, RequestKind, ResponseKind, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use tokio_util::sync::CancellationToken;

use crate::api::{self, Answer, Client, Reply};
use crate::broker::Broker;
use crate::config::{Config, Fsync};
use crate::net::{Head, Request};
use crate::storage::batch::BatchHeader;
use crate::storage::files::full_disk;
use crate::storage::records::build;

/// What a producer is told that may try again.
const STORAGE: i16 = 56;

fn open(dir: &Path, fsync: Fsync) -> Client {
    let mut config = Config::new(dir);
    config.fsync = fsync;
    // What is synced later is synced by nobody here, as if the log were killed.
    let (broker, _) = Broker::open(config, CancellationToken::new()).unwrap();
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
    Client {
        broker: Arc::new(broker),
        local: nobody,
        peer: nobody,
    }
}

async fn reply(client: &Client, key: ApiKey, version: i16, body: RequestKind) -> Reply {
    let head = Head {
        key,
        version,
        correlation_id: 0,
        client_id: String::new(),
    };
    match api::answer(client, Request { head, body }).await {
        Answer::Now(response) => Reply::Message(response),
        Answer::Later(work) => work.await,
        Answer::Nothing | Answer::Close => panic!("no answer"),
    }
}

async fn ask(client: &Client, key: ApiKey, version: i16, body: RequestKind) -> ResponseKind {
    match reply(client, key, version, body).await {
        Reply::Message(response) => *response,
        Reply::Fetched(_) => panic!("not asked for records"),
    }
}

fn topic(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

async fn create(client: &Client, name: &str) -> i16 {
    let asked = CreatableTopic::default()
        .with_name(topic(name))
        .with_num_partitions(1)
        .with_replication_factor(1);
    let body = RequestKind::CreateTopics(CreateTopicsRequest::default().with_topics(vec![asked]));
    match ask(client, ApiKey::CreateTopics, 7, body).await {
        ResponseKind::CreateTopics(r) => r.topics[0].error_code,
        other => panic!("{other:?}"),
    }
}

/// The batch of an idempotent producer that has this sequence; returns the error and the offset.
async fn produce(client: &Client, sequence: i32, value: &str) -> (i16, i64) {
    let batch = build::from_producer(7, 0, sequence, &[(1000, None, Some(value))]);
    let data = PartitionProduceData::default().with_records(Some(Bytes::from(batch)));
    let data = TopicProduceData::default()
        .with_name(topic("t"))
        .with_partition_data(vec![data]);
    let request = ProduceRequest::default()
        .with_acks(-1)
        .with_topic_data(vec![data]);
    match ask(client, ApiKey::Produce, 9, RequestKind::Produce(request)).await {
        ResponseKind::Produce(r) => {
            let answer = &r.responses[0].partition_responses[0];
            (answer.error_code, answer.base_offset)
        }
        other => panic!("{other:?}"),
    }
}

/// Sizes of all batches that a consumer gets.
async fn consume(client: &Client) -> Vec<usize> {
    let asked = FetchTopic::default()
        .with_topic(topic("t"))
        .with_partitions(vec![
            FetchPartition::default().with_partition_max_bytes(1 << 20),
        ]);
    let request = FetchRequest::default()
        .with_max_bytes(1 << 20)
        .with_topics(vec![asked]);
    let reply = reply(client, ApiKey::Fetch, 11, RequestKind::Fetch(request)).await;
    let Reply::Fetched(topics) = reply else {
        panic!("not refused");
    };
    let partition = &topics[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    let Some(stretch) = &partition.records else {
        return Vec::new();
    };
    let mut bytes = vec![0; stretch.len];
    let file = &stretch.file;
    file.read_exact_at(&mut bytes, stretch.position).unwrap();
    let mut sizes = Vec::new();
    while let Ok(header) = BatchHeader::parse_checked(&bytes) {
        sizes.push(header.len);
        bytes.drain(..header.len);
    }
    assert!(bytes.is_empty());
    sizes
}

async fn commit(client: &Client, offset: i64) -> i16 {
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset);
    let asked = OffsetCommitRequestTopic::default()
        .with_name(topic("t"))
        .with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(GroupId(StrBytes::from_static_str("g")))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![asked]);
    let body = RequestKind::OffsetCommit(request);
    match ask(client, ApiKey::OffsetCommit, 8, body).await {
        ResponseKind::OffsetCommit(r) => r.topics[0].partitions[0].error_code,
        other => panic!("{other:?}"),
    }
}

async fn committed(client: &Client) -> i64 {
    let asked = OffsetFetchRequestTopic::default()
        .with_name(topic("t"))
        .with_partition_indexes(vec![0]);
    let request = OffsetFetchRequest::default()
        .with_group_id(GroupId(StrBytes::from_static_str("g")))
        .with_topics(Some(vec![asked]));
    let body = RequestKind::OffsetFetch(request);
    match ask(client, ApiKey::OffsetFetch, 7, body).await {
        ResponseKind::OffsetFetch(r) => r.topics[0].partitions[0].committed_offset,
        other => panic!("{other:?}"),
    }
}

async fn new_producer(client: &Client) -> i16 {
    let request = InitProducerIdRequest::default().with_transactional_id(None);
    let body = RequestKind::InitProducerId(request);
    match ask(client, ApiKey::InitProducerId, 4, body).await {
        ResponseKind::InitProducerId(r) => r.error_code,
        other => panic!("{other:?}"),
    }
}

async fn a_full_disk_refuses_what_is_written_and_loses_nothing(fsync: Fsync) {
    let dir = tempfile::tempdir().unwrap();
    let client = open(dir.path(), fsync);
    assert_eq!(create(&client, "t").await, 0);
    assert_eq!(produce(&client, 0, "first").await, (0, 0));
    assert_eq!(commit(&client, 1).await, 0);
    let before = consume(&client).await;

    // Room for the beginning of a batch: what is torn must not be seen by anybody.
    full_disk::leave(dir.path(), 20);
    for _ in 0..3 {
        assert_eq!(produce(&client, 1, "second").await, (STORAGE, -1));
        assert_eq!(consume(&client).await, before);
    }
    let unavailable = ResponseError::CoordinatorNotAvailable.code();
    assert_eq!(commit(&client, 2).await, unavailable);
    assert_eq!(committed(&client).await, 1);
    assert_eq!(create(&client, "u").await, STORAGE);
    assert!(client.broker.catalogue.by_name("u").is_none());
    assert_eq!(new_producer(&client).await, unavailable);

    full_disk::empty(dir.path());
    // The producer sends again what was refused; nothing is missing and nothing is there twice.
    assert_eq!(produce(&client, 1, "second").await, (0, 1));
    assert_eq!(produce(&client, 1, "second").await, (0, 1));
    assert_eq!(produce(&client, 2, "third").await, (0, 2));
    assert_eq!(commit(&client, 3).await, 0);
    assert_eq!(create(&client, "u").await, 0);
    assert_eq!(new_producer(&client).await, 0);
    let after = consume(&client).await;
    assert_eq!(after.len(), 3);

    client.broker.close(false);
    let client = open(dir.path(), fsync);
    assert_eq!(consume(&client).await, after);
    assert_eq!(committed(&client).await, 3);
}

#[tokio::test]
async fn a_full_disk_refuses_what_is_written_and_loses_nothing_with_fsync_always() {
    a_full_disk_refuses_what_is_written_and_loses_nothing(Fsync::Always).await;
}

#[tokio::test]
async fn a_full_disk_refuses_what_is_written_and_loses_nothing_with_fsync_at_intervals() {
    let interval = Fsync::Interval(Duration::from_millis(200));
    a_full_disk_refuses_what_is_written_and_loses_nothing(interval).await;
}

#[tokio::test]
async fn a_log_on_a_full_disk_opens_and_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let client = open(dir.path(), Fsync::Always);
    create(&client, "t").await;
    produce(&client, 0, "first").await;
    client.broker.close(true);
    full_disk::leave(dir.path(), 0);
    let client = open(dir.path(), Fsync::Always);
    assert_eq!(consume(&client).await.len(), 1);
    assert_eq!(produce(&client, 1, "second").await, (STORAGE, -1));
    full_disk::empty(dir.path());
    assert_eq!(produce(&client, 1, "second").await, (0, 1));
}
