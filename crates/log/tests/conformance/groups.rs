//! Consumer groups through librdkafka.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::support::raw::{Raw, name};
use crate::support::*;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{GroupId, OffsetCommitRequest};
use kafka_protocol::protocol::StrBytes;
use rdkafka::admin::AdminOptions;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;

fn member(log: &Broker, group: &str, strategy: &str, instance: Option<&str>) -> BaseConsumer {
    let mut config = client(log);
    config
        .set("group.id", group)
        .set("partition.assignment.strategy", strategy)
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", "1500")
        .set("heartbeat.interval.ms", "100")
        .set("fetch.wait.max.ms", "50");
    if let Some(instance) = instance {
        config.set("group.instance.id", instance);
    }
    let consumer: BaseConsumer = config.create().unwrap();
    consumer.subscribe(&["t"]).unwrap();
    consumer
}

fn assigned(consumer: &BaseConsumer) -> BTreeSet<i32> {
    let list = consumer.assignment().unwrap();
    list.elements().iter().map(|e| e.partition()).collect()
}

/// Polls all until `done`, which is given their assignments.
fn settle(members: &[&BaseConsumer], mut done: impl FnMut(&[BTreeSet<i32>]) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        for member in members {
            if let Some(Err(error)) = member.poll(Duration::from_millis(10)) {
                assert_ne!(
                    error.rdkafka_error_code(),
                    Some(RDKafkaErrorCode::Fatal),
                    "{error}"
                );
            }
        }
        let assignments: Vec<BTreeSet<i32>> = members.iter().map(|m| assigned(m)).collect();
        if done(&assignments) {
            return;
        }
        assert!(Instant::now() < deadline, "stuck at {assignments:?}");
    }
}

/// All four partitions are had, each by one, and everybody has some.
fn shared(assignments: &[BTreeSet<i32>]) -> bool {
    let all: Vec<i32> = assignments.iter().flatten().copied().collect();
    let distinct: BTreeSet<i32> = all.iter().copied().collect();
    distinct.len() == 4 && all.len() == 4 && assignments.iter().all(|a| !a.is_empty())
}

async fn two_members_share_then_one_takes_over(strategy: &str) {
    let running = start().await;
    create(&running.log, "t", 4, &[]).await;
    let a = member(&running.log, "g", strategy, None);
    settle(&[&a], shared);
    let b = member(&running.log, "g", strategy, None);
    settle(&[&a, &b], shared);
    drop(b);
    settle(&[&a], shared);
}

#[tokio::test]
async fn two_members_share_partitions_by_range() {
    two_members_share_then_one_takes_over("range").await;
}

#[tokio::test]
async fn two_members_share_partitions_round_robin() {
    two_members_share_then_one_takes_over("roundrobin").await;
}

#[tokio::test]
async fn two_members_share_partitions_cooperatively() {
    two_members_share_then_one_takes_over("cooperative-sticky").await;
}

#[tokio::test]
async fn a_static_member_that_comes_back_keeps_its_partitions_without_a_rebalance() {
    let running = start().await;
    create(&running.log, "t", 4, &[]).await;
    let a = member(&running.log, "g", "range", Some("a"));
    let b = member(&running.log, "g", "range", Some("b"));
    settle(&[&a, &b], shared);
    let had = assigned(&b);
    let generation = generation(&running.log, "g").await;
    // A static member does not leave when it closes.
    drop(b);
    let b = member(&running.log, "g", "range", Some("b"));
    settle(&[&a, &b], |got| got[1] == had);
    assert_eq!(self::generation(&running.log, "g").await, generation);
}

#[tokio::test]
async fn an_older_twin_of_a_static_member_is_fenced() {
    let running = start().await;
    create(&running.log, "t", 4, &[]).await;
    let old = member(&running.log, "g", "range", Some("twin"));
    settle(&[&old], shared);
    let new = member(&running.log, "g", "range", Some("twin"));
    settle(&[&new], shared);
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline);
        if let Some(Err(error)) = old.poll(Duration::from_millis(50)) {
            assert_eq!(
                error.rdkafka_error_code(),
                Some(RDKafkaErrorCode::FencedInstanceId),
                "{error}"
            );
            break;
        }
    }
}

#[tokio::test]
async fn the_partitions_of_a_member_that_falls_silent_go_to_the_others() {
    let running = start().await;
    create(&running.log, "t", 4, &[]).await;
    let a = member(&running.log, "g", "range", None);
    // Joins and syncs by hand, and then never says anything again.
    let silent = silent_member(&running.log, "g").await;
    settle(&[&a], |got| got[0].len() == 4);
    drop(silent);
}

#[tokio::test]
async fn a_commit_from_an_old_generation_is_refused() {
    let running = start().await;
    create(&running.log, "t", 4, &[]).await;
    let a = member(&running.log, "g", "range", None);
    settle(&[&a], shared);
    let groups = a.fetch_group_list(Some("g"), PATIENCE).unwrap();
    let id = groups.groups()[0].members()[0].id().to_owned();
    let mut raw = Raw::connect(&running.log);
    let mut commit = |member: &str, generation: i32| {
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(StrBytes::from_static_str("g")))
            .with_member_id(StrBytes::from_string(member.to_owned()))
            .with_generation_id_or_member_epoch(generation)
            .with_topics(vec![
                OffsetCommitRequestTopic::default()
                    .with_name(name("t"))
                    .with_partitions(vec![OffsetCommitRequestPartition::default()]),
            ]);
        raw.ask(&request, 8).topics[0].partitions[0].error_code
    };
    assert_eq!(commit(&id, 99), ResponseError::IllegalGeneration.code());
    assert_eq!(commit("nobody", 1), ResponseError::UnknownMemberId.code());
    assert_eq!(commit("", -1), ResponseError::UnknownMemberId.code());
    assert_eq!(commit(&id, 1), 0);
}

#[tokio::test]
async fn groups_are_listed_and_deleted_once_they_are_empty() {
    let running = start().await;
    create(&running.log, "t", 4, &[]).await;
    let a = member(&running.log, "g", "range", None);
    settle(&[&a], shared);
    let admin = admin(&running.log);
    let groups = a.fetch_group_list(None, PATIENCE).unwrap();
    assert_eq!(groups.groups()[0].name(), "g");
    assert_eq!(groups.groups()[0].state(), "Stable");
    let deleted = admin
        .delete_groups(&["g"], &AdminOptions::new())
        .await
        .unwrap();
    assert_eq!(
        deleted[0].as_ref().unwrap_err().1,
        RDKafkaErrorCode::NonEmptyGroup
    );
    a.commit_consumer_state(rdkafka::consumer::CommitMode::Sync)
        .ok();
    drop(a);
    let deleted = admin
        .delete_groups(&["g"], &AdminOptions::new())
        .await
        .unwrap();
    assert!(deleted[0].is_ok(), "{deleted:?}");
    let probe: BaseConsumer = client(&running.log).create().unwrap();
    let groups = probe.fetch_group_list(None, PATIENCE).unwrap();
    assert!(groups.groups().is_empty());
}

/// The generation, as a commit with a wrong one cannot tell it, is asked by trying.
async fn generation(log: &Broker, group: &str) -> i32 {
    use kafka_protocol::messages::HeartbeatRequest;
    let probe: BaseConsumer = client(log).create().unwrap();
    let groups = probe.fetch_group_list(Some(group), PATIENCE).unwrap();
    let id = groups.groups()[0].members()[0].id().to_owned();
    let mut raw = Raw::connect(log);
    (0..1000)
        .find(|generation| {
            let request = HeartbeatRequest::default()
                .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
                .with_member_id(StrBytes::from_string(id.clone()))
                .with_generation_id(*generation);
            raw.ask(&request, 2).error_code != ResponseError::IllegalGeneration.code()
        })
        .unwrap()
}

async fn silent_member(log: &Broker, group: &str) -> Raw {
    use kafka_protocol::messages::JoinGroupRequest;
    use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
    let mut raw = Raw::connect(log);
    let request = JoinGroupRequest::default()
        .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
        .with_session_timeout_ms(500)
        .with_rebalance_timeout_ms(1000)
        .with_protocol_type(StrBytes::from_static_str("consumer"))
        .with_protocols(vec![
            JoinGroupRequestProtocol::default()
                .with_name(StrBytes::from_static_str("range"))
                // Version 0, no topics, no user data.
                .with_metadata(vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 0].into()),
        ]);
    raw.send(&request, 3);
    raw
}
