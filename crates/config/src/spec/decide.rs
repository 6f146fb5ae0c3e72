//! Fields, groups and rules.

use baton_core::time::{DAY, SECOND};

use super::*;

pub(super) static ENTITY: TableSpec = table(
    "Entity",
    "Fields and groups of one kind.",
    &[
        key(
            "defaults",
            Shape::Table(&DEFAULTS),
            "What holds for fields that say nothing else.",
        ),
        key(
            "fields",
            Shape::Map(Keys::NewName, &Shape::Table(&FIELD)),
            "Every field, by name.",
        ),
        key(
            "groups",
            Shape::Map(Keys::NewName, &Shape::Table(&GROUP)),
            "Fields that win or lose together.",
        ),
    ],
);

const CLEAR: Shape = choice(
    "blank policy",
    &["propagate", "propagate_if_manual", "ignore", "hold"],
);
const CLEAR_DOC: &str = "What a reported blank does: `propagate`, `propagate_if_manual` (default), `ignore` (default of `fill` and `first`), `hold`.";
const PROTECT: Shape = Shape::Duration(SECOND, YEARS_20);
const PROTECT_DOC: &str = "Imports, enrichment and programs do not replace what a person typed less than this time before.";
const SENTINELS: Shape = Shape::List(0, &Shape::Text);
const SENTINELS_DOC: &str = "Fillers such as \"N/A\" that count as never set.";

pub(super) static DEFAULTS: TableSpec = table(
    "Defaults",
    "What holds for fields that say nothing else.",
    &[
        key("sentinels", SENTINELS, SENTINELS_DOC),
        key("clear", CLEAR, CLEAR_DOC),
        key("protect_manual_for", PROTECT, PROTECT_DOC),
    ],
);

pub(super) static FIELD: TableSpec = table(
    "Field",
    "One field.",
    &[
        key(
            "type",
            Shape::Choice("type", Code::UnknownType, TYPES),
            "Its canonical form. Default `text`.",
        ),
        key("rule", Shape::Rule, "Who wins. Default `latest`."),
        key("clear", CLEAR, CLEAR_DOC),
        key("protect_manual_for", PROTECT, PROTECT_DOC),
        key("sentinels", SENTINELS, SENTINELS_DOC),
        key(
            "values",
            Shape::List(1, &Shape::Text),
            "Canonical values of a picklist or multi-select.",
        ),
        key(
            "personal",
            Shape::Bool,
            "Holds personal data. Default true: never in logs, redacted by erasure.",
        ),
    ],
);

pub(super) static GROUP: TableSpec = table(
    "Group",
    "Fields whose values always come from one record together.",
    &[
        must("fields", Shape::List(2, &Shape::Text), "Its fields."),
        key("rule", Shape::Rule, "Who wins. Default `latest`."),
        key(
            "requires",
            NAMES,
            "Tuples without these lose to every tuple that has them.",
        ),
        key("clear", CLEAR, CLEAR_DOC),
        key("protect_manual_for", PROTECT, PROTECT_DOC),
    ],
);

/// What [`Shape::Rule`] stands for.
pub(crate) static RULE: Shape = Shape::Either(&[
    Shape::Choice("strategy", Code::UnknownStrategy, PLAIN),
    Shape::Table(&STRATEGY),
]);

pub(crate) static STRATEGY: TableSpec = TableSpec {
    name: "Strategy",
    doc: "Who wins, with what there is to say about it.",
    unknown: Code::UnknownStrategy,
    keys: &[
        key(
            "priority",
            NAMES,
            "The first of these systems that has a value.",
        ),
        key(
            "on_blank",
            choice("answer to a blank", &["clear", "fallback", "hold"]),
            "With `priority`: what happens when it cleared the value. Default `clear`.",
        ),
        key(
            "only",
            Shape::Text,
            "This system alone; writes elsewhere are reverted.",
        ),
        key(
            "trust",
            Shape::Map(Keys::Known, &Shape::Table(&TRUST)),
            "Scores per system that fall with age.",
        ),
        key(
            "margin",
            Shape::Number(0, 100),
            "With `trust`: points within which the earliest value wins. Default 0.",
        ),
        key(
            "doubtful",
            Shape::Number(0, 100),
            "With `trust`: points off for a doubtful value. Default 0.",
        ),
        key(
            "by_stage",
            Shape::Table(&BY_STAGE),
            "Different rules along the funnel.",
        ),
        key(
            "manual",
            Shape::Table(&MANUAL),
            "A steward decides; after a time another rule does.",
        ),
        key(
            "derived",
            Shape::Text,
            "Computed, for example `concat(first_name, \" \", last_name)`.",
        ),
        key(
            "follow",
            Shape::Text,
            "From the record that won this group.",
        ),
    ],
};

pub(super) static TRUST: TableSpec = table(
    "TrustSource",
    "How far a system is trusted.",
    &[
        must("max", Shape::Number(0, 100), "Points of a value set today."),
        must(
            "min",
            Shape::Number(0, 100),
            "Points of a value as old as the period.",
        ),
        must(
            "period",
            Shape::Duration(DAY, YEARS_20),
            "How long the fall takes, in whole days.",
        ),
        key(
            "decay",
            choice("decay", &["linear", "fast_then_slow", "slow_then_fast"]),
            "How the points fall. Default `linear`.",
        ),
    ],
);

pub(super) static BY_STAGE: TableSpec = table(
    "ByStage",
    "Different rules along the funnel.",
    &[
        key(
            "until",
            Shape::Text,
            "The first rule holds for stages below this one.",
        ),
        key("then", Shape::Rule, "The rule below `until`."),
        key(
            "segments",
            Shape::List(1, &Shape::Table(&SEGMENT)),
            "More than one such stretch, from the lowest stage up.",
        ),
        must("after", Shape::Rule, "The rule from there on."),
        key(
            "on_transition",
            choice("transition policy", &["keep", "rejudge"]),
            "`keep` (default): what was decided below stays until the new rule has a winner. `rejudge`: all claims under the present rule.",
        ),
    ],
);

pub(super) static SEGMENT: TableSpec = table(
    "Segment",
    "One stretch of stages.",
    &[
        must("until", Shape::Text, "It ends below this stage."),
        must("then", Shape::Rule, "Its rule."),
    ],
);

pub(super) static MANUAL: TableSpec = table(
    "Manual",
    "What happens when no steward has decided.",
    &[
        must("after", Shape::Duration(DAY, YEARS_20), "How long to wait."),
        must("then", Shape::Rule, "The rule that decides then."),
    ],
);
