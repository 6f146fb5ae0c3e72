//! Made-up people and what happens to them.

use baton_core::time::Millis;
use rand::{Rng, RngExt as _};

/// Twenty fields, as Baton names them.
pub const FIELDS: [&str; 20] = [
    "email",
    "first_name",
    "last_name",
    "title",
    "company",
    "street",
    "city",
    "state",
    "postal_code",
    "country",
    "phone",
    "mobile",
    "industry",
    "website",
    "description",
    "lead_source",
    "status",
    "department",
    "owner",
    "score",
];

/// Where a CRM says how far somebody is, and where marketing's points stand: indexes of [`FIELDS`].
const STATUS: usize = 16;
pub const SCORE: usize = 19;

/// What a CRM says of people.
const STATUSES: [&str; 5] = ["open", "contacted", "working", "nurturing", "unqualified"];

/// Points rise to one less than this.
const POINTS: u32 = 140;

/// What values look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Values {
    /// All of them are texts.
    Texts,
    /// As a funnel reads them: points, and what a CRM says.
    Points,
}

/// The source's clock: when it starts, and how far it goes on from one change to the next.
#[derive(Clone, Copy, Debug)]
pub struct Calendar {
    /// Milliseconds since 1970.
    pub start: i64,
    /// Milliseconds.
    pub step: i64,
}

impl Default for Calendar {
    /// Two changes of one person in one second are rare.
    fn default() -> Self {
        Self {
            start: 1_800_000_000_000,
            step: 10,
        }
    }
}

/// How long a message takes to the log, ms.
const DELAY: i64 = 5;

/// Something that happened to one person.
#[derive(Clone, Debug)]
pub struct Touch {
    pub person: usize,
    /// Milliseconds since 1970.
    pub time: i64,
    /// Rises with every touch.
    pub sequence: u64,
    /// What changed: indexes of [`FIELDS`], each once, with the value before.
    pub changed: Vec<(usize, String)>,
    /// The whole record afterwards.
    pub values: Vec<String>,
}

impl Touch {
    /// When the message that tells it comes into the log.
    pub const fn arrival(&self) -> Millis {
        Millis(self.time + DELAY)
    }
}

/// Everybody's present values.
pub struct People {
    /// By person and field: 0 for the value they came with, else one more than the number in the value since.
    values: Vec<[u32; FIELDS.len()]>,
    sequence: u64,
    calendar: Calendar,
    look: Values,
}

impl People {
    pub fn new(count: usize, calendar: Calendar, look: Values) -> Self {
        Self {
            values: vec![[0; FIELDS.len()]; count],
            sequence: 0,
            calendar,
            look,
        }
    }

    /// The first that is heard of a person.
    pub fn introduce(&mut self, person: usize) -> Touch {
        self.told(person, Vec::new())
    }

    /// `count` changes of one to three fields of people chosen uniformly.
    pub fn touch(&mut self, count: usize, rng: &mut impl Rng) -> Vec<Touch> {
        (0..count)
            .map(|_| {
                let person = rng.random_range(0..self.values.len());
                self.touch_one(person, rng)
            })
            .collect()
    }

    /// A change of one to three fields of a person.
    pub fn touch_one(&mut self, person: usize, rng: &mut impl Rng) -> Touch {
        let mut changed: Vec<(usize, String)> = Vec::new();
        for _ in 0..rng.random_range(1..=3) {
            // The e-mail address stays: it is who they are.
            let field = rng.random_range(1..FIELDS.len());
            if changed.iter().any(|(f, _)| *f == field) {
                continue;
            }
            let before = self.text(person, field, self.values[person][field]);
            self.values[person][field] = 1 + rng.random_range(0..1_000_000);
            changed.push((field, before));
        }
        self.told(person, changed)
    }

    fn told(&mut self, person: usize, changed: Vec<(usize, String)>) -> Touch {
        self.sequence += 1;
        let steps = i64::try_from(self.sequence).unwrap_or(i64::MAX);
        let since = steps.saturating_mul(self.calendar.step);
        let values = self.values[person].iter().enumerate();
        Touch {
            person,
            time: self.calendar.start.saturating_add(since),
            sequence: self.sequence,
            changed,
            values: values
                .map(|(field, value)| self.text(person, field, *value))
                .collect(),
        }
    }

    /// Something that a person does: none of its values changes.
    pub fn act(&mut self, person: usize) -> Touch {
        self.told(person, Vec::new())
    }

    fn text(&self, person: usize, field: usize, value: u32) -> String {
        match (self.look, field) {
            (Values::Points, SCORE) => (value % POINTS).to_string(),
            // Every value is one of a few.
            (Values::Points, STATUS) => STATUSES[value as usize % STATUSES.len()].to_owned(),
            _ => text(person, field, value),
        }
    }

    /// Memory that these take themselves, so that it can be left out of the engine's.
    pub fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<[u32; FIELDS.len()]>()
    }
}

fn text(person: usize, field: usize, value: u32) -> String {
    match (value, field) {
        (0, 0) => format!("person{person}@example.com"),
        (0, _) => format!("{} value number {field} of {person}", FIELDS[field]),
        (changed, _) => format!("changed {} to be something", changed - 1),
    }
}
