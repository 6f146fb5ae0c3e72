//! What goes wrong from outside: partitions that move, a topic made anew, a store put back.

use std::collections::VecDeque;

use futures::FutureExt;

use super::{Step, World, look};
use crate::{chance::Mishap, log::Place, worker::Worker};

impl World<'_> {
    /// Adds what can go wrong, each as seldom as the plan says.
    pub(super) fn mishaps(&self, steps: &mut Vec<(u32, Step)>) {
        let mut dice = self.chance.dice();
        let plan = self.plan;
        let number = dice.below(self.workers.len());
        let worker = &self.workers[number];
        let running = worker.engine.is_some() && worker.hung.is_none();
        let often = 1_000;
        if worker.engine.is_some() && dice.chance(plan.crashes) {
            steps.push((often, Step::Crash(number)));
        }
        if running && dice.chance(plan.hangs) {
            steps.push((often, Step::Hang(number)));
        }
        if dice.chance(plan.rebalances) {
            steps.push((often, Step::Rebalance));
        }
        if plan.jumps && dice.chance(5) {
            steps.push((often, Step::Jump(number)));
        }
        if plan.recreates && !self.recreated && dice.chance(3) {
            steps.push((often, Step::Recreate));
        }
        if plan.restores && self.backup.is_none() && dice.chance(8) {
            steps.push((often, Step::Backup));
        }
        if plan.restores && self.backup.is_some() && dice.chance(3) {
            steps.push((often, Step::Restore));
        }
    }

    /// All partitions are given out anew among those who take part. Whoever hangs keeps its seats and does not know.
    pub(super) fn rebalance(&mut self) {
        let mut members: VecDeque<usize> = (0..self.workers.len())
            .filter(|number| self.workers[*number].is_member())
            .collect();
        if members.is_empty() {
            return;
        }
        let turn = self.chance.dice().below(members.len());
        members.rotate_left(turn);
        let mut given: Vec<(usize, Vec<Place>)> = members
            .into_iter()
            .map(|number| (number, Vec::new()))
            .collect();
        let topics = self.log.topics();
        let consumed = self.active.topics.consumed();
        let places = consumed.iter().flat_map(|topic| topics.places(topic));
        let count = given.len();
        for (index, place) in places.enumerate() {
            given[index % count].1.push(place);
        }
        drop(topics);
        for (number, places) in given {
            self.workers[number].assign(places);
        }
    }

    pub(super) fn recreate(&mut self) {
        self.recreated = true;
        let mut dice = self.chance.dice();
        dice.note(Mishap::TopicRecreated);
        let consumed = self.active.topics.consumed();
        let topic = &consumed[dice.below(consumed.len())];
        drop(dice);
        // Made anew within the same millisecond it could not be told from the old one.
        self.advance(self.now.plus(1));
        self.log.topics().recreate(topic);
        self.rebalance();
    }

    /// Everybody is stopped, the store is put back to what it was, everybody starts again.
    pub(super) fn restore(&mut self) {
        self.chance.dice().note(Mishap::StoreRestored);
        self.workers.iter_mut().for_each(Worker::crash);
        if let Some((backup, counts, counted)) = self.backup.take() {
            (self.counts, self.counted) = (counts, counted);
            look(
                self.memory
                    .restore(&backup)
                    .map(Ok::<(), baton_store::Error>),
            );
        }
        self.reached.clear();
        self.look_around();
    }
}
