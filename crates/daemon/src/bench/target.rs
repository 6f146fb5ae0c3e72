//! The system that is told: takes every command the moment it comes, and answers as a system would that does at once
//! what it is asked.

use std::{
    borrow::Cow,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde::Deserialize;

use super::{
    site::{Site, TARGET},
    trace,
};
use crate::{
    clock::Clock,
    engine::{Consumed, header},
    kafka::{Bulk, BulkProducer, Polled, Reader, Start},
};

/// Its thread ends when it is dropped.
pub struct Target {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

#[derive(Default)]
struct Shared {
    ended: AtomicBool,
    received: AtomicU64,
    bytes: AtomicU64,
    /// Number of a change whose trace is ours, and when the first command that follows from it came.
    arrivals: Mutex<Vec<(u64, Instant)>>,
}

/// The parts of a command that an answer needs.
#[derive(Deserialize)]
struct Command<'b> {
    #[serde(borrow)]
    command_id: Cow<'b, str>,
    #[serde(borrow)]
    kind: Cow<'b, str>,
    #[serde(borrow)]
    object: Cow<'b, str>,
    #[serde(borrow)]
    id: Option<Cow<'b, str>>,
    #[serde(borrow)]
    entity: Cow<'b, str>,
}

impl Target {
    pub fn start(site: &Site) -> anyhow::Result<Self> {
        let topics = [site.commands().to_owned()];
        let reader = Reader::open(&site.connection, &topics, |_, _, _| Start::Beginning)?;
        let producer = BulkProducer::new(&site.connection, Duration::from_millis(2))?;
        let shared = Arc::new(Shared::default());
        let (its, results) = (shared.clone(), site.results().to_owned());
        let thread = std::thread::Builder::new()
            .name("baton-target".into())
            .spawn(move || its.serve(reader, &producer, &results))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Commands that have come, and have been answered.
    pub fn received(&self) -> u64 {
        self.shared.received.load(Ordering::Acquire)
    }

    /// Payload bytes of the commands that have come.
    pub fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Acquire)
    }

    /// How many of our changes have had a command.
    pub fn arrived(&self) -> usize {
        self.shared.arrivals().len()
    }

    /// Number and first command of each of our changes.
    pub fn take_arrivals(&self) -> Vec<(u64, Instant)> {
        std::mem::take(&mut self.shared.arrivals())
    }

    /// An error if it cannot go on.
    pub fn check(&mut self) -> anyhow::Result<()> {
        if self.thread.as_ref().is_some_and(JoinHandle::is_finished) {
            return self.end();
        }
        Ok(())
    }

    /// Ends it.
    pub fn end(&mut self) -> anyhow::Result<()> {
        self.shared.ended.store(true, Ordering::Release);
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result.context("the target that answers cannot go on"),
            Some(Err(_)) => anyhow::bail!("the target that answers ended in a panic"),
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Whoever wants to know how it ended has asked before.
        let _ = self.end();
    }
}

impl Shared {
    fn arrivals(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Instant)>> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(
        &self,
        mut reader: Reader,
        producer: &BulkProducer,
        results: &str,
    ) -> anyhow::Result<()> {
        while !self.ended.load(Ordering::Acquire) {
            let Polled::Message(message) = reader.poll(Duration::from_millis(50))? else {
                continue;
            };
            let came = Instant::now();
            if let Some(number) = message.headers.text(header::TRACE).and_then(trace::number) {
                self.arrivals().push((number, came));
            }
            let payload = message.payload.as_deref().unwrap_or_default();
            self.bytes
                .fetch_add(payload.len() as u64, Ordering::Release);
            answer(&message, payload, producer, results)?;
            self.received.fetch_add(1, Ordering::Release);
        }
        Ok(())
    }
}

/// "Done", with the target's own stamp; a new record is named after its entity.
fn answer(
    message: &Consumed,
    payload: &[u8],
    producer: &BulkProducer,
    results: &str,
) -> anyhow::Result<()> {
    let command: Command<'_> = serde_json::from_slice(payload).context("a command is no JSON")?;
    anyhow::ensure!(
        command.kind == "create" || command.kind == "update",
        "a command of kind {} was not expected: the benchmark is wrong",
        command.kind
    );
    // Neither an entity nor an id that was made of one holds anything that JSON escapes.
    let text = format!(
        r#"{{"command_id":"{}","system":"{}","object":"{}","id":"{}","outcome":"ok","stamp":"{}"}}"#,
        command.command_id,
        TARGET,
        command.object,
        command.id.as_ref().unwrap_or(&command.entity),
        Clock::System.now(),
    );
    producer.send(Bulk {
        topic: results,
        partition: None,
        key: message.key.as_deref().unwrap_or_default(),
        payload: text.as_bytes(),
        trace: None,
    })?;
    Ok(())
}
