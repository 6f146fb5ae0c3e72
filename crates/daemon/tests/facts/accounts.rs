//! What is said of an account reaches all its people, who are loaded for it.

use baton_core::{
    id::{EntityId, Object, RecordKey},
    input::StewardAct,
    state::{Lock, LockOn},
    value::Value,
};

use crate::walk::{Walk, answering};

/// Three people of one account, and one of another.
async fn people() -> Walk {
    people_of(Walk::new().await).await
}

async fn people_of(mut walk: Walk) -> Walk {
    for (who, account) in [
        ("ann", "001"),
        ("bea", "001"),
        ("cid", "001"),
        ("dot", "002"),
    ] {
        walk.comes_in(1, who, 20).await;
        let fields = format!(r#""fields":{{"email":"{who}@example.com","account":"{account}"}}"#);
        walk.says(2, "crm", &format!("contact:c-{who}"), &fields)
            .await;
    }
    walk
}

async fn out(walk: &Walk) -> Vec<&'static str> {
    let mut out = Vec::new();
    for who in ["ann", "bea", "cid", "dot", "eve"] {
        let record = RecordKey::new("map", Object::Contact, format!("m-{who}"));
        let state = walk.engine.store.entity_of(&record).await.unwrap();
        let is_out = |state: &baton_core::state::State| {
            *state.golden_value("marketing_suspended".into()) == Value::Bool(true)
        };
        if state.as_ref().is_some_and(is_out) {
            out.push(who);
        }
    }
    out
}

async fn says_out(walk: &mut Walk, hours: i64, out: bool) {
    let fields = format!(r#""fields":{{"name":"Example","no_marketing":{out}}}"#);
    walk.says(hours, "crm", "account:001", &fields).await;
}

#[tokio::test]
async fn the_crm_takes_an_account_out_of_marketing_and_everybody_of_it_goes() {
    let mut walk = people().await;
    says_out(&mut walk, 3, true).await;
    assert_eq!(out(&walk).await, ["ann", "bea", "cid"]);
    // Whoever comes to it later as well.
    walk.comes_in(4, "eve", 20).await;
    let fields = r#""fields":{"email":"eve@example.com","account":"001"}"#;
    walk.says(5, "crm", "contact:c-eve", fields).await;
    assert_eq!(out(&walk).await, ["ann", "bea", "cid", "eve"]);
    let moved = r#""fields":{"account":"002"}"#;
    walk.says(6, "crm", "contact:c-bea", moved).await;
    assert_eq!(out(&walk).await, ["ann", "cid", "eve"]);
    says_out(&mut walk, 7, false).await;
    assert!(out(&walk).await.is_empty());
}

#[tokio::test]
async fn what_a_reading_shows_of_an_account_counts_for_everybody_of_it_too() {
    let mut walk = people_of(Walk::of(answering()).await).await;
    let name = r#""fields":{"name":"Example"}"#;
    walk.says(3, "crm", "account:001", name).await;
    walk.says(4, "crm", "account:001", r#""class":"gap""#).await;
    let mut walk = walk.with_nothing_in_memory().await;
    walk.crm_shows(5, r#"{"name":"Example","no_marketing":true}"#)
        .await;
    let account = RecordKey::new("crm", Object::Account, "001");
    let state = walk.engine.store.entity_of(&account).await.unwrap();
    let shown = state.unwrap().golden_value("no_marketing".into()).clone();
    assert_eq!(shown, Value::Bool(true));
    assert_eq!(out(&walk).await, ["ann", "bea", "cid"]);
}

#[tokio::test]
async fn a_steward_takes_an_account_out_and_ends_it() {
    let mut walk = people().await;
    let name = r#""fields":{"name":"Example"}"#;
    walk.says(3, "crm", "account:001", name).await;
    let mut walk = walk.with_nothing_in_memory().await;
    let account = RecordKey::new("crm", Object::Account, "001");
    let account = walk
        .engine
        .store
        .entity_of(&account)
        .await
        .unwrap()
        .unwrap();
    let field = "no_marketing".into();
    let lock = Lock {
        on: LockOn::Value(Value::Bool(true)),
        reason: "at their wish".to_owned(),
        by: "Eve".to_owned(),
        at: walk.engine.clock.now(),
        expires: None,
    };
    act(&walk, account.id, StewardAct::Lock { field, lock }).await;
    walk = walk.with_nothing_in_memory().await;
    assert_eq!(out(&walk).await, ["ann", "bea", "cid"]);
    walk.passes(30).await;
    act(&walk, account.id, StewardAct::Unlock { field }).await;
    assert!(out(&walk).await.is_empty());
}

async fn act(walk: &Walk, account: EntityId, act: StewardAct) {
    walk.engine.act(account, &act).await.unwrap();
}
