//! A TCP stream that counts what passes, and of which no more than an allowance is read in one turn; and what all who drive
//! streams without blocking need.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use socket2::SockRef;

/// See the module. Where the allowance is used up, reading says `WouldBlock`, as if nothing more had come: parsers that
/// read until they have something to say cannot be kept busy by a far end that sends faster than they parse.
#[derive(Debug)]
pub struct Metered {
    stream: TcpStream,
    allowance: usize,
    read: u64,
    written: u64,
}

impl Metered {
    /// Nothing may be read before [`Metered::allow`].
    pub fn new(stream: TcpStream) -> Metered {
        Metered { stream, allowance: 0, read: 0, written: 0 }
    }

    /// So many bytes may be read from now on.
    pub fn allow(&mut self, bytes: usize) {
        self.allowance = bytes;
    }

    /// Bytes that came in.
    pub fn bytes_read(&self) -> u64 {
        self.read
    }

    /// Bytes that the system took.
    pub fn bytes_written(&self) -> u64 {
        self.written
    }

    /// The stream itself, past the count.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }
}

impl Read for Metered {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let room = into.len().min(self.allowance);
        if room == 0 && !into.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = self.stream.read(&mut into[..room])?;
        self.allowance -= count;
        self.read += count as u64;
        Ok(count)
    }
}

impl Write for Metered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(bytes)?;
        self.written += count as u64;
        Ok(count)
    }

    fn write_vectored(&mut self, bytes: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let count = self.stream.write_vectored(bytes)?;
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl AsFd for Metered {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Whether a stream that does not block has nothing to give or to take now.
pub fn is_not_ready(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Lets the system forget the connection as soon as it is closed, also what the far end has not taken: else that would stay in
/// the kernel's memory for minutes.
pub fn abandon(stream: &TcpStream) {
    let _gone_already = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
