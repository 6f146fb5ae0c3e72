//! What only shows when stages, moves and wiring are seen together.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    lifecycle::{rules::Phase, setup::Wiring},
    name::Name,
};

use super::stages::Stages;
use crate::{
    codes::Code,
    problem::{Problems, Span},
    systems::Lowered,
    tree::Table,
};

/// Parts whose ranks must rise from one to the next.
const RISING: [(&str, &str); 11] = [
    ("entry", "nurture"),
    ("nurture", "ready"),
    ("recycled", "ready"),
    ("ready", "review"),
    ("review", "accepted"),
    ("accepted", "opportunity"),
    ("opportunity", "won"),
    ("opportunity", "lost"),
    ("opportunity", "customer"),
    ("won", "customer"),
    ("opportunity", "disqualified"),
];

pub(super) fn check(
    lifecycle: &Table,
    stages: &Stages,
    wiring: Option<&Wiring>,
    systems: &BTreeMap<Name, Lowered>,
    problems: &mut Problems,
) {
    if stages.doubled {
        return;
    }
    let check = Check { lifecycle, stages };
    check.phases(problems);
    let misplaced = check.ranks(problems);
    check.edges(&misplaced, problems);
    check.expectations(problems);
    // Nothing follows from what a system that could not be read does not say.
    let certain = stages.certain && systems.values().all(|s| s.certain);
    if let Some(wiring) = wiring.filter(|_| certain) {
        check.claims(wiring, problems);
        check.entered(wiring, problems);
    }
}

struct Check<'a> {
    lifecycle: &'a Table,
    stages: &'a Stages,
}

const fn phase_of(part: &str) -> Phase {
    match part.as_bytes() {
        b"entry" | b"nurture" | b"recycled" => Phase::Nurtured,
        b"ready" | b"review" | b"accepted" | b"opportunity" => Phase::Worked,
        _ => Phase::Ended,
    }
}

pub(super) const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Nurtured => "nurtured",
        Phase::Worked => "worked",
        Phase::Ended => "ended",
    }
}

impl Check<'_> {
    /// Where a key of a stage stands.
    fn at(&self, stage: Name, key: &str) -> Span {
        self.table(stage)
            .and_then(|t| t.get(key))
            .map(|node| node.span)
            .or_else(|| self.stages.keys.get(&stage).copied())
            .unwrap_or_default()
    }

    fn table(&self, stage: Name) -> Option<&Table> {
        self.lifecycle.table("stages")?.table(stage.as_str())
    }

    fn phases(&self, problems: &mut Problems) {
        for (part, stage) in &self.stages.parts {
            let wanted = phase_of(part);
            if let Some(phase) = self.stages.phase(*stage).filter(|phase| *phase != wanted) {
                problems.report(
                    Code::StagePhase,
                    self.at(*stage, "phase"),
                    format!(
                        "`{stage}` plays the part `{part}`, which is {}, not {}",
                        phase_name(wanted),
                        phase_name(phase)
                    ),
                );
            }
        }
    }

    /// Reports stages with a wrong rank, and returns them.
    fn ranks(&self, problems: &mut Problems) -> BTreeSet<Name> {
        let mut misplaced = BTreeSet::new();
        for (low, high) in RISING {
            let stage = |part: &str| self.stages.parts.get(part).copied();
            let (Some(low), Some(high)) = (stage(low), stage(high)) else {
                continue;
            };
            let (Some(lower), Some(higher)) = (self.stages.rank(low), self.stages.rank(high))
            else {
                continue;
            };
            if lower < higher {
                continue;
            }
            // The stage of returns is beside the way, so that it is more likely the one to be wrong.
            let (stage, side, other) = if self.stages.parts.get("recycled") == Some(&low) {
                (low, "below", high)
            } else {
                (high, "above", low)
            };
            problems.report(
                Code::StageRank,
                self.at(stage, "rank"),
                format!("`{stage}` does not rank {side} `{other}`"),
            );
            misplaced.extend([low, high]);
        }
        for (stage, rule) in &self.stages.rules {
            let below = self.stages.rules.iter().find(|(_, other)| {
                order(other.phase) < order(rule.phase) && other.rank >= rule.rank
            });
            let plays = |name: &Name| self.stages.parts.values().any(|part| part == name);
            if let Some((other, lower)) = below.filter(|(other, _)| !(plays(stage) && plays(other)))
            {
                problems.report(
                    Code::StageRank,
                    self.at(*stage, "rank"),
                    format!(
                        "`{stage}` is {} and does not rank above `{other}`, which is {}",
                        phase_name(rule.phase),
                        phase_name(lower.phase)
                    ),
                );
                misplaced.extend([*stage, *other]);
            }
        }
        misplaced
    }

    fn edges(&self, misplaced: &BTreeSet<Name>, problems: &mut Problems) {
        let recycled = self.stages.parts.get("recycled").copied();
        for (from, to, span) in &self.stages.edges {
            if misplaced.contains(from) || misplaced.contains(to) {
                continue;
            }
            let (Some(from_rank), Some(to_rank)) = (self.stages.rank(*from), self.stages.rank(*to))
            else {
                continue;
            };
            if to_rank > from_rank || from == to {
                problems.report(
                    Code::EdgeNeedless,
                    *span,
                    format!("`{to}` does not rank below `{from}`"),
                );
                continue;
            }
            let round = self.stages.phase(*from) == Some(Phase::Worked)
                && self.stages.phase(*to) == Some(Phase::Nurtured);
            if round && recycled.is_some_and(|recycled| *to != recycled) {
                problems
                    .report(
                        Code::LoopWithoutLimit,
                        *span,
                        format!("from `{from}` to `{to}` people would go round uncounted"),
                    )
                    .fix(match recycled {
                        Some(recycled) => {
                            format!("Lead back to `{recycled}`: only returns there are counted.")
                        }
                        None => "Lead back to the stage of returns.".into(),
                    });
            }
        }
    }

    /// What is expected of people in a stage, and whether they can be given back.
    fn expectations(&self, problems: &mut Problems) {
        let Some(recycled) = self.stages.parts.get("recycled").copied() else {
            return;
        };
        for (stage, rule) in &self.stages.rules {
            let Some(table) = self.table(*stage) else {
                continue;
            };
            let expecting = ["stall", "age"]
                .into_iter()
                .find_map(|key| table.entry(key));
            if let Some(entry) = expecting
                && rule.phase != Phase::Worked
            {
                problems.report(
                    Code::StallNotWorked,
                    entry.key,
                    format!(
                        "people in `{stage}` are {}: nobody waits for them",
                        phase_name(rule.phase)
                    ),
                );
                continue;
            }
            let reviewed = ["ready", "review"]
                .iter()
                .any(|part| self.stages.parts.get(part) == Some(stage));
            let back = self
                .stages
                .edges
                .iter()
                .any(|(from, to, _)| from == stage && *to == recycled);
            let unread = table.is_unread() || table.get("back_to").is_some_and(|n| n.holds_bad());
            if (expecting.is_some() || reviewed) && !back && !unread {
                problems
                    .report(
                        Code::NoWayBack,
                        table.entry("back_to").map_or_else(
                            || self.stages.keys.get(stage).copied().unwrap_or_default(),
                            |entry| entry.key,
                        ),
                        format!("nobody can go from `{stage}` back to `{recycled}`"),
                    )
                    .fix(format!("Add `{recycled}` to `back_to`."));
            }
        }
    }

    /// Systems that have a say in a stage and no word for it.
    fn claims(&self, wiring: &Wiring, problems: &mut Problems) {
        for (stage, rule) in &self.stages.rules {
            let Some(table) = self.table(*stage) else {
                continue;
            };
            for (word, span) in table.texts("claimed_by") {
                let silent = rule
                    .claimed_by
                    .iter()
                    .find(|system| system.as_str() == word)
                    .filter(|system| !says(wiring, **system, *stage));
                if let Some(system) = silent {
                    problems.report(
                        Code::ClaimNeverMade,
                        span,
                        format!("no value of `{system}` means `{stage}`"),
                    );
                }
            }
        }
    }

    /// Stages that nobody can get into.
    fn entered(&self, wiring: &Wiring, problems: &mut Problems) {
        for (stage, rule) in &self.stages.rules {
            let claimed = rule
                .claimed_by
                .iter()
                .any(|system| says(wiring, *system, *stage));
            let by_deal = wiring
                .deals
                .as_ref()
                .is_some_and(|deals| deals.stages.values().any(|s| s == stage));
            let part = self.stages.parts.iter().find(|(_, name)| *name == stage);
            let by_itself = part.is_some_and(|(part, _)| self.moves_into(part));
            // That a system has a say in it and no word for it is told above.
            if !claimed && !by_deal && !by_itself && rule.claimed_by.is_empty() {
                problems.report(
                    Code::StageNeverEntered,
                    self.stages.keys.get(stage).copied().unwrap_or_default(),
                    format!("nothing ever puts anybody into `{stage}`"),
                );
            }
        }
    }

    /// Whether Baton itself brings people to the stage that plays a part.
    fn moves_into(&self, part: &str) -> bool {
        match part {
            "review" | "accepted" => {
                let fields = self.lifecycle.table("fields");
                fields.is_some_and(|t| t.has("ready") && t.has("willing"))
            }
            "opportunity" | "won" | "lost" | "customer" => self.lifecycle.has("deals"),
            "recycled" => {
                let recycled = self.stages.parts.get("recycled");
                let mut edges = self.stages.edges.iter();
                edges.any(|(_, to, _)| Some(to) == recycled)
            }
            _ => true,
        }
    }
}

fn says(wiring: &Wiring, system: Name, stage: Name) -> bool {
    wiring
        .systems
        .get(&system)
        .is_some_and(|wired| wired.claims.values().any(|claimed| *claimed == stage))
}

const fn order(phase: Phase) -> u8 {
    match phase {
        Phase::Nurtured => 0,
        Phase::Worked => 1,
        Phase::Ended => 2,
    }
}
