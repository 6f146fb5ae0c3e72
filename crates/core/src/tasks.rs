//! What rules leave to a steward: differing values of a `manual` field, and clears that `clear = "hold"` keeps back.

use std::collections::BTreeSet;

use crate::{
    book::ParkedCode,
    claim::{Claims, Eligibility},
    effects::Effects,
    name::Name,
    rules::{ClearPolicy, FieldRule, Rules, Strategy},
    state::State,
    time::Millis,
    value::Value,
};

/// Puts before a steward what the fields just moved leave open, and takes back what settled itself.
pub fn ask_stewards(
    state: &State,
    touched: &BTreeSet<Name>,
    rules: &Rules,
    at: Millis,
    effects: &mut Effects,
) {
    let entity = rules.entity(state.id.kind);
    for field in touched {
        let Some(rule) = entity.fields.get(field) else {
            continue;
        };
        if matches!(rule.strategy, Strategy::Manual { .. }) {
            let code = ParkedCode::ManualDecision;
            if is_disputed(state, *field, rule, rules) {
                let why = format!("the systems differ about `{field}`, and its rule is `manual`");
                effects.park(state, code, None, Some(*field), at, why);
            } else {
                effects.unpark(state, code, None, Some(*field));
            }
        }
        if rule.clear == ClearPolicy::Hold {
            hold_clears(state, *field, rules, at, effects);
        }
    }
}

/// Whether a record offers another value than the rest, or than a steward's decision that is older.
fn is_disputed(state: &State, field: Name, rule: &FieldRule, rules: &Rules) -> bool {
    let claims = Claims::of_field(state, field, rules);
    let how = Eligibility {
        clear: rule.clear,
        protect: rule.protect_manual,
    };
    let mut offers: Vec<(Millis, &Value)> = Vec::new();
    let mut last_record = None;
    for (of, turn, bar) in claims.all(how, rules) {
        let (None, [value]) = (bar, turn.content.values()) else {
            continue;
        };
        // Turns of one record stand together and in order; the last eligible one is its offer.
        if last_record == Some(of.record) {
            offers.pop();
        }
        last_record = Some(of.record);
        offers.push((turn.time, *value));
    }
    match state.ruling(field) {
        Some(ruling) => offers
            .iter()
            .any(|(time, value)| *time > ruling.at && **value != ruling.value),
        None => offers.windows(2).any(|pair| pair[0].1 != pair[1].1),
    }
}

/// One task per record whose last word on the field is a clear.
fn hold_clears(state: &State, field: Name, rules: &Rules, at: Millis, effects: &mut Effects) {
    let code = ParkedCode::HeldClears;
    for of in &Claims::of_field(state, field, rules).records {
        let cleared = of.turns.last().is_some_and(|t| t.content.is_blank());
        if cleared {
            let why = format!("`{field}` was cleared, and clears of it are held");
            effects.park(state, code, Some(of.record), Some(field), at, why);
        } else if !of.turns.is_empty() {
            effects.unpark(state, code, Some(of.record), Some(field));
        }
    }
}
