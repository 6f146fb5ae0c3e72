//! Derived fields and followed groups must not lead back to themselves.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::name::Name;

use crate::{
    codes::Code,
    problem::{Problems, Span},
    strategy::References,
};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Thing {
    Field(Name),
    Group(Name),
}

/// What needs what, and where that is said.
#[derive(Default)]
pub(crate) struct Graph {
    edges: BTreeMap<Thing, Vec<(Thing, Span, Code)>>,
}

impl Graph {
    pub fn field(&mut self, name: Name, references: References) {
        self.add(Thing::Field(name), references);
    }

    pub fn group(&mut self, name: Name, references: References) {
        self.add(Thing::Group(name), references);
    }

    fn add(&mut self, from: Thing, references: References) {
        let edges = self.edges.entry(from).or_default();
        for (field, span) in references.reads {
            edges.push((Thing::Field(field), span, Code::CycleDerived));
        }
        if let Some((group, span)) = references.follows {
            edges.push((Thing::Group(group), span, Code::CycleFollow));
        }
    }

    /// Reports each circle once, at the reference in it that stands first.
    pub fn report(mut self, group_of: &BTreeMap<Name, Name>, problems: &mut Problems) {
        // A member of a group gets its value from what the group does.
        for (field, group) in group_of {
            self.edges.entry(Thing::Field(*field)).or_default().push((
                Thing::Group(*group),
                Span::default(),
                Code::CycleFollow,
            ));
        }
        let mut told: BTreeSet<Thing> = BTreeSet::new();
        let things: Vec<Thing> = self.edges.keys().copied().collect();
        for thing in things {
            if told.contains(&thing) {
                continue;
            }
            let circle = self.reachable_and_back(thing);
            if circle.is_empty() {
                continue;
            }
            told.extend(circle.iter().copied());
            let first = circle
                .iter()
                .flat_map(|from| self.edges.get(from).into_iter().flatten())
                .filter(|(to, span, _)| circle.contains(to) && *span != Span::default())
                .min_by_key(|(_, span, _)| *span);
            if let Some((_, span, code)) = first {
                let names: Vec<&str> = circle
                    .iter()
                    .map(|t| match t {
                        Thing::Field(name) | Thing::Group(name) => name.as_str(),
                    })
                    .collect();
                let message = if let [one] = names.as_slice() {
                    format!("`{one}` depends on itself")
                } else {
                    format!("these depend on each other: {}", names.join(", "))
                };
                problems.report(*code, *span, message);
            }
        }
    }

    /// Everything that `thing` needs and that needs `thing`; empty where it does not need itself.
    fn reachable_and_back(&self, thing: Thing) -> BTreeSet<Thing> {
        let ahead = self.reachable(thing);
        if !ahead.contains(&thing) {
            return BTreeSet::new();
        }
        ahead
            .into_iter()
            .filter(|other| self.reachable(*other).contains(&thing))
            .collect()
    }

    fn reachable(&self, from: Thing) -> BTreeSet<Thing> {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(next) = open.pop() {
            for (to, _, _) in self.edges.get(&next).into_iter().flatten() {
                if seen.insert(*to) {
                    open.push(*to);
                }
            }
        }
        seen
    }
}
