//! Ending: softly first (finish what is under way), hard when asked again or when it takes too long.

use std::io;

use tokio_util::sync::CancellationToken;

/// How the daemon is told to end.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Take nothing new in; finish what is under way.
    pub soft: CancellationToken,
    /// End now. What was not committed is read again after the next start.
    pub hard: CancellationToken,
}

impl Stop {
    /// Ends softly at the first Ctrl-C or SIGTERM, hard at the second.
    ///
    /// # Errors
    /// When the signals cannot be caught.
    pub fn on_signals() -> io::Result<Self> {
        let stop = Self::default();
        let (soft, hard) = (stop.soft.clone(), stop.hard.clone());
        let mut signals = Signals::new()?;
        tokio::spawn(async move {
            signals.next().await;
            tracing::info!("asked to end, finishing what is under way; ask again to end at once");
            soft.cancel();
            signals.next().await;
            tracing::warn!("asked again, ending at once");
            hard.cancel();
        });
        Ok(stop)
    }

    /// Ends softly when standard input does, too: whoever started this process holds the other end, so that it
    /// closes in whichever way that one ends.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn and_with_stdin(self) -> io::Result<Self> {
        let soft = self.soft.clone();
        std::thread::Builder::new()
            .name("baton-stdin".into())
            .spawn(move || {
                // However reading ends, nobody is there any more.
                let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
                soft.cancel();
            })?;
        Ok(self)
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
