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

    /// Closes the first bracket that is left open at the next line that starts a new statement, or mends the first
    /// that is closed by the wrong one.
    fn close_one(&mut self) -> bool {
        let Some(slip) = first_slip(&self.text) else {
            return false;
        };
        let start = self.original(slip.at);
        let token = self.text.get(slip.at..=slip.at).unwrap_or_default();
        let message = match &slip.repair {
            Repair::Insert { .. } => format!("`{token}` is never closed"),
            Repair::Replace(right) => format!("`{token}` stands where `{right}` belongs"),
        };
        self.faults.push((start, start.saturating_add(1), message));
        match slip.repair {
            Repair::Insert { at, what } => self.insert(at, &what),
            Repair::Replace(right) => {
                let end = slip.at.saturating_add(1);
                self.text
                    .replace_range(slip.at..end, right.encode_utf8(&mut [0; 4]));
            }
        }
        true
    }
}

/// A bracket or quote without its partner.
struct Slip {
    /// Of the bracket or quote that is to be pointed at; one byte.
    at: usize,
    repair: Repair,
}

enum Repair {
    Insert { at: usize, what: String },
    Replace(char),
}

const fn closer(open: u8) -> char {
    if open == b'[' { ']' } else { '}' }
}

/// Walks the text as TOML does, as far as brackets, strings and comments go, and finds the first statement that
/// begins while a bracket is still open.
fn first_slip(text: &str) -> Option<Slip> {
    let bytes = text.as_bytes();
    let mut stack: Vec<(usize, u8)> = Vec::new();
    let mut in_header = false;
    let mut at = 0;
    let mut line_start = true;
    // The end of the last thing that was not blank or comment: where a closing bracket belongs.
    let mut content_end = 0;
    let close = |stack: &[(usize, u8)], content_end: usize| {
        stack.first().map(|(at, _)| Slip {
            at: *at,
            repair: Repair::Insert {
                at: content_end,
                what: stack.iter().rev().map(|(_, open)| closer(*open)).collect(),
            },
        })
    };
    while let Some(byte) = bytes.get(at) {
        if line_start {
            line_start = false;
            let line = line_at(text, at);
            if !stack.is_empty() && starts_statement(line) && !inline_pair(&stack, line) {
                return close(&stack, content_end);
            }
            in_header = stack.is_empty() && line.trim_start().starts_with('[');
        }
        match byte {
            b'\n' => {
                line_start = true;
                // A table header must end on its own line.
                if in_header && !stack.is_empty() {
                    return close(&stack, content_end);
                }
            }
            b'#' => {
                at = at.saturating_add(line_at(text, at).len());
                continue;
            }
            b'"' | b'\'' => {
                let Some(end) = skip_string(bytes, at, *byte) else {
                    // A long string without end ends with its line.
                    return Some(Slip {
                        at,
                        repair: Repair::Insert {
                            at: at.saturating_add(line_at(text, at).trim_end().len()),
                            what: char::from(*byte).to_string().repeat(3),
                        },
                    });
                };
                at = end;
                content_end = at;
                continue;
            }
            b'[' | b'{' => stack.push((at, *byte)),
            b']' | b'}' => match stack.last() {
                Some((open_at, open)) if closer(*open) != char::from(*byte) => {
                    let below = stack.iter().any(|(_, o)| closer(*o) == char::from(*byte));
                    return Some(if below {
                        Slip {
                            at: *open_at,
                            repair: Repair::Insert {
                                at: content_end,
                                what: closer(*open).to_string(),
                            },
                        }
                    } else {
                        Slip {
                            at,
                            repair: Repair::Replace(closer(*open)),
                        }
                    });
                }
                _ => {
                    stack.pop();
                }
            },
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

/// After the closing quote; at the end of the line where a short string has none. None where a long one has none.
fn skip_string(bytes: &[u8], at: usize, quote: u8) -> Option<usize> {
    let is = |i: usize| bytes.get(i) == Some(&quote);
    let long = is(at.saturating_add(1)) && is(at.saturating_add(2));
    let mut i = at.saturating_add(if long { 3 } else { 1 });
    while let Some(byte) = bytes.get(i) {
        match byte {
            b'\n' if !long => return Some(i),
            b'\\' if quote == b'"' => i = i.saturating_add(1),
            b if *b == quote && !long => return Some(i.saturating_add(1)),
            b if *b == quote && is(i.saturating_add(1)) && is(i.saturating_add(2)) => {
                let mut end = i.saturating_add(3);
                // A long string may end with one or two quotes of its own.
                while is(end) && end < i.saturating_add(5) {
                    end = end.saturating_add(1);
                }
                return Some(end);
            }
            _ => {}
        }
        i = i.saturating_add(1);
    }
    (!long).then_some(bytes.len())
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
                let at = self.span(key.span());
                // Where the parser made a value up, it stands nowhere.
                let made_up = value.span().end < key.span().start;
                let entry = Entry {
                    key: at,
                    value: if made_up {
                        Node::bad(at)
                    } else {
                        self.node(value.get_ref(), value.span())
                    },
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
