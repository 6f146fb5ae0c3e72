//! `by_stage`: another strategy for each stretch of the funnel.

use super::{Court, Span, Turn, Verdict};
use crate::{
    claim::{Claim, Why},
    name::Name,
    rules::{OnTransition, Segment},
    time::Millis,
};

impl<'a, 's> Court<'a, 's> {
    /// Claims fall into stretches of stages; the latest stretch whose strategy has a winner supplies it, or all
    /// claims are judged under the present one.
    pub(super) fn by_stage(
        &self,
        turns: &[Turn<'a, 's>],
        segments: &[Segment],
        on_transition: OnTransition,
    ) -> Verdict<'a> {
        let quantum = self.rules.timing.quantum;
        let segment_of = |stage: Option<Name>| {
            let rank = stage.and_then(|s| self.rules.rank_of_stage(s));
            segments.iter().position(|s| {
                s.until.is_none_or(|until| {
                    rank.is_none_or(|r| self.rules.rank_of_stage(until).is_none_or(|u| r < u))
                })
            })
        };
        // Stretches in time: (from, segment). A claim belongs to the last that began strictly before it.
        let mut stretches: Vec<(Millis, Option<usize>)> =
            vec![(Millis(i64::MIN), segment_of(None))];
        for fact in self.state.stages() {
            let segment = segment_of(Some(fact.stage));
            if stretches.last().is_some_and(|(_, s)| *s != segment) {
                stretches.push((fact.time.floor(quantum), segment));
            }
        }
        let judged = |segment: Option<usize>, turns: &[Turn<'a, 's>], span: Span| {
            segment.and_then(|s| segments.get(s)).map_or_else(
                // No strategy speaks for this stage, so nobody can win in it.
                || Verdict {
                    losers: turns
                        .iter()
                        .map(|(c, bar)| ((*c).clone(), bar.unwrap_or(Why::EarlierSegment)))
                        .collect(),
                    ..Verdict::default()
                },
                |s| self.judge_among(&s.strategy, turns, span),
            )
        };
        if on_transition == OnTransition::Rejudge {
            let present = stretches.last().and_then(|(_, s)| *s);
            return judged(present, turns, Span::ALWAYS);
        }
        let mut later_losers: Vec<(Claim<'a>, Why)> = Vec::new();
        for at in (0..stretches.len()).rev() {
            let (from, segment) = stretches[at];
            let end = stretches
                .get(at + 1)
                .map_or(Millis(i64::MAX), |(end, _)| *end);
            let span = Span(from, end);
            let of_stretch: Vec<Turn<'a, 's>> = turns
                .iter()
                .filter(|(c, _)| span.holds(c.floored))
                .copied()
                .collect();
            let mut verdict = judged(segment, &of_stretch, span);
            if verdict.winner.is_some() || verdict.computed.is_some() {
                let earlier = turns.iter().filter(|(c, _)| at > 0 && c.floored <= from);
                verdict.losers.extend(
                    earlier.map(|(c, bar)| ((*c).clone(), bar.unwrap_or(Why::EarlierSegment))),
                );
                verdict.losers.extend(later_losers);
                return verdict;
            }
            later_losers.extend(verdict.losers);
        }
        Verdict {
            losers: later_losers,
            ..Verdict::default()
        }
    }
}
