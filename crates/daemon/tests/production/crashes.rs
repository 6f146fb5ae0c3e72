//! The daemon is killed at every named step of pipeline, timers and relay, starts again, and ends where an
//! undisturbed one ends: no command lost, none that says two things.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
};

use baton::faults::Step;
use baton_core::{
    id::{Object, RecordKey},
    value::Value,
};
use baton_store::{OutboxSeq, Store};

use crate::ground::{Ground, PATIENCE};

/// The target never answers, so that every command carries all that its record should hold.
const RULES: &str = r#"
[systems.crm]
format = "baton"
default_cause = "manual_edit"
[systems.crm.objects.contact]
vendor = "contact"
create = "never"

[systems.map]
format = "baton"
acks = "none"
default_cause = "manual_edit"
[systems.map.objects.contact]
vendor = "contact"
create = "never"

[identity]
email = "email"

[person.fields.email]
type = "email"
clear = "ignore"
[person.fields.title]
[person.groups.address]
fields = ["street", "city"]
[person.fields.street]
[person.fields.city]

[ranks]
sources = ["crm", "map"]

[timing]
horizon = "7300d"
"#;

const PEOPLE: usize = 30;

fn changes(object_id: &str, minute: usize, fields: &dyn Fn(usize) -> String) -> String {
    let mut lines = String::new();
    for person in 0..PEOPLE {
        let fields = fields(person);
        writeln!(
            lines,
            r#"{{"object":"contact","id":"{object_id}{person}","class":"delta","time":"2026-09-21T12:{minute:02}:00Z","fields":{{{fields}}}}}"#
        )
        .unwrap();
    }
    lines
}

/// What the systems say, in this order: system and file.
fn story() -> [(&'static str, String); 4] {
    let known = |person: usize| {
        format!(
            r#""email":"p{person}@example.com","title":"CTO","street":"Old Road 1","city":"Rome""#
        )
    };
    [
        ("map", changes("m", 1, &known)),
        ("crm", changes("c", 2, &known)),
        ("crm", changes("c", 3, &|_| r#""title":"CEO""#.to_owned())),
        (
            "crm",
            changes("c", 4, &|person| {
                format!(r#""street":"New Road {person}","city":"Turin""#)
            }),
        ),
    ]
}

fn wanted(person: usize) -> [(&'static str, String); 3] {
    [
        ("title", "CEO".to_owned()),
        ("street", format!("New Road {person}")),
        ("city", "Turin".to_owned()),
    ]
}

/// Everybody is as they should be, and everything that was decided has left.
async fn at_rest(store: &Store) -> bool {
    for person in 0..PEOPLE {
        let record = RecordKey::new("crm", Object::Contact, format!("c{person}"));
        let Some(state) = store.entity_of(&record).await.unwrap() else {
            return false;
        };
        let wanted = wanted(person);
        let mut as_wanted = wanted
            .iter()
            .map(|(field, value)| *state.golden_value((*field).into()) == Value::text(value));
        if !as_wanted.all(|is| is) {
            return false;
        }
    }
    // In this order: a timer that goes off in between puts what it decides where it is looked for next.
    if store.next_due().await.unwrap().is_some() {
        return false;
    }
    let waiting = store.outbox_page(OutboxSeq::default(), 1).await.unwrap();
    waiting.is_empty()
}

/// The last command for each record of the target, and a proof that no id stands for two commands.
fn last_commands(ground: &Ground) -> BTreeMap<String, serde_json::Value> {
    let (mut last, mut by_id) = (BTreeMap::new(), BTreeMap::new());
    for message in ground.json("one", &["tail", "commands", "--from-start", "--until-idle"]) {
        let command = &message["value"];
        let text = |name: &str| command[name].as_str().unwrap().to_owned();
        let told = by_id
            .entry(text("command_id"))
            .or_insert_with(|| command["fields"].clone());
        assert_eq!(*told, command["fields"], "one id, two commands");
        last.insert(text("id"), command["fields"].clone());
    }
    last
}

/// Every version of everybody's golden record was told to the world, none is missing.
fn told_versions_are_whole(ground: &Ground) {
    let mut versions: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for message in ground.json("one", &["tail", "golden", "--from-start", "--until-idle"]) {
        let entity = message["value"]["entity"].as_str().unwrap().to_owned();
        let version = message["value"]["version"].as_u64().unwrap();
        versions.entry(entity).or_default().insert(version);
    }
    assert_eq!(versions.len(), PEOPLE);
    for (entity, versions) in versions {
        let newest = *versions.last().unwrap();
        assert!(versions.into_iter().eq(1..=newest), "{entity}");
    }
}

async fn ends_as_if_nothing_had_happened(ground: Ground, step: Step) {
    let rules = [("rules.toml".to_owned(), RULES.to_owned())];
    let admin = ground.configure("one", &rules);
    ground.baton("one", &["migrate"]);
    // Not at its first time everywhere: something should have been done before.
    let mut worker = ground.start_with(
        "one",
        admin,
        &[("BATON_CRASH", &format!("{}:2", step.name()))],
    );
    let mut crashed = false;
    for (number, (system, text)) in story().into_iter().enumerate() {
        let file = ground.folder.path().join(format!("{number}.jsonl"));
        fs::write(&file, text).unwrap();
        let args = ["ingest", "--system", system, file.to_str().unwrap()];
        // The daemon, and with it an embedded log, may be gone at any of these; whoever feeds it tries again.
        let mut fed = ground.try_baton("one", &args).status.success();
        if !fed {
            worker.wait_for_its_end();
            crashed = true;
            worker = ground.start("one", admin);
            fed = ground.try_baton("one", &args).status.success();
        }
        assert!(fed, "{step:?}");
    }
    let store = ground.store().await;
    let rest = async {
        while !at_rest(&store).await {
            // It may have come to its step only now.
            if worker.process.try_wait().unwrap().is_some() {
                crashed = true;
                worker = ground.start("one", admin);
            }
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, rest).await;
    assert!(
        in_time.is_ok(),
        "{step:?}: no rest; crashed late: {crashed}"
    );

    let last = last_commands(&ground);
    assert_eq!(last.len(), PEOPLE, "{step:?}");
    for person in 0..PEOPLE {
        let command = &last[&format!("m{person}")];
        for (field, value) in wanted(person) {
            assert_eq!(command[field], value, "{step:?}: m{person}");
        }
    }
    told_versions_are_whole(&ground);
    assert_eq!(worker.counted("baton_law_violations_total{"), 0);
    drop(store);
    assert!(worker.end().success(), "{step:?}");
}

// Each step waits for processes in a thread of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 12)]
async fn killed_at_any_step_it_ends_the_same_with_nothing_installed() {
    let all = Step::ALL.map(|step| {
        let ground = Ground::embedded(&format!("crash-{}", step.name()));
        tokio::spawn(ends_as_if_nothing_had_happened(ground, step))
    });
    for one in all {
        one.await.unwrap();
    }
}

// Each step waits for processes in a thread of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 12)]
async fn killed_at_any_step_it_ends_the_same_on_kafka_and_postgresql() {
    let mut all = Vec::new();
    for step in Step::ALL {
        let Some(ground) = Ground::find(&format!("crash-{}", step.name())).await else {
            return;
        };
        all.push(tokio::spawn(ends_as_if_nothing_had_happened(ground, step)));
    }
    for one in all {
        one.await.unwrap();
    }
}
