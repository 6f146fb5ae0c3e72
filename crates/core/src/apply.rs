//! `apply`: the one way in which anything moves a person, account or deal.

use std::collections::{BTreeMap, BTreeSet};

use compact_str::CompactString;

use crate::{
    answer,
    book::{OutBody, OutMessage, OutTopic, ParkedCode},
    change::{Change, Class, Origin, Outcome, Seen},
    effects::{Effects, Transition},
    id::{Digest, EntityId, Position, RecordKey},
    input::{Input, StewardAct},
    judge::{Subject, all_subjects, dependents, judge, subject_of},
    laws,
    name::Name,
    order::{Role, track},
    plan,
    rules::Rules,
    seal,
    state::{
        Absorbed, Cell, Event, FieldHistory, Guarded, IntentEnd, Link, LinkStatus, LinkStatusFact,
        Obs, ReadReason, Ruling, SealedAs, StageFact, State,
    },
    tasks,
    time::Millis,
    wire,
};

/// Applies one input. Pure: the same state, input, rules and instant give the same result.
///
/// `at` is the transaction's time on the log's clock. It dates what Baton does; it never judges whose value wins
/// (only `trust`, `manual` with a fallback, and expiring locks read it, as the contract says).
pub fn apply(state: &mut State, input: &Input, rules: &Rules, at: Millis) -> Transition {
    let mut effects = Effects::default();
    let mut touched = BTreeSet::new();
    let outcome = match input {
        Input::Change(change) => change_in(state, change, rules, at, &mut touched, &mut effects),
        Input::Answer(answer) => {
            answer::answer_in(state, answer, rules, at, &mut touched, &mut effects)
        }
        Input::Wake => {
            wake(state, at, &mut touched, rules);
            Outcome::Applied
        }
        Input::SharedConsent(turns) => {
            let before = state.shared_consent.len();
            state.shared_consent.extend(turns.iter().cloned());
            if state.shared_consent.len() > before {
                touched.extend(rules.consents.iter().map(|c| c.field));
            }
            Outcome::Applied
        }
        Input::ClearVerdict { event, held } => {
            clear_verdict(state, *event, *held, at, &mut touched, &mut effects);
            Outcome::Applied
        }
        Input::Steward(act) => steward(state, act, rules, at, &mut touched, &mut effects),
        Input::Absorb(other) => {
            absorb(state, other);
            touch_all(state, rules, &mut touched);
            Outcome::Applied
        }
    };
    // What is not recorded must not move anything, or a replay would not (L10): what is due waits for its timer.
    let recorded = outcome != Outcome::Duplicate || !touched.is_empty();
    if recorded {
        plan::give_up(state, rules, at, &mut touched);
    }
    let moved = rejudge(state, &touched, rules, at, &mut effects);
    tasks::ask_stewards(state, &touched, rules, at, &mut effects);
    let outcome = if moved && outcome > Outcome::Applied && outcome != Outcome::Duplicate {
        Outcome::Applied
    } else {
        outcome
    };
    if recorded {
        plan::plan(state, rules, at, &mut effects);
        laws::check(state, input, outcome, &mut effects, rules, at);
        seal::seal_when_long(state, rules, at);
        state.wake = plan::next_wake(state, rules);
    }
    Transition {
        outcome,
        recorded,
        effects,
    }
}

fn touch_all(state: &mut State, rules: &Rules, touched: &mut BTreeSet<Name>) {
    let fields: Vec<Name> = rules.entity(state.id.kind).fields.keys().copied().collect();
    touched.extend(&fields);
    for record in state.links.keys().cloned().collect::<Vec<_>>() {
        state
            .deliveries
            .entry(record)
            .or_default()
            .pending
            .extend(&fields);
    }
}

/// Whether the change is the echo of a create whose answer is still on its way.
fn echoes_create(state: &State, change: &Change, rules: &Rules) -> bool {
    let create = state.creates.get(&change.record.system);
    let new_record = !state.links.contains_key(&change.record);
    create.is_some_and(|c| crate::identify::is_echo_of_create(change, new_record, c, rules))
}

/// Takes everything about a change that depends on arrival, once, and writes it into the change.
pub fn take_verdicts(state: &State, change: &mut Change, rules: &Rules) {
    if echoes_create(state, change, rules) {
        // What it may match is the intent of that create, which applying the change will bind to its record.
        let mut adopted = state.clone();
        answer::adopt(&mut adopted, &change.record);
        verdicts_in(&adopted, change, rules);
    } else {
        verdicts_in(state, change, rules);
    }
}

fn verdicts_in(state: &State, change: &mut Change, rules: &Rules) {
    let horizon = change
        .position
        .arrival
        .minus(rules.timing.horizon)
        .max(state.sealed_before);
    let history = state.histories.get(&change.record);
    if change.time.is_timed() && change.time < horizon {
        let observed = |field: &Name| history.is_some_and(|h| h.fields.contains_key(field));
        change.verdicts.beyond = change
            .fields
            .iter()
            .map(|f| f.field)
            .filter(|f| observed(f))
            .collect();
    }
    if change.origin != Origin::Other
        && let Some(delivery) = state.deliveries.get(&change.record)
    {
        let margin = rules.timing.quantum
            + rules.timing.skew
            + rules
                .systems
                .get(&change.record.system)
                .map_or(0, |s| s.skew);
        let read_back = change.class == Class::ReadBack;
        let open = |intent: &&crate::state::Intent| {
            let end = intent
                .answered
                .map(|p| p.arrival.max(intent.stamp.unwrap_or(p.arrival)));
            intent.end != IntentEnd::Refused
                && (read_back
                    || !change.time.is_timed()
                    || (change.time >= intent.sent.minus(margin).floor(rules.timing.quantum)
                        && end.is_none_or(|e| {
                            change.time <= e.plus(margin + rules.timing.rendering_settle)
                        }))
                    || intent.stamp.is_some_and(|s| {
                        s.floor(rules.timing.quantum) == change.time.floor(rules.timing.quantum)
                    }))
        };
        change.verdicts.may_match = delivery
            .intents
            .iter()
            .filter(open)
            .map(|i| i.number)
            .collect();
    }
    let clears = change
        .fields
        .iter()
        .any(|f| matches!(f.seen, Seen::Cleared | Seen::BlankInEvent));
    if clears && rules.mass_clear.window > 0 && !guardable(state, change, rules).is_empty() {
        change.verdicts.clears_wait_until =
            Some(change.position.arrival.plus(rules.mass_clear.window));
    }
}

/// Fields that this change clears and whose clear could reach golden.
#[must_use]
pub fn guardable(state: &State, change: &Change, rules: &Rules) -> Vec<Name> {
    change
        .fields
        .iter()
        .filter(|f| matches!(f.seen, Seen::Cleared | Seen::BlankInEvent))
        .filter(|f| {
            track(state, &change.record, f.field, rules)
                .seats
                .iter()
                .rev()
                .find(|s| !s.seen.claims_nothing())
                .is_some_and(|s| !s.value.is_blank())
        })
        .map(|f| f.field)
        .collect()
}

fn change_in(
    state: &mut State,
    change: &Change,
    rules: &Rules,
    at: Millis,
    touched: &mut BTreeSet<Name>,
    effects: &mut Effects,
) -> Outcome {
    if matches!(
        change.class,
        Class::Tombstone | Class::Activity { .. } | Class::Overflow
    ) {
        return Outcome::Noop;
    }
    if duplicate(state, change, rules, touched) {
        return Outcome::Duplicate;
    }
    if echoes_create(state, change, rules) {
        answer::adopt(state, &change.record);
    }
    let new_link = !state.links.contains_key(&change.record);
    if state.links.is_empty() {
        // Nobody judged this entity so far: what reads no claim of its own is judged now.
        let derived = |rule: &crate::rules::FieldRule| {
            matches!(rule.strategy, crate::rules::Strategy::Derived(_))
        };
        let fields = &rules.entity(state.id.kind).fields;
        touched.extend(fields.iter().filter(|(_, r)| derived(r)).map(|(f, _)| *f));
    }
    link(state, &change.record);
    if let Some(until) = change.verdicts.clears_wait_until {
        // Whether they wait is a verdict; all of them do, whatever is known of the record by now (L1).
        let clears =
            |f: &&crate::change::FieldChange| matches!(f.seen, Seen::Cleared | Seen::BlankInEvent);
        let fields = change
            .fields
            .iter()
            .filter(clears)
            .map(|f| f.field)
            .collect();
        let guarded = Guarded {
            record: change.record.clone(),
            fields,
            until,
            held: None,
        };
        state.guarded.insert(change.event, guarded);
    }
    let seen_before = observe(state, change, rules, touched);
    let relinked = relink(state, change, rules, touched, effects);
    stage(state, change, rules, touched, at, effects);
    let wants_read = match change.class {
        Class::Gap => Some(ReadReason::Gap),
        _ if !change.time.is_timed() && change.class == Class::Delta => Some(ReadReason::Untimed),
        _ => None,
    };
    let read_fields: Vec<Name> = if change.class == Class::ReadBack {
        state
            .histories
            .get(&change.record)
            .map_or_else(Vec::new, |h| h.fields.keys().copied().collect())
    } else {
        Vec::new()
    };
    let delivery = state.deliveries.entry(change.record.clone()).or_default();
    if let Some(reason) = wants_read {
        delivery.read_wanted.get_or_insert(reason);
    }
    if change.class == Class::ReadBack {
        let asked = delivery
            .outstanding
            .as_ref()
            .map_or(change.position.arrival, |o| o.sent);
        delivery.last_read = Some((asked, change.position.arrival));
        // What waited for a reading is decided now.
        touched.extend(read_fields.iter().copied());
        delivery.read_wanted = None;
    }
    delivery.pending.extend(touched.iter().copied());
    partial_groups(state, &change.record, touched, rules);
    if new_link {
        let fields: Vec<Name> = rules.entity(state.id.kind).fields.keys().copied().collect();
        state
            .deliveries
            .entry(change.record.clone())
            .or_default()
            .pending
            .extend(fields);
    }
    if new_link || relinked || wants_read.is_some() || matches!(change.class, Class::Stage { .. }) {
        return Outcome::Applied;
    }
    match standing_of(state, change, touched, rules) {
        Standing::Current => Outcome::Applied,
        _ if seen_before.iter().any(|first| *first) => Outcome::Applied,
        Standing::Stale => Outcome::Late,
        Standing::Nothing if !change.verdicts.beyond.is_empty() => Outcome::Late,
        Standing::Nothing => Outcome::Noop,
    }
}

/// What a change's observations turned out to be.
enum Standing {
    /// At least one is its record's current turn.
    Current,
    /// Something newer was known.
    Stale,
    Nothing,
}

fn standing_of(
    state: &State,
    change: &Change,
    touched: &BTreeSet<Name>,
    rules: &Rules,
) -> Standing {
    let mut standing = Standing::Nothing;
    // A restatement in its place touches nothing and cannot be a turn.
    for field in change.fields.iter().filter(|f| touched.contains(&f.field)) {
        let seats = track(state, &change.record, field.field, rules).seats;
        let Some(at) = seats
            .iter()
            .position(|s| s.event.is_some_and(|e| e.event == change.event))
        else {
            continue;
        };
        let later = seats[at + 1..].iter().any(|s| s.role == Role::Turn);
        match seats[at].role {
            Role::Turn if !later => return Standing::Current,
            Role::Turn => standing = Standing::Stale,
            Role::Same | Role::Nothing if later => standing = Standing::Stale,
            _ => {}
        }
    }
    standing
}

/// An event id that is known counts once; of two assigned times the smaller counts.
fn duplicate(
    state: &mut State,
    change: &Change,
    rules: &Rules,
    touched: &mut BTreeSet<Name>,
) -> bool {
    let Some(history) = state.histories.get_mut(&change.record) else {
        return false;
    };
    let Some(known) = history.events.iter().rposition(|e| e.event == change.event) else {
        return false;
    };
    let event = &mut history.events[known];
    let (time, position) = (
        event.time.min(change.time),
        event.position.min(change.position),
    );
    if (time, position) != (event.time, event.position) {
        let was = (event.time, event.position);
        event.time = time;
        event.position = position;
        let (events, quantum) = (&history.events, rules.timing.quantum);
        for (_, field) in history.fields.iter_mut() {
            field
                .obs
                .sort_by_key(|o| events[o.event as usize].rho(quantum));
        }
        touched.extend(change.fields.iter().map(|f| f.field));
        move_facts(state, was, (time, position));
        if !matches!(
            change.class,
            Class::Delta | Class::Event | Class::Snapshot | Class::ReadBack
        ) {
            touched.extend(rules.entity(state.id.kind).fields.keys());
        }
    }
    true
}

/// What a change said of links and stages moves with it to its smaller time.
fn move_facts(state: &mut State, was: (Millis, Position), now: (Millis, Position)) {
    for (_, link) in state.links.iter_mut() {
        let of_it = |fact: &&(Millis, Position, LinkStatusFact)| (fact.0, fact.1) == was;
        let moved: Vec<_> = link.facts.iter().filter(of_it).cloned().collect();
        for fact in moved {
            link.facts.remove(&fact);
            link.facts.insert((now.0, now.1, fact.2));
        }
    }
    let of_it = |fact: &&StageFact| (fact.time, fact.position) == was;
    let moved: Vec<_> = state.stages.iter().filter(of_it).cloned().collect();
    for fact in moved {
        state.stages.remove(&fact);
        state.stages.insert(StageFact {
            time: now.0,
            position: now.1,
            ..fact
        });
    }
}

fn link(state: &mut State, record: &RecordKey) {
    if !state.links.contains_key(record) {
        state.links.insert(record.clone(), Link::default());
        state.provenance.insert(record.clone(), state.id);
    }
}

/// Puts the observations of a change into their places. Returns, per field, whether it was the first of its field.
fn observe(
    state: &mut State,
    change: &Change,
    rules: &Rules,
    touched: &mut BTreeSet<Name>,
) -> Vec<bool> {
    let quantum = rules.timing.quantum;
    let echoes = state
        .deliveries
        .get(&change.record)
        .is_some_and(|d| !d.intents.is_empty());
    let guarded = !state.guarded.is_empty();
    let history = state.histories.entry(change.record.clone()).or_default();
    let index = u32::try_from(history.events.len()).unwrap_or(u32::MAX);
    let delta = change.class == Class::Delta;
    let event = Event {
        event: change.event,
        time: change.time,
        seq: change.seq,
        position: change.position,
        read_back: change.class == Class::ReadBack,
        by_reading: matches!(change.class, Class::Snapshot | Class::ReadBack),
        delta,
        cause: change.cause,
        actor: change.actor.clone(),
        origin: change.origin,
        may_match: change.verdicts.may_match.clone(),
    };
    let rho = event.rho(quantum);
    history.events.push(event);
    if history.fields.is_empty() {
        history.fields.reserve(change.fields.len());
    }
    let events = &history.events;
    let mut firsts = Vec::with_capacity(change.fields.len());
    for field in &change.fields {
        if change.verdicts.beyond.contains(&field.field) {
            continue;
        }
        let of_field = history.fields.entry(field.field).or_default();
        firsts.push(of_field.obs.is_empty() && !field.value.is_blank());
        let same = |c: &Cell| {
            c.value == field.value
                && c.seen == field.seen
                && c.before.as_deref() == field.before.as_ref()
        };
        // The newest content is the likeliest to be restated.
        let cell = of_field.cells.iter().rposition(same).unwrap_or_else(|| {
            if of_field.cells.is_empty() {
                // Most fields never change: room for one, not for four.
                of_field.cells.reserve_exact(1);
            }
            of_field.cells.push(Cell {
                value: field.value.clone(),
                seen: field.seen,
                before: field.before.clone().map(Box::new),
            });
            of_field.cells.len() - 1
        });
        let cell = u32::try_from(cell).unwrap_or(u32::MAX);
        let place = of_field
            .obs
            .iter()
            .rposition(|o| events[o.event as usize].rho(quantum) < rho)
            .map_or(0, |before| before + 1);
        let last = place == of_field.obs.len();
        let restates = last
            && told_apart(of_field, events, quantum)
            && !delta
            && !echoes
            && !guarded
            && !field.seen.claims_nothing()
            && of_field.obs.last().is_some_and(|o| o.cell == cell);
        of_field.obs.insert(
            place,
            Obs {
                event: index,
                cell,
                sealed: SealedAs::Open,
            },
        );
        if !restates {
            touched.insert(field.field);
        }
    }
    firsts
}

/// Whether the last quantum holds one value only. Where it holds several, what comes next tells which of them stood
/// last, so even a restatement can move a turn.
fn told_apart(of_field: &FieldHistory, events: &[Event], quantum: i64) -> bool {
    let floored = |o: &Obs| events.get(o.event as usize).map(|e| e.time.floor(quantum));
    let Some(last) = of_field.obs.last() else {
        return true;
    };
    let together = of_field
        .obs
        .iter()
        .rev()
        .take_while(|o| floored(o) == floored(last));
    together.into_iter().all(|o| o.cell == last.cell)
}

/// Deletes, merges and conversions are facts about links; a link's status is the latest of them.
fn relink(
    state: &mut State,
    change: &Change,
    rules: &Rules,
    touched: &mut BTreeSet<Name>,
    effects: &mut Effects,
) -> bool {
    let stamp = (change.time, change.position);
    let fact = |state: &mut State, record: &RecordKey, fact: LinkStatusFact| {
        link(state, record);
        let before = state.status(record);
        if let Some(link) = state.links.get_mut(record) {
            link.facts.insert((stamp.0, stamp.1, fact));
        }
        before != state.status(record)
    };
    let moved = match &change.class {
        Class::Delete => fact(state, &change.record, LinkStatusFact::Deleted),
        Class::Undelete => fact(state, &change.record, LinkStatusFact::Undeleted),
        Class::Merge { losers } => {
            let mut moved = false;
            for loser in losers {
                let record = RecordKey {
                    id: loser.clone(),
                    ..change.record.clone()
                };
                moved |= fact(
                    state,
                    &record,
                    LinkStatusFact::MergedInto(change.record.id.clone()),
                );
                effects.linked.push(record);
            }
            moved
        }
        Class::Convert { to } => {
            let mut moved = false;
            for (object, id) in to
                .iter()
                .filter(|(object, _)| object.kind() == change.record.object.kind())
            {
                let target = RecordKey {
                    object: *object,
                    id: id.clone(),
                    ..change.record.clone()
                };
                link(state, &target);
                moved |= fact(
                    state,
                    &change.record,
                    LinkStatusFact::ConvertedTo(*object, id.clone()),
                );
                effects.linked.push(target);
            }
            moved
        }
        _ => return false,
    };
    touch_all(state, rules, touched);
    if change.class == Class::Undelete {
        state
            .deliveries
            .entry(change.record.clone())
            .or_default()
            .deleted = false;
    }
    moved
}

fn stage(
    state: &mut State,
    change: &Change,
    rules: &Rules,
    touched: &mut BTreeSet<Name>,
    at: Millis,
    effects: &mut Effects,
) {
    let Class::Stage { stage } = &change.class else {
        return;
    };
    let Some(stage) = Name::known(stage).filter(|s| rules.rank_of_stage(*s).is_some()) else {
        let why = "a lifecycle stage came in that the rules do not name".to_owned();
        effects.park(
            state,
            ParkedCode::UnknownStage,
            Some(&change.record),
            None,
            at,
            why,
        );
        return;
    };
    state.stages.insert(StageFact {
        time: change.time,
        position: change.position,
        stage,
    });
    let by_stage =
        |rule: &crate::rules::Strategy| matches!(rule, crate::rules::Strategy::ByStage { .. });
    let entity = rules.entity(state.id.kind);
    touched.extend(
        entity
            .fields
            .iter()
            .filter(|(_, r)| by_stage(&r.strategy))
            .map(|(name, _)| *name),
    );
    touched.extend(
        entity
            .groups
            .values()
            .filter(|g| by_stage(&g.strategy))
            .flat_map(|g| g.fields.iter().copied()),
    );
}

/// A tuple with a mapped but never observed member queues a read of its record.
fn partial_groups(state: &mut State, record: &RecordKey, touched: &BTreeSet<Name>, rules: &Rules) {
    let entity = rules.entity(state.id.kind);
    let Some(mapping) = rules.object(record.system, record.object) else {
        return;
    };
    let groups: BTreeSet<Name> = touched
        .iter()
        .filter_map(|f| entity.group_of.get(f).copied())
        .collect();
    let Some(history) = state.histories.get(record) else {
        return;
    };
    let partial = groups
        .iter()
        .filter_map(|g| entity.groups.get(g))
        .any(|group| {
            group.fields.iter().any(|field| {
                let mapped = mapping
                    .fields
                    .values()
                    .any(|m| m.field == *field && m.direction != crate::rules::Direction::Out);
                mapped && !history.fields.contains_key(field)
            }) && group
                .fields
                .iter()
                .any(|field| history.fields.contains_key(field))
        });
    let delivery = state.deliveries.entry(record.clone()).or_default();
    if partial && delivery.last_read.is_none() {
        delivery.read_wanted.get_or_insert(ReadReason::PartialGroup);
    }
}

fn wake(state: &mut State, at: Millis, touched: &mut BTreeSet<Name>, rules: &Rules) {
    state.settling.retain(|_, until| *until > at);
    let entity = rules.entity(state.id.kind);
    let due: Vec<Name> = state
        .due
        .iter()
        .filter(|(_, when)| **when <= at)
        .map(|(name, _)| *name)
        .collect();
    for name in due {
        state.due.remove(&name);
        match entity.groups.get(&name) {
            Some(group) => touched.extend(&group.fields),
            None => {
                touched.insert(name);
            }
        }
    }
    for (_, delivery) in state.deliveries.iter_mut() {
        if delivery.retry.is_some_and(|(_, next)| next <= at) {
            delivery.retry = delivery
                .retry
                .map(|(attempts, _)| (attempts, Millis::UNTIMED));
        }
    }
}

fn clear_verdict(
    state: &mut State,
    event: Digest,
    held: bool,
    at: Millis,
    touched: &mut BTreeSet<Name>,
    effects: &mut Effects,
) {
    let Some(guarded) = state.guarded.get_mut(&event) else {
        return;
    };
    guarded.held = Some(held);
    touched.extend(&guarded.fields);
    let record = guarded.record.clone();
    state
        .deliveries
        .entry(record.clone())
        .or_default()
        .pending
        .extend(touched.iter().copied());
    if held {
        let why =
            "more values were cleared by one source at once than the mass-clear guard lets through"
                .to_owned();
        effects.park(state, ParkedCode::HeldClears, Some(&record), None, at, why);
    } else {
        state.guarded.remove(&event);
        effects.unpark(state, ParkedCode::HeldClears, Some(&record), None);
    }
}

fn steward(
    state: &mut State,
    act: &StewardAct,
    rules: &Rules,
    at: Millis,
    touched: &mut BTreeSet<Name>,
    effects: &mut Effects,
) -> Outcome {
    match act {
        StewardAct::Lock { field, lock } => {
            state.locks.insert(*field, lock.clone());
            touched.insert(*field);
        }
        StewardAct::Unlock { field } => {
            state.locks.remove(field);
            for absorbed in state.absorbed.values_mut() {
                absorbed.locks.remove(field);
            }
            touched.insert(*field);
        }
        StewardAct::Rule { field, value, by } => {
            state.rulings.insert(
                *field,
                Ruling {
                    value: value.clone(),
                    by: by.clone(),
                    at,
                },
            );
            touched.insert(*field);
            effects.unpark(state, ParkedCode::ManualDecision, None, Some(*field));
        }
        StewardAct::Resume { record, field } => {
            let delivery = state.deliveries.entry(record.clone()).or_default();
            delivery.contested.remove(field);
            delivery.held.remove(field);
            delivery.writes.remove(field);
            delivery.reverts.remove(field);
            delivery.pending.insert(*field);
            effects.unpark(state, ParkedCode::Contested, Some(record), Some(*field));
            effects.unpark(state, ParkedCode::RevertsUsedUp, Some(record), Some(*field));
        }
        StewardAct::Retry { record } => {
            let delivery = state.deliveries.entry(record.clone()).or_default();
            let refused: Vec<Name> = std::mem::take(&mut delivery.refused).into_keys().collect();
            delivery.refused_record = None;
            delivery.pending.extend(&refused);
            for field in refused {
                effects.unpark(state, ParkedCode::RefusedWrite, Some(record), Some(field));
            }
            effects.unpark(state, ParkedCode::RefusedWrite, Some(record), None);
            state
                .creates
                .retain(|system, create| *system != record.system || create.stopped.is_none());
        }
        StewardAct::Consent {
            channel,
            state: consent,
            by,
            reason,
        } => {
            steward_consent(state, *channel, *consent, by, reason, rules, at, touched);
        }
        StewardAct::Unmerge { from } => {
            split(state, *from);
            touch_all(state, rules, touched);
        }
        StewardAct::MergedInto { winner } => merged_into(state, *winner),
        StewardAct::Erase => {
            erase(state, at);
            touch_all(state, rules, touched);
        }
        StewardAct::Archive { archived } => state.archived = *archived,
        StewardAct::Rejudge => touch_all(state, rules, touched),
    }
    Outcome::Applied
}

#[expect(
    clippy::too_many_arguments,
    reason = "the act's own members, taken apart"
)]
fn steward_consent(
    state: &mut State,
    channel: Name,
    consent: crate::rules::ConsentState,
    by: &str,
    reason: &str,
    rules: &Rules,
    at: Millis,
    touched: &mut BTreeSet<Name>,
) {
    let Some(rule) = rules.consents.iter().find(|c| c.channel == channel) else {
        return;
    };
    let address = crate::consent::address_digest(channel, state.golden_value(rule.address))
        .unwrap_or_default();
    // One for each person that was merged into this one, so that it answers what each of them brought.
    let mut records: BTreeMap<EntityId, RecordKey> = BTreeMap::new();
    for record in state.links.keys() {
        let brought_by = state.provenance.get(record).copied().unwrap_or(state.id);
        records.entry(brought_by).or_insert_with(|| record.clone());
    }
    let acts = records
        .into_values()
        .map(|record| crate::state::ConsentTurn {
            channel,
            address,
            time: at.floor(rules.timing.quantum),
            state: consent,
            own_act: false,
            steward: true,
            record,
            event: Digest::of(&[
                b"steward",
                by.as_bytes(),
                reason.as_bytes(),
                &at.0.to_le_bytes(),
            ]),
        });
    state.shared_consent.extend(acts);
    touched.insert(rule.field);
}

/// Redacts every value and keeps order keys and hashes, so that replays keep their order and suppression holds.
fn erase(state: &mut State, at: Millis) {
    state.erased = Some(at);
    let gone = crate::value::Value::Blank;
    for (_, history) in state.histories.iter_mut() {
        for event in &mut history.events {
            event.actor = None;
        }
        for (_, field) in history.fields.iter_mut() {
            for cell in &mut field.cells {
                cell.value = gone.clone();
                cell.seen = Seen::BlankInSnapshot;
                cell.before = None;
            }
        }
    }
    for (_, delivery) in state.deliveries.iter_mut() {
        delivery.intents.clear();
        delivery.renderings.clear();
        delivery.refused.clear();
    }
    state.creates.clear();
    state.locks.clear();
    state.rulings.clear();
    let records: Vec<RecordKey> = state.links.keys().cloned().collect();
    for record in records {
        if let Some(link) = state.links.get_mut(&record) {
            link.facts.insert((
                at,
                crate::id::Position {
                    arrival: at,
                    log: 0,
                },
                LinkStatusFact::Erased,
            ));
        }
    }
}

/// What is left of an entity that went into another: its own locks, rulings and stages, for an unmerge.
fn merged_into(state: &mut State, winner: crate::id::EntityId) {
    state.merged_into = Some(winner);
    state.links.clear();
    state.histories.clear();
    state.deliveries.clear();
    state.provenance.clear();
    state.guarded.clear();
    state.creates.clear();
    state.absorbed.clear();
    state.golden.clear();
    state.settling.clear();
    state.due.clear();
}

/// Takes another entity's records and claims in, or an entity's own again after an unmerge. Both sides' claims stay; provenance tells them apart again.
fn absorb(state: &mut State, other: &State) {
    state.links.extend(other.links.clone());
    state.histories.extend(other.histories.clone());
    state.deliveries.extend(other.deliveries.clone());
    state.provenance.extend(other.provenance.clone());
    state.guarded.extend(other.guarded.clone());
    // Consent stays with both, also after an unmerge.
    state
        .shared_consent
        .extend(other.shared_consent.iter().cloned());
    state.absorbed.extend(other.absorbed.clone());
    if other.id == state.id {
        state.merged_into = None;
        return;
    }
    let brought = Absorbed {
        into: state.id,
        locks: other.locks.clone(),
        rulings: other.rulings.clone(),
        stages: other.stages.clone(),
    };
    state.absorbed.insert(other.id, brought);
    state.sealed_before = state.sealed_before.max(other.sealed_before);
    // Two different values of one channel each count: their own turns are in the histories.
    for (system, create) in &other.creates {
        state
            .creates
            .entry(*system)
            .or_insert_with(|| create.clone());
    }
}

/// `from`, and whoever had been merged into it before.
fn with_absorbed(state: &State, from: EntityId) -> BTreeSet<EntityId> {
    let mut all = BTreeSet::from([from]);
    loop {
        let under = |(id, brought): &(&EntityId, &Absorbed)| {
            all.contains(&brought.into) && !all.contains(*id)
        };
        match state.absorbed.iter().find(under).map(|(id, _)| *id) {
            Some(id) => all.insert(id),
            None => return all,
        };
    }
}

/// Gives back the records that came from `from`, and what had been merged into it.
fn split(state: &mut State, from: EntityId) {
    let parts = with_absorbed(state, from);
    let records: Vec<RecordKey> = state
        .provenance
        .iter()
        .filter(|(_, of)| parts.contains(of))
        .map(|(record, _)| record.clone())
        .collect();
    for record in records {
        state.links.remove(&record);
        state.histories.remove(&record);
        state.deliveries.remove(&record);
        state.provenance.remove(&record);
    }
    let gone = |record: &RecordKey| !state.links.contains_key(record);
    state.guarded.retain(|_, guarded| !gone(&guarded.record));
    state.absorbed.retain(|id, _| !parts.contains(id));
}

/// The part of `state` that came from `from`, as that entity's own state again.
#[must_use]
pub fn part_of(state: &State, from: crate::id::EntityId) -> State {
    let parts = with_absorbed(state, from);
    let mut part = State::new(from);
    for record in state
        .provenance
        .iter()
        .filter(|(_, of)| parts.contains(of))
        .map(|(record, _)| record)
    {
        if let Some(link) = state.links.get(record) {
            part.links.insert(record.clone(), link.clone());
        }
        if let Some(history) = state.histories.get(record) {
            part.histories.insert(record.clone(), history.clone());
        }
        if let Some(delivery) = state.deliveries.get(record) {
            part.deliveries.insert(record.clone(), delivery.clone());
        }
        if let Some(of) = state.provenance.get(record) {
            part.provenance.insert(record.clone(), *of);
        }
    }
    let guarded = state.guarded.iter();
    part.guarded = guarded
        .filter(|(_, guarded)| part.links.contains_key(&guarded.record))
        .map(|(event, guarded)| (*event, guarded.clone()))
        .collect();
    let earlier = state
        .absorbed
        .iter()
        .filter(|(id, _)| **id != from && parts.contains(id));
    part.absorbed = earlier
        .map(|(id, brought)| (*id, brought.clone()))
        .collect();
    if let Some(brought) = state.absorbed.get(&from) {
        part.locks = brought.locks.clone();
        part.rulings = brought.rulings.clone();
        part.stages = brought.stages.clone();
    }
    part.shared_consent = state.shared_consent.clone();
    part.sealed_before = state.sealed_before;
    part
}

/// Judges what was touched and everything that reads it. Returns whether a golden value changed.
fn rejudge(
    state: &mut State,
    touched: &BTreeSet<Name>,
    rules: &Rules,
    at: Millis,
    effects: &mut Effects,
) -> bool {
    if touched.is_empty() {
        return false;
    }
    let subjects: Vec<Subject> = if touched.len() > rules.entity(state.id.kind).fields.len() / 2 {
        all_subjects(state, rules)
    } else {
        touched
            .iter()
            .map(|f| subject_of(*f, state, rules))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    };
    let mut decided = BTreeMap::new();
    for subject in &subjects {
        judge_one(state, *subject, rules, at, &mut decided);
    }
    let moved: Vec<Name> = decided
        .keys()
        .copied()
        .chain(touched.iter().copied())
        .collect();
    for field in dependents(&moved, state, rules) {
        judge_one(
            state,
            subject_of(field, state, rules),
            rules,
            at,
            &mut decided,
        );
    }
    if decided.is_empty() {
        return false;
    }
    publish(state, decided, rules, at, effects);
    true
}

fn judge_one(
    state: &mut State,
    subject: Subject,
    rules: &Rules,
    at: Millis,
    decided: &mut BTreeMap<Name, wire::Explanation>,
) {
    let judgement = judge(state, subject, rules, at);
    let name = match subject {
        Subject::Field(name) | Subject::Group(name) => name,
    };
    match judgement.until {
        Some(until) => {
            state.due.insert(name, until);
        }
        None => {
            state.due.remove(&name);
        }
    }
    decided.extend(judgement.changed);
    let mut moved = false;
    for (field, golden) in judgement.golden {
        let before = state.golden.get(&field);
        let same = before.is_some_and(|b| b.value == golden.value && b.decided == golden.decided);
        moved |= !same && (before.is_some() || golden.decided);
        if !same || before.is_some_and(|b| b != &golden) {
            state.golden.insert(field, golden);
        }
        if !same {
            pend(state, field);
        }
    }
    if moved && let Subject::Group(group) = subject {
        state
            .settling
            .insert(group, at.plus(rules.timing.tuple_settle));
    }
}

/// The field may differ from golden at every record now.
fn pend(state: &mut State, field: Name) {
    let records: Vec<RecordKey> = state
        .links
        .iter()
        .filter(|(_, l)| l.status() == LinkStatus::Active)
        .map(|(r, _)| r.clone())
        .collect();
    for record in records {
        state
            .deliveries
            .entry(record)
            .or_default()
            .pending
            .insert(field);
    }
}

fn publish(
    state: &mut State,
    decided: BTreeMap<Name, wire::Explanation>,
    rules: &Rules,
    at: Millis,
    effects: &mut Effects,
) {
    state.golden_version += 1;
    let key: CompactString = state.id.to_string().into();
    let cause = Digest::of(&[key.as_bytes(), &state.golden_version.to_le_bytes()]);
    let message = |topic, body| OutMessage {
        topic,
        key: key.clone(),
        body,
        at,
        cause,
    };
    let golden = wire::GoldenMessage {
        entity: state.id,
        kind: state.id.kind,
        version: state.golden_version,
        at,
        rule_version: rules.version.clone(),
        fields: state
            .golden
            .iter()
            .filter(|(_, g)| !g.value.is_blank())
            .map(|(name, g)| (*name, wire::Shown(g.value.clone())))
            .collect(),
        changed: decided.keys().copied().collect(),
        records: state
            .links
            .iter()
            .map(|(record, link)| (record.to_string(), link.status()))
            .collect(),
    };
    effects
        .messages
        .push(message(OutTopic::Golden, OutBody::Golden(golden)));
    effects.changed.extend(decided.keys());
    for explanation in decided.into_values() {
        let decision = wire::DecisionMessage {
            entity: state.id,
            version: state.golden_version,
            at,
            explanation,
        };
        effects
            .messages
            .push(message(OutTopic::Decisions, OutBody::Decision(decision)));
    }
}
