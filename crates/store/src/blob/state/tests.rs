//! Golden files hold one state of each form; here are many of the newest.

use baton_core::{
    change::{Cause, Origin},
    history::{Cell, Event, FieldHistory, History, Obs, SealedAs},
    id::{Digest, EntityId, Kind, Object, Position, RecordKey},
    lifecycle::fact::Actor,
    name::Name,
    state::{Delivery, Golden, Intent, Link, Outstanding, Restated, Written},
    time::Millis,
    value::Value,
};

use super::*;

fn written(state: &State) -> Vec<u8> {
    write(state, Vec::new()).expect("a state can be written")
}

fn small() -> State {
    let record = RecordKey::new("crm", Object::Contact, "1");
    let mut state = State::new(EntityId {
        kind: Kind::Person,
        digest: Digest([7; 16]),
    });
    state.links.insert(record, Link::default());
    state.wake = Some(Millis(1_764_000_000_000));
    state
}

#[test]
fn a_state_that_ends_early_or_says_what_has_no_meaning_is_refused() {
    let whole = written(&small());
    assert!(matches!(read(&whole), Ok((state, 0)) if state == small()));
    for end in 0..whole.len() {
        assert!(read(&whole[..end]).is_err(), "{end}");
    }
    let mut no_kind = whole;
    no_kind[0] = 3;
    assert!(matches!(read(&no_kind), Err(Malformed::Code)));
}

#[test]
fn a_part_of_a_newer_baton_is_named() {
    let mut newer = written(&small());
    newer.pop();
    newer.extend([99, 0]);
    assert!(matches!(read(&newer), Err(Malformed::Part(99))));
}

#[test]
fn records_in_another_order_than_theirs_are_refused() {
    let mut state = small();
    let record = RecordKey::new("crm", Object::Contact, "2");
    state.links.insert(record, Link::default());
    let mut swapped = written(&state);
    let place = |id| swapped.iter().position(|byte| *byte == id);
    let ids = place(b'1').zip(place(b'2'));
    let (one, two) = ids.expect("both ids stand there");
    swapped.swap(one, two);
    assert!(matches!(read(&swapped), Err(Malformed::Order)));
}

#[test]
fn codes_are_the_places_in_the_types_own_order() {
    fn check<T: Copy>(all: &[T], code: impl Fn(T) -> u8) {
        for (place, one) in all.iter().enumerate() {
            assert_eq!(place, usize::from(code(*one)));
        }
    }
    check(&read::SEEN, |seen| seen as u8);
    check(&read::ORIGINS, |origin| origin as u8);
    check(&read::SEALED, |sealed| sealed as u8);
    check(&read::ENDS, |end| end as u8);
    check(&read::COMMANDS, |command| command as u8);
    check(&Cause::ALL, |cause| cause as u8);
    check(&Object::ALL, |object| object as u8);
    check(&Kind::ALL, |kind| kind as u8);
    check(&Actor::ALL, |actor| actor as u8);
}

/// Choices, one after the other; the first ones again when they are used up.
struct Choices<'c> {
    numbers: &'c [u32],
    next: usize,
}

impl Choices<'_> {
    fn number(&mut self) -> u32 {
        let number = self.numbers[self.next % self.numbers.len()];
        self.next += 1;
        number.rotate_left((self.next / self.numbers.len()) as u32)
    }

    fn below(&mut self, end: u32) -> u32 {
        self.number() % end
    }

    fn is_so(&mut self) -> bool {
        self.below(2) == 1
    }

    fn some<T>(&mut self, make: impl Fn(&mut Self) -> T) -> Option<T> {
        self.is_so().then(|| make(self))
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.number() as usize % of.len()]
    }

    fn list<T>(&mut self, most: u32, make: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most)).map(|_| make(self)).collect()
    }

    fn name(&mut self) -> Name {
        self.one(&["", "city", "first_name", "e", "phone", "postal_code"])
            .into()
    }

    fn text(&mut self) -> String {
        let times = self.below(9) as usize;
        self.one(&["", "a", "Zürich", "changed to something "])
            .repeat(times)
    }

    fn record(&mut self) -> RecordKey {
        let object = self.one(&Object::ALL);
        RecordKey::new(self.name(), object, self.text())
    }

    fn digest(&mut self) -> Digest {
        let first = self.below(4) as u8;
        Digest([
            first,
            self.below(3) as u8,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ])
    }

    fn at(&mut self) -> Millis {
        match self.below(8) {
            0 => Millis::UNTIMED,
            1 => Millis(i64::MIN),
            2 => Millis(i64::MAX),
            _ => Millis(1_764_000_000_000 + i64::from(self.number())),
        }
    }

    fn position(&mut self) -> Position {
        let log = u64::from(self.number()) << self.below(33);
        Position {
            arrival: self.at(),
            log,
        }
    }

    fn value(&mut self) -> Value {
        match self.below(9) {
            0 => Value::Blank,
            1 => Value::Bool(self.is_so()),
            2 => Value::Number(
                self.one(&["0", "1.5", "1.50", "-3"])
                    .parse()
                    .unwrap_or_default(),
            ),
            3 => Value::Date(self.number().cast_signed()),
            4 => Value::Time(self.at()),
            5 => Value::Set(self.list(4, |c| c.text().into())),
            _ => Value::text(&self.text()),
        }
    }

    fn event(&mut self) -> Event {
        Event {
            event: self.digest(),
            time: self.at(),
            seq: u64::from(self.below(3)) << self.below(40),
            position: self.position(),
            read_back: self.is_so(),
            by_reading: self.is_so(),
            delta: self.is_so(),
            cause: self.one(&Cause::ALL),
            actor: self.some(|c| c.text().into()),
            origin: self.one(&[Origin::Ours, Origin::Other, Origin::Unsaid]),
            may_match: self.list(3, Self::number),
        }
    }

    fn history(&mut self) -> History {
        let mut history = History::default();
        for event in self.list(6, Self::event) {
            history.add(event);
        }
        for _ in 0..self.below(6) {
            let cell = |c: &mut Self| Cell {
                value: c.value(),
                seen: c.one(&read::SEEN),
                before: c.some(|c| Box::new(c.value())),
            };
            let obs = |c: &mut Self| Obs {
                event: c.one(&[0, 1, 2, 7, u32::MAX]),
                cell: c.one(&[0, 1, 2, 3, u32::MAX]),
                sealed: c.one(&[
                    SealedAs::Open,
                    SealedAs::Turn,
                    SealedAs::Same,
                    SealedAs::Own,
                ]),
            };
            let of_field = FieldHistory {
                cells: self.list(5, cell).into(),
                obs: self.list(9, obs).into(),
            };
            history.fields.insert(self.name(), of_field);
        }
        let mut again = Restated::by(self.number());
        again.take(self.below(64) as usize);
        history.restate(again);
        history
    }

    fn delivery(&mut self) -> Delivery {
        let written = |c: &mut Self| Written {
            value: c.value(),
            answered: c.some(Self::value),
            refused: c.is_so(),
        };
        let intent = |c: &mut Self| Intent {
            number: c.number(),
            command: c.digest(),
            fields: c.list(4, |c| (c.name(), written(c))).into_iter().collect(),
            golden_version: c.number().into(),
            sent: c.at(),
            answered: c.some(Self::position),
            stamp: c.some(Self::at),
            end: c.one(&read::ENDS),
        };
        Delivery {
            intents: self.list(4, intent),
            next_intent: self.below(3),
            outstanding: self.some(|c| Outstanding {
                command: c.digest(),
                kind: c.one(&read::COMMANDS),
                intent: c.some(|c| c.below(9)),
                sent: c.at(),
            }),
            writes: self
                .list(3, |c| {
                    (c.name(), c.list(3, |c| (c.at(), c.digest())).into())
                })
                .into_iter()
                .collect(),
            pending: self.list(4, Self::name).into_iter().collect(),
            deleted: self.is_so(),
            retry: self.some(|c| (c.number(), c.at())),
            ..Delivery::default()
        }
    }

    fn golden(&mut self) -> Golden {
        Golden {
            value: self.value(),
            winner: self.some(Self::record),
            since: self.some(Self::at),
            event: self.some(Self::digest),
            decided: self.is_so(),
            rule_version: self.one(&["", "one", "another"]).into(),
        }
    }

    fn state(&mut self) -> State {
        let mut state = State::new(EntityId {
            kind: self.one(&Kind::ALL),
            digest: self.digest(),
        });
        for _ in 0..self.below(4) {
            let record = self.record();
            state.links.insert(record.clone(), Link::default());
            let history = self.history();
            state.histories.insert(record.clone(), Box::new(history));
            let delivery = self.delivery();
            state.deliveries.insert(record.clone(), Box::new(delivery));
            state.provenance.insert(record, state.id);
        }
        let golden = self.list(6, |c| (c.name(), c.golden()));
        state.golden = std::sync::Arc::new(golden.into_iter().collect());
        state.golden_version = self.number().into();
        state.wake = self.some(Self::at);
        state.due = self.list(3, |c| (c.name(), c.at())).into_iter().collect();
        state
    }
}

proptest::proptest! {
    #[test]
    fn any_state_is_read_as_it_was_written(
        numbers in proptest::collection::vec(proptest::num::u32::ANY, 1..400),
    ) {
        let state = Choices { numbers: &numbers, next: 0 }.state();
        let bytes = written(&state);
        let (again, left) = read(&bytes).expect("what was written can be read");
        proptest::prop_assert_eq!(left, 0);
        // Numbers are equal however they are written, so their texts are compared.
        proptest::prop_assert_eq!(format!("{again:?}"), format!("{state:?}"));
    }
}
