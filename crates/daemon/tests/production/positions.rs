//! Positions, stores and logs that go back: what is read again has no effect, and what is new is never taken for old.

use std::{path::Path, process::Command};

use rdkafka::{
    TopicPartitionList,
    config::ClientConfig,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    topic_partition_list::Offset,
};

use crate::{
    ground::Ground,
    load::{
        self, PORTIONS, Told, ends_as_undisturbed, ends_well, feed, rests_as_undisturbed,
        until_it_works, until_settled,
    },
    servers::{BatonLog, Restarts},
    worker::until,
};

/// How many messages have left for golden records and commands.
fn told(ground: &Ground) -> [usize; 2] {
    ["golden", "commands"].map(|topic| {
        let args = ["tail", topic, "--from-start", "--until-idle"];
        ground.json("one", &args).len()
    })
}

/// Sets the group's own offsets back, which are hints.
fn wind_the_group_back(ground: &Ground, log: &str) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", log);
    config.set("group.id", ground.group());
    let consumer: BaseConsumer = config.create().unwrap();
    let mut offsets = TopicPartitionList::new();
    for topic in ["crm.changes", "map.changes", "shop.changes"] {
        for partition in 0..4 {
            let (topic, first) = (ground.topic(topic), Offset::Offset(0));
            offsets
                .add_partition_offset(&topic, partition, first)
                .unwrap();
        }
    }
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
}

async fn wound_back(ground: Ground, log: Option<&str>) {
    let admin = ground.configure("one", &load::rules());
    ground.baton("one", &["migrate"]);
    let store = ground.store().await;
    let mut portions = load::write(&ground);
    let last = portions.pop().unwrap();
    let worker = ground.start("one", admin);
    for portion in &portions {
        feed(&ground, portion);
    }
    until_settled(&ground, &store, ground.fed()).await;
    ends_well(worker);

    if let Some(log) = log {
        wind_the_group_back(&ground, log);
    }
    let worker = ground.start("one", admin);
    let early = ground.fed();
    feed(&ground, &last);
    ends_as_undisturbed(&ground, &store, Told::Once).await;
    let consumed = worker.counted("baton_consumed_total{");
    assert_eq!(consumed, (ground.fed() - early) as u64, "only what is new");
    ends_well(worker);

    let before = told(&ground);
    let wound = "UPDATE positions SET next = 0, previous = 0, arrival = NULL";
    store.raw(wound).await.unwrap();
    let worker = ground.start("one", admin);
    until("all of it is read again", || {
        worker.counted("baton_consumed_total{") == ground.fed() as u64
    });
    ends_as_undisturbed(&ground, &store, Told::Once).await;
    assert_eq!(told(&ground), before, "nothing was told because of it");
    drop(store);
    ends_well(worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_that_are_set_to_zero_make_duplicates_without_effect_with_nothing_installed() {
    wound_back(Ground::embedded("zero"), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_and_offsets_that_are_set_to_zero_make_duplicates_without_effect_on_kafka() {
    let Some(ground) = Ground::find("zero").await else {
        return;
    };
    let log = crate::servers::broker();
    wound_back(ground, log).await;
}

async fn restored(mut ground: Ground) {
    let admin = ground.configure("one", &load::rules());
    ground.baton("one", &["migrate"]);
    let portions = load::write(&ground);
    let (early, late) = portions.split_at(PORTIONS);
    let worker = ground.start("one", admin);
    for portion in early {
        feed(&ground, portion);
    }
    let store = ground.store().await;
    until_it_works(&ground, &store).await;
    ends_well(worker);
    store.close().await;
    let backup = ground.back_up().await;

    let worker = ground.start("one", admin);
    for portion in late {
        feed(&ground, portion);
    }
    let store = ground.store().await;
    ends_as_undisturbed(&ground, &store, Told::Once).await;
    store.close().await;
    ends_well(worker);

    ground.restore(backup);
    let worker = ground.start("one", admin);
    let store = ground.store().await;
    ends_as_undisturbed(&ground, &store, Told::Anew).await;
    store.close().await;
    ends_well(worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_restored_from_a_backup_catches_up_with_nothing_installed() {
    restored(Ground::embedded("restored")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_restored_from_a_backup_catches_up_on_kafka_and_postgresql() {
    if let Some(ground) = Ground::find("restored").await {
        restored(ground).await;
    }
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(done.unwrap().success());
}

/// When the worker hears of it that the log went back to an older state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hears {
    /// It works all the time.
    AtOnce,
    /// It is started while the log is shorter than what was read of it.
    BeforeAnythingCame,
    /// It is started when the log has grown beyond that again.
    WhenItHasGrown,
}

/// The log goes back to an older state; messages that come then get offsets that the store has passed.
async fn log_wound_back(name: &str, hears: Hears) {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
    let mut log = BatonLog::start(&data);
    let ground = Ground::on(name, Some(&log.address), None).await;
    let admin = ground.configure("one", &load::rules());
    let portions = load::write(&ground);
    let (kept, rest) = portions.split_at(PORTIONS);
    let (lost, new) = rest.split_at(rest.len() / 2);
    let first = ground.start("one", admin);
    for portion in kept {
        feed(&ground, portion);
    }
    let store = ground.store().await;
    until_settled(&ground, &store, ground.fed()).await;
    log.kill();
    copy(&data, &backup);
    log.start_again();
    for portion in lost {
        feed(&ground, portion);
    }
    until_settled(&ground, &store, ground.fed()).await;
    let still_there = if hears == Hears::AtOnce {
        Some(first)
    } else {
        first.kill();
        None
    };
    log.kill();
    std::fs::remove_dir_all(&data).unwrap();
    copy(&backup, &data);
    log.start_again();
    if hears == Hears::WhenItHasGrown {
        // Three times: then every partition is longer than it was.
        for portion in new.iter().chain(new).chain(new) {
            feed(&ground, portion);
        }
    }
    let mut worker = still_there.unwrap_or_else(|| ground.start("one", admin));
    for portion in new {
        feed(&ground, portion);
    }
    // A producer that finds a log behind what it was told gives up for ever, and the daemon ends with that error: its
    // supervisor starts it again.
    until("it notices or ends", || {
        worker.said("the store is ahead of its log") || worker.process.try_wait().unwrap().is_some()
    });
    let noticed = worker.said("the store is ahead of its log");
    worker.kill();
    let worker = ground.start("one", admin);
    rests_as_undisturbed(&store).await;
    // Whoever noticed may have caught up before it ended; then there is nothing to notice any more.
    if !noticed {
        worker.wait_until_it_says("the store is ahead of its log");
    }
    drop(store);
    ends_well(worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_a_log_lost_its_tail_is_not_taken_for_what_was_lost() {
    log_wound_back("shrunk", Hears::BeforeAnythingCame).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lost_its_tail_and_has_grown_again_is_noticed() {
    log_wound_back("grown", Hears::WhenItHasGrown).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_loses_its_tail_under_a_working_daemon_is_noticed() {
    log_wound_back("shrunk-under", Hears::AtOnce).await;
}
