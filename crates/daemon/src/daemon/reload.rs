//! SIGHUP: the new configuration becomes active if it is sound; otherwise the old one stays.

use super::Daemon;
use crate::{
    cli::{load_config, sound},
    engine::Active,
};

/// Why a configuration was not taken over.
#[derive(Debug, thiserror::Error)]
pub enum Kept {
    #[error(transparent)]
    Unreadable(#[from] baton_config::Unreadable),
    #[error("{0} problems; run `baton check`")]
    Unsound(usize),
    #[error("topics, log, store or admin port changed, which takes a restart")]
    NeedsRestart,
    #[error(transparent)]
    TooManySystems(#[from] crate::engine::TooManySystems),
    #[error(transparent)]
    Engine(#[from] crate::engine::EngineError),
}

impl Daemon {
    pub(super) async fn reload_on_signal(self) -> anyhow::Result<()> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let mut hangup = signal(SignalKind::hangup())?;
            loop {
                tokio::select! {
                    () = self.stop.soft.cancelled() => return Ok(()),
                    _ = hangup.recv() => drop(self.reload().await),
                }
            }
        }
        #[cfg(not(unix))]
        {
            self.stop.soft.cancelled().await;
            Ok(())
        }
    }

    /// Reads the configuration again. Stopped partitions go on, whether or not it was taken over: the producer may
    /// have been mended instead.
    ///
    /// # Errors
    /// [`Kept`]: the old configuration is still active.
    pub(super) async fn reload(&self) -> Result<String, Kept> {
        let result = self.take_over().await;
        self.engine.metrics.reloaded(result.is_ok());
        match &result {
            Ok(version) => tracing::info!(rules = version.as_str(), "configuration reloaded"),
            Err(kept) => tracing::error!(
                error = kept as &dyn std::error::Error,
                "configuration not reloaded, the old one stays active"
            ),
        }
        let resumed = self.engine.resume().await;
        if !resumed.is_empty() {
            tracing::info!(partitions = resumed.len(), "stopped partitions go on");
            self.resume.notify_one();
        }
        result
    }

    async fn take_over(&self) -> Result<String, Kept> {
        let loaded = load_config(self.place.config.as_deref())?;
        let (rules, settings, texts) =
            sound(loaded).map_err(|unsound| Kept::Unsound(unsound.problems.len()))?;
        let old = self.engine.active();
        let same = old.settings.topics == settings.topics
            && old.settings.kafka == settings.kafka
            && old.settings.store == settings.store
            && old.settings.admin == settings.admin;
        if !same {
            return Err(Kept::NeedsRestart);
        }
        let version = rules.version.to_string();
        let active = Active::new(rules, settings, texts)?;
        self.engine.activate(active).await?;
        Ok(version)
    }
}
