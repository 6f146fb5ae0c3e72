//! What all connections share.

use std::fs::{File, OpenOptions};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Fsync};
use crate::error::Error;
use crate::groups::Coordinator;
use crate::producer_ids::ProducerIds;
use crate::storage::catalogue::Catalogue;
use crate::storage::partition::{Durability, Partition};
use crate::storage::{StorageError, files, now_ms};

/// The id of the only broker.
pub(crate) const NODE_ID: i32 = 1;

#[derive(Debug)]
pub(crate) enum Dirty {
    Partition(Arc<Partition>),
    Offsets,
}

#[derive(Debug)]
pub(crate) struct Broker {
    pub config: Config,
    pub cluster_id: String,
    pub catalogue: Catalogue,
    pub coordinator: Arc<Coordinator>,
    pub producer_ids: ProducerIds,
    pub request_memory: Arc<Semaphore>,
    pub stop: CancellationToken,
    /// What was written since it was last synced.
    dirty: mpsc::UnboundedSender<Dirty>,
    offsets_dirty: AtomicBool,
    lock: File,
}

impl Broker {
    pub(crate) fn open(
        config: Config,
        stop: CancellationToken,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Dirty>), Error> {
        check_limits(&config)?;
        files::create_dir(&config.data_dir)?;
        let lock = lock(&config.data_dir)?;
        let always = config.fsync == Fsync::Always;
        let durability = if always {
            Durability::Always
        } else {
            Durability::Later
        };
        let catalogue =
            Catalogue::open(&config.data_dir, durability, config.limits.max_partitions)?;
        let coordinator = Coordinator::open(&config.data_dir, always, &config.limits)?;
        let producer_ids = ProducerIds::open(&config.data_dir)?;
        let cluster_id = cluster_id(&config.data_dir)?;
        let (dirty, queue) = mpsc::unbounded_channel();
        let broker = Self {
            cluster_id,
            catalogue,
            coordinator: Arc::new(coordinator),
            producer_ids,
            request_memory: Arc::new(Semaphore::new(config.limits.request_memory)),
            stop,
            dirty,
            offsets_dirty: AtomicBool::new(false),
            lock,
            config,
        };
        Ok((broker, queue))
    }

    /// The address clients are told to use.
    pub(crate) fn advertised(&self, local: SocketAddr) -> (String, i32) {
        match &self.config.advertised {
            Some((host, port)) => (host.clone(), i32::from(*port)),
            None => (local.ip().to_string(), i32::from(local.port())),
        }
    }

    /// Has the partition synced in a while.
    pub(crate) fn note_written(&self, partition: &Arc<Partition>) {
        if !partition.dirty.swap(true, Ordering::AcqRel) {
            let _ = self.dirty.send(Dirty::Partition(partition.clone()));
        }
    }

    /// Has the committed offsets synced in a while.
    pub(crate) fn note_committed(&self) {
        if !self.offsets_dirty.swap(true, Ordering::AcqRel) {
            let _ = self.dirty.send(Dirty::Offsets);
        }
    }

    /// Takes no more writes and lets go of the data folder.
    pub(crate) fn close(&self, sync: bool) {
        for topic in self.catalogue.all() {
            for partition in topic.state().partitions.iter() {
                partition.close();
                if sync && let Err(error) = partition.sync_now() {
                    tracing::error!(
                        topic = topic.name,
                        error = &error as &dyn std::error::Error,
                        "partition not synced at shutdown"
                    );
                }
            }
        }
        self.coordinator.close(sync);
        let _ = self.lock.unlock();
    }

    /// Syncs what was written, an interval after it was.
    pub(crate) async fn sync_dirty(self: Arc<Self>, mut queue: mpsc::UnboundedReceiver<Dirty>) {
        let interval = match self.config.fsync {
            Fsync::Interval(interval) => interval,
            // Writes are synced as they come; this is for those whose client went away.
            Fsync::Always => std::time::Duration::from_millis(100),
        };
        while let Some(first) = queue.recv().await {
            tokio::time::sleep(interval).await;
            let mut batch = vec![first];
            while let Ok(next) = queue.try_recv() {
                batch.push(next);
            }
            self.offsets_dirty.store(false, Ordering::Release);
            let coordinator = self.coordinator.clone();
            let done = tokio::task::spawn_blocking(move || {
                for written in batch {
                    let Dirty::Partition(partition) = written else {
                        coordinator.sync_offsets();
                        continue;
                    };
                    if partition.is_closed() {
                        continue;
                    }
                    if let Err(error) = partition.sync_now() {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            "partition not synced; it takes no more writes until the log is restarted"
                        );
                    }
                }
            });
            if done.await.is_err() {
                return;
            }
        }
    }

    /// Deletes and compacts old segments from time to time.
    pub(crate) async fn clean_regularly(self: Arc<Self>) {
        loop {
            tokio::time::sleep(self.config.clean_interval).await;
            let this = self.clone();
            if tokio::task::spawn_blocking(move || this.clean())
                .await
                .is_err()
            {
                return;
            }
        }
    }

    fn clean(&self) {
        for topic in self.catalogue.all() {
            for (index, partition) in topic.state().partitions.iter().enumerate() {
                match partition.clean(now_ms()) {
                    Ok(cleaned)
                        if cleaned.segments_deleted + cleaned.records_removed as usize > 0 =>
                    {
                        tracing::info!(
                            topic = topic.name,
                            partition = index,
                            segments = cleaned.segments_deleted,
                            records = cleaned.records_removed,
                            "cleaned old records"
                        );
                    }
                    Ok(_) => {}
                    Err(error) => tracing::error!(
                        topic = topic.name,
                        partition = index,
                        error = &error as &dyn std::error::Error,
                        "old records not cleaned"
                    ),
                }
            }
        }
    }
}

fn check_limits(config: &Config) -> Result<(), Error> {
    let l = &config.limits;
    if l.max_request_bytes > l.request_memory || l.request_memory > u32::MAX as usize {
        return Err(Error::Limits(
            "request_memory must hold max_request_bytes and be below 4 GiB".to_owned(),
        ));
    }
    if l.max_connections == 0 || l.max_in_flight == 0 || config.threads == 0 {
        return Err(Error::Limits(
            "max_connections, max_in_flight and threads must be at least 1".to_owned(),
        ));
    }
    if !config.listen.ip().is_loopback() && !config.allow_remote {
        return Err(Error::NotLoopback(config.listen));
    }
    Ok(())
}

fn lock(data_dir: &Path) -> Result<File, Error> {
    let path = data_dir.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| StorageError::new("open", &path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Locked(data_dir.to_owned())),
        Err(std::fs::TryLockError::Error(e)) => Err(StorageError::new("lock", &path, e).into()),
    }
}

fn cluster_id(data_dir: &Path) -> Result<String, StorageError> {
    let path = data_dir.join("cluster-id");
    let known = files::read_if_there(&path)?.and_then(|b| String::from_utf8(b).ok());
    if let Some(id) = known.filter(|id| !id.is_empty()) {
        return Ok(id);
    }
    let id = uuid::Uuid::new_v4().simple().to_string();
    files::replace(&path, id.as_bytes())?;
    Ok(id)
}
