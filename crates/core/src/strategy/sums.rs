//! `union` and `counter`: answers that are made of what several records said, not won by one.

use std::collections::{BTreeMap, BTreeSet};

use compact_str::CompactString;
use rust_decimal::Decimal;

use super::{Court, Span, Turn, Verdict, barred};
use crate::{
    claim::{Why, clears, observed},
    id::RecordKey,
    order::{Role, Seat, track_all},
    time::Millis,
    value::Value,
};

impl<'a, 's> Court<'a, 's> {
    /// An element is present iff its latest add is no earlier than its latest removal, over all records.
    pub(super) fn union(&self, turns: &[Turn<'a, 's>]) -> Verdict<'a> {
        let mut elements: BTreeMap<&'a str, (Millis, Millis)> = BTreeMap::new();
        let mut contributors = Vec::new();
        let mut losers = barred(turns);
        for (seat, before, record) in self.steps() {
            let Some((claim, bar)) = turns.iter().find(|(c, _)| {
                c.record == record && c.event == seat.rho.event && c.floored == seat.rho.floored
            }) else {
                continue;
            };
            if bar.is_some() {
                continue;
            }
            let (was, is) = (members(before), members(Some(seat.value)));
            for added in is.difference(&was) {
                let times = elements
                    .entry(added)
                    .or_insert((Millis::UNTIMED, Millis::UNTIMED));
                times.0 = times.0.max(seat.rho.floored);
            }
            if before.is_some() {
                for removed in was.difference(&is) {
                    // A removal without any add still has to be heard: the add may be known elsewhere.
                    let times = elements
                        .entry(removed)
                        .or_insert((Millis(Millis::UNTIMED.0 - 1), Millis::UNTIMED));
                    times.1 = times.1.max(seat.rho.floored);
                }
            }
            contributors.push((*claim).clone());
        }
        let present: Vec<CompactString> = elements
            .into_iter()
            .filter(|(_, (added, removed))| added >= removed)
            .map(|(element, _)| element.into())
            .collect();
        if contributors.is_empty() {
            return Verdict {
                losers,
                ..Verdict::default()
            };
        }
        losers.retain(|(c, _)| {
            !contributors
                .iter()
                .any(|k| k.record == c.record && k.event == c.event)
        });
        let computed = if present.is_empty() {
            Value::Blank
        } else {
            Value::Set(present)
        };
        Verdict {
            computed: Some(computed),
            contributors,
            losers,
            ..Verdict::default()
        }
    }

    /// Sum of the deltas that came with the vendor's before-image.
    pub(super) fn counter(&self, turns: &[Turn<'a, 's>], span: Span) -> Verdict<'a> {
        let mut sum = Decimal::ZERO;
        let mut counted = BTreeSet::new();
        let mut contributors = Vec::new();
        for (seat, _, record) in self.steps_with_restatements() {
            if !span.holds(seat.rho.floored) {
                continue;
            }
            let reading = seat.event.is_none_or(|e| e.by_reading || e.read_back);
            let after = match seat.value {
                Value::Number(n) => *n,
                // A clear that the policy lets through is a fall to nothing.
                Value::Blank if !seat.held && clears(self.how.clear, seat.cause, self.rules) => {
                    Decimal::ZERO
                }
                _ => continue,
            };
            let (Some(before), false) = (seat.before, reading) else {
                continue;
            };
            let fell_from = match before {
                Value::Number(n) => *n,
                Value::Blank => Decimal::ZERO,
                _ => continue,
            };
            let place = if seat.rho.seq == 0 {
                (0, seat.rho.time)
            } else {
                (seat.rho.seq, Millis::UNTIMED)
            };
            if counted.insert((record, place, before, seat.value)) {
                sum = sum.saturating_add(after - fell_from);
                // Also where the value itself was known: its before-image tells that it went and came back.
                contributors.push(observed(record, self.state.status(record), &seat));
            }
        }
        let computed = (!counted.is_empty()).then_some(Value::Number(sum));
        let losers = turns
            .iter()
            .filter(|(c, _)| {
                !contributors
                    .iter()
                    .any(|k| k.record == c.record && k.event == c.event)
            })
            .map(|(c, bar)| ((*c).clone(), bar.unwrap_or(Why::Outranked)))
            .collect();
        Verdict {
            computed,
            contributors,
            losers,
            ..Verdict::default()
        }
    }

    /// Turns of the field with the observation before each, over all records.
    fn steps(&self) -> Vec<(Seat<'a>, Option<&'a Value>, &'a RecordKey)> {
        self.walk(|role| role == Role::Turn)
    }

    fn steps_with_restatements(&self) -> Vec<(Seat<'a>, Option<&'a Value>, &'a RecordKey)> {
        self.walk(|role| matches!(role, Role::Turn | Role::Same))
    }

    fn walk(
        &self,
        wanted: impl Fn(Role) -> bool,
    ) -> Vec<(Seat<'a>, Option<&'a Value>, &'a RecordKey)> {
        let Some(field) = self.field else {
            return Vec::new();
        };
        let mut steps = Vec::new();
        for record in self.state.links.keys() {
            let mut before = None;
            let mut before_run = None;
            for seat in track_all(self.state, record, field, self.rules).seats {
                let (value, role) = (seat.value, seat.role);
                let counts = !matches!(role, Role::Nothing | Role::Waiting);
                // A turn that an event took over from a reading goes from what stood before both.
                if counts && before != Some(value) {
                    before_run = before;
                }
                if wanted(role) {
                    let taken_over = role == Role::Turn && before == Some(value);
                    let from = if taken_over { before_run } else { before };
                    steps.push((seat, from, record));
                }
                if counts {
                    before = Some(value);
                }
            }
        }
        steps
    }
}

fn members(value: Option<&Value>) -> BTreeSet<&str> {
    match value {
        Some(Value::Set(items)) => items.iter().map(CompactString::as_str).collect(),
        Some(Value::Text(text)) => std::iter::once(text.as_str()).collect(),
        _ => BTreeSet::new(),
    }
}
