//! The mass-clear guard (section 4): clears of one source are counted over all entities before they count.

use crate::identify::{digest_of_record, entry, take};
use crate::{
    book::{Book, GuardKey, Settled},
    change::Change,
    id::{Digest, EntityId},
    input::Input,
    rules::Rules,
    time::Millis,
};
use std::collections::BTreeSet;

pub(crate) fn settle_wake(book: &mut Book, entity: EntityId, rules: &Rules, at: Millis) -> Settled {
    let due: Vec<(Digest, bool)> = entry(book, entity)
        .state
        .guarded
        .iter()
        .filter(|(_, g)| g.held.is_none() && g.until <= at)
        .map(|(event, g)| (*event, g.clone()))
        .collect::<Vec<_>>()
        .into_iter()
        .map(|(event, guarded)| {
            let most = guarded.fields.iter().map(|field| {
                guard_windows(guarded.until, rules)
                    .filter_map(|window| {
                        let key = GuardKey {
                            system: guarded.record.system,
                            field: *field,
                            window,
                        };
                        book.guards.get(&key)
                    })
                    .flatten()
                    .collect::<BTreeSet<_>>()
                    .len()
            });
            (
                event,
                most.max().unwrap_or(0) > rules.mass_clear.records as usize,
            )
        })
        .collect();
    for (event, held) in due {
        take(book, entity, Input::ClearVerdict { event, held }, rules, at);
    }
    take(book, entity, Input::Wake, rules, at)
}

/// The windows whose clears count together with one that waits until `until`.
pub(crate) fn guard_windows(until: Millis, rules: &Rules) -> impl Iterator<Item = Millis> {
    let window = rules.mass_clear.window.max(1);
    let own = until.minus(window).floor(window);
    [own, own.plus(window)].into_iter()
}

pub(crate) fn note_clears(book: &mut Book, change: &Change, until: Millis, rules: &Rules) {
    let window = rules.mass_clear.window.max(1);
    let record = digest_of_record(&change.record);
    for field in change.fields.iter().filter(|f| f.value.is_blank()) {
        let key = GuardKey {
            system: change.record.system,
            field: field.field,
            window: until.minus(window).floor(window),
        };
        if book.guards.entry(key.clone()).or_default().insert(record) {
            book.out.guards.push((key, record));
        }
    }
}
