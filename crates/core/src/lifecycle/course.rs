//! A person's course through the funnel: what the fold finds.

use std::collections::BTreeMap;

use compact_str::CompactString;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{alarm::Alarm, fact::Ending, rules::Mode};
use crate::{
    id::{Digest, EntityId, EventId},
    name::Name,
    time::Millis,
};

/// All that happened, in order of time.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Course {
    pub steps: Vec<Step>,
    pub closings: Vec<Closing>,
    pub handoffs: Vec<Handoff>,
    /// In the order in which they started, under their ids.
    pub clocks: Vec<Clock>,
    pub nudges: Vec<Nudge>,
    pub outcomes: Vec<Outcome>,
    pub objections: Vec<Objection>,
    /// The next instant at which time alone may move the person, or a fact of the future takes its place.
    pub next: Option<Millis>,
}

/// A move from one stage to another.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Step {
    pub from: Name,
    pub to: Name,
    pub at: Millis,
    /// Stages that a forward move passed over.
    pub skipped: Vec<Name>,
    /// Why, where it leads out of an episode or out of the funnel.
    pub reason: Option<Name>,
    pub trigger: Trigger,
    /// What the conditions saw.
    pub guards: Guards,
    /// The rules' version.
    pub version: CompactString,
    /// The episode that was open after it.
    pub episode: Option<u32>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub enum Trigger {
    Fact(EventId),
    Alarm(Alarm),
    /// New rules became active.
    Rules,
}

impl Trigger {
    /// Tells it from what else brings something about at its instant.
    #[must_use]
    pub fn id(&self) -> Digest {
        match self {
            Self::Fact(event) => *event,
            Self::Alarm(alarm) => {
                let (what, clock) = alarm.name();
                let clock = clock.map_or("", Name::as_str);
                Digest::of(&[b"alarm", what.as_bytes(), clock.as_bytes()])
            }
            Self::Rules => Digest::of(&[b"rules"]),
        }
    }
}

/// Values that the conditions of moves look at.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Guards {
    pub score: Decimal,
    /// Points that count since the last closing.
    pub earned: Decimal,
    pub fit: bool,
    pub consent: bool,
    pub suppressed: bool,
    pub cooling_until: Option<Millis>,
    /// The last engagement since the last closing.
    pub engaged: Option<Millis>,
    /// The accelerating act since the last closing.
    pub accelerated: Option<EventId>,
    pub ready: Option<bool>,
    pub willing: Option<bool>,
    /// Until when an open deal protected the person.
    pub protected_until: Option<Millis>,
    /// Recycles that counted towards the limit.
    pub recycles: usize,
}

/// The end of an episode.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Closing {
    pub seat: Seat,
    pub kind: Closed,
    pub at: Millis,
    /// Nurture track, where it leads to one.
    pub track: Option<Name>,
    /// Deals that were open: their owners are asked to close or keep them.
    pub open_deals: Vec<EntityId>,
    pub attribution: Attribution,
}

/// The campaigns or sources that an episode owes itself to.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Attribution {
    /// The first of the person at all.
    pub first: Option<CompactString>,
    /// The last before the episode began.
    pub qualifying: Option<CompactString>,
    /// The last so far.
    pub last: Option<CompactString>,
}

/// How a deal ended, for whoever brought it about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Outcome {
    pub at: Millis,
    pub deal: EntityId,
    pub won: bool,
    /// As it was told first.
    pub ending: Ending,
    pub attribution: Attribution,
}

/// What tells one closing of a person from another: all of L9's key but person and attempt.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Seat {
    pub episode: u32,
    pub from: Name,
    pub reason: Option<Name>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Closed {
    Recycled,
    /// One recycle too many: disqualified instead.
    Exhausted,
    /// One recycle too many: nurtured for long instead.
    LongNurture,
    Disqualified,
    Won,
    Lost,
    /// Moved below the line, or out of the funnel, by a system's word.
    Left,
}

impl Closed {
    /// Carried out by Baton itself, once, with a grace time.
    #[must_use]
    pub const fn is_recycling(self) -> bool {
        matches!(self, Self::Recycled | Self::Exhausted | Self::LongNurture)
    }
}

/// Why an episode began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Purpose {
    Acquisition,
    /// A new deal of a customer.
    Expansion,
}

/// What sales is told when it gets a person; immutable once delivered.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Handoff {
    pub episode: u32,
    pub at: Millis,
    /// The rules' version.
    pub version: CompactString,
    /// The two teams' name of the sales-ready definition.
    pub definition: CompactString,
    pub trigger: Trigger,
    pub score: Decimal,
    /// What of it counts: points of before the last closing may not.
    pub earned: Decimal,
    /// When the last episode ended: whoever had the person then gets it back, if that is not long ago.
    pub last_closed: Option<Millis>,
    pub attribution: Attribution,
    /// The last engagements of each category, oldest first.
    pub engagements: BTreeMap<Name, Vec<Engagement>>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Engagement {
    pub at: Millis,
    pub kind: Name,
    pub content: Option<CompactString>,
    pub event: EventId,
}

/// A clock from its start.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Clock {
    /// Made of person, name and start.
    pub id: Digest,
    pub name: Name,
    pub episode: Option<u32>,
    pub started: Millis,
    pub calendar: Name,
    pub mode: Mode,
    /// When its target is used up; none while it stands still before that.
    pub due: Option<Millis>,
    /// Acts that counted so far.
    pub touches: u32,
    pub reminded: Vec<(u8, Millis)>,
    pub escalated: Vec<(Name, Millis)>,
    pub breached: Option<Millis>,
    pub end: Option<(Millis, End)>,
}

impl Clock {
    /// When it was breached, unless it turned out to have been met.
    #[must_use]
    pub const fn missed(&self) -> Option<Millis> {
        match self.end {
            Some((_, End::MetReportedLate)) => None,
            _ => self.breached,
        }
    }

    /// When it was met, in time.
    #[must_use]
    pub const fn kept(&self) -> Option<Millis> {
        match self.end {
            Some((at, End::Met | End::MetReportedLate)) => Some(at),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum End {
    Met,
    /// By something that had happened in time, and was heard of when the breach could not be undone.
    MetReportedLate,
    /// After the breach.
    Late,
    /// The episode ended first.
    Stopped,
}

/// A last try before a recycle.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Nudge {
    pub at: Millis,
    pub stage: Name,
    pub action: Name,
    pub mode: Mode,
}

/// A fact or an alarm that moved nobody, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Objection {
    pub at: Millis,
    pub trigger: Trigger,
    pub why: Why,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub enum Why {
    /// Not forward, and along no declared edge.
    IllegalMove {
        from: Name,
        to: Name,
    },
    UnknownStage(Name),
    /// That system has no say in that stage.
    NotTheirs {
        system: Name,
        stage: Name,
    },
    /// Readiness and willingness are recorded of people in review only.
    NotInReview {
        stage: Name,
    },
    /// Only people whom sales works on can be given back.
    NotWorked {
        stage: Name,
    },
    /// An open deal is about to close.
    Protected {
        until: Millis,
    },
    /// Decided in shadow: this would have been done.
    Shadow {
        from: Name,
        reason: Name,
    },
}
