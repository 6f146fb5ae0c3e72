//! The codes that columns hold. They are part of the stored format: never change one, only add.

use baton_core::{
    book::OutTopic,
    change::Outcome,
    id::{Digest, EntityId, Kind, Object},
    input::Input,
    name::Name,
};

use crate::sql::{Bad, Row};

pub(crate) const fn of_kind(kind: Kind) -> i64 {
    match kind {
        Kind::Person => 0,
        Kind::Account => 1,
        Kind::Deal => 2,
    }
}

pub(crate) const fn kind(code: i64) -> Option<Kind> {
    match code {
        0 => Some(Kind::Person),
        1 => Some(Kind::Account),
        2 => Some(Kind::Deal),
        _ => None,
    }
}

pub(crate) const fn of_object(object: Object) -> i64 {
    match object {
        Object::Lead => 0,
        Object::Contact => 1,
        Object::Account => 2,
        Object::Deal => 3,
    }
}

pub(crate) const fn object(code: i64) -> Option<Object> {
    match code {
        0 => Some(Object::Lead),
        1 => Some(Object::Contact),
        2 => Some(Object::Account),
        3 => Some(Object::Deal),
        _ => None,
    }
}

pub(crate) const fn of_input(input: &Input) -> &'static str {
    match input {
        Input::Change(_) => "change",
        Input::Answer(_) => "answer",
        Input::Wake => "wake",
        Input::SharedConsent(_) => "shared_consent",
        Input::ClearVerdict { .. } => "clear_verdict",
        Input::Steward(_) => "steward",
        Input::Absorb(_) => "absorb",
        Input::Reread { .. } => "reread",
        Input::Heard { .. } => "heard",
    }
}

pub(crate) const fn of_outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied => "applied",
        Outcome::Parked => "parked",
        Outcome::Late => "late",
        Outcome::Duplicate => "duplicate",
        Outcome::Noop => "noop",
        Outcome::DeadLettered => "dead_lettered",
    }
}

/// (topic, system)
pub(crate) const fn of_topic(topic: OutTopic) -> (&'static str, Option<&'static str>) {
    match topic {
        OutTopic::Commands(system) => ("commands", Some(system.as_str())),
        OutTopic::Golden => ("golden", None),
        OutTopic::Decisions => ("decisions", None),
        OutTopic::Lifecycle => ("lifecycle", None),
        OutTopic::DeadLetters => ("dead_letters", None),
    }
}

pub(crate) fn topic(code: &str, system: Option<&str>) -> Option<OutTopic> {
    match (code, system) {
        ("commands", Some(system)) => Some(OutTopic::Commands(Name::new(system))),
        ("golden", None) => Some(OutTopic::Golden),
        ("decisions", None) => Some(OutTopic::Decisions),
        ("lifecycle", None) => Some(OutTopic::Lifecycle),
        ("dead_letters", None) => Some(OutTopic::DeadLetters),
        _ => None,
    }
}

/// An entity id from the columns `at` (kind) and `at + 1` (digest).
pub(crate) fn entity(
    row: &Row<'_>,
    at: usize,
    kind_column: &'static str,
    id_column: &'static str,
) -> Result<EntityId, Bad> {
    let code = row.int(at, kind_column)?;
    Ok(EntityId {
        kind: kind(code).ok_or_else(|| Bad::new(kind_column, format!("{code} is no kind")))?,
        digest: row.digest(at + 1, id_column)?,
    })
}

/// Entities as the holders of a key are stored: 17 bytes each.
pub(crate) fn holders<'a>(ids: impl IntoIterator<Item = &'a EntityId>) -> Vec<u8> {
    let mut out = Vec::new();
    for id in ids {
        // The kinds' codes are below 256.
        out.extend_from_slice(&of_kind(id.kind).to_le_bytes()[..1]);
        out.extend_from_slice(&id.digest.0);
    }
    out
}

pub(crate) fn held<C: FromIterator<EntityId>>(bytes: &[u8]) -> Result<C, Bad> {
    let (entries, rest) = bytes.as_chunks::<17>();
    if !rest.is_empty() {
        return Err(Bad::new("holders", "its length is not a multiple of 17"));
    }
    entries
        .iter()
        .map(|[code, digest @ ..]| {
            Ok(EntityId {
                kind: kind(i64::from(*code))
                    .ok_or_else(|| Bad::new("holders", format!("{code} is no kind")))?,
                digest: Digest(*digest),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_as_what_it_stands_for() {
        for k in Kind::ALL {
            assert_eq!(kind(of_kind(k)), Some(k));
        }
        for o in Object::ALL {
            assert_eq!(object(of_object(o)), Some(o));
        }
        for t in [
            OutTopic::Commands("crm".into()),
            OutTopic::Golden,
            OutTopic::Decisions,
            OutTopic::Lifecycle,
            OutTopic::DeadLetters,
        ] {
            let (code, system) = of_topic(t);
            assert_eq!(topic(code, system), Some(t));
        }
        assert_eq!(topic("commands", None), None);
        assert_eq!(kind(3), None);
        assert_eq!(object(4), None);
    }

    #[test]
    fn holders_read_back_and_a_torn_list_is_refused() {
        let ids: Vec<EntityId> = Kind::ALL
            .into_iter()
            .map(|kind| EntityId {
                kind,
                digest: Digest([7; 16]),
            })
            .collect();
        let bytes = holders(&ids);
        assert_eq!(held::<Vec<_>>(&bytes).ok(), Some(ids));
        assert!(held::<Vec<_>>(&bytes[1..]).is_err());
        assert!(held::<Vec<_>>(&[9; 17]).is_err());
    }
}
