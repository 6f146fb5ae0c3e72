//! How far each partition has been settled, as the store has it: what a commit continues from.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Range,
    sync::Arc,
};

use baton_core::time::Millis;
use baton_store::{Advance, StoredPosition};

use super::Consumed;
use crate::kafka::Stored;

/// Positions of all partitions and incarnations.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// None: it is known that there is a position, and not where this worker would go on from.
    known: BTreeMap<(String, i32, String), Option<Known>>,
    /// Which incarnation a partition is in.
    current: HashMap<(Arc<str>, i32), String>,
    /// Partitions that this worker has had before.
    had: BTreeSet<(String, i32)>,
    /// What others have settled before this worker could, and which it may still have in hand.
    overtaken: BTreeMap<(String, i32, String), Range<i64>>,
}

/// One position.
#[derive(Clone, Copy, Debug)]
struct Known {
    next: i64,
    /// Of the message before it; only what comes from the store knows it for sure.
    arrival: Option<Millis>,
}

impl From<&StoredPosition> for Known {
    fn from(row: &StoredPosition) -> Self {
        Self {
            next: row.next,
            arrival: row.arrival,
        }
    }
}

/// The incarnation's name in the store: the arrival of the message at offset 0 in ms since 1970.
fn name(first: Millis) -> String {
    first.0.to_string()
}

impl Places {
    #[must_use]
    pub fn new(stored: Vec<StoredPosition>) -> Self {
        let mut places = Self::default();
        for row in stored {
            let known = Known::from(&row);
            let key = (row.topic, row.partition, row.incarnation);
            places.known.insert(key, Some(known));
        }
        places
    }

    /// The positions of a partition, as [`crate::kafka::start`] wants them.
    #[must_use]
    pub fn of(&self, topic: &str, partition: i32) -> Vec<Stored> {
        self.rows(topic, partition)
            .filter_map(|(incarnation, known)| {
                let known = known?;
                Some(Stored {
                    incarnation: incarnation.parse().ok().map(Millis),
                    next: known.next,
                    arrival: known.arrival,
                })
            })
            .collect()
    }

    fn rows(&self, topic: &str, partition: i32) -> impl Iterator<Item = (&str, Option<Known>)> {
        let from = (topic.to_owned(), partition, String::new());
        self.known
            .range(from..)
            .take_while(move |((t, p, _), _)| t == topic && *p == partition)
            .map(|((_, _, incarnation), known)| (incarnation.as_str(), *known))
    }

    /// Partitions have come to this worker: what others have settled of them is learned.
    ///
    /// Of a partition that it has had before, every place stays as it is, also that there was none. If somebody has
    /// moved it since, the next commit finds out, and only then is it known what of a batch in hand is settled; see
    /// [`Places::refresh`].
    pub fn assigned(&mut self, stored: &[StoredPosition], keys: &[(String, i32)]) {
        for (topic, partition) in keys {
            self.current
                .retain(|(t, p), _| **t != **topic || p != partition);
            let first = self.had.insert((topic.clone(), *partition));
            let of_it = stored
                .iter()
                .filter(|row| row.topic == *topic && row.partition == *partition);
            for row in of_it {
                let key = (topic.clone(), *partition, row.incarnation.clone());
                self.wound_back(&key, row.next);
                self.known
                    .entry(key)
                    .or_insert_with(|| first.then(|| row.into()));
            }
        }
    }

    /// The incarnation that `message` belongs to: where the log could not tell, the newest that the store knows.
    fn incarnation(&mut self, message: &Consumed) -> String {
        let key = (message.topic.clone(), message.partition);
        if message.offset == 0 {
            let incarnation = name(message.arrival);
            self.current.insert(key, incarnation.clone());
            return incarnation;
        }
        if let Some(born) = message.born {
            return name(born);
        }
        if let Some(known) = self.current.get(&key) {
            return known.clone();
        }
        let newest = self
            .rows(&message.topic, message.partition)
            .max_by_key(|(incarnation, _)| incarnation.parse::<i64>().ok())
            .map(|(incarnation, _)| incarnation.to_owned())
            .unwrap_or_default();
        self.current.insert(key, newest.clone());
        newest
    }

    /// Takes out of a batch what others have settled while it waited: what [`Places::refresh`] found of another batch.
    /// The batch is in the order of offsets within each partition.
    pub fn leave_out(&mut self, batch: &mut Vec<Consumed>) {
        if self.overtaken.is_empty() {
            return;
        }
        batch.retain(|message| {
            let incarnation = self.incarnation(message);
            let key = (message.topic.to_string(), message.partition, incarnation);
            let overtaken = self.overtaken.get(&key);
            !overtaken.is_some_and(|range| range.contains(&message.offset))
        });
    }

    /// The store is at `next`: what comes after it is settled anew, whoever had settled it.
    fn wound_back(&mut self, key: &(String, i32, String), next: i64) {
        if self.overtaken.get(key).is_some_and(|o| next < o.end) {
            self.overtaken.remove(key);
        }
    }

    /// What a batch moves forward: per partition, from the stored position to behind its last message. The batch
    /// is in the order of offsets within each partition.
    pub fn advances(&mut self, batch: &[Consumed]) -> Vec<Advance> {
        let mut ends: BTreeMap<(Arc<str>, i32), (String, &Consumed)> = BTreeMap::new();
        for message in batch {
            let key = (message.topic.clone(), message.partition);
            match ends.get_mut(&key) {
                Some((_, last)) if message.offset > 0 && message.born == last.born => {
                    *last = message;
                }
                _ => {
                    let incarnation = self.incarnation(message);
                    self.say_if_wound_back(message, &incarnation);
                    ends.insert(key, (incarnation, message));
                }
            }
        }
        ends.into_iter()
            .map(|((topic, partition), (incarnation, last))| {
                let key = (topic.to_string(), partition, incarnation);
                Advance {
                    topic: (&*topic).into(),
                    partition,
                    from: self.known.get(&key).copied().flatten().map(|k| k.next),
                    incarnation: key.2.as_str().into(),
                    next: last.offset + 1,
                    arrival: last.arrival,
                }
            })
            .collect()
    }

    /// A log that lost its tail under a reader is read from its beginning again by the reader itself.
    fn say_if_wound_back(&self, message: &Consumed, incarnation: &str) {
        let key = (
            message.topic.to_string(),
            message.partition,
            incarnation.to_owned(),
        );
        let position = self.known.get(&key).copied().flatten().map(|k| k.next);
        if let Some(position) = position.filter(|position| message.offset < *position) {
            tracing::error!(
                topic = key.0,
                partition = key.1,
                position,
                offset = message.offset,
                "the store is ahead of its log: what is read now lies before the stored position and is settled again"
            );
        }
    }

    /// The commit has happened.
    pub fn moved(&mut self, advances: &[Advance]) {
        for advance in advances {
            let key = (
                advance.topic.to_string(),
                advance.partition,
                advance.incarnation.to_string(),
            );
            let known = Known {
                next: advance.next,
                arrival: Some(advance.arrival),
            };
            // Batches come in order: nothing before that is in hand any more. Should the log lose its tail, other messages
            // will stand there.
            if self
                .overtaken
                .get(&key)
                .is_some_and(|o| advance.next >= o.end)
            {
                self.overtaken.remove(&key);
            }
            self.known.insert(key, Some(known));
        }
    }

    /// The commit that [`Places::moved`] was told of ahead of its time has not happened.
    pub fn stayed(&mut self, advances: &[Advance]) {
        for advance in advances {
            let key = (
                advance.topic.to_string(),
                advance.partition,
                advance.incarnation.to_string(),
            );
            let arrival = None;
            let known = advance.from.map(|next| Known { next, arrival });
            self.known.insert(key, known);
        }
    }

    /// Takes over what the store has by now of the batch's partitions, and tells which of its messages somebody else
    /// has settled since: those before a position that has moved on without us. What of them is in batches that wait is
    /// left out when their turn comes; see [`Places::leave_out`].
    ///
    /// Of other partitions nothing is learned: a batch of theirs that waits would pass for one that goes on from there.
    pub fn refresh(&mut self, stored: Vec<StoredPosition>, batch: &mut Vec<Consumed>) {
        let of_batch: BTreeSet<(String, i32, String)> = batch
            .iter()
            .map(|m| (m.topic.to_string(), m.partition, self.incarnation(m)))
            .collect();
        let mut fresh = Self::new(stored);
        for key in &of_batch {
            let next = |places: &BTreeMap<_, Option<Known>>| {
                let known: Option<Known> = places.get(key).copied().flatten();
                known.map(|known| known.next)
            };
            let (before, now) = (next(&self.known), next(&fresh.known));
            let Some(now) = now else { continue };
            self.wound_back(key, now);
            let from = before.unwrap_or(0);
            if from < now {
                let overtaken = self.overtaken.entry(key.clone()).or_insert(from..now);
                *overtaken = overtaken.start.min(from)..now;
            }
        }
        self.leave_out(batch);
        let parts: BTreeSet<(&str, i32)> =
            of_batch.iter().map(|(t, p, _)| (t.as_str(), *p)).collect();
        let is_of_batch = |(topic, partition, _): &(String, i32, String)| {
            parts.contains(&(topic.as_str(), *partition))
        };
        self.known.retain(|place, _| !is_of_batch(place));
        fresh.known.retain(|place, _| is_of_batch(place));
        self.known.append(&mut fresh.known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Headers;

    fn message(partition: i32, offset: i64, arrival: i64) -> Consumed {
        Consumed {
            topic: Arc::from("t"),
            partition,
            offset,
            arrival: Millis(arrival),
            born: None,
            key: None,
            payload: None,
            headers: Headers::default(),
        }
    }

    fn stored(incarnation: &str, next: i64) -> StoredPosition {
        StoredPosition {
            topic: "t".into(),
            partition: 0,
            incarnation: incarnation.into(),
            next,
            arrival: Some(Millis(next)),
        }
    }

    #[test]
    fn a_batch_continues_from_the_stored_position() {
        let mut places = Places::new(vec![stored("50", 3)]);
        let advances = places.advances(&[message(0, 3, 60), message(0, 4, 61)]);
        assert_eq!(advances.len(), 1);
        assert_eq!((advances[0].from, advances[0].next), (Some(3), 5));
        assert_eq!(advances[0].incarnation, "50");
    }

    #[test]
    fn a_topic_created_anew_gets_a_position_of_its_own() {
        let mut places = Places::new(vec![stored("50", 300)]);
        let advances = places.advances(&[message(0, 0, 90), message(0, 1, 91)]);
        assert_eq!((advances[0].from, advances[0].next), (None, 2));
        assert_eq!(advances[0].incarnation, "90");
    }

    #[test]
    fn offsets_wound_back_are_read_again_and_not_skipped() {
        let mut places = Places::new(vec![stored("50", 300)]);
        let advances = places.advances(&[message(0, 0, 50), message(0, 1, 51)]);
        assert_eq!((advances[0].from, advances[0].next), (Some(300), 2));
    }

    #[test]
    fn a_partition_that_comes_from_another_worker_goes_on_in_its_own_place() {
        let mut places = Places::default();
        let keys = [("t".to_owned(), 0)];
        places.assigned(&[stored("50", 3)], &keys);
        let advances = places.advances(&[message(0, 3, 60)]);
        assert_eq!(advances[0].incarnation, "50");
        assert_eq!((advances[0].from, advances[0].next), (Some(3), 4));
        places.moved(&advances);

        // It went away and comes back: whoever had it meanwhile is noticed by the commit, not before.
        places.assigned(&[stored("50", 9)], &keys);
        assert_eq!(places.advances(&[message(0, 9, 70)])[0].from, Some(4));
    }

    /// Found by the simulation: the first batch of a partition waited, another worker settled it, and when the partition
    /// came back it was settled a second time.
    #[test]
    fn a_first_batch_that_waited_is_not_taken_for_one_that_goes_on() {
        let mut places = Places::default();
        let keys = [("t".to_owned(), 0)];
        places.assigned(&[], &keys);
        let mut waits = vec![message(0, 0, 50), message(0, 1, 51)];
        places.assigned(&[stored("50", 2)], &keys);
        let advances = places.advances(&waits);
        assert_eq!(advances[0].from, None, "the store is at 2 and refuses it");
        places.refresh(vec![stored("50", 2)], &mut waits);
        assert!(waits.is_empty());
    }

    /// Found by the simulation: a batch that waited passed for one that goes on where another worker had come to, and was
    /// settled a second time.
    #[test]
    fn a_conflict_of_one_batch_says_nothing_of_another_that_waits() {
        let of = |partition, next| StoredPosition {
            partition,
            ..stored("50", next)
        };
        let mut places = Places::new(vec![of(0, 3), of(1, 5)]);
        let (mut first, mut waits) = (vec![message(0, 3, 60)], vec![message(1, 5, 60)]);
        let _ = places.advances(&first);
        let _ = places.advances(&waits);
        places.refresh(vec![of(0, 4), of(1, 9)], &mut first);
        assert!(first.is_empty());
        let advances = places.advances(&waits);
        assert_eq!(
            advances[0].from,
            Some(5),
            "the store is at 9 and refuses it"
        );
        places.refresh(vec![of(0, 4), of(1, 9)], &mut waits);
        assert!(waits.is_empty());
    }

    /// Found by the simulation: a conflict of one batch taught where others had come to, and the next batch of the same
    /// partition, which reached from before there to behind it, was settled and counted a second time.
    #[test]
    fn what_others_have_settled_is_left_out_of_all_batches_that_wait() {
        let mut places = Places::new(vec![stored("50", 8)]);
        let mut first = vec![message(0, 8, 60), message(0, 9, 61), message(0, 10, 62)];
        let mut waits = vec![message(0, 11, 63), message(0, 12, 64)];
        let _ = places.advances(&first);
        places.refresh(vec![stored("50", 12)], &mut first);
        assert!(first.is_empty());
        places.leave_out(&mut waits);
        assert_eq!(waits.iter().map(|m| m.offset).collect::<Vec<_>>(), [12]);

        // Once that is settled, what stands at these offsets is new: the log has lost its tail and grown again.
        let mut grown = places.clone();
        let advances = grown.advances(&waits);
        grown.moved(&advances);
        let mut new = vec![message(0, 8, 90), message(0, 11, 93)];
        grown.leave_out(&mut new);
        assert_eq!(new.len(), 2);

        // An operator has wound it back: whatever is read from there is settled.
        places.assigned(&[stored("50", 10)], &[("t".to_owned(), 0)]);
        let mut again = vec![message(0, 10, 62), message(0, 11, 63)];
        places.leave_out(&mut again);
        assert_eq!(again.len(), 2);
        // So is what a topic that was made anew has at these offsets.
        places.refresh(vec![stored("50", 13)], &mut again);
        let mut anew: Vec<Consumed> = (0..13)
            .map(|offset| message(0, offset, 90 + offset))
            .collect();
        places.leave_out(&mut anew);
        assert_eq!(anew.len(), 13);
    }

    /// Found by the simulation: a batch of the old topic was settled anew after one of the new topic, and its place was
    /// taken for one of the new topic.
    #[test]
    fn a_batch_that_waits_belongs_to_the_topic_that_it_was_read_from() {
        let of = |born, offset, arrival| Consumed {
            born: Some(Millis(born)),
            ..message(0, offset, arrival)
        };
        let mut places = Places::new(vec![stored("50", 6)]);
        let old = [of(50, 6, 60)];
        let new = [of(90, 0, 90), of(90, 1, 91)];
        let _ = places.advances(&old);
        let anew = places.advances(&new);
        assert_eq!((&*anew[0].incarnation, anew[0].next), ("90", 2));
        places.moved(&anew);
        let advances = places.advances(&old);
        assert_eq!(
            (&*advances[0].incarnation, advances[0].from),
            ("50", Some(6))
        );
        // Nor does a partition that comes back say otherwise.
        places.assigned(&[stored("50", 6), stored("90", 2)], &[("t".to_owned(), 0)]);
        assert_eq!(&*places.advances(&old)[0].incarnation, "50");
        let goes_on = [of(50, 6, 60), of(90, 2, 92)];
        assert_eq!(&*places.advances(&goes_on)[0].incarnation, "90");
    }

    #[test]
    fn what_another_worker_has_settled_since_is_left_out() {
        let mut places = Places::new(vec![stored("50", 3)]);
        let mut batch = vec![message(0, 3, 60), message(0, 4, 61), message(0, 5, 62)];
        let _ = places.advances(&batch);
        places.refresh(vec![stored("50", 5)], &mut batch);
        assert_eq!(batch.iter().map(|m| m.offset).collect::<Vec<_>>(), [5]);
        assert_eq!(places.advances(&batch)[0].from, Some(5));
    }
}
