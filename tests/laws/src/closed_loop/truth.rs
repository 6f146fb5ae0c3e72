//! What truly happened, as the independent reading wants it: the systems' journals, not what Baton heard.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    canon,
    change::{Cause, Precision, Seen},
    id::{Digest, Kind, Object, Position, RecordKey},
    input::StewardAct,
    name::Name,
    rules::MappedField,
    state::LockOn,
    time::{Millis, SECOND},
    value::{Raw, Value},
};
use baton_reference::{Answer, Case, Fact, Lock, StageFact, StewardChoice, Told};
use baton_sandbox::{By, Events, JournalEntry, System, What};
use serde_json::Value as Json;

use super::{
    rest::Rest,
    rules::{CRM, MAP},
    scenario::Scenario,
};

/// The golden record by an independent reading of the truth, and the fields of which the vendors' words cannot tell
/// the truth, so that nobody could judge them right.
pub struct Truth {
    pub golden: BTreeMap<Name, Answer>,
    pub unknowable: BTreeSet<Name>,
    /// Every value that somebody other than Baton brought to a record's field.
    pub entered: BTreeSet<(RecordKey, Name, Value)>,
    /// How often somebody other than Baton changed something, by field.
    pub origins: BTreeMap<Name, usize>,
}

/// Canonical value of a vendor's value.
#[must_use]
pub fn canonical(
    world: &Rest<'_>,
    system: &str,
    vendor: &str,
    value: &Json,
) -> Option<(Name, Value)> {
    let name = Name::new(system);
    let of = world.rules.systems.get(&name)?;
    let mapped: &MappedField = of.objects.get(&Object::Contact)?.fields.get(vendor)?;
    let rule = world.rules.person.fields.get(&mapped.field)?;
    Some((
        mapped.field,
        canon::canonicalise(&Raw::from_json(value), rule, mapped, of).0,
    ))
}

#[must_use]
pub fn truth(world: &Rest<'_>, scenario: &Scenario) -> Truth {
    let mut told = Telling::default();
    for (name, system) in world.systems {
        told.read(world, scenario, name, system);
    }
    let mut case = Case::new(world.rules, Kind::Person, told.facts, world.now);
    case.stages = world
        .stages
        .iter()
        .map(|(time, position, stage)| StageFact {
            time: *time,
            position: *position,
            stage: *stage,
        })
        .collect();
    for (at, act) in world.steward {
        match act {
            StewardAct::Rule { field, value, .. } => {
                case.choices.push(StewardChoice {
                    name: *field,
                    at: *at,
                    values: vec![value.clone()],
                    record: None,
                });
            }
            StewardAct::Lock { field, lock } => {
                if let LockOn::Value(value) = &lock.on {
                    case.locks.insert(*field, Lock::Value(value.clone()));
                }
            }
            StewardAct::Unlock { field } => {
                case.locks.remove(field);
            }
            _ => {}
        }
    }
    let golden = baton_reference::golden(&case);
    let mut unknowable = told.unknowable;
    // What is computed of it is unknowable with it.
    if unknowable.contains(&Name::new("nick")) || unknowable.contains(&Name::new("rating")) {
        unknowable.insert("label".into());
    }
    if super::rules::ADDRESS
        .iter()
        .any(|m| unknowable.contains(&Name::new(m)))
    {
        unknowable.extend(super::rules::ADDRESS.map(Name::new));
        unknowable.insert("region".into());
    }
    Truth {
        golden,
        unknowable,
        entered: told.entered,
        origins: told.origins,
    }
}

#[derive(Default)]
struct Telling {
    facts: Vec<Fact>,
    unknowable: BTreeSet<Name>,
    entered: BTreeSet<(RecordKey, Name, Value)>,
    origins: BTreeMap<Name, usize>,
}

impl Telling {
    fn read(&mut self, world: &Rest<'_>, scenario: &Scenario, name: &str, system: &System) {
        let habits = scenario.habits(name);
        let mut standing: BTreeMap<(String, Name), &JournalEntry> = BTreeMap::new();
        let mut act = 0_u64;
        let mut before: Option<&JournalEntry> = None;
        for entry in system.journal().iter().filter(|e| world.is_of(name, &e.id)) {
            // One act's entries share their instant and their author.
            if before.is_none_or(|b| b.at != entry.at || b.by != entry.by) {
                act = entry.number + 1;
            }
            before = Some(entry);
            let record = RecordKey::new(name, entry.object, entry.id.as_str());
            let event = Digest::of(&[name.as_bytes(), &act.to_le_bytes()]);
            let told = if habits.events == Events::Whole {
                Told::Event
            } else {
                Told::Delta
            };
            let fact = |field: Name, value: Value| {
                let mut fact = Fact::new(record.clone(), field, value, entry.stamp, event);
                fact.told = told;
                fact.position = Position {
                    arrival: entry.at,
                    log: act,
                };
                fact.seq = if habits.sequences { act } else { 0 };
                fact
            };
            match &entry.what {
                What::Created => {
                    // Whole records show their blanks; a group that is told in part is read.
                    for field in world.rules.person.fields.keys() {
                        let mut blank = fact(*field, Value::Blank);
                        blank.told = if told == Told::Event {
                            Told::Event
                        } else {
                            Told::Snapshot
                        };
                        blank.seen = if told == Told::Event {
                            Seen::BlankInEvent
                        } else {
                            Seen::BlankInSnapshot
                        };
                        blank.event =
                            Digest::of(&[b"created", name.as_bytes(), entry.id.as_bytes()]);
                        blank.position = Position {
                            arrival: entry.at,
                            log: 0,
                        };
                        blank.own = matches!(entry.by, By::Baton { .. });
                        if told == Told::Event || blank.own {
                            blank.time = entry.stamp;
                        }
                        self.facts.push(blank);
                    }
                }
                What::Value {
                    field: vendor,
                    after,
                    ..
                } => {
                    let Some((field, value)) = canonical(world, name, vendor, after) else {
                        continue;
                    };
                    let mut fact = fact(field, value.clone());
                    fact.seen = match (value.is_blank(), told) {
                        (false, _) => Seen::Value,
                        (true, Told::Event) => Seen::BlankInEvent,
                        (true, _) => Seen::Cleared,
                    };
                    fact.cause = if habits.names_causes {
                        cause_of(&entry.by)
                    } else {
                        Cause::Unknown
                    };
                    let place = (entry.id.clone(), field);
                    let behind = match &entry.by {
                        By::Workflow => standing.get(&place).map(|s| &s.by),
                        by => Some(by),
                    };
                    if let Some(By::Baton { command_id }) = behind {
                        fact.own = true;
                        fact.seen = Seen::Value;
                        let sent = world
                            .sent
                            .iter()
                            .find(|s| s.command.command_id == *command_id);
                        fact.renders = sent
                            .and_then(|s| s.golden.get(&field))
                            .filter(|meant| **meant != value)
                            .cloned();
                    } else {
                        self.entered.insert((record.clone(), field, value.clone()));
                        *self.origins.entry(field).or_default() += 1;
                    }
                    if !matches!(entry.by, By::Workflow) || !fact.own {
                        standing.insert(place, entry);
                    }
                    self.coincidence(world, name, entry, field, &value, fact.own);
                    self.facts.push(fact);
                }
                _ => {}
            }
        }
        self.murk(world, scenario, name, system);
    }

    /// Somebody entered, about when Baton wrote it there, the very value that Baton wrote: nobody can tell the two
    /// apart where the vendor does not say.
    fn coincidence(
        &mut self,
        world: &Rest<'_>,
        system: &str,
        entry: &JournalEntry,
        field: Name,
        value: &Value,
        own: bool,
    ) {
        if own {
            return;
        }
        let same = world.sent.iter().any(|sent| {
            sent.command.system.as_str() == system
                && sent.golden.get(&field) == Some(value)
                && sent.command.fields.contains_key(field.as_str())
                && entry.at >= sent.at.minus(3 * SECOND)
                && entry.at <= sent.at.plus(world.rules.timing.give_up + 62 * SECOND)
        });
        if same {
            self.unknowable.insert(field);
        }
    }

    /// Within one second and without sequence, whole records do not tell whose act changed what, and three or more
    /// values do not tell their order.
    fn murk(&mut self, world: &Rest<'_>, scenario: &Scenario, name: &str, system: &System) {
        let habits = scenario.habits(name);
        if habits.sequences {
            return;
        }
        let mut moments: BTreeMap<(String, Millis), Vec<&JournalEntry>> = BTreeMap::new();
        for entry in system.journal().iter().filter(|e| world.is_of(name, &e.id)) {
            moments
                .entry((entry.id.clone(), entry.at.floor(world.rules.timing.quantum)))
                .or_default()
                .push(entry);
        }
        for entries in moments.values() {
            let causes: BTreeSet<Cause> = entries.iter().map(|e| cause_of(&e.by)).collect();
            let whole = habits.events == Events::Whole && habits.stamps != Precision::Millis;
            let mut values: BTreeMap<Name, usize> = BTreeMap::new();
            for entry in entries {
                if let What::Value { field, after, .. } = &entry.what
                    && let Some((field, _)) = canonical(world, name, field, after)
                {
                    *values.entry(field).or_default() += 1;
                    if whole && habits.names_causes && causes.len() > 1 {
                        self.unknowable.insert(field);
                    }
                }
            }
            // A reading tells which of two stood last, unless something else was written there before it came.
            let last = entries.last().map_or(world.now, |e| e.at);
            let soon = |field: Name| {
                system.journal().iter().any(|e| {
                    let What::Value { field: vendor, .. } = &e.what else {
                        return false;
                    };
                    let theirs = vendor == field.as_str() && world.is_of(name, &e.id);
                    theirs && e.at > last && e.at <= last.plus(20 * SECOND)
                })
            };
            let mixed = values
                .into_iter()
                .filter(|(field, n)| *n > 2 || *n == 2 && soon(*field));
            self.unknowable.extend(mixed.map(|(field, _)| field));
        }
    }
}

const fn cause_of(by: &By) -> Cause {
    match by {
        By::Human { .. } => Cause::ManualEdit,
        By::Form => Cause::OwnForm,
        By::Import { .. } => Cause::ListImport,
        By::Api | By::Baton { .. } => Cause::Api,
        By::Workflow => Cause::Unknown,
    }
}

/// Both systems.
pub const SYSTEMS: [&str; 2] = [CRM, MAP];
