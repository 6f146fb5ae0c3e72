//! Reading outside of a batch: for timers, for people, for replay.

use baton_core::{
    book::{LedgerRow, Rereading},
    id::{Digest, EntityId, Kind, Object, RecordKey},
    name::Name,
    state::State,
    time::Millis,
};
use compact_str::CompactString;

use crate::{
    blob, code,
    error::Error,
    load::{entity_row, fetch_entities, fetch_keys, fetch_links, reread_row},
    open::Store,
    sql::{Bad, Row, Sql, escape, unescape},
};

const POSITIONS: Sql = Sql {
    text: "SELECT topic, part, incarnation, next, arrival FROM positions WHERE topic = $1 ORDER BY part, incarnation",
    table: "positions",
    key: 3,
    input: &[],
};
const DUE: Sql = Sql {
    text: "SELECT kind, id, wake FROM entities WHERE wake IS NOT NULL AND wake <= $1
           ORDER BY wake, kind, id LIMIT $2",
    table: "entities",
    key: 2,
    input: &[],
};
const NEXT_DUE: Sql = Sql {
    text: "SELECT wake FROM entities WHERE wake IS NOT NULL ORDER BY wake LIMIT 1",
    table: "entities",
    key: 0,
    input: &[],
};
const COUNT_DUE: Sql = Sql {
    text: "SELECT COUNT(*), MIN(wake) FROM entities WHERE wake <= $1",
    table: "entities",
    key: 0,
    input: &[],
};
const PAGE: Sql = Sql {
    text: "SELECT kind, id, version, body, newest FROM entities WHERE kind = $1 AND id > $2 ORDER BY id LIMIT $3",
    table: "entities",
    key: 2,
    input: &[],
};
const REREADING: Sql = Sql {
    text: "SELECT system, object, version, asked, pass, after FROM rereads WHERE pass IS NOT NULL
           ORDER BY system, object",
    table: "rereads",
    key: 2,
    input: &[],
};
const RECORDS: Sql = Sql {
    text: "SELECT record_id FROM links WHERE system = $1 AND object = $2 AND record_id > $3
           ORDER BY record_id LIMIT $4",
    table: "links",
    key: 1,
    input: &[],
};
const NEWEST: Sql = Sql {
    text: "SELECT newest FROM entities WHERE kind = $1 AND id = $2",
    table: "entities",
    key: 0,
    input: &[],
};
const LEDGER_ROW: Sql = Sql {
    text: "SELECT seq, kind, entity, body, before FROM ledger WHERE seq = $1",
    table: "ledger",
    key: 1,
    input: &[],
};
const LEDGER_PAGE: Sql = Sql {
    text: "SELECT seq, kind, entity, body FROM ledger WHERE seq > $1 ORDER BY seq LIMIT $2",
    table: "ledger",
    key: 1,
    input: &[],
};

/// How far a partition was consumed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredPosition {
    pub topic: String,
    pub partition: i32,
    /// Which life of the topic the offset belongs to. Only the one that the log has now counts.
    pub incarnation: String,
    /// The next offset to consume.
    pub next: i64,
    /// Arrival of the message before it; none where an older Baton stored the position.
    pub arrival: Option<Millis>,
}

/// A row's place in the ledger. The rows of one entity rise in the order in which it took them in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct LedgerSeq(pub i64);

#[derive(Clone, Debug)]
pub struct LedgerEntry {
    pub seq: LedgerSeq,
    pub row: LedgerRow,
}

impl Store {
    /// The positions of a topic's partitions, one for each of its incarnations.
    ///
    /// # Errors
    /// If the store cannot be read, or a row makes no sense.
    pub async fn positions(&self, topic: &str) -> Result<Vec<StoredPosition>, Error> {
        let mut held = self.pool.reader().await?;
        held.conn()
            .fetch(&POSITIONS, vec![topic.into()], |row| {
                Ok(StoredPosition {
                    topic: row.text(0, "topic")?.to_owned(),
                    partition: row
                        .int(1, "part")?
                        .try_into()
                        .map_err(|e| Bad::new("part", e))?,
                    incarnation: row.text(2, "incarnation")?.to_owned(),
                    next: row.int(3, "next")?,
                    arrival: row.opt_int(4, "arrival")?.map(Millis),
                })
            })
            .await
    }

    /// Entities whose timer is due at `now`, with its instant, the longest due first, at most `limit`.
    ///
    /// # Errors
    /// If the store cannot be read, or a row makes no sense.
    pub async fn due(&self, now: Millis, limit: u32) -> Result<Vec<(EntityId, Millis)>, Error> {
        let mut held = self.pool.reader().await?;
        let cells = vec![now.0.into(), i64::from(limit).into()];
        held.conn()
            .fetch(&DUE, cells, |row| {
                Ok((
                    code::entity(row, 0, "kind", "id")?,
                    Millis(row.int(2, "wake")?),
                ))
            })
            .await
    }

    /// How many timers are due at `now`, and since when the longest of them has been.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn overdue(&self, now: Millis) -> Result<(u64, Option<Millis>), Error> {
        let mut held = self.pool.reader().await?;
        let found = held
            .conn()
            .fetch(&COUNT_DUE, vec![now.0.into()], |row| {
                let count = row.int(0, "count")?;
                let count = u64::try_from(count).map_err(|e| Bad::new("count", e))?;
                Ok((count, row.opt_int(1, "wake")?.map(Millis)))
            })
            .await?;
        Ok(found.into_iter().next().unwrap_or_default())
    }

    /// The earliest instant at which a timer is due, past ones included.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn next_due(&self) -> Result<Option<Millis>, Error> {
        let mut held = self.pool.reader().await?;
        let found = held
            .conn()
            .fetch(&NEXT_DUE, vec![], |row| Ok(Millis(row.int(0, "wake")?)))
            .await?;
        Ok(found.into_iter().next())
    }

    /// Objects whose known records are all being read again, and how far that is.
    ///
    /// # Errors
    /// If the store cannot be read, or a row makes no sense.
    pub async fn rereading(&self) -> Result<Vec<((Name, Object), Rereading)>, Error> {
        let mut held = self.pool.reader().await?;
        held.conn().fetch(&REREADING, vec![], reread_row).await
    }

    /// Ids of the known records of an object after the given one, in the store's own order, at most `limit`.
    ///
    /// # Errors
    /// If the store cannot be read, or a row makes no sense.
    pub async fn record_ids(
        &self,
        system: Name,
        object: Object,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<CompactString>, Error> {
        // No id is empty, so every one is greater.
        let after = after.map(escape).unwrap_or_default();
        let cells = vec![
            system.as_str().into(),
            code::of_object(object).into(),
            after.as_str().into(),
            i64::from(limit).into(),
        ];
        let mut held = self.pool.reader().await?;
        held.conn()
            .fetch(&RECORDS, cells, |row| {
                unescape(row.text(0, "record_id")?)
                    .map(Into::into)
                    .ok_or_else(|| Bad::new("record_id", "a stray backslash"))
            })
            .await
    }

    /// # Errors
    /// If the store cannot be read, or the row makes no sense.
    pub async fn entity(&self, id: EntityId) -> Result<Option<State>, Error> {
        let mut held = self.pool.reader().await?;
        let found = fetch_entities(&mut held.conn(), &[id].into()).await?;
        Ok(found.into_iter().next().map(|(_, entry, _)| entry.state))
    }

    /// The entity that a record belongs to.
    ///
    /// # Errors
    /// If the store cannot be read, or a row makes no sense.
    pub async fn entity_of(&self, record: &RecordKey) -> Result<Option<State>, Error> {
        let mut tx = self.pool.snapshot().await?;
        let links = fetch_links(&mut tx.conn(), [record].into_iter()).await?;
        let ids = links.into_iter().map(|link| link.entity).collect();
        let found = fetch_entities(&mut tx.conn(), &ids).await?;
        tx.commit().await?;
        Ok(found.into_iter().next().map(|(_, entry, _)| entry.state))
    }

    /// The entities that have a key now, by id.
    ///
    /// # Errors
    /// If the store cannot be read, or a row makes no sense.
    pub async fn entities_by_key(&self, key: Digest) -> Result<Vec<State>, Error> {
        let mut tx = self.pool.snapshot().await?;
        let keys = fetch_keys(&mut tx.conn(), [key].into_iter()).await?;
        let ids = keys.into_iter().flat_map(|key| key.holders).collect();
        let mut found = fetch_entities(&mut tx.conn(), &ids).await?;
        tx.commit().await?;
        found.sort_unstable_by_key(|(id, ..)| *id);
        Ok(found.into_iter().map(|(_, entry, _)| entry.state).collect())
    }

    /// Entities of a kind by id, after `after`, at most `limit`; merged and archived ones too.
    ///
    /// # Errors
    /// If the store cannot be read, or a row makes no sense.
    pub async fn entities_page(
        &self,
        kind: Kind,
        after: Option<EntityId>,
        limit: u32,
    ) -> Result<Vec<State>, Error> {
        // Every id is greater than the empty one.
        let after = after.map_or_else(Vec::new, |id| id.digest.0.to_vec());
        let cells = vec![
            code::of_kind(kind).into(),
            after.into(),
            i64::from(limit).into(),
        ];
        let mut held = self.pool.reader().await?;
        held.conn()
            .fetch(&PAGE, cells, |row| Ok(entity_row(row)?.1.state))
            .await
    }

    /// Every input of an entity up to and including `until`, in the order it took them in.
    ///
    /// # Errors
    /// If the store cannot be read, or a row makes no sense.
    pub async fn ledger(
        &self,
        entity: EntityId,
        until: Option<Millis>,
    ) -> Result<Vec<LedgerEntry>, Error> {
        let cells = vec![code::of_kind(entity.kind).into(), entity.digest.into()];
        let mut held = self.pool.reader().await?;
        let mut conn = held.conn();
        let newest = conn.fetch(&NEWEST, cells, |row| row.int(0, "newest"));
        let mut next = newest.await?.into_iter().next().unwrap_or(0);
        let mut entries = Vec::new();
        // From the newest back to the first: each row names the one before it, which never changes.
        while next > 0 {
            let read = conn.fetch(&LEDGER_ROW, vec![next.into()], |row| {
                let before = row.int(4, "before")?;
                let entry = ledger_entry(row)?;
                if entry.row.entity != entity {
                    return Err(Bad::new("entity", format!("it is an input of {entity}")));
                }
                if before >= entry.seq.0 {
                    return Err(Bad::new("before", "it names itself or a later row"));
                }
                Ok((entry, before))
            });
            let Some((entry, before)) = read.await?.into_iter().next() else {
                return Err(Error::Corrupt {
                    table: "ledger",
                    column: "seq",
                    key: next.to_string(),
                    source: format!("{entity} had an input there and it is gone").into(),
                });
            };
            if until.is_none_or(|until| entry.row.at <= until) {
                entries.push(entry);
            }
            next = before;
        }
        entries.reverse();
        Ok(entries)
    }

    /// The ledger's next rows after `after` (start with the default), in order, at most `limit`. While others
    /// write to PostgreSQL, rows may still appear behind those that were read, never so within one entity.
    ///
    /// # Errors
    /// If the store cannot be read, or a row makes no sense.
    pub async fn ledger_page(
        &self,
        after: LedgerSeq,
        limit: u32,
    ) -> Result<Vec<LedgerEntry>, Error> {
        let cells = vec![after.0.into(), i64::from(limit).into()];
        let mut held = self.pool.reader().await?;
        held.conn().fetch(&LEDGER_PAGE, cells, ledger_entry).await
    }
}

fn ledger_entry(row: &Row<'_>) -> Result<LedgerEntry, Bad> {
    let entity = code::entity(row, 1, "kind", "entity")?;
    let body: LedgerRow =
        blob::decode_row(row.bytes(3, "body")?).map_err(|e| Bad::new("body", e))?;
    if body.entity != entity {
        return Err(Bad::new(
            "body",
            format!("it holds an input of {}", body.entity),
        ));
    }
    Ok(LedgerEntry {
        seq: LedgerSeq(row.int(0, "seq")?),
        row: body,
    })
}
