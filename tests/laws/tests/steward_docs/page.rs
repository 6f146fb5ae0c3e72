//! Reads the examples out of a page: under a heading, a `toml` block, a table of events, and a list after "Outcome:".

use baton_core::time::Millis;

/// One example of a page.
#[derive(Debug)]
pub struct Example {
    /// The heading it stands under.
    pub title: String,
    pub toml: String,
    pub events: Vec<Row>,
    pub outcome: Vec<(Option<Millis>, Said)>,
}

/// One line of the table of events.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub time: Millis,
    /// `crm`, `crm 2` (a second record of the same person) or `steward`.
    pub system: String,
    pub cause: String,
    pub field: String,
    pub value: String,
}

/// One statement about what comes of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// `title` is `CEO`, from `crm`.
    Is {
        field: String,
        value: Option<String>,
        from: Option<String>,
    },
    /// `tags` is `a;b`, made of `crm`, `map`.
    MadeOf {
        field: String,
        value: String,
        of: Vec<String>,
    },
    /// `title`: `CTO` of `map` loses: the rule preferred another value.
    Loses {
        field: String,
        value: String,
        of: String,
        why: String,
    },
    /// `map` is sent `title` = `CEO`: that is the last it hears. With "once", it hears it once in all.
    Sent {
        system: String,
        field: String,
        value: String,
        once: bool,
    },
    /// `map` is sent nothing.
    SentNothing { system: String },
    /// `map` is asked for the record.
    Asked { system: String },
    /// A steward is asked: `held_clears`.
    Parked { code: String },
}

/// All examples of a page.
///
/// # Errors
/// What cannot be read, with its line.
pub fn examples(text: &str) -> Result<Vec<Example>, String> {
    let mut found: Vec<Example> = Vec::new();
    let mut title = String::new();
    let mut lines = text.lines().enumerate().peekable();
    let mut in_outcome = false;
    while let Some((number, line)) = lines.next() {
        let at = |why: &str| format!("line {}: {why}", number + 1);
        if let Some(heading) = line.strip_prefix('#') {
            title = heading.trim_start_matches('#').trim().to_owned();
            in_outcome = false;
        } else if line == "```toml" {
            if found.last().is_some_and(|e| e.outcome.is_empty()) {
                return Err(at("the example before this one has no outcome"));
            }
            let mut toml = String::new();
            for (_, line) in lines.by_ref() {
                if line == "```" {
                    break;
                }
                toml.push_str(line);
                toml.push('\n');
            }
            in_outcome = false;
            found.push(Example {
                title: title.clone(),
                toml,
                events: Vec::new(),
                outcome: Vec::new(),
            });
        } else if line.starts_with("| time |") {
            let example = found
                .last_mut()
                .ok_or_else(|| at("events before any rule"))?;
            let _ruler = lines.next();
            while let Some((number, row)) = lines.next_if(|(_, l)| l.starts_with('|')) {
                let read = row_of(row)
                    .ok_or_else(|| format!("line {}: not an event: {row}", number + 1))?;
                example.events.push(read);
            }
        } else if line == "Outcome:" {
            in_outcome = true;
        } else if in_outcome && let Some(mut said) = line.strip_prefix("- ").map(str::to_owned) {
            while let Some((_, more)) = lines.next_if(|(_, l)| l.starts_with("  ")) {
                said.push(' ');
                said.push_str(more.trim());
            }
            let read = outcome_of(&said).ok_or_else(|| at(&format!("not an outcome: {said}")))?;
            found
                .last_mut()
                .ok_or_else(|| at("an outcome before any rule"))?
                .outcome
                .push(read);
        } else if !line.is_empty() {
            in_outcome = false;
        }
    }
    match found
        .iter()
        .find(|e| e.events.is_empty() || e.outcome.is_empty())
    {
        Some(bare) => Err(format!(
            "\"{}\" has a rule without events or outcome",
            bare.title
        )),
        None => Ok(found),
    }
}

fn row_of(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [time, system, cause, field, value] = cells.as_slice() else {
        return None;
    };
    Some(Row {
        time: time_of(time)?,
        system: (*system).to_owned(),
        cause: (*cause).to_owned(),
        field: (*field).to_owned(),
        value: (*value).to_owned(),
    })
}

/// `2026-03-02`, `2026-03-02 09:00` or `2026-03-02 09:00:05`, in UTC.
fn time_of(text: &str) -> Option<Millis> {
    let (date, clock) = text.split_once(' ').unwrap_or((text, "00:00"));
    let seconds = if clock.len() == 5 { ":00" } else { "" };
    Millis::parse(&format!("{date}T{clock}{seconds}Z"))
}

fn outcome_of(line: &str) -> Option<(Option<Millis>, Said)> {
    let mut line = line.strip_suffix('.')?;
    let mut from = None;
    if let Some(rest) = line.strip_prefix("On ") {
        let (date, rest) = rest.split_once(", ")?;
        from = Some(time_of(date)?);
        line = rest;
    }
    // What stands in backticks and what stands between.
    let parts: Vec<&str> = line.split('`').collect();
    let said = match parts.as_slice() {
        ["", field, " is ", value, ""] => Said::Is {
            field: (*field).into(),
            value: Some((*value).into()),
            from: None,
        },
        ["", field, " is ", value, ", from ", system, ""] => Said::Is {
            field: (*field).into(),
            value: Some((*value).into()),
            from: Some((*system).into()),
        },
        ["", field, " is blank"] => Said::Is {
            field: (*field).into(),
            value: None,
            from: None,
        },
        ["", field, " is blank, from ", system, ""] => Said::Is {
            field: (*field).into(),
            value: None,
            from: Some((*system).into()),
        },
        ["", field, " is ", value, ", made of ", first, rest @ ..] => {
            let mut of = vec![(*first).to_owned()];
            for pair in rest.chunks(2) {
                match pair {
                    [" and " | ", ", system] => of.push((*system).to_owned()),
                    [""] => {}
                    _ => return None,
                }
            }
            Said::MadeOf {
                field: (*field).into(),
                value: (*value).into(),
                of,
            }
        }
        ["", field, ": ", value, " of ", of, why] => Said::Loses {
            field: (*field).into(),
            value: (*value).into(),
            of: (*of).into(),
            why: why.strip_prefix(" loses: ")?.into(),
        },
        [
            "",
            system,
            " is sent ",
            field,
            " = ",
            value,
            times @ ("" | " once"),
        ] => Said::Sent {
            system: (*system).into(),
            field: (*field).into(),
            value: (*value).into(),
            once: !times.is_empty(),
        },
        ["", system, " is sent nothing"] => Said::SentNothing {
            system: (*system).into(),
        },
        ["", system, " is asked for the record"] => Said::Asked {
            system: (*system).into(),
        },
        ["A steward is asked: ", code, ""] => Said::Parked {
            code: (*code).into(),
        },
        _ => return None,
    };
    Some((from, said))
}
