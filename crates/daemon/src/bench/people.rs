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

/// Milliseconds between two changes at the source, so that two of one person in one second are rare.
const STEP: u64 = 10;

/// When the source's clock starts.
const START: i64 = 1_800_000_000_000;

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
    values: Vec<Vec<String>>,
    sequence: u64,
}

impl People {
    pub fn new(count: usize) -> Self {
        let person = |p: usize| {
            FIELDS
                .iter()
                .enumerate()
                .map(|(i, field)| match i {
                    0 => format!("person{p}@example.com"),
                    _ => format!("{field} value number {i} of {p}"),
                })
                .collect()
        };
        Self {
            values: (0..count).map(person).collect(),
            sequence: 0,
        }
    }

    /// The first that is heard of a person.
    pub fn introduce(&mut self, person: usize) -> Touch {
        self.touch_one(person, Vec::new())
    }

    /// `count` changes of one to three fields of people chosen uniformly.
    pub fn touch(&mut self, count: usize, rng: &mut impl Rng) -> Vec<Touch> {
        (0..count)
            .map(|_| {
                let person = rng.random_range(0..self.values.len());
                let mut changed: Vec<(usize, String)> = Vec::new();
                for _ in 0..rng.random_range(1..=3) {
                    // The e-mail address stays: it is who they are.
                    let field = rng.random_range(1..FIELDS.len());
                    if changed.iter().any(|(f, _)| *f == field) {
                        continue;
                    }
                    let value =
                        format!("changed {} to be something", rng.random_range(0..1_000_000));
                    let before = std::mem::replace(&mut self.values[person][field], value);
                    changed.push((field, before));
                }
                self.touch_one(person, changed)
            })
            .collect()
    }

    fn touch_one(&mut self, person: usize, changed: Vec<(usize, String)>) -> Touch {
        self.sequence += 1;
        Touch {
            person,
            time: START + i64::try_from(self.sequence * STEP).unwrap_or(i64::MAX / 2),
            sequence: self.sequence,
            changed,
            values: self.values[person].clone(),
        }
    }

    /// Memory that these take themselves, so that it can be left out of the engine's.
    pub fn bytes(&self) -> usize {
        self.values
            .iter()
            .map(|v| {
                v.capacity() * size_of::<String>() + v.iter().map(String::capacity).sum::<usize>()
            })
            .sum()
    }
}
