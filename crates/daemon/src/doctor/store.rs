//! The store: whether it answers, its tables, its clock, its positions.

use baton_core::time::{MINUTE, Millis};
use baton_store::{Class, Error, Options, Store, StoredPosition};

use super::Findings;
use crate::{cli::Workspace, clock::Clock};

/// Clocks that differ by more than this order changes wrongly among systems.
const SKEW_WARNING: i64 = 2_000;

/// The first PostgreSQL with the identity columns that the tables have.
const OLDEST: i64 = 10;

/// The store's positions; none where it could not be asked.
pub(super) async fn examine(
    workspace: &Workspace,
    findings: &mut Findings,
) -> Option<Vec<StoredPosition>> {
    let area = "store";
    let settings = &workspace.active.settings.store;
    let options = Options {
        connections: Some(1),
        ..Options::default()
    };
    let opened = match &settings.url {
        Some(url) => Store::open(url.reveal(), &options).await,
        None => {
            let file = workspace.data.join("baton.db");
            if !file.is_file() {
                findings.ok(area, "none yet; the daemon creates it in the data folder");
                return Some(Vec::new());
            }
            Store::open_sqlite(&file, &options).await
        }
    };
    let store = match opened {
        Ok(store) => store,
        Err(error) => {
            findings.wrong(
                area,
                format!("cannot be opened: {}", words(&error)),
                reach(&error),
            );
            findings.skipped("clock", "the store does not answer");
            return None;
        }
    };
    let current = store.is_current().await;
    server(&store, findings).await;
    clock(&store, findings).await;
    let positions = match current {
        Ok(true) => {
            findings.ok(area, "answers, and has the tables of this version");
            positions(&store, workspace, findings).await
        }
        Ok(false) if settings.url.is_none() => {
            findings.ok(area, "answers; the daemon updates its tables at the start");
            None
        }
        Ok(false) => {
            findings.wrong(area, "its tables are missing or old", "run `baton migrate`");
            None
        }
        Err(error) => {
            let fix =
                "use the Baton that belongs to this store, or restore a backup of this version";
            findings.wrong(area, format!("has other tables: {}", words(&error)), fix);
            None
        }
    };
    store.close().await;
    positions
}

async fn positions(
    store: &Store,
    workspace: &Workspace,
    findings: &mut Findings,
) -> Option<Vec<StoredPosition>> {
    let mut all = Vec::new();
    for topic in workspace.active.topics.consumed() {
        match store.positions(&topic).await {
            Ok(some) => all.extend(some),
            Err(error) => {
                findings.wrong("store", words(&error), reach(&error));
                return None;
            }
        }
    }
    Some(all)
}

/// The database server: its version, and whether it may be written.
async fn server(store: &Store, findings: &mut Findings) {
    let area = "database";
    let found = match store.server().await {
        Ok(None) => return,
        Ok(Some(found)) => found,
        Err(error) => return findings.skipped(area, format!("it does not say: {}", words(&error))),
    };
    let version = format!("PostgreSQL {}.{}", found.major, found.minor);
    if found.major < OLDEST {
        findings.wrong(
            area,
            format!("{version} is too old"),
            format!("update it to {OLDEST} at least; Baton is tested with 15"),
        );
    } else {
        findings.ok(area, version);
    }
    if found.read_only {
        findings.wrong(
            area,
            "it takes no writes: it is a standby, or was set to read only",
            "name the primary in `store.url`, or set default_transaction_read_only=off",
        );
    }
    if !found.without_rights.is_empty() {
        findings.wrong(
            "permissions",
            format!(
                "the store's user may not read and write {}",
                found.without_rights.join(", ")
            ),
            "grant SELECT, INSERT, UPDATE and DELETE on all tables to the user of `store.url`, or make it their owner",
        );
    }
}

/// The database's clock beside this machine's. Baton orders by the log's clock; timers and leases read these two.
async fn clock(store: &Store, findings: &mut Findings) {
    let area = "clock";
    let before = Clock::System.now();
    match store.clock().await {
        Ok(None) => findings.skipped(area, "the store has this machine's own clock"),
        Ok(Some(theirs)) => {
            let off = skew(before, theirs, Clock::System.now());
            let what = format!("this machine and the database differ by {off} ms");
            let fix = "let both machines keep time by NTP (`timedatectl set-ntp true`)";
            if off > MINUTE {
                findings.wrong(area, what, fix);
            } else if off > SKEW_WARNING {
                findings.warning(area, what, fix);
            } else {
                findings.ok(area, what);
            }
        }
        Err(error) => findings.skipped(area, format!("the store does not say: {}", words(&error))),
    }
}

/// The least difference, ms, that explains what was read between two looks at our own clock.
fn skew(before: Millis, theirs: Millis, after: Millis) -> i64 {
    let (early, late) = (before.since(theirs), theirs.since(after));
    early.max(late).max(0)
}

fn words(error: &Error) -> String {
    // Causes too: "cannot connect" alone helps nobody. The address, which may hold a password, is in none of them.
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}

fn reach(error: &Error) -> String {
    match error.class() {
        Class::Transient | Class::Unknown => {
            "start the database, or mend `store.url` and the network on the way to it".to_owned()
        }
        Class::Full => "make room on the database's disk".to_owned(),
        _ => "mend `store.url`: server, database, user, password".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_no_skew_and_a_wrong_clock_is() {
        let at = Millis;
        assert_eq!(skew(at(1_000), at(1_400), at(2_000)), 0);
        assert_eq!(skew(at(1_000), at(900), at(2_000)), 100);
        assert_eq!(skew(at(1_000), at(5_000), at(2_000)), 3_000);
    }
}
