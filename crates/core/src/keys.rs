//! The identity index: by which values an entity is known.

use crate::identify::entry;
use crate::{
    book::{Book, Parked, ParkedCode},
    change::{Change, Class},
    consent::address_digest,
    id::{Digest, EntityId, Kind, RecordKey},
    input::Input,
    lifecycle::{
        accounts::{member_field, member_keys},
        deals,
    },
    name::Name,
    observe::says_again,
    order::track,
    rules::Rules,
    state::State,
    time::Millis,
    value::Value,
};
use std::collections::BTreeSet;

/// Hash under which a value of an identifying field is indexed. Nothing personal stands in the index.
#[must_use]
pub fn key_digest(kind: Kind, name: Name, value: &Value) -> Digest {
    Digest::of(&[
        b"key",
        kind.as_str().as_bytes(),
        name.as_str().as_bytes(),
        value.to_string().as_bytes(),
    ])
}

/// Hash under which a contact is indexed together with the deals that name it, so that whichever of them comes later
/// finds the other.
fn named_digest(contact: &RecordKey) -> Digest {
    Digest::of(&[b"of a deal", contact.to_text().as_bytes()])
}

/// The same of a record that deals can name.
pub(crate) fn deals_key(record: &RecordKey, rules: &Rules) -> Option<Digest> {
    deals::can_name(record, rules).then(|| named_digest(record))
}

/// The deals that name an entity's records, as far as the book knows.
pub(crate) fn deals_of(book: &Book, state: &State, rules: &Rules) -> BTreeSet<EntityId> {
    let keys = state
        .links
        .keys()
        .filter_map(|record| deals_key(record, rules));
    let holders = keys.filter_map(|key| book.keys.get(&key)).flatten();
    holders
        .filter(|holder| holder.kind == Kind::Deal)
        .copied()
        .collect()
}

/// Records that a merge or conversion names besides its own.
pub(crate) fn named_records(change: &Change) -> Vec<(bool, RecordKey)> {
    match &change.class {
        Class::Merge { losers } => losers
            .iter()
            .map(|id| {
                (
                    false,
                    RecordKey {
                        id: id.clone(),
                        ..change.record.clone()
                    },
                )
            })
            .collect(),
        Class::Convert { to } => to
            .iter()
            .filter(|(object, _)| object.kind() == change.record.object.kind())
            .map(|(object, id)| {
                (
                    true,
                    RecordKey {
                        object: *object,
                        id: id.clone(),
                        ..change.record.clone()
                    },
                )
            })
            .collect(),
        _ => Vec::new(),
    }
}

pub(crate) fn addresses_in<'a>(
    change: &'a Change,
    rules: &'a Rules,
) -> impl Iterator<Item = (Name, &'a Value)> {
    rules
        .consents
        .iter()
        .filter(|_| change.record.object.kind() == Kind::Person)
        .filter_map(|rule| {
            let field = change.fields.iter().find(|f| f.field == rule.address)?;
            Some((rule.channel, &field.value))
        })
}

/// Keys of a change by level: configured external ids; e-mail; composites. The first level that hits decides.
pub(crate) fn change_keys(change: &Change, rules: &Rules) -> [Vec<Digest>; 3] {
    let kind = change.record.object.kind();
    let value = |name: &Name| {
        change
            .fields
            .iter()
            .find(|f| f.field == *name)
            .map(|f| &f.value)
            .filter(|v| !v.is_blank())
    };
    let mut levels = [Vec::new(), Vec::new(), Vec::new()];
    for name in rules.identity.keys.get(&kind).into_iter().flatten() {
        levels[0].extend(value(name).map(|v| key_digest(kind, *name, v)));
    }
    if let Some(email) = rules.identity.email.filter(|_| kind == Kind::Person) {
        levels[1].extend(value(&email).map(|v| key_digest(kind, email, v)));
    }
    for fields in rules.identity.composites.get(&kind).into_iter().flatten() {
        let values: Option<Vec<&Value>> = fields.iter().map(value).collect();
        levels[2].extend(values.and_then(|values| composite_digest(kind, fields, &values)));
    }
    levels
}

fn composite_digest(kind: Kind, fields: &[Name], values: &[&Value]) -> Option<Digest> {
    if values.iter().any(|v| v.is_blank()) {
        return None;
    }
    let mut parts: Vec<Vec<u8>> = vec![b"composite".to_vec(), kind.as_str().as_bytes().to_vec()];
    for (field, value) in fields.iter().zip(values) {
        parts.push(field.as_str().as_bytes().to_vec());
        // Composite keys compare without case: names are typed by people.
        parts.push(value.to_string().to_lowercase().into_bytes());
    }
    Some(Digest::of(
        &parts.iter().map(Vec::as_slice).collect::<Vec<_>>(),
    ))
}

/// Every key an entity has now, over all its records: (key, whether it identifies; else it is an address only).
pub(crate) fn keys_of(state: &State, rules: &Rules) -> BTreeSet<(Digest, bool)> {
    let kind = state.id.kind;
    let mut keys = BTreeSet::new();
    if state.merged_into.is_some() || state.erased.is_some() {
        return keys;
    }
    let named = deals::people_of(state, rules);
    let own = state
        .links
        .keys()
        .filter_map(|record| deals_key(record, rules));
    keys.extend(
        named
            .iter()
            .map(named_digest)
            .chain(own)
            .map(|d| (d, false)),
    );
    let names = rules
        .identity
        .keys
        .get(&kind)
        .into_iter()
        .flatten()
        .copied();
    let email = rules.identity.email.filter(|_| kind == Kind::Person);
    let consents: &[crate::rules::ConsentRule] = if kind == Kind::Person {
        &rules.consents
    } else {
        &[]
    };
    for record in state.links.keys() {
        let believed = |name: Name| {
            track(state, record, name, rules)
                .believed()
                .filter(|v| !v.is_blank())
                .cloned()
        };
        for name in names.clone().chain(email) {
            keys.extend(believed(name).map(|v| (key_digest(kind, name, &v), true)));
        }
        keys.extend(member_keys(state, record, rules).map(|key| (key, false)));
        for rule in consents {
            keys.extend(
                believed(rule.address)
                    .and_then(|v| address_digest(rule.channel, &v))
                    .map(|d| (d, false)),
            );
        }
        for fields in rules.identity.composites.get(&kind).into_iter().flatten() {
            let values: Option<Vec<Value>> = fields.iter().map(|f| believed(*f)).collect();
            let digest =
                values.and_then(|v| composite_digest(kind, fields, &v.iter().collect::<Vec<_>>()));
            keys.extend(digest.map(|d| (d, false)));
        }
    }
    keys
}

/// Whether applying the input may change what the entity is known by.
pub(crate) fn touches_identity(input: &Input, state: &State, rules: &Rules) -> bool {
    match input {
        Input::Change(change) => renames(change, state, rules),
        Input::Answer(_) | Input::Absorb(_) | Input::Steward(_) => true,
        Input::Wake
        | Input::SharedConsent(_)
        | Input::ClearVerdict { .. }
        | Input::Reread { .. }
        | Input::Heard { .. } => false,
    }
}

/// Whether a change may change what the entity is known by.
pub(crate) fn renames(change: &Change, state: &State, rules: &Rules) -> bool {
    let kind = change.record.object.kind();
    let identity = &rules.identity;
    let keys = identity.keys.get(&kind).map_or(&[][..], |k| k);
    let composites = identity.composites.get(&kind).map_or(&[][..], |c| c);
    !matches!(change.class, Class::Delta | Class::Event | Class::Snapshot)
        || !state.links.contains_key(&change.record)
        || change.fields.iter().any(|f| {
            let identifies = identity.email == Some(f.field)
                || keys.contains(&f.field)
                || composites.iter().flatten().any(|n| *n == f.field)
                || member_field(kind, rules) == Some(f.field)
                || rules.consents.iter().any(|c| c.address == f.field)
                || kind == Kind::Deal && deals::people(rules) == Some(f.field);
            identifies && !says_again(state, change, f, rules)
        })
}

/// Brings the identity index up to date. Tells which deals name somebody who was not known by that name before.
pub(crate) fn rekey(
    book: &mut Book,
    entity: EntityId,
    before: &BTreeSet<(Digest, bool)>,
    rules: &Rules,
    at: Millis,
) -> BTreeSet<EntityId> {
    let mut met = BTreeSet::new();
    let after = keys_of(&entry(book, entity).state, rules);
    if after == *before {
        return met;
    }
    let digests =
        |keys: &BTreeSet<(Digest, bool)>| keys.iter().map(|(d, _)| *d).collect::<BTreeSet<_>>();
    let (was, is) = (digests(before), digests(&after));
    for gone in was.difference(&is) {
        if let Some(holders) = book.keys.get_mut(gone) {
            holders.remove(&entity);
        }
        book.out.keys_removed.push((*gone, entity));
    }
    for new in is.difference(&was) {
        let holders = book.keys.entry(*new).or_default();
        holders.insert(entity);
        let shared: Vec<EntityId> = holders.iter().copied().collect();
        book.out.keys_added.push((*new, entity));
        if shared.len() > 1 && after.contains(&(*new, true)) {
            park_shared(book, *new, &shared, None, at);
        }
        if entity.kind == Kind::Person {
            met.extend(
                shared
                    .into_iter()
                    .filter(|holder| holder.kind == Kind::Deal),
            );
        }
    }
    met
}

/// Two entities came to share a key: a steward's task, never an automatic merge.
pub(crate) fn park_shared(
    book: &mut Book,
    key: Digest,
    holders: &[EntityId],
    record: Option<RecordKey>,
    at: Millis,
) {
    book.out.parked.push(Parked {
        id: Digest::of(&[b"parked", b"shared_key", &key.0]),
        code: ParkedCode::SharedKey,
        at,
        entity: holders.first().copied(),
        record,
        field: None,
        candidates: holders.to_vec(),
        why: "these came to share an identifying value; merge them or correct one".to_owned(),
        change: None,
    });
}
