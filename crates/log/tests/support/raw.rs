//! A client that says exactly what it is told to.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{ProduceRequest, RequestHeader, ResponseHeader, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

pub struct Raw {
    pub socket: TcpStream,
}

impl Raw {
    pub fn connect(log: &super::Broker) -> Self {
        let socket = TcpStream::connect(log.addr()).unwrap();
        socket.set_read_timeout(Some(super::PATIENCE)).unwrap();
        Self { socket }
    }

    pub fn send<R: Request>(&mut self, request: &R, version: i16) {
        let mut out = BytesMut::new();
        out.put_i32(0);
        RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(77)
            .with_client_id(Some(StrBytes::from_static_str("raw")))
            .encode(&mut out, R::header_version(version))
            .unwrap();
        request.encode(&mut out, version).unwrap();
        let len = out.len() as i32 - 4;
        out[..4].copy_from_slice(&len.to_be_bytes());
        self.socket.write_all(&out).unwrap();
    }

    pub fn receive<R: Request>(&mut self, version: i16) -> R::Response {
        let mut len = [0; 4];
        self.socket.read_exact(&mut len).unwrap();
        let mut frame = vec![0; i32::from_be_bytes(len) as usize];
        self.socket.read_exact(&mut frame).unwrap();
        let mut frame = Bytes::from(frame);
        let header_version = <R::Response as HeaderVersion>::header_version(version);
        let header = ResponseHeader::decode(&mut frame, header_version).unwrap();
        assert_eq!(header.correlation_id, 77);
        R::Response::decode(&mut frame, version).unwrap()
    }

    pub fn ask<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        self.send(request, version);
        self.receive::<R>(version)
    }

    /// Whether the log has closed the connection.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.socket.read(&mut [0; 1]), Ok(0) | Err(_))
    }

    pub fn produce(&mut self, topic: &str, batch: Bytes) -> PartitionProduceResponse {
        self.ask(&produce_request(topic, batch), 9).responses[0].partition_responses[0].clone()
    }
}

pub fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

pub fn produce_request(topic: &str, batch: Bytes) -> ProduceRequest {
    ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(1000)
        .with_topic_data(vec![
            TopicProduceData::default()
                .with_name(name(topic))
                .with_partition_data(vec![
                    PartitionProduceData::default()
                        .with_index(0)
                        .with_records(Some(batch)),
                ]),
        ])
}

/// A batch of an idempotent producer.
pub fn batch(producer_id: i64, producer_epoch: i16, sequence: i32, payloads: &[&str]) -> Bytes {
    let records: Vec<Record> = payloads
        .iter()
        .enumerate()
        .map(|(i, payload)| Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: 0,
            producer_id,
            producer_epoch,
            timestamp_type: TimestampType::Creation,
            offset: i as i64,
            sequence: sequence + i as i32,
            timestamp: 1_700_000_000_000 + i as i64,
            key: None,
            value: Some(Bytes::copy_from_slice(payload.as_bytes())),
            headers: IndexMap::new(),
        })
        .collect();
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions {
        version: 2,
        compression: Compression::None,
    };
    RecordBatchEncoder::encode(&mut out, records.iter(), &options).unwrap();
    out.freeze()
}
