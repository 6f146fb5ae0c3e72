//! Conditions over a person's fields, stage and time, as stewards write them:
//! `country in ('DE', 'AT') and not (bought within 30d)`. Every mistake points at its own place in the condition.

mod values;

use std::collections::BTreeSet;

use baton_core::{
    id::Kind, lifecycle::predicate::Predicate, name::Name, rules::FieldType, value::Value,
};

use crate::{
    codes::Code,
    names::World,
    problem::{Problems, Span},
    quantity, regions,
    scan::Scan,
    strategy::type_name,
    tree::Table,
};
use values::form;
pub(crate) use values::typed;

/// Deeper than this nobody can read.
const MAX_DEPTH: usize = 16;
/// Words that are no fields.
const OWN: [&str; 3] = ["stage", "suppressed", "time_in_stage"];

/// The condition under a key; that which always holds where there is none or it is wrong.
pub(crate) fn under(key: &str, table: &Table, world: &World, problems: &mut Problems) -> Predicate {
    optional(key, table, world, problems).unwrap_or(Predicate::Always)
}

/// The condition under a key, if there is one.
pub(crate) fn optional(
    key: &str,
    table: &Table,
    world: &World,
    problems: &mut Problems,
) -> Option<Predicate> {
    let (text, span) = table.text(key)?;
    parse(text, span, world, problems)
}

/// None where it is wrong; its problem is reported.
fn parse(text: &str, span: Span, world: &World, problems: &mut Problems) -> Option<Predicate> {
    let raw = problems.text(span).to_owned();
    let mut parser = Parser {
        scan: Scan::new(text, raw, span),
        world,
        problems,
    };
    let condition = parser.any(0)?;
    parser.scan.blanks();
    match parser.scan.here() {
        (None, _) => Some(condition),
        (Some(c), _) => {
            let (word, span) = parser.token();
            let fix = if matches!(c, '=' | '!' | '<' | '>') {
                "Compare a field with one value; join two tests by `and` or `or`."
            } else {
                "Join two tests by `and` or `or`."
            };
            parser.fail(
                span,
                format!("`{word}` after the end of the condition"),
                fix,
            )
        }
    }
}

struct Parser<'a> {
    scan: Scan<'a>,
    world: &'a World,
    problems: &'a mut Problems,
}

/// How two values are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Is,
    IsNot,
    AtLeast,
    AtMost,
    Over,
    Under,
}

/// In the order in which they are looked for: the longer ones first.
const OPERATORS: [(&str, Operator); 6] = [
    ("!=", Operator::IsNot),
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    (">", Operator::Over),
    ("<", Operator::Under),
    ("=", Operator::Is),
];

impl<'a> Parser<'a> {
    fn fail<T>(&mut self, span: Span, message: String, fix: &str) -> Option<T> {
        self.problems
            .report(Code::ConditionSyntax, span, message)
            .fix(fix);
        None
    }

    /// The word, or the one character, that comes next.
    fn token(&mut self) -> (String, Span) {
        self.scan.blanks();
        let (word, span) = self.scan.word();
        if !word.is_empty() {
            return (word.to_owned(), span);
        }
        let (c, span) = self.scan.here();
        self.scan.skip(c.map_or(0, char::len_utf8));
        (c.map(String::from).unwrap_or_default(), span)
    }

    /// Passes over a word, if it comes next.
    fn take(&mut self, wanted: &str) -> bool {
        self.scan.blanks();
        let start = self.scan.at;
        let there = self.scan.word().0 == wanted;
        if !there {
            self.scan.at = start;
        }
        there
    }

    fn any(&mut self, depth: usize) -> Option<Predicate> {
        let mut parts = vec![self.all(depth)?];
        while self.take("or") {
            parts.push(self.all(depth)?);
        }
        Some(joined(parts, Predicate::Any))
    }

    fn all(&mut self, depth: usize) -> Option<Predicate> {
        let mut parts = vec![self.one(depth)?];
        while self.take("and") {
            parts.push(self.one(depth)?);
        }
        Some(joined(parts, Predicate::All))
    }

    fn one(&mut self, depth: usize) -> Option<Predicate> {
        if depth > MAX_DEPTH {
            let rest = self.scan.place(self.scan.at, self.scan.text.len());
            return self.fail(
                rest,
                "this is nested too deep".into(),
                "Say it in fewer steps.",
            );
        }
        let deeper = depth.saturating_add(1);
        if self.take("not") {
            let inner = self.one(deeper)?;
            return Some(Predicate::Not(Box::new(inner)));
        }
        if self.scan.take('(') {
            let inner = self.any(deeper)?;
            if !self.scan.take(')') {
                let (_, place) = self.scan.here();
                return self.fail(place, "a `)` is missing here".into(), "Close the bracket.");
            }
            return Some(inner);
        }
        self.test()
    }

    fn test(&mut self) -> Option<Predicate> {
        self.scan.blanks();
        let (first, place) = self.scan.here();
        let Some(first) = first else {
            return self.fail(
                place,
                "the condition ends too early".into(),
                "Say what is to be tested.",
            );
        };
        if !first.is_alphabetic() {
            return self.fail(
                place,
                format!("`{first}` cannot stand here"),
                "Begin a test with a field, `stage`, `time_in_stage` or `suppressed`.",
            );
        }
        let (word, span) = self.scan.word();
        match word {
            "suppressed" => Some(Predicate::Suppressed),
            "stage" => self.stage(),
            "time_in_stage" => self.time_in_stage(),
            _ => self.field(word, span),
        }
    }

    fn operator(&mut self) -> Option<(Operator, Span)> {
        self.scan.blanks();
        let start = self.scan.at;
        let (sign, operator) = OPERATORS
            .into_iter()
            .find(|(sign, _)| self.scan.rest().starts_with(sign))?;
        self.scan.skip(sign.len());
        Some((operator, self.scan.place(start, self.scan.at)))
    }

    fn stage(&mut self) -> Option<Predicate> {
        let (negated, stages) = self.one_or_list(|parser| {
            let (text, span) = parser.literal()?;
            match text {
                Literal::Text(text) => parser.world.stage(text, span, parser.problems),
                _ => parser.fail(span, "a stage is a text".into(), "Put it in single quotes."),
            }
        })?;
        let stages = Predicate::InStage(stages.into_iter().collect());
        Some(negate(negated, stages))
    }

    fn time_in_stage(&mut self) -> Option<Predicate> {
        let Some((operator, span)) = self.operator() else {
            let (word, span) = self.token();
            return self.fail(
                span,
                format!("`{word}` after `time_in_stage`"),
                "Write `time_in_stage >= 30d` or `time_in_stage < 30d`.",
            );
        };
        let spent = Predicate::InStageFor(self.duration()?);
        match operator {
            Operator::AtLeast => Some(spent),
            Operator::Under => Some(negate(true, spent)),
            _ => self.fail(
                span,
                "time in a stage is either reached or not".into(),
                "Write `time_in_stage >= 30d` or `time_in_stage < 30d`.",
            ),
        }
    }

    fn field(&mut self, word: &str, span: Span) -> Option<Predicate> {
        let name = if self.world.declared(Kind::Person, word).is_some() {
            Name::new(word)
        } else {
            let names = self.world.field_names(Kind::Person).chain(OWN);
            let meant =
                self.problems
                    .unknown(Code::UnknownField, span, "person field", word, names)?;
            // What was meant may be none of the fields: nothing more is said of this test.
            self.world.declared(Kind::Person, meant)?;
            Name::new(meant)
        };
        let declared = self.world.declared(Kind::Person, name.as_str())?;
        let kind = declared.kind;
        if !declared.certain {
            // Its type is reported as wrong where it stands; the rest of the condition cannot be judged.
            return None;
        }
        if self.take("is") {
            return self.blankness(name);
        }
        if self.take("within") {
            if !matches!(kind, FieldType::Date | FieldType::Instant) {
                return self.unfit(span, format!("`within` on `{name}`, which is no date"));
            }
            return Some(Predicate::Within(name, self.duration()?));
        }
        let start = self.scan.at;
        if let Some((operator, place)) = self.operator()
            && !matches!(operator, Operator::Is | Operator::IsNot)
        {
            let ordered = matches!(
                kind,
                FieldType::Number | FieldType::Integer | FieldType::Date | FieldType::Instant
            );
            if !ordered {
                let what = type_name(kind);
                return self.unfit(
                    place,
                    format!("`{name}` is of type {what}: none is more than another"),
                );
            }
            let bound = self.value(name, kind)?;
            return Some(compared(name, operator, bound));
        }
        self.scan.at = start;
        self.scan.blanks();
        let alone = self.at_join();
        if alone && kind == FieldType::Boolean {
            return Some(Predicate::OneOf(name, [Value::Bool(true)].into()));
        }
        if alone {
            return self.unfit(
                span,
                format!("`{name}` alone is no test: it is not true or false"),
            );
        }
        if kind == FieldType::MultiSelect {
            return self.unfit(
                span,
                format!("`{name}` has several values and can only be present or blank"),
            );
        }
        let (negated, values) = self.one_or_list(|parser| parser.value(name, kind))?;
        let values: BTreeSet<Value> = values.into_iter().collect();
        Some(negate(negated, Predicate::OneOf(name, values)))
    }

    /// Whether the test ends here.
    fn at_join(&mut self) -> bool {
        let start = self.scan.at;
        let (word, _) = self.scan.word();
        self.scan.at = start;
        let next = self.scan.rest().chars().next();
        matches!(word, "and" | "or") || next.is_none_or(|c| c == ')')
    }

    fn blankness(&mut self, name: Name) -> Option<Predicate> {
        let (word, span) = self.token();
        match word.as_str() {
            "present" => Some(Predicate::Present(name)),
            "blank" => Some(negate(true, Predicate::Present(name))),
            _ => self.fail(
                span,
                format!("`{word}` after `is`"),
                "Write `is present` or `is blank`; compare with a value by `=`.",
            ),
        }
    }

    /// `= a`, `!= a`, `in (a, b)` or `not in (a, b)`, and whether it is one of the negative ones.
    fn one_or_list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<(bool, Vec<T>)> {
        const WHAT: &str = "Write `= 'value'`, `!= 'value'`, `in ('one', 'two')`, `not in (…)`, `is present` or `is blank`.";
        match self.operator() {
            Some((Operator::Is, _)) => return Some((false, vec![item(self)?])),
            Some((Operator::IsNot, _)) => return Some((true, vec![item(self)?])),
            Some((_, span)) => {
                return self.fail(span, "none is more than another here".into(), WHAT);
            }
            None => {}
        }
        let negated = self.take("not");
        if !self.take("in") {
            let (word, span) = self.token();
            let message = if word.is_empty() {
                "the condition ends too early".to_owned()
            } else {
                format!("`{word}` cannot stand here")
            };
            return self.fail(span, message, WHAT);
        }
        if !self.scan.take('(') {
            let (_, place) = self.scan.here();
            return self.fail(place, "a `(` is missing here".into(), WHAT);
        }
        let mut items = vec![item(self)?];
        while self.scan.take(',') {
            items.push(item(self)?);
        }
        if !self.scan.take(')') {
            let (_, place) = self.scan.here();
            return self.fail(
                place,
                "a comma or `)` is missing here".into(),
                "Put commas between the values and close the bracket.",
            );
        }
        Some((negated, items))
    }

    fn literal(&mut self) -> Option<(Literal<'a>, Span)> {
        self.scan.blanks();
        match self.scan.here() {
            (Some(quote @ ('\'' | '"')), _) => match self.scan.quoted(quote) {
                (Some(text), span) => Some((Literal::Text(text), span)),
                (None, span) => self.fail(
                    span,
                    "this text is never closed".into(),
                    "Close the quotes.",
                ),
            },
            (Some(c), _) if c.is_alphanumeric() || c == '-' => {
                let (text, span) = self
                    .scan
                    .run(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':'));
                let plain = matches!(text, "true" | "false")
                    || text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
                if plain {
                    return Some((Literal::Plain(text), span));
                }
                self.fail(
                    span,
                    format!("`{text}` is no value"),
                    "Put texts in single quotes.",
                )
            }
            (found, place) => self.fail(
                place,
                found.map_or_else(
                    || "the condition ends too early".to_owned(),
                    |c| format!("`{c}` cannot stand here"),
                ),
                "Write a value: a text in single quotes, a number, true or false.",
            ),
        }
    }

    fn duration(&mut self) -> Option<i64> {
        let (literal, span) = self.literal()?;
        let text = match literal {
            Literal::Text(text) | Literal::Plain(text) => text,
        };
        quantity::duration(text)
            .filter(|ms| *ms > 0)
            .or_else(|| self.fail(span, format!("`{text}` is no time"), "Write 30d or 8h."))
    }

    fn value(&mut self, name: Name, kind: FieldType) -> Option<Value> {
        let (literal, span) = self.literal()?;
        let (text, quoted) = match literal {
            Literal::Text(text) => (text, true),
            Literal::Plain(text) => (text, false),
        };
        let values: &[String] = self
            .world
            .declared(Kind::Person, name.as_str())
            .map_or(&[], |d| &d.values);
        if !values.is_empty() && !values.iter().any(|v| v == text) {
            let what = format!("value of `{name}`");
            let known = values.iter().map(String::as_str);
            let meant = self
                .problems
                .unknown(Code::ConditionValue, span, &what, text, known)?;
            return typed(kind, meant);
        }
        let textual = !matches!(
            kind,
            FieldType::Boolean
                | FieldType::Number
                | FieldType::Integer
                | FieldType::Date
                | FieldType::Instant
        );
        let found = typed(kind, text).filter(|_| quoted || !textual);
        if found.is_none() {
            let meant = (kind == FieldType::Country).then(|| regions::meant(text));
            self.problems
                .report(
                    Code::ConditionValue,
                    span,
                    format!("`{text}` can be no value of `{name}`"),
                )
                .suggest(meant.flatten())
                .fix(form(kind));
        }
        found
    }

    fn unfit<T>(&mut self, span: Span, message: String) -> Option<T> {
        self.problems.report(Code::ConditionTest, span, message);
        None
    }
}

enum Literal<'a> {
    Text(&'a str),
    /// A number, a day, a time, or true or false.
    Plain(&'a str),
}

fn negate(negated: bool, inner: Predicate) -> Predicate {
    if negated {
        Predicate::Not(Box::new(inner))
    } else {
        inner
    }
}

fn joined(mut parts: Vec<Predicate>, how: fn(Vec<Predicate>) -> Predicate) -> Predicate {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            how(parts)
        }
        None => Predicate::Always,
    }
}

fn compared(name: Name, operator: Operator, bound: Value) -> Predicate {
    let other = |bound: &Value| negate(true, Predicate::OneOf(name, [bound.clone()].into()));
    match operator {
        Operator::Over => Predicate::All(vec![other(&bound), Predicate::AtLeast(name, bound)]),
        Operator::Under => Predicate::All(vec![other(&bound), Predicate::AtMost(name, bound)]),
        Operator::AtMost => Predicate::AtMost(name, bound),
        _ => Predicate::AtLeast(name, bound),
    }
}
