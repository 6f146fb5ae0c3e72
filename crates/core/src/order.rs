//! ρ, the order at one record and field, and the seats of observations in it.

use crate::arrange::arrange;
use crate::echo::{Echoes, Explained, Tagged, is_variant, stands_beside};
use crate::{
    change::{Cause, Origin, Seen},
    id::{Digest, Position, RecordKey},
    name::Name,
    rules::Rules,
    state::{Cell, Event, History, LinkStatus, SealedAs, State},
    time::Millis,
    value::Value,
};

/// Event time floored to the quantum; vendor sequence or 0; exact time; log position at first arrival; change
/// before own write; event id. Lexicographic, hence total.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Rho {
    pub floored: Millis,
    pub place: Place,
    /// Among unordered equals of its place: which run of equal values it belongs to.
    pub run: u32,
    pub seq: u64,
    pub time: Millis,
    /// Among those of its exact time, where times order the quantum.
    pub among: (Place, u32),
    pub position: Position,
    pub own: bool,
    pub event: Digest,
}

/// Where an observation stands among those of its quantum, before sequence and exact time are looked at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// A whole record that restates what stood before the quantum.
    First,
    /// By sequence, exact time and arrival.
    Usual,
    /// What was found to stand afterwards.
    Last,
    /// A read-back.
    Read,
}

impl Event {
    #[must_use]
    pub const fn rho(&self, quantum: i64) -> Rho {
        Rho {
            floored: self.time.floor(quantum),
            // A read-back is placed last in the quantum of the record's own stamp.
            place: if self.read_back {
                Place::Read
            } else {
                Place::Usual
            },
            run: 0,
            seq: self.seq,
            time: self.time,
            among: (Place::Usual, 0),
            position: self.position,
            own: false,
            event: self.event,
        }
    }
}

/// What an observation turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Somebody changed the value: a claim.
    Turn,
    /// The same value as the observation before it.
    Same,
    /// Baton's own doing: updates what is believed, claims nothing.
    Own,
    /// A snapshot blank or a filler: believed, otherwise as if absent.
    Nothing,
    /// A third value inside an intent's window: waits for the answer or a read-back.
    Waiting,
}

/// One observation, or one own write, in its place.
#[derive(Clone, Debug)]
pub struct Seat<'a> {
    pub rho: Rho,
    pub value: &'a Value,
    /// The value that Baton wrote, where this shows a target's rendering of it.
    pub meant: Option<&'a Value>,
    pub seen: Seen,
    pub before: Option<&'a Value>,
    pub event: Option<&'a Event>,
    pub cause: Cause,
    pub role: Role,
    /// Beyond the horizon: its role is a stored fact.
    pub sealed: bool,
    /// A clear that waits for the mass-clear guard or was held by it: seen, a turn, and not eligible.
    pub held: bool,
}

impl Seat<'_> {
    pub(crate) fn is_read_back(&self) -> bool {
        self.event.is_some_and(|e| e.read_back)
    }

    /// Part of a statement about the whole record.
    pub(crate) fn is_whole(&self) -> bool {
        self.event.is_some_and(|e| !e.delta)
    }
}

/// All seats of one field at one record, in ρ.
#[derive(Debug)]
pub struct Track<'a> {
    pub record: &'a RecordKey,
    pub link: LinkStatus,
    pub seats: Vec<Seat<'a>>,
}

pub(crate) static BLANK: Value = Value::Blank;

impl<'a> Track<'a> {
    /// The last observation in ρ, own writes included; none if nothing was ever seen.
    #[must_use]
    pub fn believed(&self) -> Option<&'a Value> {
        self.seats.last().map(|s| {
            if s.seen.claims_nothing() {
                &BLANK
            } else {
                s.value
            }
        })
    }

    /// The newest arrival among different values in the last quantum that no sequence orders. A read-back settles
    /// what had arrived when it was asked; whoever asks compares.
    #[must_use]
    pub fn ambiguous(&self) -> Option<Millis> {
        let last = self.seats.last()?;
        if !last.rho.floored.is_timed() {
            return None;
        }
        let tail = self
            .seats
            .iter()
            .rev()
            .take_while(|s| s.rho.floored == last.rho.floored);
        let mut newest = None;
        let mut differ = false;
        let mut ordered = true;
        for seat in tail {
            differ |= seat.value != last.value;
            ordered &= seat.rho.seq != 0;
            if !seat.is_read_back() {
                newest = newest.max(Some(seat.rho.position.arrival));
            }
        }
        newest.filter(|_| differ && !ordered)
    }

    /// When a write was answered of which nothing shows what the target made of it, where that may be what stood there
    /// before: then no event need come, and only a reading tells.
    #[must_use]
    pub fn unshown(&self) -> Option<Millis> {
        let (last, before) = self.seats.split_last()?;
        let written = last
            .meant
            .filter(|w| last.event.is_none() && *w == last.value)?;
        // A stamp tells by itself which version the target holds.
        let answered = last.rho.position.arrival;
        let stamped = last.rho.time != answered;
        let written_too = |s: &Seat<'_>| s.event.is_none() && s.meant == Some(written);
        let mut stood = before.iter().filter(|s| !s.seen.claims_nothing());
        let stood = stood.rfind(|s| !written_too(s))?;
        (!stamped && is_variant(written, stood.value)).then_some(answered)
    }

    /// Whether some seat waits for a read-back to tell a rendering from a claim.
    #[must_use]
    pub fn waiting(&self) -> Option<Millis> {
        self.seats
            .iter()
            .filter(|s| s.role == Role::Waiting)
            .map(|s| s.rho.position.arrival)
            .max()
    }
}

/// The seats of `field` at `record`: observations and own writes sorted by ρ, each with its role. Of what is only said
/// again at the end, the last time stands for all.
#[must_use]
pub fn track<'a>(
    state: &'a State,
    record: &'a RecordKey,
    field: Name,
    rules: &'a Rules,
) -> Track<'a> {
    lay_out(state, record, field, rules, false)
}

/// As [`track`], with every observation.
#[must_use]
pub fn track_all<'a>(
    state: &'a State,
    record: &'a RecordKey,
    field: Name,
    rules: &'a Rules,
) -> Track<'a> {
    lay_out(state, record, field, rules, true)
}

fn lay_out<'a>(
    state: &'a State,
    record: &'a RecordKey,
    field: Name,
    rules: &'a Rules,
    every: bool,
) -> Track<'a> {
    let mut seats = Vec::new();
    let delivery = state.deliveries.get(record);
    let written = delivery.is_some_and(|d| d.intents.iter().any(|i| i.fields.contains_key(&field)));
    if let Some(history) = state.histories.get(record)
        && let Ok(place) = history.fields.find_index(&field)
    {
        // An own write may come between what is only said again.
        let every = every || written;
        seat_observations(&mut seats, history, place, every, rules.timing.quantum);
    }
    match delivery {
        Some(delivery) if written => {
            let mut echoes = Echoes {
                delivery,
                field,
                rules,
                skew: skew(rules, record),
                exact: rules.says_consent(field),
                read: Vec::new(),
            };
            echoes.mark(&mut seats, state, state.histories.get(record).map(|h| &**h));
            arrange(&mut seats, Some(&echoes));
            assign_roles(&mut seats, state, Some(&echoes), field);
        }
        _ => {
            arrange(&mut seats, None);
            assign_roles(&mut seats, state, None, field);
        }
    }
    Track {
        record,
        link: state.status(record),
        seats,
    }
}

pub(crate) fn skew(rules: &Rules, record: &RecordKey) -> i64 {
    rules.timing.skew + rules.systems.get(&record.system).map_or(0, |s| s.skew)
}

fn seat_observations<'a>(
    seats: &mut Vec<Seat<'a>>,
    history: &'a History,
    place: usize,
    every: bool,
    quantum: i64,
) {
    let Some((_, of_field)) = history.fields.get_indexed(place) else {
        return;
    };
    let mut again = history.restatements(place);
    let last_again = if every { None } else { again.next_back() };
    let again = again.filter(|_| every).chain(last_again);
    // Room for an own write, too.
    *seats = Vec::with_capacity(of_field.obs.len() + 2);
    for obs in of_field.obs.iter().copied().chain(again) {
        // Stored indexes are checked when state is read; an index out of range is skipped rather than trusted.
        let (Some(event), Some(cell)) = (
            history.events.get(obs.event as usize),
            of_field.cells.get(obs.cell as usize),
        ) else {
            continue;
        };
        let Cell {
            value,
            seen,
            before,
        } = cell;
        let mut rho = event.rho(quantum);
        let role = match obs.sealed {
            SealedAs::Open if event.origin == Origin::Ours => Role::Own,
            SealedAs::Open => Role::Turn,
            SealedAs::Turn => Role::Turn,
            SealedAs::Same => Role::Same,
            SealedAs::Own => Role::Own,
        };
        rho.own = role == Role::Own;
        seats.push(Seat {
            rho,
            value,
            meant: None,
            seen: *seen,
            before: before.as_deref(),
            event: Some(event),
            cause: event.cause,
            role,
            sealed: obs.sealed != SealedAs::Open,
            held: false,
        });
    }
    debug_assert!(
        seats
            .windows(2)
            .all(|w| w[0].rho.floored <= w[1].rho.floored),
        "observations are kept in ρ"
    );
}

/// Walks the seats in ρ and tells turns from restatements.
pub(crate) fn assign_roles<'a>(
    seats: &mut [Seat<'a>],
    state: &State,
    echoes: Option<&Echoes<'a>>,
    field: Name,
) -> Explained {
    let mut before: Option<&Value> = None;
    let mut meant: Option<&'a Value> = None;
    // The turn that a reading found and that an event may still take over.
    let mut found_by_reading: Option<usize> = None;
    let mut explained = Explained::default();
    let mut run = 0_usize;
    for at in 0..seats.len() {
        let seat = &seats[at];
        if seat.seen.claims_nothing() {
            seats[at].role = Role::Nothing;
            continue;
        }
        let differs = before.map_or(!seat.value.is_blank(), |b| b != seat.value);
        let new_run = before.is_none_or(|b| b != seat.value);
        run += usize::from(new_run);
        let mut role = match seat.role {
            sealed if seat.sealed => sealed,
            Role::Own => Role::Own,
            _ if !differs => Role::Same,
            _ => Role::Turn,
        };
        let mut shown = None;
        explained.seat = at;
        if role == Role::Own
            && !seat.sealed
            && echoes.is_none()
            && seat.event.is_some_and(|e| stands_beside(e, None))
        {
            // Baton never wrote this field here: somebody else did, and the tagged event of a write shows it.
            role = if differs { Role::Turn } else { Role::Same };
        } else if let (Some(echoes), Some(event), false) = (echoes, seat.event, seat.sealed)
            && role == Role::Own
        {
            let found = echoes.tagged(seat, event, differs, run, &mut explained);
            match found {
                Tagged::By(value) => shown = Some(value),
                Tagged::Beside if differs => role = Role::Turn,
                Tagged::Beside => role = Role::Same,
                Tagged::Unknown => {}
            }
        } else if let (Some(echoes), Some(event), false) = (echoes, seat.event, seat.sealed) {
            (role, shown) = echoes.role(seat, event, role, run, &mut explained);
            // What was written just so is no rendering.
            if role == Role::Same && meant != Some(seat.value) {
                shown = echoes.unchanged(seat, event, run, &mut explained);
            }
        }
        if role == Role::Waiting {
            seats[at].role = role;
            continue;
        }
        let held = clears_wait(state, seat, field);
        let seat = &mut seats[at];
        seat.held = held;
        seat.meant = shown.or(seat.meant);
        before = Some(seat.value);
        match role {
            Role::Own if seat.meant.is_some() || differs => meant = seat.meant,
            Role::Same if shown.is_some() => meant = shown,
            Role::Same | Role::Own => seat.meant = meant,
            _ => meant = None,
        }
        let by_reading = seat.event.is_some_and(|e| e.by_reading);
        let delta = seat.event.is_some_and(|e| e.delta);
        match role {
            Role::Turn => found_by_reading = by_reading.then_some(at),
            Role::Same if delta && !by_reading => {
                if let Some(found) = found_by_reading.take() {
                    // An event that later reports what a reading had found takes the turn over.
                    seats[found].role = Role::Same;
                    role = Role::Turn;
                }
            }
            // A whole-record event or another reading that restates it leaves it to be taken over.
            Role::Same => {}
            _ => found_by_reading = None,
        }
        seats[at].role = role;
    }
    explained
}

fn clears_wait(state: &State, seat: &Seat<'_>, field: Name) -> bool {
    !state.guarded.is_empty()
        && seat.value.is_blank()
        && seat
            .event
            .and_then(|e| state.guarded.get(&e.event))
            .is_some_and(|g| g.held != Some(false) && g.fields.contains(&field))
}
