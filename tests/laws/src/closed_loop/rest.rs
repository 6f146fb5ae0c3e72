//! A world at rest, as far as one person is concerned.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    id::{Object, Position, RecordKey},
    input::StewardAct,
    name::Name,
    rules::Rules,
    state::State,
    time::Millis,
};
use baton_sandbox::System;

use super::{
    truth::SYSTEMS,
    world::{Sent, World},
};

/// What the judges look at.
pub struct Rest<'w> {
    pub rules: &'w Rules,
    pub person: &'w State,
    pub systems: &'w BTreeMap<&'static str, System>,
    /// The person's living record in each system that has one.
    pub records: BTreeMap<&'static str, RecordKey>,
    /// Ids of all records that the person ever had in a system.
    pub ids: BTreeMap<&'static str, BTreeSet<String>>,
    pub now: Millis,
    /// What was sent to any of them.
    pub sent: &'w [Sent],
    /// Stage facts as they were told: (time, position, stage).
    pub stages: &'w [(Millis, Position, Name)],
    pub steward: &'w [(Millis, StewardAct)],
}

impl<'w> Rest<'w> {
    /// All of a world with one person.
    #[must_use]
    pub fn of(world: &'w World, person: &'w State) -> Self {
        let records = SYSTEMS.into_iter().filter_map(|system| {
            let id = world.id_in(system)?;
            Some((system, RecordKey::new(system, Object::Contact, id)))
        });
        let ids = world.systems.iter().map(|(name, system)| {
            let ids = system.records().map(|(_, id, _)| id.to_owned());
            (*name, ids.collect())
        });
        Self {
            rules: &world.rules,
            person,
            systems: &world.systems,
            records: records.collect(),
            ids: ids.collect(),
            now: world.now,
            sent: &world.sent,
            stages: &world.stages,
            steward: &world.steward,
        }
    }

    /// Whether a record is the person's.
    #[must_use]
    pub fn is_of(&self, system: &str, id: &str) -> bool {
        self.ids.get(system).is_some_and(|ids| ids.contains(id))
    }
}
