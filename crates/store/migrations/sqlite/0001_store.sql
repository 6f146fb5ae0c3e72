-- The store of Baton on SQLite. `migrations/postgres` holds the same tables, columns and indexes; a test compares
-- them. Conventions of both:
--   kind     0 person, 1 account, 2 deal
--   object   0 lead, 1 contact, 2 account, 3 deal
--   version  1 when first written, one more with every write; a writer that read an older one starts again
--   at       milliseconds since 1970-01-01T00:00:00Z on the log's clock
--   body     one format byte, then postcard

-- Hot state of every person, account and deal: what a late input can still alter.
-- `wake` is the timer: the instant at which a time-dependent answer of the entity may change. `newest` is the number
-- of its newest row in the ledger, 0 if there is none.
-- Has a rowid because bodies of some kilobytes would overflow the pages of a table without one.
CREATE TABLE entities (
    kind    INTEGER NOT NULL,
    id      BLOB    NOT NULL,
    version INTEGER NOT NULL,
    wake    INTEGER,
    newest  INTEGER NOT NULL,
    body    BLOB    NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT;
CREATE INDEX entities_wake ON entities (wake, kind, id) WHERE wake IS NOT NULL;

-- Crosswalk: which entity a system's record belongs to.
CREATE TABLE links (
    system    TEXT    NOT NULL,
    object    INTEGER NOT NULL,
    record_id TEXT    NOT NULL,
    version   INTEGER NOT NULL,
    kind      INTEGER NOT NULL,
    entity    BLOB    NOT NULL,
    PRIMARY KEY (system, object, record_id)
) STRICT, WITHOUT ROWID;

-- Identity index: the entities that have a key now (a hash of kind, key name and canonical value).
-- `holders` is a list of 17 bytes each, kind and id, sorted. A row whose last holder left stays, so that its
-- version goes on and two workers cannot both be first.
CREATE TABLE keys (
    id      BLOB    NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    holders BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- Consent turns by hash of channel and address; takes part in the transactions of everyone who has the address.
CREATE TABLE addresses (
    id      BLOB    NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body    BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- Distinct clears per system, field and window (`opens` is its start), for the mass-clear guard.
CREATE TABLE guards (
    system TEXT    NOT NULL,
    field  TEXT    NOT NULL,
    opens  INTEGER NOT NULL,
    event  BLOB    NOT NULL,
    PRIMARY KEY (system, field, opens, event)
) STRICT, WITHOUT ROWID;

-- How many records of a system hold a field: the sum over all states, moved with them. Its share of clears is what the
-- mass-clear guard weighs.
CREATE TABLE holdings (
    system  TEXT    NOT NULL,
    field   TEXT    NOT NULL,
    records INTEGER NOT NULL,
    PRIMARY KEY (system, field)
) STRICT, WITHOUT ROWID;

-- Objects of a system whose known records are all read again, because their source lost count of what changed.
-- `asked` is the event that asked last, `pass` the one for whose sake a pass is under way, `after` the id it has come to.
CREATE TABLE rereads (
    system  TEXT    NOT NULL,
    object  INTEGER NOT NULL,
    version INTEGER NOT NULL,
    asked   BLOB,
    pass    BLOB,
    after   TEXT,
    PRIMARY KEY (system, object)
) STRICT, WITHOUT ROWID;

-- Every input with its verdicts, in the order in which each entity took them in. `before` is the number of the
-- entity's row before, 0 for its first. Nothing is ever removed;
-- erasure rewrites bodies.
--   input    change, answer, wake, shared_consent, clear_verdict, steward, absorb or reread
--   event    id of the change's event, if it is a change
--   outcome  applied, parked, late, duplicate, noop or dead_lettered
CREATE TABLE ledger (
    seq     INTEGER NOT NULL PRIMARY KEY,
    before  INTEGER NOT NULL,
    kind    INTEGER NOT NULL,
    entity  BLOB    NOT NULL,
    at      INTEGER NOT NULL,
    input   TEXT    NOT NULL,
    event   BLOB,
    outcome TEXT    NOT NULL,
    body    BLOB    NOT NULL
) STRICT;

-- Messages that wait for the relay, which removes them once they are published; what came about together stands in
-- one row. A row's number never comes twice. `messages` is how many are in it, `at` when the oldest came about.
CREATE TABLE outbox (
    seq      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    messages INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    body     BLOB    NOT NULL
) STRICT;

-- The next offset to consume, per partition. A topic that was deleted and made again has another incarnation and
-- so another row. `previous` is where the last batch began; a worker that does not continue from `next` has lost
-- the partition to another.
CREATE TABLE positions (
    topic       TEXT    NOT NULL,
    part        INTEGER NOT NULL,
    incarnation TEXT    NOT NULL,
    next        INTEGER NOT NULL,
    previous    INTEGER NOT NULL,
    PRIMARY KEY (topic, part, incarnation)
) STRICT, WITHOUT ROWID;

-- What waits for a steward. `state` is open, resolved or dropped.
CREATE TABLE parked (
    id    BLOB    NOT NULL PRIMARY KEY,
    state TEXT    NOT NULL,
    at    INTEGER NOT NULL,
    code  TEXT    NOT NULL,
    body  BLOB    NOT NULL
) STRICT;
CREATE INDEX parked_state ON parked (state, at, id);

-- Messages that could not be understood, with the payload, so that they can be tried again.
-- `state` is open, retried or dropped.
CREATE TABLE dead_letters (
    id          BLOB    NOT NULL PRIMARY KEY,
    state       TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    code        TEXT    NOT NULL,
    place       TEXT    NOT NULL,
    what        TEXT    NOT NULL,
    fix         TEXT    NOT NULL,
    system      TEXT    NOT NULL,
    format      TEXT    NOT NULL,
    object      TEXT,
    topic       TEXT    NOT NULL,
    part        INTEGER NOT NULL,
    log_offset  INTEGER NOT NULL,
    message_key BLOB,
    payload     BLOB    NOT NULL
) STRICT;
CREATE INDEX dead_letters_state ON dead_letters (state, at, id);

-- Which rules were active since when; `body` is their text.
CREATE TABLE activations (
    seq     INTEGER NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL,
    version TEXT    NOT NULL,
    body    TEXT    NOT NULL
) STRICT;

-- Facts of the installation: its salt, the id of its log.
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Work that one process does at a time: who does it, and until when it is theirs (`until`, on the log's clock).
CREATE TABLE leases (
    name   TEXT    NOT NULL PRIMARY KEY,
    owner  TEXT    NOT NULL,
    expiry INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What became of the messages of one `ingest`, counted as they are settled; `at` is when it was last heard of.
CREATE TABLE runs (
    run           TEXT    NOT NULL PRIMARY KEY,
    at            INTEGER NOT NULL,
    messages      INTEGER NOT NULL,
    applied       INTEGER NOT NULL,
    parked        INTEGER NOT NULL,
    late          INTEGER NOT NULL,
    duplicate     INTEGER NOT NULL,
    noop          INTEGER NOT NULL,
    dead_lettered INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
