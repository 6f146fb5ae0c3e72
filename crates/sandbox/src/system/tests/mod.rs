mod commands;
mod delivery;
mod records;

use baton_core::{
    change::Precision,
    id::Object,
    time::{Millis, SECOND},
};
use serde_json::{Value, json};

use super::*;
use crate::{
    Answer, Delivery, Events, KnownEmail, Recase, Refusals, fields,
    wire::{Command, CommandKind, ResultOutcome as Outcome, SchemaVersion},
};

const T0: Millis = Millis(1_760_000_000_250);

fn ann() -> Actor {
    Actor::human("Ann Odell")
}

fn start(habits: Habits) -> (System, String) {
    let mut system = System::new("crm", habits, 1);
    let id = system
        .create(
            T0,
            &ann(),
            Object::Contact,
            fields([("email", json!("p@example.com")), ("city", json!("Lyon"))]),
        )
        .unwrap();
    (system, id)
}

fn command(number: u32, kind: CommandKind, id: Option<&str>, values: Fields) -> Command {
    Command {
        schema_version: SchemaVersion::CURRENT,
        command_id: format!("c{number}"),
        kind,
        system: "crm".into(),
        object: Object::Contact,
        id: id.map(str::to_owned),
        entity: "person-1".into(),
        reason: None,
        fields: values,
        golden_version: 1,
        rule_version: "r1".into(),
        sent: "2025-10-09T08:53:20.250Z".into(),
    }
}

fn update(number: u32, id: &str, field: &str, value: &str) -> Command {
    command(
        number,
        CommandKind::Update,
        Some(id),
        fields([(field, json!(value))]),
    )
}

/// Everything that is still to come, split into events and results.
fn drain(system: &mut System) -> (Vec<Value>, Vec<CommandResult>) {
    let (mut events, mut results) = (Vec::new(), Vec::new());
    while let Some(at) = system.next_due() {
        for message in system.due(at) {
            match message.topic {
                TopicKind::Changes => {
                    events.push(serde_json::from_slice(&message.payload).unwrap())
                }
                TopicKind::Results => {
                    results.push(serde_json::from_slice(&message.payload).unwrap())
                }
            }
        }
    }
    (events, results)
}
