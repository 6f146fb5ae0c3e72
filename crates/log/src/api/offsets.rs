//! Offsets of partitions: first, last, by time, and deleting what lies before one.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{DeleteRecordsRequest, ListOffsetsRequest, ResponseKind};

use crate::broker::Broker;
use crate::storage::StorageError;
use crate::storage::partition::Partition;
use crate::storage::read::AtTime;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
/// The first version whose answer has a leader epoch.
const WITH_EPOCH: i16 = 4;

pub(super) fn list_offsets(
    broker: &Broker,
    request: ListOffsetsRequest,
    version: i16,
) -> ResponseKind {
    let topics = request
        .topics
        .into_iter()
        .map(|asked| {
            let topic = broker.catalogue.by_name(&asked.name);
            let partitions = asked
                .partitions
                .iter()
                .map(|p| {
                    let partition = topic.as_ref().and_then(|t| t.partition(p.partition_index));
                    let mut response = ListOffsetsPartitionResponse::default()
                        .with_partition_index(p.partition_index)
                        .with_timestamp(-1)
                        .with_offset(-1)
                        .with_leader_epoch(-1);
                    match partition.map(|partition| find(&partition, p.timestamp)) {
                        None => {
                            response.error_code = ResponseError::UnknownTopicOrPartition.code();
                        }
                        Some(Ok(Some(at))) => {
                            response.offset = at.offset;
                            response.timestamp = at.timestamp;
                            if version >= WITH_EPOCH {
                                response.leader_epoch = 0;
                            }
                        }
                        Some(Ok(None)) => {}
                        Some(Err(error)) => {
                            tracing::error!(
                                error = &error as &dyn std::error::Error,
                                "offset not found"
                            );
                            response.error_code = ResponseError::KafkaStorageError.code();
                        }
                    }
                    response
                })
                .collect();
            ListOffsetsTopicResponse::default()
                .with_name(asked.name)
                .with_partitions(partitions)
        })
        .collect();
    ResponseKind::ListOffsets(ListOffsetsResponse::default().with_topics(topics))
}

fn find(partition: &Partition, timestamp: i64) -> Result<Option<AtTime>, StorageError> {
    let fixed = |offset| {
        Some(AtTime {
            offset,
            timestamp: -1,
        })
    };
    match timestamp {
        LATEST => Ok(fixed(partition.bounds().high_watermark)),
        EARLIEST => Ok(fixed(partition.bounds().start)),
        MAX_TIMESTAMP => partition.find_max_timestamp(),
        t if t < 0 => Ok(None),
        t => partition.find_time(t),
    }
}

pub(super) fn delete_records(broker: &Broker, request: DeleteRecordsRequest) -> ResponseKind {
    let topics = request
        .topics
        .into_iter()
        .map(|asked| {
            let topic = broker.catalogue.by_name(&asked.name);
            let partitions = asked
                .partitions
                .iter()
                .map(|p| {
                    let result = DeleteRecordsPartitionResult::default()
                        .with_partition_index(p.partition_index)
                        .with_low_watermark(-1);
                    let partition = topic.as_ref().and_then(|t| t.partition(p.partition_index));
                    match partition.map(|partition| partition.delete_before(p.offset)) {
                        None => {
                            result.with_error_code(ResponseError::UnknownTopicOrPartition.code())
                        }
                        Some(Ok(Some(start))) => result.with_low_watermark(start),
                        Some(Ok(None)) => {
                            result.with_error_code(ResponseError::OffsetOutOfRange.code())
                        }
                        Some(Err(error)) => {
                            tracing::error!(
                                error = &error as &dyn std::error::Error,
                                "records not deleted"
                            );
                            result.with_error_code(ResponseError::KafkaStorageError.code())
                        }
                    }
                })
                .collect();
            DeleteRecordsTopicResult::default()
                .with_name(asked.name)
                .with_partitions(partitions)
        })
        .collect();
    ResponseKind::DeleteRecords(DeleteRecordsResponse::default().with_topics(topics))
}
