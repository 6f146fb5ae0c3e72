//! Where a person stands, and what stands in the way of its next stage: for reports, and for people who ask.

use std::{collections::BTreeSet, sync::Arc};

use rust_decimal::Decimal;

use super::{
    alarm::Alarm,
    course::{Course, Guards, Trigger},
    fact::Suppression,
    fold::{Fold, Whereabouts},
    rules::{Editions, FunnelRules, Phase},
};
use crate::{book::Place, name::Name, state::State, time::Millis};

/// Where a person stands; none for whoever stands nowhere: it was merged into somebody, erased or archived, or nothing is
/// known of it.
pub(crate) fn place(state: &State) -> Option<Place> {
    let is_gone = state.merged_into.is_some() || state.erased.is_some() || state.archived;
    let here = state.funnel.as_ref().filter(|_| !is_gone)?.present();
    here.since.is_timed().then_some(Place {
        stage: here.stage,
        since: here.since,
        episode: here.episode,
    })
}

/// Something that has to change before the person goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Obstacle {
    /// So many more points, or an act that counts as much.
    Points(Decimal),
    /// Points above those of the last closing, which were these.
    NewPoints(Decimal),
    /// Something of its own doing since the last closing.
    NewEngagement,
    /// It is left alone; none: for ever.
    CoolsDown(Option<Millis>),
    /// It is not the right kind of person.
    Fit,
    Consent,
    /// It, or its account, is taken out of all marketing.
    Suppressed(BTreeSet<Suppression>),
    /// Sales has not said that it is the right time.
    NotReady,
    /// Sales has not said that they want to.
    NotWilling,
}

/// The stage that comes next by the rules, and what stands in its way. None where sales, a deal or nobody moves the
/// person on.
#[must_use]
pub fn next_stage(whereabouts: &Whereabouts, editions: &Editions) -> Option<(Name, Vec<Obstacle>)> {
    let rules = editions.at(whereabouts.now).1;
    let marks = rules.landmarks;
    let stage = whereabouts.stage;
    if rules.phase(stage) == Some(Phase::Nurtured) {
        if stage == marks.entry && !rules.nurture.holds(&whereabouts.view()) {
            return Some((marks.nurture, vec![Obstacle::Consent]));
        }
        return Some((marks.ready, to_be_ready(whereabouts, editions, rules)));
    }
    if stage != marks.ready && stage != marks.review {
        return None;
    }
    let mut missing = Vec::new();
    if whereabouts.ready != Some(true) {
        missing.push(Obstacle::NotReady);
    }
    if whereabouts.willing != Some(true) {
        missing.push(Obstacle::NotWilling);
    }
    Some((marks.accepted, missing))
}

fn to_be_ready(w: &Whereabouts, editions: &Editions, rules: &FunnelRules) -> Vec<Obstacle> {
    let guards = guards(w, editions);
    let mut found = Vec::new();
    if !w.suppressions.is_empty() {
        found.push(Obstacle::Suppressed(w.suppressions.clone()));
    }
    if !guards.fit {
        found.push(Obstacle::Fit);
    }
    if !guards.consent {
        found.push(Obstacle::Consent);
    }
    if let Some(until) = w.cooling {
        let ends = (until < Millis::NEVER).then_some(until);
        let comes_all_the_same = w.accelerated.keys().any(|kind| {
            rules.ready.acceleration.contains(kind) && rules.ready.in_cool_down.contains(kind)
        });
        if !comes_all_the_same {
            found.push(Obstacle::CoolsDown(ends));
        }
    }
    let accelerated = w.accelerated.keys();
    let is_enough = guards.earned >= rules.ready.threshold
        || accelerated
            .into_iter()
            .any(|kind| rules.ready.acceleration.contains(kind));
    if !is_enough {
        found.push(Obstacle::Points(rules.ready.threshold - guards.earned));
    }
    if let Some(line) = w.line {
        if is_enough && w.score <= line.score {
            found.push(Obstacle::NewPoints(line.score));
        }
        if w.engaged.is_none() {
            found.push(Obstacle::NewEngagement);
        }
    }
    found
}

/// What the conditions of a move see now.
#[must_use]
pub fn guards(whereabouts: &Whereabouts, editions: &Editions) -> Guards {
    folding(whereabouts, editions).guards()
}

fn folding<'e>(whereabouts: &Whereabouts, editions: &'e Editions) -> Fold<'e> {
    Fold {
        w: whereabouts.clone(),
        course: Course::default(),
        editions,
        rules: Arc::clone(editions.at(whereabouts.now).1),
        trigger: Trigger::Rules,
    }
}

/// What time does to the person next, if nothing happens before, and when.
#[must_use]
pub fn next_alarm(whereabouts: &Whereabouts, editions: &Editions) -> Option<(Millis, Alarm)> {
    folding(whereabouts, editions).alarm()
}
