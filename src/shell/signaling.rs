//! One open signaling WebSocket, driven without blocking.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use tungstenite::{Bytes, Error, Message, WebSocket};

use crate::core::contain::contain;
use crate::core::protocol::FromHome;
use crate::shell::gateway::TlsStream;

/// Messages taken from one socket in one turn of the loop.
const PER_TURN: usize = 16;

/// What a socket had to say.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// A text message.
    Text(String),
    /// A ping, pong or binary message: alive, nothing more.
    Alive,
}

/// How a turn of reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// All is read.
    Idle,
    /// There may be more, although the descriptor may not become readable for it: come back at once.
    More,
    /// The socket is gone.
    Closed,
}

/// See the module.
pub struct SignalSocket {
    socket: WebSocket<TlsStream>,
    unsent: bool,
    closing: bool,
}

impl SignalSocket {
    /// Takes over a socket that the gateway opened.
    pub fn new(socket: WebSocket<TlsStream>) -> SignalSocket {
        SignalSocket { socket, unsent: false, closing: false }
    }

    /// The descriptor to poll.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.get_ref().get_ref().as_fd()
    }

    /// Whether something waits to be written.
    pub fn wants_write(&self) -> bool {
        self.unsent
    }

    /// Reads what is there, up to a bound.
    pub fn read(&mut self, mut heard: impl FnMut(Heard)) -> Turn {
        for _ in 0..PER_TURN {
            // TLS and WebSocket frames are parsed here, on the loop's thread.
            let read = contain(|| self.socket.read()).unwrap_or_else(|panic| {
                log::error!("signaling: a socket failed ({panic}) and is closed");
                Err(Error::ConnectionClosed)
            });
            match read {
                Ok(Message::Text(text)) => heard(Heard::Text(text.as_str().to_owned())),
                // The answer to a close frame goes out with the next write.
                Ok(Message::Close(_)) => self.unsent = true,
                Ok(_) => {
                    heard(Heard::Alive);
                    // A ping's pong is queued inside and wants to be flushed.
                    self.unsent = true;
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return self.write(),
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    log::debug!("signaling: {error}");
                    return Turn::Closed;
                }
            }
        }
        Turn::More
    }

    /// Sends a message, or keeps it until the far end reads; one that lets too much pile up is given up.
    pub fn say(&mut self, message: &FromHome) -> Turn {
        match serde_json::to_string(message) {
            Ok(text) => self.put(Message::Text(text.into())),
            Err(error) => {
                log::error!("message not sent: {error}");
                Turn::Idle
            }
        }
    }

    /// Sends a WebSocket ping.
    pub fn ping(&mut self) -> Turn {
        self.put(Message::Ping(Bytes::new()))
    }

    /// Says goodbye; gone once that is written.
    pub fn close(&mut self) -> Turn {
        self.closing = true;
        match self.socket.close(None) {
            Ok(()) | Err(Error::Io(_)) => self.write(),
            Err(_) => Turn::Closed,
        }
    }

    /// Goes on writing what could not be written before.
    pub fn write(&mut self) -> Turn {
        match self.socket.flush() {
            Ok(()) => {
                self.unsent = false;
                if self.closing { Turn::Closed } else { Turn::Idle }
            }
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                self.unsent = true;
                Turn::Idle
            }
            Err(_) => Turn::Closed,
        }
    }

    fn put(&mut self, message: Message) -> Turn {
        match self.socket.write(message) {
            Ok(()) => self.write(),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                self.unsent = true;
                Turn::Idle
            }
            Err(error) => {
                log::debug!("signaling: {error}");
                Turn::Closed
            }
        }
    }
}
