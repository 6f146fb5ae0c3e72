//! A change comes in: its verdicts are taken once, its observations find their places.

use crate::creates::{is_older, shows_create};
use crate::links::{link, move_facts, partial_groups, relink, stage};
use crate::{
    answer,
    change::{Change, Class, FieldChange, Origin, Outcome, Seen},
    effects::Effects,
    holdings::{Holding, add, is_filled, note_moves, tally},
    id::RecordKey,
    name::Name,
    order::{Rho, Role, skew, track},
    rules::Rules,
    state::{
        CommandKind, Delivery, Event, Guarded, History, Intent, IntentEnd, LinkStatus, Obs,
        PendingCreate, ReadReason, Restated, SealedAs, State,
    },
    time::Millis,
};
use std::collections::BTreeSet;

/// The create of which this change is the echo, if its answer is still on its way.
fn echoed_create<'a>(
    state: &'a State,
    change: &Change,
    rules: &Rules,
) -> Option<&'a PendingCreate> {
    let create = state.creates.get(&change.record.system)?;
    let new_record = !state.links.contains_key(&change.record);
    let event = matches!(change.class, Class::Delta | Class::Event);
    let echo = event
        && !is_older(state, &change.record, create, rules)
        && shows_create(change, new_record, create, rules);
    echo.then_some(create)
}

/// Takes everything about a change that depends on arrival, once, and writes it into the change.
pub fn take_verdicts(state: &State, change: &mut Change, rules: &Rules) {
    let delivery = state.deliveries.get(&change.record);
    if let Some(create) = echoed_create(state, change, rules) {
        // What it may match is the intent of that create, which applying the change will bind to its record.
        let mut adopted = delivery.cloned().unwrap_or_default();
        answer::bind_create(&mut adopted, create.clone());
        verdicts_in(state, Some(&adopted), change, rules);
    } else {
        verdicts_in(state, delivery.map(|d| &**d), change, rules);
    }
}

fn verdicts_in(state: &State, delivery: Option<&Delivery>, change: &mut Change, rules: &Rules) {
    let horizon = change
        .position
        .arrival
        .minus(rules.timing.horizon)
        .max(state.sealed_before);
    let history = state.histories.get(&change.record);
    if change.time.is_timed() && change.time < horizon {
        // Where it would stand last, nothing that was folded is altered by it: a backlog in its order is heard, however
        // late it comes (decision older-than-the-horizon).
        let quantum = rules.timing.quantum;
        let known_later = |field: &Name| {
            let last = history.and_then(|h| Some((h, h.fields.get(field)?.obs.last()?)));
            last.is_some_and(|(h, obs)| {
                let event = h.events.get(obs.event as usize);
                event.is_none_or(|e| e.time.floor(quantum) >= change.time.floor(quantum))
            })
        };
        change.verdicts.beyond = change
            .fields
            .iter()
            .map(|f| f.field)
            .filter(|f| known_later(f))
            .collect();
    }
    if change.origin != Origin::Other
        && let Some(delivery) = delivery
    {
        let margin = rules.timing.quantum + skew(rules, &change.record);
        let read_back = change.class == Class::ReadBack;
        let later_done = |intent: &Intent| {
            let done = |i: &Intent| i.end == IntentEnd::Done && i.sent > intent.sent;
            delivery.intents.iter().any(done)
        };
        let open = |intent: &&Intent| {
            // One that was given up may still be answered, until one that was sent after it has been.
            let waits = intent.end == IntentEnd::Unknown && !later_done(intent);
            let end = intent.closed(rules).filter(|_| !waits);
            let end = end.map(|end| end.max(intent.stamp.unwrap_or(end)));
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

pub(crate) fn change_in(
    state: &mut State,
    change: &Change,
    rules: &Rules,
    at: Millis,
    touched: &mut BTreeSet<Name>,
    effects: &mut Effects,
) -> Outcome {
    if matches!(
        change.class,
        Class::Tombstone | Class::Activity { .. } | Class::Act(_) | Class::Overflow
    ) {
        return Outcome::Noop;
    }
    if duplicate(state, change, rules, touched, effects) {
        return Outcome::Duplicate;
    }
    if echoed_create(state, change, rules).is_some() {
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
    let moved = observe(state, change, rules, touched, effects);
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
        if delivery
            .outstanding
            .as_ref()
            .is_some_and(|o| o.kind == CommandKind::Read)
        {
            delivery.read_again = Some(reason);
        }
    }
    if change.class == Class::ReadBack {
        let arrival = change.position.arrival;
        let asked = delivery.outstanding.as_ref().map_or(arrival, |o| o.sent);
        answer::note_reading(delivery, asked, arrival);
        // What waited for a reading is decided now.
        touched.extend(read_fields.iter().copied());
        let of_write = delivery
            .outstanding
            .as_ref()
            .is_some_and(|o| o.kind != CommandKind::Read);
        // The answer to a write may show the record as it was before the changes that were lost.
        if !(of_write && delivery.read_wanted == Some(ReadReason::Overflow)) {
            delivery.read_wanted = None;
        }
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
    if new_link
        || relinked
        || moved
        || wants_read.is_some()
        || matches!(change.class, Class::Stage { .. })
    {
        return Outcome::Applied;
    }
    match standing_of(state, change, touched, rules) {
        Standing::Current => Outcome::Applied,
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
    effects: &mut Effects,
) -> bool {
    let known = state.histories.get(&change.record).and_then(|history| {
        let at = history
            .events
            .iter()
            .rposition(|e| e.event == change.event)?;
        Some((at, history.events[at].time, history.events[at].position))
    });
    let Some((known, seen, placed)) = known else {
        return false;
    };
    let (time, position) = (seen.min(change.time), placed.min(change.position));
    if (time, position) == (seen, placed) {
        return true;
    }
    let held = tally(state);
    if let Some(history) = state.histories.get_mut(&change.record) {
        let was = (seen, placed);
        let event = &mut history.events[known];
        event.time = time;
        event.position = position;
        history.write_all_out();
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
    note_moves(&mut effects.holdings, &held, &tally(state));
    true
}

/// Whether nothing is under way at the record that could make more of what is only said again.
fn is_quiet(state: &State, record: &RecordKey) -> bool {
    let delivery = state.deliveries.get(record);
    state.guarded.is_empty()
        && !state.creates.contains_key(&record.system)
        && delivery.is_none_or(|d| d.intents.is_empty())
}

/// Whether a change about to be applied only says again what stands in a field: it moves nothing there.
pub(crate) fn says_again(
    state: &State,
    change: &Change,
    field: &FieldChange,
    rules: &Rules,
) -> bool {
    let quantum = rules.timing.quantum;
    let Some(history) = state.histories.get(&change.record) else {
        return false;
    };
    change.class != Class::Delta
        && is_quiet(state, &change.record)
        && history.is_past(change.time, quantum)
        && history
            .place(field.field, 0)
            .is_some_and(|place| history.stands(place, field, quantum))
}

/// Puts the observations of a change into their places. Returns whether one plainly changed what stands at its record.
fn observe(
    state: &mut State,
    change: &Change,
    rules: &Rules,
    touched: &mut BTreeSet<Name>,
    effects: &mut Effects,
) -> bool {
    let quantum = rules.timing.quantum;
    let counts = state.status(&change.record) == LinkStatus::Active;
    let delta = change.class == Class::Delta;
    let quiet = is_quiet(state, &change.record);
    let history = state.histories.entry(change.record.clone()).or_default();
    let past = quiet && history.is_past(change.time, quantum);
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
    let event = history.add(event);
    if history.fields.is_empty() {
        history.fields.reserve(change.fields.len());
    }
    let mut again = Restated::by(event);
    let mut moved = false;
    let mut next = 0;
    for field in &change.fields {
        if change.verdicts.beyond.contains(&field.field) {
            continue;
        }
        match history.place(field.field, next) {
            Some(place) => {
                next = place + 1;
                if past && !delta && history.stands(place, field, quantum) && again.take(place) {
                    continue;
                }
                history.write_out(place);
            }
            None => {
                // The places after it move on by one.
                history.restate(std::mem::replace(&mut again, Restated::by(event)));
                history.write_all_out();
            }
        }
        let filled = |history: &History| history.fields.get(&field.field).is_some_and(is_filled);
        let was_filled = filled(history);
        let put = put(history, field, event, rho, quantum);
        if counts && filled(history) != was_filled {
            let holding = Holding {
                system: change.record.system,
                field: field.field,
            };
            add(
                &mut effects.holdings,
                holding,
                if was_filled { -1 } else { 1 },
            );
        }
        moved |= put.first || (put.differs && past && change.origin != Origin::Ours);
        if !(put.restates && quiet && !delta) {
            touched.insert(field.field);
        }
    }
    history.restate(again);
    moved
}

/// What became of an observation that was put into its place.
struct Put {
    /// Nothing had been seen of its field, and it is not blank.
    first: bool,
    /// It comes last and says what stood there.
    restates: bool,
    /// It comes last and says something else than what stood there.
    differs: bool,
}

fn put(history: &mut History, field: &FieldChange, event: u32, rho: Rho, quantum: i64) -> Put {
    let events = &history.events;
    let of_field = history.fields.entry(field.field).or_default();
    let first = of_field.obs.is_empty() && !field.value.is_blank();
    let cell = of_field.cell(field);
    let place = of_field
        .obs
        .iter()
        .rposition(|o| events[o.event as usize].rho(quantum) < rho)
        .map_or(0, |before| before + 1);
    let last = place == of_field.obs.len();
    let follows = last && !field.seen.claims_nothing() && of_field.is_told_apart(events, quantum);
    let stood = of_field.obs.last().map(|o| o.cell);
    let restates = follows && stood == Some(cell);
    let stood = stood.and_then(|cell| of_field.cells.get(cell as usize));
    let differs = follows
        && stood.is_some_and(|stood| !stood.seen.claims_nothing() && stood.value != field.value);
    let obs = Obs {
        event,
        cell,
        sealed: SealedAs::Open,
    };
    of_field.obs.insert(place, obs);
    Put {
        first,
        restates,
        differs,
    }
}
