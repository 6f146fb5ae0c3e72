//! Reading records, and waiting for them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{
    FetchResponse, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::{FetchRequest, ResponseKind, TopicName};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::{Answer, Reply, now};
use crate::broker::Broker;
use crate::storage::partition::{Bounds, Partition};
use crate::storage::read::ReadError;
use crate::storage::topic::Topic;

/// Nobody waits longer, whatever the request says.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// The first version that names topics by id.
const BY_ID: i16 = 13;

pub(super) fn fetch(broker: Arc<Broker>, request: FetchRequest, version: i16) -> Answer {
    if request.session_id != 0 {
        // Sessions are never opened, so there is none to go on with.
        return now(ResponseKind::Fetch(
            FetchResponse::default().with_error_code(ResponseError::FetchSessionIdNotFound.code()),
        ));
    }
    Answer::Later(Box::pin(wait_and_read(broker, request, version)))
}

/// One partition of a request.
struct Wanted {
    partition: Option<Arc<Partition>>,
    asked: FetchPartition,
}

struct WantedTopic {
    asked: FetchTopic,
    partitions: Vec<Wanted>,
}

/// Takes the waiter out of all partitions when the request ends, however it ends.
struct Watching {
    waiter: Arc<Notify>,
    partitions: Vec<Arc<Partition>>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        for partition in &self.partitions {
            partition.unwatch(&self.waiter);
        }
    }
}

async fn wait_and_read(broker: Arc<Broker>, request: FetchRequest, version: i16) -> Reply {
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(MAX_WAIT);
    let deadline = Instant::now() + wait;
    let limit = usize::try_from(request.max_bytes)
        .unwrap_or(0)
        .clamp(1, broker.config.limits.max_fetch_bytes);
    let enough = usize::try_from(request.min_bytes).unwrap_or(0).min(limit);
    let wanted: Vec<WantedTopic> = request
        .topics
        .into_iter()
        .map(|asked| find(&broker, asked, version))
        .collect();
    let available = wait_for_records(&wanted, enough, limit, deadline).await;
    let memory = match available {
        0 => None,
        // The semaphore is never closed; without a permit the answer is empty.
        n => {
            let permits = u32::try_from(n.min(limit)).unwrap_or(u32::MAX);
            broker
                .response_memory
                .clone()
                .acquire_many_owned(permits)
                .await
                .ok()
        }
    };
    let mut left = if memory.is_some() {
        available.min(limit)
    } else {
        0
    };
    let mut empty = true;
    let mut responses = Vec::with_capacity(wanted.len());
    for topic in wanted {
        let by_id = version >= BY_ID;
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for wanted in topic.partitions {
            partitions.push(read(&wanted, by_id, &mut left, &mut empty));
        }
        responses.push(
            FetchableTopicResponse::default()
                .with_topic(if by_id {
                    TopicName::default()
                } else {
                    topic.asked.topic
                })
                .with_topic_id(topic.asked.topic_id)
                .with_partitions(partitions),
        );
    }
    Reply {
        response: ResponseKind::Fetch(FetchResponse::default().with_responses(responses)),
        memory,
    }
}

fn find(broker: &Broker, mut asked: FetchTopic, version: i16) -> WantedTopic {
    let topic: Option<Arc<Topic>> = if version >= BY_ID {
        broker.catalogue.by_id(asked.topic_id)
    } else {
        broker.catalogue.by_name(&asked.topic)
    };
    let partitions = std::mem::take(&mut asked.partitions)
        .into_iter()
        .map(|asked| Wanted {
            partition: topic.as_ref().and_then(|t| t.partition(asked.partition)),
            asked,
        })
        .collect();
    WantedTopic { asked, partitions }
}

/// Waits until there is enough, something is wrong, or time is up. Returns how much there is.
async fn wait_for_records(
    wanted: &[WantedTopic],
    enough: usize,
    limit: usize,
    deadline: Instant,
) -> usize {
    let (available, ready) = look(wanted, enough, limit);
    if ready || Instant::now() >= deadline {
        return available;
    }
    let watching = Watching {
        waiter: Arc::new(Notify::new()),
        partitions: wanted
            .iter()
            .flat_map(|t| t.partitions.iter().filter_map(|w| w.partition.clone()))
            .collect(),
    };
    loop {
        for partition in &watching.partitions {
            partition.watch(&watching.waiter);
        }
        // Looked at after watching, so nothing that comes in between is missed.
        let (available, ready) = look(wanted, enough, limit);
        if ready {
            return available;
        }
        if timeout_at(deadline, watching.waiter.notified())
            .await
            .is_err()
        {
            return look(wanted, enough, limit).0;
        }
    }
}

/// How much there is to read, and whether the answer should go out now.
fn look(wanted: &[WantedTopic], enough: usize, limit: usize) -> (usize, bool) {
    let mut available = 0;
    let mut wrong = false;
    for wanted in wanted.iter().flat_map(|t| &t.partitions) {
        match &wanted.partition {
            Some(partition) if !partition.is_closed() => {
                match partition.available(wanted.asked.fetch_offset, limit) {
                    Ok(n) => available += n,
                    Err(_) => wrong = true,
                }
            }
            _ => wrong = true,
        }
    }
    (available.min(limit), wrong || available >= enough)
}

fn read(wanted: &Wanted, by_id: bool, left: &mut usize, empty: &mut bool) -> PartitionData {
    let index = wanted.asked.partition;
    let Some(partition) = wanted.partition.as_ref().filter(|p| !p.is_closed()) else {
        let error = if by_id {
            ResponseError::UnknownTopicId
        } else {
            ResponseError::UnknownTopicOrPartition
        };
        return answer(index, Some(error), None, Bytes::new());
    };
    let max = usize::try_from(wanted.asked.partition_max_bytes)
        .unwrap_or(0)
        .min(*left);
    if max == 0 {
        return answer(index, None, Some(partition.bounds()), Bytes::new());
    }
    match partition.read(wanted.asked.fetch_offset, max, *empty) {
        Ok(fetched) => {
            *left = left.saturating_sub(fetched.records.len());
            *empty &= fetched.records.is_empty();
            answer(index, None, Some(fetched.bounds), fetched.records)
        }
        Err(ReadError::OutOfRange(bounds)) => answer(
            index,
            Some(ResponseError::OffsetOutOfRange),
            Some(bounds),
            Bytes::new(),
        ),
        Err(ReadError::Storage(error)) => {
            tracing::error!(
                partition = index,
                error = &error as &dyn std::error::Error,
                "records not read"
            );
            answer(
                index,
                Some(ResponseError::KafkaStorageError),
                None,
                Bytes::new(),
            )
        }
    }
}

fn answer(
    index: i32,
    error: Option<ResponseError>,
    bounds: Option<Bounds>,
    records: Bytes,
) -> PartitionData {
    let bounds = bounds.unwrap_or(Bounds {
        start: -1,
        high_watermark: -1,
    });
    PartitionData::default()
        .with_partition_index(index)
        .with_error_code(error.map_or(0, |e| e.code()))
        .with_high_watermark(bounds.high_watermark)
        .with_last_stable_offset(bounds.high_watermark)
        .with_log_start_offset(bounds.start)
        .with_aborted_transactions(None)
        .with_records(Some(records))
}
