//! What is not in sync, and why (L17): one query over the hot state.

use crate::{
    id::RecordKey,
    name::Name,
    order::track,
    rules::{ObjectMapping, Rules, System},
    state::{Delivery, Guarded, LinkStatus, State},
    survey::{desired, holds, in_sync, needs_reading, outgoing},
    time::Millis,
    value::Value,
};

/// Why a managed field of a linked record does not equal golden.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum WhyNot {
    /// A command is under way, or is tried again later.
    Underway,
    /// The record is being read, because what it holds is not known for sure.
    Reading,
    /// What it holds is not known for sure, and its system answers no reads.
    Unknown,
    /// A group's tuple rests before it is written.
    Settling,
    /// Two values were written by turns too often.
    Contested,
    /// It belongs to another source and was put back too often today.
    Held,
    /// The target refused this value, or the record as a whole.
    Refused,
    /// The record was emptied there, and the mass-clear guard weighs that clear or holds it for a steward.
    ClearHeld,
    /// The record that won it was seen blank; a value is never written back over that.
    BlankLeftAlone,
    /// The target has no way to say this value, or needs one and there is none.
    NotMapped,
    /// The sync filter leaves this entity out.
    Filtered,
    /// Another member of its group cannot be written, and a group is written whole or not at all.
    WithItsGroup,
    /// It differs, and nothing of the above accounts for it: a bug.
    Unaccounted,
}

/// Every managed field of an actively linked record that does not read golden in that system's rendering, as far as
/// Baton believes, each with the reason. Empty when all is in sync. Fields that nobody decided are left out: nothing
/// is to be written for them.
#[must_use]
pub fn out_of_sync(state: &State, rules: &Rules, at: Millis) -> Vec<(RecordKey, Name, WhyNot)> {
    let mut found = Vec::new();
    let none = Delivery::default();
    for (record, link) in &state.links {
        let Some((system, mapping)) = mapping_of(record, rules) else {
            continue;
        };
        if link.status() != LinkStatus::Active {
            continue;
        }
        let look = Look {
            state,
            rules,
            record,
            system,
            mapping,
            delivery: state.deliveries.get(record).map_or(&none, |d| &**d),
            at,
        };
        let entity = rules.entity(state.id.kind);
        for field in entity.fields.keys() {
            if let Some(why) = look.why_not(*field) {
                let group = entity.group_of.get(field);
                let members = group.and_then(|g| entity.groups.get(g)).map(|g| &g.fields);
                let by_its_group = why == WhyNot::Unaccounted
                    && members.is_some_and(|members| {
                        members
                            .iter()
                            .any(|m| m != field && look.stops(*m).is_some())
                    });
                let why = if by_its_group {
                    WhyNot::WithItsGroup
                } else {
                    why
                };
                found.push((record.clone(), *field, why));
            }
        }
    }
    found
}

fn mapping_of<'a>(record: &RecordKey, rules: &'a Rules) -> Option<(&'a System, &'a ObjectMapping)> {
    let system = rules.systems.get(&record.system)?;
    Some((system, system.objects.get(&record.object)?))
}

struct Look<'a> {
    state: &'a State,
    rules: &'a Rules,
    record: &'a RecordKey,
    system: &'a System,
    mapping: &'a ObjectMapping,
    delivery: &'a Delivery,
    at: Millis,
}

impl Look<'_> {
    fn why_not(&self, field: Name) -> Option<WhyNot> {
        let entity = self.rules.entity(self.state.id.kind);
        let rule = entity.fields.get(&field)?;
        let golden = self.state.golden.get(&field).filter(|g| g.decided)?;
        outgoing(self.mapping, field).next()?;
        let track = track(self.state, self.record, field, self.rules);
        let asked = self.delivery.last_read.map(|(asked, _)| asked);
        if needs_reading(&track, asked, self.system).is_some() {
            return Some(if self.system.reads {
                WhyNot::Reading
            } else {
                WhyNot::Unknown
            });
        }
        let Some(desired) = desired(
            self.state,
            field,
            rule,
            self.record,
            self.system,
            self.mapping,
        ) else {
            let same = track.believed().is_some_and(|b| *b == golden.value);
            return (!same).then_some(WhyNot::NotMapped);
        };
        if in_sync(&track, &desired, self.delivery, field, self.rules) {
            return None;
        }
        if self.clear_held(field) {
            return Some(WhyNot::ClearHeld);
        }
        if golden.winner.as_ref() == Some(self.record)
            && track.believed().is_some_and(Value::is_blank)
        {
            return Some(WhyNot::BlankLeftAlone);
        }
        let passes =
            self.mapping.filter.iter().all(|c| holds(c, self.state)) && !self.state.archived;
        if !passes && rule.consent.is_none() {
            return Some(WhyNot::Filtered);
        }
        Some(self.stops(field).unwrap_or_else(|| self.waits(field)))
    }

    /// Whether the blank that stands there is a clear that waits for the guard, or that the guard held. One that is
    /// held and written over again by another record's value waits for nothing.
    fn clear_held(&self, field: Name) -> bool {
        let here = |g: &&Guarded| g.record == *self.record && g.fields.contains(&field);
        let mut guarded = self.state.guarded.values().filter(here);
        let blank = track(self.state, self.record, field, self.rules)
            .believed()
            .is_some_and(Value::is_blank);
        let golden = self.state.golden.get(&field);
        let won_here = golden.is_some_and(|g| g.winner.as_ref() == Some(self.record));
        guarded.any(|g| g.held.is_none() || (blank && won_here))
    }

    /// What keeps a field from being written until somebody acts.
    fn stops(&self, field: Name) -> Option<WhyNot> {
        let golden = self.state.golden_value(field);
        if self.delivery.contested.contains_key(&field) {
            Some(WhyNot::Contested)
        } else if self.delivery.held.contains_key(&field) {
            Some(WhyNot::Held)
        } else if self
            .delivery
            .refused
            .get(&field)
            .is_some_and(|r| r.value == *golden)
            || self.delivery.refused_record.is_some()
        {
            Some(WhyNot::Refused)
        } else {
            None
        }
    }

    /// What keeps it from being written for now.
    fn waits(&self, field: Name) -> WhyNot {
        let group = self.rules.entity(self.state.id.kind).group_of.get(&field);
        if self.delivery.outstanding.is_some()
            || self.delivery.retry.is_some_and(|(_, next)| next > self.at)
        {
            WhyNot::Underway
        } else if group.is_some_and(|g| {
            self.state
                .settling
                .get(g)
                .is_some_and(|until| *until > self.at)
        }) {
            WhyNot::Settling
        } else {
            WhyNot::Unaccounted
        }
    }
}
