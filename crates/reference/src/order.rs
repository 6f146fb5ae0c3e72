//! Order ρ: the facts as they are judged, sorted.

use baton_core::{
    id::RecordKey,
    name::Name,
    rules::{Direction, ObjectMapping},
    time::Millis,
    value::Value,
};

use crate::case::{Case, Fact, Link, Told};

/// The facts that count, each once, in ρ. Facts of different records lie between each other; what matters is
/// only the order within one record.
#[must_use]
pub fn sorted(case: &Case, facts: &[Fact]) -> Vec<Fact> {
    let mut counted: Vec<Fact> = Vec::new();
    for fact in facts {
        let mut fact = fact.clone();
        if fact.beyond || case.link(&fact.record) == Link::Erased {
            continue;
        }
        if let Some(new) = case.moved.get(&fact.record) {
            fact.record = new.clone();
        }
        // A field that is only written to that system is seen there, and never its claim.
        if carries(case, &fact.record, fact.field) == Some(Direction::Out) {
            fact.own = true;
        }
        counted.push(fact);
    }
    // Where one event comes twice, the smaller assigned time and the first arrival count for all its fields.
    let twins = counted.clone();
    for fact in counted.iter_mut().filter(|f| !f.own) {
        for twin in &twins {
            if !twin.own && twin.record == fact.record && twin.event == fact.event {
                fact.time = fact.time.min(twin.time);
                fact.position = fact.position.min(twin.position);
            }
        }
    }
    let standing = counted.clone();
    counted.sort_by(|a, b| {
        place(case, &standing, a)
            .cmp(&place(case, &standing, b))
            .then_with(|| a.record.cmp(&b.record))
            .then_with(|| a.field.cmp(&b.field))
            .then_with(|| a.stands().cmp(&b.stands()))
    });
    let mut once: Vec<Fact> = Vec::new();
    for fact in counted {
        let known = once.iter().any(|f| {
            !f.own
                && !fact.own
                && f.record == fact.record
                && f.field == fact.field
                && f.event == fact.event
        });
        if !known {
            once.push(fact);
        }
    }
    once
}

/// The key of ρ, with read-backs last in their quantum. Where a sequence orders what was told, a read-back of a version
/// that is older than some of it cannot be the last word on that: it follows what it can have seen.
fn place(case: &Case, facts: &[Fact], fact: &Fact) -> impl Ord + use<> {
    let read = fact.told == Told::ReadBack;
    let beside = facts.iter().filter(|f| {
        read && f.told != Told::ReadBack
            && f.seq != 0
            && (&f.record, f.field) == (&fact.record, fact.field)
            && case.floor(f.time) == case.floor(fact.time)
    });
    let (seen, later): (Vec<&Fact>, Vec<&Fact>) = beside.partition(|f| f.time <= fact.time);
    let seen = seen.iter().map(|f| f.seq).max().unwrap_or(0);
    let outdated = later.iter().any(|f| f.seq > seen);
    (
        case.floor(fact.time),
        read && !outdated,
        if outdated { seen } else { fact.seq },
        fact.time,
        fact.position,
        fact.own,
        fact.event,
    )
}

/// The direction in which a record's system carries a field: none if it does not. A record whose object is
/// not mapped at all is taken to carry every field both ways (tests without mappings).
#[must_use]
pub fn carries(case: &Case, record: &RecordKey, field: Name) -> Option<Direction> {
    let Some(mapping) = case.rules.object(record.system, record.object) else {
        return Some(Direction::Both);
    };
    direction(mapping, field)
}

fn direction(mapping: &ObjectMapping, field: Name) -> Option<Direction> {
    let mut found = None;
    for mapped in mapping.fields.values() {
        if mapped.field == field && found != Some(Direction::Both) {
            found = Some(mapped.direction);
        }
    }
    found
}

/// A turn at one record and field.
#[derive(Clone, PartialEq, Debug)]
pub struct Turn {
    /// Index in the sorted facts: where the value came to stand.
    pub place: usize,
    /// What stood there before, own writes included; none if this is the first observation.
    pub previous: Option<Value>,
    /// The fact whose time, sequence, event and cause count: the turn itself, or the event that took it over.
    pub stated: Fact,
    /// Index of `stated` in the sorted facts.
    pub stated_at: usize,
}

/// The turns of one record and field, in ρ.
#[must_use]
pub fn turns(facts: &[Fact], record: &RecordKey, field: Name) -> Vec<Turn> {
    let seen: Vec<(usize, &Fact)> = facts
        .iter()
        .enumerate()
        .filter(|(_, f)| f.record == *record && f.field == field && !f.as_if_absent())
        .collect();
    let mut turns = Vec::new();
    let mut before: Option<Value> = None;
    for (nth, (place, fact)) in seen.iter().enumerate() {
        let value = fact.stands();
        let differs = match &before {
            None => !value.is_blank(),
            Some(before) => *before != value,
        };
        if differs && !fact.own {
            let stated_at = stated_at(&seen[nth..]).unwrap_or(*place);
            turns.push(Turn {
                place: *place,
                previous: before.clone(),
                stated: facts[stated_at].clone(),
                stated_at,
            });
        }
        before = Some(value);
    }
    turns
}

/// A difference found by reading is taken over by the event that later names the same value; own writes and
/// other values end the wait. `seen` begins with the turn.
fn stated_at(seen: &[(usize, &Fact)]) -> Option<usize> {
    let (_, turn) = seen.first()?;
    if !turn.told.by_reading() {
        return None;
    }
    seen.iter()
        .take_while(|(_, f)| !f.own && f.stands() == turn.stands())
        .find(|(_, f)| f.told == Told::Delta)
        .map(|(place, _)| *place)
}

/// The believed value: what stands at a record and field, own writes and snapshot blanks included.
#[must_use]
pub fn believed(facts: &[Fact], record: &RecordKey, field: Name) -> Option<Value> {
    facts
        .iter()
        .rfind(|f| f.record == *record && f.field == field)
        .map(Fact::stands)
}

/// Every record that said anything.
#[must_use]
pub fn records(facts: &[Fact]) -> Vec<RecordKey> {
    let mut records: Vec<RecordKey> = facts.iter().map(|f| f.record.clone()).collect();
    records.sort();
    records.dedup();
    records
}

/// Days since 1970-01-01 in UTC.
#[must_use]
pub fn day(time: Millis) -> i64 {
    time.0.div_euclid(baton_core::time::DAY)
}
