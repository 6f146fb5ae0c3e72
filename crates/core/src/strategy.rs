//! Who wins, given the offers of all records (section 3). Every strategy ends in the same tie-break.

mod stages;
mod sums;
mod trust;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    claim::{Claim, Claims, Content, Eligibility, Why},
    id::RecordKey,
    name::Name,
    rules::{OnBlank, Rules, Strategy},
    state::{ConsentTurn, State},
    time::Millis,
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
    /// Statements of other holders of the address that a consent answer rests on, and stewards' own.
    pub elsewhere: Vec<ConsentTurn>,
    pub losers: Vec<(Claim<'a>, Why)>,
    /// A steward's word, or the funnel's: it stands even where it is blank.
    pub ruled: bool,
    /// The funnel's word: the person was moved since all that others say of this field.
    pub moved: bool,
    /// The next instant at which the answer can change by time alone.
    pub until: Option<Millis>,
}

impl Verdict<'_> {
    /// The golden value of one member of what was judged.
    #[must_use]
    pub fn value(&self, member: usize) -> Value {
        let won = || self.winner.as_ref()?.content.values().get(member).copied();
        let computed = self.computed.as_ref();
        computed.or_else(won).cloned().unwrap_or_default()
    }
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

/// The content of a claim as owned values.
#[must_use]
pub fn owned(content: &Content<'_>) -> Vec<Value> {
    content.values().iter().map(|v| (*v).clone()).collect()
}
