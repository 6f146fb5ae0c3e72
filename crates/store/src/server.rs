//! What a database server says of itself: its version, and what its user may do.

use crate::{
    error::Error,
    open::Store,
    sql::{Pool, Row, Sql},
};

const SERVER: Sql = Sql {
    text: "SELECT CAST(CURRENT_SETTING('server_version_num') AS BIGINT),
                  CASE WHEN PG_IS_IN_RECOVERY() OR CURRENT_SETTING('default_transaction_read_only') = 'on'
                       THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END",
    table: "(server)",
    key: 0,
    input: &[],
};
const RIGHTS: Sql = Sql {
    text: "SELECT CAST(relname AS TEXT) FROM pg_class
           WHERE relnamespace = CURRENT_SCHEMA()::regnamespace AND relkind = 'r' AND relname <> '_sqlx_migrations'
             AND NOT (HAS_TABLE_PRIVILEGE(oid, 'SELECT') AND HAS_TABLE_PRIVILEGE(oid, 'INSERT')
                      AND HAS_TABLE_PRIVILEGE(oid, 'UPDATE') AND HAS_TABLE_PRIVILEGE(oid, 'DELETE'))
           ORDER BY 1",
    table: "pg_class",
    key: 0,
    input: &[],
};

/// What a database server says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    pub major: i64,
    pub minor: i64,
    /// A standby, or a database that was set to read only.
    pub read_only: bool,
    /// Tables that this user may not read, write or delete from.
    pub without_rights: Vec<String>,
}

impl Store {
    /// What the database server says of itself. None where there is none (SQLite).
    ///
    /// # Errors
    /// If the store cannot be reached.
    pub async fn server(&self) -> Result<Option<Server>, Error> {
        if !matches!(self.pool, Pool::Postgres(_)) {
            return Ok(None);
        }
        let mut held = self.pool.reader().await?;
        let mut conn = held.conn();
        let read = |row: &Row<'_>| Ok((row.int(0, "version")?, row.int(1, "read_only")? != 0));
        let found = conn.fetch(&SERVER, vec![], read).await?;
        let (version, read_only) = found.into_iter().next().unwrap_or_default();
        let name = |row: &Row<'_>| Ok(row.text(0, "relname")?.to_owned());
        let without_rights = conn.fetch(&RIGHTS, vec![], name).await?;
        Ok(Some(Server {
            major: version / 10_000,
            minor: version % 10_000,
            read_only,
            without_rights,
        }))
    }
}
