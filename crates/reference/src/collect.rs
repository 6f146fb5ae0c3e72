//! `union` and `counter`: values that many claims make together.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{change::Seen, id::RecordKey, name::Name, time::Millis, value::Value};
use rust_decimal::Decimal;

use crate::{
    case::Fact,
    claim::clear_counts,
    strategy::{Table, Verdict},
};

/// An element is present iff its latest add is not before its latest removal.
pub(crate) fn union(table: &Table) -> Option<Verdict> {
    let case = table.case;
    if table.claims.is_empty() {
        return None;
    }
    let mut values = Vec::new();
    for at in 0..table.subject.members.len() {
        let mut adds: BTreeMap<String, Millis> = BTreeMap::new();
        let mut removals: BTreeMap<String, Millis> = BTreeMap::new();
        for claim in &table.claims {
            let before = elements(claim.previous.get(at));
            let after = elements(claim.values.get(at));
            let time = case.floor(claim.time);
            for element in after.difference(&before) {
                let latest = adds.entry(element.clone()).or_insert(time);
                *latest = time.max(*latest);
            }
            for element in before.difference(&after) {
                let latest = removals.entry(element.clone()).or_insert(time);
                *latest = time.max(*latest);
            }
        }
        let present: Vec<_> = adds
            .into_iter()
            .filter(|(element, added)| removals.get(element).is_none_or(|removed| added >= removed))
            .map(|(element, _)| element.as_str().into())
            .collect();
        values.push(if present.is_empty() {
            Value::Blank
        } else {
            Value::Set(present)
        });
    }
    Some(Verdict::derived(values, "union"))
}

fn elements(value: Option<&Value>) -> BTreeSet<String> {
    match value {
        None | Some(Value::Blank) => BTreeSet::new(),
        Some(Value::Set(items)) => items.iter().map(ToString::to_string).collect(),
        Some(single) => BTreeSet::from([single.to_string()]),
    }
}

/// The identity of a delta: (record, field, sequence or time, before, after).
type Delta = (RecordKey, Name, Result<u64, Millis>, Value, Value);

/// The sum of what events with a before-image added, each once.
pub(crate) fn counter(table: &Table) -> Option<Verdict> {
    let mut values = Vec::new();
    let mut counted = false;
    for member in &table.subject.members {
        let mut seen: BTreeSet<Delta> = BTreeSet::new();
        let mut sum = Decimal::ZERO;
        for fact in table.counted.iter().filter(|f| f.field == *member) {
            let Some(before) = counts(table, fact) else {
                continue;
            };
            let when = if fact.seq > 0 {
                Ok(fact.seq)
            } else {
                Err(fact.time)
            };
            let after = fact.stands();
            let delta = (
                fact.record.clone(),
                *member,
                when,
                before.clone(),
                after.clone(),
            );
            if let (Some(before), Some(after)) = (number(&before), number(&after))
                && seen.insert(delta)
            {
                sum += after - before;
                counted = true;
            }
        }
        values.push(Value::Number(sum));
    }
    counted.then(|| Verdict::derived(values, "counter"))
}

/// The before-image of a fact that adds to a counter.
fn counts(table: &Table, fact: &Fact) -> Option<Value> {
    if fact.own || fact.told.by_reading() || fact.as_if_absent() || fact.seen == Seen::Invalid {
        return None;
    }
    let clears = fact.stands().is_blank();
    if clears && (fact.held || !clear_counts(table.case, table.subject.clear, fact.cause)) {
        return None;
    }
    fact.before.clone()
}

fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(n) => Some(*n),
        Value::Blank => Some(Decimal::ZERO),
        _ => None,
    }
}
