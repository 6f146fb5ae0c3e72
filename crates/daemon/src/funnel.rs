//! The funnel in figures: who stands where, how people go on, who came back to nurture and why, and which promises were
//! broken. As it was known at an instant; what was heard of later is named.

mod tally;

use std::collections::{BTreeMap, HashMap};

use baton_core::{
    id::{EntityId, Kind},
    lifecycle::{rules::Phase, setup::Setup},
    name::Name,
    time::Millis,
    value::Value,
};
use baton_store::Store;
use serde::Serialize;

use tally::Tally;

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
    /// People who became ready for sales, whenever that was, and wait where they became it, a promise to them broken.
    pub leaked: u64,
    /// How often a system or time said something that moved nobody: no legal way leads there, a deal protects the person, the
    /// rule only watches.
    pub without_effect: u64,
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
    /// Reads the figures of a period, as they were known at its end. People and deeds pass by a page at a time; what stays
    /// of each is how long it took.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn read(
        store: &Store,
        setup: &Setup,
        since: Millis,
        at: Millis,
    ) -> Result<Self, baton_store::Error> {
        let mut tally = Tally::new(setup, since, at);
        store
            .each_standing(at, |stands| tally.stands(&stands))
            .await?;
        if let Some((from, to)) = tally.before() {
            store
                .each_deed(from, to, |deed| tally.earlier(&deed))
                .await?;
        }
        store.each_deed(since, at, |deed| tally.deed(&deed)).await?;
        Ok(tally.report())
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
        let segments = Segments::read(store, field).await?;
        let values = segments.values.iter();
        let mut tallies: Vec<Tally<'_>> = values.map(|_| Tally::new(setup, since, at)).collect();
        store
            .each_standing(at, |stands| {
                tallies[segments.of(stands.entity)].stands(&stands)
            })
            .await?;
        if let Some((from, to)) = tallies.iter().filter_map(Tally::before).min() {
            store
                .each_deed(from, to, |deed| {
                    tallies[segments.of(deed.entity)].earlier(&deed)
                })
                .await?;
        }
        store
            .each_deed(since, at, |deed| {
                tallies[segments.of(deed.entity)].deed(&deed)
            })
            .await?;
        let all = segments.values.into_iter().zip(tallies);
        Ok(all
            .filter(|(_, tally)| !tally.is_empty())
            .map(|(value, tally)| (value, tally.report()))
            .collect())
    }

    /// People in stages in which sales works on them.
    #[must_use]
    pub fn worked(&self, setup: &Setup) -> u64 {
        let worked = |s: &&StageFigures| setup.rules.phase(s.stage) == Some(Phase::Worked);
        self.stages.iter().filter(worked).map(|s| s.people).sum()
    }
}

/// People read at once.
const PAGE: u32 = 1_000;

/// Which value of a field each person has. There are many people, and few values.
struct Segments {
    /// The blank one is the first.
    values: Vec<String>,
    people: HashMap<EntityId, u32>,
}

impl Segments {
    async fn read(store: &Store, field: Name) -> Result<Self, baton_store::Error> {
        let mut all = Self {
            values: vec![String::new()],
            people: HashMap::new(),
        };
        let mut places: HashMap<String, u32> = HashMap::new();
        let mut after = None;
        loop {
            let page = store.entities_page(Kind::Person, after, PAGE).await?;
            after = page.last().map(|state| state.id);
            if after.is_none() {
                return Ok(all);
            }
            for state in page {
                let value = state.golden_value(field);
                if value.is_blank() {
                    continue;
                }
                let place = *places.entry(shown(value)).or_insert_with_key(|value| {
                    all.values.push(value.clone());
                    // There are no more values than people, and of these fewer than four thousand million.
                    u32::try_from(all.values.len() - 1).unwrap_or(u32::MAX)
                });
                all.people.insert(state.id, place);
            }
        }
    }

    /// Where the person's value stands among all; whoever has none comes under the blank one.
    fn of(&self, person: EntityId) -> usize {
        self.people.get(&person).map_or(0, |place| *place as usize)
    }
}

fn shown(value: &Value) -> String {
    match value.to_json() {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

fn text<S: serde::Serializer>(at: &Millis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}
