//! The engine in a simulated world.
//!
//! Store, log, clocks and both outside systems are simulated in one process; the engine is the real one, with several
//! workers. A seed decides everything: what people do, which worker gets on, what fails at which boundary, who
//! crashes, hangs, or has a clock that is wrong. When everything is at rest, the laws are checked. The same seed gives
//! the same history to the byte.

pub mod chance;
mod funnel;
mod judge;
pub mod log;
mod outside;
mod plan;
mod sabotage;
mod worker;
mod world;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use baton_core::id::Digest;
pub use chance::Mishap;
pub use plan::Plan;
pub use sabotage::Sabotage;
use world::World;

/// What a history came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Played {
    /// Everything that happened, as a hash.
    pub trace: Digest,
    /// What it was made of.
    pub plan: String,
    pub steps: u64,
    pub messages: u64,
    pub mishaps: BTreeMap<Mishap, u64>,
    /// What was done in the funnel, by kind.
    pub deeds: BTreeMap<&'static str, u64>,
    /// What is wrong with it.
    pub wrong: Vec<String>,
    /// What happened, if it was asked for.
    pub story: Vec<String>,
}

/// Plays one history and judges it. `told`: keeps what happened, for people to read.
#[must_use]
pub fn play(plan: &Plan, sabotage: Option<Sabotage>, told: bool) -> Played {
    let mut world = World::new(plan, sabotage, told);
    let played = catch_unwind(AssertUnwindSafe(|| world.play()));
    let wrong = match played {
        Ok(Ok(())) => {
            let judged = catch_unwind(AssertUnwindSafe(|| judge::judge(&world)));
            judged.unwrap_or_else(|_| vec!["judging it panicked".to_owned()])
        }
        Ok(Err(stuck)) => vec![stuck.to_string()],
        Err(_) => vec!["it panicked".to_owned()],
    };
    let deeds = funnel::deeds(&world);
    let mishaps = world.chance.dice().mishaps.clone();
    Played {
        plan: plan.to_string(),
        trace: world.trace,
        steps: world.steps,
        messages: world.outside.published,
        mishaps,
        deeds,
        wrong,
        story: world.story.unwrap_or_default(),
    }
}
