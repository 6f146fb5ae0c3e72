//! One person's facts, and what was done because of them: each thing once (L9).
//!
//! The fold says what should have been done by now. What was done is remembered under ids that depend on nothing but
//! the facts, so the difference is what remains to be done, or to be undone, whatever happened in between.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub(super) use super::memory::Source;

use super::{
    course::{Clock, Closed, Closing, Course, Handoff, Nudge, Objection, Outcome, Seat, Step},
    fact::Fact,
    fold::{Whereabouts, fold},
    merge::Part,
    rules::{Editions, Mode},
    words::Words,
};
use crate::{
    id::{Digest, EntityId, EventId},
    name::Name,
    time::Millis,
};

/// The hot state of one person's lifecycle.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Funnel {
    /// Everything up to here is folded, and final.
    pub(super) sealed: Whereabouts,
    pub(super) facts: BTreeMap<EventId, Fact>,
    pub(super) done: BTreeMap<Digest, Done>,
    /// What fell due up to here is as it is: nothing of it is done any more, and nothing undone.
    pub(super) settled: Millis,
    /// Who was merged into this one, and the person itself: so that each can be had back. Empty if nobody was.
    pub(super) parts: BTreeMap<EntityId, Part>,
    /// Nothing was heard of that happened later.
    pub(super) heard: Millis,
    /// As the last fold left it.
    pub(super) present: Present,
}

/// Where a person is now, as far as others than the fold must know without folding.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Present {
    pub stage: Name,
    pub since: Millis,
    pub episode: Option<u32>,
    /// What the systems are told.
    pub words: Words,
    /// When time alone may move the person.
    pub next: Option<Millis>,
}

/// What was done under one id.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Done {
    /// Under whose name.
    pub person: EntityId,
    pub what: Thing,
    /// When it fell due, in the time of events.
    pub due: Millis,
    /// When it was carried out, on the log's clock.
    pub at: Millis,
    /// It stands; or it was undone.
    pub stands: bool,
    /// How often it was undone.
    pub undone: u32,
}

/// What a deed is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Thing {
    Move {
        from: Name,
        to: Name,
        at: Millis,
    },
    /// A recycle, or what is done instead of one too many.
    Recycle(Closed, Seat),
    Handoff {
        episode: u32,
    },
    Reminder {
        clock: Digest,
        share: u8,
    },
    Breach {
        clock: Digest,
    },
    Escalation {
        clock: Digest,
        nth: usize,
    },
    Nudge {
        stage: Name,
        at: Millis,
    },
    Outcome {
        deal: EntityId,
        won: bool,
        at: Millis,
    },
    Kept {
        clock: Digest,
    },
    WithoutEffect {
        at: Millis,
        /// Of what moved nobody.
        by: Digest,
    },
}

impl Thing {
    /// Whether a new history takes it back. What was only said stays said.
    const fn can_be_undone(&self) -> bool {
        matches!(
            self,
            Self::Move { .. }
                | Self::Recycle(..)
                | Self::Outcome { .. }
                | Self::Handoff { .. }
                | Self::Breach { .. }
                | Self::Kept { .. }
                | Self::WithoutEffect { .. }
        )
    }

    /// The episode that is a part of what it is done under.
    const fn episode(&self) -> Option<u32> {
        match self {
            Self::Recycle(_, seat) => Some(seat.episode),
            Self::Handoff { episode } => Some(*episode),
            _ => None,
        }
    }

    /// What it is done under. Of a recycle this is all of L9's key but the attempt.
    fn id(&self, person: EntityId) -> Digest {
        let text = match self {
            Self::Move { from, to, at } => format!("move {from} {to} {}", at.0),
            Self::Recycle(kind, seat) => {
                let reason = seat.reason.map_or("", Name::as_str);
                let kind = match kind {
                    Closed::Exhausted => "exhausted",
                    Closed::LongNurture => "long nurture",
                    _ => "recycle",
                };
                format!("{kind} {} {} {reason}", seat.episode, seat.from)
            }
            Self::Handoff { episode } => format!("handoff {episode}"),
            Self::Reminder { clock, share } => format!("reminder {clock} {share}"),
            Self::Breach { clock } => format!("breach {clock}"),
            Self::Kept { clock } => format!("kept {clock}"),
            Self::WithoutEffect { at, by } => format!("without effect {by} {}", at.0),
            Self::Escalation { clock, nth } => format!("escalation {clock} {nth}"),
            Self::Nudge { stage, at } => format!("nudge {stage} {}", at.0),
            Self::Outcome { deal, won, at } => format!("outcome {deal} {won} {}", at.0),
        };
        Digest::of(&[person.to_string().as_bytes(), text.as_bytes()])
    }
}

/// Something to be done now, with the transaction that found it.
#[derive(Clone, PartialEq, Debug)]
pub struct Deed {
    /// The same whenever, and however often, this is found.
    pub id: Digest,
    pub due: Millis,
    pub at: Millis,
    pub body: Body,
}

impl Deed {
    /// How long after it fell due it is carried out, in milliseconds.
    #[must_use]
    pub const fn lateness(&self) -> i64 {
        self.at.since(self.due)
    }
}

#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    Moved(Step),
    Recycled {
        closing: Closing,
        /// How often the same was undone before.
        attempt: u32,
    },
    HandedOver(Handoff),
    Reminded {
        clock: Clock,
        share: u8,
    },
    Breached(Clock),
    Kept(Clock),
    WithoutEffect(Objection),
    Escalated {
        clock: Clock,
        to: Name,
    },
    Nudged(Nudge),
    Ended(Outcome),
    Undone {
        what: Thing,
        /// The deed that did it.
        undoes: Digest,
        /// When it had been carried out.
        made: Millis,
        because: Because,
    },
}

/// Why something is undone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Because {
    /// A late fact shows that it should not have been.
    Withdrawn,
    /// A late fact shows that the clock was met.
    MetReportedLate,
}

/// What became of a fact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    New,
    /// Its event was known; an earlier time counts.
    Duplicate,
    /// Older than what is sealed: it is in the ledger, and changes nothing.
    Beyond,
}

impl Funnel {
    #[must_use]
    pub fn new(person: EntityId, editions: &Editions) -> Self {
        let sealed = Whereabouts::new(person, editions);
        Self {
            present: Present::of(&sealed, None),
            heard: Millis::UNTIMED,
            sealed,
            facts: BTreeMap::new(),
            done: BTreeMap::new(),
            // What was done before the funnel came into being others did.
            settled: editions.began().minus(1),
            parts: BTreeMap::new(),
        }
    }

    #[must_use]
    pub fn course(&self, editions: &Editions, as_of: Millis) -> (Whereabouts, Course) {
        fold(&self.sealed, self.facts.values(), editions, as_of)
    }

    #[must_use]
    pub const fn present(&self) -> &Present {
        &self.present
    }

    #[must_use]
    pub const fn done(&self) -> &BTreeMap<Digest, Done> {
        &self.done
    }

    /// The verdict on a fact that comes in now: what it would undo although the grace time is over stands, and the
    /// fact takes its place just after it. Taken once; replay and preview take the fact with it.
    #[must_use]
    pub fn verdict(&self, fact: &Fact, editions: &Editions, at: Millis) -> Option<Millis> {
        if let Some(known) = self.facts.get(&fact.event) {
            return known.effective;
        }
        let standing: Vec<(Thing, Millis)> = self
            .done
            .values()
            .filter(|done| done.stands && done.due > self.settled)
            .filter(|done| matches!(done.what, Thing::Recycle(..)))
            .filter(|done| {
                let grace = editions.at(done.due).1.recycling.grace;
                done.at.plus(grace) < at
            })
            .map(|done| (done.what.clone(), done.due))
            .collect();
        if standing.is_empty() {
            return None;
        }
        let with = self.facts.values().chain([fact]);
        let (_, course) = fold(&self.sealed, with, editions, at);
        let wanted: BTreeSet<Thing> = course.closings.iter().filter_map(recycling).collect();
        let last_undone = standing
            .into_iter()
            .filter(|(what, _)| !wanted.contains(what))
            .map(|(_, due)| due)
            .max()?;
        Some(last_undone.floor(editions.quantum).plus(editions.quantum))
    }

    /// Takes a fact in, with its verdict. It is a fact of `of`: this person, or one that was merged into it.
    pub fn take(&mut self, of: EntityId, fact: Fact, editions: &Editions) -> Taken {
        if fact.place(editions.quantum).instant <= self.sealed.now {
            return Taken::Beyond;
        }
        if let Some(known) = self.facts.get_mut(&fact.event) {
            known.time = known.time.min(fact.time);
            return Taken::Duplicate;
        }
        if let Some(part) = self.parts.get_mut(&of) {
            part.facts.insert(fact.event);
        }
        self.facts.insert(fact.event, fact);
        Taken::New
    }

    /// What remains to be done, or undone, at `at`; remembered as done. In the order in which it fell due.
    pub fn settle(&mut self, editions: &Editions, at: Millis) -> Vec<Deed> {
        let (now, course) = self.course(editions, at);
        self.carry_out(&now, &course, at)
    }

    /// The same for a course that was just found.
    pub(super) fn carry_out(
        &mut self,
        now: &Whereabouts,
        course: &Course,
        at: Millis,
    ) -> Vec<Deed> {
        self.present = Present::of(now, course.next);
        let wanted = self.wanted(course);
        let mut deeds = self.undo(&wanted, course, at);
        let person = self.sealed.person;
        for (due, thing, want) in wanted {
            let key = thing.id(person);
            let known = self.done.get_mut(&key);
            if let Some(done) = known.filter(|done| done.stands) {
                // The same thing, asked for at another time: nobody has to do anything.
                done.due = due;
                continue;
            }
            let attempt = self.done.get(&key).map_or(0, |done| done.undone);
            deeds.push(Deed {
                id: deed_id(key, attempt),
                due,
                at,
                body: want.into_body(attempt),
            });
            let done = Done {
                person,
                what: thing,
                due,
                at,
                stands: true,
                undone: attempt,
            };
            self.done.insert(key, done);
        }
        deeds
    }

    fn undo(&mut self, wanted: &[(Millis, Thing, Want)], course: &Course, at: Millis) -> Vec<Deed> {
        let person = self.sealed.person;
        let keep: BTreeSet<Digest> = wanted.iter().map(|(_, what, _)| what.id(person)).collect();
        let mut deeds = Vec::new();
        for (key, done) in &mut self.done {
            let is_open = done.stands && done.due > self.settled;
            if !is_open || !done.what.can_be_undone() || keep.contains(key) {
                continue;
            }
            let because = match done.what {
                Thing::Breach { clock } if is_met(course, clock) => Because::MetReportedLate,
                _ => Because::Withdrawn,
            };
            let undoes = deed_id(*key, done.undone);
            deeds.push(Deed {
                id: Digest::of(&[&key.0, &done.undone.to_be_bytes(), b"undone"]),
                due: done.due,
                at,
                body: Body::Undone {
                    what: done.what.clone(),
                    undoes,
                    made: done.at,
                    because,
                },
            });
            done.stands = false;
            done.undone = done.undone.saturating_add(1);
        }
        // What came last is taken back first.
        deeds.sort_by_key(|deed| std::cmp::Reverse((deed.due, deed.id)));
        deeds
    }

    /// All that should have been done since what is sealed.
    fn wanted(&self, course: &Course) -> Vec<(Millis, Thing, Want)> {
        let mut wanted = Vec::new();
        for step in &course.steps {
            let thing = Thing::Move {
                from: step.from,
                to: step.to,
                at: step.at,
            };
            wanted.push((step.at, thing, Want::Moved(step.clone())));
        }
        for closing in &course.closings {
            let recycled = recycling(closing).map(|thing| {
                let want = Want::Recycled(closing.clone());
                (closing.at, thing, want)
            });
            wanted.extend(recycled);
        }
        for handoff in &course.handoffs {
            let thing = Thing::Handoff {
                episode: handoff.episode,
            };
            wanted.push((handoff.at, thing, Want::HandedOver(handoff.clone())));
        }
        for clock in &course.clocks {
            wanted.extend(told_by(clock));
        }
        for nudge in &course.nudges {
            let thing = Thing::Nudge {
                stage: nudge.stage,
                at: nudge.at,
            };
            wanted.push((nudge.at, thing, Want::Nudged(nudge.clone())));
        }
        for outcome in &course.outcomes {
            let thing = Thing::Outcome {
                deal: outcome.deal,
                won: outcome.won,
                at: outcome.at,
            };
            wanted.push((outcome.at, thing, Want::Ended(outcome.clone())));
        }
        for objection in &course.objections {
            let thing = Thing::WithoutEffect {
                at: objection.at,
                by: objection.trigger.id(),
            };
            let want = Want::WithoutEffect(objection.clone());
            wanted.push((objection.at, thing, want));
        }
        wanted.retain(|(due, _, _)| *due > self.settled);
        wanted.sort_by(|(a, one, _), (b, two, _)| (a, one).cmp(&(b, two)));
        wanted.dedup_by(|(_, one, _), (_, two, _)| one == two);
        wanted
    }

    /// Folds everything up to and including an instant into the summary.
    pub fn seal(&mut self, until: Millis, editions: &Editions) {
        if until <= self.sealed.now {
            return;
        }
        for part in self.parts.values_mut() {
            part.seal(&self.facts, until, editions);
        }
        let (old, young): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.facts)
            .into_iter()
            .partition(|(_, fact)| fact.place(editions.quantum).instant <= until);
        self.facts = young;
        let (sealed, _) = fold(&self.sealed, old.values(), editions, until);
        self.sealed = sealed;
        self.settled = self.settled.max(until);
        // What was undone can come again while its episode or its clock goes on, and while its episode's number is yet to
        // be given: then its attempts must be known.
        let goes_on = self.sealed.episode.is_some() || !self.sealed.clocks.is_empty();
        let closed = self.sealed.closed;
        let comes_again = |what: &Thing| goes_on || what.episode().is_some_and(|n| n > closed);
        self.done
            .retain(|_, done| done.due > until || !done.stands && comes_again(&done.what));
    }
}

impl Present {
    fn of(now: &Whereabouts, next: Option<Millis>) -> Self {
        Self {
            stage: now.stage,
            since: now.since,
            episode: now.episode.map(|episode| episode.number),
            words: now.words.clone(),
            next,
        }
    }
}

/// What is done under a key for the first time, or again after it was undone so often.
fn deed_id(key: Digest, attempt: u32) -> Digest {
    Digest::of(&[&key.0, &attempt.to_be_bytes()])
}

/// What should have been done, with all that is told of it.
enum Want {
    Moved(Step),
    Recycled(Closing),
    HandedOver(Handoff),
    Reminded(Clock, u8),
    Breached(Clock),
    Kept(Clock),
    WithoutEffect(Objection),
    Escalated(Clock, Name),
    Nudged(Nudge),
    Ended(Outcome),
}

impl Want {
    fn into_body(self, attempt: u32) -> Body {
        match self {
            Self::Moved(step) => Body::Moved(step),
            Self::Recycled(closing) => Body::Recycled { closing, attempt },
            Self::HandedOver(handoff) => Body::HandedOver(handoff),
            Self::Reminded(clock, share) => Body::Reminded { clock, share },
            Self::Breached(clock) => Body::Breached(clock),
            Self::Kept(clock) => Body::Kept(clock),
            Self::WithoutEffect(objection) => Body::WithoutEffect(objection),
            Self::Escalated(clock, to) => Body::Escalated { clock, to },
            Self::Nudged(nudge) => Body::Nudged(nudge),
            Self::Ended(outcome) => Body::Ended(outcome),
        }
    }
}

fn recycling(closing: &Closing) -> Option<Thing> {
    let thing = Thing::Recycle(closing.kind, closing.seat.clone());
    closing.kind.is_recycling().then_some(thing)
}

fn told_by(clock: &Clock) -> Vec<(Millis, Thing, Want)> {
    let id = clock.id;
    let mut told = Vec::new();
    for (share, at) in &clock.reminded {
        let thing = Thing::Reminder {
            clock: id,
            share: *share,
        };
        told.push((*at, thing, Want::Reminded(clock.clone(), *share)));
    }
    if let Some(at) = clock.missed() {
        told.push((
            at,
            Thing::Breach { clock: id },
            Want::Breached(clock.clone()),
        ));
    }
    if let Some(at) = clock.kept() {
        told.push((at, Thing::Kept { clock: id }, Want::Kept(clock.clone())));
    }
    if clock.mode == Mode::Live {
        for (nth, (to, at)) in clock.escalated.iter().enumerate() {
            let thing = Thing::Escalation { clock: id, nth };
            told.push((*at, thing, Want::Escalated(clock.clone(), *to)));
        }
    }
    told
}

fn is_met(course: &Course, id: Digest) -> bool {
    let mut clocks = course.clocks.iter();
    clocks.any(|clock| clock.id == id && clock.kept().is_some())
}
