//! The funnel.

mod clocks;
mod wiring;

use baton_core::time::{DAY, MINUTE, SECOND};

use super::*;
use clocks::{CALENDAR, CLOCK};
pub(crate) use clocks::{DAYS, HOLIDAYS};
use wiring::{DEALS, FIELDS, SYSTEM_WIRING};

const COUNT: Shape = Shape::Integer(1, 1_000);
const SPAN: Shape = Shape::Duration(SECOND, YEARS_20);
/// A share of a time, in per cent; at the whole of it something else happens.
const SHARE: Shape = Shape::Integer(1, 99);
const CONDITION: Shape = Shape::Text;
const WORDS: Shape = Shape::Map(Keys::NewName, &Shape::Text);
const MODE: Shape = choice("mode", &["live", "shadow"]);
const MODE_DOC: &str = "`live` (default), or `shadow`: decides and notes, does nothing.";
const SCOPE_DOC: &str = "Only for people who meet this condition. Default: everybody.";
const BY: Shape = Shape::List(1, &choice("kind of actor", ACTORS));
const BY_DOC: &str =
    "Whose acts count: `buyer`, `sales`, `marketer`. What machines do never counts.";
const ACTS_DOC: &str = "Kinds of activities that count.";

/// Who may be named in a rule. Automation's and Baton's own acts are nobody's attention.
pub(crate) const ACTORS: &[&str] = &["buyer", "sales", "marketer"];
/// The parts that stages can play, in the order of the way through the funnel.
pub(crate) const PARTS: [&str; 11] = [
    "entry",
    "nurture",
    "recycled",
    "ready",
    "review",
    "accepted",
    "opportunity",
    "won",
    "lost",
    "customer",
    "disqualified",
];

pub(super) static LIFECYCLE: TableSpec = table(
    "Lifecycle",
    "The funnel. Left out: there is none.",
    &[
        key(
            "nurture",
            CONDITION,
            "Who may be nurtured. Default: everybody.",
        ),
        must(
            "protect_deals_closing_within",
            Shape::Duration(0, YEARS_20),
            "Worked people whose open deal closes within this are neither stalled nor given back.",
        ),
        key(
            "back_to_owner_within",
            SPAN,
            "Whoever had a person goes on with it if it comes back within this. Default: it is given out anew.",
        ),
        must(
            "stages",
            Shape::Map(Keys::NewName, &Shape::Table(&STAGE)),
            "The stages, by name.",
        ),
        must(
            "activities",
            WORDS,
            "Kinds of activities, each with the heading under which the handoff tells it.",
        ),
        must(
            "ready",
            Shape::Table(&READY),
            "The line between marketing and sales.",
        ),
        must(
            "recycling",
            Shape::Table(&RECYCLING),
            "The way back to nurture.",
        ),
        key(
            "disqualification",
            Shape::Table(&DISQUALIFICATION),
            "Who leaves the funnel.",
        ),
        key(
            "after_lost",
            Shape::Map(Keys::NewName, &AFTER_LOST),
            "What becomes of people whose last open deal was lost, by the deal's reason.",
        ),
        must(
            "tracks",
            WORDS,
            "Nurture tracks, as the marketing system calls them.",
        ),
        key(
            "actions",
            WORDS,
            "Campaigns that wake people up, as the marketing system calls them.",
        ),
        key(
            "campaigns",
            Shape::Map(Keys::Any, &Shape::Text),
            "Campaigns that sales can choose for somebody, and what the marketing system calls them.",
        ),
        key("queues", WORDS, "Owner queues, as the CRM calls them."),
        key("recipients", WORDS, "Who is told of breaches, in words."),
        key(
            "clocks",
            Shape::Map(Keys::NewName, &Shape::Table(&CLOCK)),
            "Obligations of one team to the other.",
        ),
        key(
            "calendars",
            Shape::Map(Keys::NewName, &Shape::Table(&CALENDAR)),
            "Working hours.",
        ),
        must(
            "fields",
            Shape::Table(&FIELDS),
            "Person fields that the funnel reads.",
        ),
        key(
            "systems",
            Shape::Map(Keys::NewName, &Shape::Table(&SYSTEM_WIRING)),
            "What each system says of the funnel and is told.",
        ),
        key(
            "deals",
            Shape::Table(&DEALS),
            "Deal fields that tell how a deal stands.",
        ),
    ],
);

static STAGE: TableSpec = table(
    "FunnelStage",
    "One stage.",
    &[
        must(
            "rank",
            Shape::Integer(0, 250),
            "Forward is from a lower to a higher rank.",
        ),
        key(
            "part",
            choice("part", &PARTS),
            "What Baton itself knows of this stage.",
        ),
        must(
            "phase",
            choice("phase", &["nurtured", "worked", "ended"]),
            "Whose business people in it are: `nurtured` marketing's, `worked` sales', `ended` nobody's for now.",
        ),
        must(
            "owner",
            Shape::Text,
            "The team that answers for people in it.",
        ),
        key(
            "claimed_by",
            Shape::List(0, &Shape::Text),
            "Systems whose word puts somebody here.",
        ),
        key(
            "back_to",
            Shape::List(0, &Shape::Text),
            "Stages of a lower or the same rank to which people may go from here.",
        ),
        key(
            "journey",
            Shape::Text,
            "Where the buyer is on its own journey.",
        ),
        key(
            "content",
            Shape::Text,
            "Content that is recommended to people in it.",
        ),
        key(
            "stall",
            Shape::Table(&STALL),
            "When nothing that counts happens for too long.",
        ),
        key(
            "age",
            Shape::Table(&AGE),
            "When somebody gets no further, however busy.",
        ),
    ],
);

static STALL: TableSpec = table(
    "Stall",
    "Nothing that counts happens for too long.",
    &[
        must("after", SPAN, "How long."),
        must("acts", NAMES, ACTS_DOC),
        must("by", BY, BY_DOC),
        must("reason", Shape::Text, "Why the person goes back."),
        key(
            "reengage",
            Shape::Table(&REENGAGE),
            "A last try before that.",
        ),
        key("scope", CONDITION, SCOPE_DOC),
        key("mode", MODE, MODE_DOC),
    ],
);

static REENGAGE: TableSpec = table(
    "Reengage",
    "A last try.",
    &[
        must("at", SHARE, "At this share of the time, in per cent."),
        must("action", Shape::Text, "One of `actions`."),
    ],
);

static AGE: TableSpec = table(
    "GreatestAge",
    "No further, however busy.",
    &[
        must("after", SPAN, "How long after entering the stage."),
        must("reason", Shape::Text, "Why the person goes back."),
        key("scope", CONDITION, SCOPE_DOC),
        key("mode", MODE, MODE_DOC),
    ],
);

static ACTS: TableSpec = table(
    "Acts",
    "Activities of certain kinds by certain people.",
    &[must("acts", NAMES, ACTS_DOC), must("by", BY, BY_DOC)],
);

static READY: TableSpec = table(
    "Ready",
    "The sales-ready definition.",
    &[
        must(
            "definition",
            Shape::Text,
            "The teams' own name of this definition; change it with what it means.",
        ),
        must(
            "threshold",
            Shape::Number(0, 1_000_000),
            "Points that make somebody ready.",
        ),
        key(
            "fit",
            CONDITION,
            "The right kind of person. Default: everybody.",
        ),
        key(
            "consent",
            CONDITION,
            "Who may be approached. Default: everybody who is not suppressed.",
        ),
        key(
            "acceleration",
            NAMES,
            "Activities of the buyer that make it ready whatever the points.",
        ),
        key(
            "in_cool_down",
            NAMES,
            "Those of them that count during a cool-down.",
        ),
        must(
            "engagement",
            Shape::Table(&ACTS),
            "What must happen after a return before somebody is ready again.",
        ),
        must(
            "told",
            Shape::Integer(1, 100),
            "How many of the last acts under each heading sales is told.",
        ),
    ],
);

static RECYCLING: TableSpec = table(
    "Recycling",
    "The way back to nurture.",
    &[
        key("most", COUNT, "So often within the window, then no more."),
        key(
            "window",
            Shape::Duration(DAY, YEARS_20),
            "The window, in the time of events.",
        ),
        must(
            "beyond",
            Shape::Table(&BEYOND),
            "Instead of one too many: `disqualify` with a reason, or `long_nurture` on a track.",
        ),
        must(
            "baseline",
            choice("baseline", &["reset", "halve", "keep"]),
            "How many points at the return still count: none, half, all.",
        ),
        must(
            "grace",
            Shape::Duration(0, YEARS_20),
            "An act that arrives this late still takes a return back.",
        ),
        must(
            "not_ready",
            Shape::Text,
            "Reason of whoever is not ready, where none is given.",
        ),
        must(
            "not_willing",
            Shape::Text,
            "Reason of whoever is not willing, where none is given.",
        ),
        must(
            "returned",
            Shape::Text,
            "Reason of whoever is given back, where none is given.",
        ),
        must(
            "reasons",
            Shape::Map(Keys::NewName, &Shape::Table(&REASON)),
            "Why somebody goes back.",
        ),
    ],
);

static BEYOND: TableSpec = table(
    "Beyond",
    "Instead of one return too many: exactly one of both.",
    &[
        key(
            "disqualify",
            Shape::Text,
            "Out of the funnel, with this reason.",
        ),
        key("long_nurture", Shape::Text, "Nurture, on this track."),
    ],
);

static REASON: TableSpec = table(
    "Reason",
    "Why somebody goes back.",
    &[
        key("track", Shape::Text, "The nurture track, one of `tracks`."),
        must(
            "cool_down",
            Shape::Text,
            "How long sales leaves the person alone, such as \"90d\", or \"forever\".",
        ),
    ],
);

static DISQUALIFICATION: TableSpec = table(
    "Disqualification",
    "Who leaves the funnel.",
    &[
        must("reasons", NAMES, "The reasons there are."),
        key(
            "rules",
            Shape::List(0, &Shape::Table(&OUT)),
            "Conditions that do it by themselves.",
        ),
    ],
);

static OUT: TableSpec = table(
    "DisqualificationRule",
    "Whoever meets the condition is out.",
    &[
        must("if", CONDITION, "The condition."),
        must("reason", Shape::Text, "One of `reasons`."),
    ],
);

static AFTER_LOST: Shape = Shape::Either(&[
    choice("end", &["disqualify"]),
    Shape::Table(&AFTER_LOST_NURTURE),
]);

static AFTER_LOST_NURTURE: TableSpec = table(
    "AfterLost",
    "Back to nurture.",
    &[must("nurture", Shape::Text, "The nurture track.")],
);
