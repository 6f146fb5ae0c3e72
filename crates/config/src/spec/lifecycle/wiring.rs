//! Where the funnel stands in the systems.

use super::*;

pub(super) static FIELDS: TableSpec = table(
    "FunnelFields",
    "Person fields that the funnel reads.",
    &[
        must("score", Shape::Text, "Marketing's points."),
        key(
            "ready",
            Shape::Text,
            "Sales recorded: it is the right time.",
        ),
        key("willing", Shape::Text, "Sales recorded: they want to."),
        key("reason", Shape::Text, "Sales recorded: why not."),
        key(
            "account",
            Shape::Text,
            "The account that somebody's record belongs to, by its id in the same system.",
        ),
    ],
);

pub(super) static SYSTEM_WIRING: TableSpec = table(
    "FunnelSystem",
    "What a system says of the funnel and is told, by person fields.",
    &[
        key(
            "stage",
            Shape::Text,
            "The field in which it says, and is told, the stage.",
        ),
        key(
            "stages",
            Shape::Map(Keys::Any, &Shape::Text),
            "The stages that values of that field mean; other values mean none.",
        ),
        key(
            "tells",
            Shape::Map(Keys::Known, &Shape::Scalar),
            "The value that is written when somebody enters a stage.",
        ),
        key(
            "reason",
            Shape::Text,
            "The field in which the reason goes with it.",
        ),
        key(
            "track",
            Shape::Text,
            "The field in which it is told the nurture track.",
        ),
        key(
            "owner",
            Shape::Text,
            "The field in which it is told the owner.",
        ),
        key(
            "recycled_to",
            Shape::Text,
            "The queue of whoever comes back, one of `queues`.",
        ),
        key(
            "handoff",
            Shape::Text,
            "The field in which it is told why somebody is ready.",
        ),
        key(
            "content",
            Shape::Text,
            "The field in which it is told the content for the stage.",
        ),
        key(
            "last_deal_outcome",
            Shape::Text,
            "The field in which it is told how the person's last deal ended: `won` or `lost`.",
        ),
        key(
            "last_deal_reason",
            Shape::Text,
            "The field in which it is told why.",
        ),
        key(
            "last_deal_amount",
            Shape::Text,
            "The field in which it is told that deal's amount.",
        ),
        key(
            "last_deal_campaign",
            Shape::Text,
            "The field in which it is told the campaign that that deal came from.",
        ),
        key(
            "starts",
            Shape::Text,
            "The field in which a salesperson chooses a campaign for somebody, one of `campaigns`.",
        ),
        key(
            "campaign",
            Shape::Text,
            "The field in which it is told into which campaign sales has put somebody.",
        ),
        key(
            "suppresses",
            Shape::Text,
            "The account field with which a salesperson takes an account out of marketing.",
        ),
        key(
            "suppressed",
            Shape::Text,
            "The field in which it is told that nothing may be sent to somebody.",
        ),
    ],
);

pub(super) static DEALS: TableSpec = table(
    "FunnelDeals",
    "Deal fields that tell how a deal stands.",
    &[
        key(
            "people",
            Shape::Text,
            "The contact of the same system whose deal it is, or several of them. Left out: deals move nobody.",
        ),
        must("stage", Shape::Text, "Its stage."),
        key(
            "stages",
            Shape::Map(Keys::Any, &Shape::Text),
            "Deal stages that stand for another stage of people than the one of open deals.",
        ),
        must("closing", Shape::Text, "The date on which it is to close."),
        must("closed", Shape::Text, "Whether it is closed."),
        must("won", Shape::Text, "Whether it was won."),
        key("reason", Shape::Text, "Why it was won or lost."),
        key("amount", Shape::Text, "Its amount."),
        key("campaign", Shape::Text, "The campaign that it came from."),
        key(
            "starts",
            Shape::Text,
            "The field in which a salesperson chooses a campaign for its people, one of `campaigns`.",
        ),
    ],
);
