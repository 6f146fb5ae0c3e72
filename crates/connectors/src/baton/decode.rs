//! Reads the canonical form straight from the text: no tree, borrowed names, numbers as sent.

use std::borrow::Cow;

use baton_core::{
    change::{Class, Precision, RawChange, RawField},
    id::Object,
    time::Millis,
    value::Raw,
    wire::SchemaVersion,
};
use compact_str::{CompactString, format_compact};

use crate::{
    Item, MAX_FIELDS, Message,
    error::{Code, DecodeError, Place, nearest, shown},
    in_order, instant,
    json::Reader,
};

pub(crate) const MEMBERS: [&str; 19] = [
    "object",
    "id",
    "class",
    "time",
    "precision",
    "seq",
    "event_id",
    "cause",
    "actor",
    "origin",
    "fields",
    "before",
    "cleared",
    "losers",
    "to",
    "stage",
    "kind",
    "transaction",
    "schema_version",
];

const CLASSES: [&str; 12] = [
    "delta",
    "event",
    "snapshot",
    "read_back",
    "gap",
    "overflow",
    "delete",
    "undelete",
    "merge",
    "convert",
    "stage",
    "activity",
];

/// What holds where the change itself does not say, for forms that wrap it.
#[derive(Default)]
pub(crate) struct Defaults {
    pub(crate) object: Option<CompactString>,
    pub(crate) id: Option<CompactString>,
    pub(crate) class: Option<CompactString>,
    pub(crate) time: Option<(Millis, Precision)>,
    pub(crate) event_id: Option<CompactString>,
}

/// One change, or a list of changes.
pub(crate) fn decode(text: &str, message: &Message<'_>) -> Result<Vec<Item>, DecodeError> {
    let defaults = || Defaults {
        object: message.object.map(Into::into),
        ..Defaults::default()
    };
    let mut reader = Reader::new(text);
    match reader.peek() {
        Some(b'[') => {
            let mut elements = Vec::new();
            reader.list(|reader| {
                elements.push(reader.skip()?);
                Ok(())
            })?;
            reader.end()?;
            let item = |(index, element): (usize, &&str)| {
                let place = Place::Root;
                change(&mut Reader::new(element), &place.element(index), defaults())
                    .map_or_else(Item::Refused, Item::Change)
            };
            Ok(elements.iter().enumerate().map(item).collect())
        }
        _ => {
            let change = change(&mut reader, &Place::Root, defaults())?;
            reader.end()?;
            Ok(vec![Item::Change(change)])
        }
    }
}

/// The members of a change as they are found; they may come in any order.
#[derive(Default)]
struct Draft<'a> {
    object: Option<CompactString>,
    id: Option<CompactString>,
    class: Option<Cow<'a, str>>,
    time: Option<(Millis, Precision)>,
    precision: Option<Precision>,
    seq: Option<u64>,
    event_id: Option<CompactString>,
    cause: Option<CompactString>,
    actor: Option<CompactString>,
    origin: Option<CompactString>,
    transaction: Option<CompactString>,
    fields: Vec<RawField>,
    before: Vec<(Cow<'a, str>, Raw)>,
    cleared: Vec<CompactString>,
    losers: Vec<CompactString>,
    to: Vec<(Object, CompactString)>,
    stage: Option<CompactString>,
    kind: Option<CompactString>,
    /// One bit per name in `MEMBERS` that has come.
    seen: u32,
}

/// Reads one change at the reader.
pub(crate) fn change(
    reader: &mut Reader<'_>,
    place: &Place<'_>,
    defaults: Defaults,
) -> Result<RawChange, DecodeError> {
    if reader.peek() != Some(b'{') {
        let what = "a change is an object";
        return Err(DecodeError::new(Code::UnknownShape, place, what));
    }
    let beginning = reader.clone();
    let mut draft = Draft::default();
    reader
        .object(|reader, name| member(reader, &name, place, &mut draft))
        .and_then(|()| finish(draft, place, defaults))
        // A newer form may have members that look like mistakes; its version stands anywhere among them.
        .map_err(|error| newer(beginning, place).unwrap_or(error))
}

/// What is to be said of a change that names a version which this Baton does not know.
fn newer(mut reader: Reader<'_>, place: &Place<'_>) -> Option<DecodeError> {
    let mut found = None;
    reader
        .object(|reader, name| {
            if name == "schema_version" {
                found = version(reader, &place.member("schema_version")).err();
                return Ok(());
            }
            reader.skip().map(drop)
        })
        .ok()?;
    found.filter(|error| error.code == Code::NewerVersion)
}

/// Reads a version, which must be one that this Baton knows.
fn version(reader: &mut Reader<'_>, place: &Place<'_>) -> Result<(), DecodeError> {
    let version = seq(reader, place)?;
    match SchemaVersion::too_new(version) {
        Some(what) => Err(DecodeError::new(Code::NewerVersion, place, what)),
        None => Ok(()),
    }
}

fn member<'a>(
    reader: &mut Reader<'a>,
    name: &str,
    place: &Place<'_>,
    draft: &mut Draft<'a>,
) -> Result<(), DecodeError> {
    let Some(index) = MEMBERS.iter().position(|known| *known == name) else {
        let hint = nearest(name, &MEMBERS)
            .map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
        let what = format!("member `{}` is not known{hint}", shown(name));
        return Err(DecodeError::new(Code::UnknownMember, place, what));
    };
    if draft.seen & (1 << index) != 0 {
        let what = format!("member `{name}` comes twice");
        return Err(DecodeError::new(Code::RepeatedMember, place, what));
    }
    draft.seen |= 1 << index;
    let here = place.member(name);
    if reader.peek() == Some(b'n') {
        return reader.skip().map(drop);
    }
    match name {
        "object" => draft.object = Some(word(reader, &here)?),
        "id" => draft.id = Some(word(reader, &here)?),
        "class" => draft.class = Some(string(reader, &here)?),
        "time" => draft.time = instant::read(Some(&reader.node()?), &here)?,
        "precision" => draft.precision = Some(precision(&string(reader, &here)?, &here)?),
        "seq" => draft.seq = Some(seq(reader, &here)?),
        "event_id" => draft.event_id = Some(word(reader, &here)?),
        "cause" => draft.cause = Some(word(reader, &here)?),
        "actor" => draft.actor = Some(word(reader, &here)?),
        "origin" => draft.origin = Some(word(reader, &here)?),
        "transaction" => draft.transaction = Some(word(reader, &here)?),
        "schema_version" => version(reader, &here)?,
        "stage" => draft.stage = Some(word(reader, &here)?),
        "kind" => draft.kind = Some(word(reader, &here)?),
        "fields" => {
            draft.fields.reserve(24);
            fields(reader, "", &here, &mut |name, value| {
                draft.fields.push(RawField {
                    name: name.into(),
                    value,
                    before: None,
                    cleared: false,
                });
                draft.fields.len()
            })?;
        }
        "before" => fields(reader, "", &here, &mut |name, value| {
            draft.before.push((name, value));
            draft.before.len()
        })?,
        "cleared" => words(reader, &here, &mut draft.cleared)?,
        "losers" => words(reader, &here, &mut draft.losers)?,
        _ => targets(reader, &here, &mut draft.to)?,
    }
    Ok(())
}

fn finish(
    draft: Draft<'_>,
    place: &Place<'_>,
    defaults: Defaults,
) -> Result<RawChange, DecodeError> {
    let class = draft.class.as_deref().or(defaults.class.as_deref());
    let name = class.unwrap_or("delta");
    let mut fields = draft.fields;
    in_order(&mut fields);
    let twice = fields.windows(2).find_map(|pair| match pair {
        [a, b] if a.name == b.name => Some(shown(&a.name)),
        _ => None,
    });
    if let Some(name) = twice {
        let what = format!("field `{name}` comes twice");
        return Err(DecodeError::new(Code::RepeatedMember, place, what));
    }
    if name == "delta" {
        for field in &mut fields {
            field.cleared = is_blank(&field.value);
        }
    }
    clear(&mut fields, draft.cleared, place)?;
    attach(&mut fields, draft.before, place)?;

    let class = classify(name, draft.losers, draft.to, draft.stage, draft.kind, place)?;
    let id = match draft.id.or(defaults.id) {
        Some(id) => id,
        // An overflow speaks of a whole object.
        None if class == Class::Overflow => "*".into(),
        None => {
            let what = "member `id` is missing";
            return Err(DecodeError::new(Code::MissingId, place, what));
        }
    };
    let time = draft.time.or(defaults.time);
    Ok(RawChange {
        object: draft.object.or(defaults.object),
        id,
        class,
        time: time.map(|(at, _)| at),
        precision: draft
            .precision
            .or(time.map(|(_, precision)| precision))
            .unwrap_or_default(),
        seq: draft.seq,
        vendor_id: draft.event_id.or(defaults.event_id),
        actor: draft.actor,
        cause: draft.cause,
        origin: draft.origin,
        transaction: draft.transaction,
        fields,
    })
}

/// Marks the fields named in `cleared`, which may also stand in `fields` as blanks. The fields stay in order.
fn clear(
    fields: &mut Vec<RawField>,
    cleared: Vec<CompactString>,
    place: &Place<'_>,
) -> Result<(), DecodeError> {
    for name in cleared {
        match fields.binary_search_by(|f| f.name.cmp(&name)) {
            Ok(at) if fields.get(at).is_some_and(|f| is_blank(&f.value)) => {
                if let Some(field) = fields.get_mut(at) {
                    field.cleared = true;
                }
            }
            Ok(_) => {
                let what = format!("field `{}` is cleared and has a value", shown(&name));
                let here = place.member("cleared");
                return Err(DecodeError::new(Code::Contradiction, here, what));
            }
            Err(at) => fields.insert(
                at,
                RawField {
                    name,
                    value: Raw::Null,
                    before: None,
                    cleared: true,
                },
            ),
        }
    }
    Ok(())
}

fn attach(
    fields: &mut [RawField],
    before: Vec<(Cow<'_, str>, Raw)>,
    place: &Place<'_>,
) -> Result<(), DecodeError> {
    for (name, value) in before {
        let at = fields.binary_search_by(|f| f.name.as_str().cmp(&name));
        match at.ok().and_then(|at| fields.get_mut(at)) {
            Some(field) if field.before.is_none() => field.before = Some(value),
            Some(_) => {
                let what = format!("field `{}` comes twice", shown(&name));
                let here = place.member("before");
                return Err(DecodeError::new(Code::RepeatedMember, here, what));
            }
            None => {
                let what = format!("field `{}` has a before-image and no value", shown(&name));
                let here = place.member("before");
                return Err(DecodeError::new(Code::Contradiction, here, what));
            }
        }
    }
    Ok(())
}

fn is_blank(value: &Raw) -> bool {
    match value {
        Raw::Null => true,
        Raw::Text(text) => text.is_empty(),
        _ => false,
    }
}

fn classify(
    name: &str,
    losers: Vec<CompactString>,
    to: Vec<(Object, CompactString)>,
    stage: Option<CompactString>,
    kind: Option<CompactString>,
    place: &Place<'_>,
) -> Result<Class, DecodeError> {
    let only = [
        ("losers", "merge", !losers.is_empty()),
        ("to", "convert", !to.is_empty()),
        ("stage", "stage", stage.is_some()),
        ("kind", "activity", kind.is_some()),
    ];
    if let Some((member, of, _)) = only.iter().find(|(_, of, here)| *here && *of != name) {
        let what = format!("member `{member}` belongs to class `{of}` only");
        return Err(DecodeError::new(Code::Contradiction, place, what));
    }
    Ok(match name {
        "delta" => Class::Delta,
        "event" => Class::Event,
        "snapshot" => Class::Snapshot,
        "read_back" => Class::ReadBack,
        "gap" => Class::Gap,
        "overflow" => Class::Overflow,
        "delete" => Class::Delete,
        "undelete" => Class::Undelete,
        "merge" if losers.is_empty() => return Err(DecodeError::missing(place, "losers")),
        "merge" => Class::Merge { losers },
        "convert" if to.is_empty() => return Err(DecodeError::missing(place, "to")),
        "convert" => Class::Convert { to },
        "stage" => Class::Stage {
            stage: stage.ok_or_else(|| DecodeError::missing(place, "stage"))?,
        },
        "activity" => Class::Activity {
            kind: kind.unwrap_or_else(|| "activity".into()),
        },
        unknown => {
            let hint = nearest(unknown, &CLASSES)
                .map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
            let what = format!("the class is none of {}{hint}", CLASSES.join(", "));
            let here = place.member("class");
            return Err(DecodeError::new(Code::UnknownClass, here, what));
        }
    })
}

fn string<'a>(reader: &mut Reader<'a>, place: &Place<'_>) -> Result<Cow<'a, str>, DecodeError> {
    if reader.peek() == Some(b'"') {
        reader.string()
    } else {
        let found = reader.node()?;
        Err(DecodeError::wrong_type(place, "text", found.kind()))
    }
}

/// Text, or a number's text.
fn word(reader: &mut Reader<'_>, place: &Place<'_>) -> Result<CompactString, DecodeError> {
    let word = match reader.peek() {
        Some(b'"') => CompactString::from(reader.string()?),
        Some(b'-' | b'0'..=b'9') => reader.number()?.into(),
        _ => {
            let found = reader.node()?;
            return Err(DecodeError::wrong_type(place, "text", found.kind()));
        }
    };
    if word.trim().is_empty() {
        return Err(DecodeError::wrong_type(place, "text", "blank text"));
    }
    Ok(word)
}

fn words(
    reader: &mut Reader<'_>,
    place: &Place<'_>,
    out: &mut Vec<CompactString>,
) -> Result<(), DecodeError> {
    if reader.peek() != Some(b'[') {
        let found = reader.node()?;
        return Err(DecodeError::wrong_type(place, "a list", found.kind()));
    }
    reader.list(|reader| {
        if out.len() >= MAX_FIELDS {
            let what = format!("more than {MAX_FIELDS} names in one list");
            return Err(DecodeError::new(Code::TooLarge, place, what));
        }
        out.push(word(reader, &place.element(out.len()))?);
        Ok(())
    })
}

fn seq(reader: &mut Reader<'_>, place: &Place<'_>) -> Result<u64, DecodeError> {
    let node = reader.node()?;
    node.whole()
        .ok_or_else(|| DecodeError::wrong_type(place, "a whole number from 0", node.kind()))
}

fn precision(text: &str, place: &Place<'_>) -> Result<Precision, DecodeError> {
    match text {
        "millis" => Ok(Precision::Millis),
        "second" => Ok(Precision::Second),
        "day" => Ok(Precision::Day),
        _ => {
            let wanted = "`millis`, `second` or `day`";
            Err(DecodeError::wrong_type(place, wanted, "other text"))
        }
    }
}

/// Reads names and values; nested objects become dotted names. `push` answers how many there are now.
fn fields<'a>(
    reader: &mut Reader<'a>,
    prefix: &str,
    place: &Place<'_>,
    push: &mut dyn FnMut(Cow<'a, str>, Raw) -> usize,
) -> Result<(), DecodeError> {
    if reader.peek() != Some(b'{') {
        let found = reader.node()?;
        return Err(DecodeError::wrong_type(place, "an object", found.kind()));
    }
    reader.object(|reader, name| {
        let name = if prefix.is_empty() {
            name
        } else {
            Cow::Owned(format!("{prefix}.{name}"))
        };
        if reader.peek() == Some(b'{') {
            return fields(reader, &name, place, push);
        }
        let value = reader.raw()?;
        if push(name, value) > MAX_FIELDS {
            let what = format!("one change has more than {MAX_FIELDS} fields");
            return Err(DecodeError::new(Code::TooLarge, place, what));
        }
        Ok(())
    })
}

fn targets(
    reader: &mut Reader<'_>,
    place: &Place<'_>,
    out: &mut Vec<(Object, CompactString)>,
) -> Result<(), DecodeError> {
    let node = reader.node()?;
    for (index, target) in node.elements().iter().enumerate() {
        let here = place.element(index);
        let object = target.get("object").and_then(|o| o.text());
        let object = object.and_then(Object::parse).ok_or_else(|| {
            let wanted = "`lead`, `contact`, `account` or `deal`";
            DecodeError::wrong_type(here.member("object"), wanted, "something else")
        })?;
        let id = target.get("id").and_then(|id| id.id());
        let id = id.ok_or_else(|| {
            let what = format_compact!("a record that it became has no id");
            DecodeError::new(Code::MissingId, here, what.into_string())
        })?;
        out.push((object, id));
    }
    if out.is_empty() {
        return Err(DecodeError::wrong_type(
            place,
            "a list of records",
            node.kind(),
        ));
    }
    Ok(())
}
