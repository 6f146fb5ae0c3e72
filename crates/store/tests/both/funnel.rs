//! What was done in the funnel is kept once, and where everybody stood is told of any time.

use baton_core::{
    book::{Place, Placing},
    wire::{Attribution, Because, Ending, Lifecycle, LifecycleMessage, Recycle, Undoing},
};

use baton_store::{Deed, Error, Stands};

use crate::given::*;

on_both! {
    a_deed_is_kept_once_and_one_that_is_taken_back_says_when,
    deeds_are_told_by_the_time_at_which_they_fell_due,
    returns_to_nurture_can_be_counted_by_their_keys,
    where_everybody_stood_is_told_of_any_time,
    of_somebody_who_was_erased_no_message_is_kept,
    the_newest_row_of_the_ledger_tells_how_far_the_logs_clock_is,
}

const ANN: &str = "ann";

fn recycle(id: &str, attempt: u32, due: i64, at: i64) -> LifecycleMessage {
    LifecycleMessage {
        schema_version: wire::SchemaVersion::CURRENT,
        id: digest(id),
        entity: person(ANN),
        told: Lifecycle::Recycle(Recycle {
            how: Ending::Recycled,
            episode: 1,
            from: "sal".into(),
            reason: Some("timing".into()),
            attempt,
            original: person("original"),
            track: None,
            track_name: None,
            open_deals: Vec::new(),
            attribution: Attribution::default(),
        }),
        due: Millis(due),
        at: Millis(at),
        lateness_ms: at - due,
        rule_version: "v1".into(),
        shadow: false,
    }
}

fn undone(id: &str, undoes: &str, at: i64) -> LifecycleMessage {
    LifecycleMessage {
        id: digest(id),
        told: Lifecycle::Undone {
            what: Undoing::of("recycle"),
            undoes: Some(digest(undoes)),
            made: Millis(1),
            because: Because::Withdrawn,
        },
        at: Millis(at),
        ..recycle(id, 0, 1, at)
    }
}

fn telling(messages: impl IntoIterator<Item = LifecycleMessage>) -> Book {
    let mut book = Book::default();
    for message in messages {
        book.out.messages.push(OutMessage {
            topic: OutTopic::Lifecycle,
            key: OutKey::Entity(message.entity),
            cause: message.id,
            at: message.at,
            body: OutBody::Lifecycle(Box::new(message)),
        });
    }
    book
}

async fn commit(store: &Store, mut book: Book) -> Checked {
    store.commit(&mut book, &Batch::default()).await?;
    Ok(())
}

fn standing(book: &mut Book, who: &str, at: i64, stage: Option<&str>) {
    let standing = Placing {
        at: Millis(at),
        place: stage.map(|stage| Place {
            stage: stage.into(),
            since: Millis(at - 1),
            episode: Some(2),
        }),
    };
    book.out.placings.insert(person(who), standing);
}

async fn a_deed_is_kept_once_and_one_that_is_taken_back_says_when(store: &Store) -> Checked {
    let first = recycle("r0", 0, 10, 11);
    commit(store, telling([first.clone()])).await?;
    commit(store, telling([first.clone()])).await?;
    commit(store, telling([undone("u0", "r0", 20)])).await?;
    let of_ann = store.deeds_of(person(ANN)).await?;
    let mut what: Vec<_> = of_ann
        .iter()
        .map(|(d, _)| (d.what.as_str(), d.undone))
        .collect();
    what.sort_unstable();
    assert_eq!(what, [("recycle", Some(Millis(20))), ("undone", None)]);
    let (deed, body) = of_ann.iter().find(|(d, _)| d.what == "recycle").unwrap();
    assert_eq!(serde_json::from_str::<LifecycleMessage>(body)?, first);
    assert_eq!((deed.due, deed.at), (Millis(10), Millis(11)));
    assert_eq!(deed.original, Some(person("original").digest));
    assert_eq!(deed.reason, Some("timing".into()));
    assert_eq!(store.deeds_of(person("bob")).await?, []);
    Ok(())
}

async fn deeds(store: &Store, from: i64, to: i64) -> Result<Vec<Deed>, Error> {
    let mut all = Vec::new();
    store
        .each_deed(Millis(from), Millis(to), |deed| all.push(deed))
        .await?;
    Ok(all)
}

async fn standings(store: &Store, at: i64) -> Result<Vec<Stands>, Error> {
    let mut all = Vec::new();
    store
        .each_standing(Millis(at), |stands| all.push(stands))
        .await?;
    Ok(all)
}

async fn deeds_are_told_by_the_time_at_which_they_fell_due(store: &Store) -> Checked {
    // More than a page, many of one instant.
    let many = (0..9_000).map(|n| recycle(&format!("r{n}"), 0, 100 + i64::from(n / 4_500), 200));
    let outside = [recycle("before", 0, 99, 200), recycle("after", 0, 102, 200)];
    commit(store, telling(many.chain(outside))).await?;
    let found = deeds(store, 100, 101).await?;
    assert_eq!(found.len(), 9_000);
    assert!(found.is_sorted_by_key(|deed| (deed.due, deed.id)));
    assert_eq!(deeds(store, 103, 999).await?, []);
    Ok(())
}

async fn returns_to_nurture_can_be_counted_by_their_keys(store: &Store) -> Checked {
    let committed = [recycle("r0", 0, 10, 10), recycle("r1", 1, 10, 30)];
    commit(store, telling(committed)).await?;
    let deeds = deeds(store, 0, 99).await?;
    let key = |d: &Deed| (d.original, d.episode, d.from, d.reason, d.attempt);
    let keys: BTreeSet<_> = deeds.iter().map(key).collect();
    assert_eq!((deeds.len(), keys.len()), (2, 2));
    Ok(())
}

async fn where_everybody_stood_is_told_of_any_time(store: &Store) -> Checked {
    let mut book = Book::default();
    standing(&mut book, ANN, 10, Some("new"));
    standing(&mut book, "bob", 10, Some("new"));
    commit(store, book).await?;
    let mut book = Book::default();
    standing(&mut book, ANN, 20, Some("mql"));
    commit(store, book).await?;
    // Twice at one instant: the last word.
    for stage in ["nurture", "mql"] {
        let mut book = Book::default();
        standing(&mut book, "bob", 30, Some(stage));
        commit(store, book).await?;
    }
    let mut book = Book::default();
    standing(&mut book, ANN, 40, None);
    commit(store, book).await?;

    for (at, expected) in [
        (9, vec![]),
        (10, vec!["new", "new"]),
        (20, vec!["mql", "new"]),
        (30, vec!["mql", "mql"]),
        (40, vec!["mql"]),
    ] {
        let found = standings(store, at).await?;
        let mut stages: Vec<_> = found.iter().map(|stands| stands.stage.as_str()).collect();
        stages.sort_unstable();
        assert_eq!(stages, expected, "{at}");
    }
    let bob = &standings(store, 99).await?[0];
    assert_eq!(bob.entity, person("bob"));
    assert_eq!((bob.since, bob.episode), (Millis(29), Some(2)));
    assert_eq!(store.people_by_stage().await?, [("mql".into(), 1)]);
    Ok(())
}

async fn the_newest_row_of_the_ledger_tells_how_far_the_logs_clock_is(store: &Store) -> Checked {
    assert_eq!(store.last_taken_in().await?, Millis::UNTIMED);
    for at in [20, 30] {
        let mut book = Book::default();
        touch(&mut book, person("bob"));
        book.out
            .ledger
            .push(ledger_row(person("bob"), at, &format!("e{at}")));
        let needs = Needs {
            entities: vec![person("bob")],
            ..Needs::default()
        };
        let mut stored = loaded(store, &needs).await?;
        if let Some(entry) = stored.entities.remove(&person("bob")) {
            book.entities.insert(person("bob"), entry);
            touch(&mut book, person("bob"));
        }
        commit(store, book).await?;
    }
    assert_eq!(store.last_taken_in().await?, Millis(30));
    Ok(())
}

async fn of_somebody_who_was_erased_no_message_is_kept(store: &Store) -> Checked {
    let mut book = telling([recycle("r0", 0, 10, 10)]);
    touch(&mut book, person(ANN));
    commit(store, book).await?;
    let mut book = loaded(
        store,
        &Needs {
            entities: vec![person(ANN)],
            ..Needs::default()
        },
    )
    .await?;
    touch(&mut book, person(ANN));
    let entry = book.entities.get_mut(&person(ANN)).unwrap();
    entry.state.erased = Some(Millis(50));
    commit(store, book).await?;
    let of_ann = store.deeds_of(person(ANN)).await?;
    assert_eq!(of_ann.len(), 1);
    assert_eq!(of_ann[0].1, "{}");
    Ok(())
}
