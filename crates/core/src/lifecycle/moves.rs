//! How a person gets from one stage to another.

use std::sync::Arc;

use super::{
    course::{Closed, Closing, Handoff, Nudge, Purpose, Seat, Step, Why},
    fact::{Standing, Suppression},
    fold::{Episode, Fold, Line},
    rules::{AfterLost, Beyond, CoolDown, Mode, Phase, Signal},
    words::{fall_silent, package, say},
};
use crate::{name::Name, time::Millis, value::Value};

impl Fold<'_> {
    pub(super) fn claim(&mut self, system: Name, stage: Name, reason: Option<Name>) {
        let rules = Arc::clone(&self.rules);
        let from = self.w.stage;
        let Some(rule) = rules.stages.get(&stage) else {
            return self.object(Why::UnknownStage(stage));
        };
        if stage == from {
            return;
        }
        if !rule.claimed_by.contains(&system) {
            return self.object(Why::NotTheirs { system, stage });
        }
        if stage == rules.landmarks.recycled {
            self.returned(reason);
        } else if stage == rules.landmarks.disqualified || rules.is_legal(from, stage) {
            self.move_to(stage, reason, None);
        } else {
            self.object(Why::IllegalMove { from, to: stage });
        }
    }

    pub(super) fn qualified(
        &mut self,
        ready: Option<bool>,
        willing: Option<bool>,
        reason: Option<Name>,
    ) {
        let rules = Arc::clone(&self.rules);
        let marks = rules.landmarks;
        let stage = self.w.stage;
        if stage != marks.ready && stage != marks.review {
            return self.object(Why::NotInReview { stage });
        }
        self.w.ready = ready.or(self.w.ready);
        self.w.willing = willing.or(self.w.willing);
        self.signal(&Signal::Qualified);
        if stage == marks.ready {
            self.move_to(marks.review, None, None);
        }
        match (self.w.ready, self.w.willing) {
            (Some(false), _) => {
                self.recycle(self.known_reason(reason, rules.recycling.not_ready));
            }
            (_, Some(false)) => {
                self.recycle(self.known_reason(reason, rules.recycling.not_willing));
            }
            (Some(true), Some(true)) => self.move_to(marks.accepted, None, None),
            _ => {}
        }
    }

    /// Sales gives the person back.
    pub(super) fn returned(&mut self, reason: Option<Name>) {
        let reason = self.known_reason(reason, self.rules.recycling.returned);
        self.recycle(reason);
    }

    fn known_reason(&self, given: Option<Name>, otherwise: Name) -> Name {
        given
            .filter(|reason| self.rules.recycling.reasons.contains_key(reason))
            .unwrap_or(otherwise)
    }

    /// Back to nurture; or, where that happened too often, out or to long nurture.
    pub(super) fn recycle(&mut self, reason: Name) {
        let rules = Arc::clone(&self.rules);
        let (from, to) = (self.w.stage, rules.landmarks.recycled);
        if rules.phase(from) != Some(Phase::Worked) {
            return self.object(Why::NotWorked { stage: from });
        }
        let until = self.unprotected(self.w.now);
        if until > self.w.now {
            return self.object(Why::Protected { until });
        }
        if !rules.is_legal(from, to) {
            return self.object(Why::IllegalMove { from, to });
        }
        if self.recycles_in_window() < rules.recycling.most {
            return self.move_to(to, Some(reason), Some(Closed::Recycled));
        }
        let (to, kind) = match rules.recycling.beyond {
            Beyond::Disqualify(_) => (rules.landmarks.disqualified, Closed::Exhausted),
            Beyond::LongNurture(_) => (rules.landmarks.nurture, Closed::LongNurture),
        };
        self.move_to(to, Some(reason), Some(kind));
    }

    pub(super) fn recycles_in_window(&self) -> usize {
        let window = self.rules.recycling.window;
        let counts = |at: &&Millis| self.w.now.since(**at) < window;
        self.w.recycles.iter().filter(counts).count()
    }

    /// The first instant from `at` on at which no open deal is about to close. People in review have no such
    /// protection: nothing that is theirs to lose is under way.
    pub(super) fn unprotected(&self, at: Millis) -> Millis {
        let marks = self.rules.landmarks;
        let mut free = at;
        if self.w.stage == marks.ready || self.w.stage == marks.review {
            return free;
        }
        let closings: Vec<Millis> = self
            .w
            .deals
            .values()
            .filter_map(|deal| match deal.standing {
                Standing::Open { closing, .. } => closing,
                _ => None,
            })
            .collect();
        let within = self.rules.protect_closing_within;
        while let Some(closing) = closings
            .iter()
            .find(|closing| closing.minus(within) <= free && free < **closing)
        {
            free = *closing;
        }
        free
    }

    pub(super) fn move_if_legal(&mut self, to: Name, reason: Option<Name>) -> bool {
        let from = self.w.stage;
        let legal = self.rules.is_legal(from, to);
        if legal {
            self.move_to(to, reason, None);
        } else {
            self.object(Why::IllegalMove { from, to });
        }
        legal
    }

    pub(super) fn nudge(&mut self, action: Name, mode: Mode) {
        if mode == Mode::Live
            && let Some(name) = self.rules.tells.action_names.get(&action)
        {
            let tells = &self.rules.tells;
            say(&mut self.w.words, &tells.tracks, name, self.w.now);
        }
        self.course.nudges.push(Nudge {
            at: self.w.now,
            stage: self.w.stage,
            action,
            mode,
        });
    }

    /// The one place where a stage changes.
    pub(super) fn move_to(&mut self, to: Name, reason: Option<Name>, recycling: Option<Closed>) {
        let rules = Arc::clone(&self.rules);
        let from = self.w.stage;
        let now = self.w.now;
        let guards = self.guards();
        let earned = guards.earned;
        let works = rules.phase(to) == Some(Phase::Worked);
        let ends = self.w.episode.filter(|_| !works);
        self.w.stage = to;
        self.w.since = now;
        self.w.touched = now;
        self.w.by_deal = false;
        self.stop_clocks(&[Signal::Leaves(from), Signal::Enters(to)]);
        if let Some(episode) = ends {
            self.close(episode, from, to, reason, recycling);
        }
        let last_closed = self.w.line.map(|line| line.at);
        if works && self.w.episode.is_none() {
            self.open();
        }
        let reason = match (recycling, rules.recycling.beyond) {
            (Some(Closed::Exhausted), Beyond::Disqualify(exhausted)) => Some(exhausted),
            _ => reason,
        };
        self.tell(from, to, reason);
        self.course.steps.push(Step {
            from,
            to,
            at: now,
            skipped: rules.between(from, to),
            reason,
            trigger: self.trigger.clone(),
            guards,
            version: rules.version.clone(),
            episode: self.w.episode.map(|e| e.number),
        });
        if to == rules.landmarks.ready
            && let Some(episode) = self.w.episode
        {
            let handoff = Handoff {
                episode: episode.number,
                at: now,
                version: rules.version.clone(),
                definition: rules.ready.definition.clone(),
                trigger: self.trigger.clone(),
                score: self.w.score,
                earned,
                last_closed,
                attribution: self.w.attribution.clone(),
                engagements: self.w.recent.clone(),
            };
            self.tell_why(&handoff);
            self.course.handoffs.push(handoff);
        }
        self.start_clocks(&[Signal::Leaves(from), Signal::Enters(to)]);
    }

    /// Somebody, or their account, is taken out of all marketing, or that ends. Where they stand stays as it is.
    pub(super) fn suppress(&mut self, whose: Suppression, on: bool) {
        let was_out = !self.w.suppressions.is_empty();
        if on {
            self.w.suppressions.insert(whose);
        } else {
            self.w.suppressions.remove(&whose);
        }
        let is_out = !self.w.suppressions.is_empty();
        if was_out != is_out {
            let fields = &self.rules.tells.suppressions;
            let value = Value::Bool(is_out);
            say(&mut self.w.words, fields, &value, self.w.now);
        }
    }

    /// What the systems are told of a move, besides a closing's track and a handoff.
    fn tell(&mut self, from: Name, to: Name, reason: Option<Name>) {
        let rules = Arc::clone(&self.rules);
        let (tells, words, now) = (&rules.tells, &mut self.w.words, self.w.now);
        let works = |stage| rules.phase(stage) == Some(Phase::Worked);
        for (field, value) in tells.stages.get(&to).into_iter().flatten() {
            say(words, &[*field], value, now);
        }
        if works(to) && !works(from) {
            say(words, &tells.tracks, &Value::Blank, now);
        }
        let leaves = to == rules.landmarks.recycled || to == rules.landmarks.disqualified;
        if let Some(reason) = reason.filter(|_| leaves) {
            say(words, &tells.reasons, &Value::text(reason.as_str()), now);
        }
    }

    /// Why the person is ready. Whoever had it a while ago has it again, and finds nothing out about it any more that
    /// it found out then.
    fn tell_why(&mut self, handoff: &Handoff) {
        let rules = Arc::clone(&self.rules);
        let (tells, words, now) = (&rules.tells, &mut self.w.words, self.w.now);
        let text = Value::text(&package(handoff, rules.ready.threshold));
        say(words, &tells.handoffs, &text, now);
        let Some(closed) = handoff.last_closed else {
            return;
        };
        say(words, &tells.findings, &Value::Blank, now);
        let within = |span: i64| now.since(closed) <= span;
        if tells.back_to_owner_within.is_some_and(within) {
            fall_silent(words, &tells.owners);
        }
    }

    pub(super) fn tell_track(&mut self, track: Name) {
        let tells = &self.rules.tells;
        if let Some(name) = tells.track_names.get(&track) {
            say(&mut self.w.words, &tells.tracks, name, self.w.now);
        }
    }

    fn open(&mut self) {
        self.w.episode = Some(Episode {
            number: self.w.closed.saturating_add(1),
            opened: self.w.now,
            purpose: if self.w.customer {
                Purpose::Expansion
            } else {
                Purpose::Acquisition
            },
            delivered: None,
        });
        self.w.ready = None;
        self.w.willing = None;
        self.w.cooling = None;
        self.w.attribution.qualifying = self.w.attribution.last.clone();
    }

    fn close(
        &mut self,
        episode: Episode,
        from: Name,
        to: Name,
        reason: Option<Name>,
        recycling: Option<Closed>,
    ) {
        let rules = Arc::clone(&self.rules);
        let marks = rules.landmarks;
        let now = self.w.now;
        let kind = recycling.unwrap_or_else(|| match to {
            _ if to == marks.won => Closed::Won,
            _ if to == marks.lost => Closed::Lost,
            _ if to == marks.disqualified => Closed::Disqualified,
            _ => Closed::Left,
        });
        let because = reason.and_then(|r| rules.recycling.reasons.get(&r));
        let track = match (kind, rules.recycling.beyond) {
            (Closed::Recycled, _) => because.map(|r| r.track),
            (Closed::LongNurture, Beyond::LongNurture(track)) => Some(track),
            (Closed::Lost, _) => match reason.and_then(|r| rules.after_lost.get(&r)) {
                Some(AfterLost::Nurture(track)) => Some(*track),
                _ => None,
            },
            _ => None,
        };
        if kind == Closed::Recycled {
            self.w.recycles.push(now);
            self.w.cooling = because.map(|r| match r.cool_down {
                CoolDown::For(span) => now.plus(span),
                CoolDown::Forever => Millis::NEVER,
            });
        }
        let mut open_deals = Vec::new();
        for (id, deal) in &mut self.w.deals {
            if matches!(deal.standing, Standing::Open { .. }) && !deal.aside {
                deal.aside = true;
                open_deals.push(*id);
            }
        }
        if let Some(track) = track {
            self.tell_track(track);
        }
        self.cancel_clocks();
        self.w.episode = None;
        self.w.closed = self.w.closed.saturating_add(1);
        self.w.line = Some(Line {
            at: now,
            score: self.w.score,
        });
        self.w.engaged = None;
        self.w.accelerated.clear();
        self.course.closings.push(Closing {
            seat: Seat {
                episode: episode.number,
                from,
                reason,
            },
            kind,
            at: now,
            track,
            open_deals,
            attribution: self.w.attribution.clone(),
        });
    }
}
