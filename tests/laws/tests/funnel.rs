//! The funnel, wired: changes of two systems in, stages, deeds and commands out, by the shipped configuration.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{collections::BTreeMap, path::PathBuf, sync::LazyLock};

use baton_config::load;
use baton_core::{
    book::{Book, Item, OutBody, OutTopic},
    change::{Cause, Change, Class, FieldChange, Origin, Outcome, Seen, Verdicts},
    id::{Digest, EntityId, Object, Position, RecordKey},
    input::Answer,
    lifecycle::fact::{Act, Actor},
    name::Name,
    rules::Rules,
    state::State,
    time::{DAY, HOUR, Millis},
    value::Value,
    wire::ResultOutcome,
};
use rust_decimal::Decimal;

static SHIPPED: LazyLock<Rules> = LazyLock::new(|| {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    load(&root.join("config")).unwrap().rules.unwrap()
});

/// Monday, nine in the morning in New York.
const MONDAY: &str = "2026-11-02T14:00:00Z";

fn start() -> Millis {
    Millis::parse(MONDAY).unwrap()
}

/// Both systems and what Baton knows. They do what they are told at once.
#[derive(Default)]
struct World {
    book: Book,
    now: Millis,
    changes: u32,
    commands: usize,
    /// What the systems hold because they were told.
    told: BTreeMap<(Name, String), serde_json::Value>,
    records: u32,
}

impl World {
    fn new() -> Self {
        Self {
            now: start(),
            ..Self::default()
        }
    }

    fn change(
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
    fn says(&mut self, record: &RecordKey, fields: &[(&str, Value)]) -> Outcome {
        let change = self.change(record, Class::Delta, self.now, fields);
        self.take(Item::Change(change))
    }

    /// Somebody does something.
    fn does(&mut self, record: &RecordKey, kind: &str, actor: Actor, time: Millis) -> Outcome {
        let act = Act {
            kind: kind.into(),
            actor,
            category: "conversations".into(),
            content: None,
            campaign: None,
        };
        let change = self.change(record, Class::Act(Box::new(act)), time, &[]);
        self.take(Item::Change(change))
    }

    fn take(&mut self, item: Item) -> Outcome {
        let settled = self.book.settle(item, &SHIPPED, self.now);
        self.answer();
        settled.outcome
    }

    /// Every command is carried out, and answered with what was written.
    fn answer(&mut self) {
        while let Some(message) = self.book.out.messages.get(self.commands).cloned() {
            self.commands += 1;
            let (OutTopic::Commands(system), OutBody::Command(command)) =
                (message.topic, message.body)
            else {
                continue;
            };
            let id = command.id.clone().unwrap_or_else(|| {
                self.records += 1;
                format!("{}-{}", system, self.records).into()
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
            self.book.settle(
                Item::Answer {
                    entity,
                    answer,
                    read: None,
                },
                &SHIPPED,
                self.now,
            );
        }
    }

    /// Time passes, and every timer goes off when it is due.
    fn until(&mut self, then: Millis) {
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

    fn pass(&mut self, span: i64) {
        self.until(self.now.plus(span));
    }

    fn who(&self, record: &RecordKey) -> EntityId {
        self.book.links[record]
    }

    fn state(&self, record: &RecordKey) -> &State {
        &self.book.entities[&self.who(record)].state
    }

    fn stage(&self, record: &RecordKey) -> &'static str {
        let funnel = self.state(record).funnel.as_ref().unwrap();
        funnel.present().stage.as_str()
    }

    fn golden(&self, record: &RecordKey, field: &str) -> Value {
        self.state(record).golden_value(field.into()).clone()
    }
}

fn lead() -> RecordKey {
    RecordKey::new("map", Object::Contact, "7")
}

fn text(text: &str) -> Value {
    Value::text(text)
}

fn points(points: i64) -> Value {
    Value::Number(Decimal::from(points))
}

/// Somebody whom marketing knows, with so many points.
fn known(score: i64) -> World {
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

#[test]
fn whoever_has_no_points_is_nurtured_and_whoever_has_enough_crosses_the_line() {
    let mut world = known(40);
    assert_eq!(world.stage(&lead()), "nurture");
    world.pass(DAY);
    world.says(&lead(), &[("lead_score", points(120))]);
    assert_eq!(world.stage(&lead()), "mql");
    assert_eq!(world.golden(&lead(), "status"), text("open"));
    assert!(!world.golden(&lead(), "sales_handoff").is_blank());
    assert_eq!(
        world.told.get(&("crm".into(), "Status".into())),
        Some(&"Open - Not Contacted".into()),
        "{:?}",
        world.book.out.parked,
    );
}

#[test]
fn whoever_stalls_goes_back_to_nurture_once_and_both_systems_are_told() {
    let mut world = known(120);
    assert_eq!(world.stage(&lead()), "mql");
    let contact = world
        .state(&lead())
        .links
        .keys()
        .find(|record| record.system == "crm".into())
        .cloned()
        .unwrap();
    world.pass(HOUR);
    world.says(&contact, &[("status", text("working"))]);
    assert_eq!(world.stage(&lead()), "sdr_review");
    assert_eq!(world.golden(&lead(), "status"), text("working"));
    world.pass(20 * DAY);
    assert_eq!(world.stage(&lead()), "recycled");
    assert_eq!(world.golden(&lead(), "status"), text("nurturing"));
    assert_eq!(
        world.golden(&lead(), "nurture_track"),
        text("Nurture: wake up")
    );
    assert_eq!(world.golden(&lead(), "owner"), text("Marketing Nurture"));
    let told = |system: &str, field: &str| world.told.get(&(system.into(), field.into()));
    assert_eq!(told("crm", "Status"), Some(&"Nurturing".into()));
    assert_eq!(
        told("map", "nurture_track"),
        Some(&"Nurture: wake up".into())
    );
}
