//! What stewards do, beside a daemon that goes on.

use baton_core::{
    change::Outcome,
    id::RecordKey,
    input::{Input, StewardAct},
    state::{Lock, LockOn},
    value::Value,
};
use baton_store::StewardState;

use crate::given::{
    NOON, RULES, active, contact, engine, engine_on, golden, message, settle, store,
};

#[tokio::test]
async fn a_lock_set_by_another_process_holds_against_the_daemons_next_batch() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = engine_on(store(folder.path()).await, active(RULES)).await;
    let first = contact("c1", 0, r#""email":"ann@example.com","title":"CTO""#);
    settle(&daemon, vec![message("crm", 0, &first)]).await;

    let steward = engine_on(store(folder.path()).await, active(RULES)).await;
    let record = RecordKey::parse("crm:contact:c1").unwrap();
    let person = steward.store.entity_of(&record).await.unwrap().unwrap().id;
    let act = StewardAct::Lock {
        field: "title".into(),
        lock: Lock {
            on: LockOn::Value(Value::text("CEO")),
            reason: "she was promoted".into(),
            by: "sam".into(),
            at: NOON,
            expires: None,
        },
    };
    steward.act(person, &act).await.unwrap();

    let next = contact("c1", 9, r#""title":"Head of IT""#);
    settle(&daemon, vec![message("crm", 1, &next)]).await;
    assert_eq!(
        golden(&daemon, "crm:contact:c1", "title").await,
        Value::text("CEO")
    );
}

#[tokio::test]
async fn a_dead_letter_is_settled_once_the_mapping_knows_its_object() {
    let (engine, _folder) = engine().await;
    let lead = contact("l1", 0, r#""email":"ann@example.com","first_name":"Ann""#)
        .replace("\"contact\"", "\"lead\"");
    let outcomes = settle(&engine, vec![message("crm", 0, &lead)]).await;
    assert_eq!(outcomes, [(Outcome::DeadLettered, 1)]);
    let open = engine
        .store
        .dead_letters(StewardState::Open, None, 10)
        .await
        .unwrap();

    // Still unknown: it stays.
    engine.retry_dead_letters(&open).await.unwrap();
    let (_, state) = engine.store.dead_letter(open[0].id).await.unwrap().unwrap();
    assert_eq!(state, StewardState::Open);

    let mended = format!("{RULES}\n[systems.crm.objects.lead]\nvendor = \"lead\"\n");
    engine.activate(active(&mended)).await.unwrap();
    let report = engine.retry_dead_letters(&open).await.unwrap();
    assert_eq!(report.outcomes[&Outcome::Applied], 1);
    let (_, state) = engine.store.dead_letter(open[0].id).await.unwrap().unwrap();
    assert_eq!(state, StewardState::Retried);
    assert_eq!(
        golden(&engine, "crm:lead:l1", "first_name").await,
        Value::text("Ann")
    );
    // Reading it again moved no position.
    let positions = engine.store.positions("baton.crm.changes").await.unwrap();
    assert_eq!(positions[0].next, 1);
}

#[tokio::test]
async fn an_activation_is_noted_once() {
    let (engine, _folder) = engine().await;
    assert!(engine.note_start().await.unwrap());
    assert!(!engine.note_start().await.unwrap());
    let other = RULES.replace("clear = \"ignore\"", "clear = \"hold\"");
    assert!(engine.activate(active(&other)).await.unwrap());
    let versions: Vec<String> = engine
        .store
        .activations()
        .await
        .unwrap()
        .into_iter()
        .map(|activation| activation.version)
        .collect();
    assert_eq!(versions.len(), 2);
    assert_ne!(versions[0], versions[1]);
}

#[tokio::test]
async fn erasure_leaves_no_value_in_state_ledger_and_dead_letters() {
    let (engine, _folder) = engine().await;
    let change = contact("c1", 0, r#""email":"ann@example.com","first_name":"Ann""#);
    let broken = r#"{"email": "ANN@example.com", broken"#;
    let other = r#"{"email": "bob@example.com", broken"#;
    settle(
        &engine,
        vec![
            message("crm", 0, &change),
            message("crm", 1, broken),
            message("crm", 2, other),
        ],
    )
    .await;
    let record = RecordKey::parse("crm:contact:c1").unwrap();
    let person = engine.store.entity_of(&record).await.unwrap().unwrap().id;
    let erased = engine.erase(person).await.unwrap();
    assert_eq!((erased.inputs, erased.dead_letters), (1, 1));

    let state = engine.store.entity(person).await.unwrap().unwrap();
    let kept = serde_json::to_string(&state.golden.values().map(|g| &g.value).collect::<Vec<_>>());
    assert!(!kept.unwrap().contains("nn"), "{:?}", state.golden);
    for entry in engine.store.ledger(person, None).await.unwrap() {
        if let Input::Change(change) = entry.row.input {
            assert!(change.fields.iter().all(|f| f.value.is_blank()));
        }
    }
    let open = engine
        .store
        .dead_letters(StewardState::Open, None, 10)
        .await
        .unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].payload, other.as_bytes());
}

#[tokio::test]
async fn two_people_become_one_and_two_again() {
    let (engine, _folder) = engine().await;
    let ann = contact("c1", 0, r#""email":"ann@example.com","first_name":"Ann""#);
    let anna = contact("m1", 5, r#""email":"anna@example.com","first_name":"Anna""#);
    settle(&engine, vec![message("crm", 0, &ann)]).await;
    settle(&engine, vec![message("map", 0, &anna)]).await;
    let id = |text: &str| {
        let record = RecordKey::parse(text).unwrap();
        let store = engine.store.clone();
        async move { store.entity_of(&record).await.unwrap().unwrap().id }
    };
    let (one, two) = (id("crm:contact:c1").await, id("map:contact:m1").await);
    assert_ne!(one, two);
    engine.merge(one, two).await.unwrap();
    assert_eq!(id("map:contact:m1").await, one);
    engine.unmerge(one, two).await.unwrap();
    assert_eq!(id("map:contact:m1").await, two);
    assert_eq!(
        golden(&engine, "crm:contact:c1", "first_name").await,
        Value::text("Ann")
    );
    assert_eq!(
        golden(&engine, "map:contact:m1", "first_name").await,
        Value::text("Anna")
    );
}
