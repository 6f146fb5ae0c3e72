//! Identity and consent: who is who, and who may be written to.

use std::collections::BTreeMap;

use baton_core::{
    id::Kind,
    name::Name,
    rules::{ConsentRule, ConsentState, FieldType, Identity},
};

use crate::{
    codes::Code,
    names::World,
    problem::{Problems, Span},
    strategy::type_name,
    tree::{Node, Table},
};

/// How records find each other. `origin` is where the configuration begins, for what is nowhere said.
pub(crate) fn identity(
    root: &Table,
    origin: Span,
    world: &World,
    problems: &mut Problems,
) -> Identity {
    let mut identity = Identity::default();
    let Some(entry) = root.entry("identity") else {
        problems.report(
            Code::IdentityMissing,
            origin,
            "nothing says how people are recognised",
        );
        return identity;
    };
    let Some(table) = entry.value.as_table() else {
        return identity;
    };
    if let Some((name, span)) = table.text("email") {
        identity.email = world.field(Kind::Person, name, span, problems);
        let declared = identity
            .email
            .and_then(|field| world.declared(Kind::Person, field.as_str()));
        if declared.is_some_and(|d| d.certain && d.kind != FieldType::Email) {
            problems.report(
                Code::IdentityType,
                span,
                format!("`{name}` is not of type email"),
            );
        }
    }
    for (word, entry) in table.each("keys") {
        let Some(kind) = Kind::parse(word) else {
            continue;
        };
        let keys = fields(kind, entry.value.items(), world, problems);
        identity.keys.insert(kind, keys);
    }
    for (word, entry) in table.each("composites") {
        let Some(kind) = Kind::parse(word) else {
            continue;
        };
        let composites = entry
            .value
            .items()
            .iter()
            .map(|tuple| fields(kind, tuple.items(), world, problems))
            .filter(|tuple| !tuple.is_empty())
            .collect();
        identity.composites.insert(kind, composites);
    }
    let has_people = identity
        .keys
        .get(&Kind::Person)
        .is_some_and(|k| !k.is_empty());
    if identity.email.is_none() && !has_people && !entry.value.holds_bad() && !table.has("email") {
        problems.report(
            Code::IdentityMissing,
            entry.key,
            "neither `email` nor `keys.person` says how people are recognised",
        );
    }
    identity
}

fn fields(kind: Kind, nodes: &[Node], world: &World, problems: &mut Problems) -> Vec<Name> {
    let mut names = Vec::new();
    for node in nodes {
        let Some(text) = node.as_text() else { continue };
        let Some(field) = world.field(kind, text, node.span, problems) else {
            continue;
        };
        let declared = world.declared(kind, field.as_str());
        let unfit = declared.is_some_and(|d| {
            d.certain && matches!(d.kind, FieldType::Boolean | FieldType::MultiSelect)
        });
        if unfit {
            problems.report(
                Code::IdentityType,
                node.span,
                format!("`{field}` cannot tell one {kind} from another"),
            );
        } else {
            names.push(field);
        }
    }
    names
}

/// The consents, by channel, and the fields that carry one: also those of consents that are wrong otherwise.
pub(crate) fn consents(
    root: &Table,
    world: &World,
    problems: &mut Problems,
) -> (Vec<ConsentRule>, BTreeMap<Name, Name>) {
    let mut rules = Vec::new();
    let mut taken: BTreeMap<Name, Name> = BTreeMap::new();
    let mut channels: Vec<_> = root.each("consent").collect();
    channels.sort_by_key(|(_, entry)| entry.key);
    for (channel, entry) in channels {
        let Some(table) = entry.value.as_table() else {
            continue;
        };
        let channel = Name::new(channel);
        let field = table.text("field").and_then(|(name, span)| {
            let field = world.field(Kind::Person, name, span, problems)?;
            match taken.get(&field) {
                Some(other) => {
                    problems.report(
                        Code::ConsentTwice,
                        span,
                        format!("`{field}` already carries the consent `{other}`"),
                    );
                }
                None => {
                    taken.insert(field, channel);
                }
            }
            Some(field)
        });
        let address = address(table, world, problems);
        let states = states(field, table, world, problems);
        if let (Some(field), Some(address)) = (field, address) {
            rules.push(ConsentRule {
                channel,
                field,
                address,
                states,
            });
        }
    }
    rules.sort_by_key(|rule| rule.channel);
    (rules, taken)
}

fn address(table: &Table, world: &World, problems: &mut Problems) -> Option<Name> {
    let (name, span) = table.text("address")?;
    let field = world.field(Kind::Person, name, span, problems)?;
    let declared = world.declared(Kind::Person, field.as_str())?;
    if declared.certain && !matches!(declared.kind, FieldType::Email | FieldType::Phone) {
        problems.report(
            Code::ConsentAddress,
            span,
            format!(
                "`{field}` is of type {}, not an address",
                type_name(declared.kind)
            ),
        );
        return None;
    }
    Some(field)
}

fn states(
    field: Option<Name>,
    table: &Table,
    world: &World,
    problems: &mut Problems,
) -> BTreeMap<compact_str::CompactString, ConsentState> {
    let mut states = BTreeMap::new();
    let declared = field
        .and_then(|field| world.declared(Kind::Person, field.as_str()))
        .filter(|d| d.certain);
    let expected: Vec<&str> = match declared {
        Some(d) if d.kind == FieldType::Boolean => vec!["true", "false"],
        Some(d) => d.values.iter().map(String::as_str).collect(),
        None => Vec::new(),
    };
    let mut whole = true;
    for (value, entry) in table.each("states") {
        let word = entry.value.as_text();
        let state = ConsentState::ALL
            .into_iter()
            .find(|s| Some(s.as_str()) == word);
        let mut value = value;
        if !expected.is_empty() && !expected.contains(&value) {
            let message = format!("`{value}` can be no value of the field");
            problems.report(Code::ConsentStates, entry.key, message);
            let meant = crate::problem::nearest(value, &expected);
            problems.suggest(meant);
            let Some(meant) = meant else {
                whole = false;
                continue;
            };
            value = meant;
        }
        match state {
            Some(state) => {
                states.insert(value.into(), state);
            }
            None => whole = false,
        }
    }
    let lacking: Vec<&str> = expected
        .iter()
        .copied()
        .filter(|value| !states.contains_key(*value))
        .collect();
    if let Some(entry) = table.entry("states")
        && whole
        && !lacking.is_empty()
        && !entry.value.is_bad()
    {
        problems.report(
            Code::ConsentStates,
            entry.key,
            format!("no state for the value {}", lacking.join(", ")),
        );
    }
    states
}
