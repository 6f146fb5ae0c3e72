//! Speaks to each outside system: decodes what it sends.
//!
//! [`decode`] turns one message into statements about records, in the vendor's own field names; mapping them is
//! the next stage's work. [`split`] turns a file into such messages. Each system has its own folder with the same
//! files.

mod baton;
mod cloudevents;
mod csv;
mod debezium;
mod error;
mod espocrm;
mod hubspot;
mod instant;
mod json;
mod marketo;
mod mautic;
mod salesforce;
mod split;
#[cfg(test)]
mod testing;

use std::cmp::Ordering;

use baton_core::change::{Class, Format, RawChange, RawField};
use compact_str::CompactString;

use crate::error::Place;
pub use crate::{
    error::{Code, DecodeError},
    json::MAX_DEPTH,
    split::{Payload, Split, split},
};

/// Longest payload that is decoded, in bytes; Kafka's own default limit is 1 MiB.
pub const MAX_BYTES: usize = 16 << 20;

/// Most fields that one change may have; PostgreSQL allows 1,600 columns, Salesforce 900 fields.
pub const MAX_FIELDS: usize = 4_096;

/// One message as it lies in the log.
#[derive(Clone, Copy, Debug, Default)]
pub struct Message<'a> {
    pub key: Option<&'a [u8]>,
    /// None is a tombstone.
    pub value: Option<&'a [u8]>,
    /// What the record is, where the payload does not say: `lead`, `contact`, `account`, `deal` or the vendor's name.
    pub object: Option<&'a str>,
    /// What a CloudEvent in binary mode says beside its data.
    pub envelope: Option<Envelope<'a>>,
}

/// The attributes of a CloudEvent in binary mode, from the message's headers `ce_…`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Envelope<'a> {
    pub id: Option<&'a str>,
    /// The attribute `type`.
    pub kind: Option<&'a str>,
    pub subject: Option<&'a str>,
    pub time: Option<&'a str>,
}

impl<'a> Envelope<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        match name {
            "id" => self.id,
            "type" => self.kind,
            "subject" => self.subject,
            "time" => self.time,
            _ => None,
        }
    }
}

/// What one element of a message became.
#[derive(Clone, PartialEq, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every item is a change; boxing it would allocate once more per change"
)]
pub enum Item {
    Change(RawChange),
    /// This element cannot be read; the others of its message can.
    Refused(DecodeError),
}

/// Decodes one message.
///
/// The answer is empty where a message says nothing about any record (a transaction marker, an acknowledgement).
/// One element may become several changes: one per record it names, and a [`Class::Gap`] or [`Class::Convert`]
/// beside a delta. If the payload itself names the object, the message's hint is not used.
///
/// # Errors
/// If the payload as a whole cannot be read; nothing of it was taken then.
pub fn decode(format: Format, message: &Message<'_>) -> Result<Vec<Item>, DecodeError> {
    let Some(value) = message.value else {
        return tombstone(format, message);
    };
    if value.len() > MAX_BYTES {
        let what = format!("the payload is longer than {MAX_BYTES} bytes");
        return Err(DecodeError::new(Code::TooLarge, Place::Root, what));
    }
    let text = text(value)?;
    if text.trim_ascii().is_empty() {
        let what = "the payload is empty";
        return Err(DecodeError::new(Code::EmptyPayload, Place::Root, what));
    }
    match format {
        Format::Salesforce => salesforce::decode(text, message),
        Format::Hubspot => hubspot::decode(text, message),
        Format::Marketo => marketo::decode(text, message),
        Format::Mautic => mautic::decode(text, message),
        Format::Espocrm => espocrm::decode(text, message),
        Format::Debezium => debezium::decode(text, message),
        Format::Cloudevents => cloudevents::decode(text, message),
        Format::Csv => csv::decode(text, message),
        Format::Baton => baton::decode(text, message),
    }
}

fn text(bytes: &[u8]) -> Result<&str, DecodeError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|e| {
        let place = format_args!("byte {}", e.valid_up_to());
        DecodeError::new(Code::NotUtf8, place, "this byte is not UTF-8")
    })
}

fn tombstone(format: Format, message: &Message<'_>) -> Result<Vec<Item>, DecodeError> {
    let Some(key) = message.key else {
        return Ok(Vec::new());
    };
    let key = text(key)?;
    let id = if format == Format::Debezium {
        debezium::key_id(key)?
    } else {
        Some(CompactString::from(key.trim().trim_matches('"')))
    };
    let Some(id) = id.filter(|id| !id.is_empty()) else {
        let what = "the tombstone's key names no record";
        return Err(DecodeError::new(Code::MissingId, "in the key", what));
    };
    let mut change = RawChange::new(id, Class::Tombstone);
    change.object = message.object.map(Into::into);
    Ok(vec![Item::Change(change)])
}

/// Decodes every element of a list, or the one value that is there; an element that cannot be read is refused
/// as a whole and does not take its neighbours with it.
fn each<'n, 'a>(
    root: &'n json::Node<'a>,
    place: &Place<'_>,
    mut one: impl FnMut(&'n json::Node<'a>, &Place<'_>, &mut Vec<Item>) -> Result<(), DecodeError>,
) -> Vec<Item> {
    let mut out = Vec::new();
    let mut take = |node: &'n json::Node<'a>, place: &Place<'_>| {
        let before = out.len();
        if let Err(refused) = one(node, place, &mut out) {
            out.truncate(before);
            out.push(Item::Refused(refused));
        }
    };
    match root {
        json::Node::List(elements) => {
            for (index, element) in elements.iter().enumerate() {
                take(element, &place.element(index));
            }
        }
        single => take(single, place),
    }
    out
}

/// A second statement made by the same event, as a change of its own.
///
/// Its vendor id says which, so that the two never count as one event seen twice.
fn beside(change: &RawChange, class: Class, suffix: &str) -> RawChange {
    let mut other = RawChange {
        fields: Vec::new(),
        ..change.clone()
    };
    other.class = class;
    if let Some(id) = &mut other.vendor_id {
        id.push(':');
        id.push_str(suffix);
    }
    other
}

/// Refuses objects and lists beyond any record's size before anything compares their members with each other.
fn bounded(node: &json::Node<'_>, place: &Place<'_>) -> Result<(), DecodeError> {
    if node.members().len().max(node.elements().len()) > MAX_FIELDS {
        let what = format!("more than {MAX_FIELDS} members");
        return Err(DecodeError::new(Code::TooLarge, place, what));
    }
    Ok(())
}

/// Hands the change on, its fields in order, unless it has more of them than any record can have.
fn push(out: &mut Vec<Item>, mut change: RawChange, place: &Place<'_>) -> Result<(), DecodeError> {
    if change.fields.len() > MAX_FIELDS {
        let what = format!("one change has more than {MAX_FIELDS} fields");
        return Err(DecodeError::new(Code::TooLarge, place, what));
    }
    in_order(&mut change.fields);
    out.push(Item::Change(change));
    Ok(())
}

/// Puts fields in the order of their names. It costs little here and spares the hash of the event's identity from
/// sorting what it encodes.
fn in_order(fields: &mut [RawField]) {
    let in_place = |a: &RawField, b: &RawField| match start(&a.name).cmp(&start(&b.name)) {
        Ordering::Equal => a.name <= b.name,
        different => different.is_lt(),
    };
    let sorted = |fields: &[RawField]| fields.is_sorted_by(in_place);
    if sorted(fields) {
        return;
    }
    // A number orders most names, and sorting numbers moves no fields about.
    fields.sort_by_cached_key(|field| start(&field.name));
    if !sorted(fields) {
        fields.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

/// The first sixteen bytes of a name as a number, zeros where it is shorter: where two differ, they are ordered as the
/// names are.
fn start(name: &str) -> u128 {
    let mut bytes = [0; 16];
    match name.as_bytes().first_chunk() {
        Some(whole) => bytes = *whole,
        None => bytes[..name.len()].copy_from_slice(name.as_bytes()),
    }
    u128::from_be_bytes(bytes)
}
