//! `trust`: scores that decay with age.

use std::cmp::Reverse;

use baton_core::rules::{Decay, Trust};
use rust_decimal::Decimal;

use crate::{
    claim::{Claim, best},
    order::day,
    strategy::{Table, Verdict},
};

pub(crate) fn judge(table: &Table, trust: &Trust, offers: &[Claim]) -> Option<Verdict> {
    let case = table.case;
    let scores: Vec<i128> = offers.iter().map(|c| score(table, trust, c)).collect();
    let top = scores.iter().max()?;
    let margin = millionths(trust.margin);
    let close: Vec<Claim> = offers
        .iter()
        .zip(&scores)
        .filter(|(_, score)| **score >= top - margin)
        .map(|(claim, _)| claim.clone())
        .collect();
    best(case, &close, |c| Reverse(case.floor(c.time))).map(|c| Verdict::claim(c, "trust"))
}

/// In millionths of a point; fractions of those are dropped.
fn score(table: &Table, trust: &Trust, claim: &Claim) -> i128 {
    let downgrade = if claim.doubtful {
        millionths(trust.doubtful)
    } else {
        0
    };
    // A source that the rule does not name has no trust at all.
    let Some(source) = trust.sources.get(&claim.record.system) else {
        return -downgrade;
    };
    let (max, min) = (millionths(source.max), millionths(source.min));
    let period = i128::from(source.period_days.max(1));
    let age = day(table.case.as_of) - day(table.case.floor(claim.time));
    let age = i128::from(age).clamp(0, period);
    let span = max - min;
    let left = match source.decay {
        Decay::Linear => span * (period - age) / period,
        Decay::FastThenSlow => span * (period - age) * (period - age) / (period * period),
        Decay::SlowThenFast => span * (period * period - age * age) / (period * period),
    };
    min + left - downgrade
}

fn millionths(points: Decimal) -> i128 {
    let scaled = (points * Decimal::from(1_000_000)).trunc();
    scaled.mantissa() / 10_i128.pow(scaled.scale())
}
