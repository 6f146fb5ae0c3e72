//! What is defined: fields, groups, systems, stages. Read first, so that every rule can be judged by what exists.

use std::collections::BTreeMap;

use baton_core::{id::Kind, name::Name, rules::FieldType};

use crate::{
    codes::Code,
    problem::{Problems, Span},
    tree::{self, Table},
};

/// A field as it is declared.
pub(crate) struct Declared {
    pub kind: FieldType,
    /// Canonical values, where the steward named them.
    pub values: Vec<String>,
    /// Nothing about its declaration was wrong.
    pub certain: bool,
    /// It says no type and its rule needs one, which is reported there.
    pub doubted: bool,
    /// Computed, so that nobody needs to supply it.
    pub derived: bool,
}

#[derive(Default)]
pub(crate) struct Entity {
    pub fields: BTreeMap<String, Declared>,
    pub groups: Vec<String>,
}

/// All names of the configuration.
#[derive(Default)]
pub(crate) struct World {
    pub entities: BTreeMap<Kind, Entity>,
    pub systems: Vec<String>,
    pub stages: Vec<String>,
    /// There is a funnel.
    pub funnel: bool,
}

impl World {
    pub fn read(root: &Table, problems: &mut Problems) -> Self {
        let mut world = Self {
            systems: root.each("systems").map(|(name, _)| name.into()).collect(),
            ..Self::default()
        };
        let funnel = root.table("lifecycle").filter(|t| t.has("stages"));
        if let Some(funnel) = funnel {
            world.funnel = true;
            world.stages = ranked(funnel);
            if let Some(entry) = root.entry("stages") {
                problems.report(
                    Code::StagesTwice,
                    entry.key,
                    "the funnel has stages of its own",
                );
            }
        } else if let Some(stages) = root.table("stages") {
            for (stage, span) in stages.texts("order") {
                if crate::shape::is_name(stage) {
                    world.stages.push(stage.to_owned());
                } else {
                    problems.report(
                        Code::BadName,
                        span,
                        format!("`{stage}` cannot be a name of Baton's"),
                    );
                }
            }
        }
        for kind in Kind::ALL {
            let mut entity = Entity::default();
            if let Some(table) = root.table(kind.as_str()) {
                entity.groups = table.each("groups").map(|(name, _)| name.into()).collect();
                for (name, entry) in table.each("fields") {
                    let declared = declare(&entry.value, entry.key, name, problems);
                    entity.fields.insert(name.to_owned(), declared);
                }
            }
            world.entities.insert(kind, entity);
        }
        world
    }

    pub fn declared(&self, kind: Kind, field: &str) -> Option<&Declared> {
        self.entities.get(&kind)?.fields.get(field)
    }

    pub fn field_names(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.entities
            .get(&kind)
            .into_iter()
            .flat_map(|e| e.fields.keys().map(String::as_str))
    }

    /// The field of that name, or the one that was meant by it.
    pub fn field(
        &self,
        kind: Kind,
        name: &str,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Name> {
        if self.declared(kind, name).is_some() {
            return Some(Name::new(name));
        }
        problems
            .unknown(
                Code::UnknownField,
                span,
                &format!("{kind} field"),
                name,
                self.field_names(kind),
            )
            .map(Name::new)
    }

    pub fn system(&self, name: &str, span: Span, problems: &mut Problems) -> Option<Name> {
        if self.systems.iter().any(|s| s == name) {
            return Some(Name::new(name));
        }
        problems
            .unknown(
                Code::UnknownSystem,
                span,
                "system",
                name,
                self.systems.iter().map(String::as_str),
            )
            .map(Name::new)
    }

    pub fn group(
        &self,
        kind: Kind,
        name: &str,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Name> {
        let groups: &[String] = self.entities.get(&kind).map_or(&[], |e| &e.groups);
        if groups.iter().any(|g| g == name) {
            return Some(Name::new(name));
        }
        problems
            .unknown(
                Code::UnknownGroup,
                span,
                &format!("{kind} group"),
                name,
                groups.iter().map(String::as_str),
            )
            .map(Name::new)
    }

    pub fn stage(&self, name: &str, span: Span, problems: &mut Problems) -> Option<Name> {
        if self.stages.iter().any(|s| s == name) {
            return Some(Name::new(name));
        }
        problems
            .unknown(
                Code::UnknownStage,
                span,
                "stage",
                name,
                self.stages.iter().map(String::as_str),
            )
            .map(Name::new)
    }
}

/// The funnel's stages from lowest to highest; those of one rank in the order in which they stand in the file.
fn ranked(lifecycle: &Table) -> Vec<String> {
    let mut stages: Vec<(u8, Span, String)> = lifecycle
        .each("stages")
        .filter_map(|(name, entry)| {
            let rank = entry.value.as_table()?.int("rank").unwrap_or_default();
            Some((rank, entry.key, name.to_owned()))
        })
        .collect();
    stages.sort();
    stages.into_iter().map(|(_, _, name)| name).collect()
}

fn declare(node: &tree::Node, key: Span, name: &str, problems: &mut Problems) -> Declared {
    let Some(table) = node.as_table() else {
        return Declared {
            kind: FieldType::Text,
            values: Vec::new(),
            certain: false,
            doubted: false,
            derived: false,
        };
    };
    let (word, span) = table.text("type").unwrap_or(("text", key));
    let kind = FieldType::NAMES
        .iter()
        .find(|(n, _)| *n == word)
        .map_or(FieldType::Text, |(_, kind)| *kind);
    if word == "picklist" && !table.has("values") && !table.is_unread() {
        problems.report(
            Code::PicklistWithoutValues,
            span,
            format!("the picklist `{name}` does not name its values"),
        );
    }
    Declared {
        kind,
        values: table
            .texts("values")
            .into_iter()
            .map(|(text, _)| text.to_owned())
            .collect(),
        certain: !["type", "values"]
            .iter()
            .any(|key| table.get(key).is_some_and(tree::Node::holds_bad)),
        doubted: match table.text("rule").map(|(word, _)| word) {
            Some("union" | "counter" | "max" | "min") => !table.has("type"),
            _ => false,
        },
        derived: table.table("rule").is_some_and(|rule| rule.has("derived")),
    }
}
