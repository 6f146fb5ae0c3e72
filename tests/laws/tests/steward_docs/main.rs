//! The stewards' pages cannot lie: every example in them is played through the engine, and what the page says comes
//! of it must come of it.

mod page;
mod play;

use std::{collections::BTreeSet, fs, path::Path};

use baton_core::rules::{
    ClearPolicy, Decay, DeletePolicy, EntityRules, OnBlank, OnTransition, Rules, Strategy,
};
use page::{Example, examples};

/// Pages whose every `toml` block is an example with events and an outcome.
const PAGES: [&str; 3] = ["rules.md", "modifiers.md", "consent.md"];

fn read(page: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/stewards")
        .join(page);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn all() -> Vec<(&'static str, Example)> {
    PAGES
        .iter()
        .flat_map(|page| {
            let found = examples(&read(page)).unwrap_or_else(|why| panic!("{page}: {why}"));
            found.into_iter().map(move |example| (*page, example))
        })
        .collect()
}

#[test]
fn every_example_of_the_stewards_pages_comes_out_as_the_page_says() {
    let mut wrong = Vec::new();
    let all = all();
    assert!(all.len() > 20, "only {} examples found", all.len());
    for (page, example) in &all {
        match play::play(example) {
            Ok(problems) => {
                for problem in problems {
                    wrong.push(format!("{page}, \"{}\": {problem}", example.title));
                }
            }
            Err(why) => wrong.push(format!("{page}, \"{}\": {why}", example.title)),
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn an_outcome_that_does_not_come_about_is_noticed() {
    let text = "## x\n\n```toml\n[person.fields.title]\nrule = \"latest\"\n```\n\n\
        | time | system | cause | field | value |\n| --- | --- | --- | --- | --- |\n\
        | 2026-03-02 09:00 | crm | manual_edit | title | CEO |\n\n\
        Outcome:\n\n- `title` is `CTO`, from `crm`.\n- `title` is `CEO`, from `map`.\n- `title` is blank.\n\
        - `map` is sent nothing.\n- `title`: `CEO` of `crm` loses: somebody else.\n";
    let found = examples(text).expect("readable");
    let problems = play::play(&found[0]).expect("playable");
    assert_eq!(problems.len(), 5, "{problems:#?}");
}

#[test]
fn an_outcome_that_cannot_be_read_is_an_error() {
    let text = "## x\n\n```toml\n[person.fields.title]\n```\n\n\
        | time | system | cause | field | value |\n| --- | --- | --- | --- | --- |\n\
        | 2026-03-02 09:00 | crm | manual_edit | title | CEO |\n\nOutcome:\n\n- all is well.\n";
    assert!(examples(text).is_err());
}

/// Every rule and modifier that stands in an example, by name. The matches name every variant, so that a new one
/// does not compile until somebody decides how stewards read of it.
#[test]
fn every_rule_and_modifier_has_an_example() {
    let mut seen: BTreeSet<&'static str> = BTreeSet::new();
    for (page, example) in all() {
        let rules = play::rules_of(&example).unwrap_or_else(|why| panic!("{page}: {why}"));
        note(&rules, &mut seen);
    }
    let wanted: BTreeSet<&'static str> = WANTED.into_iter().collect();
    let missing: Vec<_> = wanted.difference(&seen).collect();
    assert!(missing.is_empty(), "no example shows {missing:?}");
}

const WANTED: [&str; 37] = [
    "priority",
    "on_blank clear",
    "on_blank fallback",
    "on_blank hold",
    "only",
    "latest",
    "fill",
    "first",
    "trust",
    "linear",
    "fast_then_slow",
    "slow_then_fast",
    "margin",
    "doubtful",
    "most_complete",
    "longest",
    "max",
    "min",
    "union",
    "counter",
    "most_restrictive",
    "by_stage",
    "keep",
    "rejudge",
    "manual",
    "manual with a fallback",
    "derived",
    "follow",
    "clear propagate",
    "clear propagate_if_manual",
    "clear ignore",
    "clear hold",
    "protect_manual_for",
    "requires",
    "sentinels",
    "group",
    "detach",
];

fn note(rules: &Rules, seen: &mut BTreeSet<&'static str>) {
    let EntityRules { fields, groups, .. } = &rules.person;
    for field in fields.values() {
        note_strategy(&field.strategy, seen);
        note_clear(field.clear, seen);
        if field.protect_manual.is_some() {
            seen.insert("protect_manual_for");
        }
        if !field.sentinels.is_empty() {
            seen.insert("sentinels");
        }
    }
    for group in groups.values() {
        seen.insert("group");
        note_strategy(&group.strategy, seen);
        note_clear(group.clear, seen);
        if group.protect_manual.is_some() {
            seen.insert("protect_manual_for");
        }
        if !group.requires.is_empty() {
            seen.insert("requires");
        }
    }
    for system in rules.systems.values() {
        seen.insert(match system.delete {
            DeletePolicy::Flag => "flag",
            DeletePolicy::Propagate => "propagate",
            DeletePolicy::Detach => "detach",
        });
    }
}

fn note_clear(clear: ClearPolicy, seen: &mut BTreeSet<&'static str>) {
    seen.insert(match clear {
        ClearPolicy::Propagate => "clear propagate",
        ClearPolicy::PropagateIfManual => "clear propagate_if_manual",
        ClearPolicy::Ignore => "clear ignore",
        ClearPolicy::Hold => "clear hold",
    });
}

fn note_strategy(strategy: &Strategy, seen: &mut BTreeSet<&'static str>) {
    let name = match strategy {
        Strategy::Priority { on_blank, .. } => {
            seen.insert(match on_blank {
                OnBlank::Clear => "on_blank clear",
                OnBlank::Fallback => "on_blank fallback",
                OnBlank::Hold => "on_blank hold",
            });
            "priority"
        }
        Strategy::Only { .. } => "only",
        Strategy::Latest => "latest",
        Strategy::Fill => "fill",
        Strategy::First => "first",
        Strategy::Trust(trust) => {
            if !trust.margin.is_zero() {
                seen.insert("margin");
            }
            if !trust.doubtful.is_zero() {
                seen.insert("doubtful");
            }
            for source in trust.sources.values() {
                seen.insert(match source.decay {
                    Decay::Linear => "linear",
                    Decay::FastThenSlow => "fast_then_slow",
                    Decay::SlowThenFast => "slow_then_fast",
                });
            }
            "trust"
        }
        Strategy::MostComplete => "most_complete",
        Strategy::Longest => "longest",
        Strategy::Max => "max",
        Strategy::Min => "min",
        Strategy::Union => "union",
        Strategy::Counter => "counter",
        Strategy::MostRestrictive => "most_restrictive",
        Strategy::ByStage {
            segments,
            on_transition,
        } => {
            for segment in segments {
                note_strategy(&segment.strategy, seen);
            }
            seen.insert(match on_transition {
                OnTransition::Keep => "keep",
                OnTransition::Rejudge => "rejudge",
            });
            "by_stage"
        }
        Strategy::Manual { fallback: None } => "manual",
        Strategy::Manual {
            fallback: Some((_, then)),
        } => {
            note_strategy(then, seen);
            "manual with a fallback"
        }
        Strategy::Derived(_) => "derived",
        Strategy::Follow { .. } => "follow",
    };
    seen.insert(name);
}
