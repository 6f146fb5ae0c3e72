//! What an `apply` asks the shell to do.

use std::collections::BTreeMap;

use compact_str::format_compact;

use crate::{
    book::{OutBody, OutKey, OutMessage, OutTopic, Parked, ParkedCode},
    change::Outcome,
    holdings::Holding,
    id::{Digest, RecordKey},
    lifecycle::{funnel::Deed, setup::Setup},
    name::Name,
    state::State,
    time::Millis,
    wire,
};

/// The result of one `apply`, beside the changed state.
#[derive(Debug)]
pub struct Transition {
    pub outcome: Outcome,
    /// It belongs into the ledger (a duplicate that moved nothing does not).
    pub recorded: bool,
    pub effects: Effects,
}

/// Effects in the order in which they arose.
#[derive(Debug, Default)]
pub struct Effects {
    pub messages: Vec<OutMessage>,
    pub parked: Vec<Parked>,
    pub unparked: Vec<Digest>,
    /// Records that became linked, by a create's answer or a conversion.
    pub linked: Vec<RecordKey>,
    /// Fields whose golden value changed.
    pub changed: Vec<Name>,
    pub violations: Vec<&'static str>,
    /// A system did not take what it should have been told of somebody who is handed over.
    pub refuses_handoff: bool,
    /// By how much the input moves the counts of records that hold a field.
    pub holdings: BTreeMap<Holding, i64>,
}

impl Effects {
    pub fn command(&mut self, state: &State, at: Millis, command: wire::Command) {
        // One record's commands stay in order: the key is the record, or the entity while there is none.
        let key = match &command.id {
            Some(id) => OutKey::Named(format_compact!("{}:{id}", command.object)),
            None => OutKey::Entity(state.id),
        };
        self.messages.push(OutMessage {
            topic: OutTopic::Commands(command.system),
            key,
            cause: Digest::of(&[command.command_id.as_bytes()]),
            body: OutBody::Command(command),
            at,
        });
    }

    /// Tells of something that was done in the funnel. The state has its funnel, settled with this deed.
    pub fn deed(&mut self, state: &State, deed: &Deed, setup: &Setup) {
        let message = wire::LifecycleMessage::of(state.id, deed, state.funnel.as_deref(), setup);
        let cause = match message.told.event() {
            Some(event) => event,
            None => deed.id,
        };
        self.messages.push(OutMessage {
            topic: OutTopic::Lifecycle,
            key: OutKey::Entity(state.id),
            cause,
            at: deed.at,
            body: OutBody::Lifecycle(Box::new(message)),
        });
    }

    /// Puts something before a steward. The id is made of what it is about, so that the same matter stands once.
    pub fn park(
        &mut self,
        state: &State,
        code: ParkedCode,
        record: Option<&RecordKey>,
        field: Option<Name>,
        at: Millis,
        why: String,
    ) {
        self.put(Parked {
            id: parked_id(state, code, record, field),
            code,
            at,
            entity: Some(state.id),
            record: record.cloned(),
            field,
            candidates: Vec::new(),
            why,
            change: None,
        });
    }

    pub fn unpark(
        &mut self,
        state: &State,
        code: ParkedCode,
        record: Option<&RecordKey>,
        field: Option<Name>,
    ) {
        self.take_back(parked_id(state, code, record, field));
    }

    /// Of one matter the last word counts: what is put after it was taken back waits.
    pub(crate) fn put(&mut self, parked: Parked) {
        self.unparked.retain(|id| *id != parked.id);
        self.parked.push(parked);
    }

    /// What is taken back after it was put does not wait.
    pub(crate) fn take_back(&mut self, id: Digest) {
        self.parked.retain(|parked| parked.id != id);
        self.unparked.push(id);
    }
}

fn parked_id(
    state: &State,
    code: ParkedCode,
    record: Option<&RecordKey>,
    field: Option<Name>,
) -> Digest {
    Digest::of(&[
        b"parked",
        code.as_str().as_bytes(),
        state.id.to_string().as_bytes(),
        record
            .map(ToString::to_string)
            .unwrap_or_default()
            .as_bytes(),
        field.map_or("", Name::as_str).as_bytes(),
    ])
}
