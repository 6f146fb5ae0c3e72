//! Showing and changing settings.

use std::collections::{BTreeMap, HashSet};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_configs_response::{
    AlterConfigsResourceResponse, AlterConfigsResponse,
};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult,
    DescribeConfigsSynonym,
};
use kafka_protocol::messages::incremental_alter_configs_response::{
    AlterConfigsResourceResponse as IncrementalResourceResponse, IncrementalAlterConfigsResponse,
};
use kafka_protocol::messages::{
    AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest, ResponseKind,
};
use kafka_protocol::protocol::StrBytes;

use super::{first_time, message, text, topics};
use crate::broker::{Broker, NODE_ID};
use crate::storage::catalogue::CatalogueError;
use crate::storage::topic::{Kind, SETTINGS, Setting, SettingError, TopicConfig};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

const SOURCE_TOPIC: i8 = 1;
const SOURCE_BROKER: i8 = 4;
const SOURCE_DEFAULT: i8 = 5;

const TYPE_STRING: i8 = 2;
const TYPE_LONG: i8 = 5;
const TYPE_DOUBLE: i8 = 6;
const TYPE_LIST: i8 = 7;

#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("only topics and this broker have settings")]
    Resource,
    #[error("the settings of the broker are given when it starts")]
    ReadOnly,
    #[error("there is no such operation on {0}")]
    Operation(String),
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
}

impl Refused {
    fn code(&self) -> i16 {
        match self {
            Self::Resource | Self::ReadOnly => ResponseError::InvalidRequest.code(),
            Self::Operation(_) => ResponseError::InvalidConfig.code(),
            Self::Catalogue(error) => topics::code(error),
        }
    }
}

pub(super) fn source(config: &TopicConfig, setting: &Setting) -> i8 {
    if config.set.contains_key(setting.name) {
        SOURCE_TOPIC
    } else {
        SOURCE_DEFAULT
    }
}

pub(super) fn describe(broker: &Broker, request: &DescribeConfigsRequest) -> ResponseKind {
    let mut seen = HashSet::new();
    let results = request
        .resources
        .iter()
        .filter(|r| first_time(&mut seen, (r.resource_type, r.resource_name.clone())))
        .map(|asked| {
            let result = DescribeConfigsResult::default()
                .with_resource_type(asked.resource_type)
                .with_resource_name(asked.resource_name.clone());
            let found = match asked.resource_type {
                TOPIC => match broker.catalogue.by_name(&asked.resource_name) {
                    Some(topic) => Ok(topic_settings(&topic.config(), request)),
                    None => Err(Refused::Catalogue(CatalogueError::Unknown)),
                },
                BROKER if asked.resource_name.as_str() == NODE_ID.to_string() => {
                    Ok(broker_settings(broker))
                }
                _ => Err(Refused::Resource),
            };
            match found {
                Ok(mut configs) => {
                    configs.retain(|c| is_asked(asked, &c.name));
                    result.with_configs(configs)
                }
                Err(refused) => result
                    .with_error_code(refused.code())
                    .with_error_message(message(&refused)),
            }
        })
        .collect();
    ResponseKind::DescribeConfigs(DescribeConfigsResponse::default().with_results(results))
}

fn is_asked(asked: &DescribeConfigsResource, name: &StrBytes) -> bool {
    asked
        .configuration_keys
        .as_ref()
        .is_none_or(|keys| keys.is_empty() || keys.contains(name))
}

fn topic_settings(
    config: &TopicConfig,
    request: &DescribeConfigsRequest,
) -> Vec<DescribeConfigsResourceResult> {
    SETTINGS
        .iter()
        .map(|setting| {
            let synonyms = if request.include_synonyms {
                vec![
                    DescribeConfigsSynonym::default()
                        .with_name(text(setting.name))
                        .with_value(Some(text(setting.default)))
                        .with_source(SOURCE_DEFAULT),
                ]
            } else {
                Vec::new()
            };
            DescribeConfigsResourceResult::default()
                .with_name(text(setting.name))
                .with_value(Some(text(config.value(setting))))
                .with_config_source(source(config, setting))
                .with_synonyms(synonyms)
                .with_config_type(match setting.kind {
                    Kind::Number(..) => TYPE_LONG,
                    Kind::Ratio => TYPE_DOUBLE,
                    Kind::OneOf(_) => TYPE_STRING,
                    Kind::Words(_) => TYPE_LIST,
                })
                .with_documentation(
                    request
                        .include_documentation
                        .then(|| StrBytes::from_static_str(setting.help)),
                )
        })
        .collect()
}

fn broker_settings(broker: &Broker) -> Vec<DescribeConfigsResourceResult> {
    let limits = &broker.config.limits;
    let settings = [
        ("auto.create.topics.enable", "false".to_owned()),
        ("broker.id", NODE_ID.to_string()),
        ("log.dirs", broker.config.data_dir.display().to_string()),
        ("max.connections", limits.max_connections.to_string()),
        ("num.partitions", "1".to_owned()),
        ("default.replication.factor", "1".to_owned()),
        (
            "socket.request.max.bytes",
            limits.max_request_bytes.to_string(),
        ),
        ("fetch.max.bytes", limits.max_fetch_bytes.to_string()),
        (
            "group.min.session.timeout.ms",
            limits.min_session_timeout.as_millis().to_string(),
        ),
        (
            "group.max.session.timeout.ms",
            limits.max_session_timeout.as_millis().to_string(),
        ),
    ];
    settings
        .into_iter()
        .map(|(name, value)| {
            DescribeConfigsResourceResult::default()
                .with_name(text(name))
                .with_value(Some(text(value)))
                .with_read_only(true)
                .with_config_source(SOURCE_BROKER)
                .with_config_type(TYPE_STRING)
        })
        .collect()
}

/// Changes a topic's settings; `None` puts one back to its default.
fn change(
    broker: &Broker,
    resource_type: i8,
    name: &str,
    validate_only: bool,
    change: impl FnOnce(&TopicConfig) -> Result<TopicConfig, SettingError>,
) -> Result<(), Refused> {
    match resource_type {
        TOPIC => {
            let topic = broker
                .catalogue
                .by_name(name)
                .ok_or(CatalogueError::Unknown)?;
            Ok(broker.catalogue.configure(&topic, change, validate_only)?)
        }
        BROKER => Err(Refused::ReadOnly),
        _ => Err(Refused::Resource),
    }
}

/// Replaces all settings of a topic.
pub(super) fn alter(broker: &Broker, request: AlterConfigsRequest) -> ResponseKind {
    let responses = request
        .resources
        .into_iter()
        .map(|asked| {
            let done = change(
                broker,
                asked.resource_type,
                &asked.resource_name,
                request.validate_only,
                |_| {
                    TopicConfig::new(asked.configs.iter().filter_map(|c| {
                        let value = c.value.as_ref()?;
                        Some((c.name.as_str(), value.as_str()))
                    }))
                },
            );
            let response = AlterConfigsResourceResponse::default()
                .with_resource_type(asked.resource_type)
                .with_resource_name(asked.resource_name.clone());
            match done {
                Ok(()) => response,
                Err(refused) => response
                    .with_error_code(refused.code())
                    .with_error_message(message(&refused)),
            }
        })
        .collect();
    ResponseKind::AlterConfigs(AlterConfigsResponse::default().with_responses(responses))
}

/// Changes only the settings that are named.
pub(super) fn alter_incrementally(
    broker: &Broker,
    request: IncrementalAlterConfigsRequest,
) -> ResponseKind {
    let responses = request
        .resources
        .into_iter()
        .map(|asked| {
            let mut operations = Vec::with_capacity(asked.configs.len());
            let mut refused = None;
            for config in &asked.configs {
                match (Operation::from_wire(config.config_operation), &config.value) {
                    (Some(Operation::Delete), _) => {
                        operations.push((config.name.to_string(), Operation::Delete, String::new()))
                    }
                    (Some(operation), Some(value)) => {
                        operations.push((config.name.to_string(), operation, value.to_string()));
                    }
                    _ => refused = Some(Refused::Operation(config.name.to_string())),
                }
            }
            let done = match refused {
                Some(refused) => Err(refused),
                None => change(
                    broker,
                    asked.resource_type,
                    &asked.resource_name,
                    request.validate_only,
                    |before| apply(before, operations),
                ),
            };
            let response = IncrementalResourceResponse::default()
                .with_resource_type(asked.resource_type)
                .with_resource_name(asked.resource_name.clone());
            match done {
                Ok(()) => response,
                Err(refused) => response
                    .with_error_code(refused.code())
                    .with_error_message(message(&refused)),
            }
        })
        .collect();
    ResponseKind::IncrementalAlterConfigs(
        IncrementalAlterConfigsResponse::default().with_responses(responses),
    )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Set,
    Delete,
    Append,
    Subtract,
}

impl Operation {
    fn from_wire(code: i8) -> Option<Self> {
        match code {
            0 => Some(Self::Set),
            1 => Some(Self::Delete),
            2 => Some(Self::Append),
            3 => Some(Self::Subtract),
            _ => None,
        }
    }
}

fn apply(
    before: &TopicConfig,
    operations: Vec<(String, Operation, String)>,
) -> Result<TopicConfig, SettingError> {
    let mut set: BTreeMap<String, String> = before
        .set
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    for (name, operation, value) in operations {
        let setting = Setting::named(&name).ok_or_else(|| SettingError::Unknown(name.clone()))?;
        let mut words: Vec<String> = before
            .value(setting)
            .split(',')
            .map(|w| w.trim().to_owned())
            .collect();
        match operation {
            Operation::Set => {
                set.insert(name, value);
            }
            Operation::Delete => {
                set.remove(&name);
            }
            Operation::Append => {
                words.extend(value.split(',').map(|w| w.trim().to_owned()));
                words.dedup();
                set.insert(name, words.join(","));
            }
            Operation::Subtract => {
                words.retain(|w| !value.split(',').any(|v| v.trim() == w));
                set.insert(name, words.join(","));
            }
        }
    }
    TopicConfig::new(set.iter().map(|(n, v)| (n.as_str(), v.as_str())))
}
