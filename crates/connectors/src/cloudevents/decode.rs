//! The envelope gives what the change in `data` leaves out: `id`, `time`, `subject`, and the class by its `type`.

use base64::Engine as _;
use baton_core::change::{Class, RawChange};
use compact_str::CompactString;

use crate::{
    Item, Message, baton,
    baton::Defaults,
    bounded,
    error::{Code, DecodeError, Place, nearest},
    in_order, instant,
    json::{Node, Reader, parse},
};

/// One event, or a batch of them.
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

fn event(text: &str, place: &Place<'_>, message: &Message<'_>) -> Result<RawChange, DecodeError> {
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
        // Data without an envelope is what the binary mode leaves; its attributes are the message's headers.
        let mut defaults = match &message.envelope {
            Some(envelope) => defaults(
                &|name| envelope.get(name).map(Into::into),
                envelope.time.map(|time| Node::Text(time.into())).as_ref(),
                place,
            )?,
            None => Defaults::default(),
        };
        if defaults.object.is_none() {
            defaults.object = message.object.map(Into::into);
        }
        return from_data(text, place, defaults);
    }
    let attribute = |name: &str| envelope.get(name).and_then(Node::word);
    let mut defaults = defaults(&attribute, envelope.get("time"), place)?;
    if defaults.object.is_none() {
        defaults.object = message.object.map(Into::into);
    }
    let encoded;
    let data = match (data, envelope.get("data_base64").and_then(Node::text)) {
        (Some(data), _) => data,
        (None, Some(base64)) => {
            encoded = decoded(base64).ok_or_else(|| {
                let what = "the event's data is binary, not JSON";
                DecodeError::new(Code::UnknownShape, place, what)
            })?;
            encoded.as_str()
        }
        // What became of the record stands in the type.
        (None, None) if says_all(&defaults) => "{}",
        (None, None) => {
            let what = "the event has no data";
            return Err(DecodeError::new(Code::UnknownShape, place, what));
        }
    };
    // Some producers send the data as text that holds JSON.
    let inner = parse(data)?;
    let data = inner.text().unwrap_or(data);
    from_data(data, &place.member("data"), defaults)
}

/// JSON in base64, told by its first sign.
fn decoded(base64: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(base64)
        .ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.trim_start().starts_with(['{', '"']).then_some(text)
}

/// The envelope alone says what became of which record.
fn says_all(defaults: &Defaults) -> bool {
    let class = defaults.class.as_deref();
    defaults.id.is_some() && matches!(class, Some("delete" | "undelete" | "gap"))
}

/// Members that only a change in Baton's form has.
const OF_A_CHANGE: [&str; 6] = ["fields", "class", "before", "cleared", "losers", "to"];

/// Reads the data as a change in Baton's form, or as the record itself: its members are the fields then.
fn from_data(text: &str, place: &Place<'_>, defaults: Defaults) -> Result<RawChange, DecodeError> {
    let data = parse(text)?;
    let known = |name: &str| baton::MEMBERS.contains(&name);
    let all_known = data.members().iter().all(|(name, _)| known(name));
    let is_change = data.members().iter().any(|(name, _)| {
        let slip = !known(name) && nearest(name, &["fields"]).is_some();
        slip || OF_A_CHANGE.contains(&name.as_ref())
    });
    if all_known || is_change {
        return baton::change(&mut Reader::new(text), place, defaults);
    }
    bounded(&data, place)?;
    let mut change = baton::change(
        &mut Reader::new("{}"),
        place,
        Defaults {
            id: data.get("id").and_then(Node::id).or(defaults.id.clone()),
            ..defaults
        },
    )?;
    let only_changes = change.class == Class::Delta;
    data.flatten("", &mut |name, value| {
        if name != "id" {
            change.fields.push(value.field(name, only_changes));
        }
    });
    in_order(&mut change.fields);
    Ok(change)
}

fn defaults(
    attribute: &dyn Fn(&str) -> Option<CompactString>,
    time: Option<&Node<'_>>,
    place: &Place<'_>,
) -> Result<Defaults, DecodeError> {
    let subject = attribute("subject");
    let (object, class) = by_type(attribute("type").as_deref().unwrap_or_default());
    // `contact/003…` names both; a plain subject is the id.
    let (subject_object, id) = match subject.as_deref().map(|s| s.rsplit_once('/').ok_or(s)) {
        Some(Ok((path, id))) => (path.rsplit('/').next(), Some(id)),
        Some(Err(id)) => (None, Some(id)),
        None => (None, None),
    };
    let word = |text: &str| (!text.is_empty()).then(|| CompactString::from(text));
    Ok(Defaults {
        object: subject_object.and_then(word).or(object),
        id: id.and_then(word),
        class,
        time: instant::read(time, &place.member("time"))?,
        event_id: attribute("id"),
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
