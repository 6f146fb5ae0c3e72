//! One worker: an engine as `baton run` has it, with its place in the group, what it holds in hand, and what it is
//! doing. It gets on only when the scheduler lets it, so it can be left at any boundary: for a while (it hangs) or for
//! good (it crashes).

use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll},
};

use baton::{
    clock::Clock,
    engine::{Active, Ahead, Consumed, Engine, EngineError, Report},
    kafka::Stored,
    retry::Passing,
    telemetry::Metrics,
};
use baton_core::time::Millis;
use baton_store::Store;
use tokio::runtime::{Builder, Runtime};

use crate::{
    chance::turn,
    log::{Place, Producer},
    outside::Errand,
};

/// How long a relay has its lease, as the daemon has it.
const LEASE_MS: i64 = 15_000;

/// What a worker can be doing, each beside the others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    Start,
    Assign,
    Settle,
    /// A commit that is under way while the next batch is being settled.
    Commit,
    Timers,
    Relay,
    Steward,
}

/// What came of it.
pub enum Done {
    Started(Arc<Engine>),
    Assigned(BTreeMap<Place, Vec<Stored>>),
    /// What became of a batch, and the one whose commit is under way.
    Settled(Report, Box<Option<Ahead>>),
    Fired,
    Relayed(usize),
    Acted,
}

type Watched = (Option<(String, i64)>, Millis);

type Work = Pin<Box<dyn Future<Output = Result<Done, EngineError>> + Send>>;

pub struct Worker {
    pub number: usize,
    clock: Arc<AtomicI64>,
    /// How far its clock is off.
    pub skew: i64,
    pub engine: Option<Arc<Engine>>,
    /// Its partitions, and the next offset that it fetches of each.
    pub seats: BTreeMap<Place, i64>,
    /// The batch whose commit is under way.
    pub behind: Option<Ahead>,
    /// Batches that wait for the engine.
    pub queue: VecDeque<Vec<Consumed>>,
    /// What it was given of each partition so far: the next offset.
    pub had: BTreeMap<Place, i64>,
    /// The step at which it goes on; while it is some, it does nothing.
    pub hung: Option<u64>,
    /// Before then its relay does not look again.
    pub looks_again: Millis,
    /// Who had the relay's lease when it looked last, with what beat, and since when that has stood there.
    watched: Arc<Mutex<Watched>>,
    work: BTreeMap<Role, Work>,
    /// Where commits go on; they end with the worker.
    commits: Runtime,
}

impl Worker {
    /// # Panics
    /// If the system has no room for a runtime, which needs no thread.
    #[must_use]
    pub fn new(number: usize, skew: i64) -> Self {
        // One task gets on each time, as far as it can.
        let commits = Builder::new_current_thread().event_interval(1).build();
        Self {
            commits: commits.expect("a runtime without threads and timers"),
            behind: None,
            number,
            clock: Arc::default(),
            skew,
            engine: None,
            seats: BTreeMap::new(),
            queue: VecDeque::new(),
            had: BTreeMap::new(),
            hung: None,
            looks_again: Millis(0),
            watched: Arc::default(),
            work: BTreeMap::new(),
        }
    }

    /// Sets its clock by the true time.
    pub fn tick(&self, now: Millis) {
        self.clock.store(now.0 + self.skew, Ordering::Relaxed);
    }

    #[must_use]
    pub fn now(&self) -> Millis {
        Millis(self.clock.load(Ordering::Relaxed))
    }

    /// Ends it where it is.
    pub fn crash(&mut self) {
        let (number, skew, clock) = (self.number, self.skew, self.clock.clone());
        *self = Self {
            clock,
            ..Self::new(number, skew)
        };
    }

    /// Whether it takes part: it runs, and the group hears of it.
    #[must_use]
    pub const fn is_member(&self) -> bool {
        self.engine.is_some() && self.hung.is_none()
    }

    #[must_use]
    pub fn is_at(&self, role: Role) -> bool {
        self.work.contains_key(&role)
    }

    /// What it is doing.
    pub fn roles(&self) -> impl Iterator<Item = Role> {
        let commits = self.commits.metrics().num_alive_tasks() > 0;
        let commit = commits.then_some(Role::Commit);
        self.work.keys().copied().chain(commit)
    }

    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock::Simulated(self.clock.clone())
    }

    pub fn start(&mut self, store: Store, active: Active, metrics: Arc<Metrics>) {
        let clock = self.clock();
        self.begin(Role::Start, async move {
            loop {
                let made = Engine::new(
                    store.clone(),
                    active.clone(),
                    clock.clone(),
                    metrics.clone(),
                );
                let started = async {
                    let engine = made.await?;
                    engine.note_start().await?;
                    Ok(Done::Started(Arc::new(engine)))
                };
                match started.await {
                    Err(error) => passing(error)?,
                    done => return done,
                }
                turn().await;
            }
        });
    }

    /// Partitions have come to it; it fetches nothing until it knows where they were left.
    pub fn assign(&mut self, places: Vec<Place>) {
        self.seats.clear();
        self.begin_with(Role::Assign, move |engine| {
            let places = places.clone();
            async move { Ok(Done::Assigned(engine.assigned(&places).await?)) }
        });
    }

    /// Settles the next batch ahead of the commit under way; without one, waits for that.
    pub fn settle(&mut self, engine: Option<Arc<Engine>>) {
        let Some(engine) = engine else {
            return;
        };
        let mut batch = self.queue.pop_front().unwrap_or_default();
        let mut behind = self.behind.take();
        self.begin(Role::Settle, async move {
            loop {
                let settled = if batch.is_empty() {
                    engine.finish(&mut behind).await
                } else {
                    engine.process_ahead(&mut batch, &mut behind).await
                };
                match settled {
                    Ok(report) => return Ok(Done::Settled(report, Box::new(behind))),
                    Err(error) => passing(error)?,
                }
                turn().await;
            }
        });
    }

    pub fn fire_timers(&mut self) {
        self.begin_with(Role::Timers, |engine| async move {
            engine.fire_timers().await.map(|_| Done::Fired)
        });
    }

    pub fn relay(&mut self, producer: Producer) {
        let owner = format!("worker-{}", self.number);
        let watched = self.watched.clone();
        self.begin_with(Role::Relay, move |engine| {
            let (owner, watched, producer) = (owner.clone(), watched.clone(), producer.clone());
            async move {
                let seen = engine.store.lease("relay").await?;
                let free = {
                    // Silence is measured by a clock that never jumps.
                    let now = producer.log.topics().now;
                    let beat = seen.as_ref().map(|lease| (lease.owner.clone(), lease.beat));
                    let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
                    if watched.0 != beat {
                        *watched = (beat, now);
                    }
                    let mine = seen.as_ref().is_none_or(|lease| lease.owner == owner);
                    mine || now.since(watched.1) >= LEASE_MS
                };
                if !free
                    || !engine
                        .store
                        .take_lease("relay", &owner, seen.as_ref())
                        .await?
                {
                    return Ok(Done::Relayed(0));
                }
                engine.relay(&producer).await.map(Done::Relayed)
            }
        });
    }

    pub fn steward(&mut self, errand: Errand) {
        self.begin_with(Role::Steward, move |engine| {
            let errand = errand.clone();
            async move {
                if let Some(person) = engine.store.entity_of(&errand.record).await? {
                    engine.act(person.id, &errand.act).await?;
                }
                Ok(Done::Acted)
            }
        });
    }

    /// Begins something that is tried again until it works, as the daemon does.
    fn begin_with<F>(&mut self, role: Role, attempt: impl Fn(Arc<Engine>) -> F + Send + 'static)
    where
        F: Future<Output = Result<Done, EngineError>> + Send,
    {
        let Some(engine) = self.engine.clone() else {
            return;
        };
        self.begin(role, async move {
            loop {
                match attempt(engine.clone()).await {
                    Err(error) => passing(error)?,
                    done => return done,
                }
                turn().await;
            }
        });
    }

    fn begin(
        &mut self,
        role: Role,
        work: impl Future<Output = Result<Done, EngineError>> + Send + 'static,
    ) {
        self.work.insert(role, Box::pin(work));
    }

    /// Lets it get on to the next boundary.
    pub fn go_on(&mut self, role: Role) -> Option<Result<Done, EngineError>> {
        if role == Role::Commit {
            self.commits.block_on(tokio::task::yield_now());
            return None;
        }
        let _commits_begin_here = self.commits.enter();
        let work = self.work.get_mut(&role)?;
        let waker = futures::task::noop_waker();
        match work.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => None,
            Poll::Ready(done) => {
                self.work.remove(&role);
                Some(done)
            }
        }
    }
}

fn passing(error: EngineError) -> Result<(), EngineError> {
    match error.passing() {
        Passing::Yes => Ok(()),
        Passing::No => Err(error),
    }
}

/// The last offset of each partition in a batch.
#[must_use]
pub fn last_offsets(batch: &[Consumed]) -> BTreeMap<Place, i64> {
    let mut last = BTreeMap::new();
    for message in batch {
        let place = (message.topic.to_string(), message.partition);
        let offset = last.entry(place).or_insert(message.offset);
        *offset = message.offset.max(*offset);
    }
    last
}
