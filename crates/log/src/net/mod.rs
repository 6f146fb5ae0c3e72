//! Accepting connections and serving each.

mod connection;
mod frame;
mod outgoing;

pub(crate) use frame::{Head, Request};

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::broker::Broker;

/// A pause after a failed accept, such as when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

pub(crate) async fn listen(listener: TcpListener, broker: Arc<Broker>, tasks: TaskTracker) {
    let places = Arc::new(Semaphore::new(broker.config.limits.max_connections));
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            tracing::warn!(%peer, "connection refused, there are too many; raise max_connections");
            continue;
        };
        let broker = broker.clone();
        tasks.spawn(async move {
            let stop = broker.stop.clone();
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                ended = connection::serve(stream, peer, broker) => {
                    if let Err(reason) = ended {
                        if reason.is_our_fault() {
                            tracing::error!(%peer, reason = &reason as &dyn std::error::Error, "answer not sent; this is a bug of the log");
                        }
                        tracing::debug!(%peer, reason = &reason as &dyn std::error::Error, "connection closed");
                    }
                }
            }
            drop(place);
        });
    }
}
