//! The metrics as values of the right types, registered from the catalogue.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    time::Duration,
};

use baton_core::{
    book::ParkedCode, change::Outcome, id::Kind as EntityKind, name::Name, time::Millis,
};
use baton_store::Counts;
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry, Unit},
};

use super::{
    catalogue::{self, Spec},
    funnel::FunnelMetrics,
};

pub(super) type Labels = Vec<(&'static str, String)>;

const ACCEPTED: &str = "accepted";
const REFUSED: &str = "refused";

/// A stage of the straight path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stage {
    Decode,
    Normalise,
    Identify,
    Apply,
    Commit,
    Relay,
}

impl Stage {
    const ALL: [Self; 6] = [
        Self::Decode,
        Self::Normalise,
        Self::Identify,
        Self::Apply,
        Self::Commit,
        Self::Relay,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Normalise => "normalise",
            Self::Identify => "identify",
            Self::Apply => "apply",
            Self::Commit => "commit",
            Self::Relay => "relay",
        }
    }
}

/// What the daemon counts. One per process; every field is safe to use from any thread.
pub struct Metrics {
    registry: Registry,
    consumed: Family<Labels, Counter>,
    settled: Family<Labels, Counter>,
    answers: Family<Labels, Counter>,
    dead_letters: Family<Labels, Counter>,
    parked: Family<Labels, Counter>,
    decisions: Family<Labels, Counter>,
    commands: Family<Labels, Counter>,
    published: Family<Labels, Counter>,
    violations: Family<Labels, Counter>,
    stages: BTreeMap<Stage, Histogram>,
    pub batch_size: Histogram,
    pub event_to_commit: Histogram,
    pub event_to_command: Histogram,
    lag: Family<Partition, Gauge>,
    stopped: Family<Partition, Gauge>,
    outbox: Gauge,
    outbox_oldest: Gauge,
    open_dead_letters: Family<Labels, Gauge>,
    open_tasks: Family<Labels, Gauge>,
    data_free: Family<Labels, Gauge>,
    pub funnel: FunnelMetrics,
    pub timers: Counter,
    timers_due: Gauge,
    timers_late: Gauge,
    pub conflicts: Counter,
    pub store_errors: Counter,
    pub log_errors: Counter,
    reloads: Family<Labels, Counter>,
    /// The totals by outcome, for readers inside the process (readiness, `ingest`, the demo's summary).
    totals: Mutex<BTreeMap<Outcome, u64>>,
    /// Codes of dead letters that were open once: those with none left are told as 0.
    letter_codes: Mutex<BTreeSet<String>>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Partition {
    topic: String,
    partition: i64,
}

fn seconds() -> Histogram {
    // 100 µs to about 52 s.
    Histogram::new((0..20).map(|power| 0.0001 * f64::from(1_u32 << power)))
}

pub(super) fn add<M: Metric + Clone>(registry: &mut Registry, spec: &Spec, metric: M) -> M {
    match spec.unit {
        "seconds" => {
            registry.register_with_unit(spec.name, spec.help, Unit::Seconds, metric.clone());
        }
        "bytes" => {
            registry.register_with_unit(spec.name, spec.help, Unit::Bytes, metric.clone());
        }
        _ => registry.register(spec.name, spec.help, metric.clone()),
    }
    metric
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("baton");
        let r = &mut registry;
        let stages = Family::<Labels, Histogram>::new_with_constructor(seconds);
        add(r, &catalogue::STAGE_DURATION, stages.clone());
        let stages = Stage::ALL
            .into_iter()
            .map(|stage| {
                let labels = vec![("stage", stage.as_str().to_owned())];
                (stage, stages.get_or_create(&labels).clone())
            })
            .collect();
        let violations: Family<Labels, Counter> =
            add(r, &catalogue::LAW_VIOLATIONS, Family::default());
        for law in baton_core::laws::CHECKED {
            // Present from the start, so that an alarm sees the first violation as a rise.
            drop(violations.get_or_create(&vec![("law", law.to_owned())]));
        }
        // The same for what is rare and must be seen the first time.
        let parked: Family<Labels, Counter> = add(r, &catalogue::PARKED, Family::default());
        for code in ParkedCode::ALL {
            drop(parked.get_or_create(&vec![("code", code.as_str().to_owned())]));
        }
        let reloads: Family<Labels, Counter> = add(r, &catalogue::RELOADS, Family::default());
        for result in [ACCEPTED, REFUSED] {
            drop(reloads.get_or_create(&vec![("result", result.to_owned())]));
        }
        Self {
            consumed: add(r, &catalogue::CONSUMED, Family::default()),
            settled: add(r, &catalogue::SETTLED, Family::default()),
            answers: add(r, &catalogue::ANSWERS, Family::default()),
            dead_letters: add(r, &catalogue::DEAD_LETTERS, Family::default()),
            parked,
            decisions: add(r, &catalogue::DECISIONS, Family::default()),
            commands: add(r, &catalogue::COMMANDS, Family::default()),
            published: add(r, &catalogue::PUBLISHED, Family::default()),
            violations,
            stages,
            batch_size: add(
                r,
                &catalogue::BATCH_SIZE,
                Histogram::new((0..15).map(|power| f64::from(1_u32 << power))),
            ),
            event_to_commit: add(r, &catalogue::EVENT_TO_COMMIT, seconds()),
            event_to_command: add(r, &catalogue::EVENT_TO_COMMAND, seconds()),
            lag: add(r, &catalogue::LAG, Family::default()),
            stopped: add(r, &catalogue::STOPPED, Family::default()),
            outbox: add(r, &catalogue::OUTBOX, Gauge::default()),
            outbox_oldest: add(r, &catalogue::OUTBOX_OLDEST, Gauge::default()),
            open_dead_letters: add(r, &catalogue::OPEN_DEAD_LETTERS, Family::default()),
            open_tasks: add(r, &catalogue::OPEN_TASKS, Family::default()),
            data_free: add(r, &catalogue::DATA_FREE, Family::default()),
            funnel: FunnelMetrics::new(r),
            timers: add(r, &catalogue::TIMERS, Counter::default()),
            timers_due: add(r, &catalogue::TIMERS_DUE, Gauge::default()),
            timers_late: add(r, &catalogue::TIMERS_LATE, Gauge::default()),
            conflicts: add(r, &catalogue::CONFLICTS, Counter::default()),
            store_errors: add(r, &catalogue::STORE_ERRORS, Counter::default()),
            log_errors: add(r, &catalogue::LOG_ERRORS, Counter::default()),
            reloads,
            totals: Mutex::default(),
            letter_codes: Mutex::default(),
            registry,
        }
    }
}

impl Metrics {
    /// The OpenMetrics text.
    #[must_use]
    pub fn expose(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }

    /// Changes of a system with one outcome. Consumed and settled move together, which is law L15.
    pub fn settled(&self, system: Name, outcome: Outcome, count: u64) {
        let system = system.as_str().to_owned();
        let by_system = vec![("system", system.clone())];
        self.consumed.get_or_create(&by_system).inc_by(count);
        let labels = vec![
            ("system", system),
            ("outcome", outcome_name(outcome).to_owned()),
        ];
        self.settled.get_or_create(&labels).inc_by(count);
        let mut totals = self
            .totals
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *totals.entry(outcome).or_default() += count;
    }

    /// Everything settled so far, by outcome.
    #[must_use]
    pub fn totals(&self) -> BTreeMap<Outcome, u64> {
        self.totals
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    pub fn answered(&self, system: Name, outcome: &'static str, count: u64) {
        let labels = vec![
            ("system", system.as_str().to_owned()),
            ("outcome", outcome.to_owned()),
        ];
        self.answers.get_or_create(&labels).inc_by(count);
    }

    pub fn dead_letter(&self, system: &str, code: &str) {
        let labels = vec![("system", system.to_owned()), ("code", code.to_owned())];
        self.dead_letters.get_or_create(&labels).inc();
    }

    pub fn parked(&self, code: &'static str) {
        self.parked
            .get_or_create(&vec![("code", code.to_owned())])
            .inc();
    }

    pub fn decided(&self, kind: EntityKind, field: &str, rule: &str) {
        let labels = vec![
            ("kind", kind.as_str().to_owned()),
            ("field", field.to_owned()),
            // The strategy only: its whole description would make a label of a sentence.
            (
                "rule",
                rule.split(':').next().unwrap_or_default().to_owned(),
            ),
        ];
        self.decisions.get_or_create(&labels).inc();
    }

    pub fn commanded(&self, system: Name, kind: &'static str) {
        let labels = vec![
            ("system", system.as_str().to_owned()),
            ("kind", kind.to_owned()),
        ];
        self.commands.get_or_create(&labels).inc();
    }

    pub fn published(&self, topic: &str, count: u64) {
        self.published
            .get_or_create(&vec![("topic", topic.to_owned())])
            .inc_by(count);
    }

    pub fn violated(&self, law: &str, count: u64) {
        self.violations
            .get_or_create(&vec![("law", law.to_owned())])
            .inc_by(count);
    }

    /// Violations so far, by each law that is checked while running, those without one included.
    #[must_use]
    pub fn violations(&self) -> BTreeMap<String, u64> {
        baton_core::laws::CHECKED
            .into_iter()
            .map(|law| {
                let law = law.to_owned();
                let labels = vec![("law", law.clone())];
                let count = self.violations.get_or_create(&labels).get();
                (law, count)
            })
            .collect()
    }

    pub fn stage(&self, stage: Stage, took: Duration) {
        if let Some(histogram) = self.stages.get(&stage) {
            histogram.observe(took.as_secs_f64());
        }
    }

    pub fn set_lag(&self, topic: &str, partition: i32, messages: i64) {
        self.lag
            .get_or_create(&Partition {
                topic: topic.to_owned(),
                partition: i64::from(partition),
            })
            .set(messages);
    }

    /// The partition went to another worker, who tells its lag now.
    pub fn forget_lag(&self, topic: &str, partition: i32) {
        self.lag.remove(&Partition {
            topic: topic.to_owned(),
            partition: i64::from(partition),
        });
    }

    pub fn set_stopped(&self, topic: &str, partition: i32, stopped: bool) {
        self.stopped
            .get_or_create(&Partition {
                topic: topic.to_owned(),
                partition: i64::from(partition),
            })
            .set(i64::from(stopped));
    }

    /// What waits in the store, as of `now`.
    pub fn set_waiting(&self, counts: &Counts, now: Millis) {
        self.outbox.set(gauge(counts.outbox));
        let waited = counts.outbox_since.map_or(0, |since| now.since(since));
        self.outbox_oldest.set(waited.max(0) / 1_000);
        for code in ParkedCode::ALL {
            let open = counts.parked.get(code.as_str()).copied();
            self.open_tasks
                .get_or_create(&vec![("code", code.as_str().to_owned())])
                .set(gauge(open.unwrap_or_default()));
        }
        let mut seen = self
            .letter_codes
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.extend(counts.dead_letters.keys().cloned());
        for code in &*seen {
            let open = counts.dead_letters.get(code).copied();
            self.open_dead_letters
                .get_or_create(&vec![("code", code.clone())])
                .set(gauge(open.unwrap_or_default()));
        }
    }

    /// How many timers are due as of `now`, and since when the oldest has been.
    pub fn set_due(&self, (due, since): (u64, Option<Millis>), now: Millis) {
        self.timers_due.set(gauge(due));
        let late = since.map_or(0, |since| now.since(since));
        self.timers_late.set(late.max(0) / 1_000);
    }

    /// Room on the disk of the data folder.
    pub fn set_data_free(&self, bytes: u64) {
        self.data_free
            .get_or_create(&Labels::new())
            .set(gauge(bytes));
    }

    pub fn reloaded(&self, accepted: bool) {
        let result = if accepted { ACCEPTED } else { REFUSED };
        self.reloads
            .get_or_create(&vec![("result", result.to_owned())])
            .inc();
    }
}

pub(super) fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The outcome's name on the wire and in labels.
#[must_use]
pub const fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied => "applied",
        Outcome::Parked => "parked",
        Outcome::Late => "late",
        Outcome::Duplicate => "duplicate",
        Outcome::Noop => "noop",
        Outcome::DeadLettered => "dead_lettered",
    }
}

#[cfg(test)]
mod tests {
    use super::{super::funnel::tests::of_each_kind, *};
    use crate::telemetry::CATALOGUE;

    #[test]
    fn consumed_equals_the_sum_of_outcomes() {
        let metrics = Metrics::default();
        let system = Name::new("crm");
        metrics.settled(system, Outcome::Applied, 3);
        metrics.settled(system, Outcome::DeadLettered, 2);
        let text = metrics.expose();
        assert!(
            text.contains("baton_consumed_total{system=\"crm\"} 5"),
            "{text}"
        );
        assert_eq!(metrics.totals().values().sum::<u64>(), 5);
    }

    #[test]
    fn what_waits_in_the_store_is_told_until_nothing_waits_any_more() {
        let metrics = Metrics::default();
        let counts = Counts {
            dead_letters: BTreeMap::from([("missing-id".to_owned(), 2)]),
            parked: BTreeMap::from([("contested".to_owned(), 1)]),
            outbox: 7,
            outbox_since: Some(Millis(5_000)),
        };
        metrics.set_waiting(&counts, Millis(65_000));
        let told = metrics.expose();
        for line in [
            "baton_outbox_messages 7",
            "baton_outbox_oldest_seconds 60",
            "baton_open_dead_letters{code=\"missing-id\"} 2",
            "baton_open_tasks{code=\"contested\"} 1",
            "baton_open_tasks{code=\"held_clears\"} 0",
        ] {
            assert!(told.contains(line), "{line}:\n{told}");
        }
        metrics.set_waiting(&Counts::default(), Millis(65_000));
        let told = metrics.expose();
        for line in [
            "baton_outbox_messages 0",
            "baton_outbox_oldest_seconds 0",
            "baton_open_dead_letters{code=\"missing-id\"} 0",
            "baton_open_tasks{code=\"contested\"} 0",
        ] {
            assert!(told.contains(line), "{line}:\n{told}");
        }
    }

    #[test]
    fn timers_are_told_to_be_late_until_none_is_due() {
        let metrics = Metrics::default();
        metrics.set_due((3, Some(Millis(5_000))), Millis(65_999));
        let told = metrics.expose();
        for line in ["baton_timers_due 3", "baton_timers_late_seconds 60"] {
            assert!(told.contains(line), "{line}:\n{told}");
        }
        metrics.set_due((0, None), Millis(65_999));
        let told = metrics.expose();
        for line in ["baton_timers_due 0", "baton_timers_late_seconds 0"] {
            assert!(told.contains(line), "{line}:\n{told}");
        }
    }

    #[test]
    fn every_metric_of_the_catalogue_is_exposed_under_its_documented_name() {
        let metrics = Metrics::default();
        // A metric with labels is exposed once it has a value.
        metrics.settled("crm".into(), Outcome::Applied, 1);
        metrics.answered("crm".into(), "ok", 1);
        metrics.dead_letter("crm", "malformed-json");
        metrics.parked("contested");
        metrics.decided(EntityKind::Person, "title", "latest");
        metrics.commanded("crm".into(), "update");
        metrics.published("golden", 1);
        metrics.set_lag("t", 0, 1);
        metrics.set_stopped("t", 0, true);
        metrics.reloaded(true);
        let waiting = |code: &str| BTreeMap::from([(code.to_owned(), 1)]);
        let counts = Counts {
            dead_letters: waiting("malformed-json"),
            parked: waiting("contested"),
            ..Counts::default()
        };
        metrics.set_waiting(&counts, Millis(0));
        metrics.set_data_free(1);
        metrics.funnel.set_people(&[("new".into(), 1)]);
        for message in of_each_kind() {
            metrics.funnel.done(&message);
        }
        metrics.funnel.refused(1);
        let text = metrics.expose();
        for spec in CATALOGUE {
            // A counter's family is announced without its `_total`.
            let exposed = spec.exposed();
            let family = exposed.strip_suffix("_total").unwrap_or(&exposed);
            let announced = format!("# TYPE {family} {}", spec.kind.as_str());
            assert!(
                text.contains(&announced),
                "{announced} is missing in:\n{text}"
            );
        }
    }
}
