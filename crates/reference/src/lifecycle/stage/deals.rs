//! What deals do: the later stages, customers, and whom an open deal protects.

use baton_core::{
    id::EntityId,
    lifecycle::{
        fact::Standing,
        rules::{AfterLost, Phase},
    },
    name::Name,
    time::Millis,
};

use super::{Line, Machine};

impl Machine<'_> {
    pub(super) fn hear_deal(&mut self, deal: EntityId, standing: &Standing) {
        let stage_of = |s: &Standing| match s {
            Standing::Open { stage, .. } => Some(*stage),
            _ => None,
        };
        let was = self.deals.get(&deal);
        if was.map_or(&Standing::Gone, |(old, _)| old) == standing {
            return;
        }
        let had_won = matches!(was, Some((Standing::Won(_), _)));
        let had_lost = matches!(was, Some((Standing::Lost(_), _)));
        let still_aside = was.is_some_and(|(old, aside)| {
            *aside && stage_of(old).is_some() && stage_of(old) == stage_of(standing)
        });
        self.deals.insert(deal, (standing.clone(), still_aside));
        match standing {
            Standing::Won(_) if !had_won => {
                self.customer = true;
                self.won_at.insert(deal, self.now);
                self.say(Line::Outcome(deal, true));
            }
            Standing::Lost(_) if !had_lost => {
                self.say(Line::Outcome(deal, false));
                let bought = |(standing, _): &(Standing, bool)| {
                    matches!(standing, Standing::Won(_) | Standing::Gone)
                };
                if !self.deals.values().any(bought) {
                    self.customer = false;
                }
            }
            _ => {}
        }
        let open: Vec<Name> = self
            .deals
            .values()
            .filter(|(_, aside)| !aside)
            .filter_map(|(s, _)| stage_of(s))
            .filter(|s| self.rank(*s).is_some())
            .collect();
        let furthest = open.into_iter().max_by_key(|s| (self.rank(*s), *s));
        if let Some(to) = furthest {
            if to == self.stage {
                return;
            }
            let down = self.stage_by_deal && self.phase(to) == Some(Phase::Worked);
            if down || self.legal(to) {
                self.go(to, None, None);
                self.stage_by_deal = true;
            } else {
                self.say(Line::Objected);
            }
            return;
        }
        let marks = self.rules.landmarks;
        let worked = self.phase(self.stage) == Some(Phase::Worked);
        let (to, reason) = match standing {
            Standing::Won(_) if !had_won && ![marks.won, marks.customer].contains(&self.stage) => {
                (marks.won, None)
            }
            Standing::Lost(_) if !had_lost && worked && self.bought_since(self.opened) => {
                (marks.won, None)
            }
            Standing::Lost(ending) if !had_lost && worked && self.customer => {
                (marks.customer, ending.known_reason())
            }
            Standing::Lost(ending) if !had_lost && worked || self.stage == marks.lost => {
                (marks.lost, ending.known_reason())
            }
            Standing::Lost(ending) if !had_lost && self.stage == marks.won && !self.customer => {
                (marks.lost, ending.known_reason())
            }
            _ => return,
        };
        if to != self.stage {
            if !self.legal(to) {
                self.say(Line::Objected);
                return;
            }
            self.go(to, reason, None);
        }
        if to == marks.lost {
            match reason.and_then(|r| self.rules.after_lost.get(&r)) {
                Some(AfterLost::Nurture(_)) => self.go(marks.nurture, reason, None),
                Some(AfterLost::Disqualify) => self.go(marks.disqualified, reason, None),
                None => {}
            }
        }
    }

    fn bought_since(&self, instant: Millis) -> bool {
        self.won_at.iter().any(|(deal, at)| {
            let stands = self.deals.get(deal).map(|(standing, _)| standing);
            matches!(stands, Some(Standing::Won(_))) && *at >= instant
        })
    }

    pub(super) fn protected(&self) -> bool {
        let marks = self.rules.landmarks;
        let within = self.rules.protect_closing_within;
        ![marks.ready, marks.review].contains(&self.stage)
            && self.deals.values().any(|(standing, _)| match standing {
                Standing::Open {
                    closing: Some(closing),
                    ..
                } => closing.minus(within) <= self.now && self.now < *closing,
                _ => false,
            })
    }
}
