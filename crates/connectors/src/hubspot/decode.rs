//! Each event is about one property of one record, or about the record as such. There is no old value, no order
//! and no sequence; the same event may come again with a higher `attemptNumber`.

use baton_core::change::{Class, RawChange};
use compact_str::CompactString;

use super::engagement;
use crate::{
    Item, Message, beside, bounded, each,
    error::{Code, DecodeError, Place},
    instant,
    json::{Node, parse},
    push,
};

pub(crate) fn decode(text: &str, message: &Message<'_>) -> Result<Vec<Item>, DecodeError> {
    let root = parse(text)?;
    if root.get("status").and_then(Node::text) == Some("error") {
        let what = "the answer says that the call failed";
        return Err(DecodeError::new(Code::VendorError, Place::Root, what));
    }
    // A page of records read through the CRM interface.
    if let Some(results) = root.get("results") {
        let base = Place::Root;
        return Ok(each(
            results,
            &base.member("results"),
            |node, place, out| record(node, place, message, out),
        ));
    }
    Ok(each(&root, &Place::Root, |node, place, out| {
        let read = node.get("properties").is_some_and(Node::is_object);
        if read || node.get("engagement").is_some() {
            record(node, place, message, out)
        } else {
            event(node, place, message, out)
        }
    }))
}

fn event(
    node: &Node<'_>,
    place: &Place<'_>,
    message: &Message<'_>,
    out: &mut Vec<Item>,
) -> Result<(), DecodeError> {
    let kind = ["subscriptionType", "eventType"]
        .iter()
        .find_map(|name| node.get(name).and_then(Node::text));
    let Some(kind) = kind else {
        let what = "an event has a `subscriptionType` or an `eventType`";
        return Err(DecodeError::new(Code::UnknownShape, place, what));
    };
    let (object, action) = kind.rsplit_once('.').unwrap_or(("", kind));
    let mut change = RawChange::new("", Class::Delta);
    change.object = object_name(object, node).or_else(|| message.object.map(Into::into));
    let stamp = instant::read(node.get("occurredAt"), &place.member("occurredAt"))?;
    change.time = stamp.map(|(at, _)| at);
    change.vendor_id = node.get("eventId").and_then(Node::word);
    change.cause = node.get("changeSource").and_then(Node::word);
    change.actor = node
        .get("sourceId")
        .and_then(Node::text)
        .filter(|source| source.starts_with("userId:"))
        .map(Into::into);

    if action == "merge" {
        return merge(node, change, place, out);
    }
    let id = if action == "associationChange" {
        ["objectId", "fromObjectId"].as_slice()
    } else {
        ["objectId"].as_slice()
    };
    change.id = id
        .iter()
        .find_map(|name| node.get(name).and_then(Node::id))
        .ok_or_else(|| DecodeError::new(Code::MissingId, place, "the event has no `objectId`"))?;
    let mut gap = false;
    match action {
        "propertyChange" => {
            let name = node.get("propertyName").and_then(Node::text);
            let name = name.ok_or_else(|| DecodeError::missing(place, "propertyName"))?;
            match node.get("propertyValue") {
                Some(value) => change.fields.push(value.field(name, true)),
                // The values of sensitive properties are withheld.
                None => change.class = Class::Gap,
            }
        }
        // The record exists now; of what stands in it, nothing is told.
        "creation" => gap = true,
        "deletion" | "privacyDeletion" => change.class = Class::Delete,
        "restore" => change.class = Class::Undelete,
        other => {
            change.class = Class::Activity { kind: other.into() };
            for name in [
                "associationType",
                "fromObjectId",
                "toObjectId",
                "associationRemoved",
            ] {
                if let Some(value) = node.some(name) {
                    change.push(name, value.raw());
                }
            }
        }
    }
    let gap = gap.then(|| beside(&change, Class::Gap, "gap"));
    push(out, change, place)?;
    gap.map_or(Ok(()), |gap| push(out, gap, place))
}

/// The type's prefix; where it is only `object`, the number of the object's type.
fn object_name(prefix: &str, node: &Node<'_>) -> Option<CompactString> {
    if !prefix.is_empty() && prefix != "object" {
        return Some(prefix.into());
    }
    let number = node.get("objectTypeId").and_then(Node::word)?;
    Some(match number.as_str() {
        "0-1" => "contact".into(),
        "0-2" => "company".into(),
        "0-3" => "deal".into(),
        "0-136" => "lead".into(),
        _ => number,
    })
}

/// The survivor is the record that the merge made, or the primary one where none was made.
fn merge(
    node: &Node<'_>,
    mut change: RawChange,
    place: &Place<'_>,
    out: &mut Vec<Item>,
) -> Result<(), DecodeError> {
    let id = |name: &str| node.get(name).and_then(Node::id);
    let primary = id("primaryObjectId").or_else(|| id("objectId"));
    let survivor = id("newObjectId").or_else(|| primary.clone());
    change.id = survivor.ok_or_else(|| {
        let what = "the merge has no `primaryObjectId`";
        DecodeError::new(Code::MissingId, place, what)
    })?;
    let merged = node.get("mergedObjectIds").map_or(&[][..], Node::elements);
    let mut losers: Vec<CompactString> = primary
        .into_iter()
        .chain(merged.iter().filter_map(Node::id))
        .filter(|loser| *loser != change.id)
        .collect();
    losers.sort_unstable();
    losers.dedup();
    if losers.is_empty() {
        return Err(DecodeError::missing(place, "mergedObjectIds"));
    }
    change.class = Class::Merge { losers };
    push(out, change, place)
}

/// A record as the CRM interface answers it: all properties that were asked for, and nothing happened by it.
fn record(
    node: &Node<'_>,
    place: &Place<'_>,
    message: &Message<'_>,
    out: &mut Vec<Item>,
) -> Result<(), DecodeError> {
    if let Some(engagement) = node.get("engagement") {
        return engagement::before(node, engagement, place, out);
    }
    let named = object_name("", node).or_else(|| message.object.map(Into::into));
    if let Some(kind) = engagement::kind(named.as_deref()) {
        return engagement::record(node, kind, place, out);
    }
    // A workflow's webhook sends the record as the first version of the interface had it.
    let (id, object) = [
        ("id", None),
        ("vid", Some("contact")),
        ("companyId", Some("company")),
        ("dealId", Some("deal")),
        ("objectId", None),
    ]
    .iter()
    .find_map(|(name, object)| Some((node.get(name).and_then(Node::id)?, *object)))
    .ok_or_else(|| DecodeError::new(Code::MissingId, place, "the record has no `id`"))?;
    let is = |name: &str| node.get(name) == Some(&Node::Bool(true));
    let class = if is("archived") || is("isDeleted") {
        Class::Delete
    } else {
        Class::Snapshot
    };
    let mut change = RawChange::new(id, class);
    change.object = object_name("", node)
        .or_else(|| object.map(Into::into))
        .or_else(|| message.object.map(Into::into));
    let stamp = instant::read(node.get("updatedAt"), &place.member("updatedAt"))?;
    change.time = stamp.map(|(at, _)| at);
    if change.class == Class::Snapshot
        && let Some(properties) = node.get("properties")
    {
        bounded(properties, &place.member("properties"))?;
        for (name, value) in properties.members() {
            // The value, then the versions that came before it.
            let value = match value {
                Node::Object(_) => value.get("value").unwrap_or(&Node::Null),
                plain => plain,
            };
            change.fields.push(value.field(name, false));
        }
    }
    push(out, change, place)
}
