//! The world: two systems, the engine, the wires between them, and one clock.

use std::collections::{BTreeMap, VecDeque};

use baton_connectors::{Message, decode};
use baton_core::{
    book::{Book, Incoming, Item, OutBody, OutTopic, ParkedCode, Settled},
    change::{Change, Format},
    id::{Digest, EntityId, Object, Position, RecordKey},
    input::StewardAct,
    name::Name,
    normalise,
    rules::Rules,
    state::{Lock, LockOn, State},
    time::{DAY, Millis},
    value::Value,
    wire::{Command, CommandResult},
};
use baton_sandbox::{Outgoing, System, TopicKind};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    acts::{Act, Deed, show},
    judge::Fault,
    rules::{CRM, MAP},
    scenario::{START, Scenario},
};

/// A history that needs more steps than this never comes to rest.
const MOST_STEPS: usize = 4_000;
/// How long after the last deed timers are followed.
const PATIENCE: i64 = 60 * DAY;

/// One line of the story.
#[derive(Clone, Debug)]
pub struct Line {
    pub at: Millis,
    pub text: String,
}

/// A command as it was sent, and what golden was then.
#[derive(Clone, Debug)]
pub struct Sent {
    pub at: Millis,
    pub command: Command,
    pub golden: BTreeMap<Name, Value>,
}

pub struct World {
    pub rules: Rules,
    pub book: Book,
    pub systems: BTreeMap<&'static str, System>,
    pub ids: BTreeMap<&'static str, String>,
    pub now: Millis,
    pub sent: Vec<Sent>,
    /// Stage facts as they were told: (time, position, stage).
    pub stages: Vec<(Millis, Position, Name)>,
    pub steward: Vec<(Millis, StewardAct)>,
    pub messages: usize,
    /// What stewards were told.
    pub parked: Vec<ParkedCode>,
    pub lines: Vec<Line>,
    acts: VecDeque<Act>,
    /// Commands on their way: (arrives, order) → command.
    on_the_way: BTreeMap<(Millis, usize), Command>,
    offset: u64,
    rng: ChaCha8Rng,
}

impl World {
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        let rules = scenario
            .rules
            .build(&scenario.style(CRM), &scenario.style(MAP));
        let systems = [CRM, MAP]
            .into_iter()
            .map(|name| {
                (
                    name,
                    System::new(
                        name,
                        scenario.habits(name).clone(),
                        scenario.seed ^ name.len() as u64,
                    ),
                )
            })
            .collect();
        Self {
            rules,
            book: Book::default(),
            systems,
            ids: BTreeMap::new(),
            now: START,
            sent: Vec::new(),
            stages: Vec::new(),
            steward: Vec::new(),
            messages: 0,
            parked: Vec::new(),
            lines: Vec::new(),
            acts: scenario.acts.iter().cloned().collect(),
            on_the_way: BTreeMap::new(),
            offset: 0,
            rng: ChaCha8Rng::seed_from_u64(scenario.seed ^ 0x00c0_ffee),
        }
    }

    /// The one person of the history.
    #[must_use]
    pub fn person(&self) -> Option<&State> {
        self.book
            .entities
            .values()
            .map(|e| &e.state)
            .find(|s| s.merged_into.is_none())
    }

    /// Lets everything happen until nothing is left to happen.
    ///
    /// # Errors
    /// If it never comes to rest, or something could not be understood.
    pub fn run(&mut self, scenario: &Scenario) -> Result<(), Box<Fault>> {
        let last_deed = scenario.acts.last().map_or(START, |a| a.at);
        for _ in 0..MOST_STEPS {
            let Some(next) = self.next(last_deed.plus(PATIENCE)) else {
                return Ok(());
            };
            self.now = self.now.max(next);
            self.step(scenario)?;
        }
        Err(Box::new(Fault::NeverRests))
    }

    fn next(&self, patience: Millis) -> Option<Millis> {
        let act = self.acts.front().map(|a| a.at);
        let command = self.on_the_way.keys().next().map(|(at, _)| *at);
        let message = self.systems.values().filter_map(System::next_due).min();
        let wake = self
            .book
            .entities
            .values()
            .filter_map(|e| e.state.wake)
            .filter(|at| *at <= patience)
            .min();
        [act, command, message, wake].into_iter().flatten().min()
    }

    fn step(&mut self, scenario: &Scenario) -> Result<(), Box<Fault>> {
        let now = self.now;
        while self.acts.front().is_some_and(|a| a.at <= now) {
            if let Some(act) = self.acts.pop_front() {
                self.line(format!("{act}"));
                self.carry_out(&act)?;
            }
        }
        while let Some(entry) = self.on_the_way.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let command = entry.remove();
            self.line(format!(
                "{} carries out {}",
                command.system,
                short(&command)
            ));
            if let Some(system) = self.systems.get_mut(command.system.as_str()) {
                system.command(now, &command);
            }
        }
        for name in [CRM, MAP] {
            let messages = self
                .systems
                .get_mut(name)
                .map(|s| s.due(now))
                .unwrap_or_default();
            for message in messages {
                self.hear(name, &message)?;
                self.collect(scenario);
            }
        }
        let due: Vec<EntityId> = self
            .book
            .entities
            .iter()
            .filter(|(_, e)| e.state.wake.is_some_and(|at| at <= now))
            .map(|(id, _)| *id)
            .collect();
        for entity in due {
            self.line("timer".into());
            self.settle(Item::Wake(entity));
        }
        self.collect(scenario);
        Ok(())
    }

    fn carry_out(&mut self, act: &Act) -> Result<(), Box<Fault>> {
        match &act.deed {
            Deed::Create {
                system,
                actor,
                fields,
            } => {
                let sandbox = self
                    .systems
                    .get_mut(system)
                    .ok_or_else(|| Box::new(Fault::World("no such system")))?;
                let made = sandbox.create(act.at, actor, Object::Contact, fields.clone());
                // Baton may have been faster with a create of its own; then there is nothing to do.
                if let Ok(id) = made {
                    self.ids.insert(system, id);
                }
            }
            Deed::Edit {
                system,
                actor,
                fields,
            } => {
                let Some(id) = self.id_in(system) else {
                    return Ok(());
                };
                if let Some(sandbox) = self.systems.get_mut(system) {
                    // Refused: nothing happened.
                    let _ = sandbox.edit(act.at, actor, Object::Contact, &id, fields.clone());
                }
            }
            Deed::Stage(stage) => self.tell_stage(act.at, stage)?,
            Deed::Rule { field, value } => {
                self.act_as_steward(StewardAct::Rule {
                    field: *field,
                    value: value.clone(),
                    by: "Stella".into(),
                });
            }
            Deed::Lock { field, value } => {
                let lock = Lock {
                    on: LockOn::Value(value.clone()),
                    reason: "checked by phone".into(),
                    by: "Stella".into(),
                    at: act.at,
                    expires: None,
                };
                self.act_as_steward(StewardAct::Lock {
                    field: *field,
                    lock,
                });
            }
            Deed::Unlock { field } => self.act_as_steward(StewardAct::Unlock { field: *field }),
        }
        Ok(())
    }

    fn act_as_steward(&mut self, act: StewardAct) {
        let Some(entity) = self.person().map(|p| p.id) else {
            return;
        };
        self.steward.push((self.now, act.clone()));
        self.settle(Item::Steward { entity, act });
    }

    /// The living record of a system.
    #[must_use]
    pub fn id_in(&self, system: &str) -> Option<String> {
        let sandbox = self.systems.get(system)?;
        sandbox
            .records()
            .find(|(_, _, r)| r.is_living())
            .map(|(_, id, _)| id.to_owned())
    }

    fn tell_stage(&mut self, at: Millis, stage: &str) -> Result<(), Box<Fault>> {
        let Some((system, id)) = [CRM, MAP]
            .into_iter()
            .find_map(|s| Some((s, self.id_in(s)?)))
        else {
            return Ok(());
        };
        let payload = serde_json::json!({
            "object": "contact", "id": id, "class": "stage", "stage": stage, "time": at.to_string(),
            "event_id": format!("stage-{}", at.0),
        });
        let changes = self.read(system, payload.to_string().as_bytes())?;
        for change in changes {
            // A stage of somebody who is not known yet tells nothing.
            if self.book.links.contains_key(&change.record) {
                self.stages
                    .push((change.time, change.position, stage.into()));
                self.settle(Item::Change(change));
            }
        }
        Ok(())
    }

    fn read(&mut self, system: &str, payload: &[u8]) -> Result<Vec<Change>, Box<Fault>> {
        let message = Message {
            key: None,
            value: Some(payload),
            object: Some("contact"),
            envelope: None,
        };
        let items = decode(Format::Baton, &message)
            .map_err(|e| Box::new(Fault::Unreadable(format!("{e:?}"))))?;
        let position = self.position(system, 0);
        let mut changes = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let raw = match item {
                baton_connectors::Item::Change(raw) => raw,
                baton_connectors::Item::Refused(e) => {
                    return Err(Box::new(Fault::Unreadable(format!("{e:?}"))));
                }
            };
            let incoming = Incoming {
                system: system.into(),
                format: Format::Baton,
                raw,
                position,
                index: u32::try_from(index).unwrap_or(u32::MAX),
                message: Digest::of(&[payload]),
            };
            let change = normalise::normalise(incoming, &self.rules)
                .map_err(|e| Box::new(Fault::Unreadable(e.to_string())))?;
            changes.push(change);
        }
        Ok(changes)
    }

    fn hear(&mut self, system: &'static str, message: &Outgoing) -> Result<(), Box<Fault>> {
        self.messages += 1;
        match message.topic {
            TopicKind::Changes => {
                for change in self.read(system, &message.payload)? {
                    let text = format!(
                        "Baton hears from {system} ({:?}): {:?} of {} by {:?} {:?}: {}",
                        message.arrival,
                        change.class,
                        change.time,
                        change.cause,
                        change.origin,
                        change
                            .fields
                            .iter()
                            .map(|f| format!("{}={}", f.field, f.value))
                            .collect::<Vec<_>>()
                            .join(" ")
                    );
                    self.line(text);
                    self.settle(Item::Change(change));
                }
            }
            TopicKind::Results => {
                let result: CommandResult = serde_json::from_slice(&message.payload)
                    .map_err(|e| Box::new(Fault::Unreadable(e.to_string())))?;
                let position = self.position(system, 1);
                self.line(format!(
                    "{system} answers {} {:?} stamp {:?}: {}",
                    id_end(&result.command_id),
                    result.outcome,
                    result.stamp,
                    result
                        .record
                        .as_ref()
                        .map_or_else(String::new, |r| show(&r.clone().into_iter().collect())),
                ));
                let (entity, answer) = normalise::answer(&result, &self.rules, position)
                    .map_err(|e| Box::new(Fault::Unreadable(e.to_string())))?;
                let read = normalise::read_back(&result, &self.rules, position).map(Box::new);
                self.settle(Item::Answer {
                    entity,
                    answer,
                    read,
                });
            }
        }
        Ok(())
    }

    fn settle(&mut self, item: Item) -> Settled {
        let before: BTreeMap<Name, Value> = self.golden();
        let settled = self.book.settle(item, &self.rules, self.now);
        let after = self.golden();
        let moved: Vec<String> = after
            .iter()
            .filter(|(name, value)| before.get(name) != Some(value))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !moved.is_empty() {
            self.line(format!("  golden: {}", moved.join(" ")));
        }
        settled
    }

    fn golden(&self) -> BTreeMap<Name, Value> {
        let golden = self.person().map(|p| &p.golden);
        golden
            .into_iter()
            .flat_map(|golden| golden.iter())
            .map(|(name, g)| (*name, g.value.clone()))
            .collect()
    }

    /// Sends what the engine decided to send.
    fn collect(&mut self, scenario: &Scenario) {
        let out = std::mem::take(&mut self.book.out);
        assert!(
            out.violations.is_empty(),
            "the engine's own checks found a law broken: {:?}",
            out.violations
        );
        let golden = self.golden();
        for message in out.messages {
            let (OutTopic::Commands(_), OutBody::Command(command)) = (message.topic, message.body)
            else {
                continue;
            };
            self.line(format!("  Baton sends {}", short(&command)));
            let (least, most) = scenario.command_delay;
            let arrives = self.now.plus(self.rng.random_range(least..=most));
            self.on_the_way
                .insert((arrives, self.sent.len()), command.clone());
            self.sent.push(Sent {
                at: self.now,
                command,
                golden: golden.clone(),
            });
        }
        for parked in out.parked {
            self.parked.push(parked.code);
            self.line(format!(
                "  parked: {} {:?}: {}",
                parked.code.as_str(),
                parked.field,
                parked.why
            ));
        }
    }

    fn position(&mut self, system: &str, topic: u8) -> Position {
        self.offset += 1;
        Position::new(
            self.now,
            topic + if system == CRM { 0 } else { 2 },
            0,
            self.offset,
        )
    }

    fn line(&mut self, text: String) {
        self.lines.push(Line { at: self.now, text });
    }

    /// What Baton makes of one field's observations, for people to read.
    #[must_use]
    pub fn seats(&self, field: Name) -> String {
        self.person()
            .map(|person| seats(person, field, &self.rules))
            .unwrap_or_default()
    }

    /// The history, for people to read.
    #[must_use]
    pub fn story(&self) -> String {
        let mut out = String::new();
        for line in &self.lines {
            let since = line.at.since(START);
            out.push_str(&format!(
                "{:>12.3}s {}\n",
                since as f64 / 1_000.0,
                line.text
            ));
        }
        out
    }

    /// The key of a system's record.
    #[must_use]
    pub fn record_of(&self, system: &str) -> Option<RecordKey> {
        Some(RecordKey::new(system, Object::Contact, self.id_in(system)?))
    }
}

fn short(command: &Command) -> String {
    let why = command
        .reason
        .map_or_else(String::new, |r| format!(" ({})", r.as_str()));
    format!(
        "{:?} {} {}{why}: {}",
        command.kind,
        command.system,
        id_end(&command.command_id),
        show(&command.fields)
    )
}

fn id_end(id: &str) -> &str {
    id.get(id.len().saturating_sub(4)..).unwrap_or(id)
}

/// What Baton makes of one field's observations, and what it is at with each record, for people to read.
#[must_use]
pub fn seats(person: &State, field: Name, rules: &Rules) -> String {
    let mut out = String::new();
    for record in person.links.keys() {
        for seat in baton_core::order::track(person, record, field, rules).seats {
            let by = seat.event.map_or("own write".to_owned(), |e| {
                format!(
                    "{:?} {:?} read {} may match {:?}",
                    e.cause, e.origin, e.read_back, e.may_match
                )
            });
            out.push_str(&format!(
                "  {} {field} {} {:?} arrived {:.3}s {:?} {} meant {:?} ({by})\n",
                record.system,
                seat.rho.time,
                seat.rho.place,
                seat.rho.position.arrival.since(START) as f64 / 1_000.0,
                seat.role,
                seat.value,
                seat.meant.map(ToString::to_string),
            ));
        }
        let Some(delivery) = person.deliveries.get(record) else {
            continue;
        };
        for intent in &delivery.intents {
            if let Some(written) = intent.fields.get(&field) {
                out.push_str(&format!(
                    "  {} intent {} {} sent {:.3}s answered {:?} stamp {:?} {:?}\n",
                    record.system,
                    intent.number,
                    written.value,
                    intent.sent.since(START) as f64 / 1_000.0,
                    written.answered.as_ref().map(ToString::to_string),
                    intent.stamp,
                    intent.end,
                ));
            }
        }
        out.push_str(&format!(
            "  {} pending {:?}, outstanding {:?}, again {:?}, to be read {:?}, contested {:?}, held {:?}\n",
            record.system,
            delivery.pending,
            delivery.outstanding,
            delivery.retry,
            delivery.read_wanted,
            delivery.contested,
            delivery.held,
        ));
    }
    out
}
