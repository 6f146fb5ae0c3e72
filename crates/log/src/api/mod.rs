//! What each request does.

mod cluster;
mod configs;
mod fetch;
mod groups;
mod members;
mod offsets;
mod produce;
mod topics;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{RequestKind, ResponseKind};
use kafka_protocol::protocol::StrBytes;

use crate::broker::Broker;
use crate::net::{Head, Request};
use crate::wire::fetch::FetchedTopic;

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub broker: Arc<Broker>,
    pub local: SocketAddr,
    pub peer: SocketAddr,
}

pub(crate) enum Reply {
    Message(Box<ResponseKind>),
    /// Records, which stay in their files until they go out.
    Fetched(Vec<FetchedTopic>),
}

pub(crate) enum Answer {
    Now(Box<ResponseKind>),
    Later(Pin<Box<dyn Future<Output = Reply> + Send>>),
    /// The client wants none.
    Nothing,
    /// None can be given; the connection is closed so that the client does not wait for one.
    Close,
}

fn now(response: ResponseKind) -> Answer {
    Answer::Now(Box::new(response))
}

fn later<F>(work: F) -> Answer
where
    F: Future<Output = ResponseKind> + Send + 'static,
{
    Answer::Later(Box::pin(
        async move { Reply::Message(Box::new(work.await)) },
    ))
}

pub(crate) fn newer_api_versions() -> Answer {
    now(cluster::api_versions(
        ResponseError::UnsupportedVersion.code(),
    ))
}

pub(crate) async fn answer(client: &Client, request: Request) -> Answer {
    use RequestKind as Q;
    let Request { head, body } = request;
    let broker = client.broker.clone();
    match body {
        Q::ApiVersions(_) => now(cluster::api_versions(0)),
        Q::Metadata(r) => now(cluster::metadata(client, &r, head.version)),
        Q::DescribeCluster(r) => now(cluster::describe_cluster(client, &r)),
        Q::FindCoordinator(r) => now(cluster::find_coordinator(client, &r, head.version)),
        Q::Produce(r) => produce::produce(broker, r).await,
        Q::Fetch(r) => fetch::fetch(broker, r, head.version),
        Q::InitProducerId(r) => blocking(move || produce::init_producer_id(&broker, &r)).await,
        Q::ListOffsets(r) => {
            blocking(move || offsets::list_offsets(&broker, r, head.version)).await
        }
        Q::DeleteRecords(r) => blocking(move || offsets::delete_records(&broker, r)).await,
        Q::CreateTopics(r) => blocking(move || topics::create(&broker, r)).await,
        Q::DeleteTopics(r) => later(topics::delete(broker, r, head.version)),
        Q::CreatePartitions(r) => blocking(move || topics::add_partitions(&broker, r)).await,
        Q::DescribeConfigs(r) => now(configs::describe(&broker, &r)),
        Q::AlterConfigs(r) => blocking(move || configs::alter(&broker, r)).await,
        Q::IncrementalAlterConfigs(r) => {
            blocking(move || configs::alter_incrementally(&broker, r)).await
        }
        Q::JoinGroup(r) => members::join(client, &head, r),
        Q::SyncGroup(r) => members::sync(&broker, r),
        Q::Heartbeat(r) => now(members::heartbeat(&broker, &r)),
        Q::LeaveGroup(r) => now(members::leave(&broker, r, head.version)),
        Q::OffsetCommit(r) => later(groups::commit(broker, r)),
        Q::OffsetFetch(r) => now(groups::committed(&broker, &r, head.version)),
        Q::OffsetDelete(r) => later(groups::delete_offsets(broker, r)),
        Q::ListGroups(r) => now(groups::list(&broker, &r)),
        Q::DescribeGroups(r) => now(groups::describe(&broker, r)),
        Q::DeleteGroups(r) => later(groups::delete(broker, r)),
        // Only what `wire::versions` lists gets here.
        _ => Answer::Close,
    }
}

/// Runs what touches files at length away from the connections.
async fn blocking<F>(work: F) -> Answer
where
    F: FnOnce() -> ResponseKind + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(response) => now(response),
        Err(_) => Answer::Close,
    }
}

/// Whether a key was not seen before. One who asks for the same thing a thousand times in one
/// request is told once, so that a small request cannot have a huge answer.
fn first_time<K: std::hash::Hash + Eq>(seen: &mut HashSet<K>, key: K) -> bool {
    seen.insert(key)
}

fn text(s: impl Into<String>) -> StrBytes {
    StrBytes::from_string(s.into())
}

/// Text for a person, when there is an error to tell of.
fn message(error: &dyn std::error::Error) -> Option<StrBytes> {
    let mut all = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        all.push_str(": ");
        all.push_str(&cause.to_string());
        source = cause.source();
    }
    Some(text(all))
}

fn client_id(head: &Head) -> String {
    if head.client_id.is_empty() {
        "client".to_owned()
    } else {
        head.client_id.clone()
    }
}
