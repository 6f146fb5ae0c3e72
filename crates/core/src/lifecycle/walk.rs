//! The funnel's part of every input of a person: hear, fold, carry out, tell.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    course::Course,
    funnel::Funnel,
    hearing::{Heard, Hearing, arrival},
    refused,
    setup::Setup,
    words::Words,
};
use crate::{
    absorb::with_absorbed,
    change::Outcome,
    effects::Effects,
    id::{EntityId, Kind, Position},
    input::{Input, StewardAct},
    name::Name,
    rules::Rules,
    state::{StageFact, State},
    time::Millis,
};

/// More facts and deeds than these are looked at for what lies beyond the horizon.
const MANY: usize = 64;

/// Stages and what conditions read depend on each other along time only, so each round settles at least one moment
/// more; hardly any person needs a second.
const ROUNDS: usize = 16;

/// What an input came to in the funnel.
#[derive(Debug, Default)]
pub struct Walked {
    /// What became of an input that is nothing but a fact of the funnel.
    pub outcome: Option<Outcome>,
    /// It was such a fact, which was known, and nothing fell due: there is nothing to record.
    pub is_repeat: bool,
    /// Fields that must be judged again: what they are told has changed, or the stage that their rules go by.
    pub touched: BTreeSet<Name>,
}

/// Takes an input through the funnel, after the fields that it touched were judged. Does nothing where there is no
/// funnel, and to what is no person.
pub(crate) fn walk(
    state: &mut State,
    input: &Input,
    touched: &BTreeSet<Name>,
    rules: &Rules,
    at: Millis,
    effects: &mut Effects,
) -> Walked {
    let mut walked = Walked::default();
    let Some(setup) = rules.funnel.as_deref() else {
        return walked;
    };
    if state.id.kind != Kind::Person || state.merged_into.is_some() {
        return walked;
    }
    let is_stranger = state.links.is_empty();
    let is_told = matches!(input, Input::Change(_) | Input::Heard { .. });
    if is_stranger && (state.erased.is_some() || !is_told) {
        return walked;
    }
    let mut funnel = match state.funnel.take() {
        Some(funnel) => funnel,
        None => Box::new(Funnel::new(state.id, &setup.editions)),
    };
    let next = funnel.present().next;
    let came = arrival(input).map_or(at, |came| came.min(at));
    let time = (at, came);
    let heard = listen(state, &mut funnel, setup, rules, time, |hearing| {
        hearing.hear(input, touched);
    });
    walked.outcome = heard.outcome;
    if is_stranger {
        // It is remembered, for when it is known who that is.
        funnel.forget_facts_before(at.minus(rules.timing.horizon), MANY);
        state.funnel = (!funnel.is_silent()).then_some(funnel);
        walked.is_repeat = heard.outcome == Some(Outcome::Duplicate);
        return walked;
    }
    let is_due = next.is_some_and(|next| next <= at);
    if let Input::Answer(answer) = input {
        effects.refuses_handoff = refused::refuses(state, &funnel, setup, answer);
    }
    let is_moved = matches!(
        input,
        Input::Absorb(_) | Input::Steward(StewardAct::Unmerge { .. } | StewardAct::Rejudge)
    );
    let is_met = funnel.is_of_stranger();
    if !(heard.news || is_due || is_moved || is_met) || funnel.is_silent() {
        // Whoever nothing was ever heard of has no funnel.
        state.funnel = (!funnel.is_silent()).then_some(funnel);
        walked.is_repeat = heard.outcome == Some(Outcome::Duplicate);
        return walked;
    }
    let by_stage = rules.entity(state.id.kind).by_stage();
    let listens: BTreeSet<Name> = setup.listens().filter(|f| by_stage.contains(f)).collect();
    let (mut now, mut course) = funnel.course(&setup.editions, at);
    for _ in 0..ROUNDS {
        let Some(since) = note_stages(state, &course, &funnel) else {
            break;
        };
        walked.touched.extend(&by_stage);
        // What was said later was judged by another stage than it should have been.
        let heard_later = since < funnel.heard_until();
        let news = heard_later
            && listen(state, &mut funnel, setup, rules, time, |hearing| {
                hearing.again(&listens, None);
            })
            .news;
        if !news {
            break;
        }
        (now, course) = funnel.course(&setup.editions, at);
    }
    let before = funnel.present().words.clone();
    let deeds = funnel.carry_out(&now, &course, at);
    let told = &funnel.present().words;
    walked.touched.extend(changed(&before, told));
    state.funnel = Some(funnel);
    // Before anything is sealed: they tell of the facts that brought them about.
    for deed in &deeds {
        effects.deed(state, deed, setup);
    }
    if let Some(funnel) = state.funnel.as_deref_mut() {
        seal_when_long(funnel, setup, rules, at);
    }
    walked
}

fn listen(
    state: &State,
    funnel: &mut Funnel,
    setup: &Setup,
    rules: &Rules,
    (at, came): (Millis, Millis),
    hear: impl FnOnce(&mut Hearing<'_>),
) -> Heard {
    let mut hearing = Hearing {
        state,
        funnel,
        setup,
        rules,
        at,
        came,
        heard: Heard::default(),
    };
    hear(&mut hearing);
    hearing.heard
}

/// The funnel of somebody who became this person goes with it.
pub(crate) fn absorb(state: &mut State, other: &State, rules: &Rules, at: Millis) {
    let Some(setup) = rules.funnel.as_deref() else {
        return;
    };
    let Some(theirs) = other.funnel.as_deref().cloned() else {
        return;
    };
    if other.id == state.id {
        // Its own again, after an unmerge.
        state.funnel = Some(Box::new(theirs));
        return;
    }
    let mut own = match state.funnel.take() {
        Some(own) => own,
        None => Box::new(Funnel::new(state.id, &setup.editions)),
    };
    own.absorb(theirs, at, &setup.editions);
    state.funnel = Some(own);
}

/// Takes out of a funnel what came from somebody who was merged into the person.
pub(crate) fn split(
    state: &mut State,
    from: EntityId,
    rules: &Rules,
    at: Millis,
) -> Option<Box<Funnel>> {
    let setup = rules.funnel.as_deref()?;
    let together = with_absorbed(state, from);
    let funnel = state.funnel.as_deref_mut()?;
    let mut out = funnel.split(from, at, &setup.editions)?;
    // Whoever had been merged into it before goes with it.
    for earlier in together.into_iter().filter(|id| *id != from) {
        if let Some(part) = funnel.split(earlier, at, &setup.editions) {
            out.absorb(part, at, &setup.editions);
        }
    }
    Some(Box::new(out))
}

/// The stages that other rules go by are those of the funnel. Since when they are not what they were.
fn note_stages(state: &mut State, course: &Course, funnel: &Funnel) -> Option<Millis> {
    let sealed = funnel.sealed_until();
    let known = state.stages.iter().filter(|fact| fact.time <= sealed);
    let mut stages: BTreeSet<StageFact> = known.cloned().collect();
    // Of several moves at one instant the last one counts for whatever comes later.
    let moves: BTreeMap<Millis, Name> = course.steps.iter().map(|s| (s.at, s.to)).collect();
    stages.extend(moves.into_iter().map(|(time, stage)| StageFact {
        time,
        position: Position::default(),
        stage,
    }));
    let moved = state.stages.symmetric_difference(&stages);
    let since = moved.map(|fact| fact.time).min();
    state.stages = stages;
    since
}

fn changed(before: &Words, now: &Words) -> Vec<Name> {
    let gone = before.keys().filter(|field| !now.contains_key(*field));
    let said = now
        .iter()
        .filter(|(field, word)| before.get(*field) != Some(*word));
    said.map(|(field, _)| *field).chain(gone.copied()).collect()
}

fn seal_when_long(funnel: &mut Funnel, setup: &Setup, rules: &Rules, at: Millis) {
    let before = at
        .minus(rules.timing.horizon)
        .floor(rules.timing.quantum)
        .minus(rules.timing.quantum);
    if funnel.is_long(before, MANY) {
        funnel.seal(before, &setup.editions);
    }
}
