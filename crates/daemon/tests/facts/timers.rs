//! Timers of several transactions, of which one is read, one settled and one written at a time.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use baton::{engine::Engine, retry::Passing};
use baton_core::{book::Item, id::EntityId};
use baton_store::{
    LedgerSeq,
    memory::{Boundary, Gate, Happens, Memory},
};

use crate::{
    ahead::{QUIET, away},
    given::{NOON, RULES, active, engine_on},
};

/// More than two transactions take.
const PEOPLE: usize = 1_200;

/// An engine on a store with people whose timers are due.
async fn engine_with_timers(memory: &Memory, gate: Gate) -> Engine {
    memory.store().migrate().await.unwrap();
    let store = memory.store_behind(gate);
    let due = NOON.minus(1_000);
    store.put_sleepers(PEOPLE as u64, due).await.unwrap();
    engine_on(store, active(RULES)).await
}

/// Whom the ledger says to have been woken, in its order.
async fn woken(engine: &Engine) -> Vec<EntityId> {
    let page = engine.store.ledger_page(LedgerSeq::default(), 10_000).await;
    page.unwrap().iter().map(|entry| entry.row.entity).collect()
}

async fn due(engine: &Engine) -> Vec<EntityId> {
    let due = engine.store.due(NOON, 10_000).await.unwrap();
    due.into_iter().map(|(id, _)| id).collect()
}

#[tokio::test]
async fn timers_that_are_read_ahead_are_carried_out_once_and_in_due_order() {
    let memory = Memory::default();
    let engine = engine_with_timers(&memory, away(Vec::new(), Arc::default())).await;
    let due_before = due(&engine).await;
    assert_eq!(engine.fire_timers().await.unwrap(), PEOPLE as u64);
    assert_eq!(woken(&engine).await, due_before);
    assert_eq!(engine.fire_timers().await.unwrap(), 0);
}

#[tokio::test]
async fn wherever_the_store_is_away_no_timer_is_left_out() {
    let mut time = 0;
    loop {
        let memory = Memory::default();
        let seen = Arc::new(AtomicUsize::new(QUIET));
        let engine = engine_with_timers(&memory, away(vec![time], seen.clone())).await;
        let mut due_before = due(&engine).await;
        seen.store(0, Ordering::Relaxed);
        while let Err(error) = engine.fire_timers().await {
            assert_eq!(error.passing(), Passing::Yes);
        }
        if seen.swap(QUIET, Ordering::Relaxed) <= time {
            break;
        }
        assert_eq!(due(&engine).await, []);
        // A commit whose outcome was not known is settled once more.
        let mut woken = woken(&engine).await;
        woken.sort_unstable();
        woken.dedup();
        due_before.sort_unstable();
        assert_eq!(woken, due_before, "{time}");
        time += 1;
    }
    // Each of three transactions is read, committed, and has been committed.
    assert!(time >= 9, "{time}");
}

#[tokio::test]
async fn whom_somebody_else_changed_after_they_were_read_ahead_are_woken_as_they_are_then() {
    let memory = Memory::default();
    let other: Arc<OnceLock<(Engine, EntityId)>> = Arc::default();
    let times = Arc::new(AtomicUsize::new(0));
    let gate: Gate = {
        let (other, times) = (other.clone(), times.clone());
        Arc::new(move |boundary| {
            let (other, times) = (other.clone(), times.clone());
            Box::pin(async move {
                if boundary == Boundary::Committed
                    && let Some((other, person)) = other.get()
                    && times.fetch_add(1, Ordering::Relaxed) == 0
                {
                    // The first transaction is through, and whom the second one wakes were read.
                    let wake = || vec![Item::Wake(*person)];
                    other.settle(wake).await.unwrap();
                }
                Happens::Nothing
            })
        })
    };
    let engine = engine_with_timers(&memory, gate).await;
    let due_before = due(&engine).await;
    let in_the_second = due_before[700];
    let faster = engine_on(memory.store(), active(RULES)).await;
    assert!(other.set((faster, in_the_second)).is_ok());
    assert_eq!(engine.fire_timers().await.unwrap(), PEOPLE as u64);
    assert_eq!(engine.metrics.conflicts.get(), 1);
    let woken = woken(&engine).await;
    let twice = woken.iter().filter(|id| **id == in_the_second);
    assert_eq!(twice.count(), 2);
    assert_eq!(woken.len(), PEOPLE + 1);
    assert_eq!(due(&engine).await, []);
}
