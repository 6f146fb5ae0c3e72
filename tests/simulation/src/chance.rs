//! What goes wrong, and when: drawn from the seed, asked at every boundary, counted.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use baton_store::memory::{Boundary, Gate, Happens};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Something that went wrong. The order is that of the summary.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mishap {
    ReadFails,
    WriteFails,
    StoreFull,
    /// The answer to a commit is lost; nothing was written.
    CommitLost,
    /// The answer to a commit is lost; it had happened.
    AnswerLost,
    /// Nothing of a publication reached the log.
    PublishFails,
    /// A publication reached the log, and nobody was told.
    PublishUnknown,
    /// A source published twice.
    SourceTwice,
    /// A command was handed to its target twice.
    CommandTwice,
    Crash,
    Hang,
    Rebalance,
    ClockJump,
    TopicRecreated,
    StoreRestored,
}

impl Mishap {
    pub const ALL: [Self; 15] = [
        Self::ReadFails,
        Self::WriteFails,
        Self::StoreFull,
        Self::CommitLost,
        Self::AnswerLost,
        Self::PublishFails,
        Self::PublishUnknown,
        Self::SourceTwice,
        Self::CommandTwice,
        Self::Crash,
        Self::Hang,
        Self::Rebalance,
        Self::ClockJump,
        Self::TopicRecreated,
        Self::StoreRestored,
    ];

    #[must_use]
    pub const fn told(self) -> &'static str {
        match self {
            Self::ReadFails => "a read of the store failed",
            Self::WriteFails => "a transaction could not begin",
            Self::StoreFull => "the store was full",
            Self::CommitLost => "a commit did not happen, outcome unknown",
            Self::AnswerLost => "a commit happened, outcome unknown",
            Self::PublishFails => "a publication did not reach the log",
            Self::PublishUnknown => "a publication reached the log, outcome unknown",
            Self::SourceTwice => "a source published twice",
            Self::CommandTwice => "a command reached its target twice",
            Self::Crash => "a worker crashed",
            Self::Hang => "a worker hung, and went on with stale places",
            Self::Rebalance => "partitions moved",
            Self::ClockJump => "a worker's clock jumped",
            Self::TopicRecreated => "a topic was made anew",
            Self::StoreRestored => "the store was restored from a backup",
        }
    }
}

/// The dice, shared by everything that is simulated.
#[derive(Clone)]
pub struct Chance(Arc<Mutex<Dice>>);

pub struct Dice {
    rng: ChaCha8Rng,
    /// How often something goes wrong at a boundary, in thousandths.
    per_mille: u32,
    /// Everything goes well from now on.
    calm: bool,
    pub mishaps: BTreeMap<Mishap, u64>,
}

impl Dice {
    pub fn below(&mut self, most: usize) -> usize {
        self.rng.random_range(0..most.max(1))
    }

    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        self.rng.random_range(least..=most)
    }

    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.rng.random_range(0..1_000) < per_mille
    }

    /// Whether it goes wrong here.
    pub fn goes_wrong(&mut self, what: Mishap) -> bool {
        let wrong = !self.calm && self.chance(self.per_mille);
        if wrong {
            self.note(what);
        }
        wrong
    }

    pub fn note(&mut self, what: Mishap) {
        *self.mishaps.entry(what).or_default() += 1;
    }
}

impl Chance {
    #[must_use]
    pub fn new(seed: u64, per_mille: u32) -> Self {
        Self(Arc::new(Mutex::new(Dice {
            rng: ChaCha8Rng::seed_from_u64(seed),
            per_mille,
            calm: false,
            mishaps: BTreeMap::new(),
        })))
    }

    pub fn dice(&self) -> MutexGuard<'_, Dice> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing goes wrong any more.
    pub fn calm(&self) {
        self.dice().calm = true;
    }

    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.dice().calm
    }

    /// What stands between a worker and its store. Before everything, and after each commit, others get their turn:
    /// a worker that is ended then has crashed there.
    #[must_use]
    pub fn gate(&self) -> Gate {
        let chance = self.clone();
        Arc::new(move |boundary| {
            let chance = chance.clone();
            Box::pin(async move {
                if boundary != Boundary::Commit {
                    turn().await;
                }
                let mut dice = chance.dice();
                match boundary {
                    Boundary::Read if dice.goes_wrong(Mishap::ReadFails) => Happens::Away,
                    Boundary::Write if dice.goes_wrong(Mishap::WriteFails) => Happens::Away,
                    Boundary::Write if dice.goes_wrong(Mishap::StoreFull) => Happens::Full,
                    Boundary::Commit if dice.goes_wrong(Mishap::CommitLost) => Happens::Away,
                    Boundary::Committed if dice.goes_wrong(Mishap::AnswerLost) => Happens::Away,
                    _ => Happens::Nothing,
                }
            })
        })
    }
}

/// Lets others go first. Whoever schedules asks again; a runtime has to be told to.
pub fn turn() -> impl Future<Output = ()> + Send {
    struct Turn(bool);
    impl Future for Turn {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            if std::mem::replace(&mut self.0, true) {
                Poll::Ready(())
            } else {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
    Turn(false)
}
