//! The tables, as the migrations make them.

use std::sync::LazyLock;

use crate::open::SQLITE;

/// One table.
#[derive(Debug)]
pub(super) struct Table {
    pub name: String,
    pub columns: Vec<String>,
    /// The columns of the primary key.
    pub key: Vec<usize>,
    /// Whether the key is a number that is given out when a row comes without one.
    pub numbered: bool,
}

/// The tables of the newest migration.
pub(super) static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
    SQLITE
        .iter()
        .flat_map(|migration| made(migration.sql.as_str()))
        .collect()
});

/// The tables that a migration makes.
fn made(text: &str) -> Vec<Table> {
    let bare: Vec<&str> = text
        .lines()
        .map(|line| line.split_once("--").map_or(line, |(code, _)| code))
        .collect();
    let bare = bare.join(" ");
    let statements = bare.split(';').map(str::trim).filter(|s| !s.is_empty());
    statements.filter_map(table).collect()
}

/// Reads `CREATE TABLE`. What else a migration may do makes no difference here, except to change a table that is
/// there, which this does not know.
fn table(statement: &str) -> Option<Table> {
    let Some(rest) = statement.strip_prefix("CREATE TABLE") else {
        assert!(
            statement.starts_with("CREATE INDEX"),
            "the store in memory cannot follow this migration yet: {statement}"
        );
        return None;
    };
    let (name, rest) = rest.split_once('(')?;
    let (body, _) = rest.rsplit_once(')')?;
    let (columns, key) = match body.split_once("PRIMARY KEY (") {
        Some((columns, key)) => (columns, Some(key.trim_end().trim_end_matches(')'))),
        None => (body, None),
    };
    let definitions: Vec<Vec<&str>> = columns
        .split(',')
        .map(|column| column.split_whitespace().collect::<Vec<_>>())
        .filter(|words| !words.is_empty())
        .collect();
    let names: Vec<String> = definitions
        .iter()
        .map(|words| words[0].to_owned())
        .collect();
    let of_its_own = definitions
        .iter()
        .position(|words| words.contains(&"PRIMARY"));
    let key: Vec<usize> = match (key, of_its_own) {
        (Some(key), _) => key
            .split(',')
            .filter_map(|name| names.iter().position(|n| n == name.trim()))
            .collect(),
        (None, Some(at)) => vec![at],
        (None, None) => return None,
    };
    let numbered = of_its_own
        .and_then(|at| definitions.get(at))
        .is_some_and(|words| words.get(1) == Some(&"INTEGER"));
    Some(Table {
        name: name.trim().to_owned(),
        columns: names,
        key,
        numbered,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_of_the_migrations_is_there_with_its_key() {
        let found: Vec<(&str, usize, &[usize], bool)> = TABLES
            .iter()
            .map(|t| (t.name.as_str(), t.columns.len(), &*t.key, t.numbered))
            .collect();
        for expected in [
            ("entities", 6, &[0, 1][..], false),
            ("links", 6, &[0, 1, 2], false),
            ("ledger", 9, &[0], true),
            ("outbox", 4, &[0], true),
            ("meta", 2, &[0], false),
        ] {
            assert!(found.contains(&expected), "{expected:?} in {found:?}");
        }
    }
}
