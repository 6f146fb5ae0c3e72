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
    let mut tables = Vec::new();
    for migration in SQLITE.iter() {
        make(&mut tables, migration.sql.as_str());
    }
    tables
});

/// Does what a migration says.
fn make(tables: &mut Vec<Table>, text: &str) {
    let bare: Vec<&str> = text
        .lines()
        .map(|line| line.split_once("--").map_or(line, |(code, _)| code))
        .collect();
    let bare = bare.join(" ");
    let statements = bare.split(';').map(str::trim).filter(|s| !s.is_empty());
    for statement in statements {
        if let Some(rest) = statement.strip_prefix("CREATE TABLE") {
            tables.extend(table(rest));
        } else if let Some(rest) = statement.strip_prefix("ALTER TABLE") {
            let altered = alter(tables, rest);
            assert!(altered.is_some(), "{NOT_YET}: {statement}");
        } else {
            // It makes no difference here.
            assert!(
                statement.starts_with("CREATE INDEX"),
                "{NOT_YET}: {statement}"
            );
        }
    }
}

const NOT_YET: &str = "the store in memory cannot follow this migration yet";

/// Adds or renames a column; none if it does anything else.
fn alter(tables: &mut [Table], rest: &str) -> Option<()> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let table = tables.iter_mut().find(|t| Some(&&*t.name) == words.first());
    let columns = &mut table?.columns;
    match words.get(1..)? {
        ["ADD", "COLUMN", name, _] => columns.push((*name).to_owned()),
        ["RENAME", "COLUMN", before, "TO", after] => {
            let column = columns.iter_mut().find(|name| name == before)?;
            (*after).clone_into(column);
        }
        _ => return None,
    }
    Some(())
}

/// Reads what stands behind `CREATE TABLE`.
fn table(rest: &str) -> Option<Table> {
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
            ("positions", 6, &[0, 1, 2], false),
        ] {
            assert!(found.contains(&expected), "{expected:?} in {found:?}");
        }
    }
}
