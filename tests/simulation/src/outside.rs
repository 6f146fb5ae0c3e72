//! The world outside of Baton: two systems, what people do in them, and commands on their way.

use std::collections::{BTreeMap, VecDeque};

use baton::{
    engine::{TopicMap, header},
    kafka::Outgoing,
};
use baton_core::{
    id::{Object, Position, RecordKey},
    input::StewardAct,
    name::Name,
    state::{Lock, LockOn},
    time::Millis,
    wire::Command,
};
use baton_laws::closed_loop::{Act, CRM, Deed, MAP, Scenario, show};
use baton_sandbox::{System, TopicKind};

use crate::{
    chance::{Chance, Mishap},
    funnel::Doing,
    log::{Log, Place},
    plan::Plan,
};

/// The run that all messages belong to, so that the store counts what became of them.
pub const RUN: &str = "simulation";

/// What a steward wants done, by a command line somewhere.
#[derive(Clone, Debug)]
pub struct Errand {
    /// A record of the person that it is about.
    pub record: RecordKey,
    pub act: StewardAct,
}

pub struct Outside {
    pub systems: BTreeMap<&'static str, System>,
    /// Stage facts of each person, as they were told.
    pub stages: Vec<Vec<(Millis, Position, Name)>>,
    pub errands: VecDeque<Errand>,
    /// What happened, for people to read.
    pub lines: Vec<String>,
    /// Messages that the sources published.
    pub published: u64,
    acts: VecDeque<(usize, Act)>,
    doings: VecDeque<Doing>,
    on_the_way: BTreeMap<(Millis, u64), Command>,
    number: u64,
    command_delay: (i64, i64),
    /// Commands that were read, per partition.
    read: BTreeMap<Place, usize>,
    topics: TopicMap,
    /// Whether a target takes a command that comes again for another one.
    repeats: bool,
}

impl Outside {
    #[must_use]
    pub fn new(plan: &Plan, topics: TopicMap, repeats: bool) -> Self {
        let system = |name: &'static str| {
            let habits = plan.scenario.habits(name).clone();
            let seed = plan.seed ^ name.len() as u64;
            (name, System::new(name, habits, seed))
        };
        let people = plan.people.iter().enumerate();
        let mut acts: Vec<(usize, Act)> = people
            .flat_map(|(person, acts)| acts.iter().map(move |act| (person, act.clone())))
            .collect();
        acts.sort_by_key(|(person, act)| (act.at, *person));
        let mut doings: Vec<Doing> = plan.funnel.iter().flatten().cloned().collect();
        doings.sort_by_key(|doing| (doing.at, doing.person));
        Self {
            systems: [CRM, MAP].into_iter().map(system).collect(),
            stages: vec![Vec::new(); plan.people.len()],
            errands: VecDeque::new(),
            lines: Vec::new(),
            published: 0,
            acts: acts.into(),
            doings: doings.into(),
            on_the_way: BTreeMap::new(),
            number: 0,
            command_delay: plan.scenario.command_delay,
            read: BTreeMap::new(),
            topics,
            repeats,
        }
    }

    /// Whether people have done all that they do.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.acts.is_empty() && self.doings.is_empty() && self.errands.is_empty()
    }

    /// When the next thing happens.
    #[must_use]
    pub fn next(&self) -> Option<Millis> {
        let act = self.acts.front().map(|(_, act)| act.at);
        let command = self.on_the_way.keys().next().map(|(at, _)| *at);
        let message = self.systems.values().filter_map(System::next_due).min();
        let doing = self.doings.front().map(|doing| doing.at);
        [act, doing, command, message].into_iter().flatten().min()
    }

    /// Everything that is due happens. `known` tells whether Baton knows a record.
    pub fn happen(
        &mut self,
        now: Millis,
        log: &Log,
        chance: &Chance,
        known: impl Fn(&RecordKey) -> bool,
    ) {
        while self.acts.front().is_some_and(|(_, act)| act.at <= now) {
            if let Some((person, act)) = self.acts.pop_front() {
                self.lines.push(format!("  person {person}: {act}"));
                self.carry_out(now, person, act.deed, log, &known);
            }
        }
        while self.doings.front().is_some_and(|doing| doing.at <= now) {
            if let Some(doing) = self.doings.pop_front() {
                self.lines.push(format!("  {doing:?}"));
                self.tell_of(&doing, log, chance);
            }
        }
        while let Some(entry) = self.on_the_way.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let mut command = entry.remove();
            if self.repeats {
                self.number += 1;
                command.command_id.push_str(&format!("#{}", self.number));
            }
            self.lines.push(format!(
                "  {} carries out {:?} {}: {}",
                command.system,
                command.kind,
                command.command_id,
                show(&command.fields)
            ));
            if let Some(system) = self.systems.get_mut(command.system.as_str()) {
                system.command(now, &command);
            }
        }
        for (name, system) in &mut self.systems {
            let Some(names) = self.topics.names.systems.get(&Name::new(name)) else {
                continue;
            };
            for message in system.due(now) {
                let topic = match message.topic {
                    TopicKind::Changes => &names.changes,
                    TopicKind::Results => &names.results,
                };
                let outgoing = of_source(topic, &message.key, message.payload);
                self.lines.push(format!(
                    "  {topic}: {}",
                    String::from_utf8_lossy(outgoing.payload.as_deref().unwrap_or_default())
                ));
                let times = 1 + u64::from(chance.dice().goes_wrong(Mishap::SourceTwice));
                for _ in 0..times {
                    log.topics().append(&outgoing);
                    self.published += 1;
                }
            }
        }
    }

    fn carry_out(
        &mut self,
        now: Millis,
        person: usize,
        deed: Deed,
        log: &Log,
        known: impl Fn(&RecordKey) -> bool,
    ) {
        let act = match deed {
            Deed::Create {
                system,
                actor,
                fields,
            } => {
                if let Some(sandbox) = self.systems.get_mut(system) {
                    // Baton may have been faster with a create of its own; then there is nothing to do.
                    let _ = sandbox.create(now, &actor, Object::Contact, fields);
                }
                return;
            }
            Deed::Edit {
                system,
                actor,
                fields,
            } => {
                let id = self.record(system, person).map(|record| record.id);
                if let (Some(id), Some(sandbox)) = (id, self.systems.get_mut(system)) {
                    // Refused: nothing happened.
                    let _ = sandbox.edit(now, &actor, Object::Contact, &id, fields);
                }
                return;
            }
            Deed::Stage(stage) => return self.tell_stage(now, person, stage, log, known),
            Deed::Rule { field, value } => StewardAct::Rule {
                field,
                value,
                by: "Stella".into(),
            },
            Deed::Lock { field, value } => StewardAct::Lock {
                field,
                lock: Lock {
                    on: LockOn::Value(value),
                    reason: "checked by phone".into(),
                    by: "Stella".into(),
                    at: now,
                    expires: None,
                },
            },
            Deed::Unlock { field } => StewardAct::Unlock { field },
        };
        let record = [CRM, MAP].iter().find_map(|s| self.record(s, person));
        if let Some(record) = record {
            self.errands.push_back(Errand { record, act });
        }
    }

    fn tell_stage(
        &mut self,
        now: Millis,
        person: usize,
        stage: &'static str,
        log: &Log,
        known: impl Fn(&RecordKey) -> bool,
    ) {
        let record = [CRM, MAP].iter().find_map(|s| self.record(s, person));
        // A stage of somebody who is not known yet tells nothing.
        let Some(record) = record.filter(known) else {
            return;
        };
        let Some(names) = self.topics.names.systems.get(&record.system) else {
            return;
        };
        let payload = serde_json::json!({
            "object": "contact", "id": record.id, "class": "stage", "stage": stage, "time": now.to_string(),
            "event_id": format!("stage-{}-{}", person, now.0),
        });
        let outgoing = of_source(
            &names.changes,
            &record.to_string(),
            payload.to_string().into(),
        );
        let (_, offset) = log.topics().append(&outgoing);
        self.published += 1;
        // Stages of one person at one instant do not occur, so the place decides nothing.
        let position = Position::new(now, 0, 0, offset.unsigned_abs());
        self.stages[person].push((now, position, stage.into()));
    }

    fn tell_of(&mut self, doing: &Doing, log: &Log, chance: &Chance) {
        let Some(record) = self.record(doing.system, doing.person) else {
            return;
        };
        let Some(names) = self.topics.names.systems.get(&record.system) else {
            return;
        };
        let payload = serde_json::json!({
            "object": "contact", "id": record.id, "class": "activity", "kind": doing.kind,
            "fields": { "by": doing.by }, "time": doing.at.minus(doing.late).to_string(),
            "event_id": format!("act-{}-{}", doing.person, doing.at.0),
        });
        let key = record.to_string();
        let outgoing = of_source(&names.changes, &key, payload.to_string().into());
        let times = 1 + u64::from(chance.dice().goes_wrong(Mishap::SourceTwice));
        for _ in 0..times {
            log.topics().append(&outgoing);
            self.published += 1;
        }
    }

    /// The living record of a person in a system.
    #[must_use]
    pub fn record(&self, system: &str, person: usize) -> Option<RecordKey> {
        let email = Scenario::email(person);
        let (_, id, _) = self.systems.get(system)?.records().find(|(_, _, record)| {
            record.is_living() && record.value("email").as_str() == Some(&email)
        })?;
        Some(RecordKey::new(system, Object::Contact, id))
    }

    /// Sends new commands on their way. Those of one record stay in their order unless one comes again.
    pub fn collect(&mut self, now: Millis, log: &Log, chance: &Chance) {
        let (least, most) = self.command_delay;
        for names in self.topics.names.systems.values() {
            let topics = log.topics();
            for place in topics.places(&names.commands) {
                let messages = topics.messages(&place.0, place.1);
                let read = self.read.entry(place).or_default();
                for message in messages.iter().skip(*read) {
                    let payload = message.payload.as_deref().unwrap_or_default();
                    // Invariant: only the relay writes there.
                    let command: Command = serde_json::from_slice(payload).expect("a command");
                    let mut dice = chance.dice();
                    let times = 1 + u32::from(dice.goes_wrong(Mishap::CommandTwice));
                    for time in 0..times {
                        self.number += 1;
                        let mut arrives = now.plus(dice.between(least, most));
                        if time > 0 {
                            arrives = arrives.plus(dice.between(0, 20_000));
                        }
                        self.on_the_way
                            .insert((arrives, self.number), command.clone());
                    }
                }
                *read = messages.len();
            }
        }
    }
}

fn of_source(topic: &str, key: &str, payload: Vec<u8>) -> Outgoing {
    Outgoing {
        topic: topic.to_owned(),
        key: Some(key.as_bytes().to_vec()),
        payload: Some(payload),
        timestamp: None,
        headers: vec![(header::RUN.to_owned(), RUN.as_bytes().to_vec())],
    }
}
