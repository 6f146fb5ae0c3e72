//! Windows, identity, consent, and how the daemon runs.

use baton_core::time::{DAY, HOUR, MINUTE, SECOND};

use super::*;

pub(super) static TIMING: TableSpec = table(
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

pub(super) static MASS_CLEAR: TableSpec = table(
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
            "More than this share of the records of one source that hold the field, and all are held. Default: no \
             share counts.",
        ),
        key(
            "percent_from",
            Shape::Integer(1, 100_000_000),
            "The share counts from this many records on: a few clears are no mass in a small system. Default 10.",
        ),
    ],
);

pub(super) static STAGES: TableSpec = table(
    "Stages",
    "Stages for rules that differ along them. A funnel has its own, in `lifecycle`.",
    &[must(
        "order",
        Shape::List(2, &Shape::Text),
        "From lowest to highest.",
    )],
);

pub(super) static RANKS: TableSpec = table(
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

pub(super) static IDENTITY: TableSpec = table(
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

pub(super) static CONSENT: TableSpec = table(
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
pub(super) static SECRET: Shape = Shape::Either(&[Shape::Scalar, Shape::Table(&SECRET_SOURCE)]);

pub(super) static SECRET_SOURCE: TableSpec = table(
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

pub(super) static TOPICS: TableSpec = table(
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
            "lifecycle",
            Shape::Text,
            "What happens in the funnel. Default `baton.lifecycle`.",
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

pub(super) static KAFKA: TableSpec = table(
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

pub(super) static STORE: TableSpec = table(
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

pub(super) static ADMIN: TableSpec = table(
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

pub(super) static DAEMON: TableSpec = table(
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
            "How long a batch waits for more. Default 5ms.",
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
