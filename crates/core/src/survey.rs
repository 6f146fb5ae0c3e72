//! A look at one record: what differs from golden there, and what keeps it from being written.

use crate::{
    id::{Digest, Object, RecordKey},
    name::Name,
    order::{Role, Track, track},
    render::render,
    rules::{Condition, Direction, FieldRule, MappedField, ObjectMapping, Rules, Strategy, System},
    state::{Delivery, Few, IntentEnd, ReadReason, State},
    time::{DAY, Millis},
    value::Value,
};
use std::collections::{BTreeMap, BTreeSet};

/// Golden value, canonical value as the target will show it, vendor fields.
pub(crate) type Desired = (Value, Value, Vec<(String, serde_json::Value)>);

/// What a look at the pending fields of one record found.
#[derive(Default)]
pub(crate) struct Survey {
    /// In sync, or nothing that could be written.
    pub(crate) settled: Vec<Name>,
    pub(crate) write: BTreeMap<Name, Desired>,
    pub(crate) read: Option<ReadReason>,
    /// Fields to stop writing: by alternation (true) or because their reverts are used up (false).
    pub(crate) stop: Vec<(Name, bool)>,
    pub(crate) reverts: BTreeSet<Name>,
}

pub(crate) fn survey(
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
    let mut done: Few<Name> = Few::new();
    let history = state.histories.get(record);
    let plainly_golden = |field: Name| {
        let written = || {
            delivery
                .intents
                .iter()
                .any(|i| i.fields.contains_key(&field))
        };
        let believed = history.and_then(|h| h.plainly_believed(field, rules.timing.quantum));
        match (state.golden.get(&field), believed) {
            (Some(golden), Some(believed)) => golden.value == *believed && !written(),
            _ => false,
        }
    };
    for field in pending {
        if done.contains(field) {
            continue;
        }
        let group = entity.group_of.get(field).copied();
        let members: &[Name] = group
            .and_then(|g| entity.groups.get(&g))
            .map_or(std::slice::from_ref(field), |g| &g.fields);
        if group.is_some() {
            done.extend_from_slice(members);
        }
        // Most fields of a record that has just spoken hold golden already: nothing to read, to render or to write.
        if members.iter().all(|member| plainly_golden(*member)) {
            found.settled.extend(members);
            continue;
        }
        let mut differs = Vec::new();
        let mut wanted: BTreeMap<Name, Desired> = BTreeMap::new();
        let mut blocked =
            group.is_some_and(|g| state.settling.get(&g).is_some_and(|until| *until > at));
        for member in members {
            let Some(rule) = entity.fields.get(member) else {
                continue;
            };
            let seen = track(state, record, *member, rules);
            if let Some(reason) = needs_reading(&seen, asked, system) {
                found.read.get_or_insert(reason);
                blocked = true;
            }
            // Nothing to render.
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
            if !in_sync(&seen, &desired, delivery, *member, rules) {
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
                found.settled.extend(members);
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
pub(crate) fn needs_reading(
    seen: &Track<'_>,
    asked: Option<Millis>,
    system: &System,
) -> Option<ReadReason> {
    let newer = |arrival: &Millis| asked.is_none_or(|asked| *arrival > asked);
    if seen.ambiguous().as_ref().is_some_and(newer) {
        return Some(ReadReason::Ambiguous);
    }
    // What was written and answered is likely enough where nothing can be read.
    let unshown = seen.unshown().filter(|_| system.reads);
    let unknown = [seen.waiting(), unshown];
    unknown
        .iter()
        .flatten()
        .any(newer)
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
    rules: &Rules,
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
    // Of a consent only what is seen counts: our clock may be wrong, and a write too many does no harm.
    let landed = || !rules.says_consent(field) && landed(seen, delivery, field, golden);
    match seen.believed() {
        // Never seen here: there is nothing to clear.
        None => golden.is_blank() || landed(),
        Some(value) => rendered(value) || landed(),
    }
}

/// Whether the last write here was of this very value, was acknowledged, and was sent after everything else here had
/// been seen: then it came later, whatever the target's clock says. One without an answer may have been carried out.
fn landed(seen: &Track<'_>, delivery: &Delivery, field: Name, golden: &Value) -> bool {
    let last = delivery.intents.iter().rev().find_map(|intent| {
        let written = intent.fields.get(&field).filter(|w| !w.refused)?;
        (intent.end != IntentEnd::Refused).then_some((intent, written))
    });
    last.is_some_and(|(intent, written)| {
        intent.end == IntentEnd::Done
            && written.value == *golden
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
pub(crate) fn alternates(delivery: &Delivery, field: Name, golden: &Value, rules: &Rules) -> bool {
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

pub(crate) fn value_digest(value: &Value) -> Digest {
    Digest::of(&[&value.canonical_bytes()])
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

pub(crate) fn whole_desired_state(
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
