//! What was seen at one record.
//!
//! A whole record mostly says again what was known. That is no claim, but its place in ρ matters: something may still
//! come in that lies before it. So it is kept, as one bit for each field, until something else comes in of that field.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::{
    change::{Cause, FieldChange, Origin, Seen},
    id::{EventId, Position},
    name::Name,
    order::BLANK,
    state::{Few, Sorted},
    time::Millis,
    value::Value,
};

/// All that was seen at one record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct History {
    /// In order of arrival; observations refer to them by index.
    pub events: Vec<Event>,
    pub fields: Sorted<Name, FieldHistory>,
    /// By event, one for each event at most.
    pub restated: Vec<Restated>,
    /// No event has a later time.
    pub latest: Millis,
}

/// What an event said again: of each of these fields it stands after all observations that are written out, it says
/// what the last of them says, and it was the latest event of its record when it came in, with its quantum to itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Restated {
    pub event: u32,
    /// One bit for each index in [`History::fields`].
    fields: u64,
}

/// The place and origin of one change's observations.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Event {
    pub event: EventId,
    pub time: Millis,
    pub seq: u64,
    pub position: Position,
    pub read_back: bool,
    /// It came from reading, not from an event: a later event with the same value takes the turn over.
    pub by_reading: bool,
    /// It named just the fields that changed.
    pub delta: bool,
    pub cause: Cause,
    pub actor: Option<CompactString>,
    pub origin: Origin,
    pub may_match: Vec<u32>,
}

/// The observations of one field at one record, sorted by ρ. Those that [`History::restated`] tells of come after them.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct FieldHistory {
    /// Distinct contents; restatements share one.
    pub cells: Few<Cell>,
    pub obs: Few<Obs>,
}

/// What an observation said.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Cell {
    pub value: Value,
    pub seen: Seen,
    /// Only vendors with before-images have one; boxed, because most cells have none.
    pub before: Option<Box<Value>>,
}

/// One observation: (event, content), by index.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Obs {
    pub event: u32,
    pub cell: u32,
    pub sealed: SealedAs,
}

/// Beyond the horizon nothing can come between observations any more, so what one was is kept as a fact and its
/// neighbours may be dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum SealedAs {
    #[default]
    Open,
    Turn,
    /// A restatement, kept because it is the last thing seen.
    Same,
    /// Baton's own write.
    Own,
}

impl Cell {
    /// Whether an observation has just this content.
    #[must_use]
    pub fn says(&self, field: &FieldChange) -> bool {
        self.seen == field.seen
            && self.value == field.value
            && self.before.as_deref() == field.before.as_ref()
    }
}

impl Default for History {
    fn default() -> Self {
        Self {
            events: Vec::new(),
            fields: Sorted::new(),
            restated: Vec::new(),
            latest: Millis::UNTIMED,
        }
    }
}

/// Two are equal if the same was seen, however it is kept.
impl PartialEq for History {
    fn eq(&self, other: &Self) -> bool {
        let observed = |place: usize| self.observations(place).eq(other.observations(place));
        let mut fields = self.fields.iter().zip(other.fields.iter());
        self.events == other.events
            && self.fields.len() == other.fields.len()
            && fields.all(|((a, of_a), (b, of_b))| a == b && of_a.cells == of_b.cells)
            && (0..self.fields.len()).all(observed)
    }
}

impl History {
    /// Adds an event and tells its index.
    pub fn add(&mut self, event: Event) -> u32 {
        self.latest = self.latest.max(event.time);
        self.events.push(event);
        index(self.events.len() - 1)
    }

    /// Whether something of this time would come after everything seen here, and have its quantum to itself.
    #[must_use]
    pub fn is_past(&self, time: Millis, quantum: i64) -> bool {
        time.is_timed() && self.latest.floor(quantum) < time.floor(quantum)
    }

    /// Where a field stands in [`History::fields`]. Whoever asks in the order of names gives the place that is next.
    #[must_use]
    pub fn place(&self, field: Name, next: usize) -> Option<usize> {
        match self.fields.get_indexed(next) {
            Some((name, _)) if *name == field => Some(next),
            _ => self.fields.find_index(&field).ok(),
        }
    }

    /// Whether an observation after all others of the field at `place` would only say again what stands there.
    #[must_use]
    pub fn stands(&self, place: usize, field: &FieldChange, quantum: i64) -> bool {
        self.fields.get_indexed(place).is_some_and(|(_, of_field)| {
            !field.seen.claims_nothing()
                && of_field
                    .obs
                    .last()
                    .and_then(|last| of_field.cells.get(last.cell as usize))
                    .is_some_and(|cell| cell.says(field))
                && of_field.is_told_apart(&self.events, quantum)
        })
    }

    /// What is believed of a field as long as Baton has written nothing there; none where it was never seen, or where
    /// its last quantum holds several contents.
    #[must_use]
    pub fn plainly_believed(&self, field: Name, quantum: i64) -> Option<&Value> {
        let of_field = self.fields.get(&field)?;
        let last = of_field.cells.get(of_field.obs.last()?.cell as usize)?;
        of_field
            .is_told_apart(&self.events, quantum)
            .then_some(if last.seen.claims_nothing() {
                &BLANK
            } else {
                &last.value
            })
    }

    /// Notes what an event says again.
    pub fn restate(&mut self, restated: Restated) {
        if restated.fields != 0 {
            self.restated.push(restated);
        }
    }

    /// The observations of the field at `place`, in ρ, those that are not written out included.
    pub fn observations(&self, place: usize) -> impl Iterator<Item = Obs> + '_ {
        let of_field = self.fields.get_indexed(place).map(|(_, f)| f);
        let written = of_field.map_or(&[][..], |f| &f.obs);
        written.iter().copied().chain(self.restatements(place))
    }

    /// The observations of the field at `place` that are not written out, in ρ.
    pub fn restatements(&self, place: usize) -> impl DoubleEndedIterator<Item = Obs> + '_ {
        let last = self
            .fields
            .get_indexed(place)
            .and_then(|(_, f)| f.obs.last());
        let of_field = self.restated.iter().filter(move |r| r.has(place));
        of_field.filter_map(move |restated| {
            Some(Obs {
                event: restated.event,
                cell: last?.cell,
                sealed: SealedAs::Open,
            })
        })
    }

    /// Turns what the field at `place` has in [`History::restated`] into observations like any other.
    pub fn write_out(&mut self, place: usize) {
        let again: Few<Obs> = self.restatements(place).collect();
        if again.is_empty() {
            return;
        }
        if let Some((_, of_field)) = self.fields.iter_mut().nth(place) {
            of_field.obs.extend(again);
        }
        for restated in &mut self.restated {
            restated.fields &= !(1 << place);
        }
        self.restated.retain(|restated| restated.fields != 0);
    }

    /// Turns all of [`History::restated`] into observations like any other: places in [`History::fields`], or in ρ,
    /// are about to move.
    pub fn write_all_out(&mut self) {
        for place in 0..self.fields.len() {
            if self.restated.is_empty() {
                return;
            }
            self.write_out(place);
        }
    }

    /// Whether every observation points at an event and a content that are there.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let events = self.events.len();
        let told = |f: &FieldHistory| {
            f.obs
                .iter()
                .all(|o| (o.event as usize) < events && (o.cell as usize) < f.cells.len())
        };
        let known = Restated::known(self.fields.len());
        self.fields.values().all(told)
            && self
                .restated
                .iter()
                .all(|r| (r.event as usize) < events && r.fields & !known == 0)
    }
}

impl FieldHistory {
    /// Whether the last quantum holds one content only. Where it holds several, what comes next tells which of them
    /// stood last, so even a restatement can move a turn.
    #[must_use]
    pub fn is_told_apart(&self, events: &[Event], quantum: i64) -> bool {
        let floored = |o: &Obs| events.get(o.event as usize).map(|e| e.time.floor(quantum));
        let Some((last, earlier)) = self.obs.split_last() else {
            return true;
        };
        let together = |o: &&Obs| floored(o) == floored(last);
        let mut together = earlier.iter().rev().take_while(together);
        together.all(|o| o.cell == last.cell)
    }

    /// The index of this content, which is added if it is new.
    pub fn cell(&mut self, field: &FieldChange) -> u32 {
        // The newest content is the likeliest to be restated.
        let known = self.cells.iter().rposition(|cell| cell.says(field));
        index(known.unwrap_or_else(|| {
            self.cells.push(Cell {
                value: field.value.clone(),
                seen: field.seen,
                before: field.before.clone().map(Box::new),
            });
            self.cells.len() - 1
        }))
    }
}

impl Restated {
    /// Nothing yet.
    #[must_use]
    pub const fn by(event: u32) -> Self {
        Self { event, fields: 0 }
    }

    /// Adds the field at `place`; false where the place is too far back for it.
    pub fn take(&mut self, place: usize) -> bool {
        let bit = Self::known(place.saturating_add(1)) & !Self::known(place);
        self.fields |= bit;
        bit != 0
    }

    fn has(&self, place: usize) -> bool {
        self.fields
            .checked_shr(index(place))
            .is_some_and(|f| f & 1 == 1)
    }

    /// The bits of the first so many fields.
    fn known(fields: usize) -> u64 {
        1_u64
            .checked_shl(index(fields))
            .map_or(u64::MAX, |bit| bit - 1)
    }
}

/// Histories end long before their indexes do.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Digest;

    const QUANTUM: i64 = 1_000;

    fn event(second: i64) -> Event {
        Event {
            event: Digest::of(&[&second.to_le_bytes()]),
            time: Millis(second * QUANTUM),
            seq: 0,
            position: Position::default(),
            read_back: false,
            by_reading: false,
            delta: false,
            cause: Cause::ManualEdit,
            actor: None,
            origin: Origin::Other,
            may_match: Vec::new(),
        }
    }

    fn field(number: usize) -> FieldChange {
        FieldChange {
            field: Name::new(&format!("field_{number:03}")),
            value: Value::text("stands"),
            seen: Seen::Value,
            before: None,
        }
    }

    /// A record with so many fields, all told by its one event.
    fn told(fields: usize) -> History {
        let mut history = History::default();
        let event = history.add(event(1));
        for number in 0..fields {
            let field = field(number);
            let of_field = history.fields.entry(field.field).or_default();
            let cell = of_field.cell(&field);
            of_field.obs.push(Obs {
                event,
                cell,
                sealed: SealedAs::Open,
            });
        }
        history
    }

    fn say_again(history: &mut History, second: i64) -> usize {
        assert!(history.is_past(Millis(second * QUANTUM), QUANTUM));
        let event = history.add(event(second));
        let mut again = Restated::by(event);
        let places = 0..history.fields.len();
        let taken = places.filter(|place| again.take(*place)).count();
        history.restate(again);
        taken
    }

    fn events(history: &History, place: usize) -> Vec<u32> {
        history.observations(place).map(|o| o.event).collect()
    }

    #[test]
    fn writing_out_what_was_said_again_changes_no_observation() {
        let mut bits = told(3);
        say_again(&mut bits, 2);
        say_again(&mut bits, 3);
        let mut written = bits.clone();
        written.write_out(1);
        assert_eq!(bits, written);
        assert_eq!(events(&written, 1), [0, 1, 2]);
        assert_eq!(written.fields.values().nth(1).map(|f| f.obs.len()), Some(3));
        assert_eq!(written.restated.len(), 2, "the other fields' bits stay");
        written.write_all_out();
        assert_eq!(bits, written);
        assert!(written.restated.is_empty() && written.is_sound());
    }

    #[test]
    fn fields_beyond_the_bits_are_not_taken() {
        let mut many = told(70);
        assert_eq!(say_again(&mut many, 2), 64);
        assert_eq!(events(&many, 63), [0, 1]);
        assert_eq!(events(&many, 64), [0]);
        assert!(many.is_sound());
    }

    #[test]
    fn only_what_says_the_same_later_and_unambiguously_stands() {
        let mut history = told(1);
        assert!(
            !history.is_past(Millis(QUANTUM + 1), QUANTUM),
            "the same quantum"
        );
        assert!(!history.is_past(Millis::UNTIMED, QUANTUM));
        assert!(history.stands(0, &field(0), QUANTUM));
        let other = FieldChange {
            value: Value::text("another"),
            ..field(0)
        };
        assert!(!history.stands(0, &other, QUANTUM));
        // Two values in one quantum: which of them stands is not known.
        let event = history.add(event(1));
        if let Some((_, of_field)) = history.fields.iter_mut().next() {
            let cell = of_field.cell(&other);
            of_field.obs.push(Obs {
                event,
                cell,
                sealed: SealedAs::Open,
            });
        }
        assert!(!history.stands(0, &other, QUANTUM));
        assert_eq!(history.plainly_believed(field(0).field, QUANTUM), None);
    }

    #[test]
    fn a_bit_of_no_field_is_not_sound() {
        let mut history = told(2);
        let mut again = Restated::by(0);
        assert!(again.take(2));
        history.restate(again);
        assert!(!history.is_sound());
    }
}
