//! What the systems say of the funnel and are told.

use baton_core::{
    lifecycle::setup::{Setup, SystemWiring},
    name::Name,
};

use super::{called, english::list};

pub(super) fn wiring(setup: &Setup) -> Vec<String> {
    let mut points = Vec::new();
    for (name, system) in &setup.wiring.systems {
        points.extend(said(setup, *name, system));
    }
    for (chosen, told) in &setup.rules.tells.campaigns.names {
        points.push(format!("Sales can start {chosen}: \"{told}\"."));
    }
    if let Some(deals) = &setup.wiring.deals {
        points.push(format!(
            "Deals: {} tells whether one is closed, {} whether it was won, {} when it is to close. An open deal means {}.",
            deals.closed, deals.won, deals.closing, setup.rules.landmarks.opportunity
        ));
        for (theirs, stage) in &deals.stages {
            points.push(format!("A deal in \"{theirs}\" means {stage}."));
        }
        if let Some(field) = deals.starts {
            points.push(format!(
                "A campaign that is chosen in {field} of a deal enrols its people while it is open."
            ));
        }
        points.push(
            "A person with several open deals has the stage of the one that is furthest.".into(),
        );
    }
    points
}

fn said(setup: &Setup, name: Name, system: &SystemWiring) -> Vec<String> {
    let mut points = Vec::new();
    if let Some(field) = system.stage {
        let claims: Vec<String> = system
            .claims
            .iter()
            .map(|(value, stage)| format!("{value} means {stage}"))
            .collect();
        if !claims.is_empty() {
            points.push(format!(
                "In {name}, {field} says the stage: {}.",
                claims.join(", ")
            ));
        }
        let tells: Vec<String> = system
            .tells
            .iter()
            .map(|(stage, value)| format!("{value} on entering {stage}"))
            .collect();
        if !tells.is_empty() {
            points.push(format!("Baton writes {field} there: {}.", tells.join(", ")));
        }
    }
    let mut told = Vec::new();
    for (field, what) in [
        (system.reason, "the reason"),
        (system.track, "the nurture track"),
        (system.owner, "the owner"),
        (system.handoff, "why somebody is ready"),
        (system.content, "content for the stage"),
        (system.suppressed, "who is taken out of all marketing"),
        (system.campaign, "the campaign that sales has started"),
    ] {
        told.extend(field.map(|field| format!("{what} in {field}")));
    }
    if !told.is_empty() {
        points.push(format!("{name} is told {}.", list(&told)));
    }
    let last_deal = system.last_deal;
    let mut told = Vec::new();
    for (field, what) in [
        (last_deal.outcome, "outcome"),
        (last_deal.reason, "reason"),
        (last_deal.amount, "amount"),
        (last_deal.campaign, "campaign"),
    ] {
        told.extend(field.map(|field| format!("its {what} in {field}")));
    }
    if !told.is_empty() {
        points.push(format!(
            "When a deal of theirs ends, {name} is told {}.",
            list(&told)
        ));
    }
    if let Some(queue) = system.recycled_to {
        points.push(format!(
            "Whoever goes back is owned by {} in {name}.",
            called(&setup.queues, queue)
        ));
    }
    if let Some(field) = system.starts {
        points.push(format!(
            "A campaign that sales chooses in {field} of {name} enrols the person, while it may be nurtured."
        ));
    }
    if let Some(field) = system.suppresses {
        points.push(format!(
            "{field} on an account in {name} takes its people out of all marketing."
        ));
    }
    points
}
