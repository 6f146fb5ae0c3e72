//! What time alone can do to a person.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    course::Why,
    fold::Fold,
    predicate::Predicate,
    rules::{Mode, Phase},
};
use crate::{name::Name, time::Millis};

/// Alarms of one instant go off in this order, after all facts of the instant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Alarm {
    /// The nth reminder of a clock.
    Reminder { clock: Name, nth: usize },
    /// A clock's target is used up.
    Breach { clock: Name },
    /// The nth step of a clock's escalation.
    Escalation { clock: Name, nth: usize },
    /// The last try before a recycle.
    Reengage,
    /// Nothing that counts happened for the stage's stall time.
    Stall,
    /// No progress within the stage's greatest age.
    Age,
    /// A cool-down ends.
    CoolDown,
    /// A condition that looks at time may have changed its answer.
    Condition,
}

impl Alarm {
    /// Its name, and that of the clock it belongs to: they stand in messages and make ids, so they stay as they are.
    #[must_use]
    pub const fn name(&self) -> (&'static str, Option<Name>) {
        match self {
            Self::Reminder { clock, .. } => ("reminder", Some(*clock)),
            Self::Breach { clock } => ("breach", Some(*clock)),
            Self::Escalation { clock, .. } => ("escalation", Some(*clock)),
            Self::Reengage => ("reengage", None),
            Self::Stall => ("stall", None),
            Self::Age => ("age", None),
            Self::CoolDown => ("cool_down", None),
            Self::Condition => ("condition", None),
        }
    }
}

impl Fold<'_> {
    /// The next alarm: never earlier than now.
    pub(super) fn alarm(&self) -> Option<(Millis, Alarm)> {
        if !self.w.known {
            return None;
        }
        let mut alarms = self.clock_alarms();
        alarms.extend(self.stage_alarms());
        if let Some(until) = self.w.cooling {
            alarms.push((until, Alarm::CoolDown));
        }
        let turns = self.conditions().filter_map(|c| c.turns(&self.w.view()));
        alarms.extend(turns.min().map(|at| (at, Alarm::Condition)));
        alarms
            .into_iter()
            .map(|(due, alarm)| (due.max(self.w.now), alarm))
            .filter(|(due, _)| *due < Millis::NEVER)
            .min()
    }

    fn conditions(&self) -> impl Iterator<Item = &Predicate> {
        let ready = &self.rules.ready;
        self.rules
            .disqualify
            .iter()
            .map(|(condition, _)| condition)
            .chain([&self.rules.nurture, &ready.fit, &ready.consent])
            .chain(self.stage_scopes())
            .chain(self.pauses())
    }

    fn stage_scopes(&self) -> impl Iterator<Item = &Predicate> {
        let rule = self.rules.stages.get(&self.w.stage);
        let stall = rule.and_then(|r| r.stall.as_ref()).map(|s| &s.scope);
        let age = rule.and_then(|r| r.age.as_ref()).map(|a| &a.scope);
        stall.into_iter().chain(age)
    }

    fn stage_alarms(&self) -> Vec<(Millis, Alarm)> {
        let mut alarms = Vec::new();
        let Some(rule) = self.rules.stages.get(&self.w.stage) else {
            return alarms;
        };
        if rule.phase != Phase::Worked {
            return alarms;
        }
        let view = self.w.view();
        if let Some(stall) = rule.stall.as_ref().filter(|s| s.scope.holds(&view)) {
            let touched = self.w.touched;
            let from = touched.max(self.editions.began());
            if self.w.stalled != Some(touched) {
                let due = self.unprotected(from.plus(stall.after).max(self.w.now));
                alarms.push((due, Alarm::Stall));
            }
            if let Some((share, _)) = stall.reengage
                && self.w.nudged != Some(touched)
            {
                let due = from.plus(stall.after.saturating_mul(share.into()) / 100);
                alarms.push((due, Alarm::Reengage));
            }
        }
        if let Some(age) = rule.age.as_ref().filter(|a| a.scope.holds(&view))
            && self.w.aged != Some(self.w.since)
        {
            let from = self.w.since.max(self.editions.began());
            let due = self.unprotected(from.plus(age.after).max(self.w.now));
            alarms.push((due, Alarm::Age));
        }
        alarms
    }

    pub(super) fn ring(&mut self, alarm: Alarm) {
        let rules = Arc::clone(&self.rules);
        let rule = rules.stages.get(&self.w.stage);
        match alarm {
            Alarm::Reminder { clock, nth } => self.remind(clock, nth),
            Alarm::Breach { clock } => self.breach(clock),
            Alarm::Escalation { clock, nth } => self.escalate(clock, nth),
            // A scope that looks at time may have ended at this very instant.
            Alarm::Reengage => {
                let found = rule.and_then(|r| r.stall.as_ref());
                if let Some(stall) = found.filter(|s| s.scope.holds(&self.w.view())) {
                    self.w.nudged = Some(self.w.touched);
                    if let Some((_, action)) = stall.reengage {
                        self.nudge(action, stall.mode);
                    }
                }
            }
            Alarm::Stall => {
                let found = rule.and_then(|r| r.stall.as_ref());
                if let Some(stall) = found.filter(|s| s.scope.holds(&self.w.view())) {
                    self.w.stalled = Some(self.w.touched);
                    self.give_back(stall.reason, stall.mode);
                }
            }
            Alarm::Age => {
                let found = rule.and_then(|r| r.age.as_ref());
                if let Some(age) = found.filter(|a| a.scope.holds(&self.w.view())) {
                    self.w.aged = Some(self.w.since);
                    self.give_back(age.reason, age.mode);
                }
            }
            Alarm::CoolDown => self.w.cooling = None,
            Alarm::Condition => {}
        }
    }

    /// Recycles by a rule that may only watch.
    pub(super) fn give_back(&mut self, reason: Name, mode: Mode) {
        match mode {
            Mode::Live => self.recycle(reason),
            Mode::Shadow => self.object(Why::Shadow {
                from: self.w.stage,
                reason,
            }),
        }
    }
}
