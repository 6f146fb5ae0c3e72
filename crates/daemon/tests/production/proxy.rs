//! Stands between a worker and PostgreSQL and cuts the connection in the middle of a commit: every so often, in turns
//! before the server has heard of it and after it is done but before the worker hears of that.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

pub struct Proxy {
    pub address: SocketAddr,
    commits: Arc<Commits>,
}

struct Commits {
    every: usize,
    seen: AtomicUsize,
    cut_before: AtomicUsize,
    cut_after: AtomicUsize,
}

enum Fate {
    Passes,
    CutBefore,
    CutAfter,
}

impl Commits {
    fn next(&self) -> Fate {
        let number = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        if !number.is_multiple_of(self.every) {
            Fate::Passes
        } else if (number / self.every).is_multiple_of(2) {
            self.cut_before.fetch_add(1, Ordering::SeqCst);
            Fate::CutBefore
        } else {
            self.cut_after.fetch_add(1, Ordering::SeqCst);
            Fate::CutAfter
        }
    }
}

impl Proxy {
    /// Listens for workers; cuts every so many-th commit.
    pub fn start(socket: &Path, every: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let commits = Arc::new(Commits {
            every,
            seen: AtomicUsize::new(0),
            cut_before: AtomicUsize::new(0),
            cut_after: AtomicUsize::new(0),
        });
        let (socket, shared) = (socket.to_owned(), commits.clone());
        thread::spawn(move || {
            for client in listener.incoming() {
                let (socket, commits) = (socket.clone(), shared.clone());
                thread::spawn(move || {
                    // Either side may go at any time; that ends this connection and nothing else.
                    let _ = carry(client?, UnixStream::connect(socket)?, &commits);
                    Ok::<(), std::io::Error>(())
                });
            }
        });
        Self { address, commits }
    }

    /// How often it has cut before and after the commit.
    pub fn cuts(&self) -> (usize, usize) {
        let of = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        (of(&self.commits.cut_before), of(&self.commits.cut_after))
    }
}

fn carry(mut client: TcpStream, mut server: UnixStream, commits: &Commits) -> std::io::Result<()> {
    let answer_is_lost = Arc::new(AtomicBool::new(false));
    let (mut from, mut to) = (server.try_clone()?, client.try_clone()?);
    let lost = answer_is_lost.clone();
    thread::spawn(move || {
        let mut buffer = [0; 16 << 10];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if lost.load(Ordering::SeqCst) || to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
    });
    // The first message has no type, only its length.
    let mut typed = 0;
    loop {
        let mut message = vec![0; typed + 4];
        client.read_exact(&mut message)?;
        let length = u32::from_be_bytes(message[typed..].try_into().unwrap());
        let end = typed + usize::try_from(length).unwrap();
        message.resize(end, 0);
        client.read_exact(&mut message[typed + 4..])?;
        typed = 1;
        let fate = if message == *b"Q\0\0\0\x0bCOMMIT\0" {
            commits.next()
        } else {
            Fate::Passes
        };
        match fate {
            Fate::Passes => {}
            Fate::CutBefore => {
                server.shutdown(Shutdown::Both)?;
                return client.shutdown(Shutdown::Both);
            }
            Fate::CutAfter => answer_is_lost.store(true, Ordering::SeqCst),
        }
        server.write_all(&message)?;
    }
}
