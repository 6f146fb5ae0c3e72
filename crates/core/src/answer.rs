//! What a target answered: how own writes find their place and renderings are learned.

use std::collections::BTreeSet;

use compact_str::CompactString;

use crate::{
    book::ParkedCode,
    change::{Outcome, Seen},
    effects::Effects,
    id::{Position, RecordKey},
    input::Answer,
    name::Name,
    plan::backoff_ms,
    rules::Rules,
    state::{
        CommandKind, Delivery, Intent, IntentEnd, Link, LinkStatusFact, Outstanding, PendingCreate,
        ReadReason, Refused, State, Written,
    },
    time::Millis,
    wire::ResultOutcome,
};

pub(crate) fn answer_in(
    state: &mut State,
    answer: &Answer,
    rules: &Rules,
    at: Millis,
    touched: &mut BTreeSet<Name>,
    effects: &mut Effects,
) -> Outcome {
    let created = state
        .creates
        .get(&answer.system)
        .is_some_and(|c| c.command == answer.command);
    if created && !answer_create(state, answer, at, effects) {
        return Outcome::Applied;
    }
    let of_command = |d: &crate::state::Delivery| {
        d.outstanding
            .as_ref()
            .is_some_and(|o| o.command == answer.command)
            || d.intents.iter().any(|i| i.command == answer.command)
    };
    let Some(record) = state
        .deliveries
        .iter()
        .find(|(_, d)| of_command(d))
        .map(|(record, _)| record.clone())
    else {
        // An answer to a command of long ago, or told twice.
        return Outcome::Duplicate;
    };
    answer_record(state, &record, answer, rules, at, touched, effects)
}

/// An answer to a create: binds the record. False where nothing was created.
fn answer_create(state: &mut State, answer: &Answer, at: Millis, effects: &mut Effects) -> bool {
    match (&answer.outcome, &answer.id) {
        (ResultOutcome::Ok, Some(id)) => {
            let object = state
                .creates
                .get(&answer.system)
                .map_or(answer.object, |c| c.object);
            let record = RecordKey {
                system: answer.system,
                object,
                id: id.clone(),
            };
            adopt(state, &record);
            effects.linked.push(record);
            true
        }
        (ResultOutcome::Failed, _) => {
            // It did not happen: it is made anew, under an id of its own.
            if let Some(create) = state.creates.get_mut(&answer.system) {
                create.again_at = Some(at.plus(backoff_ms(create.failures)));
                create.failures = create.failures.saturating_add(1);
            }
            false
        }
        (ResultOutcome::Unknown, _) => {
            // Sent again under the same id when the wait for an answer is over.
            false
        }
        _ => {
            let version = state.golden_version;
            let reason = answer
                .error
                .clone()
                .unwrap_or_else(|| "the target refused to create it".into());
            if let Some(create) = state.creates.get_mut(&answer.system) {
                create.stopped = Some((version, reason.clone()));
            }
            let why = format!("{} refused to create this record: {reason}", answer.system);
            effects.park(state, ParkedCode::RefusedWrite, None, None, at, why);
            false
        }
    }
}

/// Makes the record that a create made (known by its answer or by its echo) this entity's own.
pub fn adopt(state: &mut State, record: &RecordKey) {
    if !state.links.contains_key(record) {
        state.links.insert(record.clone(), Link::default());
        state.provenance.insert(record.clone(), state.id);
    }
    if let Some(create) = state.creates.remove(&record.system) {
        let delivery = state.deliveries.entry(record.clone()).or_default();
        // What golden came to while the create was under way is still to be written, also where it said nothing.
        delivery.pending.extend(state.golden.keys());
        bind_create(delivery, create);
    }
}

/// The intent of a create becomes one of its record's. Returns its number.
pub(crate) fn bind_create(delivery: &mut Delivery, create: PendingCreate) -> u32 {
    let number = delivery.next_intent;
    delivery.next_intent += 1;
    let fields = create
        .fields
        .into_iter()
        .map(|(name, value)| {
            (
                name,
                Written {
                    value,
                    answered: None,
                    refused: false,
                },
            )
        })
        .collect();
    // In the order in which they were sent: the record may have been known, and written to, in the meantime.
    let place = delivery.intents.partition_point(|i| i.sent <= create.sent);
    let intent = Intent {
        number,
        command: create.command,
        fields,
        golden_version: create.golden_version,
        sent: create.sent,
        answered: None,
        stamp: None,
        end: IntentEnd::Pending,
    };
    delivery.intents.insert(place, intent);
    delivery.outstanding = Some(Outstanding {
        command: create.command,
        kind: CommandKind::Create,
        intent: Some(number),
        sent: create.sent,
    });
    number
}

fn answer_record(
    state: &mut State,
    record: &RecordKey,
    answer: &Answer,
    rules: &Rules,
    at: Millis,
    touched: &mut BTreeSet<Name>,
    effects: &mut Effects,
) -> Outcome {
    let groups = &rules.entity(state.id.kind).group_of;
    let members = |field: Name| -> Vec<Name> {
        groups.get(&field).map_or_else(
            || vec![field],
            |group| {
                groups
                    .iter()
                    .filter(|(_, g)| *g == group)
                    .map(|(f, _)| *f)
                    .collect()
            },
        )
    };
    let version = state.golden_version;
    let reads = rules.systems.get(&record.system).is_some_and(|s| s.reads);
    let delivery = state.deliveries.entry(record.clone()).or_default();
    let mut kind = None;
    if delivery
        .outstanding
        .as_ref()
        .is_some_and(|o| o.command == answer.command)
    {
        kind = delivery.outstanding.take().map(|o| (o.kind, o.sent));
    }
    let known = delivery
        .intents
        .iter()
        .any(|i| i.command == answer.command && i.end == IntentEnd::Done);
    if kind.is_none() && known {
        return Outcome::Duplicate;
    }
    let mut refused: Vec<(Option<Name>, CompactString)> = Vec::new();
    match answer.outcome {
        ResultOutcome::Ok => {
            delivery.retry = None;
            delivery.refused_record = None;
        }
        ResultOutcome::Failed => {
            let attempts = delivery.retry.map_or(0, |(n, _)| n);
            delivery.retry = Some((attempts.saturating_add(1), at.plus(backoff_ms(attempts))));
        }
        ResultOutcome::Unknown => {
            if reads {
                delivery
                    .read_wanted
                    .get_or_insert(ReadReason::UnknownOutcome);
            }
        }
        ResultOutcome::Refused if answer.refused.is_empty() => {
            let reason = answer
                .error
                .clone()
                .unwrap_or_else(|| "the target gave no reason".into());
            delivery.refused_record = Some((version, reason.clone()));
            refused.push((None, reason));
        }
        ResultOutcome::Refused | ResultOutcome::NotFound => {}
    }
    if matches!(kind, Some((CommandKind::Read, _))) {
        let asked = kind.map_or(at, |(_, sent)| sent);
        note_reading(delivery, asked, answer.position.arrival);
        // What waited for a reading is decided now.
        if let Some(history) = state.histories.get(record) {
            touched.extend(history.fields.keys());
        }
        if answer.outcome == ResultOutcome::Ok || answer.outcome == ResultOutcome::NotFound {
            delivery.read_wanted = delivery.read_again.take();
        }
    }
    if let Some(intent) = delivery
        .intents
        .iter_mut()
        .find(|i| i.command == answer.command)
    {
        intent.answered = Some(answer.position);
        intent.stamp = answer.stamp.or(intent.stamp);
        intent.end = match answer.outcome {
            ResultOutcome::Ok => IntentEnd::Done,
            ResultOutcome::Unknown => IntentEnd::Unknown,
            // Some fields refused and the others taken is still a write.
            ResultOutcome::Refused if !answer.refused.is_empty() && answer.stamp.is_some() => {
                IntentEnd::Done
            }
            _ => IntentEnd::Refused,
        };
        for (field, reason) in &answer.refused {
            for member in members(*field) {
                let Some(written) = intent.fields.get_mut(&member) else {
                    continue;
                };
                written.refused = true;
                let value = written.value.clone();
                delivery.refused.insert(
                    member,
                    Refused {
                        value,
                        reason: reason.clone(),
                        at,
                    },
                );
                refused.push((Some(member), reason.clone()));
            }
        }
        for (field, written) in &mut intent.fields {
            touched.insert(*field);
            delivery.pending.insert(*field);
            let Some((value, seen)) = answer.record.as_ref().and_then(|r| r.get(field)) else {
                continue;
            };
            // Of a consent nothing is a rendering.
            if intent.end == IntentEnd::Done
                && !written.refused
                && *seen != Seen::Invalid
                && !rules.says_consent(*field)
            {
                written.answered = Some(value.clone());
                if *value != written.value {
                    delivery
                        .renderings
                        .insert(*field, (written.value.clone(), value.clone()));
                }
            }
        }
    }
    if answer.outcome == ResultOutcome::NotFound
        || (answer.outcome == ResultOutcome::Ok && is_delete(kind))
    {
        not_there(state, record, answer.position, touched, rules);
    }
    for (field, reason) in refused {
        let why = format!("{} refused a write: {reason}", record.system);
        effects.park(
            state,
            ParkedCode::RefusedWrite,
            Some(record),
            field,
            at,
            why,
        );
    }
    Outcome::Applied
}

/// A reading was answered. It was asked before that, although the clock of whoever asked may have been ahead of the log's.
pub(crate) fn note_reading(delivery: &mut Delivery, asked: Millis, answered: Millis) {
    delivery.last_read = Some((asked.min(answered), answered));
}

fn is_delete(kind: Option<(CommandKind, Millis)>) -> bool {
    matches!(kind, Some((CommandKind::Delete, _)))
}

/// The target says that the record does not exist (any more).
fn not_there(
    state: &mut State,
    record: &RecordKey,
    position: Position,
    touched: &mut BTreeSet<Name>,
    rules: &Rules,
) {
    if let Some(link) = state.links.get_mut(record) {
        link.facts
            .insert((position.arrival, position, LinkStatusFact::Deleted));
    }
    touched.extend(rules.entity(state.id.kind).fields.keys());
}
