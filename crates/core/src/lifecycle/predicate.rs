//! Conditions over a person's fields, stage and time.

use std::collections::BTreeSet;

use crate::{
    name::Name,
    state::Sorted,
    time::{DAY, Millis},
    value::Value,
};

/// A typed condition. `check` makes it of what a steward writes, and knows that its fields exist and fit.
#[derive(Clone, PartialEq, Debug)]
pub enum Predicate {
    Always,
    /// The field has a value.
    Present(Name),
    /// The field has one of these values.
    OneOf(Name, BTreeSet<Value>),
    /// The field has a value, of the same type, that is not less.
    AtLeast(Name, Value),
    /// The field has a value, of the same type, that is not greater.
    AtMost(Name, Value),
    /// The date or instant in the field is past, by less than so many milliseconds. A date is its first moment in UTC.
    Within(Name, i64),
    /// The person is in one of these stages.
    InStage(BTreeSet<Name>),
    /// The person has been in its stage for at least so many milliseconds.
    InStageFor(i64),
    /// All marketing to the person is suppressed.
    Suppressed,
    Not(Box<Predicate>),
    All(Vec<Predicate>),
    Any(Vec<Predicate>),
}

/// What a condition looks at.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub fields: &'a Sorted<Name, Value>,
    pub stage: Name,
    /// When the person entered it.
    pub since: Millis,
    pub suppressed: bool,
    pub now: Millis,
}

impl Predicate {
    #[must_use]
    pub fn holds(&self, view: &View) -> bool {
        match self {
            Self::Always => true,
            Self::Present(field) => !view.value(*field).is_blank(),
            Self::OneOf(field, values) => values.contains(view.value(*field)),
            Self::AtLeast(field, bound) => comparable(view.value(*field), bound, |v, b| v >= b),
            Self::AtMost(field, bound) => comparable(view.value(*field), bound, |v, b| v <= b),
            Self::Within(field, span) => view
                .instant(*field)
                .is_some_and(|at| at <= view.now && view.now.since(at) < *span),
            Self::InStage(stages) => stages.contains(&view.stage),
            Self::InStageFor(span) => view.now.since(view.since) >= *span,
            Self::Suppressed => view.suppressed,
            Self::Not(inner) => !inner.holds(view),
            Self::All(parts) => parts.iter().all(|p| p.holds(view)),
            Self::Any(parts) => parts.iter().any(|p| p.holds(view)),
        }
    }

    /// The fields that it reads.
    #[must_use]
    pub fn fields(&self) -> BTreeSet<Name> {
        match self {
            Self::Present(field)
            | Self::OneOf(field, _)
            | Self::AtLeast(field, _)
            | Self::AtMost(field, _)
            | Self::Within(field, _) => [*field].into(),
            Self::Not(inner) => inner.fields(),
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::fields).collect(),
            Self::Always | Self::InStage(_) | Self::InStageFor(_) | Self::Suppressed => {
                BTreeSet::new()
            }
        }
    }

    /// The next instant after `view.now` at which time alone may change the answer.
    #[must_use]
    pub fn turns(&self, view: &View) -> Option<Millis> {
        let later = |at: Millis| (at > view.now).then_some(at);
        match self {
            Self::Within(field, span) => {
                let at = view.instant(*field)?;
                later(at).or_else(|| later(at.plus(*span)))
            }
            Self::InStageFor(span) => later(view.since.plus(*span)),
            Self::Not(inner) => inner.turns(view),
            Self::All(parts) | Self::Any(parts) => parts.iter().filter_map(|p| p.turns(view)).min(),
            Self::Always
            | Self::Present(_)
            | Self::OneOf(..)
            | Self::AtLeast(..)
            | Self::AtMost(..)
            | Self::InStage(_)
            | Self::Suppressed => None,
        }
    }
}

impl View<'_> {
    fn value(&self, field: Name) -> &Value {
        self.fields.get(&field).unwrap_or(&Value::Blank)
    }

    fn instant(&self, field: Name) -> Option<Millis> {
        match self.value(field) {
            Value::Time(at) => Some(*at),
            Value::Date(day) => Some(Millis(i64::from(*day).saturating_mul(DAY))),
            _ => None,
        }
    }
}

/// Values of different types are neither less nor greater.
fn comparable(value: &Value, bound: &Value, holds: impl Fn(&Value, &Value) -> bool) -> bool {
    !value.is_blank()
        && std::mem::discriminant(value) == std::mem::discriminant(bound)
        && holds(value, bound)
}
