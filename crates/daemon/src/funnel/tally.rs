//! Counting for [`Report`]: each person's place and each deed is looked at once, and is not kept.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    id::{Digest, EntityId},
    lifecycle::{rules::Phase, setup::Setup},
    name::Name,
    time::Millis,
};
use baton_store::{Deed, Stands};

use super::{ClockFigures, Late, MoveFigures, Report, StageFigures};

pub struct Tally<'s> {
    setup: &'s Setup,
    since: Millis,
    at: Millis,
    stages: BTreeMap<Name, Stage>,
    moves: BTreeMap<(Name, Name), Moves>,
    handoffs: u64,
    recycled: u64,
    keys: BTreeSet<Key>,
    revoked: u64,
    recycles: BTreeMap<String, u64>,
    exhausted: u64,
    clocks: BTreeMap<Name, ClockFigures>,
    /// Who stands where people are ready for sales, in which trip towards it.
    ready: BTreeSet<(EntityId, Option<u32>)>,
    /// Since when the first of them has been there.
    ready_since: Option<Millis>,
    /// To whom a promise was broken, in which trip.
    broken: BTreeSet<(EntityId, Option<u32>)>,
    without_effect: u64,
    late: Late,
}

/// L9's key of a return to nurture: the original person, the episode, the stage, the reason and the attempt.
type Key = (
    Option<Digest>,
    Option<u32>,
    Option<Name>,
    Option<Name>,
    Option<u32>,
);

#[derive(Default)]
struct Stage {
    /// How long each who stands there has been there, in milliseconds.
    there: Vec<i64>,
    entered: u64,
    left: u64,
    forward: u64,
    /// How long each who left had been there.
    took: Vec<i64>,
}

#[derive(Default)]
struct Moves {
    people: u64,
    took: Vec<i64>,
}

impl<'s> Tally<'s> {
    pub fn new(setup: &'s Setup, since: Millis, at: Millis) -> Self {
        let stages = setup.rules.stages.keys();
        Self {
            setup,
            since,
            at,
            stages: stages.map(|stage| (*stage, Stage::default())).collect(),
            moves: BTreeMap::new(),
            handoffs: 0,
            recycled: 0,
            keys: BTreeSet::new(),
            revoked: 0,
            recycles: BTreeMap::new(),
            exhausted: 0,
            clocks: BTreeMap::new(),
            ready: BTreeSet::new(),
            ready_since: None,
            broken: BTreeSet::new(),
            without_effect: 0,
            late: Late::default(),
        }
    }

    /// Where somebody stood at the end of the period.
    pub fn stands(&mut self, stands: &Stands) {
        let began = self.began_here(stands.stage, Some(stands.since));
        let stage = self.stages.entry(stands.stage).or_default();
        stage.there.push(self.at.since(stands.since));
        stage.entered += u64::from(began);
        if stands.stage == self.setup.rules.landmarks.ready {
            self.ready.insert((stands.entity, stands.episode));
            let first = self.ready_since.unwrap_or(Millis::NEVER);
            self.ready_since = Some(first.min(stands.since));
        }
    }

    /// Nobody was looked at, and nothing that was done.
    pub fn is_empty(&self) -> bool {
        let nobody = self.stages.values().all(|stage| stage.there.is_empty());
        nobody
            && self.moves.is_empty()
            && self.recycled + self.handoffs == 0
            && self.clocks.is_empty()
    }

    /// The time before the period in which a promise to somebody who still waits may have been broken. Where everybody
    /// stands must be known.
    pub fn before(&self) -> Option<(Millis, Millis)> {
        let since = self.ready_since.filter(|since| *since < self.since)?;
        Some((since, self.since.minus(1)))
    }

    /// Something that fell due then.
    pub fn earlier(&mut self, deed: &Deed) {
        let is_undone = deed.undone.is_some_and(|undone| undone <= self.at);
        let trip = (deed.entity, deed.episode);
        if deed.what == "breach" && !deed.shadow && !is_undone && self.ready.contains(&trip) {
            self.broken.insert(trip);
        }
    }

    /// Something that fell due in the period.
    pub fn deed(&mut self, deed: &Deed) {
        if deed.at > self.at {
            let is_deed = !matches!(deed.what.as_str(), "undone" | "without_effect");
            self.late.made += u64::from(is_deed);
            return;
        }
        let is_undone = deed.undone.is_some_and(|undone| undone <= self.at);
        self.late.taken_back += u64::from(deed.undone.is_some() && !is_undone);
        if let Some(clock) = deed.clock {
            self.promise(clock, deed, is_undone);
        }
        if deed.what == "recycle" {
            self.recycled += 1;
            self.keys.insert((
                deed.original,
                deed.episode,
                deed.from,
                deed.reason,
                deed.attempt,
            ));
            self.revoked += u64::from(is_undone);
        }
        if is_undone {
            return;
        }
        match deed.what.as_str() {
            "transition" => self.moved(deed),
            "handoff" => self.handoffs += 1,
            "recycle" => {
                let reason = deed.reason.map_or("", Name::as_str);
                *self.recycles.entry(reason.to_owned()).or_default() += 1;
            }
            "exhausted" | "long_nurture" => self.exhausted += 1,
            "without_effect" => self.without_effect += 1,
            _ => {}
        }
    }

    fn moved(&mut self, deed: &Deed) {
        let took = deed.since.map(|since| deed.due.since(since).max(0));
        let is_forward = self.is_forward(deed);
        if let Some(from) = deed.from {
            let began = self.began_here(from, deed.since);
            let stage = self.stages.entry(from).or_default();
            stage.left += 1;
            stage.forward += u64::from(is_forward);
            stage.took.extend(took);
            stage.entered += u64::from(began);
        }
        if let Some(to) = deed.to {
            self.stages.entry(to).or_default().entered += 1;
        }
        if let (Some(from), Some(to)) = (deed.from, deed.to) {
            let moves = self.moves.entry((from, to)).or_default();
            moves.people += 1;
            moves.took.extend(took);
        }
    }

    /// Nobody moves to where everybody begins: who came there is who is there since, or left it since.
    fn began_here(&self, stage: Name, since: Option<Millis>) -> bool {
        let in_period = since.is_some_and(|since| since >= self.since);
        stage == self.setup.rules.landmarks.entry && in_period
    }

    fn is_forward(&self, moved: &Deed) -> bool {
        let marks = &self.setup.rules.landmarks;
        let rank = |stage: Option<Name>| stage.and_then(|stage| self.setup.rules.rank(stage));
        let aside = [Some(marks.disqualified), Some(marks.lost)];
        rank(moved.to) > rank(moved.from) && !aside.contains(&moved.to)
    }

    fn promise(&mut self, clock: Name, deed: &Deed, is_undone: bool) {
        let figures = self.clocks.entry(clock).or_default();
        match deed.what.as_str() {
            "breach" if deed.shadow => figures.shadow += 1,
            "breach" if is_undone => figures.taken_back += 1,
            "breach" => {
                figures.breaches += 1;
                self.broken.insert((deed.entity, deed.episode));
            }
            "kept" if !deed.shadow && !is_undone => figures.kept += 1,
            "reminder" => figures.reminders += 1,
            "escalation" => figures.escalations += 1,
            _ => {}
        }
    }

    /// The figures of everything that was looked at.
    pub fn report(self) -> Report {
        debug_assert_eq!(
            self.setup.rules.phase(self.setup.rules.landmarks.ready),
            Some(Phase::Worked)
        );
        let rules = &self.setup.rules;
        let mut moves: Vec<((Name, Name), Moves)> = self.moves.into_iter().collect();
        moves.sort_by_key(|((from, to), _)| (rules.rank(*from), rules.rank(*to)));
        let mut stages: Vec<(Name, Stage)> = self.stages.into_iter().collect();
        // Stages of earlier rules, in which somebody still stands or stood, come last.
        stages.sort_by_key(|(stage, _)| (rules.rank(*stage).unwrap_or(u8::MAX), *stage));
        Report {
            since: self.since,
            at: self.at,
            definition: self.setup.definition.to_string(),
            stages: stages
                .into_iter()
                .map(|(name, stage)| stage.figures(name, self.setup))
                .collect(),
            moves: moves
                .into_iter()
                .map(|((from, to), moves)| MoveFigures {
                    from,
                    to,
                    people: moves.people,
                    median_time: median(moves.took),
                })
                .collect(),
            handoffs: self.handoffs,
            recycled: self.recycled,
            recycle_keys: self.keys.len() as u64,
            revoked: self.revoked,
            recycles: self.recycles,
            exhausted: self.exhausted,
            breaches: self.clocks.values().map(|clock| clock.breaches).sum(),
            kept: self.clocks.values().map(|clock| clock.kept).sum(),
            leaked: self.ready.intersection(&self.broken).count() as u64,
            clocks: self.clocks,
            without_effect: self.without_effect,
            late: self.late,
        }
    }
}

impl Stage {
    fn figures(self, stage: Name, setup: &Setup) -> StageFigures {
        let text = setup.stages.get(&stage);
        StageFigures {
            stage,
            owner: text.map(|text| text.owner.to_string()).unwrap_or_default(),
            people: self.there.len() as u64,
            median_there: median(self.there),
            entered: self.entered,
            left: self.left,
            forward: self.forward,
            median_time: median(self.took),
        }
    }
}

fn median(mut of: Vec<i64>) -> Option<i64> {
    let middle = of.len() / 2;
    (!of.is_empty()).then(|| *of.select_nth_unstable(middle).1)
}
