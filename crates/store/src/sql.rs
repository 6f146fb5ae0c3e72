//! One SQL text for both databases, and for the store in memory of simulations. This is the only file that knows which
//! one is behind it; it holds no query.
//!
//! A text uses `$1`, `$2` … for single values, which both databases read. Texts over many rows say `{values}`
//! (after `INSERT INTO t (…)`) or `{input}` (a table in FROM, with columns `input.column1` …): on SQLite they
//! become a list of VALUES in chunks of a few fixed sizes, so that the prepared statements are found again; on
//! PostgreSQL arrays and `UNNEST`, one statement whatever the number of rows.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use sqlx::{
    Arguments, AssertSqlSafe, PgPool, Postgres, Sqlite, SqlitePool, Transaction,
    pool::PoolConnection,
    postgres::{PgArguments, PgConnection},
    sqlite::{SqliteArguments, SqliteConnection},
};

#[cfg(feature = "memory")]
use crate::memory;
pub(crate) use crate::{
    cell::{Cell, Rows, escape, unescape},
    row::{Bad, Row},
};
use crate::{error::Error, fold::Folding};

/// Type of an input column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Type {
    Int,
    Bytes,
    Text,
}

/// A statement.
pub(crate) struct Sql {
    pub text: &'static str,
    /// The table it is about, for errors.
    pub table: &'static str,
    /// How many leading columns of its rows name the row, for errors.
    pub key: usize,
    /// Types of the columns of `{values}` or `{input}`.
    pub input: &'static [Type],
}

/// How rows get their numbers before they are written.
pub(crate) struct Numbers {
    /// The greatest number so far, where one transaction writes at a time.
    pub greatest: Sql,
    /// Draws `$1` numbers that nobody else gets, rising.
    pub draw: Sql,
}

/// Rows per statement on SQLite at most. Times the widest table this stays below its limit of 32766 bound values.
const CHUNK: usize = 512;

/// Rows per statement on PostgreSQL: keeps one message below its limit of 1 GiB with bodies of 100 KiB.
const PG_ROWS: usize = 8192;

#[derive(Clone, Debug)]
pub(crate) enum Pool {
    Sqlite {
        /// One connection: SQLite has one writer at a time, and waiting here is fair.
        writer: SqlitePool,
        readers: SqlitePool,
        folding: Arc<Folding>,
    },
    Postgres(PgPool),
    #[cfg(feature = "memory")]
    Memory(memory::Connection),
}

impl Pool {
    /// A transaction that writes.
    pub async fn write(&self) -> Result<Tx, Error> {
        Ok(match self {
            Self::Sqlite { writer, .. } => Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
            #[cfg(feature = "memory")]
            Self::Memory(memory) => Tx::Memory(memory.write().await?),
        })
    }

    /// A transaction that sees one state of the store throughout.
    pub async fn snapshot(&self) -> Result<Tx, Error> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Tx::Sqlite(readers.begin().await?),
            Self::Postgres(pool) => Tx::Postgres(
                pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await?,
            ),
            #[cfg(feature = "memory")]
            Self::Memory(memory) => Tx::Memory(memory.read().await?),
        })
    }

    /// A connection for one reading statement.
    pub async fn reader(&self) -> Result<Held, Error> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Held::Sqlite(readers.acquire().await?),
            Self::Postgres(pool) => Held::Postgres(pool.acquire().await?),
            #[cfg(feature = "memory")]
            Self::Memory(memory) => Held::Memory(memory.read().await?),
        })
    }

    /// A connection for one writing statement.
    pub async fn writer(&self) -> Result<Held, Error> {
        Ok(match self {
            Self::Sqlite { writer, .. } => Held::Sqlite(writer.acquire().await?),
            Self::Postgres(pool) => Held::Postgres(pool.acquire().await?),
            #[cfg(feature = "memory")]
            Self::Memory(memory) => Held::Memory(memory.write_one().await?),
        })
    }

    pub async fn close(&self) {
        match self {
            Self::Sqlite {
                writer, readers, ..
            } => {
                // The writer last: the last connection to close folds the write-ahead log into the database.
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
            #[cfg(feature = "memory")]
            Self::Memory(_) => {}
        }
    }
}

pub(crate) enum Held {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
    #[cfg(feature = "memory")]
    Memory(memory::Session),
}

impl Held {
    pub fn conn(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(conn) => Conn::Sqlite(conn),
            Self::Postgres(conn) => Conn::Postgres(conn),
            #[cfg(feature = "memory")]
            Self::Memory(session) => Conn::Memory(session),
        }
    }
}

/// Rolled back when dropped.
pub(crate) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
    #[cfg(feature = "memory")]
    Memory(memory::Session),
}

impl Tx {
    pub fn conn(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(tx) => Conn::Sqlite(tx),
            Self::Postgres(tx) => Conn::Postgres(tx),
            #[cfg(feature = "memory")]
            Self::Memory(session) => Conn::Memory(session),
        }
    }

    pub async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
            #[cfg(feature = "memory")]
            Self::Memory(session) => session.commit().await,
        }
        .map_err(Error::of_commit)
    }
}

pub(crate) enum Conn<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
    #[cfg(feature = "memory")]
    Memory(&'c mut memory::Session),
}

macro_rules! arguments {
    ($kind:ty, $cells:expr) => {{
        let mut arguments = <$kind>::default();
        for cell in $cells {
            match cell {
                Cell::Int(value) => arguments.add(value),
                Cell::Bytes(value) => arguments.add(value),
                Cell::Text(value) => arguments.add(value),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        arguments
    }};
}

macro_rules! collect {
    ($rows:expr, $kind:path, $sql:expr, $out:expr, $decode:expr) => {
        for row in &$rows {
            let row = $kind(row);
            $out.push($decode(&row).map_err(|bad| row.corrupt($sql, bad))?);
        }
    };
}

impl Conn<'_> {
    /// The commit of this transaction need not wait for the disk. Only PostgreSQL can be told so of one transaction;
    /// what commits after it is never kept without it.
    pub async fn need_not_outlast_a_power_cut(&mut self) -> Result<(), Error> {
        if let Self::Postgres(conn) = self {
            sqlx::query("SET LOCAL synchronous_commit = off")
                .execute(&mut **conn)
                .await?;
        }
        Ok(())
    }

    /// Runs a statement with single values and returns how many rows it touched.
    pub async fn execute(&mut self, sql: &'static Sql, cells: Vec<Cell>) -> Result<u64, Error> {
        Ok(match self {
            Self::Sqlite(conn) => sqlx::query_with(sql.text, arguments!(SqliteArguments, cells))
                .execute(&mut **conn)
                .await?
                .rows_affected(),
            Self::Postgres(conn) => sqlx::query_with(sql.text, arguments!(PgArguments, cells))
                .execute(&mut **conn)
                .await?
                .rows_affected(),
            #[cfg(feature = "memory")]
            Self::Memory(session) => session.execute(sql, cells, Vec::new())?,
        })
    }

    /// Runs a statement over many rows and returns how many rows it touched.
    pub async fn execute_rows(&mut self, sql: &'static Sql, rows: Rows) -> Result<u64, Error> {
        let mut touched = 0;
        let mut cells = rows.cells.into_iter();
        match self {
            Self::Sqlite(conn) => {
                for (taken, size) in chunks(rows.len) {
                    let chunk = padded(&mut cells, sql, taken, size);
                    let arguments = arguments!(SqliteArguments, chunk);
                    let text = AssertSqlSafe(sqlite_text(sql, size));
                    touched += sqlx::query_with(text, arguments)
                        .execute(&mut **conn)
                        .await?
                        .rows_affected();
                }
            }
            Self::Postgres(conn) => {
                while cells.len() > 0 {
                    let arguments = arrays(sql, &mut cells)?;
                    touched += sqlx::query_with(AssertSqlSafe(postgres_text(sql)), arguments)
                        .execute(&mut **conn)
                        .await?
                        .rows_affected();
                }
            }
            #[cfg(feature = "memory")]
            Self::Memory(session) => {
                touched = session.execute(sql, Vec::new(), cells.collect())?;
            }
        }
        Ok(touched)
    }

    /// Numbers for so many new rows, rising. Those of a transaction that does not come about may be left out.
    pub async fn numbers(
        &mut self,
        numbers: &'static Numbers,
        count: usize,
    ) -> Result<Vec<i64>, Error> {
        if count == 0 {
            return Ok(Vec::new());
        }
        // No batch comes near the end of these numbers.
        let wanted = i64::try_from(count).unwrap_or(i64::MAX);
        match self {
            Self::Postgres(_) => {
                self.fetch(&numbers.draw, vec![wanted.into()], |row| row.int(0, "seq"))
                    .await
            }
            // One transaction writes at a time.
            _ => {
                let greatest = self
                    .fetch(&numbers.greatest, vec![], |row| row.opt_int(0, "seq"))
                    .await?;
                let next = greatest.into_iter().flatten().next().unwrap_or(0) + 1;
                Ok((next..next.saturating_add(wanted)).collect())
            }
        }
    }

    /// Reads rows with single values as input.
    pub async fn fetch<T>(
        &mut self,
        sql: &'static Sql,
        cells: Vec<Cell>,
        mut decode: impl FnMut(&Row<'_>) -> Result<T, Bad>,
    ) -> Result<Vec<T>, Error> {
        let mut out = Vec::new();
        match self {
            Self::Sqlite(conn) => {
                let rows = sqlx::query_with(sql.text, arguments!(SqliteArguments, cells))
                    .fetch_all(&mut **conn)
                    .await?;
                collect!(rows, Row::Sqlite, sql, out, decode);
            }
            Self::Postgres(conn) => {
                let rows = sqlx::query_with(sql.text, arguments!(PgArguments, cells))
                    .fetch_all(&mut **conn)
                    .await?;
                collect!(rows, Row::Postgres, sql, out, decode);
            }
            #[cfg(feature = "memory")]
            Self::Memory(session) => {
                let rows = session.fetch(sql, cells, Vec::new())?;
                collect!(rows, Row::Memory, sql, out, decode);
            }
        }
        Ok(out)
    }

    /// Reads the rows that belong to many input rows.
    pub async fn fetch_rows<T>(
        &mut self,
        sql: &'static Sql,
        rows: Rows,
        mut decode: impl FnMut(&Row<'_>) -> Result<T, Bad>,
    ) -> Result<Vec<T>, Error> {
        let mut out = Vec::with_capacity(rows.len);
        let mut cells = rows.cells.into_iter();
        match self {
            Self::Sqlite(conn) => {
                for (taken, size) in chunks(rows.len) {
                    let chunk = padded(&mut cells, sql, taken, size);
                    let arguments = arguments!(SqliteArguments, chunk);
                    let text = AssertSqlSafe(sqlite_text(sql, size));
                    let found = sqlx::query_with(text, arguments)
                        .fetch_all(&mut **conn)
                        .await?;
                    collect!(found, Row::Sqlite, sql, out, decode);
                }
            }
            Self::Postgres(conn) => {
                while cells.len() > 0 {
                    let arguments = arrays(sql, &mut cells)?;
                    let found = sqlx::query_with(AssertSqlSafe(postgres_text(sql)), arguments)
                        .fetch_all(&mut **conn)
                        .await?;
                    collect!(found, Row::Postgres, sql, out, decode);
                }
            }
            #[cfg(feature = "memory")]
            Self::Memory(session) => {
                let found = session.fetch(sql, Vec::new(), cells.collect())?;
                collect!(found, Row::Memory, sql, out, decode);
            }
        }
        Ok(out)
    }
}

/// How many rows the statements that together carry `rows` rows take, and how many each has room for. There are few
/// sizes, so that the prepared statements are found again, and few statements, because each is a trip to the thread that
/// has the connection.
fn chunks(mut rows: usize) -> impl Iterator<Item = (usize, usize)> {
    std::iter::from_fn(move || {
        let taken = rows.min(CHUNK);
        rows -= taken;
        (taken > 0).then(|| (taken, taken.next_power_of_two()))
    })
}

/// The cells of the next rows, and rows of NULL for the room that they leave: such a row is not inserted, and joins
/// nothing.
fn padded(
    cells: &mut std::vec::IntoIter<Cell>,
    sql: &Sql,
    taken: usize,
    size: usize,
) -> impl Iterator<Item = Cell> {
    let width = sql.input.len();
    let rest = std::iter::repeat_n(Cell::Int(None), (size - taken) * width);
    cells.by_ref().take(taken * width).chain(rest)
}

/// The next rows as one array per column.
fn arrays(sql: &Sql, cells: &mut std::vec::IntoIter<Cell>) -> Result<PgArguments, Error> {
    enum Array {
        Int(Vec<Option<i64>>),
        Bytes(Vec<Option<Vec<u8>>>),
        Text(Vec<Option<String>>),
    }
    let mut columns: Vec<Array> = sql
        .input
        .iter()
        .map(|of| match of {
            Type::Int => Array::Int(Vec::new()),
            Type::Bytes => Array::Bytes(Vec::new()),
            Type::Text => Array::Text(Vec::new()),
        })
        .collect();
    for _ in 0..PG_ROWS {
        for column in &mut columns {
            match (column, cells.next()) {
                (Array::Int(array), Some(Cell::Int(value))) => array.push(value),
                (Array::Bytes(array), Some(Cell::Bytes(value))) => array.push(value),
                (Array::Text(array), Some(Cell::Text(value))) => array.push(value),
                _ => {
                    return Err(Error::bug(format!(
                        "an input row of `{}` does not have the declared columns",
                        sql.table
                    )));
                }
            }
        }
        if cells.len() == 0 {
            break;
        }
    }
    let mut arguments = PgArguments::default();
    for column in columns {
        match column {
            Array::Int(array) => arguments.add(array),
            Array::Bytes(array) => arguments.add(array),
            Array::Text(array) => arguments.add(array),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

type Texts = Mutex<HashMap<(&'static str, usize), Arc<str>>>;

fn remembered(texts: &Texts, sql: &Sql, rows: usize, make: impl FnOnce() -> String) -> Arc<str> {
    let mut texts = texts.lock().unwrap_or_else(PoisonError::into_inner);
    texts
        .entry((sql.text, rows))
        .or_insert_with(|| make().into())
        .clone()
}

fn sqlite_text(sql: &Sql, rows: usize) -> Arc<str> {
    static TEXTS: LazyLock<Texts> = LazyLock::new(Texts::default);
    remembered(&TEXTS, sql, rows, || {
        // Unnumbered: SQLite looks numbered ones up by their names, one after the other.
        let row = format!("({})", vec!["?"; sql.input.len()].join(","));
        let values = format!("(VALUES {})", vec![row.as_str(); rows].join(","));
        // No first column of a table can be NULL; see `padded`.
        let filled = format!("SELECT * FROM {values} WHERE column1 IS NOT NULL");
        sql.text
            .replace("{values}", &filled)
            .replace("{input}", &format!("{values} AS input"))
    })
}

fn postgres_text(sql: &Sql) -> Arc<str> {
    static TEXTS: LazyLock<Texts> = LazyLock::new(Texts::default);
    remembered(&TEXTS, sql, 0, || {
        let numbered = |make: &dyn Fn(usize, Type) -> String| {
            let parts: Vec<String> = (1..).zip(sql.input).map(|(n, of)| make(n, *of)).collect();
            parts.join(", ")
        };
        let arrays = numbered(&|n, of| {
            let of = match of {
                Type::Int => "bigint",
                Type::Bytes => "bytea",
                Type::Text => "text",
            };
            format!("${n}::{of}[]")
        });
        let names = numbered(&|n, _| format!("column{n}"));
        sql.text
            .replace("{values}", &format!("SELECT * FROM UNNEST({arrays})"))
            .replace("{input}", &format!("UNNEST({arrays}) AS input({names})"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_carry_every_row_once() {
        for rows in [0, 1, 7, 8, 9, 63, 511, 512, 513, 5000] {
            let chunks: Vec<_> = chunks(rows).collect();
            assert_eq!(chunks.iter().map(|(taken, _)| taken).sum::<usize>(), rows);
            let has_room = |&(taken, size): &(usize, usize)| size >= taken && size < 2 * taken;
            assert!(chunks.iter().all(has_room), "{chunks:?}");
        }
    }
}
