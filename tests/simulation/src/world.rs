//! The scheduler: which worker gets on, what happens outside, and what goes wrong, one step after the other.

mod mishaps;

use std::{collections::BTreeMap, fmt, sync::Arc};

use baton::{
    engine::{Active, Consumed, Engine, EngineError, editions::with_history},
    kafka::{Start, start},
    telemetry::Metrics,
};
use baton_core::{
    id::{Digest, RecordKey},
    time::{DAY, MINUTE, Millis, SECOND},
};
use baton_laws::closed_loop::START;
use baton_store::{
    OutboxSeq, RunCounts, Store,
    memory::{Backup, Memory},
};
use futures::FutureExt;

use crate::{
    chance::{Chance, Mishap},
    log::{Log, Place, Producer},
    outside::{Outside, RUN},
    plan::Plan,
    sabotage::Sabotage,
    worker::{Done, Role, Worker, last_offsets},
};

/// A history that needs more steps than this never comes to rest.
const MOST_STEPS: u64 = 60_000;
/// Steps in which things go wrong; from then on the world is calm.
const STORMY_STEPS: u64 = 4_000;
/// How long after the last deed timers are followed.
const PATIENCE: i64 = 60 * DAY;
/// Batches that wait for an engine, as the daemon has it.
const WAITING: usize = 2;
/// How long a relay waits that had nothing to publish.
const LOOK: i64 = SECOND;

/// Why a history could not be played to its end.
#[derive(Debug)]
pub enum Stuck {
    NeverRests,
    /// A worker met something that does not pass.
    Worker(EngineError),
    /// A worker found the log other than it can be.
    Log(Place, Start),
    /// Messages that cannot be understood.
    Stopped,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverRests => write!(f, "it never comes to rest"),
            Self::Worker(error) => write!(f, "a worker gave up: {error:?}"),
            Self::Log((topic, partition), start) => {
                write!(
                    f,
                    "{topic}/{partition} is found in an impossible state: {start:?}"
                )
            }
            Self::Stopped => write!(f, "messages of a sandbox cannot be understood"),
        }
    }
}

/// What the scheduler can do next.
#[derive(Clone, Debug)]
enum Step {
    Outside,
    GoOn(usize, Role),
    Fetch(usize),
    Begin(usize, Role),
    Crash(usize),
    Hang(usize),
    WakeUp(usize),
    Rebalance,
    Jump(usize),
    Recreate,
    Backup,
    Restore,
}

pub struct World<'p> {
    pub plan: &'p Plan,
    pub active: Active,
    pub log: Log,
    /// A look into the store at whose boundary nothing happens.
    pub store: Store,
    pub metrics: Arc<Metrics>,
    pub outside: Outside,
    pub chance: Chance,
    pub now: Millis,
    pub steps: u64,
    /// Whether a worker was given a message that it had been given before, as happens when partitions are given out
    /// anew: it takes it in twice.
    pub read_again: bool,
    /// How far each incarnation of a partition was settled at most.
    pub reached: BTreeMap<(String, i32, String), i64>,
    /// What became of the messages, summed over what the store has forgotten since.
    pub counts: RunCounts,
    /// Everything that happened, as a hash.
    pub trace: Digest,
    /// Everything that happened, for people; kept if asked for.
    pub story: Option<Vec<String>>,
    sabotage: Option<Sabotage>,
    memory: Memory,
    /// With what had been counted when it was made.
    backup: Option<(Backup, RunCounts, RunCounts)>,
    workers: Vec<Worker>,
    last_deed: Millis,
    /// When the next timer of any entity is due.
    due: Option<Millis>,
    /// Whether messages may wait for the relay.
    outbox: bool,
    recreated: bool,
    /// What the store counted when it was last looked at.
    counted: RunCounts,
}

impl<'p> World<'p> {
    #[must_use]
    pub fn new(plan: &'p Plan, sabotage: Option<Sabotage>, told: bool) -> Self {
        let active = plan.active();
        let chance = Chance::new(plan.seed, plan.per_mille);
        let memory = Memory::default();
        let skew = |_| chance.dice().between(-300, 300);
        let workers = (0..plan.workers)
            .map(|number| Worker::new(number, skew(number)))
            .collect();
        let deeds = plan.people.iter().flatten().map(|act| act.at);
        let doings = plan.funnel.iter().flatten().map(|doing| doing.at);
        let log = Log::new(plan.partitions, START);
        if sabotage == Some(Sabotage::LogLoses) {
            log.topics().loses = 100;
        }
        Self {
            outside: Outside::new(
                plan,
                active.topics.clone(),
                sabotage == Some(Sabotage::TargetRepeats),
            ),
            active,
            log,
            store: memory.store(),
            metrics: Arc::new(Metrics::default()),
            chance,
            now: START,
            steps: 0,
            read_again: false,
            reached: BTreeMap::new(),
            counts: RunCounts::default(),
            counted: RunCounts::default(),
            trace: Digest::default(),
            story: told.then(Vec::new),
            sabotage,
            memory,
            backup: None,
            workers,
            last_deed: deeds.chain(doings).max().unwrap_or(START),
            due: None,
            outbox: false,
            recreated: false,
            plan,
        }
    }

    /// Plays until everything is at rest.
    ///
    /// # Errors
    /// If it never is, or a worker gives up.
    pub fn play(&mut self) -> Result<(), Stuck> {
        look(self.store.migrate());
        while self.steps < MOST_STEPS {
            self.steps += 1;
            let over = self.outside.is_idle() && self.now > self.last_deed.plus(20 * SECOND);
            if !self.chance.is_calm() && (over || self.steps > STORMY_STEPS) {
                self.calm_down();
            }
            let Some(step) = self.choose() else {
                if self.pass_time() {
                    continue;
                }
                if !self.chance.is_calm() {
                    self.calm_down();
                    continue;
                }
                // Whoever judges must know since when the rules have been active.
                let rules = self.active.rules.clone();
                self.active.rules = look(with_history(rules, &self.store));
                return Ok(());
            };
            self.tell(&step);
            self.take(step)?;
        }
        Err(Stuck::NeverRests)
    }

    fn calm_down(&mut self) {
        self.note(|| "the world is calm from here on".to_owned());
        self.chance.calm();
        for worker in &mut self.workers {
            worker.hung = None;
            worker.skew = 0;
        }
        self.rebalance();
    }

    /// Nothing can be done now: time goes on to the next thing that is due. False: nothing ever is.
    fn pass_time(&mut self) -> bool {
        let patience = self.last_deed.plus(PATIENCE);
        let slowest = self.workers.iter().map(|worker| worker.skew).min();
        // A timer is due by a worker's own clock.
        let timer = self.due.filter(|at| *at <= patience);
        let timer = timer.map(|at| at.minus(slowest.unwrap_or_default()));
        let looks = self.workers.iter().map(|worker| worker.looks_again);
        let looks = looks.filter(|at| self.outbox && *at > self.now).min();
        let next = [self.outside.next(), timer, looks];
        let next = next.into_iter().flatten().min();
        let hung = self.workers.iter().any(|worker| worker.hung.is_some());
        match next {
            Some(at) => {
                self.advance(at);
                true
            }
            None if hung => {
                // Only whoever hangs could do something.
                for worker in &mut self.workers {
                    worker.hung = worker.hung.map(|_| 0);
                }
                true
            }
            None => false,
        }
    }

    fn advance(&mut self, to: Millis) {
        self.now = self.now.max(to);
        self.log.topics().now = self.now;
        for worker in &self.workers {
            worker.tick(self.now);
        }
    }

    /// One of the steps that are possible now, by weight; none if there is nothing to do before time passes.
    fn choose(&mut self) -> Option<Step> {
        let mut steps: Vec<(u32, Step)> = Vec::new();
        for (number, worker) in self.workers.iter().enumerate() {
            if let Some(until) = worker.hung {
                if self.steps >= until {
                    steps.push((30, Step::WakeUp(number)));
                }
                continue;
            }
            let at_work = worker.roles().map(|role| (30, Step::GoOn(number, role)));
            steps.extend(at_work);
            if worker.engine.is_none() {
                if !worker.is_at(Role::Start) {
                    steps.push((30, Step::Begin(number, Role::Start)));
                }
                continue;
            }
            let idle = |role| !worker.is_at(role);
            if idle(Role::Settle) && (worker.behind.is_some() || !worker.queue.is_empty()) {
                steps.push((30, Step::Begin(number, Role::Settle)));
            }
            if idle(Role::Assign) && worker.queue.len() < WAITING && self.has_news(worker) {
                steps.push((20, Step::Fetch(number)));
            }
            if idle(Role::Relay) && self.outbox && worker.looks_again <= self.now {
                steps.push((15, Step::Begin(number, Role::Relay)));
            }
            let due = self.due.is_some_and(|at| at <= worker.now());
            if idle(Role::Timers) && due && self.in_patience() {
                steps.push((15, Step::Begin(number, Role::Timers)));
            }
            if idle(Role::Steward) && !self.outside.errands.is_empty() {
                steps.push((15, Step::Begin(number, Role::Steward)));
            }
        }
        let busy = !steps.is_empty();
        let next = self.outside.next();
        let soon = if busy {
            self.now.plus(3 * SECOND)
        } else {
            self.now
        };
        if next.is_some_and(|at| at <= soon) {
            steps.push((if busy { 12 } else { 1 }, Step::Outside));
        }
        if steps.is_empty() {
            return None;
        }
        if !self.chance.is_calm() {
            self.mishaps(&mut steps);
        }
        let total: u32 = steps.iter().map(|(weight, _)| weight).sum();
        let mut drawn = self.chance.dice().below(total as usize) as u32;
        steps.into_iter().find_map(|(weight, step)| {
            let hit = drawn < weight;
            drawn = drawn.saturating_sub(weight);
            hit.then_some(step)
        })
    }

    fn in_patience(&self) -> bool {
        let patience = self.last_deed.plus(PATIENCE);
        self.due.is_some_and(|at| at <= patience)
    }

    fn has_news(&self, worker: &Worker) -> bool {
        let topics = self.log.topics();
        let mut seats = worker.seats.iter();
        seats.any(|(place, next)| topics.found(place).end > *next)
    }

    fn take(&mut self, step: Step) -> Result<(), Stuck> {
        match step {
            Step::Outside => {
                let at = self.outside.next().unwrap_or(self.now);
                self.advance(at);
                let store = &self.store;
                let known = |record: &RecordKey| look(store.entity_of(record)).is_some();
                self.outside
                    .happen(self.now, &self.log, &self.chance, known);
                for line in std::mem::take(&mut self.outside.lines) {
                    self.note(|| line);
                }
            }
            Step::GoOn(number, role) => {
                let passes = self.chance.dice().between(0, 20);
                self.advance(self.now.plus(passes));
                let done = self.workers[number].go_on(role);
                // What is forgotten and counted anew must be seen in between.
                self.count();
                if let Some(done) = done {
                    let done = done.map_err(Stuck::Worker)?;
                    self.done(number, done)?;
                }
            }
            Step::Fetch(number) => self.fetch(number),
            Step::Begin(number, role) => self.begin(number, role),
            Step::Crash(number) => {
                self.chance.dice().note(Mishap::Crash);
                self.workers[number].crash();
                self.rebalance();
                self.look_around();
            }
            Step::Hang(number) => {
                let mut dice = self.chance.dice();
                dice.note(Mishap::Hang);
                self.workers[number].hung = Some(self.steps + dice.between(5, 150).unsigned_abs());
                drop(dice);
                self.rebalance();
            }
            Step::WakeUp(number) => self.wake_up(number),
            Step::Rebalance => {
                self.chance.dice().note(Mishap::Rebalance);
                self.rebalance();
            }
            Step::Jump(number) => {
                let mut dice = self.chance.dice();
                dice.note(Mishap::ClockJump);
                self.workers[number].skew = dice.between(-3 * MINUTE, 3 * MINUTE);
                drop(dice);
                self.workers[number].tick(self.now);
            }
            Step::Recreate => self.recreate(),
            Step::Backup => {
                let backup = self.memory.backup().now_or_never();
                self.backup = backup.map(|backup| (backup, self.counts, self.counted));
            }
            Step::Restore => self.restore(),
        }
        Ok(())
    }

    fn begin(&mut self, number: usize, role: Role) {
        let worker = &mut self.workers[number];
        match role {
            Role::Start => {
                let store = self.memory.store_behind(self.chance.gate());
                worker.tick(self.now);
                worker.start(store, self.active.clone(), self.metrics.clone());
            }
            Role::Settle if self.sabotage == Some(Sabotage::StalePlaces) => {
                let store = self.memory.store();
                let metrics = self.metrics.clone();
                let clock = worker.clock();
                let made = Engine::new(store, self.active.clone(), clock, metrics);
                let blind = made.now_or_never().and_then(Result::ok);
                worker.settle(blind.map(Arc::new));
            }
            Role::Settle => worker.settle(worker.engine.clone()),
            Role::Timers => worker.fire_timers(),
            Role::Relay => worker.relay(Producer {
                log: self.log.clone(),
                chance: self.chance.clone(),
            }),
            Role::Steward => {
                if let Some(errand) = self.outside.errands.pop_front() {
                    worker.steward(errand);
                }
            }
            // Partitions come with a rebalance, and commits with a batch.
            Role::Assign | Role::Commit => {}
        }
    }

    fn done(&mut self, number: usize, done: Done) -> Result<(), Stuck> {
        match done {
            Done::Started(engine) => {
                self.workers[number].engine = Some(engine);
                self.rebalance();
                self.look_around();
            }
            Done::Assigned(stored) => {
                let topics = self.log.topics();
                for (place, stored) in stored {
                    let found = topics.found(&place);
                    let from = start(&stored, found);
                    let read = topics.messages(&place.0, place.1);
                    let witness = from.witness().and_then(|offset| read.get(offset as usize));
                    let from = from.confirmed(witness.map(|message| message.arrival), found.end);
                    if matches!(from, Start::Shrunk { .. } | Start::Lost { .. }) {
                        return Err(Stuck::Log(place, from));
                    }
                    let mut next = from.offset().unwrap_or(0);
                    if self.sabotage == Some(Sabotage::ConsumerSkips) {
                        next = topics.found(&place).end;
                    }
                    self.workers[number].seats.insert(place, next);
                }
                drop(topics);
                let seats = places(&self.workers[number].seats);
                self.note(|| format!("  worker {number} goes on at {seats}"));
            }
            Done::Settled(report, behind) => {
                self.workers[number].behind = *behind;
                if !report.stopped.is_empty() {
                    return Err(Stuck::Stopped);
                }
                self.note(|| {
                    let settled = report
                        .positions
                        .iter()
                        .map(|(t, p, next)| format!("{t}/{p}:{next}"));
                    let settled: Vec<String> = settled.collect();
                    format!("  worker {number} has settled {}", settled.join(" "))
                });
                self.look_around();
            }
            Done::Fired | Done::Acted => self.look_around(),
            Done::Relayed(published) => {
                if published > 0 {
                    self.outside.collect(self.now, &self.log, &self.chance);
                } else {
                    // Nothing there, or somebody else has the lease.
                    self.workers[number].looks_again = self.now.plus(LOOK);
                }
                self.look_around();
            }
        }
        Ok(())
    }

    /// What waits in the store, so that somebody is woken for it.
    fn look_around(&mut self) {
        let damage = match self.sabotage {
            Some(Sabotage::LedgerTears) => "DELETE FROM ledger WHERE seq = 2",
            Some(Sabotage::OutboxLost) => "DELETE FROM outbox WHERE seq = 3",
            Some(Sabotage::DeedsLost) => "DELETE FROM deeds WHERE shadow = 0",
            Some(Sabotage::TimersForgotten) => "UPDATE entities SET wake = NULL",
            _ => "",
        };
        if !damage.is_empty() {
            look(self.store.raw(damage));
        }
        self.due = look(self.store.next_due());
        self.count();
        for topic in self.active.topics.consumed() {
            for position in look(self.store.positions(&topic)) {
                let place = (position.topic, position.partition, position.incarnation);
                let reached = self.reached.entry(place).or_default();
                *reached = position.next.max(*reached);
            }
        }
        self.outbox = !look(self.store.outbox_page(OutboxSeq::default(), 1)).is_empty();
    }

    /// Runs that were not heard of for a week are forgotten by the store; what comes later is counted from nothing.
    fn count(&mut self) {
        let now = look(self.store.run(RUN));
        let forgotten = now.messages < self.counted.messages;
        let before = if forgotten {
            RunCounts::default()
        } else {
            self.counted
        };
        self.counts.messages += now.messages - before.messages;
        self.counts.applied += now.applied - before.applied;
        self.counts.parked += now.parked - before.parked;
        self.counts.late += now.late - before.late;
        self.counts.duplicate += now.duplicate - before.duplicate;
        self.counts.noop += now.noop - before.noop;
        self.counts.dead_lettered += now.dead_lettered - before.dead_lettered;
        self.counted = now;
    }

    /// A batch as a consumer gathers it: some of each partition, in its order.
    fn fetch(&mut self, number: usize) {
        let topics = self.log.topics();
        let mut dice = self.chance.dice();
        let worker = &mut self.workers[number];
        let mut batch: Vec<Consumed> = Vec::new();
        for (place, next) in &mut worker.seats {
            let new = topics.messages(&place.0, place.1);
            let new = new.get(*next as usize..).unwrap_or_default();
            let room = self.plan.batch - batch.len();
            let most = new.len().min(room);
            let some = if most == 0 { 0 } else { dice.below(most + 1) };
            batch.extend(new.iter().take(some).cloned());
            if some > 0 {
                let had = worker.had.entry(place.clone()).or_default();
                self.read_again |= *next < *had;
                *had = *next + some as i64;
            }
            *next += some as i64;
        }
        if batch.is_empty() {
            return;
        }
        let held = last_offsets(&batch);
        worker.queue.push_back(batch);
        drop((topics, dice));
        self.note(|| format!("  worker {number} fetches up to {}", places(&held)));
    }

    fn wake_up(&mut self, number: usize) {
        self.workers[number].hung = None;
        // It may have more in its buffers than it had handed over; only then it hears that it is no member any more.
        let again = self.chance.dice().chance(500);
        if again && self.workers[number].queue.len() < WAITING {
            self.fetch(number);
        }
        self.rebalance();
    }

    fn tell(&mut self, step: &Step) {
        let line = format!("{step:?}");
        self.trace = Digest::of(&[&self.trace.0, &self.now.0.to_le_bytes(), line.as_bytes()]);
        self.note(|| line);
    }

    /// Puts a line into the story, if one is told.
    fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            let since = self.now.since(START) as f64 / 1_000.0;
            story.push(format!("{since:>12.3}s {}", line()));
        }
    }
}

fn places(offsets: &BTreeMap<Place, i64>) -> String {
    let each = offsets
        .iter()
        .map(|((topic, partition), offset)| format!("{topic}/{partition}:{offset}"));
    each.collect::<Vec<_>>().join(" ")
}

/// A look at the store from outside, where nothing happens and nobody waits.
pub fn look<T>(asked: impl Future<Output = Result<T, baton_store::Error>>) -> T {
    asked
        .now_or_never()
        .expect("nobody holds the tables between steps")
        .expect("the store in memory can be read")
}
