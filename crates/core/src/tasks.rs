//! What rules leave to a steward: differing values of a `manual` field, clears that `clear = "hold"` keeps back, and
//! records that one system has twice.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    book::{Parked, ParkedCode},
    claim::{Claim, Claims, Eligibility},
    effects::Effects,
    id::{Digest, Object, RecordKey},
    name::Name,
    rules::{ClearPolicy, GroupRule, Rules, Strategy},
    state::{LinkStatus, State},
    time::Millis,
    value::Value,
};

/// Puts before a steward what the fields just moved leave open, and takes back what settled itself.
pub fn ask_stewards(
    state: &State,
    touched: &BTreeSet<Name>,
    rules: &Rules,
    at: Millis,
    effects: &mut Effects,
) {
    let entity = rules.entity(state.id.kind);
    let groups: BTreeSet<Name> = touched
        .iter()
        .filter_map(|f| entity.group_of.get(f).copied())
        .collect();
    for name in groups {
        let group = entity.groups.get(&name);
        let Some(group) = group.filter(|g| matches!(g.strategy, Strategy::Manual { .. })) else {
            continue;
        };
        let claims = Claims::of_group(state, group, rules);
        let ruled = ruled_tuple(state, group);
        if is_disputed(&claims, how_of_group(group), ruled.as_ref(), rules) {
            let why = format!("the systems differ about `{name}`, and its rule is `manual`");
            effects.park(state, ParkedCode::ManualDecision, None, Some(name), at, why);
        } else {
            effects.unpark(state, ParkedCode::ManualDecision, None, Some(name));
        }
    }
    for field in touched {
        let Some(rule) = entity.fields.get(field) else {
            continue;
        };
        let in_group = entity.group_of.contains_key(field);
        if !in_group && matches!(rule.strategy, Strategy::Manual { .. }) {
            let code = ParkedCode::ManualDecision;
            let claims = Claims::of_field(state, *field, rules);
            let how = Eligibility {
                clear: rule.clear,
                protect: rule.protect_manual,
            };
            let ruled = state.ruling(*field).map(|r| (r.at, vec![&r.value]));
            if is_disputed(&claims, how, ruled.as_ref(), rules) {
                let why = format!("the systems differ about `{field}`, and its rule is `manual`");
                effects.park(state, code, None, Some(*field), at, why);
            } else {
                effects.unpark(state, code, None, Some(*field));
            }
        }
        if rule.clear == ClearPolicy::Hold {
            hold_clears(state, *field, rules, at, effects);
        }
    }
}

const fn how_of_group(group: &GroupRule) -> Eligibility {
    Eligibility {
        clear: group.clear,
        protect: group.protect_manual,
    }
}

/// Each record's last eligible turn.
fn last_offers<'a, 'c>(
    claims: &'c Claims<'a>,
    how: Eligibility,
    rules: &'c Rules,
) -> Vec<&'c Claim<'a>> {
    let mut offers: Vec<&Claim<'a>> = Vec::new();
    for (of, turn, bar) in claims.all(how, rules) {
        if bar.is_some() {
            continue;
        }
        // Turns of one record stand together and in order.
        if offers.last().is_some_and(|last| last.record == of.record) {
            offers.pop();
        }
        offers.push(turn);
    }
    offers
}

/// Whether a record offers something else than the rest, or than a steward's decision that is older.
fn is_disputed(
    claims: &Claims<'_>,
    how: Eligibility,
    ruled: Option<&(Millis, Vec<&Value>)>,
    rules: &Rules,
) -> bool {
    let offers = last_offers(claims, how, rules);
    match ruled {
        Some((at, values)) => offers
            .iter()
            .any(|o| o.time > *at && o.content.values() != values.as_slice()),
        None => offers
            .windows(2)
            .any(|pair| pair[0].content.values() != pair[1].content.values()),
    }
}

/// The tuple of a `manual` group that a steward chose, with when.
pub(crate) fn ruled_tuple<'a>(
    state: &'a State,
    group: &GroupRule,
) -> Option<(Millis, Vec<&'a Value>)> {
    if !matches!(group.strategy, Strategy::Manual { .. }) {
        return None;
    }
    let rulings: Option<Vec<_>> = group.fields.iter().map(|f| state.ruling(*f)).collect();
    let rulings = rulings?;
    // A decision is about the whole: one of a single member, made under other rules, is none.
    let at = rulings.first()?.at;
    rulings
        .iter()
        .all(|r| r.at == at)
        .then(|| (at, rulings.iter().map(|r| &r.value).collect()))
}

/// The whole tuple that a record offers, in the order of the group's members.
pub(crate) fn offered_tuple(
    state: &State,
    group: &GroupRule,
    record: &RecordKey,
    rules: &Rules,
) -> Option<Vec<Value>> {
    let claims = Claims::of_group(state, group, rules);
    let offers = last_offers(&claims, how_of_group(group), rules);
    let offer = offers.into_iter().find(|o| o.record == record)?;
    Some(
        offer
            .content
            .values()
            .iter()
            .map(|v| (*v).clone())
            .collect(),
    )
}

/// One task per record whose last word on the field is a clear.
fn hold_clears(state: &State, field: Name, rules: &Rules, at: Millis, effects: &mut Effects) {
    let code = ParkedCode::HeldClears;
    for of in &Claims::of_field(state, field, rules).records {
        let cleared = of.turns.last().is_some_and(|t| t.content.is_blank());
        if cleared {
            let why = format!("`{field}` was cleared, and clears of it are held");
            effects.park(state, code, Some(of.record), Some(field), at, why);
        } else if !of.turns.is_empty() {
            effects.unpark(state, code, Some(of.record), Some(field));
        }
    }
}

/// Active records of which one system has several in one object, by system and object.
pub(crate) fn doubled(state: &State) -> BTreeMap<(Name, Object), Vec<RecordKey>> {
    let mut found: BTreeMap<(Name, Object), Vec<RecordKey>> = BTreeMap::new();
    if state.links.len() < 2 {
        return found;
    }
    let here = |record: &RecordKey| (record.system, record.object);
    // Records stand in order, those of one system and object together.
    let mut last: Option<&RecordKey> = None;
    for (record, link) in &state.links {
        if last.is_some_and(|l| here(l) != here(record)) {
            last = None;
        }
        if link.status() != LinkStatus::Active {
            continue;
        }
        if let Some(first) = last {
            let records = found
                .entry(here(record))
                .or_insert_with(|| vec![first.clone()]);
            records.push(record.clone());
        }
        last = Some(record);
    }
    found
}

/// Tells a steward of records that came to be doubled, and takes back what is single again. Only what changes is told:
/// a task that somebody closed knowingly stays closed.
pub(crate) fn tell_doubled(
    before: &BTreeMap<(Name, Object), Vec<RecordKey>>,
    state: &State,
    at: Millis,
    effects: &mut Effects,
) {
    let now = doubled(state);
    if now == *before {
        return;
    }
    for here in before.keys().filter(|here| !now.contains_key(*here)) {
        effects.take_back(doubled_id(state, *here));
    }
    for (here, records) in now {
        if before.get(&here) == Some(&records) {
            continue;
        }
        let names: Vec<String> = records.iter().map(|r| format!("`{r}`")).collect();
        let why = format!(
            "{} are one {}; they are kept equal, and only {} can merge them or delete one",
            names.join(" and "),
            state.id.kind.as_str(),
            here.0
        );
        effects.put(Parked {
            id: doubled_id(state, here),
            code: ParkedCode::DoubledRecord,
            at,
            entity: Some(state.id),
            record: records.into_iter().next_back(),
            field: None,
            candidates: Vec::new(),
            why,
            change: None,
        });
    }
}

/// One matter, whichever and however many the records are.
fn doubled_id(state: &State, (system, object): (Name, Object)) -> Digest {
    Digest::of(&[
        b"parked",
        ParkedCode::DoubledRecord.as_str().as_bytes(),
        state.id.to_string().as_bytes(),
        system.as_str().as_bytes(),
        object.as_str().as_bytes(),
    ])
}
