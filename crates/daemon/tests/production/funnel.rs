//! L9 where it counts: two workers on Kafka and PostgreSQL, killed at every step while everybody falls due at once; what
//! is told twice, and what is told late, moves nobody twice.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use baton::faults::Step;
use baton_core::{
    id::{Object, RecordKey},
    time::{DAY, MINUTE, Millis},
};
use baton_store::{OutboxSeq, Store};

use crate::{
    clocks::Off,
    ground::{Ground, PATIENCE, root},
    load::ends_well,
    worker::Worker,
};

/// Two systems that speak Baton's own form and never answer, with the shipped fields, consent and funnel.
const SYSTEMS: &str = r#"
[systems.crm]
format = "baton"
acks = "none"
default_cause = "manual_edit"
[systems.crm.objects.contact]
vendor = "contact"
create = "never"
[systems.crm.objects.account]
vendor = "account"
create = "never"
[systems.crm.objects.deal]
vendor = "deal"
create = "never"

[systems.map]
format = "baton"
acks = "none"
default_cause = "manual_edit"
[systems.map.objects.contact]
vendor = "contact"
create = "never"
"#;

const PEOPLE: usize = 40;

fn rules() -> Vec<(String, String)> {
    let shipped = |name: &str| {
        let text = fs::read_to_string(root().join("config").join(name)).unwrap();
        // A late call may be dated some minutes after it is told, so that no clock is asked here.
        (
            name.to_owned(),
            text.replace("clamp = \"5m\"", "clamp = \"60m\""),
        )
    };
    let names = [
        "person.toml",
        "account.toml",
        "deal.toml",
        "consent.toml",
        "identity.toml",
        "timing.toml",
        "lifecycle.toml",
    ];
    let mut files: Vec<(String, String)> = names.map(shipped).into();
    for entry in fs::read_dir(root().join("config/holidays")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        files.push(shipped(Path::new("holidays").join(name).to_str().unwrap()));
    }
    files.push(("systems.toml".to_owned(), SYSTEMS.to_owned()));
    files
}

/// One message of each of these people.
fn each(people: impl Iterator<Item = usize>, message: impl Fn(usize) -> String) -> String {
    let mut lines = String::new();
    for person in people {
        writeln!(lines, "{}", message(person)).unwrap();
    }
    lines
}

fn says(id: char, person: usize, fields: &str) -> String {
    format!(
        r#"{{"object":"contact","id":"{id}{person}","class":"delta","fields":{{"email":"p{person}@example.com",{fields}}}}}"#
    )
}

/// Two workers, one of which is killed whenever it comes to a step.
struct Pair<'g> {
    ground: &'g Ground,
    workers: Vec<(&'static str, std::net::SocketAddr, Worker)>,
    off: &'g Off,
    kills: usize,
}

impl Pair<'_> {
    fn start(&mut self, at: usize, step: Option<Step>) {
        let (name, admin, _) = &self.workers[at];
        let crash = step.map(|step| format!("{}:1", step.name()));
        let mut with = vec![("BATON_CLOCK", self.off.path())];
        with.extend(crash.as_deref().map(|crash| ("BATON_CRASH", crash)));
        let worker = self.ground.launch(name, *admin, &[], &with);
        self.workers[at].2 = worker;
    }

    /// Kills both: one to come back as it was, the other to be killed again when it comes to the step.
    fn is_struck(&mut self, step: Step) {
        for at in 0..self.workers.len() {
            self.workers[at].2.dies();
        }
        self.kills += 1;
        self.start(0, Some(step));
        self.start(1, None);
    }

    /// Whoever has come to its step is there again.
    fn goes_on(&mut self) {
        for at in 0..self.workers.len() {
            if self.workers[at].2.process.try_wait().unwrap().is_some() {
                self.kills += 1;
                self.start(at, None);
            }
        }
    }

    async fn until(
        &mut self,
        what: &str,
        store: &Store,
        wanted: impl Fn(&BTreeMap<String, usize>) -> bool,
    ) {
        let rest = async {
            loop {
                self.goes_on();
                let waiting = store.outbox_page(OutboxSeq::default(), 1).await.unwrap();
                if waiting.is_empty() && wanted(&stages(store).await) {
                    return;
                }
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, rest).await;
        assert!(in_time.is_ok(), "{what}: {:?}", stages(store).await);
    }
}

async fn stages(store: &Store) -> BTreeMap<String, usize> {
    let people = store.people_by_stage().await.unwrap();
    let people = people.into_iter();
    people
        .map(|(stage, people)| (stage.to_string(), usize::try_from(people).unwrap()))
        .collect()
}

fn feed(ground: &Ground, system: &str, name: &str, text: &str) {
    let file = ground.folder.path().join(name);
    fs::write(&file, text).unwrap();
    // Everything comes twice.
    for _ in 0..2 {
        ground.baton(
            "one",
            &["ingest", "--system", system, file.to_str().unwrap()],
        );
    }
}

/// Since when the last of them has been in review.
async fn in_review_since(store: &Store) -> Millis {
    let mut last = Millis::UNTIMED;
    for person in 0..PEOPLE {
        let record = RecordKey::new("crm", Object::Contact, format!("c{person}"));
        let state = store.entity_of(&record).await.unwrap().unwrap();
        last = last.max(state.funnel.unwrap().present().since);
    }
    last
}

async fn everybody_goes_back_once(ground: Ground, steps: &[Step]) {
    let rules = rules();
    let admins = ["one", "two"].map(|name| (name, ground.configure(name, &rules)));
    ground.baton("one", &["migrate"]);
    let off = Off::new(&ground, "both", 0);
    let store = ground.store().await;
    let with = [("BATON_CLOCK", off.path())];
    let workers = admins.map(|(name, admin)| (name, admin, ground.start_with(name, admin, &with)));
    let mut pair = Pair {
        ground: &ground,
        workers: workers.into(),
        off: &off,
        kills: 0,
    };
    let mut steps = steps.iter().copied().cycle();
    let all = |stage: &'static str, people: usize| {
        move |stages: &BTreeMap<String, usize>| stages.get(stage) == Some(&people)
    };

    let ready = each(0..PEOPLE, |p| {
        says('m', p, r#""company":"Acme","lead_score":150"#)
    });
    feed(&ground, "map", "ready.jsonl", &ready);
    pair.is_struck(steps.next().unwrap());
    pair.until("everybody is ready", &store, all("mql", PEOPLE))
        .await;

    let worked = each(0..PEOPLE, |p| says('c', p, r#""status":"working""#));
    feed(&ground, "crm", "worked.jsonl", &worked);
    pair.is_struck(steps.next().unwrap());
    pair.until(
        "sales works on everybody",
        &store,
        all("sdr_review", PEOPLE),
    )
    .await;
    let since = in_review_since(&store).await;

    // Nobody does anything for two weeks. All fall due at once.
    off.set(14 * DAY + MINUTE);
    pair.is_struck(steps.next().unwrap());
    pair.until("everybody goes back", &store, all("recycled", PEOPLE))
        .await;

    // Half of them had been called.
    let called = since.plus(50 * MINUTE);
    let calls = each(0..PEOPLE / 2, |person| {
        format!(
            r#"{{"object":"contact","id":"c{person}","class":"activity","kind":"call_connected","time":"{called}","event_id":"call-{person}","fields":{{"by":"sales"}}}}"#
        )
    });
    feed(&ground, "crm", "calls.jsonl", &calls);
    pair.is_struck(steps.next().unwrap());
    pair.until(
        "the called are with sales again",
        &store,
        all("sdr_review", PEOPLE / 2),
    )
    .await;

    assert!(pair.kills >= 4, "{}", pair.kills);
    let mut workers = pair.workers.into_iter().map(|(_, _, worker)| worker);
    let one = workers.next().unwrap();
    told_once(&ground, &store).await;
    for worker in workers.chain([one]) {
        ends_well(worker);
    }
}

/// One return of everybody, half of them taken back: on the log, in the store, and in the figures.
async fn told_once(ground: &Ground, store: &Store) {
    let messages = ground.json(
        "one",
        &["tail", "lifecycle", "--from-start", "--until-idle"],
    );
    let mut told: BTreeMap<String, serde_json::Value> = BTreeMap::new();
    for message in messages {
        let value = &message["value"];
        let id = value["id"].as_str().unwrap().to_owned();
        let first = told.entry(id).or_insert_with(|| value.clone());
        assert_eq!(first, value, "one id, two deeds");
    }
    let count = |kind: &str| told.values().filter(|m| m["kind"] == kind).count();
    assert_eq!(count("recycle"), PEOPLE);
    assert_eq!(count("handoff"), PEOPLE);
    let mut deeds = Vec::new();
    let all = (Millis::UNTIMED, Millis::NEVER.minus(1));
    store
        .each_deed(all.0, all.1, |deed| deeds.push(deed))
        .await
        .unwrap();
    let returns: Vec<_> = deeds.iter().filter(|deed| deed.what == "recycle").collect();
    assert_eq!(returns.len(), PEOPLE);
    let taken_back = returns.iter().filter(|deed| deed.undone.is_some()).count();
    assert_eq!(taken_back, PEOPLE / 2);
    assert_eq!(told.len(), deeds.len(), "what was told is what is stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn l9_everybody_goes_back_once_whatever_two_workers_die_of_on_kafka_and_postgresql() {
    let mut all = Vec::new();
    let thirds = [
        (
            "a",
            [Step::Applied, Step::Committed, Step::Due, Step::Published],
        ),
        (
            "b",
            [Step::Committed, Step::Published, Step::Fired, Step::Applied],
        ),
        (
            "c",
            [
                Step::Consumed,
                Step::PageRead,
                Step::Cleared,
                Step::Committed,
            ],
        ),
    ];
    for (name, steps) in thirds {
        let Some(mut ground) = Ground::find(&format!("funnel-{name}")).await else {
            return;
        };
        ground.batch = 20;
        ground.notices_deaths_soon();
        all.push(tokio::spawn(async move {
            everybody_goes_back_once(ground, &steps).await;
        }));
    }
    for one in all {
        one.await.unwrap();
    }
}
