//! Stories told in few words: who said what, when.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    change::{Cause, Format, Seen},
    id::{Digest, Kind, Object, Position, RecordKey},
    name::Name,
    rules::{
        ClearPolicy, DeletePolicy, FieldRule, FieldType, GroupRule, ObjectMapping, Rules, Strategy,
        System,
    },
    time::Millis,
    value::Value,
};
use baton_reference::{Answer, Case, Fact, Told, golden};

pub fn crm() -> RecordKey {
    RecordKey::new("crm", Object::Contact, "c1")
}

pub fn map() -> RecordKey {
    RecordKey::new("map", Object::Lead, "m1")
}

pub fn erp() -> RecordKey {
    RecordKey::new("erp", Object::Contact, "e1")
}

pub fn seconds(s: i64) -> Millis {
    Millis(1_700_000_000_000 + s * 1_000)
}

pub fn days(d: i64) -> Millis {
    seconds(d * 86_400)
}

/// A blank for "", else text.
pub fn text(value: &str) -> Value {
    if value.is_empty() {
        Value::Blank
    } else {
        Value::text(value)
    }
}

pub fn number(n: i64) -> Value {
    Value::Number(n.into())
}

pub fn set(items: &[&str]) -> Value {
    let mut items: Vec<_> = items.iter().map(|i| (*i).into()).collect();
    items.sort();
    Value::Set(items)
}

/// Rules of people with one field `x`, default ranks and sources crm, map, erp.
pub fn rules(strategy: Strategy) -> Rules {
    let mut rules = bare();
    rules.person.fields.insert(
        Name::new("x"),
        FieldRule {
            strategy,
            ..FieldRule::default()
        },
    );
    rules
}

pub fn rules_with_clear(strategy: Strategy, clear: ClearPolicy) -> Rules {
    let mut rules = rules(strategy);
    for field in rules.person.fields.values_mut() {
        field.clear = clear;
    }
    rules
}

/// Rules of people with the group `g` of `street`, `city`, `country`.
pub fn group_rules(strategy: Strategy) -> Rules {
    let mut rules = bare();
    let fields: Vec<Name> = ["street", "city", "country"].map(Name::new).to_vec();
    for field in &fields {
        rules.person.fields.insert(*field, FieldRule::default());
        rules.person.group_of.insert(*field, Name::new("g"));
    }
    let group = GroupRule {
        fields,
        strategy,
        clear: ClearPolicy::PropagateIfManual,
        protect_manual: None,
        requires: Vec::new(),
    };
    rules.person.groups.insert(Name::new("g"), group);
    rules
}

pub fn bare() -> Rules {
    let mut rules = Rules {
        cause_rank: [0, 1, 2, 3, 4, 5, 6],
        source_rank: ["crm", "map", "erp"].map(Name::new).to_vec(),
        stages: ["new", "nurture", "mql", "sql"].map(Name::new).to_vec(),
        ..Rules::default()
    };
    let email = FieldRule {
        kind: FieldType::Email,
        ..FieldRule::default()
    };
    rules.person.fields.insert(Name::new("email"), email);
    rules
}

/// Facts in the order in which they arrive.
#[derive(Default)]
pub struct Story {
    pub facts: Vec<Fact>,
    events: u64,
}

impl Story {
    fn next(&mut self) -> (Digest, Position) {
        self.events += 1;
        let event = Digest::of(&[&self.events.to_le_bytes()]);
        let position = Position {
            arrival: seconds(1_000_000_000),
            log: self.events,
        };
        (event, position)
    }

    /// One change of one record; change the returned facts as the story has them.
    pub fn change(
        &mut self,
        record: RecordKey,
        time: Millis,
        fields: &[(&str, Value)],
    ) -> &mut [Fact] {
        let (event, position) = self.next();
        let from = self.facts.len();
        for (field, value) in fields {
            let mut fact = Fact::new(record.clone(), Name::new(field), value.clone(), time, event);
            fact.position = position;
            self.facts.push(fact);
        }
        &mut self.facts[from..]
    }

    /// A delta of the field `x`.
    pub fn x(&mut self, record: RecordKey, time: Millis, value: Value, cause: Cause) -> &mut Fact {
        let change = self.change(record, time, &[("x", value)]);
        change[0].cause = cause;
        &mut change[0]
    }

    pub fn by(
        &mut self,
        record: RecordKey,
        time: Millis,
        cause: Cause,
        fields: &[(&str, Value)],
    ) -> &mut [Fact] {
        let change = self.change(record, time, fields);
        for fact in change.iter_mut() {
            fact.cause = cause;
        }
        change
    }

    pub fn own(&mut self, record: RecordKey, time: Millis, fields: &[(&str, Value)]) {
        for fact in self.change(record, time, fields) {
            fact.own = true;
        }
    }

    /// A whole record, read.
    pub fn snapshot(&mut self, record: RecordKey, time: Millis, fields: &[(&str, Value)]) {
        for fact in self.change(record, time, fields) {
            fact.told = Told::Snapshot;
            if fact.value.is_blank() {
                fact.seen = Seen::BlankInSnapshot;
            }
        }
    }

    /// A whole record, sent because something happened.
    pub fn event(
        &mut self,
        record: RecordKey,
        time: Millis,
        cause: Cause,
        fields: &[(&str, Value)],
    ) {
        for fact in self.change(record, time, fields) {
            fact.told = Told::Event;
            fact.cause = cause;
            if fact.value.is_blank() {
                fact.seen = Seen::BlankInEvent;
            }
        }
    }

    pub fn case<'r>(&self, rules: &'r Rules) -> Case<'r> {
        Case::new(rules, Kind::Person, self.facts.clone(), days(30))
    }
}

/// Golden, after making sure that order and repetition of the facts do not matter.
pub fn judge(case: &Case) -> BTreeMap<Name, Answer> {
    let answer = golden(case);
    let mut other = case.clone();
    other.facts.reverse();
    other.stages.reverse();
    assert_eq!(answer, golden(&other), "arrival order matters");
    other.facts.extend(case.facts.clone());
    assert_eq!(answer, golden(&other), "duplicates matter");
    answer
}

pub fn golden_value(case: &Case, field: &str) -> Value {
    judge(case)
        .get(&Name::new(field))
        .map(|a| a.value.clone())
        .unwrap_or_default()
}

/// The value of `x` under one strategy.
pub fn x_under(strategy: Strategy, story: &Story) -> Value {
    let rules = rules(strategy);
    golden_value(&story.case(&rules), "x")
}

pub fn system(name: &str, mapping: ObjectMapping) -> System {
    System {
        name: Name::new(name),
        format: Format::Baton,
        origin_tag: None,
        integration_users: BTreeSet::new(),
        default_cause: Cause::Unknown,
        causes: BTreeMap::new(),
        actor_causes: BTreeMap::new(),
        actor_default: None,
        objects: [(Object::Contact, mapping)].into(),
        vocabularies: BTreeMap::new(),
        acks: true,
        reads: true,
        region: None,
        zone: None,
        skew: 0,
        delete: DeletePolicy::Flag,
    }
}
