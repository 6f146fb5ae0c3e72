//! A whole store as SQL text that both databases take, so that the store of an older Baton can be kept in the
//! repository and opened by every later one.

use crate::{Error, Store, sql::Pool};

const TABLES: &str = "SELECT name FROM sqlite_schema
    WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '_sqlx%' ORDER BY name";
const COLUMNS: &str = "SELECT name FROM pragma_table_info($1) ORDER BY cid";

/// PostgreSQL counts on from the rows that were put in.
const COUNT_ON: &str = "DO $$ DECLARE c record; BEGIN
    FOR c IN SELECT table_name, column_name FROM information_schema.columns
             WHERE table_schema = current_schema() AND is_identity = 'YES'
    LOOP EXECUTE format('SELECT setval(pg_get_serial_sequence(%L, %L), (SELECT max(%I) FROM %I))',
                        c.table_name, c.column_name, c.column_name, c.table_name);
    END LOOP; END $$";

fn file(store: &Store) -> &sqlx::SqlitePool {
    match &store.pool {
        Pool::Sqlite { writer, .. } => writer,
        _ => panic!("golden stores are written from SQLite"),
    }
}

/// The tables of an SQLite store, but for what the database keeps for itself.
///
/// # Errors
/// If the store cannot be read.
///
/// # Panics
/// If the store is on PostgreSQL.
pub async fn tables(store: &Store) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar(TABLES).fetch_all(file(store)).await?)
}

/// Every row of an SQLite store as one INSERT, in the order of tables and rows.
///
/// # Errors
/// If the store cannot be read.
///
/// # Panics
/// If the store is on PostgreSQL.
pub async fn dump(store: &Store) -> Result<String, Error> {
    let writer = file(store);
    let mut text = String::new();
    for table in tables(store).await? {
        let columns: Vec<String> = sqlx::query_scalar(COLUMNS)
            .bind(&table)
            .fetch_all(writer)
            .await?;
        let (names, quoted) = (
            columns.join(", "),
            columns
                .iter()
                .map(|column| format!("quote({column})"))
                .collect::<Vec<_>>()
                .join(" || ', ' || "),
        );
        let select = format!(
            "SELECT 'INSERT INTO {table} ({names}) VALUES (' || {quoted} || ');' FROM {table} ORDER BY {names}"
        );
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(select))
            .fetch_all(writer)
            .await?;
        for row in rows {
            text.push_str(&row);
            text.push('\n');
        }
    }
    Ok(text)
}

/// Puts the rows of a dump into a store whose tables are there and empty.
///
/// # Errors
/// If the database refuses, for example because the tables are those of another migration.
pub async fn restore(store: &Store, text: &str) -> Result<(), Error> {
    match &store.pool {
        Pool::Postgres(_) => {
            let text = text
                .replace(") VALUES (", ") OVERRIDING SYSTEM VALUE VALUES (")
                .replace("(X'", "('\\x")
                .replace(", X'", ", '\\x");
            store.raw(&text).await?;
            store.raw(COUNT_ON).await
        }
        _ => store.raw(text).await,
    }
}
