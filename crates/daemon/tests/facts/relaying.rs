//! What leaves the outbox: in order, page by page, and nothing that stands behind a message which was not taken.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use baton::{
    engine::Engine,
    kafka::{KafkaError, KafkaFault, Outgoing, Publish, RDKafkaErrorCode},
};
use baton_store::{OutboxSeq, memory::Memory};

use crate::given::{RULES, active, contact, engine_on, message, settle};

/// A log that does not take some messages when they first come.
#[derive(Default)]
struct Log {
    taken: Mutex<Vec<Outgoing>>,
    /// Number of a message, counted from the first that ever comes.
    loses: Option<usize>,
    came: Mutex<usize>,
}

impl Log {
    fn taken(&self) -> Vec<Outgoing> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.clone()
    }
}

impl Publish for Log {
    async fn publish(&self, messages: &[Outgoing]) -> Vec<Result<(i32, i64), KafkaFault>> {
        let mut came = self.came.lock().unwrap();
        let mut taken = self.taken.lock().unwrap();
        let answer = |message: &Outgoing| {
            *came += 1;
            if self.loses == Some(*came) {
                return Err(KafkaFault::Publish {
                    topic: message.topic.clone(),
                    source: KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut),
                });
            }
            taken.push(message.clone());
            Ok((0, 0))
        };
        messages.iter().map(answer).collect()
    }
}

/// An engine with more in its outbox than two pages hold.
async fn full() -> (Engine, Vec<Vec<u8>>) {
    let memory = Memory::default();
    memory.store().migrate().await.unwrap();
    let engine = engine_on(memory.store(), active(RULES)).await;
    for batch in 0..4 {
        let said = (0..400_i64).map(|n| {
            let n = 400 * batch + n;
            let fields = format!(r#""email":"p{n}@example.com","first_name":"P","title":"T{n}""#);
            message("crm", n, &contact(&format!("c{n}"), n, &fields))
        });
        settle(&engine, said.collect()).await;
    }
    let waiting = engine
        .store
        .outbox_page(OutboxSeq::default(), u32::MAX)
        .await
        .unwrap();
    assert!(waiting.len() > 4_000, "{}", waiting.len());
    (engine, waiting.into_iter().map(|row| row.body).collect())
}

fn bodies(messages: &[Outgoing]) -> Vec<Vec<u8>> {
    let bodies = messages.iter();
    bodies.map(|m| m.payload.clone().unwrap()).collect()
}

async fn left(engine: &Engine) -> usize {
    let left = engine.store.outbox_page(OutboxSeq::default(), u32::MAX);
    left.await.unwrap().len()
}

#[tokio::test]
async fn several_pages_leave_in_the_order_of_the_outbox_and_it_is_empty_then() {
    let (engine, waiting) = full().await;
    let log = Log::default();
    assert_eq!(engine.relay_all(&log).await.unwrap(), waiting.len());
    assert!(
        bodies(&log.taken()) == waiting,
        "they come in another order"
    );
    assert_eq!(left(&engine).await, 0);
}

#[tokio::test]
async fn nothing_leaves_behind_a_page_of_which_a_message_was_not_taken() {
    let (engine, waiting) = full().await;
    let log = Log {
        loses: Some(10),
        ..Log::default()
    };
    engine.relay(&log).await.unwrap_err();
    let first = log.taken();
    assert!(
        first.len() < waiting.len() / 2,
        "the next page was held back"
    );
    let lost = &waiting[9];
    assert!(!bodies(&first).contains(lost));

    // It comes the second time, and all of its key behind it once more.
    engine.relay_all(&log).await.unwrap();
    assert_eq!(left(&engine).await, 0);
    let undisturbed = Log::default();
    full().await.0.relay_all(&undisturbed).await.unwrap();
    assert!(
        newest(log.taken()) == newest(undisturbed.taken()),
        "the last message of a key is another one"
    );
}

/// Topic and key of messages.
type Place = (String, Option<Vec<u8>>);

/// The last message of each key.
fn newest(taken: Vec<Outgoing>) -> BTreeMap<Place, Option<Vec<u8>>> {
    let taken = taken.into_iter();
    taken
        .map(|message| ((message.topic, message.key), message.payload))
        .collect()
}
