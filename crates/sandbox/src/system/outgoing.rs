//! The messages of a system on their way: how late, how often, in which order.

use baton_core::{id::Object, time::Millis};
use rand::RngExt;

use super::{Changed, System};
use crate::{
    By, Dialect,
    emit::{self, Happening, Kind},
    text,
};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TopicKind {
    /// `baton.<system>.changes`
    Changes,
    /// `baton.<system>.results`
    Results,
}

/// A message whose time has come.
#[derive(Clone, PartialEq, Debug)]
pub struct Outgoing {
    /// When it reaches the log.
    pub at: Millis,
    pub topic: TopicKind,
    /// `object:id` of the record; the command's id where a result names no record.
    pub key: String,
    pub object: Object,
    pub payload: Vec<u8>,
    pub arrival: Arrival,
}

/// How a message comes, for those who watch; the message itself does not tell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Arrival {
    /// For the first time, within the usual delay.
    Usual,
    /// For the first time, later than usual and perhaps after newer ones.
    Late,
    /// Again.
    Again,
}

impl System {
    /// Sends the vendor's message about what happened, as late and as often as the habits say.
    pub(super) fn announce(
        &mut self,
        kind: Kind,
        by: &By,
        object: Object,
        id: &str,
        changed: &Changed,
        in_transaction: u32,
    ) {
        if self.habits.event_per_field && kind == Kind::Update && changed.len() > 1 {
            for (field, values) in changed {
                let one = Changed::from([(field.clone(), values.clone())]);
                self.announce_one(kind.clone(), by, object, id, &one, in_transaction);
            }
        } else {
            self.announce_one(kind, by, object, id, changed, in_transaction);
        }
    }

    fn announce_one(
        &mut self,
        kind: Kind,
        by: &By,
        object: Object,
        id: &str,
        changed: &Changed,
        in_transaction: u32,
    ) {
        self.sequence += 1;
        let gap = self.chance(self.habits.delivery.gap_per_mille)
            && self.habits.dialect != Dialect::Mautic
            && kind == Kind::Update;
        let Some(record) = self.records.get(&(object, id.to_owned())) else {
            return;
        };
        let payloads = emit::payloads(
            &self.habits,
            &Happening {
                kind: if gap { Kind::Gap } else { kind },
                object,
                id,
                record,
                changed,
                stamp: text::stamp(self.now, self.habits.stamps),
                sequence: self.sequence,
                transaction: self.transaction,
                in_transaction,
                by,
            },
        );
        for payload in payloads {
            self.deliver(object, id, payload);
        }
    }

    fn deliver(&mut self, object: Object, id: &str, payload: Vec<u8>) {
        let habits = self.habits.delivery.clone();
        let key = (object, id.to_owned());
        let mut at = self.now.plus(self.draw(habits.delay));
        let late = self.chance(habits.late_per_mille);
        let late_by = self.draw(habits.late_by);
        let twice = self.chance(habits.twice_per_mille);
        let twice_after = self.draw(habits.twice_after);
        if late {
            at = at.plus(late_by);
        } else if habits.ordered {
            at = self.last_due.get(&key).map_or(at, |last| at.max(*last));
            self.last_due.insert(key, at);
        }
        let message = Outgoing {
            at,
            topic: TopicKind::Changes,
            key: format!("{object}:{id}"),
            object,
            payload,
            arrival: if late { Arrival::Late } else { Arrival::Usual },
        };
        let again = twice.then(|| Outgoing {
            at: at.plus(twice_after),
            arrival: Arrival::Again,
            ..message.clone()
        });
        self.schedule(message);
        again.into_iter().for_each(|message| self.schedule(message));
    }

    pub(super) fn schedule(&mut self, message: Outgoing) {
        self.scheduled += 1;
        self.outbox.insert((message.at, self.scheduled), message);
    }

    pub(super) fn draw(&mut self, (least, most): (i64, i64)) -> i64 {
        if most > least {
            self.rng.random_range(least..=most)
        } else {
            least
        }
    }

    pub(super) fn chance(&mut self, per_mille: u32) -> bool {
        per_mille > 0 && self.rng.random_range(0..1_000) < per_mille
    }
}
