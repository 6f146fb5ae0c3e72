//! Workers that end, are killed, come back, and share a group.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use baton_core::{
    id::{Object, RecordKey},
    value::Value,
};
use baton_store::{OutboxSeq, Store};

use crate::ground::{Ground, PATIENCE};

/// Two systems that speak Baton's own form.
const RULES: &str = r#"
[systems.crm]
format = "baton"
default_cause = "manual_edit"
[systems.crm.objects.contact]
vendor = "contact"
create = "never"

[systems.map]
format = "baton"
default_cause = "manual_edit"
[systems.map.objects.contact]
vendor = "contact"
create = "always"

[identity]
email = "email"

[person.fields.email]
type = "email"
clear = "ignore"
[person.fields.title]

[ranks]
sources = ["crm", "map"]

# The messages are stamped by the machine's clock.
[timing]
horizon = "7300d"
"#;

const PEOPLE: usize = 100;

fn rules() -> Vec<(String, String)> {
    vec![("rules.toml".to_owned(), RULES.to_owned())]
}

/// One change for each person, in the order of their numbers.
fn round(round: usize) -> String {
    let mut lines = String::new();
    for person in 0..PEOPLE {
        let minute = round % 60;
        writeln!(
            lines,
            r#"{{"object":"contact","id":"c{person}","class":"delta","time":"2026-09-21T12:{minute:02}:00Z","fields":{{"email":"p{person}@example.com","title":"title {round}"}}}}"#
        )
        .unwrap();
    }
    lines
}

/// Everybody's title is that of the round, and nothing waits for the relay.
async fn settled(store: &Store, round: usize) -> bool {
    for person in 0..PEOPLE {
        let record = RecordKey::new("crm", Object::Contact, format!("c{person}"));
        let Some(state) = store.entity_of(&record).await.unwrap() else {
            return false;
        };
        if *state.golden_value("title".into()) != Value::text(&format!("title {round}")) {
            return false;
        }
    }
    let waiting = store.outbox_page(OutboxSeq::default(), 1).await.unwrap();
    waiting.is_empty()
}

async fn wait_until_settled(store: &Store, round: usize) {
    let all = async { while !settled(store, round).await {} };
    let in_time = tokio::time::timeout(PATIENCE, all).await;
    assert!(in_time.is_ok(), "round {round} has not settled in time");
}

/// How often each person was asked to be created in the other system, by distinct command.
fn creates(ground: &Ground) -> BTreeMap<String, usize> {
    let mut ids: BTreeMap<String, std::collections::BTreeSet<String>> = BTreeMap::new();
    for message in ground.json("one", &["tail", "commands", "--from-start", "--until-idle"]) {
        let command = &message["value"];
        if command["kind"] == "create" {
            let text = |name: &str| command[name].as_str().unwrap().to_owned();
            ids.entry(text("entity"))
                .or_default()
                .insert(text("command_id"));
        }
    }
    ids.into_iter()
        .map(|(entity, ids)| (entity, ids.len()))
        .collect()
}

fn write(ground: &Ground, number: usize) -> String {
    let path = ground.folder.path().join(format!("round-{number}.jsonl"));
    fs::write(&path, round(number)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_ends_when_it_is_told_to_and_the_next_one_goes_on_where_it_stood() {
    let Some(ground) = Ground::find("restart").await else {
        return;
    };
    let admin = ground.configure("one", &rules());
    ground.baton("one", &["migrate"]);
    let worker = ground.start("one", admin);
    let (first, second) = (write(&ground, 1), write(&ground, 2));
    let waited = ["ingest", "--system", "crm", "--wait"];
    let tally = ground
        .json("one", &[&waited[..], &[&first]].concat())
        .remove(0);
    assert_eq!(
        (&tally["consumed"], &tally["applied"]),
        (&100.into(), &100.into())
    );
    assert!(worker.end().success());

    // Nobody is there, and nothing is lost.
    ground.baton("one", &["ingest", "--system", "crm", &second]);
    let worker = ground.start("one", admin);
    let store = ground.store().await;
    wait_until_settled(&store, 2).await;
    assert_eq!(worker.counted("baton_consumed_total{"), 100);
    let tally = ground
        .json("one", &[&waited[..], &[&first, &second]].concat())
        .remove(0);
    assert_eq!(
        (&tally["consumed"], &tally["duplicate"]),
        (&200.into(), &200.into())
    );
    let creates = creates(&ground);
    assert_eq!(creates.len(), PEOPLE);
    assert!(creates.values().all(|count| *count == 1), "{creates:?}");
    assert!(worker.end().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_the_work_and_one_of_them_may_be_killed() {
    let Some(ground) = Ground::find("workers").await else {
        return;
    };
    let admins = [
        ground.configure("one", &rules()),
        ground.configure("two", &rules()),
    ];
    ground.baton("one", &["migrate"]);
    let one = ground.start("one", admins[0]);
    let two = ground.start("two", admins[1]);
    let store = ground.store().await;
    for number in 1..=4 {
        let file = write(&ground, number);
        ground.baton("one", &["ingest", "--system", "crm", &file]);
    }
    wait_until_settled(&store, 4).await;
    let shares = [&one, &two].map(|worker| worker.counted("baton_consumed_total{"));
    assert!(shares.iter().sum::<u64>() >= 400, "{shares:?}");

    // Whoever waits is told when all of it has settled, though it asks only one of them.
    let file = write(&ground, 5);
    let waited = ["ingest", "--system", "crm", "--wait", &file];
    let tally = ground.json("one", &waited).remove(0);
    assert_eq!(tally["consumed"], 100, "{tally}");
    wait_until_settled(&store, 5).await;

    // Each partition has one place in the store, whoever had the partition when.
    let places = store.positions(&ground.topic("crm.changes")).await.unwrap();
    assert_eq!(places.len(), 4, "{places:?}");

    // One dies with whatever it has in hand; the other has to take over its partitions, and the relay.
    for number in 6..=9 {
        let file = write(&ground, number);
        ground.baton("two", &["ingest", "--system", "crm", &file]);
    }
    one.kill();
    wait_until_settled(&store, 9).await;
    let creates = creates(&ground);
    assert_eq!(creates.len(), PEOPLE);
    assert!(creates.values().all(|count| *count == 1), "{creates:?}");
    assert_eq!(two.counted("baton_law_violations_total{"), 0);
    assert!(two.end().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_hangs_is_replaced_and_does_no_harm_when_it_wakes() {
    let Some(ground) = Ground::find("hang").await else {
        return;
    };
    let names = ["one", "two", "three"];
    let admins = names.map(|name| ground.configure(name, &rules()));
    ground.baton("one", &["migrate"]);
    let [one, two, three] = [0, 1, 2].map(|at| ground.start(names[at], admins[at]));
    let store = ground.store().await;
    let file = write(&ground, 1);
    ground.baton("one", &["ingest", "--system", "crm", &file]);
    wait_until_settled(&store, 1).await;

    // Whatever it was doing, it does not know that time goes by.
    for number in 2..=4 {
        let file = write(&ground, number);
        ground.baton("two", &["ingest", "--system", "crm", &file]);
    }
    one.signal("-STOP");
    let file = write(&ground, 5);
    ground.baton("two", &["ingest", "--system", "crm", &file]);
    wait_until_settled(&store, 5).await;
    one.signal("-CONT");
    let file = write(&ground, 6);
    ground.baton("two", &["ingest", "--system", "crm", &file]);
    wait_until_settled(&store, 6).await;

    let creates = creates(&ground);
    assert_eq!(creates.len(), PEOPLE);
    assert!(creates.values().all(|count| *count == 1), "{creates:?}");
    for worker in [one, two, three] {
        assert_eq!(worker.counted("baton_law_violations_total{"), 0);
        assert!(worker.end().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_made_anew_is_read_whole() {
    let Some(ground) = Ground::find("anew").await else {
        return;
    };
    let admin = ground.configure("one", &rules());
    ground.baton("one", &["migrate"]);
    let worker = ground.start("one", admin);
    let store = ground.store().await;
    let (first, second) = (write(&ground, 1), write(&ground, 2));
    ground.baton("one", &["ingest", "--system", "crm", &first]);
    wait_until_settled(&store, 1).await;
    assert!(worker.end().success());

    ground.delete_topic("crm.changes").await;
    ground.baton("one", &["ingest", "--system", "crm", &second]);
    let worker = ground.start("one", admin);
    wait_until_settled(&store, 2).await;
    assert_eq!(worker.counted("baton_consumed_total{"), 100);
    assert!(worker.end().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_the_database_may_be_cut_while_it_works() {
    let Some(ground) = Ground::find("cut").await else {
        return;
    };
    let admin = ground.configure("one", &rules());
    ground.baton("one", &["migrate"]);
    let worker = ground.start("one", admin);
    for number in 1..=6 {
        let file = write(&ground, number);
        ground.baton("one", &["ingest", "--system", "crm", &file]);
        ground.cut_connections();
    }
    let store = ground.store().await;
    wait_until_settled(&store, 6).await;
    let creates = creates(&ground);
    assert_eq!(creates.len(), PEOPLE);
    assert!(creates.values().all(|count| *count == 1), "{creates:?}");
    assert_eq!(worker.counted("baton_law_violations_total{"), 0);
    assert!(worker.end().success());
}
