//! The configuration, key by key. Everything a file may say stands here, with the sentence that editors show.

use baton_core::time::{DAY, HOUR, MINUTE, SECOND};

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
            "The stages of the funnel, from lowest to highest.",
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

const MODIFIED: &str = "The vendor's field with the record's own modified time.";
const DELETED: &str = "The vendor's field whose true value means that the record is deleted.";
const ACTOR: &str = "The vendor's field that names who changed the record last.";
const VENDOR: &str = "The vendor's name of the object.";
const FIELDS: &str = "The vendor's field names and the Baton fields they carry.";

static VOCABULARY_OBJECT: TableSpec = table(
    "VocabularyObject",
    "One object of a vendor.",
    &[
        must("vendor", Shape::Text, VENDOR),
        key("modified_field", Shape::Text, MODIFIED),
        key("deleted_field", Shape::Text, DELETED),
        key("actor_field", Shape::Text, ACTOR),
        must("fields", Shape::Map(Keys::Any, &MAPPED), FIELDS),
    ],
);

/// `Email = "email"`, or a table with more to say.
static MAPPED: Shape = Shape::Either(&[Shape::Text, Shape::Table(&MAPPED_FIELD)]);
/// The same, or `false` to leave out what the vocabulary maps.
static OVERRIDE: Shape = Shape::Either(&[Shape::Text, Shape::Bool, Shape::Table(&MAPPED_FIELD)]);

static MAPPED_FIELD: TableSpec = table(
    "MappedField",
    "One vendor field and the Baton field it carries.",
    &[
        must("field", Shape::Text, "The Baton field."),
        key(
            "direction",
            choice("direction", &["both", "in", "out"]),
            "`both` (default), `in`: read only, `out`: written only.",
        ),
        key(
            "aliases",
            Shape::List(1, &Shape::Text),
            "Other names under which the vendor sends the same value. They are read, never written.",
        ),
        key(
            "values",
            Shape::Map(Keys::Any, &Shape::Scalar),
            "The vendor's picklist values and the canonical ones.",
        ),
        key(
            "write",
            Shape::Map(Keys::Any, &Shape::Scalar),
            "Which vendor value is written for a canonical one, where several mean the same.",
        ),
        key(
            "closed",
            Shape::Bool,
            "Values that do not stand in `values` are invalid. Default false: they pass as they are.",
        ),
        key(
            "max_length",
            Shape::Integer(1, 1_000_000),
            "The longest text that the system keeps, in characters.",
        ),
        key(
            "required",
            Shape::Bool,
            "The system refuses records without it.",
        ),
        key(
            "separator",
            Shape::Text,
            "The character between the values of a multi-select.",
        ),
        key(
            "negate",
            Shape::Bool,
            "The system means the opposite, for example `subscribed` for an opt-out.",
        ),
        key(
            "epoch_millis",
            Shape::Bool,
            "The system writes dates and times as milliseconds since 1970.",
        ),
    ],
);

static SYSTEM: TableSpec = table(
    "System",
    "One connected system.",
    &[
        must(
            "format",
            Shape::Choice("format", Code::UnknownFormat, FORMATS),
            "How its changes are written; also names its vocabulary.",
        ),
        key(
            "origin_tag",
            Shape::Text,
            "The tag that Baton's own writes carry in this system's events.",
        ),
        key(
            "integration_users",
            Shape::List(0, &Shape::Text),
            "Users of the system that are programs, not people.",
        ),
        key(
            "default_cause",
            CAUSE,
            "Cause of changes that name none. Default `unknown`.",
        ),
        key(
            "actor_cause",
            CAUSE,
            "Cause of changes that name a user who stands in no list here.",
        ),
        key(
            "causes",
            Shape::Map(Keys::Any, &CAUSE),
            "The system's own words for causes.",
        ),
        key(
            "actors",
            Shape::Map(Keys::Any, &CAUSE),
            "Users of the system with a cause of their own.",
        ),
        key(
            "acks",
            choice("kind of answer", &["results", "none"]),
            "`results` (default): it answers every command. `none`: it never answers.",
        ),
        key(
            "reads",
            Shape::Bool,
            "It answers `read` commands. Default true.",
        ),
        key(
            "region",
            Shape::Text,
            "Country of phone numbers without one, two letters.",
        ),
        key(
            "zone",
            Shape::Text,
            "Time zone of times without one, such as `Europe/Berlin`. Default UTC.",
        ),
        key(
            "skew",
            Shape::Duration(0, HOUR),
            "How far its clock may be off.",
        ),
        key(
            "delete",
            choice("delete policy", &["flag", "propagate", "detach"]),
            "What its deletes do. Default `flag`: noted, nothing else.",
        ),
        key(
            "topics",
            Shape::Table(&SYSTEM_TOPICS),
            "Its topics, where they are not named after it.",
        ),
        key(
            "objects",
            Shape::Map(
                Keys::OneOf("object", Code::UnknownObject, OBJECTS),
                &Shape::Table(&OBJECT),
            ),
            "Its objects. Left out: all of the vocabulary.",
        ),
    ],
);

static SYSTEM_TOPICS: TableSpec = table(
    "SystemTopics",
    "Topics of one system.",
    &[
        key(
            "changes",
            Shape::Text,
            "What comes in. Default `baton.<system>.changes`.",
        ),
        key(
            "commands",
            Shape::Text,
            "What goes out. Default `baton.<system>.commands`.",
        ),
        key(
            "results",
            Shape::Text,
            "The system's answers. Default `baton.<system>.results`.",
        ),
    ],
);

static OBJECT: TableSpec = table(
    "Object",
    "One object of a system, over its vocabulary.",
    &[
        key("vendor", Shape::Text, VENDOR),
        key("modified_field", Shape::Text, MODIFIED),
        key("deleted_field", Shape::Text, DELETED),
        key("actor_field", Shape::Text, ACTOR),
        key(
            "create",
            choice("create policy", &["never", "always"]),
            "`always`: create records here for those that this system lacks. Default `never`.",
        ),
        key(
            "admit",
            Shape::Bool,
            "A record that matches nobody makes a new person, account or deal. Default true.",
        ),
        key(
            "filter",
            Shape::List(1, &Shape::Table(&CONDITION)),
            "Only those that satisfy all of these are written here.",
        ),
        key("fields", Shape::Map(Keys::Any, &OVERRIDE), FIELDS),
    ],
);

static CONDITION: TableSpec = table(
    "Condition",
    "A condition of a sync filter: a field and exactly one test.",
    &[
        must("field", Shape::Text, "The Baton field."),
        key("present", Shape::Bool, "`true`: it must have a value."),
        key("equals", Shape::Scalar, "It must have this value."),
        key("not_equals", Shape::Scalar, "It must not have this value."),
        key(
            "at_least",
            Shape::Number(i64::MIN, i64::MAX),
            "It must be at least this number.",
        ),
    ],
);

static ENTITY: TableSpec = table(
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

static DEFAULTS: TableSpec = table(
    "Defaults",
    "What holds for fields that say nothing else.",
    &[
        key("sentinels", SENTINELS, SENTINELS_DOC),
        key("clear", CLEAR, CLEAR_DOC),
        key("protect_manual_for", PROTECT, PROTECT_DOC),
    ],
);

static FIELD: TableSpec = table(
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

static GROUP: TableSpec = table(
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

static TRUST: TableSpec = table(
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

static BY_STAGE: TableSpec = table(
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

static SEGMENT: TableSpec = table(
    "Segment",
    "One stretch of stages.",
    &[
        must("until", Shape::Text, "It ends below this stage."),
        must("then", Shape::Rule, "Its rule."),
    ],
);

static MANUAL: TableSpec = table(
    "Manual",
    "What happens when no steward has decided.",
    &[
        must("after", Shape::Duration(DAY, YEARS_20), "How long to wait."),
        must("then", Shape::Rule, "The rule that decides then."),
    ],
);

static TIMING: TableSpec = table(
    "Timing",
    "Windows and allowances.",
    &[
        key(
            "quantum",
            Shape::Duration(1, MINUTE),
            "Times of one record within this are simultaneous. Default 1s.",
        ),
        key(
            "horizon",
            Shape::Duration(HOUR, YEARS_20),
            "How far back a late change still counts. Default 30d.",
        ),
        key(
            "clamp",
            Shape::Duration(0, DAY),
            "How far in the future an event may lie. Default 5m.",
        ),
        key(
            "tuple_settle",
            Shape::Duration(0, HOUR),
            "How long a group rests before it is written. Default 2s.",
        ),
        key(
            "rendering_settle",
            Shape::Duration(0, HOUR),
            "How long after an answer a variant of the written value counts as the same. Default 60s.",
        ),
        key(
            "skew",
            Shape::Duration(0, HOUR),
            "How far the vendors' clocks are off. Default 0s.",
        ),
        key(
            "give_up",
            Shape::Duration(SECOND, 7 * DAY),
            "When a command without answer is given up. Default 15m.",
        ),
        key(
            "reverts_per_day",
            Shape::Integer(0, 1_000),
            "Reverts by `only` per field and day. Default 3.",
        ),
        key(
            "alternations",
            Shape::Integer(1, 1_000),
            "Alternations in 24h that make a field contested. Default 3.",
        ),
    ],
);

static MASS_CLEAR: TableSpec = table(
    "MassClear",
    "When many blanks at once are held for a steward.",
    &[
        key(
            "window",
            Shape::Duration(SECOND, DAY),
            "How long clears wait. Default 60s.",
        ),
        key(
            "records",
            Shape::Integer(1, 100_000_000),
            "More records than this, and all are held. Default 100.",
        ),
        key(
            "percent",
            Shape::Integer(1, 100),
            "More than this share of the field's records, and all are held.",
        ),
    ],
);

static STAGES: TableSpec = table(
    "Stages",
    "The stages of the funnel.",
    &[must(
        "order",
        Shape::List(2, &Shape::Text),
        "From lowest to highest.",
    )],
);

static RANKS: TableSpec = table(
    "Ranks",
    "Which source and which cause wins a tie.",
    &[
        key("sources", NAMES, "Systems, strongest first."),
        key(
            "causes",
            Shape::List(1, &CAUSE),
            "All causes, strongest first.",
        ),
    ],
);

static IDENTITY: TableSpec = table(
    "Identity",
    "How a record finds its person, account or deal.",
    &[
        key(
            "email",
            Shape::Text,
            "The field with a person's e-mail address.",
        ),
        key(
            "keys",
            Shape::Map(Keys::OneOf("kind", Code::UnknownChoice, KINDS), &NAMES),
            "Fields that identify on their own.",
        ),
        key(
            "composites",
            Shape::Map(
                Keys::OneOf("kind", Code::UnknownChoice, KINDS),
                &Shape::List(1, &Shape::List(1, &Shape::Text)),
            ),
            "Fields that identify together.",
        ),
    ],
);

static CONSENT: TableSpec = table(
    "Consent",
    "One channel's consent.",
    &[
        must("field", Shape::Text, "The person field that carries it."),
        must(
            "address",
            Shape::Text,
            "The person field with the channel's address.",
        ),
        must(
            "states",
            Shape::Map(
                Keys::Any,
                &Shape::Choice("consent state", Code::UnknownConsentState, STATES),
            ),
            "What each value of the field means.",
        ),
    ],
);

/// A text, or where to find it.
static SECRET: Shape = Shape::Either(&[Shape::Scalar, Shape::Table(&SECRET_SOURCE)]);

static SECRET_SOURCE: TableSpec = table(
    "SecretSource",
    "Where a secret stands: exactly one of both.",
    &[
        key(
            "env",
            Shape::Text,
            "The environment variable that holds it.",
        ),
        key("file", Shape::Text, "The file that holds it."),
    ],
);

static TOPICS: TableSpec = table(
    "Topics",
    "Names and shape of the topics.",
    &[
        key(
            "golden",
            Shape::Text,
            "Every change of a golden record. Default `baton.golden`.",
        ),
        key(
            "decisions",
            Shape::Text,
            "Every decision. Default `baton.decisions`.",
        ),
        key(
            "dead_letters",
            Shape::Text,
            "What could not be understood. Default `baton.dead-letters`.",
        ),
        key(
            "partitions",
            Shape::Integer(1, 1_000),
            "Partitions of topics that Baton creates. Default 4.",
        ),
        key(
            "replication",
            Shape::Integer(1, 9),
            "Replicas of topics that Baton creates. Default 1.",
        ),
        key(
            "create",
            Shape::Bool,
            "Create missing topics. Default true.",
        ),
    ],
);

static KAFKA: TableSpec = table(
    "Kafka",
    "The connection to Kafka.",
    &[
        key(
            "bootstrap",
            Shape::Text,
            "`host:port`, several with commas. Left out: the embedded log.",
        ),
        key("group", Shape::Text, "Consumer group. Default `baton`."),
        key(
            "client",
            Shape::Map(Keys::Any, &SECRET),
            "Settings of librdkafka, as they are.",
        ),
    ],
);

static STORE: TableSpec = table(
    "Store",
    "Where state and ledger are kept.",
    &[
        key(
            "url",
            SECRET,
            "`postgres://…` or `sqlite:path`. Left out: SQLite in the data folder.",
        ),
        key(
            "connections",
            Shape::Integer(1, 200),
            "Connections to PostgreSQL.",
        ),
    ],
);

static ADMIN: TableSpec = table(
    "Admin",
    "Metrics, health and readiness.",
    &[
        key(
            "bind",
            Shape::Text,
            "Address and port. Default `127.0.0.1:9464`.",
        ),
        key(
            "token",
            SECRET,
            "Asked of every request but health and readiness.",
        ),
    ],
);

static DAEMON: TableSpec = table(
    "Daemon",
    "What this process does, and how much at a time.",
    &[
        key(
            "roles",
            Shape::List(1, &Shape::Choice("role", Code::UnknownRole, ROLES)),
            "Default: all of engine, relay, timers, admin.",
        ),
        key(
            "batch_messages",
            Shape::Integer(1, 100_000),
            "Messages of one transaction. Default 500.",
        ),
        key(
            "batch_bytes",
            Shape::Bytes(1_024, 1 << 30),
            "Bytes of one transaction. Default 4MiB.",
        ),
        key(
            "batch_wait",
            Shape::Duration(0, MINUTE),
            "How long a batch waits for more. Default 20ms.",
        ),
        key(
            "max_message",
            Shape::Bytes(1_024, 1 << 30),
            "Largest message that is read. Default 8MiB.",
        ),
        key(
            "poison_limit",
            Shape::Integer(1, 1_000_000),
            "Dead letters of one partition in the window that stop it. Default 100.",
        ),
        key(
            "poison_window",
            Shape::Duration(SECOND, DAY),
            "That window. Default 60s.",
        ),
        key(
            "shutdown",
            Shape::Duration(0, HOUR),
            "How long a soft shutdown may take. Default 20s.",
        ),
    ],
);
