//! The ways out of sales' hands: back to nurture, or out of the funnel.

use std::collections::BTreeMap;

use baton_core::{
    lifecycle::{
        predicate::Predicate,
        rules::{AfterLost, Baseline, Beyond, CoolDown, Reason, Recycling},
    },
    name::Name,
};

use super::{Reader, words::List, words::only};
use crate::{
    codes::Code,
    condition,
    problem::{Problems, Span},
    quantity,
    tree::{Entry, Node},
};

impl Reader<'_> {
    pub(super) fn recycling(&self, problems: &mut Problems) -> Option<Recycling> {
        let entry = self.table.entry("recycling")?;
        let table = entry.value.as_table()?;
        let mut reasons = BTreeMap::new();
        for (name, entry) in table.each("reasons") {
            if let Some(reason) = self.reason(name, entry, problems) {
                reasons.insert(Name::new(name), reason);
            }
        }
        let mut otherwise = |key: &str| self.word(table, key, List::Reason, problems);
        let not_ready = otherwise("not_ready");
        let not_willing = otherwise("not_willing");
        let returned = otherwise("returned");
        let beyond = table
            .entry("beyond")
            .and_then(|entry| self.beyond(entry, problems));
        let lacking: Vec<&str> = ["most", "window"]
            .into_iter()
            .filter(|key| !table.has(key))
            .collect();
        if !lacking.is_empty() && !table.is_unread() {
            problems
                .report(
                    Code::LoopWithoutLimit,
                    entry.key,
                    "nothing says how often somebody may go round between nurture and sales",
                )
                .fix(format!(
                    "Add `{}`: so often within that time, then no more.",
                    lacking.join("` and `")
                ));
        }
        Some(Recycling {
            reasons,
            not_ready: not_ready?,
            not_willing: not_willing?,
            returned: returned?,
            baseline: match table.text("baseline")?.0 {
                "halve" => Baseline::Halve,
                "keep" => Baseline::Keep,
                _ => Baseline::Reset,
            },
            grace: table.duration("grace")?,
            most: table.int("most")?,
            window: table.duration("window")?,
            beyond: beyond?,
        })
    }

    fn reason(&self, name: &str, entry: &Entry, problems: &mut Problems) -> Option<Reason> {
        let table = entry.value.as_table()?;
        let track = self.word(table, "track", List::Track, problems);
        if !table.has("track") && !table.is_unread() {
            problems.report(
                Code::ReasonWithoutTrack,
                entry.key,
                format!("whoever goes back for `{name}` would be on no nurture track"),
            );
        }
        let (text, span) = table.text("cool_down")?;
        Some(Reason {
            cool_down: cool_down(text, span, problems)?,
            track: track?,
        })
    }

    fn beyond(&self, entry: &Entry, problems: &mut Problems) -> Option<Beyond> {
        let table = entry.value.as_table()?;
        match only(
            table,
            entry.value.span,
            &["disqualify", "long_nurture"],
            problems,
        )? {
            "disqualify" => {
                let reason = self.word(table, "disqualify", List::Out, problems)?;
                Some(Beyond::Disqualify(reason))
            }
            _ => {
                let track = self.word(table, "long_nurture", List::Track, problems)?;
                Some(Beyond::LongNurture(track))
            }
        }
    }

    pub(super) fn disqualification(&self, problems: &mut Problems) -> Vec<(Predicate, Name)> {
        let rules = self
            .table
            .table("disqualification")
            .and_then(|table| table.get("rules"))
            .map(Node::items)
            .unwrap_or_default();
        rules
            .iter()
            .filter_map(Node::as_table)
            .filter_map(|table| {
                let reason = self.word(table, "reason", List::Out, problems);
                let condition = condition::optional("if", table, self.world, problems);
                Some((condition?, reason?))
            })
            .collect()
    }

    pub(super) fn after_lost(&self, problems: &mut Problems) -> BTreeMap<Name, AfterLost> {
        self.table
            .each("after_lost")
            .filter_map(|(reason, entry)| {
                let end = match entry.value.as_table() {
                    Some(table) => {
                        let track = self.word(table, "nurture", List::Track, problems)?;
                        AfterLost::Nurture(track)
                    }
                    None => entry.value.as_text().map(|_| AfterLost::Disqualify)?,
                };
                Some((Name::new(reason), end))
            })
            .collect()
    }
}

fn cool_down(text: &str, span: Span, problems: &mut Problems) -> Option<CoolDown> {
    if text == "forever" {
        return Some(CoolDown::Forever);
    }
    match quantity::duration(text) {
        Some(ms) => Some(CoolDown::For(ms)),
        None => {
            problems
                .report(Code::BadDuration, span, format!("`{text}` is no cool-down"))
                .fix("Write a duration such as \"90d\", or \"forever\".");
            None
        }
    }
}
