//! Two workers meet: one writes, the other learns of it and nothing of it is written.

use crate::given::*;

on_both! {
    no_update_is_lost_when_workers_race,
    nothing_is_written_when_an_entity_changed_meanwhile,
    two_who_create_for_one_key_meet,
    two_who_link_one_record_meet,
    two_who_touch_one_address_meet,
    a_lost_partition_cannot_be_advanced,
    a_topic_that_was_made_again_starts_anew,
    keys_changed_without_being_read_keep_their_other_holders,
    a_record_linked_elsewhere_without_being_read_is_a_bug,
    of_two_who_ask_for_the_same_records_one_is_too_late,
}

async fn nothing_is_written_when_an_entity_changed_meanwhile(store: &Store) -> Checked {
    let mut first = Book::default();
    touch(&mut first, person("a"));
    touch(&mut first, person("b"));
    store.commit(&mut first, &Batch::default()).await?;

    let needs = Needs {
        entities: vec![person("a"), person("b")],
        ..Needs::default()
    };
    let mut slow = loaded(store, &needs).await?;
    let mut fast = loaded(store, &needs).await?;
    touch(&mut fast, person("b"));
    store.commit(&mut fast, &Batch::default()).await?;

    touch(&mut slow, person("a"));
    touch(&mut slow, person("b"));
    slow.out.ledger.push(ledger_row(person("a"), 1, "e"));
    slow.out.messages.push(message("k", OutTopic::Golden));
    let result = store.commit(&mut slow, &advance(None, 10)).await;
    assert_eq!(result.as_ref().unwrap_err().class(), ErrorClass::Conflict);
    conflict_in(result, "entities");
    assert_eq!(
        store.entity(person("a")).await?,
        Some(state(person("a"), 1))
    );
    assert_eq!(
        store.entity(person("b")).await?,
        Some(state(person("b"), 2))
    );
    assert!(store.ledger(person("a"), None).await?.is_empty());
    assert!(store.outbox_page(OutboxSeq(0), 9).await?.is_empty());
    assert!(store.positions("baton.crm.changes").await?.is_empty());
    Ok(())
}

async fn two_who_create_for_one_key_meet(store: &Store) -> Checked {
    let needs = Needs {
        keys: vec![digest("mail")],
        ..Needs::default()
    };
    let mut one = loaded(store, &needs).await?;
    let mut two = loaded(store, &needs).await?;
    for (book, name) in [(&mut one, "one"), (&mut two, "two")] {
        touch(book, person(name));
        add_key(book, digest("mail"), person(name));
    }
    store.commit(&mut one, &Batch::default()).await?;
    conflict_in(store.commit(&mut two, &Batch::default()).await, "keys");
    assert_eq!(store.entity(person("two")).await?, None);
    Ok(())
}

async fn two_who_link_one_record_meet(store: &Store) -> Checked {
    let needs = Needs {
        links: vec![record("1")],
        ..Needs::default()
    };
    let mut one = loaded(store, &needs).await?;
    let mut two = loaded(store, &needs).await?;
    for (book, name) in [(&mut one, "one"), (&mut two, "two")] {
        touch(book, person(name));
        link(book, &record("1"), person(name));
    }
    store.commit(&mut one, &Batch::default()).await?;
    conflict_in(store.commit(&mut two, &Batch::default()).await, "links");
    assert_eq!(
        store.entity_of(&record("1")).await?.map(|s| s.id),
        Some(person("one"))
    );
    Ok(())
}

async fn two_who_touch_one_address_meet(store: &Store) -> Checked {
    let needs = Needs {
        addresses: vec![digest("address")],
        ..Needs::default()
    };
    let mut one = loaded(store, &needs).await?;
    let mut two = loaded(store, &needs).await?;
    for book in [&mut one, &mut two] {
        let row = book.addresses.get_mut(&digest("address")).unwrap();
        row.turns.insert(turn("address"));
        row.dirty = true;
    }
    store.commit(&mut one, &Batch::default()).await?;
    conflict_in(store.commit(&mut two, &Batch::default()).await, "addresses");
    Ok(())
}

async fn a_lost_partition_cannot_be_advanced(store: &Store) -> Checked {
    store
        .commit(&mut Book::default(), &advance(None, 10))
        .await?;
    store
        .commit(&mut Book::default(), &advance(Some(10), 20))
        .await?;
    for stale in [None, Some(10), Some(19), Some(21)] {
        let mut book = Book::default();
        touch(&mut book, person("a"));
        conflict_in(
            store.commit(&mut book, &advance(stale, 30)).await,
            "positions",
        );
    }
    assert_eq!(store.entity(person("a")).await?, None);
    assert_eq!(store.positions("baton.crm.changes").await?[0].next, 20);
    Ok(())
}

async fn a_topic_that_was_made_again_starts_anew(store: &Store) -> Checked {
    store
        .commit(&mut Book::default(), &advance(None, 500))
        .await?;
    let mut anew = advance(None, 2);
    anew.positions[0].incarnation = "two".into();
    store.commit(&mut Book::default(), &anew).await?;
    let positions = store.positions("baton.crm.changes").await?;
    let found: Vec<_> = positions
        .iter()
        .map(|p| (p.incarnation.as_str(), p.next))
        .collect();
    assert_eq!(found, [("one", 500), ("two", 2)]);
    Ok(())
}

async fn keys_changed_without_being_read_keep_their_other_holders(store: &Store) -> Checked {
    let mut book = Book::default();
    for name in ["a", "b"] {
        touch(&mut book, person(name));
        add_key(&mut book, digest("mail"), person(name));
    }
    store.commit(&mut book, &Batch::default()).await?;
    let mut book = Book::default();
    touch(&mut book, person("c"));
    add_key(&mut book, digest("mail"), person("c"));
    book.out.keys_removed.push((digest("mail"), person("a")));
    store.commit(&mut book, &Batch::default()).await?;
    let holders: Vec<_> = store
        .entities_by_key(digest("mail"))
        .await?
        .iter()
        .map(|s| s.id)
        .collect();
    let mut expected = vec![person("b"), person("c")];
    expected.sort_unstable();
    assert_eq!(holders, expected);
    Ok(())
}

async fn a_record_linked_elsewhere_without_being_read_is_a_bug(store: &Store) -> Checked {
    let mut book = Book::default();
    touch(&mut book, person("a"));
    link(&mut book, &record("1"), person("a"));
    store.commit(&mut book, &Batch::default()).await?;
    let mut same = Book::default();
    link(&mut same, &record("1"), person("a"));
    store.commit(&mut same, &Batch::default()).await?;
    let mut other = Book::default();
    link(&mut other, &record("1"), person("b"));
    let result = store.commit(&mut other, &Batch::default()).await;
    assert_eq!(result.unwrap_err().class(), ErrorClass::Bug);
    Ok(())
}

async fn no_update_is_lost_when_workers_race(store: &Store) -> Checked {
    const WORKERS: u64 = 4;
    const ROUNDS: u64 = 10;
    async fn work(store: Store, worker: u64) -> Result<u64, Error> {
        let needs = Needs {
            links: vec![record("shared")],
            keys: vec![digest("mail")],
            ..Needs::default()
        };
        let mut conflicts = 0;
        for round in 0..ROUNDS {
            loop {
                let mut book = loaded(&store, &needs).await?;
                // Whoever is first makes the person, everybody else finds it.
                let id = book.links.get(&record("shared")).copied();
                let id = id.unwrap_or_else(|| {
                    let id = person(&worker.to_string());
                    link(&mut book, &record("shared"), id);
                    add_key(&mut book, digest("mail"), id);
                    id
                });
                touch(&mut book, id);
                let event = format!("{worker} {round}");
                book.out.ledger.push(ledger_row(id, 1, &event));
                match store.commit(&mut book, &Batch::default()).await {
                    Ok(_) => break,
                    Err(error) if error.class() == ErrorClass::Conflict => conflicts += 1,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(conflicts)
    }
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| tokio::spawn(work(store.clone(), worker)))
        .collect();
    for worker in workers {
        worker.await??;
    }
    let holders = store.entities_by_key(digest("mail")).await?;
    assert_eq!(holders.len(), 1);
    assert_eq!(holders[0].golden_version, WORKERS * ROUNDS);
    let ledger = store.ledger(holders[0].id, None).await?;
    assert_eq!(ledger.len() as u64, WORKERS * ROUNDS);
    assert_eq!(
        store.ledger_page(LedgerSeq(0), 999).await?.len(),
        ledger.len()
    );
    Ok(())
}

async fn of_two_who_ask_for_the_same_records_one_is_too_late(store: &Store) -> Checked {
    let object = (Name::new("crm"), Object::Contact);
    let needs = Needs {
        rereads: vec![object],
        ..Needs::default()
    };
    let mut first = loaded(store, &needs).await?;
    link(&mut first, &record("a\u{0}b"), person("a"));
    link(&mut first, &record("c"), person("a"));
    touch(&mut first, person("a"));
    let reading = first.rereads.get_mut(&object).unwrap();
    reading.asked = Some(digest("lost"));
    reading.pass = Some(digest("lost"));
    reading.dirty = true;
    store.commit(&mut first, &Batch::default()).await?;
    let all = store.record_ids(object.0, object.1, None, 10).await?;
    assert_eq!(all, ["a\u{0}b", "c"]);
    let rest = store
        .record_ids(object.0, object.1, Some(&all[0]), 10)
        .await?;
    assert_eq!(rest, ["c"]);

    let mut other = loaded(store, &needs).await?;
    for book in [&mut first, &mut other] {
        let reading = book.rereads.get_mut(&object).unwrap();
        assert_eq!(reading.version, 1);
        reading.after = Some(all[0].clone());
        reading.dirty = true;
    }
    store.commit(&mut first, &Batch::default()).await?;
    let late = store.commit(&mut other, &Batch::default()).await;
    assert!(
        matches!(
            late,
            Err(Error::Conflict {
                table: "rereads",
                ..
            })
        ),
        "{late:?}"
    );
    let found = store.rereading().await?;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].1.after.as_ref(), Some(&all[0]));
    assert_eq!(found[0].1.version, 2);
    Ok(())
}
