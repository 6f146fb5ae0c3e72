//! How many messages of 1 KiB go in and come out per second, through librdkafka.
//!
//! `cargo run --release -p baton-log --example throughput -- [messages] [always]`

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program to be run by hand"
)]

use std::time::{Duration, Instant};

use baton_log::{Config, Fsync, Log};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Message, Offset, TopicPartitionList};

const PARTITIONS: i32 = 4;
const SIZE: usize = 1024;

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let count: usize = args.next().map_or(300_000, |n| n.parse().unwrap());
    let always = args.next().is_some_and(|a| a == "always");
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path());
    if always {
        config.fsync = Fsync::Always;
    }
    let log = Log::open(config).await.unwrap();
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", log.addr().to_string());
    let admin: AdminClient<DefaultClientContext> = client.create().unwrap();
    let topic = NewTopic::new("bench", PARTITIONS, TopicReplication::Fixed(1));
    admin
        .create_topics([&topic], &AdminOptions::new())
        .await
        .unwrap();

    let producer: BaseProducer = client
        .clone()
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .set("queue.buffering.max.kbytes", "262144")
        .create()
        .unwrap();
    let payload = vec![b'x'; SIZE];
    let begun = Instant::now();
    for i in 0..count {
        let mut record = BaseRecord::<(), [u8]>::to("bench")
            .partition((i % PARTITIONS as usize) as i32)
            .payload(&payload);
        loop {
            match producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    producer.poll(Duration::from_millis(10));
                    record = back;
                }
                Err((error, _)) => panic!("{error}"),
            }
        }
    }
    producer.flush(Duration::from_secs(60)).unwrap();
    report("produced", count, begun);

    let consumer: BaseConsumer = client.clone().set("group.id", "bench").create().unwrap();
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset("bench", partition, Offset::Beginning)
            .unwrap();
    }
    let begun = Instant::now();
    consumer.assign(&list).unwrap();
    let mut got = 0;
    while got < count {
        if let Some(message) = consumer.poll(Duration::from_secs(1)) {
            assert_eq!(message.unwrap().payload_len(), SIZE);
            got += 1;
        }
    }
    report("consumed", count, begun);
    drop(consumer);

    latency(&client).await;
    idle(&client).await;
    log.shutdown().await.unwrap();
}

fn report(what: &str, count: usize, begun: Instant) {
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{what} {:.0} msgs/s of {SIZE} bytes",
        count as f64 / seconds
    );
}

/// From sending to having consumed, at 2,000 messages per second.
async fn latency(client: &ClientConfig) {
    const RATE: u64 = 2000;
    const COUNT: u64 = 10_000;
    let producer: BaseProducer = client
        .clone()
        .set("enable.idempotence", "true")
        .set("linger.ms", "1")
        .create()
        .unwrap();
    let consumer: BaseConsumer = client.clone().set("group.id", "latency").create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("bench", 0, Offset::End).unwrap();
    consumer.assign(&list).unwrap();
    consumer.poll(Duration::from_secs(1));
    let origin = Instant::now();
    let receiving = tokio::task::spawn_blocking(move || {
        let mut latencies = Vec::new();
        while latencies.len() < COUNT as usize {
            if let Some(Ok(message)) = consumer.poll(Duration::from_secs(1)) {
                let sent = message.payload().unwrap().first_chunk::<8>().unwrap();
                let sent = Duration::from_nanos(u64::from_be_bytes(*sent));
                latencies.push(origin.elapsed() - sent);
            }
        }
        latencies.sort();
        latencies
    });
    let mut payload = vec![0u8; SIZE];
    for i in 0..COUNT {
        let due = Duration::from_nanos(i * 1_000_000_000 / RATE);
        if let Some(wait) = due.checked_sub(origin.elapsed()) {
            tokio::time::sleep(wait).await;
        }
        payload[..8].copy_from_slice(&(origin.elapsed().as_nanos() as u64).to_be_bytes());
        let record = BaseRecord::<(), [u8]>::to("bench")
            .partition(0)
            .payload(&payload);
        producer.send(record).unwrap();
        producer.poll(Duration::ZERO);
    }
    producer.flush(Duration::from_secs(10)).unwrap();
    let latencies = receiving.await.unwrap();
    let at = |share: f64| latencies[(latencies.len() as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "at {RATE} msgs/s: p50 {:.1} ms, p99 {:.1} ms",
        at(0.5),
        at(0.99)
    );
}

/// Seconds of processor time that the log's own threads have used.
fn log_cpu() -> f64 {
    let mut ticks = 0.0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap_or_default();
        let Some((name, rest)) = stat.rsplit_once(')') else {
            continue;
        };
        if name.ends_with("(baton-log") {
            let fields: Vec<&str> = rest.split_whitespace().collect();
            ticks += fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        }
    }
    ticks / 100.0
}

/// The share of a core the log uses while two consumers wait for messages that do not come.
async fn idle(client: &ClientConfig) {
    const SECONDS: u64 = 10;
    let consumers: Vec<BaseConsumer> = (0..2)
        .map(|_| {
            let mut config = client.clone();
            let consumer: BaseConsumer = config.set("group.id", "idle").create().unwrap();
            consumer.subscribe(&["bench"]).unwrap();
            consumer
        })
        .collect();
    while consumers
        .iter()
        .any(|c| c.assignment().unwrap().count() == 0)
    {
        for consumer in &consumers {
            consumer.poll(Duration::from_millis(10));
        }
    }
    let before = log_cpu();
    let until = Instant::now() + Duration::from_secs(SECONDS);
    while Instant::now() < until {
        for consumer in &consumers {
            consumer.poll(Duration::from_millis(100));
        }
    }
    let share = (log_cpu() - before) / SECONDS as f64 * 100.0;
    println!("idle with two consumers: {share:.1} % of a core");
}
