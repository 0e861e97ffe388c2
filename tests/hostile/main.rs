//! Strangers at the real gateway, over real sockets on loopback: what is malformed, oversized, slow or too much.

mod client;
mod crowds;
mod front;
mod http;
mod program;
mod signal;
mod websocket;
