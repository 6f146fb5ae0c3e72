//! One history, drawn from a seed: rules, habits, and what people do.

use std::{collections::BTreeMap, fmt};

use baton_core::{
    change::Precision,
    id::Object,
    name::Name,
    rules::{ClearPolicy, Decay, OnBlank, OnTransition, Segment, Strategy, Trust, TrustSource},
    time::{DAY, HOUR, MINUTE, Millis, SECOND},
    value::Value,
};
use baton_sandbox::{Actor, Answer, Delivery, Events, Fields, Habits, Recase};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value as Json, json};

use super::{
    acts::{Act, Deed},
    rules::{ADDRESS, CRM, MAP, RATINGS, RuleSet, Style, TITLE_LENGTH},
};

/// When histories begin: in the middle of a day, so that `trust` has days on both sides.
pub const START: Millis = Millis(1_800_000_000_000);

#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub rules: RuleSet,
    pub crm: Habits,
    pub map: Habits,
    pub acts: Vec<Act>,
    /// How long a command takes to reach its system, ms.
    pub command_delay: (i64, i64),
}

impl Scenario {
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        Dice {
            rng: ChaCha8Rng::seed_from_u64(seed),
            number: 100,
            email: Self::email(0),
        }
        .scenario(seed)
    }

    /// The same with what happens to several people, by turns or at once: rules and habits are shared, addresses are
    /// not.
    #[must_use]
    pub fn with_people(seed: u64, people: usize) -> (Self, Vec<Vec<Act>>) {
        let scenario = Self::of_seed(seed);
        let events = [scenario.crm.events, scenario.map.events];
        let deltas = events.contains(&Events::Delta);
        let others = (1..people).map(|number| {
            let mut dice = Dice {
                rng: ChaCha8Rng::seed_from_u64(seed ^ ((number as u64) << 40)),
                number: 100,
                email: Self::email(number),
            };
            dice.acts(&scenario.rules, deltas)
        });
        let acts = std::iter::once(scenario.acts.clone())
            .chain(others)
            .collect();
        (scenario, acts)
    }

    /// The e-mail address of one of the people.
    #[must_use]
    pub fn email(number: usize) -> String {
        match number {
            0 => "ada@example.com".to_owned(),
            more => format!("person{more}@example.com"),
        }
    }

    /// A salesperson edits an address in the CRM; `gap` milliseconds later a marketing list updates it in the MAP.
    /// Both systems answer with whole-record, untagged events of one-second stamps, late, doubled and out of order.
    #[must_use]
    pub fn worked_example(seed: u64, gap: i64) -> Self {
        let mut dice = Dice {
            rng: ChaCha8Rng::seed_from_u64(seed),
            number: 100,
            email: Self::email(0),
        };
        let mut rules = dice.rules();
        rules.address = Strategy::Latest;
        rules.protect = Some(180 * DAY);
        rules.requires_country = true;
        rules.create = false;
        let habits = |dice: &mut Dice| Habits {
            schema: dice.habits(CRM).schema,
            names_causes: true,
            unique: Some("email".into()),
            answer: dice.one_of(&[Answer::Record, Answer::Stamp, Answer::Ok]),
            ..Habits::taciturn()
        };
        let (crm, map) = (habits(&mut dice), habits(&mut dice));
        let address = |street: &str, city: &str| {
            Fields::from([
                ("street".to_owned(), json!(street)),
                ("city".to_owned(), json!(city)),
                ("country".to_owned(), json!("DE")),
            ])
        };
        let create = |system| {
            let mut fields = address("Old 1", "Ulm");
            fields.insert("email".into(), json!("ada@example.com"));
            Deed::Create {
                system,
                actor: Actor::human("Otto Old"),
                fields,
            }
        };
        let edited = START.plus(2 * MINUTE);
        let act = |at, deed| Act { at, deed };
        let acts = vec![
            act(START, create(CRM)),
            act(START, create(MAP)),
            act(
                edited,
                Deed::Edit {
                    system: CRM,
                    actor: Actor::human("Anna Arnold"),
                    fields: address("New 2", "Bonn"),
                },
            ),
            act(
                edited.plus(gap),
                Deed::Edit {
                    system: MAP,
                    actor: Actor::import("fair"),
                    fields: address("List 3", "Kiel"),
                },
            ),
        ];
        Self {
            seed,
            rules,
            crm,
            map,
            acts,
            command_delay: (20, 900),
        }
    }

    /// The habits of a system.
    #[must_use]
    pub fn habits(&self, system: &str) -> &Habits {
        if system == CRM { &self.crm } else { &self.map }
    }

    /// How the rules describe a system.
    #[must_use]
    pub fn style(&self, system: &str) -> Style {
        let habits = self.habits(system);
        let acks = habits.answer != Answer::Nothing;
        Style {
            tagged: habits.origin_tag.is_some(),
            acks,
            reads: acks,
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = &self.rules;
        writeln!(f, "seed {} (BATON_SEED={0})", self.seed)?;
        writeln!(
            f,
            "rules: nick {:?}; title {:?}; address {:?}; clear {:?}; protect {:?}; requires {}; knows length {}; \
             clear guard {}; create {}",
            r.nick,
            r.title,
            r.address,
            r.clear,
            r.protect,
            r.requires_country,
            r.knows_length,
            r.clear_guard,
            r.create
        )?;
        for (name, h) in [(CRM, &self.crm), (MAP, &self.map)] {
            writeln!(
                f,
                "{name}: {:?} {:?} tag {} actors {} causes {} seq {} answer {:?} cuts {:?} recases {:?} lag {} lost {} \
                 unknown {} fails {} refuses {:?} unchanged {} gaps {}",
                h.events,
                h.stamps,
                h.origin_tag.is_some(),
                h.names_actors,
                h.names_causes,
                h.sequences,
                h.answer,
                h.truncates,
                h.recases,
                h.workflow_lag,
                h.loses_answer_per_mille,
                h.unknown_per_mille,
                h.fails_per_mille,
                h.refuses,
                h.events_on_unchanged,
                h.delivery.gap_per_mille,
            )?;
        }
        Ok(())
    }
}

struct Dice {
    rng: ChaCha8Rng,
    /// Makes every text that somebody enters one of a kind.
    number: u32,
    email: String,
}

impl Dice {
    fn scenario(mut self, seed: u64) -> Scenario {
        let rules = self.rules();
        let (crm, map) = (self.habits(CRM), self.habits(MAP));
        let deltas = crm.events == Events::Delta || map.events == Events::Delta;
        let acts = self.acts(&rules, deltas);
        let command_delay = self.one_of(&[(5, 50), (20, 900), (200, 3_000)]);
        Scenario {
            seed,
            rules,
            crm,
            map,
            acts,
            command_delay,
        }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        let at = self.rng.random_range(0..of.len());
        of[at].clone()
    }

    fn rules(&mut self) -> RuleSet {
        RuleSet {
            nick: self.strategy(false, 2),
            title: self.strategy(false, 1),
            address: self.strategy(true, 1),
            clear: self.one_of(&[
                ClearPolicy::PropagateIfManual,
                ClearPolicy::Propagate,
                ClearPolicy::Ignore,
                ClearPolicy::Hold,
            ]),
            protect: self.one_of(&[None, Some(180 * DAY), Some(5 * SECOND)]),
            requires_country: self.chance(40),
            knows_length: self.chance(40),
            clear_guard: self.chance(25),
            create: self.chance(50),
        }
    }

    fn strategy(&mut self, group: bool, deeper: u32) -> Strategy {
        let (crm, map) = (Name::new(CRM), Name::new(MAP));
        match self.rng.random_range(0..16) {
            0..=2 => Strategy::Latest,
            3 => Strategy::Priority {
                sources: vec![crm, map],
                on_blank: self.on_blank(),
            },
            4 => Strategy::Priority {
                sources: vec![map, crm],
                on_blank: self.on_blank(),
            },
            5 => Strategy::Only {
                source: self.one_of(&[crm, map]),
            },
            6 => Strategy::Fill,
            7 => Strategy::First,
            8 => Strategy::Trust(self.trust()),
            9 => Strategy::MostComplete,
            10 => Strategy::Longest,
            11 if !group => Strategy::Max,
            12 if !group => Strategy::Min,
            13 if deeper > 0 => Strategy::ByStage {
                segments: vec![
                    Segment {
                        until: Some("mql".into()),
                        strategy: self.strategy(group, deeper - 1),
                    },
                    Segment {
                        until: None,
                        strategy: self.strategy(group, deeper - 1),
                    },
                ],
                on_transition: self.one_of(&[OnTransition::Keep, OnTransition::Rejudge]),
            },
            14 => {
                let fallback = self.chance(50) && deeper > 0;
                Strategy::Manual {
                    fallback: fallback
                        .then(|| (2 * HOUR, Box::new(self.strategy(group, deeper - 1)))),
                }
            }
            _ => Strategy::Latest,
        }
    }

    fn on_blank(&mut self) -> OnBlank {
        self.one_of(&[OnBlank::Clear, OnBlank::Fallback, OnBlank::Hold])
    }

    fn trust(&mut self) -> Trust {
        let mut source = || TrustSource {
            max: self.one_of(&[90, 80, 60]).into(),
            min: self.one_of(&[10, 20, 40]).into(),
            period_days: self.one_of(&[1, 3, 10]),
            decay: self.one_of(&[Decay::Linear, Decay::FastThenSlow, Decay::SlowThenFast]),
        };
        let sources = BTreeMap::from([(Name::new(CRM), source()), (Name::new(MAP), source())]);
        Trust {
            sources,
            margin: self.one_of(&[0, 5, 20]).into(),
            doubtful: 10.into(),
        }
    }

    fn habits(&mut self, system: &str) -> Habits {
        let schema = [
            "email", "nick", "title", "company", "rating", "tags", "points", "label", "region",
        ];
        let schema = schema
            .iter()
            .chain(&ADDRESS)
            .map(|f| (*f).to_owned())
            .collect();
        let taciturn = self.chance(50);
        let mut habits = Habits {
            schema: BTreeMap::from([(Object::Contact, schema)]),
            unique: Some("email".into()),
            ..if taciturn {
                Habits::taciturn()
            } else {
                Habits::faithful()
            }
        };
        habits.answer = self.one_of(&[Answer::Record, Answer::Stamp, Answer::Ok]);
        if !taciturn {
            habits.events = self.one_of(&[Events::Delta, Events::Whole]);
            habits.stamps = self.one_of(&[Precision::Second, Precision::Millis]);
            habits.origin_tag = self.chance(50).then(|| "baton".into());
            habits.names_actors = self.chance(50);
            habits.names_causes = self.chance(70);
            habits.sequences = self.chance(40);
            habits.answer_delay = self.one_of(&[(0, 0), (20, 1_500)]);
            habits.delivery = self.one_of(&[
                Delivery::default(),
                Habits::taciturn().delivery,
                Delivery {
                    delay: (0, 3_000),
                    ..Delivery::default()
                },
            ]);
        }
        if self.chance(30) {
            habits.recases.insert(
                "company".into(),
                self.one_of(&[Recase::Title, Recase::Upper]),
            );
            habits.workflow_lag = self.one_of(&[0, 400, 2_500]);
        }
        if system == MAP && self.chance(60) {
            habits.truncates.insert("title".into(), TITLE_LENGTH);
        }
        if self.chance(25) {
            habits.loses_answer_per_mille = 120;
        }
        if self.chance(25) {
            habits.unknown_per_mille = 120;
        }
        if self.chance(25) {
            habits.fails_per_mille = 150;
        }
        if self.chance(6) {
            habits.refuses.insert("points".into(), "nobody may".into());
        }
        habits.events_on_unchanged = self.chance(20);
        if self.chance(10) {
            habits.delivery.gap_per_mille = 150;
        }
        habits
    }

    fn acts(&mut self, rules: &RuleSet, deltas: bool) -> Vec<Act> {
        let mut at = START;
        let mut acts = Vec::new();
        let first = self.one_of(&[CRM, MAP]);
        let second = if first == CRM { MAP } else { CRM };
        acts.push(Act {
            at,
            deed: self.create(first),
        });
        if !rules.create || self.chance(60) {
            let gap = self.pause();
            at = at.plus(if rules.create { 0 } else { gap });
            acts.push(Act {
                at,
                deed: self.create(second),
            });
        }
        if deltas {
            // What changed in a record that nobody has heard of names no e-mail address: two people for a steward.
            at = at.plus(MINUTE);
        }
        for _ in 0..self.rng.random_range(3..14) {
            let gap = self.pause();
            at = at.plus(gap);
            let deed = match self.rng.random_range(0..40) {
                0 | 1 => Deed::Stage(self.one_of(&["nurture", "mql", "sal"])),
                2 if matches!(rules.nick, Strategy::Manual { .. }) => Deed::Rule {
                    field: "nick".into(),
                    value: Value::text(&self.text("Ruled")),
                },
                3 => Deed::Lock {
                    field: "nick".into(),
                    value: Value::text(&self.text("Locked")),
                },
                4 => Deed::Unlock {
                    field: "nick".into(),
                },
                _ => {
                    let system = self.one_of(&[CRM, MAP]);
                    let actor = self.actor();
                    let fields = self.some_fields(system);
                    Deed::Edit {
                        system,
                        actor,
                        fields,
                    }
                }
            };
            acts.push(Act { at, deed });
        }
        acts
    }

    fn pause(&mut self) -> i64 {
        match self.rng.random_range(0..20) {
            0..=6 => self.rng.random_range(0..400),
            7..=11 => self.rng.random_range(400..2_000),
            12..=15 => self.rng.random_range(2_000..10_000),
            16..=17 => self.rng.random_range(10_000..90_000),
            18 => self.rng.random_range(MINUTE..HOUR),
            _ => self.rng.random_range(HOUR..2 * DAY),
        }
    }

    fn actor(&mut self) -> Actor {
        match self.rng.random_range(0..10) {
            0..=5 => Actor::human("Anna Arnold"),
            6 => Actor::Form,
            7 | 8 => Actor::import("fair"),
            _ => Actor::Api,
        }
    }

    fn create(&mut self, system: &'static str) -> Deed {
        let mut fields = Fields::from([("email".into(), json!(self.email))]);
        // Systems that send what changed would leave the group partial, which a test of its own is about.
        for member in ADDRESS {
            fields.insert(member.into(), self.text("Old").into());
        }
        for field in ["nick", "title", "company", "region"] {
            if self.chance(50) {
                fields.insert(field.into(), self.text("Early").into());
            }
        }
        if self.chance(50) {
            fields.insert("rating".into(), self.rating(system));
        }
        Deed::Create {
            system,
            actor: Actor::human("Otto Old"),
            fields,
        }
    }

    fn some_fields(&mut self, system: &'static str) -> Fields {
        let mut fields = Fields::new();
        let blank = self.chance(12);
        match self.rng.random_range(0..16) {
            0..=4 => self.put(&mut fields, "nick", blank),
            5..=6 => self.put(&mut fields, "title", blank),
            7 => self.put(&mut fields, "company", false),
            8 => {
                fields.insert("rating".into(), self.rating(system));
            }
            9 => {
                let tags: Vec<&str> = ["red", "green", "blue", "gold"]
                    .into_iter()
                    .filter(|_| self.chance(40))
                    .collect();
                fields.insert(
                    "tags".into(),
                    if tags.is_empty() {
                        Json::Null
                    } else {
                        tags.join(";").into()
                    },
                );
            }
            10 => {
                let points = self.rng.random_range(1..100_000);
                fields.insert("points".into(), points.into());
            }
            11 => self.put(&mut fields, "label", false),
            12 => self.put(&mut fields, "region", blank),
            13 => {
                let member = self.one_of(&ADDRESS);
                self.put(&mut fields, member, blank);
            }
            _ => {
                for member in ADDRESS {
                    let gone = blank && self.chance(60);
                    self.put(&mut fields, member, gone);
                }
            }
        }
        if self.chance(25) {
            self.put(&mut fields, "nick", false);
            self.put(&mut fields, "company", false);
        }
        fields
    }

    fn put(&mut self, fields: &mut Fields, name: &str, blank: bool) {
        let value = if blank {
            Json::Null
        } else {
            self.text("New").into()
        };
        fields.insert(name.to_owned(), value);
    }

    /// A text that nobody else enters, that is no beginning of another and differs from its own re-cased forms.
    fn text(&mut self, word: &str) -> String {
        self.number += 1;
        let tail = self.one_of(&["house", "yard lane", "gate", "hill upon the Lake", "Brook"]);
        format!("{} {word} {tail}", self.number)
    }

    fn rating(&mut self, system: &str) -> Json {
        let (label, word) = self.one_of(&RATINGS);
        if system == MAP {
            label.into()
        } else {
            word.into()
        }
    }
}
