//! Both systems, field by field, against the rules as the naive reference reads them.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    id::{EntityId, Kind, RecordKey},
    name::Name,
    rest::{WhyNot, out_of_sync},
    rules::{CreatePolicy, ObjectMapping, Rules},
    state::{IntentEnd, State},
    time::Millis,
    value::Value,
};
use baton_reference::{Answer, Case, Desired, Fact, LeftAlone, Link};
use baton_sandbox::System;
use serde::Serialize;

use super::truth::{Entity, Truth, canonical, record};

/// One thing that is not as the rules say.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Difference {
    /// `system:object:id`.
    pub record: String,
    pub field: String,
    /// What stands there.
    pub holds: serde_json::Value,
    /// What the rules say.
    pub should: serde_json::Value,
    pub reason: String,
}

/// What the comparison found.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    pub people: u64,
    pub accounts: u64,
    pub deals: u64,
    pub records: u64,
    pub fields: u64,
    /// Fields that stand in the target's own rendering (cut, re-cased).
    pub rendered: u64,
    /// Fields left alone, with the reason that the rules have for it.
    pub left_alone: BTreeMap<&'static str, u64>,
    /// Records of people who have another one in the same system since their records elsewhere were merged: nobody
    /// but a steward can say which of them goes.
    pub doubled: Vec<String>,
    /// Tasks about records that one system has several times, open.
    pub doubled_tasks: u64,
    pub differences: Vec<Difference>,
}

/// The comparison of everything at rest.
pub struct Court<'w> {
    pub truth: &'w Truth<'w>,
    /// Only to tell why, and to compare golden values: what the systems should hold is the reference's word.
    pub states: &'w BTreeMap<RecordKey, &'w State>,
    pub as_of: Millis,
    /// Whose doubled records a steward has been told of.
    pub told_doubled: &'w BTreeSet<EntityId>,
    /// Fields of records of which a steward has been told that two values alternated.
    pub told_contested: &'w BTreeSet<(RecordKey, Name)>,
}

impl Court<'_> {
    #[must_use]
    pub fn compare(&self) -> Comparison {
        let mut found = Comparison {
            doubled_tasks: self.told_doubled.len() as u64,
            ..Comparison::default()
        };
        for entity in self.truth.entities() {
            match entity.kind {
                Kind::Person => found.people += 1,
                Kind::Account => found.accounts += 1,
                Kind::Deal => found.deals += 1,
            }
            self.entity(&entity, &mut found);
        }
        found
            .differences
            .sort_by(|a, b| (&a.record, &a.field).cmp(&(&b.record, &b.field)));
        found
    }

    const fn rules(&self) -> &Rules {
        self.truth.rules
    }

    fn entity(&self, entity: &Entity, found: &mut Comparison) {
        let case = entity.case(self.rules(), self.as_of);
        let golden = baton_reference::golden(&case);
        let mut active: BTreeMap<Name, Vec<&RecordKey>> = BTreeMap::new();
        for key in &entity.records {
            let Some(mapping) = self.rules().object(key.system, key.object) else {
                continue;
            };
            if case.link(key) != Link::Active {
                continue;
            }
            active.entry(key.system).or_default().push(key);
            found.records += 1;
            self.record(&case, &golden, key, mapping, found);
        }
        if entity.kind == Kind::Person {
            self.once_where_created(entity, &golden, &active, found);
        }
        self.golden(entity, &golden, found);
    }

    fn record(
        &self,
        case: &Case<'_>,
        golden: &BTreeMap<Name, Answer>,
        key: &RecordKey,
        mapping: &ObjectMapping,
        found: &mut Comparison,
    ) {
        let Some(standing) = record(&self.truth.systems, key) else {
            return;
        };
        for (vendor, desired) in baton_reference::desired(case, golden, key, mapping) {
            let holds_json = standing.value(&vendor);
            let Some((_, holds, _)) =
                canonical(self.rules(), key.system, key.object, &vendor, holds_json)
            else {
                continue;
            };
            found.fields += 1;
            if holds == desired.reads {
                continue;
            }
            if self.renders(key, &vendor, &desired, &holds) {
                found.rendered += 1;
                continue;
            }
            if let Some(why) = desired.left_alone {
                *found.left_alone.entry(left_alone(why)).or_default() += 1;
                continue;
            }
            if self.is_contested(case, key, desired.field) {
                *found.left_alone.entry(CONTESTED).or_default() += 1;
                continue;
            }
            found.differences.push(Difference {
                record: key.to_string(),
                field: desired.field.to_string(),
                holds: holds.to_json(),
                should: desired.reads.to_json(),
                reason: self.why(key, desired.field),
            });
        }
    }

    /// Whether this is how the target shows the value.
    fn renders(&self, key: &RecordKey, vendor: &str, desired: &Desired, holds: &Value) -> bool {
        let Some(system) = self.system(key.system) else {
            return false;
        };
        let shown = system.rendering(key.object, vendor, &desired.vendor.to_json());
        canonical(self.rules(), key.system, key.object, vendor, &shown)
            .is_some_and(|(_, shown, _)| shown == *holds)
    }

    /// Whether the rules stop the writing of a field (L5), or of another one of its group, which is written whole: by the
    /// truth, people entered two values of it by turns so often. A steward must have been told.
    fn is_contested(&self, case: &Case<'_>, key: &RecordKey, field: Name) -> bool {
        let entity = self.rules().entity(key.object.kind());
        let group = entity.group_of.get(&field);
        let group = group.and_then(|group| entity.groups.get(group));
        let members = group.map_or(std::slice::from_ref(&field), |g| g.fields.as_slice());
        let most = self.rules().timing.alternations as usize;
        members.iter().any(|member| {
            self.told_contested.contains(&(key.clone(), *member))
                && alternates(case, key, *member, most)
        })
    }

    fn system(&self, name: Name) -> Option<&System> {
        let mut systems = self.truth.systems.iter();
        systems.find(|s| s.name() == name.as_str()).copied()
    }

    /// Everybody is once in a system where Baton creates people, unless somebody deleted them there.
    fn once_where_created(
        &self,
        entity: &Entity,
        golden: &BTreeMap<Name, Answer>,
        active: &BTreeMap<Name, Vec<&RecordKey>>,
        found: &mut Comparison,
    ) {
        for (name, system) in &self.rules().systems {
            for (object, mapping) in &system.objects {
                if mapping.create != CreatePolicy::Always || object.kind() != entity.kind {
                    continue;
                }
                let there = active.get(name).map_or(&[][..], Vec::as_slice);
                let deleted = entity
                    .records
                    .iter()
                    .any(|r| r.system == *name && entity.links.get(r) == Some(&Link::Deleted));
                let whole = mapping.fields.values().all(|mapped| {
                    let golden = golden.get(&mapped.field);
                    !mapped.required || golden.is_some_and(|g| !g.value.is_blank())
                });
                let first = entity.records.first().map(ToString::to_string);
                let say = |record: String, reason: String| Difference {
                    record,
                    field: "(record)".to_owned(),
                    holds: there.len().into(),
                    should: 1.into(),
                    reason,
                };
                if there.is_empty() && !deleted && whole {
                    found.differences.push(say(
                        first.unwrap_or_default(),
                        format!("nobody of this person is in {name}, where everybody should be"),
                    ));
                }
                let merged = entity.links.values().any(|link| *link == Link::Merged);
                if let ([_, second, ..], true) = (there, merged) {
                    found.doubled.push(second.to_string());
                    let told = self.states.get(*second);
                    if !told.is_some_and(|state| self.told_doubled.contains(&state.id)) {
                        found.differences.push(say(
                            second.to_string(),
                            format!("one person has two records in {name}, and no steward is told"),
                        ));
                    }
                } else if let [_, second, ..] = there {
                    found.differences.push(say(
                        second.to_string(),
                        format!("one person has two records in {name}"),
                    ));
                }
            }
        }
    }

    /// The engine's golden record beside the reference's.
    fn golden(&self, entity: &Entity, golden: &BTreeMap<Name, Answer>, found: &mut Comparison) {
        let states: BTreeMap<_, &State> = entity
            .records
            .iter()
            .filter_map(|r| self.states.get(r))
            .map(|state| (state.id, *state))
            .collect();
        let mut states = states.into_values();
        let (state, others) = (states.next(), states.count());
        let record = entity
            .records
            .first()
            .map_or_else(String::new, ToString::to_string);
        if others > 0 {
            found.differences.push(Difference {
                record: record.clone(),
                field: "(person)".to_owned(),
                holds: (others + 1).into(),
                should: 1.into(),
                reason: "Baton holds the records of one for those of several".to_owned(),
            });
        }
        let Some(state) = state else {
            found.differences.push(Difference {
                record,
                field: "(person)".to_owned(),
                holds: 0.into(),
                should: 1.into(),
                reason: "Baton does not know this record".to_owned(),
            });
            return;
        };
        let names: BTreeSet<Name> = golden.keys().chain(state.golden.keys()).copied().collect();
        for name in names {
            let should = golden
                .get(&name)
                .map(|g| g.value.clone())
                .unwrap_or_default();
            let holds = state.golden_value(name);
            if *holds != should {
                let note = golden
                    .get(&name)
                    .map(|g| g.note.clone())
                    .unwrap_or_default();
                found.differences.push(Difference {
                    record: record.clone(),
                    field: name.to_string(),
                    holds: holds.to_json(),
                    should: should.to_json(),
                    reason: format!("Baton's golden value is another than the rules' ({note})"),
                });
            }
        }
    }

    /// What Baton itself says about a field that is not in sync.
    fn why(&self, key: &RecordKey, field: Name) -> String {
        let Some(state) = self.states.get(key) else {
            return "Baton does not know this record".to_owned();
        };
        let Some(delivery) = state.deliveries.get(key) else {
            return "Baton never had to do with this record's fields".to_owned();
        };
        if delivery.contested.contains_key(&field) {
            return "contested: two values alternated, so writing stopped".to_owned();
        }
        if delivery.held.contains_key(&field) {
            return "held: the reverts of the day are used up".to_owned();
        }
        if let Some(refused) = delivery.refused.get(&field) {
            return format!("refused by the target: {}", refused.reason);
        }
        if let Some((_, reason)) = &delivery.refused_record {
            return format!("the record was refused by the target: {reason}");
        }
        if let Some(reason) = delivery.read_wanted {
            return format!("waits for a read: {}", reason.as_str());
        }
        if delivery.outstanding.is_some() {
            return "a command has no answer yet".to_owned();
        }
        let unknown = delivery
            .intents
            .iter()
            .any(|i| i.end == IntentEnd::Unknown && i.fields.contains_key(&field));
        if unknown {
            return "the outcome of a write is unknown".to_owned();
        }
        let all = out_of_sync(state, self.rules(), self.as_of);
        if all.contains(&(key.clone(), field, WhyNot::WithItsGroup)) {
            return "its group is written whole, and another member of it cannot be".to_owned();
        }
        "Baton gives no reason".to_owned()
    }
}

const CONTESTED: &str = "people entered two values by turns, and a steward decides";

/// Whether people entered two values of a field, elsewhere than at the target, each at least so often.
fn alternates(case: &Case<'_>, target: &RecordKey, field: Name, often: usize) -> bool {
    let mut entered: Vec<&Fact> = case
        .facts
        .iter()
        .filter(|fact| fact.field == field && !fact.own && fact.record != *target)
        .collect();
    entered.sort_by_key(|fact| (fact.time, fact.seq, fact.position));
    entered.dedup_by_key(|fact| &fact.value);
    let mut times: BTreeMap<&Value, usize> = BTreeMap::new();
    for fact in entered {
        *times.entry(&fact.value).or_default() += 1;
    }
    times.values().filter(|times| **times >= often).count() >= 2
}

const fn left_alone(why: LeftAlone) -> &'static str {
    match why {
        LeftAlone::BlankAtWinner => "the winning record was seen blank since",
        LeftAlone::Required => "a required field is not blanked",
        LeftAlone::NoSuchValue => "the target has no such value",
        LeftAlone::GroupRefused => "another member of its group cannot be written",
    }
}

#[cfg(test)]
mod tests {
    use baton_core::id::{Digest, Object};

    use super::*;

    fn entered(record: &RecordKey, nth: u32, country: &str) -> Fact {
        let event = Digest::of(&[&nth.to_be_bytes()]);
        let at = Millis(i64::from(nth) * 60_000);
        Fact::new(
            record.clone(),
            Name::new("country"),
            Value::text(country),
            at,
            event,
        )
    }

    #[test]
    fn two_values_alternate_only_if_people_entered_each_of_them_so_often_elsewhere() {
        let rules = Rules::default();
        let target = RecordKey::new("map", Object::Contact, "1");
        let other = RecordKey::new("crm", Object::Lead, "2");
        let by_turns = |record: &RecordKey, times: u32| -> Vec<Fact> {
            let country = |nth| if nth % 2 == 0 { "FR" } else { "GB" };
            (0..2 * times)
                .map(|nth| entered(record, nth, country(nth)))
                .collect()
        };
        let alternate = |facts: Vec<Fact>| {
            let case = Case::new(&rules, Kind::Person, facts, Millis::NEVER);
            alternates(&case, &target, Name::new("country"), 3)
        };
        assert!(alternate(by_turns(&other, 3)));
        assert!(!alternate(by_turns(&other, 2)));
        // What a loop would make: Baton's own writes, and what stands at the target.
        assert!(!alternate(by_turns(&target, 3)));
        let mut own = by_turns(&other, 3);
        own.iter_mut().for_each(|fact| fact.own = true);
        assert!(!alternate(own));
        // One value again and again is entered once.
        let same = (0..6).map(|nth| entered(&other, nth, "FR")).collect();
        assert!(!alternate(same));
    }
}
