//! The connection to a camera on the network: looked up, opened and read by deadlines.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::address::Address;
use super::cause;
use crate::clock;
use crate::contract::DeviceError;
use crate::wait::wait;

/// Addresses of a name that are tried.
const ADDRESSES: usize = 4;

type Answer = io::Result<Vec<SocketAddr>>;

/// Asks the system for the addresses of names. Its call has no deadline, so it runs in a thread of its own, of which
/// there is never more than one: a new wish takes over the answer to one that came to nothing.
#[derive(Debug, Default)]
pub struct Lookup {
    pending: Option<Receiver<Answer>>,
}

impl Lookup {
    /// The addresses of the host, by `deadline`.
    ///
    /// # Errors
    /// If its name is not found.
    pub fn addresses(&mut self, address: &Address, deadline: Instant) -> Result<Vec<SocketAddr>, DeviceError> {
        if let Ok(ip) = address.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, address.port)]);
        }
        let pending = match &self.pending {
            Some(pending) => pending,
            None => self.pending.insert(ask(address)?),
        };
        let answer = pending.recv_timeout(deadline.saturating_duration_since(clock::now()));
        if !matches!(answer, Err(RecvTimeoutError::Timeout)) {
            self.pending = None;
        }
        match answer {
            Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
            Ok(Ok(_)) => Err(cause::no_name(&address.host, "it has no address")),
            Ok(Err(error)) => Err(cause::no_name(&address.host, &error.to_string())),
            Err(_) => Err(cause::no_name(&address.host, "nobody answers for it")),
        }
    }
}

fn ask(address: &Address) -> Result<Receiver<Answer>, DeviceError> {
    let (tell, answer) = sync_channel(1);
    let (host, port) = (address.host.clone(), address.port);
    let look = move || {
        let found = (host.as_str(), port).to_socket_addrs().map(|all| all.take(ADDRESSES).collect());
        // Nobody waits any more if the camera was given up.
        let _ = tell.send(found);
    };
    let thread = thread::Builder::new().name("lookup".into()).spawn(look);
    thread.map(|_| answer).map_err(|error| DeviceError::Io(format!("no thread to look up a name: {error}")))
}

/// A connection.
#[derive(Debug)]
pub struct Link {
    socket: TcpStream,
}

/// What reading gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Got {
    /// So many bytes, at least one.
    Bytes(usize),
    /// Nothing by the deadline.
    Nothing,
    /// The far end has closed the connection.
    End,
}

impl Link {
    /// Connects to the first of `addresses` that answers, at `port`, and sends `request`.
    ///
    /// # Errors
    /// If none answers by `deadline`.
    pub fn open(addresses: &[SocketAddr], port: u16, request: &[u8], deadline: Instant) -> Result<Link, DeviceError> {
        let mut refused = None;
        for (n, at) in addresses.iter().enumerate() {
            let mut at = *at;
            at.set_port(port);
            // A dead address must leave time for those after it.
            let left = deadline.saturating_duration_since(clock::now()) / (addresses.len() - n) as u32;
            let socket = match TcpStream::connect_timeout(&at, left.max(Duration::from_millis(1))) {
                Ok(socket) => socket,
                Err(error) => {
                    refused = Some(cause::no_connection(&at, &error));
                    continue;
                }
            };
            // A fresh socket's buffer takes a request at once. Address, user, password and what a challenge repeats have bounds:
            // together they are below 16 KiB.
            let sent = socket.set_nonblocking(true).and_then(|()| (&socket).write_all(request));
            return match sent {
                Ok(()) => Ok(Link { socket }),
                Err(error) => Err(DeviceError::Io(format!("{at}: ask for the stream: {error}"))),
            };
        }
        Err(refused.unwrap_or_else(|| DeviceError::Absent("it has no address".into())))
    }

    /// Reads what is there, waiting until `deadline` for anything at all.
    pub fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> Result<Got, DeviceError> {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Ok(Got::End),
                Ok(count) => return Ok(Got::Bytes(count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Small servers close without reading all of the request, which resets the connection behind their answer.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(Got::End),
                Err(error) => return Err(DeviceError::Io(format!("read: {error}"))),
            }
            match wait(&mut [PollFd::new(&self.socket, PollFlags::IN)], deadline) {
                Ok(true) => {}
                Ok(false) => return Ok(Got::Nothing),
                Err(error) => return Err(DeviceError::Io(format!("wait: {error}"))),
            }
        }
    }
}
