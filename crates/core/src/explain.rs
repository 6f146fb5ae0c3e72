//! Why a value is what it is (L16), for people and for the decisions topic.

use std::fmt::Write as _;

use crate::{
    claim::{Claim, Claims, Eligibility},
    judge::{Subject, field_verdict, subject_of},
    name::Name,
    rules::{OnBlank, Rules, Strategy},
    state::{IntentEnd, State},
    strategy::{Court, Verdict},
    time::Millis,
    value::Value,
    wire::{ClaimView, Explanation, Loser, WrittenView},
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
            of_verdict(state, field, 0, &verdict, &rule.strategy, rules)
        }
        Subject::Group(name) => {
            let group = entity.groups.get(&name)?;
            let member = group.fields.iter().position(|f| *f == field)?;
            let claims = Claims::of_group(state, group, rules);
            let how = Eligibility {
                clear: group.clear,
                protect: group.protect_manual,
            };
            let court = Court {
                state,
                rules,
                claims: &claims,
                how,
                at,
                field: None,
            };
            of_verdict(
                state,
                field,
                member,
                &court.judge(&group.strategy),
                &group.strategy,
                rules,
            )
        }
    };
    explanation.value = state.golden_value(field).to_json();
    if let Some(lock) = state.lock(field, at) {
        explanation.rule = format!("locked by a steward: {}", lock.reason);
    }
    explanation.written = written(state, field);
    Some(explanation)
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
) -> Explanation {
    let value = verdict.computed.clone().or_else(|| {
        verdict
            .winner
            .as_ref()
            .and_then(|w| w.content.values().get(member).map(|v| (*v).clone()))
    });
    let view = |claim: &Claim<'_>| view(claim, member);
    Explanation {
        field: field.to_string(),
        value: value.unwrap_or_default().to_json(),
        stage: state.stages().last().map(|s| s.stage.to_string()),
        rule: describe(strategy),
        rule_version: rules.version.to_string(),
        winner: verdict
            .winner
            .as_ref()
            .filter(|_| verdict.computed.is_none())
            .map(view),
        contributors: verdict.contributors.iter().map(view).collect(),
        losers: verdict
            .losers
            .iter()
            .map(|(claim, why)| Loser {
                claim: view(claim),
                reason: why.as_str().to_owned(),
            })
            .collect(),
        written: Vec::new(),
    }
}

fn view(claim: &Claim<'_>, member: usize) -> ClaimView {
    ClaimView {
        system: claim.record.system.to_string(),
        object: claim.record.object.to_string(),
        id: claim.record.id.to_string(),
        value: claim
            .content
            .values()
            .get(member)
            .map_or(serde_json::Value::Null, |v| v.to_json()),
        time: claim.time.to_string(),
        cause: claim.cause.as_str().to_owned(),
        event_id: claim.event.to_string(),
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
                system: record.system.to_string(),
                object: record.object.to_string(),
                id: record.id.to_string(),
                value: value.to_json(),
                time: intent.sent.to_string(),
                outcome: outcome.to_owned(),
            });
        }
    }
    views.sort_by(|a, b| a.time.cmp(&b.time));
    views
}

/// A strategy in a steward's words.
#[must_use]
pub fn describe(strategy: &Strategy) -> String {
    match strategy {
        Strategy::Priority { sources, on_blank } => {
            let sources: Vec<_> = sources.iter().map(|s| s.as_str()).collect();
            let blank = match on_blank {
                OnBlank::Clear => "",
                OnBlank::Fallback => ", the next one where it is blank",
                OnBlank::Hold => ", its last value where it was cleared",
            };
            format!("priority [{}]{blank}", sources.join(", "))
        }
        Strategy::Only { source } => format!("only {source}"),
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
            text
        }
        Strategy::Manual { .. } => "manual".into(),
        Strategy::Derived(_) => "derived".into(),
        Strategy::Follow { group } => format!("follow {group}"),
    }
}
