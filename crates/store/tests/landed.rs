//! A migration that has landed is never edited: stores that ran it know its checksum, and refuse a Baton that has another.
//!
//! `migrations/landed.txt` has a line for each. A new migration is a new file in both folders, with the next number, and
//! `BATON_BLESS=1 cargo test -p baton-store --test landed` adds its lines; it never changes one that is there.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use sqlx::migrate::Migrator;

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// Checksums by database, number and name.
fn here() -> BTreeMap<String, String> {
    let both = [("sqlite", &SQLITE), ("postgres", &POSTGRES)];
    both.into_iter()
        .flat_map(|(database, migrator)| migrator.iter().map(move |found| (database, found)))
        .map(|(database, found)| {
            let number = found.version;
            let name = format!("{database} {number:04} {}", found.description);
            let mut checksum = String::new();
            for byte in &*found.checksum {
                let _ = write!(checksum, "{byte:02x}");
            }
            (name, checksum)
        })
        .collect()
}

#[test]
fn a_migration_that_has_landed_is_never_edited() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/landed.txt");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let mut landed: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.rsplit_once(": "))
        .map(|(name, checksum)| (name.to_owned(), checksum.to_owned()))
        .collect();
    let here = here();
    for (name, checksum) in &landed {
        assert!(
            here.get(name) == Some(checksum),
            "migration {name} was edited, renamed or removed after it had landed. Every store that ran it would refuse \
             this Baton. Put it back as it was (git checkout), and write what you want to change into a new migration \
             with the next number, in migrations/sqlite and in migrations/postgres"
        );
    }
    if std::env::var("BATON_BLESS").is_ok_and(|v| v == "1") {
        landed.extend(here.clone());
        let mut lines = String::new();
        for (name, checksum) in &landed {
            let _ = writeln!(lines, "{name}: {checksum}");
        }
        let written = fs::write(&path, lines);
        assert!(written.is_ok(), "{written:?}");
    }
    for name in here.keys() {
        assert!(
            landed.contains_key(name),
            "migration {name} is not in migrations/landed.txt; when it lands, add it by BATON_BLESS=1 cargo test -p \
             baton-store --test landed"
        );
    }
}

#[test]
fn both_databases_have_the_same_migrations() {
    let numbers = |migrator: &Migrator| -> Vec<(i64, String)> {
        let all = migrator.iter();
        all.map(|m| (m.version, m.description.to_string()))
            .collect()
    };
    assert_eq!(numbers(&SQLITE), numbers(&POSTGRES));
}
