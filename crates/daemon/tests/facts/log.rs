//! The loop over the embedded log, stepped by hand.

use std::collections::BTreeMap;

use baton::{
    engine::{Engine, header},
    kafka::{Connection, Outgoing, Publish, Publisher, Reader, Start, ensure},
};
use baton_core::{time::Millis, value::Value, wire};

use baton_store::StewardState;

use crate::given::{
    NOON, RULES, active, contact, engine_on, golden, message, outbox, settle, store,
};

struct Stage {
    engine: Engine,
    connection: Connection,
    publisher: Publisher,
    _log: baton_log::Log,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = baton_log::Log::open(baton_log::Config::new(folder.path().join("log")))
            .await
            .unwrap();
        let engine = engine_on(store(folder.path()).await, active(RULES)).await;
        let connection = Connection {
            bootstrap: log.addr().to_string(),
            settings: engine.active().settings.kafka.clone(),
        };
        ensure(&connection, &engine.active().topics.specs(true), true)
            .await
            .unwrap();
        Self {
            publisher: Publisher::new(&connection).unwrap(),
            engine,
            connection,
            _log: log,
            _folder: folder,
        }
    }

    fn inputs(&self) -> Reader {
        let topics = self.engine.active().topics.consumed();
        Reader::open(&self.connection, &topics, |_, _, _| Start::Beginning).unwrap()
    }

    async fn publish(&self, topic: &str, at: Millis, payload: &str, headers: &[(&str, &str)]) {
        let message = Outgoing {
            topic: topic.to_owned(),
            key: Some(b"k".to_vec()),
            payload: Some(payload.as_bytes().to_vec()),
            timestamp: Some(at),
            headers: headers
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()))
                .collect(),
        };
        for result in self.publisher.publish(&[message]).await {
            result.unwrap();
        }
    }

    fn read(&self, topic: &str) -> Vec<baton::engine::Consumed> {
        tokio::task::block_in_place(|| {
            let topics = [topic.to_owned()];
            let mut reader =
                Reader::open(&self.connection, &topics, |_, _, _| Start::Beginning).unwrap();
            let ends = reader.ends().unwrap();
            reader.read_until(&ends, usize::MAX).unwrap()
        })
    }
}

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test(flavor = "multi_thread")]
async fn a_change_comes_out_as_a_command_and_its_answer_comes_back() {
    let stage = Stage::new().await;
    let change = contact("c1", 0, r#""email":"ann@example.com","first_name":"Ann""#);
    stage
        .publish(
            "baton.crm.changes",
            NOON,
            &change,
            &[(header::TRACE, TRACE)],
        )
        .await;
    let mut reader = tokio::task::block_in_place(|| stage.inputs());
    assert!(
        stage
            .engine
            .step(&mut reader, &stage.publisher)
            .await
            .unwrap()
    );
    assert!(
        !stage
            .engine
            .step(&mut reader, &stage.publisher)
            .await
            .unwrap()
    );

    let commands = stage.read("baton.map.commands");
    assert_eq!(commands.len(), 1);
    let headers: BTreeMap<&str, &[u8]> = commands[0].headers.iter().collect();
    assert_eq!(headers["ce_type"], b"baton.command.create");
    assert_eq!(headers["ce_specversion"], b"1.0");
    let trace = commands[0].headers.text(header::TRACE).unwrap();
    assert_eq!(trace.get(..35), TRACE.get(..35), "the trace goes on");

    let command: wire::Command =
        serde_json::from_slice(commands[0].payload.as_deref().unwrap()).unwrap();
    let answer = serde_json::json!({
        "command_id": command.command_id, "system": "map", "object": "contact", "id": "m1", "outcome": "ok",
        "stamp": NOON.plus(1_000).to_string(), "record": command.fields,
    });
    stage
        .publish(
            "baton.map.results",
            NOON.plus(2_000),
            &answer.to_string(),
            &[],
        )
        .await;
    stage.engine.clock.advance_to(NOON.plus(2_000));
    assert!(
        stage
            .engine
            .step(&mut reader, &stage.publisher)
            .await
            .unwrap()
    );
    assert_eq!(
        golden(&stage.engine, "map:contact:m1", "first_name").await,
        Value::text("Ann")
    );
    assert!(
        stage.read("baton.map.commands").len() == 1,
        "nothing is written twice"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_after_the_given_ends_waits_for_the_next_step() {
    let stage = Stage::new().await;
    let mut reader = tokio::task::block_in_place(|| stage.inputs());
    let one = contact("c1", 0, r#""email":"ann@example.com""#);
    stage.publish("baton.crm.changes", NOON, &one, &[]).await;
    let ends = tokio::task::block_in_place(|| reader.ends().unwrap());
    let two = contact("c2", 0, r#""email":"bob@example.com""#);
    stage.publish("baton.crm.changes", NOON, &two, &[]).await;
    let report = stage.engine.drain_until(&mut reader, &ends).await.unwrap();
    assert_eq!(report.consumed(), 1);
    let ends = tokio::task::block_in_place(|| reader.ends().unwrap());
    let report = stage.engine.drain_until(&mut reader, &ends).await.unwrap();
    assert_eq!(report.consumed(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_goes_on_at_the_stored_position_and_a_new_topic_is_read_whole() {
    let stage = Stage::new().await;
    for id in ["c1", "c2", "c3"] {
        let change = contact(id, 0, &format!(r#""email":"{id}@example.com""#));
        stage.publish("baton.crm.changes", NOON, &change, &[]).await;
    }
    let mut reader = tokio::task::block_in_place(|| stage.inputs());
    stage
        .engine
        .step(&mut reader, &stage.publisher)
        .await
        .unwrap();

    let places = baton::engine::Places::new(stage.engine.stored_positions().await.unwrap());
    let found = std::sync::Mutex::new(Vec::new());
    let topics = ["baton.crm.changes".to_owned()];
    tokio::task::block_in_place(|| {
        Reader::open(&stage.connection, &topics, |topic, partition, marks| {
            let stored = places.of(topic, partition);
            let start = baton::kafka::start(&stored, marks);
            let anew = baton::kafka::Found {
                first: Some(NOON.plus(9)),
                ..marks
            };
            found.lock().unwrap().push((
                marks.end,
                start,
                baton::kafka::start(&stored, anew).offset(),
            ));
            start
        })
        .unwrap();
    });
    let found = found.into_inner().unwrap();
    let (_, start, anew) = *found.iter().find(|(end, ..)| *end == 3).unwrap();
    let arrival = Some(NOON);
    assert_eq!(start, Start::At { offset: 3, arrival });
    assert_eq!(anew, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_log_refuses_becomes_a_dead_letter_and_the_others_go_out() {
    let stage = Stage::new().await;
    let open = || async {
        let store = &stage.engine.store;
        store
            .dead_letters(StewardState::Open, None, 10)
            .await
            .unwrap()
    };
    let long = "x".repeat(1_200_000);
    let ann = contact("c1", 0, r#""email":"ann@example.com","first_name":"Ann""#);
    let bob = format!(r#""email":"bob@example.com","first_name":"{long}""#);
    let cat = contact("c3", 0, r#""email":"cat@example.com","first_name":"Cat""#);
    let all = [ann, contact("c2", 0, &bob), cat];
    let messages = all.iter().zip(0..).map(|(text, n)| message("crm", n, text));
    settle(&stage.engine, messages.collect()).await;

    stage.engine.relay_all(&stage.publisher).await.unwrap();
    assert!(outbox(&stage.engine).await.is_empty());
    let commands = stage.read("baton.map.commands");
    assert_eq!(commands.len(), 2, "Ann's and Cat's");
    let letters = open().await;
    assert!(!letters.is_empty());
    assert!(letters.iter().all(|l| l.code == "unpublishable"));
    assert!(letters.iter().all(|l| l.payload.len() > long.len()));

    // Tried again it goes back to the outbox; the log still refuses it, and it is one dead letter again.
    stage.engine.retry_dead_letters(&letters).await.unwrap();
    assert_eq!(outbox(&stage.engine).await.len(), letters.len());
    assert!(open().await.is_empty());
    stage.engine.relay_all(&stage.publisher).await.unwrap();
    assert!(outbox(&stage.engine).await.is_empty());
    assert_eq!(open().await.len(), letters.len());
}
