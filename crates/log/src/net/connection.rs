//! One connection: requests are read and begun in order, answers go out in the same order.
//!
//! A request that must wait (for records, for a group, for the disk) does not keep the next one
//! from being read, up to a limit.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use super::frame::{self, FrameError, Head, Parsed};
use super::outgoing::Outgoing;
use crate::api::{self, Answer, Client, Reply};
use crate::broker::Broker;
use crate::wire::fetch::Piece;

/// Requests up to this size are bounded by the number of connections and do not wait for memory,
/// so that heartbeats go on while large requests queue.
const SMALL_REQUEST: usize = 16 * 1024;

/// Why a connection was closed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Closed {
    #[error("the socket failed")]
    Io(#[from] io::Error),
    #[error("the client sent something that is no request")]
    Frame(#[from] FrameError),
    #[error("the client was silent for too long")]
    Idle,
    #[error("the client was too slow to send a request")]
    SlowWriter,
    #[error("the client was too slow to take an answer")]
    SlowReader,
    #[error("the log is stopping")]
    Stopping,
    #[error("the work for a request ended without an answer")]
    NoAnswer,
}

impl Closed {
    pub(super) fn is_our_fault(&self) -> bool {
        matches!(self, Self::NoAnswer | Self::Frame(FrameError::Encode(_)))
    }
}

struct Pending {
    head: Head,
    answer: Answer,
    /// Memory of the request, given back once it is answered.
    _memory: Option<OwnedSemaphorePermit>,
}

pub(crate) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    broker: Arc<Broker>,
) -> Result<(), Closed> {
    stream.set_nodelay(true)?;
    let local = stream.local_addr()?;
    let (read, write) = stream.into_split();
    let (queue, pending) = mpsc::channel(broker.config.limits.max_in_flight);
    let client = Client {
        broker: broker.clone(),
        local,
        peer,
    };
    tokio::select! {
        ended = read_requests(read, client, queue) => ended,
        ended = write_answers(write, pending, &broker) => ended,
    }
}

async fn read_requests(
    mut socket: OwnedReadHalf,
    client: Client,
    queue: mpsc::Sender<Pending>,
) -> Result<(), Closed> {
    let limits = client.broker.config.limits.clone();
    loop {
        let Some((bytes, memory)) = read_frame(&mut socket, &client, limits.idle_timeout).await?
        else {
            return Ok(());
        };
        let (head, answer) = match frame::parse(bytes)? {
            Parsed::Request(request) => {
                let head = request.head.clone();
                (head, api::answer(&client, *request).await)
            }
            Parsed::NewerApiVersions(head) => (head, api::newer_api_versions()),
        };
        match answer {
            Answer::Nothing => continue,
            Answer::Close => return Err(Closed::NoAnswer),
            Answer::Now(_) | Answer::Later(_) => {}
        }
        let pending = Pending {
            head,
            answer,
            _memory: memory,
        };
        if queue.send(pending).await.is_err() {
            return Ok(());
        }
    }
}

/// `None` when the client is done.
async fn read_frame(
    socket: &mut OwnedReadHalf,
    client: &Client,
    idle: Duration,
) -> Result<Option<(Bytes, Option<OwnedSemaphorePermit>)>, Closed> {
    let limits = &client.broker.config.limits;
    let mut len = [0u8; 4];
    match timeout(idle, socket.read_exact(&mut len)).await {
        Err(_) => return Err(Closed::Idle),
        Ok(Err(e)) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Ok(read) => read?,
    };
    let announced = i32::from_be_bytes(len);
    let len = match usize::try_from(announced) {
        Ok(len) if (8..=limits.max_request_bytes).contains(&len) => len,
        _ => return Err(FrameError::Length(announced).into()),
    };
    let memory = if len <= SMALL_REQUEST {
        None
    } else {
        let permits = u32::try_from(len).map_err(|_| FrameError::Length(announced))?;
        let memory = client.broker.request_memory.clone();
        let acquired = memory.acquire_many_owned(permits).await;
        Some(acquired.map_err(|_| Closed::Stopping)?)
    };
    let mut frame = BytesMut::with_capacity(len);
    let filling = async {
        let mut body = (&mut *socket).take(len as u64);
        while frame.len() < len {
            if body.read_buf(&mut frame).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
        }
        Ok(())
    };
    timeout(limits.io_timeout, filling)
        .await
        .map_err(|_| Closed::SlowWriter)??;
    Ok(Some((frame.freeze(), memory)))
}

async fn write_answers(
    socket: OwnedWriteHalf,
    mut pending: mpsc::Receiver<Pending>,
    broker: &Broker,
) -> Result<(), Closed> {
    let io_timeout = broker.config.limits.io_timeout;
    let mut outgoing = Outgoing::new(socket);
    while let Some(next) = pending.recv().await {
        let reply = match next.answer {
            Answer::Now(response) => Reply::Message(response),
            Answer::Later(work) => work.await,
            Answer::Nothing | Answer::Close => continue,
        };
        if broker.stop.is_cancelled() {
            // What closed partitions answer now would be taken for the truth.
            return Err(Closed::Stopping);
        }
        let pieces = match reply {
            Reply::Message(response) => {
                vec![Piece::Bytes(frame::encode(&next.head, &response)?.freeze())]
            }
            Reply::Fetched(topics) => frame::encode_fetched(&next.head, topics)?,
        };
        timeout(io_timeout, outgoing.send(pieces))
            .await
            .map_err(|_| Closed::SlowReader)??;
    }
    Ok(())
}
