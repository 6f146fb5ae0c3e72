//! The admin port: metrics, health, readiness, what became of an `ingest`; and, with a token, reload.

use std::{future::Future, net::SocketAddr, sync::atomic::Ordering, time::Duration};

use anyhow::Context as _;
use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use baton_config::Secret;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::Daemon;
use crate::{disk, engine::Tally};

/// Opens the port; the future serves until the daemon ends.
///
/// # Errors
/// When the address cannot be listened on.
pub(super) async fn serve(
    daemon: Daemon,
) -> anyhow::Result<(
    SocketAddr,
    impl Future<Output = anyhow::Result<()>> + Send + 'static,
)> {
    let bind = daemon.engine.active().settings.admin.bind;
    let listener = tokio::net::TcpListener::bind(bind).await.with_context(|| {
        format!("cannot listen on {bind} for the admin port; is another daemon running? Set `admin.bind`, or leave the role `admin` out")
    })?;
    let address = listener.local_addr()?;
    let stop = daemon.stop.clone();
    let router = router(daemon);
    Ok((address, async move {
        axum::serve(listener, router)
            .with_graceful_shutdown(async move { stop.soft.cancelled().await })
            .await?;
        Ok(())
    }))
}

fn router(daemon: Daemon) -> Router {
    let reading = Router::new()
        .route("/metrics", get(metrics))
        .route("/runs/{run}", get(run))
        .layer(middleware::from_fn_with_state(daemon.clone(), may_read));
    let changing = Router::new()
        .route("/reload", post(reload))
        .layer(middleware::from_fn_with_state(daemon.clone(), may_change));
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .merge(reading)
        .merge(changing)
        .with_state(daemon)
}

/// Open where no token is set: the port is loopback then.
async fn may_read(State(daemon): State<Daemon>, request: Request, next: Next) -> Response {
    match &daemon.engine.active().settings.admin.token {
        Some(token) if !presents(&request, token) => StatusCode::UNAUTHORIZED.into_response(),
        _ => next.run(request).await,
    }
}

/// Closed where no token is set.
async fn may_change(State(daemon): State<Daemon>, request: Request, next: Next) -> Response {
    match &daemon.engine.active().settings.admin.token {
        None => (
            StatusCode::FORBIDDEN,
            "set `admin.token` to allow this, or send the daemon SIGHUP\n",
        )
            .into_response(),
        Some(token) if presents(&request, token) => next.run(request).await,
        Some(_) => StatusCode::UNAUTHORIZED.into_response(),
    }
}

fn presents(request: &Request, token: &Secret) -> bool {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    given.is_some_and(|given| same(given, token.reveal()))
}

/// Whether two secrets are equal, in a time that tells nothing about where they differ or how long they are.
fn same(a: &str, b: &str) -> bool {
    let (a, b) = (blake3::hash(a.as_bytes()), blake3::hash(b.as_bytes()));
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// How long an answer waits for the store: a store that hangs must not look like a daemon that is down.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

async fn metrics(State(daemon): State<Daemon>) -> Response {
    let metrics = &daemon.engine.metrics;
    // What waits belongs to the installation: whoever is asked looks, so that it is told even where nobody runs the
    // relay.
    match tokio::time::timeout(STORE_PATIENCE, daemon.engine.store.counts()).await {
        Ok(Ok(counts)) => metrics.set_waiting(&counts, daemon.engine.clock.now()),
        Ok(Err(_)) | Err(_) => drop(metrics.store_errors.inc()),
    }
    let now = daemon.engine.clock.now();
    match tokio::time::timeout(STORE_PATIENCE, daemon.engine.store.overdue(now)).await {
        Ok(Ok(overdue)) => metrics.set_due(overdue, now),
        Ok(Err(_)) | Err(_) => drop(metrics.store_errors.inc()),
    }
    if daemon.engine.active().rules.funnel.is_some() {
        let people = daemon.engine.store.people_by_stage();
        match tokio::time::timeout(STORE_PATIENCE, people).await {
            Ok(Ok(people)) => metrics.funnel.set_people(&people),
            Ok(Err(_)) | Err(_) => drop(metrics.store_errors.inc()),
        }
    }
    if let Some(free) = daemon.data.as_deref().and_then(disk::free) {
        metrics.set_data_free(free);
    }
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        daemon.engine.metrics.expose(),
    )
        .into_response()
}

async fn ready(State(daemon): State<Daemon>) -> Response {
    if !daemon.ready.load(Ordering::Acquire) {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready: starting or ending\n",
        )
            .into_response();
    }
    match daemon.engine.store.next_due().await {
        Ok(_) => "ready\n".into_response(),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready: the store does not answer\n",
        )
            .into_response(),
    }
}

/// What `/runs/{run}` answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct RunReport {
    /// Counts of the messages that one `ingest` published, whichever daemon has settled them.
    pub tally: Tally,
    /// Topics and partitions that this daemon does not settle any more because of a flood of bad messages.
    pub stopped: Vec<(String, i32)>,
}

async fn run(
    State(daemon): State<Daemon>,
    Path(run): Path<String>,
) -> Result<Json<RunReport>, StatusCode> {
    let stopped = daemon.engine.stopped().await;
    let tally = daemon.engine.tally(&run).await;
    Ok(Json(RunReport {
        tally: tally.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?,
        stopped: stopped
            .into_iter()
            .map(|(topic, partition)| (topic.to_string(), partition))
            .collect(),
    }))
}

async fn reload(State(daemon): State<Daemon>) -> Response {
    match daemon.reload().await {
        Ok(version) => format!("active: {version}\n").into_response(),
        Err(kept) => (StatusCode::CONFLICT, format!("{kept}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn only_the_whole_token_is_the_token() {
        assert!(same("secret", "secret"));
        for other in ["", "secre", "secrets", "Secret"] {
            assert!(!same(other, "secret"), "{other}");
        }
    }
}
