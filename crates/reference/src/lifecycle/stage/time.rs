//! What time does, asked at each tick; and the clocks.

use baton_core::{
    lifecycle::rules::{ClockRule, Consequence, Mode, Phase, Signal},
    name::Name,
};

use super::{Clock, Line, Machine};

impl<'e> Machine<'e> {
    /// What time has done by now, after all facts of the instant.
    pub(super) fn time_passes(&mut self) {
        // A condition that ends by time alone lets its clock go on, and one whose target is used up is due at once. One
        // that begins by time alone comes after what is due at that instant.
        let paused: Vec<Name> = self.clocks.keys().copied().collect();
        for name in paused {
            let goes_on = !self.is_paused(name);
            let clock = self.clocks.get_mut(&name).expect("it runs");
            clock.stands &= !goes_on;
        }
        loop {
            while self.one_alarm() {
                self.judge();
            }
            let said = self.lines.len();
            self.judge();
            if self.lines.len() == said {
                return;
            }
        }
    }

    fn one_alarm(&mut self) -> bool {
        let going = |c: &&Clock| !c.stands && !c.breached;
        let reminder = self.clocks.iter().find_map(|(name, c)| {
            let share = *c.rule.reminders.get(c.reminded)?;
            let due = c.used * 100 >= c.rule.target * i64::from(share);
            (going(&c) && due).then_some((*name, share))
        });
        if let Some((name, share)) = reminder {
            self.clocks.get_mut(&name).expect("it runs").reminded += 1;
            self.say(Line::Reminded(name, share));
            return true;
        }
        let breach = self
            .clocks
            .iter()
            .find(|(_, c)| going(c) && c.used >= c.rule.target)
            .map(|(name, _)| *name);
        if let Some(name) = breach {
            self.breach(name);
            return true;
        }
        let escalation = self.clocks.iter().find_map(|(name, c)| {
            let (later, to) = *c.rule.escalation.get(c.escalated)?;
            let due = c.used >= c.rule.target + later;
            (!c.stands && c.breached && due).then_some((*name, to))
        });
        if let Some((name, to)) = escalation {
            self.clocks.get_mut(&name).expect("it runs").escalated += 1;
            self.say(Line::Escalated(name, to));
            return true;
        }
        self.stage_alarm() || self.cool_down_ends()
    }

    fn breach(&mut self, name: Name) {
        let clock = self.clocks.get_mut(&name).expect("it runs");
        clock.breached = true;
        let rule = clock.rule;
        self.say(Line::Breached(name));
        if let Consequence::Recycle(reason) = rule.consequence {
            self.give_back(reason, rule.mode);
        }
    }

    fn stage_alarm(&mut self) -> bool {
        let Some(rule) = self.rules.stages.get(&self.stage) else {
            return false;
        };
        if rule.phase != Phase::Worked {
            return false;
        }
        let still = self.now.since(self.last_act);
        if let Some(stall) = rule.stall.as_ref().filter(|s| self.holds(&s.scope)) {
            if let Some((share, action)) = stall.reengage
                && !self.nudged
                && still * 100 >= stall.after * i64::from(share)
            {
                self.nudged = true;
                self.say(Line::Nudged(action));
                return true;
            }
            if still >= stall.after && !self.stall_over && !self.protected() {
                self.stall_over = true;
                self.give_back(stall.reason, stall.mode);
                return true;
            }
        }
        if let Some(age) = rule.age.as_ref().filter(|a| self.holds(&a.scope))
            && self.now.since(self.since) >= age.after
            && !self.age_over
            && !self.protected()
        {
            self.age_over = true;
            self.give_back(age.reason, age.mode);
            return true;
        }
        false
    }

    fn give_back(&mut self, reason: Name, mode: Mode) {
        match mode {
            Mode::Live => self.recycle(reason),
            Mode::Shadow => self.say(Line::Objected),
        }
    }

    fn cool_down_ends(&mut self) -> bool {
        let over = self.cooling.is_some_and(|until| until <= self.now);
        if over {
            self.cooling = None;
        }
        over
    }

    pub(super) fn stop(&mut self, signals: &[Signal]) {
        let stopped: Vec<Name> = self
            .clocks
            .iter()
            .filter(|(_, c)| c.rule.stop.iter().any(|s| signals.contains(s)))
            .map(|(name, _)| *name)
            .collect();
        for name in stopped {
            self.end_clock(name, false);
        }
    }

    pub(super) fn start(&mut self, signals: &[Signal]) {
        for (name, rule) in &self.rules.clocks {
            if rule.start.iter().any(|s| signals.contains(s)) {
                self.start_clock(*name, rule);
            }
        }
    }

    pub(super) fn start_clock(&mut self, name: Name, rule: &'e ClockRule) {
        if self.clocks.contains_key(&name) || !self.holds(&rule.scope) {
            return;
        }
        let mut calendar = rule.calendar;
        for (condition, named) in rule.calendars.iter().rev() {
            if self.holds(condition) {
                calendar = *named;
            }
        }
        let clock = Clock {
            rule,
            rules: self.rules,
            calendar,
            started: self.now,
            used: 0,
            stands: false,
            touches: 0,
            reminded: 0,
            escalated: 0,
            breached: false,
        };
        self.clocks.insert(name, clock);
    }

    pub(super) fn end_clock(&mut self, name: Name, stopped: bool) {
        let clock = self.clocks.remove(&name).expect("it runs");
        let how = match (stopped, clock.breached) {
            (true, _) => "stopped",
            (false, true) => "late",
            (false, false) => "met",
        };
        self.say(Line::Ended(name, how.into()));
    }

    fn is_paused(&self, name: Name) -> bool {
        let pause = self.clocks[&name].rule.pause.as_ref();
        pause.is_some_and(|condition| self.holds(condition))
    }

    pub(super) fn pauses(&mut self) {
        let names: Vec<Name> = self.clocks.keys().copied().collect();
        for name in names {
            let stands = self.is_paused(name);
            self.clocks.get_mut(&name).expect("it runs").stands = stands;
        }
    }
}
