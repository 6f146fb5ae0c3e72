//! The rows of a commit: made before its transaction begins, written in it.

mod statements;

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    book::{Book, LedgerRow, Out, OutBody},
    id::{Digest, EntityId, Kind, RecordKey},
    input::Input,
};

use crate::{
    blob::{self, BlobError},
    code,
    commit::{Batch, DeadLetter, Erasure},
    error::Error,
    fold,
    funnel::{ERASE_DEEDS, FunnelRows, LEAVE_STANDINGS, PUT_DEEDS, PUT_STANDINGS, UNDO_DEEDS},
    load::{fetch_keys, fetch_links},
    packet::Packet,
    sql::{Conn, Rows, escape},
};
pub(crate) use statements::PUT_ENTITIES;
use statements::{
    COUNT_RUNS, ERASE_DEAD_LETTERS, LEDGER_NUMBERS, MOVE_HOLDINGS, PUT_ADDRESSES, PUT_DEAD_LETTERS,
    PUT_GUARDS, PUT_KEYS, PUT_LEDGER, PUT_LINKS, PUT_OUTBOX, PUT_PARKED, PUT_POSITIONS,
    PUT_REREADS, RETRIED, REWRITE_LEDGER, REWRITE_PARKED, UNPARK,
};

/// Stands for "there was no position"; no offset is negative.
const NO_POSITION: i64 = -1;

/// An entity's row but for the number of its newest row in the ledger.
pub(crate) struct EntityRow {
    pub id: EntityId,
    version: i64,
    wake: Option<i64>,
    body: Vec<u8>,
}

/// A row of the ledger but for the numbers.
pub(crate) struct InputRow {
    entity: EntityId,
    at: i64,
    input: &'static str,
    event: Option<Vec<u8>>,
    outcome: &'static str,
    body: Vec<u8>,
}

/// Rows that stand in a book, by their keys.
#[derive(Default)]
pub(crate) struct Written {
    pub links: Vec<RecordKey>,
    pub keys: Vec<Digest>,
    pub addresses: Vec<Digest>,
}

/// Everything of a commit that can be made ready before its transaction begins.
#[derive(Default)]
pub(crate) struct Ready {
    pub entities: Vec<EntityRow>,
    links: Rows,
    keys: Rows,
    addresses: Rows,
    guards: Rows,
    holdings: Rows,
    runs: Rows,
    rereads: Rows,
    pub ledger: Vec<InputRow>,
    /// The number of each entity's newest row in the ledger: as stored, and after writing as it is then.
    pub newest: BTreeMap<EntityId, i64>,
    pub outbox: Rows,
    outbox_bytes: usize,
    positions: Rows,
    parked: Rows,
    unparked: Rows,
    dead_letters: Rows,
    retried: Rows,
    rewritten_ledger: Rows,
    rewritten_parked: Rows,
    erased_letters: Rows,
    funnel: FunnelRows,
    /// Which rows, besides those of entities, the batch writes.
    pub written: Written,
    /// Links that the batch made without having looked the record up.
    pub blind_links: BTreeMap<RecordKey, EntityId>,
    /// Keys that the batch changed without having looked them up: entity → has it now.
    pub blind_keys: BTreeMap<Digest, BTreeMap<EntityId, bool>>,
}

impl Ready {
    /// Rows are sorted by their keys wherever two workers may meet, so that they wait for each other instead of
    /// deadlocking.
    pub fn of(book: &Book, batch: &Batch) -> Result<Self, Error> {
        let mut ready = Self::default();
        let mut dirty: Vec<_> = book.entities.iter().filter(|(_, e)| e.dirty).collect();
        dirty.sort_unstable_by_key(|(id, _)| **id);
        for (id, entry) in dirty {
            ready.entities.push(EntityRow {
                id: *id,
                version: next_version(entry.version)?,
                wake: entry.state.wake.map(|wake| wake.0),
                body: blob::encode_state(&entry.state).map_err(|e| unwritable("a state", e))?,
            });
            if entry.state.erased.is_some() && id.kind == Kind::Person {
                ready.funnel.erase(*id);
            }
            if let Some(newest) = book.stored.newest.get(id) {
                ready.newest.insert(*id, *newest);
            }
        }
        let mut dirty: Vec<_> = book.addresses.iter().filter(|(_, a)| a.dirty).collect();
        dirty.sort_unstable_by_key(|(id, _)| **id);
        for (id, row) in dirty {
            ready.written.addresses.push(*id);
            ready.addresses.push([
                (*id).into(),
                next_version(row.version)?.into(),
                encode("consent turns", &row.turns)?.into(),
            ]);
        }
        for ((system, object), reading) in book.rereads.iter().filter(|(_, r)| r.dirty) {
            let after = reading.after.as_deref().map(escape);
            ready.rereads.push([
                system.as_str().into(),
                code::of_object(*object).into(),
                next_version(reading.version)?.into(),
                reading.asked.map(|event| event.0.to_vec()).into(),
                reading.pass.map(|event| event.0.to_vec()).into(),
                after.as_deref().into(),
            ]);
        }
        ready.links(book)?;
        ready.keys(book)?;
        ready.out(&book.out)?;
        ready.batch(batch)?;
        Ok(ready)
    }

    fn links(&mut self, book: &Book) -> Result<(), Error> {
        // The last word on each record.
        let changed: BTreeMap<&RecordKey, &EntityId> =
            book.out.links.iter().map(|(r, e)| (r, e)).collect();
        for (record, entity) in changed {
            match book.stored.links.get(record) {
                Some(version) => {
                    self.push_link(record, next_version(*version)?, *entity);
                    self.written.links.push(record.clone());
                }
                None => {
                    self.blind_links.insert(record.clone(), *entity);
                }
            }
        }
        Ok(())
    }

    fn push_link(&mut self, record: &RecordKey, version: i64, entity: EntityId) {
        self.links.push([
            record.system.as_str().into(),
            code::of_object(record.object).into(),
            escape(&record.id).as_str().into(),
            version.into(),
            code::of_kind(entity.kind).into(),
            entity.digest.into(),
        ]);
    }

    fn keys(&mut self, book: &Book) -> Result<(), Error> {
        let out = &book.out;
        let mut changed: BTreeMap<Digest, BTreeSet<EntityId>> = BTreeMap::new();
        for (key, entity) in out.keys_added.iter().chain(&out.keys_removed) {
            changed.entry(*key).or_default().insert(*entity);
        }
        for (key, entities) in changed {
            let now = book.keys.get(&key);
            if let Some(version) = book.stored.keys.get(&key) {
                let holders = code::holders(now.into_iter().flatten());
                self.written.keys.push(key);
                self.keys
                    .push([key.into(), next_version(*version)?.into(), holders.into()]);
            } else {
                let delta = entities
                    .into_iter()
                    .map(|entity| (entity, now.is_some_and(|now| now.contains(&entity))));
                self.blind_keys.insert(key, delta.collect());
            }
        }
        Ok(())
    }

    fn out(&mut self, out: &Out) -> Result<(), Error> {
        let guards: BTreeSet<_> = out.guards.iter().collect();
        for (guard, event) in guards {
            self.guards.push([
                guard.system.as_str().into(),
                guard.field.as_str().into(),
                guard.window.0.into(),
                (*event).into(),
            ]);
        }
        for (holding, by) in &out.holdings {
            self.holdings.push([
                holding.system.as_str().into(),
                holding.field.as_str().into(),
                (*by).into(),
            ]);
        }
        for row in &out.ledger {
            let event = match &row.input {
                Input::Change(change) => Some(change.event.0.to_vec()),
                _ => None,
            };
            self.ledger.push(InputRow {
                entity: row.entity,
                at: row.at.0,
                input: code::of_input(&row.input),
                event,
                outcome: code::of_outcome(row.outcome),
                body: ledger_row(row)?,
            });
        }
        let mut packet = Packet::default();
        for message in &out.messages {
            let body = match &message.body {
                OutBody::Command(body) => serde_json::to_string(body),
                OutBody::Golden(body) => serde_json::to_string(body),
                OutBody::Decisions(body) => serde_json::to_string(body),
                OutBody::Lifecycle(body) => {
                    let text = serde_json::to_string(body);
                    if let Ok(text) = &text {
                        self.funnel.deed(body, text);
                    }
                    text
                }
                OutBody::DeadLetter(body) => serde_json::to_string(body),
            };
            let body = body.map_err(|e| Error::Bug {
                what: "a message cannot be written as JSON".into(),
                source: Some(e.into()),
            })?;
            packet.push(message, body);
            if packet.is_full() {
                self.packet(&std::mem::take(&mut packet))?;
            }
        }
        self.packet(&packet)?;
        self.funnel.placings(out);
        // Parked twice in one batch: the last word.
        let parked: BTreeMap<Digest, _> = out.parked.iter().map(|p| (p.id, p)).collect();
        for (id, parked) in parked {
            self.parked.push([
                id.into(),
                "open".into(),
                parked.at.0.into(),
                parked.code.as_str().into(),
                encode("a parked change", parked)?.into(),
            ]);
        }
        let unparked: BTreeSet<Digest> = out.unparked.iter().copied().collect();
        for id in unparked {
            self.unparked.push([id.into()]);
        }
        Ok(())
    }

    fn batch(&mut self, batch: &Batch) -> Result<(), Error> {
        let positions: BTreeMap<_, _> = batch
            .positions
            .iter()
            .map(|p| ((&p.topic, p.partition, &p.incarnation), p))
            .collect();
        if positions.len() != batch.positions.len() {
            return Err(Error::bug("a batch advances one partition twice"));
        }
        for position in positions.values() {
            self.positions.push([
                position.topic.as_str().into(),
                i64::from(position.partition).into(),
                position.incarnation.as_str().into(),
                position.next.into(),
                position.from.unwrap_or(NO_POSITION).into(),
                position.arrival.0.into(),
            ]);
        }
        let retried: BTreeSet<Digest> = batch.retried.iter().copied().collect();
        for id in retried {
            self.retried.push([id.into()]);
        }
        let runs: BTreeMap<&str, _> = batch.runs.iter().map(|r| (r.0.as_str(), r)).collect();
        for (run, at, counts) in runs.into_values() {
            // No run comes near the end of these numbers.
            let columns = counts
                .columns()
                .map(|c| i64::try_from(c).unwrap_or(i64::MAX));
            let [messages, applied, parked, late, duplicate, noop, dead] = columns;
            self.runs.push([
                run.as_str().into(),
                at.0.into(),
                messages.into(),
                applied.into(),
                parked.into(),
                late.into(),
                duplicate.into(),
                noop.into(),
                dead.into(),
            ]);
        }
        self.erasure(&batch.erasure)?;
        self.letters(&batch.dead_letters);
        Ok(())
    }

    fn erasure(&mut self, erasure: &Erasure) -> Result<(), Error> {
        for entry in &erasure.ledger {
            let body = ledger_row(&entry.row)?;
            self.rewritten_ledger
                .push([entry.seq.0.into(), body.into()]);
        }
        for parked in &erasure.parked {
            let body = encode("a parked change", parked)?;
            self.rewritten_parked.push([parked.id.into(), body.into()]);
        }
        for id in &erasure.dead_letters {
            self.erased_letters.push([(*id).into(), Vec::new().into()]);
        }
        Ok(())
    }

    /// Messages that become one row of the outbox.
    pub fn packet(&mut self, packet: &Packet) -> Result<(), Error> {
        let Some(since) = packet.since() else {
            return Ok(());
        };
        let body = packet.encode().map_err(|e| Error::Bug {
            what: "messages cannot be written as a blob".into(),
            source: Some(e.into()),
        })?;
        self.outbox_bytes += body.len();
        // A row has some hundred messages.
        let messages = i64::try_from(packet.len()).unwrap_or(i64::MAX);
        self.outbox
            .push([messages.into(), since.0.into(), body.into()]);
        Ok(())
    }

    pub fn letters(&mut self, letters: &[DeadLetter]) {
        let letters: BTreeMap<Digest, _> = letters.iter().map(|l| (l.id, l)).collect();
        for (id, letter) in letters {
            self.dead_letters.push([
                id.into(),
                "open".into(),
                letter.at.0.into(),
                letter.code.as_str().into(),
                letter.place.as_str().into(),
                letter.what.as_str().into(),
                letter.fix.as_str().into(),
                letter.system.as_str().into(),
                letter.format.as_str().into(),
                letter.object.as_deref().into(),
                letter.topic.as_str().into(),
                i64::from(letter.partition).into(),
                letter.offset.into(),
                letter.key.clone().into(),
                letter.payload.clone().into(),
            ]);
        }
    }

    /// Whether something is written of which a book holds only a part.
    pub fn moves_what_is_shared(&self) -> bool {
        !(self.blind_links.is_empty()
            && self.blind_keys.is_empty()
            && self.guards.is_empty()
            && self.holdings.is_empty()
            && self.rereads.is_empty()
            && self.rewritten_ledger.is_empty()
            && self.rewritten_parked.is_empty())
    }

    /// About how many pages of a database this fills or changes. A row of the outbox also has to go again.
    pub fn pages(&self) -> usize {
        let of = |bytes: usize| bytes / fold::PAGE;
        let entities = self.entities.iter().map(|row| 1 + of(row.body.len()));
        let ledger = self.ledger.iter().map(|row| row.body.len());
        entities.sum::<usize>()
            + of(ledger.sum())
            + 2 * of(self.outbox_bytes)
            + self.funnel.deeds.len()
            + self.funnel.standings.len()
    }

    /// Links and keys that the batch wrote without reading are compared with what is stored now.
    pub async fn look_up_blind(&mut self, conn: &mut Conn<'_>) -> Result<(), Error> {
        if !self.blind_links.is_empty() {
            let mut blind = self.blind_links.clone();
            for row in fetch_links(conn, self.blind_links.keys()).await? {
                if blind.get(&row.record) != Some(&row.entity) {
                    return Err(Error::bug(
                        "a record was linked without being looked up, and is linked elsewhere",
                    ));
                }
                blind.remove(&row.record);
                self.blind_links.remove(&row.record);
            }
            for (record, entity) in blind {
                self.push_link(&record, 1, entity);
            }
        }
        if !self.blind_keys.is_empty() {
            let mut blind = self.blind_keys.clone();
            for row in fetch_keys(conn, self.blind_keys.keys().copied()).await? {
                let mut holders = row.holders;
                for (entity, has) in blind.remove(&row.id).unwrap_or_default() {
                    if has {
                        holders.insert(entity);
                    } else {
                        holders.remove(&entity);
                    }
                }
                self.keys.push([
                    row.id.into(),
                    next_version(row.version)?.into(),
                    code::holders(&holders).into(),
                ]);
            }
            for (key, delta) in blind {
                let holders = delta.iter().filter(|(_, has)| **has).map(|(e, _)| e);
                self.keys
                    .push([key.into(), 1.into(), code::holders(holders).into()]);
            }
        }
        Ok(())
    }

    /// Gives the ledger's new rows their numbers and strings each to the one before it of the same entity, so that an
    /// entity's inputs are found from its own row, without an index that every input would have to be put into.
    async fn number(&mut self, conn: &mut Conn<'_>) -> Result<(Rows, Rows), Error> {
        let (mut entities, mut ledger) = (Rows::default(), Rows::default());
        let numbers = conn.numbers(&LEDGER_NUMBERS, self.ledger.len()).await?;
        for (row, seq) in std::mem::take(&mut self.ledger).into_iter().zip(numbers) {
            let before = self.newest.insert(row.entity, seq).unwrap_or(0);
            ledger.push([
                seq.into(),
                before.into(),
                code::of_kind(row.entity.kind).into(),
                row.entity.digest.into(),
                row.at.into(),
                row.input.into(),
                row.event.into(),
                row.outcome.into(),
                row.body.into(),
            ]);
        }
        if self.newest.len() > self.entities.len() {
            return Err(Error::bug(
                "the ledger is given an input of an entity that the batch does not write",
            ));
        }
        for row in std::mem::take(&mut self.entities) {
            let newest = self.newest.get(&row.id).copied().unwrap_or(0);
            entities.push([
                code::of_kind(row.id.kind).into(),
                row.id.digest.into(),
                row.version.into(),
                row.wake.into(),
                newest.into(),
                row.body.into(),
            ]);
        }
        Ok((entities, ledger))
    }

    pub async fn write(&mut self, conn: &mut Conn<'_>) -> Result<(), Error> {
        let (mut entities, mut ledger) = self.number(conn).await?;
        let FunnelRows {
            deeds,
            undone,
            erased,
            left,
            standings,
        } = std::mem::take(&mut self.funnel);
        // First what most likely shows that somebody else was faster.
        for (sql, rows) in [
            (&PUT_POSITIONS, &mut self.positions),
            (&PUT_ENTITIES, &mut entities),
            (&PUT_LINKS, &mut self.links),
            (&PUT_KEYS, &mut self.keys),
            (&PUT_ADDRESSES, &mut self.addresses),
            (&PUT_REREADS, &mut self.rereads),
            (&PUT_LEDGER, &mut ledger),
            (&PUT_OUTBOX, &mut self.outbox),
            (&PUT_PARKED, &mut self.parked),
            (&REWRITE_LEDGER, &mut self.rewritten_ledger),
            (&REWRITE_PARKED, &mut self.rewritten_parked),
            (&ERASE_DEAD_LETTERS, &mut self.erased_letters),
        ] {
            let rows = std::mem::take(rows);
            let expected = rows.len() as u64;
            let written = conn.execute_rows(sql, rows).await?;
            if written != expected {
                return Err(Error::Conflict {
                    table: sql.table,
                    expected,
                    written,
                });
            }
        }
        // What is known already, or was never told: fewer rows are right here, too.
        for (sql, rows) in [
            (&LEAVE_STANDINGS, left),
            (&PUT_STANDINGS, standings),
            (&PUT_DEEDS, deeds),
            (&UNDO_DEEDS, undone),
            (&ERASE_DEEDS, erased),
        ] {
            conn.execute_rows(sql, rows).await?;
        }
        // Known events again, or already settled by a steward: fewer rows are right here.
        for (sql, rows) in [
            (&PUT_GUARDS, &mut self.guards),
            (&UNPARK, &mut self.unparked),
            (&RETRIED, &mut self.retried),
        ] {
            conn.execute_rows(sql, std::mem::take(rows)).await?;
        }
        let letters = std::mem::take(&mut self.dead_letters);
        conn.execute_rows(&PUT_DEAD_LETTERS, letters).await?;
        // Last, because all workers meet at these few rows: they are held for the shortest time.
        let holdings = std::mem::take(&mut self.holdings);
        conn.execute_rows(&MOVE_HOLDINGS, holdings).await?;
        let runs = std::mem::take(&mut self.runs);
        conn.execute_rows(&COUNT_RUNS, runs).await?;
        Ok(())
    }
}

/// The version that a row read at `version` gets when it is written.
fn next_version(version: u64) -> Result<i64, Error> {
    i64::try_from(version)
        .ok()
        .and_then(|version| version.checked_add(1))
        .ok_or_else(|| Error::bug("a row's version is beyond any count of writes"))
}

fn encode<T: serde::Serialize>(what: &'static str, value: &T) -> Result<Vec<u8>, Error> {
    blob::encode(value).map_err(|e| unwritable(what, e))
}

fn ledger_row(row: &LedgerRow) -> Result<Vec<u8>, Error> {
    blob::encode_row(row).map_err(|e| unwritable("a ledger row", e))
}

fn unwritable(what: &'static str, source: BlobError) -> Error {
    Error::Bug {
        what: format!("{what} cannot be written as a blob").into(),
        source: Some(source.into()),
    }
}
