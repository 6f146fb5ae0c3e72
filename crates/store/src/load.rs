//! Fills a book with what a batch needs, in a handful of statements whatever the batch's size.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    book::{AddressRow, Book, Entry, GuardKey, Needs, Rereading},
    holdings::Holding,
    id::{Digest, EntityId, Object, RecordKey},
    name::Name,
    time::Millis,
};

use crate::{
    blob, code,
    error::Error,
    open::Store,
    sql::{Bad, Conn, Row, Rows, Sql, Type, escape, unescape},
};

pub(crate) const LINKS: Sql = Sql {
    text: "SELECT l.system, l.object, l.record_id, l.version, l.kind, l.entity
           FROM {input} CROSS JOIN links l
           WHERE l.system = input.column1 AND l.object = input.column2 AND l.record_id = input.column3",
    table: "links",
    key: 3,
    input: &[Type::Text, Type::Int, Type::Text],
};
pub(crate) const KEYS: Sql = Sql {
    text: "SELECT k.id, k.version, k.holders FROM {input} CROSS JOIN keys k WHERE k.id = input.column1",
    table: "keys",
    key: 1,
    input: &[Type::Bytes],
};
const ADDRESSES: Sql = Sql {
    text: "SELECT a.id, a.version, a.body FROM {input} CROSS JOIN addresses a WHERE a.id = input.column1",
    table: "addresses",
    key: 1,
    input: &[Type::Bytes],
};
const GUARDS: Sql = Sql {
    text: "SELECT g.system, g.field, g.opens, g.event FROM {input} CROSS JOIN guards g
           WHERE g.system = input.column1 AND g.field = input.column2 AND g.opens = input.column3",
    table: "guards",
    key: 3,
    input: &[Type::Text, Type::Text, Type::Int],
};
const HOLDINGS: Sql = Sql {
    text: "SELECT h.system, h.field, h.records FROM {input} CROSS JOIN holdings h
           WHERE h.system = input.column1 AND h.field = input.column2",
    table: "holdings",
    key: 2,
    input: &[Type::Text, Type::Text],
};
const REREADS: Sql = Sql {
    text: "SELECT r.system, r.object, r.version, r.asked, r.pass, r.after FROM {input} CROSS JOIN rereads r
           WHERE r.system = input.column1 AND r.object = input.column2",
    table: "rereads",
    key: 2,
    input: &[Type::Text, Type::Int],
};
const ENTITIES: Sql = Sql {
    text: "SELECT e.kind, e.id, e.version, e.body, e.newest FROM {input} CROSS JOIN entities e
           WHERE e.kind = input.column1 AND e.id = input.column2",
    table: "entities",
    key: 2,
    input: &[Type::Int, Type::Bytes],
};

// One row instead of one for each: mostly all of them stand.
const HOW_MANY_STAND: Sql = Sql {
    text: "SELECT COUNT(*) FROM {input} CROSS JOIN entities e
           WHERE e.kind = input.column1 AND e.id = input.column2 AND e.version = input.column3",
    table: "entities",
    key: 0,
    input: &[Type::Int, Type::Bytes, Type::Int],
};
const STANDING: Sql = Sql {
    text: "SELECT e.kind, e.id FROM {input} CROSS JOIN entities e
           WHERE e.kind = input.column1 AND e.id = input.column2 AND e.version = input.column3",
    table: "entities",
    key: 2,
    input: &[Type::Int, Type::Bytes, Type::Int],
};

/// A link as stored.
pub(crate) struct LinkRow {
    pub record: RecordKey,
    pub version: u64,
    pub entity: EntityId,
}

/// A key as stored.
pub(crate) struct KeyRow {
    pub id: Digest,
    pub version: u64,
    pub holders: BTreeSet<EntityId>,
}

impl Store {
    /// Loads what is needed and not in the book yet, and the entities behind the links and keys found, all as of
    /// one moment. What was looked up and not found is noted in the book, so it is not looked up again: keys get an
    /// empty set, addresses an empty row, records an entry in [`Book::stored`].
    ///
    /// Returns how many things the book learned; 0 means that asking again with the same needs is of no use.
    ///
    /// A book may be kept for the next batches as a cache. That it went stale is noticed by [`Store::commit`].
    ///
    /// # Errors
    /// If the store cannot be read, or a row makes no sense.
    pub async fn load(&self, book: &mut Book, needs: &Needs) -> Result<usize, Error> {
        let links: BTreeSet<&RecordKey> = needs
            .links
            .iter()
            .filter(|record| !book.stored.links.contains_key(*record))
            .collect();
        let keys: BTreeSet<Digest> = needs
            .keys
            .iter()
            .copied()
            .filter(|key| !book.stored.keys.contains_key(key))
            .collect();
        let addresses: BTreeSet<Digest> = needs
            .addresses
            .iter()
            .copied()
            .filter(|address| !book.addresses.contains_key(address))
            .collect();
        let guards: BTreeSet<&GuardKey> = needs
            .guards
            .iter()
            .filter(|guard| !book.guards.contains_key(*guard))
            .collect();
        let holdings: BTreeSet<Holding> = needs
            .holdings
            .iter()
            .copied()
            .filter(|holding| !book.stored.holdings.contains(holding))
            .collect();
        let rereads: BTreeSet<(Name, Object)> = needs
            .rereads
            .iter()
            .copied()
            .filter(|object| !book.rereads.contains_key(object))
            .collect();
        let mut wanted: BTreeSet<EntityId> = needs.entities.iter().copied().collect();
        wanted.retain(|id| !book.entities.contains_key(id));
        let mut learned = links.len()
            + keys.len()
            + addresses.len()
            + guards.len()
            + holdings.len()
            + rereads.len();
        if learned == 0 && wanted.is_empty() {
            return Ok(0);
        }

        let mut tx = self.pool.snapshot().await?;
        let mut conn = tx.conn();
        let found = fetch_links(&mut conn, links.iter().copied()).await?;
        for record in links {
            book.stored.links.insert(record.clone(), 0);
        }
        let mut behind = BTreeSet::new();
        for row in found {
            behind.insert(row.entity);
            book.stored.links.insert(row.record.clone(), row.version);
            book.links.insert(row.record, row.entity);
        }
        let found = fetch_keys(&mut conn, keys.iter().copied()).await?;
        for key in keys {
            book.stored.keys.insert(key, 0);
            book.keys.entry(key).or_default();
        }
        for row in found {
            behind.extend(&row.holders);
            book.stored.keys.insert(row.id, row.version);
            book.keys.insert(row.id, row.holders);
        }
        load_addresses(&mut conn, book, addresses).await?;
        load_guards(&mut conn, book, guards).await?;
        load_holdings(&mut conn, book, holdings).await?;
        load_rereads(&mut conn, book, rereads).await?;

        behind.retain(|id| !book.entities.contains_key(id));
        wanted.extend(&behind);
        for (id, entry, newest) in fetch_entities(&mut conn, &wanted).await? {
            book.entities.insert(id, entry);
            book.stored.newest.insert(id, newest);
            learned += 1;
        }
        tx.commit().await?;
        if let Some(lost) = behind.iter().find(|id| !book.entities.contains_key(id)) {
            return Err(Error::Corrupt {
                table: "entities",
                column: "id",
                key: lost.to_string(),
                source: "a link or key names it and it is not there".into(),
            });
        }
        Ok(learned)
    }
}

impl Store {
    /// Which of these entities, each with the version that somebody holds it at, are stored at another one by now, or
    /// not at all.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn moved(&self, held: &BTreeMap<EntityId, u64>) -> Result<BTreeSet<EntityId>, Error> {
        let mut rows = Rows::default();
        for (id, version) in held {
            // No version comes near the end of these numbers.
            let version = i64::try_from(*version).unwrap_or(i64::MAX);
            rows.push([
                code::of_kind(id.kind).into(),
                id.digest.into(),
                version.into(),
            ]);
        }
        let mut reader = self.pool.reader().await?;
        let mut conn = reader.conn();
        let counts = conn.fetch_rows(&HOW_MANY_STAND, rows.clone(), |row| row.int(0, "count"));
        let stand: i64 = counts.await?.into_iter().sum();
        if usize::try_from(stand) == Ok(held.len()) {
            return Ok(BTreeSet::new());
        }
        let standing = conn.fetch_rows(&STANDING, rows, |row| code::entity(row, 0, "kind", "id"));
        let standing: BTreeSet<EntityId> = standing.await?.into_iter().collect();
        let held = held.keys().copied();
        Ok(held.filter(|id| !standing.contains(id)).collect())
    }
}

pub(crate) async fn fetch_links(
    conn: &mut Conn<'_>,
    records: impl Iterator<Item = &RecordKey>,
) -> Result<Vec<LinkRow>, Error> {
    let mut rows = Rows::default();
    for record in records {
        rows.push([
            record.system.as_str().into(),
            code::of_object(record.object).into(),
            escape(&record.id).as_str().into(),
        ]);
    }
    conn.fetch_rows(&LINKS, rows, |row| {
        let object = row.int(1, "object")?;
        Ok(LinkRow {
            record: RecordKey {
                system: Name::new(row.text(0, "system")?),
                object: code::object(object)
                    .ok_or_else(|| Bad::new("object", format!("{object} is no object")))?,
                id: unescape(row.text(2, "record_id")?)
                    .ok_or_else(|| Bad::new("record_id", "a stray backslash"))?
                    .into(),
            },
            version: version(row, 3)?,
            entity: code::entity(row, 4, "kind", "entity")?,
        })
    })
    .await
}

pub(crate) async fn fetch_keys(
    conn: &mut Conn<'_>,
    keys: impl Iterator<Item = Digest>,
) -> Result<Vec<KeyRow>, Error> {
    conn.fetch_rows(&KEYS, digests(keys), |row| {
        Ok(KeyRow {
            id: row.digest(0, "id")?,
            version: version(row, 1)?,
            holders: code::held(row.bytes(2, "holders")?)?,
        })
    })
    .await
}

async fn load_addresses(
    conn: &mut Conn<'_>,
    book: &mut Book,
    addresses: BTreeSet<Digest>,
) -> Result<(), Error> {
    let found = conn
        .fetch_rows(&ADDRESSES, digests(addresses.iter().copied()), |row| {
            let turns = blob::decode(row.bytes(2, "body")?).map_err(|e| Bad::new("body", e))?;
            let address = AddressRow {
                turns,
                version: version(row, 1)?,
                dirty: false,
            };
            Ok((row.digest(0, "id")?, address))
        })
        .await?;
    for address in addresses {
        book.addresses.entry(address).or_default();
    }
    book.addresses.extend(found);
    Ok(())
}

async fn load_guards(
    conn: &mut Conn<'_>,
    book: &mut Book,
    guards: BTreeSet<&GuardKey>,
) -> Result<(), Error> {
    let mut rows = Rows::default();
    for guard in &guards {
        rows.push([
            guard.system.as_str().into(),
            guard.field.as_str().into(),
            guard.window.0.into(),
        ]);
    }
    let found = conn
        .fetch_rows(&GUARDS, rows, |row| {
            let guard = GuardKey {
                system: Name::new(row.text(0, "system")?),
                field: Name::new(row.text(1, "field")?),
                window: Millis(row.int(2, "opens")?),
            };
            Ok((guard, row.digest(3, "event")?))
        })
        .await?;
    for guard in guards {
        book.guards.entry(guard.clone()).or_default();
    }
    for (guard, event) in found {
        book.guards.entry(guard).or_default().insert(event);
    }
    Ok(())
}

async fn load_rereads(
    conn: &mut Conn<'_>,
    book: &mut Book,
    rereads: BTreeSet<(Name, Object)>,
) -> Result<(), Error> {
    let mut rows = Rows::default();
    for (system, object) in &rereads {
        rows.push([system.as_str().into(), code::of_object(*object).into()]);
    }
    let found = conn.fetch_rows(&REREADS, rows, reread_row).await?;
    for object in rereads {
        book.rereads.entry(object).or_default();
    }
    book.rereads.extend(found);
    Ok(())
}

/// Reads (system, object, version, asked, pass, after).
pub(crate) fn reread_row(row: &Row<'_>) -> Result<((Name, Object), Rereading), Bad> {
    let object = row.int(1, "object")?;
    let object =
        code::object(object).ok_or_else(|| Bad::new("object", format!("{object} is no object")))?;
    let event = |at, column| -> Result<Option<Digest>, Bad> {
        row.opt_bytes(at, column)?
            .map(|bytes| {
                let bytes = bytes.try_into().map_err(|e| Bad::new(column, e))?;
                Ok(Digest(bytes))
            })
            .transpose()
    };
    let after = row.opt_text(5, "after")?.map(|after| {
        unescape(after)
            .map(Into::into)
            .ok_or_else(|| Bad::new("after", "a stray backslash"))
    });
    let reading = Rereading {
        asked: event(3, "asked")?,
        pass: event(4, "pass")?,
        after: after.transpose()?,
        version: version(row, 2)?,
        dirty: false,
    };
    Ok(((Name::new(row.text(0, "system")?), object), reading))
}

/// What the book has moved by itself so far is added to what is stored.
async fn load_holdings(
    conn: &mut Conn<'_>,
    book: &mut Book,
    holdings: BTreeSet<Holding>,
) -> Result<(), Error> {
    let mut rows = Rows::default();
    for holding in &holdings {
        rows.push([
            holding.system.as_str().into(),
            holding.field.as_str().into(),
        ]);
    }
    let found = conn
        .fetch_rows(&HOLDINGS, rows, |row| {
            let holding = Holding {
                system: Name::new(row.text(0, "system")?),
                field: Name::new(row.text(1, "field")?),
            };
            Ok((holding, row.int(2, "records")?))
        })
        .await?;
    book.stored.holdings.extend(holdings);
    for (holding, records) in found {
        *book.holdings.entry(holding).or_default() += records;
    }
    Ok(())
}

pub(crate) async fn fetch_entities(
    conn: &mut Conn<'_>,
    ids: &BTreeSet<EntityId>,
) -> Result<Vec<(EntityId, Entry, i64)>, Error> {
    let mut rows = Rows::default();
    for id in ids {
        rows.push([code::of_kind(id.kind).into(), id.digest.into()]);
    }
    conn.fetch_rows(&ENTITIES, rows, entity_row).await
}

/// Reads (kind, id, version, body, newest).
pub(crate) fn entity_row(row: &Row<'_>) -> Result<(EntityId, Entry, i64), Bad> {
    let id = code::entity(row, 0, "kind", "id")?;
    let state = blob::decode_state(row.bytes(3, "body")?).map_err(|e| Bad::new("body", e))?;
    if state.id != id {
        return Err(Bad::new(
            "body",
            format!("it holds the state of {}", state.id),
        ));
    }
    if !baton_core::seal::is_sound(&state) {
        let what = "an observation points at an event or content that is not there";
        return Err(Bad::new("body", what));
    }
    let entry = Entry {
        state,
        version: version(row, 2)?,
        dirty: false,
    };
    Ok((id, entry, row.int(4, "newest")?))
}

pub(crate) fn version(row: &Row<'_>, at: usize) -> Result<u64, Bad> {
    match u64::try_from(row.int(at, "version")?) {
        Ok(0) => Err(Bad::new("version", "a stored row has at least version 1")),
        Ok(version) => Ok(version),
        Err(e) => Err(Bad::new("version", e)),
    }
}

fn digests(ids: impl Iterator<Item = Digest>) -> Rows {
    let mut rows = Rows::default();
    for id in ids {
        rows.push([id.into()]);
    }
    rows
}
