//! Change events. Only what the header calls changed is news; a null counts only if the header calls it nulled.
//! Through Avro, the header's lists of fields are bitmaps over a schema that the message does not carry: then the
//! values that are there are taken as given, and a nulled bitmap asks for the record to be read.

use baton_core::{
    change::{Class, RawChange, RawField},
    id::Object,
    value::Raw,
};
use compact_str::{CompactString, format_compact};

use super::activity;
use crate::{
    Item, Message, beside, bounded, each,
    error::{Code, DecodeError, Place},
    instant,
    json::{Node, parse},
    push,
};

/// Places for the sequence number below the commit number: one transaction tells at most 100,000 changes.
const PER_COMMIT: u64 = 100_000;

/// Most values that one event may set over all the records it names.
const MAX_FANNED_OUT: usize = 250_000;

/// Audit fields that every update changes; some connectors leave them out.
const AUDIT: [&str; 3] = ["LastModifiedDate", "LastModifiedById", "SystemModstamp"];

/// Members that connectors add to the record's own.
const ENVELOPE: [&str; 6] = [
    "ChangeEventHeader",
    "ReplayId",
    "_ObjectType",
    "_EventType",
    "schema",
    "attributes",
];

/// What a converted lead became.
const CONVERTED: [(&str, Object); 3] = [
    ("ConvertedContactId", Object::Contact),
    ("ConvertedAccountId", Object::Account),
    ("ConvertedOpportunityId", Object::Deal),
];

/// The members of a compound address, for when it is nulled as a whole.
const ADDRESS: [&str; 10] = [
    "Street",
    "City",
    "State",
    "PostalCode",
    "Country",
    "StateCode",
    "CountryCode",
    "Latitude",
    "Longitude",
    "GeocodeAccuracy",
];

pub(crate) fn decode(text: &str, message: &Message<'_>) -> Result<Vec<Item>, DecodeError> {
    let root = parse(text)?;
    // The answer to a query lists records under `records`; what was deleted or updated since is asked for apart.
    for (list, one) in [
        ("records", event as Element),
        ("deletedRecords", deleted),
        ("ids", updated),
    ] {
        if let Some(elements) = root.get(list) {
            let top = Place::Root;
            return Ok(each(elements, &top.member(list), |node, place, out| {
                one(node, place, message, out)
            }));
        }
    }
    Ok(each(&root, &Place::Root, |node, place, out| {
        event(node, place, message, out)
    }))
}

/// Reads one element of a list.
type Element = fn(&Node<'_>, &Place<'_>, &Message<'_>, &mut Vec<Item>) -> Result<(), DecodeError>;

fn event(
    node: &Node<'_>,
    place: &Place<'_>,
    message: &Message<'_>,
    out: &mut Vec<Item>,
) -> Result<(), DecodeError> {
    let mut body = node;
    // Pub/Sub, the streaming interface and Kafka Connect each wrap the event, and each other.
    for _ in 0..4 {
        if body.get("ChangeEventHeader").is_some() {
            break;
        }
        match ["payload", "data"].iter().find_map(|name| body.some(name)) {
            Some(inner) => body = inner,
            None => break,
        }
    }
    match body.get("ChangeEventHeader").map(plain) {
        Some(header) => change(body, header, place, message, out),
        None if body.get("attributes").is_some() => record(body, place, message, out),
        None if body.get("success").is_some() => acknowledged(body, place),
        None => {
            let what = "this is no change event: it has no `ChangeEventHeader`";
            Err(DecodeError::new(Code::UnknownShape, place, what))
        }
    }
}

/// Avro's JSON writes a value that may be null as `{"string": …}` or `{"com.sforce…": …}`.
pub(super) fn plain<'n, 'a>(node: &'n Node<'a>) -> &'n Node<'a> {
    if let [(kind, value)] = node.members()
        && (matches!(
            kind.as_ref(),
            "string" | "long" | "int" | "double" | "float" | "boolean" | "array"
        ) || kind.contains('.'))
    {
        return value;
    }
    node
}

fn change(
    body: &Node<'_>,
    header: &Node<'_>,
    place: &Place<'_>,
    message: &Message<'_>,
    out: &mut Vec<Item>,
) -> Result<(), DecodeError> {
    let get = |name: &str| header.get(name).map(plain);
    let here = place.member("ChangeEventHeader");
    let kind = get("changeType").and_then(Node::text);
    let kind = kind.ok_or_else(|| DecodeError::missing(&here, "changeType"))?;
    let mut change = RawChange::new("", Class::Delta);
    change.object = get("entityName")
        .and_then(Node::word)
        .or_else(|| message.object.map(Into::into));
    let stamp = instant::read(get("commitTimestamp"), &here.member("commitTimestamp"))?;
    change.time = stamp.map(|(at, _)| at);
    let number = get("sequenceNumber").and_then(Node::whole);
    change.seq = get("commitNumber")
        .and_then(Node::whole)
        .map(|commit| rising(commit, number.unwrap_or(0)));
    change.transaction = get("transactionKey").and_then(Node::word);
    change.vendor_id = change
        .transaction
        .as_ref()
        .map(|key| format_compact!("{key}:{}", number.unwrap_or(0)));
    change.actor = get("commitUser").and_then(Node::word);
    change.origin = get("changeOrigin").and_then(Node::text).and_then(client);

    bounded(body, place)?;
    let mut gap = false;
    match kind {
        "UPDATE" => {
            for name in ["changedFields", "nulledFields", "diffFields"] {
                bounded(get(name).unwrap_or(&Node::Null), &here.member(name))?;
            }
            gap = update(body, header, &mut change);
        }
        "CREATE" => {
            change.class = Class::Event;
            change.fields = given(body);
        }
        "UNDELETE" => {
            change.class = Class::Undelete;
            change.fields = given(body);
        }
        "DELETE" => change.class = Class::Delete,
        "GAP_OVERFLOW" => change.class = Class::Overflow,
        "GAP_CREATE" | "GAP_UPDATE" | "GAP_DELETE" | "GAP_UNDELETE" => change.class = Class::Gap,
        _ => {
            let what = "the change type is not known";
            let place = here.member("changeType");
            return Err(DecodeError::new(Code::UnknownShape, place, what));
        }
    }
    let ids = record_ids(get("recordIds"), &change, &here)?;
    if ids.iter().any(|id| is_wildcard(id)) {
        change.class = Class::Overflow;
        change.fields.clear();
    }
    if activity::is_one(change.object.as_deref()) {
        for id in &ids {
            activity::tell(body, id, change.clone(), place, out)?;
        }
        return Ok(());
    }
    if ids.len().saturating_mul(change.fields.len() + 1) > MAX_FANNED_OUT {
        let what = "the event names too many records for the fields it has";
        return Err(DecodeError::new(
            Code::TooLarge,
            here.member("recordIds"),
            what,
        ));
    }
    // What the trigger of a record that lost a merge sees: the record it was merged into.
    if change.class == Class::Delete
        && let Some(master) = body.get("MasterRecordId").map(plain).and_then(Node::id)
    {
        change.id = master;
        change.class = Class::Merge { losers: ids };
        return push(out, change, place);
    }
    let to = converted(&change);
    for id in &ids {
        let mut one = change.clone();
        one.id.clone_from(id);
        if ids.len() > 1
            && let Some(vendor_id) = &mut one.vendor_id
        {
            vendor_id.push(':');
            vendor_id.push_str(id);
        }
        let convert =
            (!to.is_empty()).then(|| beside(&one, Class::Convert { to: to.clone() }, "convert"));
        let gap = (gap && one.class == Class::Delta).then(|| beside(&one, Class::Gap, "gap"));
        // The conversion first: a lead that was converted is no longer written to, and what it says is its contact's.
        for statement in convert.into_iter().chain([one]).chain(gap) {
            push(out, statement, place)?;
        }
    }
    Ok(())
}

/// A number that rises with every change: the commit's, then the place within its transaction.
fn rising(commit: u64, number: u64) -> u64 {
    commit
        .saturating_mul(PER_COMMIT)
        .saturating_add(number.min(PER_COMMIT - 1))
        // Stores keep it as a signed number.
        .min(i64::MAX.unsigned_abs())
}

/// The name that the writing client gave itself: `com/salesforce/api/rest/60.0;client=NAME`.
fn client(origin: &str) -> Option<CompactString> {
    let name = origin
        .split(';')
        .find_map(|part| part.trim().strip_prefix("client="))?
        .trim_end_matches('/');
    (!name.is_empty()).then(|| name.into())
}

fn record_ids(
    node: Option<&Node<'_>>,
    change: &RawChange,
    place: &Place<'_>,
) -> Result<Vec<CompactString>, DecodeError> {
    let ids: Vec<CompactString> = match node {
        Some(Node::List(ids)) => ids.iter().map(plain).filter_map(Node::id).collect(),
        Some(single) => single.id().into_iter().collect(),
        None => Vec::new(),
    };
    if ids.is_empty() {
        if change.class == Class::Overflow {
            return Ok(vec!["*".into()]);
        }
        let what = "the event names no record";
        return Err(DecodeError::new(
            Code::MissingId,
            place.member("recordIds"),
            what,
        ));
    }
    Ok(ids)
}

/// An id that stands for every record of the object.
fn is_wildcard(id: &str) -> bool {
    id.contains('*') || id.len() >= 15 && id.starts_with("000000000000000")
}

/// A hexadecimal bitmap (`0x400005A`), or one of a compound field (`4-0x05`).
fn is_bitmap(name: &str) -> bool {
    let (index, bits) = name.split_once('-').unwrap_or(("", name));
    let hex = bits.strip_prefix("0x").or_else(|| bits.strip_prefix("0X"));
    index.bytes().all(|b| b.is_ascii_digit())
        && hex.is_some_and(|hex| !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn names<'n>(list: Option<&'n Node<'_>>) -> Vec<&'n str> {
    let list = list.map(plain).map_or(&[][..], Node::elements);
    list.iter().map(plain).filter_map(Node::text).collect()
}

/// A field is named by its own name, or by that of the compound it belongs to.
fn is_named(names: &[&str], field: &str) -> bool {
    names.iter().any(|name| {
        let rest = field.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            // A person's name is a compound whose members some events call by their bare names.
            || field.strip_prefix("Name.") == Some(*name)
    })
}

/// Takes the changed and the nulled fields. True if the record must be read to know what happened.
fn update(body: &Node<'_>, header: &Node<'_>, change: &mut RawChange) -> bool {
    let changed = names(header.get("changedFields"));
    let all_given = changed.is_empty() || changed.iter().any(|name| is_bitmap(name));
    let mut nulled = names(header.get("nulledFields"));
    let named = nulled.len();
    nulled.retain(|name| !is_bitmap(name));
    let mut gap = nulled.len() < named;
    // Of a long text only the difference is sent. Which one it is, a bitmap does not tell.
    let differ = names(header.get("diffFields"));
    let differs_somewhere = differ.iter().any(|name| is_bitmap(name));
    gap |= !differ.is_empty();
    // Without any list, as the streaming interface sends it, a null is either a clear or a filler of the connector's.
    let unlisted = header.get("changedFields").is_none() && header.get("nulledFields").is_none();

    fields(body, &mut |name, value| {
        if value.is_null() {
            if is_named(&nulled, name) {
                push_cleared(change, name);
            }
            gap |= unlisted;
        } else if is_named(&differ, name) || differs_somewhere && is_difference(value) {
            // The record's own text is read instead.
        } else if all_given || is_named(&changed, name) || is_named(&nulled, name) {
            change.fields.push(value.field(name, false));
        }
    });
    for name in &nulled {
        clear_whole(name, change);
    }
    if !all_given {
        // Called changed, yet neither a value nor a clear came: only the record itself can tell.
        gap |= changed.iter().any(|name| {
            !AUDIT.contains(name)
                && !is_named(&nulled, name)
                && !change.fields.iter().any(|f| is_named(&[*name], &f.name))
        });
    }
    gap
}

/// Text in the form of a unified difference: no value, but what became of one.
fn is_difference(value: &Node<'_>) -> bool {
    let text = value.text().unwrap_or_default();
    text.starts_with("--- ") || text.starts_with("@@ -") || text.contains("\n@@ -")
}

/// A nulled field of which the body showed no members: a plain one, an absent one, or a compound nulled as a whole.
fn clear_whole(name: &str, change: &mut RawChange) {
    let is_member = |field: &RawField| {
        let rest = field.name.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    if change.fields.iter().any(is_member) {
        return;
    }
    push_cleared(change, name);
    if name.ends_with("Address") && !name.contains('.') {
        for member in ADDRESS {
            push_cleared(change, &format_compact!("{name}.{member}"));
        }
    }
}

fn push_cleared(change: &mut RawChange, name: &str) {
    if change.fields.iter().all(|field| field.name != name) {
        change.fields.push(RawField {
            name: name.into(),
            value: Raw::Null,
            before: None,
            cleared: true,
        });
    }
}

/// All values of a new record. Nulls are left out, except beside values of the same compound: there a blank member
/// belongs to the tuple.
fn given(body: &Node<'_>) -> Vec<RawField> {
    let mut out = Vec::new();
    for (name, value) in own(body) {
        let value = plain(value);
        let filled = value.members().iter().any(|(_, v)| !plain(v).is_null());
        flatten(name, value, &mut |name, value| {
            if filled || !value.is_null() {
                out.push(value.field(name, false));
            }
        });
    }
    out
}

fn own<'n, 'a>(body: &'n Node<'a>) -> impl Iterator<Item = (&'n str, &'n Node<'a>)> {
    let members = body.members().iter();
    members
        .map(|(name, value)| (name.as_ref(), value))
        .filter(|(name, _)| !ENVELOPE.contains(name))
}

fn fields(body: &Node<'_>, take: &mut impl FnMut(&str, &Node<'_>)) {
    for (name, value) in own(body) {
        flatten(name, value, take);
    }
}

fn flatten(name: &str, value: &Node<'_>, take: &mut impl FnMut(&str, &Node<'_>)) {
    match plain(value) {
        Node::Object(members) => {
            for (member, value) in members {
                flatten(&format_compact!("{name}.{member}"), value, take);
            }
        }
        leaf => take(name, leaf),
    }
}

/// What the lead of this change became, if it was converted.
fn converted(change: &RawChange) -> Vec<(Object, CompactString)> {
    if change.object.as_deref() != Some("Lead") {
        return Vec::new();
    }
    let id = |name: &str| {
        let field = change.fields.iter().find(|f| f.name == name)?;
        field.value.as_text().filter(|id| !id.is_empty())
    };
    CONVERTED
        .iter()
        .filter_map(|(name, object)| Some((*object, id(name)?)))
        .collect()
}

/// A record as the REST interface answers it.
fn record(
    body: &Node<'_>,
    place: &Place<'_>,
    message: &Message<'_>,
    out: &mut Vec<Item>,
) -> Result<(), DecodeError> {
    let id = body
        .get("Id")
        .and_then(Node::id)
        .ok_or_else(|| DecodeError::new(Code::MissingId, place, "the record has no `Id`"))?;
    let mut change = RawChange::new(id, Class::Snapshot);
    let kind = body.get("attributes").and_then(|a| a.get("type"));
    change.object = kind
        .and_then(Node::word)
        .or_else(|| message.object.map(Into::into));
    if activity::is_one(change.object.as_deref()) {
        change.actor = body.get("CreatedById").and_then(Node::word);
        let id = std::mem::take(&mut change.id);
        return activity::tell(body, &id, change, place, out);
    }
    for name in ["SystemModstamp", "LastModifiedDate"] {
        if change.time.is_none() {
            let stamp = instant::read(body.get(name), &place.member(name))?;
            change.time = stamp.map(|(at, _)| at);
        }
    }
    fields(body, &mut |name, value| {
        if !name.contains(".attributes.") {
            change.fields.push(value.field(&as_in_events(name), false));
        }
    });
    push(out, change, place)
}

/// Records read have the members of an address in small letters (`MailingAddress.city`), events do not.
fn as_in_events(name: &str) -> CompactString {
    match name.split_once('.') {
        Some((compound, member)) if compound.ends_with("Address") => {
            let mut letters = member.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            let member: CompactString = first.into_iter().chain(letters).collect();
            format_compact!("{compound}.{member}")
        }
        _ => name.into(),
    }
}

/// One line of the answer to `/deleted/`.
fn deleted(
    node: &Node<'_>,
    place: &Place<'_>,
    message: &Message<'_>,
    out: &mut Vec<Item>,
) -> Result<(), DecodeError> {
    let id = node.get("id").and_then(Node::id).ok_or_else(|| {
        DecodeError::new(Code::MissingId, place, "the deleted record has no `id`")
    })?;
    let mut change = RawChange::new(id, Class::Delete);
    change.object = message.object.map(Into::into);
    let stamp = instant::read(node.get("deletedDate"), &place.member("deletedDate"))?;
    change.time = stamp.map(|(at, _)| at);
    push(out, change, place)
}

/// One id of the answer to `/updated/`: something happened to that record.
fn updated(
    node: &Node<'_>,
    place: &Place<'_>,
    message: &Message<'_>,
    out: &mut Vec<Item>,
) -> Result<(), DecodeError> {
    let id = node
        .id()
        .ok_or_else(|| DecodeError::new(Code::MissingId, place, "this is no record's id"))?;
    let mut change = RawChange::new(id, Class::Gap);
    change.object = message.object.map(Into::into);
    push(out, change, place)
}

/// One line of the answer to a write says nothing about any record; only what the vendor refused is worth a
/// person's look.
fn acknowledged(body: &Node<'_>, place: &Place<'_>) -> Result<(), DecodeError> {
    if body.get("success") != Some(&Node::Bool(false)) {
        return Ok(());
    }
    let mut what = String::from("the vendor refused this item of a write");
    let errors = body.get("errors").map_or(&[][..], Node::elements);
    let codes = errors.iter().filter_map(|error| {
        ["statusCode", "errorCode"]
            .iter()
            .find_map(|name| error.get(name).and_then(Node::text))
    });
    // The vendor's sentences can quote values; its codes cannot.
    let plain = |code: &&str| code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    for code in codes.filter(plain).take(4) {
        what.push_str(", ");
        what.push_str(code.get(..60).unwrap_or(code));
    }
    Err(DecodeError::new(Code::VendorError, place, what))
}
