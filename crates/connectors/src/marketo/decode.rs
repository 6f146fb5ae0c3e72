//! Pages of activities. A data value change has the value before it, and says why and by what it came.

use baton_core::{
    change::{Class, Precision, RawChange, RawField},
    value::Raw,
};
use compact_str::{CompactString, format_compact};

use crate::{
    Item, Message, beside, each,
    error::{Code, DecodeError, Place},
    instant,
    json::{Node, parse},
    push,
};

/// Activity types that are more than something a person did.
const NEW_LEAD: &str = "12";
const CHANGE_DATA_VALUE: &str = "13";
const CHANGE_SCORE: &str = "22";
const MERGE_LEADS: &str = "32";
const DELETE_LEAD: &str = "37";

/// The answer and request bodies of the REST interface, or a single item of one.
pub(crate) fn decode(text: &str, _message: &Message<'_>) -> Result<Vec<Item>, DecodeError> {
    let root = parse(text)?;
    let top = Place::Root;
    if root.get("success") == Some(&Node::Bool(false)) {
        let what = format!("the answer says that the call failed{}", codes(&root));
        return Err(DecodeError::new(Code::VendorError, top, what));
    }
    for name in ["result", "input"] {
        if let Some(items) = root.get(name) {
            return Ok(each(items, &top.member(name), item));
        }
    }
    // An answer without results: an empty page.
    if root.get("success").is_some() {
        return Ok(Vec::new());
    }
    Ok(each(&root, &top, item))
}

fn item(node: &Node<'_>, place: &Place<'_>, out: &mut Vec<Item>) -> Result<(), DecodeError> {
    if !node.is_object() {
        let what = "an item is an object";
        return Err(DecodeError::new(Code::UnknownShape, place, what));
    }
    if node.get("leadId").is_some() {
        return activity(node, place, out);
    }
    match node.get("status").and_then(Node::text) {
        Some(status) if is_acknowledgement(node) => acknowledged(node, status, place),
        _ => record(node, place, out),
    }
}

/// Whether the item has nothing but what the answer to a write has. A lead may have a field `status` of its own.
fn is_acknowledgement(node: &Node<'_>) -> bool {
    node.members().iter().all(|(name, _)| {
        matches!(
            name.as_ref(),
            "id" | "leadId"
                | "marketoGUID"
                | "seq"
                | "status"
                | "reasons"
                | "errors"
                | "membership"
        )
    })
}

/// One line of the answer to a write. It names no lead's values, so it says nothing about any record; only what
/// the vendor skipped is worth a person's look.
fn acknowledged(node: &Node<'_>, status: &str, place: &Place<'_>) -> Result<(), DecodeError> {
    if status == "skipped" || status == "failed" {
        let what = format!("the vendor skipped this item of a write{}", codes(node));
        return Err(DecodeError::new(Code::VendorError, place, what));
    }
    Ok(())
}

/// The vendor's codes, without its sentences: they can quote values.
fn codes(node: &Node<'_>) -> String {
    let codes: Vec<_> = ["errors", "reasons"]
        .iter()
        .filter_map(|name| node.get(name))
        .flat_map(Node::elements)
        .filter_map(|error| error.get("code").and_then(Node::word))
        .filter(|code| code.len() <= 8 && code.bytes().all(|b| b.is_ascii_alphanumeric()))
        .take(8)
        .collect();
    if codes.is_empty() {
        String::new()
    } else {
        format!(" with code {}", codes.join(", "))
    }
}

fn activity(node: &Node<'_>, place: &Place<'_>, out: &mut Vec<Item>) -> Result<(), DecodeError> {
    let id = node
        .get("leadId")
        .and_then(Node::id)
        .ok_or_else(|| DecodeError::new(Code::MissingId, place, "`leadId` is no lead's id"))?;
    let kind = node.get("activityTypeId").and_then(Node::word);
    let mut change = RawChange::new(id, Class::Delta);
    change.object = Some("lead".into());
    let stamp = instant::read(node.get("activityDate"), &place.member("activityDate"))?;
    change.time = stamp.map(|(at, _)| at);
    change.precision = stamp.map_or(Precision::Second, |(_, precision)| precision);
    change.vendor_id = ["marketoGUID", "id"]
        .iter()
        .find_map(|name| node.get(name).and_then(Node::word));
    change.cause = attribute(node, "Source")
        .or_else(|| attribute(node, "Source Type"))
        .or_else(|| attribute(node, "Reason"))
        .and_then(Node::word);
    change.actor = attribute(node, "Modifying User").and_then(Node::word);

    if let Some(fields) = node.get("fields") {
        for (index, field) in fields.elements().iter().enumerate() {
            let name = field.get("name").and_then(Node::text);
            let list = place.member("fields");
            let name = name.ok_or_else(|| DecodeError::missing(&list.element(index), "name"))?;
            let values = (field.get("newValue"), field.get("oldValue"));
            change.fields.push(changed(name, values.0, values.1));
        }
    }
    let mut gap = false;
    match kind.as_deref() {
        Some(DELETE_LEAD) => change.class = Class::Delete,
        Some(MERGE_LEADS) => merge(node, &mut change, place)?,
        // A lead is there; the activity tells little of what stands in it.
        Some(NEW_LEAD) => gap = true,
        Some(CHANGE_DATA_VALUE | CHANGE_SCORE) if node.get("fields").is_none() => {
            let name = node.get("primaryAttributeValue").and_then(Node::text);
            let name = name.ok_or_else(|| DecodeError::missing(place, "primaryAttributeValue"))?;
            let (new, old) = (attribute(node, "New Value"), attribute(node, "Old Value"));
            if new.is_some() || old.is_some() {
                change.fields.push(changed(field_name(name), new, old));
            } else {
                // The field changed; into what is not told.
                change.class = Class::Gap;
            }
        }
        // A page may list a change of fields that were not asked for: then the list is empty.
        _ if node.get("fields").is_some() => {}
        kind => {
            change.class = Class::Activity {
                kind: kind.unwrap_or("activity").into(),
            };
            details(node, &mut change);
        }
    }
    let gap = gap.then(|| beside(&change, Class::Gap, "gap"));
    push(out, change, place)?;
    gap.map_or(Ok(()), |gap| push(out, gap, place))
}

/// A changed field; no new value, or a blank one, is a clear.
fn changed(name: &str, new: Option<&Node<'_>>, old: Option<&Node<'_>>) -> RawField {
    let mut field = new.unwrap_or(&Node::Null).field(name, true);
    field.before = old.map(|old| if old.is_blank() { Raw::Null } else { old.raw() });
    field
}

/// Single activities name the score as the screen does; everything else of Marketo says `leadScore`.
fn field_name(name: &str) -> &str {
    match name {
        "Lead Score" | "Person Score" => "leadScore",
        other => other,
    }
}

fn attribute<'n, 'a>(node: &'n Node<'a>, name: &str) -> Option<&'n Node<'a>> {
    node.get("attributes")?
        .elements()
        .iter()
        .find(|attribute| {
            ["name", "apiName"]
                .iter()
                .any(|key| attribute.get(key).and_then(Node::text) == Some(name))
        })?
        .get("value")
}

/// What was done, in the vendor's words; an activity claims nothing.
fn details(node: &Node<'_>, change: &mut RawChange) {
    if let Some(value) = node.some("primaryAttributeValue") {
        change.push("primaryAttributeValue", value.raw());
    }
    for attribute in node.get("attributes").map_or(&[][..], Node::elements) {
        let name = attribute.get("name").or_else(|| attribute.get("apiName"));
        if let (Some(name), Some(value)) = (name.and_then(Node::text), attribute.get("value")) {
            change.push(&format_compact!("attributes.{name}"), value.raw());
        }
    }
}

/// `Merge IDs` is a list, or text with the numbers in it.
fn merge(node: &Node<'_>, change: &mut RawChange, place: &Place<'_>) -> Result<(), DecodeError> {
    let text = attribute(node, "Merge IDs").map(ToString::to_string);
    let mut losers: Vec<CompactString> = text
        .unwrap_or_default()
        .split(|c: char| !c.is_ascii_digit())
        .filter(|id| !id.is_empty() && *id != change.id)
        .map(Into::into)
        .collect();
    losers.sort_unstable();
    losers.dedup();
    if losers.is_empty() {
        let list = place.member("attributes");
        return Err(DecodeError::missing(&list, "Merge IDs"));
    }
    change.class = Class::Merge { losers };
    Ok(())
}

/// What names a record that is read. A company or an opportunity has the id that its maker gave it, for an account
/// of the CRM is known by it, too.
const IDS: [(&str, &str); 3] = [
    ("id", "lead"),
    ("externalCompanyId", "company"),
    ("externalOpportunityId", "opportunity"),
];

/// A lead, a company or an opportunity as the interface answers it when read.
fn record(node: &Node<'_>, place: &Place<'_>, out: &mut Vec<Item>) -> Result<(), DecodeError> {
    let (id, object) = IDS
        .iter()
        .find_map(|(name, object)| Some((node.get(name).and_then(Node::id)?, *object)))
        .ok_or_else(|| {
            let what = "the item has no id: `leadId`, `id`, `externalCompanyId` or `externalOpportunityId`";
            DecodeError::new(Code::MissingId, place, what)
        })?;
    let mut change = RawChange::new(id, Class::Snapshot);
    change.object = Some(object.into());
    let stamp = instant::read(node.get("updatedAt"), &place.member("updatedAt"))?;
    change.time = stamp.map(|(at, _)| at);
    change.precision = stamp.map_or(Precision::Second, |(_, precision)| precision);
    node.flatten("", &mut |name, value| {
        if name != "id" {
            change.fields.push(value.field(name, false));
        }
    });
    push(out, change, place)
}
