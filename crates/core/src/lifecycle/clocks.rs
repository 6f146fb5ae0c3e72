//! Clocks that run: business time towards an obligation.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    alarm::Alarm,
    calendar::Calendar,
    course::{Clock, End},
    fact::{Act, Fact},
    fold::Fold,
    predicate::Predicate,
    rules::{ClockRule, Consequence, Mode, Signal},
    words::say,
};
use crate::{
    id::{Digest, EntityId},
    name::Name,
    time::Millis,
};

/// A clock that has not ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Running {
    pub clock: Clock,
    /// Start of the edition under whose rules it runs to its end.
    edition: Millis,
    /// Business time used up before it last went on.
    spent: i64,
    /// Since when it goes; none while it stands still.
    going: Option<Going>,
}

/// When what is left of a clock's times is used up, if it is not stopped again.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Going {
    since: Millis,
    target: Millis,
    reminders: Vec<Millis>,
    escalation: Vec<Millis>,
}

impl Going {
    fn new(rule: &ClockRule, calendar: &Calendar, since: Millis, spent: i64) -> Self {
        let after = |span: i64| calendar.after(since, span.saturating_sub(spent));
        Self {
            since,
            target: after(rule.target),
            reminders: rule
                .reminders
                .iter()
                .map(|share| after(rule.target.saturating_mul((*share).into()) / 100))
                .collect(),
            escalation: rule
                .escalation
                .iter()
                .map(|(later, _)| after(rule.target.saturating_add(*later)))
                .collect(),
        }
    }
}

fn clock_id(person: EntityId, name: Name, started: Millis) -> Digest {
    Digest::of(&[
        b"clock",
        person.to_string().as_bytes(),
        name.as_str().as_bytes(),
        &started.0.to_be_bytes(),
    ])
}

impl<'e> Fold<'e> {
    /// The rule that a running clock keeps to.
    fn rule_of(&self, running: &Running) -> Option<&'e ClockRule> {
        let rules = self.editions.at(running.edition).1;
        rules.clocks.get(&running.clock.name)
    }

    fn calendar_of(&self, running: &Running) -> Option<&'e Arc<Calendar>> {
        let rules = self.editions.at(running.edition).1;
        rules.calendars.get(&running.clock.calendar)
    }

    pub(super) fn signal(&mut self, signal: &Signal) {
        self.stop_clocks(std::slice::from_ref(signal));
        self.start_clocks(std::slice::from_ref(signal));
    }

    /// Ends the clocks that any of these signals ends.
    pub(super) fn stop_clocks(&mut self, signals: &[Signal]) {
        let ended: Vec<Name> = self
            .w
            .clocks
            .values()
            .filter(|running| {
                let rule = self.rule_of(running);
                rule.is_some_and(|rule| rule.stop.iter().any(|s| signals.contains(s)))
            })
            .map(|running| running.clock.name)
            .collect();
        for name in ended {
            self.end(name, End::Met);
        }
    }

    pub(super) fn start_clocks(&mut self, signals: &[Signal]) {
        let rules = Arc::clone(&self.rules);
        for (name, rule) in &rules.clocks {
            if rule.start.iter().any(|s| signals.contains(s)) {
                self.start(*name, rule);
            }
        }
    }

    fn start(&mut self, name: Name, rule: &ClockRule) {
        let runs = self.w.clocks.contains_key(&name);
        let is_early = self.w.now < self.editions.began();
        if runs || is_early || !rule.scope.holds(&self.w.view()) {
            return;
        }
        let chosen = rule
            .calendars
            .iter()
            .find(|(condition, _)| condition.holds(&self.w.view()))
            .map_or(rule.calendar, |(_, calendar)| *calendar);
        let running = Running {
            clock: Clock {
                id: clock_id(self.w.person, name, self.w.now),
                name,
                episode: self.w.episode.map(|e| e.number),
                started: self.w.now,
                calendar: chosen,
                mode: rule.mode,
                due: None,
                touches: 0,
                reminded: Vec::new(),
                escalated: Vec::new(),
                breached: None,
                end: None,
            },
            edition: self.editions.at(self.w.now).0,
            spent: 0,
            going: None,
        };
        self.w.clocks.insert(name, running);
        self.go_or_stand(name);
    }

    /// An act may start clocks, and touch those that run or that ran when it happened.
    pub(super) fn signal_of_act(&mut self, fact: &Fact, act: &Act, happened: Millis) {
        let touches = |signals: &[Signal]| {
            signals.iter().any(|signal| match signal {
                Signal::Act(acts) => acts.include(act.kind, act.actor),
                _ => false,
            })
        };
        let touched: Vec<Name> = self
            .w
            .clocks
            .values()
            .filter(|running| running.clock.started <= happened)
            .filter(|running| self.rule_of(running).is_some_and(|r| touches(&r.stop)))
            .map(|running| running.clock.name)
            .collect();
        for name in touched {
            self.touch(name, happened);
        }
        if fact.effective.is_some() {
            self.report_late(touches, happened);
        } else {
            let rules = Arc::clone(&self.rules);
            for (name, rule) in rules.clocks.iter().filter(|(_, r)| touches(&r.start)) {
                self.start(*name, rule);
            }
        }
    }

    fn touch(&mut self, name: Name, happened: Millis) {
        let Some(running) = self.w.clocks.get(&name) else {
            return;
        };
        let wanted = self.rule_of(running).map_or(1, |rule| rule.touches);
        let in_time = running.clock.breached.is_none_or(|at| happened <= at);
        let Some(running) = self.w.clocks.get_mut(&name) else {
            return;
        };
        running.clock.touches = running.clock.touches.saturating_add(1);
        if running.clock.touches < wanted {
            return;
        }
        let late_news = running.clock.breached.is_some() && in_time;
        self.end(
            name,
            if late_news {
                End::MetReportedLate
            } else {
                End::Met
            },
        );
    }

    /// A touch that happened in time and was heard of when the breach could not be undone.
    fn report_late(&mut self, touches: impl Fn(&[Signal]) -> bool, happened: Millis) {
        let editions = self.editions;
        for clock in &mut self.course.clocks {
            let in_time =
                clock.started <= happened && clock.breached.is_some_and(|b| happened <= b);
            let rule = editions.at(clock.started).1.clocks.get(&clock.name);
            let Some(rule) = rule.filter(|rule| in_time && touches(&rule.stop)) else {
                continue;
            };
            clock.touches = clock.touches.saturating_add(1);
            if clock.touches >= rule.touches {
                clock.end = Some((happened, End::MetReportedLate));
            }
        }
    }

    fn end(&mut self, name: Name, end: End) {
        let now = self.w.now;
        if let Some(mut running) = self.w.clocks.remove(&name) {
            let end = match end {
                End::Met if running.clock.breached.is_some() => End::Late,
                other => other,
            };
            running.clock.end = Some((now, end));
            self.course.clocks.push(running.clock);
        }
    }

    /// An episode ended: what ran for it stops.
    pub(super) fn cancel_clocks(&mut self) {
        let names: Vec<Name> = self.w.clocks.keys().copied().collect();
        for name in names {
            self.end(name, End::Stopped);
        }
    }

    pub(super) fn pauses(&self) -> impl Iterator<Item = &Predicate> {
        self.w
            .clocks
            .values()
            .filter_map(|running| self.rule_of(running)?.pause.as_ref())
    }

    pub(super) fn pause_clocks(&mut self) {
        let names: Vec<Name> = self.w.clocks.keys().copied().collect();
        for name in names {
            self.go_or_stand(name);
        }
    }

    /// Lets a clock go on or stand still, as its condition says.
    fn go_or_stand(&mut self, name: Name) {
        let now = self.w.now;
        let Some(running) = self.w.clocks.get(&name) else {
            return;
        };
        let (Some(rule), Some(calendar)) = (self.rule_of(running), self.calendar_of(running))
        else {
            return;
        };
        let stands = rule
            .pause
            .as_ref()
            .is_some_and(|condition| condition.holds(&self.w.view()));
        let Some(running) = self.w.clocks.get_mut(&name) else {
            return;
        };
        match (&running.going, stands) {
            (None, false) => {
                let going = Going::new(rule, calendar, now, running.spent);
                running.clock.due = running.clock.breached.or(Some(going.target));
                running.going = Some(going);
            }
            (Some(going), true) => {
                let used = calendar.elapsed(going.since, now);
                running.spent = running.spent.saturating_add(used);
                running.clock.due = running.clock.breached;
                running.going = None;
            }
            _ => {}
        }
    }

    pub(super) fn clock_alarms(&self) -> Vec<(Millis, Alarm)> {
        let mut alarms = Vec::new();
        for (name, running) in &self.w.clocks {
            let Some(going) = &running.going else {
                continue;
            };
            let clock = *name;
            let nth = running.clock.reminded.len();
            if running.clock.breached.is_none() {
                alarms.push((going.target, Alarm::Breach { clock }));
                let reminder = going.reminders.get(nth);
                alarms.extend(reminder.map(|due| (*due, Alarm::Reminder { clock, nth })));
            } else {
                let nth = running.clock.escalated.len();
                let step = going.escalation.get(nth);
                alarms.extend(step.map(|due| (*due, Alarm::Escalation { clock, nth })));
            }
        }
        alarms
    }

    pub(super) fn remind(&mut self, name: Name, nth: usize) {
        let now = self.w.now;
        let share = self.w.clocks.get(&name).and_then(|running| {
            let share = self.rule_of(running)?.reminders.get(nth)?;
            Some(*share)
        });
        if let (Some(share), Some(running)) = (share, self.w.clocks.get_mut(&name)) {
            running.clock.reminded.push((share, now));
        }
    }

    pub(super) fn escalate(&mut self, name: Name, nth: usize) {
        let now = self.w.now;
        let to = self.w.clocks.get(&name).and_then(|running| {
            let (_, to) = self.rule_of(running)?.escalation.get(nth)?;
            Some(*to)
        });
        if let (Some(to), Some(running)) = (to, self.w.clocks.get_mut(&name)) {
            running.clock.escalated.push((to, now));
        }
    }

    pub(super) fn breach(&mut self, name: Name) {
        let now = self.w.now;
        let Some(running) = self.w.clocks.get_mut(&name) else {
            return;
        };
        running.clock.breached = Some(now);
        running.clock.due = Some(now);
        let mode = running.clock.mode;
        let consequence = self
            .w
            .clocks
            .get(&name)
            .and_then(|running| self.rule_of(running))
            .map(|rule| rule.consequence);
        match consequence {
            Some(Consequence::Recycle(reason)) => self.give_back(reason, mode),
            Some(Consequence::Reassign(queue)) if mode == Mode::Live => {
                let tells = &self.rules.tells;
                if let Some(name) = tells.queues.get(&queue) {
                    say(&mut self.w.words, &tells.owners, name, now);
                }
            }
            _ => {}
        }
    }
}
