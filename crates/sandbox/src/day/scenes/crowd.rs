//! What the crowd does: is there, is called, is imported, fills forms, reads mail.

use baton_core::{id::Object, time::Millis};
use rand::RngExt;
use serde_json::json;

use super::{Script, address_values, cast, entry_values, in_both};
use crate::{
    Actor,
    day::{Act, Person, Property, Scene, Side, WorkedExample},
};

impl Script<'_> {
    /// Companies and people appear in the first hour. Some entries leave out what the other system knows.
    pub fn load(&mut self) {
        for name in cast::companies() {
            let at = self.between(0.0, 0.3);
            let address = cast::address(self.rng);
            let say = format!("{name} is in the CRM");
            self.step(
                at,
                Scene::Load,
                Actor::Api,
                Act::Company { name, address },
                say,
            );
        }
        for person in self.people.clone() {
            if let Some(object) = person.crm {
                self.enter(&person, Side::Crm, object);
            }
            if person.map {
                self.enter(&person, Side::Map, Object::Contact);
            }
        }
    }

    fn enter(&mut self, person: &Person, side: Side, object: Object) {
        let mut values = entry_values(person);
        let forgets = self.rng.random_range(0..100);
        values.retain(|(property, _)| match property {
            Property::Phone => forgets >= 8,
            Property::Title => !(5..12).contains(&forgets),
            _ => true,
        });
        if side == Side::Crm {
            let source = cast::pick(
                self.rng,
                &["Web", "Phone Inquiry", "Partner Referral", "Other"],
            );
            values.push((Property::LeadSource, json!(source)));
        }
        let at = self.between(0.3, 1.0);
        let place = if side == Side::Crm { "CRM" } else { "MAP" };
        let say = format!("{} is in the {place} as {object}", person.name());
        self.step(
            at,
            Scene::Load,
            Actor::Api,
            Act::Enter {
                side,
                object,
                values,
            },
            say,
        );
    }

    pub fn sales_edits(&mut self) {
        for _ in 0..220 {
            let Some(person) = self.anybody(|p| p.crm.is_some()) else {
                return;
            };
            let (who, at) = (self.salesperson(), self.between(2.0, 20.0));
            let (what, values) = match self.rng.random_range(0..3) {
                0 => ("address", address_values(&cast::address(self.rng))),
                1 => (
                    "phone number",
                    vec![(Property::Phone, json!(cast::phone(self.rng)))],
                ),
                _ => (
                    "job title",
                    vec![(Property::Title, json!(cast::title(self.rng)))],
                ),
            };
            let say = format!("{who} changes the {what} of {} in the CRM", person.name());
            self.write_values(
                (at, Scene::SalesEdit, Actor::human(who)),
                Side::Crm,
                &person,
                values,
                say,
            );
        }
    }

    /// The list of the worked example, with some 160 other rows: some over fresh edits, some that say what the
    /// MAP says already, some of people nobody knew.
    pub fn list_import(&mut self, example: &WorkedExample) {
        let import = Actor::import(example.list);
        let mut at = example.imported;
        for row in 0..160 {
            at = at.plus(self.rng.random_range(50..900));
            let scene = Scene::ListImport;
            if row % 16 == 15 {
                self.newcomer(at, row, import.clone());
                continue;
            }
            let Some(person) = self.anybody(in_both) else {
                return;
            };
            let mut address = cast::address(self.rng);
            if row % 4 == 0 {
                address.clone_from(&person.address);
            }
            if row % 8 == 1 {
                self.edit_before_import(&person, at);
            }
            let mut values = address_values(&address);
            if row % 5 == 0 {
                values.push((Property::Phone, json!(cast::phone(self.rng))));
            }
            let say = format!(
                "the list “{}” writes the address of {} in the MAP",
                example.list,
                person.name()
            );
            self.write_values((at, scene, import.clone()), Side::Map, &person, values, say);
        }
    }

    /// Somebody in sales enters another address seconds to hours before the list comes.
    fn edit_before_import(&mut self, person: &Person, import: Millis) {
        let before = match self.rng.random_range(0..3) {
            0 => self.rng.random_range(1_000..10_000),
            1 => self.rng.random_range(10_000..600_000),
            _ => self.rng.random_range(600_000..10_800_000),
        };
        let (who, address) = (self.salesperson(), cast::address(self.rng));
        let say = format!("{who} changes the address of {} in the CRM", person.name());
        let when = (import.minus(before), Scene::SalesEdit, Actor::human(who));
        self.write_values(when, Side::Crm, person, address_values(&address), say);
    }

    fn newcomer(&mut self, at: Millis, row: usize, actor: Actor) {
        let person = cast::person(self.rng, super::super::PEOPLE + row);
        let scene = if actor == Actor::Form {
            Scene::Form
        } else {
            Scene::ListImport
        };
        let how = if actor == Actor::Form {
            "fills a form"
        } else {
            "is on the list"
        };
        let say = format!("{} {how} and is new to the MAP", person.name());
        let act = Act::Enter {
            side: Side::Map,
            object: Object::Contact,
            values: entry_values(&person),
        };
        self.step(at, scene, actor, act, say);
    }

    pub fn forms(&mut self) {
        for row in 0..25 {
            let at = self.between(1.5, 22.0);
            self.newcomer(at, 1_000 + row, Actor::Form);
        }
        for _ in 0..60 {
            let Some(person) = self.anybody(|p| p.map) else {
                return;
            };
            let at = self.between(1.5, 23.0);
            let values = vec![
                (Property::Phone, json!(cast::phone(self.rng))),
                (Property::Title, json!(cast::title(self.rng))),
            ];
            let say = format!(
                "{} fills a form: new phone number and job title in the MAP",
                person.name()
            );
            self.write_values(
                (at, Scene::Form, Actor::Form),
                Side::Map,
                &person,
                values,
                say,
            );
        }
    }

    /// Points only ever rise; several people's rise more than once.
    pub fn scores(&mut self) {
        for _ in 0..150 {
            let Some(person) = self.anybody(|p| p.map) else {
                return;
            };
            // A person chosen twice has the same thresholds, so a later step never shows fewer points.
            let times = self.rng.random_range(1..4);
            for (time, hour) in (0..times).zip([2.0, 9.0, 16.0]) {
                let at = self.between(hour, hour + 6.0);
                let points = (time + 1) * 15;
                let say = format!(
                    "{} reads a mail and has {points} points in the MAP",
                    person.name()
                );
                let values = vec![(Property::Score, json!(points))];
                self.write_values(
                    (at, Scene::Score, Actor::Workflow),
                    Side::Map,
                    &person,
                    values,
                    say,
                );
            }
        }
    }
}
