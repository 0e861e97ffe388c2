//! Ports for homes in tests.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

/// A port that is free for both protocols.
pub fn free_port() -> u16 {
    // Below those that the kernel gives to outgoing connections, whose remains would keep it for a minute; and not where
    // another process of these tests begins to look.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(37);
    for _ in 0..500 {
        let port = 20_000 + (first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000) as u16;
        let any = Ipv4Addr::UNSPECIFIED;
        if TcpListener::bind((any, port)).is_ok() && UdpSocket::bind((any, port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free for TCP and UDP");
}
