//! The answer to a fetch. Records make up nearly all of it, and they never come into this process: the answer is
//! encoded around stretches of files, which go from the page cache to the socket.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::TopicName;
use uuid::Uuid;

use crate::storage::partition::Bounds;
use crate::storage::read::Stretch;

/// The first version that names topics by id.
pub(crate) const BY_ID: i16 = 13;
/// The first version with compact lengths and tagged fields.
const FLEXIBLE: i16 = 12;
const NO_TAGS: u8 = 0;

#[derive(Debug)]
pub(crate) struct FetchedTopic {
    pub name: TopicName,
    pub id: Uuid,
    pub partitions: Vec<FetchedPartition>,
}

#[derive(Debug)]
pub(crate) struct FetchedPartition {
    pub index: i32,
    pub error_code: i16,
    pub bounds: Bounds,
    pub records: Option<Stretch>,
}

/// A piece of an answer, in the order in which they go out.
#[derive(Debug)]
pub(crate) enum Piece {
    Bytes(Bytes),
    File(Stretch),
}

/// The whole answer with its length in front; `None` if it is longer than an answer can be.
pub(crate) fn encode(
    correlation_id: i32,
    topics: Vec<FetchedTopic>,
    version: i16,
) -> Option<Vec<Piece>> {
    let mut answer = Encoder {
        flexible: version >= FLEXIBLE,
        version,
        bytes: BytesMut::with_capacity(256),
        pieces: Vec::new(),
        file_bytes: 0,
    };
    // Room for the length.
    answer.bytes.put_i32(0);
    answer.bytes.put_i32(correlation_id);
    answer.tags();
    // How long the client is asked to hold back, and an error of the whole.
    answer.bytes.put_i32(0);
    if version >= 7 {
        answer.bytes.put_i16(0);
        // No session: each fetch says all that it wants.
        answer.bytes.put_i32(0);
    }
    answer.length(topics.len());
    for topic in topics {
        answer.topic(topic);
    }
    answer.tags();
    answer.finish()
}

struct Encoder {
    flexible: bool,
    version: i16,
    bytes: BytesMut,
    pieces: Vec<Piece>,
    file_bytes: usize,
}

impl Encoder {
    fn topic(&mut self, topic: FetchedTopic) {
        if self.version >= BY_ID {
            self.bytes.put_slice(topic.id.as_bytes());
        } else {
            if self.flexible {
                self.length(topic.name.len());
            } else {
                // A topic's name has at most 249 bytes.
                self.bytes.put_u16(topic.name.len() as u16);
            }
            self.bytes.put_slice(topic.name.as_bytes());
        }
        self.length(topic.partitions.len());
        for partition in topic.partitions {
            self.partition(partition);
        }
        self.tags();
    }

    fn partition(&mut self, partition: FetchedPartition) {
        self.bytes.put_i32(partition.index);
        self.bytes.put_i16(partition.error_code);
        self.bytes.put_i64(partition.bounds.high_watermark);
        // There are no transactions: whatever is there is stable, and none was aborted.
        self.bytes.put_i64(partition.bounds.high_watermark);
        if self.version >= 5 {
            self.bytes.put_i64(partition.bounds.start);
        }
        if self.flexible {
            self.bytes.put_u8(0);
        } else {
            self.bytes.put_i32(-1);
        }
        if self.version >= 11 {
            // No other replica would be nearer.
            self.bytes.put_i32(-1);
        }
        match partition.records {
            Some(records) => {
                self.length(records.len);
                self.file_bytes += records.len;
                let before = self.bytes.split().freeze();
                self.pieces.push(Piece::Bytes(before));
                self.pieces.push(Piece::File(records));
            }
            None => self.length(0),
        }
        self.tags();
    }

    fn length(&mut self, length: usize) {
        if !self.flexible {
            // What does not fit into 31 bits makes the whole answer too long, which is found at the end.
            self.bytes
                .put_i32(i32::try_from(length).unwrap_or(i32::MAX));
            return;
        }
        let mut rest = length as u64 + 1;
        while rest >= 0x80 {
            self.bytes.put_u8(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.put_u8(rest as u8);
    }

    fn tags(&mut self) {
        if self.flexible {
            self.bytes.put_u8(NO_TAGS);
        }
    }

    fn finish(mut self) -> Option<Vec<Piece>> {
        self.pieces.push(Piece::Bytes(self.bytes.freeze()));
        let encoded: usize = self.pieces.iter().map(Piece::len).sum();
        let length = i32::try_from(encoded - 4).ok()?;
        if let Some(Piece::Bytes(first)) = self.pieces.first_mut() {
            let mut bytes = BytesMut::from(std::mem::take(first));
            bytes[..4].copy_from_slice(&length.to_be_bytes());
            *first = bytes.freeze();
        }
        Some(self.pieces)
    }
}

impl Piece {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::File(stretch) => stretch.len,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::FileExt;
    use std::sync::Arc;

    use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
    use kafka_protocol::messages::{ApiKey, FetchResponse, ResponseHeader};
    use kafka_protocol::protocol::{Decodable, StrBytes};

    use super::*;

    fn sent(pieces: Vec<Piece>) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) => out.extend_from_slice(&bytes),
                Piece::File(stretch) => {
                    let mut bytes = vec![0; stretch.len];
                    stretch
                        .file
                        .read_exact_at(&mut bytes, stretch.position)
                        .unwrap();
                    out.extend_from_slice(&bytes);
                }
            }
        }
        out
    }

    #[test]
    fn the_protocol_crate_reads_the_answer_in_every_version() {
        let mut file = tempfile::tempfile().unwrap();
        let text = "before-the records-after".repeat(20);
        file.write_all(text.as_bytes()).unwrap();
        let file = Arc::new(file);
        let stretch = |position, len| {
            Some(Stretch {
                file: file.clone(),
                position,
                len,
            })
        };
        let bounds = Bounds {
            start: 3,
            high_watermark: 9,
        };
        for version in 4..=16 {
            let partition = |index, error_code, records| FetchedPartition {
                index,
                error_code,
                bounds,
                records,
            };
            let topics = vec![
                FetchedTopic {
                    name: TopicName(StrBytes::from_static_str("t")),
                    id: Uuid::from_u128(7),
                    partitions: vec![
                        partition(0, 0, stretch(7, 11)),
                        partition(1, 3, None),
                        partition(2, 0, stretch(0, 300)),
                    ],
                },
                FetchedTopic {
                    name: TopicName(StrBytes::from_static_str("u")),
                    id: Uuid::from_u128(8),
                    partitions: Vec::new(),
                },
            ];
            let mut bytes = Bytes::from(sent(encode(77, topics, version).unwrap()));
            let length = bytes.split_to(4);
            assert_eq!(length[..], (bytes.len() as u32).to_be_bytes());
            let header_version = ApiKey::Fetch.response_header_version(version);
            let header = ResponseHeader::decode(&mut bytes, header_version).unwrap();
            assert_eq!(header.correlation_id, 77);
            let got = FetchResponse::decode(&mut bytes, version).unwrap();
            assert!(bytes.is_empty(), "{version}");
            let data = |index, error_code, records: &str| {
                PartitionData::default()
                    .with_partition_index(index)
                    .with_error_code(error_code)
                    .with_high_watermark(9)
                    .with_last_stable_offset(9)
                    .with_log_start_offset(if version >= 5 { 3 } else { -1 })
                    .with_aborted_transactions(None)
                    .with_records(Some(Bytes::copy_from_slice(records.as_bytes())))
            };
            let topic = |name: &'static str, id, partitions| {
                let topic = FetchableTopicResponse::default().with_partitions(partitions);
                if version >= BY_ID {
                    topic.with_topic_id(Uuid::from_u128(id))
                } else {
                    topic.with_topic(TopicName(StrBytes::from_static_str(name)))
                }
            };
            let partitions = vec![
                data(0, 0, "the records"),
                data(1, 3, ""),
                data(2, 0, &text[..300]),
            ];
            let expected = FetchResponse::default()
                .with_responses(vec![topic("t", 7, partitions), topic("u", 8, Vec::new())]);
            assert_eq!(got, expected, "{version}");
        }
    }
}
