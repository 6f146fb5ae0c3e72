//! Obligations and working hours.

use super::*;

pub(crate) const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

pub(super) static CLOCK: TableSpec = table(
    "Clock",
    "An obligation of one team to the other.",
    &[
        must("start", Shape::List(1, &SIGNAL), "What starts it."),
        key(
            "stop",
            Shape::List(1, &SIGNAL),
            "What ends it; one is enough.",
        ),
        key(
            "touches",
            COUNT,
            "So many of the acts that end it. Default 1.",
        ),
        key("pause", CONDITION, "It stands still while this holds."),
        must(
            "target",
            Shape::Duration(MINUTE, YEARS_20),
            "By then, in working hours of the calendar.",
        ),
        must("calendar", Shape::Text, "Its working hours."),
        key(
            "calendars",
            Shape::List(1, &Shape::Table(&CALENDAR_CHOICE)),
            "Those of some people; the first whose condition holds when it starts.",
        ),
        key(
            "reminders",
            Shape::List(0, &SHARE),
            "At these shares of the target, in per cent, rising.",
        ),
        key(
            "escalation",
            Shape::List(0, &Shape::Table(&ESCALATION)),
            "Who is told after the target, rising.",
        ),
        must("breach", BREACH, "What follows, besides its being told."),
        key("scope", CONDITION, SCOPE_DOC),
        key("mode", MODE, MODE_DOC),
    ],
);

const SIGNAL: Shape = Shape::Either(&[
    choice("event", &["delivered", "qualified"]),
    Shape::Table(&SIGNAL_TABLE),
]);

static SIGNAL_TABLE: TableSpec = table(
    "Signal",
    "What starts or ends a clock: exactly one of enters, leaves and acts.",
    &[
        key("enters", Shape::Text, "Somebody enters this stage."),
        key("leaves", Shape::Text, "Somebody leaves this stage."),
        key("acts", NAMES, ACTS_DOC),
        key("by", BY, BY_DOC),
    ],
);

static CALENDAR_CHOICE: TableSpec = table(
    "CalendarChoice",
    "Working hours of some people.",
    &[
        must("if", CONDITION, "Which people."),
        must("calendar", Shape::Text, "Their working hours."),
    ],
);

static ESCALATION: TableSpec = table(
    "Escalation",
    "Who is told, and when.",
    &[
        must(
            "after",
            Shape::Duration(MINUTE, YEARS_20),
            "So many working hours after the target.",
        ),
        must("to", Shape::Text, "One of `recipients`."),
    ],
);

const BREACH: Shape = Shape::Either(&[
    choice("consequence", &["alert"]),
    Shape::Table(&BREACH_TABLE),
]);

static BREACH_TABLE: TableSpec = table(
    "Breach",
    "What follows a breach: exactly one of both.",
    &[
        key("reassign", Shape::Text, "To this queue, one of `queues`."),
        key("recycle", Shape::Text, "Back to nurture, with this reason."),
    ],
);

pub(super) static CALENDAR: TableSpec = table(
    "Calendar",
    "Working hours.",
    &[
        must(
            "zone",
            Shape::Text,
            "IANA name of the time zone, such as `Europe/Berlin`.",
        ),
        key(
            "hours",
            Shape::Map(
                Keys::OneOf("day of the week", Code::UnknownChoice, &DAYS),
                &Shape::List(0, &Shape::Text),
            ),
            "By day of the week, such as [\"09:00-12:30\", \"13:00-17:00\"].",
        ),
        key(
            "holidays",
            Shape::List(0, &Shape::Text),
            "Files of the folder `holidays`, without the ending.",
        ),
    ],
);

/// A file `holidays/<name>.toml`.
pub(crate) static HOLIDAYS: Shape = Shape::Map(Keys::Date, &Shape::Text);
