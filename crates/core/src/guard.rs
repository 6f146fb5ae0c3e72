//! The mass-clear guard (section 4): clears of one source are counted over all entities before they count.

use crate::identify::{digest_of_record, entry, take};
use crate::{
    book::{Book, GuardKey, Settled},
    change::{Change, FieldChange},
    holdings::Holding,
    id::{Digest, EntityId, RecordKey},
    input::Input,
    name::Name,
    observe::guardable,
    order::track,
    rules::Rules,
    state::{Guarded, State},
    time::Millis,
};
use std::collections::BTreeSet;

pub(crate) fn settle_wake(book: &mut Book, entity: EntityId, rules: &Rules, at: Millis) -> Settled {
    let due: Vec<(Digest, Guarded)> = entry(book, entity)
        .state
        .guarded
        .iter()
        .filter(|(_, g)| g.held.is_none() && g.until <= at)
        .map(|(event, g)| (*event, g.clone()))
        .collect();
    for (event, guarded) in due {
        let held = is_mass(book, &guarded, rules);
        take(book, entity, Input::ClearVerdict { event, held }, rules, at);
    }
    take(book, entity, Input::Wake, rules, at)
}

/// Whether a field that this change emptied was emptied at too many records at once.
fn is_mass(book: &Book, guarded: &Guarded, rules: &Rules) -> bool {
    let record = digest_of_record(&guarded.record);
    let system = guarded.record.system;
    guarded.fields.iter().any(|field| {
        let cleared: BTreeSet<Digest> = guard_windows(guarded.until, rules)
            .filter_map(|window| {
                book.guards.get(&GuardKey {
                    system,
                    field: *field,
                    window,
                })
            })
            .flatten()
            .copied()
            .collect();
        let holding = Holding {
            system,
            field: *field,
        };
        let others = book.holdings.get(&holding).copied().unwrap_or(0);
        cleared.contains(&record)
            && rules
                .mass_clear
                .is_mass(cleared.len() as u64, others.try_into().unwrap_or(0))
    })
}

/// The windows whose clears count together with one that waits until `until`: its own and both neighbours, so that a
/// batch across the border of two is one batch for all who are in it.
pub(crate) fn guard_windows(until: Millis, rules: &Rules) -> impl Iterator<Item = Millis> {
    let window = rules.mass_clear.window.max(1);
    let own = until.minus(window).floor(window);
    [own.minus(window), own, own.plus(window)].into_iter()
}

/// The fields that a change empties at its record and that count as emptied. A blank that comes with a new value of
/// another member of its group is a part of that value: whoever moves to a country without states clears nothing.
pub(crate) fn cleared_alone(state: &State, change: &Change, rules: &Rules) -> Vec<Name> {
    let groups = &rules.entity(state.id.kind).group_of;
    let is_new = |f: &FieldChange| {
        let seats = track(state, &change.record, f.field, rules).seats;
        let before = seats.iter().rev().find(|s| !s.seen.claims_nothing());
        !f.value.is_blank() && before.is_none_or(|s| *s.value != f.value)
    };
    let moves_with_its_group = |field: &Name| {
        groups.get(field).is_some_and(|group| {
            let mut members = change.fields.iter();
            members.any(|f| groups.get(&f.field) == Some(group) && is_new(f))
        })
    };
    let mut cleared = guardable(state, change, rules);
    cleared.retain(|field| !moves_with_its_group(field));
    cleared
}

/// Notes the fields that a change empties at its record. A blank that restates a blank is no clear.
pub(crate) fn note_clears(
    book: &mut Book,
    record: &RecordKey,
    cleared: &[Name],
    until: Millis,
    rules: &Rules,
) {
    let window = rules.mass_clear.window.max(1);
    let digest = digest_of_record(record);
    for field in cleared {
        let key = GuardKey {
            system: record.system,
            field: *field,
            window: until.minus(window).floor(window),
        };
        if book.guards.entry(key.clone()).or_default().insert(digest) {
            book.out.guards.push((key, digest));
        }
    }
}
