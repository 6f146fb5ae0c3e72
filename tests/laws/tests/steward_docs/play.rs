//! Plays an example: systems that do as they are told, the events in their order, and what the engine made of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use baton_config::{Environment, load_from};
use baton_connectors::{Item as Decoded, Message, decode};
use baton_core::{
    book::{Book, Incoming, Item, OutBody, OutTopic},
    change::Format,
    explain::explain,
    id::{Digest, EntityId, Position},
    input::StewardAct,
    name::Name,
    normalise::{answer, normalise, read_back},
    rules::{ConsentState, Rules},
    state::{CommandKind, Lock, LockOn},
    time::{DAY, HOUR, Millis},
    value::Value,
    wire::{Command, CommandResult, ResultOutcome, SchemaVersion},
};
use serde_json::{Value as Json, json};

use crate::page::{Example, Row, Said};

const SYSTEMS: [&str; 3] = ["crm", "map", "erp"];
/// Both systems know the person by it before the example begins.
const EMAIL: &str = "ada@example.com";

/// What stands around every example: three systems that speak Baton's own form and map every field of the example.
fn whole_configuration(snippet: &str) -> String {
    let mut fields: BTreeSet<String> = ["email".to_owned()].into();
    let mut defined: BTreeSet<String> = BTreeSet::new();
    for line in snippet.lines() {
        if let Some(name) = line
            .strip_prefix("[person.fields.")
            .and_then(|l| l.strip_suffix(']'))
        {
            defined.insert(name.to_owned());
        }
        if let Some(list) = line
            .strip_prefix("fields = [")
            .and_then(|l| l.strip_suffix(']'))
        {
            fields.extend(
                list.split(',')
                    .map(|f| f.trim().trim_matches('"').to_owned()),
            );
        }
    }
    fields.extend(defined.iter().cloned());
    let mut text = String::from(
        "[stages]\norder = [\"new\", \"nurture\", \"mql\", \"sql\", \"won\"]\n\n\
         [ranks]\nsources = [\"crm\", \"map\", \"erp\"]\n\n[identity]\nemail = \"email\"\n\n",
    );
    for system in SYSTEMS {
        if !snippet.contains(&format!("[systems.{system}]")) {
            text.push_str(&format!(
                "[systems.{system}]\nformat = \"baton\"\nregion = \"US\"\n\n"
            ));
        }
        text.push_str(&format!(
            "[systems.{system}.objects.contact]\nvendor = \"contact\"\n\n"
        ));
        for field in &fields {
            let header = format!("[systems.{system}.objects.contact.fields.{field}]");
            if !snippet.contains(&header) {
                text.push_str(&format!("{header}\nfield = \"{field}\"\n\n"));
            }
        }
    }
    for field in fields.difference(&defined) {
        let kind = if field == "email" {
            "type = \"email\"\n"
        } else {
            ""
        };
        text.push_str(&format!("[person.fields.{field}]\n{kind}\n"));
    }
    text.push_str(snippet);
    text
}

/// The example's rules.
///
/// # Errors
/// What `baton check` would say.
pub fn rules_of(example: &Example) -> Result<Rules, String> {
    let text = whole_configuration(&example.toml);
    let files = BTreeMap::from([(PathBuf::from("example.toml"), text.as_str())]);
    let loaded = load_from(&files, &Environment::default());
    // A warning is the business of `baton check`; an error leaves no rules.
    let first = loaded.problems.first();
    let why = first.map(|p| format!("{}: {}", p.code, p.message));
    loaded.rules.ok_or_else(|| why.unwrap_or_default())
}

/// Plays an example and returns where it came out otherwise than the page says.
///
/// # Errors
/// If it cannot be played.
pub fn play(example: &Example) -> Result<Vec<String>, String> {
    let rules = rules_of(example)?;
    let mut stage = Stage::new(&rules);
    stage.introduce(example)?;
    let mut at = 0;
    while let Some(row) = example.events.get(at) {
        let together = example.events[at..]
            .iter()
            .take_while(|r| (r.time, &r.system, &r.cause) == (row.time, &row.system, &row.cause))
            .count();
        stage.happen(&example.events[at..at + together])?;
        at += together;
    }
    stage.rest_until(stage.now.plus(HOUR))?;
    let mut wrong = Vec::new();
    for (on, said) in &example.outcome {
        if let Some(on) = on {
            stage.rest_until(*on)?;
        }
        if let Err(why) = stage.check(said) {
            wrong.push(why);
        }
    }
    Ok(wrong)
}

/// The engine in memory, and systems that take every write as it is and say so.
struct Stage<'a> {
    rules: &'a Rules,
    book: Book,
    now: Millis,
    log: u64,
    person: Option<EntityId>,
    /// What stands in each record, by (system, id).
    records: BTreeMap<(String, String), serde_json::Map<String, Json>>,
    /// What each system was told, by (system, field), the last at the end.
    sent: BTreeMap<(String, String), Vec<String>>,
    asked: BTreeSet<String>,
    parked: BTreeSet<&'static str>,
}

impl<'a> Stage<'a> {
    fn new(rules: &'a Rules) -> Self {
        Self {
            rules,
            book: Book::default(),
            now: Millis(0),
            log: 0,
            person: None,
            records: BTreeMap::new(),
            sent: BTreeMap::new(),
            asked: BTreeSet::new(),
            parked: BTreeSet::new(),
        }
    }

    /// The CRM and the MAP know the person by their e-mail address, and so does whoever acts in the example.
    fn introduce(&mut self, example: &Example) -> Result<(), String> {
        let first = example.events.iter().map(|r| r.time).min();
        let time = first.ok_or("no events")?.minus(DAY);
        let mut records: BTreeSet<&str> = ["crm", "map"].into();
        records.extend(
            example
                .events
                .iter()
                .map(|r| r.system.as_str())
                .filter(|s| *s != "steward"),
        );
        for system in records {
            let row = Row {
                time,
                system: system.to_owned(),
                cause: "unknown".to_owned(),
                field: "email".to_owned(),
                value: EMAIL.to_owned(),
            };
            self.happen(&[row])?;
        }
        Ok(())
    }

    /// One change, made of the rows that share time, system and cause.
    fn happen(&mut self, rows: &[Row]) -> Result<(), String> {
        let row = &rows[0];
        // What happened earlier and arrives later arrives now.
        let arrival = row.time.plus(100).max(self.now.plus(100));
        self.rest_until(arrival)?;
        self.now = arrival;
        if row.system == "steward" {
            return rows.iter().try_for_each(|row| self.act(row));
        }
        let mut words = row.system.split(' ');
        let system = words.next().unwrap_or_default();
        let id = format!("{system}-{}", words.next().unwrap_or("1"));
        let mut change = json!({
            "object": "contact", "id": id, "class": "delta", "time": row.time.to_string(),
            "fields": {}, "before": {}, "cleared": [],
        });
        match row.cause.as_str() {
            "(poll)" => change["class"] = json!("snapshot"),
            "" => {}
            cause => match cause.strip_prefix("whole ") {
                Some(cause) => {
                    change["class"] = json!("event");
                    change["cause"] = json!(cause);
                }
                None => change["cause"] = json!(cause),
            },
        }
        let record = self
            .records
            .entry((system.to_owned(), id.clone()))
            .or_default();
        let mut states_values = true;
        for row in rows {
            match row.field.as_str() {
                "(stage)" => {
                    change["class"] = json!("stage");
                    change["stage"] = json!(row.value);
                    states_values = false;
                }
                "(deleted)" => {
                    change["class"] = json!("delete");
                    states_values = false;
                }
                field => {
                    let (before, value) = match row.value.split_once(" → ") {
                        Some((before, after)) => (Some(before), after),
                        None => (None, row.value.as_str()),
                    };
                    if let Some(before) = before {
                        change["before"][field] = json!(before);
                    }
                    let value = if value == "(cleared)" { "" } else { value };
                    change["fields"][field] = json!(value);
                    record.insert(field.to_owned(), json!(value));
                }
            }
        }
        if states_values {
            let whole = change["class"] != "delta";
            for (field, value) in record.iter() {
                if whole && change["fields"].get(field).is_none() {
                    change["fields"][field] = value.clone();
                }
            }
        } else if let Some(change) = change.as_object_mut() {
            for member in ["fields", "before", "cleared"] {
                change.remove(member);
            }
        }
        self.take(system, &change)
    }

    fn take(&mut self, system: &str, change: &Json) -> Result<(), String> {
        let text = change.to_string();
        let message = Message {
            value: Some(text.as_bytes()),
            ..Message::default()
        };
        let decoded = decode(Format::Baton, &message).map_err(|e| format!("{e:?}: {text}"))?;
        for item in decoded {
            let raw = match item {
                Decoded::Change(raw) => raw,
                Decoded::Refused(error) => return Err(format!("{error:?}: {text}")),
            };
            self.log += 1;
            let incoming = Incoming {
                system: system.into(),
                format: Format::Baton,
                raw,
                position: Position::new(self.now, 0, 0, self.log),
                index: 0,
                message: Digest::of(&[&self.log.to_le_bytes()]),
            };
            let normal = normalise(incoming, self.rules).map_err(|e| format!("{e:?}: {text}"))?;
            self.settle(Item::Change(normal))?;
        }
        Ok(())
    }

    /// A steward's act: the cause says which.
    fn act(&mut self, row: &Row) -> Result<(), String> {
        let entity = self
            .person
            .ok_or("a steward acts before anything is known")?;
        let field = Name::new(&row.field);
        let lock = |on| StewardAct::Lock {
            field,
            lock: Lock {
                on,
                reason: "as agreed".into(),
                by: "steward".into(),
                at: self.now,
                expires: None,
            },
        };
        let act = match row.cause.as_str() {
            "lock value" => lock(LockOn::Value(Value::text(&row.value))),
            "lock source" => lock(LockOn::Source(Name::new(&row.value))),
            "unlock" => StewardAct::Unlock { field },
            "decide" => StewardAct::Rule {
                field,
                value: Value::text(&row.value),
                by: "steward".into(),
            },
            "consent" => StewardAct::Consent {
                channel: field,
                state: ConsentState::ALL
                    .into_iter()
                    .find(|s| s.as_str() == row.value)
                    .ok_or_else(|| format!("no consent state `{}`", row.value))?,
                by: "steward".into(),
                reason: "asked by telephone".into(),
            },
            other => return Err(format!("a steward cannot `{other}`")),
        };
        self.settle(Item::Steward { entity, act })
    }

    /// Settles one item and lets the systems answer what it caused.
    fn settle(&mut self, item: Item) -> Result<(), String> {
        let settled = self.book.settle(item, self.rules, self.now);
        if let Some(entity) = settled.entity {
            if self.person.is_some_and(|known| known != entity) {
                return Err("the example speaks of two people".into());
            }
            self.person = Some(entity);
        }
        for parked in std::mem::take(&mut self.book.out.parked) {
            self.parked.insert(parked.code.as_str());
        }
        for message in std::mem::take(&mut self.book.out.messages) {
            if let (OutTopic::Commands(system), OutBody::Command(command)) =
                (message.topic, message.body)
            {
                self.answer(system.as_str(), &command)?;
            }
        }
        Ok(())
    }

    /// A system takes a command: it holds what it was told, and says so half a second later.
    fn answer(&mut self, system: &str, command: &Command) -> Result<(), String> {
        let id = command
            .id
            .clone()
            .ok_or("nothing is created in these examples")?;
        let record = self
            .records
            .entry((system.to_owned(), id.clone()))
            .or_default();
        match command.kind {
            CommandKind::Update => {
                for (field, value) in &command.fields {
                    record.insert(field.clone(), value.clone());
                    let told = (system.to_owned(), field.clone());
                    self.sent.entry(told).or_default().push(shown(value));
                }
            }
            CommandKind::Read => {
                self.asked.insert(system.to_owned());
            }
            CommandKind::Create | CommandKind::Delete => {}
        }
        let result = CommandResult {
            schema_version: SchemaVersion::CURRENT,
            command_id: command.command_id.clone(),
            system: system.to_owned(),
            object: command.object,
            id: Some(id),
            outcome: ResultOutcome::Ok,
            stamp: Some(self.now.plus(200).to_string()),
            record: Some(record.clone()),
            refused: BTreeMap::new(),
            error: None,
        };
        self.now = self.now.plus(500);
        self.log += 1;
        let position = Position::new(self.now, 0, 0, self.log);
        let (entity, answer) =
            answer(&result, self.rules, position).map_err(|e| format!("{e:?}"))?;
        let read = read_back(&result, self.rules, position).map(Box::new);
        self.settle(Item::Answer {
            entity,
            answer,
            read,
        })
    }

    /// Lets time pass: every timer that is due by then goes off at its time.
    fn rest_until(&mut self, then: Millis) -> Result<(), String> {
        for _ in 0..1_000 {
            let Some(person) = self.person else { break };
            let due = self.book.entities.get(&person).and_then(|e| e.state.wake);
            let Some(due) = due.filter(|due| *due <= then) else {
                break;
            };
            self.now = self.now.max(due);
            self.settle(Item::Wake(person))?;
        }
        self.now = self.now.max(then);
        Ok(())
    }

    fn check(&self, said: &Said) -> Result<(), String> {
        let person = self.person.ok_or("nobody came of it")?;
        let state = &self
            .book
            .entities
            .get(&person)
            .ok_or("the person is gone")?
            .state;
        let account = |field: &str| {
            explain(state, self.rules, Name::new(field), self.now)
                .ok_or_else(|| format!("no field `{field}`"))
        };
        match said {
            Said::Is { field, value, from } => {
                let got = state.golden_value(Name::new(field)).to_string();
                let wanted = value.clone().unwrap_or_default();
                if got != wanted {
                    return Err(format!("`{field}` is `{got}`, not `{wanted}`"));
                }
                let winner = account(field)?.winner.map(|w| w.system.to_string());
                match from {
                    Some(from) if winner.as_ref() != Some(from) => {
                        Err(format!("`{field}` is from {winner:?}, not from `{from}`"))
                    }
                    _ => Ok(()),
                }
            }
            Said::MadeOf { field, value, of } => {
                let got = state.golden_value(Name::new(field)).to_string();
                if got != *value {
                    return Err(format!("`{field}` is `{got}`, not `{value}`"));
                }
                let made: BTreeSet<String> = account(field)?
                    .contributors
                    .iter()
                    .map(|c| c.system.to_string())
                    .collect();
                let wanted: BTreeSet<String> = of.iter().cloned().collect();
                if made == wanted {
                    Ok(())
                } else {
                    Err(format!("`{field}` is made of {made:?}, not of {wanted:?}"))
                }
            }
            Said::Loses {
                field,
                value,
                of,
                why,
            } => {
                let account = account(field)?;
                let value = if value == "(blank)" { "" } else { value };
                let lost = |l: &&baton_core::wire::Loser| {
                    l.claim.system.as_str() == of
                        && l.claim.value.0.to_string() == value
                        && l.reason == *why
                };
                match account.losers.iter().find(lost) {
                    Some(_) => Ok(()),
                    None => Err(format!(
                        "`{value}` of `{of}` does not lose like that: {:?}",
                        account.losers
                    )),
                }
            }
            Said::Sent {
                system,
                field,
                value,
                once,
            } => {
                let value = if value == "(blank)" { "" } else { value };
                let told = self.sent.get(&(system.clone(), field.clone()));
                let last = told.and_then(|told| told.last());
                let times = told.map_or(0, |told| told.iter().filter(|v| *v == value).count());
                if last.is_some_and(|last| last == value) && (!once || times == 1) {
                    Ok(())
                } else {
                    Err(format!(
                        "`{system}` was sent `{field}` = {told:?}, not `{value}`"
                    ))
                }
            }
            Said::SentNothing { system } => {
                let sent: Vec<_> = self.sent.iter().filter(|((s, _), _)| s == system).collect();
                if sent.is_empty() {
                    Ok(())
                } else {
                    Err(format!("`{system}` was sent {sent:?}"))
                }
            }
            Said::Asked { system } => {
                if self.asked.contains(system) {
                    Ok(())
                } else {
                    Err(format!(
                        "`{system}` was not asked; asked were {:?}",
                        self.asked
                    ))
                }
            }
            Said::Parked { code } => {
                if self.parked.contains(code.as_str()) {
                    Ok(())
                } else {
                    Err(format!(
                        "`{code}` is not among what is parked: {:?}",
                        self.parked
                    ))
                }
            }
        }
    }
}

/// A value as a steward reads it.
fn shown(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(";"),
        other => other.to_string(),
    }
}
