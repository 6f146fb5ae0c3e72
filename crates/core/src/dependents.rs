//! Which fields are judged, in an order in which each comes after what it reads; and values that are computed of others.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::{
    judge::Subject,
    name::Name,
    rules::{Expr, Rules, Strategy},
    state::State,
    value::Value,
};

/// Fields that must be judged again when these have changed, in an order in which each comes after what it reads.
#[must_use]
pub fn dependents(changed: &[Name], state: &State, rules: &Rules) -> Vec<Name> {
    let entity = rules.entity(state.id.kind);
    let mut reached: Vec<Name> = changed.to_vec();
    let mut found = Vec::new();
    // Chains are acyclic (config checks it), so at most one new link of a chain is found per round.
    for _ in 0..entity.fields.len() {
        let next = entity.fields.iter().find(|(name, rule)| {
            !found.contains(*name)
                && match &rule.strategy {
                    Strategy::Derived(expr) => {
                        reads(expr).iter().any(|r| reached.contains(r))
                            && reads(expr).iter().all(|r| {
                                found.contains(r) || !is_pending(*r, &reached, &found, entity)
                            })
                    }
                    Strategy::Follow { group } => entity
                        .groups
                        .get(group)
                        .is_some_and(|g| g.fields.iter().any(|f| reached.contains(f))),
                    _ => {
                        rule.consent.is_some()
                            && rules
                                .consents
                                .iter()
                                .any(|c| c.field == **name && reached.contains(&c.address))
                    }
                }
        });
        let Some((name, _)) = next else { break };
        reached.push(*name);
        found.push(*name);
    }
    found
}

/// Whether a derived field will itself be judged again in this round and has not been yet.
fn is_pending(
    field: Name,
    reached: &[Name],
    found: &[Name],
    entity: &crate::rules::EntityRules,
) -> bool {
    if found.contains(&field) {
        return false;
    }
    match entity.fields.get(&field).map(|r| &r.strategy) {
        Some(Strategy::Derived(expr)) => reads(expr).iter().any(|r| reached.contains(r)),
        _ => false,
    }
}

/// The fields an expression reads.
#[must_use]
pub fn reads(expr: &Expr) -> Vec<Name> {
    match expr {
        Expr::Field(name) => vec![*name],
        Expr::Literal(_) => Vec::new(),
        Expr::Concat { parts, .. } | Expr::Coalesce(parts) | Expr::Sum(parts) => {
            parts.iter().flat_map(reads).collect()
        }
        Expr::Lower(inner) | Expr::Upper(inner) | Expr::Domain(inner) => reads(inner),
    }
}

/// Computes a derived value from golden values.
#[must_use]
pub fn evaluate(expr: &Expr, state: &State) -> Value {
    evaluate_with(expr, &|name| state.golden_value(name).clone())
}

/// The same of values from wherever they stand.
pub(crate) fn evaluate_with(expr: &Expr, golden: &dyn Fn(Name) -> Value) -> Value {
    let text = |value: Value| {
        if value.is_blank() {
            None
        } else {
            Some(value.to_string())
        }
    };
    let of_text = |text: String| {
        if text.is_empty() {
            Value::Blank
        } else {
            Value::Text(text.into())
        }
    };
    match expr {
        Expr::Field(name) => golden(*name),
        Expr::Literal(value) => value.clone(),
        Expr::Concat { parts, separator } => {
            let parts: Vec<_> = parts
                .iter()
                .filter_map(|p| text(evaluate_with(p, golden)))
                .collect();
            of_text(parts.join(separator))
        }
        Expr::Coalesce(parts) => parts
            .iter()
            .map(|p| evaluate_with(p, golden))
            .find(|v| !v.is_blank())
            .unwrap_or_default(),
        Expr::Lower(inner) => {
            text(evaluate_with(inner, golden)).map_or(Value::Blank, |t| of_text(t.to_lowercase()))
        }
        Expr::Upper(inner) => {
            text(evaluate_with(inner, golden)).map_or(Value::Blank, |t| of_text(t.to_uppercase()))
        }
        Expr::Sum(parts) => {
            let numbers: Vec<Decimal> = parts
                .iter()
                .filter_map(|p| match evaluate_with(p, golden) {
                    Value::Number(n) => Some(n),
                    _ => None,
                })
                .collect();
            if numbers.is_empty() {
                Value::Blank
            } else {
                Value::Number(
                    numbers
                        .iter()
                        .fold(Decimal::ZERO, |sum, n| sum.saturating_add(*n)),
                )
            }
        }
        Expr::Domain(inner) => text(evaluate_with(inner, golden))
            .and_then(|t| t.rsplit_once('@').map(|(_, domain)| domain.to_lowercase()))
            .map_or(Value::Blank, of_text),
    }
}

/// All subjects of an entity's kind, plain ones first and those that read golden values last.
#[must_use]
pub fn all_subjects(state: &State, rules: &Rules) -> Vec<Subject> {
    let entity = rules.entity(state.id.kind);
    let mut subjects: Vec<Subject> = entity.groups.keys().map(|g| Subject::Group(*g)).collect();
    let mut late: BTreeMap<Name, ()> = BTreeMap::new();
    for (name, rule) in &entity.fields {
        if entity.group_of.contains_key(name) {
            continue;
        }
        if matches!(
            rule.strategy,
            Strategy::Derived(_) | Strategy::Follow { .. }
        ) {
            late.insert(*name, ());
        } else {
            subjects.push(Subject::Field(*name));
        }
    }
    // Twice, so that a derived field that reads another derived one sees its new value whatever their names.
    let ordered = dependents(
        &entity
            .fields
            .keys()
            .filter(|f| !late.contains_key(*f))
            .copied()
            .collect::<Vec<_>>(),
        state,
        rules,
    );
    subjects.extend(
        ordered
            .into_iter()
            .filter(|f| late.contains_key(f))
            .map(Subject::Field),
    );
    subjects
}
