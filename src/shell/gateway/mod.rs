//! The TCP front door.

use std::net::TcpStream;

/// A TLS connection, non-blocking, whose descriptor stays known to its owner.
pub type TlsStream = rustls::StreamOwned<rustls::ServerConnection, TcpStream>;
