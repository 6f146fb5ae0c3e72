//! Answers on their way out. Records go from the page cache to the socket; only what is small takes the way through
//! memory, so that an answer is not torn into many packets. However large the answers, a connection holds one buffer.

use std::io;
use std::os::unix::fs::FileExt;

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;

use crate::storage::read::Stretch;
use crate::wire::fetch::Piece;

/// Most that is gathered before it is written.
const GATHERED: usize = 64 * 1024;

pub(super) struct Outgoing {
    socket: OwnedWriteHalf,
    gathered: BytesMut,
}

impl Outgoing {
    pub(super) fn new(socket: OwnedWriteHalf) -> Self {
        Self {
            socket,
            gathered: BytesMut::new(),
        }
    }

    /// Sends an answer whole.
    pub(super) async fn send(&mut self, pieces: Vec<Piece>) -> io::Result<()> {
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) if self.gathered.is_empty() && bytes.len() > GATHERED => {
                    self.socket.write_all(&bytes).await?;
                }
                Piece::Bytes(bytes) => {
                    self.make_room(bytes.len()).await?;
                    self.gathered.extend_from_slice(&bytes);
                }
                Piece::File(stretch) if stretch.len > GATHERED / 2 => {
                    self.flush().await?;
                    self.transfer(stretch).await?;
                }
                Piece::File(stretch) => {
                    self.make_room(stretch.len).await?;
                    self.read(&stretch)?;
                }
            }
        }
        self.flush().await
    }

    async fn make_room(&mut self, len: usize) -> io::Result<()> {
        if self.gathered.len() + len > GATHERED {
            self.flush().await?;
        }
        Ok(())
    }

    fn read(&mut self, stretch: &Stretch) -> io::Result<()> {
        let from = self.gathered.len();
        self.gathered.resize(from + stretch.len, 0);
        let room = self.gathered.get_mut(from..).unwrap_or_default();
        stretch.file.read_exact_at(room, stretch.position)
    }

    async fn flush(&mut self) -> io::Result<()> {
        while self.gathered.has_remaining() {
            self.socket.write_buf(&mut self.gathered).await?;
        }
        Ok(())
    }

    /// Hands part of a file to the socket without a copy of ours.
    #[cfg(target_os = "linux")]
    async fn transfer(&mut self, stretch: Stretch) -> io::Result<()> {
        let socket = self.socket.as_ref();
        let mut position = stretch.position;
        let end = position + stretch.len as u64;
        while position < end {
            socket.writable().await?;
            let left = usize::try_from(end - position).unwrap_or(usize::MAX);
            let sent = socket.try_io(tokio::io::Interest::WRITABLE, || {
                rustix::fs::sendfile(socket, &*stretch.file, Some(&mut position), left)
                    .map_err(io::Error::from)
            });
            match sent {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    async fn transfer(&mut self, mut stretch: Stretch) -> io::Result<()> {
        while stretch.len > 0 {
            let part = Stretch {
                len: stretch.len.min(GATHERED),
                ..stretch.clone()
            };
            self.read(&part)?;
            self.flush().await?;
            stretch.position += part.len as u64;
            stretch.len -= part.len;
        }
        Ok(())
    }
}
