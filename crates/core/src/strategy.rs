//! Who wins, given the offers of all records (section 3). Every strategy ends in the same tie-break.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use compact_str::CompactString;
use rust_decimal::Decimal;

use crate::{
    change::Cause,
    claim::{Claim, Claims, Content, Eligibility, Why, clears, observed},
    id::RecordKey,
    name::Name,
    order::{Role, Seat, track_all},
    rules::{Decay, OnBlank, OnTransition, Rules, Segment, Strategy, Trust},
    state::State,
    time::{DAY, Millis},
    value::Value,
};

/// The result of judging one field or group.
#[derive(Debug, Default)]
pub struct Verdict<'a> {
    /// The winning claim; none for derived answers and where nobody claims anything.
    pub winner: Option<Claim<'a>>,
    /// A computed answer (union, counter, consent, lock, ruling, expression).
    pub computed: Option<Value>,
    /// Claims that a computed answer was made of.
    pub contributors: Vec<Claim<'a>>,
    pub losers: Vec<(Claim<'a>, Why)>,
    /// A steward's word: it stands even where it is blank.
    pub ruled: bool,
    /// The next instant at which the answer can change by time alone.
    pub until: Option<Millis>,
}

/// What a strategy is applied to.
pub struct Court<'a, 's> {
    pub state: &'a State,
    pub rules: &'a Rules,
    pub claims: &'s Claims<'a>,
    pub how: Eligibility,
    /// As-of instant of time-dependent strategies.
    pub at: Millis,
    /// The field, for strategies that look at observations rather than turns; none for groups.
    pub field: Option<Name>,
}

/// A stretch of floored times: after the first, up to and including the second.
#[derive(Clone, Copy)]
struct Span(Millis, Millis);

impl Span {
    const ALWAYS: Self = Self(Millis(i64::MIN), Millis(i64::MAX));

    fn holds(self, at: Millis) -> bool {
        (self.0.0 == i64::MIN || at > self.0) && at <= self.1
    }
}

/// A turn with why it may not be offered.
type Turn<'a, 's> = (&'s Claim<'a>, Option<Why>);

impl<'a, 's> Court<'a, 's> {
    /// Judges all claims under `strategy`.
    #[must_use]
    pub fn judge(&self, strategy: &Strategy) -> Verdict<'a> {
        let turns: Vec<Turn<'a, 's>> = self
            .claims
            .all(self.how, self.rules)
            .map(|(_, turn, bar)| (turn, bar))
            .collect();
        self.judge_among(strategy, &turns, Span::ALWAYS)
    }

    fn judge_among(&self, strategy: &Strategy, turns: &[Turn<'a, 's>], span: Span) -> Verdict<'a> {
        match strategy {
            Strategy::Priority { sources, on_blank } => self.priority(turns, sources, *on_blank),
            Strategy::Only { source } => {
                let (offers, losers) = offers(turns, |c| c.record.system == *source);
                self.best(offers, losers, |_| Some(()))
            }
            Strategy::Latest
            | Strategy::MostRestrictive
            | Strategy::Derived(_)
            | Strategy::Follow { .. } => {
                let (offers, losers) = offers(turns, |_| true);
                self.best(offers, losers, |c| Some(c.floored))
            }
            Strategy::Fill => self.fill(turns),
            Strategy::First => {
                // Not only the last turn of each record: the earliest ever.
                let mut losers = barred(turns);
                let eligible = turns
                    .iter()
                    .filter(|(_, bar)| bar.is_none())
                    .map(|(c, _)| *c);
                let (blank, filled): (Vec<_>, Vec<_>) =
                    eligible.partition(|c| c.content.is_blank());
                if filled.is_empty() {
                    return self.best(blank, losers, |_| Some(()));
                }
                losers.extend(blank.iter().map(|c| ((*c).clone(), Why::Outranked)));
                self.best(filled, losers, |c| Some(Reverse(c.floored)))
            }
            Strategy::Trust(trust) => self.trust(turns, trust),
            Strategy::MostComplete => {
                let (offers, losers) = offers(turns, |_| true);
                self.best(offers, losers, |c| Some(c.content.completeness()))
            }
            Strategy::Longest => {
                let (offers, losers) = offers(turns, |_| true);
                self.best(offers, losers, |c| Some(c.content.length()))
            }
            Strategy::Max => {
                let (offers, losers) = offers(turns, |_| true);
                self.best(offers, losers, |c| {
                    Some((!c.content.is_blank(), owned(&c.content)))
                })
            }
            Strategy::Min => {
                let (offers, losers) = offers(turns, |_| true);
                self.best(offers, losers, |c| {
                    // A blank loses, whole or as a member.
                    let members = c.content.values().iter();
                    Some(Reverse(
                        members
                            .map(|v| (v.is_blank(), (*v).clone()))
                            .collect::<Vec<_>>(),
                    ))
                })
            }
            Strategy::Union => self.union(turns),
            Strategy::Counter => self.counter(turns, span),
            Strategy::ByStage {
                segments,
                on_transition,
            } => self.by_stage(turns, segments, *on_transition),
            Strategy::Manual { fallback } => self.manual(turns, fallback.as_ref(), span),
        }
    }

    /// The greatest by key, then by the tie-break. A key of none takes no part.
    fn best<K: Ord>(
        &self,
        offers: Vec<&'s Claim<'a>>,
        mut losers: Vec<(Claim<'a>, Why)>,
        key: impl Fn(&Claim<'a>) -> Option<K>,
    ) -> Verdict<'a> {
        let mut best: Option<(&'s Claim<'a>, K)> = None;
        for claim in offers {
            let Some(k) = key(claim) else { continue };
            let (claim, lost, why) = match best.take() {
                None => {
                    best = Some((claim, k));
                    continue;
                }
                Some((held, h)) => match h.cmp(&k) {
                    std::cmp::Ordering::Less => ((claim, k), held, Why::Outranked),
                    std::cmp::Ordering::Greater => ((held, h), claim, Why::Outranked),
                    std::cmp::Ordering::Equal
                        if held.tie_break(self.rules) >= claim.tie_break(self.rules) =>
                    {
                        ((held, h), claim, Why::TieBreak)
                    }
                    std::cmp::Ordering::Equal => ((claim, k), held, Why::TieBreak),
                },
            };
            losers.push((lost.clone(), why));
            best = Some(claim);
        }
        Verdict {
            winner: best.map(|(claim, _)| claim.clone()),
            losers,
            ..Verdict::default()
        }
    }

    fn priority(&self, turns: &[Turn<'a, 's>], sources: &[Name], on_blank: OnBlank) -> Verdict<'a> {
        let listed = |c: &Claim<'_>| sources.iter().position(|s| *s == c.record.system);
        let (mut offers, mut losers) = offers(turns, |c| listed(c).is_some());
        if on_blank == OnBlank::Hold {
            self.hold(turns, &mut offers, &mut losers);
        }
        // If every source that offers anything was cleared, the first one's clear wins.
        if on_blank != OnBlank::Clear && offers.iter().any(|c| !c.content.is_blank()) {
            losers.extend(
                offers
                    .iter()
                    .filter(|c| c.content.is_blank())
                    .map(|c| ((*c).clone(), Why::Outranked)),
            );
            offers.retain(|c| !c.content.is_blank());
        }
        self.best(offers, losers, |c| listed(c).map(Reverse))
    }

    /// Where a source has cleared its value, its record offers its last value before the clear instead.
    fn hold(
        &self,
        turns: &[Turn<'a, 's>],
        offers: &mut [&'s Claim<'a>],
        losers: &mut Vec<(Claim<'a>, Why)>,
    ) {
        let filled: BTreeSet<Name> = offers
            .iter()
            .filter(|c| !c.content.is_blank())
            .map(|c| c.record.system)
            .collect();
        let sources: BTreeSet<Name> = offers.iter().map(|c| c.record.system).collect();
        for source in sources.difference(&filled) {
            // Of several cleared records of one source the tie-break chooses the one that speaks.
            let cleared = offers
                .iter_mut()
                .filter(|c| c.record.system == *source)
                .max_by(|a, b| a.tie_break(self.rules).cmp(&b.tie_break(self.rules)));
            let Some(cleared) = cleared else { continue };
            let held = turns.iter().rev().find(|(c, bar)| {
                bar.is_none() && c.record == cleared.record && !c.content.is_blank()
            });
            if let Some((held, _)) = held {
                losers.retain(|(c, _)| {
                    (c.record, c.event, c.time) != (held.record, held.event, held.time)
                });
                losers.push(((*cleared).clone(), Why::ClearNotAllowed));
                *cleared = held;
            }
        }
    }

    fn fill(&self, turns: &[Turn<'a, 's>]) -> Verdict<'a> {
        let mut firsts: BTreeMap<&RecordKey, Millis> = BTreeMap::new();
        for (claim, bar) in turns {
            if bar.is_none() && !claim.content.is_blank() {
                let first = firsts.entry(claim.record).or_insert(claim.floored);
                *first = (*first).min(claim.floored);
            }
        }
        let (offers, losers) = offers(turns, |_| true);
        let (blank, filled): (Vec<_>, Vec<_>) =
            offers.into_iter().partition(|c| c.content.is_blank());
        if filled.is_empty() {
            return self.best(blank, losers, |_| Some(()));
        }
        let losers = losers
            .into_iter()
            .chain(blank.into_iter().map(|c| (c.clone(), Why::Outranked)))
            .collect();
        self.best(filled, losers, |c| {
            firsts.get(c.record).copied().map(Reverse)
        })
    }

    fn trust(&self, turns: &[Turn<'a, 's>], trust: &Trust) -> Verdict<'a> {
        let (offers, losers) = offers(turns, |_| true);
        let day = self.at.0.div_euclid(DAY);
        let candidates = |day: i64| {
            let scored: Vec<_> = offers.iter().map(|c| score(c, trust, day)).collect();
            let floor = scored.iter().max().copied().unwrap_or_default() - trust.margin;
            (scored, floor)
        };
        let winner_on = |day: i64| {
            let (scored, floor) = candidates(day);
            let among = offers
                .iter()
                .zip(&scored)
                .filter(|(_, s)| **s >= floor)
                .map(|(c, _)| *c)
                .collect();
            self.best(among, Vec::new(), |c| Some(Reverse(c.floored)))
        };
        let (scored, floor) = candidates(day);
        let below = offers.iter().zip(&scored).filter(|(_, s)| **s < floor);
        let mut losers: Vec<_> = losers
            .into_iter()
            .chain(below.map(|(c, _)| ((*c).clone(), Why::Outranked)))
            .collect();
        let mut verdict = winner_on(day);
        verdict.losers.append(&mut losers);
        // Scores stand still once every claim has reached its minimum: no need to look further.
        let longest = trust
            .sources
            .values()
            .map(|s| i64::from(s.period_days))
            .max()
            .unwrap_or(0);
        let youngest = offers
            .iter()
            .map(|c| c.floored.0.div_euclid(DAY))
            .max()
            .unwrap_or(day);
        let now = verdict.winner.as_ref().map(|w| w.record);
        let last = youngest.saturating_add(longest).saturating_add(1);
        if offers.len() > 1 {
            verdict.until = (day + 1..=last)
                .find(|d| winner_on(*d).winner.as_ref().map(|w| w.record) != now)
                .map(|d| Millis(d * DAY));
        }
        verdict
    }

    /// An element is present iff its latest add is no earlier than its latest removal, over all records.
    fn union(&self, turns: &[Turn<'a, 's>]) -> Verdict<'a> {
        let mut elements: BTreeMap<&'a CompactString, (Millis, Millis)> = BTreeMap::new();
        let mut contributors = Vec::new();
        let mut losers = barred(turns);
        for (seat, before, record) in self.steps() {
            let Some((claim, bar)) = turns.iter().find(|(c, _)| {
                c.record == record && c.event == seat.rho.event && c.floored == seat.rho.floored
            }) else {
                continue;
            };
            if bar.is_some() {
                continue;
            }
            let (was, is) = (members(before), members(Some(seat.value)));
            for added in is.difference(&was) {
                let times = elements
                    .entry(added)
                    .or_insert((Millis::UNTIMED, Millis::UNTIMED));
                times.0 = times.0.max(seat.rho.floored);
            }
            if before.is_some() {
                for removed in was.difference(&is) {
                    // A removal without any add still has to be heard: the add may be known elsewhere.
                    let times = elements
                        .entry(removed)
                        .or_insert((Millis(Millis::UNTIMED.0 - 1), Millis::UNTIMED));
                    times.1 = times.1.max(seat.rho.floored);
                }
            }
            contributors.push((*claim).clone());
        }
        let present: Vec<CompactString> = elements
            .into_iter()
            .filter(|(_, (added, removed))| added >= removed)
            .map(|(element, _)| element.clone())
            .collect();
        if contributors.is_empty() {
            return Verdict {
                losers,
                ..Verdict::default()
            };
        }
        losers.retain(|(c, _)| {
            !contributors
                .iter()
                .any(|k| k.record == c.record && k.event == c.event)
        });
        let computed = if present.is_empty() {
            Value::Blank
        } else {
            Value::Set(present)
        };
        Verdict {
            computed: Some(computed),
            contributors,
            losers,
            ..Verdict::default()
        }
    }

    /// Sum of the deltas that came with the vendor's before-image.
    fn counter(&self, turns: &[Turn<'a, 's>], span: Span) -> Verdict<'a> {
        let mut sum = Decimal::ZERO;
        let mut counted = BTreeSet::new();
        let mut contributors = Vec::new();
        for (seat, _, record) in self.steps_with_restatements() {
            if !span.holds(seat.rho.floored) {
                continue;
            }
            let reading = seat.event.is_none_or(|e| e.by_reading || e.read_back);
            let after = match seat.value {
                Value::Number(n) => *n,
                // A clear that the policy lets through is a fall to nothing.
                Value::Blank if !seat.held && clears(self.how.clear, seat.cause, self.rules) => {
                    Decimal::ZERO
                }
                _ => continue,
            };
            let (Some(before), false) = (seat.before, reading) else {
                continue;
            };
            let fell_from = match before {
                Value::Number(n) => *n,
                Value::Blank => Decimal::ZERO,
                _ => continue,
            };
            let place = if seat.rho.seq == 0 {
                (0, seat.rho.time)
            } else {
                (seat.rho.seq, Millis::UNTIMED)
            };
            if counted.insert((record, place, before, seat.value)) {
                sum = sum.saturating_add(after - fell_from);
                // Also where the value itself was known: its before-image tells that it went and came back.
                contributors.push(observed(record, self.state.status(record), &seat));
            }
        }
        let computed = (!counted.is_empty()).then_some(Value::Number(sum));
        let losers = turns
            .iter()
            .filter(|(c, _)| {
                !contributors
                    .iter()
                    .any(|k| k.record == c.record && k.event == c.event)
            })
            .map(|(c, bar)| ((*c).clone(), bar.unwrap_or(Why::Outranked)))
            .collect();
        Verdict {
            computed,
            contributors,
            losers,
            ..Verdict::default()
        }
    }

    /// Turns of the field with the observation before each, over all records.
    fn steps(&self) -> Vec<(Seat<'a>, Option<&'a Value>, &'a RecordKey)> {
        self.walk(|role| role == Role::Turn)
    }

    fn steps_with_restatements(&self) -> Vec<(Seat<'a>, Option<&'a Value>, &'a RecordKey)> {
        self.walk(|role| matches!(role, Role::Turn | Role::Same))
    }

    fn walk(
        &self,
        wanted: impl Fn(Role) -> bool,
    ) -> Vec<(Seat<'a>, Option<&'a Value>, &'a RecordKey)> {
        let Some(field) = self.field else {
            return Vec::new();
        };
        let mut steps = Vec::new();
        for record in self.state.links.keys() {
            let mut before = None;
            let mut before_run = None;
            for seat in track_all(self.state, record, field, self.rules).seats {
                let (value, role) = (seat.value, seat.role);
                let counts = !matches!(role, Role::Nothing | Role::Waiting);
                // A turn that an event took over from a reading goes from what stood before both.
                if counts && before != Some(value) {
                    before_run = before;
                }
                if wanted(role) {
                    let taken_over = role == Role::Turn && before == Some(value);
                    let from = if taken_over { before_run } else { before };
                    steps.push((seat, from, record));
                }
                if counts {
                    before = Some(value);
                }
            }
        }
        steps
    }

    /// Claims fall into stretches of stages; the latest stretch whose strategy has a winner supplies it, or all
    /// claims are judged under the present one.
    fn by_stage(
        &self,
        turns: &[Turn<'a, 's>],
        segments: &[Segment],
        on_transition: OnTransition,
    ) -> Verdict<'a> {
        let quantum = self.rules.timing.quantum;
        let segment_of = |stage: Option<Name>| {
            let rank = stage.and_then(|s| self.rules.rank_of_stage(s));
            segments.iter().position(|s| {
                s.until.is_none_or(|until| {
                    rank.is_none_or(|r| self.rules.rank_of_stage(until).is_none_or(|u| r < u))
                })
            })
        };
        // Stretches in time: (from, segment). A claim belongs to the last that began strictly before it.
        let mut stretches: Vec<(Millis, Option<usize>)> =
            vec![(Millis(i64::MIN), segment_of(None))];
        for fact in self.state.stages() {
            let segment = segment_of(Some(fact.stage));
            if stretches.last().is_some_and(|(_, s)| *s != segment) {
                stretches.push((fact.time.floor(quantum), segment));
            }
        }
        let judged = |segment: Option<usize>, turns: &[Turn<'a, 's>], span: Span| {
            segment.and_then(|s| segments.get(s)).map_or_else(
                // No strategy speaks for this stage, so nobody can win in it.
                || Verdict {
                    losers: turns
                        .iter()
                        .map(|(c, bar)| ((*c).clone(), bar.unwrap_or(Why::EarlierSegment)))
                        .collect(),
                    ..Verdict::default()
                },
                |s| self.judge_among(&s.strategy, turns, span),
            )
        };
        if on_transition == OnTransition::Rejudge {
            let present = stretches.last().and_then(|(_, s)| *s);
            return judged(present, turns, Span::ALWAYS);
        }
        let mut later_losers: Vec<(Claim<'a>, Why)> = Vec::new();
        for at in (0..stretches.len()).rev() {
            let (from, segment) = stretches[at];
            let end = stretches
                .get(at + 1)
                .map_or(Millis(i64::MAX), |(end, _)| *end);
            let span = Span(from, end);
            let of_stretch: Vec<Turn<'a, 's>> = turns
                .iter()
                .filter(|(c, _)| span.holds(c.floored))
                .copied()
                .collect();
            let mut verdict = judged(segment, &of_stretch, span);
            if verdict.winner.is_some() || verdict.computed.is_some() {
                let earlier = turns.iter().filter(|(c, _)| at > 0 && c.floored <= from);
                verdict.losers.extend(
                    earlier.map(|(c, bar)| ((*c).clone(), bar.unwrap_or(Why::EarlierSegment))),
                );
                verdict.losers.extend(later_losers);
                return verdict;
            }
            later_losers.extend(verdict.losers);
        }
        Verdict {
            losers: later_losers,
            ..Verdict::default()
        }
    }

    /// The last steward decision, else the earliest value; others wait for a steward.
    fn manual(
        &self,
        turns: &[Turn<'a, 's>],
        fallback: Option<&(i64, Box<Strategy>)>,
        span: Span,
    ) -> Verdict<'a> {
        let (offers, losers) = offers(turns, |_| true);
        if let Some(ruling) = self.field.and_then(|f| self.state.ruling(f)) {
            let losers = losers
                .into_iter()
                .chain(offers.iter().map(|c| ((*c).clone(), Why::Ruled)))
                .collect();
            return Verdict {
                computed: Some(ruling.value.clone()),
                losers,
                ruled: true,
                ..Verdict::default()
            };
        }
        // The wait begins when the last of the differing values came to be.
        let latest = offers.iter().map(|c| c.floored).max();
        let disputed = offers.windows(2).any(|w| w[0].content != w[1].content);
        if let (true, Some((after, strategy)), Some(since)) = (disputed, fallback, latest) {
            let due = since.plus(*after);
            if due <= self.at {
                return self.judge_among(strategy, turns, span);
            }
            let mut verdict = self.best(offers, losers, |c| Some(Reverse(c.floored)));
            verdict.until = Some(due);
            return verdict;
        }
        self.best(offers, losers, |c| Some(Reverse(c.floored)))
    }
}

/// Each record's last eligible turn; all other turns as losers with their reason.
fn offers<'a, 's>(
    turns: &[Turn<'a, 's>],
    takes: impl Fn(&Claim<'a>) -> bool,
) -> (Vec<&'s Claim<'a>>, Vec<(Claim<'a>, Why)>) {
    let mut offers: Vec<&'s Claim<'a>> = Vec::new();
    let mut losers = barred(turns);
    for (claim, bar) in turns {
        if bar.is_some() {
            continue;
        }
        if !takes(claim) {
            losers.push(((*claim).clone(), Why::NotASource));
            continue;
        }
        // Turns of one record stand together and in ρ.
        match offers.last_mut() {
            Some(last) if last.record == claim.record => {
                losers.push(((*last).clone(), Why::Superseded));
                *last = claim;
            }
            _ => offers.push(claim),
        }
    }
    (offers, losers)
}

fn barred<'a>(turns: &[Turn<'a, '_>]) -> Vec<(Claim<'a>, Why)> {
    turns
        .iter()
        .filter_map(|(c, bar)| bar.map(|why| ((*c).clone(), why)))
        .collect()
}

fn members(value: Option<&Value>) -> BTreeSet<&CompactString> {
    match value {
        Some(Value::Set(items)) => items.iter().collect(),
        Some(Value::Text(text)) => std::iter::once(text).collect(),
        _ => BTreeSet::new(),
    }
}

/// Trust of a claim on a day, in exact decimals.
fn score(claim: &Claim<'_>, trust: &Trust, day: i64) -> Decimal {
    let downgrade = if claim.doubtful {
        trust.doubtful
    } else {
        Decimal::ZERO
    };
    // A source that the rule does not name has no trust at all.
    let Some(source) = trust.sources.get(&claim.record.system) else {
        return -downgrade;
    };
    let period = i64::from(source.period_days.max(1));
    let age = if claim.floored.is_timed() {
        (day - claim.floored.0.div_euclid(DAY)).clamp(0, period)
    } else {
        period
    };
    let (left, square) = (period - age, period * period);
    // Of the span between the greatest and the least trust; multiplied before it is divided, so that whole points
    // come out whole.
    let (part, of) = match source.decay {
        Decay::Linear => (left, period),
        Decay::FastThenSlow => (left * left, square),
        Decay::SlowThenFast => (square - age * age, square),
    };
    let span = source.max - source.min;
    source.min + (span * Decimal::from(part) / Decimal::from(of)).trunc_with_scale(6) - downgrade
}

/// Whether a cause protects and outranks imports.
#[must_use]
pub fn is_manual(cause: Cause, rules: &Rules) -> bool {
    rules.rank_of_cause(cause) <= rules.rank_of_cause(Cause::ManualEdit)
}

/// The content of a claim as owned values.
#[must_use]
pub fn owned(content: &Content<'_>) -> Vec<Value> {
    content.values().iter().map(|v| (*v).clone()).collect()
}
