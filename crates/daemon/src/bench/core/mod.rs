//! How fast the engine is by itself: from bytes to decision, in memory, on one thread. No Kafka, no store, no disk.
//!
//! The messages are made up in code, in the shape in which each vendor sends them, from a fixed seed: two runs
//! settle exactly the same inputs. Making them is not timed.

mod meter;
mod rules;

use std::fmt::Write as _;

use baton_connectors::{Item as Decoded, Message, decode};
use baton_core::{
    book::{Book, Incoming, Item},
    change::Format,
    id::{Digest, Position},
    normalise::normalise,
    rules::Rules,
    time::Millis,
};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};

use self::meter::{Clock, Meter};
use super::{
    people::{Calendar, People, Values},
    shape::{self, Sent},
};

/// Messages per round; each stage is timed over a whole round, as the daemon does with a batch.
const ROUND: usize = 500;

/// Effects are thrown away when this many inputs are in the ledger, as a commit would.
const COMMIT_EVERY: usize = 500;

/// How much to run.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// People that exist before the clock starts, at least 1.
    pub people: usize,
    /// Changes to settle while it runs, at least 1.
    pub changes: usize,
}

/// What was measured.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct Report {
    /// `cpu` (time of this thread on a processor) or `wall`.
    pub clock: &'static str,
    /// Baton's own form, whole records of 20 fields of which one to three changed.
    pub canonical: Rate,
    /// The same engine fed by each vendor's form.
    pub vendors: Vec<Rate>,
}

/// The rate of one format.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct Rate {
    pub format: Format,
    pub people: usize,
    /// Normalised changes settled; one message of some vendors carries several.
    pub changes: usize,
    pub changes_per_second: f64,
    /// Payload bytes for each change.
    pub bytes_per_change: f64,
    /// Microseconds for each change, by stage.
    pub decode_us: f64,
    pub normalise_us: f64,
    pub settle_us: f64,
    /// Resident memory that each person took, history and all, where the system tells it: of the first format only.
    pub memory_per_person: Option<u64>,
}

/// Something that the made-up messages ran into; the engine or the benchmark is wrong then.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("a made-up {format} message was not understood: {source}")]
    Decode {
        format: &'static str,
        source: baton_connectors::DecodeError,
    },
    #[error("a made-up {format} change was refused: {source}")]
    Normalise {
        format: &'static str,
        source: baton_core::normalise::Refusal,
    },
    #[error("{changes} changes of {format} became {settled}; the benchmark is wrong")]
    Count {
        format: &'static str,
        changes: usize,
        settled: usize,
    },
}

/// Runs every format, the canonical one first.
///
/// # Errors
/// If a made-up message is refused; a rate of refusals would mean nothing.
pub fn run(size: Size, mut progress: impl FnMut(Format)) -> Result<Report, Failure> {
    progress(Format::Baton);
    let canonical = one(Format::Baton, size)?;
    // The vendors' rates differ by their payloads; fewer people show that as well.
    let fewer = Size {
        people: size.people.min(20_000),
        changes: size.changes.min(50_000),
    };
    let mut vendors = Vec::new();
    for format in Format::ALL.into_iter().filter(|f| *f != Format::Baton) {
        progress(format);
        // They live in what the canonical form has given back, so growth says nothing of them.
        vendors.push(Rate {
            memory_per_person: None,
            ..one(format, fewer)?
        });
    }
    Ok(Report {
        clock: Clock::start().name(),
        canonical,
        vendors,
    })
}

/// Runs one format.
///
/// # Errors
/// If a made-up message is refused.
fn one(format: Format, size: Size) -> Result<Rate, Failure> {
    let size = Size {
        people: size.people.max(1),
        changes: size.changes.max(1),
    };
    let rules = rules::rules(format);
    let mut people = People::new(size.people, Calendar::default(), Values::Texts);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut line = Line::new(&rules);
    let empty = meter::resident();

    for from in (0..size.people).step_by(ROUND) {
        let some: Vec<_> = (from..size.people.min(from + ROUND))
            .map(|p| people.introduce(p))
            .collect();
        line.feed(Format::Baton, &shape::introductions(format, &some))?;
    }

    line.meter = Meter::default();
    let mut made = 0;
    let mut bytes = 0;
    while made < size.changes {
        let touches = people.touch((size.changes - made).min(ROUND), &mut rng);
        made += touches.len();
        let messages = shape::messages(format, &touches);
        bytes += messages.iter().map(|m| m.text.len()).sum::<usize>();
        line.feed(format, &messages)?;
    }
    let memory = meter::resident().zip(empty).map(|(now, before)| {
        now.saturating_sub(before)
            .saturating_sub(people.bytes() as u64)
            / size.people as u64
    });
    let meter = line.meter;
    if meter.settled != made {
        return Err(Failure::Count {
            format: format.as_str(),
            changes: made,
            settled: meter.settled,
        });
    }
    let each = |nanos: u64| nanos as f64 / 1_000.0 / made as f64;
    let whole = meter.decode + meter.normalise + meter.settle;
    Ok(Rate {
        format,
        people: size.people,
        changes: made,
        changes_per_second: made as f64 * 1e9 / whole.max(1) as f64,
        bytes_per_change: bytes as f64 / made as f64,
        decode_us: each(meter.decode),
        normalise_us: each(meter.normalise),
        settle_us: each(meter.settle),
        memory_per_person: memory,
    })
}

/// The straight path with a clock at each stage.
struct Line<'r> {
    rules: &'r Rules,
    book: Book,
    meter: Meter,
    offset: u64,
}

impl<'r> Line<'r> {
    fn new(rules: &'r Rules) -> Self {
        Self {
            rules,
            book: Book::default(),
            meter: Meter::default(),
            offset: 0,
        }
    }

    /// `decode → normalise → settle`, each over all messages before the next begins.
    fn feed(&mut self, format: Format, messages: &[Sent]) -> Result<(), Failure> {
        let mut clock = Clock::start();
        let mut decoded = Vec::with_capacity(messages.len());
        for message in messages {
            let items = decode(
                format,
                &Message {
                    key: None,
                    value: Some(message.text.as_bytes()),
                    object: Some(shape::object(format)),
                    ..Message::default()
                },
            )
            .map_err(|source| Failure::Decode {
                format: format.as_str(),
                source,
            })?;
            decoded.push((message, items));
        }
        self.meter.decode += clock.lap();

        let mut items = Vec::with_capacity(decoded.len());
        for (message, found) in decoded {
            self.offset += 1;
            let arrival = message.arrival;
            let mut hash = None;
            let mut hashed = || *hash.get_or_insert_with(|| Digest::of(&[message.text.as_bytes()]));
            for (index, item) in (0_u32..).zip(found) {
                let raw = match item {
                    Decoded::Change(raw) => raw,
                    Decoded::Refused(source) => {
                        return Err(Failure::Decode {
                            format: format.as_str(),
                            source,
                        });
                    }
                };
                let incoming = Incoming {
                    system: rules::system(),
                    format,
                    // As in the daemon: an event with a time has an id of its own.
                    message: match raw.time {
                        Some(_) => Digest::default(),
                        None => hashed(),
                    },
                    raw,
                    position: Position::new(arrival, 0, 0, self.offset),
                    index,
                };
                let change =
                    normalise(incoming, self.rules).map_err(|source| Failure::Normalise {
                        format: format.as_str(),
                        source,
                    })?;
                items.push((arrival, change));
            }
        }
        self.meter.normalise += clock.lap();

        self.meter.settled += items.len();
        for (arrival, change) in items {
            self.settle(change, arrival);
        }
        self.meter.settle += clock.lap();
        Ok(())
    }

    fn settle(&mut self, change: baton_core::change::Change, arrival: Millis) {
        self.book.settle(Item::Change(change), self.rules, arrival);
        if self.book.out.ledger.len() >= COMMIT_EVERY {
            self.book.out = Default::default();
        }
    }
}

/// The report for people to read.
#[must_use]
pub fn table(report: &Report) -> String {
    let mut text = String::new();
    let clock = match report.clock {
        "cpu" => "processor time of one thread",
        _ => "wall time (this system does not tell processor time; close other programs)",
    };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "bytes to decision, in memory, one thread; {clock}\n");
    let _ = writeln!(
        text,
        "{:<12} {:>10} {:>10} {:>9} {:>8} {:>8} {:>10} {:>8} {:>9} {:>12}",
        "format",
        "people",
        "changes",
        "changes/s",
        "µs each",
        "decode",
        "normalise",
        "settle",
        "B/change",
        "kB/person"
    );
    for rate in std::iter::once(&report.canonical).chain(&report.vendors) {
        let memory = rate.memory_per_person.map_or_else(
            || "-".to_owned(),
            |bytes| format!("{:.1}", bytes as f64 / 1_000.0),
        );
        let _ = writeln!(
            text,
            "{:<12} {:>10} {:>10} {:>9.0} {:>8.2} {:>8.2} {:>10.2} {:>8.2} {:>9.0} {:>12}",
            rate.format.as_str(),
            rate.people,
            rate.changes,
            rate.changes_per_second,
            1e6 / rate.changes_per_second,
            rate.decode_us,
            rate.normalise_us,
            rate.settle_us,
            rate.bytes_per_change,
            memory
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_settled_to_the_last_change() {
        let size = Size {
            people: 50,
            changes: 700,
        };
        let report = run(size, |_| {}).unwrap();
        assert_eq!(report.canonical.changes, 700);
        assert_eq!(report.vendors.len(), Format::ALL.len() - 1);
        assert!(report.vendors.iter().all(|rate| rate.changes == 700));
    }

    #[test]
    fn a_canonical_change_is_about_a_kibibyte() {
        let size = Size {
            people: 50,
            changes: 500,
        };
        let rate = one(Format::Baton, size).unwrap();
        assert!(
            (900.0..1_150.0).contains(&rate.bytes_per_change),
            "{} bytes",
            rate.bytes_per_change
        );
    }

    #[test]
    fn the_changes_change_something() {
        let rules = rules::rules(Format::Salesforce);
        let mut people = People::new(20, Calendar::default(), Values::Texts);
        let mut line = Line::new(&rules);
        let all: Vec<_> = (0..20).map(|p| people.introduce(p)).collect();
        line.feed(
            Format::Baton,
            &shape::introductions(Format::Salesforce, &all),
        )
        .unwrap();
        let before: u64 = line
            .book
            .entities
            .values()
            .map(|e| e.state.golden_version)
            .sum();
        let touches = people.touch(100, &mut ChaCha8Rng::seed_from_u64(1));
        line.feed(
            Format::Salesforce,
            &shape::messages(Format::Salesforce, &touches),
        )
        .unwrap();
        let after: u64 = line
            .book
            .entities
            .values()
            .map(|e| e.state.golden_version)
            .sum();
        assert!(after >= before + 90, "{before} to {after}");
    }
}
