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
    scan::Scan,
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
        scan: Scan::new(text, raw, span),
        kind,
        world,
        reads: Vec::new(),
        problems,
    };
    let expr = parser.expr(0)?;
    parser.scan.blanks();
    if let (Some(c), place) = parser.scan.here() {
        parser.fail(place, format!("`{c}` after the end of the expression"));
        return None;
    }
    Some(Derived {
        expr,
        reads: parser.reads,
    })
}

struct Parser<'a> {
    scan: Scan<'a>,
    kind: Kind,
    world: &'a World,
    reads: Vec<(Name, Span)>,
    problems: &'a mut Problems,
}

impl Parser<'_> {
    fn fail(&mut self, span: Span, message: String) {
        self.problems.report(Code::ExpressionSyntax, span, message);
    }

    fn expr(&mut self, depth: usize) -> Option<Expr> {
        self.scan.blanks();
        let (first, place) = self.scan.here();
        let Some(first) = first else {
            self.fail(place, "the expression ends too early".into());
            return None;
        };
        if depth > MAX_DEPTH {
            let rest = self.scan.place(self.scan.at, self.scan.text.len());
            self.fail(rest, "this is nested too deep".into());
            return None;
        }
        match first {
            '"' | '\'' => self.literal(first),
            c if c.is_ascii_digit() || c == '-' => self.number(),
            c if c.is_ascii_alphabetic() => self.word(depth),
            c => {
                self.fail(place, format!("`{c}` cannot stand here"));
                None
            }
        }
    }

    fn literal(&mut self, quote: char) -> Option<Expr> {
        match self.scan.quoted(quote) {
            (Some(text), _) => Some(Expr::Literal(Value::text(text))),
            (None, span) => {
                self.fail(span, "this text is never closed".into());
                None
            }
        }
    }

    fn number(&mut self) -> Option<Expr> {
        let (text, span) = self
            .scan
            .run(|c| c.is_ascii_digit() || c == '.' || c == '-');
        match text.parse() {
            Ok(number) => Some(Expr::Literal(Value::Number(number))),
            Err(_) => {
                self.fail(span, format!("`{text}` is no number"));
                None
            }
        }
    }

    fn word(&mut self, depth: usize) -> Option<Expr> {
        let (word, span) = self.scan.word();
        if self.scan.take('(') {
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
        if self.scan.take(')') {
            return Some(arguments);
        }
        loop {
            arguments.push(self.expr(depth.saturating_add(1))?);
            if self.scan.take(',') {
                continue;
            }
            if self.scan.take(')') {
                return Some(arguments);
            }
            match self.scan.here() {
                (Some(_), place) => {
                    self.fail(place, "a comma or `)` is missing before this".into());
                }
                (None, place) => self.fail(place, "a `)` is missing".into()),
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
                    Some(Expr::Literal(Value::Text(text))) if count > 1 => {
                        Some(text.as_str().into())
                    }
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
