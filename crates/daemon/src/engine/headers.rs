//! Headers of what Baton publishes: CloudEvents attributes (binary content mode) and W3C trace context.

use std::fmt;

use baton_core::{book::OutTopic, id::Digest, time::Millis};
use serde::{
    Deserializer as _,
    de::{IgnoredAny, MapAccess, Visitor},
};

use super::message::header;

/// What the attributes are made of, as far as a body has it.
#[derive(Default)]
struct Peek<'b> {
    id: Option<&'b str>,
    command_id: Option<&'b str>,
    kind: Option<&'b str>,
    entity: Option<&'b str>,
    version: Option<u64>,
}

impl<'b> Peek<'b> {
    /// Reads a body from its front, no further than what its topic asks for: that stands before all values.
    fn at(topic: OutTopic, body: &'b [u8]) -> Self {
        let mut peek = Self::default();
        let mut reader = serde_json::Deserializer::from_slice(body);
        // It ends early on purpose, which is an error to the reader.
        let _ = reader.deserialize_map(Front(topic, &mut peek));
        peek
    }

    fn has_all(&self, topic: OutTopic) -> bool {
        match topic {
            OutTopic::Commands(_) => {
                self.command_id.is_some() && self.kind.is_some() && self.entity.is_some()
            }
            OutTopic::Golden | OutTopic::Decisions => {
                self.entity.is_some() && self.version.is_some()
            }
            OutTopic::Lifecycle => {
                self.id.is_some() && self.entity.is_some() && self.kind.is_some()
            }
            OutTopic::DeadLetters => self.id.is_some(),
        }
    }
}

struct Front<'p, 'b>(OutTopic, &'p mut Peek<'b>);

impl<'b> Visitor<'b> for Front<'_, 'b> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message of Baton's own")
    }

    fn visit_map<A: MapAccess<'b>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(topic, peek) = self;
        while !peek.has_all(topic) {
            let Some(name) = map.next_key::<&str>()? else {
                break;
            };
            match name {
                // A command's is somebody else's, and may hold anything.
                "id" if !matches!(topic, OutTopic::Commands(_)) => peek.id = map.next_value()?,
                "command_id" => peek.command_id = map.next_value()?,
                "kind" => peek.kind = map.next_value()?,
                "entity" => peek.entity = map.next_value()?,
                "version" => peek.version = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// The CloudEvents id, type and subject of a message.
fn event(topic: OutTopic, body: &[u8]) -> (String, String, String) {
    let peek = Peek::at(topic, body);
    let entity = peek.entity.unwrap_or_default().to_owned();
    let version = peek.version.unwrap_or_default();
    match topic {
        OutTopic::Commands(_) => (
            peek.command_id.unwrap_or_default().to_owned(),
            format!("baton.command.{}", peek.kind.unwrap_or_default()),
            entity,
        ),
        OutTopic::Golden => (
            format!("{entity}/{version}"),
            "baton.golden".to_owned(),
            entity,
        ),
        OutTopic::Decisions => (
            format!("{entity}/{version}/decisions"),
            "baton.decisions".to_owned(),
            entity,
        ),
        OutTopic::Lifecycle => (
            peek.id.unwrap_or_default().to_owned(),
            format!("baton.lifecycle.{}", peek.kind.unwrap_or_default()),
            entity,
        ),
        OutTopic::DeadLetters => {
            let id = peek.id.unwrap_or_default().to_owned();
            (id.clone(), "baton.dead-letter".to_owned(), id)
        }
    }
}

/// All headers of one message, whose body is JSON.
#[must_use]
pub fn of(
    topic: OutTopic,
    body: &[u8],
    source: &str,
    at: Millis,
    cause: Digest,
) -> Vec<(String, Vec<u8>)> {
    let (id, kind, subject) = event(topic, body);
    let span = Digest::of(&[b"span", id.as_bytes()]).to_string();
    let trace = format!("00-{cause}-{}-01", span.get(..16).unwrap_or_default());
    [
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", id),
        ("ce_source", source.to_owned()),
        ("ce_type", kind),
        ("ce_subject", subject),
        ("ce_time", at.to_string()),
        ("content-type", "application/json".to_owned()),
        (header::TRACE, trace),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.into_bytes()))
    .collect()
}

/// The trace id of a W3C `traceparent`, so that what follows from a message stays in its trace.
#[must_use]
pub fn trace_id(traceparent: &str) -> Option<Digest> {
    let mut parts = traceparent.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let id = Digest::parse(trace)?;
    (version.len() == 2 && version != "ff" && id != Digest::default()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_carried_on() {
        let id = trace_id("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        assert_eq!(id.unwrap().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn a_command_is_a_cloud_event_named_by_its_own_id() {
        let body =
            br#"{"command_id":"c1","kind":"update","entity":"person-1","fields":{"id":{"a":[1]}}}"#;
        let headers = of(
            OutTopic::Commands("crm".into()),
            body,
            "baton/test",
            Millis(0),
            Digest([7; 16]),
        );
        let text = |key: &str| {
            let found = headers.iter().find(|(k, _)| k == key);
            String::from_utf8(found.unwrap().1.clone()).unwrap()
        };
        assert_eq!(text("ce_id"), "c1");
        assert_eq!(text("ce_type"), "baton.command.update");
        assert_eq!(text("ce_subject"), "person-1");
        assert_eq!(text("ce_time"), "1970-01-01T00:00:00Z");
        assert_eq!(trace_id(&text("traceparent")), Some(Digest([7; 16])));
    }

    #[test]
    fn what_happened_in_the_funnel_is_named_by_its_own_id_and_kind() {
        let body = br#"{"schema_version":2,"id":"ab","entity":"person-1","kind":"recycle","fr"#;
        let of_event = event(OutTopic::Lifecycle, body);
        let told = ("ab", "baton.lifecycle.recycle", "person-1");
        assert_eq!((&*of_event.0, &*of_event.1, &*of_event.2), told);
    }

    #[test]
    fn what_stands_behind_the_attributes_is_not_read() {
        let body = br#"{"entity":"person-1","version":7,"fields":{"a":"#;
        let (id, _, subject) = event(OutTopic::Golden, body);
        assert_eq!((id.as_str(), subject.as_str()), ("person-1/7", "person-1"));
    }

    #[test]
    fn what_is_no_trace_starts_none() {
        for text in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-zz",
        ] {
            assert_eq!(trace_id(text), None, "{text}");
        }
    }
}
