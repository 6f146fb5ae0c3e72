//! What an older Baton left behind keeps working: its store is opened, migrated, read and explained, and the work goes
//! on from there, on both databases.
//!
//! `tests/golden` holds a store for each pair of newest migration and format of blobs that ever landed, as SQL text, and
//! what it said to the Baton that wrote it. A new migration or format needs a new pair of files:
//! `BATON_BLESS=1 cargo test -p baton --test facts upgrade` writes those that are missing, and never one that is there.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use baton::engine::{Active, Engine};
use baton_core::{
    apply::apply,
    book::ParkedCode,
    change::Outcome,
    explain::explain,
    id::{Kind, RecordKey},
    rules::Rules,
    state::State,
    time::Millis,
    value::Value,
    wire,
};
use baton_store::{Deed, FORMAT, Options, Stands, StewardState, Store, testing};

use crate::{
    funnel,
    given::{Kept, NOON, active, contact, engine_on, golden, message, settle},
    story,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn newest() -> PathBuf {
    folder().join(format!("store-{}-{FORMAT}.sql", Store::newest_migration()))
}

/// Every golden store: the number of its newest migration, and its file.
fn stores() -> Vec<(i64, PathBuf)> {
    let mut found: Vec<(i64, PathBuf)> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "sql"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let migration = name.split('-').nth(1).unwrap().parse().unwrap();
            (migration, path)
        })
        .collect();
    assert!(!found.is_empty(), "no golden store");
    found.sort();
    found
}

/// The store as an older Baton left it, on SQLite and, where there is a server, on PostgreSQL.
async fn left_behind(migration: i64, file: &Path) -> Vec<(Store, Kept)> {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::default();
    let sqlite = Store::open_sqlite(&folder.path().join("baton.db"), &options).await;
    let mut both: Vec<(Store, Kept)> = vec![(sqlite.unwrap(), Box::new(folder))];
    if let Some(server) = testing::postgres() {
        let database = server.database().await.unwrap();
        let store = Store::open(&database.address(), &options).await.unwrap();
        both.push((store, Box::new(database)));
    }
    let text = fs::read_to_string(file).unwrap();
    for (store, _) in &both {
        store.migrate_to(migration).await.unwrap();
        testing::restore(store, &text).await.unwrap();
    }
    both
}

async fn everybody(store: &Store) -> Vec<State> {
    store.entities_page(Kind::Person, None, 100).await.unwrap()
}

/// What a store says, in words that outlive the form of its rows.
async fn told(store: &Store, active: &Active) -> String {
    let mut text = String::new();
    let rules: &Rules = &active.rules;
    for state in everybody(store).await {
        writeln!(text, "{}", state.id).unwrap();
        for (record, link) in &state.links {
            writeln!(text, "  {} {:?}", record.to_text(), link.status()).unwrap();
        }
        for field in rules.person.fields.keys() {
            let told = explain(&state, rules, *field, NOON).unwrap();
            if told.value.0 == Value::Blank && told.losers.is_empty() {
                continue;
            }
            let claim = |claim: &wire::ClaimView| {
                format!(
                    "{} of {}:{} at {}",
                    claim.value.0.to_json(),
                    claim.system,
                    claim.id,
                    claim.time
                )
            };
            writeln!(text, "  {field} = {}", told.value.0.to_json()).unwrap();
            for winner in told.winner.iter().chain(&told.contributors) {
                writeln!(text, "    by {}", claim(winner)).unwrap();
            }
            for loser in &told.losers {
                writeln!(text, "    not {}", claim(&loser.claim)).unwrap();
            }
            for written in &told.written {
                let value = written.value.0.to_json();
                writeln!(text, "    wrote {value} to {}", written.system).unwrap();
            }
        }
    }
    for parked in store.parked(StewardState::Open, None, 100).await.unwrap() {
        let code = parked.code.as_str();
        writeln!(text, "parked {code} {:?} {}", parked.record, parked.why).unwrap();
    }
    for letter in store
        .dead_letters(StewardState::Open, None, 100)
        .await
        .unwrap()
    {
        let payload = String::from_utf8_lossy(&letter.payload);
        let (topic, offset) = (&letter.topic, letter.offset);
        writeln!(
            text,
            "dead letter {} {topic}@{offset} {payload}",
            letter.code
        )
        .unwrap();
    }
    for topic in active.topics.consumed() {
        for position in store.positions(&topic).await.unwrap() {
            writeln!(text, "position {topic} {}", position.next).unwrap();
        }
    }
    let run = store.run("run-of-the-story").await.unwrap();
    writeln!(text, "run {} {}", run.messages, run.applied).unwrap();
    for activation in store.activations().await.unwrap() {
        writeln!(text, "activation {} {}", activation.at, activation.version).unwrap();
    }
    for ((system, object), _) in store.rereading().await.unwrap() {
        writeln!(text, "reading again {system} {object}").unwrap();
    }
    let ever = (Millis(0), Millis::NEVER);
    let line = |deed: Deed| {
        let (what, who, due, undone) = (deed.what, deed.entity, deed.due, deed.undone);
        writeln!(text, "{what} of {who} due {due} undone {undone:?}").unwrap();
    };
    store.each_deed(ever.0, ever.1, line).await.unwrap();
    let line = |stands: Stands| {
        let (who, stage, since) = (stands.entity, stands.stage, stands.since);
        writeln!(text, "{who} is in {stage} since {since}").unwrap();
    };
    store.each_standing(ever.1, line).await.unwrap();
    let (salt, log) = (store.salt().await.unwrap(), store.log_id().await.unwrap());
    writeln!(text, "salt {salt} log {log:?}").unwrap();
    text
}

#[tokio::test]
async fn the_newest_migration_and_format_have_a_golden_store_that_holds_something_of_everything() {
    let file = newest();
    let bless = std::env::var("BATON_BLESS").is_ok_and(|v| v == "1");
    if bless && !file.exists() {
        let (store, _folder) = testing::sqlite_store(&Options::default()).await.unwrap();
        let engine = story::play(store).await;
        funnel::fill(&engine.store).await;
        fs::write(&file, testing::dump(&engine.store).await.unwrap()).unwrap();
        let said = told(&engine.store, &active(story::RULES)).await;
        fs::write(file.with_extension("txt"), said).unwrap();
    }
    let text = fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; see the top of this file", file.display()));
    let (empty, _folder) = testing::sqlite_store(&Options::default()).await.unwrap();
    for table in testing::tables(&empty).await.unwrap() {
        let insert = format!("INSERT INTO {table} (");
        assert!(text.contains(&insert), "nothing in {table}");
    }
}

#[tokio::test]
async fn an_older_store_is_migrated_and_says_what_it_said() {
    for (migration, file) in stores() {
        let said = fs::read_to_string(file.with_extension("txt")).unwrap();
        for (store, _kept) in left_behind(migration, &file).await {
            store.migrate().await.unwrap();
            assert!(store.is_current().await.unwrap());
            let says = told(&store, &active(story::RULES)).await;
            assert!(says == said, "{}:\n{says}", file.display());
        }
    }
}

#[tokio::test]
async fn the_ledger_of_an_older_store_still_gives_its_state() {
    for (migration, file) in stores() {
        for (store, _kept) in left_behind(migration, &file).await {
            store.migrate().await.unwrap();
            let rules = active(story::RULES).rules;
            let mut replayed = 0;
            for state in everybody(&store).await {
                let mut again = State::new(state.id);
                for entry in store.ledger(state.id, None).await.unwrap() {
                    drop(apply(&mut again, &entry.row.input, &rules, entry.row.at));
                    replayed += 1;
                }
                let values = |state: &State| -> BTreeMap<_, _> {
                    let golden = state.golden.iter();
                    golden.map(|(field, g)| (*field, g.value.clone())).collect()
                };
                assert_eq!(values(&again), values(&state), "{}", state.id);
            }
            assert!(replayed > 10, "{replayed}");
        }
    }
}

/// The story's rules with a mapping for leads, without which a lead is a dead letter.
fn with_leads() -> String {
    format!(
        "{}\n[systems.crm.objects.lead]\nvendor = \"lead\"\n",
        story::RULES
    )
}

/// An engine that goes on with an older store, a minute later.
async fn gone_on(store: Store, rules: &str) -> Engine {
    store.migrate().await.unwrap();
    let engine = engine_on(store, active(rules)).await;
    engine.note_start().await.unwrap();
    engine.clock.advance_to(NOON.plus(200_000));
    engine
}

#[tokio::test]
async fn work_goes_on_from_an_older_store() {
    for (migration, file) in stores() {
        for (store, _kept) in left_behind(migration, &file).await {
            let engine = gone_on(store, &with_leads()).await;

            // What came before is known, and what comes now counts.
            let again = contact("c1", 100, r#""street":"14 New Road""#);
            let outcomes = settle(&engine, vec![message("crm", 20, &again)]).await;
            assert_eq!(outcomes, [(Outcome::Duplicate, 1)]);
            let promoted = contact("m1", 150, r#""title":"CEO""#);
            let outcomes = settle(&engine, vec![message("map", 20, &promoted)]).await;
            assert_eq!(outcomes, [(Outcome::Applied, 1)]);
            let title = golden(&engine, "map:contact:m1", "title").await;
            assert_eq!(title, Value::text("CEO"));

            // A command that was on its way is answered, and the outbox is as it was left.
            let creates = story::commands(&engine, "map").await;
            let bob = creates.iter().find(|command| {
                command.fields.get("email") == Some(&serde_json::json!("bob@example.com"))
            });
            let done = story::answer(bob.unwrap(), "m2", 160);
            settle(&engine, vec![story::answered(&done, 1)]).await;
            assert_eq!(
                story::entity(&engine, "map:contact:m2").await,
                story::entity(&engine, "crm:contact:c2").await
            );

            // What waited for people can be decided; what rested is written; the rereading goes on.
            let letters = engine
                .store
                .dead_letters(StewardState::Open, None, 10)
                .await;
            let report = engine.retry_dead_letters(&letters.unwrap()).await.unwrap();
            assert_eq!(report.outcomes[&Outcome::Applied], 1);
            let lea = golden(&engine, "crm:lead:l1", "first_name").await;
            assert_eq!(lea, Value::text("Lea"));
            let open = engine
                .store
                .parked(StewardState::Open, None, 10)
                .await
                .unwrap();
            let shared = open
                .iter()
                .find(|p| p.code == ParkedCode::SharedKey)
                .unwrap();
            engine.resolve(shared, shared.entity).await.unwrap();
            let to_ann = |commands: Vec<wire::Command>| {
                let mut last_first = commands.into_iter().rev();
                last_first.find(|command| command.id.as_deref() == Some("m1"))
            };
            let last = to_ann(story::commands(&engine, "map").await).unwrap();
            let done = story::answer(&last, "m1", 165);
            settle(&engine, vec![story::answered(&done, 2)]).await;
            assert!(engine.fire_timers().await.unwrap() > 0);
            let next = to_ann(story::commands(&engine, "map").await).unwrap();
            assert_eq!(next.fields["street"], "14 New Road");
            let reads = story::commands(&engine, "crm").await;
            assert!(
                reads
                    .iter()
                    .any(|command| command.id.as_deref() == Some("c2"))
            );

            // The merge can be taken back, and the opt-out still holds.
            let cat = story::entity(&engine, "crm:contact:c4").await;
            let parted = engine.store.entity(cat).await.unwrap().unwrap();
            let kat = parted.provenance[&RecordKey::parse("crm:contact:c5").unwrap()];
            engine.unmerge(cat, kat).await.unwrap();
            assert_ne!(story::entity(&engine, "crm:contact:c5").await, cat);
            let wish = contact("c1", 170, r#""no_mail":"false""#);
            settle(&engine, vec![message("crm", 21, &wish)]).await;
            let kept = golden(&engine, "crm:contact:c1", "no_mail").await;
            assert_eq!(kept, Value::Bool(true));
        }
    }
}
