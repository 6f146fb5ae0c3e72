-- What was done in the funnel, once each, as `baton.lifecycle` tells of it. `id` is made of what it is about, `what` is
-- the message's kind. `due` is when it fell due in the time of events, `at` when it was carried out; `undone` is when it
-- was taken back, none while it stands. `original` is under whose name an episode is counted: with episode, from_stage,
-- reason and attempt the key under which a return to nurture is made once. `since` of a transition is when the person
-- came to from_stage. `body` is the message, or empty braces once the person was erased.
CREATE TABLE deeds (
    id         BLOB    NOT NULL,
    kind       INTEGER NOT NULL,
    entity     BLOB    NOT NULL,
    what       TEXT    NOT NULL,
    due        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    undone     INTEGER,
    shadow     INTEGER NOT NULL,
    from_stage TEXT,
    to_stage   TEXT,
    since      INTEGER,
    reason     TEXT,
    clock      TEXT,
    original   BLOB,
    episode    INTEGER,
    attempt    INTEGER,
    version    TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX deeds_due ON deeds (due, id);
CREATE INDEX deeds_entity ON deeds (kind, entity, due);

-- Where each person stands in the funnel, and stood: known from `at` to `until`, which is none for where it stands now.
-- `since` is when it came there, in the time of events.
CREATE TABLE standings (
    kind    INTEGER NOT NULL,
    entity  BLOB    NOT NULL,
    at      INTEGER NOT NULL,
    until   INTEGER,
    stage   TEXT    NOT NULL,
    since   INTEGER NOT NULL,
    episode INTEGER,
    PRIMARY KEY (kind, entity, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX standings_stage ON standings (stage) WHERE until IS NULL;
