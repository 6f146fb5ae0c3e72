//! What would have been different: one person's course under other rules.

use std::collections::BTreeMap;

use super::{
    course::{Closed, Course},
    fact::Fact,
    fold::{Whereabouts, fold},
    rules::{Editions, Mode},
};
use crate::{id::EntityId, name::Name, time::Millis};

/// Something that both teams count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Counted {
    /// The person was handed to sales.
    HandedOver,
    Entered(Name),
    /// With this reason.
    Recycled(Option<Name>),
    /// Recycled too often.
    Exhausted,
    /// This clock.
    Breached(Name),
}

/// How often each thing happened, under the rules as they were and under others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Change {
    pub before: usize,
    pub after: usize,
}

/// Counts what happened after `since`.
#[must_use]
pub fn count(course: &Course, since: Millis) -> BTreeMap<Counted, usize> {
    let handed = course.handoffs.iter().map(|h| (h.at, Counted::HandedOver));
    let entered = course.steps.iter().map(|s| (s.at, Counted::Entered(s.to)));
    let closed = course.closings.iter().filter_map(|c| match c.kind {
        Closed::Recycled => Some((c.at, Counted::Recycled(c.seat.reason))),
        Closed::Exhausted | Closed::LongNurture => Some((c.at, Counted::Exhausted)),
        _ => None,
    });
    let live = course.clocks.iter().filter(|c| c.mode == Mode::Live);
    let breached = live.filter_map(|c| c.missed().map(|at| (at, Counted::Breached(c.name))));
    let mut counts = BTreeMap::new();
    for (at, what) in handed.chain(entered).chain(closed).chain(breached) {
        if at > since {
            let count: &mut usize = counts.entry(what).or_default();
            *count = count.saturating_add(1);
        }
    }
    counts
}

/// What one person's facts come to under two sets of rules, both from the beginning; only what differs.
#[must_use]
pub fn difference<'f>(
    person: EntityId,
    facts: impl IntoIterator<Item = &'f Fact> + Clone,
    (before, after): (&Editions, &Editions),
    since: Millis,
    as_of: Millis,
) -> BTreeMap<Counted, Change> {
    let under = |editions: &Editions| {
        let entry = Whereabouts::new(person, editions);
        let (_, course) = fold(&entry, facts.clone(), editions, as_of);
        count(&course, since)
    };
    let mut changes: BTreeMap<Counted, Change> = BTreeMap::new();
    for (what, count) in under(before) {
        changes.entry(what).or_default().before = count;
    }
    for (what, count) in under(after) {
        changes.entry(what).or_default().after = count;
    }
    changes.retain(|_, change| change.before != change.after);
    changes
}
