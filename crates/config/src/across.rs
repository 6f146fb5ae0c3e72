//! What only shows when rules, mappings and consents are seen together.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    change::Cause,
    id::{Kind, Object},
    name::Name,
    rules::{ClearPolicy, CreatePolicy, Direction, Rules, Strategy},
};

use crate::{
    codes::Code,
    entity::Places,
    names::World,
    problem::{Problems, Span},
    systems::Lowered,
};

pub(crate) struct Across<'a> {
    pub rules: &'a Rules,
    pub world: &'a World,
    pub systems: &'a BTreeMap<Name, Lowered>,
    pub places: &'a BTreeMap<Kind, Places>,
    /// Fields of people that carry a consent.
    pub consents: &'a BTreeMap<Name, Name>,
}

impl Across<'_> {
    pub fn check(&self, problems: &mut Problems) {
        for kind in Kind::ALL {
            self.groups(kind, problems);
            self.clears(kind, problems);
        }
        self.lengths(problems);
        self.required(problems);
    }

    fn objects(&self, kind: Kind) -> impl Iterator<Item = (Name, Object, &Lowered)> {
        self.systems.iter().flat_map(move |(name, lowered)| {
            lowered
                .objects
                .keys()
                .filter(move |object| object.kind() == kind)
                .map(move |object| (*name, *object, lowered))
        })
    }

    /// Members that a system lacks although it has others of the group.
    fn groups(&self, kind: Kind, problems: &mut Problems) {
        let Some(places) = self.places.get(&kind) else {
            return;
        };
        for (group, members) in &places.members {
            let mut lacking: BTreeMap<Span, (Name, Vec<String>)> = BTreeMap::new();
            for (system, object, lowered) in self.objects(kind) {
                let Some(mapped) = lowered.objects.get(&object).filter(|_| lowered.certain) else {
                    continue;
                };
                let has = |field: &Name| mapped.maps(*field);
                if !members.iter().any(|(field, _)| has(field)) {
                    continue;
                }
                for (field, span) in members.iter().filter(|(field, _)| !has(field)) {
                    let entry = lacking.entry(*span).or_insert_with(|| (*field, Vec::new()));
                    entry.1.push(format!("{system} ({object})"));
                }
            }
            for (span, (field, systems)) in lacking {
                problems.report(
                    Code::GroupInPart,
                    span,
                    format!(
                        "`{field}` of the group `{group}` is not mapped by {}",
                        systems.join(", ")
                    ),
                );
            }
        }
    }

    fn clears(&self, kind: Kind, problems: &mut Problems) {
        let Some(places) = self.places.get(&kind) else {
            return;
        };
        let mut told: BTreeSet<Span> = BTreeSet::new();
        for (field, (policy, span)) in &places.clear {
            if *policy != ClearPolicy::Propagate || !told.insert(*span) {
                continue;
            }
            if kind == Kind::Person && self.consents.contains_key(field) {
                problems.report(
                    Code::ClearOfConsent,
                    *span,
                    format!("a blank `{field}` would loosen a consent"),
                );
                continue;
            }
            if let Some(system) = self.requiring(kind, *field) {
                problems.report(
                    Code::ClearOfRequired,
                    *span,
                    format!("`{system}` requires `{field}`"),
                );
                continue;
            }
            let careless = self.objects(kind).find(|(_, object, lowered)| {
                let weak = matches!(
                    lowered.system.default_cause,
                    Cause::ListImport | Cause::Api | Cause::Enrichment | Cause::Unknown
                );
                let sends = lowered
                    .objects
                    .get(object)
                    .is_some_and(|m| m.sent().contains(field));
                weak && sends
            });
            if let Some((system, _, lowered)) = careless {
                problems.report(
                    Code::DestructiveClear,
                    *span,
                    format!(
                        "`{system}` sends `{field}` by {} unless it says otherwise",
                        lowered.system.default_cause.as_str()
                    ),
                );
            }
        }
    }

    fn requiring(&self, kind: Kind, field: Name) -> Option<Name> {
        self.objects(kind)
            .find(|(_, object, lowered)| {
                lowered.objects.get(object).is_some_and(|mapped| {
                    mapped.fields.values().any(|m| {
                        m.spec.field == field
                            && m.spec.required
                            && m.spec.direction != Direction::In
                    })
                })
            })
            .map(|(system, ..)| system)
    }

    /// The shorter of two lengths, at the shorter.
    fn lengths(&self, problems: &mut Problems) {
        for kind in Kind::ALL {
            let mut longest: BTreeMap<Name, (usize, Name)> = BTreeMap::new();
            let mut stated: Vec<(Name, Name, usize, Span)> = Vec::new();
            for (system, object, lowered) in self.objects(kind) {
                for mapped in lowered
                    .objects
                    .get(&object)
                    .into_iter()
                    .flat_map(|m| m.fields.values())
                {
                    let (Some(length), Some(span)) = (mapped.spec.max_length, mapped.max_length)
                    else {
                        continue;
                    };
                    let best = longest.entry(mapped.spec.field).or_insert((length, system));
                    if length > best.0 {
                        *best = (length, system);
                    }
                    if mapped.spec.direction != Direction::In {
                        stated.push((system, mapped.spec.field, length, span));
                    }
                }
            }
            for (system, field, length, span) in stated {
                let Some((most, other)) = longest.get(&field).filter(|(most, _)| *most > length)
                else {
                    continue;
                };
                problems.report(
                    Code::LengthMismatch,
                    span,
                    format!(
                        "`{system}` keeps {length} characters of `{field}`, `{other}` keeps {most}"
                    ),
                );
            }
        }
    }

    /// Required fields that neither another system nor a computation supplies.
    fn required(&self, problems: &mut Problems) {
        if self.systems.values().any(|s| !s.certain) {
            return;
        }
        for (name, lowered) in self.systems {
            for (object, mapped) in &lowered.objects {
                let kind = object.kind();
                let creates = lowered
                    .system
                    .objects
                    .get(object)
                    .is_some_and(|m| m.create != CreatePolicy::Never);
                if !creates {
                    continue;
                }
                for field in mapped.fields.values() {
                    let Some(span) = field.required else { continue };
                    let wanted = field.spec.field;
                    let declared = self.world.declared(kind, wanted.as_str());
                    let computed = self
                        .rules
                        .entity(kind)
                        .fields
                        .get(&wanted)
                        .is_some_and(|r| matches!(r.strategy, Strategy::Derived(_)))
                        || declared.is_some_and(|d| d.derived || !d.certain);
                    let supplied = self.objects(kind).any(|(other, object, lowered)| {
                        other != *name
                            && lowered
                                .objects
                                .get(&object)
                                .is_some_and(|m| m.sent().contains(&wanted))
                    });
                    if !computed && !supplied && field.spec.direction != Direction::In {
                        problems.report(
                            Code::RequiredNeverSupplied,
                            span,
                            format!("no other system sends `{wanted}`, which `{name}` requires"),
                        );
                    }
                }
            }
        }
    }
}
