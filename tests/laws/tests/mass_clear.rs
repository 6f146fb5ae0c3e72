//! The mass-clear guard: what counts as a clear, how many are too many, and the counts behind the share.

use std::collections::BTreeMap;

use baton_core::{
    book::{Book, Incoming, Item, ParkedCode},
    change::{Class, Format, RawChange},
    holdings::{Holding, tally},
    id::{Digest, Object, Position, RecordKey},
    normalise::normalise,
    rest::{WhyNot, out_of_sync},
    rules::{ClearPolicy, Direction, FieldRule, MassClear, Rules},
    time::Millis,
    value::{Raw, Value},
};
use baton_laws::{
    history::{Manner, Plot, START, Story},
    world::{Dice, Taste, rules, seeds},
};

/// Counts of nothing are no counts.
fn counted(counts: &BTreeMap<Holding, i64>) -> BTreeMap<Holding, i64> {
    let some = counts.iter().filter(|(_, count)| **count != 0);
    some.map(|(holding, count)| (*holding, *count)).collect()
}

fn sum_over_all(book: &Book) -> BTreeMap<Holding, i64> {
    let mut sum = BTreeMap::new();
    for entry in book.entities.values() {
        for (holding, count) in tally(&entry.state) {
            *sum.entry(holding).or_default() += count;
        }
    }
    sum
}

#[test]
fn counts_of_held_fields_are_the_sum_over_all_states_whatever_comes() {
    let mut moved = 0;
    for seed in seeds(&[], 150) {
        let taste = Taste {
            writes: seed % 3 != 0,
            creates: seed % 2 == 0,
            guard: [None, Some(0), Some(100)][seed as usize % 3],
        };
        let story = Story::new(seed, taste, Plot::default());
        let mut played = story.play(Manner {
            answers: seed % 4 != 0,
        });
        // Everything once more: a repeat moves no count.
        for step in &story.steps {
            if let baton_laws::history::Step::Comes(again) = step {
                let change = normalise(again.clone(), &story.rules).expect("mapped");
                played
                    .book
                    .settle(Item::Change(change), &story.rules, played.as_of);
            }
        }
        let sum = sum_over_all(&played.book);
        assert_eq!(counted(&played.book.holdings), sum, "{}", story.again());
        // What the store is told to add comes to the same.
        assert_eq!(counted(&played.book.out.holdings), sum, "{}", story.again());
        moved += sum.len();
    }
    assert!(moved > 150, "the histories hold next to nothing: {moved}");
}

/// People with one record each, all of one source.
struct Crowd {
    rules: Rules,
    book: Book,
    now: Millis,
    log: u64,
}

impl Crowd {
    fn new(size: u64, mass_clear: MassClear) -> Self {
        let mut rules = rules(&mut Dice::new(7), Taste::default());
        rules.mass_clear = mass_clear;
        for field in ["f0", "f1"] {
            let rule = FieldRule {
                clear: ClearPolicy::Propagate,
                ..FieldRule::default()
            };
            rules.person.fields.insert(field.into(), rule);
        }
        let mut crowd = Self {
            rules,
            book: Book::default(),
            now: START,
            log: 0,
        };
        for nth in 0..size {
            let key = format!("k{nth}");
            crowd.say(nth, Class::Delta, &[("key", &key), ("f0", "a")]);
        }
        crowd
    }

    fn say(&mut self, nth: u64, class: Class, fields: &[(&str, &str)]) {
        self.log += 1;
        self.now = self.now.plus(20);
        let mut raw = RawChange::new(format!("r{nth}"), class);
        raw.object = Some(Object::Contact.as_str().into());
        raw.time = Some(self.now);
        raw.origin = Some("somebody".into());
        raw.cause = Some("manual_edit".into());
        for (field, value) in fields {
            let value = if value.is_empty() {
                Raw::Null
            } else {
                Raw::text(value)
            };
            raw.push(field, value);
        }
        let incoming = Incoming {
            system: "crm".into(),
            format: Format::Baton,
            raw,
            position: Position::new(self.now, 0, 0, self.log),
            index: 0,
            message: Digest::of(&[&self.log.to_le_bytes()]),
        };
        let change = normalise(incoming, &self.rules).expect("mapped");
        self.book
            .settle(Item::Change(change), &self.rules, self.now);
    }

    /// Lets the guard's window pass for everybody.
    fn wait(&mut self) {
        self.now = self.now.plus(self.rules.mass_clear.window * 2);
        let mut all: Vec<_> = self.book.entities.keys().copied().collect();
        all.sort();
        for entity in all {
            self.book.settle(Item::Wake(entity), &self.rules, self.now);
        }
    }

    fn golden(&self, nth: u64) -> Value {
        let record = RecordKey::new("crm", Object::Contact, format!("r{nth}"));
        let entity = self.book.links[&record];
        self.book.entities[&entity]
            .state
            .golden_value("f0".into())
            .clone()
    }

    fn tasks(&self) -> usize {
        let held = |p: &&baton_core::book::Parked| p.code == ParkedCode::HeldClears;
        self.book.out.parked.iter().filter(held).count()
    }
}

fn guard(records: u32, percent: Option<u32>) -> MassClear {
    MassClear {
        records,
        percent,
        ..MassClear::default()
    }
}

#[test]
fn a_greater_share_of_a_field_than_allowed_is_held_whole() {
    let mut crowd = Crowd::new(50, guard(1_000, Some(20)));
    for nth in 0..11 {
        crowd.say(nth, Class::Delta, &[("f0", "")]);
    }
    crowd.wait();
    assert_eq!(crowd.tasks(), 11);
    assert!((0..11).all(|nth| !crowd.golden(nth).is_blank()));
}

#[test]
fn the_allowed_share_itself_goes_through() {
    let mut crowd = Crowd::new(50, guard(1_000, Some(20)));
    for nth in 0..10 {
        crowd.say(nth, Class::Delta, &[("f0", "")]);
    }
    crowd.wait();
    assert_eq!(crowd.tasks(), 0);
    assert!((0..10).all(|nth| crowd.golden(nth).is_blank()));
}

#[test]
fn a_few_clears_are_no_mass_whatever_their_share() {
    let mut crowd = Crowd::new(9, guard(1_000, Some(1)));
    for nth in 0..9 {
        crowd.say(nth, Class::Delta, &[("f0", "")]);
    }
    crowd.wait();
    assert_eq!(crowd.tasks(), 0);
}

#[test]
fn without_a_share_only_the_number_counts() {
    let mut crowd = Crowd::new(30, guard(25, None));
    for nth in 0..25 {
        crowd.say(nth, Class::Delta, &[("f0", "")]);
    }
    crowd.wait();
    assert_eq!(crowd.tasks(), 0);
    let mut crowd = Crowd::new(30, guard(25, None));
    for nth in 0..26 {
        crowd.say(nth, Class::Delta, &[("f0", "")]);
    }
    crowd.wait();
    assert_eq!(crowd.tasks(), 26);
}

#[test]
fn a_blank_that_was_blank_before_is_no_clear() {
    // Everybody's whole record comes; each has f1 blank, as ever, and one person's f0 was really emptied.
    let mut crowd = Crowd::new(40, guard(1_000, Some(10)));
    for nth in 0..3 {
        crowd.say(nth, Class::Delta, &[("f1", "b")]);
    }
    crowd.say(0, Class::Event, &[("f0", ""), ("f1", "b")]);
    for nth in 3..40 {
        crowd.say(nth, Class::Event, &[("f0", "a"), ("f1", "")]);
    }
    crowd.wait();
    assert_eq!(crowd.tasks(), 0);
    assert!(crowd.golden(0).is_blank());
}

#[test]
fn a_clear_that_is_weighed_or_held_is_named_as_the_reason() {
    let mut crowd = Crowd::new(3, guard(1, None));
    for system in crowd.rules.systems.values_mut() {
        let mappings = system.objects.values_mut();
        for mapped in mappings.flat_map(|m| m.fields.values_mut()) {
            mapped.direction = Direction::Both;
        }
    }
    crowd.now = crowd.now.plus(10_000);
    for nth in 0..2 {
        crowd.say(nth, Class::Delta, &[("f0", "")]);
    }
    let reasons = |crowd: &Crowd, nth: u64| -> Vec<WhyNot> {
        let record = RecordKey::new("crm", Object::Contact, format!("r{nth}"));
        let state = &crowd.book.entities[&crowd.book.links[&record]].state;
        out_of_sync(state, &crowd.rules, crowd.now)
            .into_iter()
            .filter(|(of, field, _)| *of == record && *field == "f0".into())
            .map(|(.., why)| why)
            .collect()
    };
    assert_eq!(reasons(&crowd, 0), [WhyNot::ClearHeld], "weighed");
    crowd.wait();
    assert_eq!(crowd.tasks(), 2);
    assert_eq!(reasons(&crowd, 0), [WhyNot::ClearHeld], "held");
    assert_eq!(reasons(&crowd, 2), []);
}

#[test]
fn a_batch_that_lies_across_two_windows_is_held_whole() {
    let mut crowd = Crowd::new(30, guard(25, None));
    let window = crowd.rules.mass_clear.window;
    crowd.now = crowd.now.floor(window).plus(2 * window - 20 * 20);
    for nth in 0..30 {
        crowd.say(nth, Class::Delta, &[("f0", "")]);
    }
    crowd.wait();
    assert_eq!(crowd.tasks(), 30);
}

#[test]
fn a_blank_that_comes_with_a_new_value_of_its_group_is_no_clear() {
    let mut crowd = Crowd::new(30, guard(5, None));
    let address = ["street", "city", "zip"];
    let at = |values: [&'static str; 3]| -> Vec<(&str, &str)> {
        address.into_iter().zip(values).collect()
    };
    for nth in 0..30 {
        crowd.say(nth, Class::Delta, &at(["1 Road", "Rome", "1"]));
    }
    crowd.now = crowd.now.plus(10_000);
    // Everybody moves to where there are no zips; three lose theirs and nothing else.
    for nth in 0..20 {
        crowd.say(nth, Class::Event, &at(["2 Road", "Bern", ""]));
    }
    for nth in 20..23 {
        crowd.say(nth, Class::Event, &at(["1 Road", "Rome", ""]));
    }
    crowd.wait();
    assert_eq!(crowd.tasks(), 0);
    // Zips that are lost alone are clears.
    for nth in 23..29 {
        crowd.say(nth, Class::Event, &at(["1 Road", "Rome", ""]));
    }
    crowd.wait();
    assert_eq!(crowd.tasks(), 6);
}
