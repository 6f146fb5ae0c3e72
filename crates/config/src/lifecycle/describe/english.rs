//! Parts of sentences.

use std::fmt::Display;

use baton_core::{
    lifecycle::{fact::Actor, predicate::Predicate, rules::Acts},
    name::Name,
    time::{DAY, HOUR, MINUTE, SECOND},
    value::Value,
};

/// A name as words.
pub(super) fn words(name: Name) -> String {
    name.as_str().replace('_', " ")
}

/// One, two and three.
pub(super) fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    joined(items, "and")
}

/// One, two or three.
pub(super) fn either<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    joined(items, "or")
}

fn joined<T: Display>(items: impl IntoIterator<Item = T>, last: &str) -> String {
    let mut items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match items.pop() {
        Some(only) if items.is_empty() => only,
        Some(end) => format!("{} {last} {end}", items.join(", ")),
        None => "nothing".into(),
    }
}

/// Time on the wall.
pub(super) fn span(ms: i64) -> String {
    counted(
        ms,
        &[
            (DAY, "day"),
            (HOUR, "hour"),
            (MINUTE, "minute"),
            (SECOND, "second"),
        ],
    )
}

/// Time of a calendar, whose days are as long as it says.
pub(super) fn working(ms: i64) -> String {
    counted(
        ms,
        &[
            (HOUR, "working hour"),
            (MINUTE, "working minute"),
            (SECOND, "working second"),
        ],
    )
}

fn counted(ms: i64, units: &[(i64, &str)]) -> String {
    let found = units.iter().find(|(unit, _)| ms != 0 && ms % unit == 0);
    match found {
        Some((unit, name)) if ms / unit == 1 => format!("1 {name}"),
        Some((unit, name)) => format!("{} {name}s", ms / unit),
        None => format!("{ms} milliseconds"),
    }
}

/// A call, a reply or a meeting of sales or the buyer.
pub(super) fn acts(acts: &Acts) -> String {
    let kinds: Vec<String> = acts.kinds.iter().map(|kind| words(*kind)).collect();
    let actors: Vec<&str> = acts
        .actors
        .iter()
        .map(|actor| match actor {
            Actor::Buyer => "the buyer",
            Actor::Sales => "sales",
            Actor::Marketer => "marketing",
            Actor::Automation => "a machine",
            Actor::Baton => "Baton",
        })
        .collect();
    format!("{} by {}", either(kinds), either(actors))
}

/// A condition as a clause: `country is DE or AT and title has a value`.
pub(super) fn condition(predicate: &Predicate) -> String {
    match predicate {
        Predicate::Always => "always".into(),
        Predicate::Present(field) => format!("{field} has a value"),
        Predicate::OneOf(field, values) => {
            format!("{field} is {}", either(values.iter().map(shown)))
        }
        Predicate::AtLeast(field, bound) => format!("{field} is {} or more", shown(bound)),
        Predicate::AtMost(field, bound) => format!("{field} is {} or less", shown(bound)),
        Predicate::Within(field, ms) => format!("{field} is less than {} ago", span(*ms)),
        Predicate::InStage(stages) => format!("the person is in {}", either(stages)),
        Predicate::InStageFor(ms) => {
            format!("the person has been in its stage for {}", span(*ms))
        }
        Predicate::Suppressed => "the person is taken out of all marketing".into(),
        Predicate::Not(inner) => negated(inner),
        Predicate::All(parts) => strict(parts).unwrap_or_else(|| {
            let each: Vec<String> = parts.iter().map(bracketed).collect();
            each.join(", and ")
        }),
        Predicate::Any(parts) => {
            let each: Vec<String> = parts.iter().map(bracketed).collect();
            each.join(", or ")
        }
    }
}

fn negated(inner: &Predicate) -> String {
    match inner {
        Predicate::Present(field) => format!("{field} has no value"),
        Predicate::OneOf(field, values) if values.len() == 1 => {
            format!("{field} is not {}", list(values.iter().map(shown)))
        }
        Predicate::OneOf(field, values) => {
            format!("{field} is none of {}", list(values.iter().map(shown)))
        }
        Predicate::InStage(stages) => format!("the person is not in {}", either(stages)),
        Predicate::InStageFor(ms) => {
            format!(
                "the person has been in its stage for less than {}",
                span(*ms)
            )
        }
        Predicate::Suppressed => "the person is not taken out of all marketing".into(),
        Predicate::Within(field, ms) => format!("{field} is not less than {} ago", span(*ms)),
        other => format!("not ({})", condition(other)),
    }
}

/// "More than" and "less than" are two tests of one value.
fn strict(parts: &[Predicate]) -> Option<String> {
    let [Predicate::Not(other), bound] = parts else {
        return None;
    };
    let (field, value, word) = match bound {
        Predicate::AtLeast(field, value) => (field, value, "more"),
        Predicate::AtMost(field, value) => (field, value, "less"),
        _ => return None,
    };
    let same = **other == Predicate::OneOf(*field, [value.clone()].into());
    same.then(|| format!("{field} is {word} than {}", shown(value)))
}

fn bracketed(part: &Predicate) -> String {
    let several = matches!(part, Predicate::All(parts) if strict(parts).is_none())
        || matches!(part, Predicate::Any(_));
    if several {
        format!("({})", condition(part))
    } else {
        condition(part)
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Text(text) => format!("\"{text}\""),
        other => other.to_string(),
    }
}
