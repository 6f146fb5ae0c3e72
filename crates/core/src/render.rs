//! From canonical to a target's own form, and what the target will then show.

use compact_str::CompactString;
use rust_decimal::Decimal;

use crate::{
    canon::canonicalise,
    change::{Format, Seen},
    rules::{FieldRule, FieldType, MappedField, System},
    time::DAY,
    value::{Raw, Value},
};

/// How `value` is written to `system`, and the canonical form of what the target will then show: the same value
/// again, save where the mapping is known to lose something (a text cut at `max_length`, a date of an instant).
///
/// None where the target has no way to say it: a value outside a closed value map, another system's reference, an
/// address, number or link longer than the target keeps (cut, it would be another one), a value that is not of the
/// field's type or that would read as a filler there. Such a field is left as it is.
///
/// Reading back what was written gives the second member: `canonicalise(first) == second`.
#[must_use]
pub fn render(
    value: &Value,
    field_rule: &FieldRule,
    mapped: &MappedField,
    system: &System,
) -> Option<(serde_json::Value, Value)> {
    if value.is_blank() {
        return Some((serde_json::Value::Null, Value::Blank));
    }
    let scribe = Scribe {
        rule: field_rule,
        mapped,
        system,
    };
    let labelled = !mapped.values.is_empty() && !matches!(value, Value::Set(_));
    if labelled && let Some(label) = scribe.label(value) {
        return Some((label_json(label), value.clone()));
    }
    if labelled && mapped.closed {
        return None;
    }
    let written = scribe.write(value)?;
    let (shown, seen) = canonicalise(&Raw::from_json(&written), field_rule, mapped, system);
    let understood = matches!(seen, Seen::Value | Seen::Doubtful) && !shown.is_blank();
    let faithful = match (value, &shown) {
        // Items may be lost to the length, but none may turn into another (one with the separator in it would).
        (Value::Set(items), Value::Set(shown)) => shown.iter().all(|item| items.contains(item)),
        // What passes an open value map unchanged must not happen to be the label of something else.
        _ => !labelled || shown == *value,
    };
    (understood && faithful).then_some((written, shown))
}

struct Scribe<'a> {
    rule: &'a FieldRule,
    mapped: &'a MappedField,
    system: &'a System,
}

impl Scribe<'_> {
    /// The label that the mapping says to write, else the first of the vendor's labels, in their order, that is read
    /// as `value`.
    fn label(&self, value: &Value) -> Option<&CompactString> {
        let means = |label: &CompactString| {
            let raw = Raw::Text(label.clone());
            canonicalise(&raw, self.rule, self.mapped, self.system) == (value.clone(), Seen::Value)
        };
        let chosen = self.mapped.write.get(value.to_string().as_str());
        chosen
            .filter(|label| means(label))
            .or_else(|| self.mapped.values.keys().find(|label| means(label)))
    }

    fn write(&self, value: &Value) -> Option<serde_json::Value> {
        match value {
            Value::Blank => Some(serde_json::Value::Null),
            Value::Bool(b) => Some((*b != self.mapped.negate).into()),
            Value::Number(n) => Some(number_json(*n)),
            Value::Date(days) if self.mapped.epoch_millis => Some((i64::from(*days) * DAY).into()),
            Value::Time(at) if self.mapped.epoch_millis => Some(at.0.into()),
            Value::Date(_) | Value::Time(_) => Some(value.to_string().into()),
            Value::Text(text) => self.write_text(text).map(Into::into),
            Value::Set(items) => self.write_set(items),
        }
    }

    fn write_text<'v>(&self, text: &'v str) -> Option<&'v str> {
        let text = match self.rule.kind {
            FieldType::Reference => text
                .strip_prefix(self.system.name.as_str())?
                .strip_prefix(':')?,
            _ => text,
        };
        let Some(limit) = self.mapped.max_length else {
            return Some(text);
        };
        match text.char_indices().nth(limit) {
            None => Some(text),
            Some((cut, _)) if self.rule.kind == FieldType::Text => Some(text[..cut].trim_end()),
            Some(_) => None,
        }
    }

    /// Whole items only: half an item is another one.
    fn write_set(&self, items: &[CompactString]) -> Option<serde_json::Value> {
        let mut labels: Vec<CompactString> = Vec::with_capacity(items.len());
        for item in items {
            match self.item_label(item) {
                Some(label) => labels.push(label.clone()),
                None if self.mapped.closed && !self.mapped.values.is_empty() => return None,
                None => labels.push(item.clone()),
            }
        }
        let Some(separator) = self.separator() else {
            return Some(labels.iter().map(CompactString::as_str).collect());
        };
        let mut text = String::new();
        let mut length = 0;
        for label in &labels {
            let more = label.chars().count() + usize::from(!text.is_empty());
            if self
                .mapped
                .max_length
                .is_some_and(|limit| length + more > limit)
            {
                break;
            }
            if !text.is_empty() {
                text.push(separator);
            }
            text.push_str(label);
            length += more;
        }
        Some(text.into())
    }

    fn labels(&self) -> impl Iterator<Item = &CompactString> {
        self.mapped.write.values().chain(self.mapped.values.keys())
    }

    fn item_label(&self, item: &CompactString) -> Option<&CompactString> {
        self.labels().find(|label| {
            let raw = Raw::List(vec![(*label).clone()]);
            let (read, seen) = canonicalise(&raw, self.rule, self.mapped, self.system);
            seen == Seen::Value && matches!(read, Value::Set(set) if set == [item.clone()])
        })
    }

    /// `;` unless the mapping says otherwise; none for systems whose interface takes lists.
    fn separator(&self) -> Option<char> {
        match (self.mapped.separator, self.system.format) {
            (None, Format::Espocrm | Format::Mautic) => None,
            (separator, _) => Some(separator.unwrap_or(';')),
        }
    }
}

/// A vendor's label as its interface wants it: the labels `true` and `false` are truth values.
fn label_json(label: &str) -> serde_json::Value {
    match label {
        "true" => true.into(),
        "false" => false.into(),
        _ => label.into(),
    }
}

/// A JSON number where JSON's numbers can hold it exactly, else text: nothing is lost to floating point.
fn number_json(number: Decimal) -> serde_json::Value {
    let text = number.normalize().to_string();
    match text.parse::<serde_json::Number>() {
        Ok(json) if json.to_string() == text => serde_json::Value::Number(json),
        _ => text.into(),
    }
}
