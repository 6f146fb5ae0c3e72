//! A create sends the new entity, an update only what changed, a field's webhook only that field and the id.
//! Only the first always has a time; the others have a version number, or nothing at all.

use baton_core::{
    change::{Class, Precision, RawChange},
    id::Object,
    time::Millis,
};

use crate::{
    Item, Message, beside, each,
    error::{Code, DecodeError, Place},
    instant,
    json::{Node, parse},
    push,
};

/// What a converted lead became: attribute of the lead, and the object its id belongs to.
const CONVERTED: [(&str, Object); 3] = [
    ("createdContactId", Object::Contact),
    ("createdAccountId", Object::Account),
    ("createdOpportunityId", Object::Deal),
];

pub(crate) fn decode(text: &str, message: &Message<'_>) -> Result<Vec<Item>, DecodeError> {
    let root = parse(text)?;
    // A list read through the REST interface: whole records, and nothing happened by reading them.
    if let Some(list) = root.get("list").filter(|_| root.get("id").is_none()) {
        let base = Place::Root;
        return Ok(each(list, &base.member("list"), |node, place, out| {
            entity(node, place, message, Class::Snapshot, out)
        }));
    }
    Ok(each(&root, &Place::Root, |node, place, out| {
        let class = if node.some("createdAt").is_some() {
            Class::Event
        } else {
            Class::Delta
        };
        entity(node, place, message, class, out)
    }))
}

fn entity(
    node: &Node<'_>,
    place: &Place<'_>,
    message: &Message<'_>,
    class: Class,
    out: &mut Vec<Item>,
) -> Result<(), DecodeError> {
    if !node.is_object() {
        let what = "an entity is an object";
        return Err(DecodeError::new(Code::UnknownShape, place, what));
    }
    let id = node
        .get("id")
        .and_then(Node::id)
        .ok_or_else(|| DecodeError::new(Code::MissingId, place, "the entity has no `id`"))?;
    let mut change = RawChange::new(id, class);
    change.object = node
        .get("_scope")
        .or_else(|| node.get("entityType"))
        .and_then(Node::word)
        .or_else(|| message.object.map(Into::into));
    (change.time, change.precision) = time(node, place)?;
    change.seq = node.get("versionNumber").and_then(Node::whole);
    change.actor = ["modifiedById", "modifiedByName", "createdById"]
        .iter()
        .find_map(|name| node.get(name).and_then(Node::word));

    if node.get("deleted") == Some(&Node::Bool(true)) {
        change.class = Class::Delete;
        return push(out, change, place);
    }
    let only_changes = change.class == Class::Delta;
    node.flatten("", &mut |name, value| {
        if name != "id" {
            change.fields.push(value.field(name, only_changes));
        }
    });
    let to: Vec<_> = CONVERTED
        .iter()
        .filter_map(|(name, object)| Some((*object, node.get(name).and_then(Node::id)?)))
        .collect();
    let convert = (!to.is_empty()).then(|| beside(&change, Class::Convert { to }, "convert"));
    push(out, change, place)?;
    convert.map_or(Ok(()), |convert| push(out, convert, place))
}

/// The stamp of the modification, else of the conversion, else of the creation.
fn time(node: &Node<'_>, place: &Place<'_>) -> Result<(Option<Millis>, Precision), DecodeError> {
    for name in ["modifiedAt", "convertedAt", "createdAt"] {
        if let Some((at, precision)) = instant::read(node.get(name), &place.member(name))? {
            return Ok((Some(at), precision));
        }
    }
    Ok((None, Precision::Second))
}
