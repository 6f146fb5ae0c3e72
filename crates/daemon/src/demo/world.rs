//! Plays the day in lock step: the sandboxes, the log, the engine and the clock move together, so that one seed
//! always gives one history, however fast this machine is.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context as _;
use baton_core::{
    change::Outcome,
    id::{Digest, Object},
    time::{DAY, Millis, SECOND},
    wire::Command,
};
use baton_sandbox::{
    Arrival, System, TopicKind,
    day::{Day, Played, Scene, Side, Step, person},
};

use serde_json::json;

use super::weeks::{self, Weeks};
use crate::{
    engine::{Engine, Places, header},
    kafka::{Connection, Ends, Outgoing, Publish, Publisher, Reader, start},
};

/// Simulated time that one turn of the wheel covers: what comes within it is settled together.
const SLICE: i64 = 15 * SECOND;

/// Timers further away than this after the last deed are left to themselves.
const PATIENCE: i64 = 45 * DAY;

/// Turns after which a day that never comes to rest is given up.
const MOST_TURNS: u64 = 40_000;

/// What was counted while the day was played. All of it repeats with the seed.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Steps that took place, by scene.
    pub scenes: BTreeMap<Scene, u64>,
    /// Steps that could not take place.
    pub missed: u64,
    /// Messages that reached the log: changes and results.
    pub changes: u64,
    pub results: u64,
    pub late: u64,
    pub again: u64,
    pub outcomes: BTreeMap<Outcome, u64>,
    pub answers: u64,
    /// Commands by system and kind.
    pub commands: BTreeMap<(String, &'static str), u64>,
    pub timers: u64,
}

/// Something to tell while it happens.
pub enum News<'a> {
    Step(&'a Step, &'a Played),
    /// The clock stands at this instant now.
    Turn(Millis, &'a Counts),
}

/// Everything that takes part.
pub struct World {
    pub engine: Arc<Engine>,
    pub crm: System,
    pub map: System,
    pub counts: Counts,
    /// What Baton sent, by command id: the truth about its own writes.
    pub sent: BTreeMap<String, Command>,
    publisher: Publisher,
    inputs: Reader,
    commands: Reader,
    /// Activities that have not reached the log yet, in Baton's own form.
    said: Vec<Outgoing>,
    /// Ends of the input topics as the acknowledgements told them.
    ends: Ends,
}

impl World {
    /// Opens readers and a producer on the log.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn new(
        engine: Arc<Engine>,
        connection: &Connection,
        (crm, map): (System, System),
    ) -> anyhow::Result<Self> {
        let topics = engine.active().topics.clone();
        let places = Places::new(engine.stored_positions().await?);
        let open = |names: Vec<String>, connection: Connection, places: Places| async move {
            tokio::task::spawn_blocking(move || {
                Reader::open(&connection, &names, |topic, partition, found| {
                    start(&places.of(topic, partition), found)
                })
            })
            .await?
            .context("cannot read the log")
        };
        let sent_to: Vec<String> = topics
            .names
            .systems
            .values()
            .map(|topics| topics.commands.clone())
            .collect();
        Ok(Self {
            inputs: open(topics.consumed(), connection.clone(), places).await?,
            commands: open(sent_to, connection.clone(), Places::default()).await?,
            publisher: Publisher::new(connection)?,
            engine,
            crm,
            map,
            counts: Counts::default(),
            sent: BTreeMap::new(),
            said: Vec::new(),
            ends: Ends::new(),
        })
    }

    /// Plays the day and lets everything come to rest.
    ///
    /// # Errors
    /// When log or store fail, or rest never comes.
    pub async fn play(&mut self, day: &Day, tell: &mut dyn FnMut(News<'_>)) -> anyhow::Result<()> {
        let mut steps = day.steps().iter().peekable();
        let last = day.steps().last().map_or(Millis(0), |step| step.at);
        for _ in 0..MOST_TURNS {
            let step = steps.peek().map(|step| step.at);
            let wake = self.engine.store.next_due().await?;
            let wake = wake.filter(|at| *at <= last.plus(PATIENCE));
            let next = [step, self.crm.next_due(), self.map.next_due(), wake];
            let Some(next) = next.into_iter().flatten().min() else {
                return Ok(());
            };
            let now = next.max(self.engine.clock.now()).plus(SLICE);
            while let Some(step) = steps.next_if(|step| step.at <= now) {
                let played = self.step(step);
                tell(News::Step(step, &played));
            }
            self.turn(now).await?;
            tell(News::Turn(now, &self.counts));
        }
        anyhow::bail!("the day does not come to rest: something writes for ever")
    }

    /// Plays the months after the day, and lets every timer go off that is due in them.
    ///
    /// # Errors
    /// When log or store fail, or a step cannot take place.
    pub async fn play_weeks(&mut self, weeks: &Weeks) -> anyhow::Result<()> {
        let mut steps = weeks.steps.iter().peekable();
        for _ in 0..MOST_TURNS {
            let step = steps.peek().map(|step| step.at);
            let wake = self.engine.store.next_due().await?;
            let wake = wake.filter(|at| *at <= weeks.end);
            let next = [step, self.crm.next_due(), self.map.next_due(), wake];
            let Some(next) = next.into_iter().flatten().min() else {
                return Ok(());
            };
            let now = next.max(self.engine.clock.now()).plus(SLICE);
            while let Some(step) = steps.next_if(|step| step.at <= now) {
                self.week_step(step)?;
            }
            self.turn(now).await?;
        }
        anyhow::bail!("the months do not come to rest: something writes for ever")
    }

    fn week_step(&mut self, step: &weeks::Step) -> anyhow::Result<()> {
        let emails = [step.email.clone()];
        let pick = |side| match side {
            Side::Crm => &self.crm,
            Side::Map => &self.map,
        };
        let of = |side| {
            let found = person(pick(side), side, &emails);
            found.with_context(|| format!("{} has no record of {}", pick(side).name(), step.email))
        };
        match &step.what {
            weeks::What::Known { first, last } => {
                let fields = baton_sandbox::fields([
                    ("firstname", json!(first)),
                    ("lastname", json!(last)),
                    ("email", json!(step.email)),
                    ("company", json!("Weeks Ltd")),
                    ("points", json!(10)),
                ]);
                let hand = weeks::hand(Side::Map);
                self.map
                    .create(step.at, &hand, Object::Contact, fields)
                    .map_err(|why| anyhow::anyhow!("the MAP refuses a person: {why:?}"))?;
            }
            weeks::What::Writes { side, values } => {
                let (object, id) = of(*side)?;
                let fields = values.iter().map(|(f, v)| ((*f).to_owned(), v.clone()));
                let (fields, hand) = (fields.collect(), weeks::hand(*side));
                let system = match side {
                    Side::Crm => &mut self.crm,
                    Side::Map => &mut self.map,
                };
                system
                    .edit(step.at, &hand, object, &id, fields)
                    .map_err(|why| anyhow::anyhow!("a system refuses an edit: {why:?}"))?;
            }
            weeks::What::Converts => {
                let (_, lead) = of(Side::Crm)?;
                let hand = weeks::hand(Side::Crm);
                let refused = |why| anyhow::anyhow!("the CRM refuses a deal: {why:?}");
                let made = self
                    .crm
                    .convert(step.at, &hand, &lead, None, None)
                    .map_err(refused)?;
                let deal = baton_sandbox::fields([
                    ("Name", json!(step.email)),
                    ("AccountId", json!(made.account)),
                    ("ContactId", json!(made.contact)),
                    ("StageName", json!("Proposal")),
                    ("Amount", json!(4_200)),
                    ("CloseDate", json!("2027-03-31")),
                    ("IsClosed", json!(false)),
                    ("IsWon", json!(false)),
                ]);
                self.crm
                    .create(step.at, &hand, Object::Deal, deal)
                    .map_err(refused)?;
            }
            weeks::What::Ends { won, reason } => {
                let deal = self.crm.find(Object::Deal, "Name", &json!(step.email));
                let deal = deal.context("the CRM has lost a deal")?.to_owned();
                let stage = if *won { "Closed Won" } else { "Closed Lost" };
                let ends = baton_sandbox::fields([
                    ("StageName", json!(stage)),
                    ("IsClosed", json!(true)),
                    ("IsWon", json!(won)),
                    ("Loss_Reason__c", json!(reason)),
                ]);
                self.crm
                    .edit(step.at, &weeks::hand(Side::Crm), Object::Deal, &deal, ends)
                    .map_err(|why| anyhow::anyhow!("the CRM refuses the end of a deal: {why:?}"))?;
            }
            weeks::What::Did {
                side,
                kind,
                by,
                then,
            } => {
                let (object, id) = of(*side)?;
                let said = json!({
                    "object": object.as_str(), "id": id, "class": "activity", "kind": kind,
                    "time": then.to_string(), "event_id": format!("{id}-{kind}-{}", then.0),
                    "fields": {"by": by},
                });
                let name = baton_core::name::Name::new(pick(*side).name());
                let names = &self.engine.active().topics.names;
                let topics = names.systems.get(&name);
                let topic = topics.with_context(|| format!("no system `{name}`"))?;
                let message = Outgoing {
                    topic: topic.changes.clone(),
                    key: Some(format!("{object}:{id}").into_bytes()),
                    payload: Some(said.to_string().into_bytes()),
                    timestamp: Some(step.at),
                    headers: vec![(header::FORMAT.into(), b"baton".to_vec())],
                };
                // Vendors tell twice what they are not sure to have told.
                self.said.extend([message.clone(), message]);
            }
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Played {
        let played = baton_sandbox::day::play(step, &mut self.crm, &mut self.map);
        if played == Played::Done {
            *self.counts.scenes.entry(step.scene).or_default() += 1;
        } else {
            self.counts.missed += 1;
        }
        played
    }

    /// Everything that falls due by `now`: messages reach the log, the engine settles them, its timers fire, its
    /// commands reach the systems.
    async fn turn(&mut self, now: Millis) -> anyhow::Result<()> {
        let came = self.messages(now).await?;
        self.engine.clock.advance_to(now);
        if came {
            let report = self
                .engine
                .drain_until(&mut self.inputs, &self.ends)
                .await?;
            anyhow::ensure!(
                report.stopped.is_empty(),
                "too many messages of a sandbox cannot be understood"
            );
            self.counts.answers += report.answers;
            for (outcome, count) in report.outcomes {
                *self.counts.outcomes.entry(outcome).or_default() += count;
            }
        }
        let fired = self.engine.fire_timers().await?;
        self.counts.timers += fired;
        if (came || fired > 0) && self.engine.relay_all(&self.publisher).await? > 0 {
            self.deliver(now)?;
        }
        Ok(())
    }

    /// Publishes what the systems say, each message with the time at which it reaches the log.
    async fn messages(&mut self, now: Millis) -> anyhow::Result<bool> {
        let names = self.engine.active().topics.names.clone();
        let mut due = Vec::new();
        for system in [&mut self.crm, &mut self.map] {
            let name = baton_core::name::Name::new(system.name());
            let topics = names
                .systems
                .get(&name)
                .with_context(|| format!("the configuration has no system `{name}`"))?;
            for message in system.due(now) {
                let topic = match message.topic {
                    TopicKind::Changes => &topics.changes,
                    TopicKind::Results => &topics.results,
                };
                due.push((topic.clone(), message));
            }
        }
        due.sort_by_key(|(_, message)| message.at);
        for (_, message) in &due {
            match message.topic {
                TopicKind::Changes => self.counts.changes += 1,
                TopicKind::Results => self.counts.results += 1,
            }
            match message.arrival {
                Arrival::Usual => {}
                Arrival::Late => self.counts.late += 1,
                Arrival::Again => self.counts.again += 1,
            }
        }
        let mut outgoing: Vec<Outgoing> = due
            .into_iter()
            .map(|(topic, message)| Outgoing {
                topic,
                key: Some(message.key.into_bytes()),
                payload: Some(message.payload),
                timestamp: Some(message.at),
                headers: Vec::new(),
            })
            .collect();
        self.counts.changes += self.said.len() as u64;
        outgoing.append(&mut self.said);
        let results = self.publisher.publish(&outgoing).await;
        for (message, result) in outgoing.iter().zip(results) {
            let (partition, offset) = result?;
            let end = self
                .ends
                .entry((message.topic.clone(), partition))
                .or_default();
            *end = (*end).max(offset + 1);
        }
        Ok(!outgoing.is_empty())
    }

    /// Hands new commands to the systems that they are for.
    fn deliver(&mut self, now: Millis) -> anyhow::Result<()> {
        let mut read = tokio::task::block_in_place(|| {
            let ends = self.commands.ends()?;
            self.commands.read_until(&ends, usize::MAX)
        })?;
        read.sort_by(|a, b| {
            (a.arrival, &a.topic, a.partition, a.offset).cmp(&(
                b.arrival,
                &b.topic,
                b.partition,
                b.offset,
            ))
        });
        for message in read {
            let payload = message.payload.unwrap_or_default();
            let command: Command = serde_json::from_slice(&payload)
                .context("a command on the log is not what its schema says")?;
            let kind = kind_name(&command);
            let system = command.system.to_string();
            *self
                .counts
                .commands
                .entry((system.clone(), kind))
                .or_default() += 1;
            for sandbox in [&mut self.crm, &mut self.map] {
                if sandbox.name() == system {
                    sandbox.command(now, &command);
                }
            }
            self.sent.insert(command.command_id.clone(), command);
        }
        Ok(())
    }

    /// The sandbox of a side.
    #[must_use]
    pub const fn side(&self, side: Side) -> &System {
        match side {
            Side::Crm => &self.crm,
            Side::Map => &self.map,
        }
    }
}

/// A hash of everything that came to stand in both systems, to compare runs by.
#[must_use]
pub fn fingerprint(world: &World) -> String {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for system in [&world.crm, &world.map] {
        for entry in system.journal() {
            parts.push(format!("{entry:?}").into_bytes());
        }
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    Digest::of(&parts).to_string()
}

const fn kind_name(command: &Command) -> &'static str {
    use baton_core::state::CommandKind;
    match command.kind {
        CommandKind::Update => "update",
        CommandKind::Create => "create",
        CommandKind::Delete => "delete",
        CommandKind::Read => "read",
    }
}
