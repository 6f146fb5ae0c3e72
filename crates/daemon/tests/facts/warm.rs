//! People who are kept at hand are those that stand in the store, whoever has written them.

use baton_core::{id::RecordKey, value::Value};
use baton_store::memory::Memory;

use crate::given::{RULES, active, contact, engine_on, golden, message, settle};

#[tokio::test]
async fn what_another_worker_wrote_is_seen_though_the_person_is_at_hand() {
    let memory = Memory::default();
    memory.store().migrate().await.unwrap();
    let one = engine_on(memory.store(), active(RULES)).await;
    let two = engine_on(memory.store(), active(RULES)).await;
    let say = |partition, offset, second, fields| {
        let mut said = message("crm", offset, &contact("c1", second, fields));
        said.partition = partition;
        vec![said]
    };
    let ann = r#""email":"ann@example.com","title":"Engineer""#;
    settle(&one, say(0, 0, 0, ann)).await;
    // The first has her at hand; the second changes her.
    settle(&two, say(1, 0, 2, r#""title":"Manager""#)).await;
    settle(&one, say(0, 1, 4, r#""first_name":"Ann""#)).await;
    assert_eq!(
        golden(&one, "crm:contact:c1", "title").await,
        Value::text("Manager")
    );
    assert_eq!(
        golden(&one, "crm:contact:c1", "first_name").await,
        Value::text("Ann")
    );
    assert_eq!(one.metrics.conflicts.get(), 0, "it was noticed in time");
    // Her inputs stand one behind the other, none left out.
    let record = RecordKey::parse("crm:contact:c1").unwrap();
    let person = one.store.entity_of(&record).await.unwrap().unwrap();
    assert_eq!(one.store.ledger(person.id, None).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_group_that_need_not_rest_wakes_nobody() {
    let due = async |rest: &str| {
        let memory = Memory::default();
        memory.store().migrate().await.unwrap();
        let rules = RULES.replace("always", "never");
        let rules = rules.replace("[timing]", &format!("[timing]\ntuple_settle = \"{rest}\""));
        let engine = engine_on(memory.store(), active(&rules)).await;
        let address = r#""email":"ann@example.com","street":"1 Road","city":"Bonn""#;
        let said = message("crm", 0, &contact("c1", 0, address));
        settle(&engine, vec![said]).await;
        engine.store.next_due().await.unwrap()
    };
    assert!(due("2s").await.is_some());
    assert_eq!(due("0s").await, None);
}
