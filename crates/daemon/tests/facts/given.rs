//! Two systems that speak Baton's own form, an engine on a store of its own, and a clock that is set by hand.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use baton::{
    cli::sound,
    clock::Clock,
    engine::{Active, Consumed, Engine, Headers},
    telemetry::Metrics,
};
use baton_core::{change::Outcome, id::RecordKey, time::Millis, value::Value};
use baton_store::{Options, OutboxRow, OutboxSeq, Store};

pub const RULES: &str = r#"
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
[person.fields.first_name]
[person.fields.title]
[person.groups.address]
fields = ["street", "city"]
[person.fields.street]
[person.fields.city]

[ranks]
sources = ["crm", "map"]

# The command line stamps arrivals by the machine's clock, for twenty years to come.
[timing]
horizon = "7300d"
"#;

/// The instant at which every test begins.
pub const NOON: Millis = Millis(1_790_000_000_000);

/// What a text of rules makes active.
pub fn active(text: &str) -> Active {
    let files = BTreeMap::from([(PathBuf::from("rules.toml"), text)]);
    let loaded = baton_config::load_from(&files, &baton_config::Environment::default());
    let (rules, settings, texts) = sound(loaded).unwrap_or_else(|unsound| panic!("{unsound}"));
    Active::new(rules, settings, texts).unwrap()
}

/// The store in a folder.
pub async fn store(folder: &Path) -> Store {
    let store = Store::open_sqlite(&folder.join("baton.db"), &Options::default())
        .await
        .unwrap();
    store.migrate().await.unwrap();
    store
}

/// An engine on a store.
pub async fn engine_on(store: Store, active: Active) -> Engine {
    let metrics = Arc::new(Metrics::default());
    Engine::new(store, active, Clock::simulated(NOON), metrics)
        .await
        .unwrap()
}

/// What keeps a test's store alive: a folder, or a database on a server.
pub type Kept = Box<dyn std::any::Any>;

/// An engine on a store of its own, which lives as long as the handle. Which database it is says the crate root:
/// the same facts run on SQLite and on PostgreSQL.
pub async fn engine() -> (Engine, Kept) {
    let (store, kept) = crate::backing().await;
    (engine_on(store, active(RULES)).await, kept)
}

/// A message on a system's topic of changes, `offset` milliseconds after noon.
pub fn message(system: &str, offset: i64, payload: &str) -> Consumed {
    Consumed {
        topic: Arc::from(format!("baton.{system}.changes")),
        partition: 0,
        offset,
        arrival: NOON.plus(offset),
        born: None,
        key: None,
        payload: Some(payload.as_bytes().to_vec()),
        headers: Headers::default(),
    }
}

/// One contact's change, `seconds` after noon by the vendor's clock.
pub fn contact(id: &str, seconds: i64, fields: &str) -> String {
    let time = NOON.plus(seconds * 1_000);
    format!(
        r#"{{"object":"contact","id":"{id}","class":"delta","time":"{time}","fields":{{{fields}}}}}"#
    )
}

/// Settles messages and gives the outcomes with their counts.
pub async fn settle(engine: &Engine, messages: Vec<Consumed>) -> Vec<(Outcome, u64)> {
    let mut batch = messages;
    let report = engine.process(&mut batch).await.unwrap();
    report.outcomes.into_iter().collect()
}

/// A golden value of the person that a record belongs to.
pub async fn golden(engine: &Engine, record: &str, field: &str) -> Value {
    let record = RecordKey::parse(record).unwrap();
    let state = engine.store.entity_of(&record).await.unwrap().unwrap();
    state.golden_value(field.into()).clone()
}

/// Everything that waits for the relay.
pub async fn outbox(engine: &Engine) -> Vec<OutboxRow> {
    engine
        .store
        .outbox_page(OutboxSeq::default(), 1_000)
        .await
        .unwrap()
}
