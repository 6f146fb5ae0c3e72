//! The engine: everything between the log and the store, in functions that a driver can step.

mod acts;
mod ahead;
mod decode;
mod docket;
mod drive;
pub mod editions;
mod erase;
mod flood;
pub mod headers;
mod message;
mod observe;
mod pipeline;
mod places;
mod relay;
mod reread;
mod tally;
mod timers;
mod topics;
mod warm;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicI64},
};

use arc_swap::ArcSwap;
use baton_config::Settings;
use baton_core::{rules::Rules, time::Millis};
use baton_store::{Activation, Store};

pub use ahead::Ahead;
pub use message::{Consumed, Headers, header};
pub use pipeline::Report;
pub use places::Places;
pub use tally::Tally;
pub use topics::{Input, Lane, TooManySystems, TopicMap};

use crate::{
    clock::Clock,
    kafka::{KafkaFault, Stored},
    retry::Passing,
    telemetry::Metrics,
};
use flood::Flood;
use warm::Warm;

/// What is configured: replaced as a whole by a reload.
#[derive(Clone, Debug)]
pub struct Active {
    pub rules: Rules,
    pub settings: Settings,
    pub topics: TopicMap,
    /// The texts of the files by their names, kept with the activation.
    pub texts: BTreeMap<String, String>,
}

impl Active {
    /// # Errors
    /// [`TooManySystems`].
    pub fn new(
        rules: Rules,
        settings: Settings,
        texts: BTreeMap<String, String>,
    ) -> Result<Self, TooManySystems> {
        let topics = TopicMap::new(&settings)?;
        Ok(Self {
            rules,
            settings,
            topics,
            texts,
        })
    }

    /// What is kept with the activation: the files by name, as one JSON object.
    #[must_use]
    pub fn body(&self) -> String {
        serde_json::Value::from_iter(self.texts.clone()).to_string()
    }
}

/// Why the engine could not go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Store(#[from] baton_store::Error),
    #[error(
        "other workers were faster {attempts} times in a row at the same people; is one of them replaying?"
    )]
    Contended { attempts: u32 },
    #[error(transparent)]
    Kafka(#[from] KafkaFault),
    #[error("a commit ended without a word; whether it happened stands in the positions")]
    CommitLost,
    #[error("the book asked for more and more to be loaded; this is a mistake in Baton")]
    Bottomless,
}

impl EngineError {
    /// Whether waiting can help.
    #[must_use]
    pub fn passing(&self) -> Passing {
        match self {
            Self::Store(error) => match error.class() {
                baton_store::Class::Transient
                | baton_store::Class::Conflict
                | baton_store::Class::Unknown
                | baton_store::Class::Full => Passing::Yes,
                _ => Passing::No,
            },
            Self::Contended { .. } | Self::CommitLost => Passing::Yes,
            Self::Kafka(fault) => fault.passing(),
            Self::Bottomless => Passing::No,
        }
    }
}

/// Settles what comes, one batch at a time.
pub struct Engine {
    pub store: Store,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
    active: ArcSwap<Active>,
    work: tokio::sync::Mutex<Work>,
    /// Held by the commit of a batch on which the next one is being settled; see [`Ahead`].
    under_way: Arc<tokio::sync::Mutex<()>>,
    /// When what nobody asks for any more was last removed.
    pruned: AtomicI64,
}

/// What one transaction at a time uses.
#[derive(Default)]
struct Work {
    places: Places,
    flood: Option<Flood>,
    /// The last transaction's instant: time does not go back.
    at: Millis,
    /// Rises with every transaction that waited for its commit: what was thought of before is stale.
    turn: u64,
    warm: Warm,
}

impl Engine {
    /// An engine on a migrated store. Reads the positions; takes nothing in yet.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn new(
        store: Store,
        active: Active,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, EngineError> {
        let engine = Self {
            store,
            clock,
            metrics,
            active: ArcSwap::from_pointee(active),
            work: tokio::sync::Mutex::default(),
            under_way: Arc::default(),
            pruned: AtomicI64::new(0),
        };
        let stored = engine.stored_positions().await?;
        engine.work.lock().await.places = Places::new(stored);
        engine.look_back().await?;
        Ok(engine)
    }

    /// What is configured now.
    #[must_use]
    pub fn active(&self) -> Arc<Active> {
        self.active.load_full()
    }

    /// Makes rules active and notes it in the store, if they are not those that were active last.
    ///
    /// # Errors
    /// When the store cannot be written; the old rules stay active then.
    pub async fn activate(&self, active: Active) -> Result<bool, EngineError> {
        // No batch may be half under the old and half under the new rules.
        let mut work = self.work.lock().await;
        let _ = self.under_way.lock().await;
        let changed = self.note_activation(&active).await?;
        work.flood = None;
        self.active.store(Arc::new(active));
        self.look_back().await?;
        Ok(changed)
    }

    /// Lets the rules know those that were active before them.
    async fn look_back(&self) -> Result<(), EngineError> {
        let mut active = Active::clone(&self.active());
        active.rules = editions::with_history(active.rules, &self.store).await?;
        self.active.store(Arc::new(active));
        Ok(())
    }

    /// Notes the rules that this engine was started with.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn note_start(&self) -> Result<bool, EngineError> {
        let changed = self.note_activation(&self.active()).await?;
        self.look_back().await?;
        Ok(changed)
    }

    async fn note_activation(&self, active: &Active) -> Result<bool, EngineError> {
        let version = active.rules.version.as_str();
        let last = self.store.activations().await?.pop();
        if last.is_some_and(|last| last.version == version) {
            return Ok(false);
        }
        self.store
            .activate(&Activation {
                at: self.clock.now(),
                version: version.to_owned(),
                body: active.body(),
            })
            .await?;
        Ok(true)
    }

    /// The positions of everything that is consumed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn stored_positions(&self) -> Result<Vec<baton_store::StoredPosition>, EngineError> {
        let mut all = Vec::new();
        for topic in self.active().topics.consumed() {
            all.extend(self.store.positions(&topic).await?);
        }
        Ok(all)
    }

    /// Partitions have come to this worker: where the store has them, as [`crate::kafka::start`] wants it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn assigned(
        &self,
        keys: &[(String, i32)],
    ) -> Result<BTreeMap<(String, i32), Vec<Stored>>, EngineError> {
        // Read while no batch can learn more: an older word would pass for a position that somebody wound back.
        let mut work = self.work.lock().await;
        let stored = self.stored_positions().await?;
        work.places.assigned(&stored, keys);
        drop(work);
        let places = Places::new(stored);
        let found = keys
            .iter()
            .map(|key| (key.clone(), places.of(&key.0, key.1)));
        Ok(found.collect())
    }

    /// What became of the messages that one `ingest` published, whichever process settled them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tally(&self, run: &str) -> Result<Tally, EngineError> {
        Ok(self.store.run(run).await?.into())
    }

    /// Partitions that a flood of bad messages stopped.
    pub async fn stopped(&self) -> Vec<(Arc<str>, i32)> {
        let work = self.work.lock().await;
        work.flood
            .iter()
            .flat_map(Flood::stopped)
            .cloned()
            .collect()
    }

    /// Lets partitions that a flood of bad messages stopped go on. Returns them.
    pub async fn resume(&self) -> Vec<(Arc<str>, i32)> {
        let mut work = self.work.lock().await;
        let resumed = work.flood.as_mut().map(Flood::resume).unwrap_or_default();
        for (topic, partition) in &resumed {
            self.metrics.set_stopped(topic, *partition, false);
        }
        resumed
    }
}
