//! Reading records, and waiting for them.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{FetchRequest, FetchResponse, ResponseKind};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::{Answer, Reply, now};
use crate::broker::Broker;
use crate::storage::partition::{Bounds, Partition};
use crate::storage::read::{ReadError, Stretch};
use crate::storage::topic::Topic;
use crate::wire::fetch::{BY_ID, FetchedPartition, FetchedTopic};

/// Nobody waits longer, whatever the request says.
const MAX_WAIT: Duration = Duration::from_secs(60);

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
    wait_for_records(&wanted, enough, limit, deadline).await;
    let by_id = version >= BY_ID;
    let mut left = limit;
    let mut empty = true;
    let topics = wanted
        .into_iter()
        .map(|topic| FetchedTopic {
            partitions: topic
                .partitions
                .iter()
                .map(|wanted| fetched(wanted, by_id, &mut left, &mut empty))
                .collect(),
            name: topic.asked.topic,
            id: topic.asked.topic_id,
        })
        .collect();
    Reply::Fetched(topics)
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

/// Waits until there is enough, something is wrong, or time is up.
async fn wait_for_records(wanted: &[WantedTopic], enough: usize, limit: usize, deadline: Instant) {
    if is_ready(wanted, enough, limit) || Instant::now() >= deadline {
        return;
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
        if is_ready(wanted, enough, limit) {
            return;
        }
        if timeout_at(deadline, watching.waiter.notified())
            .await
            .is_err()
        {
            return;
        }
    }
}

/// Whether the answer should go out now.
fn is_ready(wanted: &[WantedTopic], enough: usize, limit: usize) -> bool {
    let mut available = 0;
    for wanted in wanted.iter().flat_map(|t| &t.partitions) {
        let Some(partition) = wanted.partition.as_ref().filter(|p| !p.is_closed()) else {
            return true;
        };
        match partition.available(wanted.asked.fetch_offset, limit) {
            Ok(bytes) => available += bytes,
            Err(_) => return true,
        }
    }
    available >= enough
}

fn fetched(wanted: &Wanted, by_id: bool, left: &mut usize, empty: &mut bool) -> FetchedPartition {
    let index = wanted.asked.partition;
    let Some(partition) = wanted.partition.as_ref().filter(|p| !p.is_closed()) else {
        let error = if by_id {
            ResponseError::UnknownTopicId
        } else {
            ResponseError::UnknownTopicOrPartition
        };
        return answer(index, Some(error), None, None);
    };
    let max = usize::try_from(wanted.asked.partition_max_bytes)
        .unwrap_or(0)
        .min(*left);
    if max == 0 {
        return answer(index, None, Some(partition.bounds()), None);
    }
    match partition.find(wanted.asked.fetch_offset, max, *empty) {
        Ok(found) => {
            if let Some(records) = &found.records {
                *left = left.saturating_sub(records.len);
                *empty = false;
            }
            answer(index, None, Some(found.bounds), found.records)
        }
        Err(ReadError::OutOfRange(bounds)) => {
            let error = Some(ResponseError::OffsetOutOfRange);
            answer(index, error, Some(bounds), None)
        }
        Err(ReadError::Storage(error)) => {
            tracing::error!(
                partition = index,
                error = &error as &dyn std::error::Error,
                "records not read"
            );
            answer(index, Some(ResponseError::KafkaStorageError), None, None)
        }
    }
}

fn answer(
    index: i32,
    error: Option<ResponseError>,
    bounds: Option<Bounds>,
    records: Option<Stretch>,
) -> FetchedPartition {
    FetchedPartition {
        index,
        error_code: error.map_or(0, |e| e.code()),
        bounds: bounds.unwrap_or(Bounds {
            start: -1,
            high_watermark: -1,
        }),
        records,
    }
}
