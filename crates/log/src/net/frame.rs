//! Requests as they come off the socket, and answers as they go out.

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestKind, ResponseHeader, ResponseKind};
use kafka_protocol::protocol::Encodable;

use crate::wire::fetch::{self, FetchedTopic, Piece};
use crate::wire::shape;
use crate::wire::versions::{self, Api};

#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("the request's length is {0}")]
    Length(i32),
    #[error("the request is too short for its header")]
    Header,
    #[error("request {key} version {version} is not known")]
    Unknown { key: i16, version: i16 },
    #[error(transparent)]
    Shape(#[from] shape::Misshapen),
    #[error("the request cannot be decoded: {0}")]
    Decode(String),
    #[error("the answer cannot be encoded: {0}")]
    Encode(String),
}

#[derive(Debug)]
pub(crate) struct Request {
    pub head: Head,
    pub body: RequestKind,
}

/// What is needed to answer a request.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub key: ApiKey,
    pub version: i16,
    pub correlation_id: i32,
    pub client_id: String,
}

/// What a frame held.
pub(crate) enum Parsed {
    Request(Box<Request>),
    /// A client newer than this log asks what there is.
    NewerApiVersions(Head),
}

pub(crate) fn parse(frame: Bytes) -> Result<Parsed, FrameError> {
    if frame.len() < 8 {
        return Err(FrameError::Header);
    }
    let mut fixed = frame.slice(..8);
    let key = fixed.get_i16();
    let version = fixed.get_i16();
    let correlation_id = fixed.get_i32();
    let unknown = FrameError::Unknown { key, version };
    let Some(api) = versions::find(key) else {
        return Err(unknown);
    };
    if !(api.min..=api.max).contains(&version) {
        if api.key == ApiKey::ApiVersions && version > api.max {
            return Ok(Parsed::NewerApiVersions(Head {
                key: ApiKey::ApiVersions,
                version: 0,
                correlation_id,
                client_id: String::new(),
            }));
        }
        return Err(unknown);
    }
    decode(frame, api, version, correlation_id)
}

fn decode(
    frame: Bytes,
    api: &Api,
    version: i16,
    correlation_id: i32,
) -> Result<Parsed, FrameError> {
    let flexible = version >= api.flexible;
    let rest = shape::after_header(&frame, flexible).ok_or(FrameError::Header)?;
    let mut body = frame.slice_ref(rest);
    shape::check(&body, api.request, version, flexible)?;
    let client_id = client_id(&frame);
    let body = RequestKind::decode(api.key, &mut body, version)
        .map_err(|e| FrameError::Decode(e.to_string()))?;
    Ok(Parsed::Request(Box::new(Request {
        head: Head {
            key: api.key,
            version,
            correlation_id,
            client_id,
        },
        body,
    })))
}

fn client_id(frame: &[u8]) -> String {
    let text = || {
        let rest = frame.get(8..)?;
        let (len, rest) = rest.split_first_chunk::<2>()?;
        rest.get(..usize::try_from(i16::from_be_bytes(*len)).ok()?)
    };
    let bytes = text().unwrap_or_default();
    String::from_utf8_lossy(bytes).chars().take(256).collect()
}

/// An answer with its length in front.
pub(crate) fn encode(head: &Head, response: &ResponseKind) -> Result<BytesMut, FrameError> {
    let mut out = BytesMut::with_capacity(256);
    out.extend_from_slice(&[0; 4]);
    let fail = |e: &dyn std::fmt::Display| FrameError::Encode(e.to_string());
    ResponseHeader::default()
        .with_correlation_id(head.correlation_id)
        .encode(&mut out, head.key.response_header_version(head.version))
        .map_err(|e| fail(&e))?;
    response
        .encode(&mut out, head.version)
        .map_err(|e| fail(&e))?;
    let len = i32::try_from(out.len() - 4).map_err(|e| fail(&e))?;
    out[..4].copy_from_slice(&len.to_be_bytes());
    Ok(out)
}

/// The answer to a fetch, around the records in their files.
pub(crate) fn encode_fetched(
    head: &Head,
    topics: Vec<FetchedTopic>,
) -> Result<Vec<Piece>, FrameError> {
    fetch::encode(head.correlation_id, topics, head.version)
        .ok_or_else(|| FrameError::Encode("it is longer than an answer can be".to_owned()))
}
