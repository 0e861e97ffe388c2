//! One stranger's connection, from its first byte to its last answer or its WebSocket; every stage has a deadline.

mod asked;
mod ending;
mod pace;
mod post;

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use intercom_core::call::protocol::{MAX_HELLO, MAX_MESSAGE};
use intercom_core::people::fairness::Occupant;
use rustix::event::PollFlags;
use rustls::ServerConnection;
use tungstenite::WebSocket;
use tungstenite::protocol::{Role, WebSocketConfig};

use super::TlsStream;
use super::head::{self, Head, LONGEST_HEAD, Method, Refusal};
use super::origin::Way;
use super::progress::{Next, Owner, Progress};
use super::records::{read_records, write_records};
use super::relay::Relay;
use super::reply::{self, FromPages};
use super::timeouts::Timeouts;
use crate::shell::metered::{Metered, abandon, is_not_ready};
use crate::shell::posts::{Answer, Post};
use crate::shell::tls::Certificates;
use crate::shell::wake::Wake;
use crate::shell::wires::OpenSocket;

/// Bytes thrown away meanwhile.
const MOST_DISCARDED: usize = 64 * 1024;

/// The first byte of a TLS handshake record (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;
/// Requests of one connection, where the browser asks for it to stay: the document, its POST, and files that come later.
const MOST_REQUESTS: u8 = 4;

/// What all connections share.
pub struct Context {
    pub timeouts: Timeouts,
    pub proxy: Option<IpAddr>,
    pub certificates: Arc<Certificates>,
    pub port: u16,
    pub pages_socket: PathBuf,
    pub longest_page: usize,
    pub sockets: Sender<OpenSocket>,
    pub posts: Sender<Post>,
    /// The event loop's.
    pub wake: Wake,
    /// The gateway's own.
    pub own_wake: Wake,
    pub paces: pace::Paces,
}

/// A connection.
pub struct Connection {
    peer: SocketAddr,
    local: SocketAddr,
    owner: Owner,
    way: Way,
    opened: Instant,
    deadline: (Instant, Why),
    socket: TcpStream,
    /// None while it is plain HTTP, or nothing yet.
    tls: Option<Box<ServerConnection>>,
    stage: Stage,
    /// What has come in and is not used up: the head, then what follows it.
    received: Vec<u8>,
    requests: u8,
    /// It stays behind the answer to the request at hand.
    keep: bool,
    /// What its page says that it came at, in kbit/s, which counts once home welcomes it.
    told: Option<u32>,
    /// It is to get a part of the page, which leaves a thin path to the picture; and when it may get more of that.
    part: bool,
    paced: Option<Instant>,
}

/// Why a connection's time is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    FirstByte,
    Handshake,
    Request,
    Head,
    Body,
    Answer,
    Linger,
}

enum Stage {
    /// Nothing came yet.
    First,
    Handshake,
    /// The head up to `scanned` has no end.
    Head {
        scanned: usize,
    },
    /// The head is there, and understood or not.
    Asking(Result<Head, Refusal>),
    /// A POST's body, so long.
    Body(usize),
    /// For home's words to a POST.
    Speaking(Receiver<Answer>),
    /// For its turn with `pages`.
    Waiting(Head),
    Relaying(Relay),
    Replying {
        bytes: Vec<u8>,
        sent: usize,
        then: Then,
    },
    /// The answer is out and our half closed. Closing both at once with bytes unread would reset the connection, and
    /// the browser might lose the answer.
    Lingering {
        discarded: usize,
    },
}

/// What comes behind an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Close,
    Upgrade,
    /// The next request.
    Keep,
}

impl Connection {
    /// Takes in a stranger.
    pub fn new(socket: TcpStream, peer: SocketAddr, context: &Context, now: Instant) -> io::Result<Connection> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        Ok(Connection {
            peer,
            local: socket.local_addr()?,
            owner: Owner::of(peer, context.proxy),
            way: Way::Direct,
            opened: now,
            deadline: (now + context.timeouts.handshake, Why::FirstByte),
            socket,
            tls: None,
            stage: Stage::First,
            received: Vec::new(),
            requests: 0,
            keep: false,
            told: None,
            part: false,
            paced: None,
        })
    }

    /// The place that it takes.
    pub fn place(&self) -> Occupant<Owner, Progress> {
        let progress = match self.stage {
            Stage::Head { scanned: 0 } if self.requests > 0 => Progress::Answered,
            Stage::First | Stage::Handshake | Stage::Head { .. } | Stage::Body(_) => Progress::Unfinished,
            Stage::Asking(_) | Stage::Speaking(_) | Stage::Waiting(_) | Stage::Relaying(_) | Stage::Replying { .. } => {
                Progress::Asked
            }
            Stage::Lingering { .. } => Progress::Answered,
        };
        Occupant { owner: self.owner, rank: progress, since: self.opened }
    }

    /// When [`Connection::handle_deadline`] is due.
    pub fn deadline(&self) -> Instant {
        self.paced.map_or(self.deadline.0, |due| due.min(self.deadline.0))
    }

    /// Puts off what is due: the gateway has had no time for this client.
    pub fn extend(&mut self, time: Duration) {
        self.deadline.0 += time;
    }

    /// What to wait for on the connection itself.
    pub fn interest(&self) -> (BorrowedFd<'_>, PollFlags) {
        let wants_write = self.tls.as_ref().is_some_and(|tls| tls.wants_write());
        let flags = match self.stage {
            Stage::First | Stage::Lingering { .. } => PollFlags::IN,
            Stage::Handshake | Stage::Head { .. } | Stage::Body(_) if wants_write => PollFlags::IN | PollFlags::OUT,
            Stage::Handshake | Stage::Head { .. } | Stage::Body(_) => PollFlags::IN,
            // What more is sent can wait in the kernel. Errors are reported anyway.
            Stage::Asking(_) | Stage::Speaking(_) | Stage::Waiting(_) | Stage::Relaying(_) => PollFlags::empty(),
            Stage::Replying { .. } if self.paced.is_some() => PollFlags::empty(),
            Stage::Replying { .. } => PollFlags::OUT,
        };
        (self.socket.as_fd(), flags)
    }

    /// What to wait for on the way to `pages`, if it is on it.
    pub fn relay_interest(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match &self.stage {
            Stage::Relaying(relay) => Some(relay.interest()),
            _ => None,
        }
    }

    /// Since when it waits for its turn with `pages`, if it does.
    pub fn waiting_since(&self) -> Option<Instant> {
        match self.stage {
            Stage::Waiting(_) => Some(self.opened),
            _ => None,
        }
    }

    /// Whether it takes up a turn with `pages`.
    pub fn is_relaying(&self) -> bool {
        matches!(self.stage, Stage::Relaying(_))
    }

    /// Whether it waits for home's words, which no poll sees.
    pub fn is_speaking(&self) -> bool {
        matches!(self.stage, Stage::Speaking(_))
    }

    /// It is this connection's turn with `pages`.
    pub fn start_relay(&mut self, context: &Context, now: Instant) -> Next {
        let Stage::Waiting(head) = &self.stage else { return Next::Stay };
        // 4 KiB for the answer's head.
        match Relay::open(&context.pages_socket, head, context.longest_page + 4096, self.keep) {
            Ok(relay) => (self.part, self.stage) = (head.path() != "/", Stage::Relaying(relay)),
            Err(e) => {
                log::debug!("pages: {e}");
                let with_body = head.method == Method::Get;
                self.reply(reply::refusal(Refusal::Unavailable, with_body), Then::Close);
            }
        }
        self.handle_ready(context, now)
    }

    /// Goes on as far as it can without waiting.
    pub fn handle_ready(&mut self, context: &Context, now: Instant) -> Next {
        loop {
            let step = match self.stage {
                Stage::First => self.first_byte(context, now),
                Stage::Handshake => self.handshake(context, now),
                Stage::Head { scanned } => self.head(scanned, context, now),
                Stage::Asking(_) => self.asking(context, now),
                Stage::Body(length) => self.body(length, context, now),
                Stage::Speaking(_) => self.speaking(context, now),
                Stage::Waiting(_) => return Next::Stay,
                Stage::Relaying(_) => self.relay(),
                Stage::Replying { .. } => self.send(context, now),
                Stage::Lingering { .. } => self.discard(),
            };
            match step {
                Ok(Step::Go) => {}
                Ok(Step::Out(next)) => return next,
                Err(e) => {
                    log::trace!("{}: {e}", self.peer);
                    return Next::Close;
                }
            }
        }
    }

    /// The deadline is there.
    pub fn handle_deadline(&mut self, context: &Context, now: Instant) -> Next {
        if self.paced.take().is_some() && now < self.deadline.0 {
            return self.handle_ready(context, now);
        }
        let refusal = match self.deadline.1 {
            Why::Head | Why::Body => Refusal::TooSlow,
            Why::Answer if matches!(self.stage, Stage::Speaking(_) | Stage::Waiting(_) | Stage::Relaying(_)) => {
                Refusal::Unavailable
            }
            // Nobody asks for more. What was answered may still be on its way.
            Why::Request if self.requests > 0 => {
                return match self.end(context, now) {
                    Ok(()) => self.handle_ready(context, now),
                    Err(_) => Next::Close,
                };
            }
            Why::FirstByte | Why::Handshake | Why::Request | Why::Answer | Why::Linger => {
                abandon(&self.socket);
                return Next::Close;
            }
        };
        log::trace!("{}: too slow, {:?}", self.peer, self.deadline.1);
        self.deadline = (now + context.timeouts.refusal, Why::Linger);
        if refusal == Refusal::TooSlow {
            return match self.ask(Err(refusal)) {
                Step::Go => self.handle_ready(context, now),
                Step::Out(next) => next,
            };
        }
        self.reply(reply::refusal(refusal, true), Then::Close);
        self.handle_ready(context, now)
    }

    /// The WebSocket that it has become; what came in behind the request's head is not lost. `None` if it has not.
    pub fn into_socket(self) -> Option<OpenSocket> {
        let stream = TlsStream::new(*self.tls?, Metered::new(self.socket));
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_HELLO))
            .max_frame_size(Some(MAX_HELLO))
            .read_buffer_size(8 * 1024)
            // Messages leave when they are written; what the network does not take stays, up to two of the longest.
            .write_buffer_size(0)
            .max_write_buffer_size(2 * MAX_MESSAGE + 1024);
        let socket = WebSocket::from_partially_read(stream, self.received, Role::Server, Some(config));
        Some(OpenSocket { peer: self.peer, local: self.local, socket })
    }

    fn first_byte(&mut self, context: &Context, now: Instant) -> io::Result<Step> {
        let mut first = [0];
        match self.socket.peek(&mut first) {
            Ok(0) => return Ok(Step::Out(Next::Close)),
            Ok(_) => {}
            Err(e) if is_not_ready(&e) => return Ok(Step::Out(Next::Stay)),
            Err(e) => return Err(e),
        }
        match first[0] {
            TLS_HANDSHAKE => {
                let config = context.certificates.server_config(self.local.ip());
                let tls = ServerConnection::new(config).map_err(io::Error::other)?;
                self.tls = Some(Box::new(tls));
                self.stage = Stage::Handshake;
                self.deadline = (now + context.timeouts.handshake, Why::Handshake);
            }
            // An HTTP method, which is in capitals.
            b'A'..=b'Z' => {
                self.stage = Stage::Head { scanned: 0 };
                self.deadline = (now + context.timeouts.head, Why::Head);
            }
            _ => return Ok(Step::Out(Next::Close)),
        }
        Ok(Step::Go)
    }

    fn handshake(&mut self, context: &Context, now: Instant) -> io::Result<Step> {
        let Some(tls) = &mut self.tls else { return Ok(Step::Out(Next::Close)) };
        let read = read_records(tls, &mut self.socket);
        // Also after a failure: the alert says what went wrong.
        write_records(tls, &mut self.socket)?;
        let eof = read?;
        if !tls.is_handshaking() {
            self.stage = Stage::Head { scanned: 0 };
            self.deadline = (now + context.timeouts.idle, Why::Request);
            return Ok(Step::Go);
        }
        Ok(Step::Out(if eof { Next::Close } else { Next::Stay }))
    }

    fn head(&mut self, scanned: usize, context: &Context, now: Instant) -> io::Result<Step> {
        let eof = self.receive(LONGEST_HEAD + 1)?;
        if self.deadline.1 == Why::Request && !self.received.is_empty() {
            self.deadline = (now + context.timeouts.head, Why::Head);
        }
        let longest = &self.received[..self.received.len().min(LONGEST_HEAD)];
        let Some(end) = head::end_of_head(longest, scanned) else {
            if self.received.len() > LONGEST_HEAD {
                return Ok(self.ask(Err(head::too_long(&self.received))));
            }
            self.stage = Stage::Head { scanned: self.received.len() };
            return Ok(Step::Out(if eof { Next::Close } else { Next::Stay }));
        };
        let head = head::parse(&self.received[..end]);
        if head.is_ok() {
            self.received.drain(..end);
        }
        Ok(self.ask(head))
    }

    /// What was asked is known, or that it is no request. Who came through the proxy, or asks again, is to pay first.
    fn ask(&mut self, head: Result<Head, Refusal>) -> Step {
        let of_proxy = self.way == Way::Direct && self.owner == Owner::Proxy;
        if of_proxy && let Ok(head) = &head {
            self.take_over(head);
        }
        // A further request costs as much as a connection.
        let owes = of_proxy || self.requests > 0;
        self.requests += 1;
        self.stage = Stage::Asking(head);
        if owes { Step::Out(Next::Owes) } else { Step::Go }
    }

    fn asking(&mut self, context: &Context, now: Instant) -> io::Result<Step> {
        match std::mem::replace(&mut self.stage, Stage::Lingering { discarded: 0 }) {
            Stage::Asking(Ok(head)) => self.asked(head, context, now),
            Stage::Asking(Err(refusal)) => self.refuse(refusal, true, context, now),
            other => self.stage = other,
        }
        Ok(Step::Go)
    }

    fn relay(&mut self) -> io::Result<Step> {
        let Stage::Relaying(relay) = &mut self.stage else { return Ok(Step::Out(Next::Stay)) };
        match relay.advance() {
            FromPages::Partial => return Ok(Step::Out(Next::Stay)),
            FromPages::Whole(answer) => {
                let then = if relay.keep { Then::Keep } else { Then::Close };
                self.reply(answer, then);
            }
            FromPages::Broken => self.reply(reply::refusal(Refusal::Unavailable, true), Then::Close),
        }
        Ok(Step::Go)
    }

    fn refuse(&mut self, refusal: Refusal, with_body: bool, context: &Context, now: Instant) {
        self.deadline = (now + context.timeouts.refusal, Why::Linger);
        self.reply(reply::refusal(refusal, with_body), Then::Close);
    }

    fn reply(&mut self, bytes: Vec<u8>, then: Then) {
        self.stage = Stage::Replying { bytes, sent: 0, then };
    }

    fn send(&mut self, context: &Context, now: Instant) -> io::Result<Step> {
        let Stage::Replying { bytes, sent, then } = &mut self.stage else { return Ok(Step::Out(Next::Stay)) };
        self.paced = None;
        loop {
            if let Some(tls) = &mut self.tls {
                write_records(tls, &mut self.socket)?;
                if tls.wants_write() {
                    return Ok(Step::Out(Next::Stay));
                }
            }
            let left = &bytes[*sent..];
            if left.is_empty() {
                break;
            }
            let room = if self.part { context.paces.room(self.peer.ip(), left.len(), now) } else { Ok(left.len()) };
            let left = match room {
                Ok(room) => &left[..room],
                Err(due) => return Ok(self.wait_for_room(due)),
            };
            let result = match &mut self.tls {
                Some(tls) => tls.writer().write(left),
                None => self.socket.write(left),
            };
            match result {
                Ok(count) => {
                    *sent += count;
                    context.paces.handle_sent(self.peer.ip(), if self.part { count } else { 0 }, now);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Step::Out(Next::Stay)),
                Err(e) => return Err(e),
            }
        }
        match then {
            Then::Upgrade => return Ok(Step::Out(Next::Upgraded)),
            Then::Keep => {
                self.part = false;
                self.stage = Stage::Head { scanned: 0 };
                self.opened = now;
                self.deadline = (now + context.timeouts.idle, Why::Request);
            }
            Then::Close => self.end(context, now)?,
        }
        Ok(Step::Go)
    }

    /// Takes in what came, up to so many bytes. Says whether the far end has closed.
    fn receive(&mut self, most: usize) -> io::Result<bool> {
        let mut eof = false;
        let mut chunk = [0; 2048];
        if let Some(tls) = &mut self.tls {
            let read = read_records(tls, &mut self.socket);
            write_records(tls, &mut self.socket)?;
            eof = read?;
        }
        while self.received.len() < most {
            let room = (most - self.received.len()).min(chunk.len());
            let result = match &mut self.tls {
                Some(tls) => tls.reader().read(&mut chunk[..room]),
                None => self.socket.read(&mut chunk[..room]),
            };
            match result {
                Ok(0) => return Ok(true),
                Ok(count) => self.received.extend_from_slice(&chunk[..count]),
                Err(e) if is_not_ready(&e) => break,
                // Closed without TLS's goodbye: whatever it was, nobody waits for an answer.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(true),
                Err(e) => return Err(e),
            }
        }
        Ok(eof)
    }
}

/// How one stage ended.
enum Step {
    /// In another stage, which may go on at once.
    Go,
    /// With nothing more to do now.
    Out(Next),
}
