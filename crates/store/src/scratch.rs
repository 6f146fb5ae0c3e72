//! A database of its own on somebody's PostgreSQL server, for tests and measurements.

use std::str::FromStr as _;

use sqlx::{
    ConnectOptions as _, Connection as _,
    postgres::{PgConnectOptions, PgConnection},
};

use crate::Error;

/// A new, empty database; dropped with this value.
#[derive(Debug)]
pub struct Scratch {
    server: Server,
    name: String,
    keep: bool,
}

/// A server's address, before the name of a database and after.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    before: String,
    after: String,
}

impl Server {
    /// The server of `postgres://user:password@host:port/name?options`.
    pub(crate) fn of(address: &str) -> Self {
        let (base, options) = match address.split_once('?') {
            Some((base, options)) => (base, format!("?{options}")),
            None => (address, String::new()),
        };
        let authority = base.find("://").map_or(0, |at| at + 3);
        let end = base
            .get(authority..)
            .and_then(|rest| rest.find('/'))
            .map_or(base.len(), |at| authority + at);
        Self {
            before: format!("{}/", &base[..end]),
            after: options,
        }
    }

    pub(crate) fn database(&self, name: &str) -> String {
        format!("{}{name}{}", self.before, self.after)
    }

    pub(crate) async fn say(&self, text: String) -> Result<(), Error> {
        let options = PgConnectOptions::from_str(&self.database("postgres"))?;
        let mut conn: PgConnection = options.disable_statement_logging().connect().await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(text))
            .execute(&mut conn)
            .await?;
        Ok(conn.close().await?)
    }
}

impl Scratch {
    /// Creates one on the server of an address, whichever database that names. Its user must be allowed to.
    ///
    /// # Errors
    /// If the server does not answer or refuses.
    pub async fn create(address: &str) -> Result<Self, Error> {
        Self::on(Server::of(address), "").await
    }

    /// `how` comes behind `CREATE DATABASE` and its name.
    pub(crate) async fn on(server: Server, how: &str) -> Result<Self, Error> {
        let name = format!("baton_scratch_{:016x}", rand::random::<u64>());
        server.say(format!("CREATE DATABASE {name} {how}")).await?;
        Ok(Self {
            server,
            name,
            keep: false,
        })
    }

    /// A copy of it as it is now. Nobody may be using it.
    ///
    /// # Errors
    /// If the server refuses, because somebody uses it.
    #[cfg(feature = "testing")]
    pub(crate) async fn copy(&self) -> Result<Self, Error> {
        let how = format!("TEMPLATE {}", self.name);
        Self::on(self.server.clone(), &how).await
    }

    #[cfg(feature = "testing")]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    #[cfg(feature = "testing")]
    pub(crate) const fn is_kept(&self) -> bool {
        self.keep
    }

    /// `postgres://…` of this database.
    #[must_use]
    pub fn address(&self) -> String {
        self.server.database(&self.name)
    }

    /// Leaves it where it is: its server goes away with all it holds.
    #[must_use]
    pub fn kept(mut self) -> Self {
        self.keep = true;
        self
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        let (server, name) = (self.server.clone(), self.name.clone());
        // Nobody can wait in a drop; a thread of its own can.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(sqlx::Error::Io)?;
            runtime.block_on(server.say(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")))
        });
        if !matches!(dropped.join(), Ok(Ok(()))) {
            tracing::warn!(database = self.name, "a scratch database is left behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_of_the_same_server_keeps_all_but_the_name() {
        for (given, expected) in [
            ("postgres://u:p@h:1/db", "postgres://u:p@h:1/other"),
            ("postgres://h", "postgres://h/other"),
            (
                "postgres://u@localhost/?host=%2Ftmp%2Fx",
                "postgres://u@localhost/other?host=%2Ftmp%2Fx",
            ),
            (
                "postgresql://h/db?sslmode=require",
                "postgresql://h/other?sslmode=require",
            ),
        ] {
            assert_eq!(Server::of(given).database("other"), expected);
        }
    }
}
