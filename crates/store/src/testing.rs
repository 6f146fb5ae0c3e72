//! A PostgreSQL server for tests and benchmarks: the one of `BATON_TEST_POSTGRES`, or one started for this process
//! from the machine's own binaries.

mod text;

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{LazyLock, Mutex, PoisonError},
};

pub use text::{dump, restore, tables};

use crate::{Error, Options, Scratch, Store, scratch};

/// Address of a server to use instead of starting one: `postgres://…`, a user that may create databases.
pub const SERVER: &str = "BATON_TEST_POSTGRES";
/// Set to 1: a test that finds no server fails instead of being skipped. So does `CI=true`.
pub const REQUIRE_ALL: &str = "BATON_REQUIRE_ALL";

/// A server, used by all tests of one process. One that was started here ends with the process: it hangs on a
/// pipe that closes then, however the process ends.
#[derive(Debug)]
pub struct Server {
    address: scratch::Server,
    started: Option<Started>,
}

/// What a server that was started here hangs on.
#[derive(Debug)]
struct Started {
    /// The folder of its socket.
    folder: PathBuf,
    /// The shell that starts and stops it, and what it says.
    shell: Mutex<(Child, BufReader<ChildStdout>)>,
}

/// How a server ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shutdown {
    /// In order, after cutting its connections.
    Fast,
    /// As a crash would.
    Immediate,
}

/// An empty database of its own for one test; dropped with this value.
#[derive(Debug)]
pub struct Database(Scratch);

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    #[error("no initdb found in PATH or where systems put it; install PostgreSQL or set {SERVER}")]
    NoBinaries,
    #[error(
        "PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` to run it as"
    )]
    NoUser,
    #[error("{what} failed")]
    Failed {
        what: String,
        #[source]
        source: Option<std::io::Error>,
    },
}

impl Missing {
    fn failed(what: &str, source: std::io::Error) -> Self {
        Self::Failed {
            what: what.to_owned(),
            source: Some(source),
        }
    }
}

/// The process's PostgreSQL server. None, after saying so on standard error, if there is none and none is
/// required: the test should return.
///
/// # Panics
/// If there is none and one is required ([`REQUIRE_ALL`] or `CI`).
#[must_use]
pub fn postgres() -> Option<&'static Server> {
    static FOUND: LazyLock<Result<Server, Missing>> = LazyLock::new(Server::find);
    match &*FOUND {
        Ok(server) => Some(server),
        Err(why) => missing(why),
    }
}

/// A PostgreSQL server for one test alone, which may stop it and start it again. A commit that it has answered
/// outlives its crash. None as for [`postgres`]. It is there until the process ends.
///
/// # Panics
/// As [`postgres`].
#[must_use]
pub fn postgres_alone() -> Option<&'static Server> {
    match Server::start("on") {
        Ok(server) => Some(Box::leak(Box::new(server))),
        Err(why) => missing(&why),
    }
}

fn missing<T>(why: &Missing) -> Option<T> {
    let set = |name: &str, value: &str| std::env::var(name).is_ok_and(|v| v == value);
    assert!(
        !set("CI", "true") && !set(REQUIRE_ALL, "1"),
        "PostgreSQL is required here and missing: {why:?}"
    );
    eprintln!("SKIPPED: the PostgreSQL half of this test does not run: {why}");
    None
}

/// A store in a new SQLite file in a folder that lives as long as the guard.
///
/// # Errors
/// If it cannot be created.
pub async fn sqlite_store(options: &Options) -> Result<(Store, tempfile::TempDir), Error> {
    let folder = tempfile::tempdir().map_err(sqlx::Error::Io)?;
    let store = Store::open_sqlite(&folder.path().join("baton.db"), options).await?;
    store.migrate().await?;
    Ok((store, folder))
}

/// A store in a new PostgreSQL database that lives as long as the guard.
///
/// # Errors
/// If it cannot be created.
pub async fn postgres_store(
    server: &'static Server,
    options: &Options,
) -> Result<(Store, Database), Error> {
    let database = server.database().await?;
    let store = Store::open(&database.address(), options).await?;
    store.migrate().await?;
    Ok((store, database))
}

impl Server {
    fn find() -> Result<Self, Missing> {
        match std::env::var(SERVER) {
            Ok(address) => Ok(Self {
                address: scratch::Server::of(&address),
                started: None,
            }),
            Err(_) => Self::start("off"),
        }
    }

    /// Starts a server that listens on a socket in a temporary folder only. It does not wait for the disk; a
    /// benchmark sets `synchronous_commit` and `fsync` by [`SERVER`].
    fn start(synchronous_commit: &str) -> Result<Self, Missing> {
        let initdb = find_binary("initdb").ok_or(Missing::NoBinaries)?;
        let control = find_binary("pg_ctl").ok_or(Missing::NoBinaries)?;
        // Short: a socket's path has at most about 100 characters.
        let folder = tempfile::Builder::new()
            .prefix("baton-pg-")
            .tempdir()
            .map_err(|e| Missing::failed("creating a temporary folder", e))?
            .keep();
        let user = other_user()?;
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(&folder, Some(uid), Some(gid))
                .map_err(|e| Missing::failed("giving the temporary folder away", e))?;
        }
        let data = folder.join("data");
        let mut init = as_user(Command::new(&initdb), user);
        init.arg("--pgdata")
            .arg(&data)
            .args(["--username=postgres", "--auth=trust", "--no-sync"])
            .args(["--encoding=UTF8", "--no-locale"])
            .current_dir(&folder)
            .stdout(Stdio::null());
        let status = init
            .status()
            .map_err(|e| Missing::failed("running initdb", e))?;
        if !status.success() {
            return Err(Missing::Failed {
                what: format!("initdb ({status})"),
                source: None,
            });
        }
        // The shell ends the server and removes its folder when its standard input closes, which it does when this
        // process ends, however it ends.
        let script = r#"
            trap '' INT TERM HUP
            start() {
                "$1" -D "$2/data" -w -t 60 -l "$2/log" start -o "-k $2 -c listen_addresses= -c max_connections=200 \
                    -c fsync=off -c synchronous_commit=$3 -c full_page_writes=off" > /dev/null && echo ready
            }
            start "$@"
            while read -r word; do
                case $word in
                start) start "$@" ;;
                *) "$1" -D "$2/data" -w -m "$word" stop > /dev/null && echo stopped ;;
                esac
            done
            "$1" -D "$2/data" -m immediate stop > /dev/null
            cd / && rm -rf "$2"
        "#;
        let mut shell = as_user(Command::new("sh"), user);
        shell
            .args(["-c", script, "sh"])
            .arg(&control)
            .arg(&folder)
            .arg(synchronous_commit)
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let starting = |e| Missing::failed("starting postgres", e);
        let mut process = shell.spawn().map_err(starting)?;
        let mut said = String::new();
        let out = process.stdout.take();
        let mut out =
            BufReader::new(out.ok_or_else(|| starting(std::io::ErrorKind::BrokenPipe.into()))?);
        out.read_line(&mut said).map_err(starting)?;
        if said.trim() != "ready" {
            return Err(Missing::Failed {
                what: format!(
                    "starting postgres, which said: {}",
                    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
                ),
                source: None,
            });
        }
        let socket = folder.display().to_string().replace('/', "%2F");
        Ok(Self {
            address: scratch::Server::of(&format!("postgres://postgres@localhost/?host={socket}")),
            started: Some(Started {
                folder,
                shell: Mutex::new((process, out)),
            }),
        })
    }

    /// A new, empty database whose tables are in a folder that belongs to the user that the server runs as.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn database_in(&'static self, folder: &std::path::Path) -> Result<Database, Error> {
        let folder = folder.display();
        let text = format!("CREATE TABLESPACE elsewhere LOCATION '{folder}'");
        self.address.say(text).await?;
        self.create("TABLESPACE elsewhere").await
    }

    /// The socket of a server that was started here.
    #[must_use]
    pub fn socket(&self) -> Option<PathBuf> {
        let started = self.started.as_ref()?;
        Some(started.folder.join(".s.PGSQL.5432"))
    }

    /// Stops a server that was started here, and waits until it has ended.
    ///
    /// # Errors
    /// If it was not started here or does not end.
    pub fn stop(&self, how: Shutdown) -> Result<(), Missing> {
        match how {
            Shutdown::Fast => self.tell("fast", "stopped"),
            Shutdown::Immediate => self.tell("immediate", "stopped"),
        }
    }

    /// Starts it again on its data, and waits until it answers.
    ///
    /// # Errors
    /// If it was not started here or does not start.
    pub fn start_again(&self) -> Result<(), Missing> {
        self.tell("start", "ready")
    }

    fn tell(&self, word: &str, answer: &str) -> Result<(), Missing> {
        let failed = |source| Missing::Failed {
            what: format!("telling the server `{word}`"),
            source,
        };
        let started = self.started.as_ref().ok_or_else(|| failed(None))?;
        let mut shell = started.shell.lock().unwrap_or_else(PoisonError::into_inner);
        let (process, out) = &mut *shell;
        let mut said = String::new();
        let stdin = process.stdin.as_mut().ok_or_else(|| failed(None))?;
        writeln!(stdin, "{word}").map_err(|e| failed(Some(e)))?;
        out.read_line(&mut said).map_err(|e| failed(Some(e)))?;
        if said.trim() == answer {
            Ok(())
        } else {
            Err(failed(None))
        }
    }

    /// A new, empty database.
    ///
    /// # Errors
    /// If the server does not answer or refuses.
    pub async fn database(&'static self) -> Result<Database, Error> {
        self.create("").await
    }

    /// A new database; `how` comes behind `CREATE DATABASE` and its name.
    async fn create(&'static self, how: &str) -> Result<Database, Error> {
        let scratch = Scratch::on(self.address.clone(), how).await?;
        Ok(Database(match self.started {
            // A server of our own goes away with the process.
            Some(_) => scratch.kept(),
            None => scratch,
        }))
    }
}

impl Database {
    /// A copy of it as it is now. Nobody may be using it.
    ///
    /// # Errors
    /// If the server refuses, because somebody uses it.
    pub async fn copy(&self) -> Result<Self, Error> {
        let copy = self.0.copy().await?;
        Ok(Self(if self.0.is_kept() { copy.kept() } else { copy }))
    }

    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// `postgres://…` of this database.
    #[must_use]
    pub fn address(&self) -> String {
        self.0.address()
    }
}

/// The newest PostgreSQL's program of this name.
fn find_binary(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut versions: Vec<(u32, PathBuf)> = Vec::new();
    for parent in ["/usr/lib/postgresql", "/usr/local/opt", "/opt/homebrew/opt"] {
        let Ok(entries) = std::fs::read_dir(parent) else {
            continue;
        };
        for entry in entries.flatten() {
            let number = entry
                .file_name()
                .to_string_lossy()
                .trim_start_matches("postgresql@")
                .parse();
            if let Ok(number) = number {
                versions.push((number, entry.path().join("bin")));
            }
        }
    }
    versions.sort_unstable();
    let newest_first = versions.into_iter().rev().map(|(_, folder)| folder);
    newest_first
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// Whom a server that is started here runs as, if this is root: PostgreSQL refuses root.
///
/// # Errors
/// If this is root and there is nobody else.
pub fn other_user() -> Result<Option<(u32, u32)>, Missing> {
    fn id(args: &[&str]) -> Option<u32> {
        let output = Command::new("id").args(args).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    }
    if id(&["-u"]) != Some(0) {
        return Ok(None);
    }
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|user| Some((id(&["-u", user])?, id(&["-g", user])?)))
        .map(Some)
        .ok_or(Missing::NoUser)
}

fn as_user(mut command: Command, user: Option<(u32, u32)>) -> Command {
    use std::os::unix::process::CommandExt as _;
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}
