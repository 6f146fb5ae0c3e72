//! Writes the script: who does what, when.
//!
//! People of scenes whose outcome is told (the worked example, opt-outs, merges, …) are set aside first, so that
//! the crowd's edits do not touch them.

mod crowd;
mod told;

use baton_core::{
    id::Object,
    time::{HOUR, Millis},
};
use rand::{RngExt, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{Act, Address, Person, Property, Scene, Side, Step, WorkedExample, cast};
use crate::Actor;

/// Steps in no particular order, and the worked example among them.
pub fn write(
    rng: &mut ChaCha8Rng,
    start: Millis,
    people: Vec<Person>,
) -> (Vec<Step>, WorkedExample) {
    let mut free: Vec<usize> = (0..people.len()).collect();
    free.shuffle(rng);
    let mut script = Script {
        rng,
        start,
        people,
        free,
        steps: Vec::new(),
    };
    let example = script.worked_example();
    script.opt_outs();
    script.email_changes();
    script.conversions();
    script.merges();
    script.both_sides();
    script.long_titles();
    script.recased_companies();
    script.deletes();
    script.clears();
    // From here on the people who are left do what people do.
    script.sales_edits();
    script.list_import(&example);
    script.forms();
    script.scores();
    script.load();
    (script.steps, example)
}

struct Script<'a> {
    rng: &'a mut ChaCha8Rng,
    start: Millis,
    people: Vec<Person>,
    /// Numbers of people nobody has plans for, shuffled.
    free: Vec<usize>,
    steps: Vec<Step>,
}

impl Script<'_> {
    /// An instant between two hours of the day, counted from its start.
    fn between(&mut self, from: f64, to: f64) -> Millis {
        let hours = self.rng.random_range(from..to);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a day has few milliseconds"
        )]
        let ms = (hours * HOUR as f64) as i64;
        self.start.plus(ms)
    }

    /// Sets somebody aside who is known as wanted.
    fn take(&mut self, wanted: impl Fn(&Person) -> bool) -> Option<Person> {
        let place = self
            .free
            .iter()
            .position(|number| self.people.get(*number).is_some_and(&wanted))?;
        self.people.get(self.free.remove(place)).cloned()
    }

    fn take_many(&mut self, count: usize, wanted: impl Fn(&Person) -> bool) -> Vec<Person> {
        (0..count).map_while(|_| self.take(&wanted)).collect()
    }

    /// Somebody of the crowd, who stays in it.
    fn anybody(&mut self, wanted: impl Fn(&Person) -> bool) -> Option<Person> {
        let first = self.rng.random_range(0..self.free.len().max(1));
        let (before, after) = self.free.split_at(first.min(self.free.len()));
        let mut round = after.iter().chain(before);
        round
            .find_map(|number| self.people.get(*number).filter(|p| wanted(p)))
            .cloned()
    }

    fn salesperson(&mut self) -> &'static str {
        cast::pick(self.rng, &cast::SALES)
    }

    fn marketer(&mut self) -> &'static str {
        cast::pick(self.rng, &cast::MARKETING)
    }

    fn step(&mut self, at: Millis, scene: Scene, actor: Actor, act: Act, say: String) {
        self.steps.push(Step {
            at,
            scene,
            actor,
            act,
            say,
        });
    }

    fn write_values(
        &mut self,
        (at, scene, actor): (Millis, Scene, Actor),
        side: Side,
        person: &Person,
        values: Vec<(Property, Value)>,
        say: String,
    ) {
        let act = Act::Write {
            side,
            emails: person.emails.clone(),
            values,
        };
        self.step(at, scene, actor, act, say);
    }
}

fn in_both(person: &Person) -> bool {
    person.crm.is_some() && person.map
}

fn lead_in_both(person: &Person) -> bool {
    person.crm == Some(Object::Lead) && person.map
}

fn address_values(address: &Address) -> Vec<(Property, Value)> {
    vec![
        (Property::Street, json!(address.street)),
        (Property::City, json!(address.city)),
        (Property::State, json!(address.state)),
        (Property::PostalCode, json!(address.postal_code)),
        (Property::Country, json!(address.country)),
    ]
}

/// Everything a system first knows of a person.
fn entry_values(person: &Person) -> Vec<(Property, Value)> {
    let mut values = vec![
        (Property::FirstName, json!(person.first)),
        (Property::LastName, json!(person.last)),
        (Property::Email, json!(person.email())),
        (Property::Company, json!(person.company)),
        (Property::Title, json!(person.title)),
        (Property::Phone, json!(person.phone)),
    ];
    values.extend(address_values(&person.address));
    values
}
