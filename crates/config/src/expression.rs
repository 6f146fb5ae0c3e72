//! The little language of derived fields: `concat(first_name, " ", last_name)`, `coalesce(mobile, phone)`,
//! `domain(email)`. Every mistake points at its own place in the expression.

use baton_core::{
    id::Kind,
    name::Name,
    rules::{Expr, FieldType},
    value::Value,
};
use compact_str::CompactString;

use crate::{
    codes::Code,
    names::World,
    problem::{Problems, Span},
};

const FUNCTIONS: [&str; 7] = [
    "concat", "join", "coalesce", "lower", "upper", "sum", "domain",
];
/// Deeper than this nobody can read.
const MAX_DEPTH: usize = 16;

/// An expression and the fields it reads, with their places.
pub(crate) struct Derived {
    pub expr: Expr,
    pub reads: Vec<(Name, Span)>,
}

/// None where it is wrong; its problem is reported.
pub(crate) fn parse(
    text: &str,
    span: Span,
    kind: Kind,
    world: &World,
    problems: &mut Problems,
) -> Option<Derived> {
    let raw = problems.text(span).to_owned();
    let mut parser = Parser {
        text,
        at: 0,
        raw,
        span,
        kind,
        world,
        reads: Vec::new(),
        problems,
    };
    let expr = parser.expr(0)?;
    parser.blanks();
    if let Some(c) = parser.rest().chars().next() {
        let at = parser.at;
        parser.fail(
            at,
            at.saturating_add(c.len_utf8()),
            format!("`{c}` after the end of the expression"),
        );
        return None;
    }
    Some(Derived {
        expr,
        reads: parser.reads,
    })
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// The text as it stands in the file, with quotes and escapes.
    raw: String,
    span: Span,
    kind: Kind,
    world: &'a World,
    reads: Vec<(Name, Span)>,
    problems: &'a mut Problems,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at = self
            .at
            .saturating_add(rest.len().saturating_sub(rest.trim_start().len()));
    }

    fn place(&self, start: usize, end: usize) -> Span {
        self.span.part(
            raw_offset(&self.raw, start),
            raw_offset(&self.raw, end.max(start)),
        )
    }

    fn fail(&mut self, start: usize, end: usize, message: String) {
        let span = self.place(start, end);
        self.problems.report(Code::ExpressionSyntax, span, message);
    }

    fn take(&mut self, c: char) -> bool {
        self.blanks();
        let there = self.rest().starts_with(c);
        if there {
            self.at = self.at.saturating_add(c.len_utf8());
        }
        there
    }

    fn expr(&mut self, depth: usize) -> Option<Expr> {
        self.blanks();
        let start = self.at;
        let Some(first) = self.rest().chars().next() else {
            // Point at the last character: the end of a text is no place one can see.
            self.fail(
                start.saturating_sub(1),
                start,
                "the expression ends too early".into(),
            );
            return None;
        };
        if depth > MAX_DEPTH {
            self.fail(start, self.text.len(), "this is nested too deep".into());
            return None;
        }
        match first {
            '"' | '\'' => self.literal(first),
            c if c.is_ascii_digit() || c == '-' => self.number(),
            c if c.is_ascii_alphabetic() => self.word(depth),
            c => {
                self.fail(
                    start,
                    start.saturating_add(c.len_utf8()),
                    format!("`{c}` cannot stand here"),
                );
                None
            }
        }
    }

    fn literal(&mut self, quote: char) -> Option<Expr> {
        let start = self.at;
        let body = self.rest().get(1..).unwrap_or_default();
        let Some(end) = body.find(quote) else {
            self.fail(start, self.text.len(), "this text is never closed".into());
            return None;
        };
        let text = body.get(..end).unwrap_or_default();
        self.at = start.saturating_add(end).saturating_add(2);
        Some(Expr::Literal(Value::text(text)))
    }

    fn number(&mut self) -> Option<Expr> {
        let start = self.at;
        let rest = self.rest();
        let len = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'))
            .unwrap_or(rest.len());
        let text = rest.get(..len).unwrap_or_default();
        self.at = start.saturating_add(len);
        match text.parse() {
            Ok(number) => Some(Expr::Literal(Value::Number(number))),
            Err(_) => {
                self.fail(start, self.at, format!("`{text}` is no number"));
                None
            }
        }
    }

    fn word(&mut self, depth: usize) -> Option<Expr> {
        let start = self.at;
        let rest = self.rest();
        let len = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        let word = rest.get(..len).unwrap_or_default();
        self.at = start.saturating_add(len);
        let span = self.place(start, self.at);
        if self.take('(') {
            let function = if FUNCTIONS.contains(&word) {
                Some(word)
            } else {
                self.problems
                    .unknown(Code::ExpressionFunction, span, "function", word, FUNCTIONS)
            };
            let arguments = self.arguments(depth)?;
            return self.call(function?, span, arguments);
        }
        let name = self.world.field(self.kind, word, span, self.problems)?;
        self.reads.push((name, span));
        Some(Expr::Field(name))
    }

    fn arguments(&mut self, depth: usize) -> Option<Vec<Expr>> {
        let mut arguments = Vec::new();
        if self.take(')') {
            return Some(arguments);
        }
        loop {
            arguments.push(self.expr(depth.saturating_add(1))?);
            if self.take(',') {
                continue;
            }
            if self.take(')') {
                return Some(arguments);
            }
            let at = self.at;
            match self.rest().chars().next() {
                Some(c) => self.fail(
                    at,
                    at.saturating_add(c.len_utf8()),
                    "a comma or `)` is missing before this".into(),
                ),
                None => self.fail(at.saturating_sub(1), at, "a `)` is missing".into()),
            }
            return None;
        }
    }

    fn wrong_arguments(&mut self, span: Span, message: String) -> Option<Expr> {
        self.problems
            .report(Code::ExpressionArguments, span, message);
        None
    }

    fn call(&mut self, function: &str, span: Span, mut arguments: Vec<Expr>) -> Option<Expr> {
        let count = arguments.len();
        if matches!(function, "lower" | "upper" | "domain") {
            let (Some(one), 1) = (arguments.pop(), count) else {
                return self.wrong_arguments(
                    span,
                    format!("`{function}` takes one argument, not {count}"),
                );
            };
            return match function {
                "lower" => Some(Expr::Lower(Box::new(one))),
                "upper" => Some(Expr::Upper(Box::new(one))),
                _ if self.is_of(&one, |kind| kind == FieldType::Email) => {
                    Some(Expr::Domain(Box::new(one)))
                }
                _ => self.wrong_arguments(span, "`domain` needs an e-mail field".into()),
            };
        }
        if arguments.is_empty() {
            return self.wrong_arguments(span, format!("`{function}` needs arguments"));
        }
        match function {
            "coalesce" => Some(Expr::Coalesce(arguments)),
            "sum" => {
                let numbers = |kind| matches!(kind, FieldType::Number | FieldType::Integer);
                if arguments.iter().all(|a| self.is_of(a, numbers)) {
                    Some(Expr::Sum(arguments))
                } else {
                    self.wrong_arguments(span, "`sum` needs numbers".into())
                }
            }
            "join" => {
                let separator: Option<CompactString> = match arguments.first() {
                    Some(Expr::Literal(Value::Text(text))) if count > 1 => Some(text.clone()),
                    _ => None,
                };
                match separator {
                    Some(separator) => Some(Expr::Concat {
                        parts: arguments.into_iter().skip(1).collect(),
                        separator,
                    }),
                    None => self.wrong_arguments(
                        span,
                        "`join` needs a separator in quotes and what to join".into(),
                    ),
                }
            }
            _ => Some(Expr::Concat {
                parts: arguments,
                separator: CompactString::default(),
            }),
        }
    }

    /// Whether an argument can be of such a type, as far as that can be told.
    fn is_of(&self, expr: &Expr, fits: impl Fn(FieldType) -> bool + Copy) -> bool {
        match expr {
            Expr::Field(name) => self
                .world
                .declared(self.kind, name.as_str())
                .is_none_or(|d| !d.certain || fits(d.kind)),
            Expr::Literal(Value::Number(_)) | Expr::Sum(_) => fits(FieldType::Number),
            Expr::Literal(_) | Expr::Concat { .. } | Expr::Domain(_) => fits(FieldType::Text),
            Expr::Lower(inner) | Expr::Upper(inner) => self.is_of(inner, fits),
            Expr::Coalesce(parts) => parts.iter().all(|p| self.is_of(p, fits)),
        }
    }
}

/// Where the byte `offset` of a decoded TOML string stands in the string as written.
fn raw_offset(raw: &str, offset: usize) -> usize {
    let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") {
        3
    } else {
        1
    };
    let escapes = raw.starts_with('"');
    let mut decoded: usize = 0;
    let mut at: usize = quotes;
    while decoded < offset {
        let rest = raw.get(at..).unwrap_or_default();
        let Some(c) = rest.chars().next() else {
            break;
        };
        let (written, meant) = if c == '\\' && escapes {
            match rest.chars().nth(1) {
                // Long escapes are no part of an expression anybody writes; one byte is near enough.
                Some('u') => (6, 1),
                Some('U') => (10, 1),
                _ => (2, 1),
            }
        } else {
            (c.len_utf8(), c.len_utf8())
        };
        at = at.saturating_add(written);
        decoded = decoded.saturating_add(meant);
    }
    at
}
