//! What must be true at rest.

use std::{collections::BTreeMap, fmt};

use baton_core::{
    book::ParkedCode,
    id::RecordKey,
    name::Name,
    order::{Role, track},
    rest::{WhyNot, out_of_sync},
    rules::Strategy,
    state::{CommandKind, State},
    value::Value,
};
use baton_sandbox::{Habits, Recase};

use super::{
    rest::Rest,
    rules::{MAP, TITLE_LENGTH},
    scenario::Scenario,
    truth::{SYSTEMS, Truth, canonical, truth},
    world::World,
};

/// What is wrong with a history.
#[derive(Clone, PartialEq, Debug)]
pub enum Fault {
    NeverRests,
    World(&'static str),
    Unreadable(String),
    /// More than one person came of one.
    Split,
    /// A system holds something else than golden, and nobody says why.
    Differs {
        record: RecordKey,
        field: Name,
        holds: Value,
        golden: Value,
    },
    /// A reason was given that does not hold water.
    BadReason {
        record: RecordKey,
        field: Name,
        why: WhyNot,
    },
    /// Baton believes something else than what is there.
    Believes {
        record: RecordKey,
        field: Name,
        holds: Value,
        believed: Value,
    },
    /// The independent reading of the truth has another golden value.
    Golden {
        field: Name,
        engine: Value,
        truth: Value,
        note: String,
    },
    /// Something that nobody entered there became a claim.
    EchoClaims {
        record: RecordKey,
        field: Name,
        value: Value,
    },
    /// More was written than what happened can account for.
    PingPong {
        record: RecordKey,
        field: Name,
        written: usize,
        most: usize,
    },
}

impl Fault {
    /// The field it is about, if it is about one.
    #[must_use]
    pub const fn field(&self) -> Option<Name> {
        match self {
            Self::Differs { field, .. }
            | Self::BadReason { field, .. }
            | Self::Believes { field, .. }
            | Self::Golden { field, .. }
            | Self::EchoClaims { field, .. }
            | Self::PingPong { field, .. } => Some(*field),
            Self::NeverRests | Self::World(_) | Self::Unreadable(_) | Self::Split => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverRests => write!(f, "it never comes to rest"),
            Self::World(what) => write!(f, "the test's own world: {what}"),
            Self::Unreadable(what) => write!(f, "unreadable: {what}"),
            Self::Split => write!(f, "one person became several"),
            Self::Differs {
                record,
                field,
                holds,
                golden,
            } => {
                write!(
                    f,
                    "{record} holds {field}={holds}, golden is {golden}, and no reason is given"
                )
            }
            Self::BadReason { record, field, why } => {
                write!(f, "{record} {field}: the reason {why:?} does not hold")
            }
            Self::Believes {
                record,
                field,
                holds,
                believed,
            } => {
                write!(
                    f,
                    "{record} holds {field}={holds}, and Baton believes {believed}"
                )
            }
            Self::Golden {
                field,
                engine,
                truth,
                note,
            } => {
                write!(f, "golden {field}={engine}, by the truth {truth} ({note})")
            }
            Self::EchoClaims {
                record,
                field,
                value,
            } => {
                write!(
                    f,
                    "{record} claims {field}={value}, which nobody entered there"
                )
            }
            Self::PingPong {
                record,
                field,
                written,
                most,
            } => {
                write!(
                    f,
                    "{record} {field}: {written} values written one after the other, {most} are accounted for"
                )
            }
        }
    }
}

/// Everything that is wrong with the world at rest.
#[must_use]
pub fn judge(world: &World, scenario: &Scenario) -> Vec<Fault> {
    let entities = world.book.entities.values();
    let people = entities.filter(|e| e.state.merged_into.is_none());
    if people.count() != 1 {
        // A record that was first heard of without its e-mail address: two people share a key, and a steward knows.
        let told = world.parked.contains(&ParkedCode::SharedKey);
        return if told { Vec::new() } else { vec![Fault::Split] };
    }
    let Some(person) = world.person() else {
        return vec![Fault::World("nobody")];
    };
    let rest = Rest::of(world, person);
    let mut faults = compare(&rest, scenario);
    faults.extend(by_the_truth(&rest, scenario));
    faults
}

/// What the systems hold against golden, and against what Baton believes that they hold.
#[must_use]
pub fn compare(rest: &Rest<'_>, scenario: &Scenario) -> Vec<Fault> {
    let mut faults = Vec::new();
    for record in rest.records.values() {
        both_sides(rest, scenario, record, &mut faults);
    }
    faults
}

/// Golden, what claims and what was written, against what truly happened.
#[must_use]
pub fn by_the_truth(rest: &Rest<'_>, scenario: &Scenario) -> Vec<Fault> {
    let truth = truth(rest, scenario);
    let mut faults = Vec::new();
    for record in rest.records.values() {
        no_echo_claims(rest, record, &truth, &mut faults);
        no_ping_pong(rest, scenario, record, &truth, &mut faults);
    }
    let gaps = SYSTEMS
        .iter()
        .any(|s| scenario.habits(s).delivery.gap_per_mille > 0);
    if !gaps {
        golden_by_the_truth(rest, &truth, &mut faults);
    }
    faults
}

fn both_sides(world: &Rest<'_>, scenario: &Scenario, record: &RecordKey, faults: &mut Vec<Fault>) {
    let person = world.person;
    let system = record.system.as_str();
    let Some(sandbox) = world
        .systems
        .get(system)
        .and_then(|s| s.record(record.object, &record.id))
    else {
        return;
    };
    let habits = scenario.habits(system);
    let reasons: BTreeMap<Name, WhyNot> = out_of_sync(person, world.rules, world.now)
        .into_iter()
        .filter(|(of, ..)| of == record)
        .map(|(_, field, why)| (field, why))
        .collect();
    for field in world.rules.person.fields.keys() {
        let Some((_, holds)) =
            canonical(world, system, field.as_str(), sandbox.value(field.as_str()))
        else {
            continue;
        };
        let golden = person.golden.get(field);
        let value = golden.map_or(Value::Blank, |g| g.value.clone());
        if golden.is_some_and(|g| g.decided)
            && !renders(
                habits,
                scenario.rules.knows_length && system == MAP,
                field.as_str(),
                &value,
                &holds,
            )
        {
            match reasons.get(field) {
                None => faults.push(Fault::Differs {
                    record: record.clone(),
                    field: *field,
                    holds: holds.clone(),
                    golden: value.clone(),
                }),
                Some(why) if !sound(*why, scenario, person, record, *field, &holds) => {
                    faults.push(Fault::BadReason {
                        record: record.clone(),
                        field: *field,
                        why: *why,
                    });
                }
                Some(_) => {}
            }
        }
        let seen = track(person, record, *field, world.rules);
        let believed = seen.believed().cloned().unwrap_or_default();
        if believed != holds
            && world
                .rules
                .systems
                .get(&record.system)
                .is_some_and(|s| s.reads)
        {
            faults.push(Fault::Believes {
                record: record.clone(),
                field: *field,
                holds,
                believed,
            });
        }
    }
}

/// Whether a reason can be true in this world.
fn sound(
    why: WhyNot,
    scenario: &Scenario,
    person: &State,
    record: &RecordKey,
    field: Name,
    holds: &Value,
) -> bool {
    let habits = scenario.habits(record.system.as_str());
    let put_back = person
        .deliveries
        .get(record)
        .is_some_and(|d| !d.reverts.is_empty());
    match why {
        WhyNot::Refused => habits.refuses.contains_key(field.as_str()),
        WhyNot::Held => put_back,
        WhyNot::BlankLeftAlone | WhyNot::ClearHeld => holds.is_blank(),
        // Texts here are one of a kind, so no two can alternate; the three ratings can, and so can what two records offer
        // where time alone moves the decision between them.
        WhyNot::Contested => {
            let by_time = match field.as_str() {
                "nick" | "label" => moves_by_time(&scenario.rules.nick),
                "title" => moves_by_time(&scenario.rules.title),
                "street" | "city" | "country" | "region" => moves_by_time(&scenario.rules.address),
                _ => false,
            };
            by_time || matches!(field.as_str(), "rating" | "label" | "tags")
        }
        WhyNot::WithItsGroup => put_back,
        WhyNot::NotMapped => false,
        WhyNot::Underway
        | WhyNot::Reading
        | WhyNot::Unknown
        | WhyNot::Settling
        | WhyNot::Filtered
        | WhyNot::Unaccounted => false,
    }
}

fn moves_by_time(strategy: &Strategy) -> bool {
    match strategy {
        Strategy::Trust(_) | Strategy::Manual { fallback: Some(_) } => true,
        Strategy::ByStage { segments, .. } => segments.iter().any(|s| moves_by_time(&s.strategy)),
        _ => false,
    }
}

/// Whether `holds` is what this system makes of `golden`.
fn renders(habits: &Habits, sent_cut: bool, field: &str, golden: &Value, holds: &Value) -> bool {
    let Value::Text(text) = golden else {
        return golden == holds;
    };
    let mut forms = vec![text.to_string()];
    let sent_cut = (sent_cut && field == "title").then_some(&TITLE_LENGTH);
    if let Some(length) = habits.truncates.get(field).or(sent_cut) {
        let cut: String = text.chars().take(*length).collect();
        // A cut that ends in a space reads without it.
        let cut = cut.trim().to_owned();
        // Where only what Baton sends is cut, longer texts that people enter stand there whole.
        forms = if habits.truncates.contains_key(field) {
            vec![cut]
        } else {
            vec![text.to_string(), cut]
        };
    }
    if let Some(how) = habits.recases.get(field) {
        forms = forms.iter().map(|f| recased(f, *how)).collect();
    }
    matches!(holds, Value::Text(held) if forms.iter().any(|f| f == held.as_str()))
}

fn recased(text: &str, how: Recase) -> String {
    match how {
        Recase::Upper => text.to_uppercase(),
        Recase::Lower => text.to_lowercase(),
        Recase::Title => {
            let words = text.split(' ').map(|word| {
                let mut letters = word.chars();
                letters.next().map_or_else(String::new, |first| {
                    first
                        .to_uppercase()
                        .chain(letters.flat_map(char::to_lowercase))
                        .collect()
                })
            });
            words.collect::<Vec<String>>().join(" ")
        }
    }
}

fn golden_by_the_truth(world: &Rest<'_>, truth: &Truth, faults: &mut Vec<Fault>) {
    for field in world.rules.person.fields.keys() {
        if truth.unknowable.contains(field) {
            continue;
        }
        let engine = world.person.golden_value(*field).clone();
        let answer = truth.golden.get(field);
        let should = answer.map(|a| a.value.clone()).unwrap_or_default();
        if engine != should {
            let note = answer.map(|a| a.note.clone()).unwrap_or_default();
            faults.push(Fault::Golden {
                field: *field,
                engine,
                truth: should,
                note,
            });
        }
    }
}

fn no_echo_claims(world: &Rest<'_>, record: &RecordKey, truth: &Truth, faults: &mut Vec<Fault>) {
    for field in world.rules.person.fields.keys() {
        for seat in track(world.person, record, *field, world.rules).seats {
            let claim = seat.role == Role::Turn && !seat.value.is_blank();
            let value = seat.value.clone();
            if claim
                && !truth
                    .entered
                    .contains(&(record.clone(), *field, value.clone()))
            {
                faults.push(Fault::EchoClaims {
                    record: record.clone(),
                    field: *field,
                    value,
                });
            }
        }
    }
}

/// L5: values written one after the other, against what happened to the field.
fn no_ping_pong(
    world: &Rest<'_>,
    scenario: &Scenario,
    record: &RecordKey,
    truth: &Truth,
    faults: &mut Vec<Fault>,
) {
    let habits = scenario.habits(record.system.as_str());
    let normalises = !habits.truncates.is_empty() || !habits.recases.is_empty();
    let each = if normalises { 2 } else { 1 };
    let by_time = world.stages.len() + world.steward.len() + 2;
    for field in world.rules.person.fields.keys() {
        let mut written: Vec<&Value> = Vec::new();
        for sent in world.sent {
            let here =
                sent.command.system == record.system && sent.command.kind == CommandKind::Update;
            if here
                && sent.command.fields.contains_key(field.as_str())
                && let Some(value) = sent.golden.get(field)
                && written.last() != Some(&value)
            {
                written.push(value);
            }
        }
        let of = |name: Name| truth.origins.get(&name).copied().unwrap_or(0);
        let group = world.rules.person.group_of.get(field);
        let origins: usize = match (
            group.and_then(|g| world.rules.person.groups.get(g)),
            field.as_str(),
        ) {
            (Some(group), _) => group.fields.iter().map(|f| of(*f)).sum(),
            (None, "label") => of("nick".into()) + of("rating".into()) + of(*field),
            (None, "region") => {
                of(*field)
                    + super::rules::ADDRESS
                        .iter()
                        .map(|m| of(Name::new(m)))
                        .sum::<usize>()
            }
            _ => of(*field),
        };
        let most = each * (origins + by_time);
        if written.len() > most {
            let written = written.len();
            faults.push(Fault::PingPong {
                record: record.clone(),
                field: *field,
                written,
                most,
            });
        }
    }
}
