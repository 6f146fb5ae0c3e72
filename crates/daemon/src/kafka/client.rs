//! What every client of the log has in common.

use std::time::Duration;

use baton_config::Kafka;
use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode},
};

use crate::retry::Passing;

/// How long a question to the log may take.
pub(super) const ASK: Duration = Duration::from_secs(10);

/// Where the log is and how to speak to it.
#[derive(Clone, Debug)]
pub struct Connection {
    pub bootstrap: String,
    pub settings: Kafka,
}

impl Connection {
    /// The settings that all clients share.
    pub(super) fn client(&self) -> ClientConfig {
        self.client_with(&[])
    }

    /// The same with defaults of one kind of client. What a steward passes through to librdkafka comes after all
    /// defaults, so that it can change everything except what consumer and producer must own.
    pub(super) fn client_with(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("client.id", &self.settings.group)
            // With librdkafka's default of 10 s, an outage of one second costs ten.
            .set("reconnect.backoff.max.ms", "500")
            .set("reconnect.backoff.ms", "50")
            // Small questions and their answers must not wait for each other's acknowledgement.
            .set("socket.nagle.disable", "true")
            .set("allow.auto.create.topics", "false")
            // A topic that was just created is known soon.
            .set("topic.metadata.refresh.fast.interval.ms", "100");
        for (key, value) in defaults {
            config.set(*key, *value);
        }
        for (key, value) in &self.settings.client {
            config.set(key, value.reveal());
        }
        config
    }

    /// A consumer whose place is kept by the store: the log's own commits are hints.
    pub(super) fn consumer(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut all = vec![
            ("fetch.wait.max.ms", "50"),
            ("queued.max.messages.kbytes", "32768"),
        ];
        all.extend(defaults);
        let mut config = self.client_with(&all);
        config
            .set("group.id", &self.settings.group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest");
        config
    }
}

/// Tells librdkafka's own words to our log, without crying wolf: it reconnects by itself.
pub(super) struct Tell;

impl ClientContext for Tell {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, words: &str) {
        tell(level, facility, words);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tell_error(&error, reason);
    }
}

impl ConsumerContext for Tell {}

pub(super) fn tell(level: RDKafkaLogLevel, facility: &str, words: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => {
            tracing::warn!(target: "librdkafka", facility, words, "the client of the log says");
        }
        _ => tracing::debug!(target: "librdkafka", facility, words, "the client of the log says"),
    }
}

pub(super) fn tell_error(error: &KafkaError, reason: &str) {
    // The end of a partition is what a reader waits for.
    if matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::PartitionEOF)
    ) {
        return;
    }
    tracing::warn!(
        target: "librdkafka",
        error = error as &dyn std::error::Error,
        reason,
        "trouble with the log"
    );
}

/// What went wrong between the daemon and the log.
#[derive(Debug, thiserror::Error)]
pub enum KafkaFault {
    #[error(
        "cannot set up a client of the log: a librdkafka setting under [kafka.client] is not valid"
    )]
    Setup(#[source] KafkaError),
    #[error("the log does not answer ({what}); is it running, and is `bootstrap` right?")]
    Ask {
        what: &'static str,
        #[source]
        source: KafkaError,
    },
    #[error("topic `{topic}` does not exist; create it, or set `topics.create = true`")]
    NoTopic { topic: String },
    #[error("cannot create topic `{topic}`: {reason}")]
    Create { topic: String, reason: String },
    #[error("a message for topic `{topic}` was not taken")]
    Publish {
        topic: String,
        #[source]
        source: KafkaError,
    },
    #[error("another process may publish by now; what was not sent yet stays in the outbox")]
    TooLate,
    #[error("the consumer's thread has ended")]
    Gone,
}

impl KafkaFault {
    /// What librdkafka says of a setting, without the setting's value: that may be a password or a key.
    pub(super) fn setup(error: KafkaError) -> Self {
        let KafkaError::ClientConfig(result, mut words, key, value) = error else {
            return Self::Setup(error);
        };
        // It quotes a value that it does not like, cut where it is long.
        let quoted: String = std::iter::once('"').chain(value.chars().take(8)).collect();
        if !value.is_empty() && words.contains(&quoted) {
            "the value is not one that it takes:".clone_into(&mut words);
        }
        Self::Setup(KafkaError::ClientConfig(
            result,
            words,
            key,
            "***".to_owned(),
        ))
    }

    /// Whether the client was built without what a setting needs (OpenSSL, for TLS and SCRAM).
    #[must_use]
    pub fn lacks_a_feature(&self) -> bool {
        matches!(self, Self::Setup(source) if source.to_string().contains("at build time"))
    }

    /// Whether the log refuses this one message and would take others.
    #[must_use]
    pub fn refuses_message(&self) -> bool {
        matches!(
            self,
            Self::Publish { source, .. } if matches!(
                source.rdkafka_error_code(),
                Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidRecord)
            )
        )
    }

    /// Whether waiting can help.
    #[must_use]
    pub fn passing(&self) -> Passing {
        match self {
            Self::Setup(_) | Self::NoTopic { .. } | Self::Create { .. } | Self::Gone => Passing::No,
            Self::Ask { .. } | Self::TooLate => Passing::Yes,
            Self::Publish { source, .. } => match source.rdkafka_error_code() {
                Some(
                    RDKafkaErrorCode::MessageSizeTooLarge
                    | RDKafkaErrorCode::UnknownTopic
                    | RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::InvalidRecord
                    | RDKafkaErrorCode::Fatal,
                ) => Passing::No,
                _ => Passing::Yes,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use baton_config::Secret;

    use super::*;

    #[test]
    fn librdkafkas_complaint_about_a_setting_does_not_repeat_its_value() {
        for (key, value) in [
            ("no.such.property", "hunter2-secret"),
            ("security.protocol", "hunter2-secret"),
            ("session.timeout.ms", "hunter2-secret"),
        ] {
            let mut settings = Kafka::default();
            settings.client.insert(key.to_owned(), Secret::new(value));
            let connection = Connection {
                bootstrap: "127.0.0.1:9092".to_owned(),
                settings,
            };
            let refused = connection
                .client()
                .create_with_context::<_, rdkafka::producer::FutureProducer<Tell>>(Tell);
            let fault = refused.map(drop).map_err(KafkaFault::setup).unwrap_err();
            let KafkaFault::Setup(source) = &fault else {
                panic!("{fault}");
            };
            let words = format!("{source} {source:?}");
            assert!(words.contains(key), "{words}");
            assert!(!words.contains("hunter2"), "{words}");
        }
    }

    #[test]
    fn what_a_steward_passes_through_replaces_every_default_and_nothing_that_is_ours() {
        let mut settings = Kafka::default();
        for (key, value) in [("session.timeout.ms", "30000"), ("group.id", "theirs")] {
            settings.client.insert(key.to_owned(), Secret::new(value));
        }
        let connection = Connection {
            bootstrap: "127.0.0.1:9092".to_owned(),
            settings,
        };
        let defaults = [("session.timeout.ms", "10000"), ("linger.ms", "2")];
        let config = connection.consumer(&defaults);
        assert_eq!(config.get("session.timeout.ms"), Some("30000"));
        assert_eq!(config.get("linger.ms"), Some("2"));
        assert_eq!(config.get("group.id"), Some("baton"));
    }
}
