//! Why a value is what it is (L16), for people and for the decisions topic.

use std::{borrow::Cow, fmt::Write as _};

use crate::{
    change::Cause,
    claim::{Claim, Why},
    judge::{Subject, field_verdict, group_verdict, steward_said, subject_of},
    name::Name,
    rules::{OnBlank, Rules, Strategy},
    state::{ConsentTurn, IntentEnd, State},
    strategy::Verdict,
    time::Millis,
    value::Value,
    wire::{ClaimView, Explanation, Loser, Shown, WrittenView},
};

/// The whole account of one field: winner or contributors, every loser with its reason, and what was written where.
/// None if the rules do not know the field.
#[must_use]
pub fn explain(state: &State, rules: &Rules, field: Name, at: Millis) -> Option<Explanation> {
    let entity = rules.entity(state.id.kind);
    let mut explanation = match subject_of(field, state, rules) {
        Subject::Field(field) => {
            let rule = entity.fields.get(&field)?;
            let verdict = field_verdict(state, field, rule, rules, at);
            of_verdict(
                state,
                field,
                0,
                &verdict,
                &rule.strategy,
                rules,
                Detail::Every,
            )
        }
        Subject::Group(name) => {
            let group = entity.groups.get(&name)?;
            let member = group.fields.iter().position(|f| *f == field)?;
            let verdict = group_verdict(state, group, rules, at);
            let said = steward_said(state, group, member, &verdict, at);
            of_verdict(
                state,
                field,
                member,
                said.as_ref().unwrap_or(&verdict),
                &group.strategy,
                rules,
                Detail::Every,
            )
        }
    };
    explanation.value = Shown(state.golden_value(field).clone());
    if let Some(lock) = state.lock(field, at) {
        explanation.rule = format!("locked by a steward: {}", lock.reason).into();
    }
    explanation.written = written(state, field);
    Some(explanation)
}

/// How many of the losers an account names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// Every turn that did not win.
    Every,
    /// Only what could have won: not the earlier values of records that have newer ones. Decisions are published
    /// for every change, and would grow with every edit ever made.
    Rivals,
}

/// The account of a verdict just taken, without the deliveries.
#[must_use]
pub fn of_verdict(
    state: &State,
    field: Name,
    member: usize,
    verdict: &Verdict<'_>,
    strategy: &Strategy,
    rules: &Rules,
    detail: Detail,
) -> Explanation {
    let value = verdict.computed.clone().or_else(|| {
        verdict
            .winner
            .as_ref()
            .and_then(|w| w.content.values().get(member).map(|v| (*v).clone()))
    });
    let view = |claim: &Claim<'_>| view(claim, member);
    Explanation {
        field,
        value: Shown(value.unwrap_or_default()),
        stage: state.stages().last().map(|s| s.stage),
        rule: if verdict.moved {
            "the funnel".into()
        } else {
            describe(strategy)
        },
        rule_version: rules.version.clone(),
        winner: verdict
            .winner
            .as_ref()
            .filter(|_| verdict.computed.is_none())
            .map(view),
        contributors: (verdict.contributors.iter().map(view))
            .chain(verdict.elsewhere.iter().map(|turn| stated(turn, verdict)))
            .collect(),
        losers: verdict
            .losers
            .iter()
            .filter(|(_, why)| detail == Detail::Every || *why != Why::Superseded)
            .map(|(claim, why)| Loser {
                claim: view(claim),
                reason: why.as_str().into(),
            })
            .collect(),
        written: Vec::new(),
    }
}

fn view(claim: &Claim<'_>, member: usize) -> ClaimView {
    ClaimView {
        system: claim.record.system,
        object: claim.record.object,
        id: claim.record.id.clone(),
        value: Shown(
            claim
                .content
                .values()
                .get(member)
                .map_or(Value::Blank, |v| (*v).clone()),
        ),
        time: claim.time,
        cause: claim.cause,
        event_id: claim.event,
    }
}

/// A statement about an address that somebody else's record, or a steward, made.
fn stated(turn: &ConsentTurn, verdict: &Verdict<'_>) -> ClaimView {
    ClaimView {
        system: turn.record.system,
        object: turn.record.object,
        id: turn.record.id.clone(),
        value: Shown(verdict.computed.clone().unwrap_or_default()),
        time: turn.time,
        cause: match (turn.steward, turn.own_act) {
            (true, _) => Cause::ManualEdit,
            (false, true) => Cause::OwnForm,
            (false, false) => Cause::Unknown,
        },
        event_id: turn.event,
    }
}

fn written(state: &State, field: Name) -> Vec<WrittenView> {
    let mut views = Vec::new();
    for (record, delivery) in &state.deliveries {
        for intent in &delivery.intents {
            let Some(written) = intent.fields.get(&field) else {
                continue;
            };
            let outcome = match intent.end {
                _ if written.refused => "refused",
                IntentEnd::Pending => "pending",
                IntentEnd::Done => "done",
                IntentEnd::Refused => "refused",
                IntentEnd::Unknown => "unknown",
            };
            let value: &Value = written.answered.as_ref().unwrap_or(&written.value);
            views.push(WrittenView {
                system: record.system,
                object: record.object,
                id: record.id.clone(),
                value: Shown(value.clone()),
                time: intent.sent,
                outcome: outcome.into(),
            });
        }
    }
    views.sort_by_key(|view| view.time);
    views
}

/// A strategy in a steward's words.
#[must_use]
pub fn describe(strategy: &Strategy) -> Cow<'static, str> {
    match strategy {
        Strategy::Priority { sources, on_blank } => {
            let sources: Vec<_> = sources.iter().map(|s| s.as_str()).collect();
            let blank = match on_blank {
                OnBlank::Clear => "",
                OnBlank::Fallback => ", the next one where it is blank",
                OnBlank::Hold => ", its last value where it was cleared",
            };
            format!("priority [{}]{blank}", sources.join(", ")).into()
        }
        Strategy::Only { source } => format!("only {source}").into(),
        Strategy::Latest => "latest".into(),
        Strategy::Fill => "fill".into(),
        Strategy::First => "first".into(),
        Strategy::Trust(_) => "trust".into(),
        Strategy::MostComplete => "most_complete".into(),
        Strategy::Longest => "longest".into(),
        Strategy::Max => "max".into(),
        Strategy::Min => "min".into(),
        Strategy::Union => "union".into(),
        Strategy::Counter => "counter".into(),
        Strategy::MostRestrictive => "most_restrictive".into(),
        Strategy::ByStage { segments, .. } => {
            let mut text = String::from("by_stage:");
            for segment in segments {
                let _ = match segment.until {
                    Some(until) => write!(text, " until {until} {};", describe(&segment.strategy)),
                    None => write!(text, " then {}", describe(&segment.strategy)),
                };
            }
            text.into()
        }
        Strategy::Manual { .. } => "manual".into(),
        Strategy::Derived(_) => "derived".into(),
        Strategy::Follow { group } => format!("follow {group}").into(),
    }
}
