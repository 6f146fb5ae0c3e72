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
    let mut items = each(&root, &Place::Root, |node, place, out| {
        let class = if node.some("createdAt").is_some() {
            Class::Event
        } else {
            Class::Delta
        };
        entity(node, place, message, class, out)
    });
    date_by_what_follows(&mut items);
    Ok(items)
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
    // The conversion first: a lead that was converted is no longer written to, and what it says is its contact's.
    if let Some(convert) = convert {
        push(out, convert, place)?;
    }
    push(out, change, place)
}

/// Changes of one record in one array are told in order, and only some carry a stamp: one without took place no
/// later than the next one of its record that has one.
fn date_by_what_follows(items: &mut [Item]) {
    for at in (0..items.len()).rev() {
        let (before, after) = items.split_at_mut(at + 1);
        let Some(Item::Change(change)) = before.last_mut() else {
            continue;
        };
        if change.time.is_some() || change.seq.is_none() {
            continue;
        }
        let next = after.iter().find_map(|item| match item {
            Item::Change(later) if later.id == change.id => later
                .time
                .zip(later.seq)
                .map(|(t, s)| (t, s, later.precision)),
            _ => None,
        });
        if let Some((time, seq, precision)) = next
            && change.seq < Some(seq)
        {
            (change.time, change.precision) = (Some(time), precision);
        }
    }
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
