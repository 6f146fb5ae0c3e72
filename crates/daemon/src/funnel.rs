//! The funnel in figures: who stands where, how people go on, who came back to nurture and why, and which promises were
//! broken. As it was known at an instant; what was heard of later is named.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use baton_core::{
    id::{EntityId, Kind},
    lifecycle::{rules::Phase, setup::Setup},
    name::Name,
    time::Millis,
    value::Value,
};
use baton_store::{Deed, Stands, Store};
use serde::Serialize;

/// The figures of a period. All times are milliseconds.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    #[serde(serialize_with = "text")]
    pub since: Millis,
    #[serde(serialize_with = "text")]
    pub at: Millis,
    /// The two teams' name of the sales-ready definition.
    pub definition: String,
    /// From the lowest to the highest.
    pub stages: Vec<StageFigures>,
    /// Moves from stage to stage in the period, by the ranks of the stages.
    pub moves: Vec<MoveFigures>,
    /// People who were handed over to sales.
    pub handoffs: u64,
    /// Returns to nurture that were committed, those that were taken back included.
    pub recycled: u64,
    /// Distinct keys of these: person, episode, stage, reason and attempt. As many, or something was done twice.
    pub recycle_keys: u64,
    /// Those that were taken back, because of something that was heard of late.
    pub revoked: u64,
    /// Those that stand, by reason.
    pub recycles: BTreeMap<String, u64>,
    /// People who had come back too often, and were disqualified or nurtured for long instead.
    pub exhausted: u64,
    /// Promises that were broken; those that turned out to have been kept are left out.
    pub breaches: u64,
    /// Promises that were kept.
    pub kept: u64,
    pub clocks: BTreeMap<Name, ClockFigures>,
    /// People who became ready for sales and wait where they became it, a promise to them broken.
    pub leaked: u64,
    pub late: Late,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct StageFigures {
    pub stage: Name,
    /// Whose business people in it are.
    pub owner: String,
    /// At the end of the period.
    pub people: u64,
    /// The half of them have been there longer than this.
    pub median_there: Option<i64>,
    /// In the period.
    pub entered: u64,
    pub left: u64,
    /// Of those who left.
    pub forward: u64,
    /// The half of those who left had been there longer than this.
    pub median_time: Option<i64>,
}

impl StageFigures {
    /// The share of those who left that went forward, in per cent.
    #[must_use]
    pub fn conversion(&self) -> Option<u64> {
        (self.forward * 100).checked_div(self.left)
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MoveFigures {
    pub from: Name,
    pub to: Name,
    pub people: u64,
    pub median_time: Option<i64>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ClockFigures {
    pub kept: u64,
    pub reminders: u64,
    pub breaches: u64,
    /// Breaches that turned out to be none: what was heard of late had happened in time, or the episode had ended.
    pub taken_back: u64,
    pub escalations: u64,
    /// Breaches of a clock that only watches.
    pub shadow: u64,
}

/// What had happened by the end of the period and was heard of after it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Late {
    /// Not in the figures.
    pub made: u64,
    /// In the figures, and taken back since.
    pub taken_back: u64,
}

impl Report {
    /// Reads the figures of a period, as they were known at its end.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn read(
        store: &Store,
        setup: &Setup,
        since: Millis,
        at: Millis,
    ) -> Result<Self, baton_store::Error> {
        let standings = store.standings(at).await?;
        let deeds = store.deeds(since, at).await?;
        Ok(Self::of(setup, &standings, &deeds, since, at))
    }

    /// The same for people of each value of a field: of the golden value as it is now. Blank is an empty text.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn read_by(
        store: &Store,
        setup: &Setup,
        field: Name,
        since: Millis,
        at: Millis,
    ) -> Result<BTreeMap<String, Self>, baton_store::Error> {
        let segments = segments(store, field).await?;
        let segment = |entity| segments.get(&entity).cloned().unwrap_or_default();
        let mut all: BTreeMap<String, (Vec<Stands>, Vec<Deed>)> = BTreeMap::new();
        for stands in store.standings(at).await? {
            let of = all.entry(segment(stands.entity)).or_default();
            of.0.push(stands);
        }
        for deed in store.deeds(since, at).await? {
            let of = all.entry(segment(deed.entity)).or_default();
            of.1.push(deed);
        }
        let all = all.into_iter();
        Ok(all
            .map(|(value, (standings, deeds))| {
                (value, Self::of(setup, &standings, &deeds, since, at))
            })
            .collect())
    }

    /// People in stages in which sales works on them.
    #[must_use]
    pub fn worked(&self, setup: &Setup) -> u64 {
        let worked = |s: &&StageFigures| setup.rules.phase(s.stage) == Some(Phase::Worked);
        self.stages.iter().filter(worked).map(|s| s.people).sum()
    }

    /// Where everybody stood at the end, and everything that fell due in the period.
    #[must_use]
    pub fn of(
        setup: &Setup,
        standings: &[Stands],
        deeds: &[Deed],
        since: Millis,
        at: Millis,
    ) -> Self {
        let known: Vec<&Deed> = deeds.iter().filter(|deed| deed.at <= at).collect();
        let (undone, standing): (Vec<&Deed>, Vec<&Deed>) = known
            .iter()
            .partition(|deed| deed.undone.is_some_and(|undone| undone <= at));
        let of = |what: &'static str| move |deed: &&&Deed| deed.what == what;
        let returns: Vec<&&Deed> = known.iter().filter(of("recycle")).collect();
        let keys: BTreeSet<_> = returns
            .iter()
            .map(|d| (d.original, d.episode, d.from, d.reason, d.attempt))
            .collect();
        let mut recycles = BTreeMap::new();
        for deed in standing.iter().filter(of("recycle")) {
            let reason = deed.reason.map_or("", Name::as_str);
            *recycles.entry(reason.to_owned()).or_default() += 1;
        }
        let clocks = clocks(&standing, &undone);
        let moves: Vec<&Deed> = standing.iter().filter(of("transition")).copied().collect();
        Self {
            since,
            at,
            definition: setup.definition.to_string(),
            stages: stages(setup, standings, &moves, since, at),
            moves: by_move(setup, &moves),
            handoffs: count(standing.iter().filter(of("handoff"))),
            recycled: count(returns.iter()),
            recycle_keys: count(keys.iter()),
            revoked: count(undone.iter().filter(of("recycle"))),
            recycles,
            exhausted: count(standing.iter().filter(of("exhausted")))
                + count(standing.iter().filter(of("long_nurture"))),
            breaches: clocks.values().map(|clock| clock.breaches).sum(),
            kept: clocks.values().map(|clock| clock.kept).sum(),
            leaked: leaked(setup, standings, &standing),
            clocks,
            late: Late {
                made: count(deeds.iter().filter(|d| d.at > at && d.what != "undone")),
                taken_back: count(
                    known
                        .iter()
                        .filter(|d| d.undone.is_some_and(|undone| undone > at)),
                ),
            },
        }
    }
}

/// People read at once.
const PAGE: u32 = 1_000;

async fn segments(
    store: &Store,
    field: Name,
) -> Result<HashMap<EntityId, String>, baton_store::Error> {
    let mut all = HashMap::new();
    let mut after = None;
    loop {
        let page = store.entities_page(Kind::Person, after, PAGE).await?;
        after = page.last().map(|state| state.id);
        if after.is_none() {
            return Ok(all);
        }
        for state in page {
            let value = state.golden_value(field);
            if !value.is_blank() {
                all.insert(state.id, shown(value));
            }
        }
    }
}

fn shown(value: &Value) -> String {
    match value.to_json() {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

fn stages(
    setup: &Setup,
    standings: &[Stands],
    moves: &[&Deed],
    since: Millis,
    at: Millis,
) -> Vec<StageFigures> {
    let rules = &setup.rules;
    let mut ranked: Vec<(u8, Name)> = rules.stages.iter().map(|(n, s)| (s.rank, *n)).collect();
    ranked.sort_unstable();
    // Stages of earlier rules, in which somebody still stands or stood.
    let others = standings.iter().map(|s| s.stage);
    let others = others.chain(moves.iter().flat_map(|m| [m.from, m.to]).flatten());
    let others: BTreeSet<Name> = others.filter(|s| rules.rank(*s).is_none()).collect();
    ranked.extend(others.into_iter().map(|stage| (u8::MAX, stage)));
    let figures = ranked.into_iter().map(|(_, stage)| {
        let here: Vec<&Stands> = standings.iter().filter(|s| s.stage == stage).collect();
        let left: Vec<&&Deed> = moves.iter().filter(|m| m.from == Some(stage)).collect();
        let came = moves.iter().filter(|m| m.to == Some(stage));
        // Nobody moves to where everybody begins: who came there is who is there since, or left it since.
        let begins = stage == rules.landmarks.entry;
        let in_period = |from: Millis| from >= since;
        let began = here.iter().filter(|s| begins && in_period(s.since)).count()
            + left
                .iter()
                .filter(|m| begins && m.since.is_some_and(in_period))
                .count();
        let forward = left.iter().filter(|m| is_forward(setup, m));
        StageFigures {
            stage,
            owner: setup
                .stages
                .get(&stage)
                .map(|text| text.owner.to_string())
                .unwrap_or_default(),
            people: count(here.iter()),
            median_there: median(here.iter().map(|s| at.since(s.since)).collect()),
            entered: count(came) + began as u64,
            left: count(left.iter()),
            forward: count(forward),
            median_time: median(left.iter().filter_map(|m| took(m)).collect()),
        }
    });
    figures.collect()
}

fn is_forward(setup: &Setup, moved: &Deed) -> bool {
    let marks = &setup.rules.landmarks;
    let rank = |stage: Option<Name>| stage.and_then(|stage| setup.rules.rank(stage));
    let aside = [Some(marks.disqualified), Some(marks.lost)];
    rank(moved.to) > rank(moved.from) && !aside.contains(&moved.to)
}

fn took(moved: &Deed) -> Option<i64> {
    moved.since.map(|since| moved.due.since(since).max(0))
}

fn by_move(setup: &Setup, moves: &[&Deed]) -> Vec<MoveFigures> {
    let mut all: BTreeMap<(Name, Name), Vec<&Deed>> = BTreeMap::new();
    for moved in moves {
        if let (Some(from), Some(to)) = (moved.from, moved.to) {
            all.entry((from, to)).or_default().push(moved);
        }
    }
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|((from, to), _)| (setup.rules.rank(*from), setup.rules.rank(*to)));
    let figures = all.into_iter().map(|((from, to), moves)| MoveFigures {
        from,
        to,
        people: count(moves.iter()),
        median_time: median(moves.iter().filter_map(|m| took(m)).collect()),
    });
    figures.collect()
}

fn clocks(standing: &[&Deed], undone: &[&Deed]) -> BTreeMap<Name, ClockFigures> {
    let mut all: BTreeMap<Name, ClockFigures> = BTreeMap::new();
    let deeds = standing.iter().map(|deed| (deed, false));
    for (deed, taken_back) in deeds.chain(undone.iter().map(|deed| (deed, true))) {
        let Some(clock) = deed.clock else { continue };
        let figures = all.entry(clock).or_default();
        match deed.what.as_str() {
            "breach" if deed.shadow => figures.shadow += 1,
            "breach" if taken_back => figures.taken_back += 1,
            "breach" => figures.breaches += 1,
            "kept" if !deed.shadow && !taken_back => figures.kept += 1,
            "reminder" => figures.reminders += 1,
            "escalation" => figures.escalations += 1,
            _ => {}
        }
    }
    all
}

fn leaked(setup: &Setup, standings: &[Stands], standing: &[&Deed]) -> u64 {
    let broken: BTreeSet<_> = standing
        .iter()
        .filter(|deed| deed.what == "breach" && !deed.shadow)
        .map(|deed| (deed.entity, deed.episode))
        .collect();
    let ready = setup.rules.landmarks.ready;
    debug_assert_eq!(setup.rules.phase(ready), Some(Phase::Worked));
    let waits = |s: &&Stands| s.stage == ready && broken.contains(&(s.entity, s.episode));
    count(standings.iter().filter(waits))
}

fn count<T>(of: impl Iterator<Item = T>) -> u64 {
    of.count() as u64
}

fn median(mut of: Vec<i64>) -> Option<i64> {
    of.sort_unstable();
    of.get(of.len() / 2).copied()
}

fn text<S: serde::Serializer>(at: &Millis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}
