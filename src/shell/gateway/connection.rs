//! One stranger's connection, from its first byte to its answer or its WebSocket; every stage has a deadline.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use intercom_core::call::protocol::{MAX_HELLO, MAX_MESSAGE};
use intercom_core::people::fairness::{Occupant, Source};
use rustix::event::PollFlags;
use rustls::ServerConnection;
use tungstenite::WebSocket;
use tungstenite::protocol::{Role, WebSocketConfig};

use super::TlsStream;
use super::head::{self, Head, LONGEST_HEAD, Method, Refusal};
use super::origin::{Way, is_public};
use super::progress::{Next, Owner, Progress};
use super::records::{READS_A_TURN, read_records, write_records};
use super::relay::Relay;
use super::reply::{self, FromPages};
use super::timeouts::Timeouts;
use crate::shell::metered::{Metered, abandon, is_not_ready};
use crate::shell::tls::Certificates;
use crate::shell::wake::Wake;
use crate::shell::wires::OpenSocket;

/// Bytes thrown away meanwhile.
const MOST_DISCARDED: usize = 64 * 1024;

/// The first byte of a TLS handshake record (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;
/// Where the WebSocket is.
const SIGNAL: &str = "/signal";

/// What all connections share.
pub struct Context {
    pub timeouts: Timeouts,
    pub proxy: Option<IpAddr>,
    pub certificates: Arc<Certificates>,
    pub port: u16,
    pub pages_socket: PathBuf,
    pub longest_page: usize,
    pub sockets: Sender<OpenSocket>,
    pub wake: Wake,
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
}

/// Why a connection's time is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    FirstByte,
    Handshake,
    Request,
    Head,
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
    /// For its turn with `pages`.
    Waiting(Head),
    Relaying(Relay),
    Replying {
        bytes: Vec<u8>,
        sent: usize,
        upgrade: bool,
    },
    /// The answer is out and our half closed. Closing both at once with bytes unread would reset the connection, and
    /// the browser might lose the answer.
    Lingering {
        discarded: usize,
    },
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
        })
    }

    /// The place that it takes.
    pub fn place(&self) -> Occupant<Owner, Progress> {
        let progress = match self.stage {
            Stage::First | Stage::Handshake | Stage::Head { .. } => Progress::Unfinished,
            Stage::Asking(_) | Stage::Waiting(_) | Stage::Relaying(_) | Stage::Replying { .. } => Progress::Asked,
            Stage::Lingering { .. } => Progress::Answered,
        };
        Occupant { owner: self.owner, rank: progress, since: self.opened }
    }

    /// When [`Connection::handle_deadline`] is due.
    pub fn deadline(&self) -> Instant {
        self.deadline.0
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
            Stage::Handshake | Stage::Head { .. } if wants_write => PollFlags::IN | PollFlags::OUT,
            Stage::Handshake | Stage::Head { .. } => PollFlags::IN,
            // What more is sent can wait in the kernel. Errors are reported anyway.
            Stage::Asking(_) | Stage::Waiting(_) | Stage::Relaying(_) => PollFlags::empty(),
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

    /// It is this connection's turn with `pages`.
    pub fn start_relay(&mut self, context: &Context, now: Instant) -> Next {
        let Stage::Waiting(head) = &self.stage else { return Next::Stay };
        // 4 KiB for the answer's head.
        match Relay::open(&context.pages_socket, head, context.longest_page + 4096) {
            Ok(relay) => self.stage = Stage::Relaying(relay),
            Err(e) => {
                log::debug!("pages: {e}");
                let with_body = head.method == Method::Get;
                self.reply(reply::refusal(Refusal::Unavailable, with_body), false);
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
        let refusal = match self.deadline.1 {
            Why::Head => Refusal::TooSlow,
            Why::Answer if matches!(self.stage, Stage::Waiting(_) | Stage::Relaying(_)) => Refusal::Unavailable,
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
        self.reply(reply::refusal(refusal, true), false);
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
        let eof = self.receive()?;
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

    /// What was asked is known, or that it is no request. Who came through the proxy is to pay first.
    fn ask(&mut self, head: Result<Head, Refusal>) -> Step {
        let owes = self.way == Way::Direct && self.owner == Owner::Proxy;
        if owes && let Ok(head) = &head {
            self.take_over(head);
        }
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

    /// The request is known: decides what it gets.
    fn asked(&mut self, head: Head, context: &Context, now: Instant) {
        self.deadline = (now + context.timeouts.answer, Why::Answer);
        let with_body = head.method == Method::Get;
        let mended = head.mended_link();
        let (way, peer) = (self.way, self.peer.ip());
        if way == Way::Direct && !head.forwarded.is_empty() && !is_public(peer) {
            log::info!("{peer}: a reverse proxy, it seems; without [network] proxy, all its visitors share one limit");
        }
        if self.tls.is_none() {
            let target = mended.as_deref().unwrap_or(&head.target);
            self.reply(reply::redirect(&head.secure_location(target, context.port)), false);
        } else if let Some(link) = mended {
            self.reply(reply::redirect(&link), false);
        } else if let Some(origin) = head.asked_origin() {
            match head.is_own(&origin, way) {
                true => self.reply(reply::yes(), false),
                false => self.refuse(Refusal::Foreign, with_body, context, now),
            }
        } else if let Some(wish) = head.device(way) {
            match wish {
                Ok(wish) => self.reply(reply::remembered(&wish, with_body), false),
                Err(refusal) => self.refuse(refusal, with_body, context, now),
            }
        } else if head.path() != SIGNAL {
            self.stage = Stage::Waiting(head);
        } else {
            let websocket = head.websocket(way);
            if websocket == Err(Refusal::Foreign) {
                log::warn!(
                    "{}: a page's WebSocket is refused, since it seems to come from another site: {}; a reverse proxy must \
                     pass Host on unchanged",
                    self.peer.ip(),
                    head.origin_and_host()
                );
            }
            match websocket {
                Ok(_) if context.sockets.is_full() => self.refuse(Refusal::Unavailable, with_body, context, now),
                Ok(accept) => self.reply(reply::switching(&accept), true),
                Err(refusal) => self.refuse(refusal, with_body, context, now),
            }
        }
    }

    /// The client that the proxy names stands behind the connection from now on.
    fn take_over(&mut self, head: &Head) {
        let peer = self.peer.ip();
        self.way = Way::Proxy;
        match head.forwarded.client {
            Some(client) => {
                self.owner = Owner::Client(Source::of(client));
                self.peer.set_ip(client);
            }
            None if head.forwarded.disagrees => log::info!(
                "{peer}: a client of the reverse proxy named another address than the proxy (Forwarded, X-Forwarded-For, X-Real-IP)"
            ),
            None => log::warn!("{peer}: the reverse proxy does not say for whom it asks (Forwarded, X-Forwarded-For)"),
        }
        if self.tls.is_none() {
            log::warn!("{peer}: the reverse proxy asks without TLS; its upstream must begin with https://");
        }
    }

    fn relay(&mut self) -> io::Result<Step> {
        let Stage::Relaying(relay) = &mut self.stage else { return Ok(Step::Out(Next::Stay)) };
        match relay.advance() {
            FromPages::Partial => return Ok(Step::Out(Next::Stay)),
            FromPages::Whole(answer) => self.reply(answer, false),
            FromPages::Broken => self.reply(reply::refusal(Refusal::Unavailable, true), false),
        }
        Ok(Step::Go)
    }

    fn refuse(&mut self, refusal: Refusal, with_body: bool, context: &Context, now: Instant) {
        self.deadline = (now + context.timeouts.refusal, Why::Linger);
        self.reply(reply::refusal(refusal, with_body), false);
    }

    fn reply(&mut self, bytes: Vec<u8>, upgrade: bool) {
        self.stage = Stage::Replying { bytes, sent: 0, upgrade };
    }

    fn send(&mut self, context: &Context, now: Instant) -> io::Result<Step> {
        let Stage::Replying { bytes, sent, upgrade } = &mut self.stage else { return Ok(Step::Out(Next::Stay)) };
        loop {
            let left = &bytes[*sent..];
            if let Some(tls) = &mut self.tls {
                write_records(tls, &mut self.socket)?;
                if tls.wants_write() {
                    return Ok(Step::Out(Next::Stay));
                }
            }
            if left.is_empty() {
                break;
            }
            let result = match &mut self.tls {
                Some(tls) => tls.writer().write(left),
                None => self.socket.write(left),
            };
            match result {
                Ok(count) => *sent += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Step::Out(Next::Stay)),
                Err(e) => return Err(e),
            }
        }
        if *upgrade {
            return Ok(Step::Out(Next::Upgraded));
        }
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            write_records(tls, &mut self.socket)?;
        }
        self.socket.shutdown(Shutdown::Write)?;
        self.stage = Stage::Lingering { discarded: 0 };
        self.deadline = (now + context.timeouts.linger, Why::Linger);
        Ok(Step::Go)
    }

    fn discard(&mut self) -> io::Result<Step> {
        let Stage::Lingering { discarded } = &mut self.stage else { return Ok(Step::Out(Next::Stay)) };
        let mut chunk = [0; 4096];
        for _ in 0..READS_A_TURN {
            match self.socket.read(&mut chunk) {
                Ok(0) => return Ok(Step::Out(Next::Close)),
                Ok(count) => *discarded += count,
                Err(e) if is_not_ready(&e) => break,
                Err(e) => return Err(e),
            }
        }
        Ok(Step::Out(if *discarded > MOST_DISCARDED { Next::Close } else { Next::Stay }))
    }

    /// Takes in what came, up to one byte more than the longest head. Says whether the far end has closed.
    fn receive(&mut self) -> io::Result<bool> {
        let mut eof = false;
        let mut chunk = [0; 2048];
        if let Some(tls) = &mut self.tls {
            let read = read_records(tls, &mut self.socket);
            write_records(tls, &mut self.socket)?;
            eof = read?;
        }
        while self.received.len() <= LONGEST_HEAD {
            let room = (LONGEST_HEAD + 1 - self.received.len()).min(chunk.len());
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
