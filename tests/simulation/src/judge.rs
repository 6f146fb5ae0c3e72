//! What must be true when everything is at rest.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    apply::apply,
    book::{LedgerRow, OutBody, ParkedCode},
    change::Outcome,
    id::{EntityId, Kind, RecordKey},
    input::{Input, StewardAct},
    name::Name,
    state::{CommandKind, State},
    time::{Millis, SECOND},
    value::Value,
    wire::{Command, GoldenMessage},
};
use baton_laws::closed_loop::{CRM, MAP, Rest, Sent, by_the_truth, compare, seats};
use baton_sandbox::{By, What};
use baton_store::{LedgerSeq, OutboxSeq, StewardState};

use crate::{
    chance::Mishap,
    funnel,
    plan::CONSENT,
    world::{World, look},
};

const ALL: u32 = 1_000_000;

/// Everything that is wrong.
#[must_use]
pub fn judge(world: &World<'_>) -> Vec<String> {
    let ledger: Vec<LedgerRow> = look(world.store.ledger_page(LedgerSeq::default(), ALL))
        .into_iter()
        .map(|entry| entry.row)
        .collect();
    let stored: BTreeMap<EntityId, State> = Kind::ALL
        .into_iter()
        .flat_map(|kind| look(world.store.entities_page(kind, None, ALL)))
        .map(|state| (state.id, state))
        .collect();
    let mut wrong = Vec::new();
    watched_laws(world, &mut wrong);
    at_rest(world, &stored, &mut wrong);
    let sent = replayed(world, &ledger, &stored, &mut wrong);
    nothing_moves_twice(world, &ledger, &stored, &mut wrong);
    all_is_counted(world, &mut wrong);
    commands_are_what_they_are(world, &mut wrong);
    golden_without_gap(world, &stored, &mut wrong);
    people(world, &ledger, &stored, &sent, &mut wrong);
    opt_outs_stand(world, &stored, &mut wrong);
    funnel::judge(world, &stored, &mut wrong);
    wrong
}

/// L2–L6, L8, L11, L14–L16, as the engine watches them itself.
fn watched_laws(world: &World<'_>, wrong: &mut Vec<String>) {
    for (law, count) in world.metrics.violations() {
        if count > 0 {
            wrong.push(format!(
                "{law}: the engine itself found it broken {count} times"
            ));
        }
    }
}

fn at_rest(world: &World<'_>, stored: &BTreeMap<EntityId, State>, wrong: &mut Vec<String>) {
    let outbox = look(world.store.outbox_page(OutboxSeq::default(), ALL));
    if !outbox.is_empty() {
        wrong.push(format!(
            "{} messages wait in the outbox for ever",
            outbox.len()
        ));
    }
    for state in stored.values() {
        if state.wake.is_some_and(|at| at <= world.now) {
            wrong.push(format!("{} has a timer that nobody carries out", state.id));
        }
    }
    let letters = look(world.store.dead_letters(StewardState::Open, None, ALL));
    if !letters.is_empty() {
        wrong.push(format!("{} messages became dead letters", letters.len()));
    }
}

/// L10: the ledger, played again, gives the live state. Returns what was sent, with golden as it was then.
fn replayed(
    world: &World<'_>,
    ledger: &[LedgerRow],
    stored: &BTreeMap<EntityId, State>,
    wrong: &mut Vec<String>,
) -> BTreeMap<EntityId, Vec<Sent>> {
    let on_the_log: BTreeSet<String> = commands(world)
        .into_iter()
        .map(|command| command.command_id)
        .collect();
    let mut states: BTreeMap<EntityId, State> = BTreeMap::new();
    let mut sent: BTreeMap<EntityId, Vec<Sent>> = BTreeMap::new();
    for row in ledger {
        let state = states
            .entry(row.entity)
            .or_insert_with(|| State::new(row.entity));
        let transition = apply(state, &row.input, &world.active.rules, row.at);
        if transition.outcome != row.outcome {
            wrong.push(format!(
                "L10: an input of {} is {:?} when replayed, and was {:?}",
                row.entity, transition.outcome, row.outcome
            ));
        }
        let golden: BTreeMap<Name, Value> = state
            .golden
            .iter()
            .map(|(name, golden)| (*name, golden.value.clone()))
            .collect();
        for message in transition.effects.messages {
            if let OutBody::Command(command) = message.body
                && on_the_log.contains(&command.command_id)
            {
                sent.entry(row.entity).or_default().push(Sent {
                    at: row.at,
                    command,
                    golden: golden.clone(),
                });
            }
        }
    }
    for (id, state) in stored {
        if states.get(id) != Some(state) {
            wrong.push(format!(
                "L10: replaying the ledger of {id} gives another state"
            ));
        }
    }
    sent
}

/// L2: every change that was taken in, once more, has no effect.
fn nothing_moves_twice(
    world: &World<'_>,
    ledger: &[LedgerRow],
    stored: &BTreeMap<EntityId, State>,
    wrong: &mut Vec<String>,
) {
    for row in ledger {
        // What was said of somebody who went into another is that one's since.
        let mut holder = stored.get(&row.entity);
        while let Some(winner) = holder.and_then(|state| state.merged_into) {
            holder = stored.get(&winner);
        }
        let (Input::Change(change), Some(state)) = (&row.input, holder) else {
            continue;
        };
        let mut again = state.clone();
        let transition = apply(&mut again, &row.input, &world.active.rules, world.now);
        if !transition.effects.changed.is_empty() || !transition.effects.messages.is_empty() {
            wrong.push(format!(
                "L2: event {} of {} once more has an effect",
                change.event, row.entity
            ));
        }
    }
}

/// L15: every message was settled, and counted once for each time that it was read.
fn all_is_counted(world: &World<'_>, wrong: &mut Vec<String>) {
    let counts = world.counts;
    for topic in world.active.topics.consumed() {
        let topics = world.log.topics();
        for place in topics.places(&topic) {
            let found = topics.found(&place);
            let incarnation = found.first.map(|first| first.0.to_string());
            let reached = world.reached.iter().find(|((topic, partition, of), _)| {
                (topic, *partition) == (&place.0, place.1) && Some(of) == incarnation.as_ref()
            });
            let reached = reached.map_or(0, |(_, next)| *next);
            if reached != found.end {
                wrong.push(format!(
                    "L15: {topic}/{} was settled up to {reached}, and ends at {}",
                    place.1, found.end
                ));
            }
        }
    }
    let settled = world.reached.values().sum::<i64>().unsigned_abs();
    let again = counts.messages > settled && world.read_again;
    if counts.messages != settled && !again {
        wrong.push(format!(
            "L15: {} messages were counted, {settled} were settled (read again: {})",
            counts.messages, world.read_again
        ));
    }
    // What the workers counted is lost with a worker, and with the answer to a commit.
    let lossy = [Mishap::Crash, Mishap::AnswerLost, Mishap::StoreRestored];
    let dice = world.chance.dice();
    if lossy.iter().any(|mishap| dice.mishaps.contains_key(mishap)) {
        return;
    }
    let told = world.metrics.totals();
    for (outcome, count) in [
        (Outcome::Applied, counts.applied),
        (Outcome::Parked, counts.parked),
        (Outcome::Late, counts.late),
        (Outcome::Duplicate, counts.duplicate),
        (Outcome::Noop, counts.noop),
        (Outcome::DeadLettered, counts.dead_lettered),
    ] {
        let told = told.get(&outcome).copied().unwrap_or_default();
        if told != count {
            wrong.push(format!(
                "L15: {told} changes are told as {outcome:?}, {count} are stored"
            ));
        }
    }
}

fn commands(world: &World<'_>) -> Vec<Command> {
    let topics = world.log.topics();
    let names = world.active.topics.names.systems.values();
    names
        .flat_map(|names| topics.all(&names.commands))
        // Invariant: only the relay writes there.
        .map(|message| {
            serde_json::from_slice(&message.payload.unwrap_or_default()).expect("a command")
        })
        .collect()
}

/// No command's id stands for two contents: a target takes the second for a repeat. (A create goes by the version of
/// golden that it shows: after a restore it should meet the one that it repeats.)
fn commands_are_what_they_are(world: &World<'_>, wrong: &mut Vec<String>) {
    let mut known: BTreeMap<String, Command> = BTreeMap::new();
    for command in commands(world) {
        let first = known
            .entry(command.command_id.clone())
            .or_insert_with(|| command.clone());
        let contents = |c: &Command| (c.kind, c.id.clone(), c.fields.clone());
        if contents(first) != contents(&command) && command.kind != CommandKind::Create {
            wrong.push(format!(
                "two commands with one id: {first:?} and {command:?}"
            ));
        }
    }
}

/// Every version of a golden record is told, and none before the one before it.
fn golden_without_gap(
    world: &World<'_>,
    stored: &BTreeMap<EntityId, State>,
    wrong: &mut Vec<String>,
) {
    // A store that was put back tells some versions for the first time twice.
    if world
        .chance
        .dice()
        .mishaps
        .contains_key(&Mishap::StoreRestored)
    {
        return;
    }
    let topics = world.log.topics();
    let mut last: BTreeMap<EntityId, u64> = BTreeMap::new();
    for place in topics.places(&world.active.topics.names.golden) {
        for message in topics.messages(&place.0, place.1) {
            let payload = message.payload.as_deref().unwrap_or_default();
            let Ok(golden) = serde_json::from_slice::<GoldenMessage>(payload) else {
                wrong.push("a golden message is not what its schema says".to_owned());
                continue;
            };
            let last = last.entry(golden.entity).or_default();
            if golden.version == *last + 1 {
                *last += 1;
            } else if golden.version > *last {
                wrong.push(format!(
                    "golden {} of {} is told after {last}",
                    golden.version, golden.entity
                ));
            }
        }
    }
    for (id, state) in stored {
        let told = last.get(id).copied().unwrap_or_default();
        if told != state.golden_version {
            wrong.push(format!(
                "golden {} of {id} is the last one told, it is at {}",
                told, state.golden_version
            ));
        }
    }
}

/// L17, L5 and golden by the truth (L1: whatever went wrong, it is what an undisturbed run comes to).
fn people(
    world: &World<'_>,
    ledger: &[LedgerRow],
    stored: &BTreeMap<EntityId, State>,
    sent: &BTreeMap<EntityId, Vec<Sent>>,
    wrong: &mut Vec<String>,
) {
    if !world.plan.remembers() {
        return;
    }
    let parked: Vec<ParkedCode> = look(world.store.parked(StewardState::Open, None, ALL))
        .into_iter()
        .map(|parked| parked.code)
        .collect();
    for person in 0..world.plan.people.len() {
        let records: BTreeMap<&'static str, RecordKey> = [CRM, MAP]
            .into_iter()
            .filter_map(|system| Some((system, world.outside.record(system, person)?)))
            .collect();
        let of: Vec<Option<EntityId>> = records
            .values()
            .map(|record| look(world.store.entity_of(record)).map(|state| state.id))
            .collect();
        let ids: BTreeSet<EntityId> = of.iter().copied().flatten().collect();
        if of.contains(&None) {
            wrong.push(format!(
                "person {person} has a record that Baton does not know"
            ));
            continue;
        }
        let state = match ids.iter().next().and_then(|id| stored.get(id)) {
            Some(state) if ids.len() == 1 => state,
            Some(_) if parked.contains(&ParkedCode::SharedKey) => continue,
            Some(_) => {
                wrong.push(format!("person {person} became several"));
                continue;
            }
            None => continue,
        };
        let of_it = ledger.iter().filter(|row| row.entity == state.id);
        let steward: Vec<(Millis, StewardAct)> = of_it
            .filter_map(|row| match &row.input {
                Input::Steward(act) => Some((row.at, act.clone())),
                _ => None,
            })
            .collect();
        let ids = records
            .iter()
            .map(|(system, record)| (*system, BTreeSet::from([record.id.to_string()])));
        let rest = Rest {
            rules: &world.active.rules,
            person: state,
            systems: &world.outside.systems,
            ids: ids.collect(),
            records,
            now: world.now,
            sent: sent.get(&state.id).map_or(&[], Vec::as_slice),
            stages: &world.outside.stages[person],
            steward: &steward,
        };
        let mut faults = compare(&rest, &world.plan.scenario);
        if world.plan.is_prompt() {
            faults.extend(by_the_truth(&rest, &world.plan.scenario));
        }
        // Consent is judged below; the truth that is told here knows it as a field like others.
        faults.retain(|fault| fault.field() != Some(Name::new(CONSENT)));
        wrong.extend(faults.iter().map(|fault| {
            let field = fault.field();
            let seats = field.map(|field| seats(state, field, &world.active.rules));
            let seats = seats.unwrap_or_default();
            format!("person {person}: {fault}\n{}", seats.trim_end())
        }));
    }
}

/// L6: whoever opted out anywhere, and did not opt in again by an act of its own since, is opted out everywhere, whatever
/// went wrong.
fn opt_outs_stand(world: &World<'_>, stored: &BTreeMap<EntityId, State>, wrong: &mut Vec<String>) {
    // Nobody hears of an opt-out that was taken back within a gap.
    if [CRM, MAP]
        .iter()
        .any(|s| world.plan.scenario.habits(s).delivery.gap_per_mille > 0)
    {
        return;
    }
    for person in 0..world.plan.people.len() {
        let records: Vec<RecordKey> = [CRM, MAP]
            .into_iter()
            .filter_map(|system| world.outside.record(system, person))
            .collect();
        let said = |word: &str, by: fn(&By) -> bool| {
            let entries = records.iter().flat_map(|record| {
                let journal = world.outside.systems[record.system.as_str()].journal();
                journal.iter().filter(|entry| record.id == entry.id)
            });
            let said = entries.filter(|entry| {
                let What::Value { field, after, .. } = &entry.what else {
                    return false;
                };
                by(&entry.by) && field == CONSENT && *after == word
            });
            said.map(|entry| entry.stamp.floor(SECOND)).max()
        };
        let Some(out) = said("opted_out", |by| !matches!(by, By::Baton { .. })) else {
            continue;
        };
        if said("opted_in", |by| *by == By::Form) > Some(out) {
            continue;
        }
        for record in &records {
            let state = look(world.store.entity_of(record)).and_then(|state| stored.get(&state.id));
            let golden = state.map(|state| state.golden_value(CONSENT.into()).to_string());
            let system = &world.outside.systems[record.system.as_str()];
            let held = system.record(record.object, &record.id);
            let held = held.map(|held| held.value(CONSENT).to_string());
            if golden.as_deref() != Some("opted_out") || held.as_deref() != Some("\"opted_out\"") {
                wrong.push(format!(
                    "L6: person {person} opted out and is {golden:?} for Baton, {held:?} in {record}"
                ));
            }
        }
    }
}
