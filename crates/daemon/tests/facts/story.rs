//! What fills a store with everything that a store can hold: told once, and kept as golden store and messages.

use baton::engine::{Engine, header};
use baton_core::{
    book::OutTopic,
    id::{EntityId, RecordKey},
    input::StewardAct,
    state::{Lock, LockOn},
    value::Value,
    wire,
};
use baton_store::Store;

use crate::given::{NOON, active, contact, engine_on, message, outbox, settle};

/// Rules with one field of every kind of strategy that keeps something of its own.
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
[person.fields.owner]
rule = { only = "crm" }
[person.fields.tags]
type = "multi_select"
rule = "union"
[person.fields.score]
type = "number"
rule = "counter"
[person.groups.address]
fields = ["street", "city"]
rule = "latest"
protect_manual_for = "180d"
[person.fields.street]
[person.fields.city]
[person.fields.no_mail]
type = "boolean"

[consent.email]
field = "no_mail"
address = "email"
states = { true = "opted_out", false = "opted_in" }

[ranks]
sources = ["crm", "map"]

[timing]
horizon = "7300d"
"#;

/// The entity that a record belongs to.
pub async fn entity(engine: &Engine, record: &str) -> EntityId {
    let record = RecordKey::parse(record).unwrap();
    let state = engine.store.entity_of(&record).await.unwrap();
    state.unwrap_or_else(|| panic!("{record} is unknown")).id
}

/// Every command to a system that waits for the relay, oldest first.
pub async fn commands(engine: &Engine, system: &str) -> Vec<wire::Command> {
    let topic = OutTopic::Commands(system.into());
    let rows = outbox(engine).await;
    let rows = rows.iter().filter(|row| row.topic == topic);
    rows.map(|row| serde_json::from_slice(&row.body).unwrap())
        .collect()
}

/// A target's answer to a command: done, with the record as it stands.
pub fn answer(command: &wire::Command, id: &str, seconds: i64) -> wire::CommandResult {
    wire::CommandResult {
        schema_version: wire::SchemaVersion::CURRENT,
        command_id: command.command_id.clone(),
        system: command.system.to_string(),
        object: command.object,
        id: Some(id.to_owned()),
        outcome: wire::ResultOutcome::Ok,
        stamp: Some(NOON.plus(seconds * 1_000).to_string()),
        record: Some(command.fields.clone().into_iter().collect()),
        refused: std::collections::BTreeMap::new(),
        error: None,
    }
}

/// An answer on its topic.
pub fn answered(result: &wire::CommandResult, offset: i64) -> baton::engine::Consumed {
    let body = serde_json::to_string(result).unwrap();
    let mut answer = message(&result.system, offset, &body);
    answer.topic = format!("baton.{}.results", result.system).into();
    answer
}

/// Plays it on an empty store.
pub async fn play(store: Store) -> Engine {
    let salt = "UPDATE meta SET value = X'000102030405060708090A0B0C0D0E0F' WHERE name = 'salt'";
    store.raw(salt).await.unwrap();
    store.set_log_id("a log of the story").await.unwrap();
    let engine = engine_on(store, active(RULES)).await;
    engine.note_start().await.unwrap();

    // Ann in both systems, with an address from each, a counter, a set, an opt-out; one part of a run.
    let ann = r#""email":"ann@example.com","first_name":"Ann","title":"CTO","owner":"sam","tags":["a","b"],
        "street":"12 New Road","city":"Leeds","score":5,"no_mail":"false""#;
    let mut first = message("crm", 0, &contact("c1", 0, ann));
    first.headers.push(header::RUN, b"run-of-the-story");
    settle(&engine, vec![first]).await;
    // Her address rests for a moment before it is written.
    engine.clock.advance_to(NOON.plus(3_000));
    engine.fire_timers().await.unwrap();
    let create = commands(&engine, "map").await.remove(0);
    settle(&engine, vec![answered(&answer(&create, "m1", 2), 0)]).await;
    let imported = contact(
        "m1",
        60,
        r#""street":"5 Old Lane","city":"York","tags":["b","c"]"#,
    )
    .replace("\"class\"", "\"cause\":\"list_import\",\"class\"");
    let opted_out = contact("m1", 70, r#""no_mail":"true""#)
        .replace("\"class\"", "\"cause\":\"own_form\",\"class\"");
    let counted = contact("m1", 80, r#""score":7},"before":{"score":5"#);
    let cleared = contact("c1", 90, r#""title":"""#);
    settle(
        &engine,
        vec![
            message("map", 0, &imported),
            message("map", 1, &opted_out),
            message("map", 2, &counted),
            message("crm", 1, &cleared),
            // The same once more, and one from before.
            message("crm", 2, &cleared),
            message("crm", 3, &contact("c1", -60, r#""title":"Buyer""#)),
        ],
    )
    .await;

    // Bob and Bea, who come to share an address: a task for a steward. Junk, and an object without a mapping.
    let person = |id: &str, email: &str| contact(id, 0, &format!(r#""email":"{email}""#));
    let lead = contact("l1", 0, r#""email":"lea@example.com","first_name":"Lea""#)
        .replace("\"contact\"", "\"lead\"");
    settle(
        &engine,
        vec![
            message("crm", 4, &person("c2", "bob@example.com")),
            message("crm", 5, &person("c3", "bea@example.com")),
            message("crm", 6, &contact("c3", 30, r#""email":"bob@example.com""#)),
            message("crm", 7, "{ no json"),
            message("crm", 8, &lead),
        ],
    )
    .await;

    // What stewards do: a lock, a merge, new rules.
    let lock = StewardAct::Lock {
        field: "first_name".into(),
        lock: Lock {
            on: LockOn::Value(Value::text("Anne")),
            reason: "she says so".into(),
            by: "sam".into(),
            at: NOON,
            expires: None,
        },
    };
    engine
        .act(entity(&engine, "crm:contact:c1").await, &lock)
        .await
        .unwrap();
    settle(
        &engine,
        vec![
            message("crm", 9, &person("c4", "cat@example.com")),
            message("crm", 10, &person("c5", "kat@example.com")),
        ],
    )
    .await;
    let (cat, kat) = (
        entity(&engine, "crm:contact:c4").await,
        entity(&engine, "crm:contact:c5").await,
    );
    engine.merge(cat, kat).await.unwrap();
    let other = RULES.replace("clear = \"ignore\"", "clear = \"hold\"");
    assert!(engine.activate(active(&other)).await.unwrap());
    assert!(engine.activate(active(RULES)).await.unwrap());

    // The crm lost count; a relay has its lease; an address that was just edited rests before it is written.
    let overflow = r#"{"object":"contact","class":"overflow","event_id":"lost-1","time":"2026-09-21T12:00:00Z"}"#;
    let moved = contact("c1", 100, r#""street":"14 New Road""#);
    settle(
        &engine,
        vec![message("crm", 11, overflow), message("crm", 12, &moved)],
    )
    .await;
    engine
        .store
        .take_lease("relay", "of the story", None)
        .await
        .unwrap();
    engine
}
