//! Log and database go away under load and come back: the daemon waits for them, and nothing is lost or done twice.

use baton_store::testing::{Shutdown, postgres_alone};

use crate::{
    ground::Ground,
    load::{self, Told, ends_as_undisturbed, ends_well, feed, until_it_works},
    proxy::Proxy,
    servers::{BatonLog, Broker, Restarts, broker},
    worker::until,
};

async fn the_log_goes_away(ground: Ground, log: &mut impl Restarts, every: usize) {
    let admin = ground.configure("one", &load::rules());
    ground.baton("one", &["migrate"]);
    let store = ground.store().await;
    let worker = ground.start("one", admin);
    for (number, portion) in load::write(&ground).into_iter().enumerate() {
        feed(&ground, &portion);
        if number % every == 1 {
            until_it_works(&ground, &store).await;
            log.kill();
            log.start_again();
        }
    }
    ends_as_undisturbed(&ground, &store, Told::Once).await;
    drop(store);
    ends_well(worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_killed_under_load_and_comes_back_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = BatonLog::start(folder.path());
    let mut ground = Ground::on("log-away", Some(&log.address), None).await;
    ground.batch = 20;
    the_log_goes_away(ground, &mut log, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kafka_broker_that_is_killed_under_load_and_comes_back_costs_nothing() {
    let (Some(mut log), Some(server)) = (Broker::alone(), baton_store::testing::postgres()) else {
        return;
    };
    let address = log.address.clone();
    let mut ground = Ground::on("broker-away", Some(&address), Some(server)).await;
    ground.batch = 20;
    the_log_goes_away(ground, &mut log, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_ends_or_crashes_under_load_and_comes_back_costs_nothing() {
    let (Some(broker), Some(server)) = (broker(), postgres_alone()) else {
        return;
    };
    let mut ground = Ground::on("database-away", Some(broker), Some(server)).await;
    ground.batch = 20;
    let admin = ground.configure("one", &load::rules());
    ground.baton("one", &["migrate"]);
    let mut store = ground.store().await;
    let worker = ground.start("one", admin);
    let ways = [Shutdown::Fast, Shutdown::Immediate].into_iter().cycle();
    for (portion, how) in load::write(&ground).iter().zip(ways) {
        feed(&ground, portion);
        until_it_works(&ground, &store).await;
        server.stop(how).unwrap();
        until("the worker says that it is not ready", || {
            !worker.is_ready()
        });
        server.start_again().unwrap();
        // Ours was cut, too.
        store = ground.store().await;
    }
    ends_as_undisturbed(&ground, &store, Told::Once).await;
    ends_well(worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_started_before_its_database_waits_for_it() {
    let (Some(broker), Some(server)) = (broker(), postgres_alone()) else {
        return;
    };
    let ground = Ground::on("database-late", Some(broker), Some(server)).await;
    let admin = ground.configure("one", &load::rules());
    ground.baton("one", &["migrate"]);
    server.stop(Shutdown::Fast).unwrap();
    let worker = ground.launch("one", admin, &[], &[]);
    worker.wait_until_it_says("the store cannot be reached or is busy");
    server.start_again().unwrap();
    until("the worker is ready", || worker.is_ready());
    ends_well(worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_never_comes_is_looked_up_whether_it_happened_or_not() {
    let (Some(broker), Some(server)) = (broker(), postgres_alone()) else {
        return;
    };
    let mut ground = Ground::on("commit-cut", Some(broker), Some(server)).await;
    ground.batch = 10;
    let proxy = Proxy::start(&server.socket().unwrap(), 5);
    let detour = format!(
        "postgres://postgres@{}/{}?sslmode=disable",
        proxy.address,
        ground.database().name()
    );
    // What goes through the proxy settles and does nothing else, so that every commit there is that of a batch.
    ground.detours.insert("one".to_owned(), detour);
    let settles = ground.configure("one", &load::rules());
    let publishes = ground.configure("two", &load::rules());
    ground.baton("two", &["migrate"]);
    let settles = ground.start_as("one", settles, &["--roles", "engine,admin"]);
    let publishes = ground.start_as("two", publishes, &["--roles", "relay,timers,admin"]);
    let store = ground.store().await;
    for portion in load::write(&ground) {
        feed(&ground, &portion);
    }
    ends_as_undisturbed(&ground, &store, Told::Once).await;
    let (before, after) = proxy.cuts();
    assert!(
        before > 3 && after > 3,
        "cut {before} times before, {after} after"
    );
    ends_well(settles);
    ends_well(publishes);
}
