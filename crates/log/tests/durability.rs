//! What is acknowledged stays, whatever way the log ends.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

const GROUND: support::Ground = support::Ground::Embedded;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use baton_log::{Config, Error, Log};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use support::*;

fn segment_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(segment_files(&path));
        } else if path.extension().is_some_and(|e| e == "log") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn a_log_dropped_without_shutdown_loses_nothing_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_always(dir.path()).await;
    create(&log, "t", 1, &[]).await;
    let producer = producer(&log);
    for i in 0..20 {
        produce(&producer, "t", 0, &format!("m{i}")).await;
    }
    let consumer: BaseConsumer = group_consumer(&log, "g");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Offset(7))
        .unwrap();
    consumer.commit(&list, CommitMode::Sync).unwrap();
    drop(log);

    let log = open_always(dir.path()).await;
    assert_eq!(read_from(&log, "t", 0, Offset::Beginning, 20).len(), 20);
    let consumer: BaseConsumer = group_consumer(&log, "g");
    let mut list = TopicPartitionList::new();
    list.add_partition("t", 0);
    let committed = consumer.committed_offsets(list, PATIENCE).unwrap();
    assert_eq!(
        committed.find_partition("t", 0).unwrap().offset(),
        Offset::Offset(7)
    );
}

#[tokio::test]
async fn a_torn_tail_is_cut_and_the_log_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).await;
    create(&log, "t", 1, &[]).await;
    let first = producer(&log);
    produce(&first, "t", 0, "whole").await;
    produce(&first, "t", 0, "torn").await;
    log.shutdown().await.unwrap();
    let files = segment_files(dir.path());
    let len = fs::metadata(&files[0]).unwrap().len();
    let file = OpenOptions::new().write(true).open(&files[0]).unwrap();
    file.set_len(len - 3).unwrap();

    let log = open(dir.path()).await;
    assert_eq!(produce(&producer(&log), "t", 0, "next").await, 1);
    let got = read_from(&log, "t", 0, Offset::Beginning, 2);
    assert_eq!((got[0].2.as_str(), got[1].2.as_str()), ("whole", "next"));
}

#[tokio::test]
async fn rubbish_after_the_last_batch_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).await;
    create(&log, "t", 1, &[]).await;
    produce(&producer(&log), "t", 0, "whole").await;
    log.shutdown().await.unwrap();
    for rubbish in [vec![0u8; 4096], vec![0xff; 100], b"x".to_vec()] {
        let files = segment_files(dir.path());
        let mut file = OpenOptions::new().append(true).open(&files[0]).unwrap();
        file.write_all(&rubbish).unwrap();
        let log = open(dir.path()).await;
        let got = read_from(&log, "t", 0, Offset::Beginning, 1);
        assert_eq!(got[0].2, "whole");
        log.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn many_segments_are_found_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).await;
    create(&log, "t", 1, &[("segment.bytes", "2000")]).await;
    let first = producer(&log);
    let payload = "x".repeat(500);
    for _ in 0..20 {
        produce(&first, "t", 0, &payload).await;
    }
    log.shutdown().await.unwrap();
    let files = segment_files(dir.path());
    assert!(files.len() > 3, "{files:?}");
    // An index that is lost or damaged is built anew.
    fs::write(files[0].with_extension("index"), "damaged").unwrap();
    fs::remove_file(files[1].with_extension("index")).unwrap();

    let log = open(dir.path()).await;
    assert_eq!(produce(&producer(&log), "t", 0, "next").await, 20);
    let got = read_from(&log, "t", 0, Offset::Beginning, 21);
    let offsets: Vec<i64> = got.iter().map(|(_, offset, _)| *offset).collect();
    assert_eq!(offsets, (0..=20).collect::<Vec<i64>>());
}

#[tokio::test]
async fn a_second_log_on_the_same_folder_is_refused() {
    let running = start().await;
    let error = Log::open(Config::new(running.dir.path()))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Locked(_)), "{error}");
    running.log.shutdown().await.unwrap();
    Log::open(Config::new(running.dir.path())).await.unwrap();
}

#[tokio::test]
async fn other_machines_are_let_in_only_when_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path());
    config.listen = "0.0.0.0:0".parse().unwrap();
    let error = Log::open(config.clone()).await.unwrap_err();
    assert!(matches!(error, Error::NotLoopback(_)), "{error}");
    config.allow_remote = true;
    Log::open(config).await.unwrap();
}

#[tokio::test]
async fn clients_go_on_after_a_restart_on_the_same_port() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).await;
    let addr = log.addr();
    create(&log, "t", 1, &[]).await;
    let producer = producer(&log);
    let consumer: BaseConsumer = group_consumer(&log, "g");
    consumer.subscribe(&["t"]).unwrap();
    produce(&producer, "t", 0, "before").await;
    assert_eq!(poll(&consumer, 1)[0].2, "before");
    consumer.commit_consumer_state(CommitMode::Sync).unwrap();
    drop(log);
    let mut config = Config::new(dir.path());
    config.listen = addr;
    let _log = Broker::Embedded(Log::open(config).await.unwrap());
    assert_eq!(produce(&producer, "t", 0, "after").await, 1);
    // The connection's loss is told to the consumer as an error, which passes.
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        assert!(std::time::Instant::now() < deadline);
        if let Some(Ok(message)) = consumer.poll(std::time::Duration::from_millis(100)) {
            assert_eq!(rdkafka::Message::offset(&message), 1);
            break;
        }
    }
}
