//! One open signaling WebSocket, driven without blocking, and its end.

use std::io::{self, Read};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use intercom_core::call::contain::contain;
use intercom_core::call::protocol::FromHome;
use rustix::event::PollFlags;
use tungstenite::{Bytes, Error, Message, WebSocket};

use crate::shell::gateway::TlsStream;
use crate::shell::metered::{Metered, abandon, is_not_ready};

/// Messages taken from one socket in one turn of the loop.
const PER_TURN: usize = 16;
/// Bytes taken from one socket in one turn, whether they make messages or not.
const BYTES_PER_TURN: usize = 32 * 1024;
/// A far end that takes none of what waits for it for so long is given up.
const STALL: Duration = Duration::from_secs(10);
/// How long a goodbye may take: what is left to be said must be taken, and the far end close as well.
const GOODBYE: Duration = Duration::from_secs(2);
/// Bytes thrown away meanwhile.
const MOST_DISCARDED: usize = 64 * 1024;

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
    /// Since when something has been waiting of which the system has taken nothing, and how much it had taken then.
    unsent: Option<(Instant, u64)>,
}

impl SignalSocket {
    /// Takes over a socket that the gateway opened.
    pub fn new(socket: WebSocket<TlsStream>) -> SignalSocket {
        SignalSocket { socket, unsent: None }
    }

    /// The descriptor to poll.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.get_ref().get_ref().as_fd()
    }

    /// Whether something waits to be written.
    pub fn wants_write(&self) -> bool {
        self.unsent.is_some()
    }

    /// When the far end is to be given up if it takes nothing until then.
    pub fn deadline(&self) -> Option<Instant> {
        self.unsent.map(|(since, _)| since + STALL)
    }

    /// Reads what is there, up to a bound, and says how many bytes that was. `heard` takes each message, and says how
    /// long the next may be.
    pub fn read(&mut self, now: Instant, mut heard: impl FnMut(Heard) -> usize) -> (Turn, u64) {
        let before = self.metered().bytes_read();
        self.metered().allow(BYTES_PER_TURN);
        let turn = self.read_messages(now, &mut heard);
        (turn, self.metered().bytes_read() - before)
    }

    fn read_messages(&mut self, now: Instant, heard: &mut impl FnMut(Heard) -> usize) -> Turn {
        for _ in 0..PER_TURN {
            // TLS and WebSocket frames are parsed here, on the loop's thread.
            let read = contain(|| self.socket.read()).unwrap_or_else(|panic| {
                log::error!("signaling: a socket failed ({panic}) and is closed");
                Err(Error::ConnectionClosed)
            });
            let longest = match read {
                Ok(Message::Text(text)) => heard(Heard::Text(text.as_str().to_owned())),
                // The answer to it is written below, and the next read says that the socket is closed.
                Ok(Message::Close(_)) => continue,
                Ok(_) => heard(Heard::Alive),
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return self.write(now),
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    log::debug!("signaling: {error}");
                    return Turn::Closed;
                }
            };
            self.socket.set_config(|config| {
                config.max_message_size = Some(longest);
                config.max_frame_size = Some(longest);
            });
        }
        // A ping's pong is queued inside and wants to be flushed.
        match self.write(now) {
            Turn::Closed => Turn::Closed,
            _ => Turn::More,
        }
    }

    /// Sends a message, or keeps it until the far end reads; one that lets too much pile up is given up.
    pub fn say(&mut self, message: &FromHome, now: Instant) -> Turn {
        match serde_json::to_string(message) {
            Ok(text) => self.put(Message::Text(text.into()), now),
            Err(error) => {
                log::error!("message not sent: {error}");
                Turn::Idle
            }
        }
    }

    /// Sends a WebSocket ping.
    pub fn ping(&mut self, now: Instant) -> Turn {
        self.put(Message::Ping(Bytes::new()), now)
    }

    /// Goes on writing what could not be written before. A far end that has taken nothing for too long is given up.
    pub fn write(&mut self, now: Instant) -> Turn {
        match self.socket.flush() {
            Ok(()) => {
                self.unsent = None;
                Turn::Idle
            }
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => self.stalled(now),
            Err(_) => Turn::Closed,
        }
    }

    fn stalled(&mut self, now: Instant) -> Turn {
        let written = self.metered().bytes_written();
        match self.unsent {
            Some((since, then)) if then == written => {
                if now < since + STALL {
                    return Turn::Idle;
                }
                log::debug!("signaling: the far end takes nothing, given up");
                abandon(self.metered().stream());
                Turn::Closed
            }
            _ => {
                self.unsent = Some((now, written));
                Turn::Idle
            }
        }
    }

    fn put(&mut self, message: Message, now: Instant) -> Turn {
        match self.socket.write(message) {
            Ok(()) => self.write(now),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => self.stalled(now),
            Err(error) => {
                log::debug!("signaling: {error}");
                Turn::Closed
            }
        }
    }

    fn metered(&mut self) -> &mut Metered {
        &mut self.socket.get_mut().sock
    }

    /// Says goodbye. Nothing that comes in is looked at from now on.
    pub fn leave(mut self, now: Instant) -> Leaving {
        // What cannot be written yet stays inside; everything else shows when it is flushed.
        let _ = self.socket.close(None);
        Leaving { socket: self.socket, stage: Goodbye::Words, discarded: 0, until: now + GOODBYE }
    }
}

/// A socket whose goodbye is on its way. What is left to be said is sent, our half is closed, and what the far end still sends
/// is thrown away undeciphered: closing at once with bytes unread would reset the connection, and the page might lose our
/// last words. All this has a deadline.
pub struct Leaving {
    socket: WebSocket<TlsStream>,
    stage: Goodbye,
    discarded: usize,
    until: Instant,
}

/// How far a goodbye has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goodbye {
    /// Messages and the WebSocket's close frame are on their way to the system.
    Words,
    /// TLS's own goodbye.
    Notify,
    /// All is said.
    Said,
}

impl Leaving {
    /// What to wait for.
    pub fn interest(&self) -> (BorrowedFd<'_>, PollFlags) {
        let flags = if self.stage == Goodbye::Said { PollFlags::IN } else { PollFlags::OUT };
        (self.socket.get_ref().get_ref().as_fd(), flags)
    }

    /// When [`Leaving::advance`] is due if nothing happens.
    pub fn deadline(&self) -> Instant {
        self.until
    }

    /// Since when it has been leaving.
    pub fn since(&self) -> Instant {
        self.until.checked_sub(GOODBYE).unwrap_or(self.until)
    }

    /// Goes on as far as it can without waiting; says whether it is over.
    pub fn advance(&mut self, now: Instant) -> bool {
        let over = self.try_advance().unwrap_or(true);
        if !over && now >= self.until {
            self.abandon();
            return true;
        }
        over
    }

    /// Ends it at once.
    pub fn abandon(&mut self) {
        abandon(self.socket.get_mut().sock.stream());
    }

    fn try_advance(&mut self) -> io::Result<bool> {
        if self.stage == Goodbye::Words {
            match self.socket.flush() {
                Ok(()) | Err(Error::ConnectionClosed) => {}
                Err(Error::Io(error)) if is_not_ready(&error) => return Ok(false),
                Err(error) => return Err(io::Error::other(error)),
            }
            self.socket.get_mut().conn.send_close_notify();
            self.stage = Goodbye::Notify;
        }
        if self.stage == Goodbye::Notify {
            let TlsStream { conn, sock } = self.socket.get_mut();
            while conn.wants_write() {
                match conn.write_tls(sock) {
                    Ok(0) => return Ok(true),
                    Ok(_) => {}
                    Err(error) if is_not_ready(&error) => return Ok(false),
                    Err(error) => return Err(error),
                }
            }
            sock.stream().shutdown(Shutdown::Write)?;
            self.stage = Goodbye::Said;
        }
        let mut chunk = [0; 4096];
        while self.discarded < MOST_DISCARDED {
            match self.socket.get_mut().sock.stream().read(&mut chunk) {
                Ok(0) => return Ok(true),
                Ok(count) => self.discarded += count,
                Err(error) if is_not_ready(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        self.abandon();
        Ok(true)
    }
}
