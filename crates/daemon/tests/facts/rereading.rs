//! A source that lost count of what changed: every known record is read again, bounded, once, and whoever crashes.

use std::collections::BTreeMap;

use baton::engine::Engine;
use baton_core::{
    book::{OutTopic, ParkedCode},
    change::Outcome,
};
use baton_store::{OutboxSeq, StewardState};

use crate::given::{NOON, RULES, active, contact, engine, engine_on, message, settle};

const OVERFLOW: &str =
    r#"{"object":"contact","class":"overflow","event_id":"lost-1","time":"2026-09-21T12:00:00Z"}"#;

/// How often each record of the crm was asked for because of an overflow.
async fn asked(engine: &Engine) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let mut after = OutboxSeq::default();
    loop {
        let page = engine.store.outbox_page(after, 1_000).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.seq;
        for row in &page {
            let body: serde_json::Value = serde_json::from_slice(&row.body).unwrap();
            if row.topic == OutTopic::Commands("crm".into())
                && body["kind"] == "read"
                && body["reason"] == "overflow"
            {
                let id = body["id"].as_str().unwrap().to_owned();
                *found.entry(id).or_default() += 1;
            }
        }
    }
    found
}

async fn people(engine: &Engine, count: i64) {
    let all: Vec<String> = (0..count)
        .map(|n| {
            let fields = format!(r#""email":"p{n}@example.com""#);
            contact(&format!("c{n}"), 0, &fields)
        })
        .collect();
    let messages = all.iter().zip(0..);
    let messages = messages.map(|(text, offset)| message("crm", offset, text));
    settle(engine, messages.collect()).await;
}

#[tokio::test]
async fn after_an_overflow_every_known_record_is_read_once_and_a_steward_is_told() {
    let (engine, _kept) = engine().await;
    people(&engine, 450).await;
    let outcomes = settle(&engine, vec![message("crm", 450, OVERFLOW)]).await;
    assert_eq!(outcomes, [(Outcome::Applied, 1)]);
    assert!(asked(&engine).await.is_empty(), "not all at once");
    let mut rounds = Vec::new();
    loop {
        let before = asked(&engine).await.len();
        engine.fire_timers().await.unwrap();
        match asked(&engine).await.len() - before {
            0 => break,
            some => rounds.push(some),
        }
    }
    assert_eq!(rounds, [200, 200, 50], "a bounded number at a time");
    assert!(asked(&engine).await.values().all(|times| *times == 1));
    let open = engine.store.parked(StewardState::Open, None, 10).await;
    let open = open.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].code, ParkedCode::LostChanges);
    assert!(open[0].why.contains("does not know"), "{}", open[0].why);
}

#[tokio::test]
async fn the_same_overflow_twice_is_a_duplicate_and_another_one_reads_again() {
    let (engine, _kept) = engine().await;
    people(&engine, 3).await;
    settle(&engine, vec![message("crm", 3, OVERFLOW)]).await;
    engine.fire_timers().await.unwrap();
    let outcomes = settle(&engine, vec![message("crm", 4, OVERFLOW)]).await;
    assert_eq!(outcomes, [(Outcome::Duplicate, 1)]);
    engine.fire_timers().await.unwrap();
    assert_eq!(asked(&engine).await.len(), 3);
    assert!(asked(&engine).await.values().all(|times| *times == 1));
    // More was lost while the readings are under way: they may have been too early.
    let more = OVERFLOW.replace("lost-1", "lost-2");
    settle(&engine, vec![message("crm", 5, &more)]).await;
    engine.fire_timers().await.unwrap();
    assert!(asked(&engine).await.values().all(|times| *times == 2));
}

#[tokio::test]
async fn a_loss_during_a_pass_makes_one_more_pass_however_often_it_is_told() {
    let (engine, _kept) = engine().await;
    people(&engine, 250).await;
    settle(&engine, vec![message("crm", 250, OVERFLOW)]).await;
    engine.fire_timers().await.unwrap();
    assert_eq!(asked(&engine).await.len(), 200, "in the middle of it");
    for (n, offset) in (2..6).zip(251..) {
        let more = OVERFLOW.replace("lost-1", &format!("lost-{n}"));
        settle(&engine, vec![message("crm", offset, &more)]).await;
    }
    while engine.fire_timers().await.unwrap() > 0 {}
    assert!(asked(&engine).await.values().all(|times| *times == 2));
    assert_eq!(asked(&engine).await.len(), 250);
}

#[tokio::test]
async fn a_pass_that_was_interrupted_goes_on_where_it_was() {
    let (engine, _kept) = engine().await;
    people(&engine, 250).await;
    settle(&engine, vec![message("crm", 250, OVERFLOW)]).await;
    engine.fire_timers().await.unwrap();
    // Another process on the same store, and the first one again, which knows nothing of it.
    let next = engine_on(engine.store.clone(), active(RULES)).await;
    next.clock.advance_to(NOON.plus(1));
    while next.fire_timers().await.unwrap() > 0 {}
    while engine.fire_timers().await.unwrap() > 0 {}
    assert_eq!(asked(&engine).await.len(), 250);
    assert!(asked(&engine).await.values().all(|times| *times == 1));
}

#[tokio::test]
async fn a_system_that_answers_no_reads_leaves_a_task_and_asks_nothing() {
    let (first, _kept) = engine().await;
    let mute = RULES.replace("[systems.crm]\n", "[systems.crm]\nreads = false\n");
    let engine = engine_on(first.store.clone(), active(&mute)).await;
    people(&engine, 2).await;
    let outcomes = settle(&engine, vec![message("crm", 2, OVERFLOW)]).await;
    assert_eq!(outcomes, [(Outcome::Parked, 1)]);
    engine.fire_timers().await.unwrap();
    assert!(asked(&engine).await.is_empty());
    let open = engine.store.parked(StewardState::Open, None, 10).await;
    assert_eq!(open.unwrap()[0].code, ParkedCode::LostChanges);
}
