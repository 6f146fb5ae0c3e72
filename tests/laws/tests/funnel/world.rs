//! Two systems that do what they are told, and what Baton knows of them.

use std::{collections::BTreeMap, path::PathBuf, sync::LazyLock};

use baton_config::load;
use baton_core::{
    book::{Book, Item, OutBody, OutTopic},
    change::{Cause, Change, Class, FieldChange, Origin, Outcome, Seen, Verdicts},
    id::{Digest, EntityId, Object, Position, RecordKey},
    input::Answer,
    lifecycle::fact::{Act, Actor, Fact, What},
    name::Name,
    rules::Rules,
    state::State,
    time::Millis,
    value::Value,
    wire::ResultOutcome,
};
use rust_decimal::Decimal;

pub static SHIPPED: LazyLock<Rules> = LazyLock::new(|| {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    load(&root.join("config")).unwrap().rules.unwrap()
});

/// Monday, nine in the morning in New York.
const MONDAY: &str = "2026-11-02T14:00:00Z";

pub fn start() -> Millis {
    Millis::parse(MONDAY).unwrap()
}

/// Both systems and what Baton knows. They do what they are told at once.
#[derive(Default)]
pub struct World {
    pub book: Book,
    pub now: Millis,
    changes: u32,
    commands: usize,
    /// What the systems hold because they were told.
    pub told: BTreeMap<(Name, String), serde_json::Value>,
    records: u32,
    /// Other rules than the shipped ones.
    rules: Option<Rules>,
}

impl World {
    pub fn new() -> Self {
        Self {
            now: start(),
            ..Self::default()
        }
    }

    pub fn with(rules: Rules) -> Self {
        Self {
            rules: Some(rules),
            ..Self::new()
        }
    }

    pub fn rules(&self) -> &Rules {
        self.rules.as_ref().unwrap_or(&SHIPPED)
    }

    pub fn change(
        &mut self,
        record: &RecordKey,
        class: Class,
        time: Millis,
        fields: &[(&str, Value)],
    ) -> Change {
        self.changes += 1;
        Change {
            record: record.clone(),
            class,
            time,
            seq: 0,
            position: Position::new(self.now, 0, 0, u64::from(self.changes)),
            event: Digest::of(&[b"event", &self.changes.to_be_bytes()]),
            cause: Cause::ManualEdit,
            actor: None,
            origin: Origin::Other,
            fields: fields
                .iter()
                .map(|(field, value)| FieldChange {
                    field: Name::new(field),
                    value: value.clone(),
                    seen: if value.is_blank() {
                        Seen::Cleared
                    } else {
                        Seen::Value
                    },
                    before: None,
                })
                .collect(),
            verdicts: Verdicts::default(),
        }
    }

    /// Somebody says something at a record, now.
    pub fn says(&mut self, record: &RecordKey, fields: &[(&str, Value)]) -> Outcome {
        let change = self.change(record, Class::Delta, self.now, fields);
        self.take(Item::Change(change))
    }

    /// Somebody does something.
    pub fn does(&mut self, record: &RecordKey, kind: &str, actor: Actor, time: Millis) -> Outcome {
        let change = self.change(record, Self::act(kind, actor), time, &[]);
        self.take(Item::Change(change))
    }

    pub fn act(kind: &str, actor: Actor) -> Class {
        Class::Act(Box::new(Act {
            kind: kind.into(),
            actor,
            category: "conversations".into(),
            content: None,
            campaign: None,
        }))
    }

    /// The CRM makes a contact of a lead.
    pub fn converts(&mut self, lead: &RecordKey, contact: &str) -> Outcome {
        let to = vec![(Object::Contact, contact.into())];
        let change = self.change(lead, Class::Convert { to }, self.now, &[]);
        self.take(Item::Change(change))
    }

    /// Sales gives somebody back by hand.
    pub fn returns(&mut self, entity: EntityId, reason: &str) -> Outcome {
        self.changes += 1;
        let fact = Fact {
            event: Digest::of(&[b"returned", &self.changes.to_be_bytes()]),
            time: self.now,
            seq: 0,
            position: Position::new(self.now, 2, 0, u64::from(self.changes)),
            effective: None,
            what: What::Returned {
                reason: Some(Name::new(reason)),
            },
        };
        let (fact, by) = (Box::new(fact), None);
        self.take(Item::Heard { entity, fact, by })
    }

    pub fn take(&mut self, item: Item) -> Outcome {
        let rules = self.rules.as_ref().unwrap_or(&SHIPPED);
        let settled = self.book.settle(item, rules, self.now);
        self.answer();
        settled.outcome
    }

    /// Every command is carried out, and answered with what was written.
    pub fn answer(&mut self) {
        while let Some(message) = self.book.out.messages.get(self.commands).cloned() {
            self.commands += 1;
            let (OutTopic::Commands(system), OutBody::Command(command)) =
                (message.topic, message.body)
            else {
                continue;
            };
            let id = command.id.clone().unwrap_or_else(|| {
                self.records += 1;
                format!("{system}-{}", self.records)
            });
            for (field, value) in &command.fields {
                self.told.insert((system, field.to_string()), value.clone());
            }
            let answer = Answer {
                command: Digest::parse(command.command_id.rsplit('/').next().unwrap()).unwrap(),
                system,
                object: command.object,
                id: Some(id.into()),
                outcome: ResultOutcome::Ok,
                stamp: Some(self.now),
                record: None,
                refused: BTreeMap::new(),
                error: None,
                position: Position::new(self.now, 1, 0, self.commands as u64),
            };
            let entity = EntityId::parse(&command.entity).unwrap();
            let rules = self.rules.as_ref().unwrap_or(&SHIPPED);
            self.book.settle(
                Item::Answer {
                    entity,
                    answer,
                    read: None,
                },
                rules,
                self.now,
            );
        }
    }

    /// Time passes, and every timer goes off when it is due.
    pub fn until(&mut self, then: Millis) {
        loop {
            let entities = self.book.entities.iter();
            let due = entities
                .filter_map(|(id, entry)| Some((entry.state.wake?, *id)))
                .filter(|(at, _)| *at <= then)
                .min();
            let Some((at, entity)) = due else { break };
            self.now = self.now.max(at);
            self.take(Item::Wake(entity));
        }
        self.now = then;
    }

    pub fn pass(&mut self, span: i64) {
        self.until(self.now.plus(span));
    }

    pub fn who(&self, record: &RecordKey) -> EntityId {
        self.book.links[record]
    }

    pub fn state(&self, record: &RecordKey) -> &State {
        &self.book.entities[&self.who(record)].state
    }

    pub fn stage(&self, record: &RecordKey) -> &'static str {
        let funnel = self.state(record).funnel.as_ref().unwrap();
        funnel.present().stage.as_str()
    }

    pub fn golden(&self, record: &RecordKey, field: &str) -> Value {
        self.state(record).golden_value(field.into()).clone()
    }
}

pub fn lead() -> RecordKey {
    RecordKey::new("map", Object::Contact, "7")
}

pub fn text(text: &str) -> Value {
    Value::text(text)
}

pub fn points(points: i64) -> Value {
    Value::Number(Decimal::from(points))
}

/// Somebody whom marketing knows, with so many points.
pub fn known(score: i64) -> World {
    let mut world = World::new();
    world.says(
        &lead(),
        &[
            ("email", text("ada@example.com")),
            ("first_name", text("Ada")),
            ("last_name", text("Lovelace")),
            ("company", text("Analytical")),
            ("lead_score", points(score)),
        ],
    );
    // Groups rest before they are written.
    world.pass(5_000);
    world
}
