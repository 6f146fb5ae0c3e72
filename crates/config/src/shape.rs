//! The form of the configuration as data: one description from which unknown keys, wrong types and the JSON Schema
//! all come. What a name refers to is not judged here but where the names are known.

use crate::{
    codes::Code,
    problem::{Problems, Span, nearest},
    quantity,
    tree::{Entry, Kind, Node, Table},
};

/// What may stand at one place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Text that is not empty.
    Text,
    Bool,
    /// A whole number in this range.
    Integer(i64, i64),
    /// A number, whole or decimal, in this range.
    Number(i64, i64),
    /// A duration such as `180d`, in milliseconds between these.
    Duration(i64, i64),
    /// A size such as `4MiB`, in bytes between these.
    Bytes(u64, u64),
    /// One of these words.
    Choice(&'static str, Code, &'static [&'static str]),
    /// Text, number or truth value: whatever a field may hold.
    Scalar,
    /// A list of at least this many of these, none of them twice.
    List(usize, &'static Shape),
    Table(&'static TableSpec),
    /// A table whose keys the steward chooses.
    Map(Keys, &'static Shape),
    /// A survivorship rule, which may hold rules: named here because constants cannot hold themselves.
    Rule,
    /// The first of these whose kind of TOML value stands there.
    Either(&'static [Shape]),
}

/// What the steward's own keys must look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Keys {
    /// Anything that is not empty: names of another system.
    Any,
    /// A new name of Baton's: lower case, digits and underscores.
    NewName,
    /// A name that must exist; judged later.
    Known,
    /// A day, such as 2026-12-25.
    Date,
    OneOf(&'static str, Code, &'static [&'static str]),
}

/// A table with known keys.
#[derive(Debug)]
pub(crate) struct TableSpec {
    /// Name in the JSON Schema.
    pub name: &'static str,
    pub doc: &'static str,
    pub keys: &'static [KeySpec],
    /// What an unknown key is called.
    pub unknown: Code,
}

#[derive(Debug)]
pub(crate) struct KeySpec {
    pub name: &'static str,
    pub doc: &'static str,
    pub shape: Shape,
    pub required: bool,
}

/// An optional key.
pub(crate) const fn key(name: &'static str, shape: Shape, doc: &'static str) -> KeySpec {
    KeySpec {
        name,
        doc,
        shape,
        required: false,
    }
}

/// A key that must be there.
pub(crate) const fn must(name: &'static str, shape: Shape, doc: &'static str) -> KeySpec {
    KeySpec {
        name,
        doc,
        shape,
        required: true,
    }
}

impl TableSpec {
    pub fn key(&self, name: &str) -> Option<&KeySpec> {
        self.keys.iter().find(|k| k.name == name)
    }
}

impl Shape {
    fn resolved(&self) -> &Self {
        match self {
            Self::Rule => &crate::spec::RULE,
            other => other,
        }
    }

    /// How a steward would call what belongs here.
    fn name(&self) -> String {
        match self {
            Self::Text => "a text in quotes".into(),
            Self::Choice(what, ..) => format!("the name of a {what}, in quotes"),
            Self::Bool => "true or false".into(),
            Self::Integer(..) => "a whole number".into(),
            Self::Number(..) => "a number".into(),
            Self::Duration(..) => "a duration in quotes, such as \"180d\"".into(),
            Self::Bytes(..) => "a size in quotes, such as \"4MiB\"".into(),
            Self::Scalar => "a text, a number or true/false".into(),
            Self::Rule => {
                "the name of a strategy in quotes, or a table such as { only = \"crm\" }".into()
            }
            Self::List(..) => "a list in [ ]".into(),
            Self::Table(_) | Self::Map(..) => "a table".into(),
            Self::Either(shapes) => {
                let names: Vec<String> = shapes.iter().map(Self::name).collect();
                names.join(", or ")
            }
        }
    }

    fn takes(&self, kind: &Kind) -> bool {
        match self {
            Self::Text | Self::Duration(..) | Self::Choice(..) => matches!(kind, Kind::Text(_)),
            Self::Bool => matches!(kind, Kind::Bool(_)),
            Self::Integer(..) => matches!(kind, Kind::Integer(_)),
            Self::Number(..) => matches!(kind, Kind::Integer(_) | Kind::Float(_)),
            Self::Bytes(..) => matches!(kind, Kind::Text(_) | Kind::Integer(_)),
            Self::Scalar => matches!(
                kind,
                Kind::Text(_) | Kind::Integer(_) | Kind::Float(_) | Kind::Bool(_)
            ),
            Self::List(..) => matches!(kind, Kind::Array(_)),
            Self::Table(_) | Self::Map(..) => matches!(kind, Kind::Table(_)),
            Self::Either(shapes) => shapes.iter().any(|s| s.takes(kind)),
            Self::Rule => self.resolved().takes(kind),
        }
    }
}

/// Judges a value and makes it fit: what is wrong is reported once and becomes [`Kind::Bad`], a misspelt key or
/// word is read as what was meant.
pub(crate) fn check(node: &mut Node, shape: &Shape, problems: &mut Problems) {
    if node.is_bad() {
        return;
    }
    if !shape.takes(&node.kind) {
        problems
            .report(
                Code::WrongType,
                node.span,
                format!("{} stands here", capital(node.kind.name())),
            )
            .fix(format!("Write {}.", shape.name()));
        node.kind = Kind::Bad;
        return;
    }
    let span = node.span;
    let ok = match (shape.resolved(), &mut node.kind) {
        (Shape::Either(shapes), kind) => {
            let fitting = shapes.iter().find(|s| s.takes(kind));
            if let Some(shape) = fitting {
                check(node, shape, problems);
            }
            true
        }
        (Shape::Table(spec), Kind::Table(table)) => {
            check_table(table, spec, span, problems);
            true
        }
        (Shape::Map(keys, shape), Kind::Table(table)) => {
            check_map(table, *keys, shape, problems);
            true
        }
        (Shape::List(least, shape), Kind::Array(items)) => {
            check_list(items, *least, shape, span, problems)
        }
        (shape, kind) => check_scalar(shape, kind, span, problems),
    };
    if !ok {
        node.kind = Kind::Bad;
    }
}

fn check_scalar(shape: &Shape, kind: &mut Kind, span: Span, problems: &mut Problems) -> bool {
    match (shape, kind) {
        (Shape::Duration(least, most), Kind::Text(text)) => {
            check_duration(text, *least, *most, span, problems)
        }
        (Shape::Choice(what, code, options), Kind::Text(text)) => {
            if options.contains(&text.as_str()) {
                return true;
            }
            if *code == Code::UnknownStrategy && crate::strategy::HEADS.contains(&text.as_str()) {
                problems.report(
                    Code::StrategyNeedsMore,
                    span,
                    format!("`{text}` alone says too little"),
                );
                return false;
            }
            match problems.unknown(*code, span, what, text, options.iter().copied()) {
                Some(meant) => {
                    *text = meant.to_owned();
                    true
                }
                None => false,
            }
        }
        (Shape::Text, Kind::Text(text)) if text.trim().is_empty() => {
            problems.report(Code::EmptyValue, span, "this text is empty");
            false
        }
        (Shape::Integer(least, most), Kind::Integer(n)) => {
            in_range(*n, *least, *most, span, problems)
        }
        (Shape::Number(least, most), Kind::Integer(n)) => {
            in_range(*n, *least, *most, span, problems)
        }
        (Shape::Number(least, most), Kind::Float(text)) => {
            let number: Option<rust_decimal::Decimal> = text.replace('_', "").parse().ok();
            let fits = number.is_some_and(|n| n >= (*least).into() && n <= (*most).into());
            if !fits {
                out_of_range(text, &least.to_string(), &most.to_string(), span, problems);
            }
            fits
        }
        (Shape::Bytes(least, most), Kind::Text(text)) => match quantity::bytes(text) {
            Some(n) if (*least..=*most).contains(&n) => true,
            Some(_) => {
                out_of_range(
                    text,
                    &format!("{least} bytes"),
                    &format!("{most} bytes"),
                    span,
                    problems,
                );
                false
            }
            None => {
                problems.report(Code::BadSize, span, format!("`{text}` is no size"));
                false
            }
        },
        (Shape::Bytes(least, most), Kind::Integer(n)) => {
            let clip = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            in_range(*n, clip(*least), clip(*most), span, problems)
        }
        _ => true,
    }
}

fn check_duration(text: &str, least: i64, most: i64, span: Span, problems: &mut Problems) -> bool {
    let positive = text.trim().strip_prefix('-');
    match (
        quantity::duration(text),
        positive.and_then(quantity::duration),
    ) {
        (Some(ms), _) if (least..=most).contains(&ms) => true,
        (Some(_), _) | (_, Some(_)) => {
            problems
                .report(
                    Code::DurationOutOfRange,
                    span,
                    format!("a duration of {} makes no sense here", text.trim()),
                )
                .fix(format!(
                    "Write a duration from {} to {}.",
                    quantity::say(least),
                    quantity::say(most)
                ));
            false
        }
        (None, _) => {
            problems.report(Code::BadDuration, span, format!("`{text}` is no duration"));
            false
        }
    }
}

fn in_range(n: i64, least: i64, most: i64, span: Span, problems: &mut Problems) -> bool {
    let fits = (least..=most).contains(&n);
    if !fits {
        out_of_range(
            &n.to_string(),
            &least.to_string(),
            &most.to_string(),
            span,
            problems,
        );
    }
    fits
}

fn out_of_range(what: &str, least: &str, most: &str, span: Span, problems: &mut Problems) {
    problems
        .report(
            Code::NumberOutOfRange,
            span,
            format!("{what} is out of range here"),
        )
        .fix(format!("Write a number from {least} to {most}."));
}

fn check_list(
    items: &mut Vec<Node>,
    least: usize,
    shape: &Shape,
    span: Span,
    problems: &mut Problems,
) -> bool {
    if items.len() < least {
        let message = if items.is_empty() {
            "this list is empty".to_owned()
        } else {
            format!("this list needs at least {least} entries")
        };
        problems.report(Code::EmptyValue, span, message);
        return false;
    }
    let mut seen: Vec<String> = Vec::new();
    items.retain_mut(|item| {
        check(item, shape, problems);
        let Kind::Text(text) = &item.kind else {
            return true;
        };
        let again = seen.contains(text);
        if again {
            problems.report(
                Code::DuplicateEntry,
                item.span,
                format!("`{text}` stands in this list twice"),
            );
        } else {
            seen.push(text.clone());
        }
        !again
    });
    true
}

/// A misspelt table whose other part stands there already, such as `[a.recyling]` beside `[a.recycling.reasons]`: says so,
/// and reads it as a part of that.
fn join_to_its_other_part(
    table: &mut Table,
    spec: &TableSpec,
    name: &str,
    entry: Entry,
    problems: &mut Problems,
) {
    let there: Vec<&str> = spec.keys.iter().map(|k| k.name).collect();
    let Some(meant) = nearest(name, &there) else {
        return;
    };
    let (Some(Kind::Table(whole)), Kind::Table(part)) = (
        table.entries.get_mut(meant).map(|e| &mut e.value.kind),
        entry.value.kind,
    ) else {
        return;
    };
    problems.suggest(Some(meant));
    problems.fix(format!(
        "Did you mean `{meant}`, of which another part stands in this file?"
    ));
    for (key, entry) in part.entries {
        whole.entries.entry(key).or_insert(entry);
    }
}

fn check_table(table: &mut Table, spec: &TableSpec, span: Span, problems: &mut Problems) {
    let unknown: Vec<String> = table
        .entries
        .keys()
        .filter(|k| spec.key(k).is_none())
        .cloned()
        .collect();
    let mut unread = false;
    let mut guessed: Vec<&str> = Vec::new();
    for name in unknown {
        let Some(entry) = table.entries.remove(&name) else {
            continue;
        };
        // What stands on a line that is no TOML is reported as that.
        if entry.value.is_bad() {
            unread = true;
            continue;
        }
        // A key that is already there was not what this one was meant to be.
        let free: Vec<&'static str> = spec
            .keys
            .iter()
            .map(|k| k.name)
            .filter(|k| !table.entries.contains_key(*k))
            .collect();
        let what = if spec.unknown == Code::UnknownStrategy {
            "strategy"
        } else {
            "setting"
        };
        match problems.unknown(spec.unknown, entry.key, what, &name, free) {
            Some(meant) => {
                guessed.push(meant);
                table.entries.insert(meant.to_owned(), entry);
            }
            None => {
                unread = true;
                join_to_its_other_part(table, spec, &name, entry, problems);
            }
        }
    }
    for key in spec.keys {
        match table.entries.get_mut(key.name) {
            // Read as what was probably meant: that it does not fit may be the guess's fault.
            Some(entry) if guessed.contains(&key.name) && entry.value.as_table().is_none() => {
                let before = problems.mark();
                check(&mut entry.value, &key.shape, problems);
                if problems.rewind(before) {
                    entry.value.kind = Kind::Bad;
                }
            }
            Some(entry) => check(&mut entry.value, &key.shape, problems),
            // An unknown key may be the required one by another name: one mistake, one problem.
            None if key.required && !unread => {
                problems
                    .report(
                        Code::MissingKey,
                        span,
                        format!("`{}` is missing here", key.name),
                    )
                    .fix(format!("Add `{} = …`: {}", key.name, key.doc));
            }
            None => {}
        }
    }
    if unread {
        table.mark_unread(span);
    }
}

fn check_map(table: &mut Table, keys: Keys, shape: &Shape, problems: &mut Problems) {
    let names: Vec<String> = table.entries.keys().cloned().collect();
    for name in names {
        let Some(mut entry) = table.entries.remove(&name) else {
            continue;
        };
        let Some(name) = check_key(&name, keys, entry.key, table, problems) else {
            continue;
        };
        check(&mut entry.value, shape, problems);
        table.entries.insert(name, entry);
    }
}

/// The key as it is to be read on; none where nothing can be made of it.
fn check_key(
    name: &str,
    keys: Keys,
    span: Span,
    table: &Table,
    problems: &mut Problems,
) -> Option<String> {
    match keys {
        _ if name.trim().is_empty() => {
            problems.report(Code::EmptyValue, span, "this name is empty");
            None
        }
        Keys::NewName if !is_name(name) => {
            let better = to_name(name);
            problems
                .report(
                    Code::BadName,
                    span,
                    format!("`{name}` cannot be a name of Baton's"),
                )
                .suggest(better.as_deref());
            better.filter(|b| !table.entries.contains_key(b))
        }
        Keys::Date if quantity::day(name).is_none() => {
            problems.report(Code::BadHoliday, span, format!("there is no day `{name}`"));
            None
        }
        Keys::OneOf(what, code, options) if !options.contains(&name) => {
            let free: Vec<&str> = options
                .iter()
                .copied()
                .filter(|o| !table.entries.contains_key(*o))
                .collect();
            problems
                .unknown(code, span, what, name, free)
                .map(str::to_owned)
        }
        _ => Some(name.to_owned()),
    }
}

/// Lower-case letters, digits and underscores, beginning with a letter, at most 64.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn to_name(text: &str) -> Option<String> {
    let mut out = String::new();
    for c in text.chars().take(64) {
        if c.is_ascii_uppercase() && out.ends_with(|c: char| c.is_ascii_lowercase()) {
            out.push('_');
        }
        match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => out.push(c),
            _ if !out.ends_with('_') && !out.is_empty() => out.push('_'),
            _ => {}
        }
    }
    let out = out.trim_end_matches('_').to_owned();
    is_name(&out).then_some(out)
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|c| c.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}
