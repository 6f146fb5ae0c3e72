//! Random histories of one person, the engine that plays them, and the facts for the reference to judge.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    book::{Book, Incoming, Item, LedgerRow, OutBody, Settled},
    change::{Cause, Change, Class, Format, Origin, Precision, RawChange, Seen},
    id::{Digest, EntityId, Kind, Object, Position, RecordKey},
    input::{Input, StewardAct},
    name::Name,
    normalise,
    rules::{DeletePolicy, FieldType, Rules, Strategy},
    state::{Lock, LockOn, State},
    time::{DAY, HOUR, MINUTE, Millis, SECOND},
    value::{Raw, Value},
    wire::{CommandResult, ResultOutcome},
};
use baton_reference::{self as reference, Case, Fact, Told};

use crate::world::{Dice, FIELDS, GROUP, STAGES, Taste};

/// The beginning of every history.
pub const START: Millis = Millis(1_800_000_000_000);

/// One thing that happens, at an instant of the log's clock.
#[derive(Clone, Debug)]
pub enum Step {
    Comes(Incoming),
    Steward(Millis, StewardAct),
}

impl Step {
    #[must_use]
    pub fn at(&self) -> Millis {
        match self {
            Self::Comes(incoming) => incoming.position.arrival,
            Self::Steward(at, _) => *at,
        }
    }
}

/// What kind of things happen.
#[derive(Clone, Copy, Debug)]
pub struct Plot {
    pub length: usize,
    /// Events tagged as Baton's own come in.
    pub echoes: bool,
    /// Locks, rulings, rejudgements.
    pub stewards: bool,
    pub consent: bool,
    /// One record in each system.
    pub one_each: bool,
    /// Everything happens within seconds, so that histories meet.
    pub tight: bool,
}

impl Default for Plot {
    fn default() -> Self {
        Self {
            length: 24,
            echoes: true,
            stewards: true,
            consent: true,
            one_each: false,
            tight: false,
        }
    }
}

/// The records of the one person: several systems, two records in one of them, a lead beside its contact.
#[must_use]
pub fn records() -> Vec<RecordKey> {
    vec![
        RecordKey::new("crm", Object::Contact, "c1"),
        RecordKey::new("crm", Object::Lead, "l1"),
        RecordKey::new("map", Object::Contact, "m1"),
        RecordKey::new("map", Object::Contact, "m2"),
        RecordKey::new("erp", Object::Contact, "e1"),
    ]
}

/// A world with its history.
pub struct Story {
    pub seed: u64,
    pub rules: Rules,
    pub steps: Vec<Step>,
    /// When it is judged.
    pub as_of: Millis,
    pub dice: Dice,
}

impl Story {
    #[must_use]
    pub fn new(seed: u64, taste: Taste, plot: Plot) -> Self {
        let mut dice = Dice::new(seed);
        let rules = crate::world::rules(&mut dice, taste);
        Self::of(seed, rules, plot, dice)
    }

    /// A history under given rules.
    #[must_use]
    pub fn of(seed: u64, rules: Rules, plot: Plot, mut dice: Dice) -> Self {
        let steps = history(&mut dice, &rules, plot);
        let end = steps.iter().map(Step::at).max().unwrap_or(START);
        let waits = [2 * MINUTE, HOUR, DAY, 40 * DAY, 400 * DAY];
        let as_of = end.plus(if plot.tight {
            waits[0]
        } else {
            *dice.pick(&waits)
        });
        Self {
            seed,
            rules,
            steps,
            as_of,
            dice,
        }
    }

    #[must_use]
    pub fn play(&self, manner: Manner) -> Played {
        play(&self.steps, &self.rules, self.as_of, manner)
    }

    /// Says how to see a failure again.
    #[must_use]
    pub fn again(&self) -> String {
        format!("BATON_SEED={}", self.seed)
    }
}

/// A random history, in order of arrival. Every record's first change carries the person's key.
#[must_use]
pub fn history(dice: &mut Dice, rules: &Rules, plot: Plot) -> Vec<Step> {
    let mut records = records();
    if plot.one_each {
        records.retain(|r| ["c1", "m1", "e1"].contains(&r.id.as_str()));
    } else {
        dice.shuffle(&mut records);
        records.truncate(2 + dice.below(3));
    }
    let ranges = [4 * SECOND, 4 * SECOND, HOUR, 3 * DAY, 200 * DAY];
    let range = if plot.tight {
        ranges[0]
    } else {
        *dice.pick(&ranges)
    };
    let anchors: Vec<i64> = (0..4)
        .map(|_| dice.between(0, range / SECOND) * SECOND)
        .collect();
    let mut told: Vec<Incoming> = (0..plot.length)
        .map(|_| incoming(dice, rules, plot, &records, &anchors))
        .collect();
    told.sort_by_key(|i| i.position.arrival);
    let mut steps: Vec<Step> = Vec::new();
    let mut known: BTreeSet<(Name, RecordId)> = BTreeSet::new();
    for (nth, mut incoming) in (1_u64..).zip(told) {
        incoming.position.log = nth * 10;
        incoming.message = Digest::of(&[&nth.to_le_bytes()]);
        let record = (incoming.system, id_of(&incoming));
        let first = !matches!(
            incoming.raw.class,
            Class::Delete | Class::Gap | Class::Tombstone | Class::Activity { .. }
        );
        if first && known.insert(record) || dice.chance(10) {
            incoming.raw.push("key", Raw::text("the person"));
        }
        let at = incoming.position.arrival;
        if plot.stewards && dice.chance(10) {
            steps.push(Step::Steward(at, act(dice, rules, at)));
        }
        if dice.chance(8) {
            let mut again = incoming.clone();
            again.position = Position {
                arrival: at.plus(dice.between(0, 5_000)),
                log: nth * 10 + 1,
            };
            steps.push(Step::Comes(again));
        }
        steps.push(Step::Comes(incoming));
    }
    steps.sort_by_key(|s| match s {
        Step::Comes(i) => (i.position.arrival, i.position.log),
        Step::Steward(at, _) => (*at, 0),
    });
    // Whatever names nobody before its record is known would make a second person.
    first_with_key(steps)
}

type RecordId = (
    Option<compact_str::CompactString>,
    compact_str::CompactString,
);

fn id_of(incoming: &Incoming) -> RecordId {
    (incoming.raw.object.clone(), incoming.raw.id.clone())
}

fn first_with_key(mut steps: Vec<Step>) -> Vec<Step> {
    let mut known = BTreeSet::new();
    steps.retain(|step| match step {
        Step::Steward(..) => true,
        Step::Comes(incoming) => {
            let record = (incoming.system, id_of(incoming));
            let states = !matches!(
                incoming.raw.class,
                Class::Delete | Class::Gap | Class::Tombstone | Class::Activity { .. }
            );
            let keyed = states && incoming.raw.fields.iter().any(|f| f.name == "key");
            if keyed {
                if let Class::Merge { losers } = &incoming.raw.class {
                    for loser in losers {
                        known.insert((
                            incoming.system,
                            (incoming.raw.object.clone(), loser.clone()),
                        ));
                    }
                }
                if let Class::Convert { to } = &incoming.raw.class {
                    for (object, id) in to {
                        known.insert((incoming.system, (Some(object.as_str().into()), id.clone())));
                    }
                }
                known.insert(record);
                return true;
            }
            known.contains(&record)
        }
    });
    steps
}

/// Something random that a record says; its arrival has no place in the log yet.
pub fn incoming(
    dice: &mut Dice,
    rules: &Rules,
    plot: Plot,
    records: &[RecordKey],
    anchors: &[i64],
) -> Incoming {
    let record = dice.pick(records).clone();
    let class = class(dice, &record);
    let mut raw = RawChange::new(record.id.clone(), class);
    raw.object = Some(record.object.as_str().into());
    let time = START.plus(*dice.pick(anchors) + dice.between(0, 12) * 250);
    raw.time = (!dice.chance(4)).then_some(time);
    raw.precision = match dice.below(20) {
        0 => Precision::Day,
        1 | 2 => Precision::Second,
        _ => Precision::Millis,
    };
    // What is read has no sequence of its own.
    let read = raw.class == Class::ReadBack;
    raw.seq = (!read && dice.chance(50)).then(|| 1 + dice.below(3) as u64);
    raw.cause = Some(dice.pick(&Cause::ALL).as_str().into());
    if record.system.as_str() != "erp" {
        let ours = plot.echoes && dice.chance(10);
        raw.origin = Some(if ours { "baton" } else { "somebody" }.into());
    }
    // Baton's own writes come back as events, not as readings.
    if !matches!(raw.class, Class::Delta | Class::Event) && raw.origin.as_deref() == Some("baton") {
        raw.origin = Some("somebody".into());
    }
    let whole =
        matches!(raw.class, Class::Event | Class::Snapshot | Class::ReadBack) && dice.chance(70);
    for field in FIELDS.iter().chain(&["follower", "d_first"]) {
        if whole || dice.chance(25) {
            let rule = &rules.person.fields[&Name::new(field)];
            raw.push(field, value(dice, rule.kind));
            if dice.chance(70) && counts(&rule.strategy) {
                let before = number(dice);
                if let Some(last) = raw.fields.last_mut() {
                    last.before = Some(before);
                }
            }
        }
    }
    let of_group = whole || dice.chance(30);
    for field in GROUP {
        if of_group && (whole || dice.chance(60)) {
            raw.push(field, value(dice, FieldType::Text));
        }
    }
    if plot.consent && (whole || dice.chance(15)) {
        let states = [
            "opted_in",
            "opted_out",
            "opted_in",
            "pending",
            "bounced",
            "legal_block",
            "unknown",
            "",
        ];
        raw.push("consent", Raw::text(dice.word(&states)));
    }
    if plot.consent && dice.chance(15) {
        raw.push(
            "email",
            Raw::text(dice.word(&["a@example.com", "b@example.com"])),
        );
    }
    if raw.origin.as_deref() == Some("baton") {
        // Fillers never travel.
        raw.fields.retain(|f| f.value != Raw::text("n/a"));
    }
    let late = if plot.tight { 14 } else { 20 };
    let arrival = time.plus(match dice.below(late) {
        0..=13 => dice.between(0, 3_000),
        14..=16 => dice.between(0, HOUR),
        17 | 18 => dice.between(0, 60 * DAY),
        _ => -dice.between(0, 20 * MINUTE),
    });
    Incoming {
        system: record.system,
        format: Format::Baton,
        raw,
        position: Position { arrival, log: 0 },
        index: 0,
        message: Digest::default(),
    }
}

fn counts(strategy: &Strategy) -> bool {
    match strategy {
        Strategy::Counter => true,
        Strategy::ByStage { segments, .. } => segments.iter().any(|s| counts(&s.strategy)),
        Strategy::Manual {
            fallback: Some((_, s)),
        } => counts(s),
        _ => false,
    }
}

fn class(dice: &mut Dice, record: &RecordKey) -> Class {
    match dice.below(40) {
        0..=17 => Class::Delta,
        18..=25 => Class::Event,
        26..=29 => Class::Snapshot,
        30 | 31 => Class::ReadBack,
        32 => Class::Delete,
        33 => Class::Undelete,
        34 if record.id == "m1" => Class::Merge {
            losers: vec!["m2".into()],
        },
        34 if record.id == "l1" => Class::Convert {
            to: vec![
                (Object::Contact, "c1".into()),
                (Object::Account, "a1".into()),
            ],
        },
        35 if dice.chance(30) => Class::Gap,
        35 if dice.chance(30) => Class::Tombstone,
        35 => Class::Activity {
            kind: "call".into(),
        },
        36..=38 => Class::Stage {
            stage: dice.word(&STAGES).into(),
        },
        _ => Class::Delta,
    }
}

fn number(dice: &mut Dice) -> Raw {
    Raw::Number(dice.word(&["1", "2", "10", "0"]).into())
}

fn value(dice: &mut Dice, kind: FieldType) -> Raw {
    if dice.chance(15) {
        return if dice.chance(50) {
            Raw::Null
        } else {
            Raw::text("")
        };
    }
    if dice.chance(5) {
        return Raw::text("n/a");
    }
    match kind {
        FieldType::Number if dice.chance(8) => Raw::text("many"),
        FieldType::Number => number(dice),
        FieldType::Country => Raw::text(dice.word(&["DE", "France", "Atlantis", "fr"])),
        FieldType::MultiSelect => Raw::text(dice.word(&["a", "b", "a;b", "b;c", "c"])),
        _ => Raw::text(dice.word(&["a", "b", "abc", "B c"])),
    }
}

fn act(dice: &mut Dice, rules: &Rules, at: Millis) -> StewardAct {
    let mut names: Vec<Name> = FIELDS.iter().chain(&GROUP).map(|f| Name::new(f)).collect();
    names.push("follower".into());
    let field = *dice.pick(&names);
    match dice.below(10) {
        0 | 1 => StewardAct::Lock {
            field,
            lock: Lock {
                on: if dice.chance(60) {
                    LockOn::Value(Value::text("locked"))
                } else {
                    LockOn::Source(dice.word(&["crm", "map"]).into())
                },
                reason: "a law".into(),
                by: "a steward".into(),
                at,
                expires: dice.chance(40).then(|| at.plus(dice.between(0, 3 * DAY))),
            },
        },
        2 => StewardAct::Unlock { field },
        3 => StewardAct::Rejudge,
        _ => {
            let manual: Vec<Name> = rules
                .person
                .fields
                .iter()
                .filter(|(_, r)| matches!(r.strategy, Strategy::Manual { .. }))
                .map(|(name, _)| *name)
                .collect();
            match manual.is_empty() {
                true => StewardAct::Unlock { field },
                false => StewardAct::Rule {
                    field: *dice.pick(&manual),
                    value: Value::text("ruled"),
                    by: "a steward".into(),
                },
            }
        }
    }
}

/// The engine in memory, after a history.
pub struct Played {
    pub book: Book,
    pub settled: Vec<Settled>,
    /// Until when its timers have rung.
    pub as_of: Millis,
    answers: u64,
    told: usize,
}

/// How a history is played.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// Targets take every write, and answer after a second with stamp and record.
    pub answers: bool,
}

/// Plays a history: everything in order of arrival, timers in between, up to `as_of`.
#[must_use]
pub fn play(steps: &[Step], rules: &Rules, as_of: Millis, manner: Manner) -> Played {
    let mut played = Played {
        book: Book::default(),
        settled: Vec::new(),
        as_of: START,
        answers: 0,
        told: 0,
    };
    for step in steps {
        played.ring(step.at(), rules, manner);
        match step {
            Step::Comes(incoming) => {
                let change = normalise::normalise(incoming, rules).expect("mapped");
                let settled = played.book.settle(Item::Change(change), rules, step.at());
                played.settled.push(settled);
            }
            Step::Steward(at, act) => {
                if let Some(entity) = played.entity() {
                    let act = act.clone();
                    played
                        .book
                        .settle(Item::Steward { entity, act }, rules, *at);
                }
            }
        }
        if manner.answers {
            played.answer(step.at(), rules);
        }
    }
    played.ring(as_of, rules, manner);
    played
}

impl Played {
    /// The one person, if anybody.
    #[must_use]
    pub fn entity(&self) -> Option<EntityId> {
        let mut living = self
            .book
            .entities
            .iter()
            .filter(|(_, e)| e.state.merged_into.is_none());
        let one = living.next().map(|(id, _)| *id);
        assert!(living.next().is_none(), "one history makes one person");
        one
    }

    #[must_use]
    pub fn state(&self) -> Option<&State> {
        Some(&self.book.entities[&self.entity()?].state)
    }

    /// Lets every timer ring that is due until then, each at its own time.
    pub fn ring(&mut self, until: Millis, rules: &Rules, manner: Manner) {
        for _ in 0..60 {
            let Some(entity) = self.entity() else { break };
            let due = self.book.entities[&entity].state.wake;
            let Some(at) = due.filter(|w| *w <= until) else {
                break;
            };
            let at = at.max(self.as_of);
            self.book.settle(Item::Wake(entity), rules, at);
            if manner.answers {
                self.answer(at, rules);
            }
            if self.book.entities[&entity].state.wake == due {
                // Due but waiting for something else (an answer): not by time alone.
                break;
            }
        }
        self.as_of = self.as_of.max(until);
    }

    /// The target's own stamp: its clock never goes back behind what it reported before.
    fn stamp(&self, system: Name, at: Millis) -> Millis {
        let reported = changes(&self.book.out.ledger)
            .filter(|c| c.record.system == system)
            .map(|c| c.time.plus(1));
        reported.max().unwrap_or(at).max(at.plus(400))
    }

    /// Answers every command not answered yet.
    fn answer(&mut self, at: Millis, rules: &Rules) {
        for _ in 0..200 {
            let command = self.book.out.messages[self.told..]
                .iter()
                .find_map(|m| match &m.body {
                    OutBody::Command(command) => Some(command.clone()),
                    _ => None,
                });
            let Some(command) = command else { return };
            let of_it = |m: &baton_core::book::OutMessage| matches!(&m.body, OutBody::Command(c) if c.command_id == command.command_id);
            let skip = self.book.out.messages[self.told..].iter().position(of_it);
            self.told += skip.unwrap_or(0) + 1;
            self.answers += 1;
            let result = CommandResult {
                command_id: command.command_id.clone(),
                system: command.system.to_string(),
                object: command.object,
                id: Some(command.id.unwrap_or_else(|| format!("new{}", self.answers))),
                outcome: ResultOutcome::Ok,
                stamp: Some(self.stamp(command.system, at).to_string()),
                record: Some(command.fields.into_iter().collect()),
                refused: BTreeMap::new(),
                error: None,
            };
            let position = Position::new(at.plus(500), 9, 0, self.answers);
            let (entity, answer) = normalise::answer(&result, rules, position).expect("ours");
            self.book
                .settle(Item::Answer { entity, answer }, rules, at.plus(500));
            self.as_of = self.as_of.max(at.plus(500));
        }
        panic!("the engine goes on writing although every write was taken");
    }
}

/// The changes of a ledger, with their verdicts.
pub fn changes(ledger: &[LedgerRow]) -> impl Iterator<Item = &Change> {
    ledger.iter().filter_map(|row| match &row.input {
        Input::Change(change) => Some(change),
        _ => None,
    })
}

/// What the reference is told of a ledger: facts with their verdicts, stages, links, locks, rulings.
#[must_use]
pub fn case<'r>(ledger: &[LedgerRow], rules: &'r Rules, as_of: Millis) -> Case<'r> {
    let mut case = Case::new(rules, Kind::Person, Vec::new(), as_of);
    for row in ledger {
        match &row.input {
            Input::Change(change) => case.facts.extend(facts(change)),
            Input::Answer(answer) => {
                let (Some(id), Some(record), Some(stamp)) =
                    (&answer.id, &answer.record, answer.stamp)
                else {
                    continue;
                };
                for (field, (value, _)) in record {
                    let key = RecordKey::new(answer.system, answer.object, id.clone());
                    let mut fact = Fact::new(key, *field, value.clone(), stamp, answer.command);
                    fact.position = answer.position;
                    fact.own = true;
                    case.facts.push(fact);
                }
            }
            Input::ClearVerdict { event, held: true } => {
                for fact in case.facts.iter_mut().filter(|f| f.event == *event) {
                    fact.held = matches!(fact.seen, Seen::Cleared | Seen::BlankInEvent);
                }
            }
            Input::Steward(act) => note_act(&mut case, act, row.at, as_of),
            _ => {}
        }
    }
    case.stages = stages(ledger, rules);
    case.links = links(ledger, rules);
    case
}

fn note_act(case: &mut Case<'_>, act: &StewardAct, at: Millis, as_of: Millis) {
    match act {
        StewardAct::Lock { field, lock } => {
            case.locks.remove(field);
            if lock.expires.is_none_or(|end| end > as_of) {
                let lock = match &lock.on {
                    LockOn::Value(value) => reference::Lock::Value(value.clone()),
                    LockOn::Source(source) => reference::Lock::Source(*source),
                };
                case.locks.insert(*field, lock);
            }
        }
        StewardAct::Unlock { field } => {
            case.locks.remove(field);
        }
        StewardAct::Rule { field, value, .. } => case.choices.push(reference::StewardChoice {
            name: *field,
            at,
            values: vec![value.clone()],
            record: None,
        }),
        _ => {}
    }
}

/// The observations of one change.
#[must_use]
pub fn facts(change: &Change) -> Vec<Fact> {
    let told = match change.class {
        Class::Delta => Told::Delta,
        Class::Snapshot => Told::Snapshot,
        Class::ReadBack => Told::ReadBack,
        _ => Told::Event,
    };
    if matches!(
        change.class,
        Class::Tombstone | Class::Activity { .. } | Class::Overflow
    ) {
        return Vec::new();
    }
    let fact = |field: &baton_core::change::FieldChange| Fact {
        record: change.record.clone(),
        field: field.field,
        value: field.value.clone(),
        seen: field.seen,
        time: change.time,
        seq: change.seq,
        position: change.position,
        event: change.event,
        cause: change.cause,
        told,
        own: change.origin == Origin::Ours,
        renders: None,
        before: field.before.clone(),
        held: false,
        beyond: change.verdicts.beyond.contains(&field.field),
    };
    change.fields.iter().map(fact).collect()
}

fn stages(ledger: &[LedgerRow], rules: &Rules) -> Vec<reference::StageFact> {
    let mut stages: BTreeMap<Digest, reference::StageFact> = BTreeMap::new();
    for change in changes(ledger) {
        if let Class::Stage { stage } = &change.class
            && rules.stages.contains(&Name::new(stage))
        {
            let fact = reference::StageFact {
                time: change.time,
                position: change.position,
                stage: Name::new(stage),
            };
            stages.entry(change.event).or_insert(fact);
        }
    }
    stages.into_values().collect()
}

/// Fields with different values of one record within one quantum that no sequence orders, and what reads them. The
/// contract calls them ambiguous until they are read back; how they stand meanwhile is the engine's own decision
/// (docs/decisions/0001-order-within-a-quantum.md), which the closed loop tests.
#[must_use]
pub fn ambiguous(case: &Case<'_>) -> BTreeSet<Name> {
    let mut quanta: BTreeMap<(&RecordKey, Name, Millis), (BTreeSet<Value>, bool)> = BTreeMap::new();
    for fact in &case.facts {
        let quantum = case.floor(fact.time);
        let (values, sequenced) = quanta
            .entry((&fact.record, fact.field, quantum))
            .or_default();
        values.insert(fact.stands());
        *sequenced |= fact.seq != 0;
    }
    let mut fields: BTreeSet<Name> = quanta
        .into_iter()
        .filter(|(_, (values, sequenced))| values.len() > 1 && !sequenced)
        .map(|((_, field, _), _)| field)
        .collect();
    if fields.is_empty() {
        return fields;
    }
    if GROUP.iter().any(|f| fields.contains(&Name::new(f))) {
        fields.extend(GROUP.iter().map(|f| Name::new(f)));
    }
    if fields.contains(&Name::new("email")) {
        fields.insert("consent".into());
    }
    fields.extend(["follower", "d_first", "a_chained"].map(Name::new));
    fields
}

/// The last word about each link, by event time.
fn links(ledger: &[LedgerRow], rules: &Rules) -> BTreeMap<RecordKey, reference::Link> {
    let mut words: Vec<(Millis, Position, RecordKey, reference::Link)> = Vec::new();
    let mut known = BTreeSet::new();
    for change in changes(ledger) {
        if !known.insert((change.record.clone(), change.event)) {
            continue;
        }
        let mut say =
            |record: RecordKey, link| words.push((change.time, change.position, record, link));
        match &change.class {
            Class::Delete => {
                let detach = rules.systems[&change.record.system].delete == DeletePolicy::Detach;
                let link = if detach {
                    reference::Link::Detached { since: change.time }
                } else {
                    reference::Link::Deleted
                };
                say(change.record.clone(), link);
            }
            Class::Undelete => say(change.record.clone(), reference::Link::Active),
            Class::Merge { losers } => {
                for loser in losers {
                    let record = RecordKey {
                        id: loser.clone(),
                        ..change.record.clone()
                    };
                    say(record, reference::Link::Merged);
                }
            }
            Class::Convert { .. } => say(change.record.clone(), reference::Link::Converted),
            _ => {}
        }
    }
    words.sort_by_key(|a| (a.0, a.1));
    words
        .into_iter()
        .map(|(_, _, record, link)| (record, link))
        .collect()
}

/// The shortest history that still fails, by leaving out one step after another.
#[must_use]
pub fn shortest(steps: &[Step], fails: impl Fn(&[Step]) -> bool) -> Vec<Step> {
    let mut steps = steps.to_vec();
    let mut at = 0;
    while at < steps.len() {
        let mut fewer = steps.clone();
        fewer.remove(at);
        let fewer = first_with_key(fewer);
        if fewer.len() < steps.len() && fails(&fewer) {
            steps = fewer;
        } else {
            at += 1;
        }
    }
    steps
}
