//! Delivery is level-triggered: what each record should hold is compared with what is believed to be there, and
//! at most one command per record is under way.

use std::collections::{BTreeMap, BTreeSet};

use crate::creates::plan_creates;
use crate::survey::{alternates, survey, value_digest, whole_desired_state};
use crate::{
    book::ParkedCode,
    effects::Effects,
    id::{Digest, Object, Position, RecordKey},
    name::Name,
    order::track,
    rules::{DeletePolicy, Rules},
    state::{
        CommandKind, Delivery, Few, Intent, IntentEnd, LinkStatus, Outstanding, PendingCreate,
        ReadReason, Sorted, State, Written,
    },
    time::{DAY, Millis, SECOND},
    value::Value,
    wire,
};

/// Emits the commands that are due now. Called after every input.
pub fn plan(state: &mut State, rules: &Rules, at: Millis, effects: &mut Effects) {
    if state.merged_into.is_some() {
        return;
    }
    propagate_deletes(state, rules, at, effects);
    let records: Few<RecordKey> = state
        .links
        .iter()
        .filter(|(record, link)| {
            link.status() == LinkStatus::Active
                && rules.object(record.system, record.object).is_some()
        })
        .map(|(record, _)| record.clone())
        .collect();
    for record in &records {
        plan_record(state, record, rules, at, effects);
    }
    plan_creates(state, rules, at, effects);
}

/// Commands without an answer for too long are given up: they may have been carried out.
/// Names the fields whose observations are told apart otherwise by it.
pub(crate) fn give_up(state: &mut State, rules: &Rules, at: Millis, touched: &mut BTreeSet<Name>) {
    let wait = rules.timing.give_up;
    for (record, delivery) in &mut state.deliveries {
        let Some(out) = delivery
            .outstanding
            .as_ref()
            .filter(|out| at >= out.sent.plus(wait))
        else {
            continue;
        };
        let reads = rules.systems.get(&record.system).is_some_and(|s| s.reads);
        if let Some(intent) = delivery
            .intents
            .iter_mut()
            .find(|i| i.command == out.command)
            && intent.end == IntentEnd::Pending
        {
            intent.end = IntentEnd::Unknown;
            intent.answered = Some(Position {
                arrival: at,
                log: 0,
            });
            touched.extend(intent.fields.keys());
            delivery.pending.extend(intent.fields.keys().copied());
            if reads {
                delivery
                    .read_wanted
                    .get_or_insert(ReadReason::UnknownOutcome);
            }
        }
        delivery.outstanding = None;
    }
}

fn propagate_deletes(state: &mut State, rules: &Rules, at: Millis, effects: &mut Effects) {
    let deleted = state.links.iter().any(|(record, link)| {
        link.status() == LinkStatus::Deleted
            && rules
                .systems
                .get(&record.system)
                .is_some_and(|s| s.delete == DeletePolicy::Propagate)
    });
    if !deleted && state.erased.is_none() {
        return;
    }
    let gone: BTreeSet<Name> = state
        .links
        .iter()
        .filter(|(_, link)| link.status() == LinkStatus::Deleted)
        .map(|(record, _)| record.system)
        .collect();
    let targets: Vec<RecordKey> = state
        .links
        .iter()
        .filter(|(record, link)| {
            let live = link.status() == LinkStatus::Active
                || (state.erased.is_some() && link.status() == LinkStatus::Erased);
            live && !gone.contains(&record.system)
                && rules.object(record.system, record.object).is_some()
        })
        .map(|(record, _)| record.clone())
        .collect();
    for record in targets {
        let delivery = state.deliveries.entry(record.clone()).or_default();
        let deleting = delivery
            .outstanding
            .as_ref()
            .is_some_and(|o| o.kind == CommandKind::Delete);
        if deleting || delivery.refused_record.is_some() || delivery.deleted {
            continue;
        }
        delivery.deleted = true;
        send(
            state,
            &record,
            CommandKind::Delete,
            None,
            BTreeMap::new(),
            None,
            rules,
            at,
            effects,
        );
    }
}

fn plan_record(
    state: &mut State,
    record: &RecordKey,
    rules: &Rules,
    at: Millis,
    effects: &mut Effects,
) {
    let Some((system, mapping)) = rules
        .systems
        .get(&record.system)
        .and_then(|s| Some((s, s.objects.get(&record.object)?)))
    else {
        return;
    };
    let Some(delivery) = state.deliveries.get(record) else {
        return;
    };
    if delivery.outstanding.is_some()
        || delivery.retry.is_some_and(|(_, next)| next > at)
        || delivery.deleted
    {
        return;
    }
    if delivery.pending.is_empty() && delivery.read_wanted.is_none() {
        return;
    }
    let pending: Vec<Name> = delivery.pending.iter().copied().collect();
    let survey = survey(state, record, &pending, system, mapping, rules, at);
    let delivery = state.deliveries.entry(record.clone()).or_default();
    for field in &survey.settled {
        delivery.pending.remove(field);
        delivery.refused.remove(field);
    }
    if let Some(reason) = delivery.read_wanted.or(survey.read) {
        if system.reads {
            delivery.read_wanted = Some(reason);
            send(
                state,
                record,
                CommandKind::Read,
                None,
                BTreeMap::new(),
                Some(reason),
                rules,
                at,
                effects,
            );
            return;
        }
        delivery.read_wanted = None;
    }
    for (field, alternates) in &survey.stop {
        stop_writing(state, record, *field, *alternates, at, effects);
    }
    let delivery = state.deliveries.entry(record.clone()).or_default();
    if delivery
        .refused_record
        .as_ref()
        .is_some_and(|(version, _)| *version == state.golden_version)
    {
        return;
    }
    delivery.refused_record = None;
    let mut write = survey.write;
    if write.is_empty() {
        return;
    }
    if !system.acks {
        // Nobody will say what became of it, so each command carries all that is managed here.
        write = whole_desired_state(state, system, mapping, rules);
    }
    let groups = &rules.entity(state.id.kind).group_of;
    let held: BTreeMap<Name, Value> = write
        .keys()
        .filter_map(|name| {
            Some((
                *name,
                track(state, record, *name, rules).believed()?.clone(),
            ))
        })
        .collect();
    let mut fields = Sorted::new();
    let mut vendor = BTreeMap::new();
    for (name, (value, shown, json)) in write {
        let delivery = state.deliveries.entry(record.clone()).or_default();
        let surveyed = system.acks && !groups.contains_key(&name);
        if surveyed && !survey.reverts.contains(&name) && alternates(delivery, name, &value, rules)
        {
            // L5: two values went to and fro often enough already.
            effects.violations.push("L5");
        }
        note_write(delivery, name, &value, survey.reverts.contains(&name), at);
        if surveyed && held.get(&name) == Some(&value) {
            // L4: what stands there already was about to be written again.
            effects.violations.push("L4");
        }
        if shown != value {
            delivery.renderings.insert(name, (value.clone(), shown));
        }
        fields.insert(
            name,
            Written {
                value,
                answered: None,
                refused: false,
            },
        );
        vendor.extend(json);
    }
    send(
        state,
        record,
        CommandKind::Update,
        Some(fields),
        vendor,
        None,
        rules,
        at,
        effects,
    );
}

fn note_write(delivery: &mut Delivery, field: Name, value: &Value, revert: bool, at: Millis) {
    if revert {
        let times = delivery.reverts.entry(field).or_default();
        times.retain(|t| at.since(*t) < DAY);
        times.push(at);
        return;
    }
    let writes = delivery.writes.entry(field).or_default();
    writes.retain(|(t, _)| at.since(*t) < DAY);
    let digest = value_digest(value);
    if writes.last().is_none_or(|(_, last)| *last != digest) {
        writes.push((at, digest));
    }
}

fn stop_writing(
    state: &mut State,
    record: &RecordKey,
    field: Name,
    contested: bool,
    at: Millis,
    effects: &mut Effects,
) {
    let delivery = state.deliveries.entry(record.clone()).or_default();
    let (code, why) = if contested {
        delivery.contested.insert(field, at);
        (
            ParkedCode::Contested,
            "two values of this field were written by turns three times in a day; writing it to this record has stopped",
        )
    } else {
        delivery.held.insert(field, at);
        (
            ParkedCode::RevertsUsedUp,
            "this field belongs to another source and was put back three times in a day; writing it to this record has stopped",
        )
    };
    effects.park(state, code, Some(record), Some(field), at, why.to_owned());
}

/// Where a write of now takes its place that nobody will answer: behind all that is known of its record, whatever the
/// clocks say. What it was made of is no echo of it.
fn after_all_known(state: &State, record: &RecordKey, at: Millis) -> Position {
    let now = Position {
        arrival: at,
        log: 0,
    };
    let known = state.histories.get(record);
    let newest = known.and_then(|known| known.events.iter().map(|e| e.position).max());
    newest.map_or(now, |newest| {
        let next = Position {
            log: newest.log.saturating_add(1),
            ..newest
        };
        next.max(now)
    })
}

#[expect(
    clippy::too_many_arguments,
    reason = "one flat message, built in one place"
)]
fn send(
    state: &mut State,
    record: &RecordKey,
    kind: CommandKind,
    fields: Option<Sorted<Name, Written>>,
    vendor: BTreeMap<String, serde_json::Value>,
    reason: Option<ReadReason>,
    rules: &Rules,
    at: Millis,
    effects: &mut Effects,
) {
    let golden_version = state.golden_version;
    let acks = rules.systems.get(&record.system).is_some_and(|s| s.acks);
    let id = state.id.to_string();
    let landed = (!acks).then(|| after_all_known(state, record, at));
    let delivery = state.deliveries.entry(record.clone()).or_default();
    let number = delivery.next_intent;
    delivery.next_intent += 1;
    // A store that was put back to an older state decides anew, perhaps something else: that is another command, which
    // a target that knows the first must carry out. (A map whose keys are texts can always be written.)
    let said = serde_json::to_vec(&vendor).unwrap_or_default();
    let command = Digest::of(&[
        id.as_bytes(),
        record.to_string().as_bytes(),
        &number.to_le_bytes(),
        &at.0.to_le_bytes(),
        &said,
    ]);
    let intent = fields.map(|fields| Intent {
        number,
        command,
        fields,
        golden_version,
        sent: at,
        answered: landed,
        stamp: None,
        end: if acks {
            IntentEnd::Pending
        } else {
            IntentEnd::Done
        },
    });
    if acks {
        delivery.outstanding = Some(Outstanding {
            command,
            kind,
            intent: intent.as_ref().map(|i| i.number),
            sent: at,
        });
    }
    delivery.intents.extend(intent);
    let message = wire_command(
        state,
        record.system,
        record.object,
        Some(record.id.to_string()),
        kind,
        command,
        vendor,
        reason,
        rules,
        at,
    );
    effects.command(state, at, message);
}

#[expect(
    clippy::too_many_arguments,
    reason = "one flat message, built in one place"
)]
pub(crate) fn wire_command(
    state: &State,
    system: Name,
    object: Object,
    id: Option<String>,
    kind: CommandKind,
    command: Digest,
    fields: BTreeMap<String, serde_json::Value>,
    reason: Option<ReadReason>,
    rules: &Rules,
    at: Millis,
) -> wire::Command {
    wire::Command {
        schema_version: wire::SchemaVersion::CURRENT,
        command_id: format!("{}/{command}", state.id),
        kind,
        system,
        object,
        id,
        entity: state.id.to_string(),
        fields,
        reason,
        golden_version: state.golden_version,
        rule_version: rules.version.to_string(),
        sent: at.to_string(),
    }
}

/// How long after a create was first sent it is sent again, if there is no answer: each wait is twice the one before, up
/// to a thousand times the first.
pub(crate) fn patience(create: &PendingCreate, rules: &Rules) -> i64 {
    let doubled = create.failures.min(10);
    let waits = (2 << doubled) - 1 + (i64::from(create.failures - doubled) << doubled);
    rules.timing.give_up.saturating_mul(waits)
}

/// How long to wait before a failed command is tried again: doubles from one second to five minutes.
#[must_use]
pub fn backoff_ms(attempts: u32) -> i64 {
    (SECOND << attempts.min(9)).min(5 * 60 * SECOND)
}

/// The next instant at which this entity has something to do by time alone.
#[must_use]
pub fn next_wake(state: &State, rules: &Rules) -> Option<Millis> {
    // Without a funnel nobody is woken by what there was of one: nothing would ever set that right.
    let funnel = state.funnel.as_ref().filter(|_| rules.funnel.is_some());
    if state.merged_into.is_some() {
        return None;
    }
    let waits = state.deliveries.values().flat_map(|d| {
        let answer = d
            .outstanding
            .as_ref()
            .map(|o| o.sent.plus(rules.timing.give_up));
        let again = d.retry.map(|(_, next)| next).filter(|next| next.is_timed());
        answer.into_iter().chain(again)
    });
    let creates = state
        .creates
        .iter()
        .filter(|(system, c)| {
            c.stopped.is_none() && rules.systems.get(*system).is_some_and(|s| s.acks)
        })
        .filter(|(system, _)| !state.links.keys().any(|r| r.system == **system))
        .map(|(_, c)| {
            c.again_at
                .unwrap_or_else(|| c.sent.plus(patience(c, rules)))
        });
    let guarded = state
        .guarded
        .values()
        .filter(|g| g.held.is_none())
        .map(|g| g.until);
    waits
        .chain(creates)
        .chain(guarded)
        .chain(state.settling.values().copied())
        .chain(state.due.values().copied())
        .chain(funnel.and_then(|funnel| funnel.present().next))
        .min()
}
