//! Every metric: name, meaning, unit, labels. `docs/metrics.md` is written from this list, and nothing else
//! registers a metric.

use std::fmt::Write as _;

/// How a metric moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Distribution in buckets.
    Histogram,
}

impl Kind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Without the `baton_` in front and without the unit and `_total` behind.
    pub name: &'static str,
    pub kind: Kind,
    /// `seconds`, `bytes`, or nothing for plain counts.
    pub unit: &'static str,
    pub labels: &'static [&'static str],
    pub help: &'static str,
    /// What an operator should do with it.
    pub watch: &'static str,
}

impl Spec {
    /// The name as Prometheus shows it.
    #[must_use]
    pub fn exposed(&self) -> String {
        let mut name = format!("baton_{}", self.name);
        if !self.unit.is_empty() {
            let _ = write!(name, "_{}", self.unit);
        }
        if self.kind == Kind::Counter {
            name.push_str("_total");
        }
        name
    }
}

macro_rules! catalogue {
    ($($id:ident = $name:literal, $kind:ident, $unit:literal, [$($label:literal),*], $help:literal, $watch:literal;)*) => {
        $(pub(super) const $id: Spec = Spec {
            name: $name, kind: Kind::$kind, unit: $unit, labels: &[$($label),*], help: $help, watch: $watch,
        };)*
        /// All of them, in the order of the documentation.
        pub const CATALOGUE: &[Spec] = &[$($id),*];
    };
}

catalogue! {
    CONSUMED = "consumed", Counter, "", ["system"],
        "Changes taken in, counted after fan-out (one message may name several records)",
        "Law L15: its rate equals the sum of `baton_settled_total` over all outcomes; alarm on a lasting difference.";
    SETTLED = "settled", Counter, "", ["system", "outcome"],
        "Changes by what became of them: applied, parked, late, duplicate, noop, dead_lettered",
        "A rising share of `dead_lettered` or `parked` needs a look at `baton dead-letters list` or `baton parked list`.";
    ANSWERS = "answers", Counter, "", ["system", "outcome"],
        "Answers of targets to commands, by outcome (dead_lettered: not understood)",
        "Many `refused` or `failed` answers: the target does not take what the rules want.";
    DEAD_LETTERS = "dead_letters", Counter, "", ["system", "code"],
        "Messages and changes that could not be understood, by error code",
        "Every code has a page under docs/errors.";
    PARKED = "parked", Counter, "", ["code"],
        "Items that began to wait for a steward, by code",
        "See `baton parked list`.";
    DECISIONS = "decisions", Counter, "", ["kind", "field", "rule"],
        "Changes of a golden value, by kind of entity, field and rule",
        "A sudden rise of one field names the import or rule behind it.";
    COMMANDS = "commands", Counter, "", ["system", "kind"],
        "Commands handed to the outbox, by target and kind",
        "";
    PUBLISHED = "published", Counter, "", ["topic"],
        "Messages that the log has acknowledged, by logical topic",
        "";
    LAW_VIOLATIONS = "law_violations", Counter, "", ["law"],
        "Violations of a law that a check in production noticed",
        "Must stay 0. Keep the data folder and report it.";
    STAGE_DURATION = "stage_duration", Histogram, "seconds", ["stage"],
        "Time of one batch in a stage: decode, normalise, identify, apply, commit, relay",
        "Which stage is the bottleneck.";
    BATCH_SIZE = "batch_size", Histogram, "", [],
        "Messages settled in one transaction",
        "";
    EVENT_TO_COMMIT = "event_to_commit", Histogram, "seconds", [],
        "From a message's arrival in the log to the transaction that settled it",
        "";
    EVENT_TO_COMMAND = "event_to_command", Histogram, "seconds", [],
        "From the transaction's instant to the log's acknowledgement of the command that came of it",
        "";
    LAG = "lag", Gauge, "", ["topic", "partition"],
        "Messages in the log that are not settled yet",
        "Rising: the engine is slower than its sources, or a partition is stopped.";
    STOPPED = "stopped_partitions", Gauge, "", ["topic", "partition"],
        "1 while a partition is stopped because of too many dead letters",
        "Anything but 0 is an alarm: fix the producer or the mapping, then reload (SIGHUP) or restart.";
    OUTBOX = "outbox_messages", Gauge, "", [],
        "Messages in the store that wait for the relay; every process tells the same figure",
        "Rising: the relay is slower than the engine, or nobody runs it.";
    OUTBOX_OLDEST = "outbox_oldest", Gauge, "seconds", [],
        "How long the oldest of them has waited; 0 when none waits",
        "Minutes: nobody runs the role `relay`, or the log does not take the messages.";
    OPEN_DEAD_LETTERS = "open_dead_letters", Gauge, "", ["code"],
        "Dead letters in the store that are neither retried nor dropped, by code",
        "See `baton dead-letters list`.";
    OPEN_TASKS = "open_tasks", Gauge, "", ["code"],
        "Parked items in the store that no steward has decided, by code",
        "See `baton parked list`.";
    DATA_FREE = "data_free", Gauge, "bytes", [],
        "Room on the disk of the data folder; absent where log and store are both elsewhere",
        "When it is full, changes wait and none is settled. Watch the disks of Kafka and PostgreSQL as well.";
    PEOPLE = "people", Gauge, "", ["stage"],
        "People by the stage of the funnel that they are in; every process tells the same figure",
        "See `baton funnel`.";
    TRANSITIONS = "transitions", Counter, "", ["from", "to"],
        "Moves of people from stage to stage; those that were taken back later are counted all the same",
        "";
    HANDOFFS = "handoffs", Counter, "", [],
        "People who were handed over to sales",
        "None in a day on which points were added: look at the sales-ready line, fit and consent (`baton why-stage`).";
    RECYCLES = "recycles", Counter, "", ["reason"],
        "Returns to nurture, by reason; those that were taken back later are counted all the same",
        "A sudden rise of `no_response`: sales does not follow up, or its activities do not arrive.";
    TAKEN_BACK = "taken_back", Counter, "", ["what"],
        "What was taken back because of something that was heard of late: transition, recycle, handoff, breach, outcome",
        "Many: a source of activities is late.";
    BREACHES = "breaches", Counter, "", ["clock", "shadow"],
        "Promises of one team to the other that were broken; shadow: the clock only watches",
        "";
    FUNNEL_LATENESS = "funnel_lateness", Histogram, "seconds", [],
        "From when time alone made something due in the funnel (a reminder, a breach, a return) to when it was done",
        "Its rate above a minute: timers are late, because the daemon was down or nobody runs the role `timers`.";
    KEPT = "promises_kept", Counter, "", ["clock", "shadow"],
        "Promises of one team to the other that were kept; those that turn out not to have been are counted all the same",
        "Beside `baton_breaches_total`: the share that is kept.";
    HANDOFFS_REFUSED = "handoffs_refused", Counter, "", [],
        "Handoffs that the CRM did not take: sales does not know of somebody who is ready for it",
        "Anything but 0: see `baton parked list` for `refused_write`, with the CRM's own words.";
    TIMERS_DUE = "timers_due", Gauge, "", [],
        "Timers in the store that are due and not carried out yet; every process tells the same figure",
        "Falls within seconds, after a standstill within minutes. Rising: nobody runs the role `timers`, or it is too slow.";
    TIMERS_LATE = "timers_late", Gauge, "seconds", [],
        "How long the oldest of them has been due; 0 when none is",
        "Minutes: reminders, breaches and returns are late.";
    TIMERS = "timers_fired", Counter, "", [],
        "Timers carried out",
        "";
    CONFLICTS = "commit_conflicts", Counter, "", [],
        "Transactions settled again because another worker was faster at the same person",
        "Beside the batches: a large share means that workers do their work twice.";
    STORE_ERRORS = "store_errors", Counter, "", [],
        "Failed attempts at the store",
        "";
    LOG_ERRORS = "log_errors", Counter, "", [],
        "Errors between the daemon and the log",
        "";
    RELOADS = "reloads", Counter, "", ["result"],
        "Configuration reloads: accepted, refused",
        "`refused`: the old rules are still active; run `baton check`.";
}

/// The text of `docs/metrics.md`.
#[must_use]
pub fn reference() -> String {
    let mut out = String::from(
        "# Metrics\n\nWritten by `baton schema --metrics`; do not edit. Served as OpenMetrics text at `/metrics` of the admin port.\n\n\
         | metric | type | labels | meaning | watch |\n| --- | --- | --- | --- | --- |\n",
    );
    for spec in CATALOGUE {
        let labels = spec
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect::<Vec<_>>()
            .join(", ");
        let _ = writeln!(
            out,
            "| `{}` | {} | {labels} | {} | {} |",
            spec.exposed(),
            spec.kind.as_str(),
            spec.help,
            spec.watch
        );
    }
    out
}
