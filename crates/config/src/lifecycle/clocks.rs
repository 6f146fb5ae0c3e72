//! Obligations: what starts a clock, what ends it, and what follows if nothing does.

use std::collections::BTreeMap;

use baton_core::{
    lifecycle::rules::{ClockRule, Consequence, Signal},
    name::Name,
};

use super::{
    Reader, words,
    words::{List, only},
};
use crate::{
    codes::Code,
    condition,
    problem::Problems,
    quantity,
    tree::{Entry, Kind, Node, Table},
};

impl Reader<'_> {
    pub(super) fn clocks(&self, problems: &mut Problems) -> BTreeMap<Name, ClockRule> {
        self.table
            .each("clocks")
            .filter_map(|(name, entry)| {
                let rule = self.clock(name, entry, problems)?;
                Some((Name::new(name), rule))
            })
            .collect()
    }

    fn clock(&self, name: &str, entry: &Entry, problems: &mut Problems) -> Option<ClockRule> {
        let table = entry.value.as_table()?;
        let start = self.signals(table, "start", problems);
        let stop = self.signals(table, "stop", problems);
        if !table.has("stop") && !table.is_unread() {
            problems.report(
                Code::ClockWithoutStop,
                entry.key,
                format!("nothing ends the clock `{name}`"),
            );
        }
        if let Some(both) = stop.iter().find(|signal| start.contains(signal)) {
            let at = table.entry("stop").map_or(entry.key, |stop| stop.key);
            problems.report(
                Code::ClockStopIsStart,
                at,
                format!("{} both starts and ends the clock", shown(both)),
            );
        }
        let calendar = self.word(table, "calendar", List::Calendar, problems);
        let calendars = table
            .get("calendars")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(Node::as_table)
            .filter_map(|choice| {
                let calendar = self.word(choice, "calendar", List::Calendar, problems);
                let condition = condition::optional("if", choice, self.world, problems);
                Some((condition?, calendar?))
            })
            .collect();
        let escalation = self.escalation(table, problems);
        let consequence = table
            .entry("breach")
            .and_then(|entry| self.consequence(entry, problems));
        Some(ClockRule {
            scope: condition::under("scope", table, self.world, problems),
            mode: words::mode(table),
            start,
            stop,
            touches: table.int("touches").unwrap_or(1),
            pause: condition::optional("pause", table, self.world, problems),
            target: table.duration("target")?,
            calendars,
            calendar: calendar?,
            reminders: reminders(table, problems),
            escalation,
            consequence: consequence?,
        })
    }

    fn signals(&self, table: &Table, key: &str, problems: &mut Problems) -> Vec<Signal> {
        table
            .get(key)
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(|node| self.signal(node, problems))
            .collect()
    }

    fn signal(&self, node: &Node, problems: &mut Problems) -> Option<Signal> {
        if let Some(word) = node.as_text() {
            return Some(if word == "delivered" {
                Signal::Delivered
            } else {
                Signal::Qualified
            });
        }
        let table = node.as_table()?;
        let what = only(table, node.span, &["enters", "leaves", "acts"], problems)?;
        if what == "acts" {
            if !table.has("by") && !table.is_unread() {
                problems
                    .report(Code::MissingKey, node.span, "`by` is missing here")
                    .fix("Add `by = […]`: whose acts count.");
            }
            return Some(Signal::Act(self.acts(table, problems)));
        }
        if let Some(entry) = table.entry("by") {
            problems.report(
                Code::ExactlyOne,
                entry.key,
                format!("`by` belongs to `acts`, not to `{what}`"),
            );
        }
        let (text, span) = table.text(what)?;
        let stage = self.world.stage(text, span, problems)?;
        Some(if what == "enters" {
            Signal::Enters(stage)
        } else {
            Signal::Leaves(stage)
        })
    }

    fn escalation(&self, table: &Table, problems: &mut Problems) -> Vec<(i64, Name)> {
        let mut steps: Vec<(i64, Name)> = Vec::new();
        let nodes = table.get("escalation").map(Node::items).unwrap_or_default();
        for node in nodes {
            let Some(step) = node.as_table() else {
                continue;
            };
            let to = self.word(step, "to", List::Recipient, problems);
            let (Some(after), Some(to)) = (step.duration("after"), to) else {
                continue;
            };
            if let Some((before, _)) = steps.last().filter(|(before, _)| *before >= after) {
                let at = step.get("after").map_or(node.span, |n| n.span);
                problems.report(
                    Code::StepsNotRising,
                    at,
                    format!(
                        "{} is not after {}",
                        quantity::say(after),
                        quantity::say(*before)
                    ),
                );
                continue;
            }
            steps.push((after, to));
        }
        steps
    }

    fn consequence(&self, entry: &Entry, problems: &mut Problems) -> Option<Consequence> {
        let Some(table) = entry.value.as_table() else {
            return entry.value.as_text().map(|_| Consequence::Alert);
        };
        let keys = ["reassign", "recycle"];
        match only(table, entry.value.span, &keys, problems)? {
            "reassign" => {
                let queue = self.word(table, "reassign", List::Queue, problems)?;
                Some(Consequence::Reassign(queue))
            }
            _ => {
                let reason = self.word(table, "recycle", List::Reason, problems)?;
                Some(Consequence::Recycle(reason))
            }
        }
    }
}

fn reminders(table: &Table, problems: &mut Problems) -> Vec<u8> {
    let mut shares: Vec<u8> = Vec::new();
    let nodes = table.get("reminders").map(Node::items).unwrap_or_default();
    for node in nodes {
        let Kind::Integer(share) = node.kind else {
            continue;
        };
        let Ok(share) = u8::try_from(share) else {
            continue;
        };
        match shares.last() {
            Some(before) if *before >= share => {
                problems.report(
                    Code::StepsNotRising,
                    node.span,
                    format!("{share} is not after {before}"),
                );
            }
            _ => shares.push(share),
        }
    }
    shares
}

/// A signal in a message.
fn shown(signal: &Signal) -> String {
    match signal {
        Signal::Enters(stage) => format!("entering `{stage}`"),
        Signal::Leaves(stage) => format!("leaving `{stage}`"),
        Signal::Act(_) => "the same act".into(),
        Signal::Delivered => "the delivery".into(),
        Signal::Qualified => "the qualification".into(),
    }
}
