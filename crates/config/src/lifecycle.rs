//! The funnel: from `[lifecycle]` to what the fold of [`baton_core::lifecycle`] works by.

mod calendars;
mod clocks;
mod describe;
mod readings;
mod ready;
mod recycling;
mod sound;
mod stages;
mod tells;
mod wiring;
mod words;

use std::{collections::BTreeMap, sync::Arc};

use baton_core::{
    change::Format,
    lifecycle::{
        rules::{Acts, Editions, FunnelRules},
        setup::Setup,
    },
    name::Name,
};

pub use describe::{Section, describe, described};

use crate::{condition, names::World, problem::Problems, systems::Lowered, tree::Table};
use words::{List, Words};

/// What else the configuration says, as far as the funnel rests on it.
pub(crate) struct Around<'a> {
    pub world: &'a World,
    /// The files of the folder `holidays`, by name.
    pub holidays: &'a BTreeMap<String, Table>,
    pub vocabularies: &'a BTreeMap<Format, Table>,
    pub systems: &'a BTreeMap<Name, Lowered>,
    /// The installation's, in milliseconds.
    pub quantum: i64,
}

/// The funnel, if there is one. None also where so much is wrong that it cannot be put together; its problems are
/// reported.
pub(crate) fn read(
    version: &str,
    root: &Table,
    around: &Around<'_>,
    problems: &mut Problems,
) -> Option<Setup> {
    let entry = root.entry("lifecycle")?;
    let table = entry.value.as_table()?;
    let reader = Reader {
        table,
        world: around.world,
        words: Words::new(table),
    };
    let calendars = calendars::read(table, around.holidays, problems);
    let wiring = reader.wiring(around.systems, problems);
    let stages = reader.stages(entry.key, problems);
    let ready = reader.ready(problems);
    let recycling = reader.recycling(problems);
    let disqualify = reader.disqualification(problems);
    let after_lost = reader.after_lost(problems);
    let clocks = reader.clocks(problems);
    let nurture = condition::under("nurture", table, around.world, problems);
    let readings = reader.readings(root, around, problems);
    sound::check(table, &stages, wiring.as_ref(), around.systems, problems);

    // All that is wrong has been reported; what follows needs every part.
    let landmarks = stages.landmarks()?;
    let (ready, definition) = ready?;
    let wiring = wiring?;
    let tracks = words::texts(table, "tracks");
    let actions = words::texts(table, "actions");
    let queues = words::texts(table, "queues");
    let campaigns = reader.campaigns(&wiring, problems);
    let names = tells::Names {
        stages: &stages.texts,
        tracks: &tracks,
        actions: &actions,
        queues: &queues,
        campaigns: &campaigns,
    };
    let back_to_owner_within = table.duration("back_to_owner_within");
    let tells = tells::tells(&wiring, &landmarks, &names, back_to_owner_within);
    let rules = FunnelRules {
        version: version.into(),
        landmarks,
        edges: stages
            .edges
            .iter()
            .map(|(from, to, _)| (*from, *to))
            .collect(),
        stages: stages.rules,
        nurture,
        ready,
        recycling: recycling?,
        disqualify,
        after_lost,
        protect_closing_within: table.duration("protect_deals_closing_within")?,
        clocks,
        calendars,
        tells,
    };
    let rules = Arc::new(rules);
    Some(Setup {
        editions: Arc::new(Editions::new(around.quantum, Arc::clone(&rules))),
        reads: rules
            .predicates()
            .flat_map(|predicate| predicate.fields())
            .chain(rules.tells.campaigns.chosen_in.iter().copied())
            .collect(),
        rules,
        definition,
        wiring,
        stages: stages.texts,
        activities: table
            .each("activities")
            .filter_map(|(kind, entry)| Some((Name::new(kind), Name::new(entry.value.as_text()?))))
            .collect(),
        readings,
        back_to_owner_within,
        tracks,
        actions,
        queues,
        recipients: words::texts(table, "recipients"),
        disqualifications: table
            .table("disqualification")
            .map(|t| t.texts("reasons"))
            .unwrap_or_default()
            .into_iter()
            .map(|(reason, _)| Name::new(reason))
            .collect(),
    })
}

/// What the readers of the funnel's parts know.
struct Reader<'a> {
    /// `[lifecycle]`.
    table: &'a Table,
    world: &'a World,
    words: Words<'a>,
}

impl Reader<'_> {
    /// A name under a key, of a list of the funnel's.
    fn word(&self, table: &Table, key: &str, list: List, problems: &mut Problems) -> Option<Name> {
        let (text, span) = table.text(key)?;
        self.words.find(list, text, span, problems)
    }

    fn words(&self, table: &Table, key: &str, list: List, problems: &mut Problems) -> Vec<Name> {
        table
            .texts(key)
            .into_iter()
            .filter_map(|(text, span)| self.words.find(list, text, span, problems))
            .collect()
    }

    /// `acts` and `by` of a table.
    fn acts(&self, table: &Table, problems: &mut Problems) -> Acts {
        let kinds = self.words(table, "acts", List::Activity, problems);
        Acts {
            kinds: kinds.into_iter().collect(),
            actors: table
                .texts("by")
                .into_iter()
                .filter_map(|(word, _)| words::actor(word))
                .collect(),
        }
    }
}
