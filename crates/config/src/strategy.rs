//! One rule: from what stands after `rule =` to a strategy of the core.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    id::Kind,
    name::Name,
    rules::{Decay, FieldType, OnBlank, OnTransition, Segment, Strategy, Trust, TrustSource},
    time::DAY,
};
use rust_decimal::Decimal;

use crate::{
    codes::Code,
    expression,
    names::World,
    problem::{Problems, Span},
    tree::{self, Node, Table},
};

/// Which systems send which fields.
#[derive(Default)]
pub(crate) struct Sends {
    pub fields: BTreeMap<(Name, Kind), BTreeSet<Name>>,
    /// Systems of which a mapping could not be read: nothing follows from what they lack.
    pub uncertain: BTreeSet<Name>,
    /// Systems whose changes carry the value before.
    pub before: BTreeSet<Name>,
}

impl Sends {
    pub fn sends(&self, system: Name, kind: Kind, field: Name) -> bool {
        self.fields
            .get(&(system, kind))
            .is_some_and(|fields| fields.contains(&field))
    }
}

/// What the rule is for.
#[derive(Clone)]
pub(crate) struct Place<'a> {
    pub kind: Kind,
    /// The field, or the members of the group.
    pub members: &'a [Name],
    /// Type of a single field; none for a group.
    pub single: Option<FieldType>,
    pub consent: bool,
    /// Inside `by_stage` or `manual`.
    pub nested: bool,
}

/// What a rule refers to, for the search for cycles.
#[derive(Default)]
pub(crate) struct References {
    pub reads: Vec<(Name, Span)>,
    pub follows: Option<(Name, Span)>,
}

pub(crate) struct Lowering<'a> {
    pub world: &'a World,
    pub sends: &'a Sends,
    pub problems: &'a mut Problems,
    pub references: References,
}

/// Strategies that refer to something and are therefore written as a table.
pub(crate) const HEADS: [&str; 7] = [
    "priority", "only", "trust", "by_stage", "manual", "derived", "follow",
];

impl Lowering<'_> {
    /// None where it is wrong; its problem is reported.
    pub fn strategy(&mut self, node: &Node, place: &Place<'_>) -> Option<Strategy> {
        match &node.kind {
            tree::Kind::Text(word) => {
                let strategy = plain(word)?;
                self.fits(&strategy, word, node.span, place)?;
                Some(strategy)
            }
            tree::Kind::Table(table) => self.table(table, node.span, place),
            _ => None,
        }
    }

    fn table(&mut self, table: &Table, span: Span, place: &Place<'_>) -> Option<Strategy> {
        let heads: Vec<&str> = HEADS.into_iter().filter(|h| table.has(h)).collect();
        let [head] = heads.as_slice() else {
            if let Some(second) = heads.get(1).and_then(|h| table.entry(h)) {
                self.problems.report(
                    Code::StrategyConflict,
                    second.key,
                    format!("`{}` cannot both be the rule", heads.join("` and `")),
                );
            } else if !table.entries.values().any(|e| e.value.is_bad()) {
                self.problems
                    .report(Code::StrategyNeedsMore, span, "this table names no rule");
            }
            return None;
        };
        for (setting, owner) in [
            ("on_blank", "priority"),
            ("margin", "trust"),
            ("doubtful", "trust"),
        ] {
            if let Some(entry) = table.entry(setting).filter(|_| owner != *head) {
                self.problems.report(
                    Code::StrategyConflict,
                    entry.key,
                    format!("`{setting}` belongs to `{owner}`, not to `{head}`"),
                );
            }
        }
        let entry = table.entry(head)?;
        let strategy = match *head {
            "priority" => self.priority(table, place),
            "only" => self.only(table, place),
            "trust" => self.trust(table, place),
            "by_stage" => self.by_stage(entry.value.as_table()?, entry.key, place),
            "manual" => self.manual(entry.value.as_table()?, place),
            "derived" => self.derived(table, place),
            _ => {
                let (name, span) = table.text("follow")?;
                let group = self.world.group(place.kind, name, span, self.problems)?;
                self.references.follows = Some((group, span));
                Some(Strategy::Follow { group })
            }
        }?;
        self.fits(&strategy, head, entry.key, place)?;
        Some(strategy)
    }

    /// The system, provided that it sends what the rule is about.
    fn source(&mut self, name: &str, span: Span, place: &Place<'_>) -> Option<Name> {
        let system = self.world.system(name, span, self.problems)?;
        let sends = self.sends.uncertain.contains(&system)
            || place
                .members
                .iter()
                .any(|field| self.sends.sends(system, place.kind, *field));
        if !sends && !place.members.is_empty() {
            let what: Vec<&str> = place.members.iter().map(|m| m.as_str()).collect();
            self.problems.report(
                Code::SourceDoesNotMap,
                span,
                format!("`{system}` sends no {}", what.join(", ")),
            );
            return None;
        }
        Some(system)
    }

    fn priority(&mut self, table: &Table, place: &Place<'_>) -> Option<Strategy> {
        let sources: Vec<Name> = table
            .texts("priority")
            .into_iter()
            .filter_map(|(name, span)| self.source(name, span, place))
            .collect();
        let on_blank = match table.text("on_blank").map(|(word, _)| word) {
            Some("fallback") => OnBlank::Fallback,
            Some("hold") => OnBlank::Hold,
            _ => OnBlank::Clear,
        };
        (!sources.is_empty()).then_some(Strategy::Priority { sources, on_blank })
    }

    fn only(&mut self, table: &Table, place: &Place<'_>) -> Option<Strategy> {
        let (name, span) = table.text("only")?;
        let source = self.source(name, span, place)?;
        Some(Strategy::Only { source })
    }

    fn trust(&mut self, table: &Table, place: &Place<'_>) -> Option<Strategy> {
        let mut sources = BTreeMap::new();
        for (name, entry) in table.each("trust") {
            let Some(system) = self.source(name, entry.key, place) else {
                continue;
            };
            let Some(source) = entry.value.as_table() else {
                continue;
            };
            let (Some(max), Some(min), Some(period)) = (
                decimal(source, "max"),
                decimal(source, "min"),
                source.duration("period"),
            ) else {
                continue;
            };
            if min > max {
                let at = source.entry("min").map_or(entry.key, |e| e.value.span);
                self.problems.report(
                    Code::TrustRange,
                    at,
                    format!("`min` ({min}) is above `max` ({max})"),
                );
                continue;
            }
            let decay = match source.text("decay").map(|(word, _)| word) {
                Some("fast_then_slow") => Decay::FastThenSlow,
                Some("slow_then_fast") => Decay::SlowThenFast,
                _ => Decay::Linear,
            };
            let period_days = u32::try_from(period / DAY).unwrap_or(u32::MAX);
            sources.insert(
                system,
                TrustSource {
                    max,
                    min,
                    period_days,
                    decay,
                },
            );
        }
        (!sources.is_empty()).then(|| {
            Strategy::Trust(Trust {
                sources,
                margin: decimal(table, "margin").unwrap_or_default(),
                doubtful: decimal(table, "doubtful").unwrap_or_default(),
            })
        })
    }

    fn by_stage(&mut self, table: &Table, key: Span, place: &Place<'_>) -> Option<Strategy> {
        let nested = Place {
            nested: true,
            ..place.clone()
        };
        let mut stretches: Vec<(&Table, bool)> = Vec::new();
        let simple = table.has("until") || table.has("then");
        if simple == table.has("segments") {
            let message = if simple {
                "`until` and `segments` cannot both be there"
            } else {
                "`by_stage` needs `until` and `then`, or `segments`"
            };
            let code = if simple {
                Code::StrategyConflict
            } else {
                Code::MissingKey
            };
            let at = table.entry("segments").map_or(key, |e| e.key);
            if !table.entries.values().any(|e| e.value.is_bad()) {
                self.problems.report(code, at, message);
            }
            return None;
        }
        if simple {
            for (one, other) in [("until", "then"), ("then", "until")] {
                if let Some(entry) = table.entry(one).filter(|_| !table.has(other)) {
                    self.problems.report(
                        Code::MissingKey,
                        entry.key,
                        format!("`{one}` without `{other}`"),
                    );
                    return None;
                }
            }
            stretches.push((table, true));
        } else {
            for node in table.get("segments").map(Node::items).unwrap_or_default() {
                stretches.push((node.as_table()?, false));
            }
        }
        let mut segments = Vec::new();
        let mut last: Option<usize> = None;
        let mut whole = true;
        for (stretch, _) in stretches {
            let until = self.until(stretch, &mut last);
            let then = stretch
                .get("then")
                .and_then(|node| self.strategy(node, &nested));
            match (until, then) {
                (Some(until), Some(strategy)) => segments.push(Segment {
                    until: Some(until),
                    strategy,
                }),
                _ => whole = false,
            }
        }
        let after = self.strategy(table.get("after")?, &nested)?;
        segments.push(Segment {
            until: None,
            strategy: after,
        });
        let on_transition = match table.text("on_transition").map(|(word, _)| word) {
            Some("rejudge") => OnTransition::Rejudge,
            _ => OnTransition::Keep,
        };
        whole.then_some(Strategy::ByStage {
            segments,
            on_transition,
        })
    }

    fn until(&mut self, stretch: &Table, last: &mut Option<usize>) -> Option<Name> {
        let (name, span) = stretch.text("until")?;
        let stage = self.world.stage(name, span, self.problems)?;
        let rank = self.world.stages.iter().position(|s| s == stage.as_str())?;
        if rank == 0 {
            self.problems.report(
                Code::StageUnreachable,
                span,
                format!("no stage lies below `{stage}`"),
            );
            return None;
        }
        if let Some(before) = last.filter(|before| *before >= rank) {
            let earlier = self.world.stages.get(before).map_or("", String::as_str);
            self.problems.report(
                Code::StageOrder,
                span,
                format!("`{stage}` is not above `{earlier}`, where the stretch before it ends"),
            );
            return None;
        }
        *last = Some(rank);
        Some(stage)
    }

    fn manual(&mut self, table: &Table, place: &Place<'_>) -> Option<Strategy> {
        let nested = Place {
            nested: true,
            ..place.clone()
        };
        let then = self.strategy(table.get("then")?, &nested)?;
        Some(Strategy::Manual {
            fallback: Some((table.duration("after")?, Box::new(then))),
        })
    }

    fn derived(&mut self, table: &Table, place: &Place<'_>) -> Option<Strategy> {
        let (text, span) = table.text("derived")?;
        let derived = expression::parse(text, span, place.kind, self.world, self.problems)?;
        self.references.reads.extend(derived.reads);
        Some(Strategy::Derived(derived.expr))
    }

    /// Whether the rule can judge what it stands at.
    fn fits(
        &mut self,
        strategy: &Strategy,
        word: &str,
        span: Span,
        place: &Place<'_>,
    ) -> Option<()> {
        let composed = matches!(
            strategy,
            Strategy::Union
                | Strategy::Counter
                | Strategy::MostRestrictive
                | Strategy::Derived(_)
                | Strategy::Follow { .. }
        );
        let staged = matches!(
            strategy,
            Strategy::ByStage { .. } | Strategy::Manual { fallback: Some(_) }
        );
        if place.nested && (composed || staged) {
            self.problems.report(
                Code::StrategyNested,
                span,
                format!("`{word}` cannot stand inside another rule"),
            );
            return None;
        }
        let Some(kind) = place.single else {
            let single = matches!(strategy, Strategy::Longest | Strategy::Max | Strategy::Min);
            if single || (composed && !matches!(strategy, Strategy::Follow { .. })) {
                self.problems.report(
                    Code::GroupStrategy,
                    span,
                    format!("`{word}` cannot decide about a group"),
                );
                return None;
            }
            return Some(());
        };
        let needs = match strategy {
            Strategy::Union if kind != FieldType::MultiSelect => "a multi_select",
            Strategy::Counter if !matches!(kind, FieldType::Number | FieldType::Integer) => {
                "a number"
            }
            Strategy::Max | Strategy::Min
                if !matches!(
                    kind,
                    FieldType::Number | FieldType::Integer | FieldType::Date | FieldType::Instant
                ) =>
            {
                "a number, date or instant"
            }
            Strategy::Longest if !matches!(kind, FieldType::Text | FieldType::Url) => "a text",
            Strategy::MostRestrictive if !place.consent => "the field of a consent",
            _ => {
                self.counts(strategy, span, place)?;
                return Some(());
            }
        };
        let of = type_name(kind);
        self.problems.report(
            Code::StrategyType,
            span,
            format!("`{word}` needs {needs}, and this field is of type {of}"),
        );
        None
    }

    /// A counter needs at least one system that says what the value was before.
    fn counts(&mut self, strategy: &Strategy, span: Span, place: &Place<'_>) -> Option<()> {
        if *strategy != Strategy::Counter || !self.sends.uncertain.is_empty() {
            return Some(());
        }
        let counted = place.members.iter().any(|field| {
            self.sends
                .before
                .iter()
                .any(|system| self.sends.sends(*system, place.kind, *field))
        });
        if !counted {
            self.problems.report(
                Code::CounterWithoutBefore,
                span,
                "no system that sends this field says what it was before",
            );
        }
        counted.then_some(())
    }
}

fn plain(word: &str) -> Option<Strategy> {
    Some(match word {
        "latest" => Strategy::Latest,
        "fill" => Strategy::Fill,
        "first" => Strategy::First,
        "most_complete" => Strategy::MostComplete,
        "longest" => Strategy::Longest,
        "max" => Strategy::Max,
        "min" => Strategy::Min,
        "union" => Strategy::Union,
        "counter" => Strategy::Counter,
        "most_restrictive" => Strategy::MostRestrictive,
        "manual" => Strategy::Manual { fallback: None },
        _ => return None,
    })
}

pub(crate) fn type_name(kind: FieldType) -> &'static str {
    FieldType::NAMES
        .iter()
        .find(|(_, k)| *k == kind)
        .map_or("text", |(name, _)| name)
}

/// A number that the shape has checked.
pub(crate) fn decimal(table: &Table, key: &str) -> Option<Decimal> {
    match &table.get(key)?.kind {
        tree::Kind::Integer(n) => Some((*n).into()),
        tree::Kind::Float(text) => text.replace('_', "").parse().ok(),
        _ => None,
    }
}
