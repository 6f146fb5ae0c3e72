//! Producing and consuming through librdkafka.

use crate::support::*;
use futures::StreamExt;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Message, Timestamp};
use rdkafka::producer::FutureRecord;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

#[tokio::test]
async fn a_group_consumes_what_was_produced_in_order() {
    let running = start().await;
    create(&running.log, "t", 1, &[]).await;
    let producer = producer(&running.log);
    for i in 0..100 {
        assert_eq!(produce(&producer, "t", 0, &format!("m{i}")).await, i);
    }
    let consumer: StreamConsumer = group_consumer(&running.log, "g");
    consumer.subscribe(&["t"]).unwrap();
    let got: Vec<String> = consumer
        .stream()
        .take(100)
        .map(|m| String::from_utf8(m.unwrap().payload().unwrap().to_vec()).unwrap())
        .collect()
        .await;
    let expected: Vec<String> = (0..100).map(|i| format!("m{i}")).collect();
    assert_eq!(got, expected);
    running.log.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_manual_consumer_seeks_and_sees_watermarks() {
    let running = start().await;
    create(&running.log, "t", 2, &[]).await;
    let producer = producer(&running.log);
    for i in 0..10 {
        produce(&producer, "t", 1, &i.to_string()).await;
    }
    let consumer: BaseConsumer = group_consumer(&running.log, "g");
    assert_eq!(
        consumer.fetch_watermarks("t", 1, PATIENCE).unwrap(),
        (0, 10)
    );
    assert_eq!(consumer.fetch_watermarks("t", 0, PATIENCE).unwrap(), (0, 0));
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 1, Offset::Offset(7))
        .unwrap();
    consumer.assign(&list).unwrap();
    assert_eq!(poll(&consumer, 1)[0].1, 7);
    consumer.seek("t", 1, Offset::Offset(2), PATIENCE).unwrap();
    assert_eq!(poll(&consumer, 1)[0].1, 2);
}

#[tokio::test]
async fn an_unknown_topic_is_refused_and_not_created() {
    let running = start().await;
    let consumer: BaseConsumer = group_consumer(&running.log, "g");
    let metadata = consumer.fetch_metadata(Some("nope"), PATIENCE).unwrap();
    assert_eq!(
        metadata.topics()[0].error(),
        Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
    );
    let metadata = consumer.fetch_metadata(None, PATIENCE).unwrap();
    let own = |name: &str| name.starts_with("__");
    assert!(metadata.topics().iter().all(|topic| own(topic.name())));
}

#[tokio::test]
async fn the_producers_time_is_kept_and_found() {
    let running = start().await;
    create(&running.log, "t", 1, &[]).await;
    let producer = producer(&running.log);
    for i in 0..5 {
        let record = FutureRecord::<str, str>::to("t")
            .payload("x")
            .timestamp(1_000_000 + i * 1000);
        producer.send(record, PATIENCE).await.unwrap();
    }
    let consumer: BaseConsumer = group_consumer(&running.log, "g");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Offset(1_002_500))
        .unwrap();
    let found = consumer.offsets_for_times(list, PATIENCE).unwrap();
    assert_eq!(
        found.find_partition("t", 0).unwrap().offset(),
        Offset::Offset(3)
    );
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Offset(3))
        .unwrap();
    consumer.assign(&list).unwrap();
    let message = loop {
        if let Some(message) = consumer.poll(PATIENCE) {
            break message.unwrap();
        }
    };
    assert_eq!(message.timestamp(), Timestamp::CreateTime(1_003_000));
}

#[tokio::test]
async fn a_time_is_found_inside_a_compressed_batch() {
    let running = start().await;
    create(&running.log, "t", 1, &[]).await;
    for (i, codec) in ["gzip", "snappy", "lz4"].into_iter().enumerate() {
        let producer: rdkafka::producer::FutureProducer = client(&running.log)
            .set("compression.codec", codec)
            .set("linger.ms", "200")
            .create()
            .unwrap();
        let base = 1_000_000 * (i as i64 + 1);
        let payload = "x".repeat(500);
        let sending = (0..3).map(|n| {
            let record = FutureRecord::<str, str>::to("t")
                .payload(&payload)
                .timestamp(base + n);
            producer.send(record, PATIENCE)
        });
        futures::future::try_join_all(sending).await.unwrap();
        let consumer: BaseConsumer = group_consumer(&running.log, "g");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset("t", 0, Offset::Offset(base + 1))
            .unwrap();
        let found = consumer.offsets_for_times(list, PATIENCE).unwrap();
        assert_eq!(
            found.find_partition("t", 0).unwrap().offset(),
            Offset::Offset(i as i64 * 3 + 1),
            "{codec}"
        );
    }
}

#[tokio::test]
async fn the_log_stamps_records_where_the_topic_says_so() {
    let running = start().await;
    create(
        &running.log,
        "t",
        1,
        &[("message.timestamp.type", "LogAppendTime")],
    )
    .await;
    let producer = producer(&running.log);
    let record = FutureRecord::<str, str>::to("t").payload("x").timestamp(5);
    producer.send(record, PATIENCE).await.unwrap();
    let consumer: BaseConsumer = group_consumer(&running.log, "g");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Beginning)
        .unwrap();
    consumer.assign(&list).unwrap();
    let message = loop {
        if let Some(message) = consumer.poll(PATIENCE) {
            break message.unwrap();
        }
    };
    let Timestamp::LogAppendTime(at) = message.timestamp() else {
        panic!("{:?}", message.timestamp());
    };
    assert!(at > 1_600_000_000_000);
}

#[tokio::test]
async fn a_message_over_the_topics_limit_is_refused() {
    let running = start().await;
    create(&running.log, "t", 1, &[("max.message.bytes", "2000")]).await;
    let producer = producer(&running.log);
    let record = |n: usize| (n, "x".repeat(n));
    let (_, large) = record(3000);
    let (error, _) = producer
        .send(FutureRecord::<str, str>::to("t").payload(&large), PATIENCE)
        .await
        .unwrap_err();
    assert_eq!(
        error,
        KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge)
    );
    let (_, small) = record(1000);
    producer
        .send(FutureRecord::<str, str>::to("t").payload(&small), PATIENCE)
        .await
        .unwrap();
}

#[tokio::test]
async fn all_compressions_pass_through_untouched() {
    let running = start().await;
    create(&running.log, "t", 1, &[]).await;
    let payload = "compress me ".repeat(200);
    let mut sent = 0;
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let created: Result<rdkafka::producer::FutureProducer, _> = client(&running.log)
            .set("compression.codec", codec)
            .set("enable.idempotence", "true")
            .create();
        // What librdkafka was built without cannot be tried through it.
        let Ok(producer) = created else { continue };
        assert_eq!(produce(&producer, "t", 0, &payload).await, sent);
        sent += 1;
    }
    assert!(sent >= 3);
    let got = read_from(&running.log, "t", 0, Offset::Beginning, sent as usize);
    assert!(got.iter().all(|(_, _, p)| *p == payload));
}

#[tokio::test]
async fn a_waiting_consumer_is_woken_by_a_message() {
    let running = start().await;
    create(&running.log, "t", 1, &[]).await;
    let consumer: BaseConsumer = client(&running.log)
        .set("group.id", "g")
        // Whoever is not woken waits for longer than patience lasts.
        .set("fetch.wait.max.ms", "60000")
        .set("socket.timeout.ms", "90000")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Offset(0))
        .unwrap();
    consumer.assign(&list).unwrap();
    let producer = producer(&running.log);
    produce(&producer, "t", 0, "first").await;
    assert_eq!(poll(&consumer, 1)[0].2, "first");
    produce(&producer, "t", 0, "second").await;
    assert_eq!(poll(&consumer, 1)[0].2, "second");
}

#[tokio::test]
async fn committed_offsets_and_data_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).await;
    create(&log, "t", 1, &[]).await;
    let producer = producer(&log);
    for i in 0..10 {
        produce(&producer, "t", 0, &format!("m{i}")).await;
    }
    let consumer: BaseConsumer = group_consumer(&log, "g");
    consumer.subscribe(&["t"]).unwrap();
    assert_eq!(poll(&consumer, 4)[3].2, "m3");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Offset(4))
        .unwrap();
    consumer.commit(&list, CommitMode::Sync).unwrap();
    drop(consumer);
    log.shutdown().await.unwrap();

    let log = open(dir.path()).await;
    let consumer: BaseConsumer = group_consumer(&log, "g");
    consumer.subscribe(&["t"]).unwrap();
    assert_eq!(poll(&consumer, 6)[0], (0, 4, "m4".to_owned()));
}
