//! Which topic carries what.

use std::collections::HashMap;

use baton_config::{Settings, Topics};
use baton_core::{book::OutTopic, id::Position, name::Name};

use super::Consumed;
use crate::kafka::TopicSpec;

/// What flows in on a topic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lane {
    /// Changes as the system sends them.
    Changes,
    /// Answers of the system to commands.
    Results,
}

/// An input topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Input {
    pub system: Name,
    pub lane: Lane,
    /// The topic's number in positions.
    number: u8,
}

/// More systems than positions can tell apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found} systems are configured; at most {most} can share one installation")]
pub struct TooManySystems {
    pub found: usize,
    pub most: usize,
}

const MOST_SYSTEMS: usize = 127;

/// The topics of this installation.
#[derive(Clone, Debug)]
pub struct TopicMap {
    inputs: HashMap<String, Input>,
    pub names: Topics,
}

impl TopicMap {
    /// # Errors
    /// [`TooManySystems`].
    pub fn new(settings: &Settings) -> Result<Self, TooManySystems> {
        let names = settings.topics.clone();
        if names.systems.len() > MOST_SYSTEMS {
            return Err(TooManySystems {
                found: names.systems.len(),
                most: MOST_SYSTEMS,
            });
        }
        let mut inputs = HashMap::new();
        for (number, (system, topics)) in (0_u8..).step_by(2).zip(&names.systems) {
            let changes = Input {
                system: *system,
                lane: Lane::Changes,
                number,
            };
            let results = Input {
                lane: Lane::Results,
                number: number + 1,
                ..changes
            };
            inputs.insert(topics.changes.clone(), changes);
            inputs.insert(topics.results.clone(), results);
        }
        Ok(Self { inputs, names })
    }

    /// What a topic carries; none for a topic that is no input.
    #[must_use]
    pub fn input(&self, topic: &str) -> Option<Input> {
        self.inputs.get(topic).copied()
    }

    /// The topics that the engine consumes, sorted.
    #[must_use]
    pub fn consumed(&self) -> Vec<String> {
        let mut topics: Vec<String> = self.inputs.keys().cloned().collect();
        topics.sort();
        topics
    }

    /// Where a message stands in the log.
    #[must_use]
    pub fn position(&self, message: &Consumed) -> Position {
        let number = self.input(&message.topic).map_or(u8::MAX, |i| i.number);
        Position::new(
            message.arrival,
            number,
            // Kafka numbers partitions from 0; none has 65 536 of them.
            u16::try_from(message.partition).unwrap_or(u16::MAX),
            u64::try_from(message.offset).unwrap_or_default(),
        )
    }

    /// The name of a logical topic. None: a system that is not configured any more.
    #[must_use]
    pub fn name(&self, topic: OutTopic) -> Option<&str> {
        match topic {
            OutTopic::Commands(system) => self
                .names
                .systems
                .get(&system)
                .map(|topics| topics.commands.as_str()),
            OutTopic::Golden => Some(&self.names.golden),
            OutTopic::Decisions => Some(&self.names.decisions),
            OutTopic::Lifecycle => Some(&self.names.lifecycle),
            OutTopic::DeadLetters => Some(&self.names.dead_letters),
        }
    }

    /// What a topic that Baton writes to is to it; none for one that it does not write to.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<OutTopic> {
        let systems = self.names.systems.keys().copied();
        systems
            .map(OutTopic::Commands)
            .chain([
                OutTopic::Golden,
                OutTopic::Decisions,
                OutTopic::Lifecycle,
                OutTopic::DeadLetters,
            ])
            .find(|topic| self.name(*topic) == Some(name))
    }

    /// All topics with the settings that Baton gives them when it creates them.
    #[must_use]
    pub fn specs(&self, embedded: bool) -> Vec<TopicSpec> {
        let spec = |name: &str, compact: bool, input: bool| TopicSpec {
            name: name.to_owned(),
            partitions: self.names.partitions,
            replication: if embedded { 1 } else { self.names.replication },
            compact,
            retention_ms: None,
            // A producer's own idea of the time must not become the arrival. On the embedded log the producers
            // are Baton's own.
            log_append_time: input && !embedded,
        };
        let mut specs = Vec::new();
        for topics in self.names.systems.values() {
            specs.push(spec(&topics.changes, false, true));
            specs.push(spec(&topics.commands, topics.compact_commands, false));
            specs.push(spec(&topics.results, false, true));
        }
        specs.push(spec(&self.names.golden, true, false));
        specs.push(spec(&self.names.decisions, false, false));
        specs.push(spec(&self.names.lifecycle, false, false));
        specs.push(spec(&self.names.dead_letters, false, false));
        specs
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use baton_config::SystemTopics;
    use baton_core::time::Millis;

    use super::*;

    fn two_systems() -> TopicMap {
        let mut settings = Settings::default();
        for name in ["crm", "map"] {
            let name = Name::new(name);
            settings.topics.systems.insert(name, SystemTopics::of(name));
        }
        TopicMap::new(&settings).unwrap()
    }

    #[test]
    fn every_system_has_a_changes_and_a_results_topic_to_consume() {
        assert_eq!(
            two_systems().consumed(),
            [
                "baton.crm.changes",
                "baton.crm.results",
                "baton.map.changes",
                "baton.map.results"
            ]
        );
    }

    #[test]
    fn messages_of_different_topics_with_one_arrival_have_different_positions() {
        let map = two_systems();
        let mut seen = std::collections::BTreeSet::new();
        for topic in map.consumed() {
            let message = Consumed {
                topic: Arc::from(topic.as_str()),
                partition: 0,
                offset: 0,
                arrival: Millis(5),
                born: None,
                key: None,
                payload: None,
                headers: super::super::Headers::default(),
            };
            assert!(seen.insert(map.position(&message)), "{topic}");
        }
    }

    #[test]
    fn only_what_a_store_must_not_lose_is_uncompacted() {
        let compacted: Vec<String> = two_systems()
            .specs(true)
            .into_iter()
            .filter(|spec| spec.compact)
            .map(|spec| spec.name)
            .collect();
        assert_eq!(compacted, ["baton.golden"]);
    }
}
