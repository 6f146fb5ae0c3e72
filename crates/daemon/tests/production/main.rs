//! Facts about `baton` as it runs in production: processes on Apache Kafka and PostgreSQL. Where one of them is
//! missing the tests say so and do nothing; where none may be skipped (`BATON_REQUIRE_ALL=1`) they fail.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod clocks;
mod compose;
mod crashes;
mod doctor;
mod ends;
mod funnel;
mod ground;
mod intake;
mod kills;
mod load;
mod mirror;
mod outages;
mod positions;
mod proxy;
mod room;
#[cfg(feature = "production")]
mod secure;
mod servers;
mod worker;
mod workers;
