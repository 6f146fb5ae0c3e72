//! Names on the command line: which entity a KEY means, and a text as a field's canonical value.

use baton_core::{
    canon::canonicalise,
    id::{EntityId, Kind, RecordKey},
    keys::key_digest,
    name::Name,
    rules::{MappedField, Rules},
    state::State,
    value::{Raw, Value},
};
use baton_store::Store;

use super::output;

/// What a KEY can be; shown by `--help`.
pub const KEY_HELP: &str =
    "E-mail address or another identifying value, `system:object:id`, or Baton's own id";

/// Nothing was found, or too much.
#[derive(Debug, thiserror::Error)]
pub enum NotOne {
    #[error(
        "no {kind} has the key `{key}`; a key is an e-mail address, `system:object:id` or Baton's own id"
    )]
    None { kind: Kind, key: String },
    #[error("{count} entities have the key `{key}`: {ids}; name one by its id")]
    Many {
        key: String,
        count: usize,
        ids: String,
    },
    #[error("`{0}` is no kind; it must be person, account or deal")]
    Kind(String),
    #[error("no field of a {kind} is called `{field}`{hint}")]
    Field {
        kind: Kind,
        field: String,
        hint: String,
    },
    #[error("no system is called `{system}`{hint}")]
    System { system: String, hint: String },
    #[error("`{text}` is no value of the field `{field}`")]
    Value { field: Name, text: String },
}

/// Reads a kind for clap.
pub fn parse_kind(text: &str) -> Result<Kind, NotOne> {
    Kind::parse(text).ok_or_else(|| NotOne::Kind(text.to_owned()))
}

/// The entity that `key` means; one that was merged stands for what it went into.
pub async fn find(store: &Store, rules: &Rules, kind: Kind, key: &str) -> anyhow::Result<State> {
    let mut found = candidates(store, rules, kind, key).await?;
    found.retain(|state| state.id.kind == kind);
    if found.len() > 1 {
        let ids: Vec<String> = found.iter().map(|state| state.id.to_string()).collect();
        return Err(NotOne::Many {
            key: output::safe(key),
            count: found.len(),
            ids: ids.join(", "),
        }
        .into());
    }
    let Some(mut state) = found.pop() else {
        return Err(NotOne::None {
            kind,
            key: output::safe(key),
        }
        .into());
    };
    // Merges cannot be circular; the bound only guards against a corrupt store.
    for _ in 0..64 {
        match state.merged_into {
            Some(winner) => match store.entity(winner).await? {
                Some(next) => state = next,
                None => break,
            },
            None => break,
        }
    }
    Ok(state)
}

async fn candidates(
    store: &Store,
    rules: &Rules,
    kind: Kind,
    key: &str,
) -> anyhow::Result<Vec<State>> {
    if let Some(id) = EntityId::parse(key) {
        return Ok(store.entity(id).await?.into_iter().collect());
    }
    if let Some(record) = RecordKey::parse(key) {
        return Ok(store.entity_of(&record).await?.into_iter().collect());
    }
    let mut names: Vec<Name> = rules.identity.keys.get(&kind).cloned().unwrap_or_default();
    if kind == Kind::Person {
        names.extend(rules.identity.email);
    }
    let mut found: Vec<State> = Vec::new();
    for name in names {
        let Ok(value) = canonical(rules, kind, name, key) else {
            continue;
        };
        for state in store
            .entities_by_key(key_digest(kind, name, &value))
            .await?
        {
            if found.iter().all(|known| known.id != state.id) {
                found.push(state);
            }
        }
    }
    Ok(found)
}

/// A configured field of a kind.
pub fn field(rules: &Rules, kind: Kind, text: &str) -> Result<Name, NotOne> {
    let fields = &rules.entity(kind).fields;
    if let Some(name) = Name::known(text).filter(|name| fields.contains_key(name)) {
        return Ok(name);
    }
    Err(NotOne::Field {
        kind,
        field: output::safe(text),
        hint: did_you_mean(text, fields.keys().map(|name| name.as_str())),
    })
}

/// The nearest of the known names, or all of them where none is near.
pub fn did_you_mean<'k>(text: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    // A long text is no slip of a name, and the distance is costly then.
    let near = known
        .clone()
        .filter(|_| text.len() <= 60)
        .map(|name| (strsim::damerau_levenshtein(text, name), name))
        .filter(|(distance, name)| *distance <= 2.max(name.len() / 3))
        .min();
    match near {
        Some((_, name)) => format!("; did you mean `{name}`?"),
        None => format!("; there are {}", known.collect::<Vec<_>>().join(", ")),
    }
}

/// A configured system.
pub fn system(rules: &Rules, text: &str) -> Result<Name, NotOne> {
    let found = Name::known(text).filter(|name| rules.systems.contains_key(name));
    found.ok_or_else(|| NotOne::System {
        system: output::safe(text),
        hint: did_you_mean(text, rules.systems.keys().map(|name| name.as_str())),
    })
}

/// A text as the canonical value of a field.
pub fn canonical(rules: &Rules, kind: Kind, field: Name, text: &str) -> Result<Value, NotOne> {
    let wrong = || NotOne::Value {
        field,
        text: output::safe(text),
    };
    let rule = rules.entity(kind).fields.get(&field).ok_or_else(wrong)?;
    // A steward writes no vendor's dialect: any system's defaults (region, zone) will do.
    let system = rules.systems.values().next().ok_or_else(wrong)?;
    let (value, seen) = canonicalise(&Raw::text(text), rule, &MappedField::plain(field), system);
    match seen {
        baton_core::change::Seen::Invalid => Err(wrong()),
        _ => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_answered_with_the_name_that_was_meant() {
        let known = ["email", "phone"];
        assert_eq!(
            did_you_mean("emial", known.into_iter()),
            "; did you mean `email`?"
        );
        assert_eq!(
            did_you_mean("favourite_colour", known.into_iter()),
            "; there are email, phone"
        );
    }
}
