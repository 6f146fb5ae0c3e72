//! `trust`: a score that decays with age; among those near the best, the earliest value.

use std::cmp::Reverse;

use rust_decimal::Decimal;

use super::{Court, Turn, Verdict, offers};
use crate::{
    claim::{Claim, Why},
    rules::{Decay, Trust},
    time::{DAY, Millis},
};

impl<'a, 's> Court<'a, 's> {
    pub(super) fn trust(&self, turns: &[Turn<'a, 's>], trust: &Trust) -> Verdict<'a> {
        let (offers, losers) = offers(turns, |_| true);
        let day = self.at.0.div_euclid(DAY);
        let candidates = |day: i64| {
            let scored: Vec<_> = offers.iter().map(|c| score(c, trust, day)).collect();
            let floor = scored.iter().max().copied().unwrap_or_default() - trust.margin;
            (scored, floor)
        };
        let winner_on = |day: i64| {
            let (scored, floor) = candidates(day);
            let among = offers
                .iter()
                .zip(&scored)
                .filter(|(_, s)| **s >= floor)
                .map(|(c, _)| *c)
                .collect();
            self.best(among, Vec::new(), |c| Some(Reverse(c.floored)))
        };
        let (scored, floor) = candidates(day);
        let below = offers.iter().zip(&scored).filter(|(_, s)| **s < floor);
        let mut losers: Vec<_> = losers
            .into_iter()
            .chain(below.map(|(c, _)| ((*c).clone(), Why::Outranked)))
            .collect();
        let mut verdict = winner_on(day);
        verdict.losers.append(&mut losers);
        // Scores stand still once every claim has reached its minimum: no need to look further.
        let longest = trust
            .sources
            .values()
            .map(|s| i64::from(s.period_days))
            .max()
            .unwrap_or(0);
        let youngest = offers
            .iter()
            .map(|c| c.floored.0.div_euclid(DAY))
            .max()
            .unwrap_or(day);
        let now = verdict.winner.as_ref().map(|w| w.record);
        let last = youngest.saturating_add(longest).saturating_add(1);
        if offers.len() > 1 {
            verdict.until = (day + 1..=last)
                .find(|d| winner_on(*d).winner.as_ref().map(|w| w.record) != now)
                .map(|d| Millis(d * DAY));
        }
        verdict
    }
}

/// Trust of a claim on a day, in exact decimals.
fn score(claim: &Claim<'_>, trust: &Trust, day: i64) -> Decimal {
    let downgrade = if claim.doubtful {
        trust.doubtful
    } else {
        Decimal::ZERO
    };
    // A source that the rule does not name has no trust at all.
    let Some(source) = trust.sources.get(&claim.record.system) else {
        return -downgrade;
    };
    let period = i64::from(source.period_days.max(1));
    let age = if claim.floored.is_timed() {
        (day - claim.floored.0.div_euclid(DAY)).clamp(0, period)
    } else {
        period
    };
    let (left, square) = (period - age, period * period);
    // Of the span between the greatest and the least trust; multiplied before it is divided, so that whole points
    // come out whole.
    let (part, of) = match source.decay {
        Decay::Linear => (left, period),
        Decay::FastThenSlow => (left * left, square),
        Decay::SlowThenFast => (square - age * age, square),
    };
    let span = source.max - source.min;
    source.min + (span * Decimal::from(part) / Decimal::from(of)).trunc_with_scale(6) - downgrade
}
