//! The coordinator: consumer groups and their committed offsets.

pub(crate) mod group;
pub(crate) mod member;
pub(crate) mod offsets;
mod round;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::Limits;
use crate::storage::StorageError;
use group::{Group, Join, JoinReply, Phase, Refusal, SyncReply};
use offsets::{Change, Committed, GroupOffsets, Offsets};

#[derive(Debug)]
pub(crate) struct Coordinator {
    groups: Mutex<HashMap<String, Group>>,
    offsets: Mutex<Offsets>,
    sync_always: bool,
    /// Held while syncing the offsets' file.
    sync: tokio::sync::Mutex<()>,
    /// Told when a deadline may have come closer.
    changed: Notify,
    max_groups: usize,
    max_members: usize,
    max_offsets: usize,
    session_timeouts: std::ops::RangeInclusive<Duration>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum CommitError {
    #[error("the group refuses the commit")]
    Refused(Refusal),
    #[error("there are too many groups or offsets")]
    TooMany,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a group is not deleted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeleteError {
    #[error("the group has members")]
    NotEmpty,
    #[error("there is no such group")]
    Unknown,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coordinator {
    pub(crate) fn open(
        data_dir: &Path,
        sync_always: bool,
        limits: &Limits,
    ) -> Result<Self, StorageError> {
        Ok(Self {
            groups: Mutex::new(HashMap::new()),
            offsets: Mutex::new(Offsets::open(data_dir)?),
            sync_always,
            sync: tokio::sync::Mutex::new(()),
            changed: Notify::new(),
            max_groups: limits.max_groups,
            max_members: limits.max_group_members,
            max_offsets: limits.max_committed_offsets,
            session_timeouts: limits.min_session_timeout..=limits.max_session_timeout,
        })
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<String, Group>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offsets(&self) -> MutexGuard<'_, Offsets> {
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a member may ask for such a session timeout.
    pub(crate) fn allows_session_timeout(&self, timeout: Duration) -> bool {
        self.session_timeouts.contains(&timeout)
    }

    pub(crate) fn join(&self, group: &str, join: Join) -> JoinReply {
        let reply = {
            let mut groups = self.groups();
            if !groups.contains_key(group) {
                if !join.member_id.is_empty() && join.instance_id.is_none() {
                    return JoinReply::No(Refusal::UnknownMember, join.member_id);
                }
                if groups.len() >= self.max_groups {
                    groups.retain(|_, g| !g.is_idle());
                }
                if groups.len() >= self.max_groups {
                    return JoinReply::No(Refusal::GroupFull, join.member_id);
                }
            }
            groups
                .entry(group.to_owned())
                .or_insert_with(|| Group::new(self.max_members))
                .join(join, Instant::now())
        };
        self.changed.notify_one();
        reply
    }

    /// Runs `f` on a group that exists.
    fn with<T>(&self, group: &str, f: impl FnOnce(&mut Group) -> T) -> Option<T> {
        self.groups().get_mut(group).map(f)
    }

    pub(crate) fn sync_group(
        &self,
        group: &str,
        member_id: &str,
        instance: Option<&str>,
        generation: i32,
        protocol: Option<(&str, &str)>,
        assignments: Vec<(String, bytes::Bytes)>,
    ) -> SyncReply {
        let reply = self.with(group, |g| {
            match g.check_member(member_id, instance, generation) {
                Err(refusal) => SyncReply::No(refusal),
                Ok(()) => g.sync(member_id, protocol, assignments, Instant::now()),
            }
        });
        self.changed.notify_one();
        reply.unwrap_or(SyncReply::No(Refusal::UnknownMember))
    }

    pub(crate) fn heartbeat(
        &self,
        group: &str,
        member_id: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<(), Refusal> {
        self.with(group, |g| {
            g.check_member(member_id, instance, generation)?;
            g.heartbeat(member_id, Instant::now())
        })
        .unwrap_or(Err(Refusal::UnknownMember))
    }

    pub(crate) fn leave(
        &self,
        group: &str,
        member_id: &str,
        instance: Option<&str>,
    ) -> Result<(), Refusal> {
        let left = self.with(group, |g| g.leave(member_id, instance, Instant::now()));
        self.changed.notify_one();
        left.unwrap_or(Err(Refusal::UnknownMember))
    }

    /// Stores offsets for a group, or for a client that only uses the group's name.
    pub(crate) async fn commit(
        &self,
        group: &str,
        member_id: &str,
        instance: Option<&str>,
        generation: i32,
        changes: Vec<Change>,
    ) -> Result<(), CommitError> {
        self.check_commit(group, member_id, instance, generation)
            .map_err(CommitError::Refused)?;
        {
            let offsets = self.offsets();
            if offsets.len() + changes.len() > self.max_offsets {
                return Err(CommitError::TooMany);
            }
        }
        self.write(changes).await?;
        Ok(())
    }

    fn check_commit(
        &self,
        group: &str,
        member_id: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<(), Refusal> {
        let checked = self.with(group, |g| {
            if generation < 0 && g.members.is_empty() {
                return Ok(());
            }
            g.check_member(member_id, instance, generation)?;
            if g.phase == Phase::CompletingRebalance {
                return Err(Refusal::RebalanceInProgress);
            }
            // A commit is a sign of life, also during a rebalance.
            let _ = g.heartbeat(member_id, Instant::now());
            Ok(())
        });
        match checked {
            Some(result) => result,
            None if generation < 0 => Ok(()),
            None => Err(Refusal::UnknownMember),
        }
    }

    async fn write(&self, changes: Vec<Change>) -> Result<(), StorageError> {
        let file = self.offsets().write(changes)?;
        if !self.sync_always {
            return Ok(());
        }
        let _turn = self.sync.lock().await;
        let synced = tokio::task::spawn_blocking(move || file.sync_data()).await;
        match synced {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => {
                self.offsets().mark_failed();
                Err(StorageError::new("sync", Path::new("committed-offsets"), e))
            }
            Err(_) => Err(StorageError::new(
                "sync",
                Path::new("committed-offsets"),
                std::io::Error::other("the log is shutting down"),
            )),
        }
    }

    pub(crate) fn committed(&self, group: &str) -> GroupOffsets {
        self.offsets().group(group).cloned().unwrap_or_default()
    }

    /// Forgets the offsets of a topic that was deleted.
    pub(crate) async fn forget_topic(&self, topic: &str) -> Result<(), StorageError> {
        let changes = {
            let offsets = self.offsets();
            let mut changes = Vec::new();
            for group in offsets.groups() {
                for (t, partition) in offsets.group(group).into_iter().flat_map(|g| g.keys()) {
                    if t == topic {
                        changes.push(forgotten(group, t, *partition));
                    }
                }
            }
            changes
        };
        if changes.is_empty() {
            return Ok(());
        }
        self.write(changes).await
    }

    /// Forgets some offsets of a group.
    pub(crate) async fn forget(
        &self,
        group: &str,
        partitions: Vec<(String, i32)>,
    ) -> Result<(), StorageError> {
        let changes = partitions
            .iter()
            .map(|(topic, partition)| forgotten(group, topic, *partition))
            .collect();
        self.write(changes).await
    }

    pub(crate) async fn delete(&self, group: &str) -> Result<(), DeleteError> {
        let had_members = {
            let mut groups = self.groups();
            match groups.get(group) {
                Some(g) if !g.members.is_empty() => return Err(DeleteError::NotEmpty),
                _ => groups.remove(group).is_some(),
            }
        };
        let changes: Vec<Change> = self
            .committed(group)
            .keys()
            .map(|(topic, partition)| forgotten(group, topic, *partition))
            .collect();
        if changes.is_empty() && !had_members {
            return Err(DeleteError::Unknown);
        }
        self.write(changes).await?;
        Ok(())
    }

    /// Names, phases and protocol types of all groups.
    pub(crate) fn list(&self) -> Vec<(String, Phase, String)> {
        let mut all: HashMap<String, (Phase, String)> = self
            .offsets()
            .groups()
            .map(|g| (g.clone(), (Phase::Empty, "consumer".to_owned())))
            .collect();
        for (name, group) in self.groups().iter() {
            all.insert(name.clone(), (group.phase, group.protocol_type.clone()));
        }
        let mut list: Vec<_> = all.into_iter().map(|(n, (p, t))| (n, p, t)).collect();
        list.sort_by(|a, b| a.0.cmp(&b.0));
        list
    }

    /// Shows a group to `f`; an unknown one with offsets is shown empty.
    pub(crate) fn describe<T>(&self, group: &str, f: impl FnOnce(&Group) -> T) -> Option<T> {
        let groups = self.groups();
        if let Some(group) = groups.get(group) {
            return Some(f(group));
        }
        drop(groups);
        let has_offsets = self.offsets().group(group).is_some();
        has_offsets.then(|| f(&Group::new(0)))
    }

    /// Lets sessions end and rounds close in time. Sleeps until the next deadline.
    pub(crate) async fn watch_deadlines(self: Arc<Self>) {
        loop {
            let next = {
                let now = Instant::now();
                let mut groups = self.groups();
                groups.values_mut().filter_map(|g| g.tick(now)).min()
            };
            match next {
                Some(at) => tokio::select! {
                    () = tokio::time::sleep_until(at) => {}
                    () = self.changed.notified() => {}
                },
                None => self.changed.notified().await,
            }
        }
    }
}

fn forgotten(group: &str, topic: &str, partition: i32) -> Change {
    Change {
        group: group.to_owned(),
        topic: topic.to_owned(),
        partition,
        committed: None::<Committed>,
    }
}

impl Coordinator {
    /// Makes committed offsets durable that were not written so.
    pub(crate) fn sync_offsets(&self) {
        if self.sync_always {
            return;
        }
        let file = self.offsets().take_unsynced();
        if let Some(Err(error)) = file.map(|f| f.sync_data()) {
            self.offsets().mark_failed();
            tracing::error!(%error, "committed offsets not synced; none are taken until the log is restarted");
        }
    }

    /// Takes no more commits.
    pub(crate) fn close(&self, sync: bool) {
        if sync {
            self.sync_offsets();
        }
        self.offsets().mark_failed();
    }
}
