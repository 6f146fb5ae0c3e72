//! Claims: turns made comparable, for a field (one member) and for a group (a whole tuple) alike.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use baton_core::{
    change::{Cause, Seen},
    id::{EventId, RecordKey},
    name::Name,
    rules::ClearPolicy,
    time::Millis,
    value::Value,
};

use crate::{
    case::{Case, Fact, Link, Told},
    order::{Turn, carries, records, turns},
};

/// One turn of one record: a value, or a group's whole tuple.
#[derive(Clone, PartialEq, Debug)]
pub struct Claim {
    pub record: RecordKey,
    /// One per member.
    pub values: Vec<Value>,
    /// What stood in each member before; blank where nothing did.
    pub previous: Vec<Value>,
    /// `value_since`, exact.
    pub time: Millis,
    pub seq: u64,
    pub cause: Cause,
    pub event: EventId,
    pub doubtful: bool,
    pub invalid: bool,
    /// The mass-clear guard holds it.
    pub held: bool,
    /// Where it stands in ρ.
    pub place: usize,
}

impl Claim {
    #[must_use]
    pub fn blank(&self) -> bool {
        self.values.iter().all(Value::is_blank)
    }
}

/// What is being judged: one field, or a group's members.
#[derive(Clone, Debug)]
pub struct Subject {
    pub name: Name,
    pub members: Vec<Name>,
    pub group: bool,
    pub clear: ClearPolicy,
    pub protect: Option<i64>,
    pub requires: Vec<Name>,
}

/// Every claim of every record, eligible or not.
#[must_use]
pub fn all(case: &Case, facts: &[Fact], subject: &Subject) -> Vec<Claim> {
    let mut claims = Vec::new();
    for record in records(facts) {
        if subject.group {
            claims.extend(of_group(case, facts, &record, &subject.members));
        } else {
            for member in &subject.members {
                claims.extend(of_field(facts, &record, *member));
            }
        }
    }
    claims
}

fn of_field(facts: &[Fact], record: &RecordKey, field: Name) -> Vec<Claim> {
    let mut claims = Vec::new();
    for turn in turns(facts, record, field) {
        let fact = &facts[turn.place];
        claims.push(Claim {
            record: record.clone(),
            values: vec![fact.stands()],
            previous: vec![turn.previous.clone().unwrap_or_default()],
            time: turn.stated.time,
            seq: turn.stated.seq,
            cause: turn.stated.cause,
            event: turn.stated.event,
            doubtful: fact.seen == Seen::Doubtful,
            invalid: fact.seen == Seen::Invalid,
            held: fact.held && fact.stands().is_blank(),
            place: turn.place,
        });
    }
    claims
}

/// The tuples of one record. A step is all of its foreign observations of members with one exact time; it
/// stands at the last of them.
fn of_group(case: &Case, facts: &[Fact], record: &RecordKey, members: &[Name]) -> Vec<Claim> {
    let of_members: Vec<usize> = (0..facts.len())
        .filter(|i| facts[*i].record == *record && members.contains(&facts[*i].field))
        .collect();
    let foreign: Vec<usize> = of_members.into_iter().filter(|i| !facts[*i].own).collect();
    let times: BTreeSet<Millis> = foreign.iter().map(|i| facts[*i].time).collect();
    let mut steps: Vec<Vec<usize>> = Vec::new();
    for time in times {
        steps.push(
            foreign
                .iter()
                .copied()
                .filter(|i| facts[*i].time == time)
                .collect(),
        );
    }
    steps.sort_by_key(|step| step.iter().max().copied());
    let member_turns: Vec<Turn> = members
        .iter()
        .flat_map(|m| turns(facts, record, *m))
        .collect();

    let mut claims = Vec::new();
    for step in steps {
        let (Some(&first), Some(&last)) = (step.iter().min(), step.iter().max()) else {
            continue;
        };
        let Some(mut tuple) = tuple_at(case, facts, record, members, last + 1) else {
            continue;
        };
        let before = tuple_at(case, facts, record, members, first);
        // A turn that an event took over from a reading lies at the event, with its time.
        let turned = member_turns.iter().any(|t| step.contains(&t.stated_at));
        // A step that restates everything makes a tuple only if it makes the first whole one.
        if !turned && before.is_some() {
            continue;
        }
        // The latest member's turn, among those that stand here.
        let standing = member_turns.iter().filter(|t| t.stated_at <= last);
        let Some(mut news) = standing.max_by_key(|t| t.stated_at) else {
            continue;
        };
        if let Some(shown) = shown_whole(case, facts, record, members, (first, last), &tuple) {
            for (member, place) in &shown {
                let fact = &facts[*place];
                tuple[*member].value = fact.stands();
                tuple[*member].doubtful = fact.seen == Seen::Doubtful;
                tuple[*member].invalid = fact.seen == Seen::Invalid;
            }
            let its = |t: &&Turn| shown.iter().any(|(_, place)| *place == t.stated_at);
            let its = member_turns.iter().filter(its);
            news = its.max_by_key(|t| t.stated_at).unwrap_or(news);
        }
        claims.push(Claim {
            record: record.clone(),
            values: tuple.iter().map(|t| t.value.clone()).collect(),
            previous: before.map_or_else(
                || vec![Value::Blank; members.len()],
                |b| b.into_iter().map(|t| t.value).collect(),
            ),
            time: news.stated.time,
            seq: news.stated.seq,
            cause: news.stated.cause,
            event: news.stated.event,
            doubtful: tuple.iter().any(|t| t.doubtful),
            invalid: tuple.iter().any(|t| t.invalid),
            held: tuple.iter().any(|t| t.held),
            place: last,
        });
    }
    claims
}

/// Of several whole records of one exact time that differ, the one that shows most of what stands at the end of the step,
/// if none shows all of it: its members that say something, and where.
fn shown_whole(
    case: &Case,
    facts: &[Fact],
    record: &RecordKey,
    members: &[Name],
    (first, last): (usize, usize),
    tuple: &[Member],
) -> Option<Vec<(usize, usize)>> {
    let mut events: BTreeMap<EventId, Vec<(usize, usize)>> = BTreeMap::new();
    for place in first..=last {
        let fact = &facts[place];
        let member = members.iter().position(|m| *m == fact.field);
        let of_step = fact.record == *record && fact.time == facts[last].time;
        let Some(member) = member.filter(|_| of_step) else {
            continue;
        };
        if !matches!(fact.told, Told::Event | Told::Snapshot) {
            return None;
        }
        events.entry(fact.event).or_default().push((member, place));
    }
    let mapped = members
        .iter()
        .filter(|m| carries(case, record, **m).is_some());
    let mapped = mapped.count();
    let whole: Vec<_> = events.into_values().collect();
    // Where it is told what changed, the members are each known to stand.
    if whole.iter().any(|event| event.len() != mapped) {
        return None;
    }
    let says = |(member, place): &&(usize, usize)| {
        let fact = &facts[*place];
        fact.as_if_absent() || fact.stands() == tuple[*member].value
    };
    if whole.len() < 2 || whole.iter().any(|event| event.iter().all(|m| says(&m))) {
        return None;
    }
    let most = whole.into_iter().max_by_key(|event| {
        let position = event.iter().map(|(_, place)| facts[*place].position).max();
        (event.iter().filter(says).count(), position)
    })?;
    let says_something = most
        .into_iter()
        .filter(|(_, place)| !facts[*place].as_if_absent());
    Some(says_something.collect())
}

#[derive(Default)]
struct Member {
    value: Value,
    doubtful: bool,
    invalid: bool,
    held: bool,
}

/// The record's tuple from the facts before index `end`; none if a mapped member was never observed.
fn tuple_at(
    case: &Case,
    facts: &[Fact],
    record: &RecordKey,
    members: &[Name],
    end: usize,
) -> Option<Vec<Member>> {
    let mut tuple = Vec::new();
    for member in members {
        let seen = || {
            facts[..end]
                .iter()
                .filter(|f| f.record == *record && f.field == *member)
        };
        if let Some(fact) = seen().rfind(|f| !f.as_if_absent()) {
            tuple.push(Member {
                value: meant(seen(), fact),
                doubtful: fact.seen == Seen::Doubtful,
                invalid: fact.seen == Seen::Invalid && !fact.own,
                held: fact.stands().is_blank() && clear_held(seen()),
            });
        } else if seen().next().is_some() || carries(case, record, *member).is_none() {
            tuple.push(Member::default());
        } else {
            return None;
        }
    }
    Some(tuple)
}

/// Whether the blank that stands last came to stand by a clear that the guard holds. What restates it later does
/// not let it through.
fn clear_held<'f>(seen: impl DoubleEndedIterator<Item = &'f Fact>) -> bool {
    let told: Vec<&Fact> = seen.rev().filter(|f| !f.as_if_absent()).collect();
    let run = told.iter().take_while(|f| f.stands().is_blank()).count();
    // A blank that nothing stood before is no clear.
    let cleared = (run < told.len()).then(|| &told[..run]);
    cleared.is_some_and(|run| run.iter().all(|f| !f.own) && run.last().is_some_and(|f| f.held))
}

/// What a standing value means: as long as it restates a rendering of Baton's own write, the value written.
fn meant<'f>(seen: impl DoubleEndedIterator<Item = &'f Fact>, last: &Fact) -> Value {
    let run = seen
        .rev()
        .filter(|f| !f.as_if_absent())
        .take_while(|f| f.stands() == last.stands());
    let mut own = run.filter(|f| f.own);
    own.find_map(|f| f.renders.clone())
        .unwrap_or_else(|| last.stands())
}

/// The claims that may compete, by blank policy, validity, protection, `requires` and detached links. Stages
/// are the strategy's business.
#[must_use]
pub fn eligible(case: &Case, facts: &[Fact], subject: &Subject) -> Vec<Claim> {
    let manual = manual_turns(case, facts, &subject.members);
    let mut claims: Vec<Claim> = all(case, facts, subject)
        .into_iter()
        .filter(|c| !c.invalid && !c.held)
        .filter(|c| !c.blank() || clear_counts(case, subject.clear, c.cause))
        .filter(|c| !protected(case, subject.protect, c, &manual))
        .collect();

    let qualifies = |claim: &Claim| {
        subject.requires.iter().all(|needed| {
            let at = subject.members.iter().position(|m| m == needed);
            at.and_then(|i| claim.values.get(i))
                .is_some_and(|v| !v.is_blank())
        })
    };
    if claims.iter().any(qualifies) {
        claims.retain(qualifies);
    }

    let everybody = claims.clone();
    claims.retain(|claim| match case.link(&claim.record) {
        Link::Detached { since } => !everybody
            .iter()
            .any(|c| c.record != claim.record && case.floor(c.time) > case.floor(since)),
        _ => true,
    });
    claims
}

/// Is a clear of this cause eligible?
#[must_use]
pub fn clear_counts(case: &Case, policy: ClearPolicy, cause: Cause) -> bool {
    match policy {
        ClearPolicy::Propagate => true,
        ClearPolicy::PropagateIfManual => manual_or_higher(case, cause),
        ClearPolicy::Ignore | ClearPolicy::Hold => false,
    }
}

fn manual_or_higher(case: &Case, cause: Cause) -> bool {
    case.rules.rank_of_cause(cause) <= case.rules.rank_of_cause(Cause::ManualEdit)
}

/// Floored times of every manual turn of any member at any record, eligible or not.
fn manual_turns(case: &Case, facts: &[Fact], members: &[Name]) -> Vec<Millis> {
    let mut times = Vec::new();
    for record in records(facts) {
        for member in members {
            for turn in turns(facts, &record, *member) {
                if manual_or_higher(case, turn.stated.cause) {
                    times.push(case.floor(turn.stated.time));
                }
            }
        }
    }
    times
}

fn protected(case: &Case, protect: Option<i64>, claim: &Claim, manual: &[Millis]) -> bool {
    let Some(protect) = protect else {
        return false;
    };
    if !matches!(
        claim.cause,
        Cause::ListImport | Cause::Enrichment | Cause::Api
    ) {
        return false;
    }
    let time = case.floor(claim.time);
    manual
        .iter()
        .any(|m| time >= *m && time.since(*m) < protect)
}

/// Each record's last claim.
#[must_use]
pub fn offers(claims: &[Claim]) -> Vec<Claim> {
    let mut offers: Vec<Claim> = Vec::new();
    for claim in claims {
        let last = claims
            .iter()
            .filter(|c| c.record == claim.record)
            .all(|c| c.place <= claim.place);
        if last {
            offers.push(claim.clone());
        }
    }
    offers
}

/// The winner of the tie-break, the strategy's key first; the greater key wins.
#[must_use]
pub fn best<K: Ord>(case: &Case, claims: &[Claim], key: impl Fn(&Claim) -> K) -> Option<Claim> {
    claims
        .iter()
        .max_by_key(|claim| {
            (
                key(claim),
                !claim.blank(),
                case.link(&claim.record) == Link::Active,
                case.floor(claim.time),
                Reverse(case.rules.rank_of_cause(claim.cause)),
                Reverse(case.rules.rank_of_source(claim.record.system)),
                Reverse(claim.record.system),
                claim.seq,
                claim.time,
                Reverse(
                    claim
                        .values
                        .iter()
                        .map(Value::canonical_bytes)
                        .collect::<Vec<_>>(),
                ),
                Reverse(claim.record.clone()),
            )
        })
        .cloned()
}
