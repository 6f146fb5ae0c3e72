//! The configuration, key by key. Everything a file may say stands here, with the sentence that editors show.

mod decide;
mod lifecycle;
mod run;
mod wiring;

use baton_core::time::DAY;

use decide::ENTITY;
pub(crate) use decide::RULE;
use lifecycle::LIFECYCLE;
pub(crate) use lifecycle::{DAYS, HOLIDAYS, PARTS};
use run::{
    ADMIN, CONSENT, DAEMON, IDENTITY, KAFKA, MASS_CLEAR, RANKS, STAGES, STORE, TIMING, TOPICS,
};
use wiring::{ACTIVITIES, SYSTEM, VOCABULARY_OBJECT};

use crate::{
    codes::Code,
    shape::{KeySpec, Keys, Shape, TableSpec, key, must},
};

const YEARS_20: i64 = 7_300 * DAY;

pub(crate) const FORMATS: &[&str] = &[
    "salesforce",
    "hubspot",
    "marketo",
    "mautic",
    "espocrm",
    "debezium",
    "cloudevents",
    "csv",
    "baton",
];
pub(crate) const CAUSES: &[&str] = &[
    "own_form",
    "manual_edit",
    "sales_tool",
    "enrichment",
    "list_import",
    "api",
    "unknown",
];
pub(crate) const OBJECTS: &[&str] = &["lead", "contact", "account", "deal"];
/// The canonical types, and `picklist`, which is a text with a list of values.
pub(crate) const TYPES: &[&str] = &[
    "text",
    "email",
    "phone",
    "country",
    "date",
    "instant",
    "number",
    "integer",
    "boolean",
    "multi_select",
    "url",
    "reference",
    "picklist",
];
pub(crate) const STATES: &[&str] = &[
    "bounced",
    "legal_block",
    "opted_out",
    "pending",
    "opted_in",
    "unknown",
];
/// Strategies that need no more than their name.
pub(crate) const PLAIN: &[&str] = &[
    "latest",
    "fill",
    "first",
    "most_complete",
    "longest",
    "max",
    "min",
    "union",
    "counter",
    "most_restrictive",
    "manual",
];
const KINDS: &[&str] = &["person", "account", "deal"];
const ROLES: &[&str] = &["engine", "relay", "timers", "admin"];

const CAUSE: Shape = Shape::Choice("cause", Code::UnknownCause, CAUSES);
const NAMES: Shape = Shape::List(1, &Shape::Text);

const fn choice(what: &'static str, options: &'static [&'static str]) -> Shape {
    Shape::Choice(what, Code::UnknownChoice, options)
}

const fn table(name: &'static str, doc: &'static str, keys: &'static [KeySpec]) -> TableSpec {
    TableSpec {
        name,
        doc,
        keys,
        unknown: Code::UnknownKey,
    }
}

/// A file of the folder (not a vocabulary).
pub(crate) static ROOT: TableSpec = table(
    "Configuration",
    "A file of Baton's configuration folder.",
    &[
        key("timing", Shape::Table(&TIMING), "Windows and allowances."),
        key(
            "mass_clear",
            Shape::Table(&MASS_CLEAR),
            "When many blanks at once are held for a steward.",
        ),
        key(
            "stages",
            Shape::Table(&STAGES),
            "Stages from lowest to highest, where there is no funnel.",
        ),
        key(
            "lifecycle",
            Shape::Table(&LIFECYCLE),
            "The funnel. Left out: there is none.",
        ),
        key(
            "ranks",
            Shape::Table(&RANKS),
            "Which source and which cause wins a tie.",
        ),
        key(
            "systems",
            Shape::Map(Keys::NewName, &Shape::Table(&SYSTEM)),
            "The connected systems, by name.",
        ),
        key(
            "person",
            Shape::Table(&ENTITY),
            "Fields and groups of people.",
        ),
        key(
            "account",
            Shape::Table(&ENTITY),
            "Fields and groups of accounts.",
        ),
        key("deal", Shape::Table(&ENTITY), "Fields and groups of deals."),
        key(
            "identity",
            Shape::Table(&IDENTITY),
            "How a record finds its person, account or deal.",
        ),
        key(
            "consent",
            Shape::Map(Keys::NewName, &Shape::Table(&CONSENT)),
            "Consent, by channel.",
        ),
        key(
            "topics",
            Shape::Table(&TOPICS),
            "Names and shape of the Kafka topics.",
        ),
        key(
            "kafka",
            Shape::Table(&KAFKA),
            "The connection to Kafka. Without it the embedded log is used.",
        ),
        key(
            "store",
            Shape::Table(&STORE),
            "Where state and ledger are kept.",
        ),
        key(
            "admin",
            Shape::Table(&ADMIN),
            "Metrics, health and readiness.",
        ),
        key(
            "daemon",
            Shape::Table(&DAEMON),
            "What this process does, and how much at a time.",
        ),
    ],
);

/// Sections that decide about values: their files make the rules' version.
pub(crate) const RULE_SECTIONS: &[&str] = &[
    "timing",
    "mass_clear",
    "stages",
    "lifecycle",
    "ranks",
    "systems",
    "person",
    "account",
    "deal",
    "identity",
    "consent",
];

/// A file `vocabularies/<format>.toml`.
pub(crate) static VOCABULARY: TableSpec = table(
    "Vocabulary",
    "What a vendor calls its objects and fields.",
    &[
        key(
            "causes",
            Shape::Map(Keys::Any, &CAUSE),
            "The vendor's own words for causes.",
        ),
        key(
            "activities",
            ACTIVITIES,
            "What the vendor calls people's activities.",
        ),
        key(
            "lead",
            Shape::Table(&VOCABULARY_OBJECT),
            "Leads: people who are not in sales yet.",
        ),
        key(
            "contact",
            Shape::Table(&VOCABULARY_OBJECT),
            "Contacts: people.",
        ),
        key(
            "account",
            Shape::Table(&VOCABULARY_OBJECT),
            "Accounts: companies.",
        ),
        key(
            "deal",
            Shape::Table(&VOCABULARY_OBJECT),
            "Deals: opportunities.",
        ),
    ],
);
