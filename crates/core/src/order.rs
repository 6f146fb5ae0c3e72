//! ρ, the order at one record and field, and the seats of observations in it.

use crate::{
    change::{Cause, Origin, Seen},
    id::{Digest, Position, RecordKey},
    name::Name,
    rules::Rules,
    state::{
        Cell, Delivery, Event, FieldHistory, Intent, IntentEnd, LinkStatus, SealedAs, State,
        Written,
    },
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
    fn is_read_back(&self) -> bool {
        self.event.is_some_and(|e| e.read_back)
    }

    /// Part of a statement about the whole record.
    fn is_whole(&self) -> bool {
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

static BLANK: Value = Value::Blank;

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

/// The seats of `field` at `record`: observations and own writes sorted by ρ, each with its role.
#[must_use]
pub fn track<'a>(
    state: &'a State,
    record: &'a RecordKey,
    field: Name,
    rules: &'a Rules,
) -> Track<'a> {
    let mut seats = Vec::new();
    let history = state.histories.get(record);
    if let Some((history, of_field)) = history.and_then(|h| Some((h, h.fields.get(&field)?))) {
        seats.reserve(of_field.obs.len() + 1);
        seat_observations(&mut seats, &history.events, of_field, rules.timing.quantum);
    }
    let delivery = state.deliveries.get(record);
    let written = delivery.is_some_and(|d| d.intents.iter().any(|i| i.fields.contains_key(&field)));
    match delivery {
        Some(delivery) if written => {
            let mut echoes = Echoes {
                delivery,
                field,
                rules,
                skew: skew(rules, record),
                read: Vec::new(),
            };
            echoes.mark(&mut seats, state);
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

fn skew(rules: &Rules, record: &RecordKey) -> i64 {
    rules.timing.skew + rules.systems.get(&record.system).map_or(0, |s| s.skew)
}

fn seat_observations<'a>(
    seats: &mut Vec<Seat<'a>>,
    events: &'a [Event],
    history: &'a FieldHistory,
    quantum: i64,
) {
    for obs in &history.obs {
        // Stored indexes are checked when state is read; an index out of range is skipped rather than trusted.
        let (Some(event), Some(cell)) = (
            events.get(obs.event as usize),
            history.cells.get(obs.cell as usize),
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

/// Puts observations of one quantum that no sequence orders into the order that the statements around them tell: what a
/// read-back, or the next whole record, shows stood last; what restates the value from before the quantum came first.
/// See docs/decisions/order-within-a-quantum.md.
fn arrange(seats: &mut [Seat<'_>], echoes: Option<&Echoes<'_>>) {
    let mut from = 0;
    while from < seats.len() {
        let floored = seats[from].rho.floored;
        let count = seats[from..]
            .iter()
            .take_while(|s| s.rho.floored == floored)
            .count();
        arrange_quantum(seats, from, from + count, echoes);
        from += count;
    }
}

fn arrange_quantum(seats: &mut [Seat<'_>], from: usize, end: usize, echoes: Option<&Echoes<'_>>) {
    let group = &seats[from..end];
    let Some(first) = group.first() else { return };
    let sequenced = |s: &Seat<'_>| s.sealed || (s.rho.seq != 0 && !s.is_read_back());
    if !first.rho.floored.is_timed()
        || group.iter().any(sequenced)
        || group.iter().all(|s| s.value == first.value)
    {
        return;
    }
    let before = seats[..from]
        .iter()
        .rfind(|s| !s.seen.claims_nothing())
        .map_or(&BLANK, |s| s.value);
    let newest = group
        .iter()
        .filter(|s| s.event.is_some() && !s.is_read_back())
        .map(|s| s.rho.time)
        .max();
    // A reading of an older version than the newest event speaks of the past.
    let read = group
        .iter()
        .rposition(|s| s.is_read_back() && newest.is_none_or(|newest| s.rho.time >= newest))
        .filter(|read| {
            // One that shows what stood before the quantum says nothing of what came in after it.
            let reading = &group[*read];
            reading.value != before
                || group
                    .iter()
                    .all(|s| s.value == before || s.rho.position <= reading.rho.position)
        });
    let mut told = group
        .iter()
        .filter(|s| s.event.is_some() && !s.is_read_back());
    let moment = told.next().map(|s| s.rho.time);
    // Exact times order what they can.
    let one_moment = told.all(|s| Some(s.rho.time) == moment);
    let next = shown_next(seats, from, end, echoes).filter(|s| one_moment || s.is_read_back());
    // What came in after the reading was answered may be news to it.
    let since = |value: &Value, read: usize| {
        let answered = group[read].rho.position;
        group
            .iter()
            .any(|s| s.value == value && s.rho.position > answered)
    };
    let last = match (read, next) {
        (Some(read), Some(next)) if since(next.value, read) => Found {
            value: next.value,
            read: None,
        },
        (Some(read), _) => Found {
            value: group[read].value,
            read: Some(from + read),
        },
        (None, Some(next)) => Found {
            value: next.value,
            read: None,
        },
        (None, None) => Found {
            value: &BLANK,
            read: None,
        },
    };
    let known = read.is_some() || next.is_some();
    let ours = |seat: &Seat<'_>| {
        seat.event.is_none_or(|event| {
            event.origin == Origin::Ours
                || !event.read_back && echoes.is_some_and(|e| e.shows_a_write(seat, event))
        })
    };
    // The value came back within the quantum, and a write of Baton's own accounts for that.
    let brought_back =
        known && last.value == before && group.iter().any(|s| s.value == before && ours(s));
    let ours: Vec<bool> = group.iter().map(ours).collect();
    for (at, seat) in seats.iter_mut().enumerate().take(end).skip(from) {
        let told = seat.event.is_some() && !seat.is_read_back();
        let ours = ours[at - from];
        let restates = one_moment && told && seat.is_whole() && seat.value == before;
        // Of equal values the write comes before those who merely show it.
        seat.rho.run = u32::from(!ours);
        seat.rho.place = if last.read == Some(at) {
            Place::Read
        } else if !one_moment && seat.event.is_some() {
            Place::Usual
        } else if !one_moment && known && seat.value != last.value {
            // A write of Baton's own, known to have come before what stands there.
            Place::First
        } else if restates && brought_back && !ours {
            Place::First
        } else if known && seat.value == last.value {
            Place::Last
        } else if restates {
            Place::First
        } else {
            Place::Usual
        };
        if !one_moment {
            seat.rho.run = 0;
        }
    }
    if one_moment {
        gather_runs(&mut seats[from..end]);
    }
    seats[from..end].sort_by_key(|s| s.rho);
}

/// Equal values of one moment stand together, where the first of them came in: the fewest changes that explain what
/// was seen.
fn gather_runs(group: &mut [Seat<'_>]) {
    let mut run = 0;
    for at in 0..group.len() {
        if group[at].rho.place != Place::Usual {
            continue;
        }
        let first = group[..at]
            .iter()
            .find(|s| s.value == group[at].value && s.rho.place == Place::Usual);
        // Two for each run: the write, and those who merely show it.
        let shows = group[at].rho.run % 2;
        group[at].rho.run = shows
            + first.map_or_else(
                || {
                    run += 2;
                    run
                },
                |s| s.rho.run - s.rho.run % 2,
            );
    }
}

/// What was found to stand last in a quantum, and the reading that found it.
struct Found<'a> {
    value: &'a Value,
    read: Option<usize>,
}

/// The next statement about the record as a whole that shows one of the quantum's values, if nothing but that
/// statement can have brought it there: a write of Baton's own in between tells nothing of what was before it.
fn shown_next<'s, 'a>(
    seats: &'s [Seat<'a>],
    from: usize,
    end: usize,
    echoes: Option<&Echoes<'_>>,
) -> Option<&'s Seat<'a>> {
    let floored = seats.get(end)?.rho.floored;
    let count = seats[end..]
        .iter()
        .take_while(|s| s.rho.floored == floored)
        .count();
    let next = &seats[end..end + count];
    next.iter()
        .filter(|s| s.is_whole() && (s.is_read_back() || !s.seen.claims_nothing()))
        .filter(|s| !next.iter().any(|o| o.event.is_none() && o.value == s.value))
        .filter(|s| !echoes.is_some_and(|e| e.may_be_echo(s, seats[from].rho.floored)))
        .find(|s| seats[from..end].iter().any(|own| own.value == s.value))
}

/// Walks the seats in ρ and tells turns from restatements.
fn assign_roles<'a>(
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
        let seat = seats[at].clone();
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
        if let (Some(echoes), Some(event), false) = (echoes, seat.event, seat.sealed)
            && role == Role::Own
        {
            let found = echoes.tagged(&seat, event, differs, run, &mut explained);
            match found {
                Tagged::By(value) => seats[at].meant = Some(value),
                Tagged::Beside if differs => role = Role::Turn,
                Tagged::Beside => role = Role::Same,
                Tagged::Unknown => {}
            }
        } else if let (Some(echoes), Some(event), false) = (echoes, seat.event, seat.sealed) {
            let of = echoes.role(&seat, event, role, run, &mut explained);
            role = of.0;
            if of.1.is_some() {
                seats[at].meant = of.1;
            }
        }
        if role == Role::Waiting {
            seats[at].role = role;
            continue;
        }
        seats[at].held = clears_wait(state, &seat, field);
        let seat = &mut seats[at];
        before = Some(seat.value);
        match role {
            Role::Own if seat.meant.is_some() => meant = seat.meant,
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

/// Which run of equal values each intent explains: one of the value as it was written and one of its rendering.
#[derive(Default)]
struct Explained(Vec<(u32, Kind, usize)>);

/// What an event tagged ours shows of a field.
enum Tagged<'a> {
    /// A write of this value.
    By(&'a Value),
    /// A field that the write did not touch.
    Beside,
    /// Some write of long ago.
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The value as it was written.
    Written,
    /// What the target made of it.
    Rendering,
}

impl Explained {
    /// Whether the intent explains this run, or can from now on.
    fn takes(&mut self, intent: u32, kind: Kind, run: usize) -> bool {
        match self
            .0
            .iter()
            .find(|(number, of, _)| (*number, *of) == (intent, kind))
        {
            Some((_, _, explained)) => *explained == run,
            None => {
                self.0.push((intent, kind, run));
                true
            }
        }
    }
}

/// Tells echoes of Baton's own writes, and learns renderings, for one field of one record (section 7).
struct Echoes<'a> {
    delivery: &'a Delivery,
    field: Name,
    rules: &'a Rules,
    skew: i64,
    /// What read-backs of the very version that an intent wrote showed of it: intent → rendering.
    read: Vec<(u32, &'a Value)>,
}

impl<'a> Echoes<'a> {
    /// Adds the own writes that no event shows: at the vendor's stamp, else at the acknowledgement.
    fn mark(&mut self, seats: &mut Vec<Seat<'a>>, state: &State) {
        self.learn_from_readings(seats);
        let quantum = self.rules.timing.quantum;
        let mut walked = seats.clone();
        let shown = assign_roles(&mut walked, state, Some(self), self.field);
        for intent in &self.delivery.intents {
            let Some(written) = intent.fields.get(&self.field) else {
                continue;
            };
            if intent.end != IntentEnd::Done || written.refused {
                continue;
            }
            let Some(answered) = intent.answered else {
                continue;
            };
            let restated = seats.iter().any(|s| {
                s.event.is_some_and(|e| {
                    e.may_match.contains(&intent.number)
                        && self.echo_of(intent, s, e).is_some()
                        && !self.is_before(intent, e)
                })
            });
            if restated || shown.0.iter().any(|(number, ..)| *number == intent.number) {
                continue;
            }
            let time = intent.stamp.unwrap_or(answered.arrival);
            seats.push(Seat {
                rho: Rho {
                    floored: time.floor(quantum),
                    place: Place::Usual,
                    run: 0,
                    seq: 0,
                    time,
                    position: answered,
                    own: true,
                    event: intent.command,
                },
                value: written.answered.as_ref().unwrap_or(&written.value),
                meant: Some(&written.value),
                seen: Seen::Value,
                before: None,
                event: None,
                cause: Cause::Api,
                role: Role::Own,
                sealed: false,
                held: false,
            });
        }
        seats.sort_by_key(|s| s.rho);
    }

    /// A read-back of the same version as the write shows how the target renders it, unless an event shows that the
    /// target took the value as it was written.
    fn learn_from_readings(&mut self, seats: &[Seat<'a>]) {
        let quantum = self.rules.timing.quantum;
        for intent in &self.delivery.intents {
            let (Some(written), Some(stamp)) = (intent.fields.get(&self.field), intent.stamp)
            else {
                continue;
            };
            if intent.end != IntentEnd::Done || written.refused || written.answered.is_some() {
                continue;
            }
            let same_version = |s: &&Seat<'_>| s.rho.floored == stamp.floor(quantum);
            let taken = seats.iter().filter(same_version).any(|s| {
                s.value == &written.value
                    && s.event
                        .is_some_and(|e| !e.read_back && e.may_match.contains(&intent.number))
            });
            if taken {
                continue;
            }
            let shown = seats
                .iter()
                .filter(same_version)
                .rfind(|s| s.is_read_back() && !s.value.is_blank());
            if let Some(seat) = shown
                && seat.value != &written.value
            {
                self.read.push((intent.number, seat.value));
            }
        }
    }

    fn intents<'e>(&self, event: &'e Event) -> impl Iterator<Item = &'a Intent> + use<'a, 'e, '_> {
        self.delivery
            .intents
            .iter()
            .filter(|i| event.may_match.contains(&i.number) && i.end != IntentEnd::Refused)
    }

    /// Which write an event tagged ours shows. Whole records also show what stood beside it.
    fn tagged(
        &self,
        seat: &Seat<'_>,
        event: &'a Event,
        differs: bool,
        run: usize,
        explained: &mut Explained,
    ) -> Tagged<'a> {
        let written = |intent: &'a Intent| {
            intent
                .fields
                .get(&self.field)
                .filter(|w| !w.refused)
                .map(|w| &w.value)
        };
        // The value as it was written says more than a likeness.
        let exact = self.intents(event).find(|intent| {
            written(intent) == Some(seat.value)
                && explained.takes(intent.number, Kind::Written, run)
        });
        if let Some(value) = exact.and_then(written) {
            return Tagged::By(value);
        }
        let mut touched = false;
        for intent in self.intents(event) {
            let Some(fields) = intent.fields.get(&self.field).filter(|w| !w.refused) else {
                continue;
            };
            touched = true;
            let likely = self.is_known_rendering(intent, fields, seat.value)
                || is_variant(&fields.value, seat.value)
                || (differs && event.delta && self.timely(intent, event, 0));
            if likely && explained.takes(intent.number, Kind::Rendering, run) {
                return Tagged::By(&fields.value);
            }
        }
        if touched || event.delta || event.may_match.is_empty() {
            Tagged::Unknown
        } else {
            Tagged::Beside
        }
    }

    /// Whether the observation is the echo of this intent by value and time, and of what kind.
    fn echo_of(&self, intent: &Intent, seat: &Seat<'_>, event: &Event) -> Option<Kind> {
        let written = intent.fields.get(&self.field)?;
        if event.origin != Origin::Unsaid || written.refused {
            return None;
        }
        let kind = if *seat.value == written.value {
            Kind::Written
        } else if self.is_known_rendering(intent, written, seat.value) {
            Kind::Rendering
        } else {
            let variant = is_variant(&written.value, seat.value)
                && self.timely(intent, event, self.rules.timing.rendering_settle);
            return variant.then_some(Kind::Rendering);
        };
        let settles = match kind {
            Kind::Written => 0,
            // A workflow may have made it some time after the write.
            Kind::Rendering => self.rules.timing.rendering_settle,
        };
        self.timely(intent, event, settles).then_some(kind)
    }

    /// Whether the observation is an echo of some write, by value and time.
    fn shows_a_write(&self, seat: &Seat<'_>, event: &Event) -> bool {
        self.intents(event)
            .any(|intent| self.echo_of(intent, seat, event).is_some())
    }

    /// Whether some write after this quantum may have brought the value that is shown.
    fn may_be_echo(&self, seat: &Seat<'_>, after: Millis) -> bool {
        let quantum = self.rules.timing.quantum;
        seat.event.is_some_and(|event| {
            self.intents(event).any(|intent| {
                let written = intent.stamp.unwrap_or(intent.sent).floor(quantum) > after;
                written
                    && (self.echo_of(intent, seat, event).is_some()
                        || event.origin == Origin::Ours
                            && intent
                                .fields
                                .get(&self.field)
                                .is_some_and(|w| w.value == *seat.value))
            })
        })
    }

    fn is_known_rendering(&self, intent: &Intent, written: &Written, value: &Value) -> bool {
        written.answered.as_ref() == Some(value)
            || self.read.contains(&(intent.number, value))
            || self
                .delivery
                .renderings
                .get(&self.field)
                .is_some_and(|(of, as_)| of == &written.value && as_ == value)
    }

    /// Within the quantum of the answer's stamp; where none is given, between sent and acknowledged (or given up),
    /// with a margin. `after` lengthens the window for renderings.
    fn timely(&self, intent: &Intent, event: &Event, after: i64) -> bool {
        let quantum = self.rules.timing.quantum;
        let margin = quantum + self.skew;
        if let Some(stamp) = intent.stamp {
            let (time, stamp) = (event.time.floor(quantum), stamp.floor(quantum));
            return time >= stamp && time <= stamp.plus(after);
        }
        event.time >= intent.sent.minus(margin).floor(quantum)
            && intent
                .answered
                .is_none_or(|end| event.time <= end.arrival.plus(margin + after))
    }

    /// Whether the event lies before the quantum in which the write was sent.
    fn is_before(&self, intent: &Intent, event: &Event) -> bool {
        let quantum = self.rules.timing.quantum;
        event.time.floor(quantum) < intent.sent.floor(quantum)
    }

    fn role(
        &self,
        seat: &Seat<'_>,
        event: &'a Event,
        so_far: Role,
        run: usize,
        explained: &mut Explained,
    ) -> (Role, Option<&'a Value>) {
        // What restates the value before it needs no explanation.
        if event.origin == Origin::Other || event.may_match.is_empty() || so_far == Role::Same {
            return (so_far, None);
        }
        if event.read_back {
            // A reading claims only if it equals no intent's value, and then that is what it shows.
            let exact = self.intents(event).find_map(|intent| {
                let written = intent.fields.get(&self.field).filter(|w| !w.refused)?;
                (written.value == *seat.value).then_some((intent, &written.value))
            });
            if let Some((intent, meant)) = exact {
                // Long after the write it shows only that the value stands: the write keeps its own place.
                if self.timely(intent, event, self.rules.timing.rendering_settle) {
                    explained.takes(intent.number, Kind::Written, run);
                }
                return (Role::Own, Some(meant));
            }
        }
        // The value as it was written says more than a likeness.
        for kind in [Kind::Written, Kind::Rendering] {
            let echo = self.intents(event).find(|intent| {
                self.echo_of(intent, seat, event) == Some(kind)
                    && explained.takes(intent.number, kind, run)
            });
            if let Some(intent) = echo {
                return (Role::Own, intent.fields.get(&self.field).map(|w| &w.value));
            }
        }
        if so_far != Role::Turn || event.read_back {
            return self.unless_intended(seat, event, so_far);
        }
        let undecided = self.intents(event).any(|intent| {
            let Some(written) = intent.fields.get(&self.field) else {
                return false;
            };
            if !self.timely(intent, event, self.rules.timing.rendering_settle)
                || event.origin == Origin::Ours
            {
                return false;
            }
            match intent.end {
                IntentEnd::Pending => true,
                IntentEnd::Done => written.answered.is_none() && !self.read_since(event),
                IntentEnd::Refused | IntentEnd::Unknown => false,
            }
        });
        (if undecided { Role::Waiting } else { so_far }, None)
    }

    /// A read-back claims only if it equals no intent's value.
    fn unless_intended(
        &self,
        seat: &Seat<'_>,
        event: &'a Event,
        so_far: Role,
    ) -> (Role, Option<&'a Value>) {
        if !event.read_back || so_far != Role::Turn {
            return (so_far, None);
        }
        let written = |exact: bool| {
            self.intents(event).find_map(|intent| {
                let written = intent.fields.get(&self.field).filter(|w| !w.refused)?;
                let equal = if exact {
                    written.value == *seat.value
                } else {
                    self.is_known_rendering(intent, written, seat.value)
                };
                equal.then_some(&written.value)
            })
        };
        let intended = written(true).or_else(|| written(false));
        match intended {
            Some(meant) => (Role::Own, Some(meant)),
            None => (so_far, None),
        }
    }

    /// Whether the record was read after this observation came in, or cannot be read at all.
    fn read_since(&self, event: &Event) -> bool {
        self.delivery
            .last_read
            .is_some_and(|(asked, _)| asked >= event.position.arrival)
    }
}

/// Whether a target may have made `shown` of `written` by itself: a prefix, another case, other spacing.
#[must_use]
pub fn is_variant(written: &Value, shown: &Value) -> bool {
    let (Value::Text(written), Value::Text(shown)) = (written, shown) else {
        return false;
    };
    if written == shown || shown.is_empty() {
        return false;
    }
    let plain = |t: &str| {
        t.chars()
            .filter(|c| !c.is_whitespace())
            .flat_map(char::to_lowercase)
            .collect::<String>()
    };
    let (written, shown) = (plain(written), plain(shown));
    // A prefix of one or two characters is more likely somebody's own entry than a cut.
    written == shown || (shown.chars().count() >= 3 && written.starts_with(&shown))
}
