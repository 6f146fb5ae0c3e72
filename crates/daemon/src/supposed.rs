//! What would have been different in the funnel if other rules had been active from some instant on.
//!
//! Each person's inputs are taken in again from the ledger: up to that instant as they were judged, from then on under
//! the other rules, timers going off when they are due. What is done is counted and goes nowhere. The other side is what
//! was done.

use std::{collections::BTreeMap, sync::Arc, thread};

use baton_core::{
    id::{EntityId, Kind},
    input::{Input, StewardAct},
    lifecycle::supposed::{Counted, Happened, Rerun},
    rules::Rules,
    time::Millis,
};
use baton_store::{Deed, Store};

use crate::engine::editions::Judges;

/// Other rules, and the time for which they are supposed to have been active.
pub struct Supposition {
    judges: Judges,
    rules: Rules,
    since: Millis,
    at: Millis,
}

/// What was counted of everybody.
#[derive(Default)]
pub struct Difference {
    pub people: u64,
    /// Erased people, of whom nothing is kept that could be taken in again.
    pub left_out: u64,
    /// How often everything happened, and would have happened.
    pub counts: BTreeMap<Counted, Change>,
    /// Who would have gone another way, by id.
    pub others: Vec<Other>,
}

impl Difference {
    fn add(&mut self, more: Self) {
        self.people += more.people;
        self.left_out += more.left_out;
        for (what, change) in more.counts {
            let all = self.counts.entry(what).or_default();
            all.before += change.before;
            all.after += change.after;
        }
        self.others.extend(more.others);
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Change {
    pub before: u64,
    pub after: u64,
}

/// A person who would have gone another way.
#[derive(PartialEq, Eq, Debug)]
pub struct Other {
    pub person: EntityId,
    /// What happened and would not have.
    pub gone: Vec<Happened>,
    /// What would have happened and did not.
    pub new: Vec<Happened>,
}

/// People read at once.
const PAGE: u32 = 1_024;

impl Supposition {
    /// # Errors
    /// If the store cannot be read, or no rules were active at the instant.
    pub async fn new(
        store: &Store,
        active: &Rules,
        rules: Rules,
        since: Millis,
        at: Millis,
    ) -> anyhow::Result<Self> {
        let judges = Judges::of(store, active).await?;
        match judges.since() {
            Some(first) if since >= first => {}
            Some(first) => anyhow::bail!(
                "the first rules were activated at {first}; --since must not be earlier, or there is nothing to compare with"
            ),
            None => anyhow::bail!("no rules were ever active here: nothing has happened yet"),
        }
        let rules = judges.supposing(rules, since);
        Ok(Self {
            judges,
            rules,
            since,
            at,
        })
    }

    /// Goes through everybody, on all processors: a page of people at a time, each of which takes a share of it.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn difference(self: Arc<Self>, store: &Store) -> anyhow::Result<Difference> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let mut found = Difference::default();
        let mut after = None;
        loop {
            let page = store.entities_page(Kind::Person, after, PAGE).await?;
            after = page.last().map(|state| state.id);
            if after.is_none() {
                return Ok(found);
            }
            let (erased, people): (Vec<_>, Vec<_>) =
                page.into_iter().partition(|state| state.erased.is_some());
            found.left_out += erased.len() as u64;
            let people: Vec<EntityId> = people.into_iter().map(|state| state.id).collect();
            let shares: Vec<_> = people
                .chunks(people.len().div_ceil(processors).max(1))
                .map(|share| {
                    let (this, store, share) = (Arc::clone(&self), store.clone(), share.to_vec());
                    tokio::spawn(async move { this.of_share(&store, &share).await })
                })
                .collect();
            for share in shares {
                found.add(share.await??);
            }
        }
    }

    async fn of_share(
        &self,
        store: &Store,
        people: &[EntityId],
    ) -> Result<Difference, baton_store::Error> {
        let mut found = Difference::default();
        for person in people {
            found.people += 1;
            self.compare(store, *person, &mut found).await?;
        }
        Ok(found)
    }

    async fn compare(
        &self,
        store: &Store,
        person: EntityId,
        found: &mut Difference,
    ) -> Result<(), baton_store::Error> {
        let deeds = store.deeds_of(person).await?;
        let before = deeds.iter().filter_map(|(deed, _)| self.happened(deed));
        let mut before: Vec<Happened> = before.collect();
        before.sort_unstable();
        let mut rerun = self.rerun(store, person, None).await?;
        rerun.pass(&self.rules, self.at);
        let mut after = rerun.happened();
        after.retain(|happened| self.covers(happened.due));
        for happened in &before {
            found.counts.entry(happened.what).or_default().before += 1;
        }
        for happened in &after {
            found.counts.entry(happened.what).or_default().after += 1;
        }
        if before != after {
            found.others.push(Other {
                person,
                gone: without(&before, &after),
                new: without(&after, &before),
            });
        }
        Ok(())
    }

    fn covers(&self, due: Millis) -> bool {
        // What happens is dated by the quantum.
        due >= self.since.floor(self.rules.timing.quantum) && due <= self.at
    }

    /// A deed that stands and is counted.
    fn happened(&self, deed: &Deed) -> Option<Happened> {
        let stands = deed.undone.is_none_or(|undone| undone > self.at);
        let what = match deed.what.as_str() {
            "handoff" => Counted::HandedOver,
            "transition" => Counted::Entered(deed.to?),
            "recycle" => Counted::Recycled(deed.reason),
            "exhausted" | "long_nurture" => Counted::Exhausted,
            "breach" if !deed.shadow => Counted::Breached(deed.clock?),
            _ => return None,
        };
        let due = deed.due;
        (stands && self.covers(due) && deed.at <= self.at).then_some(Happened { due, what })
    }

    /// A person's inputs, up to those of an instant or all of them, taken in again.
    async fn rerun(
        &self,
        store: &Store,
        person: EntityId,
        until: Option<Millis>,
    ) -> Result<Rerun, baton_store::Error> {
        let mut rerun = Rerun::new(person);
        let mut supposed = false;
        for entry in store.ledger(person, until.or(Some(self.at))).await? {
            let row = entry.row;
            let merges = matches!(row.input, Input::Steward(StewardAct::MergedInto { .. }));
            if merges && until == Some(row.at) {
                break;
            }
            if row.at < self.since {
                let rules = self.judges.judge(&row).unwrap_or(&self.rules);
                rerun.take(&row.input, rules, row.at);
                continue;
            }
            self.suppose(&mut rerun, &mut supposed);
            rerun.pass(&self.rules, row.at.minus(1));
            let input = match row.input {
                // Whoever was merged into this person would have come with what the other rules made of it.
                Input::Absorb(mut other) if other.id != person => {
                    let theirs = Box::pin(self.rerun(store, other.id, Some(row.at))).await?;
                    other.funnel = theirs.state.funnel;
                    Input::Absorb(other)
                }
                input => input,
            };
            rerun.take(&input, &self.rules, row.at);
        }
        self.suppose(&mut rerun, &mut supposed);
        Ok(rerun)
    }

    /// From here on the other rules count, for everybody.
    fn suppose(&self, rerun: &mut Rerun, supposed: &mut bool) {
        if !std::mem::replace(supposed, true) {
            let rejudge = Input::Steward(StewardAct::Rejudge);
            rerun.take(&rejudge, &self.rules, self.since);
        }
    }
}

/// What is in one sorted list and not in the other.
fn without(these: &[Happened], those: &[Happened]) -> Vec<Happened> {
    let other = |happened: &&Happened| those.binary_search(happened).is_err();
    these.iter().filter(other).copied().collect()
}
