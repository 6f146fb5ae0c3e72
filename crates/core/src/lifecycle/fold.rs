//! The stage machine: one fold over a person's facts, in the order of their times.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    clocks::Running,
    course::{Attribution, Course, Engagement, Guards, Objection, Purpose, Trigger, Why},
    fact::{Act, Actor, Fact, Place, Standing, Suppression, What},
    predicate::View,
    rules::{Baseline, Editions, FunnelRules, Phase, Signal},
    words::Words,
};
use crate::{
    id::{EntityId, EventId},
    name::Name,
    state::Sorted,
    time::Millis,
    value::Value,
};

/// Where a person is, and all that the fold must remember of what was before. Facts older than the horizon are folded
/// into one of these.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Whereabouts {
    pub person: EntityId,
    /// Nothing is known of the person before its first fact.
    pub known: bool,
    pub now: Millis,
    pub stage: Name,
    pub since: Millis,
    /// The stage was set by a deal.
    pub by_deal: bool,
    /// When something that counts last happened in this stage; its entry is the first such thing.
    pub touched: Millis,
    /// What was said already, by what it was counted from.
    pub(super) nudged: Option<Millis>,
    pub(super) stalled: Option<Millis>,
    pub(super) aged: Option<Millis>,
    pub suppressions: BTreeSet<Suppression>,
    pub fields: Sorted<Name, Value>,
    pub score: Decimal,
    pub episode: Option<Episode>,
    /// Episodes that ended.
    pub closed: u32,
    pub line: Option<Line>,
    /// Until when the person cools down; none once that is over.
    pub cooling: Option<Millis>,
    /// The last engagement since the last closing.
    pub engaged: Option<Millis>,
    /// The last accelerating act of each kind since the last closing.
    pub accelerated: BTreeMap<Name, EventId>,
    pub ready: Option<bool>,
    pub willing: Option<bool>,
    pub deals: BTreeMap<EntityId, Deal>,
    /// A deal was won, and not told to be lost since.
    pub customer: bool,
    /// When the person was recycled.
    pub recycles: Vec<Millis>,
    pub clocks: BTreeMap<Name, Running>,
    /// The last engagements by category, for the handoff.
    pub recent: BTreeMap<Name, Vec<Engagement>>,
    pub attribution: Attribution,
    /// What the systems were told.
    pub words: Words,
}

/// One trip towards sales.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Episode {
    pub number: u32,
    pub opened: Millis,
    pub purpose: Purpose,
    pub delivered: Option<Millis>,
}

/// What the last closing left behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Line {
    pub at: Millis,
    pub score: Decimal,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Deal {
    pub standing: Standing,
    /// It was open when an episode ended, and says nothing until it moves.
    pub aside: bool,
    /// When it was won or lost, if it is.
    pub ended: Option<Millis>,
}

impl Whereabouts {
    #[must_use]
    pub fn new(person: EntityId, editions: &Editions) -> Self {
        let stage = editions.at(Millis::UNTIMED).1.landmarks.entry;
        Self {
            person,
            known: false,
            now: Millis::UNTIMED,
            stage,
            since: Millis::UNTIMED,
            by_deal: false,
            touched: Millis::UNTIMED,
            nudged: None,
            stalled: None,
            aged: None,
            suppressions: BTreeSet::new(),
            fields: Sorted::new(),
            score: Decimal::ZERO,
            episode: None,
            closed: 0,
            line: None,
            cooling: None,
            engaged: None,
            accelerated: BTreeMap::new(),
            ready: None,
            willing: None,
            deals: BTreeMap::new(),
            customer: false,
            recycles: Vec::new(),
            clocks: BTreeMap::new(),
            recent: BTreeMap::new(),
            attribution: Attribution::default(),
            words: Words::new(),
        }
    }

    #[must_use]
    pub fn view(&self) -> View<'_> {
        View {
            fields: &self.fields,
            stage: self.stage,
            since: self.since,
            suppressed: !self.suppressions.is_empty(),
            now: self.now,
        }
    }
}

/// Folds facts, in any order, on top of what is known, up to and including the instant `as_of`. Facts of the future
/// wait.
#[must_use]
pub fn fold<'f>(
    from: &Whereabouts,
    facts: impl IntoIterator<Item = &'f Fact>,
    editions: &Editions,
    as_of: Millis,
) -> (Whereabouts, Course) {
    let mut facts: Vec<_> = facts
        .into_iter()
        .map(|fact| (fact.place(editions.quantum), fact))
        .collect();
    facts.sort_unstable_by_key(|(place, _)| *place);
    let mut fold = Fold::new(from.clone(), editions);
    let mut waits = None;
    let mut facts = facts.into_iter().peekable();
    while let Some((place, fact)) = facts.next() {
        if place.instant > as_of {
            waits = Some(place.instant);
            break;
        }
        fold.advance(place.instant);
        fold.take(fact, place.instant);
        // Who is told several things of somebody at once does not judge by half of them.
        let with_more = |(next, what): &(Place, &Fact)| {
            next.instant == place.instant && what.what.is_level() && fact.what.is_level()
        };
        if !facts.peek().is_some_and(with_more) {
            fold.judge();
        }
    }
    fold.activate(as_of);
    fold.ring_until(as_of);
    fold.w.now = fold.w.now.max(as_of);
    fold.finish(waits)
}

pub(super) struct Fold<'e> {
    pub(super) w: Whereabouts,
    pub(super) course: Course,
    pub(super) editions: &'e Editions,
    pub(super) rules: Arc<FunnelRules>,
    /// What is happening now.
    pub(super) trigger: Trigger,
}

impl<'e> Fold<'e> {
    fn new(w: Whereabouts, editions: &'e Editions) -> Self {
        Self {
            rules: Arc::clone(editions.at(w.now).1),
            w,
            course: Course::default(),
            editions,
            trigger: Trigger::Rules,
        }
    }

    fn finish(mut self, waits: Option<Millis>) -> (Whereabouts, Course) {
        let alarm = self.alarm().map(|(due, _)| due);
        self.course.next = alarm.into_iter().chain(waits).min();
        let running = self.w.clocks.values().map(|r| r.clock.clone());
        self.course.clocks.extend(running);
        self.course.clocks.sort_by_key(|c| (c.started, c.name));
        (self.w, self.course)
    }

    /// Everything that happens before the facts of an instant: new rules, and alarms that are due earlier. Alarms of
    /// the instant come after its facts; conditions are looked at with each of these.
    fn advance(&mut self, to: Millis) {
        self.activate(to);
        self.ring_until(to.minus(1));
        self.w.now = self.w.now.max(to);
    }

    /// New rules count from the first moment of their instant.
    fn activate(&mut self, to: Millis) {
        while let Some(start) = self.editions.next(self.w.now).filter(|start| *start <= to) {
            self.ring_until(start.minus(1));
            self.w.now = start;
            self.rules = Arc::clone(self.editions.at(start).1);
            self.trigger = Trigger::Rules;
            self.judge();
        }
    }

    /// Lets every alarm go off that is due by then, at its own time.
    fn ring_until(&mut self, last: Millis) {
        while let Some((due, alarm)) = self.alarm().filter(|(due, _)| *due <= last) {
            self.w.now = due;
            self.trigger = Trigger::Alarm(alarm);
            self.ring(alarm);
            self.judge();
        }
    }

    fn take(&mut self, fact: &Fact, instant: Millis) {
        let counted = matches!(fact.what, What::Counted { .. });
        if !self.w.known && !counted {
            self.w.known = true;
            self.w.stage = self.rules.landmarks.entry;
            self.w.since = instant;
            self.w.touched = instant;
        }
        self.trigger = Trigger::Fact(fact.event);
        match &fact.what {
            What::Suppressed { whose, on } => self.suppress(*whose, *on),
            What::Field { field, value } => {
                self.w.fields.insert(*field, value.clone());
            }
            What::Act(act) => self.act(fact, act),
            What::Claim {
                system,
                stage,
                reason,
            } => self.claim(*system, *stage, *reason),
            What::Said { system, stage } => self.claim(*system, *stage, None),
            What::Qualified {
                ready,
                willing,
                reason,
            } => self.qualified(*ready, *willing, *reason),
            What::Deal { deal, standing } => self.deal(*deal, standing),
            What::Returned { reason } => self.returned(*reason),
            What::Delivered => self.delivered(),
            What::Score(score) => self.w.score = *score,
            What::Counted { closed } => self.count_on(*closed),
            What::OfDeal {
                deal,
                kind,
                actor,
                counts: true,
            } => {
                let open = self.w.deals.get(deal).map(|deal| &deal.standing);
                if matches!(open, Some(Standing::Open { .. })) {
                    self.note_attention(*kind, *actor, fact.happened(self.editions.quantum));
                }
            }
            What::OfDeal { counts: false, .. } => {}
        }
    }

    /// What the system takes later, of the same episode or of somebody who is back, hands nobody over.
    fn delivered(&mut self) {
        let now = self.w.now;
        let mut waits = self.w.episode.iter_mut();
        if let Some(episode) = waits.find(|episode| episode.delivered.is_none()) {
            episode.delivered = Some(now);
            self.signal(&Signal::Delivered);
        }
    }

    fn act(&mut self, fact: &Fact, act: &Act) {
        // A fact that came too late takes its place late, but it happened when it happened.
        let happened = fact.happened(self.editions.quantum).min(self.w.now);
        if act.actor == Actor::Buyer {
            let engagement = Engagement {
                at: happened,
                kind: act.kind,
                content: act.content.clone(),
                event: fact.event,
            };
            let recent = self.w.recent.entry(act.category).or_default();
            recent.push(engagement);
            let surplus = recent.len().saturating_sub(self.rules.ready.told);
            recent.drain(..surplus);
        }
        if let Some(campaign) = &act.campaign {
            let attribution = &mut self.w.attribution;
            attribution.first.get_or_insert_with(|| campaign.clone());
            attribution.last = Some(campaign.clone());
        }
        let is_new = self.w.line.is_none_or(|line| happened > line.at);
        if is_new && self.rules.ready.engagement.include(act.kind, act.actor) {
            self.w.engaged = Some(happened);
        }
        let accelerates = self.rules.ready.acceleration.contains(&act.kind);
        if is_new && accelerates && act.actor == Actor::Buyer {
            self.w.accelerated.insert(act.kind, fact.event);
        }
        self.note_attention(act.kind, act.actor, happened);
        self.signal_of_act(fact, act, happened);
    }

    /// The stage's stall time begins anew with an act that counts in it.
    fn note_attention(&mut self, kind: Name, actor: Actor, happened: Millis) {
        let counts = self
            .rules
            .stages
            .get(&self.w.stage)
            .and_then(|s| s.stall.as_ref())
            .is_some_and(|stall| stall.by.include(kind, actor));
        if counts && actor.is_human() {
            self.w.touched = self.w.touched.max(happened.min(self.w.now));
        }
    }

    fn count_on(&mut self, closed: u32) {
        self.w.closed = self.w.closed.max(closed);
        let number = self.w.closed.saturating_add(1);
        if let Some(episode) = &mut self.w.episode {
            episode.number = number;
        }
    }

    /// Conditions are levels: they are looked at again after everything that happens.
    fn judge(&mut self) {
        if self.w.known {
            while self.judge_once() {}
            self.pause_clocks();
            self.tell_campaign();
        }
    }

    fn judge_once(&mut self) -> bool {
        let rules = Arc::clone(&self.rules);
        let marks = rules.landmarks;
        if self.w.stage != marks.disqualified {
            let found = rules
                .disqualify
                .iter()
                .find(|(condition, _)| condition.holds(&self.w.view()));
            if let Some((_, reason)) = found {
                self.move_to(marks.disqualified, Some(*reason), None);
                return true;
            }
        }
        if rules.phase(self.w.stage) != Some(Phase::Nurtured) {
            return false;
        }
        if self.is_ready() {
            self.move_to(marks.ready, None, None);
            return true;
        }
        if self.w.stage == marks.entry && rules.nurture.holds(&self.w.view()) {
            self.move_to(marks.nurture, None, None);
            return true;
        }
        false
    }

    /// The gate between nurture and sales.
    fn is_ready(&self) -> bool {
        let ready = &self.rules.ready;
        let by_score = self.earned() >= ready.threshold;
        let by_act = |counts: &dyn Fn(&Name) -> bool| self.w.accelerated.keys().any(counts);
        let triggered = if self.w.cooling.is_some() {
            by_act(&|kind| ready.acceleration.contains(kind) && ready.in_cool_down.contains(kind))
        } else {
            by_score || by_act(&|kind| ready.acceleration.contains(kind))
        };
        let afresh = self
            .w
            .line
            .is_none_or(|line| self.w.score > line.score && self.w.engaged.is_some());
        let view = self.w.view();
        triggered
            && afresh
            && self.w.now >= self.editions.began()
            && !view.suppressed
            && ready.fit.holds(&view)
            && ready.consent.holds(&view)
    }

    fn earned(&self) -> Decimal {
        let Some(line) = self.w.line else {
            return self.w.score;
        };
        let forgotten = match self.rules.recycling.baseline {
            Baseline::Reset => line.score,
            Baseline::Halve => line.score / Decimal::TWO,
            Baseline::Keep => Decimal::ZERO,
        };
        self.w.score - forgotten
    }

    pub(super) fn guards(&self) -> Guards {
        let view = self.w.view();
        let free = self.unprotected(self.w.now);
        Guards {
            score: self.w.score,
            earned: self.earned(),
            fit: self.rules.ready.fit.holds(&view),
            consent: self.rules.ready.consent.holds(&view),
            suppressed: view.suppressed,
            cooling_until: self.w.cooling,
            engaged: self.w.engaged,
            accelerated: self.w.accelerated.values().next().copied(),
            ready: self.w.ready,
            willing: self.w.willing,
            protected_until: (free > self.w.now).then_some(free),
            recycles: self.recycles_in_window(),
        }
    }

    pub(super) fn object(&mut self, why: Why) {
        self.course.objections.push(Objection {
            at: self.w.now,
            trigger: self.trigger.clone(),
            why,
        });
    }
}
