//! What waits for people, and what is fixed once per installation.

use crate::given::*;

on_both! {
    dead_letters_wait_until_somebody_settles_them,
    a_dead_letter_that_fails_again_stays_open,
    parked_changes_wait_until_resolved,
    erased_values_are_gone_from_ledger_parked_and_dead_letters,
    activations_are_told_in_order,
    the_salt_is_drawn_once,
}

async fn dead_letters_wait_until_somebody_settles_them(store: &Store) -> Checked {
    let batch = Batch {
        dead_letters: vec![
            dead_letter("b", 2),
            dead_letter("a", 1),
            dead_letter("c", 2),
        ],
        ..Batch::default()
    };
    store.commit(&mut Book::default(), &batch).await?;
    let open = store.dead_letters(StewardState::Open, None, 1).await?;
    assert_eq!(open, [dead_letter("a", 1)]);
    let rest = store
        .dead_letters(StewardState::Open, Some((open[0].at, open[0].id)), 9)
        .await?;
    assert_eq!(rest.len(), 2);
    let more = store
        .dead_letters(StewardState::Open, Some((rest[0].at, rest[0].id)), 9)
        .await?;
    assert_eq!(more, rest[1..]);
    assert_eq!(store.counts().await?.dead_letters["B0001"], 3);

    assert!(
        store
            .set_dead_letter(digest("a"), StewardState::Dropped)
            .await?
    );
    assert!(
        !store
            .set_dead_letter(digest("x"), StewardState::Dropped)
            .await?
    );
    let retried = Batch {
        retried: vec![digest("a"), digest("b")],
        ..Batch::default()
    };
    store.commit(&mut Book::default(), &retried).await?;
    let state = |found: Option<(DeadLetter, StewardState)>| found.map(|f| f.1);
    let a = state(store.dead_letter(digest("a")).await?);
    assert_eq!(a, Some(StewardState::Dropped));
    let b = state(store.dead_letter(digest("b")).await?);
    assert_eq!(b, Some(StewardState::Retried));
    assert_eq!(state(store.dead_letter(digest("x")).await?), None);
    assert_eq!(store.counts().await?.dead_letters["B0001"], 1);
    Ok(())
}

async fn a_dead_letter_that_fails_again_stays_open(store: &Store) -> Checked {
    let mut batch = Batch {
        dead_letters: vec![dead_letter("a", 1)],
        ..Batch::default()
    };
    store.commit(&mut Book::default(), &batch).await?;
    batch.dead_letters[0].what = "still not JSON".into();
    batch.retried.push(digest("a"));
    store.commit(&mut Book::default(), &batch).await?;
    let (letter, state) = store.dead_letter(digest("a")).await?.unwrap();
    assert_eq!(state, StewardState::Open);
    assert_eq!(letter.what, "still not JSON");
    Ok(())
}

async fn parked_changes_wait_until_resolved(store: &Store) -> Checked {
    let mut book = Book::default();
    book.out.parked = vec![parked("b", 2), parked("a", 1), parked("c", 3)];
    store.commit(&mut book, &Batch::default()).await?;
    let open = store.parked(StewardState::Open, None, 9).await?;
    let ids: Vec<_> = open.iter().map(|p| p.id).collect();
    assert_eq!(ids, [digest("a"), digest("b"), digest("c")]);
    assert_eq!(open[0].change, parked("a", 1).change);
    assert_eq!(open[0].candidates, parked("a", 1).candidates);
    assert_eq!(store.counts().await?.parked["ambiguous_match"], 3);

    book.out.unparked.push(digest("a"));
    store.commit(&mut book, &Batch::default()).await?;
    assert!(store.set_parked(digest("b"), StewardState::Dropped).await?);
    assert!(!store.set_parked(digest("x"), StewardState::Dropped).await?);
    assert_eq!(store.counts().await?.parked["ambiguous_match"], 1);
    let (_, state) = store.parked_one(digest("a")).await?.unwrap();
    assert_eq!(state, StewardState::Resolved);

    // Parked again: open again.
    book.out.parked.push(parked("a", 4));
    store.commit(&mut book, &Batch::default()).await?;
    let (again, state) = store.parked_one(digest("a")).await?.unwrap();
    assert_eq!((again.at, state), (Millis(4), StewardState::Open));
    Ok(())
}

async fn activations_are_told_in_order(store: &Store) -> Checked {
    let activations = [("v2", 2), ("v1", 3), ("v2", 3)].map(|(version, at)| Activation {
        at: Millis(at),
        version: version.to_owned(),
        body: format!("rules {version}"),
    });
    for activation in &activations {
        store.activate(activation).await?;
    }
    assert_eq!(store.activations().await?, activations);
    Ok(())
}

async fn the_salt_is_drawn_once(store: &Store) -> Checked {
    let salt = store.salt().await?;
    assert_ne!(salt, Digest::default());
    assert!(store.is_current().await?);
    store.migrate().await?;
    assert_eq!(store.salt().await?, salt);
    assert_eq!(store.log_id().await?, None);
    store.set_log_id("one").await?;
    store.set_log_id("two").await?;
    assert_eq!(store.log_id().await?.as_deref(), Some("two"));
    Ok(())
}

async fn erased_values_are_gone_from_ledger_parked_and_dead_letters(store: &Store) -> Checked {
    let mut book = Book::default();
    touch(&mut book, person("a"));
    touch(&mut book, person("b"));
    book.out.ledger = vec![
        ledger_row(person("a"), 1, "one"),
        ledger_row(person("b"), 1, "other"),
        ledger_row(person("a"), 2, "two"),
    ];
    book.out.parked = vec![parked("p", 1)];
    let batch = Batch {
        dead_letters: vec![dead_letter("d", 1)],
        ..Batch::default()
    };
    store.commit(&mut book, &batch).await?;

    let mut ledger = store.ledger(person("a"), None).await?;
    for entry in &mut ledger {
        entry.row.input = Input::Wake;
    }
    let mut without = parked("p", 1);
    without.change = None;
    touch(&mut book, person("a"));
    let batch = Batch {
        erasure: Erasure {
            ledger,
            parked: vec![without],
            dead_letters: vec![digest("d")],
        },
        ..Batch::default()
    };
    store.commit(&mut book, &batch).await?;

    let rows = store.ledger(person("a"), None).await?;
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|e| e.row.input == Input::Wake));
    let kept = store.ledger(person("b"), None).await?;
    assert!(matches!(kept[0].row.input, Input::Change(_)));
    let (found, state) = store.parked_one(digest("p")).await?.unwrap();
    assert_eq!((found.change, state), (None, StewardState::Open));
    let (letter, state) = store.dead_letter(digest("d")).await?.unwrap();
    assert_eq!(state, StewardState::Dropped);
    assert!(letter.payload.is_empty() && letter.key.is_none() && letter.what.is_empty());
    Ok(())
}
