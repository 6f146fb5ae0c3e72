//! Systems, what they map, and the vendors' vocabularies.

use baton_core::time::HOUR;

use super::*;

const MODIFIED: &str = "The vendor's field with the record's own modified time.";
const DELETED: &str = "The vendor's field whose true value means that the record is deleted.";
const ACTOR: &str = "The vendor's field that names who changed the record last.";
const VENDOR: &str = "The vendor's name of the object.";
const FIELDS: &str = "The vendor's field names and the Baton fields they carry.";

const PARTS: Shape = Shape::List(1, &Shape::Table(&PART));
const PARTS_DOC: &str = "Other tables whose rows each hold one field of these records.";

static PART: TableSpec = table(
    "Part",
    "Rows of another table, each of which holds one field of a record.",
    &[
        must("vendor", Shape::Text, "The name of that table."),
        must("owner", Shape::Text, "Its column with the record's id."),
        key(
            "when",
            Shape::Map(Keys::Any, &Shape::Scalar),
            "Only rows with these values in these columns.",
        ),
        must("value", Shape::Text, "Its column with the value."),
        must("field", Shape::Text, "The Baton field."),
    ],
);

pub(super) static VOCABULARY_OBJECT: TableSpec = table(
    "VocabularyObject",
    "One object of a vendor.",
    &[
        must("vendor", Shape::Text, VENDOR),
        key("modified_field", Shape::Text, MODIFIED),
        key("deleted_field", Shape::Text, DELETED),
        key("actor_field", Shape::Text, ACTOR),
        key("parts", PARTS, PARTS_DOC),
        must("fields", Shape::Map(Keys::Any, &MAPPED), FIELDS),
    ],
);

/// `Email = "email"`, or a table with more to say.
pub(super) static MAPPED: Shape = Shape::Either(&[Shape::Text, Shape::Table(&MAPPED_FIELD)]);
/// The same, or `false` to leave out what the vocabulary maps.
pub(super) static OVERRIDE: Shape =
    Shape::Either(&[Shape::Text, Shape::Bool, Shape::Table(&MAPPED_FIELD)]);

pub(super) static MAPPED_FIELD: TableSpec = table(
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

const ACTIVITY: Shape = Shape::Either(&[
    Shape::Table(&ACTIVITY_TABLE),
    Shape::List(1, &Shape::Table(&ACTIVITY_TABLE)),
]);
pub(super) const ACTIVITIES: Shape = Shape::Map(Keys::Any, &ACTIVITY);

static ACTIVITY_TABLE: TableSpec = table(
    "Activity",
    "What a vendor calls something that somebody does. Of several the first that fits counts.",
    &[
        key(
            "when",
            Shape::Map(Keys::Any, &Shape::Scalar),
            "Only with these values in these fields of the vendor's.",
        ),
        must(
            "kind",
            Shape::Text,
            "The funnel's name of it, one of `lifecycle.activities`.",
        ),
        must(
            "by",
            choice(
                "kind of actor",
                &["buyer", "sales", "marketer", "automation"],
            ),
            "Whose act it is. What a program did in a user's stead is a machine's anyway.",
        ),
        key(
            "content",
            Shape::Text,
            "The vendor's field with what it was about.",
        ),
        key(
            "campaign",
            Shape::Text,
            "The vendor's field with the campaign that it came by.",
        ),
    ],
);

pub(super) static SYSTEM: TableSpec = table(
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
            "activities",
            ACTIVITIES,
            "What the system calls people's activities, over its vocabulary.",
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

pub(super) static SYSTEM_TOPICS: TableSpec = table(
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

pub(super) static OBJECT: TableSpec = table(
    "Object",
    "One object of a system, over its vocabulary.",
    &[
        key("vendor", Shape::Text, VENDOR),
        key("modified_field", Shape::Text, MODIFIED),
        key("deleted_field", Shape::Text, DELETED),
        key("actor_field", Shape::Text, ACTOR),
        key(
            "create",
            choice("create policy", &["never", "always", "sales_ready"]),
            "`always`: create records here for those that this system lacks; `sales_ready`: for people whom sales \
             works on, by the funnel. Default `never`.",
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
        key("parts", PARTS, PARTS_DOC),
        key("fields", Shape::Map(Keys::Any, &OVERRIDE), FIELDS),
    ],
);

pub(super) static CONDITION: TableSpec = table(
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
