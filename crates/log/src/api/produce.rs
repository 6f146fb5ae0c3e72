//! Storing batches.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_response::{
    PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{
    InitProducerIdRequest, InitProducerIdResponse, ProduceRequest, ProducerId, ResponseKind,
    TopicName,
};

use super::{Answer, later, message, text};
use crate::broker::Broker;
use crate::storage::batch::{BatchError, BatchHeader};
use crate::storage::now_ms;
use crate::storage::partition::{AppendError, Appended, Partition};
use crate::storage::records::{self, Records};
use crate::storage::topic::TopicConfig;

/// Why a batch is not even tried.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("there are no records")]
    Empty,
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error("the batch has {size} bytes, the topic takes {limit}; see max.message.bytes")]
    TooLarge { size: usize, limit: usize },
    #[error("a request carries one batch per partition")]
    NotOneBatch,
    #[error("there is no such compression")]
    Compression,
    #[error("the batch belongs to a transaction, which this log does not have")]
    Transactional,
    #[error("the counts or sequence numbers of the batch make no sense")]
    Numbers,
    #[error("a compacted topic takes records with keys only")]
    NoKey,
}

impl Refused {
    fn code(&self) -> i16 {
        match self {
            Self::Batch(BatchError::Magic(_)) => ResponseError::UnsupportedForMessageFormat,
            // As Kafka has it: what holds no whole batch is no batch, rather than a damaged one.
            Self::Batch(BatchError::Count { .. } | BatchError::Short) => {
                ResponseError::InvalidRecord
            }
            Self::Batch(_) => ResponseError::CorruptMessage,
            Self::TooLarge { .. } => ResponseError::MessageTooLarge,
            Self::Compression => ResponseError::UnsupportedCompressionType,
            Self::Empty | Self::NotOneBatch | Self::Transactional | Self::Numbers | Self::NoKey => {
                ResponseError::InvalidRecord
            }
        }
        .code()
    }
}

/// A partition's part of the answer, and up to where it must be durable before it is given.
struct Stored {
    response: PartitionProduceResponse,
    durable: Option<(Arc<Partition>, i64)>,
}

pub(super) async fn produce(broker: Arc<Broker>, request: ProduceRequest) -> Answer {
    let acks = request.acks;
    let mut topics = Vec::with_capacity(request.topic_data.len());
    for topic_data in request.topic_data {
        let topic = broker.catalogue.by_name(&topic_data.name);
        let config = topic.as_ref().map(|t| t.config());
        let mut partitions = Vec::with_capacity(topic_data.partition_data.len());
        for data in topic_data.partition_data {
            let partition = topic.as_ref().and_then(|t| t.partition(data.index));
            let stored = match (partition, &config) {
                _ if !matches!(acks, -1..=1) => {
                    failed(data.index, ResponseError::InvalidRequiredAcks)
                }
                (Some(partition), Some(config)) => {
                    store(&broker, &partition, config, data.index, data.records)
                }
                _ => failed(data.index, ResponseError::UnknownTopicOrPartition),
            };
            partitions.push(stored);
        }
        // A copy: the name is a slice of the request, and would hold all of it until the answer has gone.
        let name = TopicName(text(topic_data.name.to_string()));
        topics.push((name, partitions));
    }
    let answering = async move {
        let mut responses = Vec::with_capacity(topics.len());
        for (name, stored) in topics {
            let mut partitions = Vec::with_capacity(stored.len());
            for mut stored in stored {
                if let Some((partition, next_offset)) = stored.durable
                    && let Err(error) = partition.wait_durable(next_offset).await
                {
                    stored.response = not_stored(stored.response.index, &error);
                }
                partitions.push(stored.response);
            }
            responses.push(
                TopicProduceResponse::default()
                    .with_name(name)
                    .with_partition_responses(partitions),
            );
        }
        ResponseKind::Produce(ProduceResponse::default().with_responses(responses))
    };
    if acks == 0 {
        answering.await;
        return Answer::Nothing;
    }
    later(answering)
}

fn store(
    broker: &Broker,
    partition: &Arc<Partition>,
    config: &TopicConfig,
    index: i32,
    records: Option<Bytes>,
) -> Stored {
    let batch = records.unwrap_or_default();
    let header = match check(&batch, config) {
        Ok(header) => header,
        Err(refused) => {
            let response = PartitionProduceResponse::default()
                .with_index(index)
                .with_error_code(refused.code())
                .with_base_offset(-1)
                .with_log_append_time_ms(-1)
                .with_error_message(message(&refused));
            return Stored {
                response,
                durable: None,
            };
        }
    };
    match partition.append(&header, &batch, now_ms()) {
        Ok(appended) => {
            broker.note_written(partition);
            Stored {
                response: stored(index, appended),
                durable: Some((partition.clone(), appended.next_offset)),
            }
        }
        Err(error) => Stored {
            response: not_stored(index, &error),
            durable: None,
        },
    }
}

fn stored(index: i32, appended: Appended) -> PartitionProduceResponse {
    PartitionProduceResponse::default()
        .with_index(index)
        .with_base_offset(appended.base_offset)
        .with_log_append_time_ms(appended.log_append_time)
        .with_log_start_offset(appended.start_offset)
}

fn failed(index: i32, error: ResponseError) -> Stored {
    Stored {
        response: PartitionProduceResponse::default()
            .with_index(index)
            .with_error_code(error.code())
            .with_base_offset(-1)
            .with_log_append_time_ms(-1),
        durable: None,
    }
}

fn not_stored(index: i32, error: &AppendError) -> PartitionProduceResponse {
    let code = match error {
        AppendError::OutOfOrder => ResponseError::OutOfOrderSequenceNumber,
        AppendError::Fenced => ResponseError::InvalidProducerEpoch,
        AppendError::Closed => ResponseError::UnknownTopicOrPartition,
        AppendError::Failed | AppendError::Storage(_) => ResponseError::KafkaStorageError,
    };
    if code == ResponseError::KafkaStorageError {
        tracing::error!(
            partition = index,
            error = error as &dyn std::error::Error,
            "batch not stored"
        );
    }
    PartitionProduceResponse::default()
        .with_index(index)
        .with_error_code(code.code())
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
        .with_error_message(message(error))
}

fn check(batch: &[u8], config: &TopicConfig) -> Result<BatchHeader, Refused> {
    if batch.is_empty() {
        return Err(Refused::Empty);
    }
    if batch.len() > config.max_message_bytes {
        return Err(Refused::TooLarge {
            size: batch.len(),
            limit: config.max_message_bytes,
        });
    }
    let header = BatchHeader::parse_checked(batch)?;
    if header.len != batch.len() {
        return Err(Refused::NotOneBatch);
    }
    if header.compression() > 4 {
        return Err(Refused::Compression);
    }
    if header.is_transactional() || header.is_control() {
        return Err(Refused::Transactional);
    }
    let idempotent = header.producer_id >= 0;
    if header.count < 1
        || header.last_offset_delta != header.count - 1
        || (idempotent && (header.base_sequence < 0 || header.producer_epoch < 0))
    {
        return Err(Refused::Numbers);
    }
    if config.compact && lacks_key(&header, batch) {
        return Err(Refused::NoKey);
    }
    Ok(header)
}

fn lacks_key(header: &BatchHeader, batch: &[u8]) -> bool {
    match records::uncompressed(header, records::payload(batch)) {
        Some(plain) => {
            Records::new(header, &plain).any(|r| r.is_err() || r.is_ok_and(|r| r.key.is_none()))
        }
        None => false,
    }
}

pub(super) fn init_producer_id(broker: &Broker, request: &InitProducerIdRequest) -> ResponseKind {
    let mut response = InitProducerIdResponse::default()
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    if request.transactional_id.is_some() {
        tracing::warn!("a client asked for transactions, which this log does not have");
        response.error_code = ResponseError::TransactionalIdAuthorizationFailed.code();
        return ResponseKind::InitProducerId(response);
    }
    match broker.producer_ids.next() {
        Ok(id) => {
            response.producer_id = ProducerId(id);
            response.producer_epoch = 0;
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "no producer id given"
            );
            // The client asks again after a while.
            response.error_code = ResponseError::CoordinatorNotAvailable.code();
        }
    }
    ResponseKind::InitProducerId(response)
}
