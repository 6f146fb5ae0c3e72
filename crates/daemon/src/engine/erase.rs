//! Erasure: a person's values leave the state, the ledger, what is parked and what lies dead, in one transaction.
//! Order keys, event ids, and the hashes that suppression needs stay.

use std::collections::BTreeSet;

use baton_core::{
    apply::apply,
    book::{Item, Parked},
    change::{Change, Class, Seen},
    id::{Digest, EntityId},
    input::{Input, StewardAct},
    rules::Rules,
    state::{LockOn, State},
    time::Millis,
    value::Value,
};
use baton_store::{Batch, DeadLetter, Erasure, LedgerEntry, StewardState};

use super::{Engine, EngineError};

/// Shorter ids and values stand in the payloads of others by chance.
const TELLING: usize = 6;

/// What an erasure took out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Erased {
    pub inputs: usize,
    pub parked: usize,
    pub dead_letters: usize,
}

impl Engine {
    /// Erases an entity and everything that merged into it.
    ///
    /// # Errors
    /// As [`Engine::process`].
    pub async fn erase(&self, entity: EntityId) -> Result<Erased, EngineError> {
        let erased = std::sync::Mutex::new(Erased::default());
        self.settle_with(|| async {
            let erasure = self.gather(entity).await?;
            if let Ok(mut erased) = erased.lock() {
                *erased = Erased {
                    inputs: erasure.ledger.len(),
                    parked: erasure.parked.len(),
                    dead_letters: erasure.dead_letters.len(),
                };
            }
            let act = StewardAct::Erase;
            let batch = Batch {
                erasure,
                ..Batch::default()
            };
            Ok((vec![Item::Steward { entity, act }], batch))
        })
        .await?;
        Ok(erased
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    async fn gather(&self, entity: EntityId) -> Result<Erasure, EngineError> {
        let mut erasure = Erasure::default();
        let Some(state) = self.store.entity(entity).await? else {
            return Ok(erasure);
        };
        let active = self.active();
        let at = self.clock.now();
        let merged = state.provenance.values().chain(state.absorbed.keys());
        let entities: BTreeSet<EntityId> = merged.copied().chain([entity]).collect();
        for id in &entities {
            for mut entry in self.store.ledger(*id, None).await? {
                redact(&mut entry, &active.rules, at);
                erasure.ledger.push(entry);
            }
        }
        for kind in StewardState::ALL {
            let mut after = None;
            loop {
                let page = self.store.parked(kind, after, 500).await?;
                let Some(last) = page.last() else { break };
                after = Some((last.at, last.id));
                erasure.parked.extend(
                    page.into_iter()
                        .filter(|parked| concerns(parked, &state, &entities))
                        .map(without_values),
                );
            }
            erasure
                .dead_letters
                .extend(self.letters(kind, &state).await?);
        }
        Ok(erasure)
    }

    async fn letters(&self, kind: StewardState, state: &State) -> Result<Vec<Digest>, EngineError> {
        let traces = traces(state);
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.dead_letters(kind, after, 200).await?;
            let Some(last) = page.last() else {
                return Ok(found);
            };
            after = Some((last.at, last.id));
            let about = page.iter().filter(|letter| mentions(letter, &traces));
            found.extend(about.map(|letter| letter.id));
        }
    }
}

fn concerns(parked: &Parked, state: &State, entities: &BTreeSet<EntityId>) -> bool {
    parked.entity.is_some_and(|id| entities.contains(&id))
        || parked
            .record
            .as_ref()
            .is_some_and(|record| state.links.contains_key(record))
}

fn without_values(mut parked: Parked) -> Parked {
    if let Some(change) = &mut parked.change {
        redact_change(change);
    }
    parked
}

/// Texts by which a payload that was never understood shows that it is about this entity.
fn traces(state: &State) -> Vec<Vec<u8>> {
    let mut traces: BTreeSet<String> = state.links.keys().map(|r| r.id.to_string()).collect();
    let observed = state
        .histories
        .values()
        .flat_map(|history| history.fields.values())
        .flat_map(|field| field.cells.iter().map(|cell| &cell.value));
    for value in observed {
        // Addresses tell one person from another; names and cities do not.
        if let Value::Text(text) = value
            && (text.contains('@') || text.starts_with('+'))
        {
            traces.insert(text.to_lowercase());
        }
    }
    traces
        .into_iter()
        .filter(|trace| trace.len() >= TELLING)
        .map(String::into_bytes)
        .collect()
}

fn mentions(letter: &DeadLetter, traces: &[Vec<u8>]) -> bool {
    let folded = letter.payload.to_ascii_lowercase();
    let key = letter
        .key
        .as_deref()
        .unwrap_or_default()
        .to_ascii_lowercase();
    traces.iter().any(|trace| {
        let trace = trace.to_ascii_lowercase();
        [&folded, &key]
            .into_iter()
            .any(|text| text.windows(trace.len()).any(|window| window == trace))
    })
}

fn redact(entry: &mut LedgerEntry, rules: &Rules, at: Millis) {
    match &mut entry.row.input {
        Input::Change(change) => redact_change(change),
        Input::Answer(answer) => {
            answer.record = None;
            answer.error = None;
            answer
                .refused
                .values_mut()
                .for_each(compact_str::CompactString::clear);
        }
        Input::Steward(StewardAct::Lock { lock, .. }) => {
            if let LockOn::Value(value) = &mut lock.on {
                *value = Value::Blank;
            }
        }
        Input::Steward(StewardAct::Rule { value, .. }) => *value = Value::Blank,
        Input::Absorb(state) => {
            let erase = Input::Steward(StewardAct::Erase);
            drop(apply(state, &erase, rules, at));
        }
        Input::Wake
        | Input::SharedConsent(_)
        | Input::ClearVerdict { .. }
        | Input::Steward(_)
        | Input::Reread { .. } => {}
        Input::Heard { fact, .. } => fact.what.redact(),
    }
}

fn redact_change(change: &mut Change) {
    change.actor = None;
    if let Class::Act(act) = &mut change.class {
        act.redact();
    }
    for field in &mut change.fields {
        field.value = Value::Blank;
        field.seen = Seen::BlankInSnapshot;
        field.before = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(payload: &str) -> DeadLetter {
        DeadLetter {
            id: Digest::default(),
            at: Millis(0),
            code: "malformed-json".into(),
            place: String::new(),
            what: String::new(),
            fix: String::new(),
            system: "crm".into(),
            format: baton_core::change::Format::Baton,
            object: None,
            topic: "t".into(),
            partition: 0,
            offset: 0,
            key: None,
            payload: payload.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_payload_that_holds_the_address_in_any_case_is_about_the_person() {
        let traces = [b"ann@example.com".to_vec()];
        assert!(mentions(&letter("{ \"mail\": Ann@Example.com"), &traces));
        assert!(!mentions(&letter("{ \"mail\": Bob@Example.com"), &traces));
    }
}
