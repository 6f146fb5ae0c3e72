//! The metrics of the funnel: from what a commit tells of it, and from where everybody stands.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use baton_core::{
    name::Name,
    wire::{Lifecycle, LifecycleMessage, Trigger},
};
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::{
    catalogue,
    metrics::{Labels, add, gauge},
};

/// What is counted in the funnel.
pub struct FunnelMetrics {
    people: Family<Labels, Gauge>,
    transitions: Family<Labels, Counter>,
    handoffs: Counter,
    recycles: Family<Labels, Counter>,
    taken_back: Family<Labels, Counter>,
    breaches: Family<Labels, Counter>,
    kept: Family<Labels, Counter>,
    handoffs_refused: Counter,
    lateness: Histogram,
    /// Stages that somebody was in once: those with nobody left are told as 0.
    stages: Mutex<BTreeSet<Name>>,
}

impl FunnelMetrics {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            people: add(r, &catalogue::PEOPLE, Family::default()),
            transitions: add(r, &catalogue::TRANSITIONS, Family::default()),
            handoffs: add(r, &catalogue::HANDOFFS, Counter::default()),
            recycles: add(r, &catalogue::RECYCLES, Family::default()),
            taken_back: add(r, &catalogue::TAKEN_BACK, Family::default()),
            breaches: add(r, &catalogue::BREACHES, Family::default()),
            kept: add(r, &catalogue::KEPT, Family::default()),
            handoffs_refused: add(r, &catalogue::HANDOFFS_REFUSED, Counter::default()),
            // A tenth of a second to about five days.
            lateness: add(
                r,
                &catalogue::FUNNEL_LATENESS,
                Histogram::new((0..12).map(|power| 0.1 * f64::from(4_u32.pow(power)))),
            ),
            stages: Mutex::default(),
        }
    }

    /// How many people are in each stage now.
    pub fn set_people(&self, by_stage: &[(Name, u64)]) {
        let mut seen = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        seen.extend(by_stage.iter().map(|(stage, _)| *stage));
        for stage in &*seen {
            let people = by_stage.iter().find(|(found, _)| found == stage);
            self.people
                .get_or_create(&vec![("stage", stage.to_string())])
                .set(gauge(people.map_or(0, |(_, people)| *people)));
        }
    }

    /// Counts handoffs that a system did not take, of which nobody is told.
    pub fn refused(&self, handoffs: u64) {
        self.handoffs_refused.inc_by(handoffs);
    }

    /// Counts something that was done.
    pub fn done(&self, message: &LifecycleMessage) {
        let by_time = match &message.told {
            Lifecycle::Transition {
                from, to, trigger, ..
            } => {
                let labels = vec![("from", from.to_string()), ("to", to.to_string())];
                self.transitions.get_or_create(&labels).inc();
                matches!(trigger, Trigger::Time { .. })
            }
            Lifecycle::Handoff(_) => {
                self.handoffs.inc();
                false
            }
            Lifecycle::Recycle(recycle) => {
                let reason = recycle.reason.map_or("", Name::as_str).to_owned();
                self.recycles.get_or_create(&vec![("reason", reason)]).inc();
                // Its transition tells how late it is.
                false
            }
            Lifecycle::Undone { what, .. } => {
                let what = what.kind.clone().into_owned();
                self.taken_back.get_or_create(&vec![("what", what)]).inc();
                false
            }
            Lifecycle::Breach { clock, .. } => {
                let labels = of_clock(clock.name, message.shadow);
                self.breaches.get_or_create(&labels).inc();
                true
            }
            Lifecycle::Kept { clock, .. } => {
                let labels = of_clock(clock.name, message.shadow);
                self.kept.get_or_create(&labels).inc();
                false
            }
            Lifecycle::Reminder { .. }
            | Lifecycle::Escalation { .. }
            | Lifecycle::Reengage { .. } => true,
            // Time brings it about as well, and nobody waits for it.
            Lifecycle::Outcome { .. } | Lifecycle::WithoutEffect(_) => false,
        };
        if by_time {
            #[expect(clippy::cast_precision_loss, reason = "a histogram's sample")]
            let late = message.lateness_ms.max(0) as f64 / 1_000.0;
            self.lateness.observe(late);
        }
    }
}

fn of_clock(clock: Name, shadow: bool) -> Labels {
    vec![("clock", clock.to_string()), ("shadow", shadow.to_string())]
}

#[cfg(test)]
pub(super) mod tests {
    use std::{fs, path::Path};

    use prometheus_client::encoding::text;

    use super::*;

    /// One message of each kind.
    pub fn of_each_kind() -> Vec<LifecycleMessage> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/examples/v2");
        let files = fs::read_dir(folder.join("lifecycle")).unwrap();
        let texts = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
        texts
            .map(|text| serde_json::from_str(&text).unwrap())
            .collect()
    }

    #[test]
    fn what_is_done_in_the_funnel_is_counted_and_a_stage_that_was_left_has_nobody() {
        let mut registry = Registry::default();
        let metrics = FunnelMetrics::new(&mut registry);
        for message in of_each_kind() {
            metrics.done(&message);
        }
        metrics.refused(1);
        metrics.set_people(&[("mql".into(), 3), ("sal".into(), 1)]);
        metrics.set_people(&[("mql".into(), 2)]);
        let mut told = String::new();
        text::encode(&mut told, &registry).unwrap();
        for line in [
            "people{stage=\"mql\"} 2",
            "people{stage=\"sal\"} 0",
            "transitions_total{from=\"new\",to=\"nurture\"} 1",
            "handoffs_total 1",
            "recycles_total{reason=\"no_response\"} 1",
            "taken_back_total{what=\"recycle\"} 1",
            "breaches_total{clock=\"follow_up\",shadow=\"false\"} 1",
            "promises_kept_total{clock=\"follow_up\",shadow=\"false\"} 1",
            "handoffs_refused_total 1",
            // A reminder, a breach, an escalation, and a last try.
            "funnel_lateness_seconds_count 4",
        ] {
            assert!(told.contains(line), "{line}:\n{told}");
        }
    }
}
