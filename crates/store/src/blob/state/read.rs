use std::{collections::BTreeMap, sync::Arc};

use baton_core::{
    change::{Cause, Origin, Seen},
    history::{Cell, Event, FieldHistory, History, Obs, SealedAs},
    id::{EntityId, Kind, RecordKey},
    lifecycle::fact::{Act, Actor, Fact, What},
    name::Name,
    state::{
        CommandKind, Delivery, Few, Golden, Intent, IntentEnd, Outstanding, Sorted, State, Written,
    },
    time::Millis,
};

use crate::blob::numbered::unzigzag;

use super::{
    BEFORE, Malformed, Reader, of_act, of_delivery, of_event, of_golden, of_intent, of_obs,
    of_written, part,
};

pub(super) const SEEN: [Seen; 7] = [
    Seen::Value,
    Seen::Cleared,
    Seen::BlankInEvent,
    Seen::BlankInSnapshot,
    Seen::Sentinel,
    Seen::Invalid,
    Seen::Doubtful,
];
pub(super) const ORIGINS: [Origin; 3] = [Origin::Ours, Origin::Other, Origin::Unsaid];
pub(super) const SEALED: [SealedAs; 4] = [
    SealedAs::Open,
    SealedAs::Turn,
    SealedAs::Same,
    SealedAs::Own,
];
pub(super) const ENDS: [IntentEnd; 4] = [
    IntentEnd::Pending,
    IntentEnd::Done,
    IntentEnd::Refused,
    IntentEnd::Unknown,
];
pub(super) const COMMANDS: [CommandKind; 4] = [
    CommandKind::Update,
    CommandKind::Create,
    CommandKind::Delete,
    CommandKind::Read,
];

/// What a code means, the codes being the places in the type's own order.
fn meaning<T: Copy>(of: &[T], code: u8) -> Result<T, Malformed> {
    of.get(usize::from(code)).copied().ok_or(Malformed::Code)
}

impl<'b> Reader<'b> {
    pub(super) fn state(&mut self) -> Result<State, Malformed> {
        let mut state = State::new(self.entity()?);
        loop {
            match self.count()? {
                part::END => return Ok(state),
                part::LINKS => state.links = self.by_record(Self::rare)?,
                part::HISTORIES => {
                    state.histories = self.by_record(|r| r.history().map(Box::new))?;
                }
                part::GOLDEN => state.golden = Arc::new(self.golden()?),
                part::GOLDEN_VERSION => state.golden_version = self.count()?,
                part::DELIVERIES => {
                    state.deliveries = self.by_record(|r| r.delivery().map(Box::new))?;
                }
                part::PROVENANCE => state.provenance = self.by_record(Self::entity)?,
                part::WAKE => state.wake = Some(self.instant()?),
                part::SETTLING => state.settling = self.instants()?,
                part::DUE => state.due = self.instants()?,
                part::SEALED_BEFORE => state.sealed_before = self.instant()?,
                part::LOCKS => state.locks = self.rare()?,
                part::RULINGS => state.rulings = self.rare()?,
                part::STAGES => state.stages = self.rare()?,
                part::SHARED_CONSENT => state.shared_consent = self.rare()?,
                part::CREATES => state.creates = self.rare()?,
                part::GUARDED => state.guarded = self.rare()?,
                part::MERGED_INTO => state.merged_into = self.rare()?,
                part::ABSORBED => state.absorbed = self.rare()?,
                part::ERASED => state.erased = self.rare()?,
                part::ARCHIVED => state.archived = self.rare()?,
                part::FUNNEL => state.funnel = self.rare()?,
                part::ACTS => {
                    let acts = self.acts()?;
                    state
                        .funnel
                        .as_deref_mut()
                        .ok_or(Malformed::Reference)?
                        .put_back(acts);
                }
                unknown => return Err(Malformed::Part(unknown)),
            }
        }
    }

    fn entity(&mut self) -> Result<EntityId, Malformed> {
        Ok(EntityId {
            kind: meaning(&Kind::ALL, self.byte()?)?,
            digest: self.digest()?,
        })
    }

    /// A map in the order of its keys.
    fn by_record<T>(
        &mut self,
        read: impl Fn(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Sorted<RecordKey, T>, Malformed> {
        let length = self.length()?;
        let mut map = Sorted::new();
        map.reserve(length.min(8));
        for _ in 0..length {
            let record = self.record()?;
            append(&mut map, record, read(self)?)?;
        }
        Ok(map)
    }

    fn instants(&mut self) -> Result<BTreeMap<Name, Millis>, Malformed> {
        let length = self.length()?;
        (0..length)
            .map(|_| Ok((self.name()?, self.instant()?)))
            .collect()
    }

    fn history(&mut self) -> Result<History, Malformed> {
        let mut history = History::default();
        let length = self.length()?;
        history.events.reserve(length);
        for _ in 0..length {
            let event = self.event()?;
            history.events.push(event);
        }
        history.latest = self.instant()?;
        let length = self.length()?;
        history.fields.reserve(length);
        for _ in 0..length {
            let name = self.name()?;
            append(&mut history.fields, name, self.field()?)?;
        }
        history.restated = self.rare()?;
        Ok(history)
    }

    fn event(&mut self) -> Result<Event, Malformed> {
        let flags = self.byte()?;
        let is = |flag| flags & flag != 0;
        let mut event = Event {
            event: self.digest()?,
            time: self.instant()?,
            seq: 0,
            position: self.position()?,
            read_back: is(of_event::READ_BACK),
            by_reading: is(of_event::BY_READING),
            delta: is(of_event::DELTA),
            cause: meaning(&Cause::ALL, self.byte()?)?,
            actor: None,
            origin: meaning(&ORIGINS, flags >> of_event::ORIGIN)?,
            may_match: Vec::new(),
        };
        if is(of_event::SEQ) {
            event.seq = self.count()?;
        }
        if is(of_event::ACTOR) {
            event.actor = Some(self.text()?);
        }
        if is(of_event::MAY_MATCH) {
            let length = self.length()?;
            let intents = (0..length).map(|_| self.number());
            event.may_match = intents.collect::<Result<_, _>>()?;
        }
        Ok(event)
    }

    fn field(&mut self) -> Result<FieldHistory, Malformed> {
        let length = self.length()?;
        let mut cells = Few::with_capacity(length);
        for _ in 0..length {
            let value = self.value()?;
            let seen = self.byte()?;
            let before = match seen & BEFORE {
                0 => None,
                _ => Some(Box::new(self.value()?)),
            };
            let seen = meaning(&SEEN, seen & !BEFORE)?;
            cells.push(Cell {
                value,
                seen,
                before,
            });
        }
        let length = self.length()?;
        let mut obs = Few::with_capacity(length);
        let (mut next_event, mut cell) = (0, 0);
        for _ in 0..length {
            let one = self.obs(next_event, cell)?;
            next_event = one.event.wrapping_add(1);
            cell = one.cell;
            obs.push(one);
        }
        Ok(FieldHistory { cells, obs })
    }

    fn obs(&mut self, next_event: u32, cell: u32) -> Result<Obs, Malformed> {
        let said = self.count()?;
        let further = unzigzag(said >> of_obs::EVENT);
        let event = i64::from(next_event).checked_add(further);
        let event = event.and_then(|event| u32::try_from(event).ok());
        Ok(Obs {
            event: event.ok_or(Malformed::Reference)?,
            cell: match said & 3 {
                of_obs::SAME => cell,
                of_obs::NEXT => cell.wrapping_add(1),
                of_obs::OTHER => self.number()?,
                _ => return Err(Malformed::Code),
            },
            sealed: meaning(&SEALED, (said >> of_obs::SEALED & 3) as u8)?,
        })
    }

    fn golden(&mut self) -> Result<Sorted<Name, Golden>, Malformed> {
        let length = self.length()?;
        let mut all: Sorted<Name, Golden> = Sorted::new();
        all.reserve(length);
        for _ in 0..length {
            let name = self.name()?;
            let flags = self.byte()?;
            let value = self.value()?;
            let is = |flag| flags & flag != 0;
            let golden = if flags == of_golden::AS_BEFORE {
                let (_, before) = all.last().ok_or(Malformed::Reference)?;
                Golden {
                    value,
                    winner: before.winner.clone(),
                    since: before.since,
                    event: before.event,
                    decided: before.decided,
                    rule_version: before.rule_version.clone(),
                }
            } else {
                Golden {
                    value,
                    winner: is(of_golden::WINNER).then(|| self.record()).transpose()?,
                    since: is(of_golden::SINCE).then(|| self.instant()).transpose()?,
                    event: is(of_golden::EVENT).then(|| self.digest()).transpose()?,
                    decided: is(of_golden::DECIDED),
                    rule_version: self.text()?,
                }
            };
            append(&mut all, name, golden)?;
        }
        Ok(all)
    }

    fn delivery(&mut self) -> Result<Delivery, Malformed> {
        let mut delivery = Delivery::default();
        loop {
            match self.count()? {
                of_delivery::END => return Ok(delivery),
                of_delivery::INTENTS => {
                    let length = self.length()?;
                    let intents = (0..length).map(|_| self.intent());
                    delivery.intents = intents.collect::<Result<_, _>>()?;
                }
                of_delivery::NEXT_INTENT => delivery.next_intent = self.number()?,
                of_delivery::OUTSTANDING => delivery.outstanding = Some(self.outstanding()?),
                of_delivery::WRITES => {
                    let length = self.length()?;
                    delivery.writes.reserve(length);
                    for _ in 0..length {
                        let name = self.name()?;
                        let length = self.length()?;
                        let writes =
                            (0..length).map(|_| Ok((self.instant()?, self.only_digest()?)));
                        let writes = writes.collect::<Result<_, Malformed>>()?;
                        append(&mut delivery.writes, name, writes)?;
                    }
                }
                of_delivery::PENDING => {
                    for _ in 0..self.length()? {
                        delivery.pending.insert(self.name()?);
                    }
                }
                of_delivery::RENDERINGS => delivery.renderings = self.rare()?,
                of_delivery::REFUSED => delivery.refused = self.rare()?,
                of_delivery::CONTESTED => delivery.contested = self.rare()?,
                of_delivery::HELD => delivery.held = self.rare()?,
                of_delivery::REVERTS => delivery.reverts = self.rare()?,
                of_delivery::READ_WANTED => delivery.read_wanted = self.rare()?,
                of_delivery::READ_AGAIN => delivery.read_again = self.rare()?,
                of_delivery::LAST_READ => delivery.last_read = self.rare()?,
                of_delivery::REFUSED_RECORD => delivery.refused_record = self.rare()?,
                of_delivery::DELETED => delivery.deleted = self.rare()?,
                of_delivery::RETRY => delivery.retry = self.rare()?,
                unknown => return Err(Malformed::Part(unknown)),
            }
        }
    }

    fn intent(&mut self) -> Result<Intent, Malformed> {
        let flags = self.byte()?;
        let is = |flag| flags & flag != 0;
        Ok(Intent {
            number: self.number()?,
            command: self.digest()?,
            golden_version: self.count()?,
            sent: self.instant()?,
            answered: is(of_intent::ANSWERED)
                .then(|| self.position())
                .transpose()?,
            stamp: is(of_intent::STAMP).then(|| self.instant()).transpose()?,
            end: meaning(&ENDS, flags >> of_intent::END)?,
            fields: {
                let length = self.length()?;
                let mut fields = Sorted::new();
                fields.reserve(length);
                for _ in 0..length {
                    let name = self.name()?;
                    append(&mut fields, name, self.written()?)?;
                }
                fields
            },
        })
    }

    fn written(&mut self) -> Result<Written, Malformed> {
        let flags = self.byte()?;
        let is = |flag| flags & flag != 0;
        Ok(Written {
            value: self.value()?,
            answered: is(of_written::ANSWERED).then(|| self.value()).transpose()?,
            refused: is(of_written::REFUSED),
        })
    }

    fn acts(&mut self) -> Result<Vec<Fact>, Malformed> {
        let length = self.length()?;
        (0..length).map(|_| self.act()).collect()
    }

    fn act(&mut self) -> Result<Fact, Malformed> {
        let flags = self.byte()?;
        let is = |flag| flags & flag != 0;
        Ok(Fact {
            event: self.only_digest()?,
            time: self.instant()?,
            position: self.position()?,
            seq: if is(of_act::SEQ) { self.count()? } else { 0 },
            effective: is(of_act::EFFECTIVE).then(|| self.instant()).transpose()?,
            what: What::Act(Act {
                actor: meaning(&Actor::ALL, flags >> of_act::ACTOR)?,
                kind: self.name()?,
                category: self.name()?,
                content: is(of_act::CONTENT).then(|| self.text()).transpose()?,
                campaign: is(of_act::CAMPAIGN).then(|| self.text()).transpose()?,
            }),
        })
    }

    fn outstanding(&mut self) -> Result<Outstanding, Malformed> {
        Ok(Outstanding {
            command: self.digest()?,
            kind: meaning(&COMMANDS, self.byte()?)?,
            intent: self.number()?.checked_sub(1),
            sent: self.instant()?,
        })
    }
}

fn append<K: Ord, V>(map: &mut Sorted<K, V>, key: K, value: V) -> Result<(), Malformed> {
    match map.try_append(key, value) {
        None => Ok(()),
        Some(_) => Err(Malformed::Order),
    }
}
