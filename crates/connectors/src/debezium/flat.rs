//! Rows without their envelope, as Debezium's `ExtractNewRecordState` leaves them. What the envelope said stands in
//! columns whose names begin with two underscores, as far as the transformation was told to add them.

use baton_core::change::{Class, RawChange};

use super::{
    decode::{columns, named},
    types::Types,
};
use crate::{
    Message,
    error::{Code, DecodeError, Place},
    instant,
    json::Node,
};

const MARK: &str = "__";

/// Whether something of an envelope stands among the row's columns.
pub(super) fn is_row(row: &Node<'_>) -> bool {
    [
        "__op",
        "__deleted",
        "__table",
        "__source_ts_ms",
        "__source_table",
    ]
    .iter()
    .any(|name| row.get(name).is_some())
}

pub(super) fn change(
    row: &Node<'_>,
    types: &Types<'_>,
    message: &Message<'_>,
) -> Result<RawChange, DecodeError> {
    let of = |names: &[&str]| names.iter().find_map(|name| row.some(name));
    let op = row.get("__op").and_then(Node::text);
    let deleted = matches!(row.get("__deleted"), Some(Node::Bool(true)))
        || row.get("__deleted").and_then(Node::text) == Some("true");
    let class = match op {
        _ if deleted => Class::Delete,
        Some("d") => Class::Delete,
        Some("r") => Class::Snapshot,
        Some("c" | "u") | None => Class::Event,
        Some(_) => {
            let what = "`__op` is none of r, c, u, d";
            let root = Place::Root;
            return Err(DecodeError::new(
                Code::UnknownShape,
                root.member("__op"),
                what,
            ));
        }
    };
    let mut change = RawChange::new(named(std::iter::once(row), message)?, class);
    change.object = of(&["__table", "__source_table"])
        .and_then(Node::word)
        .or_else(|| message.object.map(Into::into));
    // Not the time at which the connector came to it (`__ts_ms`): that is no event's.
    let root = Place::Root;
    let stamp = of(&["__source_ts_ms"]).filter(|stamp| stamp.whole() != Some(0));
    change.time = instant::read(stamp, &root.member("__source_ts_ms"))?.map(|(at, _)| at);
    change.seq = of(&["__lsn", "__source_lsn"]).and_then(Node::whole);
    change.transaction = of(&["__txId", "__source_txId"]).and_then(Node::word);
    if change.class != Class::Delete {
        change.fields = columns(row, None, types)?;
        change.fields.retain(|field| !field.name.starts_with(MARK));
    }
    Ok(change)
}
