//! What a target record should read, once everything is at rest.

use std::collections::BTreeMap;

use baton_core::{
    id::RecordKey,
    name::Name,
    rules::{Condition, Direction, MappedField, ObjectMapping},
    value::Value,
};
use rust_decimal::Decimal;

use crate::{
    case::{Answer, Case, Link},
    golden::group_of,
    order::{believed, sorted},
};

/// Why a field is left as it is although golden differs (section 7, rest).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeftAlone {
    /// The record whose claim wins was seen blank since.
    BlankAtWinner,
    /// A required field is not blanked.
    Required,
    /// The target's picklist has no such value.
    NoSuchValue,
    /// Another member of its group cannot be written.
    GroupRefused,
}

/// One field of the target.
#[derive(Clone, PartialEq, Debug)]
pub struct Desired {
    pub field: Name,
    /// Canonical: what normalising the target's field gives when it is in sync (cut to its length).
    pub reads: Value,
    /// The same in the vendor's words: after value map, separator, negation and cut.
    pub vendor: Value,
    /// Set: nothing is written, and the field need not read so.
    pub left_alone: Option<LeftAlone>,
}

/// By vendor field, what `target` should read. Empty for a record that is not linked actively, or whose
/// filter the entity does not pass (consent passes every filter).
#[must_use]
pub fn desired(
    case: &Case,
    golden: &BTreeMap<Name, Answer>,
    target: &RecordKey,
    mapping: &ObjectMapping,
) -> BTreeMap<String, Desired> {
    let mut wanted = BTreeMap::new();
    if case.link(target) != Link::Active {
        return wanted;
    }
    let facts = sorted(case, &case.facts);
    let passes = mapping.filter.iter().all(|c| holds(golden, c));
    for (vendor_name, mapped) in &mapping.fields {
        let consent = case.rules.consents.iter().any(|c| c.field == mapped.field);
        let Some(answer) = golden.get(&mapped.field) else {
            continue;
        };
        if mapped.direction == Direction::In || !(passes || consent) {
            continue;
        }
        let reads = cut(mapped, answer.value.clone());
        let rendered = render(mapped, &reads);
        let seen = believed(&facts, target, mapped.field);
        let blank_there = seen.is_some_and(|v| v.is_blank());
        let left_alone = if answer.value.is_blank() && mapped.required {
            Some(LeftAlone::Required)
        } else if !answer.value.is_blank() && blank_there && answer.winner.as_ref() == Some(target)
        {
            Some(LeftAlone::BlankAtWinner)
        } else if rendered.is_none() {
            Some(LeftAlone::NoSuchValue)
        } else {
            None
        };
        wanted.insert(
            vendor_name.to_string(),
            Desired {
                field: mapped.field,
                vendor: rendered.unwrap_or_default(),
                reads,
                left_alone,
            },
        );
    }
    refuse_groups(case, &mut wanted);
    wanted
}

/// A group is written whole or not at all.
fn refuse_groups(case: &Case, wanted: &mut BTreeMap<String, Desired>) {
    let refused: Vec<Name> = wanted
        .values()
        .filter(|d| d.left_alone == Some(LeftAlone::NoSuchValue))
        .filter_map(|d| group_of(case, d.field).map(|(name, _)| name))
        .collect();
    for desired in wanted.values_mut() {
        let group = group_of(case, desired.field).map(|(name, _)| name);
        if desired.left_alone.is_none() && group.is_some_and(|g| refused.contains(&g)) {
            desired.left_alone = Some(LeftAlone::GroupRefused);
        }
    }
}

/// Texts longer than the target's field are sent cut.
fn cut(mapped: &MappedField, value: Value) -> Value {
    match (value, mapped.max_length) {
        (Value::Text(text), Some(length)) if mapped.values.is_empty() => {
            Value::Text(text.chars().take(length).collect())
        }
        (value, _) => value,
    }
}

/// The vendor's form; none if a closed value map has no word for it.
fn render(mapped: &MappedField, value: &Value) -> Option<Value> {
    let word = |canonical: &str| -> Option<String> {
        let mut words = mapped.values.iter();
        match words.find(|(_, c)| c.as_str() == canonical) {
            Some((vendor, _)) => Some(vendor.to_string()),
            None if mapped.closed => None,
            None => Some(canonical.to_owned()),
        }
    };
    match value {
        Value::Blank => Some(Value::Blank),
        Value::Bool(b) => {
            let b = *b != mapped.negate;
            if mapped.values.is_empty() {
                Some(Value::Bool(b))
            } else {
                word(&b.to_string()).map(|w| Value::text(&w))
            }
        }
        Value::Set(items) => {
            let words: Option<Vec<String>> = items.iter().map(|i| word(i)).collect();
            let separator = mapped.separator.unwrap_or(';').to_string();
            words.map(|w| Value::text(&w.join(&separator)))
        }
        other if mapped.values.is_empty() => Some(other.clone()),
        other => word(&other.to_string()).map(|w| Value::text(&w)),
    }
}

fn holds(golden: &BTreeMap<Name, Answer>, condition: &Condition) -> bool {
    let value = |name: &Name| {
        golden
            .get(name)
            .map(|a| a.value.clone())
            .unwrap_or_default()
    };
    let number = |name: &Name| match value(name) {
        Value::Number(n) => Some(n),
        _ => None,
    };
    match condition {
        Condition::Present(name) => !value(name).is_blank(),
        Condition::Equals(name, wanted) => value(name) == *wanted,
        Condition::NotEquals(name, unwanted) => value(name) != *unwanted,
        Condition::AtLeast(name, least) => number(name).is_some_and(|n: Decimal| n >= *least),
    }
}
