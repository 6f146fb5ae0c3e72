-- What was done in the funnel, once each, as `baton.lifecycle` tells of it. `id` is made of what it is about, `what` is
-- the message's kind. `due` is when it fell due in the time of events, `at` when it was carried out; `undone` is when it
-- was taken back, none while it stands. `original` is under whose name an episode is counted: with episode, from_stage,
-- reason and attempt the key under which a return to nurture is made once. `since` of a transition is when the person
-- came to from_stage. `body` is the message, or empty braces once the person was erased.
CREATE TABLE deeds (
    id         BYTEA            NOT NULL,
    kind       BIGINT           NOT NULL,
    entity     BYTEA            NOT NULL,
    what       TEXT COLLATE "C" NOT NULL,
    due        BIGINT           NOT NULL,
    at         BIGINT           NOT NULL,
    undone     BIGINT,
    shadow     BIGINT           NOT NULL,
    from_stage TEXT COLLATE "C",
    to_stage   TEXT COLLATE "C",
    since      BIGINT,
    reason     TEXT COLLATE "C",
    clock      TEXT COLLATE "C",
    original   BYTEA,
    episode    BIGINT,
    attempt    BIGINT,
    version    TEXT COLLATE "C" NOT NULL,
    body       TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX deeds_due ON deeds (due, id);
CREATE INDEX deeds_entity ON deeds (kind, entity, due);

-- Where each person stands in the funnel, and stood: known from `at` to `until`, which is none for where it stands now.
-- `since` is when it came there, in the time of events.
CREATE TABLE standings (
    kind    BIGINT           NOT NULL,
    entity  BYTEA            NOT NULL,
    at      BIGINT           NOT NULL,
    until   BIGINT,
    stage   TEXT COLLATE "C" NOT NULL,
    since   BIGINT           NOT NULL,
    episode BIGINT,
    PRIMARY KEY (kind, entity, at)
);
CREATE INDEX standings_stage ON standings (stage) WHERE until IS NULL;
