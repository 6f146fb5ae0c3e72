//! `baton doctor` on Apache Kafka and PostgreSQL: five wrong things are five findings, and each goes away by its fix.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use rdkafka::{
    admin::{
        AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication,
    },
    client::DefaultClientContext,
};
use serde_json::Value;

use crate::{
    ground::{Ground, PATIENCE},
    worker::until,
};

const RULES: &str = r#"
[systems.crm]
format = "baton"
[systems.crm.objects.contact]
vendor = "contact"

[systems.map]
format = "baton"
[systems.map.objects.contact]
vendor = "contact"

[identity]
email = "email"

[person.fields.email]
type = "email"
"#;

/// The findings of a state: area, what, fix. The exit status says whether something is wrong.
fn found(ground: &Ground, state: &str) -> Vec<[String; 3]> {
    let output = ground.try_baton("one", &["doctor", "--json"]);
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let all = all.as_array().unwrap();
    let wrong = all.iter().any(|finding| finding["state"] == "wrong");
    assert_eq!(output.status.code(), Some(i32::from(wrong)), "{all:#?}");
    all.iter()
        .filter(|finding| finding["state"] == state)
        .map(|f| ["area", "what", "fix"].map(|m| f[m].as_str().unwrap().to_owned()))
        .collect()
}

struct Topics(AdminClient<DefaultClientContext>);

impl Topics {
    async fn create(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let created = self.0.create_topics([&topic], &AdminOptions::new()).await;
        created.unwrap().remove(0).unwrap();
        let metadata = || self.0.inner().fetch_metadata(Some(name), PATIENCE).unwrap();
        until("the topic is known", || {
            let found = metadata();
            let found = found.topics().iter().find(|topic| topic.name() == name);
            found.is_some_and(|topic| topic.error().is_none() && !topic.partitions().is_empty())
        });
    }

    async fn set(&self, name: &str, key: &str, value: &str) {
        let resource = ResourceSpecifier::Topic(name);
        let change = AlterConfig::new(resource).set(key, value);
        let changed = self.0.alter_configs([&change], &AdminOptions::new()).await;
        changed.unwrap().remove(0).unwrap();
    }
}

/// Does what a fix says, as it says it.
async fn follow(ground: &Ground, topics: &Topics, what: &str, fix: &str) {
    let about = what.split(' ').next().unwrap();
    if let Some(setting) = fix.strip_prefix("set ") {
        let setting = setting.split([' ', ',']).next().unwrap();
        let (key, value) = setting.split_once('=').unwrap();
        topics.set(about, key, value).await;
    } else if let Some(create) = fix.strip_prefix("create it with ") {
        let partitions = create.split(' ').next().unwrap().parse().unwrap();
        topics.create(about, partitions, &[]).await;
    } else if fix.starts_with("chmod ") {
        let command = fix.split(',').next().unwrap();
        let done = Command::new("sh").args(["-c", command]).status().unwrap();
        assert!(done.success(), "{command}");
    } else {
        assert_eq!(fix, "run `baton migrate`");
        ground.baton("one", &["migrate"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_wrong_things_are_five_findings_and_each_goes_away_by_its_fix() {
    let Some(ground) = Ground::find("doctor").await else {
        return;
    };
    ground.configure("one", &[("rules.toml".to_owned(), RULES.to_owned())]);
    let token = ground.folder.path().join("token");
    fs::write(&token, "a-secret-token").unwrap();
    // Wrong: others can read it.
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    let file = ground.folder.path().join("one/baton.toml");
    let text = fs::read_to_string(&file).unwrap();
    let named = format!("[admin]\ntoken = {{ file = \"{}\" }}\n", token.display());
    let text = text.replace("[admin]\n", &named);
    fs::write(
        &file,
        text.replace("[topics]\n", "[topics]\ncreate = false\n"),
    )
    .unwrap();

    let topics = Topics(ground.admin());
    for system in ["crm", "map"] {
        for lane in ["changes", "commands", "results"] {
            let name = ground.topic(&format!("{system}.{lane}"));
            let wrong = match (system, lane) {
                ("crm", "changes") => ("cleanup.policy", "compact"),
                ("map", "results") => ("retention.ms", "3600000"),
                _ => ("retention.ms", "604800000"),
            };
            topics.create(&name, 4, &[wrong]).await;
        }
    }
    // Wrong: there is no topic of golden records, and nobody has migrated the store.
    topics.create(&ground.topic("decisions"), 4, &[]).await;
    topics.create(&ground.topic("lifecycle"), 4, &[]).await;
    topics.create(&ground.topic("dead-letters"), 4, &[]).await;

    let wrong = found(&ground, "wrong");
    let about = |area: &str, words: &str| {
        let hits = wrong
            .iter()
            .filter(|[a, what, _]| a == area && what.contains(words));
        assert_eq!(hits.count(), 1, "{area}, {words}: {wrong:#?}");
    };
    about("secrets", "token can be read by others");
    about("store", "tables are missing");
    about("topics", "doctor.crm.changes is compacted");
    about("topics", "doctor.map.results keeps messages for 1 h");
    about("topics", "doctor.golden is not there");
    assert_eq!(wrong.len(), 5, "{wrong:#?}");
    assert!(!format!("{wrong:?}").contains("a-secret-token"));

    for (left, [_, what, fix]) in (0..wrong.len()).rev().zip(&wrong) {
        follow(&ground, &topics, what, fix).await;
        // A broker tells of a changed setting a moment later.
        until("the fix shows", || found(&ground, "wrong").len() == left);
    }
}
