//! `derived` and `follow`: values that hang on other golden values.

use baton_core::{name::Name, rules::Expr, value::Value};
use rust_decimal::Decimal;

use crate::{
    case::{Case, Fact},
    claim::Claim,
    golden,
    strategy::{Table, Verdict},
};

/// The value of an expression over golden values; a circle reads as blank.
pub(crate) fn evaluate(case: &Case, facts: &[Fact], expr: &Expr, path: &[Name]) -> Value {
    let value = |expr: &Expr| evaluate(case, facts, expr, path);
    let text = |expr: &Expr| match value(expr) {
        Value::Blank => None,
        other => Some(other.to_string()),
    };
    let made = |text: Option<String>| text.map_or(Value::Blank, |t| Value::text(&t));
    match expr {
        Expr::Field(name) => {
            if path.contains(name) {
                return Value::Blank;
            }
            golden::one(case, facts, *name, path).map_or(Value::Blank, |answer| answer.value)
        }
        Expr::Literal(literal) => literal.clone(),
        Expr::Concat { parts, separator } => {
            let parts: Vec<String> = parts.iter().filter_map(text).collect();
            made((!parts.is_empty()).then(|| parts.join(separator)))
        }
        Expr::Coalesce(parts) => parts
            .iter()
            .map(value)
            .find(|v| !v.is_blank())
            .unwrap_or_default(),
        Expr::Lower(of) => made(text(of).map(|t| t.to_lowercase())),
        Expr::Upper(of) => made(text(of).map(|t| t.to_uppercase())),
        Expr::Sum(parts) => {
            let numbers: Vec<Decimal> = parts
                .iter()
                .filter_map(|part| match value(part) {
                    Value::Number(n) => Some(n),
                    _ => None,
                })
                .collect();
            if numbers.is_empty() {
                Value::Blank
            } else {
                Value::Number(numbers.into_iter().sum())
            }
        }
        Expr::Domain(of) => {
            let domain = text(of).and_then(|t| t.rsplit_once('@').map(|(_, d)| d.to_owned()));
            made(domain)
        }
    }
}

/// What the record that won the group offers for this field.
pub(crate) fn follow(table: &Table, group: Name, offers: &[Claim]) -> Option<Verdict> {
    if table.path.iter().filter(|n| **n == group).count() > 0 {
        return None;
    }
    let winner = golden::subject_verdict(table.case, table.facts, group, &table.path)?.winner?;
    offers
        .iter()
        .find(|c| c.record == winner)
        .map(|c| Verdict::claim(c.clone(), "follows the group's winner"))
}
