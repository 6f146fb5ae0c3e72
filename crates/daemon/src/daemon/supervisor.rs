//! What the supervisor that started the daemon is told: systemd's `Type=notify`. Without one, nobody is told.

use std::sync::atomic::Ordering;

use super::Daemon;

impl Daemon {
    /// The daemon works now.
    pub(super) fn say_ready(&self) {
        self.ready.store(true, Ordering::Release);
        tell("READY=1");
    }

    /// The daemon takes nothing new in and is about to end.
    pub(super) fn say_stopping(&self) {
        self.ready.store(false, Ordering::Release);
        tell("STOPPING=1");
    }
}

#[cfg(unix)]
fn tell(state: &str) {
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Custom(state)]) {
        tracing::warn!(%error, state, "the supervisor that started this daemon cannot be told");
    }
}

#[cfg(not(unix))]
fn tell(_: &str) {}
