//! Answers of targets, in canonical values.

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde_json::Value as Json;

use super::{InOrder, Reader, Refusal, class_of, resolve_exactly, settle, time, unknown_system};
use crate::{
    change::{Change, Class, FieldChange, Origin, RawField, Seen, Verdicts},
    id::{Digest, EntityId, Position, RecordKey},
    input::Answer,
    name::Name,
    rules::{ObjectMapping, Rules, System},
    time::Millis,
    value::Raw,
    wire::{CommandResult, ResultOutcome},
};

/// Reads a target's answer: which entity it concerns, and the record as it now stands in canonical values.
///
/// The record holds every mapped field that the answer names, also those that are only written to the target. Its
/// blanks are [`Seen::BlankInSnapshot`]: an answer never clears. Refused vendor fields become the Baton fields that
/// they carry; refused fields that are not mapped concern nobody. The stamp is clamped like any vendor time.
///
/// # Errors
/// [`Refusal`] with code `malformed-command-id`, `unknown-system` or `unmapped-object`.
pub fn answer(
    result: &CommandResult,
    rules: &Rules,
    position: Position,
) -> Result<(EntityId, Answer), Refusal> {
    let (system, mapping) = target(result, rules)?;
    let (entity, command) = command_of(&result.command_id).ok_or_else(|| Refusal {
        code: "malformed-command-id",
        place: compact_str::format_compact!("{}:{}", system.name, result.object),
        what: "the command id is not one that Baton gave".into(),
        fix: "answer with the command_id of the command, unchanged".into(),
    })?;
    let record = result.record.as_ref().map(|record| {
        read(record, rules, result, system, mapping, true)
            .into_iter()
            .map(|field| (field.field, (field.value, field.seen)))
            .collect()
    });
    let mut refused: BTreeMap<Name, CompactString> = BTreeMap::new();
    for (vendor, reason) in &result.refused {
        if let Some(mapped) = mapping.fields.get(vendor.as_str()) {
            refused
                .entry(mapped.field)
                .or_insert_with(|| reason.as_str().into());
        }
    }
    let answer = Answer {
        command,
        system: system.name,
        object: result.object,
        id: id_of(result),
        outcome: result.outcome,
        stamp: stamp_of(result, system).map(|at| time::clamp(at, position, rules).at),
        record,
        refused,
        error: result.error.as_deref().map(CompactString::from),
        position,
    };
    Ok((entity, answer))
}

/// The change that the answer to a `read` command is; to be called for those only.
///
/// A record that was read is a [`Class::ReadBack`] at the record's own modified stamp (the mapping's modified field,
/// else the answer's `stamp`), untimed where it has none. A record that was not found, or whose "deleted" flag is
/// set, is a [`Class::Delete`]; one that was not found is dated at its arrival, for it has no stamp of its own.
/// The cause is the system's default: reading a record does not tell who wrote which of its values.
///
/// None for answers that tell nothing (failed, unknown, refused, without a record or an id) and for systems or
/// objects that are not mapped.
#[must_use]
pub fn read_back(result: &CommandResult, rules: &Rules, position: Position) -> Option<Change> {
    let (system, mapping) = target(result, rules).ok()?;
    let id = id_of(result)?;
    let (class, at, fields) = match (result.outcome, result.record.as_ref()) {
        (ResultOutcome::NotFound, _) => (Class::Delete, position.arrival, Vec::new()),
        (ResultOutcome::Ok, Some(record)) => {
            let flat = flatten(record);
            let value = |name: &str| flat.iter().find(|(n, _)| n == name).map(|(_, raw)| raw);
            let class = class_of(&Class::ReadBack, mapping, value);
            let stamp = time::modified(mapping, system, value).or_else(|| stamp_of(result, system));
            let fields = if class == Class::ReadBack {
                read(record, rules, result, system, mapping, false)
            } else {
                Vec::new()
            };
            let at = stamp.unwrap_or(match class {
                Class::Delete => position.arrival,
                _ => Millis::UNTIMED,
            });
            (class, at, fields)
        }
        _ => return None,
    };
    let timed = time::clamp(at, position, rules);
    Some(Change {
        record: RecordKey {
            system: system.name,
            object: result.object,
            id,
        },
        class,
        time: timed.at,
        seq: 0,
        position,
        event: Digest::of(&[b"read-back", result.command_id.as_bytes()]),
        cause: system.default_cause,
        actor: None,
        origin: Origin::Unsaid,
        fields,
        verdicts: Verdicts {
            clamped: timed.clamped,
            ..Verdicts::default()
        },
    })
}

fn target<'a>(
    result: &CommandResult,
    rules: &'a Rules,
) -> Result<(&'a System, &'a ObjectMapping), Refusal> {
    let system = Name::known(&result.system)
        .and_then(|name| rules.systems.get(&name))
        .ok_or_else(|| unknown_system(&result.system))?;
    let mapping = resolve_exactly(system, system.format, result.object)?;
    Ok((system, mapping))
}

/// `<entity id>/<32 hexadecimal digits>`.
fn command_of(text: &str) -> Option<(EntityId, Digest)> {
    let (entity, command) = text.rsplit_once('/')?;
    Some((EntityId::parse(entity)?, Digest::parse(command)?))
}

fn id_of(result: &CommandResult) -> Option<CompactString> {
    let id = result.id.as_deref()?.trim();
    (!id.is_empty()).then(|| id.into())
}

/// A stamp that is none is left out: the answer is worth having without it.
fn stamp_of(result: &CommandResult, system: &System) -> Option<Millis> {
    crate::canon::instant(
        result.stamp.as_deref()?.trim(),
        false,
        system.zone.as_deref(),
    )
}

fn read(
    record: &serde_json::Map<String, Json>,
    rules: &Rules,
    result: &CommandResult,
    system: &System,
    mapping: &ObjectMapping,
    outbound: bool,
) -> Vec<FieldChange> {
    let mut reader = Reader {
        rules: InOrder::new(&rules.entity(result.object.kind()).fields),
        mapping: InOrder::new(&mapping.fields),
        system,
        own_names: false,
        only_written: Vec::new(),
        outbound,
        blank: Seen::BlankInSnapshot,
    };
    let flat = flatten(record);
    let mut found = Vec::with_capacity(flat.len());
    for (name, value) in flat {
        found.extend(reader.read(RawField {
            name: name.into(),
            value,
            before: None,
            cleared: false,
        }));
    }
    settle(found)
}

/// Nested objects by dotted names, as decoders write them.
fn flatten(record: &serde_json::Map<String, Json>) -> Vec<(String, Raw)> {
    let mut flat = Vec::with_capacity(record.len());
    let mut open: Vec<(String, &Json)> = record.iter().map(|(k, v)| (k.clone(), v)).collect();
    while let Some((name, value)) = open.pop() {
        match value {
            Json::Object(inner) => {
                open.extend(inner.iter().map(|(k, v)| (format!("{name}.{k}"), v)));
            }
            value => flat.push((name, Raw::from_json(value))),
        }
    }
    flat
}
