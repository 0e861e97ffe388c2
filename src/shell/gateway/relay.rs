//! Carries one request to the pages' Unix socket and its answer back.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::event::PollFlags;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::head::{Head, Method};
use super::reply::{self, FromPages};

/// One request on its way.
pub struct Relay {
    stream: UnixStream,
    request: Vec<u8>,
    written: usize,
    answer: Vec<u8>,
    longest: usize,
    to_head: bool,
    /// The browser's connection outlives the answer.
    pub keep: bool,
}

impl Relay {
    /// Connects, without waiting. The answer may be `longest` bytes, its head included.
    ///
    /// It is taken in whole before the browser gets it: a stranger who reads slowly then holds up nobody but
    /// themselves, and never the thread `pages`.
    pub fn open(socket: &Path, head: &Head, longest: usize, keep: bool) -> io::Result<Relay> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::connect(&fd, &SocketAddrUnix::new(socket)?)?;
        Ok(Relay {
            stream: UnixStream::from(fd),
            request: head.to_pages(),
            written: 0,
            answer: Vec::new(),
            longest,
            to_head: head.method == Method::Head,
            keep,
        })
    }

    /// What to wait for.
    pub fn interest(&self) -> (BorrowedFd<'_>, PollFlags) {
        let all_written = self.written == self.request.len();
        (self.stream.as_fd(), if all_written { PollFlags::IN } else { PollFlags::OUT })
    }

    /// Goes on as far as it can without waiting.
    pub fn advance(&mut self) -> FromPages {
        match self.try_advance() {
            Ok(answer) => answer,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => FromPages::Partial,
            Err(e) => {
                log::debug!("pages: {e}");
                FromPages::Broken
            }
        }
    }

    fn try_advance(&mut self) -> io::Result<FromPages> {
        while self.written < self.request.len() {
            match self.stream.write(&self.request[self.written..]) {
                Ok(count) => self.written += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        let mut chunk = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(FromPages::Broken),
                Ok(count) => self.answer.extend_from_slice(&chunk[..count]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            }
            match reply::from_pages(&self.answer, self.to_head, self.keep) {
                FromPages::Partial if self.answer.len() <= self.longest => {}
                FromPages::Partial => return Ok(FromPages::Broken),
                done => return Ok(done),
            }
        }
    }
}
