//! What the funnel hears: from what was observed at a person's records to facts of the fold.
//!
//! What somebody did, or said elsewhere, is a fact of its own. All else is made of the observations: golden values that
//! conditions read, the points, stages that systems claim, what sales found out. Those facts are the same whatever the
//! order in which the observations came in (L1): what comes in at the end adds one, what comes in between makes those
//! behind it anew.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::{
    fact::{Fact, What},
    funnel::{Funnel, Source, Taken},
    moments::{Unsaid, as_of, first_seen, instants},
    setup::{Setup, SystemWiring},
};
use crate::{
    change::{Change, Class, Outcome},
    claim::{Claim, Claims},
    id::{Digest, EntityId, EventId, Position, RecordKey},
    input::{Answer, Input},
    name::Name,
    rules::{Rules, Strategy},
    state::{IntentEnd, State},
    time::Millis,
    value::Value,
    wire::ResultOutcome,
};

/// What came of listening.
#[derive(Default)]
pub(super) struct Heard {
    /// The funnel's facts are not what they were.
    pub news: bool,
    /// What became of a fact that the input is as a whole.
    pub outcome: Option<Outcome>,
}

/// One person, listened to.
pub(super) struct Hearing<'a> {
    pub state: &'a State,
    pub funnel: &'a mut Funnel,
    pub setup: &'a Setup,
    pub rules: &'a Rules,
    pub at: Millis,
    /// When the input reached the log: by this it is in time or late, however long Baton took to read it.
    pub came: Millis,
    pub heard: Heard,
}

/// When an input reached the log, if it did so as a message of its own.
pub(super) fn arrival(input: &Input) -> Option<Millis> {
    let position = match input {
        Input::Change(change) => change.position,
        Input::Answer(answer) => answer.position,
        Input::Heard { fact, .. } => fact.position,
        _ => return None,
    };
    (position != Position::default()).then_some(position.arrival)
}

impl Hearing<'_> {
    /// Hears an input that touched these fields.
    pub fn hear(&mut self, input: &Input, touched: &BTreeSet<Name>) {
        let everything: BTreeSet<Name>;
        let touched = if self.is_new() {
            // Nobody listened so far: all that was said until now is heard now.
            everything = self.setup.heard().collect();
            &everything
        } else {
            touched
        };
        match input {
            Input::Change(change) => self.change(change, touched),
            Input::Answer(answer) => {
                self.delivered(answer);
                let moved: BTreeSet<Name> = touched
                    .iter()
                    .copied()
                    .filter(|field| !self.is_in_step(*field))
                    .collect();
                self.again(&moved, None);
            }
            Input::Heard { fact, .. } => match self.funnel.correct(fact) {
                Some(corrected) => {
                    self.heard.news |= corrected;
                    self.heard.outcome = Some(if corrected {
                        Outcome::Applied
                    } else {
                        Outcome::Duplicate
                    });
                }
                None => self.whole(self.state.id, Fact::clone(fact)),
            },
            // What a steward does, or time, counts from now.
            _ => {
                let now = self.at.floor(self.rules.timing.quantum);
                self.again(touched, Some(now));
            }
        }
    }

    /// Whether nothing that was said was heard so far.
    fn is_new(&self) -> bool {
        self.funnel.is_silent() || self.funnel.is_of_stranger()
    }

    /// Whether the facts of a field are those that its turns would give. An answer seldom makes an own write of what
    /// passed for somebody's entry, and looking at all moments again is dear.
    fn is_in_step(&self, field: Name) -> bool {
        let setup = self.setup;
        if !setup.reads(field) && field != setup.wiring.score {
            return !setup.heard().any(|heard| heard == field);
        }
        let of_score = (field == setup.wiring.score).then_some(Source::Score);
        let told = [Some(Source::Field(field)), of_score];
        let said = instants(self.state, field, self.rules);
        let first = first_seen(self.state, self.rules);
        let told = told
            .into_iter()
            .flatten()
            .flat_map(|s| self.funnel.times(s));
        let known = |at: Millis| said.contains(&at) || Some(at) == first;
        let value = self.now(field);
        let same = !setup.reads(field) || self.funnel.last_value(field) == value;
        let scored = of_score.is_none() || self.funnel.last_score() == Some(points(&value));
        same && scored && told.into_iter().all(known)
    }

    fn change(&mut self, change: &Change, touched: &BTreeSet<Name>) {
        let position = change.position;
        let of = self.whose(&change.record);
        let as_a_whole = match &change.class {
            Class::Act(act) => Some(What::Act(act.as_ref().clone())),
            Class::Stage { stage } => Name::known(stage).map(|stage| What::Said {
                system: change.record.system,
                stage,
            }),
            _ => None,
        };
        if let Some(what) = as_a_whole {
            let fact = Fact {
                event: change.event,
                time: change.time,
                seq: change.seq,
                position,
                effective: None,
                what,
            };
            return self.whole(of, fact);
        }
        let happened = if change.time.is_timed() {
            change.time
        } else {
            position.arrival
        };
        let instant = happened.floor(self.rules.timing.quantum);
        if instant < self.funnel.heard || self.is_new() {
            return self.again(touched, None);
        }
        self.funnel.heard = instant;
        for field in self.listened(touched) {
            self.add(field, instant);
        }
        self.claims_and_findings(touched);
    }

    /// Makes the facts of these fields anew, wherever they stand; what they are as of `now` is one of them.
    pub fn again(&mut self, touched: &BTreeSet<Name>, now: Option<Millis>) {
        if touched.is_empty() {
            return;
        }
        let quantum = self.rules.timing.quantum;
        let newest = self.state.histories.values().map(|h| h.latest).max();
        let newest = newest.unwrap_or(Millis::UNTIMED).floor(quantum);
        self.funnel.heard = self.funnel.heard.max(newest);
        let mut fields = self.listened(touched);
        // Somebody may have been seen earlier than was known.
        fields.insert(self.setup.wiring.score);
        self.values(&fields, now);
        self.claims_and_findings(touched);
    }

    fn listened(&self, touched: &BTreeSet<Name>) -> BTreeSet<Name> {
        let listens = self.setup.listens();
        listens.filter(|field| touched.contains(field)).collect()
    }

    /// The golden value of a field, at the end of all that was heard.
    fn add(&mut self, field: Name, instant: Millis) {
        let value = self.now(field);
        if field == self.setup.wiring.score {
            let score = points(&value);
            if self.funnel.last_score() != Some(score) {
                self.put(instant, What::Score(score));
            }
        }
        if self.setup.reads(field) && self.funnel.last_value(field) != value {
            self.put(instant, What::Field { field, value });
        }
    }

    fn now(&self, field: Name) -> Value {
        let state = self.state;
        if self.funnel.word(field).is_some() {
            let unsaid = as_of(state, Millis::NEVER, self.rules);
            return Unsaid::of(&unsaid, self.rules, self.at).golden(field);
        }
        state.golden_value(field).clone()
    }

    /// All values of these fields since what is sealed, one moment after the other.
    fn values(&mut self, fields: &BTreeSet<Name>, now: Option<Millis>) {
        let (state, rules) = (self.state, self.rules);
        let from = self.from();
        let first = first_seen(state, rules).filter(|_| !self.funnel.is_known_before(from));
        let mut moments: BTreeMap<Millis, BTreeSet<Name>> = BTreeMap::new();
        for field in fields {
            let mut all = instants(state, *field, rules);
            all.extend(self.funnel.times(Source::Field(*field)));
            if *field == self.setup.wiring.score {
                all.extend(self.funnel.times(Source::Score));
            }
            all.extend(now);
            for instant in all.into_iter().filter(|at| *at > from) {
                moments.entry(instant).or_default().insert(*field);
            }
        }
        if let Some(first) = first.filter(|first| *first > from) {
            let score = self.setup.wiring.score;
            moments.entry(first).or_default().insert(score);
        }
        let mut facts: BTreeMap<Source, Vec<Fact>> = BTreeMap::new();
        let mut last: BTreeMap<Name, Value> = BTreeMap::new();
        let mut score = self.funnel.score_until(from);
        for (instant, fields) in moments {
            let then = as_of(state, instant, rules);
            let mut unsaid = Unsaid::of(&then, rules, instant);
            for field in fields {
                let value = unsaid.golden(field);
                if field == self.setup.wiring.score {
                    let now = points(&value);
                    if score.replace(now) != Some(now) {
                        let fact = self.fact(instant, What::Score(now));
                        facts.entry(Source::Score).or_default().push(fact);
                    }
                }
                if self.setup.reads(field) {
                    let known = last
                        .entry(field)
                        .or_insert_with(|| self.funnel.value_until(field, from));
                    if *known != value {
                        known.clone_from(&value);
                        let fact = self.fact(instant, What::Field { field, value });
                        facts.entry(Source::Field(field)).or_default().push(fact);
                    }
                }
            }
        }
        for field in fields {
            if self.setup.reads(*field) {
                let of_field = facts.remove(&Source::Field(*field)).unwrap_or_default();
                self.replace(Source::Field(*field), from, of_field);
            }
        }
        let scores = facts.remove(&Source::Score).unwrap_or_default();
        self.replace(Source::Score, from, scores);
    }

    fn claims_and_findings(&mut self, touched: &BTreeSet<Name>) {
        let systems: Vec<(Name, &SystemWiring)> = self
            .setup
            .wiring
            .systems
            .iter()
            .filter(|(_, wiring)| wiring.stage.is_some_and(|field| touched.contains(&field)))
            .map(|(system, wiring)| (*system, wiring))
            .collect();
        for (system, wiring) in systems {
            self.claims(system, wiring);
        }
        let found = self.setup.wiring.qualification.iter();
        let mut found = found.flat_map(|fields| [fields.ready, fields.willing]);
        if found.any(|field| touched.contains(&field)) {
            self.findings();
        }
    }

    /// Stages that one system says: each turn of its records, whatever the field's rule makes of it.
    fn claims(&mut self, system: Name, wiring: &SystemWiring) {
        let Some(field) = wiring.stage else { return };
        let (state, rules) = (self.state, self.rules);
        let said = Claims::of_field(state, field, rules);
        let reasons = wiring
            .reason
            .map(|field| Claims::of_field(state, field, rules));
        let mut facts = Vec::new();
        for of in said.records.iter().filter(|of| of.record.system == system) {
            for turn in of.turns.iter().filter(|turn| !turn.invalid && !turn.held) {
                let Some(stage) = one(turn).and_then(|value| wiring.claims.get(value)) else {
                    continue;
                };
                let reason = reasons.as_ref().and_then(|all| reason_of(all, turn));
                let what = What::Claim {
                    system,
                    stage: *stage,
                    reason,
                };
                facts.push(fact_of(b"claim", turn, what));
            }
        }
        self.replace(Source::Claims(system), self.from(), facts);
    }

    /// What sales found out: each turn in which it says whether the buyer is ready, or willing.
    fn findings(&mut self) {
        let Some(fields) = &self.setup.wiring.qualification else {
            return;
        };
        let (state, rules) = (self.state, self.rules);
        let ready = Claims::of_field(state, fields.ready, rules);
        let willing = Claims::of_field(state, fields.willing, rules);
        let reasons = fields
            .reason
            .map(|field| Claims::of_field(state, field, rules));
        // One event may say both.
        let mut found: BTreeMap<EventId, Fact> = BTreeMap::new();
        for (claims, is_ready) in [(&ready, true), (&willing, false)] {
            let field = if is_ready {
                fields.ready
            } else {
                fields.willing
            };
            for of in claims
                .records
                .iter()
                .filter(|of| counts(field, of.record, state, rules))
            {
                for turn in of.turns.iter().filter(|turn| !turn.invalid && !turn.held) {
                    let Some(Value::Bool(said)) = one(turn) else {
                        continue;
                    };
                    let reason = reasons.as_ref().and_then(|all| reason_of(all, turn));
                    let what = What::Qualified {
                        ready: None,
                        willing: None,
                        reason,
                    };
                    let fresh = fact_of(b"found", turn, what);
                    let fact = found.entry(fresh.event).or_insert(fresh);
                    if let What::Qualified { ready, willing, .. } = &mut fact.what {
                        *(if is_ready { ready } else { willing }) = Some(*said);
                    }
                }
            }
        }
        let facts = found.into_values().collect();
        self.replace(Source::Findings, self.from(), facts);
    }

    /// The system that is told why somebody is ready has it.
    fn delivered(&mut self, answer: &Answer) {
        let Some(wiring) = self.setup.wiring.systems.get(&answer.system) else {
            return;
        };
        let Some(field) = wiring.handoff.or(wiring.stage) else {
            return;
        };
        let Some(word) = self.funnel.word(field) else {
            return;
        };
        let carried = self.state.deliveries.iter().any(|(record, delivery)| {
            record.system == answer.system
                && delivery.intents.iter().any(|intent| {
                    intent.command == answer.command
                        && intent.end == IntentEnd::Done
                        && intent
                            .fields
                            .get(&field)
                            .is_some_and(|written| !written.refused && written.value == word.value)
                })
        });
        if answer.outcome != ResultOutcome::Ok || !carried {
            return;
        }
        let fact = Fact {
            event: Digest::of(&[b"delivered", &answer.command.0]),
            time: answer.stamp.unwrap_or(answer.position.arrival),
            seq: 0,
            position: answer.position,
            effective: None,
            what: What::Delivered,
        };
        self.whole(self.state.id, fact);
        self.heard.outcome = None;
    }

    /// A fact that the input is as a whole.
    fn whole(&mut self, of: EntityId, fact: Fact) {
        let outcome = match self.take(of, fact) {
            Taken::New => Outcome::Applied,
            Taken::Duplicate => Outcome::Duplicate,
            Taken::Beyond => Outcome::Late,
        };
        self.heard.outcome = Some(outcome);
    }

    fn put(&mut self, instant: Millis, what: What) {
        let fact = self.fact(instant, what);
        self.put_fact(fact);
    }

    /// Of one moment the last word counts.
    fn put_fact(&mut self, fact: Fact) {
        match self.funnel.correct(&fact) {
            Some(corrected) => self.heard.news |= corrected,
            None => {
                self.take(self.state.id, fact);
            }
        }
    }

    fn take(&mut self, of: EntityId, mut fact: Fact) -> Taken {
        let editions = &self.setup.editions;
        fact.effective = self.funnel.verdict(&fact, editions, self.came);
        let (event, known) = (fact.event, self.funnel.time_of(fact.event));
        let taken = self.funnel.take(of, fact, editions);
        self.heard.news |= taken != Taken::Beyond && self.funnel.time_of(event) != known;
        taken
    }

    /// The facts of one source from an instant on are these and no others.
    fn replace(&mut self, source: Source, from: Millis, facts: Vec<Fact>) {
        let editions = &self.setup.editions;
        let keep: BTreeSet<EventId> = facts.iter().map(|fact| fact.event).collect();
        let gone = self.funnel.forget(source, from, &keep, editions);
        self.heard.news |= gone;
        for fact in facts {
            self.put_fact(fact);
        }
    }

    /// A fact made of golden at an instant. Its event is made of what it is about.
    fn fact(&self, instant: Millis, what: What) -> Fact {
        let about = match &what {
            What::Field { field, .. } => field.as_str(),
            _ => "",
        };
        let person = self.state.id.to_string();
        Fact {
            event: Digest::of(&[
                b"golden",
                person.as_bytes(),
                about.as_bytes(),
                &instant.0.to_be_bytes(),
            ]),
            time: instant,
            seq: 0,
            position: Position::default(),
            effective: None,
            what,
        }
    }

    /// Before this nothing is made anew: it is in the summaries.
    fn from(&self) -> Millis {
        self.funnel.sealed_until().max(self.state.sealed_before)
    }

    /// Whose fact it is: of whoever brought the record.
    fn whose(&self, record: &RecordKey) -> EntityId {
        let brought = self.state.provenance.get(record).copied();
        brought.unwrap_or(self.state.id)
    }
}

/// A fact made of a turn.
fn fact_of(kind: &[u8], turn: &Claim<'_>, what: What) -> Fact {
    Fact {
        event: Digest::of(&[kind, turn.record.to_string().as_bytes(), &turn.event.0]),
        time: turn.time,
        seq: turn.seq,
        position: turn.position,
        effective: None,
        what,
    }
}

fn one<'a>(turn: &Claim<'a>) -> Option<&'a Value> {
    match &turn.content {
        crate::claim::Content::One(value) => Some(value),
        crate::claim::Content::Tuple(_) => None,
    }
}

/// The reason that stood at the turn's record at its time.
fn reason_of(reasons: &Claims<'_>, turn: &Claim<'_>) -> Option<Name> {
    let of = reasons.records.iter().find(|of| of.record == turn.record)?;
    let mut by_then = of.turns.iter().filter(|r| r.floored <= turn.floored);
    match one(by_then.next_back()?)? {
        Value::Text(text) => Name::known(text),
        _ => None,
    }
}

/// Whether the field's rule takes this record's system at all.
fn counts(field: Name, record: &RecordKey, state: &State, rules: &Rules) -> bool {
    let rule = rules.entity(state.id.kind).fields.get(&field);
    match rule.map(|rule| &rule.strategy) {
        Some(Strategy::Only { source }) => *source == record.system,
        _ => true,
    }
}

fn points(value: &Value) -> Decimal {
    match value {
        Value::Number(points) => *points,
        _ => Decimal::ZERO,
    }
}
