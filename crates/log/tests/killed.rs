//! The log in a process of its own, killed without warning while it is written to.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "the child tells its address so")]

mod support;

const GROUND: support::Ground = support::Ground::Embedded;

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use baton_log::{Config, Fsync, Log};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use support::*;

const FOLDER: &str = "BATON_LOG_TEST_FOLDER";
const FSYNC: &str = "BATON_LOG_TEST_FSYNC";
const LISTEN: &str = "BATON_LOG_TEST_LISTEN";

/// Not a test of its own: the process that gets killed.
#[tokio::test]
async fn child() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let mut config = Config::new(folder);
    config.listen = std::env::var(LISTEN).unwrap().parse().unwrap();
    if std::env::var(FSYNC).is_ok() {
        config.fsync = Fsync::Always;
    }
    let log = Broker::Embedded(Log::open(config).await.unwrap());
    println!("\nlistening {}", log.addr());
    std::future::pending::<()>().await;
}

fn spawn(folder: &std::path::Path, listen: &str, always: bool) -> (Child, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child", "--nocapture"])
        .env(FOLDER, folder)
        .env(LISTEN, listen)
        .stdout(Stdio::piped());
    if always {
        command.env(FSYNC, "always");
    }
    let mut child = command.spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let addr = stdout
        .lines()
        .find_map(|line| line.unwrap().strip_prefix("listening ").map(str::to_owned))
        .unwrap();
    (child, addr)
}

async fn nothing_acknowledged_is_lost(always: bool) {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, addr) = spawn(dir.path(), "127.0.0.1:0", always);
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &addr)
        .set("reconnect.backoff.max.ms", "100");
    let admin: AdminClient<DefaultClientContext> = client.create().unwrap();
    let topic = NewTopic::new("t", 1, TopicReplication::Fixed(1)).set("segment.bytes", "20000");
    admin
        .create_topics([&topic], &AdminOptions::new())
        .await
        .unwrap();
    let producer: FutureProducer = client
        .clone()
        .set("enable.idempotence", "true")
        .create()
        .unwrap();
    let consumer: BaseConsumer = client.clone().set("group.id", "g").create().unwrap();
    let commit = |offset: i64| {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset("t", 0, Offset::Offset(offset))
            .unwrap();
        consumer.commit(&list, CommitMode::Sync)
    };
    // Many at once, so that the end comes in the middle of some.
    let mut acknowledged = HashMap::new();
    let mut sending = FuturesUnordered::new();
    let mut next = 0;
    let mut committed = 0;
    while acknowledged.len() < 4000 {
        while sending.len() < 100 && next < 4000 {
            let payload = format!("m{next}");
            let producer = producer.clone();
            sending.push(async move {
                let record = FutureRecord::<str, str>::to("t").payload(&payload);
                let sent = producer.send(record, PATIENCE).await;
                (payload.clone(), sent)
            });
            next += 1;
        }
        let (payload, sent) = sending.next().await.unwrap();
        let before = acknowledged.insert(sent.unwrap().offset, payload);
        assert_eq!(before, None, "two messages were given one offset");
        match acknowledged.len() {
            2000 => {
                child.kill().unwrap();
                child.wait().unwrap();
                // The same place, so that the producer goes on with what was under way.
                child = spawn(dir.path(), &addr, always).0;
            }
            n if n < 2000 && n % 100 == 0 => {
                commit(n as i64).unwrap();
                committed = n as i64;
            }
            _ => {}
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();

    let log = open(dir.path()).await;
    let reader: BaseConsumer = group_consumer(&log, "g");
    let (_, end) = reader.fetch_watermarks("t", 0, PATIENCE).unwrap();
    let got = read_from(&log, "t", 0, Offset::Beginning, end as usize);
    let stored: HashMap<i64, String> = got.into_iter().map(|(_, o, p)| (o, p)).collect();
    // All that was acknowledged, each at its offset, and nothing twice.
    assert_eq!(stored, acknowledged);
    let mut list = TopicPartitionList::new();
    list.add_partition("t", 0);
    let found = reader.committed_offsets(list, PATIENCE).unwrap();
    assert_eq!(
        found.find_partition("t", 0).unwrap().offset(),
        Offset::Offset(committed)
    );
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_a_kill_with_fsync_always() {
    nothing_acknowledged_is_lost(true).await;
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_a_kill_with_fsync_at_intervals() {
    nothing_acknowledged_is_lost(false).await;
}
