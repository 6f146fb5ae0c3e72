//! The funnel's own lists of names, which its rules refer to.

use std::collections::BTreeMap;

use baton_core::{
    lifecycle::{fact::Actor, rules::Mode},
    name::Name,
};
use compact_str::CompactString;

use crate::{
    codes::Code,
    problem::{Problems, Span},
    tree::{Node, Table},
};

/// A list that names are looked for in.
#[derive(Clone, Copy)]
pub(super) enum List {
    /// Why somebody is recycled.
    Reason,
    /// Why somebody is disqualified.
    Out,
    Track,
    Action,
    Queue,
    Recipient,
    Activity,
    Calendar,
}

impl List {
    const fn code(self) -> Code {
        match self {
            Self::Reason | Self::Out => Code::UnknownReason,
            Self::Track => Code::UnknownTrack,
            Self::Action | Self::Queue | Self::Recipient => Code::UnknownRecipient,
            Self::Activity => Code::UnknownActivity,
            Self::Calendar => Code::UnknownCalendar,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Reason => "reason for a return",
            Self::Out => "reason for a disqualification",
            Self::Track => "nurture track",
            Self::Action => "action",
            Self::Queue => "queue",
            Self::Recipient => "recipient",
            Self::Activity => "activity",
            Self::Calendar => "calendar",
        }
    }
}

pub(super) struct Words<'a> {
    lifecycle: &'a Table,
}

impl<'a> Words<'a> {
    pub const fn new(lifecycle: &'a Table) -> Self {
        Self { lifecycle }
    }

    /// The name, or the one that was meant by it.
    pub fn find(
        &self,
        list: List,
        text: &str,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Name> {
        let (candidates, certain) = self.candidates(list);
        if candidates.contains(&text) || !certain {
            return Some(Name::new(text));
        }
        problems
            .unknown(list.code(), span, list.name(), text, candidates)
            .map(Name::new)
    }

    /// The names there are, and whether these are all.
    fn candidates(&self, list: List) -> (Vec<&'a str>, bool) {
        let lifecycle = self.lifecycle;
        match list {
            List::Reason => keys(lifecycle.table("recycling"), "reasons"),
            List::Out => {
                let out = lifecycle.table("disqualification");
                let reasons = out.map(|t| t.texts("reasons")).unwrap_or_default();
                let certain = !lifecycle
                    .get("disqualification")
                    .is_some_and(Node::holds_bad);
                (reasons.into_iter().map(|(text, _)| text).collect(), certain)
            }
            List::Track => keys(Some(lifecycle), "tracks"),
            List::Action => keys(Some(lifecycle), "actions"),
            List::Queue => keys(Some(lifecycle), "queues"),
            List::Recipient => keys(Some(lifecycle), "recipients"),
            List::Activity => keys(Some(lifecycle), "activities"),
            List::Calendar => keys(Some(lifecycle), "calendars"),
        }
    }
}

fn keys<'a>(table: Option<&'a Table>, key: &str) -> (Vec<&'a str>, bool) {
    let Some(table) = table else {
        return (Vec::new(), true);
    };
    let names = table.each(key).map(|(name, _)| name).collect();
    let unread = table.get(key).is_some_and(Node::is_bad) || table.is_unread();
    (names, !unread)
}

/// Names with what they are called elsewhere.
pub(super) fn texts(table: &Table, key: &str) -> BTreeMap<Name, CompactString> {
    table
        .each(key)
        .filter_map(|(name, entry)| Some((Name::new(name), entry.value.as_text()?.into())))
        .collect()
}

pub(super) fn actor(word: &str) -> Option<Actor> {
    match word {
        "buyer" => Some(Actor::Buyer),
        "sales" => Some(Actor::Sales),
        "marketer" => Some(Actor::Marketer),
        _ => None,
    }
}

pub(super) fn mode(table: &Table) -> Mode {
    match table.text("mode") {
        Some(("shadow", _)) => Mode::Shadow,
        _ => Mode::Live,
    }
}

/// The one of these keys that is there; what is wrong with none or several is reported.
pub(super) fn only<'k>(
    table: &Table,
    span: Span,
    keys: &[&'k str],
    problems: &mut Problems,
) -> Option<&'k str> {
    let there: Vec<&str> = keys.iter().copied().filter(|k| table.has(k)).collect();
    if let [one] = there.as_slice() {
        return Some(one);
    }
    let list = format!("`{}`", keys.join("`, `"));
    match there.get(1).and_then(|second| table.entry(second)) {
        Some(second) => {
            let message = format!("only one of {list} can be meant here");
            problems.report(Code::ExactlyOne, second.key, message);
        }
        None if table.is_unread() => {}
        None => {
            problems.report(
                Code::ExactlyOne,
                span,
                format!("none of {list} stands here"),
            );
        }
    }
    None
}
