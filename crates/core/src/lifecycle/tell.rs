//! What is told of a deed on `baton.lifecycle`.

use std::borrow::Cow;

use super::{
    alarm::Alarm,
    course::{
        Attribution, Clock, Closed, Closing, Engagement, Guards, Handoff, Objection, Step, Trigger,
        Why,
    },
    fact::{Fact, Suppression, What},
    funnel::{Because, Body, Deed, Funnel, Thing},
    rules::{Consequence, Mode},
    setup::Setup,
};
use crate::{
    id::{Digest, EntityId, EventId},
    name::Name,
    time::Millis,
    wire::{self, Lifecycle, LifecycleMessage, SchemaVersion},
};

impl LifecycleMessage {
    /// What is told of a deed. The person's funnel, settled with it, says which fact brought it about; without it that is
    /// left out.
    #[must_use]
    pub fn of(person: EntityId, deed: &Deed, funnel: Option<&Funnel>, setup: &Setup) -> Self {
        let version = match &deed.body {
            Body::Moved(step) => &step.version,
            Body::HandedOver(handoff) => &handoff.version,
            _ => &setup.rules.version,
        };
        let mode = match &deed.body {
            Body::Reminded { clock, .. }
            | Body::Breached(clock)
            | Body::Kept(clock)
            | Body::Escalated { clock, .. } => clock.mode,
            Body::Nudged(nudge) => nudge.mode,
            Body::WithoutEffect(objection) => match objection.why {
                Why::Shadow { .. } => Mode::Shadow,
                _ => Mode::Live,
            },
            _ => Mode::Live,
        };
        Self {
            schema_version: SchemaVersion::CURRENT,
            id: deed.id,
            entity: person,
            told: Teller {
                person,
                deed,
                funnel,
                setup,
            }
            .told(),
            due: deed.due,
            at: deed.at,
            lateness_ms: deed.lateness(),
            rule_version: version.clone(),
            shadow: mode == Mode::Shadow,
        }
    }
}

struct Teller<'t> {
    person: EntityId,
    deed: &'t Deed,
    funnel: Option<&'t Funnel>,
    setup: &'t Setup,
}

impl Teller<'_> {
    fn told(&self) -> Lifecycle {
        let rules = &self.setup.rules;
        match &self.deed.body {
            Body::Moved(step) => self.transition(step),
            Body::Recycled { closing, attempt } => self.recycle(closing, *attempt),
            Body::HandedOver(handoff) => self.handoff(handoff),
            Body::Reminded { clock, share } => Lifecycle::Reminder {
                clock: view(clock),
                share: *share,
            },
            Body::Breached(clock) => Lifecycle::Breach {
                clock: view(clock),
                consequence: match rules.clocks.get(&clock.name).map(|rule| rule.consequence) {
                    Some(Consequence::Reassign(queue)) => wire::Consequence::Reassign(queue),
                    Some(Consequence::Recycle(reason)) => wire::Consequence::Recycle(reason),
                    Some(Consequence::Alert) | None => wire::Consequence::Alert,
                },
            },
            Body::Kept(clock) => Lifecycle::Kept {
                clock: view(clock),
                reported_late: clock.breached.is_some(),
            },
            Body::WithoutEffect(objection) => {
                Lifecycle::WithoutEffect(self.without_effect(objection))
            }
            Body::Escalated { clock, to } => Lifecycle::Escalation {
                clock: view(clock),
                to: *to,
                recipient: self.setup.recipients.get(to).cloned(),
            },
            Body::Nudged(nudge) => Lifecycle::Reengage {
                stage: nudge.stage,
                action: nudge.action,
                campaign: self.setup.actions.get(&nudge.action).cloned(),
            },
            Body::Ended(outcome) => Lifecycle::Outcome {
                deal: outcome.deal,
                won: outcome.won,
                reason: outcome.ending.reason.clone(),
                amount: outcome.ending.amount,
                campaign: outcome.ending.campaign.clone(),
                attribution: campaigns(&outcome.attribution),
            },
            Body::Undone {
                what,
                undoes,
                made,
                because,
            } => Lifecycle::Undone {
                what: undoing(what),
                undoes: Some(*undoes),
                made: *made,
                because: match because {
                    Because::Withdrawn => wire::Because::Withdrawn,
                    Because::MetReportedLate => wire::Because::MetReportedLate,
                },
            },
        }
    }

    fn transition(&self, step: &Step) -> Lifecycle {
        Lifecycle::Transition {
            from: step.from,
            to: step.to,
            since: self.since(step),
            skipped: step.skipped.clone(),
            reason: step.reason,
            episode: step.episode,
            trigger: self.trigger(&step.trigger),
            guards: guards(&step.guards),
        }
    }

    /// When the person came to where the step leads from: with the move before it, else with what is sealed, else with
    /// the first that is known of the person.
    fn since(&self, step: &Step) -> Option<Millis> {
        let funnel = self.funnel?;
        let standing = funnel.done.values().filter(|done| done.stands);
        let moves = standing.filter_map(|done| match &done.what {
            Thing::Move { to, at, .. } if *to == step.from && *at <= step.at => Some(*at),
            _ => None,
        });
        let quantum = self.setup.editions.quantum;
        moves.max().or_else(|| {
            if funnel.sealed.known {
                return Some(funnel.sealed.since);
            }
            let facts = funnel.facts.values();
            facts.map(|fact| fact.place(quantum).instant).min()
        })
    }

    fn recycle(&self, closing: &Closing, attempt: u32) -> Lifecycle {
        Lifecycle::Recycle(wire::Recycle {
            how: ending(closing.kind),
            episode: closing.seat.episode,
            from: closing.seat.from,
            reason: closing.seat.reason,
            attempt,
            original: self.person,
            track: closing.track,
            track_name: closing
                .track
                .and_then(|track| self.setup.tracks.get(&track).cloned()),
            open_deals: closing.open_deals.clone(),
            attribution: campaigns(&closing.attribution),
        })
    }

    fn handoff(&self, handoff: &Handoff) -> Lifecycle {
        let engagements = handoff.engagements.iter();
        Lifecycle::Handoff(Box::new(wire::Handoff {
            episode: handoff.episode,
            definition: handoff.definition.clone(),
            trigger: self.trigger(&handoff.trigger),
            score: handoff.score,
            earned: Some(handoff.earned),
            last_closed: handoff.last_closed,
            attribution: campaigns(&handoff.attribution),
            engagements: engagements
                .map(|(category, acts)| (*category, acts.iter().map(engagement).collect()))
                .collect(),
        }))
    }

    fn without_effect(&self, objection: &Objection) -> wire::WithoutEffect {
        let told = |why| wire::WithoutEffect {
            why,
            from: None,
            to: None,
            system: None,
            reason: None,
            until: None,
            trigger: self.trigger(&objection.trigger),
        };
        match objection.why {
            Why::IllegalMove { from, to } => wire::WithoutEffect {
                from: Some(from),
                to: Some(to),
                ..told(wire::WhyNot::IllegalMove)
            },
            Why::UnknownStage(to) => wire::WithoutEffect {
                to: Some(to),
                ..told(wire::WhyNot::UnknownStage)
            },
            Why::NotTheirs { system, stage } => wire::WithoutEffect {
                to: Some(stage),
                system: Some(system),
                ..told(wire::WhyNot::NotTheirs)
            },
            Why::NotInReview { stage } => wire::WithoutEffect {
                from: Some(stage),
                ..told(wire::WhyNot::NotInReview)
            },
            Why::NotWorked { stage } => wire::WithoutEffect {
                from: Some(stage),
                ..told(wire::WhyNot::NotWorked)
            },
            Why::Protected { until } => wire::WithoutEffect {
                until: Some(until),
                ..told(wire::WhyNot::Protected)
            },
            Why::Shadow { from, reason } => wire::WithoutEffect {
                from: Some(from),
                reason: Some(reason),
                ..told(wire::WhyNot::Shadow)
            },
        }
    }

    fn trigger(&self, trigger: &Trigger) -> wire::Trigger {
        match trigger {
            Trigger::Fact(event) => {
                let known = self.funnel.and_then(|funnel| funnel.facts.get(event));
                known.map_or_else(|| unknown(*event), told_of)
            }
            Trigger::Alarm(alarm) => time(alarm),
            Trigger::Rules => wire::Trigger::Rules,
        }
    }
}

const fn ending(closed: Closed) -> wire::Ending {
    match closed {
        Closed::Exhausted => wire::Ending::Exhausted,
        Closed::LongNurture => wire::Ending::LongNurture,
        // No other closing is a deed of its own.
        _ => wire::Ending::Recycled,
    }
}

fn undoing(what: &Thing) -> wire::Undoing {
    match what {
        Thing::Move { from, to, .. } => wire::Undoing {
            from: Some(*from),
            to: Some(*to),
            ..wire::Undoing::of("transition")
        },
        Thing::Recycle(_, seat) => wire::Undoing {
            from: Some(seat.from),
            reason: seat.reason,
            episode: Some(seat.episode),
            ..wire::Undoing::of("recycle")
        },
        Thing::Handoff { episode } => wire::Undoing {
            episode: Some(*episode),
            ..wire::Undoing::of("handoff")
        },
        Thing::Breach { clock } => of_clock("breach", *clock),
        Thing::Kept { clock } => of_clock("kept", *clock),
        Thing::WithoutEffect { .. } => wire::Undoing::of("without_effect"),
        Thing::Reminder { clock, .. } => of_clock("reminder", *clock),
        Thing::Escalation { clock, .. } => of_clock("escalation", *clock),
        Thing::Nudge { stage, .. } => wire::Undoing {
            from: Some(*stage),
            ..wire::Undoing::of("reengage")
        },
        Thing::Outcome { deal, .. } => wire::Undoing {
            deal: Some(*deal),
            ..wire::Undoing::of("outcome")
        },
    }
}

fn of_clock(kind: &'static str, clock: Digest) -> wire::Undoing {
    wire::Undoing {
        clock: Some(clock),
        ..wire::Undoing::of(kind)
    }
}

const fn unknown(event_id: EventId) -> wire::Trigger {
    wire::Trigger::Fact {
        event_id,
        what: None,
        name: None,
        whose: None,
    }
}

fn told_of(fact: &Fact) -> wire::Trigger {
    let (what, name, whose) = match &fact.what {
        What::Suppressed { whose, .. } => {
            let whose = match whose {
                Suppression::Person => "person",
                Suppression::Account(_) => "account",
            };
            ("suppression", None, Some(Name::new(whose)))
        }
        What::Field { field, .. } => ("field", Some(*field), None),
        What::Act(act) => (
            "activity",
            Some(act.kind),
            Some(Name::new(act.actor.as_str())),
        ),
        What::OfDeal { kind, actor, .. } => {
            ("activity", Some(*kind), Some(Name::new(actor.as_str())))
        }
        What::Claim { system, stage, .. } | What::Said { system, stage } => {
            ("stage", Some(*stage), Some(*system))
        }
        What::Qualified { .. } => ("review", None, None),
        What::Deal { .. } => ("deal", None, None),
        What::Returned { .. } => ("returned", None, None),
        What::Delivered => ("delivered", None, None),
        What::Score(_) => ("score", None, None),
        What::Counted { .. } => ("merge", None, None),
    };
    wire::Trigger::Fact {
        event_id: fact.event,
        what: Some(Cow::Borrowed(what)),
        name,
        whose,
    }
}

fn time(alarm: &Alarm) -> wire::Trigger {
    let (what, clock) = alarm.name();
    wire::Trigger::Time {
        what: Cow::Borrowed(what),
        clock,
    }
}

fn guards(guards: &Guards) -> wire::Guards {
    wire::Guards {
        score: guards.score,
        earned: guards.earned,
        fit: guards.fit,
        consent: guards.consent,
        suppressed: guards.suppressed,
        cooling_until: guards.cooling_until,
        engaged: guards.engaged,
        accelerated: guards.accelerated,
        ready: guards.ready,
        willing: guards.willing,
        protected_until: guards.protected_until,
        recycles: guards.recycles,
    }
}

fn campaigns(attribution: &Attribution) -> wire::Attribution {
    wire::Attribution {
        first: attribution.first.clone(),
        qualifying: attribution.qualifying.clone(),
        last: attribution.last.clone(),
    }
}

fn engagement(act: &Engagement) -> wire::Engagement {
    wire::Engagement {
        at: act.at,
        activity: act.kind,
        content: act.content.clone(),
        event_id: act.event,
    }
}

fn view(clock: &Clock) -> wire::ClockView {
    wire::ClockView {
        id: clock.id,
        name: clock.name,
        episode: clock.episode,
        started: clock.started,
        due: clock.due,
        calendar: clock.calendar,
        touches: clock.touches,
    }
}
