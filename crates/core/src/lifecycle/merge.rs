//! Merging people, and taking them apart again.
//!
//! A merge folds the union of the facts; what is older than the horizon is joined, not folded again. What was done
//! stays, and nothing that fell due before the merge is done because of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    fact::{Fact, What},
    fold::{Whereabouts, fold},
    funnel::Funnel,
    rules::{Editions, FunnelRules},
};
use crate::{
    id::{Digest, EntityId, EventId, Position},
    time::Millis,
};

/// One of several people who are one now, as it would be alone.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Part {
    sealed: Whereabouts,
    /// Its facts that are not sealed.
    pub(super) facts: BTreeSet<EventId>,
    /// Episodes that ended under its name before the merge.
    closed: u32,
}

impl Part {
    pub(super) const fn summary(&mut self) -> &mut Whereabouts {
        &mut self.sealed
    }

    pub(super) fn seal(
        &mut self,
        facts: &BTreeMap<EventId, Fact>,
        until: Millis,
        editions: &Editions,
    ) {
        let is_old = |fact: &&Fact| fact.place(editions.quantum).instant <= until;
        let old = self
            .facts
            .iter()
            .filter_map(|e| facts.get(e))
            .filter(is_old);
        let (sealed, _) = fold(&self.sealed, old.clone(), editions, until);
        let gone: BTreeSet<EventId> = old.map(|fact| fact.event).collect();
        self.facts.retain(|event| !gone.contains(event));
        self.sealed = sealed;
    }
}

impl Funnel {
    /// `other` becomes this person, at `at`.
    pub fn absorb(&mut self, mut other: Self, at: Millis, editions: &Editions) {
        let until = self.sealed.now.max(other.sealed.now);
        self.seal(until, editions);
        other.seal(until, editions);
        let closed = self.closed(editions, at);
        let closed_there = other.closed(editions, at);
        let mine = self.as_parts(closed);
        self.parts.extend(mine);
        self.parts.extend(other.as_parts(closed_there));
        let rules = editions.at(until).1;
        self.sealed = join(&self.sealed, &other.sealed, rules);
        self.facts.extend(other.facts);
        self.done.extend(other.done);
        self.heard = self.heard.max(other.heard);
        let event = (b"merged".as_slice(), other.sealed.person);
        self.count_on(event, closed.saturating_add(closed_there), at, editions);
    }

    /// Takes out somebody who was merged into this person; its facts since then go with it. None if nobody of that id
    /// was.
    pub fn split(&mut self, person: EntityId, at: Millis, editions: &Editions) -> Option<Self> {
        let own = self.sealed.person;
        let closed = self.closed(editions, at);
        let part = self.parts.remove(&person).filter(|_| person != own)?;
        let mut out = Self {
            facts: part
                .facts
                .iter()
                .filter_map(|event| self.facts.remove_entry(event))
                .collect(),
            done: BTreeMap::new(),
            settled: at,
            parts: BTreeMap::new(),
            heard: self.heard,
            present: self.present.clone(),
            sealed: part.sealed,
        };
        let (theirs, ours) = std::mem::take(&mut self.done)
            .into_iter()
            .partition(|(_, done)| done.person == person);
        out.done = theirs;
        self.done = ours;
        let rules = editions.at(at).1;
        let own_summary = self.parts.get(&own).map(|part| part.sealed.clone());
        if let Some(summary) = own_summary {
            let others = self.parts.iter().filter(|(id, _)| **id != own);
            self.sealed = others.fold(summary, |all, (_, part)| join(&all, &part.sealed, rules));
        }
        // Whoever is alone again is whole again.
        if self.parts.len() == 1 {
            self.parts.clear();
        }
        self.count_on((b"parted", person), closed, at, editions);
        let closed_there = part.closed.max(out.closed(editions, at));
        out.count_on((b"parted", own), closed_there, at, editions);
        Some(out)
    }

    fn closed(&self, editions: &Editions, at: Millis) -> u32 {
        self.course(editions, at).0.closed
    }

    fn as_parts(&self, closed: u32) -> BTreeMap<EntityId, Part> {
        if !self.parts.is_empty() {
            return self.parts.clone();
        }
        let part = Part {
            sealed: self.sealed.clone(),
            facts: self.facts.keys().copied().collect(),
            closed,
        };
        BTreeMap::from([(self.sealed.person, part)])
    }

    /// From `at` on episodes are numbered after `closed`; what fell due before is as it is.
    fn count_on(
        &mut self,
        (why, other): (&[u8], EntityId),
        closed: u32,
        at: Millis,
        editions: &Editions,
    ) {
        let person = self.sealed.person;
        let event = Digest::of(&[
            why,
            person.to_string().as_bytes(),
            other.to_string().as_bytes(),
            &at.0.to_be_bytes(),
        ]);
        let fact = Fact {
            event,
            time: at,
            seq: 0,
            position: Position::default(),
            effective: None,
            what: What::Counted { closed },
        };
        self.take(person, fact, editions);
        self.settled = self.settled.max(at);
    }
}

/// Two summaries as one: that of whoever is further, with what the other one adds.
fn join(one: &Whereabouts, two: &Whereabouts, rules: &FunnelRules) -> Whereabouts {
    let further = |w: &Whereabouts| {
        let first = std::cmp::Reverse((w.since, w.person));
        (w.known, rules.rank(w.stage), first)
    };
    let (ahead, behind) = if further(one) >= further(two) {
        (one, two)
    } else {
        (two, one)
    };
    let mut joint = ahead.clone();
    joint.person = one.person;
    joint.suppressions.extend(&behind.suppressions);
    joint.customer |= behind.customer;
    joint.score = ahead.score.max(behind.score);
    joint.closed = ahead.closed.max(behind.closed);
    joint.line = ahead
        .line
        .into_iter()
        .chain(behind.line)
        .max_by_key(|l| l.at);
    joint.engaged = ahead.engaged.max(behind.engaged);
    if joint.episode.is_none() {
        joint.cooling = ahead.cooling.max(behind.cooling);
    }
    for (field, value) in behind.fields.iter() {
        if !joint.fields.contains_key(field) {
            joint.fields.insert(*field, value.clone());
        }
    }
    for (kind, event) in &behind.accelerated {
        joint.accelerated.entry(*kind).or_insert(*event);
    }
    for (id, deal) in &behind.deals {
        joint.deals.entry(*id).or_insert_with(|| deal.clone());
    }
    let attribution = &mut joint.attribution;
    attribution.first = ahead
        .attribution
        .first
        .clone()
        .or_else(|| behind.attribution.first.clone());
    attribution.last = ahead
        .attribution
        .last
        .clone()
        .or_else(|| behind.attribution.last.clone());
    for (field, word) in behind.words.iter() {
        if joint.words.get(field).is_none_or(|w| w.since < word.since) {
            joint.words.insert(*field, word.clone());
        }
    }
    joint.recycles.extend(&behind.recycles);
    joint.recycles.sort_unstable();
    for (category, engagements) in &behind.recent {
        let all = joint.recent.entry(*category).or_default();
        all.extend(engagements.iter().cloned());
        all.sort_by_key(|e| (e.at, e.event));
        let surplus = all.len().saturating_sub(rules.ready.told);
        all.drain(..surplus);
    }
    joint
}
