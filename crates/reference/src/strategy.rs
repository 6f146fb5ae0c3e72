//! Who wins among the claims, strategy by strategy.

use std::cmp::Reverse;

use baton_core::{
    id::RecordKey,
    name::Name,
    rules::{OnBlank, Segment, Strategy},
    time::Millis,
    value::Value,
};

use crate::{
    case::{Case, Fact, Lock},
    claim::{Claim, Subject, best, eligible, offers},
    collect, derive, stage, trust,
};

/// What a strategy found.
#[derive(Clone, PartialEq, Debug)]
pub struct Verdict {
    /// One per member.
    pub values: Vec<Value>,
    /// None where the values are derived.
    pub winner: Option<RecordKey>,
    pub note: String,
}

impl Verdict {
    pub(crate) fn claim(claim: Claim, note: &str) -> Self {
        Self {
            values: claim.values,
            winner: Some(claim.record),
            note: note.to_owned(),
        }
    }

    pub(crate) fn derived(values: Vec<Value>, note: &str) -> Self {
        Self {
            values,
            winner: None,
            note: note.to_owned(),
        }
    }
}

/// The table that strategies look at. Stage segments narrow `claims` and `counted`.
#[derive(Clone, Debug)]
pub struct Table<'t> {
    pub case: &'t Case<'t>,
    pub facts: &'t [Fact],
    pub subject: &'t Subject,
    /// Eligible claims.
    pub claims: Vec<Claim>,
    /// Facts of the members that `counter` may count.
    pub counted: Vec<Fact>,
    /// Fields under judgement, so that a circle of rules ends.
    pub path: Vec<Name>,
}

/// The verdict on one field or group, its lock included.
#[must_use]
pub fn decide(
    case: &Case,
    facts: &[Fact],
    subject: &Subject,
    strategy: &Strategy,
    path: &[Name],
) -> Option<Verdict> {
    let mut path = path.to_vec();
    path.push(subject.name);
    let table = Table {
        case,
        facts,
        subject,
        claims: eligible(case, facts, subject),
        counted: facts
            .iter()
            .filter(|f| subject.members.contains(&f.field))
            .cloned()
            .collect(),
        path,
    };
    let mut named = vec![subject.name];
    named.extend(&subject.members);
    for name in named {
        if let Some(Lock::Source(source)) = case.locks.get(&name) {
            let only = Strategy::Only { source: *source };
            return judge(&only, &table);
        }
    }
    judge(strategy, &table)
}

/// The winner under one strategy, if it has one.
#[must_use]
pub fn judge(strategy: &Strategy, table: &Table) -> Option<Verdict> {
    let case = table.case;
    let offers = offers(&table.claims);
    let since = |claim: &Claim| case.floor(claim.time);
    match strategy {
        Strategy::Priority { sources, on_blank } => priority(table, sources, *on_blank, &offers),
        Strategy::Only { source } => {
            best(case, &of_source(&offers, *source), |_| ()).map(|c| Verdict::claim(c, "only"))
        }
        Strategy::Latest => best(case, &offers, since).map(|c| Verdict::claim(c, "latest")),
        Strategy::Fill => fill(table, &offers),
        Strategy::First => {
            let valued = without_blanks(&table.claims);
            best(case, &valued, |c| Reverse(since(c)))
                .or_else(|| best(case, &offers, |_| ()))
                .map(|c| Verdict::claim(c, "first"))
        }
        Strategy::Trust(trust) => trust::judge(table, trust, &offers),
        Strategy::MostComplete => best(case, &offers, |c| {
            c.values.iter().filter(|v| !v.is_blank()).count()
        })
        .map(|c| Verdict::claim(c, "most complete")),
        Strategy::Longest => best(case, &offers, |c| {
            c.values
                .iter()
                .map(|v| v.to_string().chars().count())
                .sum::<usize>()
        })
        .map(|c| Verdict::claim(c, "longest")),
        Strategy::Max => {
            best(case, &offers, |c| c.values.clone()).map(|c| Verdict::claim(c, "max"))
        }
        Strategy::Min => best(case, &offers, |c| {
            // A blank loses, whole or as a member: every value goes before it.
            let members: Vec<(bool, Value)> =
                c.values.iter().map(|v| (v.is_blank(), v.clone())).collect();
            Reverse(members)
        })
        .map(|c| Verdict::claim(c, "min")),
        Strategy::Union => collect::union(table),
        Strategy::Counter => collect::counter(table),
        // Consent fields never come here; on any other field the words alone decide.
        Strategy::MostRestrictive => best(case, &table.claims, |c| {
            Reverse(c.values.iter().map(crate::consent::plain_state).min())
        })
        .map(|c| Verdict::claim(c, "most restrictive")),
        Strategy::ByStage {
            segments,
            on_transition,
        } => stage::judge_by(table, segments, *on_transition),
        Strategy::Manual { fallback } => manual(table, fallback.as_ref(), &offers),
        Strategy::Derived(expr) => {
            let value = derive::evaluate(case, table.facts, expr, &table.path);
            Some(Verdict::derived(vec![value], "derived"))
        }
        Strategy::Follow { group } => derive::follow(table, *group, &offers),
    }
}

pub(crate) fn of_source(claims: &[Claim], source: Name) -> Vec<Claim> {
    claims
        .iter()
        .filter(|c| c.record.system == source)
        .cloned()
        .collect()
}

fn without_blanks(claims: &[Claim]) -> Vec<Claim> {
    claims.iter().filter(|c| !c.blank()).cloned().collect()
}

fn priority(
    table: &Table,
    sources: &[Name],
    on_blank: OnBlank,
    offers: &[Claim],
) -> Option<Verdict> {
    let mut cleared: Option<Claim> = None;
    for source in sources {
        let Some(claim) = best(table.case, &of_source(offers, *source), |_| ()) else {
            continue;
        };
        if !claim.blank() {
            return Some(Verdict::claim(claim, "priority"));
        }
        match on_blank {
            OnBlank::Clear => return Some(Verdict::claim(claim, "cleared by its source")),
            OnBlank::Fallback => {}
            OnBlank::Hold => {
                let earlier = table
                    .claims
                    .iter()
                    .rfind(|c| c.record == claim.record && c.place < claim.place && !c.blank());
                if let Some(held) = earlier {
                    return Some(Verdict::claim(held.clone(), "held after a clear"));
                }
            }
        }
        cleared = cleared.or(Some(claim));
    }
    cleared.map(|c| Verdict::claim(c, "cleared by every source"))
}

fn fill(table: &Table, offers: &[Claim]) -> Option<Verdict> {
    let case = table.case;
    let first = |record: &RecordKey| -> Option<Millis> {
        table
            .claims
            .iter()
            .filter(|c| c.record == *record && !c.blank())
            .map(|c| case.floor(c.time))
            .min()
    };
    best(case, &without_blanks(offers), |c| Reverse(first(&c.record)))
        .or_else(|| best(case, offers, |_| ()))
        .map(|c| Verdict::claim(c, "fill"))
}

fn manual(
    table: &Table,
    fallback: Option<&(i64, Box<Strategy>)>,
    offers: &[Claim],
) -> Option<Verdict> {
    let case = table.case;
    let chosen = case
        .choices
        .iter()
        .filter(|c| c.name == table.subject.name)
        .max_by_key(|c| (c.at, c.values.clone()));
    if let Some(choice) = chosen {
        return Some(Verdict {
            values: choice.values.clone(),
            winner: choice.record.clone(),
            note: "chosen by a steward".to_owned(),
        });
    }
    if let Some((wait, strategy)) = fallback {
        // The task waits since the last claim that made the records differ; exact times are not compared.
        let conflict = offers
            .iter()
            .any(|a| offers.iter().any(|b| a.values != b.values));
        let since = offers.iter().map(|c| case.floor(c.time)).max();
        if conflict && since.is_some_and(|since| case.as_of.since(since) >= *wait) {
            return judge(strategy, table);
        }
    }
    best(case, offers, |c| Reverse(case.floor(c.time)))
        .map(|c| Verdict::claim(c, "earliest, until a steward decides"))
}

/// The segment a stage belongs to.
#[must_use]
pub fn segment_of(case: &Case, segments: &[Segment], stage: Option<Name>) -> Option<usize> {
    let rank = stage.and_then(|s| case.rules.rank_of_stage(s));
    segments.iter().position(|segment| match segment.until {
        None => true,
        // No stage, and stages that are not configured, rank below all.
        Some(until) => match (rank, case.rules.rank_of_stage(until)) {
            (None, _) => true,
            (Some(rank), Some(until)) => rank < until,
            (Some(_), None) => false,
        },
    })
}
