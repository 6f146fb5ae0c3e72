//! What truly happened, as the naive reference wants it: the systems' journals, not what Baton heard or believes.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    canon,
    change::{Cause, Seen},
    id::{Digest, Kind, Object, Position, RecordKey},
    name::Name,
    rules::{Direction, Rules},
    time::Millis,
    value::{Raw, Value},
    wire::Command,
};
use baton_reference::{Case, Fact, Link, Told};
use baton_sandbox::{By, Dialect, Events, JournalEntry, Record, System, What, vocabulary};
use serde_json::Value as Json;

/// One person, account or deal, by the truth.
pub struct Entity {
    pub kind: Kind,
    /// All records it ever had.
    pub records: BTreeSet<RecordKey>,
    pub facts: Vec<Fact>,
    pub links: BTreeMap<RecordKey, Link>,
    pub moved: BTreeMap<RecordKey, RecordKey>,
}

impl Entity {
    /// The case for the reference.
    #[must_use]
    pub fn case<'r>(&self, rules: &'r Rules, as_of: Millis) -> Case<'r> {
        let mut case = Case::new(rules, self.kind, self.facts.clone(), as_of);
        case.links.clone_from(&self.links);
        case.moved.clone_from(&self.moved);
        case
    }
}

/// Everything that happened, by entity.
pub struct Truth<'w> {
    pub rules: &'w Rules,
    pub systems: [&'w System; 2],
    pub sent: &'w BTreeMap<String, Command>,
}

/// Canonical value of what a vendor's field holds, and how it was seen; none for a field that is not mapped.
#[must_use]
pub fn canonical(
    rules: &Rules,
    system: Name,
    object: Object,
    vendor: &str,
    value: &Json,
) -> Option<(Name, Value, Seen)> {
    let of = rules.systems.get(&system)?;
    let mapped = of.objects.get(&object)?.fields.get(vendor)?;
    let plain = baton_core::rules::FieldRule::default();
    let rule = rules
        .entity(object.kind())
        .fields
        .get(&mapped.field)
        .unwrap_or(&plain);
    let (value, seen) = canon::canonicalise(&Raw::from_json(value), rule, mapped, of);
    Some((mapped.field, value, seen))
}

impl Truth<'_> {
    /// All entities, in the order in which their first records appeared.
    #[must_use]
    pub fn entities(&self) -> Vec<Entity> {
        let mut journal: Vec<(usize, &JournalEntry)> = Vec::new();
        for (number, system) in self.systems.iter().enumerate() {
            journal.extend(system.journal().iter().map(|entry| (number, entry)));
        }
        journal.sort_by_key(|(number, entry)| (entry.at, *number, entry.number));
        let mut crowd = Crowd::default();
        for (number, entry) in &journal {
            if let Some(system) = self.systems.get(*number) {
                self.identify(system, entry, &mut crowd);
            }
        }
        let mut entities: BTreeMap<usize, Entity> = BTreeMap::new();
        for (record, place) in &crowd.entity_of {
            let entity = entities.entry(*place).or_insert_with(|| Entity {
                kind: record.object.kind(),
                records: BTreeSet::new(),
                facts: Vec::new(),
                links: BTreeMap::new(),
                moved: BTreeMap::new(),
            });
            entity.records.insert(record.clone());
        }
        for system in self.systems {
            let mut teller = Teller {
                truth: self,
                system,
                name: Name::new(system.name()),
                standing: BTreeMap::new(),
            };
            for entry in system.journal() {
                let record = teller.key(entry);
                let facts = teller.facts(entry);
                if let Some(place) = crowd.entity_of.get(&record)
                    && let Some(entity) = entities.get_mut(place)
                {
                    entity.facts.extend(facts);
                    if let What::Deleted = entry.what {
                        entity.links.insert(record.clone(), Link::Deleted);
                    }
                    if let What::Undeleted = entry.what {
                        entity.links.remove(&record);
                    }
                    if let What::Converted { to } = &entry.what
                        && let Some((_, id)) = to.iter().find(|(o, _)| *o == Object::Contact)
                    {
                        let contact = RecordKey::new(record.system, Object::Contact, id.as_str());
                        entity.moved.insert(record.clone(), contact);
                        entity.links.insert(record.clone(), Link::Converted);
                    }
                    if let What::Merged { losers } = &entry.what {
                        for id in losers {
                            let loser = RecordKey::new(record.system, record.object, id.as_str());
                            entity.links.insert(loser, Link::Merged);
                        }
                    }
                }
            }
        }
        entities.into_values().collect()
    }

    /// Whose record an entry is about: a new record belongs to whoever has its e-mail address then; conversions
    /// and merges tell the rest.
    fn identify(&self, system: &System, entry: &JournalEntry, crowd: &mut Crowd) {
        let name = Name::new(system.name());
        let record = RecordKey::new(name, entry.object, entry.id.as_str());
        match &entry.what {
            What::Created => crowd.appear(record),
            What::Value { field, after, .. } => {
                let email = self.rules.identity.email;
                if let Some((field, value, _)) =
                    canonical(self.rules, name, entry.object, field, after)
                    && Some(field) == email
                {
                    crowd.address(&record, value);
                }
            }
            What::Converted { to } => {
                for (object, id) in to {
                    if object.kind() == Kind::Person {
                        crowd.join(&record, &RecordKey::new(name, *object, id.as_str()));
                    }
                }
            }
            What::Merged { losers } => {
                for id in losers {
                    let loser = RecordKey::new(name, entry.object, id.as_str());
                    crowd.join(&record, &loser);
                }
            }
            What::Deleted | What::Undeleted => {}
        }
    }
}

/// Who is who.
#[derive(Default)]
struct Crowd {
    entity_of: BTreeMap<RecordKey, usize>,
    emails: BTreeMap<RecordKey, Value>,
    by_email: BTreeMap<Value, BTreeSet<RecordKey>>,
    next: usize,
}

impl Crowd {
    fn appear(&mut self, record: RecordKey) {
        self.entity_of.entry(record).or_insert(self.next);
        self.next += 1;
    }

    /// The record has this address now. Only its first one tells whose it is.
    fn address(&mut self, record: &RecordKey, email: Value) {
        let first = !self.emails.contains_key(record);
        if let Some(before) = self.emails.insert(record.clone(), email.clone())
            && let Some(records) = self.by_email.get_mut(&before)
        {
            records.remove(record);
        }
        if email.is_blank() || record.object.kind() != Kind::Person {
            return;
        }
        let same = self.by_email.entry(email).or_default();
        let known: BTreeSet<usize> = same
            .iter()
            .filter_map(|other| self.entity_of.get(other).copied())
            .collect();
        same.insert(record.clone());
        if let (true, Some(entity), 1) = (first, known.first(), known.len()) {
            self.entity_of.insert(record.clone(), *entity);
        }
    }

    fn join(&mut self, winner: &RecordKey, loser: &RecordKey) {
        let (Some(to), Some(from)) = (
            self.entity_of.get(winner).copied(),
            self.entity_of.get(loser).copied(),
        ) else {
            return;
        };
        for entity in self.entity_of.values_mut() {
            if *entity == from {
                *entity = to;
            }
        }
    }
}

/// Turns one system's journal into facts.
struct Teller<'w> {
    truth: &'w Truth<'w>,
    system: &'w System,
    name: Name,
    /// Who last put something there, workflows aside.
    standing: BTreeMap<(RecordKey, Name), By>,
}

impl Teller<'_> {
    fn key(&self, entry: &JournalEntry) -> RecordKey {
        RecordKey::new(self.name, entry.object, entry.id.as_str())
    }

    fn facts(&mut self, entry: &JournalEntry) -> Vec<Fact> {
        match &entry.what {
            What::Created => self.blanks(entry),
            What::Value { field, after, .. } => {
                self.value(entry, field, after).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// What a new record does not say is blank there.
    fn blanks(&self, entry: &JournalEntry) -> Vec<Fact> {
        let rules = self.truth.rules;
        let Some(mapping) = rules.object(self.name, entry.object) else {
            return Vec::new();
        };
        let given: BTreeSet<&str> = self
            .system
            .journal()
            .iter()
            .skip(usize::try_from(entry.number).unwrap_or(usize::MAX) + 1)
            .take_while(|next| next.at == entry.at && next.id == entry.id)
            .filter_map(|next| match &next.what {
                What::Value { field, .. } => Some(field.as_str()),
                _ => None,
            })
            .collect();
        let event = self.event(entry, b"blank");
        mapping
            .fields
            .iter()
            .filter(|(vendor, mapped)| {
                mapped.direction != Direction::Out && !given.contains(vendor.as_str())
            })
            .map(|(vendor, mapped)| {
                let default = self.default_of(entry.object, vendor);
                let mut fact =
                    Fact::new(self.key(entry), mapped.field, default, entry.stamp, event);
                if fact.value.is_blank() {
                    fact.seen = Seen::BlankInSnapshot;
                    fact.told = Told::Snapshot;
                } else {
                    fact.told = Told::Event;
                    fact.cause = self.cause(&entry.by);
                }
                // A default is the vendor's own doing, also where Baton made the record.
                fact.own = fact.value.is_blank() && matches!(entry.by, By::Baton { .. });
                fact.position = Position {
                    arrival: entry.at,
                    log: 0,
                };
                fact
            })
            .collect()
    }

    /// What the vendor shows in a field that nobody ever set.
    fn default_of(&self, object: Object, vendor: &str) -> Value {
        if self.system.habits().dialect != Dialect::Mautic || vendor != "points" {
            return Value::Blank;
        }
        canonical(self.truth.rules, self.name, object, vendor, &Json::from(0))
            .map_or(Value::Blank, |(_, value, _)| value)
    }

    fn value(&mut self, entry: &JournalEntry, vendor: &str, after: &Json) -> Option<Fact> {
        let rules = self.truth.rules;
        let (field, value, seen) = canonical(rules, self.name, entry.object, vendor, after)?;
        let record = self.key(entry);
        let event = self.event(entry, b"act");
        let whole = self.system.habits().events == Events::Whole;
        let mut fact = Fact::new(record.clone(), field, value.clone(), entry.stamp, event);
        fact.told = if whole { Told::Event } else { Told::Delta };
        fact.seen = match (value.is_blank(), seen) {
            (true, Seen::Sentinel) => Seen::Sentinel,
            (true, _) if whole => Seen::BlankInEvent,
            (true, _) => Seen::Cleared,
            (false, seen) => seen,
        };
        fact.seq = if whole { 0 } else { entry.number + 1 };
        fact.position = Position {
            arrival: entry.at,
            log: entry.number + 1,
        };
        fact.cause = self.cause(&entry.by);
        let place = (record, field);
        let behind = match &entry.by {
            By::Workflow => self.standing.get(&place).cloned(),
            by => {
                self.standing.insert(place, by.clone());
                Some(by.clone())
            }
        };
        if let Some(By::Baton { command_id }) = behind {
            fact.own = true;
            fact.seen = Seen::Value;
            fact.renders = self
                .meant(&command_id, vendor)
                .filter(|meant| *meant != value);
        }
        Some(fact)
    }

    /// What Baton wrote there, before the system made its own of it.
    fn meant(&self, command: &str, vendor: &str) -> Option<Value> {
        let command = self.truth.sent.get(command)?;
        let json = command.fields.get(vendor)?;
        let (_, value, _) = canonical(self.truth.rules, self.name, command.object, vendor, json)?;
        Some(value)
    }

    /// One act is one event: its entries share record, instant and author.
    fn event(&self, entry: &JournalEntry, what: &[u8]) -> Digest {
        Digest::of(&[
            what,
            self.name.as_str().as_bytes(),
            entry.object.as_str().as_bytes(),
            entry.id.as_bytes(),
            &entry.at.0.to_le_bytes(),
            format!("{:?}", entry.by).as_bytes(),
        ])
    }

    /// The cause that the configuration gives to whoever acts there.
    fn cause(&self, by: &By) -> Cause {
        let named = match by {
            By::Human { name } => name.as_str(),
            By::Form => vocabulary::FORM_NAME,
            By::Import { .. } => vocabulary::IMPORT_NAME,
            By::Workflow => vocabulary::AUTOMATION_NAME,
            By::Api => vocabulary::API_NAME,
            By::Baton { .. } => vocabulary::INTEGRATION_NAME,
        };
        let Some(system) = self.truth.rules.systems.get(&self.name) else {
            return Cause::Unknown;
        };
        let id = vocabulary::user_id(named).to_lowercase();
        let known = system
            .actor_causes
            .iter()
            .find(|(actor, _)| {
                let actor = actor.to_lowercase();
                // Salesforce ids come with and without their three check characters.
                actor == named.to_lowercase() || actor == id || id.starts_with(actor.as_str())
            })
            .map(|(_, cause)| *cause);
        match (known, by) {
            (Some(cause), _) => cause,
            (None, By::Human { .. }) => system.actor_default.unwrap_or(system.default_cause),
            (None, _) => system.default_cause,
        }
    }
}

/// A record of one of the sandboxes.
#[must_use]
pub fn record<'s>(systems: &[&'s System; 2], key: &RecordKey) -> Option<&'s Record> {
    systems
        .iter()
        .find(|system| system.name() == key.system.as_str())?
        .record(key.object, &key.id)
}
