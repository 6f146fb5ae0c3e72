//! The relay's side of the outbox: read in order, publish, remove.

use baton_core::{book::OutTopic, id::Digest, time::Millis};

use crate::{
    code,
    commit::DeadLetter,
    error::Error,
    open::Store,
    ready::Ready,
    sql::{Bad, Rows, Sql, Type, escape, unescape},
};

const PAGE: Sql = Sql {
    text: "SELECT seq, topic, system, key, at, cause, body FROM outbox WHERE seq > $1 ORDER BY seq LIMIT $2",
    table: "outbox",
    key: 1,
    input: &[],
};
const DONE: Sql = Sql {
    text: "DELETE FROM outbox WHERE seq IN
           (SELECT o.seq FROM {input} CROSS JOIN outbox o WHERE o.seq >= input.column1 AND o.seq <= input.column2)",
    table: "outbox",
    key: 0,
    input: &[Type::Int, Type::Int],
};
const BURY: Sql = Sql {
    text: "DELETE FROM outbox WHERE seq = $1",
    table: "outbox",
    key: 0,
    input: &[],
};
const PUT_BACK: Sql = Sql {
    text: "INSERT INTO outbox (topic, system, key, at, cause, body)
           SELECT $2, $3, $4, $5, $6, payload FROM dead_letters WHERE id = $1 AND state = 'open'",
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
    text: "INSERT INTO leases (name, owner, expiry) VALUES ($1, $2, $3)
           ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expiry = excluded.expiry
           WHERE leases.owner = excluded.owner OR leases.expiry <= $4",
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

impl Store {
    /// The next messages after `after` (start with the default), in order, at most `limit`.
    ///
    /// With several writers on PostgreSQL a message may appear behind one that was read already, never so for two
    /// messages of one entity. So start again from the beginning whenever the page comes back short; what is
    /// published is gone from it.
    ///
    /// # Errors
    /// If the store cannot be read, or a row makes no sense.
    pub async fn outbox_page(&self, after: OutboxSeq, limit: u32) -> Result<Vec<OutboxRow>, Error> {
        let mut held = self.pool.reader().await?;
        let cells = vec![after.0.into(), i64::from(limit).into()];
        held.conn()
            .fetch(&PAGE, cells, |row| {
                let (topic, system) = (row.text(1, "topic")?, row.opt_text(2, "system")?);
                Ok(OutboxRow {
                    seq: OutboxSeq(row.int(0, "seq")?),
                    topic: code::topic(topic, system)
                        .ok_or_else(|| Bad::new("topic", format!("`{topic}` is no topic")))?,
                    key: unescape(row.text(3, "key")?)
                        .ok_or_else(|| Bad::new("key", "a stray backslash"))?,
                    at: Millis(row.int(4, "at")?),
                    cause: row.digest(5, "cause")?,
                    body: row.bytes(6, "body")?.to_vec(),
                })
            })
            .await
    }

    /// Removes published messages; ones that are gone already do not matter. Returns how many it removed.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn outbox_done(&self, published: &[OutboxSeq]) -> Result<u64, Error> {
        let mut rows = Rows::default();
        for (first, last) in runs(published) {
            rows.push([first.into(), last.into()]);
        }
        if rows.is_empty() {
            return Ok(0);
        }
        let mut tx = self.pool.write().await?;
        let removed = tx.conn().execute_rows(&DONE, rows).await?;
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
        if conn.execute(&BURY, vec![seq.0.into()]).await? == 1 {
            ready.write(&mut conn).await?;
        }
        tx.commit().await
    }

    /// Puts a dead letter that was taken out of the outbox behind all that waits there. False if it is not open.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn outbox_put_back(
        &self,
        letter: &DeadLetter,
        topic: OutTopic,
        at: Millis,
    ) -> Result<bool, Error> {
        let (topic, system) = code::of_topic(topic);
        let key = String::from_utf8_lossy(letter.key.as_deref().unwrap_or_default()).into_owned();
        let mut tx = self.pool.write().await?;
        let mut conn = tx.conn();
        let cells = vec![
            letter.id.into(),
            topic.into(),
            system.into(),
            escape(&key).as_str().into(),
            at.0.into(),
            letter.id.into(),
        ];
        let put = conn.execute(&PUT_BACK, cells).await? == 1;
        conn.execute(&PUBLISHED_AGAIN, vec![letter.id.into()])
            .await?;
        tx.commit().await?;
        Ok(put)
    }

    /// Takes or renews the lease of work that one process does at a time, such as the relay, which keeps the order
    /// of messages only if it is alone. True if it is `owner`'s until `now + ttl_ms`. A holder must stop when its
    /// time is over and it could not renew.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn lease(
        &self,
        name: &str,
        owner: &str,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<bool, Error> {
        let cells = vec![
            name.into(),
            owner.into(),
            now.plus(ttl_ms).0.into(),
            now.0.into(),
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

/// The runs of consecutive numbers, so that what lies between and was not published stays.
fn runs(published: &[OutboxSeq]) -> Vec<(i64, i64)> {
    let mut sorted: Vec<i64> = published.iter().map(|seq| seq.0).collect();
    sorted.sort_unstable();
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for seq in sorted {
        match runs.last_mut() {
            Some((_, last)) if seq <= last.saturating_add(1) => *last = seq,
            _ => runs.push((seq, seq)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_hold_the_given_numbers_and_no_others() {
        let seqs = [5, 1, 2, 2, 9, 3].map(OutboxSeq);
        assert_eq!(runs(&seqs), [(1, 3), (5, 5), (9, 9)]);
        assert_eq!(runs(&[]), []);
    }
}
