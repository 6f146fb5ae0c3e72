//! Tasks and events: what a salesperson did with somebody, told as an activity of that lead or contact.
//!
//! A task counts where it was made or its status changed, an event (a meeting) where it was made; the vocabulary says
//! which of them are done. Whom an update is about, Salesforce tells only where the stream is enriched with `WhoId`.

use baton_core::change::{Class, RawChange};
use compact_str::{CompactString, format_compact};

use super::decode::plain;
use crate::{
    Item,
    error::{DecodeError, Place},
    instant,
    json::Node,
    push,
};

/// What the rules may want to know of it. What was said stays where it is.
const DETAILS: [&str; 7] = [
    "CallDisposition",
    "CallType",
    "EventSubtype",
    "Status",
    "Subject",
    "TaskSubtype",
    "Type",
];

/// When it was done, else when it was entered.
const TIMES: [&str; 2] = ["CompletedDateTime", "CreatedDate"];

pub(super) fn is_one(object: Option<&str>) -> bool {
    matches!(object, Some("Task" | "Event"))
}

/// Tells the activity of a task or event with this id. `change` has everything but that; of an update, only its
/// `fields` changed. Says nothing where nobody is named or nothing was done.
pub(super) fn tell(
    body: &Node<'_>,
    id: &str,
    mut change: RawChange,
    place: &Place<'_>,
    out: &mut Vec<Item>,
) -> Result<(), DecodeError> {
    let object = change.object.take().unwrap_or_default();
    let moved = change.fields.iter().any(|field| field.name == "Status");
    let done = match change.class {
        Class::Event | Class::Snapshot => true,
        Class::Delta => object == "Task" && moved,
        _ => false,
    };
    let get = |name: &str| body.get(name).map(plain).filter(|node| !node.is_null());
    let who = get("WhoId").and_then(Node::id);
    let (Some(who), true) = (who, done) else {
        return Ok(());
    };
    // The first three characters of an id tell what it is of.
    change.object = Some(match who.get(..3) {
        Some("00Q") => "Lead".into(),
        Some("003") => "Contact".into(),
        _ => return Ok(()),
    });
    change.id = who;
    let subtype = ["TaskSubtype", "EventSubtype", "Type"]
        .iter()
        .find_map(|name| get(name).and_then(Node::word));
    let kind: CompactString = match subtype {
        Some(subtype) => format_compact!("{object}:{subtype}"),
        None => object.clone(),
    };
    for name in TIMES {
        if let Some((at, precision)) = instant::read(get(name), &place.member(name))? {
            (change.time, change.precision) = (Some(at), precision);
            break;
        }
    }
    // Read later, or sent again, it is the same act.
    change.vendor_id = Some(format_compact!("{object}:{id}"));
    change.seq = None;
    change.class = Class::Activity { kind };
    change.fields.clear();
    for name in DETAILS {
        if let Some(value) = get(name) {
            change.push(name, value.raw());
        }
    }
    push(out, change, place)
}
