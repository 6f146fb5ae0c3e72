//! What operators want counted, and nobody is told: handoffs that a system did not take.

use super::{funnel::Funnel, setup::Setup};
use crate::{input::Answer, state::State, wire::ResultOutcome};

/// Whether a system refuses what it should be told of somebody whom sales is to have: in an update of its record, or
/// with the record as a whole, which waits for better values then.
pub(super) fn refuses(state: &State, funnel: &Funnel, setup: &Setup, answer: &Answer) -> bool {
    // Nobody is handed over without an episode.
    if answer.outcome != ResultOutcome::Refused || funnel.present().episode.is_none() {
        return false;
    }
    let wiring = setup.wiring.systems.get(&answer.system);
    let field = wiring.and_then(|wiring| wiring.handoff.or(wiring.stage));
    let Some((field, word)) = field.and_then(|field| Some((field, funnel.word(field)?))) else {
        return false;
    };
    let create = state.creates.get(&answer.system).filter(|create| {
        create.command == answer.command && create.fields.get(&field) == Some(&word.value)
    });
    let deliveries = state.deliveries.iter();
    let mut intents = deliveries
        .filter(|(record, _)| record.system == answer.system)
        .flat_map(|(_, delivery)| &delivery.intents)
        .filter(|intent| intent.command == answer.command);
    let in_update = intents.any(|intent| {
        // Of single fields that are refused the others are taken.
        intent.fields.get(&field).is_some_and(|written| {
            written.value == word.value && (written.refused || answer.refused.is_empty())
        })
    });
    create.is_some() || in_update
}
