//! `baton run`: loops over the functions of the engine until told to end.

mod admin;
mod lease;
mod reload;
mod roles;
mod stop;
mod supervisor;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::Context as _;
use baton_config::Role;
use tokio::{sync::Notify, task::JoinSet};

use crate::{
    cli::{LogHandle, Place, Running, Workspace, status},
    engine::{Active, Engine, EngineError},
    kafka::{Connection, KafkaFault, Publisher},
    retry::{self, Passing},
};

use lease::Lease;

pub use admin::RunReport;
pub use stop::Stop;

/// What the roles share.
#[derive(Clone)]
struct Daemon {
    engine: Arc<Engine>,
    connection: Connection,
    stop: Stop,
    /// Something was put into the outbox.
    outbox: Arc<Notify>,
    /// Stopped partitions may go on.
    resume: Arc<Notify>,
    ready: Arc<AtomicBool>,
    place: Place,
    /// The data folder, where log or store are in it.
    data: Option<PathBuf>,
}

/// Runs the daemon until `stop` tells it to end.
///
/// # Errors
/// When it cannot start, or a role cannot go on.
pub async fn run(
    place: &Place,
    roles: Option<BTreeSet<Role>>,
    stop: Stop,
) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::open(place)?;
    let roles = roles.unwrap_or_else(|| workspace.active.settings.daemon.roles.clone());
    say_start(&workspace.active, &roles);
    let log = open_log(&workspace, &stop).await?;
    let engine = open_engine(&workspace, &stop).await?;
    let daemon = Daemon {
        engine,
        connection: log.connection.clone(),
        stop,
        outbox: Arc::default(),
        resume: Arc::default(),
        ready: Arc::default(),
        place: place.clone(),
        data: workspace.uses_data().then(|| workspace.data.clone()),
    };
    let failed = daemon.work(&roles, &log).await;
    if let Err(error) = log.close().await {
        tracing::error!(
            error = format!("{error:#}"),
            "the log did not stop in order"
        );
    }
    daemon.engine.store.close().await;
    failed?;
    tracing::info!("ended");
    Ok(ExitCode::from(status::DONE))
}

/// The line that tells what runs: no secret, and a hash to compare configurations by.
fn say_start(active: &Active, roles: &BTreeSet<Role>) {
    // `Debug` of a secret is `***`.
    let redacted = format!("{:?}", active.settings);
    let hash = blake3::hash(redacted.as_bytes()).to_hex();
    let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        rules = active.rules.version.as_str(),
        settings = hash.get(..12),
        systems = active.rules.systems.len(),
        roles = roles.join(","),
        "starting"
    );
}

/// Waits for a log that is elsewhere; an embedded one starts or does not.
async fn open_log(workspace: &Workspace, stop: &Stop) -> anyhow::Result<LogHandle> {
    if workspace.active.settings.kafka.bootstrap.is_none() {
        let held = workspace.hold()?;
        return workspace.start_log(held).await;
    }
    retry::until_it_passes(
        &stop.soft,
        "reach the log",
        |fault: &KafkaFault| fault.passing(),
        || workspace.external_log(),
    )
    .await
    .context("cannot use the log")
}

/// Why there is no engine yet.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct NotOpened(#[from] anyhow::Error);

impl NotOpened {
    fn passing(&self) -> Passing {
        let mut causes = self.0.chain();
        let away = causes.any(|cause| {
            let store = cause.downcast_ref::<baton_store::Error>();
            let engine = cause.downcast_ref::<EngineError>();
            store.is_some_and(|error| error.class() == baton_store::Class::Transient)
                || engine.is_some_and(|error| error.passing() == Passing::Yes)
        });
        if away { Passing::Yes } else { Passing::No }
    }
}

/// Waits for a store that is away, as for a log: after a power cut they all start at once.
async fn open_engine(workspace: &Workspace, stop: &Stop) -> anyhow::Result<Arc<Engine>> {
    let open = || async {
        let engine = workspace.engine(workspace.store().await?).await?;
        engine.note_start().await.map_err(anyhow::Error::from)?;
        Ok(engine)
    };
    let opened = retry::until_it_passes(&stop.soft, "open the store", NotOpened::passing, open);
    opened.await.map_err(|not| not.0)
}

impl Daemon {
    async fn work(&self, roles: &BTreeSet<Role>, log: &LogHandle) -> anyhow::Result<()> {
        let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
        let mut admin = None;
        if roles.contains(&Role::Admin) {
            let (address, serve) = admin::serve(self.clone()).await?;
            admin = Some(address);
            tasks.spawn(serve);
        }
        if let (Some(held), Some(address)) = (log.held(), log.own_addr()) {
            held.announce(&Running {
                pid: std::process::id(),
                log: address,
                admin,
            })?;
        }
        if roles.contains(&Role::Relay) {
            let publisher = Publisher::within(&self.connection, roles::UNDER_WAY)?;
            let owner = format!("{:032x}", rand::random::<u128>());
            // Whoever has the data folder has the store in it for itself.
            let alone = log.held().is_some() && self.engine.active().settings.store.url.is_none();
            let lease = Lease::new("relay", owner, alone);
            tasks.spawn(self.clone().relay(publisher, lease));
        }
        if roles.contains(&Role::Timers) {
            tasks.spawn(self.clone().timers());
        }
        if roles.contains(&Role::Engine) {
            tasks.spawn(self.clone().consume());
        } else {
            self.say_ready();
        }
        tasks.spawn(self.clone().reload_on_signal());
        tracing::info!(
            admin = admin.map(tracing::field::display),
            log = self.connection.bootstrap,
            "running"
        );
        let failed = self.until_a_task_ends(&mut tasks).await;
        self.stop.soft.cancel();
        self.say_stopping();
        let rest = self.finish(&mut tasks).await;
        failed.and(rest)
    }

    /// Waits for the first task that ends or for the soft stop.
    async fn until_a_task_ends(
        &self,
        tasks: &mut JoinSet<anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        tokio::select! {
            () = self.stop.soft.cancelled() => Ok(()),
            ended = tasks.join_next() => match ended {
                None => Ok(()),
                Some(Ok(result)) => result,
                Some(Err(crash)) => Err(anyhow::Error::new(crash).context("a role crashed; this is a mistake in Baton")),
            },
        }
    }

    /// Gives the others time to finish.
    async fn finish(&self, tasks: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
        let patience = self.engine.active().settings.daemon.shutdown;
        let mut failed = Ok(());
        let all = async {
            while let Some(ended) = tasks.join_next().await {
                match ended {
                    Ok(result) => failed = std::mem::replace(&mut failed, Ok(())).and(result),
                    Err(crash) => failed = Err(anyhow::Error::new(crash).context("a role crashed")),
                }
            }
        };
        tokio::select! {
            () = all => return failed,
            () = self.stop.hard.cancelled() => {}
            () = tokio::time::sleep(patience) => tracing::warn!("not finished in time, ending at once"),
        }
        self.stop.hard.cancel();
        tasks.shutdown().await;
        Ok(())
    }
}
