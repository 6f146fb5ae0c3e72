//! What waits for people: dead letters, parked changes; which rules were active; figures for metrics.

use std::collections::BTreeMap;

use baton_core::{book::Parked, change::Format, id::Digest, name::Name, time::Millis};

use crate::{
    blob,
    commit::DeadLetter,
    error::Error,
    open::Store,
    sql::{Bad, Row, Sql},
};

const LETTERS: Sql = Sql {
    text: "SELECT id, state, at, code, place, what, fix, system, format, object, topic, part, log_offset,
                  message_key, payload
           FROM dead_letters WHERE state = $1 AND (at > $2 OR (at = $2 AND id > $3)) ORDER BY at, id LIMIT $4",
    table: "dead_letters",
    key: 1,
    input: &[],
};
const LETTER: Sql = Sql {
    text: "SELECT id, state, at, code, place, what, fix, system, format, object, topic, part, log_offset,
                  message_key, payload
           FROM dead_letters WHERE id = $1",
    table: "dead_letters",
    key: 1,
    input: &[],
};
const SET_LETTER: Sql = Sql {
    text: "UPDATE dead_letters SET state = $2 WHERE id = $1",
    table: "dead_letters",
    key: 0,
    input: &[],
};
const PARKED: Sql = Sql {
    text: "SELECT id, state, at, body FROM parked
           WHERE state = $1 AND (at > $2 OR (at = $2 AND id > $3)) ORDER BY at, id LIMIT $4",
    table: "parked",
    key: 1,
    input: &[],
};
const PARKED_ONE: Sql = Sql {
    text: "SELECT id, state, at, body FROM parked WHERE id = $1",
    table: "parked",
    key: 1,
    input: &[],
};
const SET_PARKED: Sql = Sql {
    text: "UPDATE parked SET state = $2 WHERE id = $1",
    table: "parked",
    key: 0,
    input: &[],
};
const PUT_ACTIVATION: Sql = Sql {
    text: "INSERT INTO activations (at, version, body) VALUES ($1, $2, $3)",
    table: "activations",
    key: 0,
    input: &[],
};
const ACTIVATIONS: Sql = Sql {
    text: "SELECT seq, at, version, body FROM activations ORDER BY seq",
    table: "activations",
    key: 1,
    input: &[],
};
const COUNT_LETTERS: Sql = Sql {
    text: "SELECT code, COUNT(*) FROM dead_letters WHERE state = 'open' GROUP BY code",
    table: "dead_letters",
    key: 1,
    input: &[],
};
const COUNT_PARKED: Sql = Sql {
    text: "SELECT code, COUNT(*) FROM parked WHERE state = 'open' GROUP BY code",
    table: "parked",
    key: 1,
    input: &[],
};
const COUNT_OUTBOX: Sql = Sql {
    text: "SELECT messages, at FROM outbox",
    table: "outbox",
    key: 0,
    input: &[],
};

/// What became of a dead letter or a parked change.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StewardState {
    Open,
    /// A dead letter whose message was settled after all.
    Retried,
    /// A parked change that was settled.
    Resolved,
    /// A steward gave it up.
    Dropped,
}

impl StewardState {
    pub const ALL: [Self; 4] = [Self::Open, Self::Retried, Self::Resolved, Self::Dropped];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Retried => "retried",
            Self::Resolved => "resolved",
            Self::Dropped => "dropped",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

/// Rules that became active.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Activation {
    pub at: Millis,
    /// Hash of the rules.
    pub version: String,
    /// The rules' text, with whatever the daemon needs to read it again.
    pub body: String,
}

/// Figures for metrics.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Open dead letters by code.
    pub dead_letters: BTreeMap<String, u64>,
    /// Open parked changes by code.
    pub parked: BTreeMap<String, u64>,
    /// Messages that wait for the relay.
    pub outbox: u64,
    /// When the oldest of them was made.
    pub outbox_since: Option<Millis>,
}

impl Store {
    /// Dead letters in a state, oldest first, after the given (time, id), at most `limit`.
    ///
    /// # Errors
    /// If the store cannot be read, or a row makes no sense.
    pub async fn dead_letters(
        &self,
        state: StewardState,
        after: Option<(Millis, Digest)>,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, Error> {
        let mut held = self.pool.reader().await?;
        held.conn()
            .fetch(
                &LETTERS,
                page(state, after, limit),
                |row| Ok(letter(row)?.0),
            )
            .await
    }

    /// # Errors
    /// If the store cannot be read, or the row makes no sense.
    pub async fn dead_letter(
        &self,
        id: Digest,
    ) -> Result<Option<(DeadLetter, StewardState)>, Error> {
        let mut held = self.pool.reader().await?;
        let found = held.conn().fetch(&LETTER, vec![id.into()], letter).await?;
        Ok(found.into_iter().next())
    }

    /// Says what became of a dead letter. False if there is none with this id.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn set_dead_letter(&self, id: Digest, state: StewardState) -> Result<bool, Error> {
        self.set_state(&SET_LETTER, id, state).await
    }

    /// Parked changes in a state, oldest first, after the given (time, id), at most `limit`.
    ///
    /// # Errors
    /// If the store cannot be read, or a row makes no sense.
    pub async fn parked(
        &self,
        state: StewardState,
        after: Option<(Millis, Digest)>,
        limit: u32,
    ) -> Result<Vec<Parked>, Error> {
        let mut held = self.pool.reader().await?;
        held.conn()
            .fetch(&PARKED, page(state, after, limit), |row| Ok(parked(row)?.0))
            .await
    }

    /// # Errors
    /// If the store cannot be read, or the row makes no sense.
    pub async fn parked_one(&self, id: Digest) -> Result<Option<(Parked, StewardState)>, Error> {
        let mut held = self.pool.reader().await?;
        let found = held
            .conn()
            .fetch(&PARKED_ONE, vec![id.into()], parked)
            .await?;
        Ok(found.into_iter().next())
    }

    /// Says what became of a parked change. False if there is none with this id.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn set_parked(&self, id: Digest, state: StewardState) -> Result<bool, Error> {
        self.set_state(&SET_PARKED, id, state).await
    }

    async fn set_state(
        &self,
        sql: &'static Sql,
        id: Digest,
        state: StewardState,
    ) -> Result<bool, Error> {
        let mut held = self.pool.writer().await?;
        let cells = vec![id.into(), state.as_str().into()];
        Ok(held.conn().execute(sql, cells).await? == 1)
    }

    /// Notes that rules became active.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn activate(&self, activation: &Activation) -> Result<(), Error> {
        let cells = vec![
            activation.at.0.into(),
            activation.version.as_str().into(),
            activation.body.as_str().into(),
        ];
        let mut held = self.pool.writer().await?;
        held.conn().execute(&PUT_ACTIVATION, cells).await?;
        Ok(())
    }

    /// All activations, the first one first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn activations(&self) -> Result<Vec<Activation>, Error> {
        let mut held = self.pool.reader().await?;
        held.conn()
            .fetch(&ACTIVATIONS, vec![], |row| {
                Ok(Activation {
                    at: Millis(row.int(1, "at")?),
                    version: row.text(2, "version")?.to_owned(),
                    body: row.text(3, "body")?.to_owned(),
                })
            })
            .await
    }

    /// Figures for metrics. Reads everything that is open or waits, so not to be asked many times a second.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn counts(&self) -> Result<Counts, Error> {
        fn by_code(row: &Row<'_>) -> Result<(String, u64), Bad> {
            Ok((row.text(0, "code")?.to_owned(), count(row, 1)?))
        }
        let mut tx = self.pool.snapshot().await?;
        let mut conn = tx.conn();
        let dead_letters = conn.fetch(&COUNT_LETTERS, vec![], by_code).await?;
        let parked = conn.fetch(&COUNT_PARKED, vec![], by_code).await?;
        let outbox = conn
            .fetch(&COUNT_OUTBOX, vec![], |row| {
                Ok((count(row, 0)?, Millis(row.int(1, "at")?)))
            })
            .await?;
        tx.commit().await?;
        Ok(Counts {
            dead_letters: dead_letters.into_iter().collect(),
            parked: parked.into_iter().collect(),
            outbox: outbox.iter().map(|(messages, _)| messages).sum(),
            outbox_since: outbox.iter().map(|(_, at)| *at).min(),
        })
    }
}

fn count(row: &Row<'_>, at: usize) -> Result<u64, Bad> {
    row.int(at, "count")?
        .try_into()
        .map_err(|e| Bad::new("count", e))
}

fn page(state: StewardState, after: Option<(Millis, Digest)>, limit: u32) -> Vec<crate::sql::Cell> {
    // Before every time and id.
    let (at, id) = after.map_or((i64::MIN, Vec::new()), |(at, id)| (at.0, id.0.to_vec()));
    vec![
        state.as_str().into(),
        at.into(),
        id.into(),
        i64::from(limit).into(),
    ]
}

fn state(row: &Row<'_>, at: usize) -> Result<StewardState, Bad> {
    let text = row.text(at, "state")?;
    StewardState::parse(text).ok_or_else(|| Bad::new("state", format!("`{text}` is no state")))
}

fn letter(row: &Row<'_>) -> Result<(DeadLetter, StewardState), Bad> {
    let format = row.text(8, "format")?;
    let letter = DeadLetter {
        id: row.digest(0, "id")?,
        at: Millis(row.int(2, "at")?),
        code: row.text(3, "code")?.into(),
        place: row.text(4, "place")?.to_owned(),
        what: row.text(5, "what")?.to_owned(),
        fix: row.text(6, "fix")?.to_owned(),
        system: Name::new(row.text(7, "system")?),
        format: Format::parse(format)
            .ok_or_else(|| Bad::new("format", format!("`{format}` is no format")))?,
        object: row.opt_text(9, "object")?.map(Into::into),
        topic: row.text(10, "topic")?.into(),
        partition: row
            .int(11, "part")?
            .try_into()
            .map_err(|e| Bad::new("part", e))?,
        offset: row.int(12, "log_offset")?,
        key: row.opt_bytes(13, "message_key")?.map(<[u8]>::to_vec),
        payload: row.bytes(14, "payload")?.to_vec(),
    };
    Ok((letter, state(row, 1)?))
}

fn parked(row: &Row<'_>) -> Result<(Parked, StewardState), Bad> {
    let parked: Parked = blob::decode(row.bytes(3, "body")?).map_err(|e| Bad::new("body", e))?;
    if parked.id != row.digest(0, "id")? {
        return Err(Bad::new("body", "it holds another parked change"));
    }
    Ok((parked, state(row, 1)?))
}
