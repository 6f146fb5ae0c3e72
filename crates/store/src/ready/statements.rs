//! What a commit says to the database, each statement over many rows.

use crate::sql::{Numbers, Sql, Type};

pub(crate) const PUT_ENTITIES: Sql = Sql {
    text: "INSERT INTO entities (kind, id, version, wake, newest, body) {values}
           ON CONFLICT (kind, id) DO UPDATE
           SET version = excluded.version, wake = excluded.wake, newest = excluded.newest, body = excluded.body
           WHERE entities.version = excluded.version - 1",
    table: "entities",
    key: 0,
    input: &[
        Type::Int,
        Type::Bytes,
        Type::Int,
        Type::Int,
        Type::Int,
        Type::Bytes,
    ],
};
pub(super) const PUT_LINKS: Sql = Sql {
    text: "INSERT INTO links (system, object, record_id, version, kind, entity) {values}
           ON CONFLICT (system, object, record_id) DO UPDATE
           SET version = excluded.version, kind = excluded.kind, entity = excluded.entity
           WHERE links.version = excluded.version - 1",
    table: "links",
    key: 0,
    input: &[
        Type::Text,
        Type::Int,
        Type::Text,
        Type::Int,
        Type::Int,
        Type::Bytes,
    ],
};
pub(super) const PUT_KEYS: Sql = Sql {
    text: "INSERT INTO keys (id, version, holders) {values}
           ON CONFLICT (id) DO UPDATE SET version = excluded.version, holders = excluded.holders
           WHERE keys.version = excluded.version - 1",
    table: "keys",
    key: 0,
    input: &[Type::Bytes, Type::Int, Type::Bytes],
};
pub(super) const PUT_ADDRESSES: Sql = Sql {
    text: "INSERT INTO addresses (id, version, body) {values}
           ON CONFLICT (id) DO UPDATE SET version = excluded.version, body = excluded.body
           WHERE addresses.version = excluded.version - 1",
    table: "addresses",
    key: 0,
    input: &[Type::Bytes, Type::Int, Type::Bytes],
};
pub(super) const PUT_GUARDS: Sql = Sql {
    text: "INSERT INTO guards (system, field, opens, event) {values} ON CONFLICT DO NOTHING",
    table: "guards",
    key: 0,
    input: &[Type::Text, Type::Text, Type::Int, Type::Bytes],
};
// Others add to the same rows, so the sum is made here and now; nobody has to start again for it.
pub(super) const MOVE_HOLDINGS: Sql = Sql {
    text: "INSERT INTO holdings (system, field, records) {values}
           ON CONFLICT (system, field) DO UPDATE SET records = holdings.records + excluded.records",
    table: "holdings",
    key: 0,
    input: &[Type::Text, Type::Text, Type::Int],
};
pub(super) const PUT_REREADS: Sql = Sql {
    text: "INSERT INTO rereads (system, object, version, asked, pass, after) {values}
           ON CONFLICT (system, object) DO UPDATE
           SET version = excluded.version, asked = excluded.asked, pass = excluded.pass, after = excluded.after
           WHERE rereads.version = excluded.version - 1",
    table: "rereads",
    key: 0,
    input: &[
        Type::Text,
        Type::Int,
        Type::Int,
        Type::Bytes,
        Type::Bytes,
        Type::Text,
    ],
};
pub(super) const COUNT_RUNS: Sql = Sql {
    text: "INSERT INTO runs (run, at, messages, applied, parked, late, duplicate, noop, dead_lettered) {values}
           ON CONFLICT (run) DO UPDATE
           SET at = excluded.at, messages = runs.messages + excluded.messages,
               applied = runs.applied + excluded.applied, parked = runs.parked + excluded.parked,
               late = runs.late + excluded.late, duplicate = runs.duplicate + excluded.duplicate,
               noop = runs.noop + excluded.noop, dead_lettered = runs.dead_lettered + excluded.dead_lettered",
    table: "runs",
    key: 0,
    input: &[
        Type::Text,
        Type::Int,
        Type::Int,
        Type::Int,
        Type::Int,
        Type::Int,
        Type::Int,
        Type::Int,
        Type::Int,
    ],
};
pub(super) const PUT_LEDGER: Sql = Sql {
    text: "INSERT INTO ledger (seq, before, kind, entity, at, input, event, outcome, body) {values}",
    table: "ledger",
    key: 0,
    input: &[
        Type::Int,
        Type::Int,
        Type::Int,
        Type::Bytes,
        Type::Int,
        Type::Text,
        Type::Bytes,
        Type::Text,
        Type::Bytes,
    ],
};
pub(super) const LEDGER_NUMBERS: Numbers = Numbers {
    greatest: Sql {
        text: "SELECT MAX(seq) FROM ledger",
        table: "ledger",
        key: 0,
        input: &[],
    },
    draw: Sql {
        text: "SELECT nextval('ledger_numbers') FROM generate_series(1, $1)",
        table: "ledger",
        key: 0,
        input: &[],
    },
};
pub(super) const PUT_OUTBOX: Sql = Sql {
    text: "INSERT INTO outbox (messages, at, body) {values}",
    table: "outbox",
    key: 0,
    input: &[Type::Int, Type::Int, Type::Bytes],
};
pub(super) const PUT_POSITIONS: Sql = Sql {
    text: "INSERT INTO positions (topic, part, incarnation, next, previous, arrival) {values}
           ON CONFLICT (topic, part, incarnation) DO UPDATE
           SET next = excluded.next, previous = excluded.previous, arrival = excluded.arrival
           WHERE positions.next = excluded.previous",
    table: "positions",
    key: 0,
    input: &[
        Type::Text,
        Type::Int,
        Type::Text,
        Type::Int,
        Type::Int,
        Type::Int,
    ],
};
// What is parked again waits again, as it is now.
pub(super) const PUT_PARKED: Sql = Sql {
    text:
        "INSERT INTO parked (id, state, at, code, body) {values}
           ON CONFLICT (id) DO UPDATE
           SET state = excluded.state, at = excluded.at, code = excluded.code, body = excluded.body",
    table: "parked",
    key: 0,
    input: &[Type::Bytes, Type::Text, Type::Int, Type::Text, Type::Bytes],
};
pub(super) const UNPARK: Sql = Sql {
    text: "UPDATE parked SET state = 'resolved'
           WHERE state = 'open' AND id IN (SELECT input.column1 FROM {input})",
    table: "parked",
    key: 0,
    input: &[Type::Bytes],
};
pub(super) const PUT_DEAD_LETTERS: Sql = Sql {
    text: "INSERT INTO dead_letters (id, state, at, code, place, what, fix, system, format, object,
                                     topic, part, log_offset, message_key, payload) {values}
           ON CONFLICT (id) DO UPDATE
           SET state = excluded.state, at = excluded.at, code = excluded.code, place = excluded.place,
               what = excluded.what, fix = excluded.fix",
    table: "dead_letters",
    key: 0,
    input: &[
        Type::Bytes,
        Type::Text,
        Type::Int,
        Type::Text,
        Type::Text,
        Type::Text,
        Type::Text,
        Type::Text,
        Type::Text,
        Type::Text,
        Type::Text,
        Type::Int,
        Type::Int,
        Type::Bytes,
        Type::Bytes,
    ],
};
pub(super) const REWRITE_LEDGER: Sql = Sql {
    text: "UPDATE ledger SET body = input.column2 FROM {input} WHERE ledger.seq = input.column1",
    table: "ledger",
    key: 0,
    input: &[Type::Int, Type::Bytes],
};
pub(super) const REWRITE_PARKED: Sql = Sql {
    text: "UPDATE parked SET body = input.column2 FROM {input} WHERE parked.id = input.column1",
    table: "parked",
    key: 0,
    input: &[Type::Bytes, Type::Bytes],
};
// An empty payload cannot be tried again.
pub(super) const ERASE_DEAD_LETTERS: Sql = Sql {
    text: "UPDATE dead_letters SET state = 'dropped', place = '', what = '', message_key = NULL, payload = input.column2
           FROM {input} WHERE dead_letters.id = input.column1",
    table: "dead_letters",
    key: 0,
    input: &[Type::Bytes, Type::Bytes],
};
pub(super) const RETRIED: Sql = Sql {
    text: "UPDATE dead_letters SET state = 'retried'
           WHERE state = 'open' AND id IN (SELECT input.column1 FROM {input})",
    table: "dead_letters",
    key: 0,
    input: &[Type::Bytes],
};
