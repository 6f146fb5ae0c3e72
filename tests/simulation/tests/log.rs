//! One body per fact, asked of the simulated log and of the embedded one: what the engine may rely on.
#![expect(
    clippy::unwrap_used,
    reason = "a fact that cannot be read is a failed test"
)]

use std::{collections::BTreeMap, sync::Mutex};

use baton::{
    engine::Consumed,
    kafka::{
        Connection, Found, Outgoing, Publish, Publisher, Reader, Start, Stored, TopicSpec, ensure,
        start,
    },
};
use baton_core::time::Millis;
use baton_simulation::{
    chance::Chance,
    log::{Log, Place, Producer},
};

const TOPIC: &str = "facts";
const PARTITIONS: usize = 2;
const NOON: Millis = Millis(1_790_000_000_000);

/// A log to ask.
#[expect(clippy::large_enum_variant, reason = "one for each test")]
enum Ground {
    Simulated(Producer),
    Embedded {
        connection: Connection,
        publisher: Publisher,
        _log: baton_log::Log,
        _folder: tempfile::TempDir,
    },
}

impl Ground {
    fn simulated() -> Self {
        Self::Simulated(Producer {
            log: Log::new(PARTITIONS, NOON),
            chance: Chance::new(0, 0),
        })
    }

    async fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = baton_log::Config::new(folder.path().join("log"));
        let log = baton_log::Log::open(config).await.unwrap();
        let connection = Connection {
            bootstrap: log.addr().to_string(),
            settings: Default::default(),
        };
        let topic = TopicSpec {
            name: TOPIC.to_owned(),
            partitions: PARTITIONS.try_into().unwrap(),
            replication: 1,
            compact: false,
            retention_ms: None,
            log_append_time: false,
        };
        ensure(&connection, &[topic], true).await.unwrap();
        Self::Embedded {
            publisher: Publisher::new(&connection).unwrap(),
            connection,
            _log: log,
            _folder: folder,
        }
    }

    async fn publish(&self, messages: &[Outgoing]) -> Vec<(i32, i64)> {
        let results = match self {
            Self::Simulated(producer) => simulated(producer.publish(messages)),
            Self::Embedded { publisher, .. } => publisher.publish(messages).await,
        };
        results.into_iter().map(Result::unwrap).collect()
    }

    /// Everything from `from` on, by partition, and what each partition is found to hold.
    fn read(&self, from: Start) -> (BTreeMap<i32, Vec<Consumed>>, BTreeMap<Place, Found>) {
        let mut all: BTreeMap<i32, Vec<Consumed>> = BTreeMap::new();
        match self {
            Self::Simulated(producer) => {
                let topics = producer.log.topics();
                let places: Vec<Place> = topics.places(TOPIC).collect();
                for (topic, partition) in &places {
                    let from = from.offset().unwrap_or(0);
                    let messages = topics.messages(topic, *partition);
                    let messages = messages.get(from as usize..).unwrap_or_default();
                    all.insert(*partition, messages.to_vec());
                }
                let found = places
                    .iter()
                    .map(|place| (place.clone(), topics.found(place)));
                (all, found.collect())
            }
            Self::Embedded { connection, .. } => tokio::task::block_in_place(|| {
                let marks = Mutex::new(BTreeMap::new());
                let topics = [TOPIC.to_owned()];
                let mut reader = Reader::open(connection, &topics, |topic, partition, found| {
                    let place = (topic.to_owned(), partition);
                    marks.lock().unwrap().insert(place, found);
                    from
                })
                .unwrap();
                let ends = reader.ends().unwrap();
                for message in reader.read_until(&ends, usize::MAX).unwrap() {
                    all.entry(message.partition).or_default().push(message);
                }
                (all, marks.into_inner().unwrap())
            }),
        }
    }
}

fn simulated<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let waker = futures::task::noop_waker();
    let mut context = std::task::Context::from_waker(&waker);
    loop {
        if let std::task::Poll::Ready(done) = work.as_mut().poll(&mut context) {
            return done;
        }
    }
}

fn message(key: &str, number: i64) -> Outgoing {
    Outgoing {
        topic: TOPIC.to_owned(),
        key: Some(key.as_bytes().to_vec()),
        payload: Some(number.to_string().into_bytes()),
        timestamp: Some(NOON.plus(number)),
        headers: vec![("number".to_owned(), number.to_string().into_bytes())],
    }
}

macro_rules! on_both {
    ($($name:ident,)*) => {
        mod simulated_log {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(&super::Ground::simulated()).await;
            })*
        }
        mod embedded_log {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(&super::Ground::embedded().await).await;
            })*
        }
    };
}

on_both! {
    messages_of_one_key_keep_their_order_and_offsets_rise_by_one,
    what_is_published_again_stands_there_again,
    a_message_comes_as_it_was_published,
    what_was_read_is_read_again_from_an_earlier_place,
    a_partition_is_found_with_its_ends_and_its_first_arrival,
    reading_goes_on_where_the_store_says,
}

async fn messages_of_one_key_keep_their_order_and_offsets_rise_by_one(ground: &Ground) {
    let messages: Vec<Outgoing> = (0..40)
        .map(|number| message(["a", "b", "c", "d"][number as usize % 4], number))
        .collect();
    let places = ground.publish(&messages).await;
    let (read, _) = ground.read(Start::Beginning);
    let mut told = 0;
    for (partition, messages) in &read {
        for (offset, message) in (0..).zip(messages) {
            assert_eq!(message.offset, offset);
            let number: usize = message.headers.text("number").unwrap().parse().unwrap();
            assert_eq!(
                places[number],
                (*partition, offset),
                "as it was acknowledged"
            );
            told += 1;
        }
        for key in ["a", "b", "c", "d"] {
            let of_it = messages
                .iter()
                .filter(|m| m.key.as_deref() == Some(key.as_bytes()));
            let arrivals: Vec<Millis> = of_it.map(|m| m.arrival).collect();
            assert!(arrivals.is_sorted(), "{key} in {partition}: {arrivals:?}");
        }
    }
    assert_eq!(told, messages.len());
}

async fn what_is_published_again_stands_there_again(ground: &Ground) {
    let first = ground.publish(&[message("a", 1)]).await;
    let again = ground.publish(&[message("a", 1)]).await;
    assert_eq!(again, [(first[0].0, first[0].1 + 1)]);
    let (read, _) = ground.read(Start::Beginning);
    assert_eq!(read[&first[0].0].len(), 2);
}

async fn a_message_comes_as_it_was_published(ground: &Ground) {
    let tombstone = Outgoing {
        payload: None,
        ..message("a", 2)
    };
    let places = ground.publish(&[message("a", 1), tombstone]).await;
    let (read, _) = ground.read(Start::Beginning);
    let messages = &read[&places[0].0];
    assert_eq!(messages[0].key.as_deref(), Some(&b"a"[..]));
    assert_eq!(messages[0].payload.as_deref(), Some(&b"1"[..]));
    assert_eq!(messages[0].arrival, NOON.plus(1));
    assert_eq!(messages[0].headers.text("number"), Some("1"));
    assert_eq!(messages[1].payload, None);
}

async fn what_was_read_is_read_again_from_an_earlier_place(ground: &Ground) {
    let messages: Vec<Outgoing> = (0..5).map(|number| message("a", number)).collect();
    let partition = ground.publish(&messages).await[0].0;
    let (all, _) = ground.read(Start::Beginning);
    for from in 0..5 {
        let (rest, _) = ground.read(Start::at(from));
        assert_eq!(rest[&partition][..], all[&partition][from as usize..]);
    }
}

async fn a_partition_is_found_with_its_ends_and_its_first_arrival(ground: &Ground) {
    let (_, empty) = ground.read(Start::Beginning);
    assert_eq!(empty.len(), PARTITIONS);
    for found in empty.values() {
        assert_eq!((found.low, found.end, found.first), (0, 0, None));
    }
    let messages = [message("a", 7), message("a", 8), message("a", 9)];
    let partition = ground.publish(&messages).await[0].0;
    let (_, found) = ground.read(Start::Beginning);
    let found = found[&(TOPIC.to_owned(), partition)];
    assert_eq!((found.low, found.end), (0, 3));
    assert_eq!(found.first, Some(NOON.plus(7)));
}

async fn reading_goes_on_where_the_store_says(ground: &Ground) {
    let messages: Vec<Outgoing> = (1..5).map(|number| message("a", number)).collect();
    let partition = ground.publish(&messages).await[0].0;
    let (_, found) = ground.read(Start::Beginning);
    let found = found[&(TOPIC.to_owned(), partition)];
    let stored = |first: i64, next| Stored {
        incarnation: Some(NOON.plus(first)),
        next,
        arrival: None,
    };
    assert_eq!(start(&[], found), Start::Beginning);
    assert_eq!(start(&[stored(1, 2)], found).offset(), Some(2));
    let anew = start(&[stored(0, 2)], found);
    assert!(matches!(anew, Start::Recreated { .. }), "{anew:?}");
    let ahead = start(&[stored(1, 9)], found);
    assert!(matches!(ahead, Start::Shrunk { .. }), "{ahead:?}");
}
