//! From the checked tree to the rules of the core.

use std::{collections::BTreeMap, sync::Arc};

use baton_core::{
    change::{Cause, Format},
    id::Kind,
    name::Name,
    rules::{MassClear, Rules, Timing},
};

use crate::{
    across::Across,
    codes::Code,
    entity::Entities,
    lifecycle,
    names::World,
    people,
    problem::{Problems, Span},
    quantity, systems,
    tree::Table,
};

/// The rules that the files say, as far as they can be read; they hold only if no error is reported.
pub(crate) fn read(
    version: &str,
    root: &Table,
    vocabularies: &BTreeMap<Format, Table>,
    holidays: &BTreeMap<String, Table>,
    origin: Span,
    problems: &mut Problems,
) -> Rules {
    let world = World::read(root, problems);
    let said = systems::vocabularies(vocabularies, &world, problems);
    let lowered = systems::read(root, &world, &said, problems);
    let sends = systems::sends(&lowered);
    let (consents, channels) = people::consents(root, &world, problems);
    let entities = Entities {
        world: &world,
        sends: &sends,
        consents: &channels,
    };
    let mut rules = Rules {
        version: version.into(),
        timing: timing(root, problems),
        mass_clear: mass_clear(root),
        systems: lowered
            .iter()
            .map(|(name, lowered)| (*name, lowered.system.clone()))
            .collect(),
        source_rank: sources(root, &world, problems),
        cause_rank: causes(root, problems),
        identity: people::identity(root, origin, &world, problems),
        consents,
        stages: world.stages.iter().map(|s| Name::new(s)).collect(),
        ..Rules::default()
    };
    let mut places = BTreeMap::new();
    for kind in Kind::ALL {
        let (entity, where_said) = entities.read(kind, root, problems);
        *rules.entity_mut(kind) = entity;
        places.insert(kind, where_said);
    }
    Across {
        rules: &rules,
        world: &world,
        systems: &lowered,
        places: &places,
        consents: &channels,
    }
    .check(problems);
    let around = lifecycle::Around {
        world: &world,
        holidays,
        vocabularies,
        systems: &lowered,
        quantum: rules.timing.quantum,
    };
    rules.funnel = lifecycle::read(version, root, &around, problems).map(Arc::new);
    rules
}

fn timing(root: &Table, problems: &mut Problems) -> Timing {
    let mut timing = Timing::default();
    let Some(table) = root.table("timing") else {
        return timing;
    };
    for (key, into) in [
        ("quantum", &mut timing.quantum),
        ("horizon", &mut timing.horizon),
        ("clamp", &mut timing.clamp),
        ("tuple_settle", &mut timing.tuple_settle),
        ("rendering_settle", &mut timing.rendering_settle),
        ("skew", &mut timing.skew),
        ("give_up", &mut timing.give_up),
    ] {
        *into = table.duration(key).unwrap_or(*into);
    }
    timing.reverts_per_day = table
        .int("reverts_per_day")
        .unwrap_or(timing.reverts_per_day);
    timing.alternations = table.int("alternations").unwrap_or(timing.alternations);
    for (longer, than, long, short) in [
        (
            "give_up",
            "rendering_settle",
            timing.give_up,
            timing.rendering_settle,
        ),
        ("horizon", "give_up", timing.horizon, timing.give_up),
    ] {
        let said = table.entry(longer).or_else(|| table.entry(than));
        if let Some(entry) = said.filter(|e| long <= short && !e.value.is_bad()) {
            problems.report(
                Code::TimingOrder,
                entry.value.span,
                format!(
                    "`{longer}` ({}) is not longer than `{than}` ({})",
                    quantity::say(long),
                    quantity::say(short)
                ),
            );
        }
    }
    timing
}

fn mass_clear(root: &Table) -> MassClear {
    let mut guard = MassClear::default();
    if let Some(table) = root.table("mass_clear") {
        guard.window = table.duration("window").unwrap_or(guard.window);
        guard.records = table.int("records").unwrap_or(guard.records);
        guard.percent = table.int("percent").or(guard.percent);
        guard.percent_from = table.int("percent_from").unwrap_or(guard.percent_from);
    }
    guard
}

fn sources(root: &Table, world: &World, problems: &mut Problems) -> Vec<Name> {
    let Some(table) = root.table("ranks") else {
        return Vec::new();
    };
    table
        .texts("sources")
        .into_iter()
        .filter_map(|(name, span)| world.system(name, span, problems))
        .collect()
}

/// Rank by cause; the order of [`Cause::ALL`] unless said.
fn causes(root: &Table, problems: &mut Problems) -> [u8; 7] {
    let mut ranks = [0, 1, 2, 3, 4, 5, 6];
    let Some(entry) = root.table("ranks").and_then(|t| t.entry("causes")) else {
        return ranks;
    };
    let said: Vec<&str> = entry
        .value
        .items()
        .iter()
        .filter_map(|node| node.as_text())
        .collect();
    let lacking: Vec<&str> = Cause::ALL
        .into_iter()
        .map(Cause::as_str)
        .filter(|cause| !said.contains(cause))
        .collect();
    if !lacking.is_empty() {
        if !entry.value.holds_bad() {
            problems.report(
                Code::RankIncomplete,
                entry.key,
                format!("without a rank: {}", lacking.join(", ")),
            );
        }
        return ranks;
    }
    for (rank, cause) in (0_u8..).zip(said.iter().filter_map(|word| Cause::parse(word))) {
        if let Some(slot) = ranks.get_mut(cause as usize) {
            *slot = rank;
        }
    }
    ranks
}
