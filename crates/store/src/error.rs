//! What can go wrong, sorted by what to do about it.

use std::borrow::Cow;

/// What to do about an [`Error`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    /// Nothing was written; the same call may succeed in a moment (busy, restarting, connection lost while reading).
    Transient,
    /// Somebody else was faster: nothing was written. Load again and settle the batch again.
    Conflict,
    /// The connection was lost at the commit: it may or may not have happened. Read the positions to find out.
    Unknown,
    /// A stored row makes no sense. Stop: a person must look at it.
    Corrupt,
    /// Wrong address, missing rights, missing or foreign tables. Stop: a person must correct the configuration.
    Misconfigured,
    /// No room left on the disk. Nothing was written; waits for a person.
    Full,
    /// A mistake in Baton itself.
    Bug,
}

impl Class {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Conflict => "conflict",
            Self::Unknown => "unknown",
            Self::Corrupt => "corrupt",
            Self::Misconfigured => "misconfigured",
            Self::Full => "full",
            Self::Bug => "bug",
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A row was written by somebody else since it was read.
    #[error(
        "rows of `{table}` changed since they were read ({written} of {expected} written); load and settle again"
    )]
    Conflict {
        table: &'static str,
        expected: u64,
        written: u64,
    },
    /// A stored row that cannot be understood.
    #[error(
        "column `{column}` of the row {key} in table `{table}` makes no sense; the store may be damaged or from a newer Baton: restore a backup, or report it with this line"
    )]
    Corrupt {
        table: &'static str,
        column: &'static str,
        key: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The commit was sent and its answer never came.
    #[error("the outcome of a commit is unknown; read the positions to see whether it happened")]
    CommitUnknown(#[source] sqlx::Error),
    #[error("the store cannot be reached or is busy; trying again may help")]
    Transient(#[source] sqlx::Error),
    #[error("the store has no room left; free disk space and it goes on")]
    Full(#[source] sqlx::Error),
    #[error("{why}")]
    Misconfigured {
        why: Cow<'static, str>,
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Not to be expected with any data: a mistake in Baton.
    #[error("{what}")]
    Bug {
        what: Cow<'static, str>,
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl Error {
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Conflict { .. } => Class::Conflict,
            Self::Corrupt { .. } => Class::Corrupt,
            Self::CommitUnknown(_) => Class::Unknown,
            Self::Transient(_) => Class::Transient,
            Self::Full(_) => Class::Full,
            Self::Misconfigured { .. } => Class::Misconfigured,
            Self::Bug { .. } => Class::Bug,
        }
    }

    pub(crate) fn misconfigured(why: impl Into<Cow<'static, str>>) -> Self {
        Self::Misconfigured {
            why: why.into(),
            source: None,
        }
    }

    pub(crate) fn bug(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Bug {
            what: what.into(),
            source: None,
        }
    }

    /// The error of a COMMIT. A database that answers has not committed; one that does not answer may have.
    pub(crate) fn of_commit(error: sqlx::Error) -> Self {
        match Self::from(error) {
            Self::Transient(source) if !matches!(source, sqlx::Error::Database(_)) => {
                Self::CommitUnknown(source)
            }
            Self::Transient(source) if may_have_committed(&source) => Self::CommitUnknown(source),
            other => other,
        }
    }
}

/// SQLite could not write or sync, so what reached the disk is not known; or PostgreSQL was stopped while it
/// committed, perhaps when it was only waiting for a replica.
fn may_have_committed(error: &sqlx::Error) -> bool {
    let Some(code) = error.as_database_error().and_then(|e| e.code()) else {
        return false;
    };
    if code.len() == 5 {
        return code.starts_with("57");
    }
    // Extended result codes carry the primary one in their low byte.
    code.parse::<i32>().is_ok_and(|code| code & 0xff == 10)
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let class = match &error {
            sqlx::Error::Database(inner) => {
                inner.code().map_or(Class::Bug, |code| class_of_code(&code))
            }
            sqlx::Error::Io(source) if source.kind() == std::io::ErrorKind::StorageFull => {
                Class::Full
            }
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => Class::Transient,
            sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) => Class::Misconfigured,
            _ => Class::Bug,
        };
        match class {
            Class::Conflict => Self::Conflict {
                table: "(several)",
                expected: 0,
                written: 0,
            },
            Class::Full => Self::Full(error),
            Class::Misconfigured => Self::Misconfigured {
                why: "the store refuses: check its address, its rights and that `baton migrate` was run"
                    .into(),
                source: Some(error.into()),
            },
            Class::Corrupt => Self::Corrupt {
                table: "(unknown)",
                column: "(unknown)",
                key: "(unknown)".into(),
                source: error.into(),
            },
            Class::Bug => Self::Bug {
                what: "the store was asked something that it does not understand".into(),
                source: Some(error.into()),
            },
            Class::Transient | Class::Unknown => Self::Transient(error),
        }
    }
}

/// SQLSTATE has five characters, SQLite's codes are decimal numbers of up to four digits.
fn class_of_code(code: &str) -> Class {
    if code.len() == 5 {
        return match code {
            // Serialization failure, deadlock, and a row that a concurrent insert got in first.
            "40001" | "40P01" | "23505" => Class::Conflict,
            "53100" => Class::Full,
            "3D000" | "3F000" | "42501" | "42P01" | "42703" => Class::Misconfigured,
            "XX001" | "XX002" => Class::Corrupt,
            _ => match code.get(..2) {
                Some("08" | "53" | "57" | "58" | "55" | "25") => Class::Transient,
                Some("28") => Class::Misconfigured,
                _ => Class::Bug,
            },
        };
    }
    match code.parse::<i32>().map(|code| code & 0xff) {
        // BUSY, LOCKED, NOMEM, INTERRUPT, IOERR, PROTOCOL
        Ok(5 | 6 | 7 | 9 | 10 | 15) => Class::Transient,
        // CORRUPT, NOTADB
        Ok(11 | 26) => Class::Corrupt,
        Ok(13) => Class::Full,
        // PERM, READONLY, CANTOPEN, AUTH; ERROR is most often a missing table
        Ok(1 | 3 | 8 | 14 | 23) => Class::Misconfigured,
        // CONSTRAINT
        Ok(19) => Class::Conflict,
        _ => Class::Bug,
    }
}

impl From<sqlx::migrate::MigrateError> for Error {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError;
        match error {
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
                source.into()
            }
            newer @ MigrateError::VersionMissing(_) => Self::Misconfigured {
                why: "the store was migrated by a newer Baton; use that one, or restore a backup".into(),
                source: Some(newer.into()),
            },
            other => Self::Misconfigured {
                why: "the store's tables are not the ones that Baton made; use another database, or restore a backup"
                    .into(),
                source: Some(other.into()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_never_came_leaves_a_commit_unknown() {
        let cut = || sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        assert_eq!(Error::from(cut()).class(), Class::Transient);
        assert_eq!(Error::of_commit(cut()).class(), Class::Unknown);
        let crashed = Error::of_commit(sqlx::Error::WorkerCrashed);
        assert_eq!(crashed.class(), Class::Unknown);
        let full = sqlx::Error::Io(std::io::ErrorKind::StorageFull.into());
        assert_eq!(Error::of_commit(full).class(), Class::Full);
    }

    #[test]
    fn codes_of_both_databases_have_the_class_that_says_what_to_do() {
        for (code, class) in [
            ("40001", Class::Conflict),
            ("40P01", Class::Conflict),
            ("53100", Class::Full),
            ("57P01", Class::Transient),
            ("08006", Class::Transient),
            ("28P01", Class::Misconfigured),
            ("42P01", Class::Misconfigured),
            ("3D000", Class::Misconfigured),
            ("XX001", Class::Corrupt),
            ("22021", Class::Bug),
            // SQLITE_BUSY and its extended SQLITE_BUSY_SNAPSHOT, SQLITE_FULL, SQLITE_IOERR_FSYNC …
            ("5", Class::Transient),
            ("517", Class::Transient),
            ("13", Class::Full),
            ("1034", Class::Transient),
            ("11", Class::Corrupt),
            ("26", Class::Corrupt),
            ("14", Class::Misconfigured),
            ("8", Class::Misconfigured),
            ("nonsense", Class::Bug),
        ] {
            assert_eq!(class_of_code(code), class, "{code}");
        }
    }
}
