//! The UDP sockets: one port on IPv4 and IPv6, batched both ways, with the local address of each datagram.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};

/// Datagrams taken with one system call.
const BATCH: usize = 8;

/// With receive offload one buffer can hold many datagrams.
const BUFFER: usize = 65_535;

/// Longest burst handed to the kernel as one segmented send.
const MAX_SEGMENTED: usize = 60_000;

struct Half {
    socket: UdpSocket,
    state: UdpSocketState,
    any: IpAddr,
}

/// Both halves of the media port, and the burst being collected.
pub struct Udp {
    port: u16,
    halves: Vec<Half>,
    buffers: Vec<Vec<u8>>,
    burst: Burst,
    dropped: u64,
}

#[derive(Default)]
struct Burst {
    route: Option<(SocketAddr, SocketAddr)>,
    segment: usize,
    count: usize,
    bytes: Vec<u8>,
}

impl Udp {
    /// Binds `port` on every address.
    ///
    /// # Errors
    /// If the port is taken on IPv4. A machine without IPv6 does without.
    pub fn bind(port: u16) -> io::Result<Udp> {
        let mut halves = vec![Half::bind(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)?];
        match Half::bind(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port) {
            Ok(half) => halves.push(half),
            Err(error) => log::info!("no IPv6 for media: {error}"),
        }
        let buffers = vec![vec![0; BUFFER]; BATCH];
        Ok(Udp { port, halves, buffers, burst: Burst::default(), dropped: 0 })
    }

    /// The descriptors to poll for reading.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.halves.iter().map(|h| h.socket.as_fd())
    }

    /// Takes what has come in, at most `batches` system calls a socket, and shows each datagram with where it came
    /// from and to which of our addresses. Returns whether there may be more.
    pub fn receive(&mut self, batches: usize, mut take: impl FnMut(SocketAddr, SocketAddr, &[u8])) -> bool {
        let mut more = false;
        for half in &self.halves {
            for turn in 0.. {
                if turn == batches {
                    more = true;
                    break;
                }
                let mut metas = [RecvMeta::default(); BATCH];
                let mut slices = self.buffers.iter_mut().map(|b| IoSliceMut::new(b));
                let mut slices: [IoSliceMut<'_>; BATCH] =
                    std::array::from_fn(|_| slices.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
                let count = match half.state.recv(UdpSockRef::from(&half.socket), &mut slices, &mut metas) {
                    Ok(count) => count,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => {
                        // An ICMP error of an earlier send surfaces here; the next call goes on.
                        log::debug!("receive: {error}");
                        continue;
                    }
                };
                for (buffer, meta) in self.buffers.iter().zip(&metas).take(count) {
                    let local = SocketAddr::new(meta.dst_ip.unwrap_or(half.any), self.port);
                    for datagram in buffer[..meta.len.min(buffer.len())].chunks(meta.stride.max(1)) {
                        take(meta.addr, local, datagram);
                    }
                }
                if count < BATCH {
                    break;
                }
            }
        }
        more
    }

    /// Queues a datagram; a run of equally long ones on one route goes out as one segmented send.
    pub fn send(&mut self, source: SocketAddr, destination: SocketAddr, datagram: &[u8]) {
        let burst = &mut self.burst;
        let fits = burst.route == Some((source, destination))
            && datagram.len() <= burst.segment
            // Only the last datagram of a segmented send may be shorter.
            && burst.bytes.len() == burst.segment * burst.count
            && burst.bytes.len() + datagram.len() <= MAX_SEGMENTED
            && burst.count < self.halves.first().map_or(1, |h| h.state.max_gso_segments());
        if !fits {
            self.flush();
            self.burst.route = Some((source, destination));
            self.burst.segment = datagram.len();
        }
        self.burst.bytes.extend_from_slice(datagram);
        self.burst.count += 1;
    }

    /// Sends what is queued. What the kernel has no room for is dropped, as on any full link.
    pub fn flush(&mut self) {
        let Some((source, destination)) = self.burst.route.take() else { return };
        let transmit = Transmit {
            destination,
            ecn: None,
            contents: &self.burst.bytes,
            segment_size: (self.burst.count > 1).then_some(self.burst.segment),
            src_ip: (!source.ip().is_unspecified()).then_some(source.ip()),
        };
        let half = self.halves.iter().find(|h| h.any.is_ipv4() == destination.is_ipv4());
        if let Some(half) = half
            && let Err(error) = half.state.try_send(UdpSockRef::from(&half.socket), &transmit)
        {
            self.dropped += self.burst.count as u64;
            log::trace!("send to {destination}: {error}");
        }
        self.burst.bytes.clear();
        self.burst.count = 0;
    }

    /// Datagrams that could not be sent.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Half {
    fn bind(any: IpAddr, port: u16) -> io::Result<Half> {
        let domain = if any.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        if any.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&SocketAddr::new(any, port).into())?;
        let socket = UdpSocket::from(socket);
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        // A keyframe to eight viewers is a burst of about a megabyte; the default holds a fifth of it.
        let _ = state.set_send_buffer_size(UdpSockRef::from(&socket), 2 << 20);
        let _ = state.set_recv_buffer_size(UdpSockRef::from(&socket), 1 << 20);
        Ok(Half { socket, state, any })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_arrive_with_their_local_address_and_replies_leave_from_it() {
        let mut home = Udp::bind(0).expect("a free port");
        let port = home.halves[0].socket.local_addr().expect("bound").port();
        home.port = port;
        let far = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        far.set_read_timeout(Some(std::time::Duration::from_secs(5))).expect("timeout");
        let to = SocketAddr::from(([127, 0, 0, 2], port));
        for _ in 0..3 {
            far.send_to(b"knock", to).expect("send");
        }
        let mut seen = Vec::new();
        while seen.len() < 3 {
            let mut fds = [rustix::event::PollFd::new(&home.halves[0].socket, rustix::event::PollFlags::IN)];
            rustix::event::poll(&mut fds, None).expect("poll");
            home.receive(4, |source, local, bytes| seen.push((source, local, bytes.to_vec())));
        }
        assert_eq!(seen[0], (far.local_addr().expect("bound"), to, b"knock".to_vec()));
        for text in ["one", "two", "3"] {
            home.send(to, seen[0].0, text.as_bytes());
        }
        home.flush();
        let mut buffer = [0; 16];
        for text in ["one", "two", "3"] {
            let (length, from) = far.recv_from(&mut buffer).expect("reply");
            assert_eq!((&buffer[..length], from), (text.as_bytes(), to));
        }
    }
}
