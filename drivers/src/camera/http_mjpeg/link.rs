//! The connection to a camera on the network: looked up, opened and read by deadlines.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::address::Address;
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
    fn addresses(&mut self, address: &Address, deadline: Instant) -> Result<Vec<SocketAddr>, DeviceError> {
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
            Ok(Ok(_)) => Err(DeviceError::Absent(format!("the name {} has no address", address.host))),
            Ok(Err(error)) => Err(DeviceError::Absent(format!("the name {} is not found: {error}", address.host))),
            Err(_) => Err(DeviceError::Absent(format!("nobody answers for the name {}", address.host))),
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

impl Link {
    /// Connects and sends `request`.
    pub fn open(lookup: &mut Lookup, address: &Address, request: &str, deadline: Instant) -> Result<Link, DeviceError> {
        let mut refused = None;
        let addresses = lookup.addresses(address, deadline)?;
        for (n, at) in addresses.iter().enumerate() {
            // A dead address must leave time for those after it.
            let left = deadline.saturating_duration_since(clock::now()) / (addresses.len() - n) as u32;
            let socket = match TcpStream::connect_timeout(at, left.max(Duration::from_millis(1))) {
                Ok(socket) => socket,
                Err(error) => {
                    refused = Some(DeviceError::Absent(format!("{at}: connect: {error}")));
                    continue;
                }
            };
            // A fresh socket's buffer takes a request of at most a few thousand bytes at once.
            let sent = socket.set_nonblocking(true).and_then(|()| (&socket).write_all(request.as_bytes()));
            return match sent {
                Ok(()) => Ok(Link { socket }),
                Err(error) => Err(DeviceError::Io(format!("{at}: ask for the stream: {error}"))),
            };
        }
        Err(refused.unwrap_or_else(|| DeviceError::Absent(format!("no address of {}", address.host))))
    }

    /// Reads what is there, waiting until `deadline` for anything at all; 0 if nothing came by then.
    pub fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> Result<usize, DeviceError> {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Err(DeviceError::Io("the camera closed the connection".into())),
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(DeviceError::Io(format!("read: {error}"))),
            }
            match wait(&mut [PollFd::new(&self.socket, PollFlags::IN)], deadline) {
                Ok(true) => {}
                Ok(false) => return Ok(0),
                Err(error) => return Err(DeviceError::Io(format!("wait: {error}"))),
            }
        }
    }
}
