use std::collections::BTreeMap;

use baton_core::{
    history::{Cell, Event, FieldHistory, History, Obs},
    id::EntityId,
    lifecycle::{
        fact::{Act, Fact},
        funnel::Funnel,
    },
    name::Name,
    state::{Delivery, Golden, Intent, Outstanding, State, Written},
    time::Millis,
};
use serde::Serialize;

use crate::blob::numbered::zigzag;

use super::{
    BEFORE, Writer, of_act, of_delivery, of_event, of_golden, of_intent, of_obs, of_written, part,
};

/// Whether a part is left out, being what it is in a new state.
fn is_usual<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl<'v> Writer<'v> {
    pub(super) fn state(&mut self, state: &'v State) -> postcard::Result<()> {
        self.entity(state.id);
        if !state.links.is_empty() {
            self.count(part::LINKS);
            self.length(state.links.len());
            for (record, link) in &state.links {
                self.record(record);
                self.rare(link)?;
            }
        }
        if !state.histories.is_empty() {
            self.count(part::HISTORIES);
            self.length(state.histories.len());
            for (record, history) in &state.histories {
                self.record(record);
                self.history(history)?;
            }
        }
        if !state.golden.is_empty() {
            self.count(part::GOLDEN);
            self.golden(&state.golden);
        }
        if state.golden_version != 0 {
            self.count(part::GOLDEN_VERSION);
            self.count(state.golden_version);
        }
        if !state.deliveries.is_empty() {
            self.count(part::DELIVERIES);
            self.length(state.deliveries.len());
            for (record, delivery) in &state.deliveries {
                self.record(record);
                self.delivery(delivery)?;
            }
        }
        if !state.provenance.is_empty() {
            self.count(part::PROVENANCE);
            self.length(state.provenance.len());
            for (record, entity) in &state.provenance {
                self.record(record);
                self.entity(*entity);
            }
        }
        if let Some(wake) = state.wake {
            self.count(part::WAKE);
            self.instant(wake);
        }
        self.instants(part::SETTLING, &state.settling);
        self.instants(part::DUE, &state.due);
        if state.sealed_before.is_timed() {
            self.count(part::SEALED_BEFORE);
            self.instant(state.sealed_before);
        }
        self.rare_part(part::LOCKS, &state.locks)?;
        self.rare_part(part::RULINGS, &state.rulings)?;
        self.rare_part(part::STAGES, &state.stages)?;
        self.rare_part(part::SHARED_CONSENT, &state.shared_consent)?;
        self.rare_part(part::CREATES, &state.creates)?;
        self.rare_part(part::GUARDED, &state.guarded)?;
        self.rare_part(part::MERGED_INTO, &state.merged_into)?;
        self.rare_part(part::ABSORBED, &state.absorbed)?;
        self.rare_part(part::ERASED, &state.erased)?;
        self.rare_part(part::ARCHIVED, &state.archived)?;
        if let Some(funnel) = state.funnel.as_deref() {
            self.funnel(funnel)?;
        }
        self.count(part::END);
        Ok(())
    }

    fn rare_part<T>(&mut self, number: u64, value: &T) -> postcard::Result<()>
    where
        T: Serialize + Default + PartialEq,
    {
        if is_usual(value) {
            return Ok(());
        }
        self.count(number);
        self.rare(value)
    }

    fn entity(&mut self, id: EntityId) {
        self.byte(id.kind as u8);
        self.digest(id.digest);
    }

    fn instants(&mut self, number: u64, instants: &BTreeMap<Name, Millis>) {
        if instants.is_empty() {
            return;
        }
        self.count(number);
        self.length(instants.len());
        for (name, at) in instants {
            self.name(*name);
            self.instant(*at);
        }
    }

    fn history(&mut self, history: &'v History) -> postcard::Result<()> {
        self.length(history.events.len());
        for event in &history.events {
            self.event(event);
        }
        self.instant(history.latest);
        self.length(history.fields.len());
        for (name, of_field) in &history.fields {
            self.name(*name);
            self.field(of_field);
        }
        self.rare(&history.restated)
    }

    fn event(&mut self, event: &'v Event) {
        let mut flags = (event.origin as u8) << of_event::ORIGIN;
        for (flag, is_so) in [
            (of_event::READ_BACK, event.read_back),
            (of_event::BY_READING, event.by_reading),
            (of_event::DELTA, event.delta),
            (of_event::ACTOR, event.actor.is_some()),
            (of_event::MAY_MATCH, !event.may_match.is_empty()),
            (of_event::SEQ, event.seq != 0),
        ] {
            flags |= if is_so { flag } else { 0 };
        }
        self.byte(flags);
        self.digest(event.event);
        self.instant(event.time);
        self.position(event.position);
        self.byte(event.cause as u8);
        if event.seq != 0 {
            self.count(event.seq);
        }
        if let Some(actor) = &event.actor {
            self.text(actor);
        }
        if !event.may_match.is_empty() {
            self.length(event.may_match.len());
            for intent in &event.may_match {
                self.count((*intent).into());
            }
        }
    }

    fn field(&mut self, of_field: &'v FieldHistory) {
        self.length(of_field.cells.len());
        for Cell {
            value,
            seen,
            before,
        } in &of_field.cells
        {
            self.value(value);
            let flag = if before.is_some() { BEFORE } else { 0 };
            self.byte(*seen as u8 | flag);
            if let Some(before) = before {
                self.value(before);
            }
        }
        self.length(of_field.obs.len());
        let (mut next_event, mut cell) = (0_u32, 0_u32);
        for obs in &of_field.obs {
            self.obs(obs, next_event, cell);
            next_event = obs.event.wrapping_add(1);
            cell = obs.cell;
        }
    }

    fn obs(&mut self, obs: &Obs, next_event: u32, cell: u32) {
        let (content, other) = match obs.cell.wrapping_sub(cell) {
            0 => (of_obs::SAME, None),
            1 => (of_obs::NEXT, None),
            _ => (of_obs::OTHER, Some(obs.cell)),
        };
        let further = zigzag(i64::from(obs.event) - i64::from(next_event));
        self.count(content | (obs.sealed as u64) << of_obs::SEALED | further << of_obs::EVENT);
        if let Some(other) = other {
            self.count(other.into());
        }
    }

    fn golden(&mut self, golden: &'v baton_core::state::Sorted<Name, Golden>) {
        self.length(golden.len());
        let mut before: Option<&Golden> = None;
        for (name, golden) in golden {
            self.name(*name);
            let as_before = before.is_some_and(|before| {
                before.event == golden.event
                    && before.since == golden.since
                    && before.decided == golden.decided
                    && before.winner == golden.winner
                    && before.rule_version == golden.rule_version
            });
            before = Some(golden);
            if as_before {
                self.byte(of_golden::AS_BEFORE);
                self.value(&golden.value);
                continue;
            }
            let mut flags = 0;
            for (flag, is_so) in [
                (of_golden::DECIDED, golden.decided),
                (of_golden::WINNER, golden.winner.is_some()),
                (of_golden::SINCE, golden.since.is_some()),
                (of_golden::EVENT, golden.event.is_some()),
            ] {
                flags |= if is_so { flag } else { 0 };
            }
            self.byte(flags);
            self.value(&golden.value);
            if let Some(winner) = &golden.winner {
                self.record(winner);
            }
            if let Some(since) = golden.since {
                self.instant(since);
            }
            if let Some(event) = golden.event {
                self.digest(event);
            }
            self.text(&golden.rule_version);
        }
    }

    fn delivery(&mut self, delivery: &'v Delivery) -> postcard::Result<()> {
        if !delivery.intents.is_empty() {
            self.count(of_delivery::INTENTS);
            self.length(delivery.intents.len());
            for intent in &delivery.intents {
                self.intent(intent);
            }
        }
        if delivery.next_intent != 0 {
            self.count(of_delivery::NEXT_INTENT);
            self.count(delivery.next_intent.into());
        }
        if let Some(outstanding) = &delivery.outstanding {
            self.count(of_delivery::OUTSTANDING);
            self.outstanding(outstanding);
        }
        if !delivery.writes.is_empty() {
            self.count(of_delivery::WRITES);
            self.length(delivery.writes.len());
            for (name, writes) in &delivery.writes {
                self.name(*name);
                self.length(writes.len());
                for (at, value) in writes {
                    self.instant(*at);
                    self.only_digest(*value);
                }
            }
        }
        if !delivery.pending.is_empty() {
            self.count(of_delivery::PENDING);
            self.length(delivery.pending.len());
            for name in &delivery.pending {
                self.name(*name);
            }
        }
        self.rare_part(of_delivery::RENDERINGS, &delivery.renderings)?;
        self.rare_part(of_delivery::REFUSED, &delivery.refused)?;
        self.rare_part(of_delivery::CONTESTED, &delivery.contested)?;
        self.rare_part(of_delivery::HELD, &delivery.held)?;
        self.rare_part(of_delivery::REVERTS, &delivery.reverts)?;
        self.rare_part(of_delivery::READ_WANTED, &delivery.read_wanted)?;
        self.rare_part(of_delivery::READ_AGAIN, &delivery.read_again)?;
        self.rare_part(of_delivery::LAST_READ, &delivery.last_read)?;
        self.rare_part(of_delivery::REFUSED_RECORD, &delivery.refused_record)?;
        self.rare_part(of_delivery::DELETED, &delivery.deleted)?;
        self.rare_part(of_delivery::RETRY, &delivery.retry)?;
        self.count(of_delivery::END);
        Ok(())
    }

    fn intent(&mut self, intent: &'v Intent) {
        let mut flags = (intent.end as u8) << of_intent::END;
        for (flag, is_so) in [
            (of_intent::ANSWERED, intent.answered.is_some()),
            (of_intent::STAMP, intent.stamp.is_some()),
        ] {
            flags |= if is_so { flag } else { 0 };
        }
        self.byte(flags);
        self.count(intent.number.into());
        self.digest(intent.command);
        self.count(intent.golden_version);
        self.instant(intent.sent);
        if let Some(answered) = intent.answered {
            self.position(answered);
        }
        if let Some(stamp) = intent.stamp {
            self.instant(stamp);
        }
        self.length(intent.fields.len());
        for (name, written) in &intent.fields {
            self.name(*name);
            let Written {
                value,
                answered,
                refused,
            } = written;
            self.byte(
                if answered.is_some() {
                    of_written::ANSWERED
                } else {
                    0
                } | if *refused { of_written::REFUSED } else { 0 },
            );
            self.value(value);
            if let Some(answered) = answered {
                self.value(answered);
            }
        }
    }

    fn funnel(&mut self, funnel: &'v Funnel) -> postcard::Result<()> {
        self.count(part::FUNNEL);
        self.rare(&Some(funnel.without_acts()))?;
        let acts = funnel.acts().count();
        if acts > 0 {
            self.count(part::ACTS);
            self.length(acts);
            for (fact, act) in funnel.acts() {
                self.act(fact, act);
            }
        }
        Ok(())
    }

    fn act(&mut self, fact: &Fact, act: &'v Act) {
        let mut flags = (act.actor as u8) << of_act::ACTOR;
        for (flag, is_so) in [
            (of_act::SEQ, fact.seq != 0),
            (of_act::EFFECTIVE, fact.effective.is_some()),
            (of_act::CONTENT, act.content.is_some()),
            (of_act::CAMPAIGN, act.campaign.is_some()),
        ] {
            flags |= if is_so { flag } else { 0 };
        }
        self.byte(flags);
        self.only_digest(fact.event);
        self.instant(fact.time);
        self.position(fact.position);
        if fact.seq != 0 {
            self.count(fact.seq);
        }
        if let Some(effective) = fact.effective {
            self.instant(effective);
        }
        self.name(act.kind);
        self.name(act.category);
        for text in [&act.content, &act.campaign].into_iter().flatten() {
            self.text(text);
        }
    }

    fn outstanding(&mut self, outstanding: &Outstanding) {
        self.digest(outstanding.command);
        self.byte(outstanding.kind as u8);
        // One more than the intent's number.
        self.count(outstanding.intent.map_or(0, |number| u64::from(number) + 1));
        self.instant(outstanding.sent);
    }
}
