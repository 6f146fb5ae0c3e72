//! Values of fields as stewards write them.

use baton_core::{rules::FieldType, time::Millis, value::Value};

use crate::{quantity, regions};

/// A value as the core compares it; none if no value of the type is written so.
pub(crate) fn typed(kind: FieldType, text: &str) -> Option<Value> {
    match kind {
        FieldType::Boolean => text.parse().ok().map(Value::Bool),
        FieldType::Number | FieldType::Integer => text.parse().ok().map(Value::Number),
        FieldType::Date => quantity::day(text).map(Value::Date),
        FieldType::Instant => Millis::parse(text).map(Value::Time),
        FieldType::Email => Some(Value::text(&text.to_lowercase())),
        FieldType::Country => regions::is_region(text).then(|| Value::text(text)),
        FieldType::MultiSelect => None,
        FieldType::Text | FieldType::Phone | FieldType::Url | FieldType::Reference => {
            Some(Value::text(text))
        }
    }
}

/// How a value of a type is written.
pub(super) fn form(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Boolean => "Write true or false.",
        FieldType::Number | FieldType::Integer => "Write a number.",
        FieldType::Date => "Write a day such as 2026-12-25.",
        FieldType::Instant => "Write a time such as '2026-12-25T08:00:00Z'.",
        FieldType::Country => "Write the two capital letters of a country, in single quotes.",
        _ => "Put texts in single quotes.",
    }
}
