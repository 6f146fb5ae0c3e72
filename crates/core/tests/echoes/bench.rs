//! One person in two systems, and every word that Baton hears or says about them, told by hand.

use baton_core::{
    book::{Book, Item, OutBody},
    change::{Cause, Change, Class, FieldChange, Origin, Seen, Verdicts},
    id::{Digest, EntityId, Object, Position, RecordKey},
    input::Answer,
    name::Name,
    order::{Role, Track, track},
    rules::*,
    state::{CommandKind, State},
    time::Millis,
    value::Value,
    wire::{Command, ResultOutcome},
};

/// Seconds 0 of all histories here.
pub const START: Millis = Millis(1_800_000_000_000);
pub const MAP: &str = "map";
pub const CRM: &str = "crm";

pub struct Bench {
    pub rules: Rules,
    pub book: Book,
    pub now: Millis,
    /// By how much Baton's clock is ahead of the log's.
    pub ahead: i64,
    log: u64,
}

/// What a system says: at which instant it says that it happened, and how it says so. Times are milliseconds after
/// [`START`].
#[derive(Clone)]
pub struct Says {
    pub system: &'static str,
    /// The record's id; empty for the one that each system has from the start.
    pub id: &'static str,
    pub class: Class,
    pub time: i64,
    pub seq: u64,
    pub origin: Origin,
    pub cause: Cause,
    pub fields: Vec<(&'static str, &'static str)>,
}

/// A whole record of which nobody says who made it so.
pub fn whole(system: &'static str, time: i64, fields: &[(&'static str, &'static str)]) -> Says {
    Says {
        system,
        id: "",
        class: Class::Event,
        time,
        seq: 0,
        origin: Origin::Unsaid,
        cause: Cause::Unknown,
        fields: fields.to_vec(),
    }
}

/// Only what changed.
pub fn delta(system: &'static str, time: i64, fields: &[(&'static str, &'static str)]) -> Says {
    Says {
        class: Class::Delta,
        ..whole(system, time, fields)
    }
}

/// The answer to a `read` command.
pub fn reading(system: &'static str, time: i64, fields: &[(&'static str, &'static str)]) -> Says {
    Says {
        class: Class::ReadBack,
        ..whole(system, time, fields)
    }
}

impl Says {
    pub fn ours(self) -> Self {
        Self {
            origin: Origin::Ours,
            cause: Cause::Api,
            ..self
        }
    }

    pub fn by_somebody(self) -> Self {
        Self {
            origin: Origin::Other,
            cause: Cause::ManualEdit,
            ..self
        }
    }

    pub fn seq(self, seq: u64) -> Self {
        Self { seq, ..self }
    }
}

impl Bench {
    /// Plain fields, newest value wins; the CRM and the marketing system both have a record of Ada by second 0.
    pub fn new() -> Self {
        let mut bench = Self::empty();
        bench.hears(0, whole(CRM, 0, &[("email", "ada@example.com")]));
        bench.hears(0, whole(MAP, 0, &[("email", "ada@example.com")]));
        bench.commands();
        bench
    }

    /// Nobody yet.
    pub fn empty() -> Self {
        let mut rules = Rules {
            version: "test".into(),
            cause_rank: [0, 1, 2, 3, 4, 5, 6],
            ..Rules::default()
        };
        let fields = ["company", "email", "nick", "title"];
        rules.identity.email = Some("email".into());
        for field in fields {
            let rule = FieldRule {
                clear: ClearPolicy::Propagate,
                ..FieldRule::default()
            };
            rules.person.fields.insert(field.into(), rule);
        }
        if let Some(email) = rules.person.fields.get_mut(&Name::new("email")) {
            email.kind = FieldType::Email;
        }
        for name in [CRM, MAP] {
            let mut mapping = ObjectMapping {
                vendor: "contact".into(),
                admit: true,
                ..ObjectMapping::default()
            };
            for field in fields {
                mapping
                    .fields
                    .insert(field.into(), MappedField::plain(field));
            }
            rules.systems.insert(
                name.into(),
                System {
                    name: name.into(),
                    format: baton_core::change::Format::Baton,
                    origin_tag: None,
                    integration_users: Default::default(),
                    default_cause: Cause::Unknown,
                    causes: Default::default(),
                    actor_causes: Default::default(),
                    actor_default: None,
                    objects: [(Object::Contact, mapping)].into(),
                    vocabularies: Default::default(),
                    acks: true,
                    reads: true,
                    region: None,
                    zone: None,
                    skew: 0,
                    delete: DeletePolicy::Flag,
                },
            );
            rules.source_rank.push(name.into());
        }
        Self {
            rules,
            book: Book::default(),
            now: START,
            ahead: 0,
            log: 0,
        }
    }

    fn clock(&self) -> Millis {
        self.now.plus(self.ahead)
    }

    fn position(&mut self, arrives: i64) -> Position {
        self.now = START.plus(arrives);
        self.log += 1;
        Position {
            arrival: self.now,
            log: self.log,
        }
    }

    /// A statement comes in at `arrives` milliseconds.
    pub fn hears(&mut self, arrives: i64, says: Says) {
        let position = self.position(arrives);
        let mut fields: Vec<FieldChange> = says
            .fields
            .iter()
            .map(|(field, text)| {
                let value = if text.is_empty() {
                    Value::Blank
                } else {
                    Value::text(text)
                };
                let seen = match (&says.class, value.is_blank()) {
                    (_, false) => Seen::Value,
                    (Class::Delta, true) => Seen::Cleared,
                    (Class::Event, true) => Seen::BlankInEvent,
                    (_, true) => Seen::BlankInSnapshot,
                };
                FieldChange {
                    field: (*field).into(),
                    value,
                    seen,
                    before: None,
                }
            })
            .collect();
        fields.sort_by_key(|f| f.field);
        let change = Change {
            record: if says.id.is_empty() {
                record(says.system)
            } else {
                RecordKey::new(says.system, Object::Contact, says.id)
            },
            class: says.class,
            time: START.plus(says.time),
            seq: says.seq,
            position,
            event: Digest::of(&[&self.log.to_le_bytes()]),
            cause: says.cause,
            actor: None,
            origin: says.origin,
            fields,
            verdicts: Verdicts::default(),
        };
        self.book
            .settle(Item::Change(change), &self.rules, self.clock());
    }

    /// What Baton has asked the systems to do since this was last called.
    pub fn commands(&mut self) -> Vec<Command> {
        let out = std::mem::take(&mut self.book.out);
        let commands = out.messages.into_iter().filter_map(|m| match m.body {
            OutBody::Command(command) => Some(command),
            _ => None,
        });
        commands.collect()
    }

    /// The update that Baton sends to a system.
    pub fn update(&mut self, system: &str) -> Command {
        let commands = self.commands();
        let found = commands
            .iter()
            .find(|c| c.system.as_str() == system && c.kind == CommandKind::Update);
        found
            .unwrap_or_else(|| panic!("no update of {system} among {commands:?}"))
            .clone()
    }

    /// A command is answered: it was carried out.
    pub fn answers(&mut self, arrives: i64, command: &Command, stamp: Option<i64>) {
        self.answers_as(arrives, command, ResultOutcome::Ok, stamp);
    }

    /// A create is answered.
    pub fn answers_with_id(
        &mut self,
        arrives: i64,
        command: &Command,
        id: &str,
        stamp: Option<i64>,
    ) {
        let command = Command {
            id: Some(id.to_owned()),
            ..command.clone()
        };
        self.answers(arrives, &command, stamp);
    }

    pub fn answers_as(
        &mut self,
        arrives: i64,
        command: &Command,
        outcome: ResultOutcome,
        stamp: Option<i64>,
    ) {
        let position = self.position(arrives);
        let (_, digest) = command.command_id.split_once('/').expect("entity/digest");
        let answer = Answer {
            command: Digest::parse(digest).expect("a digest"),
            system: command.system,
            object: command.object,
            id: command.id.as_deref().map(Into::into),
            outcome,
            stamp: stamp.map(|s| START.plus(s)),
            record: None,
            refused: Default::default(),
            error: None,
            position,
        };
        let entity = EntityId::parse(&command.entity).expect("an entity");
        let item = Item::Answer {
            entity,
            answer,
            read: None,
        };
        self.book.settle(item, &self.rules, self.clock());
    }

    /// Baton writes a value to a system, because the other system says so: at `sent` it is sent, at `stamp` carried out
    /// and answered at `answered`.
    pub fn writes(
        &mut self,
        to: &'static str,
        field: &'static str,
        value: &'static str,
        (sent, stamp, answered): (i64, Option<i64>, i64),
    ) {
        let command = self.sends(to, field, value, sent);
        self.answers(answered, &command, stamp);
    }

    /// Baton sends a value to a system, because the other system says so.
    pub fn sends(
        &mut self,
        to: &'static str,
        field: &'static str,
        value: &'static str,
        sent: i64,
    ) -> Command {
        let from = if to == MAP { CRM } else { MAP };
        self.commands();
        self.hears(sent, delta(from, sent, &[(field, value)]).by_somebody());
        let command = self.update(to);
        assert_eq!(
            command.fields.get(field),
            Some(&serde_json::Value::from(value)),
            "{command:?}"
        );
        command
    }

    pub fn wakes(&mut self, at: i64) {
        self.now = START.plus(at);
        let entity = self.person().id;
        self.book
            .settle(Item::Wake(entity), &self.rules, self.clock());
    }

    pub fn person(&self) -> &State {
        let mut people = self.book.entities.values();
        let (first, more) = (people.next(), people.next());
        assert!(more.is_none(), "one person became several");
        &first.expect("somebody").state
    }

    pub fn golden(&self, field: &str) -> String {
        self.person().golden_value(field.into()).to_string()
    }

    fn with_track<T>(&self, system: &str, field: &str, read: impl FnOnce(&Track<'_>) -> T) -> T {
        let record = record(system);
        read(&track(self.person(), &record, field.into(), &self.rules))
    }

    /// What a system is believed to hold.
    pub fn believed(&self, system: &str, field: &str) -> String {
        self.with_track(system, field, |t| {
            t.believed().map_or_else(String::new, ToString::to_string)
        })
    }

    /// The values that a system's record claims, oldest first.
    pub fn claims(&self, system: &str, field: &str) -> Vec<String> {
        self.with_track(system, field, |t| {
            let turns = t.seats.iter().filter(|s| s.role == Role::Turn);
            turns.map(|s| s.value.to_string()).collect()
        })
    }
}

pub fn record(system: &str) -> RecordKey {
    RecordKey::new(system, Object::Contact, format!("{system}-1"))
}
