//! The stage machine, tick by tick.
//!
//! It looks at every quantum between the first fact and the end: first at new rules, then at the facts of that instant
//! in their order, last at what time has done. Whether something is due it finds by asking each condition at each
//! tick; nothing is computed ahead. So every duration must be whole quanta, and business hours too.
//!
//! # Readings
//!
//! 1. A claim of a stage that the system has no say in, or that is neither forward nor along an edge, moves nobody. A
//!    claim of the stage that the person is in says nothing.
//! 2. A claim of the recycled stage is sales giving the person back.
//! 3. Qualification counts only while the person is ready or in review, and for that episode.
//! 4. After any closing the person is ready again only with points above the score of the closing and with an
//!    engagement after it; with an accelerating act too. Such an act waits for the other conditions.
//! 5. An engagement or an accelerating act at the instant of a closing, or before, is not new.
//! 6. A deal that was open when an episode ended says nothing until its stage changes or it ends.
//! 7. A customer whose further deal is lost goes on as a customer; with another one won on the same trip they are won.
//!    Whose only won deal turns out to be lost was no customer.
//! 8. Protection is for people beyond review; what would have been due then is due when it ends.
//! 9. Somebody with a stage of sales has an episode; the first such stage opens it, and the first other one ends it.
//! 10. A clock's reminder, breach and escalation belong to the instant at which so much business time has passed.

mod deals;
mod time;

use std::collections::BTreeMap;

use baton_core::{
    id::EntityId,
    lifecycle::{
        course::Closed,
        fact::{Act, Actor, Fact, Standing, Suppression, What},
        predicate::{Predicate, View},
        rules::{
            Acts, Baseline, Beyond, ClockRule, CoolDown, Editions, FunnelRules, Phase, Signal,
        },
    },
    name::Name,
    state::Sorted,
    time::Millis,
    value::Value,
};
use rust_decimal::Decimal;

use super::calendar;

/// One line of what happened.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Line {
    Moved {
        from: Name,
        to: Name,
        reason: Option<Name>,
        episode: Option<u32>,
        version: String,
    },
    Closed {
        episode: u32,
        from: Name,
        reason: Option<Name>,
        kind: Closed,
        open_deals: Vec<EntityId>,
    },
    HandedOver {
        episode: u32,
    },
    Reminded(Name, u8),
    Breached(Name),
    Escalated(Name, Name),
    /// How a clock ended.
    Ended(Name, String),
    Nudged(Name),
    /// A deal was won, or lost.
    Outcome(EntityId, bool),
    /// A fact or an alarm moved nobody.
    Objected,
}

/// The stage at the end, and what happened when.
#[must_use]
pub fn play(facts: &[Fact], editions: &Editions, as_of: Millis) -> (Name, Vec<(Millis, Line)>) {
    let quantum = editions.quantum;
    let mut facts: Vec<&Fact> = facts.iter().collect();
    facts.sort_by_key(|f| f.place(quantum));
    let entry = editions.at(Millis::UNTIMED).1.landmarks.entry;
    let Some(first) = facts.first() else {
        return (entry, Vec::new());
    };
    let start = first.place(quantum).instant;
    let mut machine = Machine::new(editions, start);
    let mut now = start;
    while now <= as_of {
        machine.tick(now);
        let at_once: Vec<_> = facts
            .iter()
            .filter(|f| f.place(quantum).instant == now)
            .collect();
        for (nth, fact) in at_once.iter().enumerate() {
            machine.hear(fact);
            // Suppression and fields of one instant are one thing that is known.
            let more = at_once
                .get(nth + 1)
                .is_some_and(|next| next.what.is_level());
            if !(more && fact.what.is_level()) {
                machine.judge();
            }
        }
        machine.time_passes();
        now = now.plus(quantum);
    }
    (machine.stage, machine.lines)
}

struct Machine<'e> {
    editions: &'e Editions,
    rules: &'e FunnelRules,
    known: bool,
    now: Millis,
    lines: Vec<(Millis, Line)>,
    stage: Name,
    since: Millis,
    stage_by_deal: bool,
    last_act: Millis,
    stall_over: bool,
    nudged: bool,
    age_over: bool,
    suppressions: Vec<Suppression>,
    fields: Sorted<Name, Value>,
    score: Decimal,
    episode: Option<u32>,
    /// The CRM has confirmed that it has the person, in this episode.
    delivered: bool,
    /// When that episode began.
    opened: Millis,
    /// When each deal was won last.
    won_at: BTreeMap<EntityId, Millis>,
    closings: Vec<(Millis, Closed, Decimal)>,
    cooling: Option<Millis>,
    engagements: Vec<Millis>,
    accelerations: Vec<(Millis, Name)>,
    ready: Option<bool>,
    willing: Option<bool>,
    deals: BTreeMap<EntityId, (Standing, bool)>,
    customer: bool,
    clocks: BTreeMap<Name, Clock<'e>>,
}

struct Clock<'e> {
    rule: &'e ClockRule,
    rules: &'e FunnelRules,
    calendar: Name,
    started: Millis,
    used: i64,
    stands: bool,
    touches: u32,
    reminded: usize,
    escalated: usize,
    breached: bool,
}

impl<'e> Machine<'e> {
    fn new(editions: &'e Editions, start: Millis) -> Self {
        let rules = editions.at(start).1;
        Self {
            editions,
            rules,
            known: false,
            now: start,
            lines: Vec::new(),
            stage: rules.landmarks.entry,
            since: start,
            stage_by_deal: false,
            last_act: start,
            stall_over: false,
            nudged: false,
            age_over: false,
            suppressions: Vec::new(),
            fields: Sorted::new(),
            score: Decimal::ZERO,
            episode: None,
            delivered: false,
            opened: Millis::UNTIMED,
            won_at: BTreeMap::new(),
            closings: Vec::new(),
            cooling: None,
            engagements: Vec::new(),
            accelerations: Vec::new(),
            ready: None,
            willing: None,
            deals: BTreeMap::new(),
            customer: false,
            clocks: BTreeMap::new(),
        }
    }

    fn say(&mut self, line: Line) {
        self.lines.push((self.now, line));
    }

    fn holds(&self, condition: &Predicate) -> bool {
        condition.holds(&View {
            fields: &self.fields,
            stage: self.stage,
            since: self.since,
            suppressed: !self.suppressions.is_empty(),
            now: self.now,
        })
    }

    fn phase(&self, stage: Name) -> Option<Phase> {
        self.rules.stages.get(&stage).map(|s| s.phase)
    }

    fn rank(&self, stage: Name) -> Option<u8> {
        self.rules.stages.get(&stage).map(|s| s.rank)
    }

    fn legal(&self, to: Name) -> bool {
        self.rank(to) > self.rank(self.stage) || self.rules.edges.contains(&(self.stage, to))
    }

    /// Clocks go on; new rules are looked at.
    fn tick(&mut self, now: Millis) {
        let before = self.now;
        self.now = now;
        for clock in self.clocks.values_mut().filter(|c| !c.stands) {
            let hours = clock.rules.calendars[&clock.calendar].hours();
            clock.used += calendar::elapsed(hours, before, now);
        }
        let (start, rules) = self.editions.at(now);
        self.rules = rules;
        if start == now && self.known {
            self.judge();
        }
        self.known = true;
    }

    fn hear(&mut self, fact: &Fact) {
        match &fact.what {
            What::Suppressed { whose, on } => {
                self.suppressions.retain(|s| s != whose);
                if *on {
                    self.suppressions.push(*whose);
                }
            }
            What::Field { field, value } => {
                self.fields.insert(*field, value.clone());
            }
            What::Score(score) => self.score = *score,
            // Merges are not played here.
            What::Counted { .. } => {}
            What::Act(act) => self.hear_act(fact, act),
            What::Claim {
                system,
                stage,
                reason,
            } => self.hear_claim(*system, *stage, *reason),
            What::Said { system, stage } => self.hear_claim(*system, *stage, None),
            What::Qualified {
                ready,
                willing,
                reason,
            } => self.hear_qualified(*ready, *willing, *reason),
            What::Deal { deal, standing } => self.hear_deal(*deal, standing),
            What::OfDeal {
                deal,
                kind,
                actor,
                counts,
            } => {
                let open = self.deals.get(deal).map(|(standing, _)| standing);
                let together = matches!(open, Some(Standing::Open { .. }));
                if *counts && together {
                    self.hear_attention(*kind, *actor, fact.time.floor(self.editions.quantum));
                }
            }
            What::Returned { reason } => self.returned(*reason),
            What::Delivered => {
                if self.episode.is_some() && !self.delivered {
                    self.delivered = true;
                    self.stop(&[Signal::Delivered]);
                    self.start(&[Signal::Delivered]);
                }
            }
        }
    }

    fn hear_act(&mut self, fact: &Fact, act: &Act) {
        let happened = fact.time.floor(self.editions.quantum);
        if includes(&self.rules.ready.engagement, act) {
            self.engagements.push(happened);
        }
        if act.actor == Actor::Buyer && self.rules.ready.acceleration.contains(&act.kind) {
            self.accelerations.push((happened, act.kind));
        }
        self.hear_attention(act.kind, act.actor, happened);
        let names: Vec<Name> = self.clocks.keys().copied().collect();
        for name in names {
            let clock = self.clocks.get_mut(&name).expect("it runs");
            let counts = clock.rule.stop.iter().any(|s| is_act(s, act));
            if counts && clock.started <= happened {
                clock.touches += 1;
                if clock.touches >= clock.rule.touches {
                    self.end_clock(name, false);
                }
            }
        }
        for (name, rule) in &self.rules.clocks {
            if rule.start.iter().any(|s| is_act(s, act)) {
                self.start_clock(*name, rule);
            }
        }
    }

    fn hear_attention(&mut self, kind: Name, actor: Actor, happened: Millis) {
        let stall = self
            .rules
            .stages
            .get(&self.stage)
            .and_then(|s| s.stall.as_ref());
        let machine = matches!(actor, Actor::Automation | Actor::Baton);
        let counts =
            stall.is_some_and(|s| s.by.kinds.contains(&kind) && s.by.actors.contains(&actor));
        if counts && !machine && happened > self.last_act {
            self.last_act = happened;
            self.stall_over = false;
            self.nudged = false;
        }
    }

    fn hear_claim(&mut self, system: Name, stage: Name, reason: Option<Name>) {
        if stage == self.stage && self.rank(stage).is_some() {
            return;
        }
        let theirs = self
            .rules
            .stages
            .get(&stage)
            .is_some_and(|s| s.claimed_by.contains(&system));
        if !theirs {
            self.say(Line::Objected);
        } else if stage == self.rules.landmarks.recycled {
            self.returned(reason);
        } else if stage == self.rules.landmarks.disqualified || self.legal(stage) {
            self.go(stage, reason, None);
        } else {
            self.say(Line::Objected);
        }
    }

    fn hear_qualified(&mut self, ready: Option<bool>, willing: Option<bool>, reason: Option<Name>) {
        let marks = self.rules.landmarks;
        if ![marks.ready, marks.review].contains(&self.stage) {
            self.say(Line::Objected);
            return;
        }
        if ready.is_some() {
            self.ready = ready;
        }
        if willing.is_some() {
            self.willing = willing;
        }
        self.stop(&[Signal::Qualified]);
        self.start(&[Signal::Qualified]);
        if self.stage == marks.ready {
            self.go(marks.review, None, None);
        }
        if self.ready == Some(false) {
            self.recycle(self.reason_or(reason, self.rules.recycling.not_ready));
        } else if self.willing == Some(false) {
            self.recycle(self.reason_or(reason, self.rules.recycling.not_willing));
        } else if self.ready == Some(true) && self.willing == Some(true) {
            self.go(marks.accepted, None, None);
        }
    }

    fn returned(&mut self, reason: Option<Name>) {
        self.recycle(self.reason_or(reason, self.rules.recycling.returned));
    }

    fn reason_or(&self, given: Option<Name>, otherwise: Name) -> Name {
        match given {
            Some(reason) if self.rules.recycling.reasons.contains_key(&reason) => reason,
            _ => otherwise,
        }
    }

    fn recycle(&mut self, reason: Name) {
        let to = self.rules.landmarks.recycled;
        let worked = self.phase(self.stage) == Some(Phase::Worked);
        if !worked || self.protected() || !self.legal(to) {
            self.say(Line::Objected);
            return;
        }
        let recycling = &self.rules.recycling;
        let recent = self
            .closings
            .iter()
            .filter(|(at, kind, _)| {
                *kind == Closed::Recycled && self.now.since(*at) < recycling.window
            })
            .count();
        if recent < recycling.most {
            self.go(to, Some(reason), Some(Closed::Recycled));
            return;
        }
        match recycling.beyond {
            Beyond::Disqualify(_) => {
                let out = self.rules.landmarks.disqualified;
                self.go(out, Some(reason), Some(Closed::Exhausted));
            }
            Beyond::LongNurture(_) => {
                let nurture = self.rules.landmarks.nurture;
                self.go(nurture, Some(reason), Some(Closed::LongNurture));
            }
        }
    }

    fn go(&mut self, to: Name, reason: Option<Name>, recycling: Option<Closed>) {
        let marks = self.rules.landmarks;
        let from = self.stage;
        let handed_before = self.episode.is_some();
        self.stage = to;
        self.since = self.now;
        self.last_act = self.now;
        self.stall_over = false;
        self.nudged = false;
        self.age_over = false;
        self.stage_by_deal = false;
        self.stop(&[Signal::Leaves(from), Signal::Enters(to)]);
        let worked = self.phase(to) == Some(Phase::Worked);
        if let (Some(episode), false) = (self.episode, worked) {
            let kind = match recycling {
                Some(kind) => kind,
                None if to == marks.won => Closed::Won,
                None if to == marks.lost => Closed::Lost,
                None if to == marks.disqualified => Closed::Disqualified,
                None => Closed::Left,
            };
            let mut open_deals = Vec::new();
            for (deal, (standing, aside)) in &mut self.deals {
                if matches!(standing, Standing::Open { .. }) && !*aside {
                    *aside = true;
                    open_deals.push(*deal);
                }
            }
            let running: Vec<Name> = self.clocks.keys().copied().collect();
            for name in running {
                self.end_clock(name, true);
            }
            self.closings.push((self.now, kind, self.score));
            if kind == Closed::Recycled {
                let reason = reason.and_then(|r| self.rules.recycling.reasons.get(&r));
                self.cooling = reason.map(|r| match r.cool_down {
                    CoolDown::For(span) => self.now.plus(span),
                    CoolDown::Forever => Millis::NEVER,
                });
            }
            self.say(Line::Closed {
                episode,
                from,
                reason,
                kind,
                open_deals,
            });
            self.episode = None;
        }
        if worked && !handed_before {
            self.episode = Some(1 + u32::try_from(self.closings.len()).expect("few"));
            self.delivered = false;
            self.opened = self.now;
            self.ready = None;
            self.willing = None;
            self.cooling = None;
        }
        let told_reason = match (recycling, self.rules.recycling.beyond) {
            (Some(Closed::Exhausted), Beyond::Disqualify(exhausted)) => Some(exhausted),
            _ => reason,
        };
        self.say(Line::Moved {
            from,
            to,
            reason: told_reason,
            episode: self.episode,
            version: self.rules.version.to_string(),
        });
        if let (Some(episode), true) = (self.episode, to == marks.ready) {
            self.say(Line::HandedOver { episode });
        }
        self.start(&[Signal::Leaves(from), Signal::Enters(to)]);
    }

    fn judge(&mut self) {
        let marks = self.rules.landmarks;
        loop {
            let unfit = self.rules.disqualify.iter().find(|(c, _)| self.holds(c));
            if let (Some((_, reason)), true) = (unfit, self.stage != marks.disqualified) {
                self.go(marks.disqualified, Some(*reason), None);
            } else if self.phase(self.stage) == Some(Phase::Nurtured) && self.gate() {
                self.go(marks.ready, None, None);
            } else if self.stage == marks.entry && self.holds(&self.rules.nurture) {
                self.go(marks.nurture, None, None);
            } else {
                break;
            }
        }
        self.pauses();
    }

    fn gate(&self) -> bool {
        let ready = &self.rules.ready;
        let last = self.closings.last();
        let new = |at: Millis| last.is_none_or(|(closed, _, _)| at > *closed);
        let acts = |kinds: &dyn Fn(Name) -> bool| {
            self.accelerations
                .iter()
                .any(|(at, kind)| new(*at) && kinds(*kind))
        };
        let base = last.map_or(Decimal::ZERO, |(_, _, score)| *score);
        let earned = match self.rules.recycling.baseline {
            Baseline::Reset => self.score - base,
            Baseline::Halve => self.score - base / Decimal::TWO,
            Baseline::Keep => self.score,
        };
        let triggered = if self.cooling.is_some() {
            acts(&|kind| ready.acceleration.contains(&kind) && ready.in_cool_down.contains(&kind))
        } else {
            earned >= ready.threshold || acts(&|kind| ready.acceleration.contains(&kind))
        };
        let engaged = self.engagements.iter().any(|at| new(*at));
        let again = last.is_none() || self.score > base && engaged;
        triggered
            && again
            && self.suppressions.is_empty()
            && self.holds(&ready.fit)
            && self.holds(&ready.consent)
    }
}

fn includes(acts: &Acts, act: &Act) -> bool {
    acts.kinds.contains(&act.kind) && acts.actors.contains(&act.actor)
}

fn is_act(signal: &Signal, act: &Act) -> bool {
    match signal {
        Signal::Act(acts) => includes(acts, act),
        _ => false,
    }
}
