//! What stands last in a quantum, where neither sequence nor time tells (decision 0001).

use crate::echo::{Echoes, stands_beside};
use crate::order::{BLANK, Place, Seat};
use crate::{change::Origin, value::Value};

/// Puts observations of one quantum that no sequence orders into the order that the statements around them tell: what a
/// read-back, or the next whole record, shows stood last; what restates the value from before the quantum came first.
/// See docs/decisions/order-within-a-quantum.md.
pub(crate) fn arrange(seats: &mut [Seat<'_>], echoes: Option<&Echoes<'_>>) {
    let mut from = 0;
    while from < seats.len() {
        let floored = seats[from].rho.floored;
        let count = seats[from..]
            .iter()
            .take_while(|s| s.rho.floored == floored)
            .count();
        if count > 1 {
            arrange_quantum(seats, from, from + count, echoes);
        }
        from += count;
    }
}

fn arrange_quantum(seats: &mut [Seat<'_>], from: usize, end: usize, echoes: Option<&Echoes<'_>>) {
    let group = &seats[from..end];
    let Some(first) = group.first() else { return };
    if group.len() < 2 || !first.rho.floored.is_timed() || group.iter().any(|s| s.sealed) {
        return;
    }
    if group.iter().any(|s| s.rho.seq != 0 && !s.is_read_back()) {
        arrange_sequenced(seats, from, end, echoes);
        return;
    }
    let mut told = group.iter().filter(|s| is_told(s));
    let moment = told.next().map(|s| s.rho.time);
    if told.all(|s| Some(s.rho.time) == moment) {
        let order = order_of(seats, from, end, Span::Quantum, echoes);
        for (seat, (place, run)) in seats[from..end].iter_mut().zip(order) {
            (seat.rho.place, seat.rho.run) = (place, run);
        }
        seats[from..end].sort_by_key(|s| s.rho);
    } else {
        arrange_by_time(seats, from, end, echoes);
    }
}

/// What is being arranged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Span {
    /// A quantum whose statements all bear one time.
    Quantum,
    /// A quantum whose statements bear exact times.
    Times,
    /// One exact time of such a quantum.
    Moment,
}

/// A vendor's statement about what happened, as against a reading or a write that no event shows.
fn is_told(seat: &Seat<'_>) -> bool {
    seat.event.is_some() && !seat.is_read_back()
}

/// Exact times order what they can; what shares one of them is arranged as a quantum of its own.
fn arrange_by_time(seats: &mut [Seat<'_>], from: usize, end: usize, echoes: Option<&Echoes<'_>>) {
    let last = stands_last(seats, from, end, Span::Times, echoes);
    let told = seats[from..end].iter().filter(|s| is_told(s));
    let newest = told.map(|s| s.rho.time).max();
    for (at, seat) in seats.iter_mut().enumerate().take(end).skip(from) {
        seat.rho.run = 0;
        seat.rho.place = if last.read == Some(at) {
            Place::Read
        } else if seat.event.is_none() && last.known && seat.value == last.value {
            Place::Last
        } else if seat.event.is_none() && last.known && Some(seat.rho.time) >= newest {
            // A write of Baton's own, known to have come before what stands there.
            Place::First
        } else {
            Place::Usual
        };
    }
    seats[from..end].sort_by_key(|s| s.rho);
    let mut at = from;
    while at < end {
        let of = |s: &Seat<'_>| (s.rho.place, s.rho.time);
        let moment = of(&seats[at]);
        let count = seats[at..end]
            .iter()
            .take_while(|s| of(s) == moment)
            .count();
        if count > 1 && moment.0 == Place::Usual {
            let order = order_of(seats, at, at + count, Span::Moment, echoes);
            for (seat, among) in seats[at..at + count].iter_mut().zip(order) {
                seat.rho.among = among;
            }
            seats[at..at + count].sort_by_key(|s| s.rho);
        }
        at += count;
    }
}

/// A sequence orders what happened. Readings and writes that no event shows have none and are fitted in: a reading is
/// the last word on all but what is later than the version it read, and a write follows those who still show what stood
/// before it.
fn arrange_sequenced(seats: &mut [Seat<'_>], from: usize, end: usize, echoes: Option<&Echoes<'_>>) {
    let group = &seats[from..end];
    let told = || group.iter().filter(|s| is_told(s));
    let latest = group.iter().filter(|s| s.is_read_back());
    let latest = latest.map(|s| s.rho.position).max();
    let newest = told().map(|s| s.rho.seq).max();
    let last_seq = |of: &dyn Fn(&&Seat<'_>) -> bool| {
        let among = told().filter(|s| of(s));
        among.map(|s| s.rho.seq).max()
    };
    let before = stood_before(seats, from);
    let last = stands_last(seats, from, end, Span::Quantum, echoes);
    let mut ordered: Vec<&Seat<'_>> = told().collect();
    ordered.sort_by_key(|s| s.rho.seq);
    let restating = ordered
        .iter()
        .take_while(|s| s.is_whole() && s.value == before);
    let restated = restating.map(|s| s.rho.seq).max().unwrap_or(0);
    // The place, the sequence, and where among those that bear it.
    let fitted: Vec<Option<(Place, u64, Place)>> = group
        .iter()
        .map(|seat| {
            if seat.event.is_none() {
                let mut showing = ordered
                    .iter()
                    .filter(|s| s.is_whole() && s.value == seat.value);
                return Some(match showing.next() {
                    Some(shows) => (Place::Usual, shows.rho.seq, Place::First),
                    None if last.known && last.value == seat.value => {
                        (Place::Last, 0, Place::Usual)
                    }
                    None => (Place::Usual, restated, Place::Last),
                });
            }
            if !seat.is_read_back() {
                return None;
            }
            let seen = |s: &&Seat<'_>| s.rho.time <= seat.rho.time && !sent_since(s, seat, echoes);
            let seen = last_seq(&seen).unwrap_or(0);
            if newest > Some(seen) {
                return Some((Place::Usual, seen, Place::Read));
            }
            // Of several readings the last one counts; the others stand where events put what they saw.
            let same = last_seq(&|s| s.rho.time <= seat.rho.time && s.value == seat.value);
            same.filter(|_| Some(seat.rho.position) < latest)
                .map(|same| (Place::Usual, same, Place::Read))
        })
        .collect();
    for (seat, fitted) in seats[from..end].iter_mut().zip(fitted) {
        if let Some((place, seq, among)) = fitted {
            (seat.rho.place, seat.rho.seq, seat.rho.among) = (place, seq, (among, 0));
        }
    }
    seats[from..end].sort_by_key(|s| s.rho);
}

/// Where each of the seats of one moment belongs.
fn order_of(
    seats: &[Seat<'_>],
    from: usize,
    end: usize,
    span: Span,
    echoes: Option<&Echoes<'_>>,
) -> Vec<(Place, u32)> {
    let group = &seats[from..end];
    let who: Vec<Who> = group.iter().map(|s| whose(s, echoes)).collect();
    let differ = group.iter().any(|s| s.value != group[0].value);
    if !differ {
        let place = |s: &Seat<'_>| {
            if s.is_read_back() {
                Place::Read
            } else {
                Place::Usual
            }
        };
        return group
            .iter()
            .zip(&who)
            .map(|(s, who)| (place(s), who.kind()))
            .collect();
    }
    let before = stood_before(seats, from);
    let mut last = stands_last(seats, from, end, span, echoes);
    if !last.known
        && let Some(rendering) = echoes.and_then(|e| e.rendering_beside_its_write(group))
        && rendering != before
    {
        (last.value, last.known) = (rendering, true);
    }
    let newest = group
        .iter()
        .filter(|s| is_told(s))
        .map(|s| s.rho.time)
        .max();
    // The value came back within the moment, and a write of Baton's own accounts for that.
    let brought_back = last.known
        && last.value == before
        && group
            .iter()
            .zip(&who)
            .any(|(s, who)| s.value == before && *who == Who::Baton);
    let mut order: Vec<(Place, u32)> = group
        .iter()
        .zip(&who)
        .enumerate()
        .map(|(at, (seat, who))| {
            let restates = is_told(seat) && seat.is_whole() && seat.value == before;
            let outdated =
                seat.is_read_back() && newest.is_some_and(|newest| seat.rho.time < newest);
            let place = if last.read == Some(from + at) {
                Place::Read
            } else if outdated || restates && brought_back && *who != Who::Baton {
                Place::First
            } else if last.known && seat.value == last.value {
                Place::Last
            } else if restates {
                Place::First
            } else {
                Place::Usual
            };
            (place, who.kind())
        })
        .collect();
    gather_runs(group, &mut order);
    order
}

/// Who brought a value, by the statement that shows it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Baton's own write.
    Baton,
    /// Somebody else said that they changed it.
    Entered,
    /// The whole record of a named person, who may have changed something else.
    Named,
    /// The whole record of nobody knows whom: often what an automation beside them made of it.
    Shown,
    /// The tagged event of a write that did not touch the field.
    Beside,
}

/// How many kinds of statement share one run.
const KINDS: u32 = 4;

impl Who {
    /// Of equal values of one moment those that were written or entered come before those that are merely shown, and
    /// what stands beside a write comes last.
    const fn kind(self) -> u32 {
        match self {
            Self::Baton | Self::Entered => 0,
            Self::Named => 1,
            Self::Shown => 2,
            Self::Beside => 3,
        }
    }
}

fn whose(seat: &Seat<'_>, echoes: Option<&Echoes<'_>>) -> Who {
    let Some(event) = seat.event else {
        return Who::Baton;
    };
    if event.origin == Origin::Ours {
        if stands_beside(event, echoes) {
            Who::Beside
        } else {
            Who::Baton
        }
    } else if !event.read_back && echoes.is_some_and(|e| e.shows_a_write(seat, event)) {
        Who::Baton
    } else if event.delta {
        Who::Entered
    } else if event.origin == Origin::Other {
        Who::Named
    } else {
        Who::Shown
    }
}

/// Whether a seat shows a write that was sent when the reading had been answered.
fn sent_since(seat: &Seat<'_>, reading: &Seat<'_>, echoes: Option<&Echoes<'_>>) -> bool {
    echoes.is_some_and(|e| e.was_sent_since(seat, reading.rho.position.arrival))
}

/// The value that stood before `from`; blank if nothing did.
fn stood_before<'a>(seats: &[Seat<'a>], from: usize) -> &'a Value {
    seats[..from]
        .iter()
        .rfind(|s| !s.seen.claims_nothing())
        .map_or(&BLANK, |s| s.value)
}

/// What was found to stand last among the seats, and by what.
fn stands_last<'a>(
    seats: &[Seat<'a>],
    from: usize,
    end: usize,
    span: Span,
    echoes: Option<&Echoes<'_>>,
) -> Found<'a> {
    let group = &seats[from..end];
    let before = stood_before(seats, from);
    let newest = group
        .iter()
        .filter(|s| is_told(s))
        .map(|s| s.rho.time)
        .max();
    // A reading of an older version than the newest event speaks of the past.
    let read = group
        .iter()
        .rposition(|s| s.is_read_back() && newest.is_none_or(|newest| s.rho.time >= newest))
        .filter(|read| {
            // One that shows what stood before says nothing of what came in after it, and none of what Baton wrote since.
            let reading = &group[*read];
            let after = |s: &Seat<'_>| {
                s.value != before
                    && reading.value == before
                    && s.rho.position > reading.rho.position
                    || s.value != reading.value && sent_since(s, reading, echoes)
            };
            !group.iter().any(after)
        });
    let next = shown_next(seats, from, end, span, echoes)
        .filter(|s| span != Span::Times || s.is_read_back());
    // What came in after the reading was answered may be news to it.
    let since = |value: &Value, read: usize| {
        let answered = group[read].rho.position;
        group
            .iter()
            .any(|s| s.value == value && s.rho.position > answered)
    };
    match (read, next) {
        (Some(read), Some(next)) if since(next.value, read) => Found {
            value: next.value,
            read: None,
            known: true,
        },
        (Some(read), _) => Found {
            value: group[read].value,
            read: Some(from + read),
            known: true,
        },
        (None, Some(next)) => Found {
            value: next.value,
            read: None,
            known: true,
        },
        (None, None) => Found {
            value: &BLANK,
            read: None,
            known: false,
        },
    }
}

/// Equal values of one moment stand together, where the first of them came in: the fewest changes that explain what
/// was seen.
fn gather_runs(group: &[Seat<'_>], order: &mut [(Place, u32)]) {
    let mut run = 0;
    for at in 0..group.len() {
        if order[at].0 != Place::Usual {
            continue;
        }
        let first =
            (0..at).find(|b| order[*b].0 == Place::Usual && group[*b].value == group[at].value);
        // One for each kind of statement.
        let kind = order[at].1 % KINDS;
        order[at].1 = kind
            + first.map_or_else(
                || {
                    run += KINDS;
                    run
                },
                |first| order[first].1 - order[first].1 % KINDS,
            );
    }
}

/// What was found to stand last in a quantum, and the reading that found it.
struct Found<'a> {
    value: &'a Value,
    read: Option<usize>,
    /// Whether anything was found.
    known: bool,
}

/// The next statement about the record as a whole that shows one of these values, if nothing but that statement can
/// have brought it there: a write of Baton's own in between tells nothing of what was before it.
fn shown_next<'s, 'a>(
    seats: &'s [Seat<'a>],
    from: usize,
    end: usize,
    span: Span,
    echoes: Option<&Echoes<'_>>,
) -> Option<&'s Seat<'a>> {
    let next = seats.get(end)?;
    let (own, following) = (&seats[from], &seats[end..]);
    let together = |s: &&Seat<'_>| {
        s.rho.floored == next.rho.floored
            && (next.rho.floored != own.rho.floored || s.rho.time == next.rho.time)
    };
    let next = &following[..following.iter().take_while(together).count()];
    // Where times are exact they tell what came between.
    let after = (span == Span::Moment).then_some(own.rho.time);
    let mut shown = next
        .iter()
        .filter(|s| s.is_whole() && (s.is_read_back() || !s.seen.claims_nothing()))
        // Somebody says that they changed it to that then.
        .filter(|s| {
            let news = |o: &Seat<'_>| o.event.is_none_or(|e| e.delta) && o.value == s.value;
            !next.iter().any(news)
        })
        .filter(|s| !echoes.is_some_and(|e| e.may_be_echo(s, &seats[from..end], after)))
        .filter(|s| seats[from..end].iter().any(|own| own.value == s.value));
    let first = shown.next()?;
    // Two values of one moment, and nobody knows which was there first.
    let told_apart = first.rho.seq != 0 || shown.all(|s| s.value == first.value);
    told_apart.then_some(first)
}
