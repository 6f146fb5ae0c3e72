//! One consumer group and its rounds of the classic protocol: members join, a leader assigns,
//! members sync, and heartbeats keep them in. No clock of its own: the time is given.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;

use super::member::{Joined, Member, Protocol, Synced};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Empty,
    /// Members are called to join again.
    PreparingRebalance,
    /// Everybody joined; the leader's assignment is awaited.
    CompletingRebalance,
    Stable,
}

impl Phase {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// Why a group refuses a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    UnknownMember,
    IllegalGeneration,
    RebalanceInProgress,
    InconsistentProtocol,
    FencedInstance,
    /// Join again under this id.
    MemberIdRequired,
    GroupFull,
}

/// A request to join.
#[derive(Debug, Clone)]
pub(crate) struct Join {
    pub member_id: String,
    pub instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub session_timeout: Duration,
    pub rebalance_timeout: Duration,
    pub protocol_type: String,
    pub protocols: Vec<Protocol>,
    /// Whether a client without an id must come back with the one it is given.
    pub needs_known_id: bool,
    pub can_skip_assignment: bool,
}

#[derive(Debug)]
pub(crate) enum JoinReply {
    Now(Joined),
    Later(oneshot::Receiver<Result<Joined, Refusal>>),
    /// Refused; the id is the one to use next time, or the one refused.
    No(Refusal, String),
}

#[derive(Debug)]
pub(crate) enum SyncReply {
    Now(Synced),
    Later(oneshot::Receiver<Result<Synced, Refusal>>),
    No(Refusal),
}

#[derive(Debug)]
pub(crate) struct Group {
    pub phase: Phase,
    pub generation: i32,
    pub protocol_type: String,
    pub protocol: Option<String>,
    pub leader: Option<String>,
    pub members: BTreeMap<String, Member>,
    /// Group instance id to member id.
    pub(super) statics: HashMap<String, String>,
    /// Ids given out to clients that have not come back yet.
    pub(super) pending: HashMap<String, Instant>,
    /// When the running join or sync round is ended without those still missing.
    pub(super) round_ends: Option<Instant>,
    pub(super) next_join_order: u64,
    pub(super) max_members: usize,
}

impl Group {
    pub(crate) fn new(max_members: usize) -> Self {
        Self {
            phase: Phase::Empty,
            generation: 0,
            protocol_type: String::new(),
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            statics: HashMap::new(),
            pending: HashMap::new(),
            round_ends: None,
            next_join_order: 0,
            max_members,
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.members.is_empty() && self.pending.is_empty()
    }

    pub(crate) fn join(&mut self, join: Join, now: Instant) -> JoinReply {
        let refused = |refusal| JoinReply::No(refusal, join.member_id.clone());
        if !self.supports(&join) {
            return refused(Refusal::InconsistentProtocol);
        }
        if let Some(instance) = &join.instance_id {
            let known = self.statics.get(instance).cloned();
            return match (known, join.member_id.is_empty()) {
                (Some(old), true) => self.replace_static(&old, join, now),
                (Some(old), false) if old == join.member_id => self.rejoin(join, now),
                (Some(_), false) => refused(Refusal::FencedInstance),
                (None, true) => self.enter(new_member_id(instance), join, now),
                (None, false) => refused(Refusal::UnknownMember),
            };
        }
        if join.member_id.is_empty() {
            if self.is_full() {
                return refused(Refusal::GroupFull);
            }
            let id = new_member_id(&join.client_id);
            if join.needs_known_id {
                self.pending.insert(id.clone(), now + join.session_timeout);
                return JoinReply::No(Refusal::MemberIdRequired, id);
            }
            return self.enter(id, join, now);
        }
        if self.pending.remove(&join.member_id).is_some() {
            return self.enter(join.member_id.clone(), join, now);
        }
        if self.members.contains_key(&join.member_id) {
            return self.rejoin(join, now);
        }
        refused(Refusal::UnknownMember)
    }

    fn is_full(&self) -> bool {
        self.members.len() + self.pending.len() >= self.max_members
    }

    fn supports(&self, join: &Join) -> bool {
        if join.protocols.is_empty() || join.protocol_type.is_empty() {
            return false;
        }
        self.members.is_empty()
            || (self.protocol_type == join.protocol_type
                && join.protocols.iter().any(|p| {
                    self.members
                        .iter()
                        .filter(|(id, _)| **id != join.member_id)
                        .all(|(_, m)| m.supports(&p.name))
                }))
    }

    fn enter(&mut self, id: String, join: Join, now: Instant) -> JoinReply {
        if self.members.len() >= self.max_members {
            return JoinReply::No(Refusal::GroupFull, id);
        }
        if self.members.is_empty() {
            self.protocol_type.clone_from(&join.protocol_type);
        }
        if let Some(instance) = &join.instance_id {
            self.statics.insert(instance.clone(), id.clone());
        }
        self.next_join_order += 1;
        let member = Member::new(join, self.next_join_order, now);
        self.members.insert(id.clone(), member);
        self.leader.get_or_insert_with(|| id.clone());
        self.await_join(&id, now)
    }

    fn rejoin(&mut self, join: Join, now: Instant) -> JoinReply {
        let id = join.member_id.clone();
        let is_leader = self.leader.as_deref() == Some(id.as_str());
        let Some(member) = self.members.get_mut(&id) else {
            return JoinReply::No(Refusal::UnknownMember, id);
        };
        member.alive(now);
        let same = member.protocols == join.protocols;
        member.update(join);
        match self.phase {
            Phase::CompletingRebalance if same => JoinReply::Now(self.joined(&id)),
            Phase::Stable if same && !is_leader => JoinReply::Now(self.joined(&id)),
            _ => self.await_join(&id, now),
        }
    }

    /// A new process takes the place of a static member; nobody else is disturbed if it can help it.
    fn replace_static(&mut self, old_id: &str, join: Join, now: Instant) -> JoinReply {
        let instance = join.instance_id.clone().unwrap_or_default();
        let new_id = new_member_id(&instance);
        let Some(mut member) = self.members.remove(old_id) else {
            self.statics.remove(&instance);
            return self.enter(new_id, join, now);
        };
        member.refuse(Refusal::FencedInstance);
        let can_skip = join.can_skip_assignment;
        member.update(join);
        member.alive(now);
        self.members.insert(new_id.clone(), member);
        self.statics.insert(instance, new_id.clone());
        let was_leader = self.leader.as_deref() == Some(old_id);
        if was_leader {
            self.leader = Some(new_id.clone());
        }
        // As in Kafka, what the member says of itself may differ: some clients tell what they had.
        if self.phase != Phase::Stable || self.vote() != self.protocol {
            return self.await_join(&new_id, now);
        }
        let mut joined = self.joined(&new_id);
        if was_leader {
            if can_skip {
                joined.skip_assignment = true;
            } else {
                // An older client would assign anew if it heard that it leads.
                joined.leader = old_id.to_owned();
                joined.members.clear();
            }
        }
        JoinReply::Now(joined)
    }

    /// Checks that a request comes from a present member of the present generation.
    pub(crate) fn check_member(
        &self,
        id: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<(), Refusal> {
        if let Some(instance) = instance {
            match self.statics.get(instance) {
                None => return Err(Refusal::UnknownMember),
                Some(known) if known != id => return Err(Refusal::FencedInstance),
                Some(_) => {}
            }
        }
        if !self.members.contains_key(id) {
            return Err(Refusal::UnknownMember);
        }
        if generation != self.generation {
            return Err(Refusal::IllegalGeneration);
        }
        Ok(())
    }

    pub(crate) fn sync(
        &mut self,
        id: &str,
        protocol: Option<(&str, &str)>,
        assignments: Vec<(String, Bytes)>,
        now: Instant,
    ) -> SyncReply {
        if protocol.is_some_and(|(kind, name)| {
            kind != self.protocol_type || Some(name) != self.protocol.as_deref()
        }) {
            return SyncReply::No(Refusal::InconsistentProtocol);
        }
        let is_leader = self.leader.as_deref() == Some(id);
        let Some(member) = self.members.get_mut(id) else {
            return SyncReply::No(Refusal::UnknownMember);
        };
        member.alive(now);
        match self.phase {
            Phase::Empty => SyncReply::No(Refusal::UnknownMember),
            Phase::PreparingRebalance => SyncReply::No(Refusal::RebalanceInProgress),
            Phase::Stable => {
                member.synced = true;
                SyncReply::Now(self.synced(id))
            }
            Phase::CompletingRebalance => {
                member.synced = true;
                if is_leader {
                    self.assign(assignments);
                    return SyncReply::Now(self.synced(id));
                }
                let (sender, receiver) = oneshot::channel();
                member.syncing = Some(sender);
                SyncReply::Later(receiver)
            }
        }
    }

    fn assign(&mut self, assignments: Vec<(String, Bytes)>) {
        for (id, assignment) in assignments {
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment = assignment;
            }
        }
        self.phase = Phase::Stable;
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let synced = self.synced(&id);
            if let Some(sender) = self.members.get_mut(&id).and_then(|m| m.syncing.take()) {
                let _ = sender.send(Ok(synced));
            }
        }
    }

    fn synced(&self, id: &str) -> Synced {
        Synced {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone().unwrap_or_default(),
            assignment: self
                .members
                .get(id)
                .map(|m| m.assignment.clone())
                .unwrap_or_default(),
        }
    }

    pub(crate) fn heartbeat(&mut self, id: &str, now: Instant) -> Result<(), Refusal> {
        if let Some(member) = self.members.get_mut(id) {
            member.alive(now);
        }
        match self.phase {
            Phase::PreparingRebalance => Err(Refusal::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// A member goes of its own accord, named by its id or its instance.
    pub(crate) fn leave(
        &mut self,
        id: &str,
        instance: Option<&str>,
        now: Instant,
    ) -> Result<(), Refusal> {
        let id = match instance.map(|i| self.statics.get(i)) {
            Some(None) => return Err(Refusal::UnknownMember),
            Some(Some(known)) if !id.is_empty() && known != id => {
                return Err(Refusal::FencedInstance);
            }
            Some(Some(known)) => known.clone(),
            None => id.to_owned(),
        };
        if self.pending.remove(&id).is_some() {
            self.end_round_if_complete(now);
            return Ok(());
        }
        if !self.members.contains_key(&id) {
            return Err(Refusal::UnknownMember);
        }
        self.remove_and_rebalance(&[id], now);
        Ok(())
    }

    pub(super) fn remove(&mut self, id: &str) {
        if let Some(mut member) = self.members.remove(id) {
            member.refuse(Refusal::UnknownMember);
            if let Some(instance) = &member.instance_id {
                self.statics.remove(instance);
            }
        }
        if self.leader.as_deref() == Some(id) {
            self.leader = self
                .members
                .iter()
                .min_by_key(|(_, m)| m.join_order)
                .map(|(id, _)| id.clone());
        }
    }

    pub(super) fn remove_and_rebalance(&mut self, ids: &[String], now: Instant) {
        for id in ids {
            self.remove(id);
        }
        if self.members.is_empty() {
            self.generation = self.generation.checked_add(1).unwrap_or(1);
            self.become_empty();
        } else if matches!(self.phase, Phase::Stable | Phase::CompletingRebalance) {
            self.begin_round(now);
        }
        self.end_round_if_complete(now);
    }
}

fn new_member_id(prefix: &str) -> String {
    let prefix: String = prefix.chars().take(128).collect();
    format!("{prefix}-{}", Uuid::new_v4())
}
