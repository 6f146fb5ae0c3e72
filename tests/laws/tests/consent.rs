//! L6: consent never loosens without the person's own act or a steward's.

use std::collections::BTreeMap;

use baton_core::{
    book::{Book, Incoming, Item},
    change::{Change, Class, Format, RawChange},
    explain::explain,
    id::{Digest, EntityId, Kind, Object, Position, RecordKey},
    input::StewardAct,
    name::Name,
    normalise::normalise,
    order::track,
    rules::{ConsentState, Rules},
    time::Millis,
    value::{Raw, Value},
};
use baton_laws::{
    history::{START, facts},
    world::{Dice, Taste, rules, seeds},
};
use baton_reference::{Actor, Case, ConsentAct, Fact, golden};

const WORDS: [&str; 7] = [
    "opted_in",
    "opted_out",
    "pending",
    "bounced",
    "legal_block",
    "unknown",
    "",
];
const ADDRESSES: [&str; 3] = ["a@example.com", "b@example.com", "c@example.com"];
const PEOPLE: [&str; 3] = ["ann", "bob", "cat"];

#[derive(Clone, Debug)]
enum Word {
    Says(Box<Incoming>),
    Steward { person: usize, state: ConsentState },
    Merge(usize, usize),
    Unmerge(usize, usize),
}

struct Town {
    rules: Rules,
    book: Book,
    now: Millis,
    changes: Vec<Change>,
    /// A steward's acts, with the person and the address they were for.
    acts: Vec<(EntityId, Option<Value>, ConsentAct)>,
    people: Vec<EntityId>,
}

fn record(person: usize, nth: usize) -> RecordKey {
    let system = ["crm", "map", "erp"][(person + nth) % 3];
    RecordKey::new(system, Object::Contact, format!("{}{nth}", PEOPLE[person]))
}

fn said(
    record: &RecordKey,
    time: Millis,
    log: u64,
    cause: &str,
    fields: &[(&str, &str)],
) -> Box<Incoming> {
    let mut raw = RawChange::new(record.id.clone(), Class::Delta);
    raw.object = Some("contact".into());
    raw.time = Some(time);
    raw.origin = Some("somebody".into());
    raw.cause = Some(cause.into());
    for (field, value) in fields {
        raw.push(field, Raw::text(value));
    }
    Box::new(Incoming {
        system: record.system,
        format: Format::Baton,
        raw,
        position: Position::new(time.plus(200), 0, 0, log),
        index: 0,
        message: Digest::of(&[&log.to_le_bytes()]),
    })
}

fn rules_without_email_match(dice: &mut Dice) -> Rules {
    let mut rules = rules(dice, Taste::default());
    // People are told apart by their key, so that they can share an address.
    rules.identity.email = None;
    rules
}

/// What happens besides statements of consent.
#[derive(Clone, Copy, Default)]
struct Kinds {
    stewards: bool,
    merges: bool,
    /// Records change their address.
    moves: bool,
    /// Nobody fills in a form.
    no_own_acts: bool,
}

/// Each word two seconds after the one before.
fn words(dice: &mut Dice, length: usize, kind: Kinds) -> Vec<Word> {
    let Kinds {
        stewards,
        merges,
        moves,
        no_own_acts,
    } = kind;
    let mut words = Vec::new();
    for (person, name) in PEOPLE.iter().enumerate() {
        for nth in 0..2 {
            let at = START.plus(words.len() as i64 * 2_000);
            let mut fields = vec![("key", *name)];
            if dice.chance(80) {
                fields.push(("email", dice.word(&ADDRESSES)));
            }
            words.push(Word::Says(said(
                &record(person, nth),
                at,
                words.len() as u64,
                "unknown",
                &fields,
            )));
        }
    }
    let causes = ["own_form", "manual_edit", "list_import", "api", "unknown"];
    while words.len() < length {
        let at = START.plus(words.len() as i64 * 2_000);
        let person = dice.below(3);
        if stewards && dice.chance(8) {
            let state = *dice.pick(&[ConsentState::OptedIn, ConsentState::OptedOut]);
            words.push(Word::Steward { person, state });
            continue;
        }
        if merges && dice.chance(8) {
            let (a, b) = (0, 1 + dice.below(2));
            words.push(if dice.chance(50) {
                Word::Merge(a, b)
            } else {
                Word::Unmerge(a, b)
            });
            continue;
        }
        let (word, address) = (dice.word(&WORDS), dice.word(&ADDRESSES));
        let mut fields: Vec<(&str, &str)> = vec![("key", PEOPLE[person])];
        match dice.below(10) {
            0..=5 => fields.push(("consent", word)),
            6 | 7 if moves => fields.push(("email", address)),
            8 if moves => fields.extend([("consent", word), ("email", address)]),
            _ => {}
        }
        let cause = dice.word(&causes[usize::from(no_own_acts)..]);
        words.push(Word::Says(said(
            &record(person, dice.below(2)),
            at,
            words.len() as u64,
            cause,
            &fields,
        )));
    }
    words
}

impl Town {
    fn new(rules: Rules) -> Self {
        Self {
            rules,
            book: Book::default(),
            now: START,
            changes: Vec::new(),
            acts: Vec::new(),
            people: Vec::new(),
        }
    }

    fn person(&self, nth: usize) -> EntityId {
        self.people[nth]
    }

    fn merged_into(&self, person: EntityId) -> Option<EntityId> {
        self.book.entities[&person].state.merged_into
    }

    fn hear(&mut self, word: &Word) {
        self.now = self.now.plus(2_000);
        match word {
            Word::Says(incoming) => {
                let change = normalise((**incoming).clone(), &self.rules).expect("mapped");
                self.changes.push(change.clone());
                self.now = self.now.max(change.position.arrival);
                let settled = self
                    .book
                    .settle(Item::Change(change), &self.rules, self.now);
                let entity = settled.entity.expect("linked");
                if !self.people.contains(&entity) {
                    self.people.push(entity);
                }
            }
            Word::Steward { person, state } => {
                let id = self.person(*person);
                let entity = self.merged_into(id).unwrap_or(id);
                let address = self.book.entities[&entity]
                    .state
                    .golden_value("email".into())
                    .clone();
                let act = StewardAct::Consent {
                    channel: "email".into(),
                    state: *state,
                    by: "a steward".into(),
                    reason: "a letter".into(),
                };
                self.book
                    .settle(Item::Steward { entity, act }, &self.rules, self.now);
                let act = ConsentAct {
                    channel: "email".into(),
                    address: None,
                    value: Value::text(state.as_str()),
                    time: self.now,
                    arrival: self.now,
                    by: Actor::Steward,
                };
                self.acts
                    .push((entity, (!address.is_blank()).then_some(address), act));
            }
            Word::Merge(a, b) => {
                let (winner, loser) = (self.person(*a), self.person(*b));
                if self.merged_into(loser).is_none() {
                    self.book
                        .settle(Item::Merge { winner, loser }, &self.rules, self.now);
                }
            }
            Word::Unmerge(a, b) => {
                let (winner, loser) = (self.person(*a), self.person(*b));
                self.book
                    .settle(Item::Unmerge { winner, loser }, &self.rules, self.now);
            }
        }
    }

    fn consent(&self, person: EntityId) -> (ConsentState, Value) {
        let value = self.book.entities[&person]
            .state
            .golden_value("consent".into())
            .clone();
        let state = ConsentState::ALL
            .into_iter()
            .find(|s| s.as_str() == value.to_string());
        (state.unwrap_or(ConsentState::Unknown), value)
    }

    /// What the reference says of a person.
    fn expected(&self, person: EntityId) -> Value {
        let all: Vec<Fact> = self.changes.iter().flat_map(facts).collect();
        let mine = |f: &&Fact| self.book.links.get(&f.record) == Some(&person);
        let own = all.iter().filter(mine).cloned().collect();
        let mut case = Case::new(&self.rules, Kind::Person, own, self.now);
        case.others = all.iter().filter(|f| !mine(f)).cloned().collect();
        for (entity, _, act) in &self.acts {
            if *entity == person {
                case.acts.push(act.clone());
            }
        }
        golden(&case)
            .get(&Name::new("consent"))
            .map_or(Value::Blank, |a| a.value.clone())
    }
}

#[test]
fn l6_consent_is_what_the_reference_says_also_for_shared_addresses() {
    for seed in seeds(&[], 400) {
        let mut dice = Dice::new(seed);
        let mut town = Town::new(rules_without_email_match(&mut dice));
        for word in words(&mut dice, 30, Kinds::default()) {
            town.hear(&word);
        }
        for person in town.people.clone() {
            let (_, got) = town.consent(person);
            assert_eq!(got, town.expected(person), "BATON_SEED={seed} {person}");
        }
    }
}

#[test]
fn l6_consent_never_loosens_without_an_own_act_or_a_stewards() {
    for seed in seeds(&[], 400) {
        let mut dice = Dice::new(seed);
        let mut town = Town::new(rules_without_email_match(&mut dice));
        // With nobody's act at all, or with own acts and stewards' between.
        let acts = seed % 2 == 0;
        let kind = Kinds {
            stewards: acts,
            merges: true,
            moves: true,
            no_own_acts: !acts,
        };
        for word in words(&mut dice, 50, kind) {
            let before: BTreeMap<EntityId, ConsentState> = town
                .people
                .iter()
                .map(|p| (*p, town.consent(*p).0))
                .collect();
            town.hear(&word);
            let allowed = match &word {
                Word::Says(incoming) => {
                    let own = incoming.raw.cause.as_deref() == Some("own_form");
                    let has = |name: &str| incoming.raw.fields.iter().any(|f| f.name == name);
                    // A new address leaves a bounce behind.
                    (own && has("consent")) || has("email")
                }
                Word::Steward { .. } => true,
                // Together they may know of an act that one of them did not.
                Word::Merge(..) | Word::Unmerge(..) => acts,
            };
            for (person, was) in before {
                if town.merged_into(person).is_some() {
                    continue;
                }
                let (is, _) = town.consent(person);
                let restrictive = was < ConsentState::OptedIn;
                // A bounced address may go away with the other's records.
                let left = matches!(word, Word::Unmerge(..)) && was == ConsentState::Bounced;
                let allowed = allowed || left;
                assert!(
                    !restrictive || is <= was || allowed,
                    "BATON_SEED={seed} {person}: {was:?} became {is:?} by {word:?}"
                );
            }
        }
    }
}

#[test]
fn l6_an_opt_out_survives_everything_but_an_own_act_or_a_stewards() {
    for seed in seeds(&[], 300) {
        let mut dice = Dice::new(seed);
        let mut town = Town::new(rules_without_email_match(&mut dice));
        for word in words(&mut dice, 14, Kinds::default()) {
            town.hear(&word);
        }
        // Something else first, so that the opt-out is no restatement.
        for (log, word) in [(900, "unknown"), (901, "opted_out")] {
            let at = town.now.plus(2_000);
            let fields = [("key", "ann"), ("consent", word)];
            town.hear(&Word::Says(said(&record(0, 0), at, log, "api", &fields)));
        }
        for word in words(
            &mut dice,
            40,
            Kinds {
                merges: true,
                moves: true,
                ..Kinds::default()
            },
        )
        .into_iter()
        .skip(6)
        {
            let word = match word {
                Word::Says(mut incoming) => {
                    // Anything but an own act, later than the opt-out; no bounce to hide behind.
                    let at = town.now.plus(2_000);
                    incoming.raw.time = Some(at);
                    incoming.position.arrival = at.plus(200);
                    if incoming.raw.cause.as_deref() == Some("own_form") {
                        incoming.raw.cause = Some("manual_edit".into());
                    }
                    Word::Says(incoming)
                }
                other => other,
            };
            town.hear(&word);
            let ann = town.person(0);
            let (state, _) = town.consent(ann);
            assert!(
                state <= ConsentState::OptedOut,
                "BATON_SEED={seed}: {state:?} after {word:?}"
            );
        }
    }
}

#[test]
fn the_order_in_which_people_are_heard_does_not_matter() {
    for seed in seeds(&[], 200) {
        let mut dice = Dice::new(seed);
        let rules = rules_without_email_match(&mut dice);
        let all = words(&mut dice, 24, Kinds::default());
        // The records are known before; what they say comes in any order.
        let (known, said) = all.split_at(6);
        let mut said = said.to_vec();
        let mut first = None;
        for _ in 0..4 {
            let mut town = Town::new(rules.clone());
            for word in known.iter().chain(&said) {
                town.hear(word);
            }
            let answer: BTreeMap<RecordKey, Value> = town
                .book
                .links
                .iter()
                .map(|(record, person)| (record.clone(), town.consent(*person).1))
                .collect();
            let expected = first.get_or_insert_with(|| answer.clone());
            assert_eq!(answer, *expected, "BATON_SEED={seed}");
            dice.shuffle(&mut said);
        }
    }
}

#[test]
fn whoever_gets_an_opted_out_address_is_opted_out() {
    let mut town = Town::new(rules_without_email_match(&mut Dice::new(3)));
    let (ann, bob) = (record(0, 0), record(1, 0));
    let at = |n: i64| START.plus(n * 10_000);
    for (n, of, cause, fields) in [
        (
            0,
            &ann,
            "unknown",
            vec![("key", "ann"), ("email", ADDRESSES[0])],
        ),
        (
            1,
            &ann,
            "own_form",
            vec![("key", "ann"), ("consent", "opted_out")],
        ),
        (
            2,
            &bob,
            "unknown",
            vec![
                ("key", "bob"),
                ("consent", "opted_in"),
                ("email", ADDRESSES[1]),
            ],
        ),
        (
            3,
            &bob,
            "manual_edit",
            vec![("key", "bob"), ("email", ADDRESSES[0])],
        ),
    ] {
        town.hear(&Word::Says(said(of, at(n), n as u64, cause, &fields)));
    }
    assert_eq!(town.consent(town.person(1)).0, ConsentState::OptedOut);
    assert!(
        track(
            &town.book.entities[&town.person(1)].state,
            &bob,
            "email".into(),
            &town.rules
        )
        .believed()
        .is_some()
    );
    // L16: the statement that decides stands in somebody else's record, and is named.
    let state = &town.book.entities[&town.person(1)].state;
    let why = explain(state, &town.rules, "consent".into(), town.now)
        .expect("consent is a field of these rules");
    assert_eq!(why.value.0, Value::text("opted_out"));
    let by: Vec<_> = why.contributors.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(by, [ann.id.as_str()], "{why:?}");
}
