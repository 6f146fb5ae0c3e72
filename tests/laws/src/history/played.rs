//! A history played by the engine in memory.

use std::collections::BTreeMap;

use baton_core::{
    book::{Book, Item, OutBody, Settled},
    id::{EntityId, Position},
    name::Name,
    normalise,
    rules::Rules,
    state::State,
    time::Millis,
    wire::{CommandResult, ResultOutcome, SchemaVersion},
};

use super::{START, Step, changes};

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
                let change = normalise::normalise(incoming.clone(), rules).expect("mapped");
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
                schema_version: SchemaVersion::CURRENT,
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
            let item = Item::Answer {
                entity,
                answer,
                read: None,
            };
            self.book.settle(item, rules, at.plus(500));
            self.as_of = self.as_of.max(at.plus(500));
        }
        panic!("the engine goes on writing although every write was taken");
    }
}
