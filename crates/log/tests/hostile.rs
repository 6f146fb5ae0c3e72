//! Clients that mean no good, or know no better.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

const GROUND: support::Ground = support::Ground::Embedded;

use std::io::Write;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use baton_log::{Config, Log};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiVersionsRequest, FetchRequest, FindCoordinatorRequest, InitProducerIdRequest,
    MetadataRequest, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config as RunnerConfig, TestRunner};
use support::raw::{Raw, batch, name};
use support::*;

/// Panics of the log's own threads, which a client would only see as a closed connection.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// A log whose panics are counted.
async fn open_watched(config: Config) -> Broker {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let thread = std::thread::current();
            if thread.name().is_some_and(|n| n.starts_with("baton-log")) {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            tell(panic);
        }));
    });
    Broker::Embedded(Log::open(config).await.unwrap())
}

fn still_serves(log: &Broker) {
    let mut raw = Raw::connect(log);
    let request = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("raw"))
        .with_client_software_version(StrBytes::from_static_str("1"));
    assert_eq!(raw.ask(&request, 3).error_code, 0);
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn random_bytes_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_watched(Config::new(dir.path())).await;
    let mut runner = TestRunner::new_with_rng(
        RunnerConfig::default(),
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let bytes = proptest::collection::vec(any::<u8>(), 0..300);
    for _ in 0..300 {
        let mut raw = Raw::connect(&log);
        let _ = raw
            .socket
            .write_all(&bytes.new_tree(&mut runner).unwrap().current());
    }
    still_serves(&log);
}

#[tokio::test]
async fn well_framed_nonsense_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_watched(Config::new(dir.path())).await;
    create(&log, "t", 1, &[]).await;
    let mut runner = TestRunner::new_with_rng(
        RunnerConfig::default(),
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let body = proptest::collection::vec(
        prop_oneof![3 => Just(0u8), 2 => Just(1), 2 => Just(2), 1 => Just(0x7f), 1 => any::<u8>()],
        0..120,
    );
    let frames = (0i16..70, 0i16..17, body);
    for _ in 0..1500 {
        let (key, version, body) = frames.new_tree(&mut runner).unwrap().current();
        let mut frame = Vec::new();
        frame.extend_from_slice(&(body.len() as i32 + 10).to_be_bytes());
        frame.extend_from_slice(&key.to_be_bytes());
        frame.extend_from_slice(&version.to_be_bytes());
        frame.extend_from_slice(&[0, 0, 0, 1, 0xff, 0xff]);
        frame.extend_from_slice(&body);
        let mut raw = Raw::connect(&log);
        let _ = raw.socket.write_all(&frame);
    }
    still_serves(&log);
}

#[tokio::test]
async fn a_request_that_announces_too_much_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_watched(Config::new(dir.path())).await;
    for announced in [i32::MAX, -1, 0, 64 * 1024 * 1024] {
        let mut raw = Raw::connect(&log);
        raw.socket.write_all(&announced.to_be_bytes()).unwrap();
        assert!(raw.is_closed(), "{announced}");
    }
    still_serves(&log);
}

#[tokio::test]
async fn a_request_that_never_ends_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path());
    config.limits.io_timeout = Duration::from_millis(300);
    let log = open_watched(config).await;
    let mut raw = Raw::connect(&log);
    raw.socket.write_all(&[0, 0, 1, 0, 0, 18]).unwrap();
    assert!(raw.is_closed());
    still_serves(&log);
}

#[tokio::test]
async fn a_newer_client_learns_which_versions_there_are() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_watched(Config::new(dir.path())).await;
    let mut raw = Raw::connect(&log);
    // ApiVersions, version 99; the answer comes in version 0.
    raw.socket
        .write_all(&[0, 0, 0, 10, 0, 18, 0, 99, 0, 0, 0, 77, 0xff, 0xff])
        .unwrap();
    let response = raw.receive::<ApiVersionsRequest>(0);
    assert_eq!(response.error_code, 35);
    assert!(response.api_keys.len() > 20);
}

#[tokio::test]
async fn asking_a_thousand_times_in_one_request_is_answered_once() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_watched(Config::new(dir.path())).await;
    create(&log, "t", 100, &[]).await;
    let mut raw = Raw::connect(&log);
    let asked = MetadataRequestTopic::default().with_name(Some(name("t")));
    let request = MetadataRequest::default().with_topics(Some(vec![asked; 1000]));
    assert_eq!(raw.ask(&request, 12).topics.len(), 1);
}

#[tokio::test]
async fn connections_beyond_the_limit_are_turned_away() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path());
    config.limits.max_connections = 2;
    let log = open_watched(config).await;
    let mut first = Raw::connect(&log);
    let request = ApiVersionsRequest::default();
    first.ask(&request, 0);
    let mut second = Raw::connect(&log);
    second.ask(&request, 0);
    assert!(Raw::connect(&log).is_closed());
    first.ask(&request, 0);
}

#[tokio::test]
async fn a_reader_that_never_reads_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path());
    config.limits.io_timeout = Duration::from_millis(300);
    let log = open_watched(config).await;
    create(&log, "t", 1, &[]).await;
    let mut raw = Raw::connect(&log);
    let payload = "x".repeat(900_000);
    for _ in 0..8 {
        raw.produce("t", batch(-1, -1, -1, &[&payload]));
    }
    let request = FetchRequest::default()
        .with_max_wait_ms(0)
        .with_max_bytes(i32::MAX)
        .with_session_epoch(-1)
        .with_topics(vec![
            FetchTopic::default()
                .with_topic(name("t"))
                .with_partitions(vec![
                    FetchPartition::default().with_partition_max_bytes(i32::MAX),
                ]),
        ]);
    // Far more than fits into the sockets' buffers, and nothing of it is read.
    for _ in 0..16 {
        raw.send(&request, 11);
    }
    let begun = Instant::now();
    // Writing fails once the log has closed its side.
    while raw.socket.write_all(&[0; 4]).is_ok() {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    still_serves(&log);
}

#[tokio::test]
async fn transactions_are_refused_rather_than_half_kept() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_watched(Config::new(dir.path())).await;
    let mut raw = Raw::connect(&log);
    let id = StrBytes::from_static_str("tx");
    let request =
        InitProducerIdRequest::default().with_transactional_id(Some(TransactionalId(id.clone())));
    assert_ne!(raw.ask(&request, 4).error_code, 0);
    let request = FindCoordinatorRequest::default()
        .with_key_type(1)
        .with_coordinator_keys(vec![id]);
    assert_ne!(raw.ask(&request, 4).coordinators[0].error_code, 0);
}
