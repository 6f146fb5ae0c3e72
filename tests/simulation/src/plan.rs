//! What one history is made of, drawn from its seed.

use std::{collections::BTreeMap, fmt};

use baton::engine::Active;
use baton_config::{Settings, SystemTopics};
use baton_core::{
    id::Object,
    name::Name,
    rules::{ConsentRule, ConsentState, FieldRule, MappedField, Rules, Strategy},
    time::{MINUTE, SECOND},
};
use baton_laws::closed_loop::{Act, CRM, Deed, MAP, START, Scenario};
use baton_sandbox::{Actor, Fields};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::funnel::{self, Doing};

/// The field that says whether somebody may be mailed.
pub const CONSENT: &str = "consent";

/// One history, before it is played.
pub struct Plan {
    pub seed: u64,
    /// Rules and habits; the deeds of the first person.
    pub scenario: Scenario,
    /// The deeds of each person.
    pub people: Vec<Vec<Act>>,
    pub workers: usize,
    pub partitions: usize,
    /// Messages of a batch, at most.
    pub batch: usize,
    /// How often something goes wrong at a boundary, in thousandths.
    pub per_mille: u32,
    /// How often, in thousandths of the scheduler's steps, a worker crashes, hangs, or partitions move.
    pub crashes: u32,
    pub hangs: u32,
    pub rebalances: u32,
    /// Whether clocks of workers go wrong by minutes; else they differ by less than a second.
    pub jumps: bool,
    pub recreates: bool,
    pub restores: bool,
    /// What is done in the funnel, if there is one.
    pub funnel: Option<Vec<Doing>>,
}

impl Plan {
    /// Draws a history.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed_0f91);
        let people = [1, 1, 2, 3][rng.random_range(0..4)];
        let (mut scenario, people) = Scenario::with_people(seed, people);
        for habits in [&mut scenario.crm, &mut scenario.map] {
            let contact = habits.schema.entry(Object::Contact).or_default();
            contact.insert(CONSENT.to_owned());
        }
        let mut one_of = |of: &[u32]| of[rng.random_range(0..of.len())];
        let mut plan = Self {
            seed,
            scenario,
            people,
            workers: one_of(&[1, 2, 2, 3]) as usize,
            partitions: one_of(&[1, 2, 3]) as usize,
            batch: one_of(&[1, 3, 10, 50]) as usize,
            per_mille: one_of(&[0, 5, 20, 60]),
            crashes: one_of(&[0, 2, 6, 20]),
            hangs: one_of(&[0, 0, 4, 12]),
            rebalances: one_of(&[0, 2, 10]),
            jumps: one_of(&[0, 0, 0, 1]) == 1,
            recreates: one_of(&[0, 0, 0, 0, 0, 1]) == 1,
            restores: one_of(&[0, 0, 0, 0, 0, 1]) == 1,
            funnel: None,
        };
        for acts in &mut plan.people {
            say_consent(acts, &mut rng);
        }
        plan
    }

    /// The same people with a funnel, and some months in it.
    #[must_use]
    pub fn in_a_funnel(mut self) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0x0f07_7e11);
        for habits in [&mut self.scenario.crm, &mut self.scenario.map] {
            let contact = habits.schema.entry(Object::Contact).or_default();
            contact.extend(funnel::FIELDS.map(str::to_owned));
        }
        let people = self.people.iter_mut().enumerate();
        let months = people.flat_map(|(person, acts)| funnel::months(person, acts, &mut rng));
        self.funnel = Some(months.collect());
        self
    }

    /// The same history with nothing going wrong.
    #[must_use]
    pub fn calm(self) -> Self {
        Self {
            per_mille: 0,
            crashes: 0,
            hangs: 0,
            rebalances: 0,
            jumps: false,
            recreates: false,
            restores: false,
            ..self
        }
    }

    /// Whether what Baton wrote can be told from what others did: a store that forgot what it had sent takes its own
    /// writes for somebody else's, and so does a worker whose clock is wrong by minutes. What both systems come to hold
    /// is not judged then.
    #[must_use]
    pub const fn remembers(&self) -> bool {
        !self.restores && !self.jumps
    }

    /// Whether answers are taken in before Baton gives up waiting for them. After that the echo of a write can be taken
    /// for somebody's entry, so golden is not compared with the truth.
    #[must_use]
    pub const fn is_prompt(&self) -> bool {
        // The truth knows nothing of a funnel, whose stages rules go by and whose words are values.
        self.hangs == 0 && self.per_mille == 0 && self.funnel.is_none()
    }

    /// What the engine is run with.
    ///
    /// # Panics
    /// Never: two systems have topics.
    #[must_use]
    pub fn active(&self) -> Active {
        let style = |name| self.scenario.style(name);
        let mut rules = self.scenario.rules.build(&style(CRM), &style(MAP));
        with_consent(&mut rules);
        if self.funnel.is_some() {
            funnel::with_funnel(&mut rules);
        }
        let mut settings = Settings::default();
        for name in [CRM, MAP].map(Name::new) {
            settings.topics.systems.insert(name, SystemTopics::of(name));
        }
        Active::new(rules, settings, BTreeMap::new()).expect("two systems have topics")
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{} people, {} workers, {} partitions, batches of {}; in thousandths: faults {}, crashes {}, hangs {}, \
             rebalances {}; clocks jump {}, a topic is made anew {}, the store is restored {}",
            self.scenario,
            self.people.len(),
            self.workers,
            self.partitions,
            self.batch,
            self.per_mille,
            self.crashes,
            self.hangs,
            self.rebalances,
            self.jumps,
            self.recreates,
            self.restores,
        )
    }
}

/// Some opt out, some opt in again.
fn say_consent(acts: &mut Vec<Act>, rng: &mut ChaCha8Rng) {
    let Some(last) = acts.last().map(|act| act.at) else {
        return;
    };
    let mut at = START.plus(2 * MINUTE).max(acts[0].at);
    for _ in 0..rng.random_range(0..3) {
        at = at.plus(rng.random_range(SECOND..10 * MINUTE)).min(last);
        let system = [CRM, MAP][rng.random_range(0..2)];
        let actor = match rng.random_range(0..3) {
            0 => Actor::Form,
            1 => Actor::human("Anna Arnold"),
            _ => Actor::import("fair"),
        };
        let word = ["opted_out", "opted_in"][rng.random_range(0..2)];
        let fields = Fields::from([(CONSENT.to_owned(), word.into())]);
        let deed = Deed::Edit {
            system,
            actor,
            fields,
        };
        acts.push(Act { at, deed });
    }
    acts.sort_by_key(|act| act.at);
}

/// One channel, by a field of both systems.
fn with_consent(rules: &mut Rules) {
    let field = FieldRule {
        strategy: Strategy::MostRestrictive,
        consent: Some("email".into()),
        ..FieldRule::default()
    };
    rules.person.fields.insert(CONSENT.into(), field);
    let states = [
        ("opted_out", ConsentState::OptedOut),
        ("opted_in", ConsentState::OptedIn),
    ];
    rules.consents.push(ConsentRule {
        channel: "email".into(),
        field: CONSENT.into(),
        address: "email".into(),
        states: states.map(|(word, state)| (word.into(), state)).into(),
    });
    let objects = rules
        .systems
        .values_mut()
        .flat_map(|s| s.objects.values_mut());
    for mapping in objects {
        let mapped = MappedField::plain(Name::new(CONSENT));
        mapping.fields.insert(CONSENT.into(), mapped);
    }
}
