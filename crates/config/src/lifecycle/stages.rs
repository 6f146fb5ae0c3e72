//! The stages: ranks, parts, owners, who has a say, and what is expected of a person in them.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    lifecycle::{
        rules::{GreatestAge, Landmarks, Phase, StageRule, Stall},
        setup::StageText,
    },
    name::Name,
};

use super::{Reader, words, words::List};
use crate::{
    codes::Code,
    condition,
    problem::{Problems, Span},
    spec,
    tree::{Node, Table},
};

/// The stages as they are said, with the places a problem may point at.
#[derive(Default)]
pub(super) struct Stages {
    pub rules: BTreeMap<Name, StageRule>,
    pub texts: BTreeMap<Name, StageText>,
    /// From, to, and where it stands.
    pub edges: Vec<(Name, Name, Span)>,
    /// Which stage plays which part.
    pub parts: BTreeMap<&'static str, Name>,
    pub keys: BTreeMap<Name, Span>,
    /// Nothing that was said of any stage was wrong, so that something follows from what is not said.
    pub certain: bool,
    /// Some part is played twice, so that it is not clear by which stage.
    pub doubled: bool,
}

impl Stages {
    pub fn landmarks(&self) -> Option<Landmarks> {
        let part = |name: &str| self.parts.get(name).copied();
        Some(Landmarks {
            entry: part("entry")?,
            nurture: part("nurture")?,
            recycled: part("recycled")?,
            ready: part("ready")?,
            review: part("review")?,
            accepted: part("accepted")?,
            opportunity: part("opportunity")?,
            won: part("won")?,
            lost: part("lost")?,
            customer: part("customer")?,
            disqualified: part("disqualified")?,
        })
    }

    pub fn rank(&self, stage: Name) -> Option<u8> {
        self.rules.get(&stage).map(|rule| rule.rank)
    }

    pub fn phase(&self, stage: Name) -> Option<Phase> {
        self.rules.get(&stage).map(|rule| rule.phase)
    }
}

impl Reader<'_> {
    /// `origin` is where `[lifecycle]` stands, for what is nowhere said.
    pub(super) fn stages(&self, origin: Span, problems: &mut Problems) -> Stages {
        let mut stages = Stages {
            certain: !self.table.get("stages").is_some_and(Node::holds_bad),
            ..Stages::default()
        };
        let mut each: Vec<_> = self.table.each("stages").collect();
        each.sort_by_key(|(_, entry)| entry.key);
        for (name, entry) in each {
            let name = Name::new(name);
            let Some(table) = entry.value.as_table() else {
                continue;
            };
            stages.keys.insert(name, entry.key);
            self.part(name, table, &mut stages, problems);
            for (to, span) in table.texts("back_to") {
                if let Some(to) = self.world.stage(to, span, problems) {
                    stages.edges.push((name, to, span));
                }
            }
            let text = |key: &str| table.text(key).map(|(text, _)| text.into());
            if let Some(owner) = text("owner") {
                let text = StageText {
                    owner,
                    journey: text("journey"),
                    content: text("content"),
                };
                stages.texts.insert(name, text);
            }
            match self.stage(table, problems) {
                Some(rule) => {
                    stages.rules.insert(name, rule);
                }
                None => stages.certain = false,
            }
        }
        if self.parts_are_told() {
            let lacking: Vec<&str> = spec::PARTS
                .into_iter()
                .filter(|part| !stages.parts.contains_key(part))
                .collect();
            if !lacking.is_empty() {
                let at = self.table.entry("stages").map_or(origin, |e| e.key);
                problems.report(
                    Code::StagePartMissing,
                    at,
                    format!("no stage plays the part {}", lacking.join(", ")),
                );
                stages.certain = false;
            }
        }
        stages
    }

    /// Whether every stage could be understood as far as its part goes.
    fn parts_are_told(&self) -> bool {
        let stages = self.table.get("stages");
        stages.is_some_and(|node| !node.is_bad())
            && self.table.each("stages").all(|(_, entry)| {
                let table = entry.value.as_table();
                table.is_some_and(|t| !t.is_unread() && !t.get("part").is_some_and(Node::is_bad))
            })
    }

    fn part(&self, name: Name, table: &Table, stages: &mut Stages, problems: &mut Problems) {
        let Some((word, span)) = table.text("part") else {
            return;
        };
        let Some(part) = spec::PARTS.into_iter().find(|part| *part == word) else {
            return;
        };
        if let Some(other) = stages.parts.get(part) {
            problems.report(
                Code::StagePartTwice,
                span,
                format!("the part `{part}` is already played by `{other}`"),
            );
            stages.doubled = true;
            return;
        }
        stages.parts.insert(part, name);
    }

    fn stage(&self, table: &Table, problems: &mut Problems) -> Option<StageRule> {
        let claimed_by: BTreeSet<Name> = table
            .texts("claimed_by")
            .into_iter()
            .filter_map(|(system, span)| self.world.system(system, span, problems))
            .collect();
        let stall = table.table("stall").and_then(|t| self.stall(t, problems));
        let age = table.table("age").and_then(|t| self.age(t, problems));
        Some(StageRule {
            rank: table.int("rank")?,
            phase: match table.text("phase")?.0 {
                "nurtured" => Phase::Nurtured,
                "worked" => Phase::Worked,
                _ => Phase::Ended,
            },
            claimed_by,
            stall,
            age,
        })
    }

    fn stall(&self, table: &Table, problems: &mut Problems) -> Option<Stall> {
        let by = self.acts(table, problems);
        let reason = self.word(table, "reason", List::Reason, problems);
        let reengage = table.table("reengage").and_then(|last| {
            let action = self.word(last, "action", List::Action, problems)?;
            Some((last.int("at")?, action))
        });
        Some(Stall {
            scope: condition::under("scope", table, self.world, problems),
            after: table.duration("after")?,
            by,
            reason: reason?,
            reengage,
            mode: words::mode(table),
        })
    }

    fn age(&self, table: &Table, problems: &mut Problems) -> Option<GreatestAge> {
        let reason = self.word(table, "reason", List::Reason, problems);
        Some(GreatestAge {
            scope: condition::under("scope", table, self.world, problems),
            after: table.duration("after")?,
            reason: reason?,
            mode: words::mode(table),
        })
    }
}
