//! Tells echoes of Baton's own writes, and learns renderings (section 7).

mod mark;

use crate::order::{Rho, Role, Seat};
use crate::{
    change::Origin,
    name::Name,
    rules::Rules,
    state::{Delivery, Event, Intent, IntentEnd, Written},
    time::Millis,
    value::Value,
};

/// Which run of equal values each intent explains: one of the value as it was written and one of its rendering.
#[derive(Default)]
pub(crate) struct Explained {
    runs: Vec<Explains>,
    /// The seat that is being looked at.
    pub(crate) seat: usize,
}

/// One intent explains one run.
struct Explains {
    intent: u32,
    kind: Kind,
    run: usize,
    /// The first seat of it.
    seat: usize,
}

/// Whether an event tagged ours only shows what stood beside the write: the field is none of those that its write may
/// have touched.
pub(crate) fn stands_beside(event: &Event, echoes: Option<&Echoes<'_>>) -> bool {
    !event.delta && !event.may_match.is_empty() && !echoes.is_some_and(|e| e.wrote(event))
}

/// What an event tagged ours shows of a field.
pub(crate) enum Tagged<'a> {
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
        let of = |e: &&Explains| (e.intent, e.kind) == (intent, kind);
        match self.runs.iter().find(of) {
            Some(explains) => explains.run == run,
            None => {
                let seat = self.seat;
                self.runs.push(Explains {
                    intent,
                    kind,
                    run,
                    seat,
                });
                true
            }
        }
    }
}

impl Explained {
    /// Whether the intent explains another run.
    fn elsewhere(&self, intent: u32, run: usize) -> bool {
        let other = |e: &Explains| e.intent == intent && e.run != run;
        self.runs.iter().any(other)
    }
}

/// Tells echoes of Baton's own writes, and learns renderings, for one field of one record (section 7).
pub(crate) struct Echoes<'a> {
    pub(crate) delivery: &'a Delivery,
    pub(crate) field: Name,
    pub(crate) rules: &'a Rules,
    pub(crate) skew: i64,
    /// It says a consent: no system makes another word of it by itself, so nothing but the very word shows a write, and
    /// whatever else stands there somebody said (L6).
    pub(crate) exact: bool,
    /// What read-backs of the very version that an intent wrote showed of it: intent → rendering.
    pub(crate) read: Vec<(u32, &'a Value)>,
}

impl<'a> Echoes<'a> {
    fn intents<'e>(&self, event: &'e Event) -> impl Iterator<Item = &'a Intent> + use<'a, 'e, '_> {
        self.delivery
            .intents
            .iter()
            .filter(|i| event.may_match.contains(&i.number) && i.end != IntentEnd::Refused)
    }

    /// Whether some write that this event may show touched the field.
    fn wrote(&self, event: &Event) -> bool {
        self.told_by(event)
            .any(|i| i.fields.get(&self.field).is_some_and(|w| !w.refused))
    }

    /// The writes that a tagged event may be the news of. What others left stands beside, in the same record.
    fn told_by<'e>(&self, event: &'e Event) -> impl Iterator<Item = &'a Intent> + use<'a, 'e, '_> {
        self.intents(event)
            .filter(|intent| self.timely(intent, event, 0))
    }

    /// Which write an event tagged ours shows. Whole records also show what stood beside it.
    pub(crate) fn tagged(
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
        // What restates the value before it and lies before the write shows an earlier one.
        let earlier = |intent: &Intent| !differs && self.is_before(intent, event);
        // The value as it was written says more than a likeness.
        let exact = self.told_by(event).find(|intent| {
            written(intent) == Some(seat.value)
                && !earlier(intent)
                && explained.takes(intent.number, Kind::Written, run)
        });
        if let Some(value) = exact.and_then(written) {
            return Tagged::By(value);
        }
        if self.exact && !event.may_match.is_empty() {
            return Tagged::Beside;
        }
        // What it shows may also be the rendering of an earlier write, unless it was written just so.
        let plain = self.intents(event).any(|i| written(i) == Some(seat.value));
        for intent in self.intents(event).filter(|_| !plain) {
            let Some(fields) = intent.fields.get(&self.field).filter(|w| !w.refused) else {
                continue;
            };
            let likely = self.is_known_rendering(intent, fields, seat.value)
                || is_variant(&fields.value, seat.value)
                || (differs && event.delta && self.timely(intent, event, 0));
            if likely && explained.takes(intent.number, Kind::Rendering, run) {
                return Tagged::By(&fields.value);
            }
        }
        // A write that was seen already is not news again.
        let touched = self
            .told_by(event)
            .any(|i| written(i).is_some() && !explained.elsewhere(i.number, run));
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
        } else if self.exact {
            return None;
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

    /// Whether a write shows here, and none but such as were sent at or after that instant.
    pub(crate) fn was_sent_since(&self, seat: &Seat<'_>, at: Millis) -> bool {
        let mut since = None;
        for intent in &self.delivery.intents {
            let shows = match seat.event {
                None => intent.command == seat.rho.event,
                Some(event) if event.origin == Origin::Ours => {
                    event.may_match.contains(&intent.number)
                        && self.timely(intent, event, 0)
                        && intent
                            .fields
                            .get(&self.field)
                            .is_some_and(|w| w.value == *seat.value)
                }
                Some(event) => {
                    event.may_match.contains(&intent.number)
                        && self.echo_of(intent, seat, event).is_some()
                }
            };
            if shows {
                since = Some(since.unwrap_or(true) && intent.sent >= at);
            }
        }
        since.unwrap_or(false)
    }

    /// Whether the observation is an echo of some write, by value and time.
    pub(crate) fn shows_a_write(&self, seat: &Seat<'_>, event: &Event) -> bool {
        self.intents(event)
            .any(|intent| self.echo_of(intent, seat, event).is_some())
    }

    /// What a target made of a write, where both are seen among these: it follows the write.
    pub(crate) fn rendering_beside_its_write(&self, group: &[Seat<'a>]) -> Option<&'a Value> {
        let kind = |seat: &Seat<'_>, intent: &Intent| {
            let event = seat
                .event
                .filter(|e| e.may_match.contains(&intent.number))?;
            match event.origin {
                Origin::Ours if self.timely(intent, event, 0) => intent
                    .fields
                    .get(&self.field)
                    .filter(|w| w.value == *seat.value)
                    .map(|_| Kind::Written),
                _ => self.echo_of(intent, seat, event),
            }
        };
        let written = self.delivery.intents.iter().filter(|intent| {
            intent.end != IntentEnd::Refused
                && group.iter().any(|s| kind(s, intent) == Some(Kind::Written))
        });
        written
            .filter_map(|intent| {
                let shown = group
                    .iter()
                    .find(|s| kind(s, intent) == Some(Kind::Rendering));
                shown.map(|s| s.value)
            })
            .next_back()
    }

    /// Whether some write after this quantum may have brought the value that is shown.
    /// `exactly`: where times are exact, after this one.
    pub(crate) fn may_be_echo(
        &self,
        seat: &Seat<'_>,
        own: &[Seat<'_>],
        exactly: Option<Millis>,
    ) -> bool {
        let quantum = self.rules.timing.quantum;
        let Some(after) = own.first().map(|s| s.rho.floored) else {
            return false;
        };
        seat.event.is_some_and(|event| {
            self.intents(event).any(|intent| {
                let later = |time: Millis| {
                    exactly.map_or_else(|| time.floor(quantum) > after, |at| time > at)
                };
                let seen = || {
                    own.iter().any(|s| {
                        s.event.is_some_and(|e| {
                            e.may_match.contains(&intent.number)
                                && (e.origin == Origin::Ours
                                    || self.echo_of(intent, s, e).is_some())
                        })
                    })
                };
                // Without a stamp it may have been carried out as late as it was answered, unless it is seen here.
                let written = match (intent.stamp, intent.answered) {
                    (Some(stamp), _) => later(stamp),
                    (None, answered) => {
                        later(intent.sent) || answered.is_none_or(|a| later(a.arrival)) && !seen()
                    }
                };
                written
                    && (self.echo_of(intent, seat, event).is_some()
                        || event.origin == Origin::Ours
                            && intent
                                .fields
                                .get(&self.field)
                                .is_some_and(|w| self.is_like(intent, w, seat.value)))
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
                .closed(self.rules)
                .is_none_or(|end| event.time <= end.plus(margin + after))
    }

    /// Where a write without a stamp was first noticed: while it was under way, the record of a named person, who had
    /// changed something else, showed its value.
    fn noticed(
        &self,
        intent: &Intent,
        written: &Written,
        seats: &[Seat<'a>],
    ) -> Option<(Rho, &'a Value)> {
        if intent.stamp.is_some() {
            return None;
        }
        let shows = |s: &&Seat<'a>| {
            s.event.is_some_and(|e| {
                e.origin == Origin::Other
                    && s.is_whole()
                    && self.timely(intent, e, 0)
                    && self.is_like(intent, written, s.value)
            })
        };
        let first = seats.iter().filter(shows).min_by_key(|s| s.rho)?;
        let earlier = seats
            .iter()
            .filter(|s| s.rho < first.rho && !s.seen.claims_nothing());
        let stood = earlier.max_by_key(|s| s.rho).map(|s| s.value);
        // Where that stood before, nothing was noticed.
        (stood != Some(first.value)).then_some((first.rho, first.value))
    }

    /// Whether the write changed nothing: it was answered with the stamp of a version that was known before it was sent
    /// and shows its value, or what the target makes of it.
    fn stood_already(
        &self,
        intent: &Intent,
        written: &Written,
        seat: &Seat<'_>,
        event: &Event,
    ) -> bool {
        intent.stamp == Some(event.time)
            && event.position.arrival <= intent.sent
            && self.is_like(intent, written, seat.value)
    }

    /// Whether the value is the one that was written, or may be what the target makes of it.
    fn is_like(&self, intent: &Intent, written: &Written, value: &Value) -> bool {
        *value == written.value
            || self.is_known_rendering(intent, written, value)
            || is_variant(&written.value, value)
    }

    /// Whether the event can stand for the write in its place: a write has the vendor's own stamp, where that is known,
    /// whatever shows its value later.
    fn in_its_place(&self, intent: &Intent, event: &Event) -> bool {
        let quantum = self.rules.timing.quantum;
        intent
            .stamp
            .is_none_or(|stamp| event.time.floor(quantum) <= stamp.floor(quantum))
    }

    /// Whether the event lies before the quantum in which the write was sent.
    fn is_before(&self, intent: &Intent, event: &Event) -> bool {
        let quantum = self.rules.timing.quantum;
        event.time.floor(quantum) < intent.sent.floor(quantum)
    }

    /// What was meant by a write that changed nothing, because the target makes of it what stood there already.
    pub(crate) fn unchanged(
        &self,
        seat: &Seat<'_>,
        event: &Event,
        run: usize,
        explained: &mut Explained,
    ) -> Option<&'a Value> {
        self.intents(event).find_map(|intent| {
            let written = intent.fields.get(&self.field)?;
            // That a reading of the same version showed it is not enough: others may have entered it before the write.
            let likely = written.answered.as_ref() == Some(seat.value)
                || is_variant(&written.value, seat.value);
            let shows = likely
                && intent.end == IntentEnd::Done
                && !self.is_before(intent, event)
                && self.echo_of(intent, seat, event) == Some(Kind::Rendering)
                && explained.takes(intent.number, Kind::Rendering, run);
            shows.then_some(&written.value)
        })
    }

    pub(crate) fn role(
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
        if self.exact {
            return (so_far, None);
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
