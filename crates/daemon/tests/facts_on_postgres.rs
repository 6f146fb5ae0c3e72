//! The facts about the engine once more, on PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "facts/accounts.rs"]
mod accounts;
#[path = "facts/given.rs"]
mod given;
#[path = "facts/pipeline.rs"]
mod pipeline;
#[path = "facts/rereading.rs"]
mod rereading;
#[path = "facts/stewards.rs"]
mod stewards;
#[path = "facts/supposed.rs"]
mod supposed;
#[path = "facts/walk.rs"]
mod walk;

/// The database behind [`given::engine`]: PostgreSQL. Without a server the tests say so and run on SQLite instead;
/// where none may be skipped, they fail.
async fn backing() -> (baton_store::Store, given::Kept) {
    let Some(server) = baton_store::testing::postgres() else {
        let folder = tempfile::tempdir().unwrap();
        return (given::store(folder.path()).await, Box::new(folder));
    };
    let options = baton_store::Options::default();
    let (store, database) = baton_store::testing::postgres_store(server, &options)
        .await
        .unwrap();
    (store, Box::new(database))
}
