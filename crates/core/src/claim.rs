//! Claims of fields and groups: the turns of each record, and which of them it offers.

use std::{cmp::Reverse, collections::BTreeMap};

use crate::{
    change::{Cause, Seen},
    id::{EventId, Position, RecordKey},
    name::Name,
    order::{Role, Seat, Track, track},
    rules::{ClearPolicy, DeletePolicy, GroupRule, Rules},
    state::{LinkStatus, LinkStatusFact, State},
    time::Millis,
    value::Value,
};

/// What a claim says: one value, or a group's whole tuple in the order of the group's fields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content<'a> {
    One(&'a Value),
    Tuple(Vec<&'a Value>),
}

impl Content<'_> {
    #[must_use]
    pub fn values(&self) -> &[&Value] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Tuple(values) => values,
        }
    }

    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.values().iter().all(|v| v.is_blank())
    }

    /// Non-blank members.
    #[must_use]
    pub fn completeness(&self) -> usize {
        self.values().iter().filter(|v| !v.is_blank()).count()
    }

    /// Characters of all members.
    #[must_use]
    pub fn length(&self) -> usize {
        self.values()
            .iter()
            .map(|v| v.to_string().chars().count())
            .sum()
    }

    fn bytes(&self) -> Vec<Vec<u8>> {
        self.values().iter().map(|v| v.canonical_bytes()).collect()
    }
}

/// A turn of one record.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    pub record: &'a RecordKey,
    pub link: LinkStatus,
    pub content: Content<'a>,
    pub time: Millis,
    pub floored: Millis,
    pub seq: u64,
    pub position: Position,
    pub cause: Cause,
    pub event: EventId,
    pub invalid: bool,
    pub doubtful: bool,
    /// A clear in it waits for the mass-clear guard, or was held by it.
    pub held: bool,
    /// Members named in `requires` are all there.
    pub qualified: bool,
    /// A member was never observed at this record.
    pub partial: bool,
}

/// Order of the tie-break, after the strategy key; the greatest wins. Every member is a property of one claim.
pub type TieBreak<'a> = (
    bool,
    bool,
    Millis,
    Reverse<u8>,
    Reverse<usize>,
    Reverse<Name>,
    u64,
    Millis,
    Reverse<Vec<Vec<u8>>>,
    Reverse<&'a RecordKey>,
);

impl Claim<'_> {
    /// Non-blank over blank; active link over others; floored event time; cause rank; source rank; system name;
    /// vendor sequence; exact event time; canonical value bytes; record key.
    #[must_use]
    pub fn tie_break(&self, rules: &Rules) -> TieBreak<'_> {
        (
            !self.content.is_blank(),
            self.link == LinkStatus::Active,
            self.floored,
            Reverse(rules.rank_of_cause(self.cause)),
            Reverse(rules.rank_of_source(self.record.system)),
            Reverse(self.record.system),
            self.seq,
            self.time,
            Reverse(self.content.bytes()),
            Reverse(self.record),
        )
    }
}

/// Why a claim did not win.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    Invalid,
    /// A blank that the field's clear policy does not let through.
    ClearNotAllowed,
    /// The mass-clear guard has not let it through.
    ClearHeld,
    /// An import, enrichment or API value within the protection of a manual entry.
    Protected,
    /// A tuple without all its members.
    PartialTuple,
    /// A tuple without a required member.
    MissingRequired,
    /// The same record said something newer.
    Superseded,
    /// Its record was deleted and the policy is `detach`.
    Detached,
    /// The strategy preferred another claim.
    Outranked,
    /// The strategy does not read this source.
    NotASource,
    /// Equal by the strategy; lost in the tie-break.
    TieBreak,
    /// A steward's lock.
    Locked,
    /// A steward's decision.
    Ruled,
    /// It belongs to an earlier stage segment.
    EarlierSegment,
    /// The funnel moved the person later.
    Moved,
}

impl Why {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "not a valid value of this field",
            Self::ClearNotAllowed => "a blank that this field's clear policy does not let through",
            Self::ClearHeld => {
                "cleared together with many others, and held until a steward decides"
            }
            Self::Protected => "imported while a manual entry was protected",
            Self::PartialTuple => "a group seen only in part",
            Self::MissingRequired => "a group without a required member",
            Self::Superseded => "the same record has a newer value",
            Self::Detached => "its record was deleted",
            Self::Outranked => "the rule preferred another value",
            Self::NotASource => "the rule does not take this source",
            Self::TieBreak => "equal by the rule, lost in the tie-break",
            Self::Locked => "a steward locked the field",
            Self::Ruled => "a steward decided",
            Self::EarlierSegment => "from an earlier stage, and a later one has a winner",
            Self::Moved => "said before the funnel moved the person",
        }
    }
}

/// The claims about one field or group: every turn of every record, and which turn each record offers.
#[derive(Debug, Default)]
pub struct Claims<'a> {
    /// Per record, its turns in ρ.
    pub records: Vec<RecordClaims<'a>>,
    /// Times of turns of a manual-or-higher cause, at any record, floored.
    manual: Vec<Millis>,
}

#[derive(Debug)]
pub struct RecordClaims<'a> {
    pub record: &'a RecordKey,
    pub turns: Vec<Claim<'a>>,
    /// When its record was deleted under the policy `detach`.
    pub detached: Option<Millis>,
}

/// Modifiers that decide eligibility.
#[derive(Clone, Copy, Debug)]
pub struct Eligibility {
    pub clear: ClearPolicy,
    pub protect: Option<i64>,
}

impl<'a> Claims<'a> {
    /// The turns of one field at all linked records.
    #[must_use]
    pub fn of_field(state: &'a State, field: Name, rules: &'a Rules) -> Self {
        let mut claims = Self::default();
        for record in state.links.keys() {
            let track = track(state, record, field, rules);
            if track.seats.is_empty() {
                continue;
            }
            let turns: Vec<_> = track
                .seats
                .iter()
                .filter_map(|s| field_claim(&track, s))
                .collect();
            claims.note_manual(turns.iter().map(|t| (t.cause, t.floored)), rules);
            claims.records.push(RecordClaims {
                record,
                turns,
                detached: detached(state, record, rules),
            });
        }
        claims
    }

    /// The tuples of one group at all linked records.
    #[must_use]
    pub fn of_group(state: &'a State, group: &'a GroupRule, rules: &'a Rules) -> Self {
        let mut claims = Self::default();
        for record in state.links.keys() {
            let tracks: Vec<_> = group
                .fields
                .iter()
                .map(|f| track(state, record, *f, rules))
                .collect();
            if tracks.iter().all(|t| t.seats.is_empty()) {
                continue;
            }
            claims.note_manual(
                tracks
                    .iter()
                    .flat_map(|t| &t.seats)
                    .filter(|s| s.role == Role::Turn)
                    .map(|s| (s.cause, s.rho.floored)),
                rules,
            );
            let turns = tuples(record, &tracks, group, rules);
            claims.records.push(RecordClaims {
                record,
                turns,
                detached: detached(state, record, rules),
            });
        }
        claims
    }

    fn note_manual(&mut self, turns: impl Iterator<Item = (Cause, Millis)>, rules: &Rules) {
        let manual = rules.rank_of_cause(Cause::ManualEdit);
        self.manual.extend(
            turns
                .filter(|(cause, _)| rules.rank_of_cause(*cause) <= manual)
                .map(|(_, at)| at),
        );
    }

    /// Why a turn is ineligible, if it is.
    #[must_use]
    pub fn bar(
        &self,
        turn: &Claim<'_>,
        how: Eligibility,
        need_required: bool,
        rules: &Rules,
    ) -> Option<Why> {
        if turn.invalid {
            return Some(Why::Invalid);
        }
        if turn.partial {
            return Some(Why::PartialTuple);
        }
        if turn.held {
            return Some(Why::ClearHeld);
        }
        if turn.content.is_blank() && !clears(how.clear, turn.cause, rules) {
            return Some(Why::ClearNotAllowed);
        }
        if need_required && !turn.qualified {
            return Some(Why::MissingRequired);
        }
        if let Some(span) = how.protect
            && matches!(
                turn.cause,
                Cause::ListImport | Cause::Enrichment | Cause::Api
            )
            && self
                .manual
                .iter()
                .any(|m| (0..span).contains(&turn.floored.since(*m)))
        {
            return Some(Why::Protected);
        }
        None
    }

    /// Whether any tuple has all required members; if none has, `requires` does not bind.
    #[must_use]
    pub fn any_qualified(&self, how: Eligibility, rules: &Rules) -> bool {
        self.records
            .iter()
            .flat_map(|r| &r.turns)
            .any(|t| t.qualified && self.bar(t, how, true, rules).is_none())
    }

    /// Every turn as (record's claims, turn, why it is barred).
    pub fn all<'s>(
        &'s self,
        how: Eligibility,
        rules: &'s Rules,
    ) -> impl Iterator<Item = (&'s RecordClaims<'a>, &'s Claim<'a>, Option<Why>)> + 's {
        let mut turns = self.records.iter().flat_map(|r| &r.turns);
        let need_required = turns.any(|t| !t.qualified) && self.any_qualified(how, rules);
        let newest = move |except: &RecordKey| {
            let others = self.records.iter().filter(move |r| r.record != except);
            let eligible = |t: &&Claim<'_>| self.bar(t, how, need_required, rules).is_none();
            others
                .flat_map(|r| &r.turns)
                .filter(eligible)
                .map(|t| t.floored)
                .max()
        };
        self.records.iter().flat_map(move |of| {
            let gone = of
                .detached
                .is_some_and(|at| newest(of.record).is_some_and(|t| t > at));
            of.turns.iter().map(move |turn| {
                let bar = self.bar(turn, how, need_required, rules);
                (of, turn, bar.or(gone.then_some(Why::Detached)))
            })
        })
    }
}

/// Whether the policy lets a clear of this cause through.
#[must_use]
pub fn clears(policy: ClearPolicy, cause: Cause, rules: &Rules) -> bool {
    match policy {
        ClearPolicy::Propagate => true,
        ClearPolicy::PropagateIfManual => {
            rules.rank_of_cause(cause) <= rules.rank_of_cause(Cause::ManualEdit)
        }
        ClearPolicy::Ignore | ClearPolicy::Hold => false,
    }
}

fn detached(state: &State, record: &RecordKey, rules: &Rules) -> Option<Millis> {
    let policy = rules.systems.get(&record.system)?.delete;
    let link = state.links.get(record)?;
    (policy == DeletePolicy::Detach && link.status() == LinkStatus::Deleted).then_some(())?;
    let quantum = rules.timing.quantum;
    link.facts
        .iter()
        .filter(|(_, _, fact)| *fact == LinkStatusFact::Deleted)
        .map(|(at, _, _)| *at)
        .max()
        .map(|at: Millis| at.floor(quantum))
}

fn field_claim<'a>(track: &Track<'a>, seat: &Seat<'a>) -> Option<Claim<'a>> {
    (seat.role == Role::Turn).then(|| observed(track.record, track.link, seat))
}

/// One observation in the form of a claim.
pub(crate) fn observed<'a>(record: &'a RecordKey, link: LinkStatus, seat: &Seat<'a>) -> Claim<'a> {
    Claim {
        record,
        link,
        content: Content::One(seat.value),
        time: seat.rho.time,
        floored: seat.rho.floored,
        seq: seat.rho.seq,
        position: seat.rho.position,
        cause: seat.cause,
        event: seat.rho.event,
        invalid: seat.seen == Seen::Invalid,
        doubtful: seat.seen == Seen::Doubtful,
        held: seat.held,
        qualified: true,
        partial: false,
    }
}

/// Builds the whole tuples of one record: members that a change carries come from it, the others from the last
/// observations before it, own writes included. Changes with the same exact time make one tuple.
fn tuples<'a>(
    record: &'a RecordKey,
    tracks: &[Track<'a>],
    group: &GroupRule,
    rules: &Rules,
) -> Vec<Claim<'a>> {
    static BLANK: Value = Value::Blank;
    let mapped = |field: Name| {
        rules.object(record.system, record.object).is_none_or(|m| {
            m.fields
                .values()
                .any(|f| f.field == field && f.direction != crate::rules::Direction::Out)
        })
    };
    let mut seats: Vec<_> = tracks
        .iter()
        .enumerate()
        .flat_map(|(m, t)| t.seats.iter().map(move |s| (m, s)))
        .filter(|(_, seat)| seat.role != Role::Waiting)
        .collect();
    seats.sort_by(|(a, of_a), (b, of_b)| of_a.rho.cmp(&of_b.rho).then_with(|| a.cmp(b)));
    let is_mapped: Vec<bool> = group.fields.iter().map(|field| mapped(*field)).collect();
    // The place from which on every mapped member was observed; none if one never was.
    let whole_from = (0..tracks.len())
        .filter(|m| is_mapped[*m])
        .map(|m| seats.iter().position(|(member, _)| *member == m))
        .try_fold(0, |latest, at| Some(latest.max(at?)));
    let mut now: Vec<&'a Value> = vec![&BLANK; tracks.len()];
    let mut invalid = vec![false; tracks.len()];
    let mut doubtful = vec![false; tracks.len()];
    let mut held = vec![false; tracks.len()];
    let mut turns: Vec<Claim<'a>> = Vec::new();
    let mut last_turn = None;
    let mut walked = 0;
    for Step {
        first,
        last,
        turned,
    } in steps(&seats)
    {
        let mut written_after = Vec::new();
        for (at, (member, seat)) in seats.iter().enumerate().take(last + 1).skip(walked) {
            match seat.role {
                // What Baton wrote there within the same instant came after the turn.
                Role::Own
                    if turned.is_some_and(|turn| turn < at && same_instant(&seats, turn, at)) =>
                {
                    written_after.push((*member, *seat));
                }
                // And so did whatever shows it.
                Role::Same if written_after.iter().any(|(written, _)| written == member) => {
                    written_after.push((*member, *seat));
                }
                // Observed, but nothing that a tuple could carry: never a clear by the back door (L8).
                Role::Nothing | Role::Waiting => {}
                Role::Turn | Role::Same | Role::Own => {
                    // A restated rendering means the value that was written, not its cut or re-cased form.
                    now[*member] = seat.meant.unwrap_or(seat.value);
                    invalid[*member] = seat.seen == Seen::Invalid && seat.role != Role::Own;
                    doubtful[*member] = seat.seen == Seen::Doubtful;
                    match seat.role {
                        Role::Turn => {
                            held[*member] = seat.held;
                            last_turn = Some(*seat);
                        }
                        // What restates a held clear does not let it through.
                        Role::Same if seat.value.is_blank() => {}
                        _ => held[*member] = false,
                    }
                }
            }
        }
        walked = last + 1;
        let partial = whole_from.is_none_or(|from| from > last);
        // A step without a turn makes a tuple only where it completes what was seen in part so far.
        let completes = !partial && whole_from.is_some_and(|from| from >= first);
        let latest = last_turn.filter(|_| turned.is_some() || completes);
        let claimed = latest.map(|latest| {
            let mut claimed = Claimed {
                latest,
                values: now.clone(),
                invalid: invalid.contains(&true),
                doubtful: doubtful.contains(&true),
            };
            if let Some(shown) = shown_whole(&seats[first..=last], &is_mapped, &now) {
                claimed.is_of(&shown, &invalid, &doubtful);
            }
            claimed
        });
        for (member, seat) in written_after {
            now[member] = seat.meant.unwrap_or(seat.value);
        }
        let Some(claimed) = claimed else {
            continue;
        };
        let (latest, values) = (claimed.latest, claimed.values);
        let qualified = group.requires.iter().all(|need| {
            group
                .fields
                .iter()
                .position(|f| f == need)
                .is_none_or(|at| !values[at].is_blank())
        });
        turns.push(Claim {
            record,
            link: tracks[0].link,
            content: Content::Tuple(values),
            time: latest.rho.time,
            floored: latest.rho.floored,
            seq: latest.rho.seq,
            position: latest.rho.position,
            cause: latest.cause,
            event: latest.rho.event,
            invalid: claimed.invalid,
            doubtful: claimed.doubtful,
            held: held.contains(&true),
            qualified,
            partial,
        });
    }
    turns
}

/// What a step claims.
struct Claimed<'s, 'a> {
    /// The turn with whose time and cause it does.
    latest: &'s Seat<'a>,
    values: Vec<&'a Value>,
    invalid: bool,
    doubtful: bool,
}

impl<'s, 'a> Claimed<'s, 'a> {
    /// It is the tuple of one whole record; where that says nothing, what stood there stands.
    fn is_of(&mut self, record: &[(usize, &'s Seat<'a>)], invalid: &[bool], doubtful: &[bool]) {
        (self.invalid, self.doubtful) = (false, false);
        for (member, seat) in record {
            if seat.role == Role::Nothing {
                self.invalid |= invalid[*member];
                self.doubtful |= doubtful[*member];
            } else {
                self.values[*member] = seat.meant.unwrap_or(seat.value);
                self.invalid |= seat.seen == Seen::Invalid && seat.role != Role::Own;
                self.doubtful |= seat.seen == Seen::Doubtful;
            }
        }
        let turns = record.iter().map(|(_, seat)| *seat);
        let turns = turns.filter(|seat| seat.role == Role::Turn);
        self.latest = turns.max_by_key(|seat| seat.rho).unwrap_or(self.latest);
    }
}

/// Each member of a tuple is put in order by itself, so of several whole records of one exact time that differ a tuple may
/// come that none of them showed: one's street with another's country. Then it is that of the one which shows most of it;
/// of several the last that came in.
fn shown_whole<'s, 'a>(
    step: &[(usize, &'s Seat<'a>)],
    is_mapped: &[bool],
    values: &[&'a Value],
) -> Option<Vec<(usize, &'s Seat<'a>)>> {
    let last = step.last()?.1;
    let of_step = || {
        step.iter()
            .filter(|(_, seat)| seat.rho.time == last.rho.time)
    };
    // Mostly one event is all there is of its time.
    if of_step().all(|(_, seat)| seat.rho.event == last.rho.event) {
        return None;
    }
    let mut shown: BTreeMap<EventId, Vec<(usize, &Seat<'a>)>> = BTreeMap::new();
    for (member, seat) in of_step() {
        let event = seat
            .event
            .filter(|event| !event.delta && !event.read_back)?;
        shown.entry(event.event).or_default().push((*member, seat));
    }
    // A blank that says nothing contradicts nothing.
    let says = |(member, seat): &(usize, &Seat<'a>)| {
        seat.role == Role::Nothing || seat.meant.unwrap_or(seat.value) == values[*member]
    };
    let members = is_mapped.iter().filter(|is_mapped| **is_mapped).count();
    let whole = shown.into_values().filter(|shown| shown.len() == members);
    let whole: Vec<_> = whole.collect();
    if whole.len() < 2 || whole.iter().any(|shown| shown.iter().all(says)) {
        return None;
    }
    whole.into_iter().max_by_key(|shown| {
        let same = shown.iter().filter(|shown| says(shown)).count();
        (same, shown.iter().map(|(_, seat)| seat.rho.position).max())
    })
}

/// What others than Baton said at one exact time; it stands at the last of it in ρ.
struct Step {
    first: usize,
    last: usize,
    /// Its last turn.
    turned: Option<usize>,
}

fn same_instant(seats: &[(usize, &Seat<'_>)], a: usize, b: usize) -> bool {
    let rho = |at: usize| &seats[at].1.rho;
    (rho(a).floored, rho(a).time) == (rho(b).floored, rho(b).time)
}

fn steps(seats: &[(usize, &Seat<'_>)]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (at, (_, seat)) in seats.iter().enumerate() {
        if seat.role == Role::Own {
            continue;
        }
        let turned = (seat.role == Role::Turn).then_some(at);
        let rho = |step: &Step| &seats[step.first].1.rho;
        // Same exact time, same quantum: no need to look further back.
        let same = steps
            .iter_mut()
            .rev()
            .take_while(|s| rho(s).floored == seat.rho.floored)
            .find(|s| rho(s).time == seat.rho.time);
        match same {
            Some(step) => {
                step.last = at;
                step.turned = turned.or(step.turned);
            }
            None => steps.push(Step {
                first: at,
                last: at,
                turned,
            }),
        }
    }
    steps.sort_by_key(|step| step.last);
    steps
}
