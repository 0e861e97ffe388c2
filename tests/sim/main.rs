//! The core in virtual time: an hour of intercom in seconds.

mod network;
mod sockets;
mod strangers;
mod viewer;
mod world;
