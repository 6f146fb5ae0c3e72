//! People of the last moments, kept as they stand in the store: a change, the answer to its command and a timer of the
//! same person come one after the other, and need not be read and unpacked each time.
//!
//! Nothing here is believed. Whoever takes somebody out asks the store whether the version still stands, and a commit
//! compares it once more. After a transaction that did not come about everything is forgotten.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use baton_core::{
    book::{Book, Entry, Needs},
    id::{EntityId, RecordKey},
};
use baton_store::Newest;

/// Bytes of all states together.
const ROOM: usize = 24 << 20;

/// Nobody stays longer than this without being asked for: values that were erased must not linger.
const STAY: Duration = Duration::from_secs(60);

/// Entities at hand.
pub(super) struct Warm {
    /// Bytes of all states together at most.
    room: usize,
    kept: HashMap<EntityId, Box<Kept>>,
    /// Whose record it is, of those that are kept.
    records: HashMap<RecordKey, EntityId>,
    /// Who came when. Who was taken and came again stands here twice, and the later place counts.
    queue: VecDeque<(EntityId, u64)>,
    /// Rises with everybody who comes.
    turn: u64,
    bytes: usize,
}

struct Kept {
    entry: Entry,
    /// The number of its newest row in the ledger, if it has one.
    newest: Option<i64>,
    /// Its records with the versions of their links, as far as they were looked up.
    links: Vec<(RecordKey, u64)>,
    bytes: usize,
    turn: u64,
    since: Instant,
}

impl Default for Warm {
    fn default() -> Self {
        Self::with_room(ROOM)
    }
}

impl Warm {
    fn with_room(room: usize) -> Self {
        Self {
            room,
            kept: HashMap::new(),
            records: HashMap::new(),
            queue: VecDeque::new(),
            turn: 0,
            bytes: 0,
        }
    }

    /// Puts what is needed and here into the book, with the links that it came with. Returns whom.
    pub fn lend(&mut self, book: &mut Book, needs: &Needs) -> Vec<EntityId> {
        let of_records = needs.links.iter().filter_map(|r| self.records.get(r));
        let wanted: Vec<EntityId> = of_records.chain(&needs.entities).copied().collect();
        let mut lent = Vec::new();
        for id in wanted {
            let Some(kept) = self.take(&id) else {
                continue;
            };
            book.entities.insert(id, kept.entry);
            if let Some(newest) = kept.newest {
                book.stored.newest.insert(id, newest);
            }
            for (record, version) in kept.links {
                book.links.insert(record.clone(), id);
                book.stored.links.insert(record, version);
            }
            lent.push(id);
        }
        lent
    }

    /// Keeps everybody of a book that is as it is stored.
    pub fn keep(&mut self, mut book: Book, now: Instant) {
        let mut links: HashMap<EntityId, Vec<(RecordKey, u64)>> = HashMap::new();
        for (record, entity) in book.links {
            if let Some(version) = book.stored.links.remove(&record) {
                links.entry(entity).or_default().push((record, version));
            }
        }
        for (id, entry) in book.entities {
            if entry.dirty || entry.version == 0 {
                continue;
            }
            // Whoever is here already is older.
            drop(self.take(&id));
            let links = links.remove(&id).unwrap_or_default();
            for (record, _) in &links {
                self.records.insert(record.clone(), id);
            }
            let bytes = entry.state.weight();
            self.turn += 1;
            self.bytes += bytes;
            self.queue.push_back((id, self.turn));
            let kept = Kept {
                entry,
                newest: book.stored.newest.remove(&id),
                links,
                bytes,
                turn: self.turn,
                since: now,
            };
            self.kept.insert(id, Box::new(kept));
        }
        self.make_room(now);
    }

    /// A commit has happened, whose ledger rows are the newest of these.
    pub fn note(&mut self, newest: &Newest) {
        for (id, seq) in newest.iter() {
            if let Some(kept) = self.kept.get_mut(id) {
                kept.newest = Some(*seq);
            }
        }
    }

    /// Forgets everybody.
    pub fn clear(&mut self) {
        *self = Self::with_room(self.room);
    }

    /// Lets go of whoever was not asked for the longest, while there is too much or it is too long ago.
    pub fn make_room(&mut self, now: Instant) {
        if self.queue.len() > 1_000 + 4 * self.kept.len() {
            let kept = &self.kept;
            self.queue
                .retain(|(id, turn)| kept.get(id).is_some_and(|kept| kept.turn == *turn));
        }
        while let Some((id, turn)) = self.queue.front().copied() {
            let here = self.kept.get(&id).filter(|kept| kept.turn == turn);
            if let Some(kept) = here {
                let stays = now.saturating_duration_since(kept.since) <= STAY;
                if self.bytes <= self.room && stays {
                    return;
                }
                drop(self.take(&id));
            }
            self.queue.pop_front();
        }
    }

    fn take(&mut self, id: &EntityId) -> Option<Box<Kept>> {
        let kept = self.kept.remove(id)?;
        self.bytes -= kept.bytes;
        for (record, _) in &kept.links {
            self.records.remove(record);
        }
        Some(kept)
    }
}

#[cfg(test)]
mod tests {
    use baton_core::{
        id::{Digest, Kind, Object},
        state::State,
    };

    use super::*;

    fn person(n: u8) -> EntityId {
        EntityId {
            kind: Kind::Person,
            digest: Digest([n; 16]),
        }
    }

    fn record(n: u8) -> RecordKey {
        RecordKey {
            system: "crm".into(),
            object: Object::Contact,
            id: format!("c{n}").into(),
        }
    }

    /// A book of one person with a record, as it is stored.
    fn book(n: u8) -> Book {
        let mut book = Book::default();
        let entry = Entry {
            state: State::new(person(n)),
            version: 3,
            dirty: false,
        };
        book.entities.insert(person(n), entry);
        book.stored.newest.insert(person(n), 7);
        book.links.insert(record(n), person(n));
        book.stored.links.insert(record(n), 2);
        book
    }

    fn needs(n: u8) -> Needs {
        Needs {
            links: vec![record(n)],
            ..Needs::default()
        }
    }

    #[test]
    fn who_is_kept_is_found_by_a_record_and_comes_with_its_link_once() {
        let mut warm = Warm::default();
        warm.keep(book(1), Instant::now());
        let mut lent = Book::default();
        assert_eq!(warm.lend(&mut lent, &needs(1)), [person(1)]);
        assert_eq!(lent.entities[&person(1)].version, 3);
        assert_eq!(lent.stored.newest[&person(1)], 7);
        assert_eq!(lent.links[&record(1)], person(1));
        assert_eq!(lent.stored.links[&record(1)], 2);
        assert!(warm.lend(&mut Book::default(), &needs(1)).is_empty());
        assert_eq!((warm.bytes, warm.records.len()), (0, 0));
    }

    #[test]
    fn who_was_not_asked_for_the_longest_goes_first_when_there_is_no_room() {
        let one = State::new(person(1)).weight();
        let mut warm = Warm::with_room(2 * one);
        let now = Instant::now();
        warm.keep(book(1), now);
        warm.keep(book(2), now);
        // The first is asked for, and comes back.
        let mut lent = Book::default();
        let _ = warm.lend(&mut lent, &needs(1));
        warm.keep(lent, now);
        warm.keep(book(3), now);
        assert!(warm.lend(&mut Book::default(), &needs(2)).is_empty());
        assert_eq!(warm.lend(&mut Book::default(), &needs(1)), [person(1)]);
        assert_eq!(warm.lend(&mut Book::default(), &needs(3)), [person(3)]);
    }

    #[test]
    fn nobody_stays_who_is_not_asked_for() {
        let mut warm = Warm::default();
        let now = Instant::now();
        warm.keep(book(1), now);
        warm.make_room(now + STAY);
        assert_eq!(warm.kept.len(), 1);
        warm.make_room(now + STAY + Duration::from_millis(1));
        assert!(warm.lend(&mut Book::default(), &needs(1)).is_empty());
    }

    #[test]
    fn what_is_not_stored_as_it_stands_in_the_book_is_not_kept() {
        let mut warm = Warm::default();
        let mut changed = book(1);
        for entry in changed.entities.values_mut() {
            entry.dirty = true;
        }
        warm.keep(changed, Instant::now());
        assert!(warm.lend(&mut Book::default(), &needs(1)).is_empty());
    }
}
