//! What the reference is told of a history that the engine has played.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    book::LedgerRow,
    change::{Change, Class, Origin, Seen},
    id::{Digest, Kind, Position, RecordKey},
    input::{Input, StewardAct},
    name::Name,
    rules::{DeletePolicy, Rules},
    state::LockOn,
    time::Millis,
    value::Value,
};
use baton_reference::{self as reference, Case, Fact, Told};

use crate::world::GROUP;

/// The changes of a ledger, with their verdicts.
pub fn changes(ledger: &[LedgerRow]) -> impl Iterator<Item = &Change> {
    ledger.iter().filter_map(|row| match &row.input {
        Input::Change(change) => Some(change),
        _ => None,
    })
}

/// What the reference is told of a ledger: facts with their verdicts, stages, links, locks, rulings.
#[must_use]
pub fn case<'r>(ledger: &[LedgerRow], rules: &'r Rules, as_of: Millis) -> Case<'r> {
    let mut case = Case::new(rules, Kind::Person, Vec::new(), as_of);
    for row in ledger {
        match &row.input {
            Input::Change(change) => case.facts.extend(facts(change)),
            Input::Answer(answer) => {
                let (Some(id), Some(record), Some(stamp)) =
                    (&answer.id, &answer.record, answer.stamp)
                else {
                    continue;
                };
                for (field, (value, _)) in record {
                    let key = RecordKey::new(answer.system, answer.object, id.clone());
                    let mut fact = Fact::new(key, *field, value.clone(), stamp, answer.command);
                    fact.position = answer.position;
                    fact.own = true;
                    case.facts.push(fact);
                }
            }
            Input::ClearVerdict { event, held: true } => {
                for fact in case.facts.iter_mut().filter(|f| f.event == *event) {
                    fact.held = matches!(fact.seen, Seen::Cleared | Seen::BlankInEvent);
                }
            }
            Input::Steward(act) => note_act(&mut case, act, row.at, as_of),
            _ => {}
        }
    }
    case.stages = stages(ledger, rules);
    case.links = links(ledger, rules);
    case
}

fn note_act(case: &mut Case<'_>, act: &StewardAct, at: Millis, as_of: Millis) {
    match act {
        StewardAct::Lock { field, lock } => {
            case.locks.remove(field);
            if lock.expires.is_none_or(|end| end > as_of) {
                let lock = match &lock.on {
                    LockOn::Value(value) => reference::Lock::Value(value.clone()),
                    LockOn::Source(source) => reference::Lock::Source(*source),
                };
                case.locks.insert(*field, lock);
            }
        }
        StewardAct::Unlock { field } => {
            case.locks.remove(field);
        }
        StewardAct::Rule { field, value, .. } => case.choices.push(reference::StewardChoice {
            name: *field,
            at,
            values: vec![value.clone()],
            record: None,
        }),
        _ => {}
    }
}

/// The observations of one change.
#[must_use]
pub fn facts(change: &Change) -> Vec<Fact> {
    let told = match change.class {
        Class::Delta => Told::Delta,
        Class::Snapshot => Told::Snapshot,
        Class::ReadBack => Told::ReadBack,
        _ => Told::Event,
    };
    if matches!(
        change.class,
        Class::Tombstone | Class::Activity { .. } | Class::Overflow
    ) {
        return Vec::new();
    }
    let fact = |field: &baton_core::change::FieldChange| Fact {
        record: change.record.clone(),
        field: field.field,
        value: field.value.clone(),
        seen: field.seen,
        time: change.time,
        seq: change.seq,
        position: change.position,
        event: change.event,
        cause: change.cause,
        told,
        own: change.origin == Origin::Ours,
        renders: None,
        before: field.before.clone(),
        held: false,
        beyond: change.verdicts.beyond.contains(&field.field),
    };
    change.fields.iter().map(fact).collect()
}

fn stages(ledger: &[LedgerRow], rules: &Rules) -> Vec<reference::StageFact> {
    let mut stages: BTreeMap<Digest, reference::StageFact> = BTreeMap::new();
    for change in changes(ledger) {
        if let Class::Stage { stage } = &change.class
            && rules.stages.contains(&Name::new(stage))
        {
            let fact = reference::StageFact {
                time: change.time,
                position: change.position,
                stage: Name::new(stage),
            };
            stages.entry(change.event).or_insert(fact);
        }
    }
    stages.into_values().collect()
}

/// Fields with different values of one record within one quantum that no sequence orders, and what reads them. The
/// contract calls them ambiguous until they are read back; how they stand meanwhile is the engine's own decision
/// (docs/decisions/0001-order-within-a-quantum.md), which the closed loop tests.
#[must_use]
pub fn ambiguous(case: &Case<'_>) -> BTreeSet<Name> {
    type Told = (BTreeSet<Value>, BTreeSet<bool>, bool, bool);
    let mut quanta: BTreeMap<(&RecordKey, Name, Millis), Told> = BTreeMap::new();
    for fact in &case.facts {
        let quantum = case.floor(fact.time);
        let (values, authors, sequenced, fitted) = quanta
            .entry((&fact.record, fact.field, quantum))
            .or_default();
        values.insert(fact.stands());
        authors.insert(fact.own);
        *sequenced |= fact.seq != 0;
        // A write that no event shows has no sequence: it is fitted in among those that have.
        *fitted |= fact.own && fact.seq == 0;
    }
    let mut fields: BTreeSet<Name> = quanta
        .into_iter()
        .filter(|(_, (values, authors, sequenced, fitted))| {
            // Somebody else's record and a write of Baton's own may show the same value within one quantum.
            (values.len() > 1 || authors.len() > 1) && (!sequenced || *fitted && authors.len() > 1)
        })
        .map(|((_, field, _), _)| field)
        .collect();
    if fields.is_empty() {
        return fields;
    }
    if GROUP.iter().any(|f| fields.contains(&Name::new(f))) {
        fields.extend(GROUP.iter().map(|f| Name::new(f)));
    }
    if fields.contains(&Name::new("email")) {
        fields.insert("consent".into());
    }
    fields.extend(["follower", "d_first", "a_chained"].map(Name::new));
    fields
}

/// The last word about each link, by event time.
fn links(ledger: &[LedgerRow], rules: &Rules) -> BTreeMap<RecordKey, reference::Link> {
    let mut words: Vec<(Millis, Position, RecordKey, reference::Link)> = Vec::new();
    let mut known = BTreeSet::new();
    for change in changes(ledger) {
        if !known.insert((change.record.clone(), change.event)) {
            continue;
        }
        let mut say =
            |record: RecordKey, link| words.push((change.time, change.position, record, link));
        match &change.class {
            Class::Delete => {
                let detach = rules.systems[&change.record.system].delete == DeletePolicy::Detach;
                let link = if detach {
                    reference::Link::Detached { since: change.time }
                } else {
                    reference::Link::Deleted
                };
                say(change.record.clone(), link);
            }
            Class::Undelete => say(change.record.clone(), reference::Link::Active),
            Class::Merge { losers } => {
                for loser in losers {
                    let record = RecordKey {
                        id: loser.clone(),
                        ..change.record.clone()
                    };
                    say(record, reference::Link::Merged);
                }
            }
            Class::Convert { .. } => say(change.record.clone(), reference::Link::Converted),
            _ => {}
        }
    }
    words.sort_by_key(|a| (a.0, a.1));
    words
        .into_iter()
        .map(|(_, _, record, link)| (record, link))
        .collect()
}
