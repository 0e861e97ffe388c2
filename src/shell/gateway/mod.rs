//! The TCP front door: TLS, pages, WebSockets, and the patience with strangers. One thread, one poll.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::Sender;
use socket2::{Domain, Protocol, Socket, Type};

use crate::shell::bind::bind_with_retry;
use crate::shell::metered::Metered;
use crate::shell::posts::Post;
use crate::shell::pulse::Pulse;
use crate::shell::tls::Certificates;
use crate::shell::wake::Wake;
use crate::shell::wires::OpenSocket;
use crate::shell::worker::{Exit, Worker, spawn_worker};

mod acceptor;
mod connection;
mod forwarded;
pub mod head;
pub mod origin;
mod pages;
mod progress;
mod records;
mod relay;
pub mod remembered;
pub mod reply;
mod timeouts;

use connection::Context;
use pages::{Pages, PagesServer};
pub use timeouts::Timeouts;

/// A TLS connection, non-blocking, whose descriptor stays known to its owner.
pub type TlsStream = rustls::StreamOwned<rustls::ServerConnection, Metered>;

/// What the gateway needs.
pub struct GatewayConfig {
    /// TCP port, for IPv4 and IPv6; 0 lets the system choose one, for tests.
    pub port: u16,
    /// What browsers are shown.
    pub certificates: Arc<Certificates>,
    /// A folder of the gateway's own, made if need be and closed to others; its path must leave room for a socket's
    /// name (108 bytes in all).
    pub private_dir: PathBuf,
    /// Where open WebSockets go. When it is full, newcomers get 503 and their page tries again.
    pub sockets: Sender<OpenSocket>,
    /// Where pages' POSTs go. When it is full, newcomers get 503 as well.
    pub posts: Sender<Post>,
    /// Wakes the receiver.
    pub wake: Wake,
    /// How long strangers may take.
    pub timeouts: Timeouts,
    /// The reverse proxy that is believed for whom it asks.
    pub proxy: Option<IpAddr>,
}

/// The front of the house on TCP.
pub struct Gateway;

impl Gateway {
    /// Opens the port and starts the threads `gateway` and `pages`. Fails in words if the port is taken or the private
    /// folder cannot be used.
    pub fn start(config: GatewayConfig) -> io::Result<GatewayHandle> {
        let (listeners, port) = bind_with_retry(|| listen(config.port))?;
        let pages = Arc::new(Pages::new(config.certificates.authority().map(|der| der.to_vec())));
        let wake = Wake::new()?;
        let context = Context {
            timeouts: config.timeouts,
            proxy: config.proxy.map(|proxy| proxy.to_canonical()),
            certificates: Arc::clone(&config.certificates),
            port,
            pages_socket: config.private_dir.join("pages.sock"),
            longest_page: pages.longest(),
            sockets: config.sockets,
            posts: config.posts,
            wake: config.wake,
            own_wake: wake.clone(),
            paces: Default::default(),
        };
        let pages = PagesServer::start(pages, context.pages_socket.clone())?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, woken, certificates) = (stop.clone(), wake.clone(), config.certificates);
        let worker = spawn_worker("gateway", move || {
            acceptor::run(&listeners, &context, &certificates, &woken, &stopped);
            Exit::Done
        })?;
        Ok(GatewayHandle { port, stop, wake, worker, pages })
    }
}

/// The running gateway.
pub struct GatewayHandle {
    port: u16,
    stop: Arc<AtomicBool>,
    wake: Wake,
    worker: Worker,
    pages: PagesServer,
}

impl GatewayHandle {
    /// The TCP port that is really open.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The pulses of its threads.
    pub fn pulses(&self) -> [Arc<Pulse>; 2] {
        [self.worker.pulse(), self.pages.pulse()]
    }

    /// Closes the port and all unfinished connections; ends within a second. WebSockets handed over live on.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake.wake();
        self.worker.dismiss();
        self.worker.join_within(Duration::from_millis(500));
        self.pages.stop();
    }
}

/// Listens on `port` with IPv4 and, where the machine has it, IPv6. Port 0 becomes the same one for both.
fn listen(port: u16) -> io::Result<(Vec<TcpListener>, u16)> {
    const TRIES: usize = 16;
    for tries in 1.. {
        let v4 = listener(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).map_err(|e| in_words(port, e))?;
        let chosen = v4.local_addr()?.port();
        match listener(SocketAddr::from((Ipv6Addr::UNSPECIFIED, chosen))) {
            Ok(v6) => return Ok((vec![v4, v6], chosen)),
            // What IPv4 was given at random may be taken in IPv6.
            Err(e) if e.kind() == io::ErrorKind::AddrInUse && port == 0 && tries < TRIES => {}
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => return Err(in_words(chosen, e)),
            Err(e) => {
                log::info!("no IPv6 on TCP port {chosen}: {e}");
                return Ok((vec![v4], chosen));
            }
        }
    }
    unreachable!("the last try returns")
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections from before a restart linger on the port and must not keep it closed.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(256)?;
    Ok(socket.into())
}

fn in_words(port: u16, error: io::Error) -> io::Error {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => "another program (or another intercom) has it; set another [network] port".into(),
        io::ErrorKind::PermissionDenied => "ports below 1024 need more rights; set another [network] port".into(),
        _ => error.to_string(),
    };
    io::Error::new(error.kind(), format!("cannot listen on TCP port {port}: {why}"))
}
