//! Opening a store, its tables and what is fixed once per installation.

use std::{path::Path, str::FromStr, sync::Arc, time::Duration};

use baton_core::{id::Digest, time::Millis};
use sqlx::{
    ConnectOptions as _, Connection as _,
    migrate::{MigrateError, Migrator},
    pool::PoolOptions,
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous},
};

#[cfg(any(feature = "testing", feature = "memory"))]
use crate::sql::Conn;
use crate::{
    error::{Class, Error},
    sql::{Bad, Cell, Pool, Row, Sql},
};

pub(crate) static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// How safe a commit is when the power fails. A crash of Baton alone never loses a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Durability {
    /// SQLite: the last commits may be lost, positions with them, so that they are consumed again; the database
    /// stays consistent.
    #[default]
    Normal,
    /// SQLite: every commit waits for the disk. (PostgreSQL does what its own `synchronous_commit` says.)
    Full,
}

#[derive(Clone, Debug, Default)]
pub struct Options {
    pub durability: Durability,
    /// Connections: on PostgreSQL of the whole pool, on SQLite of readers beside the one writer. Default 8 and 4.
    pub connections: Option<u32>,
}

/// A store that can be shared: clones use the same connections.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pool: Pool,
}

/// Where sqlx notes which migrations were applied.
const APPLIED: Sql = Sql {
    text: "SELECT version, checksum FROM _sqlx_migrations ORDER BY version",
    table: "_sqlx_migrations",
    key: 1,
    input: &[],
};
const CLOCK: Sql = Sql {
    text: "SELECT CAST(EXTRACT(EPOCH FROM CLOCK_TIMESTAMP()) * 1000 AS BIGINT)",
    table: "(clock)",
    key: 0,
    input: &[],
};
const SQLITE_SYNC: Sql = Sql {
    text: "SELECT 'write-ahead log, synchronous = ' || CASE synchronous
           WHEN 0 THEN 'OFF' WHEN 1 THEN 'NORMAL' WHEN 2 THEN 'FULL' ELSE 'EXTRA' END FROM pragma_synchronous",
    table: "(settings)",
    key: 0,
    input: &[],
};
const BACKEND: Sql = Sql {
    text: "SELECT CAST(PG_BACKEND_PID() AS BIGINT)",
    table: "(settings)",
    key: 0,
    input: &[],
};
const POSTGRES_SYNC: Sql = Sql {
    text: "SELECT 'fsync = ' || CURRENT_SETTING('fsync') || ', synchronous_commit = '
           || CURRENT_SETTING('synchronous_commit') || ', full_page_writes = '
           || CURRENT_SETTING('full_page_writes')",
    table: "(settings)",
    key: 0,
    input: &[],
};
const META: Sql = Sql {
    text: "SELECT name, value FROM meta WHERE name = $1",
    table: "meta",
    key: 1,
    input: &[],
};
const PUT_META_ONCE: Sql = Sql {
    text: "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
    table: "meta",
    key: 0,
    input: &[],
};
const PUT_META: Sql = Sql {
    text: "INSERT INTO meta (name, value) VALUES ($1, $2)
           ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    table: "meta",
    key: 0,
    input: &[],
};

/// A worker that hangs, or whose machine is gone, in the middle of a transaction has rows locked that others wait for.
/// PostgreSQL ends such a transaction, and the worker, when it wakes, settles its batch again.
const NO_HANGING: &str = "SET idle_in_transaction_session_timeout = '10s'";

/// How long opening waits for somebody who has the whole database.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who opens a database first after a crash recovers it, and who closes it last folds its log; SQLite turns others away
/// meanwhile, whatever their busy timeout.
async fn patiently<T, F>(open: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    let begun = std::time::Instant::now();
    loop {
        let error = match open().await {
            Ok(opened) => return Ok(opened),
            Err(error) => Error::from(error),
        };
        let passing = matches!(error.class(), Class::Transient | Class::Conflict);
        if !passing || begun.elapsed() > PATIENCE {
            return Err(error);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Store {
    /// Opens `sqlite:<path>`, `postgres://…`, or a plain path (SQLite). The file is created if missing; tables are
    /// not: see [`Store::migrate`].
    ///
    /// # Errors
    /// If the address is not understood (its text is not repeated: it may hold a password) or nobody answers.
    pub async fn open(address: &str, options: &Options) -> Result<Self, Error> {
        if address.starts_with("postgres:") || address.starts_with("postgresql:") {
            return Self::open_postgres(address, options).await;
        }
        let path = match address.strip_prefix("sqlite:") {
            Some(path) => path.strip_prefix("//").unwrap_or(path),
            None if address.contains("://") => {
                return Err(Error::misconfigured(
                    "the store's address must be `sqlite:<path>` or `postgres://…`",
                ));
            }
            None => address,
        };
        Self::open_sqlite(Path::new(path), options).await
    }

    /// Opens the SQLite database at `path`.
    ///
    /// # Errors
    /// If the file cannot be opened or created, or is no SQLite database.
    pub async fn open_sqlite(path: &Path, options: &Options) -> Result<Self, Error> {
        let base = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match options.durability {
                Durability::Normal => SqliteSynchronous::Normal,
                Durability::Full => SqliteSynchronous::Full,
            })
            .busy_timeout(Duration::from_secs(5))
            // The log is folded beside the work; see `fold`. Only if that does not come to it, a commit has to.
            .pragma("wal_autocheckpoint", "65536")
            .pragma("journal_size_limit", "268435456")
            .pragma("cache_size", "-16384")
            // Pages are read where the system keeps them, without a copy of our own.
            .pragma("mmap_size", "1099511627776")
            .pragma("temp_store", "memory")
            // What was erased is overwritten where that costs no extra writing.
            .pragma("secure_delete", "fast")
            .statement_cache_capacity(512)
            .row_buffer_size(1024)
            .disable_statement_logging();
        let pool = |connections| {
            PoolOptions::new()
                .min_connections(1)
                .max_connections(connections)
                .acquire_timeout(Duration::from_secs(30))
                // A full disk can make SQLite roll back by itself; sqlx then takes the connection for one in a
                // transaction for ever.
                .before_acquire(|conn: &mut SqliteConnection, _| {
                    let usable = !conn.is_in_transaction();
                    Box::pin(async move { Ok(usable) })
                })
        };
        // The writer first: it creates the file and sets the journal mode.
        let writer = patiently(|| pool(1).connect_with(base.clone())).await?;
        let reading = base
            .create_if_missing(false)
            .pragma("query_only", "on")
            // Only what is still in the log has to be copied, and that for the moment.
            .pragma("cache_size", "-2048");
        let most = options.connections.unwrap_or(4).max(1);
        let readers = patiently(|| pool(most).connect_with(reading.clone())).await?;
        Ok(Self {
            pool: Pool::Sqlite {
                writer,
                readers,
                folding: Arc::default(),
            },
        })
    }

    async fn open_postgres(address: &str, options: &Options) -> Result<Self, Error> {
        let connect = PgConnectOptions::from_str(address)?
            .application_name("baton")
            .statement_cache_capacity(256)
            .disable_statement_logging();
        let pool = PoolOptions::new()
            .max_connections(options.connections.unwrap_or(8).max(1))
            .acquire_timeout(Duration::from_secs(30))
            .after_connect(|conn, _| {
                Box::pin(async move {
                    sqlx::query(NO_HANGING).execute(conn).await?;
                    Ok(())
                })
            })
            .connect_with(connect)
            .await?;
        Ok(Self {
            pool: Pool::Postgres(pool),
        })
    }

    /// Creates or updates the tables, and draws the installation's salt when there is none. Several processes may
    /// call it at once.
    ///
    /// # Errors
    /// If the database belongs to a newer Baton or to somebody else, or cannot be written.
    pub async fn migrate(&self) -> Result<(), Error> {
        match &self.pool {
            Pool::Sqlite { writer, .. } => SQLITE.run(writer).await?,
            Pool::Postgres(pool) => POSTGRES.run(pool).await?,
            #[cfg(feature = "memory")]
            Pool::Memory(memory) => memory.migrate().await,
        }
        let salt: [u8; 16] = rand::random();
        self.put_meta(&PUT_META_ONCE, "salt", salt.to_vec()).await
    }

    /// Whether the tables are those of this Baton. False also for an empty database.
    ///
    /// # Errors
    /// If the database belongs to a newer Baton or to somebody else, or cannot be reached.
    pub async fn is_current(&self) -> Result<bool, Error> {
        let known = match &self.pool {
            Pool::Sqlite { .. } => &SQLITE,
            Pool::Postgres(_) => &POSTGRES,
            #[cfg(feature = "memory")]
            Pool::Memory(memory) => return Ok(memory.is_current().await),
        };
        let mut held = self.pool.reader().await?;
        let applied = held
            .conn()
            .fetch(&APPLIED, vec![], |row| {
                Ok((row.int(0, "version")?, row.bytes(1, "checksum")?.to_vec()))
            })
            .await;
        let applied = match applied {
            // The statement can only be refused because its table is not there.
            Err(Error::Misconfigured { .. }) => return Ok(false),
            other => other?,
        };
        for (version, checksum) in &applied {
            match known.iter().find(|m| m.version == *version) {
                None => return Err(MigrateError::VersionMissing(*version).into()),
                Some(m) if *m.checksum != **checksum => {
                    return Err(MigrateError::VersionMismatch(*version).into());
                }
                Some(_) => {}
            }
        }
        Ok(applied.len() == known.iter().count())
    }

    /// What the database's own clock says. None where it has none of its own (SQLite).
    ///
    /// # Errors
    /// If the store cannot be reached.
    pub async fn clock(&self) -> Result<Option<Millis>, Error> {
        if !matches!(self.pool, Pool::Postgres(_)) {
            return Ok(None);
        }
        let mut held = self.pool.reader().await?;
        let read = |row: &Row<'_>| row.int(0, "now").map(Millis);
        let found = held.conn().fetch(&CLOCK, vec![], read).await?;
        Ok(found.into_iter().next())
    }

    /// The process of the database's server that serves one of this store's connections, on whichever machine that
    /// is. None where there is no server (SQLite).
    ///
    /// # Errors
    /// If the store cannot be reached.
    pub async fn backend(&self) -> Result<Option<u32>, Error> {
        if !matches!(self.pool, Pool::Postgres(_)) {
            return Ok(None);
        }
        let mut held = self.pool.reader().await?;
        let read = |row: &Row<'_>| row.int(0, "pid");
        let found = held.conn().fetch(&BACKEND, vec![], read).await?;
        Ok(found.into_iter().next().and_then(|pid| pid.try_into().ok()))
    }

    /// What the database says of how its commits reach the disk, in words of its own settings.
    ///
    /// # Errors
    /// If the store cannot be reached.
    pub async fn synchronous(&self) -> Result<String, Error> {
        let sql = match self.pool {
            Pool::Sqlite { .. } => &SQLITE_SYNC,
            Pool::Postgres(_) => &POSTGRES_SYNC,
            #[cfg(feature = "memory")]
            Pool::Memory(_) => return Ok("nothing is on a disk".to_owned()),
        };
        let says = |row: &Row<'_>| Ok(row.text(0, "settings")?.to_owned());
        // The writer's: readers of SQLite have a setting of their own.
        let mut held = self.pool.writer().await?;
        let found = held.conn().fetch(sql, vec![], says).await?;
        Ok(found.into_iter().next().unwrap_or_default())
    }

    /// The installation's salt, for hashes that must not be comparable with anybody else's. Drawn once by
    /// [`Store::migrate`].
    ///
    /// # Errors
    /// If the store was not migrated or cannot be read.
    pub async fn salt(&self) -> Result<Digest, Error> {
        self.meta("salt", |row| row.digest(1, "value"))
            .await?
            .ok_or_else(|| {
                Error::misconfigured("the store has no salt yet: run `baton migrate` first")
            })
    }

    /// The id of the log that the positions belong to, if one was noted.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn log_id(&self) -> Result<Option<String>, Error> {
        self.meta("log_id", |row| {
            String::from_utf8(row.bytes(1, "value")?.to_vec()).map_err(|e| Bad::new("value", e))
        })
        .await
    }

    /// Notes the id of the log that the positions belong to.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn set_log_id(&self, id: &str) -> Result<(), Error> {
        self.put_meta(&PUT_META, "log_id", id.as_bytes().to_vec())
            .await
    }

    async fn meta<T>(
        &self,
        name: &'static str,
        decode: impl FnMut(&Row<'_>) -> Result<T, Bad>,
    ) -> Result<Option<T>, Error> {
        let mut held = self.pool.reader().await?;
        let found = held.conn().fetch(&META, vec![name.into()], decode).await?;
        Ok(found.into_iter().next())
    }

    async fn put_meta(&self, sql: &'static Sql, name: &str, value: Vec<u8>) -> Result<(), Error> {
        let cells: Vec<Cell> = vec![name.into(), value.into()];
        let mut held = self.pool.writer().await?;
        held.conn().execute(sql, cells).await?;
        Ok(())
    }

    /// Waits for what is under way and closes all connections. SQLite folds its write-ahead log into the database.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Creates the tables as an older Baton had them, whose newest migration was `version`.
    ///
    /// # Errors
    /// If the database cannot be written.
    #[cfg(feature = "testing")]
    pub async fn migrate_to(&self, version: i64) -> Result<(), Error> {
        match &self.pool {
            Pool::Sqlite { writer, .. } => SQLITE.run_to(version, writer).await?,
            Pool::Postgres(pool) => POSTGRES.run_to(version, pool).await?,
            #[cfg(feature = "memory")]
            Pool::Memory(memory) => memory.migrate().await,
        }
        Ok(())
    }

    /// The number of the newest migration.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn newest_migration() -> i64 {
        let versions = SQLITE.iter().map(|migration| migration.version);
        versions.max().unwrap_or_default()
    }

    /// Runs a text as it is, for tests that need a database of their own or a damaged row.
    ///
    /// # Errors
    /// If the database refuses.
    #[cfg(any(feature = "testing", feature = "memory"))]
    pub async fn raw(&self, text: &str) -> Result<(), Error> {
        let mut held = self.pool.writer().await?;
        match held.conn() {
            Conn::Sqlite(conn) => {
                sqlx::raw_sql(sqlx::AssertSqlSafe(text))
                    .execute(conn)
                    .await?;
            }
            Conn::Postgres(conn) => {
                sqlx::raw_sql(sqlx::AssertSqlSafe(text))
                    .execute(conn)
                    .await?;
            }
            #[cfg(feature = "memory")]
            Conn::Memory(session) => session.raw(text)?,
        }
        Ok(())
    }
}
