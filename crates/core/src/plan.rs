//! Delivery is level-triggered: what each record should hold is compared with what is believed to be there, and
//! at most one command per record is under way.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    book::ParkedCode,
    effects::Effects,
    id::{Digest, Object, Position, RecordKey},
    name::Name,
    order::{Role, Track, track},
    render::render,
    rules::{
        Condition, CreatePolicy, DeletePolicy, Direction, FieldRule, MappedField, ObjectMapping,
        Rules, Strategy, System,
    },
    state::{
        CommandKind, Delivery, Intent, IntentEnd, LinkStatus, Outstanding, PendingCreate,
        ReadReason, State, Written,
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
    let records: Vec<RecordKey> = state
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
    let mut fields = BTreeMap::new();
    let mut vendor = BTreeMap::new();
    for (name, (value, shown, json)) in write {
        let delivery = state.deliveries.entry(record.clone()).or_default();
        note_write(delivery, name, &value, survey.reverts.contains(&name), at);
        if system.acks && !groups.contains_key(&name) && held.get(&name) == Some(&value) {
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

/// Golden value, canonical value as the target will show it, vendor fields.
pub(crate) type Desired = (Value, Value, Vec<(String, serde_json::Value)>);

/// What a look at the pending fields of one record found.
#[derive(Default)]
struct Survey {
    /// In sync, or nothing that could be written.
    settled: Vec<Name>,
    write: BTreeMap<Name, Desired>,
    read: Option<ReadReason>,
    /// Fields to stop writing: by alternation (true) or because their reverts are used up (false).
    stop: Vec<(Name, bool)>,
    reverts: BTreeSet<Name>,
}

fn survey(
    state: &State,
    record: &RecordKey,
    pending: &[Name],
    system: &System,
    mapping: &ObjectMapping,
    rules: &Rules,
    at: Millis,
) -> Survey {
    let entity = rules.entity(state.id.kind);
    let mut found = Survey::default();
    let empty = Delivery::default();
    let delivery = state.deliveries.get(record).map_or(&empty, |d| &**d);
    let passes = mapping.filter.iter().all(|c| holds(c, state)) && !state.archived;
    let asked = delivery.last_read.map(|(asked, _)| asked);
    let mut done: BTreeSet<Name> = BTreeSet::new();
    for field in pending {
        if done.contains(field) {
            continue;
        }
        let group = entity.group_of.get(field).copied();
        let members: Vec<Name> = group
            .and_then(|g| entity.groups.get(&g))
            .map_or_else(|| vec![*field], |g| g.fields.clone());
        done.extend(&members);
        let mut differs = Vec::new();
        let mut wanted: BTreeMap<Name, Desired> = BTreeMap::new();
        let mut blocked =
            group.is_some_and(|g| state.settling.get(&g).is_some_and(|until| *until > at));
        for member in &members {
            let Some(rule) = entity.fields.get(member) else {
                continue;
            };
            let seen = track(state, record, *member, rules);
            if let Some(reason) = needs_reading(&seen, asked) {
                found.read.get_or_insert(reason);
                blocked = true;
            }
            // Most fields of a record that has just spoken hold golden already: nothing to render.
            let golden = state.golden.get(member);
            if group.is_none()
                && let (Some(golden), Some(believed)) = (golden, seen.believed())
                && golden.value == *believed
            {
                continue;
            }
            let writable = rule.consent.is_some() || passes;
            let Some(desired) =
                desired(state, *member, rule, record, system, mapping).filter(|_| writable)
            else {
                continue;
            };
            // Nothing is written over a clear that the mass-clear guard still weighs.
            blocked |= state
                .guarded
                .values()
                .any(|g| g.held.is_none() && g.record == *record && g.fields.contains(member));
            blocked |= delivery.contested.contains_key(member)
                || delivery.held.contains_key(member)
                || delivery
                    .refused
                    .get(member)
                    .is_some_and(|r| r.value == desired.0);
            if !in_sync(&seen, &desired, delivery, *member) {
                let blank_left_alone = state
                    .golden
                    .get(member)
                    .is_some_and(|g| g.winner.as_ref() == Some(record))
                    && seen.believed().is_some_and(Value::is_blank);
                if !blank_left_alone {
                    differs.push((*member, seen));
                }
            }
            wanted.insert(*member, desired);
        }
        if differs.is_empty() {
            if !blocked || found.read.is_none() {
                found.settled.extend(&members);
            }
            continue;
        }
        if blocked {
            continue;
        }
        if let Some(stop) = differs.iter().find_map(|(member, _)| {
            let (golden, ..) = wanted.get(member)?;
            alternates(delivery, *member, golden, rules).then_some((*member, true))
        }) {
            found.stop.push(stop);
            continue;
        }
        if is_owned_elsewhere(group, *field, state, rules, record) {
            let reverted: Vec<Name> = differs
                .iter()
                .filter(|(m, _)| {
                    wanted
                        .get(m)
                        .is_some_and(|(golden, ..)| was_written(delivery, *m, golden))
                })
                .map(|(m, _)| *m)
                .collect();
            let used_up = reverted.iter().any(|m| {
                let lately = delivery.reverts.get(m).map_or(0, |times| {
                    times.iter().filter(|t| at.since(**t) < DAY).count()
                });
                lately >= rules.timing.reverts_per_day as usize
            });
            if let (true, Some(first)) = (used_up, reverted.first()) {
                found.stop.push((*first, false));
                continue;
            }
            found.reverts.extend(reverted);
        }
        found.write.extend(wanted);
    }
    found
}

/// Why the record must be read before this field is written, if it must.
pub(crate) fn needs_reading(seen: &Track<'_>, asked: Option<Millis>) -> Option<ReadReason> {
    let newer = |arrival: Millis| asked.is_none_or(|asked| arrival > asked);
    if seen.ambiguous().is_some_and(newer) {
        return Some(ReadReason::Ambiguous);
    }
    seen.waiting()
        .is_some_and(newer)
        .then_some(ReadReason::UnknownRendering)
}

/// What the target should hold for a field; none if it is not managed here or nobody decided it.
pub(crate) fn desired(
    state: &State,
    field: Name,
    rule: &FieldRule,
    _record: &RecordKey,
    system: &System,
    mapping: &ObjectMapping,
) -> Option<Desired> {
    let golden = state.golden.get(&field).filter(|g| g.decided)?;
    let mut shown_as = None;
    let mut vendor = Vec::new();
    for (name, mapped) in outgoing(mapping, field) {
        if mapped.required && golden.value.is_blank() {
            // No value is invented for a required field: the update leaves it out.
            continue;
        }
        let (json, shown) = render(&golden.value, rule, mapped, system)?;
        shown_as.get_or_insert(shown);
        vendor.push((name.to_string(), json));
    }
    Some((golden.value.clone(), shown_as?, vendor))
}

pub(crate) fn outgoing(
    mapping: &ObjectMapping,
    field: Name,
) -> impl Iterator<Item = (&compact_str::CompactString, &MappedField)> {
    mapping
        .fields
        .iter()
        .filter(move |(_, m)| m.field == field && m.direction != Direction::In)
}

/// L4: nothing is written to a target whose believed value already equals golden in that target's rendering.
pub(crate) fn in_sync(
    seen: &Track<'_>,
    desired: &Desired,
    delivery: &Delivery,
    field: Name,
) -> bool {
    let (golden, shown, _) = desired;
    let rendered = |value: &Value| {
        value == golden
            || value == shown
            || delivery
                .renderings
                .get(&field)
                .is_some_and(|(of, as_)| of == golden && as_ == value)
    };
    let meant = seen.seats.last().and_then(|s| s.meant);
    if meant == Some(golden) {
        // A rendering that was learned from an event or a read-back.
        return true;
    }
    match seen.believed() {
        // Never seen here: there is nothing to clear.
        None => golden.is_blank() || landed(seen, delivery, field, golden),
        Some(value) => rendered(value) || landed(seen, delivery, field, golden),
    }
}

/// Whether the last write here was of this very value, was acknowledged, and was sent after everything else here had
/// been seen: then it came later, whatever the target's clock says.
fn landed(seen: &Track<'_>, delivery: &Delivery, field: Name, golden: &Value) -> bool {
    let last = delivery.intents.iter().rev().find_map(|intent| {
        let written = intent.fields.get(&field).filter(|w| !w.refused)?;
        (intent.end == IntentEnd::Done).then_some((intent, written))
    });
    last.is_some_and(|(intent, written)| {
        written.value == *golden
            && seen
                .seats
                .iter()
                .filter(|s| s.role != Role::Own)
                .all(|s| s.rho.position.arrival <= intent.sent)
    })
}

fn was_written(delivery: &Delivery, field: Name, golden: &Value) -> bool {
    let last = delivery
        .intents
        .iter()
        .rev()
        .find_map(|i| i.fields.get(&field).filter(|_| i.end == IntentEnd::Done));
    last.is_some_and(|w| w.value == *golden)
}

/// Whether values written here by others are put back: the field belongs to another source, or is computed.
fn is_owned_elsewhere(
    group: Option<Name>,
    field: Name,
    state: &State,
    rules: &Rules,
    record: &RecordKey,
) -> bool {
    let entity = rules.entity(state.id.kind);
    let strategy = group
        .and_then(|g| entity.groups.get(&g).map(|g| &g.strategy))
        .or_else(|| entity.fields.get(&field).map(|f| &f.strategy));
    match strategy {
        Some(Strategy::Only { source }) => *source != record.system,
        Some(Strategy::Derived(_)) => true,
        _ => false,
    }
}

/// Whether writing `golden` would be one alternation too many between two values.
fn alternates(delivery: &Delivery, field: Name, golden: &Value, rules: &Rules) -> bool {
    let Some(writes) = delivery.writes.get(&field) else {
        return false;
    };
    let next = value_digest(golden);
    let Some((_, last)) = writes.last() else {
        return false;
    };
    if *last == next {
        return false;
    }
    let pair = [next, *last];
    let trail = writes
        .iter()
        .rev()
        .enumerate()
        .take_while(|(back, (_, value))| *value == pair[(back + 1) % 2])
        .count();
    trail + 1 >= 2 * rules.timing.alternations as usize
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

fn value_digest(value: &Value) -> Digest {
    Digest::of(&[&value.canonical_bytes()])
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

pub(crate) fn holds(condition: &Condition, state: &State) -> bool {
    match condition {
        Condition::Present(field) => !state.golden_value(*field).is_blank(),
        Condition::Equals(field, value) => state.golden_value(*field) == value,
        Condition::NotEquals(field, value) => state.golden_value(*field) != value,
        Condition::AtLeast(field, least) => {
            matches!(state.golden_value(*field), Value::Number(n) if n >= least)
        }
    }
}

fn whole_desired_state(
    state: &State,
    system: &System,
    mapping: &ObjectMapping,
    rules: &Rules,
) -> BTreeMap<Name, Desired> {
    let entity = rules.entity(state.id.kind);
    let dummy = RecordKey {
        system: system.name,
        object: Object::Contact,
        id: "".into(),
    };
    let managed: BTreeSet<Name> = mapping.fields.values().map(|m| m.field).collect();
    managed
        .into_iter()
        .filter_map(|field| {
            let rule = entity.fields.get(&field)?;
            let desired = desired(state, field, rule, &dummy, system, mapping)?;
            Some((field, desired))
        })
        .collect()
}

/// Creates records for entities that a system lacks, where its policy asks for it.
fn plan_creates(state: &mut State, rules: &Rules, at: Millis, effects: &mut Effects) {
    if state.erased.is_some() || state.archived {
        return;
    }
    for system in rules.systems.values() {
        for (object, mapping) in &system.objects {
            if mapping.create == CreatePolicy::Always && object.kind() == state.id.kind {
                plan_create(state, system, *object, mapping, rules, at, effects);
            }
        }
    }
}

fn plan_create(
    state: &mut State,
    system: &System,
    object: Object,
    mapping: &ObjectMapping,
    rules: &Rules,
    at: Millis,
    effects: &mut Effects,
) {
    let here =
        |record: &RecordKey| record.system == system.name && record.object.kind() == object.kind();
    if state.links.keys().any(here)
        || !state
            .links
            .values()
            .any(|l| l.status() == LinkStatus::Active)
    {
        return;
    }
    if let Some(sent) = state.creates.get(&system.name) {
        let golden_moved = sent
            .stopped
            .as_ref()
            .is_some_and(|(version, _)| *version != state.golden_version);
        let again = sent.again_at.is_some_and(|next| at >= next);
        let unanswered = sent.stopped.is_none()
            && sent.again_at.is_none()
            && system.acks
            && at >= sent.sent.plus(patience(sent, rules));
        if unanswered {
            // The same command again, under the same id: a repeat has no second effect.
            let sent = sent.clone();
            resend_create(state, system, object, mapping, &sent, rules, at, effects);
            return;
        }
        if !golden_moved && !again {
            return;
        }
    }
    let failures = state.creates.get(&system.name).map_or(0, |c| c.failures);
    let rests_until = state
        .settling
        .values()
        .copied()
        .filter(|until| *until > at)
        .max();
    // A create that failed is made anew when there is something to make; until then nothing is due.
    if let Some(create) = state.creates.get_mut(&system.name)
        && create.again_at.is_some_and(|next| next <= at)
    {
        create.again_at = Some(rests_until.unwrap_or_else(|| at.plus(backoff_ms(create.failures))));
    }
    if rests_until.is_some() || !mapping.filter.iter().all(|c| holds(c, state)) {
        return;
    }
    let wanted = whole_desired_state(state, system, mapping, rules);
    let wanted: BTreeMap<Name, Desired> = wanted
        .into_iter()
        .filter(|(_, (value, ..))| !value.is_blank())
        .collect();
    if wanted.is_empty() {
        return;
    }
    let missing: Vec<&str> = mapping
        .fields
        .iter()
        .filter(|(_, m)| {
            m.required && m.direction != Direction::In && !wanted.contains_key(&m.field)
        })
        .map(|(name, _)| name.as_str())
        .collect();
    let number = state
        .creates
        .get(&system.name)
        .map_or(0, |c| c.golden_version);
    let command = Digest::of(&[
        b"create",
        state.id.to_string().as_bytes(),
        system.name.as_str().as_bytes(),
        &state.golden_version.to_le_bytes(),
        &number.to_le_bytes(),
        &failures.to_le_bytes(),
    ]);
    let stopped = (!missing.is_empty()).then(|| {
        (
            state.golden_version,
            format!("required: {}", missing.join(", ")).into(),
        )
    });
    let fields = wanted
        .iter()
        .map(|(name, (value, ..))| (*name, value.clone()))
        .collect();
    if stopped.is_some() {
        let why = format!(
            "{} cannot be created in {}: no value for {}",
            object,
            system.name,
            missing.join(", ")
        );
        effects.park(state, ParkedCode::RequiredFieldBlank, None, None, at, why);
    } else {
        let vendor = wanted
            .into_values()
            .flat_map(|(_, _, vendor)| vendor)
            .collect();
        let command = wire_command(
            state,
            system.name,
            object,
            None,
            CommandKind::Create,
            command,
            vendor,
            None,
            rules,
            at,
        );
        effects.command(state, at, command);
    }
    let pending = PendingCreate {
        object,
        command,
        sent: at,
        fields,
        stopped,
        golden_version: state.golden_version,
        failures,
        again_at: None,
    };
    state.creates.insert(system.name, pending);
}

#[expect(
    clippy::too_many_arguments,
    reason = "the surroundings of one create, each used once"
)]
fn resend_create(
    state: &mut State,
    system: &System,
    object: Object,
    mapping: &ObjectMapping,
    sent: &PendingCreate,
    rules: &Rules,
    at: Millis,
    effects: &mut Effects,
) {
    let entity = rules.entity(state.id.kind);
    let mut vendor = BTreeMap::new();
    for (field, value) in &sent.fields {
        let Some(rule) = entity.fields.get(field) else {
            continue;
        };
        for (name, mapped) in outgoing(mapping, *field) {
            if let Some((json, _)) = render(value, rule, mapped, system) {
                vendor.insert(name.to_string(), json);
            }
        }
    }
    let command = wire_command(
        state,
        system.name,
        object,
        None,
        CommandKind::Create,
        sent.command,
        vendor,
        None,
        rules,
        at,
    );
    effects.command(state, at, command);
    state.creates.insert(
        system.name,
        PendingCreate {
            sent: at,
            failures: sent.failures.saturating_add(1),
            ..sent.clone()
        },
    );
}

#[expect(
    clippy::too_many_arguments,
    reason = "one flat message, built in one place"
)]
fn send(
    state: &mut State,
    record: &RecordKey,
    kind: CommandKind,
    fields: Option<BTreeMap<Name, Written>>,
    vendor: BTreeMap<String, serde_json::Value>,
    reason: Option<ReadReason>,
    rules: &Rules,
    at: Millis,
    effects: &mut Effects,
) {
    let golden_version = state.golden_version;
    let acks = rules.systems.get(&record.system).is_some_and(|s| s.acks);
    let id = state.id.to_string();
    let delivery = state.deliveries.entry(record.clone()).or_default();
    let number = delivery.next_intent;
    delivery.next_intent += 1;
    let command = Digest::of(&[
        id.as_bytes(),
        record.to_string().as_bytes(),
        &number.to_le_bytes(),
    ]);
    let intent = fields.map(|fields| Intent {
        number,
        command,
        fields,
        golden_version,
        sent: at,
        answered: (!acks).then_some(Position {
            arrival: at,
            log: 0,
        }),
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
fn wire_command(
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

/// How long to wait for the answer to a create before it is asked for again: doubles each time.
const fn patience(create: &PendingCreate, rules: &Rules) -> i64 {
    let times = if create.failures < 10 {
        create.failures
    } else {
        10
    };
    rules.timing.give_up.saturating_mul(1 << times)
}

/// How long to wait before a failed command is tried again: doubles from one second to five minutes.
#[must_use]
pub fn backoff_ms(attempts: u32) -> i64 {
    (SECOND << attempts.min(9)).min(5 * 60 * SECOND)
}

/// The next instant at which this entity has something to do by time alone.
#[must_use]
pub fn next_wake(state: &State, rules: &Rules) -> Option<Millis> {
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
        .min()
}
