//! A store in memory, for simulations: it reads the very statements that SQLite and PostgreSQL are given, and passes
//! the same tests. One writer at a time, as SQLite. What happens at its boundary is decided by whoever simulates: a
//! [`Gate`] is asked before everything that a real store could be away for, and after each commit.

mod schema;
mod syntax;
mod tables;
mod value;

use std::{
    collections::HashMap,
    fmt,
    io::ErrorKind,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex as Latch, PoisonError},
};

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{
    Store,
    cell::Cell,
    error::Error,
    sql::{Pool, Sql},
};
use syntax::Statement;
use tables::{Tables, Taken, Undo, With};
pub(crate) use value::{Value, get};

/// Where something can happen to a store, or to whoever uses it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Boundary {
    /// Something is about to be read.
    Read,
    /// A transaction is about to begin.
    Write,
    /// Everything of a transaction is written, nothing committed.
    Commit,
    /// The transaction is through; whoever asked has not heard of it.
    Committed,
}

/// What happens there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Happens {
    Nothing,
    /// The connection is lost. At a commit its outcome is not known then, whatever it is.
    Away,
    /// There is no room left. Before a commit only.
    Full,
}

/// Decides what happens at a boundary. It may take its time: a future that is dropped there is a crash there.
pub type Gate =
    Arc<dyn Fn(Boundary) -> Pin<Box<dyn Future<Output = Happens> + Send>> + Send + Sync>;

/// The tables that stores in memory share.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    tables: Arc<Mutex<Tables>>,
}

/// All tables as they were once.
#[derive(Clone, Debug)]
pub struct Backup(Tables);

impl Memory {
    /// A store on these tables at whose boundary nothing happens.
    #[must_use]
    pub fn store(&self) -> Store {
        self.store_behind(Arc::new(|_| Box::pin(std::future::ready(Happens::Nothing))))
    }

    /// A store on these tables.
    #[must_use]
    pub fn store_behind(&self, gate: Gate) -> Store {
        Store {
            pool: Pool::Memory(Connection {
                tables: self.tables.clone(),
                gate,
            }),
        }
    }

    /// Everything that is committed. Waits for a transaction under way.
    pub async fn backup(&self) -> Backup {
        Backup(self.tables.lock().await.clone())
    }

    /// Puts everything back to what it was.
    pub async fn restore(&self, backup: &Backup) {
        *self.tables.lock().await = backup.0.clone();
    }
}

/// How one process is connected.
#[derive(Clone)]
pub(crate) struct Connection {
    tables: Arc<Mutex<Tables>>,
    gate: Gate,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

impl Connection {
    async fn pass(&self, boundary: Boundary) -> Result<(), sqlx::Error> {
        let kind = match (self.gate)(boundary).await {
            Happens::Nothing => return Ok(()),
            Happens::Away => ErrorKind::ConnectionReset,
            Happens::Full => ErrorKind::StorageFull,
        };
        Err(sqlx::Error::Io(kind.into()))
    }

    /// For reading: nobody writes meanwhile.
    pub async fn read(&self) -> Result<Session, Error> {
        self.begin(Boundary::Read, false).await
    }

    /// A transaction that writes.
    pub async fn write(&self) -> Result<Session, Error> {
        self.begin(Boundary::Write, false).await
    }

    /// For a statement that is a transaction of its own.
    pub async fn write_one(&self) -> Result<Session, Error> {
        self.begin(Boundary::Write, true).await
    }

    async fn begin(&self, boundary: Boundary, by_itself: bool) -> Result<Session, Error> {
        self.pass(boundary).await?;
        Ok(Session {
            tables: self.tables.clone().lock_owned().await,
            connection: self.clone(),
            undo: Undo::new(),
            by_itself,
        })
    }

    pub async fn migrate(&self) {
        self.tables.lock().await.make();
    }

    pub async fn is_current(&self) -> bool {
        self.tables.lock().await.is_made()
    }
}

/// A transaction, or the time in which one statement is run. What was not committed is taken back when it is dropped.
pub(crate) struct Session {
    tables: OwnedMutexGuard<Tables>,
    connection: Connection,
    undo: Undo,
    /// Whether each statement stays at once.
    by_itself: bool,
}

impl Session {
    /// Keeps what was written.
    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        if self.undo.is_empty() {
            return Ok(());
        }
        let connection = self.connection.clone();
        connection.pass(Boundary::Commit).await?;
        self.undo.clear();
        drop(self);
        connection.pass(Boundary::Committed).await
    }

    pub fn execute(
        &mut self,
        sql: &'static Sql,
        bound: Vec<Cell>,
        input: Vec<Cell>,
    ) -> Result<u64, Error> {
        let (bound, input) = (values(bound), values(input));
        let with = With {
            bound: &bound,
            input: &input,
            width: sql.input.len(),
        };
        let statement = statement(sql)?;
        self.run(&statement, &with)
    }

    fn run(&mut self, statement: &Statement, with: &With<'_>) -> Result<u64, Error> {
        let touched = self.tables.execute(statement, with, &mut self.undo);
        if self.by_itself && touched.is_ok() {
            self.undo.clear();
        }
        touched.map_err(|Taken| Error::bug("a row is inserted under a key that is there"))
    }

    pub fn fetch(
        &self,
        sql: &'static Sql,
        bound: Vec<Cell>,
        input: Vec<Cell>,
    ) -> Result<Vec<Vec<Value>>, Error> {
        let (bound, input) = (values(bound), values(input));
        let with = With {
            bound: &bound,
            input: &input,
            width: sql.input.len(),
        };
        match &*statement(sql)? {
            Statement::Select(select) => Ok(self.tables.select(select, &with)),
            _ => Err(Error::bug(format!("no question to `{}`", sql.table))),
        }
    }

    /// Runs a text that is no statement of Baton's.
    pub fn raw(&mut self, text: &str) -> Result<(), Error> {
        let statement = syntax::read(text, &schema::TABLES).map_err(Error::bug)?;
        let with = With {
            bound: &[],
            input: &[],
            width: 0,
        };
        self.run(&statement, &with).map(drop)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.tables.take_back(std::mem::take(&mut self.undo));
    }
}

fn values(cells: Vec<Cell>) -> Vec<Value> {
    cells.into_iter().map(Value::from).collect()
}

/// The statement, read once.
fn statement(sql: &'static Sql) -> Result<Arc<Statement>, Error> {
    static READ: LazyLock<Latch<HashMap<&'static str, Arc<Statement>>>> =
        LazyLock::new(Latch::default);
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = read.get(sql.text) {
        return Ok(known.clone());
    }
    let statement = syntax::read(sql.text, &schema::TABLES).map_err(|why| {
        Error::bug(format!(
            "the store in memory does not understand {}: {why}",
            sql.text
        ))
    })?;
    let statement = Arc::new(statement);
    read.insert(sql.text, statement.clone());
    Ok(statement)
}
