//! A webhook's body maps names of events to lists of them; each holds the whole contact. PHP writes an empty
//! object as `[]`, and numbers sometimes as text.
//!
//! The time of a saved contact is its own `dateModified` (`dateAdded` when new), not the webhook's timestamp: the
//! webhook is stamped when it is queued, holds the contact as it was loaded before, and may therefore show values
//! older than its timestamp (a save after a change of points still shows the old points). `dateModified` is also
//! what the interface answers to a write.

use baton_core::{
    change::{Class, Precision, RawChange, RawField},
    time::Millis,
};
use compact_str::{CompactString, format_compact};

use crate::{
    Item, Message, bounded, each,
    error::{Code, DecodeError, Place},
    instant,
    json::{Node, parse},
    push,
};

pub(crate) fn decode(text: &str, _message: &Message<'_>) -> Result<Vec<Item>, DecodeError> {
    let root = parse(text)?;
    let top = Place::Root;
    let mut out = Vec::new();
    let mut known = false;
    for (name, events) in root.members() {
        let Some(kind) = name.strip_prefix("mautic.") else {
            continue;
        };
        known = true;
        out.extend(each(events, &top.member(name), |node, place, out| {
            event(kind, node, place, out)
        }));
    }
    if known {
        return Ok(out);
    }
    for (object, name) in [
        ("contact", "contact"),
        ("contact", "contacts"),
        ("company", "company"),
        ("company", "companies"),
    ] {
        if let Some(answer) = root.get(name) {
            return Ok(answered(object, answer, &top.member(name)));
        }
    }
    let what = "the body names no event (`mautic.…`) and no contact";
    Err(DecodeError::new(Code::UnknownShape, top, what))
}

/// What the interface answers when read: one record, a list, or an object of records under their ids.
fn answered(object: &str, answer: &Node<'_>, place: &Place<'_>) -> Vec<Item> {
    let one = |node: &Node<'_>, place: &Place<'_>, out: &mut Vec<Item>| {
        if node.is_null() {
            let what = "the vendor refused this item of a write";
            return Err(DecodeError::new(Code::VendorError, place, what));
        }
        let mut change = head(object, node, None, Class::Snapshot, place)?;
        (change.time, change.precision) = stamp(node, None, place)?;
        change.fields = fields(node);
        push(out, change, place)
    };
    if answer.get("id").is_some() || !answer.is_object() {
        return each(answer, place, one);
    }
    answer
        .members()
        .iter()
        .flat_map(|(id, record)| each(record, &place.member(id), one))
        .collect()
}

fn event(
    kind: &str,
    node: &Node<'_>,
    place: &Place<'_>,
    out: &mut Vec<Item>,
) -> Result<(), DecodeError> {
    let object = if kind.starts_with("company_") {
        "company"
    } else {
        "contact"
    };
    // Before version 2 a contact was a lead.
    let record = [object, "lead"].iter().find_map(|name| node.some(name));
    let none = Node::Null;
    let contact = record.unwrap_or(&none);
    let id = node.get("id");
    let mut change = match kind {
        "lead_post_save_new" | "lead_post_save_update" | "company_post_save" => {
            let mut change = head(object, contact, None, Class::Event, place)?;
            (change.time, change.precision) = stamp(contact, Some(node), place)?;
            change.actor = actor(contact);
            change.fields = fields(contact);
            return push(out, change, place);
        }
        "lead_points_change" => {
            let mut change = head(object, contact, id, Class::Delta, place)?;
            let points = node.get("points").unwrap_or(&none);
            let new = points.some("new_points");
            let new =
                new.ok_or_else(|| DecodeError::missing(&place.member("points"), "new_points"))?;
            let mut field = new.field("points", true);
            field.before = points.get("old_points").map(Node::raw);
            change.fields.push(field);
            change
        }
        "lead_channel_subscription_changed" => {
            let mut change = head(object, contact, id, Class::Delta, place)?;
            let channel = node.get("channel").and_then(Node::text);
            let channel = channel.ok_or_else(|| DecodeError::missing(place, "channel"))?;
            let new = node.get("new_status").and_then(Node::text);
            let new = new.ok_or_else(|| DecodeError::missing(place, "new_status"))?;
            let mut field = Node::Text(new.into()).field(&consent(channel), true);
            field.before = node.get("old_status").map(Node::raw);
            change.fields.push(field);
            change
        }
        "lead_post_delete" | "company_post_delete" => {
            head(object, contact, id, Class::Delete, place)?
        }
        // The contact's company is another now; which fields follow from that is not told.
        "lead_company_change" => head(object, contact, id, Class::Gap, place)?,
        other => return activity(other, object, node, place, out),
    };
    let stamp = instant::read(node.get("timestamp"), &place.member("timestamp"))?;
    change.time = stamp.map(|(at, _)| at);
    change.precision = Precision::Second;
    // The contact says who modified it last; that was this event only if it bears the same stamp.
    let modified = instant::read(contact.get("dateModified"), &place.member("dateModified"))?;
    if modified.is_some() && modified == stamp {
        change.actor = actor(contact);
    }
    push(out, change, place)
}

/// Something that happened to one contact, to several, or to a visitor whom nobody knows. It makes no claim.
fn activity(
    kind: &str,
    object: &str,
    node: &Node<'_>,
    place: &Place<'_>,
    out: &mut Vec<Item>,
) -> Result<(), DecodeError> {
    let stamp = instant::read(node.get("timestamp"), &place.member("timestamp"))?;
    // Several may happen to one contact within the second that the stamp shows.
    let thing = ["submission", "hit", "stat"]
        .iter()
        .find_map(|name| Some((*name, node.some(name)?)));
    let mut tell = |id: CompactString| {
        let mut change = RawChange::new(id, Class::Activity { kind: kind.into() });
        change.vendor_id = thing.and_then(|(name, thing)| {
            let id = thing.get("id").and_then(Node::id)?;
            Some(format_compact!("{name}:{id}"))
        });
        for name in DETAILS {
            if let Some(value) = within(node, name) {
                change.push(name, value.raw());
            }
        }
        change.object = Some(object.into());
        change.time = stamp.map(|(at, _)| at);
        change.precision = Precision::Second;
        push(out, change, place)
    };
    let several = ["contacts", "leads"]
        .iter()
        .find_map(|name| node.get(name))
        .map_or(&[][..], Node::elements);
    if several.is_empty() {
        let who = person(node);
        let id = who.get("id").and_then(Node::id);
        return match id.or_else(|| node.get("id").and_then(Node::id)) {
            Some(id) => tell(id),
            None => Ok(()),
        };
    }
    for who in several {
        let id = who.id().or_else(|| who.get("id").and_then(Node::id));
        tell(id.ok_or_else(|| DecodeError::missing(place, "id"))?)?;
    }
    Ok(())
}

/// What the rules may want to know of an activity. What somebody wrote into a form is no part of it.
const DETAILS: [&str; 6] = [
    "hit.page.title",
    "hit.url",
    "stat.email.name",
    "email.name",
    "subject",
    "submission.form.name",
];

/// The value at a dotted name, if there is one.
fn within<'n, 'a>(node: &'n Node<'a>, name: &str) -> Option<&'n Node<'a>> {
    let found = name
        .split('.')
        .try_fold(node, |node, member| node.some(member))?;
    (!found.is_object() && found.elements().is_empty()).then_some(found)
}

/// Who modified the record last, else who made it.
fn actor(record: &Node<'_>) -> Option<CompactString> {
    let person = if record.some("dateModified").is_some() {
        ["modifiedByUser", "modifiedBy"]
    } else {
        ["createdByUser", "createdBy"]
    };
    person
        .iter()
        .find_map(|name| record.get(name).and_then(Node::word))
}

/// The contact of an event about something else: at the top, or one level down (`submission.lead`).
fn person<'n, 'a>(node: &'n Node<'a>) -> &'n Node<'a> {
    let named = |node: &'n Node<'a>| ["contact", "lead"].iter().find_map(|n| node.some(n));
    named(node)
        .or_else(|| node.members().iter().find_map(|(_, inner)| named(inner)))
        .unwrap_or(node)
}

fn head(
    object: &str,
    record: &Node<'_>,
    id: Option<&Node<'_>>,
    class: Class,
    place: &Place<'_>,
) -> Result<RawChange, DecodeError> {
    bounded(record, place)?;
    for (_, group) in record.get("fields").map_or(&[][..], Node::members) {
        bounded(group, place)?;
    }
    bounded(record.get("doNotContact").unwrap_or(&Node::Null), place)?;
    // A deleted contact has lost its id; the event itself has it then.
    let id = record.get("id").and_then(Node::id).or_else(|| id?.id());
    let id = id.ok_or_else(|| {
        let what = format!("the event names no {object}'s `id`");
        DecodeError::new(Code::MissingId, place, what)
    })?;
    let mut change = RawChange::new(id, class);
    change.object = Some(object.into());
    Ok(change)
}

/// `dateModified`, else `dateAdded`, else the event's own timestamp.
fn stamp(
    record: &Node<'_>,
    event: Option<&Node<'_>>,
    place: &Place<'_>,
) -> Result<(Option<Millis>, Precision), DecodeError> {
    for name in ["dateModified", "dateAdded"] {
        if let Some((at, _)) = instant::read(record.get(name), &place.member(name))? {
            return Ok((Some(at), Precision::Second));
        }
    }
    let node = event.and_then(|event| event.get("timestamp"));
    let read = instant::read(node, &place.member("timestamp"))?;
    Ok((read.map(|(at, _)| at), Precision::Second))
}

/// The record's own members, then those of its fields by alias; where both have a name, its own is right (the
/// field `points` lags behind the record's).
fn fields(record: &Node<'_>) -> Vec<RawField> {
    let mut out = Vec::with_capacity(64);
    for (name, value) in record.members() {
        match (name.as_ref(), value) {
            ("id" | "fields", _) => {}
            ("stage", Node::Object(_)) => {
                let label = value.get("name").unwrap_or(&Node::Null);
                out.push(label.field("stage", false));
            }
            ("owner", Node::Object(_)) => {
                let id = value.get("id").unwrap_or(&Node::Null);
                out.push(id.field("owner", false));
                if let Some(login) = value.get("username") {
                    out.push(login.field("owner.username", false));
                }
            }
            ("tags", Node::List(tags)) => {
                let label = |tag: &Node<'_>| tag.get("tag").unwrap_or(tag).word();
                let labels = tags.iter().filter_map(label).collect();
                out.push(RawField {
                    name: "tags".into(),
                    value: baton_core::value::Raw::List(labels),
                    before: None,
                    cleared: false,
                });
            }
            ("doNotContact", Node::List(entries)) => out.extend(do_not_contact(entries)),
            (_, Node::Object(_) | Node::List(_)) => {}
            (name, scalar) => out.push(scalar.field(name, false)),
        }
    }
    let own = out.len();
    let groups = record.get("fields").map_or(&[][..], Node::members);
    // `all` repeats the other groups in short; it is used only where it stands alone.
    let alone = groups.iter().all(|(group, _)| group == "all");
    for (group, members) in groups {
        if group == "all" && !alone {
            continue;
        }
        for (alias, field) in members.members() {
            let repeats = out.iter().take(own).any(|f| f.name == *alias);
            if !repeats && alias != "id" {
                let value = if field.is_object() {
                    field.get("value").unwrap_or(&Node::Null)
                } else {
                    field
                };
                out.push(value.field(alias, false));
            }
        }
    }
    out
}

/// One field per channel, in the words of the subscription event. A contact without an entry for e-mail has a
/// blank there, which loosens nothing.
fn do_not_contact(entries: &[Node<'_>]) -> Vec<RawField> {
    let mut out: Vec<RawField> = Vec::new();
    for entry in entries {
        let channel = entry.get("channel").and_then(Node::text).unwrap_or("email");
        let reason = entry.get("reason").and_then(Node::whole);
        let status = match reason {
            Some(0) => "contactable",
            Some(2) => "bounced",
            Some(3) => "manual",
            _ => "unsubscribed",
        };
        let name = consent(channel);
        if out.iter().all(|field| field.name != name) {
            out.push(Node::Text(status.into()).field(&name, false));
        }
    }
    if out.iter().all(|field| field.name != "doNotContact.email") {
        out.push(Node::Null.field("doNotContact.email", false));
    }
    out
}

fn consent(channel: &str) -> CompactString {
    format_compact!("doNotContact.{channel}")
}
