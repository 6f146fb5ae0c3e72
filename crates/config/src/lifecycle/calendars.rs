//! Working hours and holidays.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use baton_core::{
    lifecycle::calendar::{Calendar, Hours, Opening, Weekday},
    name::Name,
};

use crate::{
    codes::Code,
    problem::Problems,
    quantity, spec,
    systems::zone,
    tree::{Entry, Node, Table},
};

/// The sound ones; `holidays` are the files of that folder.
pub(super) fn read(
    lifecycle: &Table,
    holidays: &BTreeMap<String, Table>,
    problems: &mut Problems,
) -> BTreeMap<Name, Arc<Calendar>> {
    lifecycle
        .each("calendars")
        .filter_map(|(name, entry)| {
            let calendar = calendar(name, entry, holidays, problems)?;
            Some((Name::new(name), Arc::new(calendar)))
        })
        .collect()
}

fn calendar(
    name: &str,
    entry: &Entry,
    holidays: &BTreeMap<String, Table>,
    problems: &mut Problems,
) -> Option<Calendar> {
    let table = entry.value.as_table()?;
    let mut week: BTreeMap<Weekday, Vec<Opening>> = BTreeMap::new();
    for (word, openings) in table.each("hours") {
        let day = spec::DAYS
            .iter()
            .zip(Weekday::ALL)
            .find(|(name, _)| **name == word);
        let Some((_, day)) = day else { continue };
        for node in openings.value.items() {
            let Some(text) = node.as_text() else { continue };
            match quantity::opening(text) {
                Some((from, until)) => {
                    week.entry(day).or_default().push(Opening { from, until });
                }
                None => {
                    problems.report(
                        Code::BadHours,
                        node.span,
                        format!("`{text}` are no working hours"),
                    );
                }
            }
        }
    }
    let said = table.get("hours");
    let unread = said.is_some_and(Node::holds_bad) || table.is_unread();
    let meant = table
        .each("hours")
        .any(|(_, day)| !day.value.items().is_empty());
    if !meant && !unread {
        problems.report(
            Code::CalendarWithoutHours,
            table.entry("hours").map_or(entry.key, |hours| hours.key),
            format!("the calendar `{name}` has no working hours"),
        );
    }
    let mut days: BTreeSet<i32> = BTreeSet::new();
    for (list, span) in table.texts("holidays") {
        let meant = if holidays.contains_key(list) {
            Some(list)
        } else {
            let known = holidays.keys().map(String::as_str);
            problems.unknown(Code::UnknownHolidays, span, "list of holidays", list, known)
        };
        let Some(list) = meant.and_then(|list| holidays.get(list)) else {
            continue;
        };
        days.extend(list.entries.keys().filter_map(|day| quantity::day(day)));
    }
    let hours = Hours {
        zone: zone(table, problems)?.into(),
        week,
        holidays: days,
    };
    // What could be wrong with it is reported above.
    Calendar::new(hours).ok()
}
