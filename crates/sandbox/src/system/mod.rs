//! One outside system: its records, what is done to them, and the messages that come of it.

mod acts;
mod command;
mod outgoing;
mod refusal;
#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{id::Object, time::Millis};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

pub use acts::{Converted, NewDeal};
pub use outgoing::{Arrival, Outgoing, TopicKind};
pub use refusal::Refused;

use crate::{
    By, Dialect, Fields, Habits, JournalEntry, What, emit::Kind, text, vocabulary,
    wire::CommandResult,
};

/// Who acts in a system, other than Baton.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Actor {
    /// A salesperson or marketer, by hand.
    Human { name: String },
    /// The person the record describes, by a form or preference centre.
    Form,
    /// A list that is being loaded.
    Import { list: String },
    /// The vendor's own automation.
    Workflow,
    /// Another integration.
    Api,
}

impl Actor {
    #[must_use]
    pub fn human(name: &str) -> Self {
        Self::Human {
            name: name.to_owned(),
        }
    }

    #[must_use]
    pub fn import(list: &str) -> Self {
        Self::Import {
            list: list.to_owned(),
        }
    }
}

impl From<&Actor> for By {
    fn from(actor: &Actor) -> Self {
        match actor {
            Actor::Human { name } => Self::Human { name: name.clone() },
            Actor::Form => Self::Form,
            Actor::Import { list } => Self::Import { list: list.clone() },
            Actor::Workflow => Self::Workflow,
            Actor::Api => Self::Api,
        }
    }
}

/// One record as it stands.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// Every field that ever held something; null where it was cleared.
    pub fields: Fields,
    pub created: Millis,
    /// Exactly when it was last changed; the vendor shows it in its own precision.
    pub modified: Millis,
    pub created_by: By,
    pub modified_by: By,
    /// Softly deleted: nobody sees it, but it can be brought back.
    pub deleted: bool,
    /// It lost a merge to this record.
    pub merged_into: Option<String>,
    /// The records that this lead became.
    pub converted_to: Vec<(Object, String)>,
}

impl Record {
    /// Whether people and interfaces still see it.
    #[must_use]
    pub const fn is_living(&self) -> bool {
        !self.deleted && self.merged_into.is_none()
    }

    /// The value of a field; null where there is none.
    #[must_use]
    pub fn value(&self, field: &str) -> &Value {
        self.fields.get(field).unwrap_or(&Value::Null)
    }
}

/// Before and after, by field.
pub(crate) type Changed = BTreeMap<String, (Value, Value)>;

/// A simulated system. Every act takes the instant at which it happens; an instant before one already seen
/// counts as that one, for time does not run backwards inside a system.
#[derive(Clone, Debug)]
pub struct System {
    name: String,
    habits: Habits,
    rng: ChaCha8Rng,
    now: Millis,
    records: BTreeMap<(Object, String), Record>,
    /// Ids by the lower-case value of the field that must be unique; whoever asks looks whether they live.
    by_unique: BTreeMap<(Object, String), BTreeSet<String>>,
    journal: Vec<JournalEntry>,
    outbox: BTreeMap<(Millis, u64), Outgoing>,
    /// Workflow runs to come.
    workflows: BTreeMap<(Millis, u64), (Object, String, String)>,
    /// When the last event of a record that keeps the order reaches the log.
    last_due: BTreeMap<(Object, String), Millis>,
    /// Answers given, by command id; `None` while the answer was lost.
    answered: BTreeMap<String, Option<CommandResult>>,
    next_id: u64,
    sequence: u64,
    transaction: u64,
    scheduled: u64,
}

impl System {
    /// An empty system. Same name, habits, seed and calls: same messages, to the byte.
    #[must_use]
    pub fn new(name: &str, habits: Habits, seed: u64) -> Self {
        Self {
            name: name.to_owned(),
            habits,
            rng: ChaCha8Rng::seed_from_u64(seed),
            now: Millis(i64::MIN / 2),
            records: BTreeMap::new(),
            by_unique: BTreeMap::new(),
            journal: Vec::new(),
            outbox: BTreeMap::new(),
            workflows: BTreeMap::new(),
            last_due: BTreeMap::new(),
            answered: BTreeMap::new(),
            next_id: 0,
            sequence: 0,
            transaction: 0,
            scheduled: 0,
        }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub const fn habits(&self) -> &Habits {
        &self.habits
    }

    /// Changes its habits from now on. The dialect and the unique field must stay what they were: ids and the
    /// index depend on them.
    pub const fn habits_mut(&mut self) -> &mut Habits {
        &mut self.habits
    }

    /// A record, living or not.
    #[must_use]
    pub fn record(&self, object: Object, id: &str) -> Option<&Record> {
        self.records.get(&(object, id.to_owned()))
    }

    /// All records, living or not, by object and id.
    pub fn records(&self) -> impl Iterator<Item = (Object, &str, &Record)> {
        self.records
            .iter()
            .map(|((object, id), record)| (*object, id.as_str(), record))
    }

    /// The truth, in the order in which it happened.
    #[must_use]
    pub fn journal(&self) -> &[JournalEntry] {
        &self.journal
    }

    /// The living record of an object that has this value in a field; the first by id.
    #[must_use]
    pub fn find(&self, object: Object, field: &str, value: &Value) -> Option<&str> {
        if self.habits.unique.as_deref() == Some(field) {
            let ids = self.by_unique.get(&(object, unique_key(value)?))?;
            return ids.iter().map(String::as_str).find(|id| {
                let record = self.record(object, id);
                record.is_some_and(|r| r.is_living() && r.converted_to.is_empty())
            });
        }
        let wanted = unique_key(value)?;
        self.records
            .range((object, String::new())..)
            .take_while(|((o, _), _)| *o == object)
            .filter(|(_, r)| r.is_living() && r.converted_to.is_empty())
            .find(|(_, r)| unique_key(r.value(field)).is_some_and(|key| key == wanted))
            .map(|((_, id), _)| id.as_str())
    }

    /// How a value that somebody writes comes to stand once all workflows have run: label, cut, case.
    #[must_use]
    pub fn rendering(&self, object: Object, field: &str, value: &Value) -> Value {
        let field = self.kept_as(object, field);
        let kept = self.as_kept(&field, value.clone());
        match (kept.as_str(), self.habits.recases.get(&field)) {
            (Some(text), Some(how)) => self.as_kept(&field, text::recase(text, *how).into()),
            _ => kept,
        }
    }

    /// Messages that have reached the log by `at`, in the order in which they did; each is handed out once.
    /// Asking lets no time pass but that of workflows, so that one may look ahead and go on from before.
    pub fn due(&mut self, at: Millis) -> Vec<Outgoing> {
        self.run_workflows(at);
        let later = self.outbox.split_off(&(at.plus(1), 0));
        std::mem::replace(&mut self.outbox, later)
            .into_values()
            .collect()
    }

    /// When the next message reaches the log or the next workflow runs; none when the system is at rest.
    #[must_use]
    pub fn next_due(&self) -> Option<Millis> {
        let message = self.outbox.keys().next().map(|(at, _)| *at);
        let workflow = self.workflows.keys().next().map(|(at, _)| *at);
        message.into_iter().chain(workflow).min()
    }

    /// Lets time pass up to `at`.
    fn tick(&mut self, at: Millis) {
        self.run_workflows(at);
        self.now = self.now.max(at);
    }

    /// Runs the workflows that fall due by `at`, each at its own time.
    fn run_workflows(&mut self, at: Millis) {
        while let Some(entry) = self.workflows.first_entry() {
            let (due, _) = *entry.key();
            if due > at {
                break;
            }
            let (object, id, field) = entry.remove();
            self.now = self.now.max(due);
            self.run_workflow(object, &id, &field);
        }
    }

    fn run_workflow(&mut self, object: Object, id: &str, field: &str) {
        let Some(how) = self.habits.recases.get(field).copied() else {
            return;
        };
        let Some(record) = self.records.get(&(object, id.to_owned())) else {
            return;
        };
        if let Some(standing) = record.value(field).as_str().filter(|_| record.is_living()) {
            let recased = text::recase(standing, how);
            if recased != standing {
                let values = Fields::from([(field.to_owned(), recased.into())]);
                self.write(&By::Workflow, object, id, values);
            }
        }
    }

    /// Puts values into a living record, as the habits let them stand; journal, event and workflows follow.
    /// The caller has looked whether the record is there and the values are allowed.
    fn write(&mut self, by: &By, object: Object, id: &str, values: Fields) -> Changed {
        let changed = self.put(by, object, id, values);
        if !changed.is_empty() || self.habits.events_on_unchanged {
            self.touch(by, object, id);
            self.transaction += 1;
            self.announce(Kind::Update, by, object, id, &changed, 1);
            self.schedule_workflows(object, id, &changed);
            self.tick(self.now);
        }
        changed
    }

    /// Puts values into a record and the journal, and tells nobody.
    fn put(&mut self, by: &By, object: Object, id: &str, values: Fields) -> Changed {
        let mut changed = Changed::new();
        for (name, value) in values {
            let field = self.kept_as(object, &name);
            let value = self.as_kept(&field, value);
            let Some(record) = self.records.get_mut(&(object, id.to_owned())) else {
                break;
            };
            let before = record.value(&field).clone();
            if before == value {
                continue;
            }
            record.fields.insert(field.clone(), value.clone());
            if self.habits.unique.as_ref() == Some(&field) {
                self.index(object, id, &before, &value);
            }
            let what = What::Value {
                field: field.clone(),
                before: before.clone(),
                after: value.clone(),
            };
            self.note(object, id, by, what);
            changed.insert(field, (before, value));
        }
        changed
    }

    fn index(&mut self, object: Object, id: &str, before: &Value, after: &Value) {
        if let Some(ids) = unique_key(before).and_then(|k| self.by_unique.get_mut(&(object, k))) {
            ids.remove(id);
        }
        if let Some(key) = unique_key(after) {
            self.by_unique
                .entry((object, key))
                .or_default()
                .insert(id.to_owned());
        }
    }

    fn touch(&mut self, by: &By, object: Object, id: &str) {
        if let Some(record) = self.records.get_mut(&(object, id.to_owned())) {
            record.modified = self.now;
            record.modified_by = by.clone();
        }
    }

    fn note(&mut self, object: Object, id: &str, by: &By, what: What) {
        self.journal.push(JournalEntry {
            at: self.now,
            stamp: text::stamp(self.now, self.habits.stamps),
            number: self.journal.len() as u64,
            object,
            id: id.to_owned(),
            by: by.clone(),
            what,
        });
    }

    /// The name under which a field is kept, where the vendor has several spellings.
    fn kept_as(&self, object: Object, field: &str) -> String {
        match self.habits.dialect {
            Dialect::Salesforce => vocabulary::salesforce_kept_as(object, field),
            Dialect::Mautic | Dialect::Baton => field.to_owned(),
        }
    }

    /// The value that stands after a write of `value`: label, then cut; blank is null.
    fn as_kept(&self, field: &str, value: Value) -> Value {
        if self.habits.dialect == Dialect::Mautic && field == vocabulary::MAUTIC_DO_NOT_EMAIL {
            return vocabulary::mautic_do_not_contact(&value);
        }
        let Value::String(mut written) = value else {
            return value;
        };
        if let Some(label) = self
            .habits
            .labels
            .get(field)
            .and_then(|labels| labels.get(&written))
        {
            written.clone_from(label);
        }
        if let Some(length) = self.habits.truncates.get(field) {
            written = text::cut(&written, *length);
        }
        if written.is_empty() {
            Value::Null
        } else {
            Value::String(written)
        }
    }

    fn schedule_workflows(&mut self, object: Object, id: &str, changed: &Changed) {
        let at = self.now.plus(self.habits.workflow_lag);
        let fields: Vec<String> = changed
            .keys()
            .filter(|f| self.habits.recases.contains_key(*f))
            .cloned()
            .collect();
        for field in fields {
            self.scheduled += 1;
            let run = (object, id.to_owned(), field);
            self.workflows.insert((at, self.scheduled), run);
        }
    }

    fn fresh_id(&mut self, object: Object) -> String {
        self.next_id += 1;
        match self.habits.dialect {
            Dialect::Salesforce => {
                vocabulary::long_id(vocabulary::salesforce_prefix(object), self.next_id)
            }
            Dialect::Mautic => self.next_id.to_string(),
            Dialect::Baton => format!("{object}-{}", self.next_id),
        }
    }
}

/// Addresses and names are found whatever their case; a blank finds nothing.
fn unique_key(value: &Value) -> Option<String> {
    value
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_lowercase)
}
