//! Rows as they were captured. A row is a whole record, so creates and updates are whole-record events; where the
//! table's replica identity is full, each changed column carries its before-image.

use baton_core::change::{Class, Precision, RawChange, RawField};
use compact_str::CompactString;

use super::{flat, types::Types};

use crate::{
    Item, Message, bounded,
    error::{Code, DecodeError, Place},
    instant,
    json::{Node, parse},
    push,
};

/// What Debezium puts for a large column that an update did not touch: the column says nothing.
const UNAVAILABLE: &str = "__debezium_unavailable_value";

pub(crate) fn decode(text: &str, message: &Message<'_>) -> Result<Vec<Item>, DecodeError> {
    let node = parse(text)?;
    let envelope = payload(&node);
    let types = Types::of(node.get("schema").filter(|schema| schema.is_object()));
    let mut out = Vec::new();
    let Some(op) = envelope.get("op").and_then(Node::text) else {
        if is_about_no_record(envelope) {
            return Ok(out);
        }
        if flat::is_row(envelope) {
            push(
                &mut out,
                flat::change(envelope, &types, message)?,
                &Place::Root,
            )?;
            return Ok(out);
        }
        let what = "this is no Debezium envelope: it has no `op`";
        return Err(DecodeError::new(Code::UnknownShape, Place::Root, what));
    };
    if op == "m" {
        return Ok(out);
    }
    let mut change = head(envelope, op, message)?;
    if !matches!(change.class, Class::Delete | Class::Overflow) {
        let Some(after) = envelope.some("after") else {
            return Err(DecodeError::missing(&Place::Root, "after"));
        };
        change.fields = columns(after, envelope.some("before"), &types)?;
    }
    push(&mut out, change, &Place::Root)?;
    Ok(out)
}

/// Markers of transactions, heartbeats, changes of tables' schemas, and what the connector tells of itself.
fn is_about_no_record(message: &Node<'_>) -> bool {
    let text = |name: &str| message.get(name).and_then(Node::text);
    let has = |name: &str| message.get(name).is_some();
    let is_stamp = |name: &str| matches!(name, "ts_ms" | "ts_us" | "ts_ns");
    matches!(text("status"), Some("BEGIN" | "END"))
        || has("ts_ms") && message.members().iter().all(|(name, _)| is_stamp(name))
        || has("ddl") && has("tableChanges")
        || has("aggregate_type") && has("additional_data")
}

/// Kafka Connect wraps keys and values in `{schema, payload}` when schemas are on.
fn payload<'n, 'a>(node: &'n Node<'a>) -> &'n Node<'a> {
    match (node.get("schema"), node.get("payload")) {
        (Some(_), Some(payload)) => payload,
        _ => node,
    }
}

fn head(envelope: &Node<'_>, op: &str, message: &Message<'_>) -> Result<RawChange, DecodeError> {
    let none = Node::Null;
    let source = envelope.get("source").unwrap_or(&none);
    let table = ["table", "collection"]
        .iter()
        .find_map(|name| source.get(name).and_then(Node::word));
    let object = table.or_else(|| message.object.map(Into::into));
    let class = match op {
        "r" => Class::Snapshot,
        "c" | "u" => Class::Event,
        "d" => Class::Delete,
        "t" => Class::Overflow,
        _ => {
            let what = "`op` is none of r, c, u, d, t, m";
            let place = Place::Root;
            return Err(DecodeError::new(
                Code::UnknownShape,
                place.member("op"),
                what,
            ));
        }
    };
    let id = if class == Class::Overflow {
        if object.is_none() {
            let what = "a truncated table is not named";
            return Err(DecodeError::new(Code::MissingObject, Place::Root, what));
        }
        "*".into()
    } else {
        id(envelope, message)?
    };
    let mut change = RawChange::new(id, class);
    change.object = object;
    (change.time, change.precision) = time(envelope, source)?;
    change.seq = sequence(source);
    change.transaction = source.get("txId").and_then(Node::word).or_else(|| {
        let transaction = envelope.some("transaction")?;
        transaction.get("id").and_then(Node::word)
    });
    change.origin = source.get("origin").and_then(Node::word);
    Ok(change)
}

/// The key names the record; without one, the row's own `id` does.
fn id(envelope: &Node<'_>, message: &Message<'_>) -> Result<CompactString, DecodeError> {
    let images = ["after", "before"];
    named(
        images.iter().filter_map(|image| envelope.some(image)),
        message,
    )
}

pub(super) fn named<'n, 'a: 'n>(
    mut rows: impl Iterator<Item = &'n Node<'a>>,
    message: &Message<'_>,
) -> Result<CompactString, DecodeError> {
    if let Some(key) = message.key
        && let Some(id) = key_id(crate::text(key)?)?
    {
        return Ok(id);
    }
    rows.find_map(|row| row.get("id").or_else(|| row.get("_id")).and_then(Node::id))
        .ok_or_else(|| {
            let what = "neither the message's key nor a column `id` names the record";
            DecodeError::new(Code::MissingId, Place::Root, what)
        })
}

/// The record's id from a message's key: its only column's value, or all of them joined by `:`.
pub(crate) fn key_id(key: &str) -> Result<Option<CompactString>, DecodeError> {
    if let Some(columns) = struct_of(key) {
        let values: Vec<&str> = columns
            .split(',')
            .filter_map(|c| Some(c.split_once('=')?.1))
            .collect();
        let id = CompactString::from(values.join(":"));
        return Ok((!id.is_empty()).then_some(id));
    }
    if !key.trim_start().starts_with('{') {
        let word = key.trim().trim_matches('"');
        return Ok((!word.is_empty() && word != "null").then(|| word.into()));
    }
    let node = parse(key).map_err(|e| DecodeError {
        place: format!("{} of the key", e.place),
        ..e
    })?;
    let mut id = CompactString::default();
    for (index, (_, column)) in payload(&node).members().iter().enumerate() {
        if index > 0 {
            id.push(':');
        }
        match column {
            Node::Bool(yes) => id.push_str(if *yes { "true" } else { "false" }),
            other => id.push_str(&other.word().unwrap_or_default()),
        }
    }
    Ok((!id.is_empty()).then_some(id))
}

/// The columns of a key that a plain-text converter wrote: `Struct{tenant=4,number=x}`.
fn struct_of(key: &str) -> Option<&str> {
    key.trim().strip_prefix("Struct{")?.strip_suffix('}')
}

fn time(
    envelope: &Node<'_>,
    source: &Node<'_>,
) -> Result<(Option<baton_core::time::Millis>, Precision), DecodeError> {
    let root = Place::Root;
    if let Some(micros) = source
        .get("ts_us")
        .and_then(Node::whole)
        .filter(|us| *us > 0)
    {
        let ms = i64::try_from(micros / 1_000).ok().and_then(instant::within);
        if ms.is_some() {
            return Ok((ms, Precision::Millis));
        }
    }
    // A connector that does not know the commit's time sends 0.
    let known = |node: &&Node<'_>| node.whole() != Some(0);
    let stamp = source.get("ts_ms").filter(known).or(envelope.get("ts_ms"));
    let place = root.member("source");
    let read = instant::read(stamp, &place.member("ts_ms"))?;
    Ok(read.map_or((None, Precision::Millis), |(at, p)| (Some(at), p)))
}

/// A number that rises with every change of a row: PostgreSQL's position in its log, or MySQL's file and position.
fn sequence(source: &Node<'_>) -> Option<u64> {
    if let Some(lsn) = source.get("lsn").and_then(Node::whole) {
        return Some(lsn);
    }
    let file = source.get("file").and_then(Node::text)?;
    let pos = source.get("pos").and_then(Node::whole)?;
    let digits = file.len() - file.bytes().rev().take_while(u8::is_ascii_digit).count();
    let number: u64 = file.get(digits..)?.parse().ok()?;
    // 2^40 bytes is far above the largest binary log; 2^23 files keep the whole below 2^63.
    (pos < 1 << 40 && number < 1 << 23).then_some(number << 40 | pos)
}

pub(super) fn columns(
    after: &Node<'_>,
    before: Option<&Node<'_>>,
    types: &Types<'_>,
) -> Result<Vec<RawField>, DecodeError> {
    let root = Place::Root;
    if !after.is_object() {
        let place = root.member("after");
        return Err(DecodeError::wrong_type(place, "a row", after.kind()));
    }
    bounded(after, &root.member("after"))?;
    bounded(before.unwrap_or(&Node::Null), &root.member("before"))?;
    let mut fields = Vec::with_capacity(after.members().len());
    for (name, value) in after.members() {
        if unavailable(value) {
            continue;
        }
        let image = before
            .and_then(|row| row.get(name))
            .filter(|image| *image != value && !unavailable(image));
        let read = |node: &Node<'_>| types.read(name, node);
        let before = match image {
            Some(image) => Some(read(image)?.unwrap_or_else(|| image.raw())),
            None => None,
        };
        if let Some(value) = read(value)? {
            fields.push(RawField {
                name: name.as_ref().into(),
                value,
                before,
                cleared: false,
            });
            continue;
        }
        let was_filled = image.is_some_and(|image| !image.is_blank());
        let before = before.filter(|_| !value.is_object());
        value.flatten(name, &mut |name, value| {
            let mut field = value.field(name, false);
            field.cleared = before.is_some() && was_filled && value.is_blank();
            field.before.clone_from(&before);
            fields.push(field);
        });
    }
    Ok(fields)
}

fn unavailable(value: &Node<'_>) -> bool {
    value.text() == Some(UNAVAILABLE)
        || value.elements().first().and_then(Node::text) == Some(UNAVAILABLE)
}
