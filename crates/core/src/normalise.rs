//! Mapping and canonical form: from what a vendor says to what the rules compare.
//!
//! Pure, and on the path of every change: names are looked up as they stand in the payload, and short texts are
//! kept in place rather than allocated.

mod answer;
mod event;
mod part;
mod provenance;
mod time;

use std::{
    borrow::Borrow,
    collections::{BTreeMap, btree_map::Range},
    ops::Bound,
};

use compact_str::CompactString;

use crate::{
    book::Incoming,
    canon,
    change::{Cause, Change, Class, FieldChange, Format, Origin, RawField, Seen, Verdicts},
    id::{Object, RecordKey},
    lifecycle::reading::Told,
    name::Name,
    rules::{Direction, FieldRule, MappedField, ObjectMapping, Rules, System},
    value::{Raw, Value},
};

pub use answer::{answer, read_back};

/// A change that could not be normalised: a dead letter.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{place}: {what}; {fix}")]
pub struct Refusal {
    /// Stable code with a page under `docs/errors/`.
    pub code: &'static str,
    /// Where: system, object, field.
    pub place: CompactString,
    pub what: String,
    pub fix: String,
}

/// Maps and canonicalises one decoded change, and assigns its time and event id.
///
/// - Fields that the mapping does not name are ignored, and so are fields that are only written to the system. In
///   the formats `csv` and `baton` a field may also be called by Baton's own name; its value is then Baton's own
///   too (no value map, no negation).
/// - Where several vendor fields carry one Baton field, the first in the mapping's order that is not blank counts.
/// - A delta's blank is a clear, a whole-record event's may be one, any other blank never is (section 4).
/// - A true `deleted_field` makes a delete of a statement about the whole or part of a record. A delete, a gap and a
///   tombstone state no values.
/// - Without a time of its own, a change takes the record's modified stamp where the mapping names one; with a
///   sequence only, it takes its arrival; with neither it is untimed. See [`crate::time::Millis::UNTIMED`].
/// - A row that holds one field of another record ([`crate::rules::Part`]) becomes a change of that record.
/// - A time later than arrival by more than the allowance is set to arrival and flagged; a date is its first moment
///   in the system's zone.
///
/// # Errors
/// [`Refusal`] with code `unknown-system`, `missing-object`, `unmapped-object` or `missing-id`.
pub fn normalise(incoming: Incoming, rules: &Rules) -> Result<Change, Refusal> {
    let system = rules
        .systems
        .get(&incoming.system)
        .ok_or_else(|| unknown_system(incoming.system.as_str()))?;
    let whole = part::of_owner(&incoming, system).unwrap_or(incoming);
    normalise_whole(whole, rules, system)
}

fn normalise_whole(
    mut incoming: Incoming,
    rules: &Rules,
    system: &System,
) -> Result<Change, Refusal> {
    let raw = &incoming.raw;
    let (object, mapping) = resolve(system, incoming.format, raw.object.as_deref())?;
    let id = raw.id.trim();
    // An overflow names no record: every record of the object is meant.
    if id.is_empty() && raw.class != Class::Overflow {
        return Err(missing_id(system, object));
    }
    let record = RecordKey {
        system: system.name,
        object,
        id: id.into(),
    };

    let class = class_of(&raw.class, mapping, |name| {
        raw.fields.iter().find(|f| f.name == name).map(|f| &f.value)
    });
    let timed = time::assign(&incoming, mapping, system, rules);
    let actor = provenance::actor(raw, mapping);
    let cause = provenance::cause(raw, actor.as_deref(), system);
    let origin = provenance::origin(raw, actor.as_deref(), system);
    let event = event::id(&incoming, &record);
    let class = as_act(class, &incoming, cause, origin, rules);
    let told = std::mem::take(&mut incoming.raw.fields);
    let fields = if states_values(&class) {
        let own_names = matches!(incoming.format, Format::Csv | Format::Baton);
        let only_written = if own_names {
            only_written(mapping)
        } else {
            Vec::new()
        };
        let mut reader = Reader {
            rules: InOrder::new(&rules.entity(object.kind()).fields),
            mapping: InOrder::new(&mapping.fields),
            system,
            own_names,
            only_written,
            outbound: false,
            blank: blank_in(&class),
        };
        let mut found = Vec::with_capacity(told.len());
        for field in told {
            found.extend(reader.read(field));
        }
        settle(found)
    } else {
        Vec::new()
    };
    Ok(Change {
        event,
        record,
        class,
        time: timed.at,
        seq: incoming.raw.seq.unwrap_or(0),
        position: incoming.position,
        cause,
        origin,
        actor,
        fields,
        verdicts: Verdicts {
            clamped: timed.clamped,
            ..Verdicts::default()
        },
    })
}

/// The object that a payload names, by the vendor's word or by Baton's; the vendor's first, because a vendor's
/// "contact" may be what Baton calls a lead. Without a word: the only object that the system maps.
fn resolve<'a>(
    system: &'a System,
    format: Format,
    named: Option<&str>,
) -> Result<(Object, &'a ObjectMapping), Refusal> {
    let mapped = || {
        Object::ALL
            .into_iter()
            .filter_map(|object| Some((object, system.mapping(format, object)?)))
    };
    let Some(named) = named.map(str::trim).filter(|named| !named.is_empty()) else {
        let mut all = mapped();
        return match (all.next(), all.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(Refusal {
                code: "missing-object",
                place: system.name.as_str().into(),
                what: "the payload does not say of which object its record is".into(),
                fix: "name the object (ingest --object), or map exactly one object for this system"
                    .into(),
            }),
        };
    };
    let by_own_name = || {
        let object = Object::parse(named)?;
        Some((object, system.mapping(format, object)?))
    };
    let by_vendor_name = || mapped().find(|(_, m)| m.vendor.eq_ignore_ascii_case(named));
    let found = if format == Format::Baton {
        by_own_name().or_else(by_vendor_name)
    } else {
        by_vendor_name().or_else(by_own_name)
    };
    found.ok_or_else(|| unmapped(system, named))
}

/// The mapping of an object that is already known by Baton's name.
fn resolve_exactly(
    system: &System,
    format: Format,
    object: Object,
) -> Result<&ObjectMapping, Refusal> {
    system
        .mapping(format, object)
        .ok_or_else(|| unmapped(system, object.as_str()))
}

fn unmapped(system: &System, named: &str) -> Refusal {
    Refusal {
        code: "unmapped-object",
        place: system.name.as_str().into(),
        what: format!("the object \"{}\" is not mapped", shortened(named)),
        fix: "map it in the configuration of this system, or stop sending it".into(),
    }
}

/// A name out of a payload, short enough for a message.
fn shortened(name: &str) -> String {
    name.chars().take(60).collect()
}

fn unknown_system(name: &str) -> Refusal {
    Refusal {
        code: "unknown-system",
        place: shortened(name).into(),
        what: "no system of this name is configured".into(),
        fix: "add it to the configuration, or correct the name".into(),
    }
}

fn missing_id(system: &System, object: Object) -> Refusal {
    Refusal {
        code: "missing-id",
        place: compact_str::format_compact!("{}:{object}", system.name),
        what: "the record has no id".into(),
        fix: "check that the payload carries the vendor's record id where the format expects it"
            .into(),
    }
}

/// An activity as the funnel's rules call it, where there is a funnel that knows its kind.
fn as_act(class: Class, incoming: &Incoming, cause: Cause, origin: Origin, rules: &Rules) -> Class {
    let (Class::Activity { kind }, Some(setup)) = (&class, &rules.funnel) else {
        return class;
    };
    let act = setup.act(&Told {
        system: incoming.system,
        format: incoming.format,
        kind,
        fields: &incoming.raw.fields,
        cause,
        origin,
    });
    act.map_or(class, |act| Class::Act(Box::new(act)))
}

/// The class, after the record's own "deleted" flag. An explicit false says nothing: most records are not deleted,
/// and one that was comes back by the vendor's own undelete.
fn class_of<'a>(
    class: &Class,
    mapping: &ObjectMapping,
    value: impl Fn(&str) -> Option<&'a Raw>,
) -> Class {
    let whole_or_part = matches!(
        class,
        Class::Delta | Class::Event | Class::Snapshot | Class::ReadBack
    );
    let deleted = mapping
        .deleted_field
        .as_deref()
        .filter(|_| whole_or_part)
        .and_then(value)
        .is_some_and(|raw| match raw {
            Raw::Bool(b) => *b,
            Raw::Text(text) | Raw::Number(text) => canon::truth(text.trim()) == Some(true),
            Raw::Null | Raw::List(_) => false,
        });
    if deleted {
        Class::Delete
    } else {
        class.clone()
    }
}

const fn states_values(class: &Class) -> bool {
    !matches!(
        class,
        Class::Delete | Class::Gap | Class::Overflow | Class::Tombstone
    )
}

/// What a blank means in a change of this class; decoders have already dropped nulls that say nothing.
const fn blank_in(class: &Class) -> Seen {
    match class {
        Class::Delta => Seen::Cleared,
        Class::Event => Seen::BlankInEvent,
        _ => Seen::BlankInSnapshot,
    }
}

/// Reads one record's vendor fields into Baton's.
struct Reader<'a> {
    rules: InOrder<'a, Name, FieldRule>,
    mapping: InOrder<'a, CompactString, MappedField>,
    system: &'a System,
    /// Whether Baton's own field names are understood too.
    own_names: bool,
    /// Whether fields that are only written count: in the answer to a write they do.
    outbound: bool,
    /// Fields that must not come in by their own names, where such names are understood.
    only_written: Vec<Name>,
    blank: Seen,
}

/// A field as one vendor field has it, before several of them are made one.
struct Found {
    vendor: CompactString,
    field: FieldChange,
}

impl<'a> Reader<'a> {
    fn read(&mut self, told: RawField) -> Option<Found> {
        let (own, plain);
        let (mapped, rule) = match self.mapping.find(told.name.as_str()) {
            Some(mapped) => (mapped, self.rules.find(&mapped.field)),
            None => {
                let (field, rule) = self.own_field(&told.name)?;
                own = MappedField::plain(field);
                (&own, Some(rule))
            }
        };
        if mapped.direction == Direction::Out && !self.outbound {
            return None;
        }
        let rule = match rule {
            Some(rule) => rule,
            None => {
                // A mapped field without a rule of its own is text.
                plain = FieldRule::default();
                &plain
            }
        };
        let read = |raw: Raw| canon::canonicalise_owned(raw, rule, mapped, self.system);
        let before = told.before.map(|raw| read(raw).0);
        let (value, mut seen) = read(told.value);
        if value.is_blank() && seen != Seen::Sentinel {
            seen = if told.cleared {
                Seen::Cleared
            } else {
                self.blank
            };
        }
        Some(Found {
            vendor: told.name,
            field: FieldChange {
                field: mapped.field,
                value,
                seen,
                before,
            },
        })
    }

    /// The Baton field of this name and its rule, where such names are understood and the system is not merely
    /// written to.
    fn own_field(&mut self, name: &str) -> Option<(Name, &'a FieldRule)> {
        self.own_names.then_some(())?;
        let field = Name::known(name)?;
        let rule = self.rules.find(&field)?;
        (!self.only_written.contains(&field)).then_some((field, rule))
    }
}

/// Finds keys that mostly come in the map's own order: the next is nearly always the next.
struct InOrder<'a, K, V> {
    map: &'a BTreeMap<K, V>,
    rest: Range<'a, K, V>,
}

impl<'a, K: Ord, V> InOrder<'a, K, V> {
    fn new(map: &'a BTreeMap<K, V>) -> Self {
        let rest = map.range(..);
        Self { map, rest }
    }

    fn find<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&'a V>
    where
        K: Borrow<Q>,
    {
        if let Some((next, value)) = self.rest.next()
            && next.borrow() == key
        {
            return Some(value);
        }
        self.rest = self.map.range((Bound::Included(key), Bound::Unbounded));
        let (next, value) = self.rest.next()?;
        (next.borrow() == key).then_some(value)
    }
}

/// The Baton fields that this system is told but does not tell.
fn only_written(mapping: &ObjectMapping) -> Vec<Name> {
    let told = |out| {
        mapping
            .fields
            .values()
            .filter(move |m| (m.direction == Direction::Out) == out)
            .map(|m| m.field)
    };
    told(true)
        .filter(|field| !told(false).any(|f| f == *field))
        .collect()
}

/// Sorted by field, one of each: the first vendor field that is not blank; among blanks, the one that says most.
fn settle(mut found: Vec<Found>) -> Vec<FieldChange> {
    if found.is_sorted_by(|a, b| a.field.field < b.field.field) {
        return found.into_iter().map(|f| f.field).collect();
    }
    let rank = |f: &Found| match &f.field.value {
        Value::Blank => Some(f.field.seen),
        _ => None,
    };
    found.sort_unstable_by(|a, b| {
        a.field
            .field
            .cmp(&b.field.field)
            .then_with(|| rank(a).cmp(&rank(b)))
            .then_with(|| a.vendor.cmp(&b.vendor))
            .then_with(|| a.field.value.cmp(&b.field.value))
            .then_with(|| a.field.before.cmp(&b.field.before))
    });
    let mut fields: Vec<FieldChange> = Vec::with_capacity(found.len());
    for next in found {
        if fields
            .last()
            .is_none_or(|last| last.field != next.field.field)
        {
            fields.push(next.field);
        }
    }
    fields
}
