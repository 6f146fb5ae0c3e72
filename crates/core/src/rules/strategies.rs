//! Who wins: the strategies that a field or a group can have, and their settings.

use std::collections::BTreeMap;

use compact_str::CompactString;
use rust_decimal::Decimal;

use crate::{name::Name, value::Value};

/// Who wins, given the offers (section 3). Applies to fields and, over whole tuples, to groups.
#[derive(Clone, PartialEq, Debug)]
pub enum Strategy {
    Priority {
        sources: Vec<Name>,
        on_blank: OnBlank,
    },
    Only {
        source: Name,
    },
    Latest,
    Fill,
    First,
    Trust(Trust),
    MostComplete,
    Longest,
    Max,
    Min,
    Union,
    Counter,
    MostRestrictive,
    ByStage {
        segments: Vec<Segment>,
        on_transition: OnTransition,
    },
    Manual {
        fallback: Option<(i64, Box<Strategy>)>,
    },
    Derived(Expr),
    Follow {
        group: Name,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnBlank {
    #[default]
    Clear,
    Fallback,
    Hold,
}

/// One stretch of stages with its own strategy: stages of a rank below `until` (exclusive); the last has none.
#[derive(Clone, PartialEq, Debug)]
pub struct Segment {
    pub until: Option<Name>,
    pub strategy: Strategy,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnTransition {
    #[default]
    Keep,
    Rejudge,
}

/// `trust`: score = min + (max − min) × decay(age in days / period), less the validity downgrade. In points of
/// 0 to 100 with six decimals, computed in integers so that every machine agrees.
#[derive(Clone, PartialEq, Debug)]
pub struct Trust {
    pub sources: BTreeMap<Name, TrustSource>,
    /// Claims within this many points of the best compete by earliest `value_since`.
    pub margin: Decimal,
    /// Points off for a doubtful value.
    pub doubtful: Decimal,
}

#[derive(Clone, PartialEq, Debug)]
pub struct TrustSource {
    pub max: Decimal,
    pub min: Decimal,
    /// Days until the score has fallen to `min`.
    pub period_days: u32,
    pub decay: Decay,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Decay {
    #[default]
    Linear,
    /// (1 − x)²
    FastThenSlow,
    /// 1 − x².
    SlowThenFast,
}

/// A derived value: a closed, total little language over golden values of the same entity.
#[derive(Clone, PartialEq, Debug)]
pub enum Expr {
    Field(Name),
    Literal(Value),
    /// Joins the non-blank parts.
    Concat {
        parts: Vec<Expr>,
        separator: CompactString,
    },
    /// The first that is not blank.
    Coalesce(Vec<Expr>),
    Lower(Box<Expr>),
    Upper(Box<Expr>),
    Sum(Vec<Expr>),
    /// Domain part of an e-mail address.
    Domain(Box<Expr>),
}
