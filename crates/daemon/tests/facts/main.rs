//! Facts about the engine, the loop over the embedded log, and the command line.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod accounts;
mod ahead;
mod command_line;
mod doctor;
mod funnel;
mod funnel_by_hand;
mod given;
mod help;
mod log;
mod pipeline;
mod relaying;
mod rereading;
mod stewards;
mod story;
mod strangers;
mod supposed;
mod timers;
mod upgrade;
mod versions;
mod walk;
mod warm;

/// The database behind [`given::engine`].
async fn backing() -> (baton_store::Store, given::Kept) {
    let folder = tempfile::tempdir().unwrap();
    (given::store(folder.path()).await, Box::new(folder))
}
