//! What was done in the funnel, and where everybody stands in it: written with the transaction that decided it, read
//! for its reports.

use baton_core::{
    book::{Out, Placing},
    id::{Digest, EntityId, Kind},
    name::Name,
    time::Millis,
    wire::{Ending, Lifecycle, LifecycleMessage},
};

use crate::{
    code,
    error::Error,
    open::Store,
    sql::{Bad, Cell, Row, Rows, Sql, Type},
};

pub(crate) const PUT_DEEDS: Sql = Sql {
    text: "INSERT INTO deeds (id, kind, entity, what, due, at, shadow, from_stage, to_stage, since, reason, clock,
                              original, episode, attempt, version, body) {values}
           ON CONFLICT DO NOTHING",
    table: "deeds",
    key: 0,
    input: &[
        Type::Bytes,
        Type::Int,
        Type::Bytes,
        Type::Text,
        Type::Int,
        Type::Int,
        Type::Int,
        Type::Text,
        Type::Text,
        Type::Int,
        Type::Text,
        Type::Text,
        Type::Bytes,
        Type::Int,
        Type::Int,
        Type::Text,
        Type::Text,
    ],
};
pub(crate) const UNDO_DEEDS: Sql = Sql {
    text: "UPDATE deeds SET undone = input.column2 FROM {input} WHERE deeds.id = input.column1",
    table: "deeds",
    key: 0,
    input: &[Type::Bytes, Type::Int],
};
pub(crate) const ERASE_DEEDS: Sql = Sql {
    text: "UPDATE deeds SET body = '{}' FROM {input} WHERE deeds.kind = input.column1 AND deeds.entity = input.column2",
    table: "deeds",
    key: 0,
    input: &[Type::Int, Type::Bytes],
};
// One that is written at the same instant takes the row's place below.
pub(crate) const LEAVE_STANDINGS: Sql = Sql {
    text: "UPDATE standings SET until = input.column3 FROM {input}
           WHERE standings.kind = input.column1 AND standings.entity = input.column2 AND standings.until IS NULL",
    table: "standings",
    key: 0,
    input: &[Type::Int, Type::Bytes, Type::Int],
};
pub(crate) const PUT_STANDINGS: Sql = Sql {
    text: "INSERT INTO standings (kind, entity, at, until, stage, since, episode) {values}
           ON CONFLICT (kind, entity, at) DO UPDATE
           SET until = excluded.until, stage = excluded.stage, since = excluded.since, episode = excluded.episode",
    table: "standings",
    key: 0,
    input: &[
        Type::Int,
        Type::Bytes,
        Type::Int,
        Type::Int,
        Type::Text,
        Type::Int,
        Type::Int,
    ],
};
const STANDINGS: Sql = Sql {
    text: "SELECT kind, entity, at, stage, since, episode FROM standings
           WHERE kind = $1 AND entity > $2 AND at <= $3 AND (until IS NULL OR until > $3)
           ORDER BY entity LIMIT $4",
    table: "standings",
    key: 2,
    input: &[],
};
const PEOPLE: Sql = Sql {
    text: "SELECT stage, COUNT(*) FROM standings WHERE until IS NULL GROUP BY stage",
    table: "standings",
    key: 0,
    input: &[],
};
const LAST: Sql = Sql {
    text: "SELECT at FROM ledger WHERE seq IN (SELECT MAX(seq) FROM ledger)",
    table: "ledger",
    key: 0,
    input: &[],
};
const DEEDS: Sql = Sql {
    text: "SELECT id, kind, entity, what, due, at, undone, shadow, from_stage, to_stage, since, reason, clock, original,
                  episode, attempt, version
           FROM deeds WHERE due >= $1 AND due <= $2 AND (due > $1 OR id > $3) ORDER BY due, id LIMIT $4",
    table: "deeds",
    key: 1,
    input: &[],
};
const DEEDS_OF: Sql = Sql {
    text: "SELECT id, kind, entity, what, due, at, undone, shadow, from_stage, to_stage, since, reason, clock, original,
                  episode, attempt, version, body
           FROM deeds WHERE kind = $1 AND entity = $2 ORDER BY due, at, id",
    table: "deeds",
    key: 1,
    input: &[],
};

/// Rows read at once.
const PAGE: usize = 4_096;

/// Something that was done in the funnel, as [`LifecycleMessage`] tells of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deed {
    pub id: Digest,
    pub entity: EntityId,
    /// The message's kind: `recycle` of a return to nurture, `exhausted` or `long_nurture` of what was done instead.
    pub what: String,
    pub due: Millis,
    pub at: Millis,
    /// When it was taken back.
    pub undone: Option<Millis>,
    pub shadow: bool,
    pub from: Option<Name>,
    pub to: Option<Name>,
    /// Since when the person had been where a transition leads from.
    pub since: Option<Millis>,
    pub reason: Option<Name>,
    pub clock: Option<Name>,
    /// Under whose name the episode is counted.
    pub original: Option<Digest>,
    pub episode: Option<u32>,
    pub attempt: Option<u32>,
    /// The rules' version.
    pub version: String,
}

/// Where a person stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stands {
    pub entity: EntityId,
    pub stage: Name,
    pub since: Millis,
    pub episode: Option<u32>,
}

/// The columns that reports ask for.
#[derive(Default)]
struct Columns<'t> {
    what: &'static str,
    from: Option<Name>,
    to: Option<Name>,
    since: Option<Millis>,
    reason: Option<&'t str>,
    clock: Option<Name>,
    original: Option<Digest>,
    episode: Option<u32>,
    attempt: Option<u32>,
}

impl<'t> Columns<'t> {
    fn of(told: &'t Lifecycle) -> Self {
        let what = told.kind();
        match told {
            Lifecycle::Transition {
                from,
                to,
                since,
                reason,
                episode,
                ..
            } => Self {
                what,
                from: Some(*from),
                to: Some(*to),
                since: *since,
                reason: reason.map(Name::as_str),
                episode: *episode,
                ..Self::default()
            },
            Lifecycle::Recycle(recycle) => Self {
                what: match recycle.how {
                    Ending::Recycled => what,
                    other => other.as_str(),
                },
                from: Some(recycle.from),
                reason: recycle.reason.map(Name::as_str),
                original: Some(recycle.original.digest),
                episode: Some(recycle.episode),
                attempt: Some(recycle.attempt),
                ..Self::default()
            },
            Lifecycle::Handoff(handoff) => Self {
                what,
                episode: Some(handoff.episode),
                ..Self::default()
            },
            Lifecycle::Reminder { clock, .. }
            | Lifecycle::Breach { clock, .. }
            | Lifecycle::Kept { clock, .. }
            | Lifecycle::Escalation { clock, .. } => Self {
                what,
                clock: Some(clock.name),
                episode: clock.episode,
                ..Self::default()
            },
            Lifecycle::Reengage { stage, .. } => Self {
                what,
                from: Some(*stage),
                ..Self::default()
            },
            Lifecycle::Outcome { reason, .. } => Self {
                what,
                reason: reason.as_deref(),
                ..Self::default()
            },
            Lifecycle::WithoutEffect(told) => Self {
                what,
                from: told.from,
                to: told.to,
                reason: told.reason.map(Name::as_str),
                ..Self::default()
            },
            Lifecycle::Undone { what: undone, .. } => Self {
                what,
                from: undone.from,
                to: undone.to,
                reason: undone.reason.map(Name::as_str),
                episode: undone.episode,
                ..Self::default()
            },
        }
    }
}

/// The rows of a commit.
#[derive(Default)]
pub(crate) struct FunnelRows {
    pub deeds: Rows,
    pub undone: Rows,
    pub erased: Rows,
    pub left: Rows,
    pub standings: Rows,
}

impl FunnelRows {
    pub fn deed(&mut self, message: &LifecycleMessage, body: &str) {
        let columns = Columns::of(&message.told);
        let text = |name: Option<Name>| Cell::from(name.map(Name::as_str));
        self.deeds.push([
            message.id.into(),
            code::of_kind(message.entity.kind).into(),
            message.entity.digest.into(),
            columns.what.into(),
            message.due.0.into(),
            message.at.0.into(),
            i64::from(message.shadow).into(),
            text(columns.from),
            text(columns.to),
            columns.since.map(|since| since.0).into(),
            columns.reason.into(),
            text(columns.clock),
            columns.original.map(|id| id.0.to_vec()).into(),
            columns.episode.map(i64::from).into(),
            columns.attempt.map(i64::from).into(),
            message.rule_version.as_str().into(),
            body.into(),
        ]);
        if let Lifecycle::Undone {
            undoes: Some(undoes),
            ..
        } = &message.told
        {
            self.undone.push([(*undoes).into(), message.at.0.into()]);
        }
    }

    /// The last word on each person.
    pub fn placings(&mut self, out: &Out) {
        for (entity, Placing { at, place }) in &out.placings {
            let kind = code::of_kind(entity.kind);
            self.left
                .push([kind.into(), entity.digest.into(), at.0.into()]);
            if let Some(place) = place {
                self.standings.push([
                    kind.into(),
                    entity.digest.into(),
                    at.0.into(),
                    None::<i64>.into(),
                    place.stage.as_str().into(),
                    place.since.0.into(),
                    place.episode.map(i64::from).into(),
                ]);
            }
        }
    }

    /// Of somebody who was erased no message is kept.
    pub fn erase(&mut self, entity: EntityId) {
        self.erased
            .push([code::of_kind(entity.kind).into(), entity.digest.into()]);
    }
}

impl Store {
    /// Goes through where everybody stood at an instant of the log's clock, by id; a page of them is at hand at a time.
    ///
    /// # Errors
    /// If the store cannot be read, or a row makes no sense.
    pub async fn each_standing(
        &self,
        at: Millis,
        mut take: impl FnMut(Stands),
    ) -> Result<(), Error> {
        let mut after = Vec::new();
        let mut held = self.pool.reader().await?;
        loop {
            // Only people have a place. Said so that a page is found by the key, and not among all.
            let person = code::of_kind(Kind::Person);
            let cells = vec![person.into(), after.into(), at.0.into(), page()];
            let rows = held.conn().fetch(&STANDINGS, cells, stands).await?;
            let is_last = rows.len() < PAGE;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = last.entity.digest.0.to_vec();
            rows.into_iter().for_each(&mut take);
            if is_last {
                return Ok(());
            }
        }
    }

    /// How many people are in each stage now.
    ///
    /// # Errors
    /// As [`Store::each_standing`].
    pub async fn people_by_stage(&self) -> Result<Vec<(Name, u64)>, Error> {
        let mut held = self.pool.reader().await?;
        held.conn()
            .fetch(&PEOPLE, Vec::new(), |row| {
                let people = row.int(1, "count")?;
                let people = u64::try_from(people).map_err(|e| Bad::new("count", e))?;
                Ok((Name::new(row.text(0, "stage")?), people))
            })
            .await
    }

    /// The instant of the log's clock at which anything was last taken in, as the newest row of the ledger has it, by which
    /// nobody has to look at everybody; untimed if nothing was.
    ///
    /// # Errors
    /// As [`Store::each_standing`].
    pub async fn last_taken_in(&self) -> Result<Millis, Error> {
        let mut held = self.pool.reader().await?;
        let found = held
            .conn()
            .fetch(&LAST, Vec::new(), |row| row.int(0, "at"))
            .await?;
        let last = found.into_iter().next();
        Ok(last.map_or(Millis::UNTIMED, Millis))
    }

    /// Goes through what fell due from one instant to another, both included, in that order; of everybody.
    ///
    /// # Errors
    /// As [`Store::each_standing`].
    pub async fn each_deed(
        &self,
        from: Millis,
        to: Millis,
        mut take: impl FnMut(Deed),
    ) -> Result<(), Error> {
        let (mut after, mut id) = (from, Vec::new());
        let mut held = self.pool.reader().await?;
        loop {
            let cells = vec![after.0.into(), to.0.into(), id.into(), page()];
            let rows = held.conn().fetch(&DEEDS, cells, deed).await?;
            let is_last = rows.len() < PAGE;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            (after, id) = (last.due, last.id.0.to_vec());
            rows.into_iter().for_each(&mut take);
            if is_last {
                return Ok(());
            }
        }
    }

    /// All that was done to one person, with the messages, in the order in which it fell due.
    ///
    /// # Errors
    /// As [`Store::each_standing`].
    pub async fn deeds_of(&self, entity: EntityId) -> Result<Vec<(Deed, String)>, Error> {
        let cells = vec![code::of_kind(entity.kind).into(), entity.digest.into()];
        let mut held = self.pool.reader().await?;
        held.conn()
            .fetch(&DEEDS_OF, cells, |row| {
                Ok((deed(row)?, row.text(17, "body")?.to_owned()))
            })
            .await
    }
}

fn page() -> Cell {
    // A page is some thousand rows.
    i64::try_from(PAGE).unwrap_or(i64::MAX).into()
}

fn stands(row: &Row<'_>) -> Result<Stands, Bad> {
    Ok(Stands {
        entity: code::entity(row, 0, "kind", "entity")?,
        stage: Name::new(row.text(3, "stage")?),
        since: Millis(row.int(4, "since")?),
        episode: number(row, 5, "episode")?,
    })
}

fn deed(row: &Row<'_>) -> Result<Deed, Bad> {
    let name = |at, column| Ok(row.opt_text(at, column)?.map(Name::new));
    let original = row.opt_bytes(13, "original")?;
    let original = original.map(|bytes| {
        let digest = bytes.try_into().map(Digest);
        digest.map_err(|e: std::array::TryFromSliceError| Bad::new("original", e))
    });
    Ok(Deed {
        id: row.digest(0, "id")?,
        entity: code::entity(row, 1, "kind", "entity")?,
        what: row.text(3, "what")?.to_owned(),
        due: Millis(row.int(4, "due")?),
        at: Millis(row.int(5, "at")?),
        undone: row.opt_int(6, "undone")?.map(Millis),
        shadow: row.int(7, "shadow")? != 0,
        from: name(8, "from_stage")?,
        to: name(9, "to_stage")?,
        since: row.opt_int(10, "since")?.map(Millis),
        reason: name(11, "reason")?,
        clock: name(12, "clock")?,
        original: original.transpose()?,
        episode: number(row, 14, "episode")?,
        attempt: number(row, 15, "attempt")?,
        version: row.text(16, "version")?.to_owned(),
    })
}

fn number(row: &Row<'_>, at: usize, column: &'static str) -> Result<Option<u32>, Bad> {
    let found = row.opt_int(at, column)?;
    let number = found.map(|number| u32::try_from(number).map_err(|e| Bad::new(column, e)));
    number.transpose()
}
