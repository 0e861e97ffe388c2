//! Whose a connection is, how far it has come, and what becomes of it.

use std::net::{IpAddr, SocketAddr};

use intercom_core::people::fairness::Source;

/// Whose a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The reverse proxy's, which has not said for whom it asks, or nothing that counts.
    Proxy,
    /// A client's, before the proxy or behind it.
    Client(Source),
}

impl Owner {
    /// Before it has said anything.
    pub fn of(peer: SocketAddr, proxy: Option<IpAddr>) -> Owner {
        match proxy == Some(peer.ip().to_canonical()) {
            true => Owner::Proxy,
            false => Owner::Client(Source::of(peer.ip())),
        }
    }
}

/// How far a connection has come; of one source's, those that come first here go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// Its answer has been sent, and nothing more is asked.
    Answered,
    /// It has not asked for anything yet.
    Unfinished,
    /// It is being answered.
    Asked,
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It stays.
    Stay,
    /// It is over.
    Close,
    /// It came through the proxy or asks again, and the source that [`super::connection::Connection::place`] names now has not paid for
    /// that yet: if it can, it goes on with `handle_ready`.
    Owes,
    /// It has become a WebSocket: see [`Connection::into_socket`].
    Upgraded,
}
