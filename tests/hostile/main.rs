//! Unauthenticated clients at the real gateway, over real sockets on loopback: what is malformed, oversized, slow or too much.

mod client;
mod crowds;
mod front;
mod http;
#[path = "../browser/harness/net.rs"]
#[allow(dead_code)] // It lays more networks than are needed here.
mod net;
mod networks;
#[path = "../browser/harness/ports.rs"]
mod ports;
mod posts;
mod program;
mod proxies;
mod signal;
#[path = "../bench/str0m_viewer.rs"]
#[allow(clippy::disallowed_methods)]
mod str0m_viewer;
mod websocket;

/// Looks again and again until there is something, but not for longer than this.
fn wait<T>(what: &str, limit: std::time::Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let end = intercom::shell::clock::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(intercom::shell::clock::now() < end, "waited {limit:?} in vain: {what}");
        std::thread::sleep(std::time::Duration::from_millis(40));
    }
}
