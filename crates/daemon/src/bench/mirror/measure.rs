//! One size on one ground: people come into being, changes wait in the log, the daemon settles them; then changes come
//! at a steady pace.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use baton_core::{
    change::Format,
    time::{DAY, Millis},
};
use rand::RngExt as _;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{
    Paced, Size,
    report::{Latency, Throughput},
};
use crate::{
    bench::{
        people::{Calendar, People, Touch},
        shape,
        site::{Ground, Site},
        target::Target,
        trace,
        worker::{Metrics, Reading, Worker},
    },
    clock::Clock,
    kafka::{Bulk, BulkProducer, pass_through},
};

/// All events happen within so many days before now: well inside the horizon.
const DAYS: i64 = 14;

/// What people do.
pub const ACT: &str = "page_view";

const ANSWERS: &str = "baton_answers_total";

/// From one person to the next at a steady pace; a prime, so that it meets everybody.
const STRIDE: usize = 7_919;

/// After so long no further command comes.
const SILENCE: Duration = Duration::from_secs(5);

/// Nothing moved for so long: something is wrong.
const PATIENCE: Duration = Duration::from_secs(120);

/// What one size gave.
pub struct Measured {
    pub log_fsync: String,
    pub store_fsync: String,
    pub bare_per_s: f64,
    pub throughput: Throughput,
    /// Microseconds of processor time, of all of it, for something that a person did.
    pub act_cpu_us: Option<f64>,
    pub latency: Option<Latency>,
}

/// A site with people, and what was asked of it so far.
struct Measure<'a> {
    site: &'a Site,
    target: Target,
    people: People,
    count: usize,
    rng: ChaCha8Rng,
    stop: &'a CancellationToken,
}

/// Measures one size on one ground.
pub fn measure(
    ground: &Ground,
    size: &Size,
    folder: &Path,
    runtime: &Handle,
    stop: &CancellationToken,
) -> anyhow::Result<Measured> {
    let site = Site::open(ground, size.rules.clone(), folder, runtime)?;
    let target = Target::start(&site)?;
    let all = size.people * (1 + size.acts) + size.changes;
    let all = i64::try_from(all).unwrap_or(i64::MAX);
    let span = DAYS * 24 * 3_600_000;
    // Two changes of one person in one second would be ambiguous, and a matter of their own.
    let step = (span / all.max(1)).clamp(1, 1_000);
    let calendar = Calendar {
        start: Clock::System.now().0 - (all + 1) * step,
        step,
    };
    // A funnel does nothing for what was before it.
    site.activate(Millis(calendar.start).minus(DAY))?;
    let mut measure = Measure {
        site: &site,
        target,
        people: People::new(size.people, calendar, size.values),
        count: size.people,
        rng: ChaCha8Rng::seed_from_u64(1),
        stop,
    };
    let measured = measure.run(size)?;
    measure.target.end()?;
    drop(measure);
    site.close()?;
    Ok(measured)
}

impl Measure<'_> {
    fn run(&mut self, size: &Size) -> anyhow::Result<Measured> {
        tracing::info!(people = size.people, "people come into being");
        self.preload(size.people, |people, _, at| said(people.introduce(at)))?;
        let mut worker = Worker::start(self.site)?;
        let introducing = self.settle_all(&mut worker, size.people as u64)?;
        let memory = worker.peak_memory();
        worker.end()?;
        let acting = self.act(size)?;

        tracing::info!(changes = size.changes, "changes wait in the log");
        let before = self.site.ends(self.site.changes())?;
        let count = self.count;
        self.preload(size.changes, |people, rng, _| {
            said(people.touch_one(rng.random_range(0..count), rng))
        })?;
        let bare = self.site.bare_topic()?;
        let took = pass_through(&self.site.connection, &before, &bare, size.changes as u64)?;
        self.site.delete_topic(&bare)?;
        let bare_per_s = size.changes as f64 / took.as_secs_f64();

        tracing::info!(changes = size.changes, "the daemon settles them");
        let mut worker = Worker::start(self.site)?;
        let ran = self.settle_all(&mut worker, size.changes as u64)?;
        let latency = match size.paced {
            Some(paced) => Some(self.pace(&mut worker, paced)?),
            None => None,
        };
        let peak = memory.max(worker.peak_memory());
        worker.end()?;
        Ok(Measured {
            log_fsync: self.site.log_fsync(),
            store_fsync: self.site.store_fsync()?,
            bare_per_s,
            throughput: Throughput::of(size, &introducing, &ran, peak),
            act_cpu_us: acting.and_then(|acting| acting.cpu_us()),
            latency,
        })
    }

    /// Everybody does something, and again, and again.
    fn act(&mut self, size: &Size) -> anyhow::Result<Option<Ran>> {
        let acts = size.people * size.acts;
        if acts == 0 {
            return Ok(None);
        }
        tracing::info!(acts, "people do something");
        let count = self.count;
        self.preload(acts, |people, _, at| {
            let touch = people.act(at % count);
            let text = shape::act(Format::Baton, &touch, ACT);
            (touch, text)
        })?;
        let mut worker = Worker::start(self.site)?;
        let ran = self.settle_all(&mut worker, acts as u64)?;
        worker.end()?;
        Ok(Some(ran))
    }

    /// Puts changes into the log, each under its record's id, and waits until the log has them.
    fn preload(
        &mut self,
        count: usize,
        mut make: impl FnMut(&mut People, &mut ChaCha8Rng, usize) -> (Touch, String),
    ) -> anyhow::Result<()> {
        let producer = BulkProducer::new(&self.site.connection, Duration::from_millis(5))?;
        for at in 0..count {
            let said = make(&mut self.people, &mut self.rng, at);
            send(&producer, self.site.changes(), &said, None)?;
            if at % 10_000 == 0 {
                self.may_go_on()?;
            }
        }
        all_taken(&producer, count)
    }

    /// Waits until `changes` are settled and nothing is under way any more. The clock starts just before the first of
    /// them are: what it takes to join the group is no work on changes.
    fn settle_all(&mut self, worker: &mut Worker<'_>, changes: u64) -> anyhow::Result<Ran> {
        let (received, bytes) = (self.target.received(), self.target.bytes());
        let mut pulse = Pulse::new();
        let mut start = worker.born.clone();
        loop {
            let reading = worker.reading()?;
            if settled(&reading.metrics) > 0 {
                break;
            }
            start = reading;
            self.check(worker, &mut pulse, 0)?;
            std::thread::sleep(Duration::from_millis(2));
        }
        loop {
            let metrics = worker.metrics()?;
            let now = settled(&metrics);
            self.check(worker, &mut pulse, now + metrics.total(ANSWERS))?;
            anyhow::ensure!(
                metrics.total("baton_dead_letters_total") == 0 && now <= changes,
                "messages were not understood, or settled twice: the benchmark is wrong"
            );
            let commands = self.target.received() - received;
            let at_rest = now == changes
                && metrics.total("baton_commands_total") == commands
                && metrics.total(ANSWERS) == commands
                && self.site.outbox_is_empty()?;
            if at_rest {
                return Ok(Ran {
                    end: worker.reading()?,
                    start,
                    changes,
                    commands,
                    command_bytes: self.target.bytes() - bytes,
                });
            }
            std::thread::sleep(pulse.rest(now, changes));
        }
    }

    /// Changes at a steady rate, of people who are each touched as rarely as can be, and how long after each its
    /// command was there.
    fn pace(&mut self, worker: &mut Worker<'_>, paced: Paced) -> anyhow::Result<Latency> {
        let count = u64::from(paced.per_second) * u64::from(paced.seconds);
        tracing::info!(
            per_second = paced.per_second,
            "changes come at a steady pace"
        );
        drop(self.target.take_arrivals());
        let producer = BulkProducer::new(&self.site.connection, Duration::ZERO)?;
        // What it sends first waits until it knows the log, which is no part of any change's way.
        let mut first = self.people.touch_one(0, &mut self.rng);
        first.time = Clock::System.now().0;
        send(&producer, self.site.changes(), &said(first), None)?;
        all_taken(&producer, 1)?;
        let mut due = Vec::new();
        let begun = Instant::now();
        for number in 0..count {
            let at = begun + Duration::from_secs(number).div_f64(f64::from(paced.per_second));
            if let Some(wait) = at.checked_duration_since(Instant::now()) {
                std::thread::sleep(wait);
            }
            // Far apart from one to the next, and everybody once before anybody twice.
            let person = usize::try_from(number).unwrap_or_default() * STRIDE % self.count;
            let mut touch = self.people.touch_one(person, &mut self.rng);
            touch.time = Clock::System.now().0;
            let trace = trace::parent(number);
            send(&producer, self.site.changes(), &said(touch), Some(&trace))?;
            // From when it was to be sent: a sender that falls behind must not hide what it caused.
            due.push(at);
            if number % 1_000 == 0 {
                self.may_go_on()?;
            }
        }
        let sending = begun.elapsed();
        all_taken(&producer, 1 + due.len())?;
        let mut pulse = Pulse::new();
        // A command that stands for several changes comes once.
        while self.target.arrived() < due.len() && pulse.quiet() < SILENCE {
            self.check(worker, &mut pulse, self.target.arrived() as u64)?;
            std::thread::sleep(Duration::from_millis(10));
        }
        let mut took: BTreeMap<u64, Duration> = BTreeMap::new();
        for (number, came) in self.target.take_arrivals() {
            let sent = usize::try_from(number)
                .ok()
                .and_then(|number| due.get(number));
            if let Some(sent) = sent {
                took.entry(number)
                    .or_insert_with(|| came.saturating_duration_since(*sent));
            }
        }
        Latency::of(due.len(), sending, took.into_values().collect())
    }

    fn check(
        &mut self,
        worker: &mut Worker<'_>,
        pulse: &mut Pulse,
        done: u64,
    ) -> anyhow::Result<()> {
        self.may_go_on()?;
        worker.check()?;
        self.target.check()?;
        pulse.feel(done);
        anyhow::ensure!(
            pulse.quiet() < PATIENCE,
            "nothing moves any more: the benchmark is wrong"
        );
        Ok(())
    }

    fn may_go_on(&self) -> anyhow::Result<()> {
        anyhow::ensure!(!self.stop.is_cancelled(), "told to end");
        Ok(())
    }
}

/// What happened from the first changes to rest.
pub struct Ran {
    pub start: Reading,
    pub end: Reading,
    /// Settled between the two, all of them.
    pub changes: u64,
    pub commands: u64,
    pub command_bytes: u64,
}

/// When something last moved, and how fast it goes.
struct Pulse {
    begun: Instant,
    last: u64,
    moved: Instant,
}

impl Pulse {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            begun: now,
            last: 0,
            moved: now,
        }
    }

    fn feel(&mut self, done: u64) {
        if done != self.last {
            (self.last, self.moved) = (done, Instant::now());
        }
    }

    fn quiet(&self) -> Duration {
        self.moved.elapsed()
    }

    /// How long to leave the daemon alone: asking costs it time, and the end must be seen when it comes.
    fn rest(&self, done: u64, all: u64) -> Duration {
        let left = all.saturating_sub(done) as f64 / (done.max(1)) as f64;
        let left = self.begun.elapsed().mul_f64(left.min(10.0) / 4.0);
        left.clamp(Duration::from_millis(10), Duration::from_millis(500))
    }
}

fn settled(metrics: &Metrics) -> u64 {
    metrics.total("baton_settled_total")
}

/// A change, and the message that tells it.
fn said(touch: Touch) -> (Touch, String) {
    let text = shape::canonical(Format::Baton, &touch);
    (touch, text)
}

fn send(
    producer: &BulkProducer,
    topic: &str,
    (touch, text): &(Touch, String),
    trace: Option<&str>,
) -> anyhow::Result<()> {
    producer.send(Bulk {
        topic,
        partition: None,
        key: shape::id(Format::Baton, touch.person).as_bytes(),
        payload: text.as_bytes(),
        trace,
    })?;
    Ok(())
}

fn all_taken(producer: &BulkProducer, count: usize) -> anyhow::Result<()> {
    let (taken, refused) = producer.finish()?;
    anyhow::ensure!(
        taken == count as u64 && refused == 0,
        "of {count} messages the log took {taken} and refused {refused}"
    );
    Ok(())
}
