//! Tells a poison message from a flood of them: a few bad messages go to the dead letters and the partition goes
//! on; too many within a window stop the partition with an alarm, so that a broken producer or a wrong mapping
//! does not bury everything in dead letters.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use baton_core::time::Millis;

type Partition = (Arc<str>, i32);

/// Memory of bad messages by partition. Times are arrivals, so the same log always gives the same verdicts.
#[derive(Clone, Debug)]
pub struct Flood {
    limit: usize,
    window: i64,
    bad: HashMap<Partition, VecDeque<Millis>>,
    stopped: HashSet<Partition>,
}

impl Flood {
    /// More than `limit` bad messages of one partition within `window` ms are a flood.
    #[must_use]
    pub fn new(limit: usize, window: i64) -> Self {
        Self {
            limit,
            window,
            bad: HashMap::new(),
            stopped: HashSet::new(),
        }
    }

    /// Whether a message of this partition may be settled; `bad` says that it would become a dead letter. Once
    /// false, it stays false for the partition until [`Flood::resume`].
    pub fn admits(&mut self, topic: &Arc<str>, partition: i32, arrival: Millis, bad: bool) -> bool {
        if self.stopped.is_empty() && !bad {
            return true;
        }
        let key = (topic.clone(), partition);
        if self.stopped.contains(&key) {
            return false;
        }
        if !bad {
            return true;
        }
        let recent = self.bad.entry(key.clone()).or_default();
        while recent
            .front()
            .is_some_and(|at| arrival.since(*at) > self.window)
        {
            recent.pop_front();
        }
        recent.push_back(arrival);
        if recent.len() <= self.limit {
            return true;
        }
        self.bad.remove(&key);
        self.stopped.insert(key);
        false
    }

    /// The partitions that are stopped.
    pub fn stopped(&self) -> impl Iterator<Item = &Partition> {
        self.stopped.iter()
    }

    /// Lets stopped partitions go on, with a clean sheet. Returns them.
    pub fn resume(&mut self) -> Vec<Partition> {
        self.bad.clear();
        self.stopped.drain().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic() -> Arc<str> {
        Arc::from("t")
    }

    #[test]
    fn a_poison_message_never_blocks_its_partition() {
        let mut flood = Flood::new(2, 1_000);
        assert!(flood.admits(&topic(), 0, Millis(0), true));
        assert!(flood.admits(&topic(), 0, Millis(1), false));
        assert!(flood.admits(&topic(), 0, Millis(2), true));
        assert!(flood.admits(&topic(), 0, Millis(3), false));
    }

    #[test]
    fn a_flood_stops_its_partition_and_no_other() {
        let mut flood = Flood::new(2, 1_000);
        let verdicts: Vec<bool> = (0..4)
            .map(|at| flood.admits(&topic(), 0, Millis(at), true))
            .collect();
        assert_eq!(verdicts, [true, true, false, false]);
        assert!(!flood.admits(&topic(), 0, Millis(9), false));
        assert!(flood.admits(&topic(), 1, Millis(9), true));
    }

    #[test]
    fn bad_messages_far_apart_are_no_flood() {
        let mut flood = Flood::new(2, 1_000);
        for at in (0..50).map(|n| Millis(n * 600)) {
            assert!(flood.admits(&topic(), 0, at, true));
        }
    }

    #[test]
    fn a_resumed_partition_starts_with_a_clean_sheet() {
        let mut flood = Flood::new(1, 1_000);
        let _ = flood.admits(&topic(), 0, Millis(0), true);
        let _ = flood.admits(&topic(), 0, Millis(0), true);
        assert_eq!(flood.resume(), [(topic(), 0)]);
        assert!(flood.admits(&topic(), 0, Millis(1), true));
    }
}
