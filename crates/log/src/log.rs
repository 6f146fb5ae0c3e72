//! Opening and stopping a log.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::broker::Broker;
use crate::config::Config;
use crate::error::Error;
use crate::net;

/// A running log. Dropping it stops it at once, as a crash would; what was acknowledged stays.
#[derive(Debug)]
pub struct Log {
    addr: SocketAddr,
    broker: Arc<Broker>,
    tasks: TaskTracker,
    runtime: Option<Runtime>,
}

impl Log {
    /// Opens the data folder, mends what a crash left, and listens.
    pub async fn open(config: Config) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(config.threads.max(1))
            .thread_name("baton-log")
            .enable_all()
            .build()
            .map_err(Error::Threads)?;
        let starting = runtime.spawn(start(config));
        match starting.await {
            Ok(Ok((addr, broker, tasks))) => {
                tracing::info!(%addr, "log listening");
                Ok(Self {
                    addr,
                    broker,
                    tasks,
                    runtime: Some(runtime),
                })
            }
            Ok(Err(error)) => {
                runtime.shutdown_background();
                Err(error)
            }
            Err(_) => {
                runtime.shutdown_background();
                Err(Error::Stopped)
            }
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops listening, ends all connections, syncs everything and lets go of the folder.
    pub async fn shutdown(mut self) -> Result<(), Error> {
        self.broker.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        if let Some(runtime) = self.runtime.take() {
            let broker = self.broker.clone();
            let closed = runtime.spawn_blocking(move || broker.close(true)).await;
            runtime.shutdown_background();
            closed.map_err(|_| Error::Stopped)?;
        }
        tracing::info!(addr = %self.addr, "log stopped");
        Ok(())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            self.broker.stop.cancel();
            self.broker.close(false);
            runtime.shutdown_background();
        }
    }
}

async fn start(config: Config) -> Result<(SocketAddr, Arc<Broker>, TaskTracker), Error> {
    let addr = config.listen;
    let stop = CancellationToken::new();
    let opening = {
        let stop = stop.clone();
        tokio::task::spawn_blocking(move || Broker::open(config, stop))
    };
    let (broker, dirty) = opening.await.map_err(|_| Error::Stopped)??;
    let broker = Arc::new(broker);
    let listening = match TcpListener::bind(addr).await {
        Ok(listener) => listener.local_addr().map(|a| (listener, a)),
        Err(e) => Err(e),
    };
    let (listener, addr) = listening.map_err(|source| {
        broker.close(false);
        Error::Listen { addr, source }
    })?;
    let tasks = TaskTracker::new();
    let until_stopped = |work: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
        let stop = stop.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = work => {}
            }
        });
    };
    until_stopped(Box::pin(broker.clone().sync_dirty(dirty)));
    until_stopped(Box::pin(broker.clone().clean_regularly()));
    until_stopped(Box::pin(broker.coordinator.clone().watch_deadlines()));
    until_stopped(Box::pin(net::listen(
        listener,
        broker.clone(),
        tasks.clone(),
    )));
    Ok((addr, broker, tasks))
}
