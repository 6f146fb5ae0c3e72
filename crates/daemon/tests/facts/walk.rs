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

use crate::given::{NOON, engine_on, message, outbox, settle};

/// Two systems that speak Baton's own form, and are not waited for.
const SYSTEMS: &str = r#"
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

fn read(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>, root: &Path) {
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

/// The shipped rules for these two systems, with deals that name several people.
fn shipped() -> Active {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let mut files = BTreeMap::new();
    read(&root, &mut files, &root);
    files.insert("systems.toml".into(), SYSTEMS.into());
    let deal = String::from_utf8(files["deal.toml".as_ref() as &Path].clone()).unwrap();
    let one = "[deal.fields.contact]\ntype = \"reference\"";
    assert!(deal.contains(one));
    let several = deal.replace(one, "[deal.fields.contact]\ntype = \"multi_select\"");
    files.insert("deal.toml".into(), several.into());
    let loaded = baton_config::load_from(&files, &baton_config::Environment::default());
    let (rules, settings, texts) = sound(loaded).unwrap_or_else(|unsound| panic!("{unsound}"));
    Active::new(rules, settings, texts).unwrap()
}

struct Walk {
    engine: Engine,
    _kept: crate::given::Kept,
    told: i64,
}

impl Walk {
    async fn new() -> Self {
        let (store, kept) = crate::backing().await;
        Self {
            engine: engine_on(store, shipped()).await,
            _kept: kept,
            told: 0,
        }
    }

    /// Something that a system says of a record, so many hours after noon.
    async fn says(&mut self, hours: i64, system: &str, record: &str, rest: &str) {
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
    async fn passes(&self, hours: i64) {
        let to = NOON.plus(hours * HOUR);
        while let Some(due) = self.engine.store.next_due().await.unwrap() {
            if due > to {
                break;
            }
            self.engine.clock.advance_to(due);
            self.engine.fire_timers().await.unwrap();
        }
        self.engine.clock.advance_to(to);
    }

    async fn comes_in(&mut self, hours: i64, who: &str, points: u32) {
        let fields = format!(
            r#""fields":{{"email":"{who}@example.com","company":"Example","lead_score":{points}}}"#
        );
        self.says(hours, "map", &format!("contact:m-{who}"), &fields)
            .await;
    }

    async fn people(&self) -> Vec<baton_core::state::State> {
        let page = self.engine.store.entities_page(Kind::Person, None, 100);
        page.await.unwrap()
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
async fn a_month() -> Walk {
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
    let standings = walk.engine.store.standings(now).await.unwrap();
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
    let (ever, never) = (Millis(0), Millis::NEVER);
    let kept = walk.engine.store.deeds(ever, never).await.unwrap();
    let kept: BTreeSet<Digest> = kept.iter().map(|deed| deed.id).collect();
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
    let stages = |people: Vec<baton_core::state::State>| -> Vec<&'static str> {
        let funnels = people.into_iter().filter_map(|person| person.funnel);
        funnels
            .map(|funnel| funnel.present().stage.as_str())
            .collect()
    };
    assert_eq!(stages(walk.people().await), ["opportunity", "opportunity"]);
    // Forty-five days without a word are too many, but somebody talks to one of them.
    let met = r#""class":"activity","kind":"meeting","fields":{"by":"sales"}"#;
    walk.says(40 * 24, "crm", "contact:c-late", met).await;
    walk.passes(84 * 24).await;
    assert_eq!(stages(walk.people().await), ["opportunity", "opportunity"]);
    walk.passes(86 * 24).await;
    assert_eq!(stages(walk.people().await), ["recycled", "recycled"]);
}
