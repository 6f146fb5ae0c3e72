//! The join round of a group: who is waited for, how it ends, what falls due.

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::group::{Group, JoinReply, Phase, Refusal};
use super::member::{Joined, Member};

impl Group {
    /// Puts a member into the join round, which begins if there is none.
    pub(super) fn await_join(&mut self, id: &str, now: Instant) -> JoinReply {
        let (sender, receiver) = oneshot::channel();
        if let Some(member) = self.members.get_mut(id) {
            member.joining = Some(sender);
        }
        if self.phase != Phase::PreparingRebalance {
            self.begin_round(now);
        }
        self.end_round_if_complete(now);
        JoinReply::Later(receiver)
    }

    pub(super) fn begin_round(&mut self, now: Instant) {
        for member in self.members.values_mut() {
            member.refuse_sync(Refusal::RebalanceInProgress);
        }
        let longest = self.members.values().map(|m| m.rebalance_timeout).max();
        self.round_ends = Some(now + longest.unwrap_or_default());
        self.phase = Phase::PreparingRebalance;
    }

    pub(super) fn end_round_if_complete(&mut self, now: Instant) {
        if self.phase == Phase::PreparingRebalance
            && self.pending.is_empty()
            && self.members.values().all(|m| m.joining.is_some())
        {
            self.end_round(now);
        }
    }

    /// Ends the join round with those who joined.
    fn end_round(&mut self, now: Instant) {
        let missing: Vec<String> = self
            .members
            .iter()
            .filter(|(_, m)| m.joining.is_none() && m.instance_id.is_none())
            .map(|(id, _)| id.clone())
            .collect();
        for id in missing {
            self.remove(&id);
        }
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        if self.members.is_empty() {
            self.become_empty();
            return;
        }
        let leader_joined = self
            .leader
            .as_ref()
            .and_then(|l| self.members.get(l))
            .is_some_and(|m| m.joining.is_some());
        if !leader_joined {
            self.leader = self
                .members
                .iter()
                .filter(|(_, m)| m.joining.is_some())
                .min_by_key(|(_, m)| m.join_order)
                .map(|(id, _)| id.clone())
                .or_else(|| self.members.keys().next().cloned());
        }
        self.protocol = self.vote();
        self.phase = Phase::CompletingRebalance;
        let longest = self.members.values().map(|m| m.rebalance_timeout).max();
        self.round_ends = Some(now + longest.unwrap_or_default());
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id);
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment = Bytes::new();
                member.synced = false;
                member.alive(now);
                if let Some(sender) = member.joining.take() {
                    let _ = sender.send(Ok(joined));
                }
            }
        }
    }

    /// The protocol that all support and most prefer.
    pub(super) fn vote(&self) -> Option<String> {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let preferred = member
                .protocols
                .iter()
                .find(|p| self.members.values().all(|m| m.supports(&p.name)));
            if let Some(protocol) = preferred {
                *votes.entry(&protocol.name).or_default() += 1;
            }
        }
        votes
            .into_iter()
            .max_by_key(|(_, n)| *n)
            .map(|(name, _)| name.to_owned())
    }

    pub(super) fn joined(&self, id: &str) -> Joined {
        let leader = self.leader.clone().unwrap_or_default();
        let members = if leader == id {
            let protocol = self.protocol.as_deref().unwrap_or_default();
            self.members
                .iter()
                .map(|(id, m)| {
                    let metadata = m.metadata(protocol).cloned().unwrap_or_default();
                    (id.clone(), m.instance_id.clone(), metadata)
                })
                .collect()
        } else {
            Vec::new()
        };
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone().unwrap_or_default(),
            leader,
            member_id: id.to_owned(),
            members,
            skip_assignment: false,
        }
    }

    pub(super) fn become_empty(&mut self) {
        self.phase = Phase::Empty;
        self.leader = None;
        self.protocol = None;
        self.round_ends = None;
    }

    /// Does what has become due and says when to look again.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<Instant> {
        let pending_before = self.pending.len();
        self.pending.retain(|_, until| *until > now);
        let expired: Vec<String> = self
            .members
            .iter()
            .filter(|(_, m)| m.expires().is_some_and(|t| t <= now))
            .map(|(id, _)| id.clone())
            .collect();
        if !expired.is_empty() {
            self.remove_and_rebalance(&expired, now);
        } else if pending_before != self.pending.len() {
            self.end_round_if_complete(now);
        }
        if self.round_ends.is_some_and(|t| t <= now) {
            self.round_ends = None;
            match self.phase {
                Phase::PreparingRebalance => {
                    self.pending.clear();
                    self.end_round(now);
                }
                Phase::Stable | Phase::CompletingRebalance => self.drop_unsynced(now),
                Phase::Empty => {}
            }
        }
        let sessions = self.members.values().filter_map(Member::expires);
        let ids = self.pending.values().copied();
        sessions.chain(ids).chain(self.round_ends).min()
    }

    /// Members that joined but never asked for their assignment are gone.
    fn drop_unsynced(&mut self, now: Instant) {
        let missing: Vec<String> = self
            .members
            .iter()
            .filter(|(_, m)| !m.synced && m.instance_id.is_none())
            .map(|(id, _)| id.clone())
            .collect();
        if !missing.is_empty() {
            self.remove_and_rebalance(&missing, now);
        } else if self.phase == Phase::CompletingRebalance {
            self.begin_round(now);
        }
    }
}
