//! Writes what a batch changed, in one transaction with the positions it came from.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    book::{Book, Parked},
    change::Format,
    id::{Digest, EntityId, RecordKey},
    name::Name,
    time::Millis,
};
use compact_str::CompactString;

use crate::{error::Error, open::Store, read::LedgerEntry, ready::Ready, runs::RunCounts};

/// What a commit writes besides the book.
#[derive(Default, Debug)]
pub struct Batch {
    pub positions: Vec<Advance>,
    pub dead_letters: Vec<DeadLetter>,
    /// Dead letters whose messages were settled again in this batch. One that fails again stands in
    /// `dead_letters` too, and stays open.
    pub retried: Vec<Digest>,
    pub erasure: Erasure,
    /// What became of the messages of each `ingest`, and the transaction's time.
    pub runs: Vec<(String, Millis, RunCounts)>,
}

/// Values that must not be kept any longer, outside of the state. In one transaction with the entity's erased
/// state, whose version makes sure that no input of it came in between.
#[derive(Default, Debug)]
pub struct Erasure {
    /// Ledger rows without the values, each in the place of the one with its number.
    pub ledger: Vec<LedgerEntry>,
    /// Parked changes without the values. Open ones stay open.
    pub parked: Vec<Parked>,
    /// Dead letters that lose payload, key and texts, and are dropped.
    pub dead_letters: Vec<Digest>,
}

/// How far a partition was consumed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advance {
    pub topic: CompactString,
    /// Kafka's partition number, at least 0.
    pub partition: i32,
    /// Which life of the topic; a topic that was deleted and made again has another one and starts anew.
    pub incarnation: CompactString,
    /// The stored position that the batch continued from; none where there was none. If the store has another one
    /// by now, somebody else consumes the partition and the commit is a [`Error::Conflict`].
    pub from: Option<i64>,
    /// The next offset to consume.
    pub next: i64,
    /// Arrival of the message before it, by which a log that lost its tail is known.
    pub arrival: Millis,
}

/// A message that could not be understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeadLetter {
    pub id: Digest,
    pub at: Millis,
    /// Code of its help page.
    pub code: CompactString,
    /// Where in the message.
    pub place: String,
    pub what: String,
    pub fix: String,
    pub system: Name,
    pub format: Format,
    /// The vendor's or our name of the object, where known.
    pub object: Option<CompactString>,
    pub topic: CompactString,
    pub partition: i32,
    pub offset: i64,
    /// The message's key, where it has one.
    pub key: Option<Vec<u8>>,
    pub payload: Vec<u8>,
}

/// What a commit wrote.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Committed {
    pub entities: usize,
    pub ledger: usize,
    /// Messages that now wait for the relay.
    pub messages: usize,
}

/// What a commit writes, ready to be written: see [`Store::prepare`].
pub struct Prepared {
    ready: Ready,
    committed: Committed,
    alone: bool,
}

/// The number of the newest row in the ledger of each entity that a commit wrote.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Newest(BTreeMap<EntityId, i64>);

impl Newest {
    pub fn iter(&self) -> impl Iterator<Item = (&EntityId, &i64)> {
        self.0.iter()
    }
}

impl Prepared {
    /// Whether the next batch must wait until this is written, because a book cannot stand for all that it writes:
    /// counts that all batches add to, and rows that were written without having been read.
    #[must_use]
    pub const fn stands_alone(&self) -> bool {
        self.alone
    }

    /// Goes on from what the commit before this one wrote, if this was prepared while that was under way.
    pub fn follow(&mut self, before: &Newest) {
        for row in &self.ready.entities {
            if let Some(newest) = before.0.get(&row.id) {
                self.ready.newest.insert(row.id, *newest);
            }
        }
    }
}

impl Store {
    /// Writes what changed in the book, its output and the positions, all or nothing.
    ///
    /// Afterwards the book is as loaded afresh: nothing dirty, output empty, versions those of the store. It may be
    /// kept for the next batch. After an error it must be dropped: what it holds was not stored.
    ///
    /// When its future is dropped before it is done, the outcome is unknown too.
    ///
    /// # Errors
    /// [`Error::Conflict`] if a row changed since the book read it, or a position is not what the batch continued
    /// from: drop the book, read the positions, load and settle again. [`Error::CommitUnknown`] if it may have
    /// happened: read the positions to find out. Otherwise nothing was written.
    pub async fn commit(&self, book: &mut Book, batch: &Batch) -> Result<Committed, Error> {
        let prepared = Self::prepare(book, batch)?;
        let committed = prepared.committed;
        let newest = self.write(prepared).await?;
        book.stored.newest.extend(newest.0);
        Ok(committed)
    }

    /// The first half of [`Store::commit`], which needs no database: makes the rows. The book then is what it will be
    /// when they are written, and the next batch may be settled on it meanwhile; should they not be written, it must be
    /// dropped together with everything that was settled on it.
    ///
    /// # Errors
    /// If the book or the batch contradicts itself, which is a mistake in Baton.
    pub fn prepare(book: &mut Book, batch: &Batch) -> Result<Prepared, Error> {
        let ready = Ready::of(book, batch)?;
        let committed = Committed {
            entities: ready.entities.len(),
            ledger: ready.ledger.len(),
            messages: book.out.messages.len(),
        };
        let alone = ready.moves_what_is_shared();
        settle_versions(book, &ready);
        Ok(Prepared {
            ready,
            committed,
            alone,
        })
    }

    /// The second half of [`Store::commit`]: one transaction.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn write(&self, prepared: Prepared) -> Result<Newest, Error> {
        let mut ready = prepared.ready;
        let pages = ready.pages();
        let mut tx = self.pool.write().await?;
        let mut conn = tx.conn();
        ready.look_up_blind(&mut conn).await?;
        ready.write(&mut conn).await?;
        tx.commit().await?;
        self.pool.grown(pages);
        Ok(Newest(ready.newest))
    }

    /// Parts a book in two: what the next batch must see while the commit is under way, which is what is written, and
    /// entities that were only looked at, which are as they are stored. Entities take their records' links along. What
    /// else was looked up is dropped; it can be read.
    #[must_use]
    pub fn parted(mut book: Book, prepared: &Prepared) -> (Book, Book) {
        let mut carried = Book::default();
        for row in &prepared.ready.entities {
            if let Some(entry) = book.entities.remove(&row.id) {
                carried.entities.insert(row.id, entry);
            }
            if let Some(newest) = book.stored.newest.remove(&row.id) {
                carried.stored.newest.insert(row.id, newest);
            }
        }
        let mut seen = Book {
            entities: book.entities,
            ..Book::default()
        };
        seen.stored.newest = book.stored.newest;
        for (record, entity) in book.links {
            let Some(version) = book.stored.links.remove(&record) else {
                continue;
            };
            let written = carried.entities.contains_key(&entity);
            let part = if written { &mut carried } else { &mut seen };
            part.stored.links.insert(record.clone(), version);
            part.links.insert(record, entity);
        }
        for record in &prepared.ready.written.links {
            // Of an entity that is not written: it must be seen nonetheless.
            if let Some(entity) = seen.links.remove(record) {
                carried.links.insert(record.clone(), entity);
            }
            if let Some(version) = seen.stored.links.remove(record) {
                carried.stored.links.insert(record.clone(), version);
            }
        }
        for key in &prepared.ready.written.keys {
            if let Some(holders) = book.keys.remove(key) {
                carried.keys.insert(*key, holders);
            }
            if let Some(version) = book.stored.keys.remove(key) {
                carried.stored.keys.insert(*key, version);
            }
        }
        for address in &prepared.ready.written.addresses {
            if let Some(row) = book.addresses.remove(address) {
                carried.addresses.insert(*address, row);
            }
        }
        (carried, seen)
    }
}

/// Makes the book what a fresh load would give.
fn settle_versions(book: &mut Book, ready: &Ready) {
    for entry in book.entities.values_mut().filter(|e| e.dirty) {
        entry.version += 1;
        entry.dirty = false;
    }
    for row in book.addresses.values_mut().filter(|a| a.dirty) {
        row.version += 1;
        row.dirty = false;
    }
    for reading in book.rereads.values_mut().filter(|r| r.dirty) {
        reading.version += 1;
        reading.dirty = false;
    }
    let out = std::mem::take(&mut book.out);
    // What was moved without being looked up is stored now, and no part of what is looked up next.
    let looked_up = &book.stored.holdings;
    book.holdings
        .retain(|holding, _| looked_up.contains(holding));
    let records: BTreeSet<RecordKey> = out.links.into_iter().map(|(record, _)| record).collect();
    for record in records {
        if let Some(version) = book.stored.links.get_mut(&record) {
            *version += 1;
        }
    }
    let keys: BTreeSet<Digest> = out
        .keys_added
        .into_iter()
        .chain(out.keys_removed)
        .map(|(key, _)| key)
        .collect();
    for key in keys {
        if let Some(version) = book.stored.keys.get_mut(&key) {
            *version += 1;
        }
    }
    // What was written without being read is not known as a whole: the next batch that wants it reads it.
    for key in ready.blind_keys.keys() {
        book.keys.remove(key);
    }
    for record in ready.blind_links.keys() {
        book.links.remove(record);
    }
}
