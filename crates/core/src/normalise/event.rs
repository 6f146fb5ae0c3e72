//! The identity of an event.

use crate::{
    book::Incoming,
    change::{Class, RawChange, RawField},
    id::{Digest, EventId, RecordKey},
    value::Raw,
};

/// Hash of system, record, class, vendor id, raw time, sequence and raw values, whatever the order of the fields; for
/// events without time, hash of the message and the event's index in it. Vendor ids alone are not unique. Raw values
/// rather than canonical ones, so that a change of mapping does not make old events new.
pub(super) fn id(incoming: &Incoming, record: &RecordKey) -> EventId {
    let raw = &incoming.raw;
    let Some(time) = raw.time else {
        return Digest::of(&[
            b"untimed event",
            &incoming.message.0,
            &incoming.index.to_le_bytes(),
        ]);
    };
    let mut bytes = Vec::with_capacity(1_024);
    put(&mut bytes, record.system.as_str());
    put(&mut bytes, record.object.as_str());
    put(&mut bytes, &record.id);
    put_class(&mut bytes, &raw.class);
    put_option(&mut bytes, raw.vendor_id.as_deref());
    bytes.extend_from_slice(&time.0.to_le_bytes());
    bytes.push(u8::from(raw.seq.is_some()));
    bytes.extend_from_slice(&raw.seq.unwrap_or(0).to_le_bytes());
    put_fields(&mut bytes, raw);
    Digest::of(&[b"event", &bytes])
}

fn put_fields(bytes: &mut Vec<u8>, raw: &RawChange) {
    // Most decoders hand them over in order already.
    if raw.fields.is_sorted_by(|a, b| a.name < b.name) {
        raw.fields.iter().for_each(|field| put_field(bytes, field));
        return;
    }
    let mut each: Vec<(&str, Vec<u8>)> = raw
        .fields
        .iter()
        .map(|field| {
            let mut encoded = Vec::with_capacity(64);
            put_field(&mut encoded, field);
            (field.name.as_str(), encoded)
        })
        .collect();
    each.sort_unstable();
    each.iter()
        .for_each(|(_, encoded)| bytes.extend_from_slice(encoded));
}

fn put_field(bytes: &mut Vec<u8>, field: &RawField) {
    put(bytes, &field.name);
    put_raw(bytes, &field.value);
    match &field.before {
        None => bytes.push(0),
        Some(before) => {
            bytes.push(1);
            put_raw(bytes, before);
        }
    }
    bytes.push(u8::from(field.cleared));
}

fn put_raw(bytes: &mut Vec<u8>, raw: &Raw) {
    match raw {
        Raw::Null => bytes.push(0),
        Raw::Bool(b) => bytes.extend_from_slice(&[1, u8::from(*b)]),
        Raw::Number(text) => {
            bytes.push(2);
            put(bytes, text);
        }
        Raw::Text(text) => {
            bytes.push(3);
            put(bytes, text);
        }
        Raw::List(items) => {
            bytes.push(4);
            put_length(bytes, items.len());
            items.iter().for_each(|item| put(bytes, item));
        }
    }
}

fn put_class(bytes: &mut Vec<u8>, class: &Class) {
    match class {
        Class::Delta => bytes.push(0),
        Class::Event => bytes.push(1),
        Class::Snapshot => bytes.push(2),
        Class::ReadBack => bytes.push(3),
        Class::Gap => bytes.push(4),
        Class::Overflow => bytes.push(5),
        Class::Delete => bytes.push(6),
        Class::Undelete => bytes.push(7),
        Class::Merge { losers } => {
            bytes.push(8);
            put_length(bytes, losers.len());
            losers.iter().for_each(|loser| put(bytes, loser));
        }
        Class::Convert { to } => {
            bytes.push(9);
            put_length(bytes, to.len());
            for (object, id) in to {
                put(bytes, object.as_str());
                put(bytes, id);
            }
        }
        Class::Activity { kind } => {
            bytes.push(10);
            put(bytes, kind);
        }
        Class::Stage { stage } => {
            bytes.push(11);
            put(bytes, stage);
        }
        Class::Tombstone => bytes.push(12),
        // Identities are made of what was decoded, and a decoder tells an activity in the vendor's word.
        Class::Act(act) => {
            bytes.push(10);
            put(bytes, act.kind.as_str());
        }
    }
}

fn put_option(bytes: &mut Vec<u8>, text: Option<&str>) {
    bytes.push(u8::from(text.is_some()));
    put(bytes, text.unwrap_or_default());
}

/// Length first, so that no two lists of texts run together.
fn put(bytes: &mut Vec<u8>, text: &str) {
    put_length(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

/// One byte for most, since every byte hashed costs time; four more suffice for what fits into a message of the log.
fn put_length(bytes: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(short) if short < u8::MAX => bytes.push(short),
        _ => {
            bytes.push(u8::MAX);
            bytes.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        }
    }
}
