//! One question, one answer: what is the golden value of a field, and why.

use std::collections::BTreeSet;

use crate::{
    claim::{Claim, Claims, Eligibility, Why},
    consent,
    dependents::evaluate,
    explain::{Detail, of_verdict},
    id::RecordKey,
    name::Name,
    rejudge::Decided,
    rules::{FieldRule, FieldType, GroupRule, Rules, Strategy},
    state::{ConsentTurn, Golden, LockOn, State},
    strategy::{Court, Verdict},
    tasks::ruled_tuple,
    time::Millis,
    value::Value,
};

/// What is to be judged: a field of its own, or a group with all its members.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Subject {
    Field(Name),
    Group(Name),
}

/// The subject that decides a field.
#[must_use]
pub fn subject_of(field: Name, state: &State, rules: &Rules) -> Subject {
    rules
        .entity(state.id.kind)
        .group_of
        .get(&field)
        .map_or(Subject::Field(field), |group| Subject::Group(*group))
}

/// The golden values of a subject with their winners, and when they can next change by time alone.
#[derive(Debug, Default)]
pub struct Judgement {
    pub golden: Vec<(Name, Golden)>,
    pub until: Option<Millis>,
    /// The account of each field whose golden value changes by this.
    pub changed: Vec<(Name, crate::wire::Explanation)>,
}

/// Judges a subject. Derived and following fields read golden values, so they are judged after the others
/// (see [`dependents`]).
#[must_use]
pub(crate) fn judge(
    state: &State,
    subject: Subject,
    rules: &Rules,
    at: Millis,
    decided: &Decided,
) -> Judgement {
    // What this input has told of a field already must be told as it is in the end.
    let must_be_told = |field: Name, golden: &Golden| {
        is_news(state, field, golden) || decided.contains_key(&field)
    };
    match subject {
        Subject::Field(field) => {
            let Some(rule) = rules.entity(state.id.kind).fields.get(&field) else {
                return Judgement::default();
            };
            let verdict = field_verdict(state, field, rule, rules, at);
            let until = earliest(verdict.until, lock_end(state, field, at));
            let golden = golden_of(&verdict, 0, rules);
            let changed = must_be_told(field, &golden).then(|| {
                (
                    field,
                    of_verdict(
                        state,
                        field,
                        0,
                        &verdict,
                        &rule.strategy,
                        rules,
                        Detail::Rivals,
                    ),
                )
            });
            Judgement {
                golden: vec![(field, golden)],
                until,
                changed: changed.into_iter().collect(),
            }
        }
        Subject::Group(name) => {
            let Some(group) = rules.entity(state.id.kind).groups.get(&name) else {
                return Judgement::default();
            };
            let verdict = group_verdict(state, group, rules, at);
            let mut until = verdict.until;
            let mut judgement = Judgement::default();
            for (member, field) in group.fields.iter().enumerate() {
                until = earliest(until, lock_end(state, *field, at));
                let said = steward_said(state, group, member, &verdict, at);
                let golden = golden_of(said.as_ref().unwrap_or(&verdict), member, rules);
                if must_be_told(*field, &golden) {
                    let account = of_verdict(
                        state,
                        *field,
                        member,
                        said.as_ref().unwrap_or(&verdict),
                        &group.strategy,
                        rules,
                        Detail::Rivals,
                    );
                    judgement.changed.push((*field, account));
                }
                judgement.golden.push((*field, golden));
            }
            judgement.until = until;
            judgement
        }
    }
}

/// Whether this golden value says something else than the one known so far.
fn is_news(state: &State, field: Name, golden: &Golden) -> bool {
    state
        .golden
        .get(&field)
        .map_or(!golden.value.is_blank(), |before| {
            before.value != golden.value
        })
}

/// The verdict on a group, locks of single members aside.
#[must_use]
pub fn group_verdict<'a>(
    state: &'a State,
    group: &'a GroupRule,
    rules: &'a Rules,
    at: Millis,
) -> Verdict<'a> {
    let claims = Claims::of_group(state, group, rules);
    let court = Court {
        state,
        rules,
        claims: &claims,
        how: Eligibility {
            clear: group.clear,
            protect: group.protect_manual,
        },
        at,
        field: None,
    };
    match group.fields.iter().find_map(|f| source_lock(state, *f, at)) {
        Some(source) => court.judge(&Strategy::Only { source }),
        None => court.judge(&group.strategy),
    }
}

/// The verdict on a group as it is for one member, where a steward said something about it: a lock of the member on a
/// value, else the tuple that was chosen for a `manual` group.
#[must_use]
pub fn steward_said<'a>(
    state: &State,
    group: &GroupRule,
    member: usize,
    verdict: &Verdict<'a>,
    at: Millis,
) -> Option<Verdict<'a>> {
    let field = *group.fields.get(member)?;
    if let Some(value) = value_lock(state, field, at) {
        return Some(put_aside(verdict, value, Why::Locked));
    }
    if group
        .fields
        .iter()
        .any(|f| source_lock(state, *f, at).is_some())
    {
        return None;
    }
    let (_, tuple) = ruled_tuple(state, group)?;
    Some(put_aside(verdict, tuple.get(member)?, Why::Ruled))
}

/// A verdict in whose place a steward's word stands.
fn put_aside<'a>(verdict: &Verdict<'a>, value: &Value, why: Why) -> Verdict<'a> {
    let beaten = verdict.winner.iter().chain(&verdict.contributors);
    Verdict {
        computed: Some(value.clone()),
        losers: beaten
            .map(|claim| (claim.clone(), why))
            .chain(verdict.losers.iter().cloned())
            .collect(),
        ruled: true,
        ..Verdict::default()
    }
}

/// The verdict on one field. What the funnel says in it stands until somebody whom the rule prefers says something
/// later; locks and consent stand above that.
#[must_use]
pub fn field_verdict<'a>(
    state: &'a State,
    field: Name,
    rule: &FieldRule,
    rules: &'a Rules,
    at: Millis,
) -> Verdict<'a> {
    let verdict = unmoved_verdict(state, field, rule, rules, at);
    let word = state.funnel.as_ref().and_then(|f| f.word(field));
    let is_free = rule.consent.is_none() && state.lock(field, at).is_none();
    let Some(word) = word.filter(|_| is_free && rules.funnel.is_some()) else {
        return verdict;
    };
    let since = word.since.floor(rules.timing.quantum);
    if verdict
        .winner
        .as_ref()
        .is_some_and(|won| won.floored >= since)
    {
        return verdict;
    }
    Verdict {
        moved: true,
        ..put_aside(&verdict, &word.value, Why::Moved)
    }
}

/// The verdict on one field as its records give it: lock, consent, derived, follow, or its strategy.
fn unmoved_verdict<'a>(
    state: &'a State,
    field: Name,
    rule: &FieldRule,
    rules: &'a Rules,
    at: Millis,
) -> Verdict<'a> {
    let claims = Claims::of_field(state, field, rules);
    let how = Eligibility {
        clear: rule.clear,
        protect: rule.protect_manual,
    };
    let court = Court {
        state,
        rules,
        claims: &claims,
        how,
        at,
        field: Some(field),
    };
    // Consent stands above locks: an opt-out cannot be locked away.
    if let Some(channel) = rule.consent
        && let Some(consent_rule) = rules.consents.iter().find(|c| c.channel == channel)
    {
        return consent_verdict(state, consent_rule, rule, &claims, rules);
    }
    if let Some(value) = value_lock(state, field, at) {
        let losers = claims
            .all(how, rules)
            .map(|(_, c, bar)| (c.clone(), bar.unwrap_or(Why::Locked)))
            .collect();
        return Verdict {
            computed: Some(value.clone()),
            losers,
            ruled: true,
            ..Verdict::default()
        };
    }
    if let Some(source) = source_lock(state, field, at) {
        return court.judge(&Strategy::Only { source });
    }
    match &rule.strategy {
        Strategy::Derived(expr) => {
            let losers = claims
                .all(how, rules)
                .map(|(_, c, bar)| (c.clone(), bar.unwrap_or(Why::NotASource)))
                .collect();
            Verdict {
                computed: Some(evaluate(expr, state)),
                losers,
                ..Verdict::default()
            }
        }
        Strategy::Follow { group } => {
            let rule = rules.entity(state.id.kind).groups.get(group);
            let leader = rule.and_then(|rule| {
                chosen_record(state, *group, rule, at).or_else(|| {
                    let winner = group_verdict(state, rule, rules, at).winner;
                    winner.map(|winner| winner.record.clone())
                })
            });
            follow(&court, leader.as_ref())
        }
        strategy => court.judge(strategy),
    }
}

/// The record whose tuple a steward chose for a `manual` group.
fn chosen_record(state: &State, name: Name, group: &GroupRule, at: Millis) -> Option<RecordKey> {
    let locked = group
        .fields
        .iter()
        .any(|f| source_lock(state, *f, at).is_some());
    if locked || ruled_tuple(state, group).is_none() {
        return None;
    }
    match &state.ruling(name)?.value {
        Value::Text(record) => RecordKey::parse(record),
        _ => None,
    }
}

/// The value from the record that won the group.
fn follow<'a>(court: &Court<'a, '_>, leader: Option<&RecordKey>) -> Verdict<'a> {
    let mut verdict = Verdict::default();
    for (_, claim, bar) in court.claims.all(court.how, court.rules) {
        match bar {
            Some(why) => verdict.losers.push((claim.clone(), why)),
            None if leader == Some(claim.record) => {
                if let Some(earlier) = verdict.winner.replace(claim.clone()) {
                    verdict.losers.push((earlier, Why::Superseded));
                }
            }
            None => verdict.losers.push((claim.clone(), Why::NotASource)),
        }
    }
    verdict
}

fn consent_verdict<'a>(
    state: &'a State,
    consent_rule: &crate::rules::ConsentRule,
    rule: &FieldRule,
    claims: &Claims<'a>,
    rules: &Rules,
) -> Verdict<'a> {
    let mut turns = consent::own_turns(state, consent_rule, rules);
    turns.extend(
        state
            .shared_consent
            .iter()
            .filter(|t| t.channel == consent_rule.channel)
            .cloned(),
    );
    if turns.is_empty() {
        // Nobody said anything: whatever was seen is no statement.
        return Verdict {
            losers: claims
                .records
                .iter()
                .flat_map(|r| &r.turns)
                .map(|c| (c.clone(), Why::Invalid))
                .collect(),
            ..Verdict::default()
        };
    }
    let moved = |turn: &_| consent::address_moved(state, turn, consent_rule, rules);
    let brought_by = |record: &RecordKey| {
        let linked = state.linked(record)?;
        Some(state.provenance.get(linked).copied().unwrap_or(state.id))
    };
    let same = |a: &RecordKey, b: &RecordKey| {
        let whose = brought_by(a);
        whose.is_some() && whose == brought_by(b)
    };
    let standing = consent::standing(&turns, moved, same);
    let boolean = rule.kind == FieldType::Boolean;
    let value = if standing.because.is_empty() {
        // Every statement is answered, and nobody said anything else.
        Value::Blank
    } else {
        consent::value_of(consent_rule, standing.state, boolean)
    };
    let (mut contributors, mut losers) = (Vec::new(), Vec::new());
    for claim in claims.records.iter().flat_map(|r| &r.turns) {
        let counts = standing
            .because
            .iter()
            .any(|t| t.record == *claim.record && t.event == claim.event);
        if counts {
            contributors.push(claim.clone())
        } else {
            losers.push((claim.clone(), Why::Outranked))
        }
    }
    let own = |t: &ConsentTurn| state.linked(&t.record).is_some() && !t.steward;
    // A statement stands once for each address that it speaks of; one of them tells it.
    let mut told = BTreeSet::new();
    let mut elsewhere: Vec<_> = standing.because.into_iter().filter(|t| !own(t)).collect();
    elsewhere.retain(|t| told.insert((t.record.clone(), t.event)));
    Verdict {
        computed: Some(value),
        contributors,
        elsewhere,
        losers,
        ..Verdict::default()
    }
}

pub(crate) fn value_lock(state: &State, field: Name, at: Millis) -> Option<&Value> {
    match &state.lock(field, at)?.on {
        LockOn::Value(value) => Some(value),
        LockOn::Source(_) => None,
    }
}

fn source_lock(state: &State, field: Name, at: Millis) -> Option<Name> {
    match &state.lock(field, at)?.on {
        LockOn::Source(source) => Some(*source),
        LockOn::Value(_) => None,
    }
}

fn lock_end(state: &State, field: Name, at: Millis) -> Option<Millis> {
    state.lock(field, at)?.expires
}

pub(crate) fn earliest(a: Option<Millis>, b: Option<Millis>) -> Option<Millis> {
    a.into_iter().chain(b).min()
}

/// One member of a verdict as a golden value.
fn golden_of(verdict: &Verdict<'_>, member: usize, rules: &Rules) -> Golden {
    let rule_version = rules.version.clone();
    if let Some(value) = &verdict.computed {
        let decided = verdict.ruled || !value.is_blank() || !verdict.contributors.is_empty();
        return Golden {
            value: value.clone(),
            decided,
            rule_version,
            ..Golden::default()
        };
    }
    verdict.winner.as_ref().map_or_else(
        || Golden {
            rule_version: rules.version.clone(),
            ..Golden::default()
        },
        |winner: &Claim<'_>| Golden {
            value: winner
                .content
                .values()
                .get(member)
                .map_or(Value::Blank, |v| (*v).clone()),
            winner: Some(winner.record.clone()),
            since: Some(winner.time),
            event: Some(winner.event),
            decided: true,
            rule_version,
        },
    )
}
