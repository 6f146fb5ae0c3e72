//! Random histories of one person, the engine that plays them, and the facts for the reference to judge.

mod case;
mod played;

use std::collections::BTreeSet;

use baton_core::{
    book::Incoming,
    change::{Cause, Class, Format, Precision, RawChange},
    id::{Digest, Object, Position, RecordKey},
    input::StewardAct,
    name::Name,
    rules::{FieldType, Rules, Strategy},
    state::{Lock, LockOn},
    time::{DAY, HOUR, MINUTE, Millis, SECOND},
    value::{Raw, Value},
};

use crate::world::{Dice, FIELDS, GROUP, STAGES, Taste};

pub use case::{ambiguous, case, changes, facts};
pub use played::{Manner, Played, play};

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
