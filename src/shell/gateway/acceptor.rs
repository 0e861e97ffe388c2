//! The gateway's thread: one poll over the port and all its connections, everything bounded per turn and per source.

use std::hash::{BuildHasher, Hasher};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use intercom_core::people::fairness::{self, Budget, Budgets, Limits, Occupant, Rate};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::connection::{Connection, Context};
use super::progress::{Next, Owner, Progress};
use crate::shell::tls::Certificates;
use crate::shell::wake::Wake;
use crate::shell::{clock, pulse};

/// A turn that takes longer was kept by the disk or the machine. Clients cannot make one that long.
const OWN_TIME: Duration = Duration::from_millis(500);

/// Requests with `pages` at once; tiny_http has a thread for each. The others wait their turn, which is short.
const MOST_RELAYS: usize = 8;
/// Connections at once, in all and of one source.
const LIMITS: Limits = Limits { all: 256, each: 32 };
/// Connections that one source may open: more are closed before any TLS, which costs a millisecond of computing each. A browser
/// needs three for a visit; a burst is a household behind one address after a power cut.
const OPENED: Rate = Rate { burst: 256.0, per_second: 20.0 };
/// Connections of the reverse proxy that say for no client, or not yet. Who pays is known only then: a rate at which all of them are
/// opened would be one client's to use up.
const OF_PROXY: usize = 128;
/// Connections taken in a turn.
const ACCEPTS_A_TURN: usize = 64;
/// How long the port rests when the system has no descriptors left.
const REST: Duration = Duration::from_millis(200);
/// Crowding is logged again only after this long without.
const CALM: Duration = Duration::from_secs(60);

/// Serves until `stop` is set and `wake` woken.
pub fn run(listeners: &[TcpListener], context: &Context, certificates: &Certificates, wake: &Wake, stop: &AtomicBool) {
    let now = clock::now();
    let mut acceptor = Acceptor {
        context,
        connections: Vec::new(),
        rest_until: None,
        crowded: None,
        budgets: Budgets::new(OPENED),
        of_nobody: Budget::new(OPENED, now),
        certificates_due: certificates.next_look(now),
    };
    while !stop.load(Ordering::Acquire) {
        let ready = acceptor.wait(listeners, wake);
        wake.clear();
        let now = clock::now();
        if now >= acceptor.certificates_due {
            certificates.look();
            acceptor.certificates_due = certificates.next_look(now);
        }
        acceptor.serve(&ready.connections, now);
        if ready.listeners && !acceptor.rests(now) {
            for listener in listeners {
                acceptor.accept(listener, now);
            }
        }
        acceptor.start_relays(now);
    }
}

struct Acceptor<'c> {
    context: &'c Context,
    connections: Vec<Connection>,
    /// The port rests until then.
    rest_until: Option<Instant>,
    /// When somebody last had to go for a newcomer.
    crowded: Option<Instant>,
    budgets: Budgets,
    /// What the proxy asks for no client.
    of_nobody: Budget,
    certificates_due: Instant,
}

/// What the poll found.
struct Ready {
    listeners: bool,
    /// For each connection, in order.
    connections: Vec<Event>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    None,
    Ready,
    /// The connection is broken or closed on both sides.
    Broken,
}

impl Acceptor<'_> {
    fn wait(&self, listeners: &[TcpListener], wake: &Wake) -> Ready {
        let now = clock::now();
        let mut fds = vec![PollFd::new(wake, PollFlags::IN)];
        if !self.rests(now) {
            fds.extend(listeners.iter().map(|listener| PollFd::new(listener, PollFlags::IN)));
        }
        let first = fds.len();
        // A relaying connection has two descriptors; where each one's are.
        let mut places = Vec::with_capacity(self.connections.len());
        for connection in &self.connections {
            let (fd, flags) = connection.interest();
            let own = fds.len();
            fds.push(PollFd::from_borrowed_fd(fd, flags));
            let relay = connection.relay_interest().map(|(fd, flags)| {
                fds.push(PollFd::from_borrowed_fd(fd, flags));
                fds.len() - 1
            });
            places.push((own, relay));
        }
        let left = self.next_deadline().saturating_duration_since(now);
        pulse::beat(left);
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        if let Err(e) = poll(&mut fds, Some(&timeout))
            && e != rustix::io::Errno::INTR
        {
            // Cannot happen with these arguments; without the pause it would spin.
            log::error!("gateway: poll: {e}");
            clock::sleep_until(clock::now() + REST);
        }
        let event = |place: usize| {
            let found = fds[place].revents();
            if found.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL) {
                Event::Broken
            } else if found.is_empty() {
                Event::None
            } else {
                Event::Ready
            }
        };
        let connections = places
            .into_iter()
            .map(|(own, relay)| match (event(own), relay.map(event)) {
                (Event::None, Some(Event::Ready | Event::Broken)) => Event::Ready,
                (own, _) => own,
            })
            .collect();
        Ready { listeners: fds[1..first].iter().any(|fd| !fd.revents().is_empty()), connections }
    }

    fn next_deadline(&self) -> Instant {
        let connections = self.connections.iter().map(Connection::deadline);
        connections.chain(self.rest_until).fold(self.certificates_due, Instant::min)
    }

    fn rests(&self, now: Instant) -> bool {
        self.rest_until.is_some_and(|until| now < until)
    }

    /// Goes on with all that is ready or due.
    fn serve(&mut self, events: &[Event], now: Instant) {
        if self.rest_until.is_some_and(|until| now >= until) {
            self.rest_until = None;
        }
        let mut index = 0;
        let mut handed_over = Vec::new();
        for event in events {
            let connection = &mut self.connections[index];
            let mut next = match event {
                Event::None if connection.is_speaking() => connection.handle_ready(self.context, now),
                Event::None => Next::Stay,
                Event::Ready => connection.handle_ready(self.context, now),
                Event::Broken => Next::Close,
            };
            if next == Next::Stay && now >= connection.deadline() {
                next = connection.handle_deadline(self.context, now);
            }
            if next == Next::Owes {
                handed_over.push(connection.place().owner);
                next = self.have_pay(index, now);
            }
            // `remove` keeps the order, which `events` is in.
            match self.carry_out(index, next) {
                true => index += 1,
                false => continue,
            }
        }
        for client in handed_over {
            let limits = limits(client);
            while self.connections.iter().filter(|connection| connection.place().owner == client).count() > limits.each
                && let Some(index) = fairness::evict(&self.places(), client, limits, toss)
            {
                self.connections.remove(index);
                self.tell_crowd(now);
            }
        }
        // A certificate that is made and stored for the first time may take seconds, on a slow disk. They are not the clients'.
        let own = clock::now().saturating_duration_since(now);
        if own >= OWN_TIME {
            self.connections.iter_mut().for_each(|connection| connection.extend(own));
        }
    }

    /// What becomes of a connection that owes for its request: it goes on, or is closed.
    fn have_pay(&mut self, index: usize, now: Instant) -> Next {
        loop {
            let connection = &mut self.connections[index];
            let pays = match connection.place().owner {
                Owner::Client(source) => self.budgets.spend(source, now),
                Owner::Proxy => self.of_nobody.spend(1.0, now),
            };
            if !pays {
                self.tell_crowd(now);
                return Next::Close;
            }
            // It may have the next one at hand, up to its last.
            let next = connection.handle_ready(self.context, now);
            if next != Next::Owes {
                return next;
            }
        }
    }

    /// Does what became of a connection; says whether it is still there.
    fn carry_out(&mut self, index: usize, next: Next) -> bool {
        match next {
            Next::Stay | Next::Owes => return true,
            Next::Close => drop(self.connections.remove(index)),
            Next::Upgraded => {
                if let Some(socket) = self.connections.remove(index).into_socket() {
                    // Full in spite of the look before: the page tries again.
                    if self.context.sockets.try_send(socket).is_ok() {
                        self.context.wake.wake();
                    }
                }
            }
        }
        false
    }

    fn accept(&mut self, listener: &TcpListener, now: Instant) {
        for _ in 0..ACCEPTS_A_TURN {
            match listener.accept() {
                Ok((socket, peer)) => {
                    let owner = Owner::of(peer, self.context.proxy);
                    // Whoever is behind the proxy pays, once it has said who.
                    if let Owner::Client(source) = owner
                        && !self.budgets.spend(source, now)
                    {
                        self.tell_crowd(now);
                        continue;
                    }
                    self.make_room(owner, now);
                    match Connection::new(socket, peer, self.context, now) {
                        Ok(connection) => self.connections.push(connection),
                        Err(e) => log::trace!("{peer}: {e}"),
                    }
                }
                Err(e) => match rustix::io::Errno::from_io_error(&e) {
                    Some(rustix::io::Errno::AGAIN) => return,
                    Some(
                        rustix::io::Errno::MFILE
                        | rustix::io::Errno::NFILE
                        | rustix::io::Errno::NOBUFS
                        | rustix::io::Errno::NOMEM,
                    ) => {
                        log::warn!("gateway: {e}; the port rests for {} ms", REST.as_millis());
                        self.rest_until = Some(now + REST);
                        if let Some(index) = fairness::from_most(&self.places(), None, toss) {
                            self.connections.remove(index);
                        }
                        return;
                    }
                    // The newcomer is gone already (accept(2) lists the network's errors that arrive here).
                    _ => {}
                },
            }
        }
    }

    fn make_room(&mut self, newcomer: Owner, now: Instant) {
        let limits = limits(newcomer);
        while let Some(index) = fairness::evict(&self.places(), newcomer, limits, toss) {
            self.connections.remove(index);
            self.tell_crowd(now);
        }
    }

    fn tell_crowd(&mut self, now: Instant) {
        if self.crowded.is_none_or(|last| now.saturating_duration_since(last) > CALM) {
            log::warn!("gateway: too many connections, those of the addresses that have most are closed");
        }
        self.crowded = Some(now);
    }

    fn places(&self) -> Vec<Occupant<Owner, Progress>> {
        self.connections.iter().map(Connection::place).collect()
    }

    /// Gives free turns with `pages` to those who wait longest.
    fn start_relays(&mut self, now: Instant) {
        loop {
            if self.connections.iter().filter(|connection| connection.is_relaying()).count() >= MOST_RELAYS {
                return;
            }
            let waiting = self.connections.iter().enumerate();
            let longest = waiting.filter_map(|(n, c)| c.waiting_since().map(|since| (since, n))).min();
            let Some((_, index)) = longest else { return };
            let mut next = self.connections[index].start_relay(self.context, now);
            if next == Next::Owes {
                next = self.have_pay(index, now);
            }
            self.carry_out(index, next);
        }
    }
}

fn limits(owner: Owner) -> Limits {
    match owner {
        Owner::Client(_) => LIMITS,
        Owner::Proxy => Limits { each: OF_PROXY, ..LIMITS },
    }
}

/// A number that nobody foresees.
fn toss() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}
