//! A day in the life of about a thousand people, in a CRM and a MAP: a seeded script, and how it is played.

mod cast;
mod play;
mod scenes;
#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]
mod tests;

use baton_core::{
    id::Object,
    time::{DAY, Millis},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

pub use cast::{Address, Person};
pub use play::{Played, person, play, vendor_field};

use crate::{Actor, Habits, System};

/// People in the cast when the day begins.
pub const PEOPLE: usize = 1_000;

/// Which of the two systems.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Side {
    Crm,
    Map,
}

/// What a step belongs to; the live account can count by it or leave a crowd of steps out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scene {
    Load,
    SalesEdit,
    /// The salesperson's edit and the later list of the worked example.
    WorkedExample,
    ListImport,
    Form,
    EmailChange,
    Conversion,
    Deal,
    Merge,
    OptOut,
    BothSides,
    LongTitle,
    Recase,
    Delete,
    Clear,
    Score,
}

impl Scene {
    pub const ALL: [Self; 16] = [
        Self::Load,
        Self::SalesEdit,
        Self::WorkedExample,
        Self::ListImport,
        Self::Form,
        Self::EmailChange,
        Self::Conversion,
        Self::Deal,
        Self::Merge,
        Self::OptOut,
        Self::BothSides,
        Self::LongTitle,
        Self::Recase,
        Self::Delete,
        Self::Clear,
        Self::Score,
    ];

    /// A few words for a table or a heading.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Load => "people and companies are there",
            Self::SalesEdit => "salespeople edit",
            Self::WorkedExample => "the worked example",
            Self::ListImport => "a list is imported",
            Self::Form => "forms are filled",
            Self::EmailChange => "an e-mail address changes",
            Self::Conversion => "leads are converted",
            Self::Deal => "deals move",
            Self::Merge => "records are merged",
            Self::OptOut => "people opt out",
            Self::BothSides => "both sides edit one field at once",
            Self::LongTitle => "titles too long for the MAP",
            Self::Recase => "company names that the CRM re-cases",
            Self::Delete => "records are deleted",
            Self::Clear => "values are cleared by hand",
            Self::Score => "scores rise",
        }
    }
}

/// What a person's record holds, in words of neither vendor; [`vendor_field`] has theirs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Property {
    FirstName,
    LastName,
    Email,
    Phone,
    Title,
    Company,
    Street,
    City,
    State,
    PostalCode,
    Country,
    LeadSource,
    /// The MAP's points.
    Score,
    /// Whether e-mail is forbidden.
    NoEmail,
}

/// What happens in one step.
#[derive(Clone, PartialEq, Debug)]
pub enum Act {
    /// A company appears in the CRM.
    Company {
        name: String,
        address: Address,
    },
    /// A person appears in a system, as lead or contact. A contact of the CRM belongs to the company's account.
    Enter {
        side: Side,
        object: Object,
        values: Vec<(Property, Value)>,
    },
    /// Values of a person are written, on whatever record of theirs is alive there.
    Write {
        side: Side,
        emails: Vec<String>,
        values: Vec<(Property, Value)>,
    },
    /// The person's lead becomes a contact, with an account and a deal of that name and amount.
    Convert {
        emails: Vec<String>,
        deal: String,
        amount: u32,
        close: String,
    },
    /// The deal of that name moves.
    Deal {
        name: String,
        stage: &'static str,
    },
    /// Two records of the CRM become one.
    Merge {
        winner: Vec<String>,
        loser: Vec<String>,
    },
    Delete {
        side: Side,
        emails: Vec<String>,
    },
}

/// One thing that happens, at one instant, with a sentence for those who watch.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    pub at: Millis,
    pub scene: Scene,
    pub actor: Actor,
    pub act: Act,
    /// One line, in the present tense.
    pub say: String,
}

/// The edit that a list must not undo: the worked example of the contract.
#[derive(Clone, PartialEq, Debug)]
pub struct WorkedExample {
    pub person: String,
    pub email: String,
    pub salesperson: &'static str,
    pub edited: Millis,
    /// What the salesperson entered in the CRM; it must stand in both systems at the end, whole.
    pub address: Address,
    pub list: &'static str,
    pub imported: Millis,
    /// What the list says.
    pub list_address: Address,
}

/// The script of one day.
#[derive(Clone, PartialEq, Debug)]
pub struct Day {
    seed: u64,
    steps: Vec<Step>,
    example: WorkedExample,
}

impl Day {
    /// The day that ends at `end`; the same seed and end give the same script. Nothing happens in its last
    /// quarter of an hour, so that the last messages are in the log when it ends.
    #[must_use]
    pub fn new(seed: u64, end: Millis) -> Self {
        Self::with_people(seed, end, PEOPLE)
    }

    /// The same with another number of people, at least about 300: fewer leave scenes out.
    #[must_use]
    pub fn with_people(seed: u64, end: Millis, people: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let people = cast::people(&mut rng, people);
        let (mut steps, example) = scenes::write(&mut rng, end.minus(DAY), people);
        steps.sort_by_key(|step| step.at);
        Self {
            seed,
            steps,
            example,
        }
    }

    /// The CRM and the MAP that the day is played in, still empty.
    #[must_use]
    pub fn systems(&self) -> (System, System) {
        let crm = System::new(
            "crm",
            Habits::salesforce(),
            self.seed.wrapping_mul(2).wrapping_add(1),
        );
        let map = System::new(
            "map",
            Habits::mautic(),
            self.seed.wrapping_mul(2).wrapping_add(2),
        );
        (crm, map)
    }

    /// In order of time.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    #[must_use]
    pub const fn worked_example(&self) -> &WorkedExample {
        &self.example
    }
}

impl<'a> IntoIterator for &'a Day {
    type Item = &'a Step;
    type IntoIter = std::slice::Iter<'a, Step>;

    fn into_iter(self) -> Self::IntoIter {
        self.steps.iter()
    }
}
