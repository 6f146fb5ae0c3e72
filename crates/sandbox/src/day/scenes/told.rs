//! The scenes whose outcome is told: each with people of its own.

use baton_core::{
    id::Object,
    time::{HOUR, SECOND},
};
use rand::RngExt;
use serde_json::{Value, json};

use super::{Script, address_values, cast, in_both, lead_in_both};
use crate::{
    Actor,
    day::{Act, Property, Scene, Side, WorkedExample},
};

/// The list of the day.
const LIST: &str = "Autumn fair";

impl Script<'_> {
    /// A salesperson edits a prospect's address in the CRM; seconds to hours later a list brings another one
    /// into the MAP.
    pub fn worked_example(&mut self) -> WorkedExample {
        let person = self
            .take(lead_in_both)
            .unwrap_or_else(|| cast::person(self.rng, super::super::PEOPLE));
        let edited = self.between(8.0, 9.0);
        let later = match self.rng.random_range(0..3) {
            0 => self.rng.random_range(SECOND..10 * SECOND),
            1 => self.rng.random_range(10 * SECOND..600 * SECOND),
            _ => self.rng.random_range(600 * SECOND..3 * HOUR),
        };
        let (address, mut list_address) = (cast::address(self.rng), cast::address(self.rng));
        if list_address == address {
            list_address.street.push_str(", rear");
        }
        let example = WorkedExample {
            person: person.name(),
            email: person.email().to_owned(),
            salesperson: self.salesperson(),
            edited,
            address,
            list: LIST,
            imported: edited.plus(later),
            list_address,
        };
        let say = format!(
            "{} changes the address of {} in the CRM to {}, {}",
            example.salesperson, example.person, example.address.street, example.address.city
        );
        let when = (
            edited,
            Scene::WorkedExample,
            Actor::human(example.salesperson),
        );
        self.write_values(
            when,
            Side::Crm,
            &person,
            address_values(&example.address),
            say,
        );
        let say = format!(
            "the list “{LIST}” says that {} lives in {}, {}",
            example.person, example.list_address.street, example.list_address.city
        );
        let when = (example.imported, Scene::WorkedExample, Actor::import(LIST));
        self.write_values(
            when,
            Side::Map,
            &person,
            address_values(&example.list_address),
            say,
        );
        example
    }

    /// People unsubscribe; for every other one a list says hours later that mail is welcome.
    pub fn opt_outs(&mut self) {
        for (turn, person) in self.take_many(12, in_both).into_iter().enumerate() {
            let at = self.between(3.0, 12.0);
            let say = format!("{} unsubscribes from all mail in the MAP", person.name());
            let no_mail = vec![(Property::NoEmail, json!(true))];
            self.write_values(
                (at, Scene::OptOut, Actor::Form),
                Side::Map,
                &person,
                no_mail,
                say,
            );
            if turn % 2 == 0 {
                let at = self.between(14.0, 18.0);
                let say = format!("an old list brings {} back as subscribed", person.name());
                let mail = vec![(Property::NoEmail, json!(false))];
                self.write_values(
                    (at, Scene::OptOut, Actor::import("Partner list")),
                    Side::Map,
                    &person,
                    mail,
                    say,
                );
            }
        }
    }

    pub fn email_changes(&mut self) {
        for turn in 0..8 {
            let Some(person) = self.take(in_both) else {
                return;
            };
            let new = format!(
                "{}.{}@new-{}.example.com",
                person.first, person.last, person.number
            )
            .to_lowercase();
            let mut person = person;
            person.emails.push(new.clone());
            if let Some(known) = self.people.get_mut(person.number) {
                known.emails.push(new.clone());
            }
            let at = self.between(4.0, 20.0);
            let values = vec![(Property::Email, json!(new))];
            let (side, actor, say) = if turn % 2 == 0 {
                let who = self.salesperson();
                (
                    Side::Crm,
                    Actor::human(who),
                    format!("{who} enters a new e-mail address for {}", person.name()),
                )
            } else {
                let say = format!(
                    "{} enters a new e-mail address in the preference centre",
                    person.name()
                );
                (Side::Map, Actor::Form, say)
            };
            self.write_values((at, Scene::EmailChange, actor), side, &person, values, say);
        }
    }

    /// Leads become contacts with account and deal; some deals move on, are won or lost. An edit of the MAP's
    /// record after the conversion must reach the contact.
    pub fn conversions(&mut self) {
        for (turn, person) in self.take_many(12, lead_in_both).into_iter().enumerate() {
            let (who, at) = (self.salesperson(), self.between(5.0, 14.0));
            let deal = format!("{}, {} seats", person.company, 5 * (turn + 1));
            let deal = format!("{deal} ({})", person.last);
            let amount = 1_000 * self.rng.random_range(2..60);
            let close = at.plus(60 * 24 * HOUR).to_string();
            let close = close.get(..10).unwrap_or_default().to_owned();
            let say = format!(
                "{who} converts the lead {} to a contact and opens the deal “{deal}”",
                person.name()
            );
            let act = Act::Convert {
                emails: person.emails.clone(),
                deal: deal.clone(),
                amount,
                close,
            };
            self.step(at, Scene::Conversion, Actor::human(who), act, say);
            let stage = [
                "Qualification",
                "Proposal/Price Quote",
                "Closed Won",
                "Closed Lost",
            ][turn % 4];
            let moved = at.plus(self.rng.random_range(HOUR..8 * HOUR));
            let say = format!("{who} moves the deal “{deal}” to {stage}");
            self.step(
                moved,
                Scene::Deal,
                Actor::human(who),
                Act::Deal { name: deal, stage },
                say,
            );
            if turn % 3 == 0 {
                let at = at.plus(self.rng.random_range(60 * SECOND..HOUR));
                let say = format!(
                    "{} fills a form with a new phone number after the conversion",
                    person.name()
                );
                let values = vec![(Property::Phone, json!(cast::phone(self.rng)))];
                self.write_values(
                    (at, Scene::Form, Actor::Form),
                    Side::Map,
                    &person,
                    values,
                    say,
                );
            }
        }
    }

    /// The same person was entered twice in the CRM, under two addresses; somebody notices.
    pub fn merges(&mut self) {
        for turn in 0..3 {
            let object = if turn == 0 {
                Object::Lead
            } else {
                Object::Contact
            };
            let Some(winner) = self.take(|p| p.crm == Some(object) && p.map) else {
                return;
            };
            let mut loser = cast::person(self.rng, super::super::PEOPLE + 5_000 + turn);
            loser.first.clone_from(&winner.first);
            loser.last.clone_from(&winner.last);
            loser.company.clone_from(&winner.company);
            let second = format!(
                "{}.{}@second-{}.example.com",
                winner.first, winner.last, winner.number
            );
            loser.emails = vec![second.to_lowercase()];
            let who = self.salesperson();
            let entered = self.between(2.0, 4.0);
            let say = format!(
                "{who} enters {} in the CRM, who is there already",
                loser.name()
            );
            let act = Act::Enter {
                side: Side::Crm,
                object,
                values: super::entry_values(&loser),
            };
            self.step(entered, Scene::Merge, Actor::human(who), act, say);
            let at = self.between(12.0, 20.0);
            let say = format!(
                "{who} merges the two records of {} in the CRM",
                winner.name()
            );
            let act = Act::Merge {
                winner: winner.emails.clone(),
                loser: loser.emails,
            };
            self.step(at, Scene::Merge, Actor::human(who), act, say);
        }
    }

    /// A salesperson and a marketer change one job title within a second.
    pub fn both_sides(&mut self) {
        for person in self.take_many(15, in_both) {
            let at = self.between(6.0, 21.0);
            let (who, other) = (self.salesperson(), self.marketer());
            let apart = self.rng.random_range(0..900);
            let say = format!(
                "{who} changes the job title of {} in the CRM …",
                person.name()
            );
            let here = vec![(Property::Title, json!("Head of Purchasing, North"))];
            self.write_values(
                (at, Scene::BothSides, Actor::human(who)),
                Side::Crm,
                &person,
                here,
                say,
            );
            let say = format!("… and {other} the same one in the MAP, {apart} ms later");
            let there = vec![(Property::Title, json!("Head of Purchasing, South"))];
            let when = (at.plus(apart), Scene::BothSides, Actor::human(other));
            self.write_values(when, Side::Map, &person, there, say);
        }
    }

    pub fn long_titles(&mut self) {
        for person in self.take_many(10, in_both) {
            let (who, at) = (self.salesperson(), self.between(3.0, 22.0));
            let title = cast::pick(self.rng, &cast::LONG_TITLES);
            let say = format!(
                "{who} gives {} a job title that the MAP cannot hold",
                person.name()
            );
            let values = vec![(Property::Title, json!(title))];
            self.write_values(
                (at, Scene::LongTitle, Actor::human(who)),
                Side::Crm,
                &person,
                values,
                say,
            );
        }
    }

    /// A form brings a company name in a case of its own; the CRM's workflow will have none of it.
    pub fn recased_companies(&mut self) {
        for person in self.take_many(10, lead_in_both) {
            let at = self.between(3.0, 22.0);
            let name = format!("{} group", person.company.to_uppercase());
            let say = format!("{} writes “{name}” as company into a form", person.name());
            let values = vec![(Property::Company, json!(name))];
            self.write_values(
                (at, Scene::Recase, Actor::Form),
                Side::Map,
                &person,
                values,
                say,
            );
        }
    }

    pub fn deletes(&mut self) {
        for turn in 0..5 {
            let Some(person) = self.take(in_both) else {
                return;
            };
            let at = self.between(10.0, 22.0);
            let (side, who, place) = if turn % 3 == 2 {
                (Side::Map, self.marketer(), "MAP")
            } else {
                (Side::Crm, self.salesperson(), "CRM")
            };
            let say = format!("{who} deletes {} in the {place}", person.name());
            let act = Act::Delete {
                side,
                emails: person.emails.clone(),
            };
            self.step(at, Scene::Delete, Actor::human(who), act, say);
        }
    }

    pub fn clears(&mut self) {
        for person in self.take_many(8, in_both) {
            let (who, at) = (self.salesperson(), self.between(3.0, 22.0));
            let say = format!(
                "{who} clears the phone number of {}: it is nobody's",
                person.name()
            );
            let values = vec![(Property::Phone, Value::Null)];
            self.write_values(
                (at, Scene::Clear, Actor::human(who)),
                Side::Crm,
                &person,
                values,
                say,
            );
        }
    }
}
