//! Reads TOML and goes on after mistakes: one slip of the pen is one problem, and the rest of the file is still read.

use toml::de::{DeTable, DeValue};

use crate::{
    codes::Code,
    problem::{Problems, Span},
    tree::{Entry, Kind, Node, Table},
};

/// More unclosed brackets than this and the file is no TOML.
const MAX_REPAIRS: usize = 64;

/// The tree of one file; its syntax errors are reported.
pub(crate) fn parse(file: usize, text: &str, problems: &mut Problems) -> Table {
    let mut repaired = Repaired::new(text);
    while repaired.faults.len() < MAX_REPAIRS && (repaired.close_one() || repaired.give_value()) {}

    let (tree, errors) = DeTable::parse_recoverable(&repaired.text);
    let mut faults: Vec<(usize, usize, String)> = repaired.faults.clone();
    for error in errors {
        let span = error.span().unwrap_or_default();
        let (start, end) = (repaired.original(span.start), repaired.original(span.end));
        faults.push((start, end, error.message().to_owned()));
    }
    faults.sort();

    let mut bad_lines: Vec<usize> = Vec::new();
    for (start, end, message) in &faults {
        let line = line_of(text, *start);
        if bad_lines.last() == Some(&line) {
            continue;
        }
        let duplicate = message.contains("duplicate key");
        if !duplicate {
            bad_lines.push(line);
        }
        let span = Span {
            file,
            start: *start,
            end: *end,
        };
        if duplicate {
            let key = text.get(*start..*end).unwrap_or_default().to_owned();
            problems.report(
                Code::DuplicateKey,
                span,
                format!("`{key}` is set twice in the same table"),
            );
        } else {
            problems.report(
                Code::TomlSyntax,
                visible(text, span),
                format!("this is no TOML: {}", message.replace('\n', ", ")),
            );
            if message.contains("must be quoted") {
                problems.fix(format!(
                    "Put the text in quotes: \"{}\".",
                    text.get(*start..*end).unwrap_or_default().trim()
                ));
            }
        }
    }
    let reader = Reader {
        file,
        text,
        repaired: &repaired,
        bad_lines: &bad_lines,
    };
    reader.table(tree.get_ref())
}

/// A place one can point at: an error at the end of a line points at the last character of that line.
fn visible(text: &str, span: Span) -> Span {
    if span.end > span.start {
        return span;
    }
    let at_break = text
        .get(span.start..)
        .is_none_or(|rest| rest.is_empty() || rest.starts_with(['\n', '\r']));
    if at_break {
        let before = text.get(..span.start).unwrap_or_default();
        if let Some(last) = before.chars().next_back().filter(|c| *c != '\n') {
            return Span {
                start: span.start.saturating_sub(last.len_utf8()),
                ..span
            };
        }
    }
    span
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()
        .iter()
        .take(at)
        .filter(|b| **b == b'\n')
        .count()
}

/// The text with missing brackets and values put in, and where.
struct Repaired {
    text: String,
    /// Offsets in `text` of inserted bytes, ascending.
    inserted: Vec<usize>,
    faults: Vec<(usize, usize, String)>,
}

impl Repaired {
    fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            inserted: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// The offset in the steward's own text.
    fn original(&self, at: usize) -> usize {
        at.saturating_sub(self.inserted.partition_point(|i| *i < at))
    }

    fn insert(&mut self, at: usize, what: &str) {
        self.text.insert_str(at, what);
        for i in &mut self.inserted {
            if *i >= at {
                *i = i.saturating_add(what.len());
            }
        }
        self.inserted
            .extend((at..at.saturating_add(what.len())).collect::<Vec<_>>());
        self.inserted.sort_unstable();
    }

    /// Gives a value to the first key that has none: the parser would skip what follows it.
    fn give_value(&mut self) -> bool {
        let (_, errors) = DeTable::parse_recoverable(&self.text);
        let fault = errors.iter().find_map(|error| {
            let at = error.span()?.start;
            error
                .message()
                .contains("key with no value")
                .then(|| (at, error.message().to_owned()))
        });
        let Some((at, message)) = fault else {
            return false;
        };
        let start = self.original(at);
        self.faults.push((start, start, message));
        self.insert(at, "= 0 #");
        true
    }

    /// Closes the first bracket that is left open at the next line that starts a new statement.
    fn close_one(&mut self) -> bool {
        let Some(open) = first_open(&self.text) else {
            return false;
        };
        let start = self.original(open.at);
        self.faults.push((
            start,
            start.saturating_add(1),
            format!(
                "`{}` is never closed",
                self.text.get(open.at..=open.at).unwrap_or_default()
            ),
        ));
        self.insert(open.close_at, &open.closers);
        true
    }
}

struct Open {
    /// Of the outermost open bracket.
    at: usize,
    close_at: usize,
    closers: String,
}

/// Walks the text as TOML does, as far as brackets, strings and comments go, and finds the first statement that
/// begins while a bracket is still open.
fn first_open(text: &str) -> Option<Open> {
    let bytes = text.as_bytes();
    let mut stack: Vec<(usize, u8)> = Vec::new();
    let mut header: Option<usize> = None;
    let mut at = 0;
    let mut line_start = true;
    // The end of the last thing that was not blank or comment: where a closing bracket belongs.
    let mut content_end = 0;
    let close = |stack: &[(usize, u8)], content_end: usize| {
        stack.first().map(|(at, _)| Open {
            at: *at,
            close_at: content_end,
            closers: stack
                .iter()
                .rev()
                .map(|(_, b)| if *b == b'[' { ']' } else { '}' })
                .collect(),
        })
    };
    while let Some(byte) = bytes.get(at) {
        if line_start {
            line_start = false;
            let line = line_at(text, at);
            if !stack.is_empty() && starts_statement(line) && !inline_pair(&stack, line) {
                return close(&stack, content_end);
            }
            let trimmed = line.trim_start();
            if stack.is_empty() && trimmed.starts_with('[') {
                header = Some(at.saturating_add(line.len().saturating_sub(trimmed.len())));
            }
        }
        match byte {
            b'\n' => {
                line_start = true;
                if let Some(start) = header.take() {
                    if !stack.is_empty() {
                        // A table header must end on its own line.
                        return close(&stack, content_end).filter(|_| start <= at);
                    }
                }
            }
            b'#' => {
                at = at.saturating_add(line_at(text, at).len());
                continue;
            }
            b'"' | b'\'' => {
                at = skip_string(bytes, at, *byte);
                content_end = at;
                continue;
            }
            b'[' | b'{' => stack.push((at, *byte)),
            b']' | b'}' => {
                stack.pop();
            }
            _ => {}
        }
        at = at.saturating_add(1);
        if !byte.is_ascii_whitespace() {
            content_end = at;
        }
    }
    close(&stack, content_end)
}

fn line_at(text: &str, at: usize) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    rest.split('\n').next().unwrap_or_default()
}

/// After the closing quote; at the end of the line where there is none.
fn skip_string(bytes: &[u8], at: usize, quote: u8) -> usize {
    let is = |i: usize| bytes.get(i) == Some(&quote);
    let long = is(at.saturating_add(1)) && is(at.saturating_add(2));
    let mut i = at.saturating_add(if long { 3 } else { 1 });
    while let Some(byte) = bytes.get(i) {
        match byte {
            b'\\' if quote == b'"' => i = i.saturating_add(1),
            b'\n' if !long => return i,
            b if *b == quote && !long => return i.saturating_add(1),
            b if *b == quote && is(i.saturating_add(1)) && is(i.saturating_add(2)) => {
                return i.saturating_add(3);
            }
            _ => {}
        }
        i = i.saturating_add(1);
    }
    bytes.len()
}

/// Whether a line looks like the start of `key = value` or of a `[table]`.
fn starts_statement(line: &str) -> bool {
    let line = line.trim();
    if let Some(rest) = line.strip_prefix('[') {
        let rest = rest.strip_prefix('[').unwrap_or(rest);
        let Some((name, after)) = rest.split_once(']') else {
            return false;
        };
        let after = after.trim_start_matches(']').trim_start();
        return is_key(name) && (after.is_empty() || after.starts_with('#'));
    }
    line.split_once('=').is_some_and(|(key, _)| is_key(key))
}

fn is_key(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | ' '))
}

/// Inside `{`, a line `key = value` may well belong to the inline table: only a header, or a line that no
/// comma precedes, ends it. Taken as belonging where it ends with a comma or a bracket or is indented.
fn inline_pair(stack: &[(usize, u8)], line: &str) -> bool {
    let in_table = stack.last().is_some_and(|(_, b)| *b == b'{');
    in_table && !line.trim_start().starts_with('[') && line.starts_with([' ', '\t'])
}

struct Reader<'a> {
    file: usize,
    text: &'a str,
    repaired: &'a Repaired,
    bad_lines: &'a [usize],
}

impl Reader<'_> {
    fn span(&self, range: std::ops::Range<usize>) -> Span {
        Span {
            file: self.file,
            start: self.repaired.original(range.start),
            end: self.repaired.original(range.end),
        }
    }

    fn table(&self, table: &DeTable<'_>) -> Table {
        let entries = table
            .iter()
            .map(|(key, value)| {
                let entry = Entry {
                    key: self.span(key.span()),
                    value: self.node(value.get_ref(), value.span()),
                };
                (key.get_ref().to_string(), entry)
            })
            .collect();
        Table { entries }
    }

    /// A value on a line with a syntax error is whatever the parser made of it: not to be judged.
    fn is_bad(&self, span: Span) -> bool {
        if self.bad_lines.is_empty() {
            return false;
        }
        let (first, last) = (line_of(self.text, span.start), line_of(self.text, span.end));
        self.bad_lines
            .iter()
            .any(|line| (first..=last).contains(line))
    }

    fn node(&self, value: &DeValue<'_>, range: std::ops::Range<usize>) -> Node {
        let span = self.span(range);
        let kind = match value {
            // A `[header]` table spans its header line only; its keys are judged one by one.
            DeValue::Table(table) if self.text.as_bytes().get(span.start) != Some(&b'{') => {
                Kind::Table(self.table(table))
            }
            _ if self.is_bad(span) => Kind::Bad,
            DeValue::Table(table) => Kind::Table(self.table(table)),
            DeValue::Array(items) => Kind::Array(
                items
                    .iter()
                    .map(|item| self.node(item.get_ref(), item.span()))
                    .collect(),
            ),
            DeValue::String(text) => Kind::Text(text.to_string()),
            DeValue::Boolean(b) => Kind::Bool(*b),
            DeValue::Datetime(_) => Kind::Time,
            DeValue::Float(number) => Kind::Float(number.as_str().to_owned()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| Kind::Float(number.as_str().to_owned()), Kind::Integer),
        };
        Node { span, kind }
    }
}
