//! What the vendors call people's activities.

use std::collections::BTreeMap;

use baton_core::{
    change::Format,
    lifecycle::{
        fact::Actor,
        reading::{Reading, Readings},
    },
    name::Name,
};
use compact_str::CompactString;

use super::{Around, Reader, words::List};
use crate::{
    mapping::scalar,
    problem::Problems,
    tree::{Node, Table},
};

impl Reader<'_> {
    /// By system: every vocabulary's, for a payload may be handed over in any dialect; the system's own over them.
    pub(super) fn readings(
        &self,
        root: &Table,
        around: &Around<'_>,
        problems: &mut Problems,
    ) -> BTreeMap<Name, Readings> {
        let mut common = Readings::new();
        for (format, vocabulary) in around.vocabularies {
            self.read_all(*format, vocabulary, &mut common, problems);
        }
        let mut readings = BTreeMap::new();
        for (name, lowered) in around.systems {
            let mut own = common.clone();
            let said = root.table("systems").and_then(|t| t.table(name.as_str()));
            if let Some(table) = said {
                self.read_all(lowered.system.format, table, &mut own, problems);
            }
            readings.insert(*name, own);
        }
        readings
    }

    fn read_all(
        &self,
        format: Format,
        table: &Table,
        into: &mut Readings,
        problems: &mut Problems,
    ) {
        for (word, entry) in table.each("activities") {
            let one = std::slice::from_ref(&entry.value);
            let nodes = match entry.value.items() {
                [] => one,
                several => several,
            };
            let all = nodes
                .iter()
                .filter_map(Node::as_table)
                .filter_map(|table| self.reading(table, problems))
                .collect();
            into.insert((format, word.to_lowercase().into()), all);
        }
    }

    fn reading(&self, table: &Table, problems: &mut Problems) -> Option<Reading> {
        let kind = self.word(table, "kind", List::Activity, problems);
        let text = |key: &str| table.text(key).map(|(text, _)| CompactString::from(text));
        Some(Reading {
            when: table
                .each("when")
                .filter_map(|(field, entry)| {
                    let value = scalar(&entry.value)?;
                    Some((field.into(), value.to_lowercase().into()))
                })
                .collect(),
            kind: kind?,
            by: Actor::parse(table.text("by")?.0)?,
            content: text("content"),
            campaign: text("campaign"),
        })
    }
}
