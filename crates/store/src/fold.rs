//! Folding SQLite's write-ahead log into the database, beside the work.
//!
//! Left to itself SQLite folds within the commit that makes the log too long, and that commit, and everybody behind it,
//! waits until the disk has all of it. Here another connection copies and syncs while commits go
//! on, again and again until little is left; only that little is folded while nobody writes, after which the log starts
//! anew.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use sqlx::{SqliteConnection, SqlitePool};

use crate::{error::Error, sql::Pool};

/// Bytes of a page of the database.
pub(crate) const PAGE: usize = 4096;

/// Pages written until the log is folded: 64 MiB. A page that several commits change is copied back once.
const LONG: usize = (64 << 20) / PAGE;

/// Pages that may be folded while nobody writes.
const LITTLE: i64 = 256;

/// How often the log is gone through beside the work. Where commits are faster than the disk, the rest stays long.
const ROUNDS: usize = 4;

/// How long the log has become.
#[derive(Default, Debug)]
pub(crate) struct Folding {
    pages: AtomicUsize,
    under_way: AtomicBool,
}

impl Pool {
    /// A commit has written about so many pages. Folds the log, in a task of its own, once it is long.
    pub fn grown(&self, pages: usize) {
        let Self::Sqlite {
            writer,
            readers,
            folding,
        } = self
        else {
            return;
        };
        let long = folding.pages.fetch_add(pages, Ordering::Relaxed) + pages >= LONG;
        if !long || folding.under_way.swap(true, Ordering::Acquire) {
            return;
        }
        let (writer, readers, folding) = (writer.clone(), readers.clone(), Arc::clone(folding));
        tokio::spawn(async move {
            folding.pages.store(0, Ordering::Relaxed);
            if let Err(error) = fold(&writer, &readers).await
                && !writer.is_closed()
            {
                // Nothing is lost by it: the next commits find the log long again, and in the end SQLite does it.
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot fold the store's write-ahead log"
                );
            }
            folding.under_way.store(false, Ordering::Release);
        });
    }
}

async fn fold(writer: &SqlitePool, readers: &SqlitePool) -> Result<(), Error> {
    let mut beside = readers.acquire().await?;
    for _ in 0..ROUNDS {
        if checkpoint(&mut beside).await? <= LITTLE {
            break;
        }
    }
    drop(beside);
    // Who has the writer has everything in the log before it; the next commit starts the log anew, unless somebody
    // still reads what is in it.
    let mut alone = writer.acquire().await?;
    checkpoint(&mut alone).await?;
    Ok(())
}

/// Copies what is in the log into the database, without making anybody wait. Returns how many pages came meanwhile.
async fn checkpoint(conn: &mut SqliteConnection) -> Result<i64, Error> {
    let (_, log, folded): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)")
        .fetch_one(conn)
        .await?;
    Ok(log - folded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Store, testing};

    #[tokio::test]
    async fn what_is_folded_stands_in_the_database_without_its_log() -> Result<(), Error> {
        let (store, folder) = testing::sqlite_store(&Options::default()).await?;
        store.set_log_id("a log").await?;
        let Pool::Sqlite {
            writer, readers, ..
        } = &store.pool
        else {
            panic!("it is an SQLite database");
        };
        fold(writer, readers).await?;
        let alone = folder.path().join("alone.db");
        let copied = std::fs::copy(folder.path().join("baton.db"), &alone);
        copied.map_err(sqlx::Error::Io)?;
        let alone = Store::open_sqlite(&alone, &Options::default()).await?;
        assert_eq!(alone.log_id().await?.as_deref(), Some("a log"));
        Ok(())
    }

    #[tokio::test]
    async fn only_a_long_log_is_folded() -> Result<(), Error> {
        let (store, _folder) = testing::sqlite_store(&Options::default()).await?;
        let Pool::Sqlite { folding, .. } = &store.pool else {
            panic!("it is an SQLite database");
        };
        store.pool.grown(LONG - 1);
        assert!(!folding.under_way.load(Ordering::Acquire));
        store.pool.grown(1);
        assert!(folding.under_way.load(Ordering::Acquire));
        Ok(())
    }
}
