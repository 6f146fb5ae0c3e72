//! Engagements: calls, meetings, notes, mails and tasks, as they are read, told as activities of the contacts they are
//! associated with. What was said or written stays where it is.

use baton_core::change::{Class, RawChange};
use compact_str::{CompactString, format_compact};

use crate::{
    Item,
    error::{Code, DecodeError, Place},
    instant,
    json::Node,
    push,
};

/// The object types of the CRM interface and the words of the interface before it.
const TYPES: [(&str, &str, &str); 5] = [
    ("calls", "0-48", "CALL"),
    ("emails", "0-49", "EMAIL"),
    ("meetings", "0-47", "MEETING"),
    ("notes", "0-46", "NOTE"),
    ("tasks", "0-27", "TASK"),
];

/// What the rules may want to know of it, by either interface.
const DETAILS: [&str; 14] = [
    "metadata.direction",
    "metadata.disposition",
    "metadata.meetingOutcome",
    "metadata.status",
    "metadata.subject",
    "metadata.title",
    "hs_call_direction",
    "hs_call_disposition",
    "hs_call_title",
    "hs_email_direction",
    "hs_email_subject",
    "hs_meeting_outcome",
    "hs_meeting_title",
    "hs_task_status",
];

/// One engagement with its associations, as the interface before the CRM's has it.
pub(super) fn before(
    node: &Node<'_>,
    engagement: &Node<'_>,
    place: &Place<'_>,
    out: &mut Vec<Item>,
) -> Result<(), DecodeError> {
    let here = place.member("engagement");
    let kind = engagement.get("type").and_then(Node::word);
    let kind = kind.ok_or_else(|| DecodeError::missing(&here, "type"))?;
    let mut change = head(engagement.get("id"), kind, &here)?;
    let stamp = instant::read(engagement.get("timestamp"), &here.member("timestamp"))?;
    change.time = stamp.map(|(at, _)| at);
    change.cause = engagement.get("source").and_then(Node::word);
    change.actor = user(engagement.get("createdBy").or(engagement.get("modifiedBy")));
    let contacts = node
        .get("associations")
        .and_then(|associations| associations.get("contactIds"))
        .map_or(&[][..], Node::elements);
    let metadata = node.get("metadata");
    let detail = |name: &str| metadata?.some(name.strip_prefix("metadata.")?);
    of_each(
        contacts.iter().filter_map(Node::id),
        change,
        detail,
        place,
        out,
    )
}

/// The vendor's word for an engagement's type, if the record is one.
pub(super) fn kind(object: Option<&str>) -> Option<&'static str> {
    let object = object?;
    let found = TYPES.iter().find(|(plural, number, word)| {
        object == *number
            || object.eq_ignore_ascii_case(plural)
            || object.eq_ignore_ascii_case(word)
    });
    found.map(|(_, _, word)| *word)
}

/// One engagement as a record of the CRM interface, of which `properties` and associations were asked for.
pub(super) fn record(
    node: &Node<'_>,
    kind: &str,
    place: &Place<'_>,
    out: &mut Vec<Item>,
) -> Result<(), DecodeError> {
    let none = Node::Null;
    let properties = node.get("properties").unwrap_or(&none);
    let mut change = head(node.get("id"), kind.into(), place)?;
    let here = place.member("properties");
    let stamp = instant::read(properties.get("hs_timestamp"), &here.member("hs_timestamp"))?;
    change.time = stamp.map(|(at, _)| at);
    change.cause = properties.some("hs_object_source").and_then(Node::word);
    change.actor = user(properties.some("hs_created_by_user_id"));
    let contacts = node
        .get("associations")
        .and_then(|associations| associations.get("contacts"))
        .and_then(|contacts| contacts.get("results"))
        .map_or(&[][..], Node::elements);
    // One contact may be associated under several labels.
    let mut ids: Vec<CompactString> = contacts
        .iter()
        .filter_map(|contact| contact.get("id").and_then(Node::id))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    of_each(ids, change, |name| properties.some(name), place, out)
}

fn head(
    id: Option<&Node<'_>>,
    kind: CompactString,
    place: &Place<'_>,
) -> Result<RawChange, DecodeError> {
    let id = id
        .and_then(Node::id)
        .ok_or_else(|| DecodeError::new(Code::MissingId, place, "the engagement has no `id`"))?;
    let mut change = RawChange::new("", Class::Activity { kind });
    change.object = Some("contact".into());
    change.vendor_id = Some(format_compact!("engagement:{id}"));
    Ok(change)
}

/// A user as the events name one.
fn user(node: Option<&Node<'_>>) -> Option<CompactString> {
    let id = node.and_then(Node::id)?;
    Some(format_compact!("userId:{id}"))
}

fn of_each<'n, 'a: 'n>(
    contacts: impl IntoIterator<Item = CompactString>,
    mut change: RawChange,
    detail: impl Fn(&str) -> Option<&'n Node<'a>>,
    place: &Place<'_>,
    out: &mut Vec<Item>,
) -> Result<(), DecodeError> {
    for name in DETAILS {
        if let Some(value) = detail(name) {
            change.push(name, value.raw());
        }
    }
    for contact in contacts {
        let mut one = change.clone();
        one.id = contact;
        push(out, one, place)?;
    }
    Ok(())
}
