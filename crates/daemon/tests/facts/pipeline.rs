//! `consume → decode → normalise → identify → apply → commit`, message by message.

use baton::engine::header;
use baton_core::{book::OutTopic, change::Outcome, id::RecordKey, value::Value};
use baton_store::StewardState;

use crate::given::{
    NOON, RULES, active, contact, engine, engine_on, golden, message, outbox, settle, store,
};

#[tokio::test]
async fn a_change_leaves_a_person_messages_and_its_position_behind() {
    let (engine, _folder) = engine().await;
    let change = contact("c1", 0, r#""email":"ann@example.com","first_name":"Ann""#);
    let outcomes = settle(&engine, vec![message("crm", 0, &change)]).await;
    assert_eq!(outcomes, [(Outcome::Applied, 1)]);
    assert_eq!(
        golden(&engine, "crm:contact:c1", "first_name").await,
        Value::text("Ann")
    );
    let positions = engine.store.positions("baton.crm.changes").await.unwrap();
    assert_eq!(positions.len(), 1);
    assert_eq!(positions[0].next, 1);
    assert_eq!(positions[0].incarnation, NOON.0.to_string());
    let topics: Vec<OutTopic> = outbox(&engine).await.iter().map(|row| row.topic).collect();
    for topic in [
        OutTopic::Golden,
        OutTopic::Decisions,
        OutTopic::Commands("map".into()),
    ] {
        assert!(topics.contains(&topic), "{topic:?} is not in {topics:?}");
    }
}

#[tokio::test]
async fn a_message_that_comes_twice_has_no_second_effect() {
    let (engine, _folder) = engine().await;
    let change = contact("c1", 0, r#""email":"ann@example.com""#);
    settle(&engine, vec![message("crm", 0, &change)]).await;
    let before = outbox(&engine).await;
    let outcomes = settle(&engine, vec![message("crm", 1, &change)]).await;
    assert_eq!(outcomes, [(Outcome::Duplicate, 1)]);
    assert_eq!(outbox(&engine).await, before);
}

#[tokio::test]
async fn the_order_within_a_batch_does_not_matter() {
    let (engine, _folder) = engine().await;
    let older = contact("c1", 0, r#""email":"ann@example.com","title":"CTO""#);
    let newer = contact("c1", 60, r#""title":"CEO""#);
    settle(
        &engine,
        vec![message("crm", 1, &newer), message("crm", 0, &older)],
    )
    .await;
    assert_eq!(
        golden(&engine, "crm:contact:c1", "title").await,
        Value::text("CEO")
    );
}

#[tokio::test]
async fn a_backlog_older_than_the_horizon_is_heard_in_its_order_and_never_against_something_newer()
{
    let (store, _kept) = crate::backing().await;
    let engine = engine_on(store, active(&RULES.replace("7300d", "30d"))).await;
    let day = 86_400;
    let title = |days: i64, title: &str| {
        let fields = format!(r#""email":"ann@example.com","title":"{title}""#);
        contact("c1", -days * day, &fields)
    };
    let told = [
        (title(45, "Buyer"), Outcome::Applied, "Buyer"),
        (
            title(40, "Head of purchasing"),
            Outcome::Applied,
            "Head of purchasing",
        ),
        (
            title(42, "Buyer, North"),
            Outcome::Late,
            "Head of purchasing",
        ),
        (title(40, "Somebody"), Outcome::Late, "Head of purchasing"),
        (title(1, "CPO"), Outcome::Applied, "CPO"),
        (title(35, "Chief buyer"), Outcome::Late, "CPO"),
    ];
    for (offset, (change, outcome, stands)) in (0..).zip(told) {
        let outcomes = settle(&engine, vec![message("crm", offset, &change)]).await;
        assert_eq!(outcomes, [(outcome, 1)], "{change}");
        let golden = golden(&engine, "crm:contact:c1", "title").await;
        assert_eq!(golden, Value::text(stands), "{change}");
    }
}

#[tokio::test]
async fn a_poison_message_is_dead_lettered_and_its_neighbours_are_settled() {
    let (engine, _folder) = engine().await;
    let good = |id: &str| contact(id, 0, &format!(r#""email":"{id}@example.com""#));
    let outcomes = settle(
        &engine,
        vec![
            message("crm", 0, &good("a")),
            message("crm", 1, "{ no json"),
            message("crm", 2, &good("b")),
        ],
    )
    .await;
    assert_eq!(
        outcomes,
        [(Outcome::Applied, 2), (Outcome::DeadLettered, 1)]
    );
    let letters = engine
        .store
        .dead_letters(StewardState::Open, None, 10)
        .await
        .unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].payload, b"{ no json");
    assert_eq!(letters[0].code, "malformed-json");
    let published = outbox(&engine)
        .await
        .iter()
        .filter(|row| row.topic == OutTopic::DeadLetters)
        .count();
    assert_eq!(published, 1);
}

#[tokio::test]
async fn a_flood_of_poison_stops_its_partition_at_the_limit_and_nothing_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let rules = format!("{RULES}\n[daemon]\npoison_limit = 3\n");
    let engine = engine_on(store(folder.path()).await, active(&rules)).await;
    let mut batch: Vec<_> = (0..6).map(|at| message("crm", at, "junk")).collect();
    let good = contact("m1", 0, r#""email":"ann@example.com""#);
    batch.push(message("map", 0, &good));
    let report = engine.process(&mut batch).await.unwrap();
    assert_eq!(report.outcomes[&Outcome::DeadLettered], 3);
    assert_eq!(report.outcomes[&Outcome::Applied], 1);
    assert_eq!(report.stopped.len(), 1);
    assert_eq!(report.stopped[0].2, 3);
    let positions = engine.store.positions("baton.crm.changes").await.unwrap();
    assert_eq!(positions[0].next, 3);

    // It stays stopped, also for good messages, until somebody resumes it.
    let good = contact("c1", 0, r#""email":"bob@example.com""#);
    let mut later = vec![message("crm", 6, &good)];
    let report = engine.process(&mut later).await.unwrap();
    assert_eq!(report.consumed(), 0);
    assert_eq!(engine.resume().await.len(), 1);
    let mut again = vec![message("crm", 3, &good)];
    assert_eq!(engine.process(&mut again).await.unwrap().consumed(), 1);
}

#[tokio::test]
async fn consumed_is_the_sum_of_the_outcomes() {
    let (engine, _folder) = engine().await;
    let one = contact("c1", 0, r#""email":"ann@example.com""#);
    let stranger = one.replace("\"contact\"", "\"spaceship\"");
    let messages = vec![
        message("crm", 0, &one),
        message("crm", 1, &one),
        message("crm", 2, "junk"),
        message("crm", 3, &stranger),
        message(
            "crm",
            4,
            r#"{"object":"contact","id":"c1","class":"tombstone"}"#,
        ),
    ];
    let count = messages.len() as u64;
    let outcomes = settle(&engine, messages).await;
    assert_eq!(outcomes.iter().map(|(_, n)| n).sum::<u64>(), count);
    let totals = engine.metrics.totals();
    assert_eq!(totals.values().sum::<u64>(), count);
    let text = engine.metrics.expose();
    let consumed = format!("baton_consumed_total{{system=\"crm\"}} {count}");
    assert!(text.contains(&consumed), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_that_meet_on_one_address_make_one_person() {
    let folder = tempfile::tempdir().unwrap();
    let one = engine_on(store(folder.path()).await, active(RULES)).await;
    let two = engine_on(store(folder.path()).await, active(RULES)).await;
    for round in 0..20 {
        let crm = contact(
            &format!("c{round}"),
            0,
            &format!(r#""email":"p{round}@example.com""#),
        );
        let map = contact(
            &format!("m{round}"),
            0,
            &format!(r#""email":"p{round}@example.com""#),
        );
        tokio::join!(
            settle(&one, vec![message("crm", round, &crm)]),
            settle(&two, vec![message("map", round, &map)]),
        );
        let of = |record: String| {
            let record = RecordKey::parse(&record).unwrap();
            let store = one.store.clone();
            async move { store.entity_of(&record).await.unwrap().unwrap().id }
        };
        assert_eq!(
            of(format!("crm:contact:c{round}")).await,
            of(format!("map:contact:m{round}")).await
        );
    }
}

#[tokio::test]
async fn a_worker_that_lost_its_partition_does_not_move_the_position_back() {
    let folder = tempfile::tempdir().unwrap();
    let old = engine_on(store(folder.path()).await, active(RULES)).await;
    let change = |id: i64| {
        contact(
            &format!("c{id}"),
            0,
            &format!(r#""email":"{id}@example.com""#),
        )
    };
    settle(&old, vec![message("crm", 0, &change(0))]).await;
    // The partition goes to another worker, which is quick.
    let new = engine_on(store(folder.path()).await, active(RULES)).await;
    settle(
        &new,
        (1..4).map(|at| message("crm", at, &change(at))).collect(),
    )
    .await;
    // The old one still holds a batch that it was handed before.
    let outcomes = settle(&old, vec![message("crm", 1, &change(1))]).await;
    assert_eq!(outcomes, []);
    let positions = old.store.positions("baton.crm.changes").await.unwrap();
    assert_eq!(positions[0].next, 4);
}

#[tokio::test]
async fn timers_send_what_had_to_rest() {
    let (engine, _folder) = engine().await;
    let both = [
        (
            "crm",
            contact(
                "c1",
                0,
                r#""email":"ann@example.com","street":"Old Road 1","city":"Rome""#,
            ),
        ),
        (
            "map",
            contact(
                "m1",
                1,
                r#""email":"ann@example.com","street":"Old Road 1","city":"Rome""#,
            ),
        ),
    ];
    for (system, change) in &both {
        settle(&engine, vec![message(system, 0, change)]).await;
    }
    engine.clock.advance_to(NOON.plus(60_000));
    engine.fire_timers().await.unwrap();
    let before = outbox(&engine).await.len();
    let moved = contact("c1", 60, r#""street":"New Road 2""#);
    let mut late = message("crm", 1, &moved);
    late.arrival = NOON.plus(60_000);
    settle(&engine, vec![late]).await;
    let commands = |rows: &[baton_store::OutboxRow]| {
        rows.iter()
            .skip(before)
            .filter(|row| row.topic == OutTopic::Commands("map".into()))
            .count()
    };
    assert_eq!(commands(&outbox(&engine).await), 0, "the tuple rests first");
    engine.clock.advance_to(NOON.plus(70_000));
    assert!(engine.fire_timers().await.unwrap() > 0);
    assert_eq!(commands(&outbox(&engine).await), 1);
    assert_eq!(engine.fire_timers().await.unwrap(), 0);
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_a_dead_letter_and_no_change() {
    let (engine, _folder) = engine().await;
    let mut answer = message("crm", 0, r#"{"command_id":"nobody/knows"}"#);
    answer.topic = "baton.crm.results".into();
    let mut batch = vec![answer];
    let report = engine.process(&mut batch).await.unwrap();
    assert_eq!(report.consumed(), 0);
    let letters = engine
        .store
        .dead_letters(StewardState::Open, None, 10)
        .await
        .unwrap();
    assert_eq!(letters[0].code, "malformed-result");
}

#[tokio::test]
async fn what_is_published_fits_its_published_schema() {
    let (engine, _folder) = engine().await;
    let change = contact("c1", 0, r#""email":"ann@example.com","first_name":"Ann""#);
    settle(
        &engine,
        vec![message("crm", 0, &change), message("crm", 1, "{ junk")],
    )
    .await;
    let schemas = baton::cli::message_schemas();
    let mut seen = std::collections::BTreeSet::new();
    for row in outbox(&engine).await {
        let name = match row.topic {
            OutTopic::Commands(_) => "command",
            OutTopic::Golden => "golden",
            OutTopic::Decisions => "decision",
            OutTopic::Lifecycle => "lifecycle",
            OutTopic::DeadLetters => "dead-letter",
        };
        let body: serde_json::Value = serde_json::from_slice(&row.body).unwrap();
        let validator = jsonschema::validator_for(&schemas[name]).unwrap();
        let wrong: Vec<String> = validator
            .iter_errors(&body)
            .map(|error| error.to_string())
            .collect();
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
        seen.insert(name);
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[tokio::test]
async fn what_became_of_a_run_is_told_whole_whoever_settled_its_parts() {
    let (one, _kept) = engine().await;
    let other = engine_on(one.store.clone(), active(RULES)).await;
    let of_run = |partition, offset, payload: &str| {
        let mut message = message("crm", offset, payload);
        message.partition = partition;
        message.headers.push(header::RUN, b"run-1");
        message
    };
    let ann = contact("c1", 0, r#""email":"ann@example.com""#);
    let bob = contact("c2", 0, r#""email":"bob@example.com""#);
    settle(&one, vec![of_run(0, 0, &ann), of_run(0, 1, "{ junk")]).await;
    settle(&other, vec![of_run(1, 0, &bob), of_run(1, 1, &bob)]).await;
    settle(&other, vec![message("map", 0, &ann)]).await;
    let tally = one.tally("run-1").await.unwrap();
    assert_eq!(tally, other.tally("run-1").await.unwrap());
    assert_eq!((tally.messages, tally.consumed), (4, 4));
    assert_eq!(
        (tally.applied, tally.duplicate, tally.dead_lettered),
        (2, 1, 1)
    );
    assert_eq!(one.tally("nobody's").await.unwrap().messages, 0);
}

#[tokio::test]
async fn a_number_that_wandered_through_a_row_of_people_does_not_load_the_row() {
    let rules = format!(
        "{RULES}\n[person.fields.phone]\ntype = \"phone\"\n[person.fields.no_calls]\ntype = \"boolean\"\n[consent.phone]\n\
         field = \"no_calls\"\naddress = \"phone\"\nstates = {{ true = \"opted_out\", false = \"opted_in\" }}\n"
    );
    let (store, _kept) = crate::backing().await;
    let engine = engine_on(store, active(&rules)).await;
    // Everybody takes the number of the next one, who had taken that of the one behind.
    for (round, offset) in [(0, 0), (1, 100)] {
        let all: Vec<String> = (0..60)
            .map(|person| {
                let number = person + round;
                let fields =
                    format!(r#""email":"p{person}@example.com","phone":"+1 312 555 {number:04}""#);
                contact(&format!("c{person}"), round * 60, &fields)
            })
            .collect();
        let messages = all.iter().zip(offset..);
        let messages = messages.map(|(text, offset)| message("crm", offset, text));
        let outcomes = settle(&engine, messages.collect()).await;
        assert_eq!(outcomes, [(Outcome::Applied, 60)]);
    }
    // Whoever has a number hears what is said of it, wherever it was said.
    let opted_out = contact("c0", 90, r#""no_calls":"true""#)
        .replace("\"class\"", "\"cause\":\"own_form\",\"class\"");
    let outcomes = settle(&engine, vec![message("crm", 300, &opted_out)]).await;
    assert_eq!(outcomes, [(Outcome::Applied, 1)]);
    assert_eq!(
        golden(&engine, "crm:contact:c0", "no_calls").await,
        Value::Bool(true)
    );
    let outcomes = settle(
        &engine,
        vec![message("crm", 301, &contact("c30", 95, r#""title":"CEO""#))],
    )
    .await;
    assert_eq!(outcomes, [(Outcome::Applied, 1)]);
}
