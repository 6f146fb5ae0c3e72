//! Idempotent producers: each batch is stored once, whatever is sent again.

use std::time::Instant;

use crate::support::raw::{Raw, batch, name};
use crate::support::*;
use bytes::{Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{InitProducerIdRequest, MetadataRequest};
use rdkafka::Offset;

fn init(raw: &mut Raw) -> i64 {
    let request = InitProducerIdRequest::default().with_transactional_id(None);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let response = raw.ask(&request, 4);
        // An Apache Kafka that has just started asks for a moment's patience.
        if response.error_code != ResponseError::CoordinatorLoadInProgress.code() {
            assert_eq!(response.error_code, 0);
            return response.producer_id.0;
        }
        assert!(Instant::now() < deadline);
    }
}

#[tokio::test]
async fn a_duplicate_batch_is_acknowledged_once_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).await;
    create(&log, "t", 1, &[]).await;
    let mut raw = Raw::connect(&log);
    let id = init(&mut raw);
    assert_eq!(
        raw.produce("t", batch(id, 0, 0, &["a", "b"])).base_offset,
        0
    );
    assert_eq!(raw.produce("t", batch(id, 0, 2, &["c"])).base_offset, 2);
    let again = raw.produce("t", batch(id, 0, 0, &["a", "b"]));
    assert_eq!((again.error_code, again.base_offset), (0, 0));
    log.shutdown().await.unwrap();

    let log = open(dir.path()).await;
    let mut raw = Raw::connect(&log);
    let again = raw.produce("t", batch(id, 0, 2, &["c"]));
    assert_eq!((again.error_code, again.base_offset), (0, 2));
    assert_eq!(raw.produce("t", batch(id, 0, 3, &["d"])).base_offset, 3);
    let got = read_from(&log, "t", 0, Offset::Beginning, 4);
    let payloads: Vec<&str> = got.iter().map(|(_, _, p)| p.as_str()).collect();
    assert_eq!(payloads, ["a", "b", "c", "d"]);
    let gap = raw.produce("t", batch(id, 0, 5, &["f"]));
    assert_eq!(
        gap.error_code,
        ResponseError::OutOfOrderSequenceNumber.code()
    );
    // A new producer gets an id that was never given before.
    assert!(init(&mut raw) > id);
}

#[tokio::test]
async fn a_gap_in_the_sequence_and_an_old_epoch_are_refused() {
    let running = start().await;
    create(&running.log, "t", 1, &[]).await;
    let mut raw = Raw::connect(&running.log);
    raw.produce("t", batch(5, 1, 0, &["a"]));
    let gap = raw.produce("t", batch(5, 1, 2, &["c"]));
    assert_eq!(
        gap.error_code,
        ResponseError::OutOfOrderSequenceNumber.code()
    );
    let old = raw.produce("t", batch(5, 0, 1, &["b"]));
    assert_eq!(old.error_code, ResponseError::InvalidProducerEpoch.code());
}

#[tokio::test]
async fn a_batch_for_an_unknown_topic_or_partition_is_refused_and_makes_none() {
    let running = start().await;
    let mut raw = Raw::connect(&running.log);
    let refused = raw.produce("unknown", batch(-1, -1, -1, &["a"]));
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(refused.error_code, unknown);
    let asked = MetadataRequestTopic::default().with_name(Some(name("unknown")));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![asked]))
        .with_allow_auto_topic_creation(true);
    assert_eq!(raw.ask(&request, 12).topics[0].error_code, unknown);
}

#[tokio::test]
async fn a_damaged_batch_is_refused() {
    let running = start().await;
    create(&running.log, "t", 1, &[]).await;
    let mut raw = Raw::connect(&running.log);
    let whole = batch(-1, -1, -1, &["hello"]);
    let mut damaged = BytesMut::from(&whole[..]);
    let last = damaged.len() - 2;
    damaged[last] ^= 1;
    for (bytes, error) in [
        (damaged.freeze(), ResponseError::CorruptMessage),
        (whole.slice(..whole.len() - 1), ResponseError::InvalidRecord),
        (Bytes::new(), ResponseError::InvalidRecord),
        (
            [whole.clone(), whole.clone()].concat().into(),
            ResponseError::InvalidRecord,
        ),
    ] {
        assert_eq!(raw.produce("t", bytes).error_code, error.code());
    }
    assert_eq!(raw.produce("t", whole).base_offset, 0);
}

#[tokio::test]
async fn a_compacted_topic_refuses_records_without_a_key() {
    let running = start().await;
    create(&running.log, "t", 1, &[("cleanup.policy", "compact")]).await;
    let mut raw = Raw::connect(&running.log);
    let refused = raw.produce("t", batch(-1, -1, -1, &["no key"]));
    assert_eq!(refused.error_code, ResponseError::InvalidRecord.code());
}
