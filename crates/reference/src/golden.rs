//! The golden record, field by field.

use std::collections::BTreeMap;

use baton_core::{
    name::Name,
    rules::{FieldRule, GroupRule},
};

use crate::{
    case::{Answer, Case, Fact, Lock},
    claim::Subject,
    consent,
    order::sorted,
    strategy::{Verdict, decide},
};

/// The golden value of every field that has one.
#[must_use]
pub fn golden(case: &Case) -> BTreeMap<Name, Answer> {
    let facts = sorted(case, &case.facts);
    let rules = case.rules.entity(case.kind);
    let mut names: Vec<Name> = rules.fields.keys().copied().collect();
    names.extend(rules.groups.values().flat_map(|g| g.fields.iter().copied()));
    let mut answers = BTreeMap::new();
    for name in names {
        if let Some(answer) = one(case, &facts, name, &[]) {
            answers.insert(name, answer);
        }
    }
    answers
}

/// The golden value of one field; `path` names the fields that ask for it.
pub(crate) fn one(case: &Case, facts: &[Fact], field: Name, path: &[Name]) -> Option<Answer> {
    let rules = case.rules.entity(case.kind);
    let rule = rules.fields.get(&field);
    // Consent stands above locks.
    if let Some(consent) = consent::rule_of(case, field, rule) {
        return consent::judge(case, facts, consent);
    }
    if let Some(Lock::Value(value)) = case.locks.get(&field) {
        return Some(Answer {
            value: value.clone(),
            winner: None,
            note: "locked".to_owned(),
        });
    }
    if let Some((name, group)) = group_of(case, field) {
        let at = group.fields.iter().position(|f| *f == field)?;
        let verdict = subject_verdict(case, facts, name, path)?;
        return answer(verdict, at);
    }
    answer(subject_verdict(case, facts, field, path)?, 0)
}

fn answer(verdict: Verdict, at: usize) -> Option<Answer> {
    Some(Answer {
        value: verdict.values.get(at)?.clone(),
        winner: verdict.winner,
        note: verdict.note,
    })
}

/// The group a field stands in.
#[must_use]
pub fn group_of<'c>(case: &'c Case, field: Name) -> Option<(Name, &'c GroupRule)> {
    let groups = &case.rules.entity(case.kind).groups;
    groups
        .iter()
        .find(|(_, group)| group.fields.contains(&field))
        .map(|(name, group)| (*name, group))
}

/// The verdict on a group or on a field that stands in none, by name.
pub(crate) fn subject_verdict(
    case: &Case,
    facts: &[Fact],
    name: Name,
    path: &[Name],
) -> Option<Verdict> {
    let rules = case.rules.entity(case.kind);
    if let Some(group) = rules.groups.get(&name) {
        let subject = Subject {
            name,
            members: group.fields.clone(),
            group: true,
            clear: group.clear,
            protect: group.protect_manual,
            requires: group.requires.clone(),
        };
        return decide(case, facts, &subject, &group.strategy, path);
    }
    let rule: &FieldRule = rules.fields.get(&name)?;
    let subject = Subject {
        name,
        members: vec![name],
        group: false,
        clear: rule.clear,
        protect: rule.protect_manual,
        requires: Vec::new(),
    };
    decide(case, facts, &subject, &rule.strategy, path)
}
