//! Both databases have the same tables, columns and indexes.

use std::collections::BTreeSet;

use baton_store::{Options, Store, testing};
use sqlx::{ConnectOptions as _, FromRow};

type Checked = Result<(), Box<dyn std::error::Error>>;

#[derive(FromRow, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Column {
    table_name: String,
    column_name: String,
    place: i64,
    column_type: String,
    nullable: bool,
}

/// Columns of an index in order, joined by commas.
#[derive(FromRow, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Index {
    table_name: String,
    columns: String,
    is_primary: bool,
    is_partial: bool,
}

const SQLITE_COLUMNS: &str = "
    SELECT t.name AS table_name, c.name AS column_name, c.cid + 1 AS place, c.type AS column_type,
           c.\"notnull\" = 0 AS nullable
    FROM sqlite_schema t JOIN pragma_table_info(t.name) c
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name NOT LIKE '_sqlx%'";
const SQLITE_INDEXES: &str = "
    SELECT t.name AS table_name, i.partial = 1 AS is_partial, 0 AS is_primary,
           (SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)) AS columns
    FROM sqlite_schema t JOIN pragma_index_list(t.name) i
    WHERE t.type = 'table' AND i.origin = 'c' AND t.name NOT LIKE '_sqlx%'
    UNION ALL
    SELECT t.name, 0, 1,
           (SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_table_info(t.name) WHERE pk > 0 ORDER BY pk))
    FROM sqlite_schema t
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name NOT LIKE '_sqlx%'";
const POSTGRES_COLUMNS: &str = "
    SELECT table_name::text, column_name::text, ordinal_position::bigint AS place, data_type::text AS column_type,
           is_nullable = 'YES' AS nullable
    FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%'";
const POSTGRES_INDEXES: &str = "
    SELECT t.relname::text AS table_name, i.indisprimary AS is_primary, i.indpred IS NOT NULL AS is_partial,
           (SELECT string_agg(a.attname, ',' ORDER BY k.place)
            FROM unnest(i.indkey) WITH ORDINALITY AS k(column_number, place)
            JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.column_number) AS columns
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE n.nspname = 'public' AND t.relname NOT LIKE '\\_sqlx%'";

#[tokio::test]
async fn both_databases_have_the_same_tables_columns_and_indexes() -> Checked {
    let Some(server) = testing::postgres() else {
        return Ok(());
    };
    let (_store, folder) = testing::sqlite_store(&Options::default()).await?;
    let file = folder.path().join("baton.db");
    let mut sqlite = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(file)
        .connect()
        .await?;
    let (_store, database) = testing::postgres_store(server, &Options::default()).await?;
    let mut postgres = database
        .address()
        .parse::<sqlx::postgres::PgConnectOptions>()?
        .connect()
        .await?;

    let columns: Vec<Column> = sqlx::query_as(SQLITE_COLUMNS)
        .fetch_all(&mut sqlite)
        .await?;
    let mut columns: BTreeSet<Column> = columns.into_iter().collect();
    let same: Vec<Column> = sqlx::query_as(POSTGRES_COLUMNS)
        .fetch_all(&mut postgres)
        .await?;
    let same = same.into_iter().map(|column| Column {
        column_type: match column.column_type.as_str() {
            "bigint" => "INTEGER".to_owned(),
            "bytea" => "BLOB".to_owned(),
            "text" => "TEXT".to_owned(),
            other => other.to_owned(),
        },
        ..column
    });
    let same: BTreeSet<Column> = same.collect();
    assert!(columns.len() > 50, "the schema was not read");
    assert_eq!(columns, same);

    let indexes: Vec<Index> = sqlx::query_as(SQLITE_INDEXES)
        .fetch_all(&mut sqlite)
        .await?;
    let indexes: BTreeSet<Index> = indexes.into_iter().collect();
    let same: Vec<Index> = sqlx::query_as(POSTGRES_INDEXES)
        .fetch_all(&mut postgres)
        .await?;
    assert!(indexes.iter().any(|i| i.is_partial), "{indexes:?}");
    assert_eq!(indexes, same.into_iter().collect());
    // Every table has a primary key.
    columns.retain(|c| {
        !indexes
            .iter()
            .any(|i| i.is_primary && i.table_name == c.table_name)
    });
    assert!(columns.is_empty(), "{columns:?}");
    Ok(())
}

#[tokio::test]
async fn an_empty_database_is_not_current_and_says_what_to_do() -> Checked {
    let folder = tempfile::tempdir()?;
    let address = format!("sqlite:{}", folder.path().join("new.db").display());
    let store = Store::open(&address, &Options::default()).await?;
    refuses_until_migrated(&store).await?;
    if let Some(server) = testing::postgres() {
        let database = server.database().await?;
        let store = Store::open(&database.address(), &Options::default()).await?;
        refuses_until_migrated(&store).await?;
    }
    Ok(())
}

async fn refuses_until_migrated(store: &Store) -> Checked {
    assert!(!store.is_current().await?);
    match store.salt().await {
        Err(error) => {
            assert_eq!(error.class(), baton_store::Class::Misconfigured);
            assert!(error.to_string().contains("baton migrate"), "{error}");
        }
        Ok(_) => panic!("an empty database has no salt"),
    }
    store.migrate().await?;
    assert!(store.is_current().await?);
    Ok(())
}

#[tokio::test]
async fn a_store_of_a_newer_baton_is_refused() -> Checked {
    let (store, _folder) = testing::sqlite_store(&Options::default()).await?;
    refuses_newer(&store).await?;
    if let Some(server) = testing::postgres() {
        let (store, _database) = testing::postgres_store(server, &Options::default()).await?;
        refuses_newer(&store).await?;
    }
    Ok(())
}

async fn refuses_newer(store: &Store) -> Checked {
    store
        .raw(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             SELECT 9999, description, success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1",
        )
        .await?;
    for refused in [store.migrate().await.err(), store.is_current().await.err()] {
        let class = refused.map(|e| e.class());
        assert_eq!(class, Some(baton_store::Class::Misconfigured));
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_store_is_refused_without_repeating_its_address() -> Checked {
    let folder = tempfile::tempdir()?;
    let text = folder.path().join("text.db");
    std::fs::write(&text, "this is no database, it is a text of some length")?;
    let text = text.display().to_string();
    for (address, class) in [
        (
            "mysql://user:secret@host/db",
            baton_store::Class::Misconfigured,
        ),
        (
            "sqlite:/nowhere/at/all/baton.db",
            baton_store::Class::Misconfigured,
        ),
        (text.as_str(), baton_store::Class::Corrupt),
    ] {
        match Store::open(address, &Options::default()).await {
            Err(error) => {
                assert_eq!(error.class(), class, "{error:?}");
                assert!(!format!("{error} {error:?}").contains("secret"));
            }
            Ok(_) => panic!("{address} was opened"),
        }
    }
    Ok(())
}
