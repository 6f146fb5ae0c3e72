//! How many records of each system hold each field, counted as inputs come in: what a share of them is taken of by
//! the mass-clear guard (section 4).
//!
//! A record holds a field while its link is active and its last observation in ρ is not blank. That is a property of
//! one state, so the count moves by exactly what an input moves there, in the transaction that writes the state: the
//! counts are always the sum over all states, whatever came late, twice or out of order, and whoever crashed.

use std::collections::BTreeMap;

use crate::{
    change::Class,
    input::{Input, StewardAct},
    name::Name,
    state::{FieldHistory, LinkStatus, State},
    wire::ResultOutcome,
};

/// A field as one system has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Holding {
    pub system: Name,
    pub field: Name,
}

/// How many of a state's records hold what.
#[must_use]
pub fn tally(state: &State) -> BTreeMap<Holding, i64> {
    let mut found = BTreeMap::new();
    for (record, history) in &state.histories {
        if state.status(record) != LinkStatus::Active {
            continue;
        }
        for (field, of_field) in &history.fields {
            if is_filled(of_field) {
                let holding = Holding {
                    system: record.system,
                    field: *field,
                };
                *found.entry(holding).or_default() += 1;
            }
        }
    }
    found
}

/// Whether the last thing seen is a value.
pub(crate) fn is_filled(of_field: &FieldHistory) -> bool {
    of_field
        .obs
        .last()
        .and_then(|o| of_field.cells.get(o.cell as usize))
        .is_some_and(|cell| !cell.value.is_blank())
}

/// Adds to `moves` what lies between two tallies.
pub(crate) fn note_moves(
    moves: &mut BTreeMap<Holding, i64>,
    before: &BTreeMap<Holding, i64>,
    after: &BTreeMap<Holding, i64>,
) {
    for (holding, count) in before {
        add(moves, *holding, -count);
    }
    for (holding, count) in after {
        add(moves, *holding, *count);
    }
}

/// Adds to a count; what comes to nothing is left out.
pub(crate) fn add(moves: &mut BTreeMap<Holding, i64>, holding: Holding, by: i64) {
    let count = moves.entry(holding).or_default();
    *count += by;
    if *count == 0 {
        moves.remove(&holding);
    }
}

/// Whether an input may move more than the observations that a plain change brings: records that come, go or are
/// emptied. Those are rare, and looked at whole.
pub(crate) fn moves_records(state: &State, input: &Input) -> bool {
    match input {
        Input::Change(change) => !matches!(
            change.class,
            Class::Delta | Class::Event | Class::Snapshot | Class::ReadBack
        ),
        Input::Answer(answer) => {
            answer.outcome == ResultOutcome::NotFound
                || state.deliveries.values().any(|d| d.deleted)
        }
        Input::Absorb(_)
        | Input::Steward(
            StewardAct::Unmerge { .. } | StewardAct::MergedInto { .. } | StewardAct::Erase,
        ) => true,
        Input::Steward(_)
        | Input::Wake
        | Input::SharedConsent(_)
        | Input::ClearVerdict { .. }
        | Input::Reread { .. }
        | Input::Heard { .. } => false,
    }
}
