//! What operators want counted, and nobody is told: promises that were kept, and handoffs that a system did not take.

use std::collections::BTreeSet;

use super::{
    course::{Clock, Course, End},
    funnel::Funnel,
    rules::Mode,
    setup::Setup,
};
use crate::{effects::Counted, input::Answer, state::State, time::Millis, wire::ResultOutcome};

/// Clocks that were met, as an input made known: by one of its facts, at one of these moments, or by time alone since
/// `due`. What is heard of late may move the moment at which one was met; it is counted again then.
pub(super) fn kept<'c>(
    course: &'c Course,
    moments: &BTreeSet<Millis>,
    due: Option<Millis>,
) -> impl Iterator<Item = Counted> + use<'c> {
    let moments = moments.clone();
    let is_news = move |clock: &&Clock| {
        let Some((at, End::Met | End::MetReportedLate)) = clock.end else {
            return false;
        };
        moments.contains(&at) || due.is_some_and(|due| due <= at)
    };
    course
        .clocks
        .iter()
        .filter(is_news)
        .map(|clock| Counted::Kept {
            clock: clock.name,
            shadow: clock.mode == Mode::Shadow,
        })
}

/// Whether a system refuses what it should be told of somebody whom sales is to have: in an update of its record, or
/// with the record as a whole, which waits for better values then.
pub(super) fn refused(
    state: &State,
    funnel: &Funnel,
    setup: &Setup,
    answer: &Answer,
) -> Option<Counted> {
    if answer.outcome != ResultOutcome::Refused {
        return None;
    }
    // Nobody is handed over without an episode.
    funnel.present().episode?;
    let wiring = setup.wiring.systems.get(&answer.system)?;
    let field = wiring.handoff.or(wiring.stage)?;
    let word = funnel.word(field)?;
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
    (create.is_some() || in_update).then_some(Counted::HandoffRefused)
}
