//! `by_stage`: each claim is judged by the stage the entity was in just before it.

use baton_core::{
    name::Name,
    rules::{OnTransition, Segment},
    time::Millis,
};

use crate::{
    case::Case,
    strategy::{Table, Verdict, judge, segment_of},
};

/// A stretch of time in one segment.
struct Stretch {
    /// Floored; claims strictly after it belong to this stretch. None for the time before any stage.
    after: Option<Millis>,
    segment: Option<usize>,
}

pub(crate) fn judge_present(table: &Table, segments: &[Segment]) -> Option<Verdict> {
    let present = stretches(table.case, segments).pop()?.segment?;
    judge(&segments.get(present)?.strategy, table)
}

pub(crate) fn judge_kept(table: &Table, segments: &[Segment]) -> Option<Verdict> {
    let case = table.case;
    let stretches = stretches(case, segments);
    let stretch_at = |time: Millis| {
        stretches
            .iter()
            .rposition(|s| s.after.is_none_or(|after| after < case.floor(time)))
    };
    for (nth, stretch) in stretches.iter().enumerate().rev() {
        let Some(segment) = stretch.segment.and_then(|s| segments.get(s)) else {
            continue;
        };
        let mut narrowed = table.clone();
        narrowed.claims.retain(|c| stretch_at(c.time) == Some(nth));
        narrowed.counted.retain(|f| stretch_at(f.time) == Some(nth));
        if let Some(mut verdict) = judge(&segment.strategy, &narrowed) {
            verdict.note = format!("{} (by stage)", verdict.note);
            return Some(verdict);
        }
    }
    None
}

pub(crate) fn judge_by(
    table: &Table,
    segments: &[Segment],
    on_transition: OnTransition,
) -> Option<Verdict> {
    match on_transition {
        OnTransition::Keep => judge_kept(table, segments),
        OnTransition::Rejudge => judge_present(table, segments),
    }
}

/// The entity's way through the segments; neighbouring stages of one segment are one stretch.
fn stretches(case: &Case, segments: &[Segment]) -> Vec<Stretch> {
    let mut facts = case.stages.clone();
    facts.sort_by_key(|s| (case.floor(s.time), s.time, s.position, s.stage));
    let before_all: Option<Name> = None;
    let mut stretches = vec![Stretch {
        after: None,
        segment: segment_of(case, segments, before_all),
    }];
    for fact in facts {
        let segment = segment_of(case, segments, Some(fact.stage));
        if stretches.last().is_none_or(|s| s.segment != segment) {
            stretches.push(Stretch {
                after: Some(case.floor(fact.time)),
                segment,
            });
        }
    }
    stretches
}
