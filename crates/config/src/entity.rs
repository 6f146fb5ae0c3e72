//! Fields and groups of people, accounts and deals.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    id::Kind,
    name::Name,
    rules::{ClearPolicy, EntityRules, FieldRule, FieldType, GroupRule, Strategy},
};
use compact_str::CompactString;

use crate::{
    codes::Code,
    cycles::Graph,
    names::World,
    problem::{Problems, Span},
    strategy::{Lowering, Place, References, Sends},
    tree::{Entry, Node, Table},
};

/// Where things stand, for the checks that look across.
#[derive(Default)]
pub(crate) struct Places {
    /// The `clear` of a field, where it has one of its own or its group's.
    pub clear: BTreeMap<Name, (ClearPolicy, Span)>,
    /// Members of groups, each where the group names it.
    pub members: BTreeMap<Name, Vec<(Name, Span)>>,
}

pub(crate) struct Entities<'a> {
    pub world: &'a World,
    pub sends: &'a Sends,
    /// Fields of people that carry a consent, and the channel.
    pub consents: &'a BTreeMap<Name, Name>,
}

impl Entities<'_> {
    pub fn read(&self, kind: Kind, root: &Table, problems: &mut Problems) -> (EntityRules, Places) {
        let mut rules = EntityRules::default();
        let mut places = Places::default();
        let mut graph = Graph::default();
        let Some(table) = root.table(kind.as_str()) else {
            return (rules, places);
        };
        let defaults = Table::default();
        let defaults = table.table("defaults").unwrap_or(&defaults);
        for (name, entry) in table.each("groups") {
            let name = Name::new(name);
            let members = self.members(kind, entry, &mut rules, name, problems);
            if let Some(group) =
                self.group(kind, entry, &members, defaults, &mut graph, name, problems)
            {
                rules.groups.insert(name, group);
            }
            if let Some(clear) = entry.value.as_table().and_then(explicit_clear) {
                for (member, _) in &members {
                    places.clear.insert(*member, clear);
                }
            }
            places.members.insert(name, members);
        }
        for (name, entry) in table.each("fields") {
            let name = Name::new(name);
            let Some(table) = entry.value.as_table() else {
                continue;
            };
            if let Some(clear) = explicit_clear(table) {
                places.clear.insert(name, clear);
            }
            let rule = self.field(kind, table, defaults, &rules, &mut graph, name, problems);
            rules.fields.insert(name, rule);
        }
        graph.report(&rules.group_of, problems);
        (rules, places)
    }

    /// The members that exist; each in no other group.
    fn members(
        &self,
        kind: Kind,
        entry: &Entry,
        rules: &mut EntityRules,
        group: Name,
        problems: &mut Problems,
    ) -> Vec<(Name, Span)> {
        let Some(table) = entry.value.as_table() else {
            return Vec::new();
        };
        let mut members = Vec::new();
        for (text, span) in table.texts("fields") {
            let Some(field) = self.world.field(kind, text, span, problems) else {
                continue;
            };
            match rules.group_of.get(&field) {
                Some(other) if *other != group => {
                    problems.report(
                        Code::OverlappingGroups,
                        span,
                        format!("`{field}` is already in the group `{other}`"),
                    );
                }
                Some(_) => {}
                None => {
                    rules.group_of.insert(field, group);
                    members.push((field, span));
                }
            }
        }
        members
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one table, and all that its keys refer to"
    )]
    fn group(
        &self,
        kind: Kind,
        entry: &Entry,
        members: &[(Name, Span)],
        defaults: &Table,
        graph: &mut Graph,
        name: Name,
        problems: &mut Problems,
    ) -> Option<GroupRule> {
        let table = entry.value.as_table()?;
        let fields: Vec<Name> = members.iter().map(|(field, _)| *field).collect();
        let place = Place {
            kind,
            members: &fields,
            single: None,
            consent: false,
            nested: false,
        };
        let (strategy, references) = self.strategy(table, &place, problems);
        graph.group(name, references);
        let strategy = strategy.unwrap_or(Strategy::Latest);
        let whole = !table.get("fields").is_some_and(Node::holds_bad);
        let mut requires = Vec::new();
        for (text, span) in table.texts("requires") {
            let Some(field) = self.world.field(kind, text, span, problems) else {
                continue;
            };
            if fields.contains(&field) {
                requires.push(field);
            } else if whole {
                problems.report(
                    Code::RequiresOutsider,
                    span,
                    format!("`{field}` is no field of this group"),
                );
            }
        }
        Some(GroupRule {
            clear: clear_policy(table, defaults, &strategy),
            fields,
            strategy,
            protect_manual: protect(table, defaults),
            requires,
        })
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one table, and all that its keys refer to"
    )]
    fn field(
        &self,
        kind: Kind,
        table: &Table,
        defaults: &Table,
        rules: &EntityRules,
        graph: &mut Graph,
        name: Name,
        problems: &mut Problems,
    ) -> FieldRule {
        let field_type = self
            .world
            .declared(kind, name.as_str())
            .map_or(FieldType::Text, |d| d.kind);
        let consent = (kind == Kind::Person)
            .then(|| self.consents.get(&name).copied())
            .flatten();
        if let Some(group) = rules.group_of.get(&name) {
            for setting in ["rule", "clear", "protect_manual_for"] {
                if let Some(entry) = table.entry(setting) {
                    problems.report(
                        Code::RuleInGroup,
                        entry.key,
                        format!("`{setting}` of `{name}` is decided by the group `{group}`"),
                    );
                    break;
                }
            }
        }
        let members = [name];
        let place = Place {
            kind,
            members: &members,
            single: Some(field_type),
            consent: consent.is_some(),
            nested: false,
        };
        // A member's own rule is reported above and judged no further.
        let (strategy, references) = if rules.group_of.contains_key(&name) {
            (None, References::default())
        } else {
            self.strategy(table, &place, problems)
        };
        graph.field(name, references);
        let strategy = strategy.unwrap_or(if consent.is_some() {
            Strategy::MostRestrictive
        } else {
            Strategy::Latest
        });
        FieldRule {
            kind: field_type,
            clear: clear_policy(table, defaults, &strategy),
            strategy,
            protect_manual: protect(table, defaults),
            sentinels: sentinels(table, defaults, field_type),
            consent,
            personal: table.bool("personal").unwrap_or(true),
        }
    }

    fn strategy(
        &self,
        table: &Table,
        place: &Place<'_>,
        problems: &mut Problems,
    ) -> (Option<Strategy>, References) {
        let mut lowering = Lowering {
            world: self.world,
            sends: self.sends,
            problems,
            references: References::default(),
        };
        let strategy = table
            .get("rule")
            .and_then(|node| lowering.strategy(node, place));
        (strategy, lowering.references)
    }
}

fn explicit_clear(table: &Table) -> Option<(ClearPolicy, Span)> {
    let (word, span) = table.text("clear")?;
    Some((policy(word), span))
}

fn policy(word: &str) -> ClearPolicy {
    match word {
        "propagate" => ClearPolicy::Propagate,
        "ignore" => ClearPolicy::Ignore,
        "hold" => ClearPolicy::Hold,
        _ => ClearPolicy::PropagateIfManual,
    }
}

/// The field's own word, else what its strategy implies, else the entity's default.
fn clear_policy(table: &Table, defaults: &Table, strategy: &Strategy) -> ClearPolicy {
    match (table.text("clear"), strategy, defaults.text("clear")) {
        (Some((word, _)), ..) | (None, _, Some((word, _))) => policy(word),
        (None, Strategy::Fill | Strategy::First, None) => ClearPolicy::Ignore,
        (None, _, None) => ClearPolicy::default(),
    }
}

fn protect(table: &Table, defaults: &Table) -> Option<i64> {
    table
        .duration("protect_manual_for")
        .or_else(|| defaults.duration("protect_manual_for"))
}

/// Case-folded. Fillers of the entity hold for texts; numbers and truth values have none.
fn sentinels(table: &Table, defaults: &Table, kind: FieldType) -> BTreeSet<CompactString> {
    let textual = !matches!(
        kind,
        FieldType::Boolean | FieldType::Number | FieldType::Integer
    );
    let source = match table.get("sentinels") {
        Some(_) => table.texts("sentinels"),
        None if textual => defaults.texts("sentinels"),
        None => Vec::new(),
    };
    source
        .into_iter()
        .map(|(text, _)| text.trim().to_lowercase().into())
        .collect()
}
