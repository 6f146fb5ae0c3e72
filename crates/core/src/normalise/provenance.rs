//! Who did it, why, and whether it was Baton.

use compact_str::CompactString;

use crate::{
    canon::fold,
    change::{Cause, Origin, RawChange},
    rules::{ObjectMapping, System},
};

/// The actor that the payload names, else the one in the record's own "modified by" field.
pub(super) fn actor(raw: &RawChange, mapping: &ObjectMapping) -> Option<CompactString> {
    let named = raw.actor.clone().or_else(|| {
        let field = mapping.actor_field.as_deref()?;
        raw.fields.iter().find(|f| f.name == field)?.value.as_text()
    })?;
    let named = named.trim();
    (!named.is_empty()).then(|| named.into())
}

/// The vendor's word for the cause, else the actor's own cause, else that of any person, else the system's default.
/// Baton's own names of causes are understood from everybody.
pub(super) fn cause(raw: &RawChange, actor: Option<&str>, system: &System) -> Cause {
    let by_word = raw.cause.as_deref().and_then(|word| {
        let folded = fold(word.trim());
        system
            .causes
            .get(folded.as_ref())
            .copied()
            .or_else(|| Cause::parse(&folded))
    });
    let by_actor = || {
        let actor = actor?;
        system
            .actor_causes
            .get(fold(actor).as_ref())
            .copied()
            .or_else(|| {
                system
                    .actor_default
                    .filter(|_| !is_integration(actor, system))
            })
    };
    by_word.or_else(by_actor).unwrap_or(system.default_cause)
}

/// Ours by the vendor's tag; somebody else's by another tag or by a person's name; else unsaid, and it may be an echo.
pub(super) fn origin(raw: &RawChange, actor: Option<&str>, system: &System) -> Origin {
    let tag = raw
        .origin
        .as_deref()
        .map(str::trim)
        .filter(|t| !t.is_empty());
    if let (Some(ours), Some(tag)) = (system.origin_tag.as_deref(), tag) {
        return if names_tag(tag, ours) {
            Origin::Ours
        } else {
            Origin::Other
        };
    }
    match actor {
        Some(actor) if !is_integration(actor, system) => Origin::Other,
        _ => Origin::Unsaid,
    }
}

/// The tag itself, or one part of `com/salesforce/api/rest/60.0;client=baton`.
fn names_tag(tag: &str, ours: &str) -> bool {
    tag == ours
        || tag.split(';').map(str::trim).any(|part| {
            part == ours
                || part
                    .split_once('=')
                    .is_some_and(|(name, value)| name == "client" && value == ours)
        })
}

fn is_integration(actor: &str, system: &System) -> bool {
    system.integration_users.contains(actor)
        || system
            .integration_users
            .iter()
            .any(|user| fold(user) == fold(actor))
}
