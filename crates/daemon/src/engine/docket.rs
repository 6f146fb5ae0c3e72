//! What a batch of messages is made of on its way through the pipeline, and what is kept of what cannot go through.

use std::{collections::BTreeMap, sync::Arc};

use baton_core::{
    book::{Item, OutBody, OutKey, OutMessage, OutTopic, Settled},
    id::Digest,
    time::Millis,
    wire::ResultOutcome,
};
use baton_store::{Advance, Batch, DeadLetter};

use super::{
    Active, Consumed, Input, Work,
    decode::{Dead, Intake},
    flood::Flood,
    headers,
    message::header,
    observe::Effects,
};

/// Whether settling a batch moves the positions.
#[derive(Clone, Copy)]
pub(super) enum Moves<'r> {
    /// The batch comes from the log.
    Forward,
    /// The batch is made of dead letters, which these are.
    None { retried: &'r [Digest] },
}

/// A batch of messages on its way to being decided.
pub(super) struct Docket {
    pub items: Vec<Item>,
    /// For each item its message and where that came in.
    pub sources: Vec<(usize, Input)>,
    pub causes: Vec<Option<Digest>>,
    /// For each item what a target answered, if it is an answer.
    pub answers: Vec<Option<ResultOutcome>>,
    /// What could not be understood, likewise.
    pub dead: Vec<(usize, Input, Dead)>,
    pub stored: Batch,
    /// The transaction's time.
    pub at: Millis,
}

/// A batch of messages that is decided and not stored yet.
pub(super) struct Decided {
    pub stored: Batch,
    pub sources: Vec<(usize, Input)>,
    pub answers: Vec<Option<ResultOutcome>>,
    pub settled: Vec<Settled>,
    pub dead: Vec<(usize, Input, Dead)>,
    pub effects: Effects,
}

impl Docket {
    pub fn of(
        batch: &[Consumed],
        intakes: Vec<Intake>,
        advances: Vec<Advance>,
        moves: Moves<'_>,
        at: Millis,
    ) -> Self {
        let mut items = Vec::with_capacity(intakes.len());
        let mut sources = Vec::with_capacity(intakes.len());
        let mut causes = Vec::with_capacity(intakes.len());
        let mut dead = Vec::new();
        for mut intake in intakes {
            for item in intake.items.drain(..) {
                causes.push(cause_of(batch.get(intake.message), &item));
                sources.push((intake.message, intake.input));
                items.push(item);
            }
            for letter in intake.dead.drain(..) {
                dead.push((intake.message, intake.input, letter));
            }
        }
        let answers = items.iter().map(|item| match item {
            Item::Answer { answer, .. } => Some(answer.outcome),
            _ => None,
        });
        Self {
            answers: answers.collect(),
            stored: Batch {
                positions: advances,
                dead_letters: dead
                    .iter()
                    .map(|(_, _, dead)| stored_letter(dead))
                    .collect(),
                retried: match moves {
                    Moves::Forward => Vec::new(),
                    Moves::None { retried } => retried.to_vec(),
                },
                ..Batch::default()
            },
            items,
            sources,
            causes,
            dead,
            at,
        }
    }
}

/// A batch without what follows a flood of bad messages.
pub(super) struct Stem {
    pub intakes: Vec<Intake>,
    pub flood: Flood,
    /// Partitions that are stopped by it, and the first offset that is not settled.
    pub stopped: Vec<(Arc<str>, i32, i64)>,
    /// The messages that were taken out.
    pub refused: Vec<Consumed>,
}

/// Takes out what follows a flood of bad messages. The verdict takes effect only if the transaction does.
pub(super) fn stem(
    work: &Work,
    active: &Active,
    batch: &mut Vec<Consumed>,
    intakes: Vec<Intake>,
) -> Stem {
    let settings = &active.settings.daemon;
    let mut flood = work.flood.clone().unwrap_or_else(|| {
        Flood::new(
            settings.poison_limit as usize,
            i64::try_from(settings.poison_window.as_millis()).unwrap_or(i64::MAX),
        )
    });
    let mut refused = vec![false; batch.len()];
    let mut stopped: BTreeMap<(Arc<str>, i32), i64> = BTreeMap::new();
    let mut by_message: Vec<Option<Intake>> = batch.iter().map(|_| None).collect();
    for intake in intakes {
        let index = intake.message;
        if let Some(slot) = by_message.get_mut(index) {
            *slot = Some(intake);
        }
    }
    for ((message, intake), refused) in batch.iter().zip(&by_message).zip(&mut refused) {
        let bad = intake.as_ref().is_some_and(Intake::is_bad);
        if !flood.admits(&message.topic, message.partition, message.arrival, bad) {
            *refused = true;
            stopped
                .entry((message.topic.clone(), message.partition))
                .or_insert(message.offset);
        }
    }
    let mut kept = Vec::with_capacity(by_message.len());
    let mut at = 0;
    for (intake, refused) in by_message.into_iter().zip(&refused) {
        if *refused {
            continue;
        }
        if let Some(mut intake) = intake {
            intake.message = at;
            kept.push(intake);
        }
        at += 1;
    }
    let mut verdicts = refused.into_iter();
    let refused = batch
        .extract_if(.., |_| verdicts.next().unwrap_or(false))
        .collect();
    let stopped = stopped
        .into_iter()
        .map(|((topic, partition), offset)| (topic, partition, offset))
        .collect();
    Stem {
        intakes: kept,
        flood,
        stopped,
        refused,
    }
}

/// What the messages that follow from an item are traced to: the trace that its producer started, else its event.
fn cause_of(message: Option<&Consumed>, item: &Item) -> Option<Digest> {
    let started = message
        .and_then(|m| m.headers.text(header::TRACE))
        .and_then(headers::trace_id);
    started.or(match item {
        Item::Change(change) => Some(change.event),
        Item::Answer { answer, .. } => Some(answer.command),
        _ => None,
    })
}

pub(super) fn positions(advances: &[Advance], batch: &[Consumed]) -> Vec<(Arc<str>, i32, i64)> {
    let mut topics: BTreeMap<&str, &Arc<str>> = BTreeMap::new();
    for message in batch {
        topics.insert(&message.topic, &message.topic);
    }
    advances
        .iter()
        .filter_map(|advance| {
            let topic = topics.get(advance.topic.as_str())?;
            Some(((*topic).clone(), advance.partition, advance.next))
        })
        .collect()
}

fn stored_letter(dead: &Dead) -> DeadLetter {
    let letter = &dead.letter;
    DeadLetter {
        id: dead.id,
        at: Millis::parse(&letter.at).unwrap_or_default(),
        code: letter.code.as_str().into(),
        place: letter.place.clone(),
        what: letter.what.clone(),
        fix: letter.fix.clone(),
        system: dead.system,
        format: dead.format,
        object: dead.object.clone(),
        topic: letter.topic.as_str().into(),
        partition: letter.partition,
        offset: letter.offset,
        key: dead.key.clone(),
        payload: dead.payload.clone().unwrap_or_default(),
    }
}

pub(super) fn dead_letter_message(dead: &Dead, at: Millis) -> OutMessage {
    OutMessage {
        topic: OutTopic::DeadLetters,
        key: OutKey::Named(dead.letter.id.as_str().into()),
        body: OutBody::DeadLetter(dead.letter.clone()),
        at,
        cause: dead.id,
    }
}
