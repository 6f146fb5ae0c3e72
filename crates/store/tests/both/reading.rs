//! Timers, ledger and outbox.

use crate::given::*;

on_both! {
    due_timers_come_in_due_order,
    the_ledger_tells_an_entitys_inputs_in_order,
    the_outbox_gives_messages_in_order_and_forgets_only_published_ones,
    a_page_of_the_outbox_ends_where_it_has_enough,
    many_messages_of_one_transaction_come_and_go_in_order,
    a_buried_message_leaves_its_row_and_the_row_goes_with_its_last,
    one_relay_holds_the_lease,
    pages_of_entities_cover_each_once,
    only_a_database_of_its_own_has_a_clock_of_its_own,
}

async fn due_timers_come_in_due_order(store: &Store) -> Checked {
    let mut book = Book::default();
    for (name, wake) in [
        ("late", Some(300)),
        ("early", Some(100)),
        ("middle", Some(200)),
        ("future", Some(901)),
        ("never", None),
    ] {
        touch(&mut book, person(name));
        let entry = book.entities.get_mut(&person(name)).unwrap();
        entry.state.wake = wake.map(Millis);
    }
    store.commit(&mut book, &Batch::default()).await?;
    let names = |due: Vec<(EntityId, Millis)>| due.into_iter().map(|d| d.0).collect::<Vec<_>>();
    let due = names(store.due(Millis(900), 10).await?);
    assert_eq!(due, [person("early"), person("middle"), person("late")]);
    let due = names(store.due(Millis(900), 2).await?);
    assert_eq!(due, [person("early"), person("middle")]);
    assert!(store.due(Millis(99), 10).await?.is_empty());
    assert_eq!(store.next_due().await?, Some(Millis(100)));
    for (now, overdue) in [
        (99, (0, None)),
        (100, (1, Some(Millis(100)))),
        (900, (3, Some(Millis(100)))),
    ] {
        assert_eq!(store.overdue(Millis(now)).await?, overdue, "{now}");
    }

    // The timer moves with the state.
    touch(&mut book, person("early"));
    book.entities.get_mut(&person("early")).unwrap().state.wake = None;
    store.commit(&mut book, &Batch::default()).await?;
    assert_eq!(
        store.due(Millis(900), 1).await?,
        [(person("middle"), Millis(200))]
    );
    Ok(())
}

async fn the_ledger_tells_an_entitys_inputs_in_order(store: &Store) -> Checked {
    let mut book = Book::default();
    for at in 1..=5 {
        let (a, b) = (person("a"), person("b"));
        touch(&mut book, a);
        touch(&mut book, b);
        book.out.ledger.push(ledger_row(a, at, &format!("a{at}")));
        book.out.ledger.push(LedgerRow {
            input: Input::Wake,
            ..ledger_row(b, at, "")
        });
        // Two of them in one transaction, the others each from a book of its own or from one that goes on.
        match at {
            1 => {}
            3 => {
                store.commit(&mut book, &Batch::default()).await?;
                let needs = Needs {
                    entities: vec![a, b],
                    ..Needs::default()
                };
                book = loaded(store, &needs).await?;
            }
            _ => drop(store.commit(&mut book, &Batch::default()).await?),
        }
    }
    let rows = store.ledger(person("a"), None).await?;
    let ats: Vec<i64> = rows.iter().map(|e| e.row.at.0).collect();
    assert_eq!(ats, [1, 2, 3, 4, 5]);
    let Input::Change(found) = &rows[1].row.input else {
        panic!("a change went in");
    };
    assert_eq!(*found, change(record("r"), "a2"));
    assert_eq!(rows[1].row.outcome, Outcome::Applied);
    assert_eq!(store.ledger(person("a"), Some(Millis(3))).await?.len(), 3);

    let mut after = LedgerSeq::default();
    let mut all = Vec::new();
    loop {
        let page = store.ledger_page(after, 3).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        all.extend(page);
    }
    assert_eq!(all.len(), 10);
    assert!(all.iter().map(|e| e.row.at.0).is_sorted());
    Ok(())
}

async fn the_outbox_gives_messages_in_order_and_forgets_only_published_ones(
    store: &Store,
) -> Checked {
    let mut book = Book::default();
    let topics = [
        OutTopic::Golden,
        OutTopic::Commands("crm".into()),
        OutTopic::Decisions,
        OutTopic::DeadLetters,
    ];
    for (n, topic) in topics.into_iter().enumerate() {
        book.out.messages.push(message(&n.to_string(), topic));
    }
    let committed = store.commit(&mut book, &Batch::default()).await?;
    assert_eq!(committed.messages, 4);
    // What came about together is read together.
    let all = store.outbox_page(OutboxSeq(0), 3).await?;
    assert_eq!(store.outbox_page(all[1].seq, 9).await?, all[2..]);
    assert_eq!(all.iter().map(|m| m.topic).collect::<Vec<_>>(), topics);
    assert_eq!(
        all.iter().map(|m| &m.key).collect::<Vec<_>>(),
        ["0", "1", "2", "3"]
    );
    let OutBody::Golden(sent) = message("0", OutTopic::Golden).body else {
        panic!("the test's messages are golden ones");
    };
    assert_eq!(all[0].body, serde_json::to_vec(&sent)?);
    assert_eq!((all[0].at, all[0].cause), (Millis(5), digest("0")));

    assert_eq!(store.outbox_done(&[all[0].seq, all[2].seq]).await?, 2);
    assert_eq!(store.outbox_done(&[all[0].seq]).await?, 0);
    let left = store.outbox_page(OutboxSeq(0), 9).await?;
    assert_eq!(left, [all[1].clone(), all[3].clone()]);
    assert_eq!(store.counts().await?.outbox, 2);
    assert_eq!(store.counts().await?.outbox_since, Some(Millis(5)));

    // A number never comes twice, even when the outbox was empty.
    store.outbox_done(&[all[1].seq, all[3].seq]).await?;
    book.out.messages.push(message("4", OutTopic::Golden));
    store.commit(&mut book, &Batch::default()).await?;
    assert!(store.outbox_page(OutboxSeq(0), 1).await?[0].seq > all[3].seq);
    Ok(())
}

async fn a_page_of_the_outbox_ends_where_it_has_enough(store: &Store) -> Checked {
    let mut book = Book::default();
    for n in 0..40 {
        for part in ["a", "b"] {
            let message = message(&format!("{n}{part}"), OutTopic::Golden);
            book.out.messages.push(message);
        }
        store.commit(&mut book, &Batch::default()).await?;
    }
    let some = store.outbox_page(OutboxSeq(0), 5).await?;
    assert_eq!(some.len(), 6, "three transactions' messages");
    let rest = store.outbox_page(some[5].seq, u32::MAX).await?;
    let all: Vec<_> = some.iter().chain(&rest).collect();
    assert_eq!(all.len(), 80);
    assert!(all.is_sorted_by_key(|m| m.seq));
    let keys = all.iter().map(|m| m.key.as_str());
    assert!(keys.eq((0..40).flat_map(|n| ["a", "b"].map(|part| format!("{n}{part}")))));
    Ok(())
}

async fn many_messages_of_one_transaction_come_and_go_in_order(store: &Store) -> Checked {
    let mut book = Book::default();
    for n in 0..1_000 {
        let message = message(&n.to_string(), OutTopic::Golden);
        book.out.messages.push(message);
    }
    let committed = store.commit(&mut book, &Batch::default()).await?;
    assert_eq!(committed.messages, 1_000);
    assert_eq!(store.counts().await?.outbox, 1_000);
    let mut told = Vec::new();
    loop {
        let page = store.outbox_page(OutboxSeq::default(), 100).await?;
        if page.is_empty() {
            break;
        }
        let seqs: Vec<_> = page.iter().map(|m| m.seq).collect();
        assert_eq!(store.outbox_done(&seqs).await?, seqs.len() as u64);
        told.extend(page.into_iter().map(|m| m.key));
    }
    assert!(told.into_iter().eq((0..1_000).map(|n| n.to_string())));
    Ok(())
}

async fn a_buried_message_leaves_its_row_and_the_row_goes_with_its_last(store: &Store) -> Checked {
    let mut book = Book::default();
    for key in ["0", "1"] {
        book.out.messages.push(message(key, OutTopic::Golden));
    }
    store.commit(&mut book, &Batch::default()).await?;
    let all = store.outbox_page(OutboxSeq(0), 9).await?;
    store.outbox_bury(all[0].seq, &dead_letter("a", 1)).await?;
    assert_eq!(store.outbox_page(OutboxSeq(0), 9).await?, all[1..]);
    store.outbox_bury(all[0].seq, &dead_letter("b", 1)).await?;
    assert!(
        store.dead_letter(digest("b")).await?.is_none(),
        "gone already"
    );
    store.outbox_bury(all[1].seq, &dead_letter("c", 1)).await?;
    assert!(store.outbox_page(OutboxSeq(0), 9).await?.is_empty());
    assert_eq!(
        store.counts().await?.outbox_since,
        None,
        "no empty row is left"
    );

    // What is put back stands behind all that waits.
    let mut letter = dead_letter("a", 1);
    letter.payload = b"{}".to_vec();
    let put = store.outbox_put_back(&letter, OutTopic::Golden, Millis(9));
    assert!(put.await?);
    let again = store.outbox_page(OutboxSeq(0), 9).await?;
    assert_eq!(again.len(), 1);
    assert!(again[0].seq > all[1].seq);
    let put = store.outbox_put_back(&letter, OutTopic::Golden, Millis(9));
    assert!(!put.await?);
    Ok(())
}

async fn one_relay_holds_the_lease(store: &Store) -> Checked {
    assert_eq!(store.lease("relay").await?, None);
    assert!(store.take_lease("relay", "one", None).await?);
    assert!(!store.take_lease("relay", "two", None).await?);
    let seen = store.lease("relay").await?;
    assert_eq!(seen.as_ref().map(|l| l.owner.as_str()), Some("one"));
    assert!(store.take_lease("relay", "one", seen.as_ref()).await?);
    // It was renewed since: its owner is not silent.
    assert!(!store.take_lease("relay", "two", seen.as_ref()).await?);
    let seen = store.lease("relay").await?;
    assert!(store.take_lease("relay", "two", seen.as_ref()).await?);
    // Whoever was taken for dead has lost it.
    assert!(!store.take_lease("relay", "one", seen.as_ref()).await?);
    store.release("relay", "one").await?;
    assert!(!store.take_lease("relay", "one", None).await?);
    store.release("relay", "two").await?;
    assert!(store.take_lease("relay", "one", None).await?);
    Ok(())
}

async fn pages_of_entities_cover_each_once(store: &Store) -> Checked {
    let mut book = Book::default();
    for n in 0..10 {
        touch(&mut book, person(&n.to_string()));
    }
    let account = EntityId {
        kind: Kind::Account,
        digest: digest("acme"),
    };
    touch(&mut book, account);
    store.commit(&mut book, &Batch::default()).await?;
    let mut seen = BTreeSet::new();
    let mut after = None;
    loop {
        let page = store.entities_page(Kind::Person, after, 3).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for state in page {
            assert!(seen.insert(state.id));
        }
    }
    assert_eq!(seen.len(), 10);
    assert_eq!(store.entities_page(Kind::Account, None, 9).await?.len(), 1);
    assert!(store.entities_page(Kind::Deal, None, 9).await?.is_empty());
    Ok(())
}

async fn only_a_database_of_its_own_has_a_clock_of_its_own(store: &Store) -> Checked {
    // After the day this was written; milliseconds, not seconds.
    let sane = |now: Millis| now > Millis(1_790_000_000_000);
    assert!(store.clock().await?.is_none_or(sane));
    Ok(())
}
