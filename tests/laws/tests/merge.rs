//! Identity: merges that can be undone, keys that are shared, conversions, old ids.

use std::collections::BTreeMap;

use baton_core::{
    book::{Book, Incoming, Item, ParkedCode, Settled},
    change::{Class, Format, Outcome, RawChange},
    holdings::tally,
    id::{Digest, EntityId, Object, Position, RecordKey},
    input::StewardAct,
    name::Name,
    normalise::normalise,
    rules::Rules,
    state::{Golden, Link, LinkStatus, Lock, LockOn, State},
    time::Millis,
    value::{Raw, Value},
};
use baton_laws::{
    history::{Plot, START, incoming},
    world::{Dice, FIELDS, Taste, rules, seeds},
};

/// What comes at one instant to records of several people.
struct Town {
    rules: Rules,
    book: Book,
    now: Millis,
    log: u64,
}

impl Town {
    fn new(rules: Rules) -> Self {
        Self {
            rules,
            book: Book::default(),
            now: START.plus(60_000),
            log: 0,
        }
    }

    fn come(&mut self, mut incoming: Incoming) -> Settled {
        self.log += 1;
        self.now = self.now.plus(100);
        incoming.position = Position::new(self.now, 0, 0, self.log);
        incoming.message = Digest::of(&[&self.log.to_le_bytes()]);
        let change = normalise(incoming, &self.rules).expect("mapped");
        self.book
            .settle(Item::Change(change), &self.rules, self.now)
    }

    fn say(&mut self, record: &RecordKey, class: Class, fields: &[(&str, &str)]) -> Settled {
        let mut raw = RawChange::new(record.id.clone(), class);
        raw.object = Some(record.object.as_str().into());
        raw.time = Some(self.now);
        raw.origin = Some("somebody".into());
        for (field, value) in fields {
            raw.push(field, Raw::text(value));
        }
        self.come(Incoming {
            system: record.system,
            format: Format::Baton,
            raw,
            position: Position::default(),
            index: 0,
            message: Digest::default(),
        })
    }

    fn act(&mut self, item: Item) -> Settled {
        self.now = self.now.plus(100);
        self.book.settle(item, &self.rules, self.now)
    }

    fn of(&self, record: &RecordKey) -> EntityId {
        self.book.links[record]
    }

    fn state(&self, entity: EntityId) -> &State {
        &self.book.entities[&entity].state
    }

    fn parked(&self, code: ParkedCode) -> usize {
        self.book
            .out
            .parked
            .iter()
            .filter(|p| p.code == code)
            .count()
    }
}

fn record(system: &str, object: Object, id: &str) -> RecordKey {
    RecordKey::new(system, object, id)
}

/// A town with two people of random histories, and their records.
fn two_people(seed: u64) -> (Town, Dice, [Vec<RecordKey>; 2]) {
    let mut dice = Dice::new(seed);
    let rules = rules(
        &mut dice,
        Taste {
            guard: [None, Some(0)][seed as usize % 2],
            ..Taste::default()
        },
    );
    let mut town = Town::new(rules);
    let people = [
        vec![
            record("crm", Object::Contact, "a1"),
            record("map", Object::Contact, "a2"),
        ],
        vec![
            record("crm", Object::Contact, "b1"),
            record("erp", Object::Contact, "b2"),
        ],
    ];
    for (nth, records) in people.iter().enumerate() {
        for of in records {
            town.say(of, Class::Delta, &[("key", ["ann", "bob"][nth])]);
        }
    }
    for _ in 0..16 {
        let records = dice.pick(&people).clone();
        random_word(&mut town, &mut dice, &records);
    }
    for records in &people {
        if dice.chance(50) {
            let field = Name::new(FIELDS[dice.below(6)]);
            let lock = Lock {
                on: LockOn::Value(Value::text("locked")),
                reason: "a law".into(),
                by: "a steward".into(),
                at: town.now,
                expires: None,
            };
            let entity = town.of(&records[0]);
            town.act(Item::Steward {
                entity,
                act: StewardAct::Lock { field, lock },
            });
        }
    }
    (town, dice, people)
}

/// A random statement of values or stages about one of the records; no links change by it.
fn random_word(town: &mut Town, dice: &mut Dice, records: &[RecordKey]) -> RecordKey {
    let plot = Plot {
        tight: true,
        consent: false,
        ..Plot::default()
    };
    loop {
        let word = incoming(dice, &town.rules, plot, records, &[0, 3_000]);
        let plain = matches!(
            word.raw.class,
            Class::Delta | Class::Event | Class::Snapshot | Class::ReadBack | Class::Stage { .. }
        );
        if plain {
            let id = word.raw.id.clone();
            town.come(word);
            return records
                .iter()
                .find(|r| r.id == id)
                .expect("one of them")
                .clone();
        }
    }
}

/// What an unmerge must give back: claims, links, locks, stages, golden values other than consent.
#[derive(PartialEq, Debug)]
struct Own {
    links: BTreeMap<RecordKey, Link>,
    claims: BTreeMap<RecordKey, baton_core::state::History>,
    locks: BTreeMap<Name, Lock>,
    /// Clears that wait or are held.
    guarded: BTreeMap<Digest, baton_core::state::Guarded>,
    stages: Vec<baton_core::state::StageFact>,
    golden: BTreeMap<Name, Golden>,
}

fn own(state: &State) -> Own {
    let golden = state.golden.iter().map(|(f, g)| (*f, g.clone()));
    Own {
        links: state
            .links
            .iter()
            .map(|(r, l)| (r.clone(), l.clone()))
            .collect(),
        claims: state
            .histories
            .iter()
            .map(|(r, h)| (r.clone(), (**h).clone()))
            .collect(),
        locks: state.locks.clone(),
        guarded: state.guarded.clone(),
        stages: state.stages().cloned().collect(),
        golden: golden
            .filter(|(f, g)| f.as_str() != "consent" && g.decided)
            .collect(),
    }
}

#[test]
fn l14_unmerge_gives_both_people_back() {
    for seed in seeds(&[], 300) {
        let (mut town, _, people) = two_people(seed);
        let (ann, bob) = (town.of(&people[0][0]), town.of(&people[1][0]));
        assert_ne!(ann, bob, "BATON_SEED={seed}");
        let before = (own(town.state(ann)), own(town.state(bob)));
        town.act(Item::Merge {
            winner: ann,
            loser: bob,
        });
        assert!(
            people.iter().flatten().all(|r| town.of(r) == ann),
            "BATON_SEED={seed}"
        );
        assert_eq!(town.state(ann).links.len(), 4, "BATON_SEED={seed}");
        let split = town.act(Item::Unmerge {
            winner: ann,
            loser: bob,
        });
        assert_eq!(split.outcome, Outcome::Applied, "BATON_SEED={seed}");
        assert_eq!(own(town.state(ann)), before.0, "BATON_SEED={seed}");
        assert_eq!(own(town.state(bob)), before.1, "BATON_SEED={seed}");
        assert!(
            people[1].iter().all(|r| town.of(r) == bob),
            "BATON_SEED={seed}"
        );
        // What each of them holds is counted with whom it went.
        let mut held = tally(town.state(ann));
        for (holding, count) in tally(town.state(bob)) {
            *held.entry(holding).or_default() += count;
        }
        town.book.holdings.retain(|_, count| *count != 0);
        assert_eq!(town.book.holdings, held, "BATON_SEED={seed}");
    }
}

#[test]
fn l14_what_comes_after_a_merge_stays_with_the_record_it_names() {
    for seed in seeds(&[], 200) {
        let (mut town, mut dice, people) = two_people(seed);
        // The same inputs to people who were never merged: the outcome to compare with.
        let (mut apart, mut same_dice, _) = two_people(seed);
        let (ann, bob) = (town.of(&people[0][0]), town.of(&people[1][0]));
        town.act(Item::Merge {
            winner: ann,
            loser: bob,
        });
        apart.now = town.now;
        for _ in 0..8 {
            let records = dice.pick(&people).clone();
            let named = random_word(&mut town, &mut dice, &records);
            assert_eq!(town.of(&named), ann, "BATON_SEED={seed}");
            let records = same_dice.pick(&people).clone();
            random_word(&mut apart, &mut same_dice, &records);
        }
        town.act(Item::Unmerge {
            winner: ann,
            loser: bob,
        });
        for (entity, name) in [(ann, "ann"), (bob, "bob")] {
            let (got, wanted) = (own(town.state(entity)), own(apart.state(entity)));
            assert_eq!(got.claims, wanted.claims, "BATON_SEED={seed} {name}");
            assert_eq!(got.links, wanted.links, "BATON_SEED={seed} {name}");
            assert_eq!(got.locks, wanted.locks, "BATON_SEED={seed} {name}");
            // A stage said while they were one has no record of its own among the facts.
            let values = |own: &Own| -> BTreeMap<Name, Value> {
                own.golden
                    .iter()
                    .map(|(f, g)| (*f, g.value.clone()))
                    .collect()
            };
            if got.stages == wanted.stages {
                assert_eq!(values(&got), values(&wanted), "BATON_SEED={seed} {name}");
            }
        }
    }
}

#[test]
fn merging_three_and_splitting_the_last_leaves_two_together() {
    for seed in seeds(&[], 100) {
        let (mut town, _, people) = two_people(seed);
        let cat = record("erp", Object::Contact, "c1");
        town.say(&cat, Class::Delta, &[("key", "cat"), ("f0", "a")]);
        let (ann, bob, third) = (
            town.of(&people[0][0]),
            town.of(&people[1][0]),
            town.of(&cat),
        );
        town.act(Item::Merge {
            winner: bob,
            loser: third,
        });
        let two = own(town.state(bob));
        town.act(Item::Merge {
            winner: ann,
            loser: bob,
        });
        town.act(Item::Unmerge {
            winner: ann,
            loser: bob,
        });
        assert_eq!(
            town.of(&cat),
            bob,
            "BATON_SEED={seed}: the third goes with whom it was merged into"
        );
        let back = own(town.state(bob));
        assert_eq!(back.links, two.links, "BATON_SEED={seed}");
        assert_eq!(back.golden, two.golden, "BATON_SEED={seed}");
    }
}

fn town() -> Town {
    Town::new(rules(&mut Dice::new(7), Taste::default()))
}

#[test]
fn two_creates_for_one_key_make_one_person() {
    let mut town = town();
    let (crm, map) = (
        record("crm", Object::Contact, "1"),
        record("map", Object::Contact, "2"),
    );
    town.say(&crm, Class::Delta, &[("email", "Ann@Example.com")]);
    town.say(&map, Class::Delta, &[("email", "ann@example.com ")]);
    assert_eq!(town.of(&crm), town.of(&map));
    assert_eq!(town.book.entities.len(), 1);
}

#[test]
fn a_key_shared_later_is_a_task_and_no_merge() {
    let mut town = town();
    let (crm, map) = (
        record("crm", Object::Contact, "1"),
        record("map", Object::Contact, "2"),
    );
    town.say(&crm, Class::Delta, &[("email", "ann@example.com")]);
    town.say(&map, Class::Delta, &[("email", "bob@example.com")]);
    town.say(&map, Class::Delta, &[("email", "ann@example.com")]);
    assert_ne!(town.of(&crm), town.of(&map));
    assert_eq!(town.parked(ParkedCode::SharedKey), 1);
    // Whoever comes with that key now may be either of them.
    let third = record("erp", Object::Contact, "3");
    let settled = town.say(&third, Class::Delta, &[("email", "ann@example.com")]);
    assert_eq!(settled.outcome, Outcome::Parked);
    let parked = town.book.out.parked.last().expect("parked").clone();
    assert_eq!(parked.code, ParkedCode::AmbiguousMatch);
    let mut candidates = vec![town.of(&crm), town.of(&map)];
    candidates.sort();
    let mut named = parked.candidates.clone();
    named.sort();
    assert_eq!(named, candidates);
    assert!(!town.book.links.contains_key(&third));
    // A steward says who it is.
    let entity = Some(town.of(&map));
    town.act(Item::Resolve {
        parked: Box::new(parked),
        entity,
    });
    assert_eq!(town.of(&third), town.of(&map));
}

#[test]
fn a_conversion_clears_nothing_moves_the_link_and_old_ids_follow() {
    for contact_known in [false, true] {
        let mut town = town();
        let (lead, contact) = (
            record("crm", Object::Lead, "l"),
            record("crm", Object::Contact, "c"),
        );
        town.say(
            &lead,
            Class::Event,
            &[
                ("email", "ann@example.com"),
                ("street", "1"),
                ("city", "Ulm"),
                ("zip", "2"),
            ],
        );
        if contact_known {
            town.say(&contact, Class::Delta, &[("email", "ann@new.example.com")]);
            assert_ne!(town.of(&lead), town.of(&contact));
        }
        let to = vec![(Object::Contact, "c".into()), (Object::Account, "x".into())];
        town.say(&lead, Class::Convert { to }, &[]);
        assert_eq!(town.of(&lead), town.of(&contact), "known {contact_known}");
        let person = town.of(&contact);
        assert_eq!(town.state(person).status(&lead), LinkStatus::Converted);
        assert_eq!(town.state(person).status(&contact), LinkStatus::Active);
        assert_eq!(
            *town.state(person).golden_value("city".into()),
            Value::text("Ulm"),
            "known {contact_known}"
        );
        // What still names the old id follows the new one.
        town.say(
            &lead,
            Class::Event,
            &[("street", "9"), ("city", "Bonn"), ("zip", "3")],
        );
        assert_eq!(town.of(&lead), person);
        assert_eq!(
            *town.state(person).golden_value("city".into()),
            Value::text("Bonn"),
            "known {contact_known}"
        );
        assert_eq!(
            town.book
                .entities
                .values()
                .filter(|e| e.state.merged_into.is_none() && !e.state.links.is_empty())
                .count(),
            1
        );
    }
}

#[test]
fn the_losing_id_of_a_vendors_merge_becomes_an_alias_and_its_claims_stay() {
    let mut town = town();
    let (winner, loser) = (
        record("map", Object::Contact, "w"),
        record("map", Object::Contact, "x"),
    );
    town.say(&winner, Class::Delta, &[("email", "ann@example.com")]);
    town.say(
        &loser,
        Class::Event,
        &[
            ("email", "a.nn@example.com"),
            ("street", "1"),
            ("city", "Ulm"),
            ("zip", "2"),
        ],
    );
    assert_ne!(town.of(&winner), town.of(&loser));
    town.say(
        &winner,
        Class::Merge {
            losers: vec!["x".into()],
        },
        &[],
    );
    let person = town.of(&winner);
    assert_eq!(town.of(&loser), person);
    assert_eq!(town.state(person).status(&loser), LinkStatus::Merged);
    assert_eq!(
        *town.state(person).golden_value("city".into()),
        Value::text("Ulm")
    );
}

#[test]
fn an_email_change_keeps_the_link() {
    let mut town = town();
    let crm = record("crm", Object::Contact, "1");
    town.say(&crm, Class::Delta, &[("email", "ann@example.com")]);
    let person = town.of(&crm);
    town.say(&crm, Class::Delta, &[("email", "ann@new.example.com")]);
    assert_eq!(town.of(&crm), person);
    // The new key finds the person, the old one nobody.
    let (new, old) = (
        record("map", Object::Contact, "2"),
        record("map", Object::Contact, "3"),
    );
    town.say(&new, Class::Delta, &[("email", "ann@new.example.com")]);
    town.say(&old, Class::Delta, &[("email", "ann@example.com")]);
    assert_eq!(town.of(&new), person);
    assert_ne!(town.of(&old), person);
}

/// Ann and Bob, each in the crm and in the map; the crm's records are merged.
fn merged_in_the_crm() -> (Town, [RecordKey; 2]) {
    let mut town = town();
    let mut map = Vec::new();
    for (nth, key) in [("1", "ann"), ("2", "bob")] {
        let record_in_map = record("map", Object::Contact, nth);
        town.say(
            &record("crm", Object::Contact, nth),
            Class::Delta,
            &[("key", key)],
        );
        town.say(&record_in_map, Class::Delta, &[("key", key)]);
        map.push(record_in_map);
    }
    let losers = vec!["2".into()];
    let merge = Class::Merge { losers };
    town.say(&record("crm", Object::Contact, "1"), merge, &[]);
    let [one, two] = map.try_into().expect("two");
    (town, [one, two])
}

/// Ids of open tasks about doubled records.
fn doubled(town: &Town) -> Vec<Digest> {
    let parked = town.book.out.parked.iter();
    let of_code = parked.filter(|p| p.code == ParkedCode::DoubledRecord);
    of_code.map(|p| p.id).collect()
}

#[test]
fn two_records_of_one_system_after_a_merge_are_a_task_that_names_both() {
    let (town, [one, two]) = merged_in_the_crm();
    assert_eq!(town.of(&one), town.of(&two));
    let parked = town.book.out.parked.iter();
    let tasks: Vec<_> = parked
        .filter(|p| p.code == ParkedCode::DoubledRecord)
        .collect();
    assert_eq!(tasks.len(), 1);
    assert_eq!(tasks[0].entity, Some(town.of(&one)));
    for named in [&one, &two] {
        assert!(
            tasks[0].why.contains(&named.to_string()),
            "{}",
            tasks[0].why
        );
    }
}

#[test]
fn the_task_about_a_doubled_record_ends_when_one_of_them_is_gone() {
    let (mut town, [_, two]) = merged_in_the_crm();
    assert_eq!(doubled(&town).len(), 1);
    // Whatever else is said of them does not open it again.
    town.say(&two, Class::Delta, &[("f0", "a")]);
    assert_eq!(town.parked(ParkedCode::DoubledRecord), 1);
    town.say(&two, Class::Delete, &[]);
    assert_eq!(doubled(&town), []);

    let (mut town, [one, two]) = merged_in_the_crm();
    let losers = vec![two.id.clone()];
    town.say(&one, Class::Merge { losers }, &[]);
    assert_eq!(doubled(&town), []);
}

#[test]
fn the_task_about_a_doubled_record_ends_with_an_unmerge() {
    let (mut town, [one, two]) = merged_in_the_crm();
    let person = town.of(&one);
    let brought = &town.state(person).absorbed;
    let loser = *brought.keys().next().expect("absorbed");
    town.act(Item::Unmerge {
        winner: person,
        loser,
    });
    assert_ne!(town.of(&one), town.of(&two));
    assert_eq!(doubled(&town), []);
}

#[test]
fn a_lead_beside_a_contact_is_no_doubled_record() {
    let mut town = town();
    town.say(
        &record("crm", Object::Lead, "1"),
        Class::Delta,
        &[("key", "ann")],
    );
    town.say(
        &record("crm", Object::Contact, "2"),
        Class::Delta,
        &[("key", "ann")],
    );
    assert_eq!(town.book.entities.len(), 1);
    assert_eq!(doubled(&town), []);
    town.say(
        &record("crm", Object::Contact, "3"),
        Class::Delta,
        &[("key", "ann")],
    );
    assert_eq!(doubled(&town).len(), 1, "two contacts with one key are");
}

#[test]
fn of_one_matter_the_last_word_of_a_batch_counts() {
    let (mut town, [one, two]) = merged_in_the_crm();
    town.say(&two, Class::Delete, &[]);
    town.say(&two, Class::Undelete, &[]);
    let open = doubled(&town);
    assert_eq!(open.len(), 1);
    assert!(!town.book.out.unparked.contains(&open[0]));
    town.say(&one, Class::Delete, &[]);
    assert_eq!(doubled(&town), []);
    assert!(town.book.out.unparked.contains(&open[0]));
}
