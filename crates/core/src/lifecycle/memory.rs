//! What a funnel knows of its own facts: which came of what, and what was said last.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::{
    fact::{Fact, Suppression, What},
    funnel::Funnel,
    rules::Editions,
    words::Word,
};
use crate::{id::EventId, name::Name, time::Millis, value::Value};

/// What facts that were made of observations were made of; they are made anew together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Source {
    /// The golden value of a field.
    Field(Name),
    Score,
    /// Stages that a system says.
    Claims(Name),
    /// What sales found out.
    Findings,
}

impl What {
    /// None of a fact that an input was as a whole.
    const fn source(&self) -> Option<Source> {
        match self {
            Self::Field { field, .. } => Some(Source::Field(*field)),
            Self::Score(_) => Some(Source::Score),
            Self::Claim { system, .. } => Some(Source::Claims(*system)),
            Self::Qualified { .. } => Some(Source::Findings),
            Self::Suppressed { .. }
            | Self::Act(_)
            | Self::Deal { .. }
            | Self::Returned { .. }
            | Self::Delivered
            | Self::Said { .. }
            | Self::OfDeal { .. }
            | Self::Counted { .. } => None,
        }
    }
}

impl Funnel {
    /// Nothing was ever heard of the person.
    pub(super) fn is_silent(&self) -> bool {
        !self.sealed.known && self.facts.is_empty()
    }

    /// Whether something was heard, and nothing was made of it so far: nothing was known of the person but what it did.
    pub(super) fn is_of_stranger(&self) -> bool {
        !self.is_silent() && !self.present.since.is_timed()
    }

    /// Forgets what happened before an instant, if it is more than so many facts.
    pub(super) fn forget_facts_before(&mut self, instant: Millis, many: usize) {
        if self.facts.len() > many {
            self.facts.retain(|_, fact| fact.time >= instant);
        }
    }

    /// Whether enough lies up to an instant to be worth folding into the summary.
    pub(super) fn is_long(&self, until: Millis, many: usize) -> bool {
        let all = self.facts.len() + self.done.len();
        let facts = self.facts.values().filter(|fact| fact.time <= until);
        let done = self.done.values().filter(|done| done.due <= until);
        // Half of them, so that each is looked at a bounded number of times.
        all > many && (facts.count() + done.count()) * 2 > all && until > self.sealed.now
    }

    /// Nothing was heard of that happened later.
    pub(super) const fn heard_until(&self) -> Millis {
        self.heard
    }

    /// Facts up to here are in the summary.
    pub(super) const fn sealed_until(&self) -> Millis {
        self.sealed.now
    }

    pub(super) fn is_known_before(&self, instant: Millis) -> bool {
        self.sealed.known && self.sealed.now <= instant && instant.is_timed()
    }

    /// What the systems were told last in a field.
    #[must_use]
    pub fn word(&self, field: Name) -> Option<&Word> {
        self.present.words.get(&field)
    }

    fn of(&self, source: Source) -> impl Iterator<Item = &Fact> {
        let facts = self.facts.values();
        facts.filter(move |fact| fact.what.source() == Some(source))
    }

    pub(super) fn last_value(&self, field: Name) -> Value {
        self.value_until(field, Millis::NEVER)
    }

    /// The golden value of a field as the facts up to an instant tell it.
    pub(super) fn value_until(&self, field: Name, until: Millis) -> Value {
        let facts = self.of(Source::Field(field));
        let last = facts.filter(|f| f.time <= until).max_by_key(|f| f.time);
        match last.map(|fact| &fact.what) {
            Some(What::Field { value, .. }) => value.clone(),
            _ => self.sealed.fields.get(&field).cloned().unwrap_or_default(),
        }
    }

    pub(super) fn last_score(&self) -> Option<Decimal> {
        self.score_until(Millis::NEVER)
    }

    /// The points as the facts up to an instant tell them; none if nobody told any.
    pub(super) fn score_until(&self, until: Millis) -> Option<Decimal> {
        let facts = self.of(Source::Score);
        let last = facts.filter(|f| f.time <= until).max_by_key(|f| f.time);
        match last.map(|fact| &fact.what) {
            Some(What::Score(score)) => Some(*score),
            _ => self.sealed.known.then_some(self.sealed.score),
        }
    }

    /// Whether it knows just this.
    pub(crate) fn has_heard(&self, fact: &Fact) -> bool {
        let known = self.facts.get(&fact.event);
        known.is_some_and(|known| known.what == fact.what && known.time == fact.time)
            || fact.time <= self.sealed.now
    }

    /// What it was told of an account's being out of all marketing, and when that was.
    pub(super) fn heard_of(&self, account: Suppression) -> BTreeMap<EventId, Millis> {
        let facts = self.facts.values();
        let of = facts
            .filter(|fact| matches!(fact.what, What::Suppressed { whose, .. } if whose == account));
        of.map(|fact| (fact.event, fact.time)).collect()
    }

    /// Whether somebody was out because of it when what is sealed ended.
    pub(super) fn was_out(&self, account: Suppression) -> bool {
        self.sealed.suppressions.contains(&account)
    }

    /// Whether it knows of an event, whatever that says.
    pub(super) fn knows(&self, event: EventId) -> bool {
        self.facts.contains_key(&event)
    }

    /// Whether it ever heard of a deal.
    pub(super) fn has_deals(&self) -> bool {
        let mut facts = self.facts.values();
        !self.sealed.deals.is_empty() || facts.any(|fact| matches!(fact.what, What::Deal { .. }))
    }

    /// All that is not summed up.
    pub(crate) fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.facts.values()
    }

    pub(super) fn time_of(&self, event: EventId) -> Option<Millis> {
        self.facts.get(&event).map(|fact| fact.time)
    }

    /// When the facts that were made of a source happened.
    pub(super) fn times(&self, source: Source) -> BTreeSet<Millis> {
        self.of(source).map(|fact| fact.time).collect()
    }

    /// Forgets what was made of a source from an instant on, but for these. Whether there was anything.
    pub(super) fn forget(
        &mut self,
        source: Source,
        from: Millis,
        keep: &BTreeSet<EventId>,
        editions: &Editions,
    ) -> bool {
        let quantum = editions.quantum;
        let gone: Vec<EventId> = self
            .of(source)
            .filter(|fact| fact.happened(quantum) > from && !keep.contains(&fact.event))
            .map(|fact| fact.event)
            .collect();
        for event in &gone {
            self.facts.remove(event);
            for part in self.parts.values_mut() {
                part.facts.remove(event);
            }
        }
        !gone.is_empty()
    }

    /// If the event is known: takes what it says now, and tells whether that is something else.
    pub(super) fn correct(&mut self, fact: &Fact) -> Option<bool> {
        let known = self.facts.get_mut(&fact.event)?;
        let is_other = known.what != fact.what || known.time != fact.time;
        known.what.clone_from(&fact.what);
        known.time = fact.time;
        Some(is_other)
    }

    /// Redacts what people said and what they did it with; where they stood stays.
    pub(crate) fn erase(&mut self) {
        self.facts.values_mut().for_each(|fact| fact.what.redact());
        let parts = self.parts.values_mut().map(|part| part.summary());
        for summary in parts.chain([&mut self.sealed]) {
            summary.fields.clear();
            summary.words.clear();
            summary.recent.clear();
            summary.attribution = super::course::Attribution::default();
        }
        self.present.words.clear();
    }
}
