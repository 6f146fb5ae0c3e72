//! Rows of another table that hold one field of a record: contact mechanisms of a party, say.

use crate::{
    book::Incoming,
    change::{Class, RawField},
    id::Object,
    rules::{ObjectMapping, Part, System},
};

/// The same change as one of the record that the row belongs to; none where it is no such row.
///
/// A row of a kind that is not mapped, one that names no owner and one that was deleted say nothing: a delete does
/// not tell which value it takes away.
pub(super) fn of_owner(incoming: &Incoming, system: &System) -> Option<Incoming> {
    let named = incoming.raw.object.as_deref()?.trim();
    let is_named = |part: &&Part| part.vendor.eq_ignore_ascii_case(named);
    let mapping: &ObjectMapping = Object::ALL
        .into_iter()
        .filter_map(|object| system.mapping(incoming.format, object))
        .find(|mapping| mapping.parts.iter().any(|part| is_named(&part)))?;

    let field = |name: &str| incoming.raw.fields.iter().find(|f| f.name == name);
    let text = |name: &str| field(name).and_then(|f| f.value.as_text());
    let part = mapping.parts.iter().filter(is_named).find(|part| {
        part.when
            .iter()
            .all(|(column, wanted)| text(column).as_ref() == Some(wanted))
    });
    let owner = part.and_then(|part| text(&part.owner));
    let states = matches!(
        incoming.raw.class,
        Class::Delta | Class::Event | Class::Snapshot | Class::ReadBack
    );

    let mut whole = incoming.clone();
    whole.raw.object = Some(mapping.vendor.clone());
    whole.raw.fields.clear();
    match (part, owner) {
        (Some(part), Some(owner)) if states => {
            whole.raw.id = owner;
            whole.raw.fields = field(&part.value)
                .map(|f| RawField {
                    name: part.field.clone(),
                    ..f.clone()
                })
                .into_iter()
                .collect();
        }
        _ => whole.raw.class = Class::Tombstone,
    }
    Some(whole)
}
