//! `baton migrate`: creates or updates the tables of the store.

use std::process::ExitCode;

use baton_store::{Options, Store};

use super::{Place, Workspace, output};

pub async fn run(place: &Place) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::open(place)?;
    let store = match &workspace.active.settings.store.url {
        Some(url) => {
            let store = Store::open(url.reveal(), &Options::default()).await?;
            store.migrate().await?;
            store
        }
        // In the data folder opening migrates.
        None => workspace.store().await?,
    };
    store.close().await;
    if place.json {
        output::json(&serde_json::json!({ "migrated": true }))?;
    } else {
        output::line("The store has the tables of this version.")?;
    }
    Ok(ExitCode::SUCCESS)
}
