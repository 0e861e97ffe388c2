//! A path between home and a viewer that is as bad as told: all UDP goes through a relay of ours, which loses, delays, reorders
//! and holds up datagrams by a seed. TCP passes as it is.

use std::collections::BinaryHeap;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::net::Namespace;

/// What happens to datagrams in one direction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Impairment {
    /// Percent of all that are lost.
    pub loss: f64,
    /// How many in a row are lost on average; at most one means that each is lost by itself.
    pub burst: f64,
    /// How long each takes at least.
    pub delay: Duration,
    /// And up to so much more, by chance; those of less overtake the others.
    pub jitter: Duration,
    /// No more than so many kbit/s get through. What waits for more than [`QUEUE`] is lost.
    pub kbps: Option<u32>,
}

/// The queue before the narrowest place, in time.
const QUEUE: Duration = Duration::from_millis(300);
/// Addresses of a viewer's that are told apart.
const SOURCES: usize = 8;
/// What IP and UDP put around each datagram.
const HEADERS: usize = 28;

/// The two ends, and what lies between. Home is `10.98.0.2`, and for the viewer `10.99.0.1`, the same port.
pub struct Path {
    /// Where home lives.
    pub home: Namespace,
    /// Where the viewer lives.
    pub viewer: Namespace,
    _middle: Namespace,
    stop: Arc<AtomicBool>,
    counts: [Arc<Counts>; 2],
    relay: Option<JoinHandle<()>>,
}

/// What became of datagrams in one direction.
#[derive(Debug, Default)]
struct Counts {
    passed: AtomicU64,
    lost: AtomicU64,
}

impl Path {
    /// The address to put into home's `public_address`.
    pub const PUBLIC: &str = "10.99.0.1:8443";

    /// Builds it.
    pub fn new(to_home: Impairment, to_viewer: Impairment, seed: u64) -> Path {
        let [home, middle, viewer] = ["ph", "pm", "pv"].map(Namespace::new);
        home.cable("10.98.0.2/24", &middle, "10.98.0.1/24");
        middle.cable("10.99.0.1/24", &viewer, "10.99.0.2/24");
        home.default_route("10.98.0.1");
        viewer.default_route("10.99.0.1");
        middle.forward();
        middle.nft(
            "add table ip path; \
             add chain ip path pre { type nat hook prerouting priority -100; }; \
             add rule ip path pre ip daddr 10.99.0.1 tcp dport 8443 dnat to 10.98.0.2:8443; \
             add chain ip path pass { type filter hook forward priority 0; }; \
             add rule ip path pass ip protocol udp drop",
        );
        let (outside, inside) = middle.enter(|| {
            let outside = UdpSocket::bind(Path::PUBLIC).expect("the relay's address");
            let inside: Vec<UdpSocket> = (0..SOURCES)
                .map(|_| {
                    let socket = UdpSocket::bind("10.98.0.1:0").expect("the relay's other address");
                    socket.connect("10.98.0.2:8443").expect("a route to home");
                    socket
                })
                .collect();
            (outside, inside)
        });
        let (stop, counts) = (Arc::new(AtomicBool::new(false)), [Arc::default(), Arc::default()]);
        let lanes = [(to_home, 1), (to_viewer, 2)]
            .map(|(impairment, salt)| Lane::new(impairment, seed * 2 + salt, Arc::clone(&counts[salt as usize - 1])));
        let relay = Relay { outside, inside, sources: Vec::new(), lanes };
        let stopped = Arc::clone(&stop);
        let relay = std::thread::spawn(move || relay.run(&stopped));
        Path { home, viewer, _middle: middle, stop, counts, relay: Some(relay) }
    }

    /// Percent of the datagrams that were lost so far, to home and to the viewer.
    pub fn loss(&self) -> [f64; 2] {
        [0, 1].map(|way: usize| {
            let [passed, lost] =
                [&self.counts[way].passed, &self.counts[way].lost].map(|n| n.load(Ordering::Relaxed) as f64);
            100.0 * lost / (passed + lost).max(1.0)
        })
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(relay) = self.relay.take() {
            let _ = relay.join();
        }
    }
}

/// One direction.
struct Lane {
    impairment: Impairment,
    random: fastrand::Rng,
    /// A run of losses goes on.
    losing: bool,
    /// When the narrowest place is free.
    free: Instant,
    waiting: BinaryHeap<Datagram>,
    count: u64,
    counts: Arc<Counts>,
}

/// The one that is due first is the greatest.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Datagram {
    due: std::cmp::Reverse<(Instant, u64)>,
    source: usize,
    bytes: Vec<u8>,
}

impl Lane {
    fn new(impairment: Impairment, seed: u64, counts: Arc<Counts>) -> Lane {
        let random = fastrand::Rng::with_seed(seed);
        let free = Instant::now();
        Lane { impairment, random, losing: false, free, waiting: BinaryHeap::new(), count: 0, counts }
    }

    fn take(&mut self, bytes: &[u8], source: usize, now: Instant) {
        let Impairment { delay, jitter, kbps, .. } = self.impairment;
        if let Some(kbps) = kbps {
            let time = Duration::from_secs_f64((bytes.len() + HEADERS) as f64 * 8.0 / f64::from(kbps) / 1000.0);
            let begins = self.free.max(now);
            if begins - now > QUEUE {
                self.counts.lost.fetch_add(1, Ordering::Relaxed);
                return;
            }
            self.free = begins + time;
        }
        if self.is_lost() {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let sent = if kbps.is_some() { self.free } else { now };
        self.count += 1;
        let due = sent + delay + jitter.mul_f64(self.random.f64());
        self.waiting.push(Datagram { due: std::cmp::Reverse((due, self.count)), source, bytes: bytes.to_vec() });
    }

    /// Gilbert's two states: a run of losses ends with a chance that makes it as long as told on average, and begins with
    /// one that makes as many as told.
    fn is_lost(&mut self) -> bool {
        let share = (self.impairment.loss / 100.0).min(0.99);
        let ends = 1.0 / self.impairment.burst.max(1.0);
        if self.impairment.burst <= 1.0 {
            return self.random.f64() < share;
        }
        let begins = ends * share / (1.0 - share);
        self.losing = if self.losing { self.random.f64() >= ends } else { self.random.f64() < begins };
        self.losing
    }

    fn due(&self) -> Option<Instant> {
        self.waiting.peek().map(|first| first.due.0.0)
    }

    fn next(&mut self, now: Instant) -> Option<Datagram> {
        let next = if self.due()? <= now { self.waiting.pop() } else { None };
        self.counts.passed.fetch_add(u64::from(next.is_some()), Ordering::Relaxed);
        next
    }
}

struct Relay {
    outside: UdpSocket,
    /// One for each of the viewer's addresses, so that home tells them apart.
    inside: Vec<UdpSocket>,
    sources: Vec<SocketAddr>,
    /// To home, and to the viewer.
    lanes: [Lane; 2],
}

impl Relay {
    fn run(mut self, stop: &AtomicBool) {
        for socket in self.inside.iter().chain([&self.outside]) {
            socket.set_nonblocking(true).expect("a socket");
        }
        let mut room = [0; 2048];
        while !stop.load(Ordering::Relaxed) {
            let now = Instant::now();
            while let Some(source) = receive(&self.outside, &mut room) {
                let (length, from) = source;
                let known = self.sources.iter().position(|source| *source == from);
                let number = known.or_else(|| {
                    (self.sources.len() < SOURCES).then(|| {
                        self.sources.push(from);
                        self.sources.len() - 1
                    })
                });
                if let Some(number) = number {
                    self.lanes[0].take(&room[..length], number, now);
                }
            }
            for number in 0..self.sources.len() {
                while let Some((length, _)) = receive(&self.inside[number], &mut room) {
                    self.lanes[1].take(&room[..length], number, now);
                }
            }
            while let Some(datagram) = self.lanes[0].next(now) {
                let _ = self.inside[datagram.source].send(&datagram.bytes);
            }
            while let Some(datagram) = self.lanes[1].next(now) {
                let _ = self.outside.send_to(&datagram.bytes, self.sources[datagram.source]);
            }
            let due = self.lanes.iter().filter_map(Lane::due).min();
            let patience = due.map_or(Duration::from_millis(20), |due| due.saturating_duration_since(Instant::now()));
            let patience = patience.min(Duration::from_millis(20));
            let time = Timespec { tv_sec: 0, tv_nsec: i64::from(patience.subsec_nanos()) };
            let mut fds: Vec<PollFd<'_>> =
                self.inside.iter().chain([&self.outside]).map(|socket| PollFd::new(socket, PollFlags::IN)).collect();
            let _ = poll(&mut fds, Some(&time));
        }
    }
}

fn receive(socket: &UdpSocket, room: &mut [u8]) -> Option<(usize, SocketAddr)> {
    loop {
        match socket.recv_from(room) {
            Ok(received) => return Some(received),
            // Home is not listening yet, or no more.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => continue,
            Err(_) => return None,
        }
    }
}
