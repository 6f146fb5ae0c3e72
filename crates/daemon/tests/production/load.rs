//! What happens to everybody in a test that disturbs Baton, and how everybody must be in the end, whatever happened
//! on the way: as after a run that nothing disturbed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
};

use baton_core::{
    change::Outcome,
    id::{Digest, Object, RecordKey},
    input::Input,
    value::Value,
};
use baton_store::{LedgerSeq, OutboxSeq, Store};
use tokio::sync::OnceCell;

use crate::{
    ground::{Ground, PATIENCE},
    worker::Worker,
};

/// CRM and shop speak and are told nothing; each person's records come by different topics, so that workers meet. The
/// marketing system speaks once, is told, and never answers, so that the last command for a record carries all that it
/// should hold. Groups rest before they are written, so that no two writes of one field fall into one second, whose
/// order nobody but the target would know. The messages are stamped by the machine's clock.
const RULES: &str = r#"
[systems.crm]
format = "baton"
acks = "none"
default_cause = "manual_edit"
[systems.crm.objects.contact]
vendor = "contact"
create = "never"
[systems.crm.objects.contact.fields]
email = { field = "email", direction = "in" }
title = { field = "title", direction = "in" }
role = { field = "role", direction = "in" }
note = { field = "note", direction = "in" }
place = { field = "place", direction = "in" }
street = { field = "street", direction = "in" }
city = { field = "city", direction = "in" }

[systems.map]
format = "baton"
acks = "none"
default_cause = "manual_edit"
[systems.map.objects.contact]
vendor = "contact"
create = "never"

[systems.shop]
format = "baton"
acks = "none"
default_cause = "manual_edit"
[systems.shop.objects.contact]
vendor = "contact"
create = "never"
[systems.shop.objects.contact.fields]
email = { field = "email", direction = "in" }
title = { field = "title", direction = "in" }
role = { field = "role", direction = "in" }
note = { field = "note", direction = "in" }
place = { field = "place", direction = "in" }
street = { field = "street", direction = "in" }
city = { field = "city", direction = "in" }

[identity]
email = "email"

[person.fields.email]
type = "email"
clear = "ignore"
[person.groups.job]
fields = ["title", "role"]
[person.fields.title]
[person.fields.role]
[person.groups.talk]
fields = ["note", "place"]
[person.fields.note]
[person.fields.place]
[person.groups.address]
fields = ["street", "city"]
[person.fields.street]
[person.fields.city]

[ranks]
sources = ["crm", "shop", "map"]

[timing]
horizon = "7300d"
"#;

const PEOPLE: usize = 40;
/// Messages of each person after the first of both systems.
const EACH: usize = 16;
/// Files that the messages are spread over; each holds a part of everybody's.
pub const PORTIONS: usize = 8;

pub fn rules() -> Vec<(String, String)> {
    vec![("rules.toml".to_owned(), RULES.to_owned())]
}

/// The same numbers in the same order, whatever machine: a linear congruential generator.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most
    }
}

fn change(id: &str, second: usize, fields: &str) -> String {
    let (minute, second) = (second / 60, second % 60);
    format!(
        r#"{{"object":"contact","id":"{id}","class":"delta","time":"2026-09-21T12:{minute:02}:{second:02}Z","fields":{{{fields}}}}}"#
    )
}

/// System and file of each portion, written into the test's folder. Events come in another order than they happened.
pub fn write(ground: &Ground) -> Vec<(&'static str, String)> {
    let mut texts: BTreeMap<(usize, &str), String> = BTreeMap::new();
    let mut say = |portion: usize, system: &'static str, line: String| {
        writeln!(texts.entry((portion, system)).or_default(), "{line}").unwrap();
    };
    let mut chance = Chance::new(1);
    for person in 0..PEOPLE {
        let known = format!(
            r#""email":"p{person}@example.com","title":"CTO","role":"head","street":"Old Road 1","city":"Rome","note":"none yet","place":"nowhere""#
        );
        say(0, "map", change(&format!("m{person}"), 0, &known));
        let known = format!(r#""email":"p{person}@example.com","title":"CFO","role":"first""#);
        say(0, "crm", change(&format!("c{person}"), 1, &known));
        let known = format!(r#""email":"p{person}@example.com""#);
        say(0, "shop", change(&format!("s{person}"), 1, &known));
        let mut seconds: Vec<usize> = (2..EACH + 2).collect();
        for number in 0..EACH {
            let second = seconds.swap_remove(chance.below(seconds.len()));
            let portion = 1 + number * (PORTIONS - 1) / EACH;
            let (system, id, fields) = match chance.below(3) {
                0 => (
                    "shop",
                    's',
                    format!(r#""note":"note {second}","place":"place {second}""#),
                ),
                1 => (
                    "crm",
                    'c',
                    format!(r#""title":"title {second}","role":"role {second}""#),
                ),
                _ => (
                    "crm",
                    'c',
                    format!(r#""street":"Road {second}","city":"Turin {second}""#),
                ),
            };
            say(
                portion,
                system,
                change(&format!("{id}{person}"), second, &fields),
            );
        }
    }
    texts
        .into_iter()
        .map(|((portion, system), text)| {
            let path = ground
                .folder
                .path()
                .join(format!("{portion}-{system}.jsonl"));
            fs::write(&path, text).unwrap();
            (system, path.to_str().unwrap().to_owned())
        })
        .collect()
}

/// Publishes a portion, and all of it again if the log went away meanwhile.
pub fn feed(ground: &Ground, (system, file): &(&'static str, String)) {
    let args = ["ingest", "--system", system, file];
    let mut tries = 0;
    while !ground.try_baton("one", &args).status.success() {
        tries += 1;
        assert!(tries < 20, "{file} was never taken");
    }
    ground.has_fed(fs::read_to_string(file).unwrap().lines().count());
}

/// How everybody is: what must be the same whatever happened on the way.
#[derive(PartialEq, Eq, Debug)]
pub struct Ending {
    /// Golden values by the record in the CRM and the field.
    golden: BTreeMap<(String, String), String>,
    /// Every event that was taken in.
    events: BTreeSet<Digest>,
}

impl Ending {
    async fn golden(store: &Store) -> Option<BTreeMap<(String, String), String>> {
        let mut golden = BTreeMap::new();
        for person in 0..PEOPLE {
            let id = format!("c{person}");
            let record = RecordKey::new("crm", Object::Contact, &id);
            let state = store.entity_of(&record).await.unwrap()?;
            for (field, value) in state.golden.iter() {
                let Value::Text(text) = &value.value else {
                    continue;
                };
                golden.insert((id.clone(), field.as_str().to_owned()), text.to_string());
            }
        }
        Some(golden)
    }

    /// Every event in the ledger; that one had an effect twice is a failure.
    async fn events(store: &Store) -> BTreeSet<Digest> {
        let (mut all, mut applied) = (BTreeSet::new(), BTreeSet::new());
        let mut after = LedgerSeq::default();
        loop {
            let page = store.ledger_page(after, 1_000).await.unwrap();
            let Some(last) = page.last() else {
                return all;
            };
            after = last.seq;
            for entry in page {
                if let Input::Change(change) = entry.row.input {
                    all.insert(change.event);
                    if entry.row.outcome == Outcome::Applied {
                        assert!(
                            applied.insert(change.event),
                            "an event was applied twice: {:?}",
                            change.record
                        );
                    }
                }
            }
        }
    }
}

/// How it ends when nothing disturbs it.
pub async fn undisturbed() -> &'static Ending {
    static ENDING: OnceCell<Ending> = OnceCell::const_new();
    ENDING
        .get_or_init(|| async {
            let ground = Ground::embedded("undisturbed");
            ground.configure("one", &rules());
            for portion in write(&ground) {
                let (system, file) = portion;
                ground.baton("one", &["ingest", "--wait", "--system", system, &file]);
            }
            let store = ground.store().await;
            let ending = Ending {
                golden: Ending::golden(&store).await.unwrap(),
                events: Ending::events(&store).await,
            };
            assert_eq!(ending.events.len(), PEOPLE * (EACH + 3));
            ending.is_newest();
            ending
        })
        .await
}

impl Ending {
    /// What is newest has survived, which needs no engine to say.
    fn is_newest(&self) {
        let mut chance = Chance::new(1);
        for person in 0..PEOPLE {
            let mut newest: BTreeMap<&str, (usize, String)> = BTreeMap::new();
            let mut seconds: Vec<usize> = (2..EACH + 2).collect();
            for _ in 0..EACH {
                let second = seconds.swap_remove(chance.below(seconds.len()));
                let said = match chance.below(3) {
                    0 => vec![
                        ("note", format!("note {second}")),
                        ("place", format!("place {second}")),
                    ],
                    1 => vec![
                        ("title", format!("title {second}")),
                        ("role", format!("role {second}")),
                    ],
                    _ => vec![
                        ("street", format!("Road {second}")),
                        ("city", format!("Turin {second}")),
                    ],
                };
                for (field, value) in said {
                    let before = newest.entry(field).or_default();
                    *before = before.clone().max((second, value));
                }
            }
            for (field, (_, value)) in newest {
                let key = (format!("c{person}"), field.to_owned());
                assert_eq!(self.golden.get(&key), Some(&value), "{key:?}");
            }
        }
    }
}

/// How many messages of the load have been settled.
pub async fn settled(ground: &Ground, store: &Store) -> usize {
    let mut sum = 0;
    for topic in ["crm.changes", "map.changes", "shop.changes"] {
        let positions = store.positions(&ground.topic(topic)).await.unwrap();
        sum += positions.iter().map(|position| position.next).sum::<i64>();
    }
    usize::try_from(sum).unwrap()
}

/// Waits until it works on what was fed, or is done with it.
pub async fn until_it_works(ground: &Ground, store: &Store) {
    let some = settled(ground, store).await + 1;
    until_settled(ground, store, some.min(ground.fed())).await;
}

/// Waits until so many messages have been settled.
pub async fn until_settled(ground: &Ground, store: &Store, wanted: usize) {
    let reached = async { while settled(ground, store).await < wanted {} };
    let in_time = tokio::time::timeout(PATIENCE, reached).await;
    assert!(in_time.is_ok(), "{wanted} messages were never settled");
}

/// What a golden record's version may say to the world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// One thing, however often.
    Once,
    /// Another thing after the store went back to an older state: only the last word counts.
    Anew,
}

/// Waits until nothing is left to do and everybody is as without a disturbance, then looks at all that was told.
pub async fn ends_as_undisturbed(ground: &Ground, store: &Store, told: Told) {
    let wanted = rests_as_undisturbed(store).await;
    last_commands_say_all(ground, &wanted.golden);
    told_versions_are_whole(ground, told);
}

/// Waits until nothing is left to do and everybody is as without a disturbance.
pub async fn rests_as_undisturbed(store: &Store) -> &'static Ending {
    let wanted = undisturbed().await;
    let rest = async {
        loop {
            // In this order: a timer that goes off in between puts what it decides where it is looked for next.
            let due = store.next_due().await.unwrap();
            let waiting = store.outbox_page(OutboxSeq::default(), 1).await.unwrap();
            if due.is_none()
                && waiting.is_empty()
                && Ending::golden(store).await.as_ref() == Some(&wanted.golden)
                && Ending::events(store).await == wanted.events
            {
                return;
            }
        }
    };
    if tokio::time::timeout(PATIENCE, rest).await.is_err() {
        let golden = Ending::golden(store).await;
        let events = Ending::events(store).await;
        let waiting = store.outbox_page(OutboxSeq::default(), 10).await.unwrap();
        panic!(
            "no rest: {} events of {}, golden as wanted: {}, {} messages wait, next due {:?}",
            events.len(),
            wanted.events.len(),
            golden.as_ref() == Some(&wanted.golden),
            waiting.len(),
            store.next_due().await,
        );
    }
    wanted
}

/// The last command for each record carries what it should hold; no id stands for two.
fn last_commands_say_all(ground: &Ground, golden: &BTreeMap<(String, String), String>) {
    let (mut last, mut by_id) = (BTreeMap::new(), BTreeMap::new());
    for message in ground.json("one", &["tail", "commands", "--from-start", "--until-idle"]) {
        let command = &message["value"];
        let text = |name: &str| command[name].as_str().unwrap().to_owned();
        let told = by_id
            .entry(text("command_id"))
            .or_insert_with(|| command["fields"].clone());
        assert_eq!(*told, command["fields"], "one id, two commands");
        if command["kind"] == "update" {
            last.insert(text("id"), command["fields"].clone());
        }
    }
    for ((id, field), value) in golden {
        let to = id.replace('c', "m");
        assert_eq!(
            last[&to][field],
            *value.as_str(),
            "{to}: {field}: {}",
            last[&to]
        );
    }
}

/// Every version of everybody's golden record was told to the world, none is missing, and none says two things.
pub fn told_versions_are_whole(ground: &Ground, how: Told) {
    let mut told: BTreeMap<String, BTreeMap<u64, serde_json::Value>> = BTreeMap::new();
    for message in ground.json("one", &["tail", "golden", "--from-start", "--until-idle"]) {
        let record = &message["value"];
        let entity = record["entity"].as_str().unwrap().to_owned();
        let version = record["version"].as_u64().unwrap();
        let versions = told.entry(entity).or_default();
        let fields = record["fields"].clone();
        let before = versions.insert(version, fields.clone());
        let same = before.is_none_or(|before| before == fields);
        assert!(same || how == Told::Anew, "two versions {version}");
    }
    assert_eq!(told.len(), PEOPLE);
    for (entity, versions) in told {
        let newest = *versions.last_key_value().unwrap().0;
        assert!(versions.into_keys().eq(1..=newest), "{entity}");
    }
}

/// Ends a worker in order, after a look at its laws.
pub fn ends_well(worker: Worker) {
    assert_eq!(worker.counted("baton_law_violations_total{"), 0);
    assert!(worker.end().success());
}
