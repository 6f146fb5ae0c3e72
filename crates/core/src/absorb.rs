//! One entity goes into another, and comes out of it again (L14).

use crate::{
    id::{EntityId, RecordKey},
    state::{Absorbed, State},
};
use std::collections::BTreeSet;

/// What is left of an entity that went into another: its own locks, rulings and stages, for an unmerge.
pub(crate) fn merged_into(state: &mut State, winner: crate::id::EntityId) {
    state.merged_into = Some(winner);
    state.links.clear();
    state.histories.clear();
    state.deliveries.clear();
    state.provenance.clear();
    state.guarded.clear();
    state.creates.clear();
    state.absorbed.clear();
    state.golden = Default::default();
    state.settling.clear();
    state.due.clear();
    state.funnel = None;
}

/// Takes another entity's records and claims in, or an entity's own again after an unmerge. Both sides' claims stay; provenance tells them apart again.
pub(crate) fn absorb(state: &mut State, other: &State) {
    state.links.extend(other.links.clone());
    state.histories.extend(other.histories.clone());
    state.deliveries.extend(other.deliveries.clone());
    state.provenance.extend(other.provenance.clone());
    state.guarded.extend(other.guarded.clone());
    // Consent stays with both, also after an unmerge.
    state
        .shared_consent
        .extend(other.shared_consent.iter().cloned());
    state.absorbed.extend(other.absorbed.clone());
    if other.id == state.id {
        state.merged_into = None;
        return;
    }
    let brought = Absorbed {
        into: state.id,
        locks: other.locks.clone(),
        rulings: other.rulings.clone(),
        stages: other.stages.clone(),
    };
    state.absorbed.insert(other.id, brought);
    state.sealed_before = state.sealed_before.max(other.sealed_before);
    // A create whose record is brought is under way no more.
    let intents = || other.deliveries.values().flat_map(|d| &d.intents);
    state
        .creates
        .retain(|_, create| intents().all(|i| i.command != create.command));
    // Two different values of one channel each count: their own turns are in the histories.
    for (system, create) in &other.creates {
        state
            .creates
            .entry(*system)
            .or_insert_with(|| create.clone());
    }
}

/// `from`, and whoever had been merged into it before.
pub(crate) fn with_absorbed(state: &State, from: EntityId) -> BTreeSet<EntityId> {
    let mut all = BTreeSet::from([from]);
    loop {
        let under = |(id, brought): &(&EntityId, &Absorbed)| {
            all.contains(&brought.into) && !all.contains(*id)
        };
        match state.absorbed.iter().find(under).map(|(id, _)| *id) {
            Some(id) => all.insert(id),
            None => return all,
        };
    }
}

/// Gives back the records that came from `from`, and what had been merged into it.
pub(crate) fn split(state: &mut State, from: EntityId) {
    let parts = with_absorbed(state, from);
    let records: Vec<RecordKey> = state
        .provenance
        .iter()
        .filter(|(_, of)| parts.contains(of))
        .map(|(record, _)| record.clone())
        .collect();
    for record in records {
        state.links.remove(&record);
        state.histories.remove(&record);
        state.deliveries.remove(&record);
        state.provenance.remove(&record);
    }
    let gone = |record: &RecordKey| !state.links.contains_key(record);
    state.guarded.retain(|_, guarded| !gone(&guarded.record));
    state.absorbed.retain(|id, _| !parts.contains(id));
}

/// The part of `state` that came from `from`, as that entity's own state again.
#[must_use]
pub fn part_of(state: &State, from: crate::id::EntityId) -> State {
    let parts = with_absorbed(state, from);
    let mut part = State::new(from);
    for record in state
        .provenance
        .iter()
        .filter(|(_, of)| parts.contains(of))
        .map(|(record, _)| record)
    {
        if let Some(link) = state.links.get(record) {
            part.links.insert(record.clone(), link.clone());
        }
        if let Some(history) = state.histories.get(record) {
            part.histories.insert(record.clone(), history.clone());
        }
        if let Some(delivery) = state.deliveries.get(record) {
            part.deliveries.insert(record.clone(), delivery.clone());
        }
        if let Some(of) = state.provenance.get(record) {
            part.provenance.insert(record.clone(), *of);
        }
    }
    let guarded = state.guarded.iter();
    part.guarded = guarded
        .filter(|(_, guarded)| part.links.contains_key(&guarded.record))
        .map(|(event, guarded)| (*event, guarded.clone()))
        .collect();
    let earlier = state
        .absorbed
        .iter()
        .filter(|(id, _)| **id != from && parts.contains(id));
    part.absorbed = earlier
        .map(|(id, brought)| (*id, brought.clone()))
        .collect();
    if let Some(brought) = state.absorbed.get(&from) {
        part.locks = brought.locks.clone();
        part.rulings = brought.rulings.clone();
        part.stages = brought.stages.clone();
    }
    part.shared_consent = state.shared_consent.clone();
    part.sealed_before = state.sealed_before;
    part
}
