//! What the funnel says of a person in fields that the systems' mappings carry: its stage where a system wants to hear
//! of it, the reason, the nurture track, the queue, the handoff.
//!
//! A word stands from the moment at which the funnel says it, until it says another, or somebody says something else
//! later (see [`crate::judge`]). It is part of the fold, so a late fact that takes a move back takes its words back too.

use std::{collections::BTreeMap, fmt::Write as _};

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::{
    course::{Engagement, Handoff, Trigger},
    fact::Ending,
};
use crate::{id::EventId, name::Name, state::Sorted, time::Millis, value::Value};

/// What the funnel said last in one field.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Word {
    /// A blank is a word as well: nothing is to stand there.
    pub value: Value,
    pub since: Millis,
}

/// By person field.
pub type Words = Sorted<Name, Word>;

/// Which words the rules' moves have. All fields are a person's.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Tells {
    /// Of whoever enters a stage.
    pub stages: BTreeMap<Name, Vec<(Name, Value)>>,
    /// Fields in which the reason of a return, or of leaving the funnel, is told.
    pub reasons: Vec<Name>,
    /// Fields in which the nurture track is told; blank while sales works on the person.
    pub tracks: Vec<Name>,
    /// Nurture tracks, as those fields call them.
    pub track_names: BTreeMap<Name, Value>,
    /// What wakes people up, as those fields call it.
    pub action_names: BTreeMap<Name, Value>,
    /// Fields in which the owner, or the queue, is told.
    pub owners: Vec<Name>,
    /// Owner queues, as those fields call them.
    pub queues: BTreeMap<Name, Value>,
    /// Whoever had a person within so many milliseconds before a new episode gets it back.
    pub back_to_owner_within: Option<i64>,
    /// Fields in which it is told why somebody is ready.
    pub handoffs: Vec<Name>,
    /// Fields in which sales records what it finds out: emptied for each new episode but the first.
    pub findings: Vec<Name>,
    /// Fields in which it is told that nothing may be sent to somebody.
    pub suppressions: Vec<Name>,
    pub deals: EndingFields,
    pub campaigns: Campaigns,
}

/// Campaigns that a salesperson starts for somebody.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Campaigns {
    /// Person fields in which one is chosen.
    pub chosen_in: Vec<Name>,
    /// Fields in which it is told, while the person may be nurtured; else they are blank.
    pub told_in: Vec<Name>,
    /// What is chosen, and as what it is told. What does not stand here starts nothing.
    pub names: BTreeMap<Value, Value>,
}

/// Fields in which the end of the person's last deal is told.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct EndingFields {
    /// `won` or `lost`.
    pub outcome: Vec<Name>,
    pub reason: Vec<Name>,
    pub amount: Vec<Name>,
    pub campaign: Vec<Name>,
}

/// What is told in them; all blank where no deal has ended.
#[derive(Default)]
pub(super) struct EndingValues {
    pub outcome: Value,
    pub reason: Value,
    pub amount: Value,
    pub campaign: Value,
}

impl EndingValues {
    pub fn of(won: bool, ending: &Ending) -> Self {
        let text = |text: &Option<CompactString>| text.as_deref().map_or(Value::Blank, Value::text);
        Self {
            outcome: Value::text(if won { WON } else { LOST }),
            reason: text(&ending.reason),
            amount: ending.amount.map_or(Value::Blank, Value::Number),
            campaign: text(&ending.campaign),
        }
    }
}

/// How a deal's outcome is told.
pub const WON: &str = "won";
pub const LOST: &str = "lost";

/// Says something in some fields, from `at` on.
pub(super) fn say(words: &mut Words, fields: &[Name], value: &Value, at: Millis) {
    for field in fields {
        let value = value.clone();
        words.insert(*field, Word { value, since: at });
    }
}

/// Takes back what was said in some fields: what others said there stands again.
pub(super) fn fall_silent(words: &mut Words, fields: &[Name]) {
    for field in fields {
        words.remove(field);
    }
}

/// The handoff as sales reads it: what made the person ready, the points, and the last engagements by category.
#[must_use]
pub fn package(handoff: &Handoff, threshold: rust_decimal::Decimal) -> String {
    let mut text = String::new();
    let line_crossed = match &handoff.trigger {
        Trigger::Fact(event) => act_of(handoff, *event),
        Trigger::Alarm(_) => Some("the end of a cool-down".to_owned()),
        Trigger::Rules => Some("new rules".to_owned()),
    };
    let _ = write!(
        text,
        "Ready for sales since {} (definition {}, episode {}): {} points",
        handoff.at, handoff.definition, handoff.episode, handoff.score
    );
    if handoff.earned != handoff.score {
        let _ = write!(text, ", of which {} count,", handoff.earned);
    }
    let _ = write!(text, " of {threshold}");
    if let Some(by) = line_crossed {
        let _ = write!(text, ", by {by}");
    }
    for (category, engagements) in &handoff.engagements {
        let _ = write!(text, "\n{category}:");
        for (nth, engagement) in engagements.iter().rev().enumerate() {
            let comma = if nth == 0 { "" } else { ";" };
            let _ = write!(text, "{comma} {}", told(engagement));
        }
    }
    let came_by = &handoff.attribution;
    if let Some(first) = &came_by.first {
        let _ = write!(text, "\nfirst came by: {first}");
    }
    if let Some(last) = &came_by.last {
        let _ = write!(text, "\nlast came by: {last}");
    }
    text
}

fn act_of(handoff: &Handoff, event: EventId) -> Option<String> {
    let mut all = handoff.engagements.values().flatten();
    let found = all.find(|engagement| engagement.event == event)?;
    Some(told(found))
}

fn told(engagement: &Engagement) -> String {
    let what = engagement.kind.as_str().replace('_', " ");
    match &engagement.content {
        Some(content) => format!("{what} \"{content}\" ({})", engagement.at),
        None => format!("{what} ({})", engagement.at),
    }
}
