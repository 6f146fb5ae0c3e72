//! Creates records for entities that a system lacks, where its policy asks for it.

use crate::plan::{backoff_ms, patience, wire_command};
use crate::survey::{Desired, holds, outgoing, whole_desired_state};
use crate::{
    book::ParkedCode,
    change::{Change, Origin},
    echo::is_variant,
    effects::Effects,
    id::{Digest, Kind, Object, RecordKey},
    lifecycle::rules::Phase,
    name::Name,
    order::skew,
    render::render,
    rules::{CreatePolicy, Direction, ObjectMapping, Rules, System},
    state::{CommandKind, LinkStatus, PendingCreate, State},
    time::Millis,
    value::Value,
};
use std::collections::BTreeMap;

/// Creates records for entities that a system lacks, where its policy asks for it.
pub(crate) fn plan_creates(state: &mut State, rules: &Rules, at: Millis, effects: &mut Effects) {
    if state.erased.is_some() || state.archived {
        return;
    }
    for system in rules.systems.values() {
        for (object, mapping) in &system.objects {
            if object.kind() == state.id.kind && may_create(state, mapping.create, rules) {
                plan_create(state, system, *object, mapping, rules, at, effects);
            }
        }
    }
}

fn may_create(state: &State, policy: CreatePolicy, rules: &Rules) -> bool {
    match policy {
        CreatePolicy::Never => false,
        CreatePolicy::Always => true,
        CreatePolicy::SalesReady => {
            let setup = rules.funnel.as_deref();
            let stage = state.funnel.as_ref().map(|funnel| funnel.present().stage);
            setup
                .zip(stage)
                .is_some_and(|(setup, stage)| setup.rules.phase(stage) == Some(Phase::Worked))
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
    if wanted.is_empty() || !can_be_known_again(object, mapping, &wanted, rules) {
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

/// Whether the new record would bear a key by which its echo, and whoever has it too, can be told: without one a create
/// whose answer is lost makes a second entity. Where no key is configured that this system carries, none is asked for.
fn can_be_known_again(
    object: Object,
    mapping: &ObjectMapping,
    wanted: &BTreeMap<Name, Desired>,
    rules: &Rules,
) -> bool {
    let kind = object.kind();
    let identity = &rules.identity;
    let email = identity.email.filter(|_| kind == Kind::Person);
    let single = identity.keys.get(&kind).into_iter().flatten().copied();
    let mut keys: Vec<Vec<Name>> = single.chain(email).map(|name| vec![name]).collect();
    keys.extend(
        identity
            .composites
            .get(&kind)
            .into_iter()
            .flatten()
            .cloned(),
    );
    keys.retain(|names| {
        names
            .iter()
            .all(|name| outgoing(mapping, *name).next().is_some())
    });
    keys.is_empty()
        || keys
            .iter()
            .any(|names| names.iter().all(|name| wanted.contains_key(name)))
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
            failures: sent.failures.saturating_add(1),
            ..sent.clone()
        },
    );
}

/// Whether a change shows the record that a create made: the key has matched already; somebody else may have made a
/// record of the same key at the same moment, so its time and values must fit, too.
pub(crate) fn shows_create(
    change: &Change,
    new_record: bool,
    create: &PendingCreate,
    rules: &Rules,
) -> bool {
    if create.stopped.is_some()
        || create.object.kind() != change.record.object.kind()
        || change.origin == Origin::Other
    {
        return false;
    }
    let after = change.time >= begun(create, &change.record, rules);
    let shows = |(field, written): (&Name, &Value)| {
        let seen = change.fields.iter().find(|f| f.field == *field);
        seen.is_some_and(|f| f.value == *written || is_variant(written, &f.value))
    };
    after && ((change.origin == Origin::Ours && new_record) || create.fields.iter().all(shows))
}

/// Whether a record was there before the create was sent: then it is somebody else's work.
pub(crate) fn is_older(
    state: &State,
    record: &RecordKey,
    create: &PendingCreate,
    rules: &Rules,
) -> bool {
    let begun = begun(create, record, rules);
    let before = |time: Millis| time.is_timed() && time < begun;
    state
        .histories
        .get(record)
        .is_some_and(|h| h.events.iter().any(|e| before(e.time)))
}

/// The first instant at which the record can have been made by this create, by the clock of its system.
fn begun(create: &PendingCreate, record: &RecordKey, rules: &Rules) -> Millis {
    let margin = rules.timing.quantum + skew(rules, record);
    create.sent.minus(margin).floor(rules.timing.quantum)
}
