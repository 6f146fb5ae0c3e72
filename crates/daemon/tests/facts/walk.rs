//! People walk through the shipped funnel, from messages to what is kept of it: every deed is kept and published once,
//! and everybody stands where their funnel says.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use baton::{cli::sound, engine::Active, engine::Engine, funnel::Report};
use baton_core::{
    book::OutTopic,
    id::{Digest, Kind},
    time::{DAY, HOUR, Millis},
    wire::LifecycleMessage,
};

use baton_store::{Deed, OutboxRow, OutboxSeq};

use crate::given::{NOON, engine_on, message, outbox, settle};

/// Two systems that speak Baton's own form, and are not waited for.
pub const SYSTEMS: &str = r#"
[systems.crm]
format = "baton"
default_cause = "manual_edit"
acks = "none"
[systems.crm.objects.lead]
vendor = "lead"
create = "sales_ready"
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
default_cause = "manual_edit"
acks = "none"
[systems.map.objects.contact]
vendor = "contact"
create = "always"
"#;

pub fn read(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>, root: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, files, root);
        } else if path.extension().is_some() {
            let name = path.strip_prefix(root).unwrap().to_owned();
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

/// The shipped rules for the two systems, with deals that name several people.
fn shipped() -> Active {
    shipped_for(SYSTEMS)
}

fn shipped_for(systems: &str) -> Active {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let mut files = BTreeMap::new();
    read(&root, &mut files, &root);
    files.insert("systems.toml".into(), systems.into());
    let deal = String::from_utf8(files["deal.toml".as_ref() as &Path].clone()).unwrap();
    let one = "[deal.fields.contact]\ntype = \"reference\"";
    assert!(deal.contains(one));
    let several = deal.replace(one, "[deal.fields.contact]\ntype = \"multi_select\"");
    files.insert("deal.toml".into(), several.into());
    let loaded = baton_config::load_from(&files, &baton_config::Environment::default());
    let (rules, settings, texts) = sound(loaded).unwrap_or_else(|unsound| panic!("{unsound}"));
    Active::new(rules, settings, texts).unwrap()
}

/// The CRM's answers are waited for.
pub fn answering() -> Active {
    shipped_for(&SYSTEMS.replacen("acks = \"none\"\n", "", 1))
}

/// An engine with the shipped funnel, and a clock that goes with what is said.
pub struct Walk {
    pub engine: Engine,
    _kept: crate::given::Kept,
    told: i64,
}

impl Walk {
    pub async fn new() -> Self {
        Self::of(shipped()).await
    }

    pub async fn of(active: Active) -> Self {
        let (store, kept) = crate::backing().await;
        let engine = engine_on(store, active).await;
        engine.clock.advance_to(NOON);
        engine.note_start().await.unwrap();
        Self {
            engine,
            _kept: kept,
            told: 0,
        }
    }

    /// Another process on the same store.
    pub async fn with_nothing_in_memory(self) -> Self {
        let now = self.engine.clock.now();
        let active = Active::clone(&self.engine.active());
        let engine = engine_on(self.engine.store, active).await;
        engine.clock.advance_to(now);
        engine.note_start().await.unwrap();
        Self { engine, ..self }
    }

    /// Something that a system says of a record, so many hours after noon.
    pub async fn says(&mut self, hours: i64, system: &str, record: &str, rest: &str) {
        self.told += 1;
        let time = NOON.plus(hours * HOUR);
        self.passes(hours).await;
        let (object, id) = record.split_once(':').unwrap();
        let body = format!(r#"{{"object":"{object}","id":"{id}","time":"{time}",{rest}}}"#);
        let mut said = message(system, self.told, &body);
        said.arrival = time;
        let outcomes = settle(&self.engine, vec![said]).await;
        assert_eq!(outcomes.len(), 1, "{body}: {outcomes:?}");
    }

    /// Time goes by, and what falls due is carried out when it does.
    pub async fn passes(&self, hours: i64) {
        self.passes_until(NOON.plus(hours * HOUR)).await;
    }

    async fn passes_until(&self, to: Millis) {
        while let Some(due) = self.engine.store.next_due().await.unwrap() {
            if due > to {
                break;
            }
            self.engine.clock.advance_to(due);
            self.engine.fire_timers().await.unwrap();
        }
        self.engine.clock.advance_to(to);
    }

    pub async fn comes_in(&mut self, hours: i64, who: &str, points: u32) {
        let fields = format!(
            r#""fields":{{"email":"{who}@example.com","company":"Example","lead_score":{points}}}"#
        );
        self.says(hours, "map", &format!("contact:m-{who}"), &fields)
            .await;
    }

    /// The CRM refuses the last command that it got, ten seconds after the hour: as a whole, or these fields.
    async fn crm_refuses(&mut self, hours: i64, refused: &str) {
        let arrival = NOON.plus(hours * HOUR + 10_000);
        self.passes_until(arrival).await;
        let commands = outbox(&self.engine).await;
        let command = commands
            .iter()
            .rfind(|row| row.topic == OutTopic::Commands("crm".into()));
        let command: serde_json::Value = serde_json::from_slice(&command.unwrap().body).unwrap();
        let answer = serde_json::json!({
            "command_id": command["command_id"], "system": "crm", "object": "lead", "id": command["id"],
            "outcome": "refused", "error": "no room", "refused": serde_json::from_str::<serde_json::Value>(refused).unwrap(),
        });
        self.answers(arrival, &answer).await;
    }

    /// The CRM answers the last command that it got with the record as it stands.
    pub async fn crm_shows(&mut self, hours: i64, record: &str) {
        let arrival = NOON.plus(hours * HOUR);
        self.passes(hours).await;
        let commands = outbox(&self.engine).await;
        let of_crm = |row: &&OutboxRow| row.topic == OutTopic::Commands("crm".into());
        let command = commands.iter().rfind(of_crm).unwrap();
        let command: serde_json::Value = serde_json::from_slice(&command.body).unwrap();
        assert_eq!(command["kind"], "read");
        let answer = serde_json::json!({
            "command_id": command["command_id"], "system": "crm", "object": command["object"], "id": command["id"],
            "outcome": "ok", "stamp": arrival.to_string(),
            "record": serde_json::from_str::<serde_json::Value>(record).unwrap(),
        });
        self.answers(arrival, &answer).await;
    }

    async fn answers(&mut self, arrival: Millis, answer: &serde_json::Value) {
        self.told += 1;
        let mut said = message("crm", self.told, &answer.to_string());
        said.topic = "baton.crm.results".into();
        said.arrival = arrival;
        let report = self.engine.process(&mut vec![said]).await.unwrap();
        assert_eq!(report.answers, 1, "{answer}");
    }

    /// What the metrics say.
    fn metric(&self, name: &str) -> Option<u64> {
        let told = self.engine.metrics.expose();
        let line = told.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse().ok()
    }

    pub async fn people(&self) -> Vec<baton_core::state::State> {
        let page = self.engine.store.entities_page(Kind::Person, None, 100);
        page.await.unwrap()
    }

    /// Where everybody stands who stands anywhere.
    pub async fn stages(&self) -> Vec<&'static str> {
        let funnels = self.people().await.into_iter().filter_map(|p| p.funnel);
        let present = funnels.map(|funnel| funnel.present().clone());
        let stand = present.filter(|present| present.since.is_timed());
        stand.map(|present| present.stage.as_str()).collect()
    }

    /// Everything that was done, in the order in which it fell due.
    async fn deeds(&self) -> Vec<Deed> {
        let mut all = Vec::new();
        let store = &self.engine.store;
        store
            .each_deed(Millis(0), Millis::NEVER, |deed| all.push(deed))
            .await
            .unwrap();
        all
    }

    /// What the outbox has of the funnel.
    async fn published(&self) -> Vec<LifecycleMessage> {
        let rows = outbox(&self.engine).await.into_iter();
        rows.filter(|row| row.topic == OutTopic::Lifecycle)
            .map(|row| serde_json::from_slice(&row.body).unwrap())
            .collect()
    }
}

/// One below the line, one who is ready and is forgotten, one who is not ready and comes back, one who stalls and is
/// heard of late.
pub async fn a_month() -> Walk {
    let mut walk = Walk::new().await;
    walk.comes_in(0, "below", 20).await;
    walk.comes_in(1, "forgotten", 120).await;
    walk.comes_in(2, "unready", 130).await;
    walk.comes_in(3, "silent", 140).await;
    for who in ["unready", "silent"] {
        let email = format!(r#""fields":{{"email":"{who}@example.com"}}"#);
        walk.says(4, "crm", &format!("lead:c-{who}"), &email).await;
    }
    let finds = |ready| format!(r#""fields":{{"sales_ready":{ready},"sales_willing":true}}"#);
    walk.says(5, "crm", "lead:c-unready", &finds(false)).await;
    walk.says(5, "crm", "lead:c-silent", &finds(true)).await;
    walk.passes(31 * 24).await;
    let met = r#""class":"activity","kind":"meeting","fields":{"by":"sales"}"#;
    let late = NOON.plus(20 * DAY);
    let heard = format!(r#"{met},"event_id":"late""#);
    walk.told += 1;
    let body = format!(r#"{{"object":"lead","id":"c-silent","time":"{late}",{heard}}}"#);
    let mut said = message("crm", walk.told, &body);
    said.arrival = NOON.plus(31 * DAY);
    settle(&walk.engine, vec![said]).await;
    walk
}

#[tokio::test]
async fn everybody_stands_where_their_funnel_says() {
    let walk = a_month().await;
    let now = walk.engine.clock.now();
    let mut standings = Vec::new();
    let store = &walk.engine.store;
    store
        .each_standing(now, |stands| standings.push(stands))
        .await
        .unwrap();
    let mut by_stage: BTreeMap<String, u64> = BTreeMap::new();
    for state in walk.people().await {
        let here = state.funnel.as_ref().unwrap().present();
        let found: Vec<_> = standings.iter().filter(|s| s.entity == state.id).collect();
        assert_eq!(found.len(), 1, "{}", state.id);
        assert_eq!(
            (found[0].stage, found[0].since, found[0].episode),
            (here.stage, here.since, here.episode)
        );
        *by_stage.entry(here.stage.to_string()).or_default() += 1;
    }
    let expected = ["mql", "nurture", "recycled", "sal"];
    assert_eq!(by_stage.keys().collect::<Vec<_>>(), expected);
    let told = walk.engine.store.people_by_stage().await.unwrap();
    let told: BTreeMap<String, u64> = told.into_iter().map(|(s, n)| (s.to_string(), n)).collect();
    assert_eq!(told, by_stage);
}

#[tokio::test]
async fn every_deed_is_kept_and_published_once() {
    let walk = a_month().await;
    let published = walk.published().await;
    let ids: BTreeSet<Digest> = published.iter().map(|message| message.id).collect();
    assert_eq!(ids.len(), published.len());
    let kept: BTreeSet<Digest> = walk.deeds().await.iter().map(|deed| deed.id).collect();
    assert_eq!(kept, ids);
}

#[tokio::test]
async fn the_figures_are_those_of_the_month() {
    let walk = a_month().await;
    let active = walk.engine.active();
    let setup = active.rules.funnel.as_ref().unwrap();
    let now = walk.engine.clock.now();
    let report = Report::read(&walk.engine.store, setup, NOON.minus(DAY), now);
    let report = report.await.unwrap();
    // The silent one was given back after thirty days, and that was taken back.
    assert_eq!((report.recycled, report.recycle_keys), (2, 2));
    assert_eq!(report.revoked, 1);
    assert_eq!(report.recycles, BTreeMap::from([("timing".to_owned(), 1)]));
    assert_eq!(report.handoffs, 3);
    assert_eq!(report.leaked, 1);
    // Whoever is forgotten longer than a period waits all the same.
    let later = Report::read(&walk.engine.store, setup, now.minus(HOUR), now).await;
    let later = later.unwrap();
    assert_eq!((later.leaked, later.breaches), (1, 0));
    let by = Report::read_by(
        &walk.engine.store,
        setup,
        "company".into(),
        now.minus(HOUR),
        now,
    );
    assert_eq!(by.await.unwrap()["Example"].leaked, 1);
    let moved = |from: &str, to: &str| {
        let found = report.moves.iter();
        let found = found.filter(|m| (m.from, m.to) == (from.into(), to.into()));
        found.map(|m| m.people).sum::<u64>()
    };
    assert_eq!(moved("nurture", "mql"), 3);
    assert_eq!(moved("sdr_review", "sal"), 1);
    assert_eq!(moved("sdr_review", "recycled"), 1);
    assert_eq!(moved("sal", "recycled"), 0);
}

#[tokio::test]
async fn a_deal_and_its_people_find_each_other_in_the_store_whichever_comes_first() {
    let mut walk = Walk::new().await;
    let email = |who: &str| format!(r#""fields":{{"email":"{who}@example.com"}}"#);
    let early = email("early");
    walk.says(0, "crm", "contact:c-early", &early).await;
    let opens = r#""fields":{"contact":["c-early","c-late"],"stage":"Proposal","closed":false}"#;
    walk.says(1, "crm", "deal:d", opens).await;
    walk.says(2, "crm", "contact:c-late", &email("late")).await;
    assert_eq!(walk.stages().await, ["opportunity", "opportunity"]);
    // Forty-five days without a word are too many, but somebody talks to one of them.
    let met = r#""class":"activity","kind":"meeting","fields":{"by":"sales"}"#;
    walk.says(40 * 24, "crm", "contact:c-late", met).await;
    walk.passes(84 * 24).await;
    assert_eq!(walk.stages().await, ["opportunity", "opportunity"]);
    walk.passes(86 * 24).await;
    assert_eq!(walk.stages().await, ["recycled", "recycled"]);
}

#[tokio::test]
async fn promises_that_were_kept_are_counted_beside_those_that_were_broken() {
    let walk = a_month().await;
    let of = |metric: &str, clock: &str| {
        walk.metric(&format!(
            "baton_{metric}_total{{clock=\"{clock}\",shadow=\"false\"}}"
        ))
    };
    // Two were looked at in time, one was forgotten; of the two nobody followed through.
    assert_eq!(of("promises_kept", "follow_up"), Some(2));
    assert_eq!(of("breaches", "follow_up"), Some(1));
    assert_eq!(of("promises_kept", "follow_through"), None);
}

#[tokio::test]
async fn a_handoff_that_the_crm_refuses_is_counted_whether_it_makes_a_record_or_changes_one() {
    let refused = |walk: &Walk| walk.metric("baton_handoffs_refused_total");
    let mut walk = Walk::of(answering()).await;
    walk.comes_in(0, "new", 20).await;
    walk.comes_in(1, "new", 120).await;
    assert_eq!(refused(&walk), Some(0));
    walk.crm_refuses(1, "{}").await;
    assert_eq!(refused(&walk), Some(1), "a record is not made");

    for (points, expected) in [(20, 0), (120, 1)] {
        let mut walk = Walk::of(answering()).await;
        let email = r#""fields":{"email":"known@example.com"}"#;
        walk.says(0, "crm", "lead:c-known", email).await;
        walk.comes_in(1, "known", points).await;
        let too_long = r#"{"sales_handoff":"too long","company":"too long"}"#;
        walk.crm_refuses(1, too_long).await;
        assert_eq!(refused(&walk), Some(expected), "{points} points");
    }
}

/// More than fit into two transactions of timers.
const MANY: i64 = 1_100;

/// So many become ready at once, and nobody has looked at them when time has run out.
async fn many_are_forgotten() -> Walk {
    let walk = Walk::new().await;
    let come = (0..MANY).map(|n| {
        let fields = format!(
            r#""fields":{{"email":"p{n}@example.com","company":"Example","lead_score":120}}"#
        );
        let body = format!(r#"{{"object":"contact","id":"m-{n}","time":"{NOON}",{fields}}}"#);
        let mut said = message("map", n, &body);
        said.arrival = NOON;
        said
    });
    settle(&walk.engine, come.collect()).await;
    walk
}

async fn each_promise_is_broken_once(walk: &Walk) {
    let deeds = walk.deeds().await;
    let broken: Vec<_> = deeds.iter().filter(|d| d.what == "breach").collect();
    let people: BTreeSet<_> = broken.iter().map(|deed| deed.entity).collect();
    assert_eq!((broken.len(), people.len()), (1_100, 1_100));
    let mut told = 0;
    let mut after = OutboxSeq::default();
    loop {
        let page = walk.engine.store.outbox_page(after, 1_000).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.seq;
        told += page
            .iter()
            .filter(|row| row.topic == OutTopic::Lifecycle)
            .map(|row| serde_json::from_slice::<LifecycleMessage>(&row.body).unwrap())
            .filter(|message| message.told.kind() == "breach")
            .count();
    }
    assert_eq!(told, 1_100);
}

#[tokio::test]
async fn timers_of_more_people_than_fit_one_transaction_are_each_carried_out_once() {
    let walk = many_are_forgotten().await;
    walk.passes(25).await;
    each_promise_is_broken_once(&walk).await;
    let broken = r#"baton_breaches_total{clock="follow_up",shadow="false"}"#;
    assert_eq!(walk.metric(broken), Some(1_100));
    let due = walk.engine.clock.now();
    assert_eq!(walk.engine.store.overdue(due).await.unwrap(), (0, None));
}

#[tokio::test]
async fn two_workers_at_the_same_timers_carry_each_out_once() {
    let walk = many_are_forgotten().await;
    let other = engine_on(walk.engine.store.clone(), shipped()).await;
    let all_is_due = NOON.plus(25 * HOUR);
    for engine in [&walk.engine, &other] {
        engine.clock.advance_to(all_is_due);
    }
    let (one, two) = tokio::join!(walk.engine.fire_timers(), other.fire_timers());
    assert!(one.unwrap() > 0 && two.unwrap() > 0);
    each_promise_is_broken_once(&walk).await;
}
