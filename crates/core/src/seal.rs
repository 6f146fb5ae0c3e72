//! Beyond the horizon nothing can come between observations any more, so hot state keeps only what still matters
//! there: turns, own writes, and the last thing seen. The ledger keeps everything.

use crate::{
    change::{Cause, Origin},
    effects::Effects,
    holdings::{note_moves, tally},
    id::RecordKey,
    name::Name,
    order::{Role, track_all},
    rules::Rules,
    state::{Cell, Event, FieldHistory, History, Intent, IntentEnd, Obs, SealedAs, State},
    time::Millis,
};

/// A record with more events than this is looked at when something else is applied to its entity.
const MANY_EVENTS: usize = 64;

/// Seals what lies beyond the horizon, where there is enough of it to be worth the work. The same inputs in the same
/// order seal at the same moments, so a replay ends in the same state.
pub(crate) fn seal_when_long(state: &mut State, rules: &Rules, at: Millis, effects: &mut Effects) {
    let before = at.minus(rules.timing.horizon).floor(rules.timing.quantum);
    let worth = |h: &History| {
        let old = |e: &&Event| e.time.is_timed() && e.time < before;
        // Half of them, so that each event is looked at a bounded number of times.
        h.events.len() > MANY_EVENTS && h.events.iter().filter(old).count() * 2 > h.events.len()
    };
    if before > state.sealed_before && state.histories.values().any(|h| worth(h)) {
        // An own write that no event showed becomes the last thing seen.
        let held = tally(state);
        seal(state, rules, before);
        note_moves(&mut effects.holdings, &held, &tally(state));
    }
}

/// Folds everything before `before` into what later inputs can still be compared with. No golden value, offer or
/// believed value changes by it.
pub fn seal(state: &mut State, rules: &Rules, before: Millis) {
    let records: Vec<RecordKey> = state.histories.keys().cloned().collect();
    for record in &records {
        seal_record(state, record, rules, before);
    }
    state.sealed_before = state.sealed_before.max(before);
}

/// One observation that stays: where it stands, what it says, and what it was.
struct Kept {
    event: Event,
    cell: Cell,
    sealed: SealedAs,
}

fn seal_record(state: &mut State, record: &RecordKey, rules: &Rules, before: Millis) {
    let Some(history) = state.histories.get(record) else {
        return;
    };
    let mut fields: Vec<Name> = history.fields.keys().copied().collect();
    if let Some(delivery) = state.deliveries.get(record) {
        let written = delivery.intents.iter().filter(|i| is_over(i, before));
        fields.extend(written.flat_map(|i| i.fields.keys().copied()));
    }
    fields.sort();
    fields.dedup();
    let kept: Vec<(Name, Vec<Kept>)> = fields
        .into_iter()
        .map(|field| (field, keep(state, record, field, rules, before)))
        .collect();
    let quantum = rules.timing.quantum;
    let mut sealed = History::default();
    for (field, observations) in kept {
        let mut of_field = FieldHistory::default();
        for kept in observations {
            let event = match sealed
                .events
                .iter()
                .position(|e| e.event == kept.event.event && e.time == kept.event.time)
            {
                Some(known) => known,
                None => sealed.add(kept.event) as usize,
            };
            let cell = of_field
                .cells
                .iter()
                .position(|c| *c == kept.cell)
                .unwrap_or_else(|| {
                    of_field.cells.push(kept.cell);
                    of_field.cells.len() - 1
                });
            let index = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            of_field.obs.push(Obs {
                event: index(event),
                cell: index(cell),
                sealed: kept.sealed,
            });
        }
        let events = &sealed.events;
        of_field
            .obs
            .sort_by_key(|o| events[o.event as usize].rho(quantum));
        if !of_field.obs.is_empty() {
            sealed.fields.insert(field, of_field);
        }
    }
    state.histories.insert(record.clone(), Box::new(sealed));
    if let Some(delivery) = state.deliveries.get_mut(record) {
        delivery.intents.retain(|i| !is_over(i, before));
    }
}

/// An intent whose window no input within the horizon can reach.
fn is_over(intent: &Intent, before: Millis) -> bool {
    let placed = intent
        .answered
        .map(|p| p.arrival.max(intent.stamp.unwrap_or(p.arrival)));
    intent.end != IntentEnd::Pending && placed.is_some_and(|at| at < before)
}

fn keep(
    state: &State,
    record: &RecordKey,
    field: Name,
    rules: &Rules,
    before: Millis,
) -> Vec<Kept> {
    let Some(record) = state.linked(record) else {
        return Vec::new();
    };
    let seats = track_all(state, record, field, rules).seats;
    // What stands last before the horizon is what the first observation after it is compared with.
    let is_old = |at: Millis| !at.is_timed() || at < before;
    let last_old = seats
        .iter()
        .rposition(|s| is_old(s.rho.time) && s.role != Role::Nothing);
    seats
        .iter()
        .enumerate()
        .filter_map(|(at, seat)| {
            let old = is_old(seat.rho.time);
            let sealed = match seat.role {
                _ if !old => SealedAs::Open,
                Role::Turn => SealedAs::Turn,
                Role::Own => SealedAs::Own,
                // A blank that claims nothing is still what is believed, if it came last of all.
                Role::Nothing | Role::Waiting => SealedAs::Open,
                Role::Same => SealedAs::Same,
            };
            let matters = !old
                || matches!(seat.role, Role::Turn | Role::Own | Role::Waiting)
                || Some(at) == last_old
                || at + 1 == seats.len()
                || seat.before.is_some();
            // An own write that no event shows stays with its intent until that is over.
            let event = match seat.event {
                Some(event) => event.clone(),
                None if old => own_event(seat.rho.event, seat.rho.time, seat.rho.position),
                None => return None,
            };
            matters.then(|| Kept {
                event,
                cell: Cell {
                    value: seat.value.clone(),
                    seen: seat.seen,
                    before: seat.before.cloned().map(Box::new),
                },
                sealed,
            })
        })
        .collect()
}

fn own_event(event: crate::id::Digest, time: Millis, position: crate::id::Position) -> Event {
    Event {
        event,
        time,
        seq: 0,
        position,
        read_back: false,
        by_reading: false,
        delta: false,
        cause: Cause::Api,
        actor: None,
        origin: Origin::Ours,
        may_match: Vec::new(),
    }
}

/// Whether every observation points at an event and a content that are there. Stored state is checked once, when it
/// is read.
#[must_use]
pub fn is_sound(state: &State) -> bool {
    state.histories.values().all(|history| history.is_sound())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{change::Seen, value::Value};

    #[test]
    fn an_observation_that_points_nowhere_is_not_sound() {
        let record = RecordKey::new("crm", crate::id::Object::Contact, "1");
        let mut state = State::new(crate::id::EntityId::derive(
            crate::id::Kind::Person,
            &record,
            crate::id::Digest::default(),
        ));
        let mut history = History::default();
        let cell = Cell {
            value: Value::text("x"),
            seen: Seen::Value,
            before: None,
        };
        let obs = Obs {
            event: 0,
            cell: 0,
            sealed: SealedAs::Open,
        };
        history.fields.insert(
            "city".into(),
            FieldHistory {
                cells: [cell].into(),
                obs: [obs].into(),
            },
        );
        state.histories.insert(record, Box::new(history));
        assert!(!is_sound(&state));
    }
}
