//! The forms of messages: those of every version that was ever written are still understood, what is written today is
//! the newest, and what only a newer Baton could understand is told as that.
//!
//! `schemas/examples` holds a message of each topic for each version, and of `baton.lifecycle`, which is as old as
//! version 2, one of each kind. A new version needs a new folder:
//! `BATON_BLESS=1 cargo test -p baton --test facts versions` writes what is missing, and never a file that is there.

use std::{collections::BTreeMap, fs, path::PathBuf};

use baton_core::{book::OutTopic, change::Outcome, wire};
use baton_store::{Options, StewardState, testing};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    funnel,
    given::{NOON, active, engine, engine_on, message, outbox, settle},
    story,
};

fn folder(version: u16) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join(format!("schemas/examples/v{version}"))
}

fn versions() -> impl Iterator<Item = u16> {
    1..=wire::SchemaVersion::CURRENT.0
}

/// Where the message of that name stands. Of the funnel's messages the name is the kind.
fn file(version: u16, name: &str) -> PathBuf {
    let folder = folder(version);
    if is_of_funnel(name) {
        folder.join(format!("lifecycle/{name}.json"))
    } else {
        folder.join(format!("{name}.json"))
    }
}

fn is_of_funnel(name: &str) -> bool {
    !baton::cli::message_schemas().contains_key(name)
}

fn example(version: u16, name: &str) -> Value {
    let path = file(version, name);
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|e| panic!("{}: {e}; see the top of this test", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The first message of each topic that the story leaves in its outbox, and the answer to the first command.
async fn written_today() -> BTreeMap<&'static str, Value> {
    let (store, _folder) = testing::sqlite_store(&Options::default()).await.unwrap();
    let engine = story::play(store).await;
    let mut first = BTreeMap::new();
    for row in outbox(&engine).await {
        let name = match row.topic {
            OutTopic::Commands(_) => "command",
            OutTopic::Golden => "golden",
            OutTopic::Decisions => "decision",
            OutTopic::Lifecycle => "lifecycle",
            OutTopic::DeadLetters => "dead-letter",
        };
        let body = serde_json::from_slice(&row.body).unwrap();
        first.entry(name).or_insert(body);
    }
    for (kind, body) in funnel::one_of_each_kind() {
        first.insert(kind, body);
    }
    let command = story::commands(&engine, "map").await.remove(0);
    let answer = serde_json::to_value(story::answer(&command, "m1", 2)).unwrap();
    first.insert("command-result", answer);
    first
}

/// Whether every member of `old` stands in `new` with the same value; `new` may have more.
fn says_all_of(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => old
            .iter()
            .all(|(name, value)| new.get(name).is_some_and(|new| says_all_of(value, new))),
        _ => old == new,
    }
}

/// Whether every member of `old` stands in `new` with a value of the same kind; `new` may have more.
fn says_as_much_as(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => old
            .iter()
            .all(|(name, value)| new.get(name).is_some_and(|new| says_as_much_as(value, new))),
        _ => std::mem::discriminant(old) == std::mem::discriminant(new),
    }
}

#[tokio::test]
async fn what_is_written_today_says_all_that_the_newest_version_says() {
    let version = wire::SchemaVersion::CURRENT.0;
    for (name, body) in written_today().await {
        let path = file(version, name);
        if std::env::var("BATON_BLESS").is_ok_and(|v| v == "1") && !path.exists() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let text = serde_json::to_string_pretty(&body).unwrap() + "\n";
            fs::write(&path, text).unwrap();
        }
        let kept = example(version, name);
        assert_eq!(body["schema_version"], version, "{name}");
        // What is told of the funnel depends on the shipped rules: there only the members are compared.
        let says_all = if is_of_funnel(name) {
            says_as_much_as(&kept, &body)
        } else {
            says_all_of(&kept, &body)
        };
        assert!(
            says_all,
            "{name} lost or changed a member: raise SchemaVersion::CURRENT, keep the old example, and read both\n\
             {kept:#}\n{body:#}"
        );
    }
}

/// The kinds of messages of the funnel that there were in a version.
fn kinds(version: u16) -> Vec<String> {
    // There was no funnel yet.
    if version == 1 {
        return Vec::new();
    }
    let files = fs::read_dir(folder(version).join("lifecycle")).unwrap();
    let names = files.map(|file| file.unwrap().path());
    let kinds: Vec<String> = names
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(!kinds.is_empty());
    kinds
}

fn reads<T: Serialize + DeserializeOwned>(name: &str, example: &Value) {
    let read: T = serde_json::from_value(example.clone()).unwrap();
    let again = serde_json::to_value(&read).unwrap();
    assert!(
        says_all_of(example, &again),
        "{name}: {example:#}\n{again:#}"
    );
    // What was written before there were versions is of the first.
    let mut without = example.clone();
    if example["schema_version"] == 1 {
        without.as_object_mut().unwrap().remove("schema_version");
        let read: T = serde_json::from_value(without).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), again, "{name}");
    }
}

#[test]
fn messages_of_every_version_are_read_and_fit_todays_schemas() {
    let schemas = baton::cli::message_schemas();
    for version in versions() {
        for (name, schema) in &schemas {
            let validator = jsonschema::validator_for(schema).unwrap();
            if *name == "lifecycle" {
                for kind in kinds(version) {
                    let example = example(version, &kind);
                    assert!(validator.is_valid(&example), "{kind} of version {version}");
                    reads::<wire::LifecycleMessage>(&kind, &example);
                }
                continue;
            }
            let example = example(version, name);
            assert!(validator.is_valid(&example), "{name} of version {version}");
            match *name {
                "command" => reads::<wire::Command>(name, &example),
                "command-result" => reads::<wire::CommandResult>(name, &example),
                "golden" => reads::<wire::GoldenMessage>(name, &example),
                "decision" => reads::<wire::DecisionMessage>(name, &example),
                "dead-letter" => reads::<wire::DeadLetter>(name, &example),
                other => panic!("{other} has no reader here"),
            }
        }
    }
}

#[tokio::test]
async fn changes_and_answers_of_every_version_still_take_effect() {
    for version in versions() {
        let (store, _folder) = testing::sqlite_store(&Options::default()).await.unwrap();
        let engine = engine_on(store, active(story::RULES)).await;
        let changes = fs::read_to_string(folder(version).join("changes.jsonl")).unwrap();
        let mut classes = std::collections::BTreeSet::new();
        for (line, offset) in changes.lines().zip(0..) {
            let change: Value = serde_json::from_str(line).unwrap();
            classes.insert(change["class"].as_str().unwrap_or("delta").to_owned());
            let outcomes = settle(&engine, vec![message("crm", offset, line)]).await;
            let told = outcomes
                .iter()
                .all(|(o, _)| matches!(o, Outcome::Applied | Outcome::Noop | Outcome::Parked));
            assert!(told && !outcomes.is_empty(), "{line}: {outcomes:?}");
        }
        assert_eq!(classes.len(), 12, "{classes:?}");
        engine.clock.advance_to(NOON.plus(10_000));
        engine.fire_timers().await.unwrap();
        let command = story::commands(&engine, "map").await.remove(0);
        let mut answer = example(version, "command-result");
        answer["command_id"] = command.command_id.clone().into();
        let answer = serde_json::from_value(answer).unwrap();
        settle(&engine, vec![story::answered(&answer, 0)]).await;
        assert_eq!(
            story::entity(&engine, "map:contact:m1").await.to_string(),
            command.entity
        );
    }
}

#[tokio::test]
async fn what_only_a_newer_baton_understands_is_kept_and_told_as_that() {
    let (engine, _kept) = engine().await;
    let newest = wire::SchemaVersion::CURRENT.0;
    let newer = format!(r#"{{"schema_version":{}"#, newest + 1);
    let change = format!(r#"{newer},"object":"contact","ids":["c1"]}}"#);
    let mut answer = message("crm", 1, &format!(r#"{newer},"what":"came of it"}}"#));
    answer.topic = "baton.crm.results".into();
    settle(&engine, vec![message("crm", 0, &change), answer]).await;
    let letters = engine
        .store
        .dead_letters(StewardState::Open, None, 10)
        .await;
    let letters = letters.unwrap();
    assert_eq!(letters.len(), 2);
    for letter in letters {
        assert_eq!(letter.code, "newer-version");
        let what = format!(
            "the message is of version {}; this Baton reads versions up to {newest}",
            newest + 1
        );
        assert_eq!(letter.what, what);
        assert!(letter.fix.starts_with("update Baton"), "{}", letter.fix);
        assert!(String::from_utf8_lossy(&letter.payload).contains("schema_version"));
    }
}
