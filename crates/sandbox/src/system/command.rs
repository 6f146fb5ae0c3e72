//! How a system takes Baton's commands, and what it answers.

use std::collections::BTreeMap;

use baton_core::time::Millis;

use super::{Arrival, Outgoing, Refused, System, TopicKind};
use crate::{
    Answer, By, Fields, KnownEmail, Refusals, emit, text,
    wire::{Command, CommandKind, CommandResult, ResultOutcome as Outcome, SchemaVersion},
};

/// What came of a command, before the system decides how much of it to tell.
struct Done {
    id: Option<String>,
    outcome: Outcome,
    refused: BTreeMap<String, String>,
    error: Option<String>,
}

impl Done {
    fn ok(id: String) -> Self {
        Self {
            id: Some(id),
            outcome: Outcome::Ok,
            refused: BTreeMap::new(),
            error: None,
        }
    }

    fn refused(id: Option<String>, refused: &Refused) -> Self {
        let (outcome, fields) = match refused {
            Refused::NotFound { .. } => (Outcome::NotFound, BTreeMap::new()),
            Refused::Fields(fields) => (Outcome::Refused, fields.clone()),
            Refused::Converted { .. } | Refused::Duplicate { .. } => {
                (Outcome::Refused, BTreeMap::new())
            }
        };
        Self {
            id,
            outcome,
            refused: fields,
            error: Some(refused.to_string()),
        }
    }
}

impl System {
    /// Carries a command out as it arrives at `at`; its answer and its events become due later. A command that
    /// comes again (same id) is not carried out again: it is answered as before, or again not at all.
    pub fn command(&mut self, at: Millis, command: &Command) {
        self.tick(at);
        if let Some(earlier) = self.answered.get(&command.command_id).cloned() {
            if let Some(result) = earlier {
                self.answer(&result);
            }
            return;
        }
        let writes = command.kind != CommandKind::Read;
        // All chances are drawn whatever comes of them, so that one habit does not shift the draws of another.
        let fails = self.chance(self.habits.fails_per_mille);
        let refuses = self.chance(self.habits.refuses_record_per_mille) && writes;
        let unknown = self.chance(self.habits.unknown_per_mille) && writes;
        let lost = self.chance(self.habits.loses_answer_per_mille);
        let done = if fails {
            let error = Some("UNABLE_TO_LOCK_ROW: the record is in use; try again".to_owned());
            Done {
                id: command.id.clone(),
                outcome: Outcome::Failed,
                refused: BTreeMap::new(),
                error,
            }
        } else if refuses {
            let error =
                Some("FIELD_CUSTOM_VALIDATION_EXCEPTION: the record was refused".to_owned());
            Done {
                id: command.id.clone(),
                outcome: Outcome::Refused,
                refused: BTreeMap::new(),
                error,
            }
        } else {
            self.carry_out(command)
        };
        let result = if unknown && done.outcome == Outcome::Ok {
            CommandResult {
                outcome: Outcome::Unknown,
                id: command.id.clone(),
                stamp: None,
                record: None,
                error: Some("TIMEOUT: no answer came in time".to_owned()),
                ..self.told(command, done)
            }
        } else {
            self.told(command, done)
        };
        let silent = lost || self.habits.answer == Answer::Nothing;
        if !silent {
            self.answer(&result);
        }
        self.answered
            .insert(command.command_id.clone(), (!silent).then_some(result));
    }

    fn carry_out(&mut self, command: &Command) -> Done {
        let by = By::Baton {
            command_id: command.command_id.clone(),
        };
        let object = command.object;
        match (command.kind, command.id.as_deref()) {
            (CommandKind::Create, _) => self.carry_out_create(command, &by),
            (_, None) => Done {
                id: None,
                outcome: Outcome::NotFound,
                refused: BTreeMap::new(),
                error: Some("NOT_FOUND: the command names no record".to_owned()),
            },
            (CommandKind::Read, Some(id)) => match self.record(object, id) {
                Some(record) if record.is_living() => Done::ok(id.to_owned()),
                _ => {
                    let id = id.to_owned();
                    Done::refused(Some(id.clone()), &Refused::NotFound { object, id })
                }
            },
            (CommandKind::Delete, Some(id)) => match self.remove(&by, object, id) {
                Ok(()) => Done::ok(id.to_owned()),
                Err(refused) => Done::refused(Some(id.to_owned()), &refused),
            },
            (CommandKind::Update, Some(id)) => match self.writable(object, id) {
                Ok(()) => self.carry_out_update(command, &by, id.to_owned()),
                Err(refused) => Done::refused(Some(id.to_owned()), &refused),
            },
        }
    }

    fn carry_out_create(&mut self, command: &Command, by: &By) -> Done {
        let object = command.object;
        let (values, refused) = self.pass(command, true);
        let Some(values) = values else {
            return Done::refused(None, &Refused::Fields(refused));
        };
        match (self.duplicate_of(object, &values), self.habits.known_email) {
            (None, _) | (_, KnownEmail::Allowed) => {
                let id = self.insert(by, object, values);
                Done {
                    refused,
                    ..Done::ok(id)
                }
            }
            (Some(id), KnownEmail::Updates) => self.carry_out_update(command, by, id),
            (Some(id), KnownEmail::Refused) => {
                Done::refused(None, &Refused::Duplicate { object, id })
            }
            (Some(id), KnownEmail::RefusedWithId) => {
                Done::refused(Some(id.clone()), &Refused::Duplicate { object, id })
            }
        }
    }

    fn carry_out_update(&mut self, command: &Command, by: &By, id: String) -> Done {
        let (values, refused) = self.pass(command, false);
        match values {
            Some(values) => {
                self.write(by, command.object, &id, values);
                Done {
                    refused,
                    ..Done::ok(id)
                }
            }
            None => Done::refused(Some(id), &Refused::Fields(refused)),
        }
    }

    /// The values that are carried out, if any, and the fields refused.
    fn pass(&self, command: &Command, create: bool) -> (Option<Fields>, BTreeMap<String, String>) {
        let refused = self.refused_fields(command.object, &command.fields, create);
        let missing = refused
            .keys()
            .any(|field| !command.fields.contains_key(field));
        let whole = self.habits.refusals == Refusals::Whole || missing;
        if !refused.is_empty() && whole {
            return (None, refused);
        }
        let mut values = command.fields.clone();
        values.retain(|name, _| !refused.contains_key(name));
        let none_left = values.is_empty() && !refused.is_empty();
        ((!none_left).then_some(values), refused)
    }

    /// As much of it as the system tells.
    fn told(&self, command: &Command, done: Done) -> CommandResult {
        let record = done
            .id
            .as_deref()
            .and_then(|id| self.record(command.object, id));
        let ok = done.outcome == Outcome::Ok;
        let read = command.kind == CommandKind::Read;
        let shows_stamp =
            ok && (read || matches!(self.habits.answer, Answer::Record | Answer::Stamp));
        let shows_record = ok && (read || self.habits.answer == Answer::Record);
        let precision = self.habits.stamps;
        CommandResult {
            schema_version: SchemaVersion::CURRENT,
            command_id: command.command_id.clone(),
            system: self.name.clone(),
            object: command.object,
            outcome: done.outcome,
            stamp: record
                .filter(|_| shows_stamp)
                .map(|r| text::rfc3339(text::stamp(r.modified, precision), precision)),
            record: record.filter(|r| shows_record && r.is_living()).map(|r| {
                emit::whole(&self.habits, command.object, r)
                    .into_iter()
                    .collect()
            }),
            refused: done.refused,
            error: done.error,
            id: done.id,
        }
    }

    fn answer(&mut self, result: &CommandResult) {
        // Plain strings, numbers and JSON values under string keys always serialise.
        let Ok(payload) = serde_json::to_vec(result) else {
            return;
        };
        let key = result.id.as_ref().map_or_else(
            || result.command_id.clone(),
            |id| format!("{}:{id}", result.object),
        );
        let at = self.now.plus(self.draw(self.habits.answer_delay));
        self.schedule(Outgoing {
            at,
            topic: TopicKind::Results,
            key,
            object: result.object,
            payload,
            arrival: Arrival::Usual,
        });
    }
}
