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

/// Not a test of its own: the process that gets killed.
#[tokio::test]
async fn child() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let mut config = Config::new(folder);
    if std::env::var(FSYNC).is_ok() {
        config.fsync = Fsync::Always;
    }
    let log = Broker::Embedded(Log::open(config).await.unwrap());
    println!("\nlistening {}", log.addr());
    std::future::pending::<()>().await;
}

fn spawn(folder: &std::path::Path, always: bool) -> (Child, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child", "--nocapture"])
        .env(FOLDER, folder)
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
    let (mut child, addr) = spawn(dir.path(), always);
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &addr);
    let admin: AdminClient<DefaultClientContext> = client.create().unwrap();
    let topic = NewTopic::new("t", 1, TopicReplication::Fixed(1)).set("segment.bytes", "20000");
    admin
        .create_topics([&topic], &AdminOptions::new())
        .await
        .unwrap();
    let producer: FutureProducer = client
        .clone()
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", "2000")
        .create()
        .unwrap();
    // Many at once, so that the end comes in the middle of some.
    let mut acknowledged = HashMap::new();
    let mut sending = FuturesUnordered::new();
    let mut next = 0;
    while acknowledged.len() < 2000 {
        while sending.len() < 100 {
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
        acknowledged.insert(sent.unwrap().offset, payload);
    }
    let consumer: BaseConsumer = client.clone().set("group.id", "g").create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Offset(1234))
        .unwrap();
    consumer.commit(&list, CommitMode::Sync).unwrap();
    // One more round, and the end while it is under way.
    let (payload, sent) = sending.next().await.unwrap();
    acknowledged.insert(sent.unwrap().offset, payload);
    child.kill().unwrap();
    child.wait().unwrap();
    while let Some((payload, sent)) = sending.next().await {
        if let Ok(delivery) = sent {
            acknowledged.insert(delivery.offset, payload);
        }
    }
    drop(consumer);

    let log = open(dir.path()).await;
    let reader: BaseConsumer = group_consumer(&log, "g");
    let (_, end) = reader.fetch_watermarks("t", 0, PATIENCE).unwrap();
    let got = read_from(&log, "t", 0, Offset::Beginning, end as usize);
    let stored: HashMap<i64, String> = got.into_iter().map(|(_, o, p)| (o, p)).collect();
    for (offset, payload) in &acknowledged {
        assert_eq!(stored.get(offset), Some(payload), "offset {offset}");
    }
    let mut payloads: Vec<&String> = stored.values().collect();
    payloads.sort();
    payloads.dedup();
    assert_eq!(payloads.len(), stored.len(), "something was stored twice");
    let mut list = TopicPartitionList::new();
    list.add_partition("t", 0);
    let committed = reader.committed_offsets(list, PATIENCE).unwrap();
    assert_eq!(
        committed.find_partition("t", 0).unwrap().offset(),
        Offset::Offset(1234)
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
