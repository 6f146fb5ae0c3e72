//! The relay's side of the outbox: read in order, publish, remove.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{book::OutTopic, id::Digest, time::Millis};

use crate::{
    commit::DeadLetter,
    error::Error,
    open::Store,
    packet::{self, Packet},
    ready::Ready,
    sql::{Cell, Conn, Row, Rows, Sql, Type},
};

/// Rows read at a time.
const ROWS_AT_ONCE: i64 = 16;

const PAGE: Sql = Sql {
    text: "SELECT seq, body FROM outbox WHERE seq >= $1 ORDER BY seq LIMIT $2",
    table: "outbox",
    key: 1,
    input: &[],
};
const ROWS: Sql = Sql {
    text: "SELECT o.seq, o.body FROM {input} CROSS JOIN outbox o WHERE o.seq = input.column1",
    table: "outbox",
    key: 1,
    input: &[Type::Int],
};
const HELD: Sql = Sql {
    text: "SELECT o.seq, o.messages FROM {input} CROSS JOIN outbox o WHERE o.seq = input.column1",
    table: "outbox",
    key: 1,
    input: &[Type::Int],
};
// A row that somebody else has rewritten since holds fewer messages.
const DONE: Sql = Sql {
    text: "DELETE FROM outbox WHERE seq IN
           (SELECT o.seq FROM {input} CROSS JOIN outbox o
            WHERE o.seq = input.column1 AND o.messages = input.column2)",
    table: "outbox",
    key: 0,
    input: &[Type::Int, Type::Int],
};
const REWRITE: Sql = Sql {
    text: "UPDATE outbox SET messages = $2, body = $3 WHERE seq = $1 AND messages = $4",
    table: "outbox",
    key: 0,
    input: &[],
};
const REMOVE: Sql = Sql {
    text: "DELETE FROM outbox WHERE seq = $1 AND messages = $2",
    table: "outbox",
    key: 0,
    input: &[],
};
const PUBLISHED_AGAIN: Sql = Sql {
    text: "UPDATE dead_letters SET state = 'retried' WHERE id = $1 AND state = 'open'",
    table: "dead_letters",
    key: 0,
    input: &[],
};
const TAKE_LEASE: Sql = Sql {
    text: "INSERT INTO leases (name, owner, beat) VALUES ($1, $2, 1)
           ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, beat = leases.beat + 1
           WHERE leases.owner = $3 AND leases.beat = $4",
    table: "leases",
    key: 0,
    input: &[],
};
const LEASE: Sql = Sql {
    text: "SELECT owner, beat FROM leases WHERE name = $1",
    table: "leases",
    key: 0,
    input: &[],
};
const LEAVE_LEASE: Sql = Sql {
    text: "DELETE FROM leases WHERE name = $1 AND owner = $2",
    table: "leases",
    key: 0,
    input: &[],
};

/// A message's place in the outbox. Never comes twice; the messages of one entity rise in the order in which they
/// came about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct OutboxSeq(pub i64);

impl OutboxSeq {
    /// Bits of a message's number in its row.
    const NUMBER: u32 = 16;

    pub(crate) fn new(row: i64, number: u16) -> Self {
        Self((row << Self::NUMBER) | i64::from(number))
    }

    fn row(self) -> i64 {
        self.0 >> Self::NUMBER
    }

    fn number(self) -> u16 {
        // What is cut off is the row.
        (self.0 & i64::from(u16::MAX)) as u16
    }
}

/// A message that waits to be published.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutboxRow {
    pub seq: OutboxSeq,
    pub topic: OutTopic,
    pub key: String,
    /// JSON.
    pub body: Vec<u8>,
    pub at: Millis,
    /// The event that caused it.
    pub cause: Digest,
}

/// Who does what one process does at a time, and how often it has said so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lease {
    pub owner: String,
    pub beat: i64,
}

impl Store {
    /// The next messages after `after` (start with the default), in order, about `limit`: messages that came about
    /// together are stored together and are read together, some hundred at most.
    ///
    /// With several writers on PostgreSQL a message may appear behind one that was read already, never so for two
    /// messages of one entity. So start again from the beginning whenever the page comes back short; what is
    /// published is gone from it.
    ///
    /// # Errors
    /// If the store cannot be read, or a row makes no sense.
    pub async fn outbox_page(&self, after: OutboxSeq, limit: u32) -> Result<Vec<OutboxRow>, Error> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut held = self.pool.reader().await?;
        let mut conn = held.conn();
        let mut page = Vec::new();
        let mut from = after.row();
        while page.len() < limit {
            let cells = vec![from.into(), ROWS_AT_ONCE.into()];
            let read = conn.fetch(&PAGE, cells, |row| {
                let seq = row.int(0, "seq")?;
                Ok((seq, packet::decode(seq, row.bytes(1, "body")?)?))
            });
            let rows = read.await?;
            let Some((last, _)) = rows.last() else {
                break;
            };
            from = last + 1;
            for (_, messages) in rows {
                if page.len() < limit {
                    page.extend(messages.into_iter().filter(|m| m.seq > after));
                }
            }
        }
        Ok(page)
    }

    /// Removes published messages; ones that are gone already do not matter. Returns how many it removed.
    ///
    /// The disk is not waited for: if the database's machine fails, they may be there again, and are published twice.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn outbox_done(&self, published: &[OutboxSeq]) -> Result<u64, Error> {
        let by_row = by_row(published);
        if by_row.is_empty() {
            return Ok(0);
        }
        let mut tx = self.pool.write().await?;
        let mut conn = tx.conn();
        conn.need_not_outlast_a_power_cut().await?;
        let held = conn.fetch_rows(&HELD, places(&by_row), |row| {
            Ok((row.int(0, "seq")?, row.int(1, "messages")?))
        });
        let mut whole = Rows::default();
        let mut removed = 0;
        let mut rest = by_row.clone();
        for (row, messages) in held.await? {
            let published = by_row.get(&row).map_or(0, BTreeSet::len);
            if usize::try_from(messages) == Ok(published) {
                whole.push([row.into(), messages.into()]);
                removed += published as u64;
                rest.remove(&row);
            }
        }
        let expected = whole.len() as u64;
        let written = conn.execute_rows(&DONE, whole).await?;
        if written != expected {
            return Err(Error::Conflict {
                table: "outbox",
                expected,
                written,
            });
        }
        removed += take_out(&mut conn, &rest).await?;
        tx.commit().await?;
        Ok(removed)
    }

    /// Takes a message that the log will never take out of the outbox and keeps it as a dead letter, both or neither.
    /// Nothing if the message is gone already.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn outbox_bury(&self, seq: OutboxSeq, letter: &DeadLetter) -> Result<(), Error> {
        let mut ready = Ready::default();
        ready.letters(std::slice::from_ref(letter));
        let mut tx = self.pool.write().await?;
        let mut conn = tx.conn();
        if take_out(&mut conn, &by_row(&[seq])).await? == 1 {
            ready.write(&mut conn).await?;
        }
        tx.commit().await
    }

    /// Puts a dead letter that was taken out of the outbox behind all that waits there. False if it is not open.
    ///
    /// # Errors
    /// If the store cannot be written, or the letter's payload is no text.
    pub async fn outbox_put_back(
        &self,
        letter: &DeadLetter,
        topic: OutTopic,
        at: Millis,
    ) -> Result<bool, Error> {
        let key = String::from_utf8_lossy(letter.key.as_deref().unwrap_or_default()).into_owned();
        let body = String::from_utf8(letter.payload.clone()).map_err(|e| Error::Corrupt {
            table: "dead_letters",
            column: "payload",
            key: letter.id.to_string(),
            source: e.into(),
        })?;
        let mut packet = Packet::default();
        packet.put(topic, key, at, letter.id, body);
        let mut ready = Ready::default();
        ready.packet(&packet)?;
        let mut tx = self.pool.write().await?;
        let mut conn = tx.conn();
        let open = conn
            .execute(&PUBLISHED_AGAIN, vec![letter.id.into()])
            .await?
            == 1;
        if open {
            ready.write(&mut conn).await?;
        }
        tx.commit().await?;
        Ok(open)
    }

    /// The lease of work that one process does at a time, such as the relay, which keeps the order of messages only
    /// if it is alone. None if nobody has it.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn lease(&self, name: &str) -> Result<Option<Lease>, Error> {
        let mut held = self.pool.reader().await?;
        let read = |row: &Row<'_>| {
            Ok(Lease {
                owner: row.text(0, "owner")?.to_owned(),
                beat: row.int(1, "beat")?,
            })
        };
        let found = held.conn().fetch(&LEASE, vec![name.into()], read).await?;
        Ok(found.into_iter().next())
    }

    /// Takes a lease that nobody has, renews one's own, or takes over one whose owner has been silent for long
    /// enough: `seen` is what stood there. False if somebody was faster, or the owner has renewed it since.
    ///
    /// It knows no time: how long silence must be, and when a holder that could not renew has to stop, each process
    /// measures by its own monotonic clock.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn take_lease(
        &self,
        name: &str,
        owner: &str,
        seen: Option<&Lease>,
    ) -> Result<bool, Error> {
        let cells = vec![
            name.into(),
            owner.into(),
            seen.map(|lease| lease.owner.as_str()).into(),
            seen.map(|lease| lease.beat).into(),
        ];
        let mut held = self.pool.writer().await?;
        Ok(held.conn().execute(&TAKE_LEASE, cells).await? == 1)
    }

    /// Gives a lease back, so that another need not wait for its end.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn release(&self, name: &str, owner: &str) -> Result<(), Error> {
        let mut held = self.pool.writer().await?;
        let cells = vec![name.into(), owner.into()];
        held.conn().execute(&LEAVE_LEASE, cells).await?;
        Ok(())
    }
}

/// Messages by the row they stand in.
fn by_row(messages: &[OutboxSeq]) -> BTreeMap<i64, BTreeSet<u16>> {
    let mut by_row: BTreeMap<i64, BTreeSet<u16>> = BTreeMap::new();
    for seq in messages {
        by_row.entry(seq.row()).or_default().insert(seq.number());
    }
    by_row
}

/// Takes single messages out of their rows. Returns how many were there.
async fn take_out(
    conn: &mut Conn<'_>,
    by_row: &BTreeMap<i64, BTreeSet<u16>>,
) -> Result<u64, Error> {
    let found = conn
        .fetch_rows(&ROWS, places(by_row), |row| {
            let seq = row.int(0, "seq")?;
            let body = row.bytes(1, "body")?;
            let gone = by_row.get(&seq).into_iter().flatten().copied();
            Ok((seq, packet::without(body, &gone.collect::<Vec<_>>())?))
        })
        .await?;
    let mut taken = 0;
    for (seq, rest) in found {
        let held = count(rest.left + rest.gone);
        // Somebody else may be at the same row; then it stays as that one leaves it, and is published again.
        let written = if rest.left == 0 {
            conn.execute(&REMOVE, vec![seq.into(), held]).await?
        } else {
            let cells = vec![seq.into(), count(rest.left), rest.body.into(), held];
            conn.execute(&REWRITE, cells).await?
        };
        if written == 1 {
            taken += rest.gone as u64;
        }
    }
    Ok(taken)
}

/// The rows as a statement's input.
fn places(by_row: &BTreeMap<i64, BTreeSet<u16>>) -> Rows {
    let mut rows = Rows::default();
    for row in by_row.keys() {
        rows.push([(*row).into()]);
    }
    rows
}

/// A count of messages as a column's value.
fn count(messages: usize) -> Cell {
    // A row has some hundred messages.
    i64::try_from(messages).unwrap_or(i64::MAX).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_names_row_and_number() {
        let seq = OutboxSeq::new(7, 300);
        assert_eq!((seq.row(), seq.number()), (7, 300));
        assert!(seq < OutboxSeq::new(7, 301) && seq < OutboxSeq::new(8, 0));
        assert!(OutboxSeq::default() < OutboxSeq::new(1, 0));
    }
}
