//! `baton.lifecycle`: what was done in the funnel.

use std::{borrow::Cow, collections::BTreeMap};

use compact_str::CompactString;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SchemaVersion, some_text, text};
use crate::{
    id::{Digest, EntityId, EventId},
    name::Name,
    time::Millis,
};

/// One thing that was done to a person, or said of it, in the funnel. It holds names of stages, clocks, campaigns and
/// content, points, and how deals ended; no value of a person's fields.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LifecycleMessage {
    #[serde(default)]
    pub schema_version: SchemaVersion,
    /// The same however often it is told of.
    #[serde(with = "text")]
    #[schemars(with = "String")]
    pub id: Digest,
    #[serde(with = "text")]
    #[schemars(with = "String")]
    pub entity: EntityId,
    #[serde(flatten)]
    pub told: Lifecycle,
    /// When it fell due, in the time of events.
    #[serde(with = "text")]
    #[schemars(with = "String")]
    pub due: Millis,
    /// When it was carried out, on the log's clock.
    #[serde(with = "text")]
    #[schemars(with = "String")]
    pub at: Millis,
    /// Milliseconds from the one to the other.
    pub lateness_ms: i64,
    #[schemars(with = "String")]
    pub rule_version: CompactString,
    /// The rule only watches: this would have been done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
}

/// What was done.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Lifecycle {
    /// The person went from one stage to another.
    Transition {
        from: Name,
        to: Name,
        /// Since when the person was where it came from.
        #[serde(default, with = "some_text", skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        since: Option<Millis>,
        /// Stages that a move forward passed over.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        skipped: Vec<Name>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Name>,
        /// The episode that was open after it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        episode: Option<u32>,
        trigger: Trigger,
        guards: Guards,
    },
    /// The person came back to nurture, or left the funnel because it had come back too often.
    Recycle(Recycle),
    /// Sales gets the person, with what made it ready.
    Handoff(Box<Handoff>),
    /// A share of a clock's target is used up.
    Reminder {
        clock: ClockView,
        /// Per cent.
        share: u8,
    },
    /// A clock's target is used up.
    Breach {
        clock: ClockView,
        consequence: Consequence,
    },
    /// A clock was stopped before its target was used up.
    Kept {
        clock: ClockView,
        /// It had passed for broken: what was done in time was heard of late.
        reported_late: bool,
    },
    /// Somebody further up is told of a breach.
    Escalation {
        clock: ClockView,
        to: Name,
        /// Who that is, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        recipient: Option<CompactString>,
    },
    /// The last try before a recycle.
    Reengage {
        stage: Name,
        action: Name,
        /// The campaign, as the marketing system calls it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        campaign: Option<CompactString>,
    },
    /// A deal of the person ended.
    Outcome {
        #[serde(with = "text")]
        #[schemars(with = "String")]
        deal: EntityId,
        won: bool,
        /// Why, in the CRM's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        reason: Option<CompactString>,
        /// As it stood when this was told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        amount: Option<Decimal>,
        /// The campaign that the deal came from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        campaign: Option<CompactString>,
        attribution: Attribution,
    },
    /// What a system said, or what time did, moved nobody.
    WithoutEffect(WithoutEffect),
    /// Something that had been done was taken back.
    Undone {
        what: Undoing,
        /// The message that told of it.
        #[serde(default, with = "some_text", skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        undoes: Option<Digest>,
        /// When it had been carried out.
        #[serde(with = "text")]
        #[schemars(with = "String")]
        made: Millis,
        because: Because,
    },
}

impl Lifecycle {
    /// The member `kind`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Transition { .. } => "transition",
            Self::Recycle(_) => "recycle",
            Self::Handoff(_) => "handoff",
            Self::Reminder { .. } => "reminder",
            Self::Breach { .. } => "breach",
            Self::Kept { .. } => "kept",
            Self::WithoutEffect(_) => "without_effect",
            Self::Escalation { .. } => "escalation",
            Self::Reengage { .. } => "reengage",
            Self::Outcome { .. } => "outcome",
            Self::Undone { .. } => "undone",
        }
    }

    /// The event that brought it about, where it is told.
    #[must_use]
    pub const fn event(&self) -> Option<EventId> {
        match self {
            Self::Transition {
                trigger: Trigger::Fact { event_id, .. },
                ..
            } => Some(*event_id),
            _ => None,
        }
    }
}

/// What moved nobody, and why.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WithoutEffect {
    pub why: WhyNot,
    /// Where the person stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Name>,
    /// Where it should have gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Name>,
    /// The system that said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<Name>,
    /// Of the return that would have been made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Name>,
    /// Until when an open deal protects the person.
    #[serde(default, with = "some_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Millis>,
    pub trigger: Trigger,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhyNot {
    /// Neither forward nor along a declared way back.
    IllegalMove,
    UnknownStage,
    /// That system has no say in that stage.
    NotTheirs,
    /// What sales finds out is recorded of people in review only.
    NotInReview,
    /// Only people whom sales works on can be given back.
    NotWorked,
    /// An open deal is about to close.
    Protected,
    /// The rule only watches: this would have been done.
    Shadow,
}

/// A committed return to nurture.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Recycle {
    pub how: Ending,
    pub episode: u32,
    pub from: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Name>,
    /// How often the same was taken back before.
    pub attempt: u32,
    /// Under whose name the episode is counted: somebody else after a merge.
    #[serde(with = "text")]
    #[schemars(with = "String")]
    pub original: EntityId,
    /// Nurture track.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<Name>,
    /// The track, as the marketing system calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub track_name: Option<CompactString>,
    /// Deals that are open: their owners are asked to close or keep them.
    #[serde(default, with = "many_text", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub open_deals: Vec<EntityId>,
    pub attribution: Attribution,
}

/// What became of somebody who was to come back to nurture.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    Recycled,
    /// Once too often: disqualified.
    Exhausted,
    /// Once too often: nurtured for long.
    LongNurture,
}

impl Ending {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recycled => "recycled",
            Self::Exhausted => "exhausted",
            Self::LongNurture => "long_nurture",
        }
    }
}

/// What sales is told when it gets a person.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Handoff {
    pub episode: u32,
    /// The two teams' name of the sales-ready definition.
    #[schemars(with = "String")]
    pub definition: CompactString,
    /// What crossed the line.
    pub trigger: Trigger,
    #[schemars(with = "String")]
    pub score: Decimal,
    /// What of it counts: points of before the last return may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub earned: Option<Decimal>,
    /// When the last episode ended.
    #[serde(default, with = "some_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub last_closed: Option<Millis>,
    pub attribution: Attribution,
    /// The last engagements of each category, oldest first.
    pub engagements: BTreeMap<Name, Vec<Engagement>>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Engagement {
    #[serde(with = "text")]
    #[schemars(with = "String")]
    pub at: Millis,
    pub activity: Name,
    /// The page, form or document it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub content: Option<CompactString>,
    #[serde(with = "text")]
    #[schemars(with = "String")]
    pub event_id: EventId,
}

/// What brought it about.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Trigger {
    /// Something that is known of the person.
    Fact {
        #[serde(with = "text")]
        #[schemars(with = "String")]
        event_id: EventId,
        /// `score`, `activity`, `stage`, `review`, `deal`, `returned`, `delivered`, `suppression`, `field` or `merge`;
        /// none where it is only known by its event any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        what: Option<Cow<'static, str>>,
        /// The activity, the claimed stage or the field.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Name>,
        /// Whose doing an activity was, or which system claims the stage.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        whose: Option<Name>,
    },
    /// Time alone.
    Time {
        /// `stall`, `age`, `breach`, `cool_down`, `condition`, `reminder`, `escalation` or `reengage`.
        what: Cow<'static, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clock: Option<Name>,
    },
    /// New rules became active.
    Rules,
}

/// What the conditions of a move saw.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Guards {
    #[schemars(with = "String")]
    pub score: Decimal,
    /// Points that count since the last closing.
    #[schemars(with = "String")]
    pub earned: Decimal,
    pub fit: bool,
    pub consent: bool,
    pub suppressed: bool,
    #[serde(default, with = "some_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub cooling_until: Option<Millis>,
    /// The last engagement since the last closing.
    #[serde(default, with = "some_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub engaged: Option<Millis>,
    /// The accelerating act since the last closing.
    #[serde(default, with = "some_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub accelerated: Option<EventId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub willing: Option<bool>,
    /// Until when an open deal protected the person.
    #[serde(default, with = "some_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub protected_until: Option<Millis>,
    /// Recycles that counted towards the limit.
    pub recycles: usize,
}

/// Campaigns or sources.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Attribution {
    /// The first of the person at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub first: Option<CompactString>,
    /// The last before the episode began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub qualifying: Option<CompactString>,
    /// The last so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub last: Option<CompactString>,
}

/// An obligation, as it stood.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ClockView {
    #[serde(with = "text")]
    #[schemars(with = "String")]
    pub id: Digest,
    pub name: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode: Option<u32>,
    #[serde(with = "text")]
    #[schemars(with = "String")]
    pub started: Millis,
    /// When its target is used up.
    #[serde(default, with = "some_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub due: Option<Millis>,
    pub calendar: Name,
    /// Acts that counted so far.
    pub touches: u32,
}

/// What follows a breach, besides its being told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Consequence {
    Alert,
    /// To this queue.
    Reassign(Name),
    /// For this reason.
    Recycle(Name),
}

/// What was taken back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Undoing {
    /// As the member `kind` of the message that told of it.
    pub kind: Cow<'static, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode: Option<u32>,
    #[serde(default, with = "some_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub clock: Option<Digest>,
    #[serde(default, with = "some_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub deal: Option<EntityId>,
}

impl Undoing {
    #[must_use]
    pub const fn of(kind: &'static str) -> Self {
        Self {
            kind: Cow::Borrowed(kind),
            from: None,
            to: None,
            reason: None,
            episode: None,
            clock: None,
            deal: None,
        }
    }
}

/// Why something is taken back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// What was heard of late shows that it should not have been.
    Withdrawn,
    /// What was heard of late shows that the clock was met.
    MetReportedLate,
}

/// A list of ids as text.
mod many_text {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::id::EntityId;

    pub fn serialize<S: Serializer>(ids: &[EntityId], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(ids.iter().map(ToString::to_string))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<EntityId>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let ids = texts.iter().map(|text| text.parse());
        ids.collect::<Result<_, &'static str>>()
            .map_err(serde::de::Error::custom)
    }
}
