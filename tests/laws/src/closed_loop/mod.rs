//! The closed loop (L17): two sandbox systems and the engine, in memory, until everything is at rest.
//!
//! A [`Scenario`] is drawn from a seed: rules, habits of both systems, and what people do. [`World`] plays it:
//! payload bytes → decode → normalise → settle → commands → the systems → results → settle. At rest, [`judge`]
//! compares both systems with golden, golden with an independent reading of the systems' truthful journals, and
//! counts what was written.

mod acts;
mod judge;
mod rest;
mod rules;
mod scenario;
mod truth;
mod world;

pub use acts::{Act, Deed, show};
pub use judge::{Fault, by_the_truth, compare, judge};
pub use rest::Rest;
pub use rules::{ADDRESS, CRM, MAP, RuleSet, Style};
pub use scenario::{START, Scenario};
pub use world::{Line, Sent, World, seats};

/// Plays one history and judges it.
///
/// # Errors
/// What is wrong with it, and the history, for people to read.
pub fn play(scenario: &Scenario) -> Result<Played, String> {
    let mut world = World::new(scenario);
    let rested = world.run(scenario);
    let mut faults = Vec::new();
    match rested {
        Ok(()) => faults.extend(judge(&world, scenario)),
        Err(fault) => faults.push(*fault),
    }
    if faults.is_empty() {
        return Ok(Played {
            commands: world.sent.len(),
            messages: world.messages,
        });
    }
    let seats: std::collections::BTreeSet<_> = faults.iter().filter_map(Fault::field).collect();
    let seats: String = seats.into_iter().map(|field| world.seats(field)).collect();
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    Err(format!(
        "{scenario}\n{}\nwhat Baton makes of it:\n{seats}\nwrong:\n  {}",
        world.story(),
        faults.join("\n  ")
    ))
}

/// What a history came to.
#[derive(Clone, Copy, Debug)]
pub struct Played {
    pub commands: usize,
    pub messages: usize,
}
