//! Watches the machine's addresses: the thread `addresses` tells of every change.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use intercom_core::reach::Addresses;
use intercom_core::reach::ranking::{self, Candidate};
use rustix::net::RecvFlags;

use crate::shell::clock;
use crate::shell::netlink::{self, readable};
use crate::shell::pulse::{self, Pulse};
use crate::shell::wake::Wake;
use crate::shell::worker::{Exit, Worker, spawn_worker};

/// How often to look where the kernel does not tell of changes.
const LOOK: Duration = Duration::from_secs(2);
/// How often to look although it does, because a message of its may be lost.
const LOOK_ANYWAY: Duration = Duration::from_secs(60);
/// Changes come in bursts: this long after the first one the new state is read.
const SETTLE: Duration = Duration::from_millis(150);

/// The addresses that home has now. An interface list that cannot be read counts as empty.
pub fn read(public: Option<SocketAddr>) -> Addresses {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let flags = match std::fs::read_to_string("/proc/net/if_inet6") {
        Ok(text) => ranking::parse_if_inet6(&text),
        Err(_) => HashMap::new(),
    };
    let candidates: Vec<Candidate> = interfaces
        .into_iter()
        .map(|interface| Candidate {
            address: interface.ip(),
            running: interface.is_oper_up(),
            point_to_point: interface.is_p2p(),
            flags: flags.get(&interface.ip()).copied().unwrap_or(0),
            interface: interface.name,
        })
        .collect();
    // Addresses that documentation is written with (RFC 5737, RFC 3849): certainly outside, certainly nobody's.
    let outside = ["192.0.2.1:9", "[2001:db8::1]:9"];
    let routes: Vec<IpAddr> = outside.into_iter().filter_map(route_to).collect();
    ranking::rank(&candidates, &routes, public)
}

/// The address that a packet to `outside` would leave from. Connecting a UDP socket sends nothing.
fn route_to(outside: &str) -> Option<IpAddr> {
    let outside: SocketAddr = outside.parse().ok()?;
    let any: SocketAddr = if outside.is_ipv4() { "0.0.0.0:0".parse().ok()? } else { "[::]:0".parse().ok()? };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(outside).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// The newest addresses, for anyone who asks; cloned freely.
#[derive(Clone, Debug, Default)]
pub struct AddressBook(Arc<Mutex<Addresses>>);

impl AddressBook {
    /// A book that says `addresses`.
    pub fn new(addresses: Addresses) -> AddressBook {
        AddressBook(Arc::new(Mutex::new(addresses)))
    }

    /// What it says now.
    pub fn current(&self) -> Addresses {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes down `addresses`; says whether that is news.
    fn update(&self, addresses: &Addresses) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let news = *known != *addresses;
        known.clone_from(addresses);
        news
    }
}

/// The running watch.
#[derive(Debug)]
pub struct AddressWatch {
    worker: Worker,
    stop: Arc<AtomicBool>,
    wake: Wake,
}

impl AddressWatch {
    /// Keeps `book` up to date from now on, and calls `on_change` with each new state, from the thread `addresses`.
    pub fn start(
        book: AddressBook,
        public: Option<SocketAddr>,
        mut on_change: impl FnMut(Addresses) + Send + 'static,
    ) -> io::Result<AddressWatch> {
        let stop = Arc::new(AtomicBool::new(false));
        let wake = Wake::new()?;
        let (stopped, woken) = (stop.clone(), wake.clone());
        let worker = spawn_worker("addresses", move || {
            let changes = netlink::listen(None, GROUPS).ok();
            while !stopped.load(Ordering::Acquire) {
                pulse::beat(LOOK_ANYWAY);
                let addresses = read(public);
                if book.update(&addresses) {
                    log::info!("addresses: {}", in_words(&addresses));
                    on_change(addresses);
                }
                wait_for_change(changes.as_ref(), &woken);
            }
            Exit::Done
        })?;
        Ok(AddressWatch { worker, stop, wake })
    }

    /// The thread's pulse.
    pub fn pulse(&self) -> Arc<Pulse> {
        self.worker.pulse()
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake.wake();
        self.worker.dismiss();
        self.worker.join_within(Duration::from_secs(1));
    }
}

fn in_words(addresses: &Addresses) -> String {
    if addresses.local.is_empty() {
        return "none, no network".into();
    }
    addresses.local.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Changed links, addresses and routes (rtnetlink(7)): RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE,
/// RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

/// Returns when it is time to look again, or on a stop.
fn wait_for_change(changes: Option<&OwnedFd>, wake: &Wake) {
    let Some(changes) = changes else {
        readable(&[wake.as_fd()], clock::now() + LOOK);
        return;
    };
    readable(&[wake.as_fd(), changes.as_fd()], clock::now() + LOOK_ANYWAY);
    readable(&[wake.as_fd()], clock::now() + SETTLE);
    // What was said does not matter, only that something was. Bounded, should the kernel never fall silent.
    let mut message = [0u8; 8192];
    for _ in 0..256 {
        match rustix::net::recv(changes, &mut message, RecvFlags::DONTWAIT) {
            Ok((0, _)) | Err(rustix::io::Errno::AGAIN) => break,
            // ENOBUFS says that messages were lost; the state is read anyway.
            Ok(_) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_no_loopback_among_its_addresses() {
        let addresses = read(None);
        assert!(addresses.local.iter().all(|address| !address.is_loopback()));
        assert!(addresses.best.is_none_or(|best| addresses.local.first() == Some(&best)));
    }

    #[test]
    fn the_watch_tells_of_the_first_state_and_stops_at_once() {
        let book = AddressBook::new(Addresses { local: vec!["192.0.2.99".parse().unwrap()], ..Addresses::default() });
        let (sender, changes) = crossbeam_channel::bounded(4);
        let watch = AddressWatch::start(book.clone(), None, move |addresses| {
            let _ = sender.try_send(addresses);
        })
        .unwrap();
        let told = changes.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(told, book.current());
        watch.stop();
        assert!(watch.worker.has_ended());
    }
}
