//! A member of a consumer group.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::group::{Join, Refusal};

/// An assignment strategy a member can follow, and what it says about itself for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Protocol {
    pub name: String,
    pub metadata: Bytes,
}

/// The outcome of a join round for one member.
#[derive(Debug, Clone)]
pub(crate) struct Joined {
    pub generation: i32,
    pub protocol_type: String,
    pub protocol: String,
    pub leader: String,
    pub member_id: String,
    /// Only for the leader: id, instance and metadata of everybody.
    pub members: Vec<(String, Option<String>, Bytes)>,
    pub skip_assignment: bool,
}

/// The assignment of one member.
#[derive(Debug, Clone)]
pub(crate) struct Synced {
    pub protocol_type: String,
    pub protocol: String,
    pub assignment: Bytes,
}

#[derive(Debug)]
pub(crate) struct Member {
    pub instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub session_timeout: Duration,
    pub rebalance_timeout: Duration,
    pub protocols: Vec<Protocol>,
    pub assignment: Bytes,
    pub join_order: u64,
    /// Whether the member asked for its assignment in this generation.
    pub synced: bool,
    pub joining: Option<oneshot::Sender<Result<Joined, Refusal>>>,
    pub syncing: Option<oneshot::Sender<Result<Synced, Refusal>>>,
    last_seen: Instant,
}

impl Member {
    pub(crate) fn new(join: Join, join_order: u64, now: Instant) -> Self {
        Self {
            instance_id: join.instance_id,
            client_id: join.client_id,
            client_host: join.client_host,
            session_timeout: join.session_timeout,
            rebalance_timeout: join.rebalance_timeout,
            protocols: join.protocols,
            assignment: Bytes::new(),
            join_order,
            synced: false,
            joining: None,
            syncing: None,
            last_seen: now,
        }
    }

    pub(crate) fn update(&mut self, join: Join) {
        self.client_id = join.client_id;
        self.client_host = join.client_host;
        self.session_timeout = join.session_timeout;
        self.rebalance_timeout = join.rebalance_timeout;
        self.protocols = join.protocols;
    }

    pub(crate) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|p| p.name == protocol)
    }

    pub(crate) fn metadata(&self, protocol: &str) -> Option<&Bytes> {
        self.protocols
            .iter()
            .find(|p| p.name == protocol)
            .map(|p| &p.metadata)
    }

    pub(crate) fn alive(&mut self, now: Instant) {
        self.last_seen = now;
    }

    /// When the session ends. One who waits for an answer of ours is not expected to speak.
    pub(crate) fn expires(&self) -> Option<Instant> {
        (self.joining.is_none() && self.syncing.is_none())
            .then(|| self.last_seen + self.session_timeout)
    }

    pub(crate) fn refuse_sync(&mut self, refusal: Refusal) {
        if let Some(sender) = self.syncing.take() {
            let _ = sender.send(Err(refusal));
        }
    }

    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        if let Some(sender) = self.joining.take() {
            let _ = sender.send(Err(refusal));
        }
        self.refuse_sync(refusal);
    }
}
