//! What stands last in a quantum, where neither sequence nor time tells (decision 0001).

use crate::echo::Echoes;
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
        arrange_quantum(seats, from, from + count, echoes);
        from += count;
    }
}

fn arrange_quantum(seats: &mut [Seat<'_>], from: usize, end: usize, echoes: Option<&Echoes<'_>>) {
    let group = &seats[from..end];
    let Some(first) = group.first() else { return };
    let sequenced = |s: &Seat<'_>| s.sealed || (s.rho.seq != 0 && !s.is_read_back());
    if !first.rho.floored.is_timed()
        || group.iter().any(sequenced)
        || group.iter().all(|s| s.value == first.value)
    {
        return;
    }
    let before = seats[..from]
        .iter()
        .rfind(|s| !s.seen.claims_nothing())
        .map_or(&BLANK, |s| s.value);
    let newest = group
        .iter()
        .filter(|s| s.event.is_some() && !s.is_read_back())
        .map(|s| s.rho.time)
        .max();
    // A reading of an older version than the newest event speaks of the past.
    let read = group
        .iter()
        .rposition(|s| s.is_read_back() && newest.is_none_or(|newest| s.rho.time >= newest))
        .filter(|read| {
            // One that shows what stood before the quantum says nothing of what came in after it.
            let reading = &group[*read];
            reading.value != before
                || group
                    .iter()
                    .all(|s| s.value == before || s.rho.position <= reading.rho.position)
        });
    let mut told = group
        .iter()
        .filter(|s| s.event.is_some() && !s.is_read_back());
    let moment = told.next().map(|s| s.rho.time);
    // Exact times order what they can.
    let one_moment = told.all(|s| Some(s.rho.time) == moment);
    let next = shown_next(seats, from, end, echoes).filter(|s| one_moment || s.is_read_back());
    // What came in after the reading was answered may be news to it.
    let since = |value: &Value, read: usize| {
        let answered = group[read].rho.position;
        group
            .iter()
            .any(|s| s.value == value && s.rho.position > answered)
    };
    let last = match (read, next) {
        (Some(read), Some(next)) if since(next.value, read) => Found {
            value: next.value,
            read: None,
        },
        (Some(read), _) => Found {
            value: group[read].value,
            read: Some(from + read),
        },
        (None, Some(next)) => Found {
            value: next.value,
            read: None,
        },
        (None, None) => Found {
            value: &BLANK,
            read: None,
        },
    };
    let known = read.is_some() || next.is_some();
    let ours = |seat: &Seat<'_>| {
        seat.event.is_none_or(|event| {
            event.origin == Origin::Ours
                || !event.read_back && echoes.is_some_and(|e| e.shows_a_write(seat, event))
        })
    };
    // The value came back within the quantum, and a write of Baton's own accounts for that.
    let brought_back =
        known && last.value == before && group.iter().any(|s| s.value == before && ours(s));
    let ours: Vec<bool> = group.iter().map(ours).collect();
    for (at, seat) in seats.iter_mut().enumerate().take(end).skip(from) {
        let told = seat.event.is_some() && !seat.is_read_back();
        let ours = ours[at - from];
        let restates = one_moment && told && seat.is_whole() && seat.value == before;
        // Of equal values the write comes before those who merely show it.
        seat.rho.run = u32::from(!ours);
        seat.rho.place = if last.read == Some(at) {
            Place::Read
        } else if !one_moment && seat.event.is_some() {
            Place::Usual
        } else if !one_moment && known && seat.value != last.value {
            // A write of Baton's own, known to have come before what stands there.
            Place::First
        } else if restates && brought_back && !ours {
            Place::First
        } else if known && seat.value == last.value {
            Place::Last
        } else if restates {
            Place::First
        } else {
            Place::Usual
        };
        if !one_moment {
            seat.rho.run = 0;
        }
    }
    if one_moment {
        gather_runs(&mut seats[from..end]);
    }
    seats[from..end].sort_by_key(|s| s.rho);
}

/// Equal values of one moment stand together, where the first of them came in: the fewest changes that explain what
/// was seen.
fn gather_runs(group: &mut [Seat<'_>]) {
    let mut run = 0;
    for at in 0..group.len() {
        if group[at].rho.place != Place::Usual {
            continue;
        }
        let first = group[..at]
            .iter()
            .find(|s| s.value == group[at].value && s.rho.place == Place::Usual);
        // Two for each run: the write, and those who merely show it.
        let shows = group[at].rho.run % 2;
        group[at].rho.run = shows
            + first.map_or_else(
                || {
                    run += 2;
                    run
                },
                |s| s.rho.run - s.rho.run % 2,
            );
    }
}

/// What was found to stand last in a quantum, and the reading that found it.
struct Found<'a> {
    value: &'a Value,
    read: Option<usize>,
}

/// The next statement about the record as a whole that shows one of the quantum's values, if nothing but that
/// statement can have brought it there: a write of Baton's own in between tells nothing of what was before it.
fn shown_next<'s, 'a>(
    seats: &'s [Seat<'a>],
    from: usize,
    end: usize,
    echoes: Option<&Echoes<'_>>,
) -> Option<&'s Seat<'a>> {
    let floored = seats.get(end)?.rho.floored;
    let count = seats[end..]
        .iter()
        .take_while(|s| s.rho.floored == floored)
        .count();
    let next = &seats[end..end + count];
    next.iter()
        .filter(|s| s.is_whole() && (s.is_read_back() || !s.seen.claims_nothing()))
        .filter(|s| !next.iter().any(|o| o.event.is_none() && o.value == s.value))
        .filter(|s| !echoes.is_some_and(|e| e.may_be_echo(s, seats[from].rho.floored)))
        .find(|s| seats[from..end].iter().any(|own| own.value == s.value))
}
