//! Batches that are settled while the one before is still being written leave what batches settled one after the
//! other leave, whatever becomes of the commits.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use baton::engine::{Ahead, Consumed, Engine};
use baton_core::{id::Kind, value::Value};
use baton_store::{
    LedgerSeq, OutboxSeq,
    memory::{Boundary, Gate, Happens, Memory},
};
use proptest::{
    arbitrary::any,
    prelude::{Just, ProptestConfig, Strategy, prop, prop_assert_eq, prop_oneof, proptest},
};

use crate::given::{NOON, RULES, active, contact, engine_on, message};

/// One change: which system and person, what it says.
#[derive(Clone, Debug)]
enum Said {
    Title(u8),
    Address(u8, u8),
    /// The e-mail address of this number: people come to share them and leave them.
    Email(u8),
    /// The phone is blank, the name is said again.
    Nothing,
    Unreadable,
}

#[derive(Clone, Debug)]
struct Step {
    crm: bool,
    person: u8,
    said: Said,
}

fn step() -> impl Strategy<Value = Step> {
    let said = prop_oneof![
        4 => (0..4_u8).prop_map(Said::Title),
        3 => (0..4_u8, 0..4_u8).prop_map(|(street, city)| Said::Address(street, city)),
        2 => (0..6_u8).prop_map(Said::Email),
        1 => Just(Said::Nothing),
        1 => Just(Said::Unreadable),
    ];
    (any::<bool>(), 0..5_u8, said).prop_map(|(crm, person, said)| Step { crm, person, said })
}

fn batches() -> impl Strategy<Value = Vec<Vec<Step>>> {
    prop::collection::vec(prop::collection::vec(step(), 1..6), 1..8)
}

/// The batches as messages, in the order of the log.
fn messages(batches: &[Vec<Step>]) -> Vec<Vec<Consumed>> {
    let mut offsets = [0, 0];
    let mut second = 0;
    let made = batches.iter().map(|batch| {
        let made = batch.iter().map(|step| {
            second += 1;
            let system = usize::from(step.crm);
            let offset = offsets[system];
            offsets[system] += 1;
            let fields = match &step.said {
                Said::Title(n) => format!(r#""title":"title {n}""#),
                Said::Address(street, city) => {
                    format!(r#""street":"{street} Road","city":"city {city}""#)
                }
                Said::Email(n) => format!(r#""email":"p{n}@example.com""#),
                Said::Nothing => r#""title":null,"first_name":"Ann""#.to_owned(),
                Said::Unreadable => r#""title":{"#.to_owned(),
            };
            let id = format!("{}{}", if step.crm { "c" } else { "m" }, step.person);
            let name = ["map", "crm"][system];
            Consumed {
                // What is settled anew is settled later; that is no difference.
                arrival: NOON,
                ..message(name, offset, &contact(&id, second, &fields))
            }
        });
        made.collect()
    });
    made.collect()
}

/// Everything that a store holds, as text.
async fn held(engine: &Engine) -> Vec<String> {
    let store = &engine.store;
    let mut all = Vec::new();
    for state in store
        .entities_page(Kind::Person, None, 1_000)
        .await
        .unwrap()
    {
        let inputs = store.ledger(state.id, None).await.unwrap();
        let inputs = inputs.iter().map(|entry| format!("{:?}", entry.row));
        all.push(format!("{state:?} by {:?}", inputs.collect::<Vec<_>>()));
    }
    let ledger = store.ledger_page(LedgerSeq::default(), 10_000).await;
    all.extend(ledger.unwrap().iter().map(|e| format!("{:?}", e.row)));
    let outbox = store.outbox_page(OutboxSeq::default(), 10_000).await;
    let told = outbox.unwrap().into_iter();
    all.extend(told.map(|m| format!("{:?} {} {:?}", m.topic, m.key, m.body)));
    for topic in ["baton.crm.changes", "baton.map.changes"] {
        all.push(format!("{:?}", store.positions(topic).await.unwrap()));
    }
    let counts = store.counts().await.unwrap();
    all.push(format!("{:?} {:?}", counts.dead_letters, counts.parked));
    all
}

async fn engine(gate: Gate) -> Engine {
    let memory = Memory::default();
    let store = memory.store_behind(gate);
    memory.store().migrate().await.unwrap();
    engine_on(store, active(RULES)).await
}

/// The first thing that differs, since all of it is too long to be read.
fn first_difference(found: &[String], expected: &[String]) -> Option<(String, String)> {
    if found.len() != expected.len() {
        return Some((found.len().to_string(), expected.len().to_string()));
    }
    let mut both = found.iter().zip(expected);
    both.find(|(found, expected)| found != expected)
        .map(|(found, expected)| (found.clone(), expected.clone()))
}

fn nothing() -> Gate {
    Arc::new(|_| Box::pin(std::future::ready(Happens::Nothing)))
}

/// What comes of it one batch after the other.
async fn one_by_one(batches: &[Vec<Consumed>]) -> (Vec<String>, u64) {
    let engine = engine(nothing()).await;
    let mut consumed = 0;
    for batch in batches {
        consumed += engine.process(&mut batch.clone()).await.unwrap().consumed();
    }
    (held(&engine).await, consumed)
}

/// The same, each batch settled while the one before is being written. Whoever is told of a passing error tries again.
async fn ahead(engine: &Engine, batches: &[Vec<Consumed>]) -> u64 {
    let mut behind: Option<Ahead> = None;
    let mut consumed = 0;
    for batch in batches {
        let mut batch = batch.clone();
        while !batch.is_empty() {
            match engine.process_ahead(&mut batch, &mut behind).await {
                Ok(report) => consumed += report.consumed(),
                Err(error) => assert_eq!(error.passing(), baton::retry::Passing::Yes),
            }
        }
    }
    while behind.is_some() {
        match engine.finish(&mut behind).await {
            Ok(report) => consumed += report.consumed(),
            Err(error) => assert_eq!(error.passing(), baton::retry::Passing::Yes),
        }
    }
    consumed
}

/// Whoever has no part in the trial: nothing happens to them.
pub const QUIET: usize = usize::MAX / 2;

/// The store is away at the time of the given numbers, counted from 0 over reading, committing and having committed.
pub fn away(times: Vec<usize>, seen: Arc<AtomicUsize>) -> Gate {
    Arc::new(move |boundary| {
        let now = match boundary {
            Boundary::Write => QUIET,
            _ => seen.fetch_add(1, Ordering::Relaxed),
        };
        let happens = if times.contains(&now) {
            Happens::Away
        } else {
            Happens::Nothing
        };
        Box::pin(std::future::ready(happens))
    })
}

fn run<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(what)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn batches_settled_ahead_leave_what_they_leave_one_by_one(batches in batches()) {
        let batches = messages(&batches);
        run(async {
            let (expected, consumed) = one_by_one(&batches).await;
            let engine = engine(nothing()).await;
            prop_assert_eq!(ahead(&engine, &batches).await, consumed);
            prop_assert_eq!(first_difference(&held(&engine).await, &expected), None);
            Ok(())
        })?;
    }

    #[test]
    fn a_commit_that_fails_takes_what_was_settled_on_it_with_it(
        batches in batches(),
        times in prop::collection::vec(0..80_usize, 1..6),
    ) {
        let batches = messages(&batches);
        run(async {
            let (expected, _) = one_by_one(&batches).await;
            let seen = Arc::new(AtomicUsize::new(QUIET));
            let engine = engine(away(times, seen.clone())).await;
            seen.store(0, Ordering::Relaxed);
            ahead(&engine, &batches).await;
            seen.store(QUIET, Ordering::Relaxed);
            prop_assert_eq!(first_difference(&held(&engine).await, &expected), None);
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn somebody_elses_write_in_between_is_noticed_and_both_batches_are_settled_anew() {
    let memory = Memory::default();
    memory.store().migrate().await.unwrap();
    let worker = engine_on(memory.store(), active(RULES)).await;
    let change = |offset: i64, title: &str| {
        let fields = format!(r#""email":"ann@example.com","title":"{title}""#);
        message("crm", offset, &contact("c1", offset * 10, &fields))
    };
    worker.process(&mut vec![change(0, "CTO")]).await.unwrap();

    let mut behind = None;
    let mut batch = vec![change(1, "CEO")];
    worker.process_ahead(&mut batch, &mut behind).await.unwrap();
    // Another worker, which has the other system's topic, is faster at the same person.
    let other = engine_on(memory.store(), active(RULES)).await;
    let theirs = contact("m1", 15, r#""email":"ann@example.com","first_name":"Ann""#);
    let mut theirs = vec![message("map", 0, &theirs)];
    other.process(&mut theirs).await.unwrap();
    let mut batch = vec![change(2, "Boss")];
    while !batch.is_empty() {
        worker.process_ahead(&mut batch, &mut behind).await.unwrap();
    }
    worker.finish(&mut behind).await.unwrap();

    let all = worker.store.entities_page(Kind::Person, None, 9).await;
    let all = all.unwrap();
    assert_eq!(all.len(), 1);
    for (field, value) in [("title", "Boss"), ("first_name", "Ann")] {
        assert_eq!(*all[0].golden_value(field.into()), Value::text(value));
    }
    let inputs = worker.store.ledger(all[0].id, None).await.unwrap();
    assert_eq!(inputs.len(), 4, "each change once");
    assert!(inputs.is_sorted_by_key(|entry| entry.seq));
}
