//! A source that lost count of what changed in one of its objects: every known record of it is read again, some at a
//! time, each once per loss.

use compact_str::CompactString;

use crate::identify::{survivor, take};
use crate::{
    book::{Book, Parked, ParkedCode, Settled},
    change::{Change, Outcome},
    id::{Digest, Object, RecordKey},
    input::Input,
    name::Name,
    rules::Rules,
    state::{CommandKind, LinkStatus, ReadReason, State},
    time::Millis,
};

/// Begins to read all records of the object again, or one more time if that is under way. The steward is told in
/// either case: what Baton does not know of it cannot ask for.
pub(crate) fn lost_changes(book: &mut Book, change: &Change, rules: &Rules, at: Millis) -> Settled {
    let RecordKey { system, object, .. } = change.record;
    let settled = |outcome| Settled {
        outcome,
        entity: None,
    };
    let reading = book.rereads.entry((system, object)).or_default();
    if reading.asked == Some(change.event) {
        return settled(Outcome::Duplicate);
    }
    reading.asked = Some(change.event);
    reading.dirty = true;
    let reads = rules.systems.get(&system).is_some_and(|s| s.reads);
    let what_now = if reads {
        reading.pass.get_or_insert(change.event);
        "every one that Baton knows is read again; those made meanwhile, which it does not know, have to be sent: \
         load an export of them"
    } else {
        "it answers no reads: load an export of all of them"
    };
    book.out.parked.push(Parked {
        id: Digest::of(&[
            b"parked",
            ParkedCode::LostChanges.as_str().as_bytes(),
            system.as_str().as_bytes(),
            object.as_str().as_bytes(),
        ]),
        code: ParkedCode::LostChanges,
        at,
        entity: None,
        record: None,
        field: None,
        candidates: Vec::new(),
        why: format!("{system} lost count of what changed in its {object} records; {what_now}"),
        change: None,
    });
    settled(if reads {
        Outcome::Applied
    } else {
        Outcome::Parked
    })
}

/// Asks for the next records of a pass. Nothing if somebody else has asked for them already.
pub(crate) fn next_records(
    book: &mut Book,
    (system, object): (Name, Object),
    after: Option<CompactString>,
    ids: Vec<CompactString>,
    last: bool,
    rules: &Rules,
    at: Millis,
) -> Settled {
    let nothing = Settled {
        outcome: Outcome::Noop,
        entity: None,
    };
    let Some(reading) = book.rereads.get_mut(&(system, object)) else {
        return nothing;
    };
    if reading.pass.is_none() || reading.after != after {
        return nothing;
    }
    reading.dirty = true;
    if last {
        // What was lost since the pass began takes a pass of its own.
        reading.pass = reading.asked.filter(|asked| reading.pass != Some(*asked));
        reading.after = None;
    } else if let Some(id) = ids.last() {
        reading.after = Some(id.clone());
    }
    for id in ids {
        let record = RecordKey { system, object, id };
        if let Some(entity) = book.links.get(&record).map(|e| survivor(book, *e)) {
            take(book, entity, Input::Reread { record }, rules, at);
        }
    }
    Settled {
        outcome: Outcome::Applied,
        entity: None,
    }
}

/// Has a record read at the next opportunity, whatever is under way there.
pub(crate) fn want_reading(state: &mut State, record: &RecordKey) {
    if !state.links.contains_key(record) || state.status(record) != LinkStatus::Active {
        return;
    }
    let delivery = state.deliveries.entry(record.clone()).or_default();
    let reading = delivery
        .outstanding
        .as_ref()
        .is_some_and(|o| o.kind == CommandKind::Read);
    if reading {
        // It may have been carried out before what was lost: it is asked for anew, and both answers are heard.
        delivery.outstanding = None;
    }
    delivery.read_wanted = Some(ReadReason::Overflow);
}
