//! The time assigned to a change.

use crate::{
    book::Incoming,
    canon,
    change::{Precision, RawField},
    id::Position,
    rules::{ObjectMapping, Rules, System},
    time::{Millis, SECOND},
    value::Raw,
};

pub(super) struct Assigned {
    pub(super) at: Millis,
    pub(super) clamped: bool,
}

/// The event's own time, else the record's modified stamp, else arrival where at least a sequence tells the order,
/// else untimed.
pub(super) fn assign(
    incoming: &Incoming,
    mapping: &ObjectMapping,
    system: &System,
    rules: &Rules,
) -> Assigned {
    let raw = &incoming.raw;
    let zone = system.zone.as_deref();
    let own = raw
        .time
        .and_then(canon::sensible)
        .map(|at| match raw.precision {
            Precision::Millis => at,
            Precision::Second => at.floor(SECOND),
            Precision::Day => canon::start_of_day(at, zone),
        });
    let stamped = own.or_else(|| modified(mapping, system, |name| value_of(&raw.fields, name)));
    match stamped {
        Some(at) => clamp(at, incoming.position, rules),
        None => Assigned {
            at: if raw.seq.is_some() {
                incoming.position.arrival
            } else {
                Millis::UNTIMED
            },
            clamped: false,
        },
    }
}

/// A time later than arrival by more than the allowance is set to arrival: no source may claim the future.
pub(super) fn clamp(at: Millis, position: Position, rules: &Rules) -> Assigned {
    if at > position.arrival.plus(rules.timing.clamp) {
        Assigned {
            at: position.arrival,
            clamped: true,
        }
    } else {
        Assigned { at, clamped: false }
    }
}

/// Names under which the vendors keep a record's time of creation, which counts as its modified time until somebody
/// modifies it: several of them leave the modified stamp of a new record empty.
const CREATED: [&str; 5] = [
    "createdAt",
    "dateAdded",
    "CreatedDate",
    "createdate",
    "created_at",
];

/// The record's own modified stamp, where the mapping names its field.
pub(super) fn modified<'a>(
    mapping: &ObjectMapping,
    system: &System,
    value: impl Fn(&str) -> Option<&'a Raw>,
) -> Option<Millis> {
    let field = mapping.modified_field.as_deref()?;
    let read = |name: &str| {
        let text = match value(name)? {
            Raw::Number(text) | Raw::Text(text) => text,
            Raw::Null | Raw::Bool(_) | Raw::List(_) => return None,
        };
        canon::instant(text.trim(), false, system.zone.as_deref())
    };
    read(field).or_else(|| CREATED.into_iter().find_map(read))
}

fn value_of<'a>(fields: &'a [RawField], name: &str) -> Option<&'a Raw> {
    fields.iter().find(|f| f.name == name).map(|f| &f.value)
}
