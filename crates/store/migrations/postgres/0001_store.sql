-- The store of Baton on PostgreSQL. `migrations/sqlite` holds the same tables, columns and indexes; a test compares
-- them. Conventions of both:
--   kind     0 person, 1 account, 2 deal
--   object   0 lead, 1 contact, 2 account, 3 deal
--   version  1 when first written, one more with every write; a writer that read an older one starts again
--   at       milliseconds since 1970-01-01T00:00:00Z on the log's clock
--   body     one format byte, then postcard

-- Hot state of every person, account and deal: what a late input can still alter.
-- `wake` is the timer: the instant at which a time-dependent answer of the entity may change. `newest` is the number
-- of its newest row in the ledger, 0 if there is none.
-- Room is left in the pages, so that a changed row can often stay in its own.
CREATE TABLE entities (
    kind    BIGINT NOT NULL,
    id      BYTEA  NOT NULL,
    version BIGINT NOT NULL,
    wake    BIGINT,
    newest  BIGINT NOT NULL,
    body    BYTEA  NOT NULL,
    PRIMARY KEY (kind, id)
) WITH (fillfactor = 80);
CREATE INDEX entities_wake ON entities (wake, kind, id) WHERE wake IS NOT NULL;

-- Crosswalk: which entity a system's record belongs to.
CREATE TABLE links (
    system    TEXT COLLATE "C" NOT NULL,
    object    BIGINT           NOT NULL,
    record_id TEXT COLLATE "C" NOT NULL,
    version   BIGINT           NOT NULL,
    kind      BIGINT           NOT NULL,
    entity    BYTEA            NOT NULL,
    PRIMARY KEY (system, object, record_id)
);

-- Identity index: the entities that have a key now (a hash of kind, key name and canonical value).
-- `holders` is a list of 17 bytes each, kind and id, sorted. A row whose last holder left stays, so that its
-- version goes on and two workers cannot both be first.
CREATE TABLE keys (
    id      BYTEA  NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    holders BYTEA  NOT NULL
);

-- Consent turns by hash of channel and address; takes part in the transactions of everyone who has the address.
CREATE TABLE addresses (
    id      BYTEA  NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    body    BYTEA  NOT NULL
);

-- Distinct clears per system, field and window (`opens` is its start), for the mass-clear guard.
CREATE TABLE guards (
    system TEXT COLLATE "C" NOT NULL,
    field  TEXT COLLATE "C" NOT NULL,
    opens  BIGINT           NOT NULL,
    event  BYTEA            NOT NULL,
    PRIMARY KEY (system, field, opens, event)
);

-- How many records of a system hold a field: the sum over all states, moved with them. Its share of clears is what the
-- mass-clear guard weighs.
CREATE TABLE holdings (
    system  TEXT COLLATE "C" NOT NULL,
    field   TEXT COLLATE "C" NOT NULL,
    records BIGINT           NOT NULL,
    PRIMARY KEY (system, field)
);

-- Objects of a system whose known records are all read again, because their source lost count of what changed.
-- `asked` is the event that asked last, `pass` the one for whose sake a pass is under way, `after` the id it has come to.
CREATE TABLE rereads (
    system  TEXT COLLATE "C" NOT NULL,
    object  BIGINT           NOT NULL,
    version BIGINT           NOT NULL,
    asked   BYTEA,
    pass    BYTEA,
    after   TEXT COLLATE "C",
    PRIMARY KEY (system, object)
);

-- Every input with its verdicts, in the order in which each entity took them in. `before` is the number of the
-- entity's row before, 0 for its first. Nothing is ever removed;
-- erasure rewrites bodies.
--   input    change, answer, wake, shared_consent, clear_verdict, steward, absorb or reread
--   event    id of the change's event, if it is a change
--   outcome  applied, parked, late, duplicate, noop or dead_lettered
CREATE SEQUENCE ledger_numbers;
CREATE TABLE ledger (
    seq     BIGINT           NOT NULL PRIMARY KEY,
    before  BIGINT           NOT NULL,
    kind    BIGINT           NOT NULL,
    entity  BYTEA            NOT NULL,
    at      BIGINT           NOT NULL,
    input   TEXT COLLATE "C" NOT NULL,
    event   BYTEA,
    outcome TEXT COLLATE "C" NOT NULL,
    body    BYTEA            NOT NULL
);

-- Messages that wait for the relay, which removes them once they are published; what came about together stands in
-- one row. A row's number never comes twice. `messages` is how many are in it, `at` when the oldest came about.
CREATE TABLE outbox (
    seq      BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    messages BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    body     BYTEA  NOT NULL
);

-- The next offset to consume, per partition. A topic that was deleted and made again has another incarnation and
-- so another row. `previous` is where the last batch began; a worker that does not continue from `next` has lost
-- the partition to another.
CREATE TABLE positions (
    topic       TEXT COLLATE "C" NOT NULL,
    part        BIGINT           NOT NULL,
    incarnation TEXT COLLATE "C" NOT NULL,
    next        BIGINT           NOT NULL,
    previous    BIGINT           NOT NULL,
    PRIMARY KEY (topic, part, incarnation)
);

-- What waits for a steward. `state` is open, resolved or dropped.
CREATE TABLE parked (
    id    BYTEA            NOT NULL PRIMARY KEY,
    state TEXT COLLATE "C" NOT NULL,
    at    BIGINT           NOT NULL,
    code  TEXT COLLATE "C" NOT NULL,
    body  BYTEA            NOT NULL
);
CREATE INDEX parked_state ON parked (state, at, id);

-- Messages that could not be understood, with the payload, so that they can be tried again.
-- `state` is open, retried or dropped.
CREATE TABLE dead_letters (
    id          BYTEA            NOT NULL PRIMARY KEY,
    state       TEXT COLLATE "C" NOT NULL,
    at          BIGINT           NOT NULL,
    code        TEXT COLLATE "C" NOT NULL,
    place       TEXT COLLATE "C" NOT NULL,
    what        TEXT COLLATE "C" NOT NULL,
    fix         TEXT COLLATE "C" NOT NULL,
    system      TEXT COLLATE "C" NOT NULL,
    format      TEXT COLLATE "C" NOT NULL,
    object      TEXT COLLATE "C",
    topic       TEXT COLLATE "C" NOT NULL,
    part        BIGINT           NOT NULL,
    log_offset  BIGINT           NOT NULL,
    message_key BYTEA,
    payload     BYTEA            NOT NULL
);
CREATE INDEX dead_letters_state ON dead_letters (state, at, id);

-- Which rules were active since when; `body` is their text.
CREATE TABLE activations (
    seq     BIGINT           NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      BIGINT           NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    body    TEXT COLLATE "C" NOT NULL
);

-- Facts of the installation: its salt, the id of its log.
CREATE TABLE meta (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value BYTEA            NOT NULL
);

-- Work that one process does at a time: who does it, and until when it is theirs (`until`, on the log's clock).
CREATE TABLE leases (
    name   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    owner  TEXT COLLATE "C" NOT NULL,
    expiry BIGINT           NOT NULL
);

-- What became of the messages of one `ingest`, counted as they are settled; `at` is when it was last heard of.
CREATE TABLE runs (
    run           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at            BIGINT           NOT NULL,
    messages      BIGINT           NOT NULL,
    applied       BIGINT           NOT NULL,
    parked        BIGINT           NOT NULL,
    late          BIGINT           NOT NULL,
    duplicate     BIGINT           NOT NULL,
    noop          BIGINT           NOT NULL,
    dead_lettered BIGINT           NOT NULL
);
