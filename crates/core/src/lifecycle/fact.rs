//! What is known of a person, as the fold takes it.

use compact_str::CompactString;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    id::{Digest, EntityId, EventId, Position},
    name::Name,
    time::Millis,
    value::Value,
};

/// One fact of one person.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Fact {
    pub event: EventId,
    /// Event time, clamped at ingest; of a fact without one its arrival counts.
    pub time: Millis,
    /// Vendor sequence, or 0.
    pub seq: u64,
    /// Log position at first arrival.
    pub position: Position,
    /// Verdict: it came too late to undo what had been done before this instant, and takes its place in the order
    /// here. None for a fact that takes the place of its own time.
    pub effective: Option<Millis>,
    pub what: What,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum What {
    /// The person, or its account, was suppressed, or that was lifted. Lifting one leaves the other.
    Suppressed {
        whose: Suppression,
        on: bool,
    },
    /// The golden value, from then on, of a field that some condition reads.
    Field {
        field: Name,
        value: Value,
    },
    Act(Act),
    /// A system says in which stage the person is.
    Claim {
        system: Name,
        stage: Name,
        reason: Option<Name>,
    },
    /// A sales person recorded whether the buyer is ready, or willing, or both.
    Qualified {
        ready: Option<bool>,
        willing: Option<bool>,
        reason: Option<Name>,
    },
    Deal {
        deal: EntityId,
        standing: Standing,
    },
    /// Sales gives the person back by hand.
    Returned {
        reason: Option<Name>,
    },
    /// The CRM has the handoff.
    Delivered,
    Score(Decimal),
    /// Made by a merge or its undoing: so many episodes have ended under this person's name. Episodes from here on are
    /// numbered after them, so that no number is given twice.
    Counted {
        closed: u32,
    },
    /// A system says in a message of its own in which stage the person is.
    Said {
        system: Name,
        stage: Name,
    },
    /// Somebody else in a deal did something. (Stored by its place: it stays the last.)
    OfDeal {
        deal: EntityId,
        kind: Name,
        actor: Actor,
        /// That one was in the deal then.
        counts: bool,
    },
}

/// Something that somebody did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Act {
    pub kind: Name,
    pub actor: Actor,
    /// Under what the handoff package tells it.
    pub category: Name,
    /// The page, form or document it was about.
    pub content: Option<CompactString>,
    /// The campaign or source that it came by.
    pub campaign: Option<CompactString>,
}

impl Act {
    /// Takes away what people wrote, and what they looked at.
    pub fn redact(&mut self) {
        self.content = None;
        self.campaign = None;
    }
}

impl What {
    /// Whether it tells how something is, not that something happened.
    #[must_use]
    pub const fn is_level(&self) -> bool {
        matches!(self, Self::Suppressed { .. } | Self::Field { .. })
    }

    /// Takes away what people said, wrote and looked at.
    pub fn redact(&mut self) {
        match self {
            Self::Field { value, .. } => *value = Value::Blank,
            Self::Act(act) => act.redact(),
            Self::Deal { standing, .. } => standing.redact(),
            _ => {}
        }
    }
}

/// On whose account nothing is sent to a person.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Suppression {
    Person,
    /// That of an account's record, by the hash under which its people are indexed.
    Account(Digest),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Actor {
    Buyer,
    Sales,
    Marketer,
    Automation,
    Baton,
}

impl Actor {
    pub const ALL: [Self; 5] = [
        Self::Buyer,
        Self::Sales,
        Self::Marketer,
        Self::Automation,
        Self::Baton,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buyer => "buyer",
            Self::Sales => "sales",
            Self::Marketer => "marketer",
            Self::Automation => "automation",
            Self::Baton => "baton",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|actor| actor.as_str() == text)
    }

    /// A machine's acts never count as somebody's attention.
    #[must_use]
    pub const fn is_human(self) -> bool {
        matches!(self, Self::Buyer | Self::Sales | Self::Marketer)
    }
}

/// How a deal stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Standing {
    Open {
        /// The person's stage that the deal's stage stands for.
        stage: Name,
        /// The end of the day on which it is to close.
        closing: Option<Millis>,
        /// The campaign that is chosen for its people.
        starts: Option<CompactString>,
    },
    Won(Ending),
    Lost(Ending),
    /// Deleted, or no longer this person's.
    Gone,
}

/// What is told of a deal that ended.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Ending {
    /// Why, in the CRM's words.
    pub reason: Option<CompactString>,
    pub amount: Option<Decimal>,
    /// The campaign that the deal came from.
    pub campaign: Option<CompactString>,
}

impl Ending {
    /// The reason, if it is one that the rules know.
    #[must_use]
    pub fn known_reason(&self) -> Option<Name> {
        Name::known(self.reason.as_deref()?)
    }
}

impl Standing {
    /// Takes away what somebody wrote of it. A reason that rules know stays: where the person stands rests on it.
    pub fn redact(&mut self) {
        let (Self::Won(ending) | Self::Lost(ending)) = self else {
            return;
        };
        *ending = Ending {
            reason: ending.known_reason().map(|reason| reason.as_str().into()),
            ..Ending::default()
        };
    }

    /// Whether it was won, and what is told of it; none of a deal that has not ended.
    #[must_use]
    pub const fn ended(&self) -> Option<(bool, &Ending)> {
        match self {
            Self::Won(ending) => Some((true, ending)),
            Self::Lost(ending) => Some((false, ending)),
            Self::Open { .. } | Self::Gone => None,
        }
    }
}

/// Where a fact stands among a person's facts: instant; suppression and fields, acts, what sales and the CRM say,
/// score; then sequence, exact time, position, event id. Total, and the same in whichever order facts arrive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Place {
    pub instant: Millis,
    rank: u8,
    seq: u64,
    time: Millis,
    position: Position,
    event: EventId,
}

impl Fact {
    /// The instant at which it happened, whenever it takes effect.
    #[must_use]
    pub const fn happened(&self, quantum: i64) -> Millis {
        if self.time.is_timed() {
            self.time.floor(quantum)
        } else {
            self.position.arrival.floor(quantum)
        }
    }

    #[must_use]
    pub fn place(&self, quantum: i64) -> Place {
        Place {
            instant: self
                .effective
                .map_or_else(|| self.happened(quantum), |at| at.floor(quantum)),
            rank: match self.what {
                What::Suppressed { .. } => 0,
                What::Field { .. } => 1,
                What::Act(_) | What::OfDeal { .. } => 2,
                What::Claim { .. } | What::Said { .. } => 3,
                What::Deal { .. } => 4,
                What::Qualified { .. } => 5,
                What::Returned { .. } => 6,
                What::Delivered => 7,
                What::Score(_) => 8,
                What::Counted { .. } => 9,
            },
            seq: self.seq,
            time: self.time,
            position: self.position,
            event: self.event,
        }
    }
}
