//! A topic: its name, id, settings and partitions.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use uuid::Uuid;

use super::partition::Partition;

/// One setting that a topic may have.
pub(crate) struct Setting {
    pub name: &'static str,
    pub default: &'static str,
    pub kind: Kind,
    pub help: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A whole number between the two.
    Number(i64, i64),
    /// A fraction between 0 and 1.
    Ratio,
    OneOf(&'static [&'static str]),
    /// Any of the words, with commas between.
    Words(&'static [&'static str]),
}

const MAX: i64 = i64::MAX;

pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        name: "cleanup.policy",
        default: "delete",
        kind: Kind::Words(&["delete", "compact"]),
        help: "delete old segments, keep the newest record of each key, or both",
    },
    Setting {
        name: "compression.type",
        default: "producer",
        kind: Kind::OneOf(&["producer"]),
        help: "batches are stored as the producer sent them",
    },
    Setting {
        name: "delete.retention.ms",
        default: "86400000",
        kind: Kind::Number(0, MAX),
        help: "how long compaction keeps a record without a value",
    },
    Setting {
        name: "max.message.bytes",
        default: "1048588",
        kind: Kind::Number(0, 128 * 1024 * 1024),
        help: "largest batch a producer may send",
    },
    Setting {
        name: "message.timestamp.type",
        default: "CreateTime",
        kind: Kind::OneOf(&["CreateTime", "LogAppendTime"]),
        help: "keep the producer's time, or stamp records as they are stored",
    },
    Setting {
        name: "min.cleanable.dirty.ratio",
        default: "0.5",
        kind: Kind::Ratio,
        help: "share of the log that must be new before it is compacted again",
    },
    Setting {
        name: "min.compaction.lag.ms",
        default: "0",
        kind: Kind::Number(0, MAX),
        help: "how long a record stays untouched by compaction",
    },
    Setting {
        name: "min.insync.replicas",
        default: "1",
        kind: Kind::Number(1, 1),
        help: "this log has one replica",
    },
    Setting {
        name: "retention.bytes",
        default: "-1",
        kind: Kind::Number(-1, MAX),
        help: "largest size of a partition before old segments go; -1 for any size",
    },
    Setting {
        name: "retention.ms",
        default: "604800000",
        kind: Kind::Number(-1, MAX),
        help: "age at which old segments go; -1 for never",
    },
    Setting {
        name: "segment.bytes",
        default: "134217728",
        kind: Kind::Number(1024, i32::MAX as i64),
        help: "size at which a new segment is begun",
    },
    Setting {
        name: "segment.ms",
        default: "604800000",
        kind: Kind::Number(1, MAX),
        help: "age at which a new segment is begun",
    },
];

/// A setting that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingError {
    #[error("there is no topic setting {0:?}; `DescribeConfigs` lists those there are")]
    Unknown(String),
    #[error("{name} cannot be {value:?}: {wanted}")]
    Value {
        name: String,
        value: String,
        wanted: String,
    },
}

impl Setting {
    pub(crate) fn named(name: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|s| s.name == name)
    }

    fn check(&self, value: &str) -> Result<(), SettingError> {
        let wanted = match self.kind {
            Kind::Number(low, high) => match value.parse::<i64>() {
                Ok(n) if (low..=high).contains(&n) => return Ok(()),
                _ => format!("give a whole number from {low} to {high}"),
            },
            Kind::Ratio => match value.parse::<f64>() {
                Ok(n) if (0.0..=1.0).contains(&n) => return Ok(()),
                _ => "give a fraction from 0 to 1".to_owned(),
            },
            Kind::OneOf(words) if words.contains(&value) => return Ok(()),
            Kind::OneOf(words) => format!("give one of {}", words.join(", ")),
            Kind::Words(words) if value.split(',').all(|w| words.contains(&w.trim())) => {
                return Ok(());
            }
            Kind::Words(words) => format!("give any of {}", words.join(", ")),
        };
        Err(SettingError::Value {
            name: self.name.to_owned(),
            value: value.chars().take(64).collect(),
            wanted,
        })
    }
}

/// A topic's settings: what was set, and what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TopicConfig {
    pub set: BTreeMap<&'static str, String>,
    pub delete: bool,
    pub compact: bool,
    pub delete_retention_ms: i64,
    pub max_message_bytes: usize,
    pub log_append_time: bool,
    pub min_cleanable_ratio: f64,
    pub min_compaction_lag_ms: i64,
    pub retention_bytes: Option<u64>,
    pub retention_ms: Option<i64>,
    pub segment_bytes: u64,
    pub segment_age: Duration,
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self::derive(BTreeMap::new())
    }
}

impl TopicConfig {
    pub(crate) fn new<'a>(
        set: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, SettingError> {
        let mut checked = BTreeMap::new();
        for (name, value) in set {
            let setting = Setting::named(name)
                .ok_or_else(|| SettingError::Unknown(name.chars().take(64).collect()))?;
            setting.check(value)?;
            checked.insert(setting.name, value.to_owned());
        }
        Ok(Self::derive(checked))
    }

    fn derive(set: BTreeMap<&'static str, String>) -> Self {
        let text = |name: &str| -> &str {
            set.get(name).map_or_else(
                || Setting::named(name).map_or("", |s| s.default),
                String::as_str,
            )
        };
        let number = |name: &str| text(name).parse::<i64>().unwrap_or(-1);
        let policy: Vec<&str> = text("cleanup.policy").split(',').map(str::trim).collect();
        Self {
            delete: policy.contains(&"delete"),
            compact: policy.contains(&"compact"),
            delete_retention_ms: number("delete.retention.ms"),
            max_message_bytes: usize::try_from(number("max.message.bytes")).unwrap_or(0),
            log_append_time: text("message.timestamp.type") == "LogAppendTime",
            min_cleanable_ratio: text("min.cleanable.dirty.ratio").parse().unwrap_or(0.5),
            min_compaction_lag_ms: number("min.compaction.lag.ms"),
            retention_bytes: u64::try_from(number("retention.bytes")).ok(),
            retention_ms: Some(number("retention.ms")).filter(|n| *n >= 0),
            segment_bytes: u64::try_from(number("segment.bytes")).unwrap_or(1024),
            segment_age: Duration::from_millis(u64::try_from(number("segment.ms")).unwrap_or(1)),
            set,
        }
    }

    pub(crate) fn value(&self, setting: &Setting) -> String {
        self.set
            .get(setting.name)
            .cloned()
            .unwrap_or_else(|| setting.default.to_owned())
    }
}

#[derive(Debug)]
pub(crate) struct Topic {
    pub name: String,
    pub id: Uuid,
    state: RwLock<TopicState>,
}

#[derive(Debug, Clone)]
pub(crate) struct TopicState {
    pub config: Arc<TopicConfig>,
    pub partitions: Arc<[Arc<Partition>]>,
}

impl Topic {
    pub(crate) fn new(
        name: String,
        id: Uuid,
        config: Arc<TopicConfig>,
        partitions: Vec<Arc<Partition>>,
    ) -> Self {
        Self {
            name,
            id,
            state: RwLock::new(TopicState {
                config,
                partitions: partitions.into(),
            }),
        }
    }

    pub(crate) fn state(&self) -> TopicState {
        self.state
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set_state(&self, state: TopicState) {
        *self
            .state
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = state;
    }

    pub(crate) fn config(&self) -> Arc<TopicConfig> {
        self.state().config
    }

    pub(crate) fn partition(&self, index: i32) -> Option<Arc<Partition>> {
        let index = usize::try_from(index).ok()?;
        self.state().partitions.get(index).cloned()
    }
}

/// Names as Kafka allows them.
pub(crate) fn valid_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 249
        && name != "."
        && name != ".."
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_setting_says_what_is_wanted() {
        let unknown = TopicConfig::new([("retention.hours", "1")]).unwrap_err();
        assert!(unknown.to_string().contains("retention.hours"));
        let value = TopicConfig::new([("retention.ms", "soon")]).unwrap_err();
        assert!(value.to_string().contains("whole number"));
        assert!(
            TopicConfig::new([("cleanup.policy", "compact,delete")])
                .unwrap()
                .compact
        );
    }

    #[test]
    fn every_default_is_a_value_the_setting_takes() {
        for setting in SETTINGS {
            assert_eq!(setting.check(setting.default), Ok(()), "{}", setting.name);
        }
    }
}
