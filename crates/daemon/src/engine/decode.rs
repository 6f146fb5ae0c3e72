//! `decode → normalise`: from messages to things that the book can settle, and to dead letters.

use std::time::Instant;

use baton_connectors as connectors;
use baton_core::{
    book::{Incoming, Item},
    change::{Format, Outcome},
    id::{Digest, Position},
    name::Name,
    normalise::{self, Refusal},
    rules::Rules,
    wire,
};
use compact_str::CompactString;

use super::{
    Consumed,
    message::header,
    topics::{Input, Lane, TopicMap},
};
use crate::telemetry::{Metrics, Stage};

/// What could not be understood, with its message kept.
#[derive(Clone, PartialEq, Debug)]
pub struct Dead {
    pub letter: wire::DeadLetter,
    pub id: Digest,
    pub system: Name,
    pub format: Format,
    pub object: Option<CompactString>,
    pub key: Option<Vec<u8>>,
    pub payload: Option<Vec<u8>>,
}

/// One message, ready to settle.
#[derive(Debug)]
pub struct Intake {
    /// Index of the message in its batch.
    pub message: usize,
    pub input: Input,
    pub items: Vec<Item>,
    pub dead: Vec<Dead>,
}

impl Intake {
    /// Whether the message would leave dead letters.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        !self.dead.is_empty()
    }
}

/// What went wrong with a message or one change of it.
struct Trouble {
    code: String,
    place: String,
    what: String,
    fix: String,
}

impl From<connectors::DecodeError> for Trouble {
    fn from(error: connectors::DecodeError) -> Self {
        Self {
            code: error.code.as_str().to_owned(),
            place: error.place.clone(),
            fix: error.code.what_to_do().to_owned(),
            what: error.what.into_owned(),
        }
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self {
            code: refusal.code.to_owned(),
            place: refusal.place.to_string(),
            what: refusal.what,
            fix: refusal.fix,
        }
    }
}

/// Decodes and normalises a batch, message by message.
pub fn decode(
    batch: &[Consumed],
    rules: &Rules,
    topics: &TopicMap,
    largest: u64,
    metrics: &Metrics,
) -> Vec<Intake> {
    let started = Instant::now();
    let mut decoded: Vec<(Intake, Vec<(u32, connectors::Item)>)> = Vec::with_capacity(batch.len());
    for (index, message) in batch.iter().enumerate() {
        let Some(input) = topics.input(&message.topic) else {
            // The consumer asks for input topics only; a reload may have taken a system away meanwhile.
            continue;
        };
        let mut intake = Intake {
            message: index,
            input,
            items: Vec::new(),
            dead: Vec::new(),
        };
        let position = topics.position(message);
        let mut found = Vec::new();
        match input.lane {
            Lane::Results => match answer(message, rules, position, largest) {
                Ok(item) => intake.items.extend(item),
                Err(trouble) => intake.bury(message, rules, 0, trouble),
            },
            Lane::Changes => match open(message, rules, input.system, largest) {
                Ok(items) => found.extend((0_u32..).zip(items)),
                Err(trouble) => intake.bury(message, rules, 0, trouble),
            },
        }
        decoded.push((intake, found));
    }
    metrics.stage(Stage::Decode, started.elapsed());

    let started = Instant::now();
    let intakes = decoded
        .into_iter()
        .map(|(mut intake, found)| {
            // Invariant: `intake.message` is an index into `batch`, taken above.
            if let Some(message) = batch.get(intake.message) {
                let position = topics.position(message);
                intake.normalise(message, rules, position, found);
            }
            intake
        })
        .collect();
    metrics.stage(Stage::Normalise, started.elapsed());
    intakes
}

fn format_of(message: &Consumed, rules: &Rules, system: Name) -> Format {
    message
        .headers
        .text(header::FORMAT)
        .and_then(Format::parse)
        .or_else(|| rules.systems.get(&system).map(|s| s.format))
        .unwrap_or(Format::Baton)
}

fn open(
    message: &Consumed,
    rules: &Rules,
    system: Name,
    largest: u64,
) -> Result<Vec<connectors::Item>, Trouble> {
    within(message, largest)?;
    if let Some(named) = message.headers.text(header::FORMAT)
        && Format::parse(named).is_none()
    {
        return Err(Trouble {
            code: "unknown-format".to_owned(),
            place: format!("header `{}`", header::FORMAT),
            what: "the header names no format that Baton knows".to_owned(),
            fix: "send one of salesforce, hubspot, marketo, mautic, espocrm, debezium, cloudevents, csv, baton, or \
                  no such header"
                .to_owned(),
        });
    }
    let items = connectors::decode(
        format_of(message, rules, system),
        &connectors::Message {
            key: message.key.as_deref(),
            value: message.payload.as_deref(),
            object: message.headers.text(header::OBJECT),
            envelope: envelope(message),
        },
    )?;
    Ok(items)
}

/// What a CloudEvent in binary mode has in its headers.
fn envelope(message: &Consumed) -> Option<connectors::Envelope<'_>> {
    let text = |name: &str| message.headers.text(name);
    text("ce_specversion").map(|_| connectors::Envelope {
        id: text("ce_id"),
        kind: text("ce_type"),
        subject: text("ce_subject"),
        time: text("ce_time"),
    })
}

fn within(message: &Consumed, largest: u64) -> Result<(), Trouble> {
    let length = message.payload.as_ref().map_or(0, Vec::len) as u64;
    if length <= largest {
        return Ok(());
    }
    Err(Trouble {
        code: "too-large".to_owned(),
        place: "the whole message".to_owned(),
        what: format!("the message has {length} bytes; at most {largest} are read"),
        fix: "send fewer changes per message, or raise `daemon.max_message`".to_owned(),
    })
}

/// What is to be said of a message that names a version which this Baton does not know.
fn too_new(payload: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Peek {
        schema_version: u64,
    }
    let peek: Peek = serde_json::from_slice(payload).ok()?;
    wire::SchemaVersion::too_new(peek.schema_version)
}

fn answer(
    message: &Consumed,
    rules: &Rules,
    position: Position,
    largest: u64,
) -> Result<Option<Item>, Trouble> {
    within(message, largest)?;
    let Some(payload) = &message.payload else {
        return Ok(None);
    };
    // First, for a newer form may have other members.
    if let Some(what) = too_new(payload) {
        let code = connectors::Code::NewerVersion;
        return Err(Trouble {
            code: code.as_str().to_owned(),
            place: "member `schema_version`".to_owned(),
            what,
            fix: code.what_to_do().to_owned(),
        });
    }
    let result: wire::CommandResult = serde_json::from_slice(payload).map_err(|error| Trouble {
        code: "malformed-result".to_owned(),
        place: format!("line {}, column {}", error.line(), error.column()),
        // serde's own words may quote a value.
        what: match error.classify() {
            serde_json::error::Category::Data => {
                "a member of the result is missing or of another type"
            }
            _ => "the result is not JSON",
        }
        .to_owned(),
        fix: "answer as schemas/command-result.schema.json says".to_owned(),
    })?;
    let (entity, answer) = normalise::answer(&result, rules, position)?;
    let read = normalise::read_back(&result, rules, position).map(Box::new);
    Ok(Some(Item::Answer {
        entity,
        answer,
        read,
    }))
}

impl Intake {
    fn normalise(
        &mut self,
        message: &Consumed,
        rules: &Rules,
        position: Position,
        found: Vec<(u32, connectors::Item)>,
    ) {
        if found.is_empty() {
            return;
        }
        let format = format_of(message, rules, self.input.system);
        let mut hash = None;
        let mut hashed = || {
            let payload = message.payload.as_deref().unwrap_or_default();
            *hash.get_or_insert_with(|| Digest::of(&[payload]))
        };
        for (index, item) in found {
            let raw = match item {
                connectors::Item::Change(raw) => raw,
                connectors::Item::Refused(error) => {
                    self.bury(message, rules, index, error.into());
                    continue;
                }
            };
            let incoming = Incoming {
                system: self.input.system,
                format,
                // An event with a time has an id of its own.
                message: match raw.time {
                    Some(_) => Digest::default(),
                    None => hashed(),
                },
                raw,
                position,
                index,
            };
            match normalise::normalise(incoming, rules) {
                Ok(change) => self.items.push(Item::Change(change)),
                Err(refusal) => self.bury(message, rules, index, refusal.into()),
            }
        }
    }

    fn bury(&mut self, message: &Consumed, rules: &Rules, index: u32, trouble: Trouble) {
        // The arrival tells a topic created anew from its predecessor.
        let id = Digest::of(&[
            message.topic.as_bytes(),
            &message.partition.to_le_bytes(),
            &message.offset.to_le_bytes(),
            &message.arrival.0.to_le_bytes(),
            &index.to_le_bytes(),
        ]);
        self.dead.push(Dead {
            letter: wire::DeadLetter {
                schema_version: wire::SchemaVersion::CURRENT,
                id: id.to_string(),
                at: message.arrival.to_string(),
                system: self.input.system.to_string(),
                code: trouble.code,
                place: trouble.place,
                what: trouble.what,
                fix: trouble.fix,
                topic: message.topic.to_string(),
                partition: message.partition,
                offset: message.offset,
            },
            id,
            system: self.input.system,
            format: format_of(message, rules, self.input.system),
            object: message.headers.text(header::OBJECT).map(Into::into),
            key: message.key.clone(),
            payload: message.payload.clone(),
        });
    }
}

/// The outcome that every dead letter counts as.
pub const BURIED: Outcome = Outcome::DeadLettered;
