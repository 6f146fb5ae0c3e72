//! What goes into a book comes out of it again.

use crate::given::*;

on_both! {
    what_was_committed_is_loaded_again,
    what_was_not_found_is_not_looked_up_again,
    a_kept_book_serves_the_next_batch,
    a_moved_link_is_found_at_its_new_entity,
    guards_count_distinct_clears,
    counts_of_held_fields_add_up_over_all_writers,
    what_nobody_asks_for_any_more_is_removed,
    a_damaged_row_is_named,
    large_batches_are_written_whole,
    texts_with_nul_and_backslash_come_back,
    an_empty_batch_commits,
}

async fn what_was_committed_is_loaded_again(store: &Store) -> Checked {
    let mut book = loaded(store, &all_needs()).await?;
    for name in ["linked", "keyed", "asked"] {
        touch(&mut book, person(name));
    }
    link(&mut book, &record("1"), person("linked"));
    add_key(&mut book, digest("mail-1"), person("keyed"));
    add_key(&mut book, digest("mail-1"), person("linked"));
    book.addresses.insert(
        digest("address-1"),
        AddressRow {
            turns: [turn("address-1")].into(),
            version: 0,
            dirty: true,
        },
    );
    store.commit(&mut book, &advance(None, 10)).await?;

    let again = loaded(store, &all_needs()).await?;
    assert_eq!(
        again.links,
        [(record("1"), person("linked"))].into_iter().collect()
    );
    assert_eq!(
        again.keys[&digest("mail-1")],
        BTreeSet::from([person("keyed"), person("linked")])
    );
    assert!(again.keys[&digest("mail-2")].is_empty());
    assert_eq!(
        again.addresses[&digest("address-1")].turns,
        BTreeSet::from([turn("address-1")])
    );
    assert!(again.addresses[&digest("address-2")].turns.is_empty());
    let mut found: Vec<_> = again.entities.keys().copied().collect();
    found.sort_unstable();
    let mut expected = vec![person("linked"), person("keyed"), person("asked")];
    expected.sort_unstable();
    assert_eq!(found, expected);
    for (id, entry) in &again.entities {
        assert_eq!(entry.state, state(*id, 1));
        assert_eq!(entry.version, 1);
        assert!(!entry.dirty);
    }
    let positions = store.positions("baton.crm.changes").await?;
    assert_eq!(positions.len(), 1);
    assert_eq!((positions[0].partition, positions[0].next), (3, 10));
    assert_eq!(
        store.entity_of(&record("1")).await?.map(|s| s.id),
        Some(person("linked"))
    );
    assert_eq!(store.entity_of(&record("2")).await?, None);
    assert_eq!(store.entities_by_key(digest("mail-1")).await?.len(), 2);
    assert_eq!(store.entity(person("nobody")).await?, None);
    Ok(())
}

async fn what_was_not_found_is_not_looked_up_again(store: &Store) -> Checked {
    let mut needs = all_needs();
    needs.entities.clear();
    needs.guards.push(GuardKey {
        system: "crm".into(),
        field: "phone".into(),
        window: Millis(60_000),
    });
    let mut book = Book::default();
    assert_eq!(store.load(&mut book, &needs).await?, 7);
    assert_eq!(store.load(&mut book, &needs).await?, 0);
    assert_eq!(book.stored.links[&record("1")], 0);
    assert!(book.links.is_empty());
    assert!(book.keys.contains_key(&digest("mail-1")));
    assert!(book.addresses.contains_key(&digest("address-1")));
    assert!(book.guards.contains_key(&needs.guards[0]));
    Ok(())
}

async fn a_kept_book_serves_the_next_batch(store: &Store) -> Checked {
    let mut book = loaded(store, &all_needs()).await?;
    for round in 1..=3 {
        touch(&mut book, person("a"));
        link(&mut book, &record("1"), person("a"));
        let (gone, come) = if round % 2 == 0 {
            ("mail-1", "mail-2")
        } else {
            ("mail-2", "mail-1")
        };
        book.keys
            .get_mut(&digest(gone))
            .unwrap()
            .remove(&person("a"));
        book.out.keys_removed.push((digest(gone), person("a")));
        add_key(&mut book, digest(come), person("a"));
        let address = book.addresses.get_mut(&digest("address-1")).unwrap();
        address.turns.insert(turn(&format!("{round}")));
        address.dirty = true;
        let committed = store.commit(&mut book, &Batch::default()).await?;
        assert_eq!(committed.entities, 1);
        assert!(book.out.links.is_empty());
    }
    let again = loaded(store, &all_needs()).await?;
    assert_eq!(again.entities[&person("a")].version, 3);
    assert_eq!(again.entities[&person("a")].state, state(person("a"), 3));
    assert_eq!(again.keys[&digest("mail-1")], BTreeSet::from([person("a")]));
    assert!(again.keys[&digest("mail-2")].is_empty());
    assert_eq!(again.addresses[&digest("address-1")].turns.len(), 3);
    Ok(())
}

async fn a_moved_link_is_found_at_its_new_entity(store: &Store) -> Checked {
    let needs = Needs {
        links: vec![record("1")],
        ..Needs::default()
    };
    let mut book = loaded(store, &needs).await?;
    touch(&mut book, person("lead"));
    link(&mut book, &record("1"), person("lead"));
    store.commit(&mut book, &Batch::default()).await?;
    let mut book = loaded(store, &needs).await?;
    touch(&mut book, person("contact"));
    link(&mut book, &record("1"), person("contact"));
    store.commit(&mut book, &Batch::default()).await?;
    let found = store.entity_of(&record("1")).await?;
    assert_eq!(found.map(|s| s.id), Some(person("contact")));
    Ok(())
}

async fn guards_count_distinct_clears(store: &Store) -> Checked {
    let guard = GuardKey {
        system: "crm".into(),
        field: "phone".into(),
        window: Millis(60_000),
    };
    let other = GuardKey {
        window: Millis(120_000),
        ..guard.clone()
    };
    let mut book = Book::default();
    for event in ["a", "b", "a"] {
        book.out.guards.push((guard.clone(), digest(event)));
    }
    store.commit(&mut book, &Batch::default()).await?;
    book.out.guards.push((guard.clone(), digest("b")));
    book.out.guards.push((guard.clone(), digest("c")));
    store.commit(&mut book, &Batch::default()).await?;
    let needs = Needs {
        guards: vec![guard.clone(), other.clone()],
        ..Needs::default()
    };
    let book = loaded(store, &needs).await?;
    assert_eq!(book.guards[&guard].len(), 3);
    assert!(book.guards[&other].is_empty());
    Ok(())
}

async fn counts_of_held_fields_add_up_over_all_writers(store: &Store) -> Checked {
    let phone = Holding {
        system: "crm".into(),
        field: "phone".into(),
    };
    let city = Holding {
        field: "city".into(),
        ..phone
    };
    let needs = Needs {
        holdings: vec![phone, city],
        ..Needs::default()
    };
    let moved = |book: &mut Book, holding, by| {
        *book.holdings.entry(holding).or_default() += by;
        *book.out.holdings.entry(holding).or_default() += by;
    };
    // One has not looked, one has; neither knows of the other.
    let mut blind = Book::default();
    moved(&mut blind, phone, 3);
    let mut looked = loaded(store, &needs).await?;
    moved(&mut looked, phone, 2);
    store.commit(&mut blind, &Batch::default()).await?;
    store.commit(&mut looked, &Batch::default()).await?;
    assert_eq!(looked.holdings[&phone], 2);
    // A book that is kept adds what it looks up to what it moved since, and to nothing else.
    moved(&mut blind, phone, -1);
    store.load(&mut blind, &needs).await?;
    assert_eq!(blind.holdings[&phone], 4);
    store.commit(&mut blind, &Batch::default()).await?;
    let book = loaded(store, &needs).await?;
    assert_eq!(book.holdings.get(&phone), Some(&4));
    assert_eq!(book.holdings.get(&city), None);
    Ok(())
}

async fn what_nobody_asks_for_any_more_is_removed(store: &Store) -> Checked {
    let guard = |window| GuardKey {
        system: "crm".into(),
        field: "phone".into(),
        window: Millis(window),
    };
    let mut book = Book::default();
    for window in [60_000, 120_000] {
        book.out.guards.push((guard(window), digest("a")));
    }
    let counts = RunCounts {
        messages: 2,
        applied: 1,
        noop: 3,
        ..RunCounts::default()
    };
    for (run, at) in [("old", 5_000), ("new", 9_000), ("new", 9_500)] {
        let batch = Batch {
            runs: vec![(run.to_owned(), Millis(at), counts)],
            ..Batch::default()
        };
        store.commit(&mut book, &batch).await?;
    }
    assert_eq!(store.run("new").await?.messages, 4, "added up");
    assert_eq!(store.run("new").await?.consumed(), 8);
    assert_eq!(store.prune(Millis(120_000), Millis(9_000)).await?, 2);
    let needs = Needs {
        guards: vec![guard(60_000), guard(120_000)],
        ..Needs::default()
    };
    let book = loaded(store, &needs).await?;
    assert!(book.guards[&guard(60_000)].is_empty());
    assert_eq!(book.guards[&guard(120_000)].len(), 1);
    assert_eq!(store.run("old").await?, RunCounts::default());
    assert_eq!(store.run("new").await?.messages, 4);
    Ok(())
}

async fn a_damaged_row_is_named(store: &Store) -> Checked {
    let mut book = Book::default();
    touch(&mut book, person("a"));
    link(&mut book, &record("1"), person("a"));
    store.commit(&mut book, &Batch::default()).await?;
    let name = format!("0 {}", person("a").digest);
    for (damage, table_is, column_is) in [
        ("UPDATE entities SET version = 0", "entities", "version"),
        // What was version 1 holds no readable format byte now.
        (
            "UPDATE entities SET version = 1, body = substr(body, 2)",
            "entities",
            "body",
        ),
    ] {
        store.raw(damage).await?;
        let Err(Error::Corrupt {
            table, column, key, ..
        }) = store.entity(person("a")).await
        else {
            panic!("the damage by `{damage}` went unnoticed");
        };
        assert_eq!((table, column, &key), (table_is, column_is, &name));
    }
    store.raw("DELETE FROM entities").await?;
    let needs = Needs {
        links: vec![record("1")],
        ..Needs::default()
    };
    let lost = loaded(store, &needs).await.err().unwrap();
    assert_eq!(lost.class(), ErrorClass::Corrupt);
    Ok(())
}

async fn large_batches_are_written_whole(store: &Store) -> Checked {
    // Several statements of every size, and more than one array.
    const MANY: usize = 8192 + 512 + 64 + 8 + 3;
    let ids: Vec<EntityId> = (0..MANY).map(|n| person(&n.to_string())).collect();
    let mut book = Book::default();
    for id in &ids {
        touch(&mut book, *id);
        book.out.ledger.push(ledger_row(*id, 1, "e"));
    }
    store.commit(&mut book, &Batch::default()).await?;
    let needs = Needs {
        entities: ids.clone(),
        ..Needs::default()
    };
    let mut again = loaded(store, &needs).await?;
    assert_eq!(again.entities.len(), MANY);
    // One of them is stale: none of the others may be written.
    for id in &ids {
        touch(&mut again, *id);
    }
    again.entities.get_mut(&ids[MANY / 2]).unwrap().version = 5;
    let Err(Error::Conflict {
        expected, written, ..
    }) = store.commit(&mut again, &Batch::default()).await
    else {
        panic!("a stale row went unnoticed");
    };
    assert_eq!((expected, written), (MANY as u64, MANY as u64 - 1));
    let whole = loaded(store, &needs).await?;
    assert!(whole.entities.values().all(|e| e.version == 1));
    let ledger = store.ledger_page(LedgerSeq(0), u32::MAX).await?;
    let order: Vec<EntityId> = ledger.iter().map(|e| e.row.entity).collect();
    assert_eq!(order, ids);
    Ok(())
}

async fn texts_with_nul_and_backslash_come_back(store: &Store) -> Checked {
    let odd = record("a\0b\\0c:d");
    let needs = Needs {
        links: vec![odd.clone(), record("a\u{fffd}b\\0c:d")],
        ..Needs::default()
    };
    let mut book = loaded(store, &needs).await?;
    touch(&mut book, person("a"));
    link(&mut book, &odd, person("a"));
    book.out.messages.push(message("k\0\\", OutTopic::Golden));
    let mut letter = dead_letter("a", 1);
    letter.what = "a \0".into();
    let batch = Batch {
        dead_letters: vec![letter],
        ..Batch::default()
    };
    store.commit(&mut book, &batch).await?;
    let again = loaded(store, &needs).await?;
    assert_eq!(again.links, [(odd, person("a"))].into_iter().collect());
    assert_eq!(store.outbox_page(OutboxSeq(0), 1).await?[0].key, "k\0\\");
    let (letter, _) = store.dead_letter(digest("a")).await?.unwrap();
    assert_eq!(letter.what, "a \u{fffd}");
    Ok(())
}

async fn an_empty_batch_commits(store: &Store) -> Checked {
    let committed = store
        .commit(&mut Book::default(), &Batch::default())
        .await?;
    assert_eq!(committed, baton_store::Committed::default());
    assert_eq!(
        store.load(&mut Book::default(), &Needs::default()).await?,
        0
    );
    Ok(())
}
