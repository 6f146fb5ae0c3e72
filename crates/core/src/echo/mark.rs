//! Puts own writes in their places among what was seen, each once.

use super::{Echoes, is_variant};
use crate::{
    change::{Cause, Seen},
    id::Position,
    name::Name,
    order::{Place, Rho, Role, Seat, assign_roles},
    rules::Rules,
    state::{History, Intent, IntentEnd, State},
    time::Millis,
};

impl<'a> Echoes<'a> {
    /// Adds the own writes that no event shows: at the vendor's stamp, else at the acknowledgement.
    pub(crate) fn mark(
        &mut self,
        seats: &mut Vec<Seat<'a>>,
        state: &State,
        history: Option<&History>,
    ) {
        self.learn_from_readings(seats, history);
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
            let restated = |s: &&Seat<'_>| {
                s.event.is_some_and(|e| {
                    self.stood_already(intent, written, s, e)
                        || (e.may_match.contains(&intent.number)
                            && !(e.read_back && intent.stamp.is_some())
                            && self.echo_of(intent, s, e).is_some()
                            && !self.is_before(intent, e)
                            && self.in_its_place(intent, e))
                })
            };
            let explained = shown.runs.iter().filter(|e| e.intent == intent.number);
            let explained = explained.filter_map(|e| walked.get(e.seat));
            let in_place = |s: &&Seat<'_>| s.event.is_some_and(|e| self.in_its_place(intent, e));
            let shows = seats.iter().filter(restated);
            let shown_at = shows.chain(explained.filter(in_place)).map(|s| s.rho).min();
            let noticed = self.noticed(intent, written, seats);
            if shown_at.is_some_and(|at| noticed.is_none_or(|(noticed, _)| at < noticed)) {
                continue;
            }
            let acknowledged = intent.stamp.unwrap_or(answered.arrival);
            let (time, position, value) = match noticed {
                // Nothing is earlier at that moment.
                Some((at, value)) => (at.time, Position::default(), value),
                None => {
                    let read = self.read.iter().find(|(of, _)| *of == intent.number);
                    let read = read.map(|(_, shown)| *shown);
                    // What the target made of the same value another time it has made of it now.
                    let of_this = |s: &&Seat<'_>| s.meant == Some(&written.value);
                    let made = walked.iter().rfind(of_this).map(|s| s.value);
                    let value = written.answered.as_ref().or(read).or(made);
                    (acknowledged, answered, value.unwrap_or(&written.value))
                }
            };
            seats.push(Seat {
                rho: Rho {
                    floored: time.floor(quantum),
                    place: Place::Usual,
                    run: 0,
                    seq: 0,
                    time,
                    among: (Place::Usual, 0),
                    position,
                    own: true,
                    event: intent.command,
                },
                value,
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
    /// target took the value as it was written. Where the write's version is not known, one that was asked when it had
    /// been answered and still shows an older version does: the write changed nothing.
    fn learn_from_readings(&mut self, seats: &[Seat<'a>], history: Option<&History>) {
        if self.exact {
            return;
        }
        let quantum = self.rules.timing.quantum;
        for intent in &self.delivery.intents {
            let (Some(written), Some(answered)) = (intent.fields.get(&self.field), intent.answered)
            else {
                continue;
            };
            if intent.end != IntentEnd::Done || written.refused || written.answered.is_some() {
                continue;
            }
            let same_version = |s: &&Seat<'_>| match intent.stamp {
                // One of the two stamps may be less exact than the other.
                Some(wrote) => {
                    let read = s.rho.time;
                    let coarse = read == s.rho.floored || wrote == wrote.floor(quantum);
                    read == wrote || coarse && s.rho.floored == wrote.floor(quantum)
                }
                None => {
                    let asked_since = s.rho.position > answered;
                    !s.is_read_back() || asked_since && s.rho.time < answered.arrival
                }
            };
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
            let told_apart = || {
                let floored = intent.stamp.map(|stamp| stamp.floor(quantum));
                floored.is_none_or(|at| told_apart(intent, self.field, at, history, quantum))
            };
            if let Some(seat) = shown
                && seat.value != &written.value
                && (is_variant(&written.value, seat.value) || !told_apart())
            {
                self.read.push((intent.number, seat.value));
            }
        }
    }
}

/// Whether the write's own event is known, is of this quantum and says nothing of the field: whatever else stands in the
/// field at the end of that quantum, somebody else entered it.
fn told_apart(
    intent: &Intent,
    field: Name,
    floored: Millis,
    history: Option<&History>,
    quantum: i64,
) -> bool {
    let Some(history) = history else { return false };
    let of = |field: &Name, event: usize| {
        let of_field = history.fields.get(field)?;
        let obs = of_field.obs.iter().find(|o| o.event as usize == event)?;
        of_field.cells.get(obs.cell as usize)
    };
    let mut events = history.events.iter().enumerate();
    events.any(|(at, event)| {
        event.delta
            && event.time.floor(quantum) == floored
            && event.may_match.contains(&intent.number)
            && of(&field, at).is_none()
            && intent
                .fields
                .iter()
                .any(|(name, written)| of(name, at).is_some_and(|c| c.value == written.value))
    })
}

impl Intent {
    /// When it was acknowledged or given up: none while it is under way. One of which the target itself does not know what
    /// became is given up no sooner than another without an answer.
    pub(crate) fn closed(&self, rules: &Rules) -> Option<Millis> {
        let answered = self.answered?.arrival;
        Some(match self.end {
            IntentEnd::Unknown => answered.max(self.sent.plus(rules.timing.give_up)),
            _ => answered,
        })
    }
}
