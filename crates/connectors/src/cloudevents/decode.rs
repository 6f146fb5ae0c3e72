//! The envelope gives what the change in `data` leaves out: `id`, `time`, `subject`, and the class by its `type`.

use compact_str::CompactString;

use crate::{
    Item, Message, baton,
    baton::Defaults,
    error::{Code, DecodeError, Place},
    instant,
    json::{Node, Reader, parse},
};

/// One event, or a batch of them. Data without an envelope is what the binary content mode leaves in the value.
pub(crate) fn decode(text: &str, message: &Message<'_>) -> Result<Vec<Item>, DecodeError> {
    let mut reader = Reader::new(text);
    if reader.peek() != Some(b'[') {
        let change = event(text, &Place::Root, message)?;
        return Ok(vec![Item::Change(change)]);
    }
    let mut elements = Vec::new();
    reader.list(|reader| {
        elements.push(reader.skip()?);
        Ok(())
    })?;
    reader.end()?;
    let item = |(index, element): (usize, &&str)| {
        let place = Place::Root;
        event(element, &place.element(index), message).map_or_else(Item::Refused, Item::Change)
    };
    Ok(elements.iter().enumerate().map(item).collect())
}

fn event(
    text: &str,
    place: &Place<'_>,
    message: &Message<'_>,
) -> Result<baton_core::change::RawChange, DecodeError> {
    let mut reader = Reader::new(text);
    if reader.peek() != Some(b'{') {
        let what = "a CloudEvent is an object";
        return Err(DecodeError::new(Code::UnknownShape, place, what));
    }
    let mut data = None;
    let mut attributes = Vec::new();
    reader.object(|reader, name| {
        if name == "data" {
            data = Some(reader.skip()?);
        } else {
            attributes.push((name, reader.node()?));
        }
        Ok(())
    })?;
    reader.end()?;
    let envelope = Node::Object(attributes);

    if envelope.get("specversion").is_none() {
        let defaults = Defaults {
            object: message.object.map(Into::into),
            ..Defaults::default()
        };
        return baton::change(&mut Reader::new(text), place, defaults);
    }
    let mut defaults = defaults(&envelope, place)?;
    if defaults.object.is_none() {
        defaults.object = message.object.map(Into::into);
    }
    let Some(data) = data else {
        let what = if envelope.get("data_base64").is_some() {
            "the event's data is binary, not JSON"
        } else {
            "the event has no data"
        };
        return Err(DecodeError::new(Code::UnknownShape, place, what));
    };
    // Some producers send the data as text that holds JSON.
    let inner = parse(data)?;
    let data = inner.text().unwrap_or(data);
    baton::change(&mut Reader::new(data), &place.member("data"), defaults)
}

fn defaults(envelope: &Node<'_>, place: &Place<'_>) -> Result<Defaults, DecodeError> {
    let subject = envelope.get("subject").and_then(Node::text);
    let kind = envelope.get("type").and_then(Node::text).unwrap_or("");
    let (object, class) = by_type(kind);
    // `contact/003…` names both; a plain subject is the id.
    let (subject_object, id) = match subject.map(|s| s.rsplit_once('/').ok_or(s)) {
        Some(Ok((path, id))) => (path.rsplit('/').next(), Some(id)),
        Some(Err(id)) => (None, Some(id)),
        None => (None, None),
    };
    let word = |text: &str| (!text.is_empty()).then(|| CompactString::from(text));
    Ok(Defaults {
        object: subject_object.and_then(word).or(object),
        id: id.and_then(word),
        class,
        time: instant::read(envelope.get("time"), &place.member("time"))?,
        event_id: envelope.get("id").and_then(Node::word),
    })
}

/// Reads the type from its end: `com.example.contact.updated.v2` is a delta of a contact.
fn by_type(kind: &str) -> (Option<CompactString>, Option<CompactString>) {
    let is_version = |part: &&str| {
        let digits = part.strip_prefix('v').unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let mut parts = kind.rsplit('.').skip_while(is_version);
    let class = match parts.next().unwrap_or_default() {
        "created" | "create" | "event" => "event",
        "updated" | "update" | "changed" | "delta" => "delta",
        "deleted" | "delete" => "delete",
        "restored" | "undeleted" | "undelete" => "undelete",
        "merged" | "merge" => "merge",
        "converted" | "convert" => "convert",
        "snapshot" => "snapshot",
        "read_back" => "read_back",
        "gap" => "gap",
        "overflow" => "overflow",
        "stage" => "stage",
        "activity" => "activity",
        _ => return (None, None),
    };
    let object = parts
        .next()
        .and_then(baton_core::id::Object::parse)
        .map(|object| object.as_str().into());
    (object, Some(class.into()))
}
