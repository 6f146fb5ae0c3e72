//! The funnel's rules as the fold uses them. All durations are milliseconds.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use compact_str::CompactString;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{calendar::Calendar, fact::Actor, predicate::Predicate, words::Tells};
use crate::{name::Name, time::Millis};

/// One version of the funnel.
#[derive(Clone, Debug)]
pub struct FunnelRules {
    /// Stands in every transition.
    pub version: CompactString,
    pub stages: BTreeMap<Name, StageRule>,
    pub landmarks: Landmarks,
    /// Moves to a stage of a lower or equal rank that are legal all the same: (from, to).
    pub edges: BTreeSet<(Name, Name)>,
    /// Who may be nurtured.
    pub nurture: Predicate,
    pub ready: Ready,
    pub recycling: Recycling,
    /// Whoever satisfies one of these is disqualified, with its reason.
    pub disqualify: Vec<(Predicate, Name)>,
    /// What becomes of a person whose last open deal was lost, by the reason; others stay lost.
    pub after_lost: BTreeMap<Name, AfterLost>,
    /// A worked person with an open deal that closes within this is neither stalled nor given back.
    pub protect_closing_within: i64,
    pub clocks: BTreeMap<Name, ClockRule>,
    pub calendars: BTreeMap<Name, Arc<Calendar>>,
    /// What the systems are told of moves.
    pub tells: Tells,
}

impl FunnelRules {
    #[must_use]
    pub fn rank(&self, stage: Name) -> Option<u8> {
        self.stages.get(&stage).map(|s| s.rank)
    }

    #[must_use]
    pub fn phase(&self, stage: Name) -> Option<Phase> {
        self.stages.get(&stage).map(|s| s.phase)
    }

    /// Forward, along a declared edge, or out of a stage that these rules do not know.
    #[must_use]
    pub fn is_legal(&self, from: Name, to: Name) -> bool {
        match (self.rank(from), self.rank(to)) {
            (Some(from_rank), Some(to_rank)) => {
                to_rank > from_rank || self.edges.contains(&(from, to))
            }
            (None, Some(_)) => true,
            (_, None) => false,
        }
    }

    /// Every condition of these rules.
    pub fn predicates(&self) -> impl Iterator<Item = &Predicate> {
        let stages = self.stages.values().flat_map(|stage| {
            let stall = stage.stall.iter().map(|s| &s.scope);
            stall.chain(stage.age.iter().map(|a| &a.scope))
        });
        let clocks = self.clocks.values().flat_map(|clock| {
            let choices = clock.calendars.iter().map(|(condition, _)| condition);
            choices.chain(&clock.pause).chain([&clock.scope])
        });
        let out = self.disqualify.iter().map(|(condition, _)| condition);
        [&self.nurture, &self.ready.fit, &self.ready.consent]
            .into_iter()
            .chain(out)
            .chain(stages)
            .chain(clocks)
    }

    /// The stages that a forward move passes over. Whoever leaves the funnel was not on the way to any of them.
    #[must_use]
    pub fn between(&self, from: Name, to: Name) -> Vec<Name> {
        let (Some(low), Some(high)) = (self.rank(from), self.rank(to)) else {
            return Vec::new();
        };
        if to == self.landmarks.disqualified {
            return Vec::new();
        }
        let aside = [
            self.landmarks.recycled,
            self.landmarks.lost,
            self.landmarks.disqualified,
        ];
        let mut passed: Vec<_> = self
            .stages
            .iter()
            .filter(|(name, s)| low < s.rank && s.rank < high && !aside.contains(name))
            .map(|(name, s)| (s.rank, *name))
            .collect();
        passed.sort_unstable();
        passed.into_iter().map(|(_, name)| name).collect()
    }
}

/// A stage and what is expected of a person in it.
#[derive(Clone, Debug)]
pub struct StageRule {
    pub rank: u8,
    pub phase: Phase,
    /// Systems whose word puts a person here.
    pub claimed_by: BTreeSet<Name>,
    pub stall: Option<Stall>,
    pub age: Option<GreatestAge>,
}

/// Whose business a person is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Marketing's, below the sales-ready line.
    Nurtured,
    /// Sales', in an episode.
    Worked,
    /// Nobody's, for now.
    Ended,
}

/// The stages that rules themselves speak of, under whichever names.
#[derive(Clone, Copy, Debug)]
pub struct Landmarks {
    pub entry: Name,
    pub nurture: Name,
    pub recycled: Name,
    pub ready: Name,
    pub review: Name,
    pub accepted: Name,
    pub opportunity: Name,
    pub won: Name,
    pub lost: Name,
    pub customer: Name,
    pub disqualified: Name,
}

/// The sales-ready line.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The two teams' name of this definition.
    pub definition: CompactString,
    pub threshold: Decimal,
    pub fit: Predicate,
    pub consent: Predicate,
    /// Acts of a buyer that make it ready whatever the score.
    pub acceleration: BTreeSet<Name>,
    /// Those of them that count during a cool-down.
    pub in_cool_down: BTreeSet<Name>,
    /// What must happen after a closing before the person is ready again.
    pub engagement: Acts,
    /// How many engagements of each category the handoff package tells.
    pub told: usize,
}

/// How, and how often, a person comes back to nurture.
#[derive(Clone, Debug)]
pub struct Recycling {
    pub reasons: BTreeMap<Name, Reason>,
    /// Reason of somebody who was recorded as not ready, where none is given.
    pub not_ready: Name,
    pub not_willing: Name,
    /// Reason of somebody whom sales gave back, where none is given.
    pub returned: Name,
    pub baseline: Baseline,
    /// A late fact that arrives no later than this after a recycle was carried out undoes it.
    pub grace: i64,
    /// So many recycles within the window are the most.
    pub most: usize,
    pub window: i64,
    pub beyond: Beyond,
}

/// Why somebody is recycled.
#[derive(Clone, Debug)]
pub struct Reason {
    pub track: Name,
    pub cool_down: CoolDown,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CoolDown {
    For(i64),
    Forever,
}

/// How much of the score at a closing still counts afterwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Baseline {
    /// None of it: all points must be earned again.
    Reset,
    Halve,
    /// All of it; but some point must be new.
    Keep,
}

/// Instead of one recycle too many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beyond {
    /// Disqualified with this reason.
    Disqualify(Name),
    /// Nurtured on this track.
    LongNurture(Name),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AfterLost {
    /// Nurtured on this track.
    Nurture(Name),
    Disqualify,
}

/// Acts of certain kinds by certain actors.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Acts {
    pub kinds: BTreeSet<Name>,
    pub actors: BTreeSet<Actor>,
}

impl Acts {
    #[must_use]
    pub fn include(&self, kind: Name, actor: Actor) -> bool {
        self.kinds.contains(&kind) && self.actors.contains(&actor)
    }
}

/// Nothing that counts happens for too long.
#[derive(Clone, Debug)]
pub struct Stall {
    /// Only for these people.
    pub scope: Predicate,
    pub after: i64,
    /// What counts; machines' acts never do.
    pub by: Acts,
    pub reason: Name,
    /// A last try at a share of the time, in per cent.
    pub reengage: Option<(u8, Name)>,
    pub mode: Mode,
}

/// However busy, the person gets no further.
#[derive(Clone, Debug)]
pub struct GreatestAge {
    /// Only for these people.
    pub scope: Predicate,
    pub after: i64,
    pub reason: Name,
    pub mode: Mode,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub enum Mode {
    #[default]
    Live,
    /// Decided and recorded, commands nothing.
    Shadow,
}

/// An obligation of one team to the other.
#[derive(Clone, Debug)]
pub struct ClockRule {
    /// Only for these people, judged when it would start.
    pub scope: Predicate,
    pub mode: Mode,
    pub start: Vec<Signal>,
    /// Any of these ends it; of acts it takes `touches`.
    pub stop: Vec<Signal>,
    pub touches: u32,
    /// It stands still while this holds.
    pub pause: Option<Predicate>,
    /// Business time.
    pub target: i64,
    /// The first whose condition holds when the clock starts; else the last of all.
    pub calendars: Vec<(Predicate, Name)>,
    pub calendar: Name,
    /// At these shares of the target, in per cent, rising.
    pub reminders: Vec<u8>,
    /// So much business time after the target, told to whom; rising.
    pub escalation: Vec<(i64, Name)>,
    pub consequence: Consequence,
}

/// What starts and stops clocks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Signal {
    Enters(Name),
    Leaves(Name),
    Act(Acts),
    /// The CRM has the handoff.
    Delivered,
    /// Readiness or willingness was recorded.
    Qualified,
}

/// What follows a breach, besides its being told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Consequence {
    Alert,
    /// To this queue.
    Reassign(Name),
    /// With this reason.
    Recycle(Name),
}

/// The versions of the rules in the order of their activation. What happens is judged by the version that was active
/// then; a clock keeps the one that it started under.
#[derive(Clone, Debug)]
pub struct Editions {
    /// Facts of one quantum happen at one instant; one for the whole installation.
    pub quantum: i64,
    /// What was before this instant is known, and nothing more: nobody crosses the line then, nothing is owed, and no
    /// time runs.
    began: Millis,
    /// By the instant from which they count.
    versions: Vec<(Millis, Arc<FunnelRules>)>,
}

impl Editions {
    /// The first version also counts for what was before it.
    #[must_use]
    pub fn new(quantum: i64, first: Arc<FunnelRules>) -> Self {
        Self {
            quantum,
            began: Millis::UNTIMED,
            versions: vec![(Millis::UNTIMED, first)],
        }
    }

    /// The funnel came into being then: people were known before, and nobody looked after them by these rules.
    #[must_use]
    pub fn since(mut self, began: Millis) -> Self {
        self.began = began.floor(self.quantum);
        self
    }

    #[must_use]
    pub const fn began(&self) -> Millis {
        self.began
    }

    /// From `at` on these rules count.
    pub fn activate(&mut self, at: Millis, rules: Arc<FunnelRules>) {
        let at = at.floor(self.quantum);
        self.versions.retain(|(start, _)| *start != at);
        self.versions.push((at, rules));
        self.versions.sort_by_key(|(start, _)| *start);
    }

    /// The version that was active, and since when.
    #[must_use]
    pub fn at(&self, instant: Millis) -> (Millis, &Arc<FunnelRules>) {
        let after = self
            .versions
            .partition_point(|(start, _)| *start <= instant);
        let (start, rules) = &self.versions[after.saturating_sub(1)];
        (*start, rules)
    }

    /// The next activation after an instant.
    #[must_use]
    pub fn next(&self, instant: Millis) -> Option<Millis> {
        let after = self
            .versions
            .partition_point(|(start, _)| *start <= instant);
        self.versions.get(after).map(|(start, _)| *start)
    }
}
