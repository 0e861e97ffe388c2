//! A path between home and a viewer at IP level: two TUN devices, each in a network namespace of its own, and a thread that
//! passes packets from one to the other as late, as slowly and as incompletely as told. TCP's handshakes and UDP alike meet
//! the same network, and nobody at its ends needs to know. Needs root and `/dev/net/tun`.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};

use crate::harness::net::{Namespace, allowed, not_run};

/// Where home is for the viewer.
pub const HOME: &str = "10.78.0.1";
const VIEWER: &str = "10.78.0.2";
const DEVICE: &str = "/dev/net/tun";
/// An IP packet on Ethernet.
const MTU: usize = 1500;

/// What happens to packets, in each direction alike.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    /// How long each takes, one way.
    pub delay: Duration,
    /// And up to so much more, by chance; none overtakes another.
    pub jitter: Duration,
    /// The share of packets that are lost, 0 to 1.
    pub loss: f64,
    /// How many in a row are lost on average; at most one means that each is lost by itself.
    pub burst: f64,
    /// What the narrowest place carries, IP headers and all, in kbit/s; 0 is no limit.
    pub kbps: u32,
    /// The queue before that place, in time; what would wait for longer is dropped.
    pub queue: Duration,
}

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    /// That came to the path.
    pub sent: u64,
    /// That the queue had no room for.
    pub dropped: u64,
    /// That were lost by chance.
    pub lost: u64,
    /// Bytes of what arrived, with IP headers.
    pub bytes: u64,
}

/// What became of one direction's packets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// UDP alone: media.
    pub udp: Count,
    /// Of all protocols.
    pub all: Count,
}

impl Tally {
    fn add(&mut self, packet: &[u8], note: impl Fn(&mut Count)) {
        note(&mut self.all);
        const UDP: u8 = 17;
        let protocol = match packet.first().map(|first| first >> 4) {
            Some(4) => packet.get(9),
            Some(6) => packet.get(6),
            _ => None,
        };
        if protocol == Some(&UDP) {
            note(&mut self.udp);
        }
    }
}

/// The two ends, and what lies between.
pub struct Tunnel {
    /// Where home lives: [`HOME`].
    pub home: Namespace,
    /// Where the viewer lives.
    pub viewer: Namespace,
    control: Arc<Control>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Control {
    stop: AtomicBool,
    kbps: AtomicU32,
    /// To the viewer, and to home.
    tallies: [Mutex<Tally>; 2],
}

/// Whether this process may make such paths. If not, it says that `what` is not run, and why.
pub fn possible(what: &str) -> bool {
    if !allowed(what) {
        return false;
    }
    if let Err(error) = rustix::fs::open(DEVICE, OFlags::RDWR, Mode::empty()) {
        not_run(what, &format!("It makes a network of its own, which needs {DEVICE}: {error}"));
        return false;
    }
    true
}

impl Tunnel {
    /// Builds it. The same seed loses the same packets, if they come in the same order.
    pub fn new(shape: Shape, seed: u64) -> Tunnel {
        let [home, viewer] = ["th", "tv"].map(Namespace::new);
        let ends = [(&home, HOME), (&viewer, VIEWER)].map(|(namespace, address)| {
            let device = namespace.enter(|| device().unwrap_or_else(|e| panic!("{DEVICE}: {e}")));
            namespace.ip(&format!("addr add {address}/24 dev path"));
            namespace.ip("link set path up");
            // Chromium gathers no addresses without it.
            namespace.ip("route add default dev path");
            namespace.await_link("path");
            device
        });
        let control = Arc::new(Control::default());
        control.kbps.store(shape.kbps, Ordering::Relaxed);
        let ways = [0, 1].map(|way| Way::new(shape, seed * 2 + way));
        let told = Arc::clone(&control);
        let thread = std::thread::Builder::new().name("path".into()).spawn(move || carry(&ends, ways, &told));
        Tunnel { home, viewer, control, thread: Some(thread.expect("start a thread")) }
    }

    /// From now on the narrowest place carries so much, both ways. What is in its queue leaves as it was going to.
    pub fn set_kbps(&self, kbps: u32) {
        self.control.kbps.store(kbps, Ordering::Relaxed);
    }

    /// So far, to the viewer.
    pub fn to_viewer(&self) -> Tally {
        *self.control.tallies[0].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.control.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The kernel's `struct ifreq`, as far as a TUN device needs it.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// A TUN device called `path` in the calling thread's namespace. It goes with its descriptor.
#[allow(unsafe_code, reason = "no safe interface to this ioctl is at hand")]
fn device() -> rustix::io::Result<OwnedFd> {
    use rustix::ioctl::{Updater, ioctl, opcode};
    /// `TUNSETIFF` of linux/if_tun.h.
    const SET: rustix::ioctl::Opcode = opcode::write::<i32>(b'T', 202);
    /// `IFF_TUN | IFF_NO_PI`: bare IP packets.
    const BARE: u16 = 0x1001;
    let file = rustix::fs::open(DEVICE, OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
    let mut request = Request { name: [0; 16], flags: BARE, rest: [0; 22] };
    request.name[..4].copy_from_slice(b"path");
    // SAFETY: TUNSETIFF reads and writes one `struct ifreq`, 40 bytes on 64-bit machines, as `Request` is; it lives until then.
    unsafe { ioctl(&file, Updater::<SET, Request>::new(&mut request)) }?;
    Ok(file)
}

/// One direction.
struct Way {
    shape: Shape,
    random: fastrand::Rng,
    /// A run of losses goes on.
    losing: bool,
    /// When the narrowest place is free.
    free: Instant,
    /// When the last packet arrives; none may come before it.
    last: Instant,
    under_way: VecDeque<(Instant, Vec<u8>)>,
}

impl Way {
    fn new(shape: Shape, seed: u64) -> Way {
        let now = Instant::now();
        let random = fastrand::Rng::with_seed(seed);
        Way { shape, random, losing: false, free: now, last: now, under_way: VecDeque::new() }
    }

    fn take(&mut self, packet: &[u8], kbps: u32, now: Instant, tally: &mut Tally) {
        tally.add(packet, |count| count.sent += 1);
        let mut leaves = now;
        if kbps > 0 {
            let begins = self.free.max(now);
            if begins - now > self.shape.queue {
                return tally.add(packet, |count| count.dropped += 1);
            }
            self.free = begins + Duration::from_secs_f64(packet.len() as f64 * 8.0 / f64::from(kbps) / 1000.0);
            leaves = self.free;
        }
        if self.is_lost() {
            return tally.add(packet, |count| count.lost += 1);
        }
        let arrives = leaves + self.shape.delay + self.shape.jitter.mul_f64(self.random.f64());
        self.last = self.last.max(arrives);
        self.under_way.push_back((self.last, packet.to_vec()));
    }

    /// Gilbert's two states: a run of losses ends with a chance that makes it as long as told on average, and begins with one
    /// that makes as many as told.
    fn is_lost(&mut self) -> bool {
        let Shape { loss, burst, .. } = self.shape;
        if burst <= 1.0 {
            return self.random.f64() < loss;
        }
        let ends = 1.0 / burst;
        let begins = ends * loss / (1.0 - loss);
        self.losing = if self.losing { self.random.f64() >= ends } else { self.random.f64() < begins };
        self.losing
    }
}

fn carry(ends: &[OwnedFd; 2], mut ways: [Way; 2], control: &Control) {
    const PATIENCE: Duration = Duration::from_millis(50);
    // A path does not get slower because a decoder is busy. Without the right to this it may.
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), -15);
    let mut room = [0; MTU];
    while !control.stop.load(Ordering::Relaxed) {
        let kbps = control.kbps.load(Ordering::Relaxed);
        for (number, way) in ways.iter_mut().enumerate() {
            let mut tally = control.tallies[number].lock().unwrap_or_else(PoisonError::into_inner);
            while let Ok(length @ 1..) = rustix::io::read(&ends[number], &mut room) {
                way.take(&room[..length], kbps, Instant::now(), &mut tally);
            }
            while way.under_way.front().is_some_and(|(due, _)| *due <= Instant::now()) {
                let Some((_, packet)) = way.under_way.pop_front() else { break };
                if rustix::io::write(&ends[1 - number], &packet).is_ok() {
                    tally.add(&packet, |count| count.bytes += packet.len() as u64);
                }
            }
        }
        let due = ways.iter().filter_map(|way| way.under_way.front()).map(|(due, _)| *due).min();
        let wait = due.map_or(PATIENCE, |due| due.saturating_duration_since(Instant::now()).min(PATIENCE));
        let time = Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos()) };
        let _ = poll(&mut ends.each_ref().map(|end| PollFd::new(end, PollFlags::IN)), Some(&time));
    }
}
