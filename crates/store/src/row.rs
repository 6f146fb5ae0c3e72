//! Rows as they come from the store.

use baton_core::id::Digest;
use sqlx::{Row as _, postgres::PgRow, sqlite::SqliteRow};

#[cfg(feature = "memory")]
use crate::memory;
use crate::{error::Error, sql::Sql};

/// A row as it comes from the store.
pub(crate) enum Row<'r> {
    Sqlite(&'r SqliteRow),
    Postgres(&'r PgRow),
    #[cfg(feature = "memory")]
    Memory(&'r [memory::Value]),
}

/// A column that is not what it should be; [`Conn`](crate::sql::Conn) adds table and key.
#[derive(Debug)]
pub(crate) struct Bad {
    pub column: &'static str,
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl Bad {
    pub fn new(
        column: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            column,
            source: source.into(),
        }
    }
}

macro_rules! get {
    ($row:expr, $at:expr, $column:expr) => {
        match $row {
            Row::Sqlite(row) => row.try_get($at).map_err(|e| Bad::new($column, e)),
            Row::Postgres(row) => row.try_get($at).map_err(|e| Bad::new($column, e)),
            #[cfg(feature = "memory")]
            Row::Memory(row) => memory::get(row, $at).map_err(|e| Bad::new($column, e)),
        }
    };
}

impl<'r> Row<'r> {
    pub fn int(&self, at: usize, column: &'static str) -> Result<i64, Bad> {
        get!(self, at, column)
    }

    pub fn opt_int(&self, at: usize, column: &'static str) -> Result<Option<i64>, Bad> {
        get!(self, at, column)
    }

    pub fn bytes(&self, at: usize, column: &'static str) -> Result<&'r [u8], Bad> {
        get!(self, at, column)
    }

    pub fn opt_bytes(&self, at: usize, column: &'static str) -> Result<Option<&'r [u8]>, Bad> {
        get!(self, at, column)
    }

    pub fn text(&self, at: usize, column: &'static str) -> Result<&'r str, Bad> {
        get!(self, at, column)
    }

    pub fn opt_text(&self, at: usize, column: &'static str) -> Result<Option<&'r str>, Bad> {
        get!(self, at, column)
    }

    pub fn digest(&self, at: usize, column: &'static str) -> Result<Digest, Bad> {
        <[u8; 16]>::try_from(self.bytes(at, column)?)
            .map(Digest)
            .map_err(|e| Bad::new(column, e))
    }

    /// The first `columns` columns for an error message.
    fn name(&self, columns: usize) -> String {
        let parts: Vec<String> = (0..columns)
            .map(|at| {
                let (int, bytes) = (self.opt_int(at, ""), self.opt_bytes(at, ""));
                if let Ok(Some(int)) = int {
                    int.to_string()
                } else if let Ok(Some(text)) = self.opt_text(at, "") {
                    text.to_owned()
                } else if let Ok(Some(bytes)) = bytes {
                    bytes.iter().map(|b| format!("{b:02x}")).collect()
                } else {
                    "?".to_owned()
                }
            })
            .collect();
        parts.join(" ")
    }

    pub fn corrupt(&self, sql: &Sql, bad: Bad) -> Error {
        Error::Corrupt {
            table: sql.table,
            column: bad.column,
            key: self.name(sql.key),
            source: bad.source,
        }
    }
}
