//! What a change says besides values: of links, of stages, of groups seen only in part.

use crate::apply::touch_all;
use crate::{
    book::ParkedCode,
    change::{Change, Class},
    effects::Effects,
    id::{Position, RecordKey},
    name::Name,
    rules::Rules,
    state::{Link, LinkStatusFact, ReadReason, StageFact, State},
    time::Millis,
};
use std::collections::BTreeSet;

/// What a change said of links and stages moves with it to its smaller time.
pub(crate) fn move_facts(state: &mut State, was: (Millis, Position), now: (Millis, Position)) {
    for (_, link) in state.links.iter_mut() {
        let of_it = |fact: &&(Millis, Position, LinkStatusFact)| (fact.0, fact.1) == was;
        let moved: Vec<_> = link.facts.iter().filter(of_it).cloned().collect();
        for fact in moved {
            link.facts.remove(&fact);
            link.facts.insert((now.0, now.1, fact.2));
        }
    }
    let of_it = |fact: &&StageFact| (fact.time, fact.position) == was;
    let moved: Vec<_> = state.stages.iter().filter(of_it).cloned().collect();
    for fact in moved {
        state.stages.remove(&fact);
        state.stages.insert(StageFact {
            time: now.0,
            position: now.1,
            ..fact
        });
    }
}

pub(crate) fn link(state: &mut State, record: &RecordKey) {
    if !state.links.contains_key(record) {
        state.links.insert(record.clone(), Link::default());
        state.provenance.insert(record.clone(), state.id);
    }
}

/// Deletes, merges and conversions are facts about links; a link's status is the latest of them.
pub(crate) fn relink(
    state: &mut State,
    change: &Change,
    rules: &Rules,
    touched: &mut BTreeSet<Name>,
    effects: &mut Effects,
) -> bool {
    let stamp = (change.time, change.position);
    let fact = |state: &mut State, record: &RecordKey, fact: LinkStatusFact| {
        link(state, record);
        let before = state.status(record);
        if let Some(link) = state.links.get_mut(record) {
            link.facts.insert((stamp.0, stamp.1, fact));
        }
        before != state.status(record)
    };
    let moved = match &change.class {
        Class::Delete => fact(state, &change.record, LinkStatusFact::Deleted),
        Class::Undelete => fact(state, &change.record, LinkStatusFact::Undeleted),
        Class::Merge { losers } => {
            let mut moved = false;
            for loser in losers {
                let record = RecordKey {
                    id: loser.clone(),
                    ..change.record.clone()
                };
                moved |= fact(
                    state,
                    &record,
                    LinkStatusFact::MergedInto(change.record.id.clone()),
                );
                effects.linked.push(record);
            }
            moved
        }
        Class::Convert { to } => {
            let mut moved = false;
            for (object, id) in to
                .iter()
                .filter(|(object, _)| object.kind() == change.record.object.kind())
            {
                let target = RecordKey {
                    object: *object,
                    id: id.clone(),
                    ..change.record.clone()
                };
                link(state, &target);
                moved |= fact(
                    state,
                    &change.record,
                    LinkStatusFact::ConvertedTo(*object, id.clone()),
                );
                effects.linked.push(target);
            }
            moved
        }
        _ => return false,
    };
    touch_all(state, rules, touched);
    if change.class == Class::Undelete {
        state
            .deliveries
            .entry(change.record.clone())
            .or_default()
            .deleted = false;
    }
    moved
}

pub(crate) fn stage(
    state: &mut State,
    change: &Change,
    rules: &Rules,
    touched: &mut BTreeSet<Name>,
    at: Millis,
    effects: &mut Effects,
) {
    let Class::Stage { stage } = &change.class else {
        return;
    };
    let Some(stage) = Name::known(stage).filter(|s| rules.rank_of_stage(*s).is_some()) else {
        let why = "a lifecycle stage came in that the rules do not name".to_owned();
        effects.park(
            state,
            ParkedCode::UnknownStage,
            Some(&change.record),
            None,
            at,
            why,
        );
        return;
    };
    // A funnel hears it as a system's claim, and says itself where the person is.
    if rules.funnel.is_some() {
        return;
    }
    state.stages.insert(StageFact {
        time: change.time,
        position: change.position,
        stage,
    });
    touched.extend(rules.entity(state.id.kind).by_stage());
}

/// A tuple with a mapped but never observed member queues a read of its record.
pub(crate) fn partial_groups(
    state: &mut State,
    record: &RecordKey,
    touched: &BTreeSet<Name>,
    rules: &Rules,
) {
    let entity = rules.entity(state.id.kind);
    let Some(mapping) = rules.object(record.system, record.object) else {
        return;
    };
    let groups: BTreeSet<Name> = touched
        .iter()
        .filter_map(|f| entity.group_of.get(f).copied())
        .collect();
    let Some(history) = state.histories.get(record) else {
        return;
    };
    let partial = groups
        .iter()
        .filter_map(|g| entity.groups.get(g))
        .any(|group| {
            group.fields.iter().any(|field| {
                let mapped = || {
                    let mut fields = mapping.fields.values();
                    fields.any(|m| m.field == *field && m.direction != crate::rules::Direction::Out)
                };
                !history.fields.contains_key(field) && mapped()
            }) && group
                .fields
                .iter()
                .any(|field| history.fields.contains_key(field))
        });
    let delivery = state.deliveries.entry(record.clone()).or_default();
    if partial && delivery.last_read.is_none() {
        delivery.read_wanted.get_or_insert(ReadReason::PartialGroup);
    }
}
