//! What deals do to the people in them, and campaigns that sales starts.

use std::sync::Arc;

use super::{
    course::{Outcome, Why},
    fact::Standing,
    fold::{Deal, Fold},
    rules::{AfterLost, Phase},
    words::{Campaigns, EndingValues, say},
};
use crate::{id::EntityId, name::Name, value::Value};

impl Fold<'_> {
    pub(super) fn deal(&mut self, deal: EntityId, standing: &Standing) {
        let known = self.w.deals.get(&deal);
        let stood = known.map_or(&Standing::Gone, |known| &known.standing);
        if stood == standing {
            return;
        }
        let aside = known.is_some_and(|known| {
            known.aside
                && match (&known.standing, standing) {
                    (Standing::Open { stage: was, .. }, Standing::Open { stage: is, .. }) => {
                        was == is
                    }
                    _ => false,
                }
        });
        let had_ended = known.and_then(|known| {
            let (was_won, _) = known.standing.ended()?;
            Some((was_won, known.ended?))
        });
        let now = self.w.now;
        let ends = standing.ended().is_some_and(|(won, _)| {
            // Else it has ended before, and only more is told of it.
            had_ended.is_none_or(|(was_won, _)| was_won != won)
        });
        let ended = if ends {
            Some(now)
        } else {
            standing.ended().and(had_ended).map(|(_, at)| at)
        };
        let now_known = Deal {
            standing: standing.clone(),
            aside,
            ended,
        };
        self.w.deals.insert(deal, now_known);
        if let Some((won, ending)) = standing.ended().filter(|_| ends) {
            self.w.customer = won || self.w.customer && self.may_have_bought();
            self.course.outcomes.push(Outcome {
                at: now,
                deal,
                won,
                ending: ending.clone(),
                attribution: self.w.attribution.clone(),
            });
        }
        if ended.is_some() || had_ended.is_some() {
            self.tell_last_deal();
        }
        let furthest = self.w.deals.values().filter(|d| !d.aside).filter_map(|d| {
            let Standing::Open { stage, .. } = d.standing else {
                return None;
            };
            self.rules.rank(stage).map(|rank| (rank, stage))
        });
        match furthest.max() {
            Some((_, stage)) => self.follow_deal(stage),
            None => self.follow_end(standing, ends),
        }
    }

    /// Whether some deal stands as won, or may have been: of one that is gone nobody knows any more.
    fn may_have_bought(&self) -> bool {
        let mut deals = self.w.deals.values();
        deals.any(|deal| matches!(deal.standing, Standing::Won(_) | Standing::Gone))
    }

    fn bought_on_this_trip(&self) -> bool {
        let Some(episode) = self.w.episode else {
            return false;
        };
        let is_won = |deal: &Deal| matches!(deal.standing, Standing::Won(_));
        let mut deals = self.w.deals.values();
        deals.any(|deal| is_won(deal) && deal.ended.is_some_and(|at| at >= episode.opened))
    }

    /// The systems are told of the deal that ended last. Where that goes on, or was never one, they are told of the one
    /// before it; where there is none, of nothing.
    fn tell_last_deal(&mut self) {
        let rules = Arc::clone(&self.rules);
        let deals = self.w.deals.iter();
        let ended = deals.filter_map(|(id, deal)| Some((deal.ended?, id, deal.standing.ended()?)));
        let last = ended.max_by_key(|(at, id, _)| (*at, **id));
        let told = last.map_or_else(EndingValues::default, |(_, _, (won, ending))| {
            EndingValues::of(won, ending)
        });
        let (fields, words, now) = (&rules.tells.deals, &mut self.w.words, self.w.now);
        say(words, &fields.outcome, &told.outcome, now);
        say(words, &fields.reason, &told.reason, now);
        say(words, &fields.amount, &told.amount, now);
        say(words, &fields.campaign, &told.campaign, now);
    }

    /// Several open deals: the person has the furthest one's stage, also where that is a step back.
    fn follow_deal(&mut self, to: Name) {
        let from = self.w.stage;
        if to == from {
            return;
        }
        let among_deals = self.w.by_deal && self.rules.phase(to) == Some(Phase::Worked);
        if among_deals || self.rules.is_legal(from, to) {
            self.move_to(to, None, None);
            self.w.by_deal = true;
        } else {
            self.object(Why::IllegalMove { from, to });
        }
    }

    /// The last open deal ended, or more is told of one that had ended.
    fn follow_end(&mut self, standing: &Standing, ends: bool) {
        let rules = Arc::clone(&self.rules);
        let marks = rules.landmarks;
        let from = self.w.stage;
        let worked = ends && rules.phase(from) == Some(Phase::Worked);
        match standing {
            Standing::Won(_) if ends && from != marks.won && from != marks.customer => {
                self.move_if_legal(marks.won, None);
            }
            // Another deal of this trip was won while this one was still open.
            Standing::Lost(_) if worked && self.bought_on_this_trip() => {
                self.move_if_legal(marks.won, None);
            }
            // A customer who did not buy once more is a customer.
            Standing::Lost(ending) if worked && self.w.customer => {
                self.move_if_legal(marks.customer, ending.known_reason());
            }
            // Also where the reason is entered later, or where it had passed for won.
            Standing::Lost(ending)
                if worked
                    || from == marks.lost
                    || ends && from == marks.won && !self.w.customer =>
            {
                let reason = ending.known_reason();
                if from != marks.lost && !self.move_if_legal(marks.lost, reason) {
                    return;
                }
                match reason.and_then(|reason| rules.after_lost.get(&reason)) {
                    Some(AfterLost::Nurture(track)) => {
                        self.move_to(marks.nurture, reason, None);
                        self.tell_track(*track);
                    }
                    Some(AfterLost::Disqualify) => self.move_to(marks.disqualified, reason, None),
                    None => {}
                }
            }
            _ => {}
        }
    }

    /// Sales starts marketing: a campaign that is chosen at the person, else at an open deal, is told while the person may
    /// be sent anything.
    pub(super) fn tell_campaign(&mut self) {
        let rules = Arc::clone(&self.rules);
        let campaigns = &rules.tells.campaigns;
        let view = self.w.view();
        let told = if !view.suppressed && rules.nurture.holds(&view) {
            self.chosen_campaign(campaigns).cloned().unwrap_or_default()
        } else {
            Value::Blank
        };
        let (words, now) = (&mut self.w.words, self.w.now);
        for field in &campaigns.told_in {
            let last = words.get(field).map_or(&Value::Blank, |word| &word.value);
            if *last != told {
                say(words, &[*field], &told, now);
            }
        }
    }

    fn chosen_campaign<'r>(&self, campaigns: &'r Campaigns) -> Option<&'r Value> {
        let at_person = campaigns
            .chosen_in
            .iter()
            .filter_map(|field| self.w.fields.get(field));
        let mut at_person = at_person.filter_map(|chosen| campaigns.names.get(chosen));
        at_person.next().or_else(|| {
            let mut at_deals = self
                .w
                .deals
                .values()
                .filter_map(|deal| match &deal.standing {
                    Standing::Open { starts, .. } => {
                        campaigns.names.get(&Value::text(starts.as_deref()?))
                    }
                    _ => None,
                });
            at_deals.next()
        })
    }
}
